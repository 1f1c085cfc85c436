"""Learning from noisy images alone: two copies of each, made by noise of the same kind."""

import math
import os
from numbers import Real
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from .._images import MAX_LEVEL, middle, to_float, warn_user
from .._training.losses import Loss
from .._training.tasks import Task
from ..architectures import BaseArchitecture
from ..filters.noise_level import noise_stds
from ..noise import GaussianNoise
from ..noise.estimate import at_odds, choose_noise
from ..noise.tones import are_correlated
from .self_supervised import _SelfSupervisedDenoiser

# The noise is estimated from the middle, so many pixels wide, of so many images; which kind it is,
# where these have so many pixels in all.
_SIDE, _ENOUGH, _SURE = 256, 64, 2**16


class RecorruptedDenoiser(_SelfSupervisedDenoiser):
    r"""A network trained on noisy images alone, whose noise is white and Gaussian.

    In each step, more noise :math:`z` of the same standard deviation :math:`\sigma` makes two
    copies of every noisy image :math:`y`, and the network :math:`f` has to predict the second from
    the first (Recorrupted-to-Recorrupted, R2R [1]_):

    .. math:: \min_f \; \left\lVert f(y + \alpha z) - (y - z / \alpha) \right\rVert^2,
        \quad z \sim \mathcal N(0, \sigma^2)

    The noise of both copies is independent, so that the network learns the image, as it would
    from two exposures of the same scene. It sees every pixel, and every pixel is a target:
    this is why it learns more, and faster, than `Noise2VoidDenoiser`, if the noise is as assumed.

    Parameters
    ----------
    architecture : architecture object, str or `torch.nn.Module`, default="unet"
        As in `DenoisingAutoencoder`; with "photographs", which fine-tunes the network of
        `PretrainedDenoiser`, a few hundred steps are often enough.
    std : float or "estimate", default="estimate"
        Standard deviation :math:`\sigma` of the noise, at least 0, in the units of `X` (those of
        `uint8` are ``value / 255``). "estimate" finds it in the middle of up to 64 of the images.
    alpha : float, default=0.5
        How much noise is added to the input, in :math:`\sigma`, greater than 0. Less of it comes
        nearer to the noise that `predict` gets, but leaves more in the targets.
    image_shape, channel_axis, missing_values
        As in `DenoisingAutoencoder`.
    optimizer, lr, lr_schedule, weight_decay, max_epochs, max_steps, batch_size
        As in `DenoisingAutoencoder`.
    validation_fraction, early_stopping, patience
        As in `DenoisingAutoencoder`; the validation loss, too, is that of noisy targets, and ends
        near their variance: :math:`\sigma^2 (1 + 1 / \alpha^2)`, over the square of the network's
        scale. Of few images, use all, with 0.
    device, precision, compile, tile_size, patch_size, callbacks, checkpoint, warm_start
        As in `DenoisingAutoencoder`.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, order, crops and noise.
    verbose : {0, 1, 2}, default=0
        0 is silent, 1 shows a bar, 2 prints one line per epoch.

    Attributes
    ----------
    std_ : float
        The standard deviation that was given or estimated.
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
    Noise2VoidDenoiser : For noise of an unknown distribution.
    VarianceStabilized : Brings the noise of cameras to this denoiser.
    skdae.filters.estimate_noise_std : Finds the standard deviation.

    Notes
    -----
    The noise has to be white and Gaussian, of the same level in all images and channels. Of noise
    that is correlated between pixels, a part stays. With a `std` that is too small, noise is left;
    with one that is too large, details are blurred. The estimate is the smaller of
    `estimate_noise_std` and of what the flattest blocks of the images tell; it is too small where
    noise was clipped, as at a black background, and too large for weak noise in fine texture or in
    images of few pixels: pass `std` if you know it. For camera counts, wrap the denoiser in
    `VarianceStabilized`, and leave "estimate": the transformed images have a level that is not the
    camera's. Where images of at least 256 × 256 pixels in all show that noise grows with the light,
    or is correlated, a warning says so. `partial_fit` estimates the noise of each part.

    References
    ----------
    .. [1] Pang, T., Zheng, H., Quan, Y. and Ji, H. (2021). "Recorrupted-to-Recorrupted:
       Unsupervised deep learning for image denoising". CVPR.

    Examples
    --------
    >>> from skdae import GaussianNoise, RecorruptedDenoiser
    >>> from skdae.datasets import load_digits_images
    >>> X_clean = load_digits_images().images
    >>> X_noisy = GaussianNoise(std=0.4, clip=None, random_state=0).fit_transform(X_clean)
    >>> denoiser = RecorruptedDenoiser("dense", random_state=0).fit(X_noisy)
    >>> round(denoiser.std_, 1)
    0.4
    >>> bool(denoiser.score(X_noisy, X_clean) > -0.3 * ((X_noisy - X_clean) ** 2).mean())
    True
    """

    _parameter_constraints: dict = {
        **_SelfSupervisedDenoiser._parameter_constraints,
        "std": [Interval(Real, 0, MAX_LEVEL, closed="both"), StrOptions({"estimate"})],
        "alpha": [Interval(Real, 0, MAX_LEVEL, closed="neither")],
    }

    std_: float

    def __init__(
        self,
        architecture: str | BaseArchitecture | nn.Module | type[nn.Module] = "unet",
        *,
        std: float | str = "estimate",
        alpha: float = 0.5,
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
        self.std = std
        self.alpha = alpha
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

    def _task(self, plan, noise, data):
        return Recorruption(self._level(data), self.alpha, Loss("mse", plan.activation))

    def _level(self, data):
        """The standard deviation that is given, or that of the noise of some of the images."""
        if isinstance(self.std, str):
            n_images = len(data.images)
            places = np.linspace(0, n_images - 1, min(n_images, _ENOUGH)).astype(int)
            return _level([_middle(data.images[i]) for i in places])
        low, high = data.image_range
        if 0 < high - low < self.std:
            raise ValueError(
                f"std={self.std:g} is more than the range of X, [{low:.4g}, {high:.4g}], whose "
                "units it has; uint8 is read as value / 255."
            )
        return float(self.std)

    def _keep(self, net, noise, task, names, start):
        self.std_ = task.std
        return super()._keep(net, noise, task, names, start)


def _middle(image):
    """The middle of an image, a copy."""
    image = np.asarray(image)
    return to_float(image[middle(image.shape[:-1], _SIDE)]).astype(np.float64)


def _level(images):
    """Standard deviation of the noise of images; a warning where it is of another kind."""
    level = float(np.median([noise_stds(image) for image in images]))
    if not level:
        return level
    noise = choose_noise(images, channel_axis=-1)
    if images[0].ndim == 3 and sum(math.prod(image.shape[:2]) for image in images) >= _SURE:
        _warn_of_other_noise(images, noise)
    # Texture makes both too large, the one more than the other.
    level = min(level, float(noise.std)) if isinstance(noise, GaussianNoise) else level
    planes = [plane for image in images if image.ndim == 3 for plane in np.moveaxis(image, -1, 0)]
    # Much less is seen in text and drawings; more is correlated, which this cannot remove.
    return level * min(1.0, at_odds(planes))


def _warn_of_other_noise(images, noise):
    """Say so where noise is not white, or not the same everywhere."""
    if not isinstance(noise, GaussianNoise):
        warn_user(
            "The noise of X grows with the light, but this denoiser expects the same level "
            "everywhere, and would leave a part or blur. Use "
            "VarianceStabilized(RecorruptedDenoiser()), or pass std= if you know better."
        )
    n_correlated = sum(are_correlated([*np.moveaxis(image, -1, 0)]) for image in images)
    if 2 * n_correlated > len(images):
        warn_user(
            f"In {n_correlated} of {len(images)} images, what looks like noise is correlated "
            "between neighboring pixels, as JPEG, demosaicking and upscaling make it; a part of "
            "it stays. Pass the images as the camera made them, or use Noise2VoidDenoiser with a "
            "mask_shape."
        )


class Recorruption(Task):
    """Two copies of images, with noise that is independent.

    Parameters
    ----------
    std : float
        Standard deviation of the noise that the images have.
    alpha : float
        How many times of it the first copy gets in addition.
    loss : torch.nn.Module
    """

    def __init__(self, std, alpha, loss):
        self.std, self.alpha, self.loss = std, alpha, loss

    def pairs(self, images, targets, rng):
        """See `Task`."""
        more = rng.normal(0.0, self.std, images.shape)
        return images + self.alpha * more, images - more / self.alpha
