"""The training losses, looked up by name."""

import copy
import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def charbonnier(prediction: Tensor, target: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Smooth mean absolute error, the mean of ``sqrt(d² + epsilon²)``."""
    return torch.sqrt(torch.square(prediction - target) + epsilon**2).mean()


def one_minus_ssim(prediction: Tensor, target: Tensor, window: int = 7) -> Tensor:
    """One minus the structural similarity of images in [0, 1] (Wang et al. 2004).

    Both are batches ``(n_samples, n_channels, *spatial)``. The window is uniform and the
    covariances are those of a sample, as in scikit-image; smaller images get a smaller window.
    """
    sides = [min(window, n) for n in target.shape[2:]]
    pool = getattr(F, f"avg_pool{len(sides)}d")
    mean = partial(pool, kernel_size=sides, stride=1)
    n = math.prod(sides)
    mu_p, mu_t = mean(prediction), mean(target)
    unbiased = n / max(n - 1, 1)
    var_p = unbiased * (mean(prediction * prediction) - mu_p * mu_p)
    var_t = unbiased * (mean(target * target) - mu_t * mu_t)
    cov = unbiased * (mean(prediction * target) - mu_p * mu_t)
    c1, c2 = 0.01**2, 0.03**2
    ssim = ((2 * mu_p * mu_t + c1) * (2 * cov + c2)) / (
        (mu_p * mu_p + mu_t * mu_t + c1) * (var_p + var_t + c2)
    )
    return 1 - ssim.mean()


LOSSES: dict[str, Callable[..., Tensor]] = {
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    # On images in [0, 1] the usual delta of 1 would be the squared error.
    "huber": partial(F.huber_loss, delta=0.1),
    "charbonnier": charbonnier,
    # Of logits: log(sigmoid) overflows where they are large.
    "bce": F.binary_cross_entropy_with_logits,
    "ssim": one_minus_ssim,
}

# Their constants are those of images in [0, 1].
_OF_UNIT_RANGE = ("huber", "charbonnier", "ssim")

OUTPUT_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": nn.Identity(),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}


class Loss(nn.Module):
    """A loss on the raw output of a net, which applies the output activation itself.

    Parameters
    ----------
    loss : str or callable
        A name in `LOSSES`, or ``(prediction, target) -> tensor`` with one value.
    activation : str
        A name in `OUTPUT_ACTIVATIONS`.
    rows_shape : tuple of int or None, default=None
        Sides and channels of the images behind rows, for losses that need neighbors.
    net_range : float, default=1.0
        Range of the images in the units of the net, for losses whose constants suit [0, 1].
    """

    def __init__(self, loss, activation, rows_shape=None, net_range=1.0):
        super().__init__()
        if isinstance(loss, nn.Module):
            # Training must not reach the weights of the user's own loss.
            loss = copy.deepcopy(loss)
        self.function = LOSSES[loss] if isinstance(loss, str) else loss
        self.activation = OUTPUT_ACTIVATIONS["identity" if loss == "bce" else activation]
        self.rows_shape = rows_shape if loss == "ssim" else None
        self.unit = net_range if loss in _OF_UNIT_RANGE else 1.0

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Loss of one batch, a tensor with one value."""
        if getattr(output, "shape", None) != target.shape:
            got = f"of shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output)
            raise ValueError(
                f"The network returned a batch {got}, but the targets have shape "
                f"{tuple(target.shape)}."
            )
        prediction = self.activation(output.float())
        if self.rows_shape is not None:
            prediction, target = (
                rows.reshape(-1, *self.rows_shape).movedim(-1, 1) for rows in (prediction, target)
            )
        if self.unit != 1:
            prediction, target = prediction / self.unit, target / self.unit
        loss = self.function(prediction, target)
        if loss.ndim:
            raise ValueError(
                f"The loss returned a tensor of shape {tuple(loss.shape)}; return its mean."
            )
        return loss
