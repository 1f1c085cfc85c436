"""A pretrained denoiser for photographs."""

import os
from functools import lru_cache
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._checks import fit_context
from .._files.onnx import UserImagesAndLevels, export_onnx
from .._images import MAX_LEVEL, check_tile, in_unit_range, to_hwc, warn_user
from .._training import hardware, tiles
from ..architectures import Pretrained
from ..base import unchanged_on_error
from ..filters import BaseFilter
from ..noise import BaseNoise, GaussianNoise, SpeckleNoise
from ..noise.anscombe import AnscombeTransform, as_camera, noise_variance
from ..noise.estimate import choose_noise, is_correlated

# The nets learnt levels up to this one, of images in [0, 1].
_MOST = 75 / 255

# Pixels of small images that the net sees at a time, and the side of the tiles of large ones.
_PIXELS, _TILE = 2**18, 1024

# What lies further outside of [0, 1] goes around the net, which has seen nothing like it.
_LOW, _HIGH = -1.5, 2.5

# Images that are darker everywhere are scaled up: the net's own errors would exceed weak noise.
_DARK = 0.25

# Of the Gaussian that tells the local brightness under speckle, in pixels, and where it ends.
_BLUR, _REACH = 2.0, 8

_KINDS = {1: "grey", 3: "colour"}


