"""Learning from noisy images alone: a net that never sees the pixel it has to predict."""

import math
import os
from itertools import product
from math import prod
from numbers import Real
from typing import Any

import torch
from sklearn.utils._param_validation import Interval
from torch import nn

from .._checks import POSITIVE_INT, WINDOW
from .._training.tasks import Task
from ..architectures import BaseArchitecture, UNet
from .self_supervised import _SelfSupervisedDenoiser


class Noise2VoidDenoiser(_SelfSupervisedDenoiser):
    r"""A network trained on noisy images alone, by hiding pixels from it.

    In each step some pixels :math:`J` of every image :math:`y` are replaced by a random neighbor,
    and the network :math:`f` has to predict their own, noisy values [1]_:

    .. math:: \min_f \; \sum_{j \in J} \left(f(y_{-J})_j - y_j\right)^2

    If the noise has mean zero and is independent from pixel to pixel, it cannot be predicted from
    the neighbors. The image can, so the network learns the image. Noise that is correlated along
    rows or columns needs a `mask_shape`. Noise with another pattern (stripes, occlusions, the grain
    of a compressed photograph) is not removed. If you have clean images, `DenoisingAutoencoder` is
    better.

    Parameters
    ----------
    architecture : architecture object, str or `torch.nn.Module`, default=None
        As in `DenoisingAutoencoder`, "photographs" among them. None is a `UNet` that is not
        residual: around the pixel that it must not look at, a residual network has a short way.
    masked_fraction : float, default=0.1
        Share of the pixels hidden in a step, windows of `mask_shape` included, in (0, 0.5]; at
        least one window per image.
    mask_radius : int, default=2
        A hidden pixel takes the value of another one at most as far away, in pixels, at least 1;
        of one outside its window, and as far from that, with a `mask_shape`.
    mask_shape : tuple of int, default=(1, 1)
        Sides, odd, of a window around each hidden pixel that is hidden with it [2]_: ``(1, 9)`` for
        noise that is correlated over four pixels along the rows, ``(9, 1)`` along columns. Of
        signals the last one counts; volumes take three, or two for windows within a slice. Only the
        center of a window has to be predicted.
    image_shape, channel_axis, missing_values
        As in `DenoisingAutoencoder`.
    optimizer, lr, lr_schedule, weight_decay, max_epochs, max_steps, batch_size
        As in `DenoisingAutoencoder`.
    validation_fraction, early_stopping, patience
        As in `DenoisingAutoencoder`; the validation loss, too, is that of hidden noisy pixels, and
        ends near the variance of the noise, over the square of the network's scale.
    device, precision, compile, tile_size, patch_size, callbacks, checkpoint, warm_start
        As in `DenoisingAutoencoder`.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, order, crops and hidden pixels.
    verbose : {0, 1, 2}, default=0
        0 is silent, 1 shows a bar, 2 prints one line per epoch.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained network.
    module_ : torch.nn.Module
        Its module.
    image_shape_ : tuple of int
        Shape of one image; of a crop where the images had different sizes.
    channel_axis_ : int or None
        -1 if an axis holds channels, else None.
    history_ : list of dict
        One row per epoch: ``epoch``, ``train_loss``, ``valid_loss``, ``lr``, ``dur`` in seconds.
    scaling_ : tuple of float
        Offset and scale of the network's units, as in `DenoisingAutoencoder`.
    n_iter_ : int
        Number of epochs run.
    n_samples_fit_ : int
        Number of images of the last `fit`.
    device_ : torch.device
        Where the network is.
    precision_ : str
        The precision in use.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    RecorruptedDenoiser : Better for white Gaussian noise.
    DenoisingAutoencoder : Learns from clean images, or from pairs of noisy ones
        (``fit(X_noisy_1, X_noisy_2)``, Noise2Noise [3]_).

    Notes
    -----
    Few pixels tell the loss of a batch, so that gradients vary much: those of a norm above 1 are
    cut to it.

    References
    ----------
    .. [1] Krull, A., Buchholz, T.-O. and Jug, F. (2019). "Noise2Void: Learning denoising from
       single noisy images". CVPR.
    .. [2] Broaddus, C. et al. (2020). "Removing structured noise with self-supervised blind-spot
       networks". ISBI.
    .. [3] Lehtinen, J. et al. (2018). "Noise2Noise: Learning image restoration without clean data".
       ICML.

    Examples
    --------
    >>> from skdae import GaussianNoise, Noise2VoidDenoiser
    >>> from skdae.datasets import load_digits_images
    >>> X_clean = load_digits_images().images
    >>> X_noisy = GaussianNoise(std=0.4, clip=None, random_state=0).fit_transform(X_clean)
    >>> denoiser = Noise2VoidDenoiser(max_epochs=5, random_state=0).fit(X_noisy)
    >>> bool(denoiser.score(X_noisy, X_clean) > -((X_noisy - X_clean) ** 2).mean())
    True
    """

    _parameter_constraints: dict = {
        **_SelfSupervisedDenoiser._parameter_constraints,
        "architecture": [*_SelfSupervisedDenoiser._parameter_constraints["architecture"], None],
        "masked_fraction": [Interval(Real, 0, 0.5, closed="right")],
        "mask_radius": [POSITIVE_INT],
        "mask_shape": [WINDOW],
    }

    def __init__(
        self,
        architecture: str | BaseArchitecture | nn.Module | type[nn.Module] | None = None,
        *,
        masked_fraction: float = 0.1,
        mask_radius: int = 2,
        mask_shape: tuple[int, ...] = (1, 1),
        image_shape: tuple[int, ...] | None = None,
        channel_axis: int | str | None = "auto",
        missing_values: float = math.nan,
        optimizer: str | type[torch.optim.Optimizer] = "adamw",
        lr: float = 1e-3,
        lr_schedule: str | None = "cosine",
        weight_decay: float = 1e-4,
        max_epochs: int = 20,
        max_steps: int | None = None,
        batch_size: int = 32,
        validation_fraction: float | None = 0.1,
        early_stopping: bool = False,
        patience: int = 5,
        device: str | torch.device = "auto",
        precision: str = "auto",
        compile: bool = False,
        tile_size: int | None = None,
        patch_size: int | str | None = "auto",
        callbacks: list | None = None,
        checkpoint: str | os.PathLike | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.architecture = architecture
        self.masked_fraction = masked_fraction
        self.mask_radius = mask_radius
        self.mask_shape = mask_shape
        self.image_shape = image_shape
        self.channel_axis = channel_axis
        self.missing_values = missing_values
        self.optimizer = optimizer
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.max_epochs = max_epochs
        self.max_steps = max_steps
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.patience = patience
        self.device = device
        self.precision = precision
        self.compile = compile
        self.tile_size = tile_size
        self.patch_size = patch_size
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    # Few pixels make a loss, and so gradients vary much.
    _max_gradient_norm = 1.0

    @property
    def _architecture_to_build(self):
        return UNet(residual=False) if self.architecture is None else self.architecture

    @classmethod
    def _upgraded(cls, parameters, state):
        """See `Persistent`."""
        parameters = dict(parameters)
        if parameters.pop("context", 0):
            raise ValueError(
                "its network sees the slices beside each; in this version, stacks are volumes, of "
                "which networks of three axes learn: pass X[None] with channel_axis=None"
            )
        return parameters, state

    def _task(self, plan, noise, data):
        return BlindSpots(self.masked_fraction, self.mask_radius, tuple(self.mask_shape))


class BlindSpots(Task):
    """Hide pixels behind others; what is not hidden has no target, NaN.

    Parameters
    ----------
    fraction : float
        Share of the pixels of an image that are hidden, with their windows.
    radius : int
        How far away from the window around a hidden pixel its neighbor is at most.
    window : tuple of int, default=(1, 1)
        Sides around such a pixel that are hidden with it, of the last axes.
    """

    def __init__(self, fraction, radius, window=(1, 1)):
        self.fraction, self.radius, self.window = fraction, radius, window
        self.loss = MaskedLoss()

    def pairs(self, images, targets, rng):
        """See `Task`; images with hidden pixels, and the pixels that are hidden."""
        n, *sides, n_channels = images.shape
        window, n_pixels = self._window(len(sides)), prod(sides)
        shifts = self._shifts(sides, window).to(images.device)
        count = max(1, round(self.fraction * n_pixels / prod(window)))
        center = rng.uniform(0.0, 1.0, (n, n_pixels)).topk(count).indices
        places = _places(center, sides)
        # One for all pixels of a window: what hides them is as correlated as they are.
        shift = shifts[rng.integers(0, len(shifts), (n, count)).long()]

        place, source = [], []
        for step in product(*(range(-(side // 2), side // 2 + 1) for side in window)):
            beside = [at + k for at, k in zip(places, step, strict=True)]
            outside = sum((at < 0) | (at >= m) for at, m in zip(beside, sides, strict=True)) > 0
            # Where the window leaves the image, the center is hidden once more.
            pixel = torch.where(outside, center, _number(beside, sides))
            place.append(pixel)
            there = [
                _inside(at, shift[..., axis], sides[axis])
                for axis, at in enumerate(_places(pixel, sides))
            ]
            source.append(_number(there, sides))

        pixels = images.flatten(1, -2)
        index = torch.arange(n_pixels, device=images.device).expand(n, -1)
        # Of windows that overlap, the same one is on top on every device.
        place, source = torch.cat(place, 1), torch.cat(source, 1)
        index = index.scatter_reduce(1, place, source, "amax", include_self=False)
        hidden = pixels.gather(1, index[..., None].expand(-1, -1, n_channels))
        center = center[..., None].expand(-1, -1, n_channels)
        targets = torch.full_like(pixels, torch.nan).scatter(1, center, pixels.gather(1, center))
        return hidden.reshape(images.shape), targets.reshape(images.shape)

    def _window(self, n_axes):
        """The sides of a window along so many axes."""
        window = (1,) * (n_axes - len(self.window)) + tuple(self.window)[-n_axes:]
        if prod(window) != prod(self.window):
            raise ValueError(
                f"mask_shape={self.window} has {len(self.window)} sides, but the images have "
                f"{n_axes} axes; pass one per axis."
            )
        return window

    def _shifts(self, sides, window):
        """The ways from a window to another beside it, ``(n_shifts, n_axes)``."""
        pairs = [*zip(window, sides, strict=True)]
        # Along an axis of one pixel no other window lies.
        least = min((m for m, side in pairs if side > 1), default=0)
        # Half the side at most, so that one of the two opposite neighbors is in the image.
        reach = [min(self.radius + least - 1, side // 2) for side in sides]
        steps = [torch.arange(-r, r + 1) for r in reach]
        shifts = torch.cartesian_prod(*steps).reshape(-1, len(sides))
        shifts = shifts[(shifts.abs() >= torch.tensor(window)).any(1)]
        if not len(shifts):
            raise ValueError(
                "Found 1 feature(s): an image of one pixel has no neighbors to hide it."
                if prod(sides) == 1
                else f"mask_shape={self.window} hides too much of images of "
                f"{' by '.join(map(str, sides))} pixels; pass a smaller one."
            )
        return shifts


def _places(pixel, sides):
    """Places along each axis, of the numbers of pixels."""
    places = []
    for side in reversed(sides):
        places.insert(0, pixel % side)
        pixel = pixel // side
    return places


def _number(places, sides):
    """Numbers of pixels, of their places along each axis."""
    number = places[0]
    for at, side in zip(places[1:], sides[1:], strict=True):
        number = number * side + at
    return number


def _inside(position, offset, side):
    """A step to a neighbor, or to the opposite one where that would leave the image."""
    there = position + offset
    return torch.where((there < 0) | (there >= side), position - offset, there)


class MaskedLoss(nn.Module):
    """Mean squared error where the target is a number."""

    def forward(self, output, target):
        """Loss of one batch, a tensor with one value."""
        asked = ~target.isnan()
        difference = torch.where(asked, output.float() - target, 0.0)
        return difference.square().sum() / asked.sum()
