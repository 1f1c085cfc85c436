"""Learning from noisy images alone: a net that never sees the pixel it has to predict."""

import os
from numbers import Integral, Real
from typing import Any, Self

import torch
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval
from torch import nn

from .._training.net import ImageNet
from ..architectures import BaseArchitecture, UNet
from .learned import LearnedDenoiser


class Noise2VoidDenoiser(LearnedDenoiser):
    r"""A net trained on noisy images alone, by hiding pixels from it.

    In each step a few pixels :math:`J` of every image :math:`y` are replaced by a random neighbour,
    and the net :math:`f` has to predict their own, noisy values [1]_:

    .. math:: \min_f \; \sum_{j \in J} \left(f(y_{\setminus J})_j - y_j\right)^2

    Noise that is independent from pixel to pixel, with mean zero, cannot be predicted from the
    neighbours, the image can: so the net learns the image. Noise with a pattern (stripes,
    occlusions, the grain of a compressed photograph) is not removed. No clean image is needed; with
    clean ones `DenoisingAutoencoder` does better.

    Parameters
    ----------
    architecture : architecture object, str or `torch.nn.Module`, default=None
        As in `DenoisingAutoencoder`, "photographs" among them. None is a `UNet` that is not
        residual: around the pixel that it must not look at, a residual net has a short way.
    masked_fraction : float, default=0.02
        Share of the pixels hidden in a step, in (0, 0.5]; at least one per image.
    mask_radius : int, default=2
        A hidden pixel takes the value of another one at most as far away, in pixels, at least 1.
    image_shape : tuple of int or None, default=None
        As in `DenoisingAutoencoder`.
    optimizer, lr, lr_schedule, weight_decay, max_epochs, max_steps, batch_size
        As in `DenoisingAutoencoder`.
    validation_fraction, early_stopping, patience
        As in `DenoisingAutoencoder`; the validation loss, too, is that of hidden noisy pixels, and
        ends near the variance of the noise.
    device, precision, compile, tile_size, patch_size, callbacks, checkpoint, warm_start
        As in `DenoisingAutoencoder`.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, order, crops and hidden pixels.
    verbose : {0, 1, 2}, default=0
        0 is silent, 1 shows a bar, 2 prints one line per epoch.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net.
    module_ : torch.nn.Module
        Its module.
    image_shape_ : tuple of int
        Shape of one image; of a crop where the images had different sizes.
    history_ : list of dict
        One row per epoch: ``epoch``, ``train_loss``, ``valid_loss``, ``lr``, ``dur`` in seconds.
    scaling_ : tuple of float
        Offset and scale of the net's units, as in `DenoisingAutoencoder`.
    n_iter_ : int
        Number of epochs run.
    device_ : torch.device
        Where the net is.
    precision_ : str
        The precision in use.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    DenoisingAutoencoder : Learns from clean images, or from pairs of noisy ones
        (``fit(X_noisy_1, X_noisy_2)``, Noise2Noise [2]_).

    References
    ----------
    .. [1] Krull, A., Buchholz, T.-O. and Jug, F. (2019). "Noise2Void: Learning denoising from
       single noisy images". CVPR.
    .. [2] Lehtinen, J. et al. (2018). "Noise2Noise: Learning image restoration without clean data".
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
        **LearnedDenoiser._parameter_constraints,
        "architecture": [*LearnedDenoiser._parameter_constraints["architecture"], None],
        "masked_fraction": [Interval(Real, 0, 0.5, closed="right")],
        "mask_radius": [Interval(Integral, 1, None, closed="left")],
    }
    del _parameter_constraints["noise"]

    noise = None

    def __init__(
        self,
        architecture: str | BaseArchitecture | nn.Module | type[nn.Module] | None = None,
        *,
        masked_fraction: float = 0.02,
        mask_radius: int = 2,
        image_shape: tuple[int, ...] | None = None,
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
        self.image_shape = image_shape
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

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Train the net.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images, at least 2; one is enough where it is learnt by crops (`patch_size`).
            Images of different sizes come as a list of arrays.
        y : Ignored

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If shapes do not fit, values are not finite, a parameter is out of range, an image has
            one pixel, or the loss diverges in the first epoch.
        """
        return super().fit(X)

    def partial_fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Train one epoch on a part of the data, with a constant learning rate and no validation.

        It goes on from what was learnt before, and writes no checkpoint.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images.
        y : Ignored

        Returns
        -------
        self : object
        """
        return super().partial_fit(X)

    @property
    def _architecture_to_build(self):
        return UNet(residual=False) if self.architecture is None else self.architecture

    @property
    def _pretext(self):
        return BlindSpots(self.masked_fraction, self.mask_radius)

    def _build_net(self, module, plan, options):
        return ImageNet(module, MaskedLoss(), **options).initialize()


class BlindSpots:
    """Hide pixels behind their neighbours; what is not hidden has no target, NaN.

    Parameters
    ----------
    fraction : float
        Share of the pixels of an image.
    radius : int
        How far away the neighbour is at most.
    """

    def __init__(self, fraction, radius):
        self.fraction = fraction
        self.radius = radius

    def __call__(self, images, rng):
        """Images with hidden pixels, and their targets, ``(n, height, width, n_channels)``."""
        n, height, width, n_channels = images.shape
        if height * width == 1:
            raise ValueError(
                "Found 1 feature(s): an image of one pixel has no neighbours to hide it."
            )
        count = max(1, round(self.fraction * height * width))
        place = rng.integers(0, height * width, (n, count)).long()
        row, column = place // width, place % width
        # Half the side at most, so that one of the two opposite neighbours is in the image.
        reach = [min(self.radius, side // 2) for side in (height, width)]
        sides = [2 * r + 1 for r in reach]
        n_neighbours = sides[0] * sides[1]
        step = rng.integers(0, n_neighbours - 1, (n, count)).long()
        # The centre is left out.
        step = step + (step >= n_neighbours // 2)
        row = _inside(row, step // sides[1] - reach[0], height)
        column = _inside(column, step % sides[1] - reach[1], width)
        source, place = (
            pixel[..., None].expand(-1, -1, n_channels) for pixel in (row * width + column, place)
        )
        pixels = images.flatten(1, 2)
        hidden = pixels.scatter(1, place, pixels.gather(1, source))
        targets = torch.full_like(pixels, torch.nan).scatter(1, place, pixels.gather(1, place))
        return hidden.reshape(images.shape), targets.reshape(images.shape)


def _inside(position, offset, side):
    """A step to a neighbour, or to the opposite one where that would leave the image."""
    there = position + offset
    return torch.where((there < 0) | (there >= side), position - offset, there)


class MaskedLoss(nn.Module):
    """Mean squared error where the target is a number."""

    def forward(self, output, target):
        """Loss of one batch, a tensor with one value."""
        asked = ~target.isnan()
        difference = torch.where(asked, output.float() - target, 0.0)
        return difference.square().sum() / asked.sum()