class PretrainedDenoiser(BaseFilter):
    r"""Denoise photographs with a pretrained network.

    The weights come with skdae: `fit` does not train, and nothing is downloaded. The noise level is
    an input of the network, so that one network handles all levels.

    Parameters
    ----------
    weights : {"photographs"}, default="photographs"
        What the network learnt from. There are two networks, for grey and for colour images.
    noise : "estimate", float or injector, default="estimate"
        The noise of the images. A number is the standard deviation :math:`\sigma \ge 0` of Gaussian
        noise, in the units of `X`; those of `uint8` are ``value / 255``. An injector is a
        `GaussianNoise`, `PoissonNoise`, `PoissonGaussianNoise` or `SpeckleNoise` of one level.
        "estimate" finds Gaussian, Poisson-Gaussian or speckle noise in each image.
    image_shape : tuple of int or None, default=None
        ``(height, width)`` or ``(height, width, n_channels)`` of flat rows. None means a square
        grey image, or a 1-D signal where the number of values is not a perfect square.
    tile_size : int, "auto" or None, default="auto"
        Side in pixels of the tiles that larger images are denoised in, with an overlap that makes
        the result the same; it bounds the memory of `predict`. "auto" is 1024. None denoises
        images in one piece.
    device : str or `torch.device`, default="auto"
        "auto" takes CUDA where there is one, else the CPU.
    precision : {"auto", "float32", "bfloat16", "float16"}, default="auto"
        Precision of the network; its last layer stays float32. "auto" takes bfloat16 on hardware
        that has it.

    Attributes
    ----------
    noise_ : injector
        The noise that was given, or that the images of `fit` have together: `predict` looks at each
        image anew.
    image_shape_ : tuple of int
        Shape of one image.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    DenoisingAutoencoder : Learns from your own images.
    VarianceStabilized : Lets other denoisers deal with the noise of cameras.
    estimate_noise : Finds the noise of images.

    Notes
    -----
    `uint8` images and floats in [0, 1] are used as they are, unless no pixel exceeds 0.25. If the
    input lies in [0, 1], so does the output. Other values, such as camera counts or very dark
    images, are scaled by the range of each image, and the result is returned in their own units. It
    is `float32`, whatever the dtype of the input.

    If the noise grows with the brightness, the generalised Anscombe transform first makes it the
    same everywhere. The exact unbiased inverse [1]_ transforms the result back. For speckle, the
    network gets a level for each pixel, which follows the local brightness.

    Fine texture all over an image looks like noise: the level is overestimated, and details are
    lost. Pass `noise` if you know it.

    The network did not learn noise that is correlated between pixels; its level is underestimated,
    and a warning says so. A level above 75 / 255 of the range also causes a warning. The image is
    then scaled down until its noise has that level.

    A saved file contains the name of the weights, not the weights. It is small, and a later version
    of skdae with better weights uses those.

    The network is for photographs. In other images, it may lose or invent details.

    References
    ----------
    .. [1] Mäkitalo, M. and Foi, A. (2013). "Optimal inversion of the generalized Anscombe
       transformation for Poisson-Gaussian noise". IEEE Transactions on Image Processing 22.

    Examples
    --------
    >>> from sklearn.datasets import load_sample_image
    >>> from skdae import GaussianNoise, PretrainedDenoiser
    >>> X_clean = load_sample_image("china.jpg")[None, :200, :200]
    >>> X_noisy = GaussianNoise(std=0.1, random_state=0).fit_transform(X_clean)
    >>> denoiser = PretrainedDenoiser().fit(X_noisy)
    >>> round(denoiser.noise_.std, 1)
    0.1
    >>> X_denoised = denoiser.predict(X_noisy)
    >>> bool(abs(X_denoised - X_clean / 255).mean() < 0.3 * abs(X_noisy - X_clean / 255).mean())
    True
    """

    _parameter_constraints: dict = {
        **BaseFilter._parameter_constraints,
        "weights": [StrOptions({"photographs"})],
        "noise": [StrOptions({"estimate"}), Interval(Real, 0, MAX_LEVEL, closed="both"), BaseNoise],
        "tile_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
        "device": [str, torch.device],
        "precision": [StrOptions({"auto", "float32", "bfloat16", "float16"})],
    }

    noise_: BaseNoise

    def __init__(
        self,
        weights: str = "photographs",
        *,
        noise: float | str | BaseNoise = "estimate",
        image_shape: tuple[int, ...] | None = None,
        tile_size: int | str | None = "auto",
        device: str | torch.device = "auto",
        precision: str = "auto",
    ):
        self.weights = weights
        self.noise = noise
        self.image_shape = image_shape
        self.tile_size = tile_size
        self.device = device
        self.precision = precision

    @fit_context(skip_nested=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Remember the shape of the images, and what noise they have; the network learns nothing.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images, grey or with the three channels of RGB.
        y : array-like shaped like `X`, or None, default=None
            Clean images; checked, not used. A 1-D array of labels is ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If values are not finite, a parameter is out of range, the images have another number of
            channels, or the noise is of another kind. The fitted state from before is kept.
        """
        with unchanged_on_error(self):
            super().fit(X, y)
            hardware.resolve_device(self.device)
            _kind(to_hwc(self.image_shape_)[2])
            noise = self._given_noise()
            if noise is None:
                noise = choose_noise(X, image_shape=self.image_shape_)
            shape = (1, *self.image_shape_)
            self.noise_ = noise.for_training(shape, self.image_shape_, 0, self.range_)
        return self

    def to_onnx(self, path: str | os.PathLike) -> None:
        """Write the network as an ONNX file, which runs without skdae and PyTorch.

        Its inputs are ``X``, `float32` images in [0, 1], grey ``(n_samples, height, width)`` or
        colour ``(n_samples, height, width, 3)`` as at `fit`, and ``std``, the standard deviation of
        the noise of each image, `float32` of shape ``(n_samples,)``, from 0 to 75 / 255. Its output
        is ``X_denoised``, clipped to [0, 1]. The number of samples, height and width are free.
        Estimating the noise, other units, noise that depends on the image, and tiles are not part
        of the graph.

        Parameters
        ----------
        path : str or os.PathLike
            The file; ``.onnx`` is usual.

        Raises
        ------
        ImportError
            If the exporter's libraries are missing: the extra ``onnx`` brings them.
        """
        check_is_fitted(self)
        n_channels = to_hwc(self.image_shape_)[2]
        module, _ = _load(f"{self.weights}-{_kind(n_channels)}", n_channels, torch.device("cpu"))
        # The size is free; the smallest would be taken for one that is not.
        shape = (64, 64) if n_channels == 1 else (64, 64, n_channels)
        export_onnx(UserImagesAndLevels(module, shape), path, free_size=True)

    def _truths(self):
        """See `Persistent`."""
        yield from super()._truths()
        yield "noise_", self.noise_.n_features_in_ == self.n_features_in_

    def _check(self):
        """Refuse noises and tiles that do not fit to the net."""
        self._given_noise()
        if isinstance(self.tile_size, Integral):
            check_tile(self.tile_size, *Pretrained().receptive_field())

    def _given_noise(self):
        """The injector of the parameter `noise`, or None where it is to be estimated."""
        if isinstance(self.noise, str):
            return None
        if isinstance(self.noise, Real):
            return GaussianNoise(std=float(self.noise), clip=None)
        if not (isinstance(self.noise, SpeckleNoise) and isinstance(self.noise.std, Real)):
            as_camera(self.noise)
        return self.noise

    def _filter(self, images):
        *sides, n_channels = images.shape[1:]
        net, (stride, radius) = self._net(n_channels)
        tile = {"auto": _TILE, None: max(sides)}.get(self.tile_size, self.tile_size)
        given = self._given_noise()
        noises = [given or choose_noise(image[None]) for image in images]
        ways = [_Way(image, noise) for image, noise in zip(images, noises, strict=True)]
        _warn(images, ways, is_given=given is not None)
        out = np.empty(images.shape, np.float32)
        step = 1 if max(sides) > tile else max(1, _PIXELS // np.prod(sides))
        for rows in gen_batches(len(images), step):
            here = ways[rows]

            def run(batch, here=here):
                inputs = np.stack([w.enter(x) for w, x in zip(here, batch, strict=True)])
                outputs = zip(here, batch, net(inputs), strict=True)
                return np.stack([way.leave(x, denoised) for way, x, denoised in outputs])

            if len(here) > 1:
                out[rows] = run(images[rows])
            else:
                reach = radius + (_REACH if here[0].is_speckle else 0)
                out[rows] = tiles.in_tiles(
                    run, images[rows], (1, 1), n_channels, tile, stride, reach
                )
        return out

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _net(self, n_channels):
        """A function from noisy images with a map of the level to clean ones, and its field."""
        device = hardware.resolve_loaded_device(self.device)
        precision = hardware.resolve_precision(self.precision, device, convolutional=True)
        module, field = _load(f"{self.weights}-{_kind(n_channels)}", n_channels, device)

        def net(images):
            batch = torch.from_numpy(images).to(device).permute(0, 3, 1, 2)
            dtype = getattr(torch, precision)
            with (
                hardware.threads(),
                torch.inference_mode(),
                torch.autocast(device.type, dtype, enabled=dtype != torch.float32),
            ):
                return module(batch).float().permute(0, 2, 3, 1).cpu().numpy()

        return net, field


class _Way:
    """From the pixels of an image to the units of the network, and back.

    Parameters
    ----------
    image : ndarray of shape (height, width, n_channels)
    noise : injector

    Attributes
    ----------
    level : float
        Standard deviation of the noise in the units of the network, the greatest one under speckle.
    excess : float
        How many times as much as the network has learnt that would be without scaling the image
        down.
    """

    def __init__(self, image, noise):
        self.is_speckle = isinstance(noise, SpeckleNoise)
        self.mean = getattr(noise, "mean", 0.0)
        camera = None if self.is_speckle else as_camera(noise)
        self.camera = camera and AnscombeTransform(camera)
        low, high = float(image.min()), float(image.max())
        dark, light = np.sqrt(noise_variance(noise, np.array([0.0, 1.0])))
        # Six deviations are beyond any noise; so dark, or with so much noise, it has other units.
        darkest, lightest = low - self.mean, high - self.mean
        is_unit = -6 * dark <= darkest and _DARK < lightest <= 1 + 6 * light and light < 0.5
        self.clip = (0.0, 1.0) if in_unit_range((low, high)) else None
        if is_unit:
            low, high = self.mean, 1.0 + self.mean
        else:
            step = -(-image.size // 2**20)
            low, high = map(float, np.percentile(image.ravel()[::step], (0.1, 99.9)))
        self.range, self.peak = high - low or 1.0, max(abs(low), abs(high)) or 1.0
        start, end = self._stabilized(np.array([low, high]))
        std = 1.0 if camera else noise.std * (self.peak if self.is_speckle else 1.0)
        # Where an image is constant, its noise says more of the unit.
        width = end - start or std / _MOST or 1.0
        self.excess = std / width / _MOST
        width *= max(1.0, self.excess)
        self.start, self.width, self.level = float(start), float(width), float(std / width)

    def enter(self, pixels):
        """Pixels in the units of the net, with a map of the level."""
        level = np.full_like(pixels[..., :1], self.level)
        if self.is_speckle:
            sigma = (_BLUR, _BLUR, 0)
            truncate = _REACH / _BLUR
            light = gaussian_filter(pixels, sigma, truncate=truncate, mode="nearest")
            light = np.abs(light).mean(axis=2, keepdims=True)
            level *= (light / self.peak).clip(0, 1)
        known = self._scaled(pixels).clip(_LOW, _HIGH)
        return np.concatenate([known, level], axis=2, dtype=np.float32, casting="same_kind")

    def leave(self, pixels, denoised):
        """What the net made of them in the units of the image."""
        if self.level == 0:
            return pixels - self.mean
        scaled = self._scaled(pixels)
        values = (denoised + (scaled - scaled.clip(_LOW, _HIGH))) * self.width + self.start
        if self.camera:
            values = self.camera.inverse(values)
        values = values - self.mean
        return values if self.clip is None else values.clip(*self.clip)

    def _scaled(self, pixels):
        return (self._stabilized(pixels) - self.start) / self.width

    def _stabilized(self, pixels):
        return self.camera.transform(pixels) if self.camera else pixels


def _warn(images, ways, is_given):
    """Say where the noise is not such as the net learnt to remove."""
    strong = [way.excess for way in ways if way.excess > 1.01]
    # Estimates from few pixels are rough.
    if strong and (is_given or min(images.shape[1:3]) >= 64):
        warn_user(
            f"The noise of {len(strong)} of {len(ways)} images is up to {max(strong):.3g} times as "
            "strong as the network has learnt, 75 / 255 of the range of the image; expect a loss "
            "of detail. noise= is in the units of X, which for uint8 are value / 255."
        )
    n_correlated = sum(map(is_correlated, images, [way.range for way in ways]))
    if n_correlated:
        warn_user(
            f"In {n_correlated} of {len(ways)} images, what looks like noise is correlated "
            "between neighbouring pixels, as JPEG, demosaicking and upscaling make it; the network "
            "removes little of such noise. Pass the images as the camera made them, or shrink "
            "them, such as X[:, ::2, ::2]."
        )


def _kind(n_channels):
    """Grey or colour."""
    if n_channels not in _KINDS:
        raise ValueError(
            f"X has images of {n_channels} channels, but PretrainedDenoiser is for grey ones and "
            "for the three channels of RGB; pass X[..., :3] of RGBA, or other channels one by one, "
            "as grey images."
        )
    return _KINDS[n_channels]


@lru_cache(maxsize=4)
def _load(name, n_channels, device):
    """The module with such weights on a device, and its receptive field."""
    architecture = Pretrained(name)
    # Signals, too, are images to the net.
    module = architecture.build((64, 64, n_channels + 1), (64, 64, n_channels)).eval()
    module = module.to(device, memory_format=torch.channels_last)
    return module, architecture.receptive_field()
