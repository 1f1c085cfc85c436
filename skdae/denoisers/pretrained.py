"""A pretrained denoiser for images of many kinds."""

import math
import os
from functools import cache, lru_cache
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _num_samples, check_is_fitted

from .._checks import Predicate, fit_context
from .._files.onnx import UserImagesAndStrength, export_onnx
from .._images import (
    MAX_LEVEL,
    as_array,
    as_planes,
    check_any_images,
    check_tile,
    has_order,
    is_dask,
    is_listed,
    middle,
    smallest_tile,
    to_float,
    warn_of_sentinel,
    warn_user,
    without_gaps,
)
from .._training import hardware, tiles
from ..architectures import Pretrained
from ..architectures.blind import LEVEL_STEP, BlindNet
from ..architectures.pretrained import weights_digest, weights_folder
from ..filters import BaseFilter
from ..filters.noise_level import noise_stds, std_of_many
from ..noise import BaseNoise, GaussianNoise, PoissonGaussianNoise, SpeckleNoise
from ..noise.anscombe import as_camera
from ..noise.tones import LEARNED, SMALLEST, seen, told

# Pixels of small images that the nets see at a time, and the side of the tiles of large ones.
_PIXELS, _TILE = 2**18, 1024

# In tiny images, of fewer pixels, details cannot be told from noise; so many together may tell it.
_TINY, _N_TINY = 256, 1024

# Pixels of an image that tell whether its channels lie on a line, up to the rounding to 8 bits.
_N_SAMPLED, _ROUNDED = 2**16, 1.5 / 255

# Three channels are of one scene if the edges of these pixels in the middle, after a Gaussian of
# such a width, have a largest principal component of at least so much, of 3. Of 55 photographs with
# noise of up to 75 / 255, it was 1.32 and more, and of three photographs as one, up to 1.23. And if
# none has so many times the noise of another; of the photographs, up to 1.4 times.
_MIDDLE, _BLUR, _SHARED, _UNLIKE = 1024, 4.0, 1.27, 2.5

# Noise of so many times the standard deviation of the images cannot be theirs, even if clipped.
_IMPOSSIBLE = 3.0

# The side of the part in the middle that tells the kind of the noise.
_OF_KIND = 384

# Images of `fit` that `noise_` is seen in.
_N_SEEN = 16

# How much red, green and blue tell of the luminance, as in JPEG.
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


def _is_pair(strength):
    is_pair = isinstance(strength, tuple | list) and len(strength) == 2
    return is_pair and all(isinstance(s, Real) and 0 <= s <= 10 for s in strength)


class PretrainedDenoiser(BaseFilter):
    r"""Denoise images with a pretrained network.

    The weights come with skdae: `fit` does not train, and nothing is downloaded. One network sees
    how strong the noise is around each pixel, and another one is told this map and removes as much.
    Where no noise is seen, pixels are returned as they were.

    Parameters
    ----------
    weights : {"photographs"}, default="photographs"
        What the networks learned from. There are some for gray and some for color images.
    noise : None, "estimate", float or noise model, default=None
        The noise of the images. None, or "estimate", means that the network sees it in each image.
        A number is the standard deviation :math:`\sigma \ge 0` of Gaussian noise, in the units of
        `X`; those of `uint8` are ``value / 255``. A noise model is a `GaussianNoise`,
        `PoissonNoise`, `PoissonGaussianNoise` or `SpeckleNoise` of one level.
    strength : float or (float, float), default=1.0
        Factor of the noise level that the network is told, from 0 to 10. Less than 1 leaves
        some grain, more than 1 smooths more, and 0 changes nothing. Of a pair, the first is for the
        luminance, the second for the colors, which costs twice the time; gray images have the
        first.
    image_shape : tuple of int or None, default=None
        Shape of one sample, for flat rows: ``(length,)``, ``(height, width)``, ``(height, width,
        n_channels)`` and so on. None takes rows of a square number of values that look like square
        images for such, and all others for signals.
    channel_axis : {"auto", -1, None}, default="auto"
        -1 if the last axis of `X` holds channels, None if no axis does. "auto" takes the last of
        four axes for channels: of volumes ``(n_samples, depth, height, width)``, pass None, and of
        signals with several leads ``(n_samples, length, n_channels)``, -1.
    missing_values : float, default=nan
        What stands for a missing value in `X`, such as -9999, besides NaN and masked values. They
        are filled from those around them, and returned as they were.
    tile_size : int, "auto" or None, default="auto"
        Side in pixels of the tiles that larger images are denoised in, with an overlap that makes
        the result the same; it bounds the memory of `predict`. "auto" is 1024. None denoises
        images in one piece.
    device : str or `torch.device`, default="auto"
        "auto" takes CUDA where there is one, else the CPU.
    precision : {"auto", "float32", "bfloat16", "float16"}, default="auto"
        Precision of the networks; their last layers stay float32. "auto" takes bfloat16 on hardware
        that has it.

    Attributes
    ----------
    noise_ : noise model
        The noise that was given, or what is seen in the images of `fit`, of which at most 16 are
        looked at: a `GaussianNoise` with the root mean square of the map as `std`, or a
        `PoissonGaussianNoise` if they are camera counts. `predict` looks at each image anew.
    sees_ : bool
        Whether `predict` sees the noise, because none was given at `fit`.
    digest_ : str
        The name of the weights: the first digits of the SHA-256 of their files.
    image_shape_ : tuple of int
        Shape of one image.
    channel_axis_ : int or None
        -1 if an axis holds channels, else None.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    DenoisingAutoencoder : Learns from your own images.
    VarianceStabilized : Lets other denoisers deal with the noise of cameras.
    skdae.noise.CameraNoise : Some of the noise that the networks learned from.

    Notes
    -----
    `uint8` images and floats in [0, 1] are used as they are, unless hardly a pixel exceeds 0.25. If
    the input lies in [0, 1], so does the output. Other values, such as camera counts or very dark
    images, are scaled by the range from the 0.1th to the 99.9th percentile of each image, and the
    result is returned in their own units. It is `float32`, whatever the dtype of the input.

    Noise may grow with the brightness as that of counted photons does. If so in an image, or if
    `noise` says so, the networks work on its generalized Anscombe transform, and the exact unbiased
    inverse [1]_ transforms the result back. What noise there is, they see on the transform.

    Pixels whose level is below half of 1 / 255 of the range are returned as they were, bit by bit,
    and those below 2 / 255 are changed only in part. Where three channels are equal, or
    linear in one of them, as in a toned scan, the network for gray images denoises that one, and
    the others change with it. Images with another number of channels are denoised channel by
    channel, and so are those with three that are no color picture, such as stains: whose edges have
    nothing in common, or of which one is much noisier than another. In images with a side below 64
    pixels, the level is at most that of `estimate_noise_std`; in signals, it is that.

    Tiny images, of less than 256 pixels, do not tell noise from details one by one: in them, the
    level is that of `noise_`, which at least 64 of them tell together at `fit` by the direction in
    which they differ least [3]_. Fewer are returned as they were, and a warning says so.

    Two networks remove noise. One has learned that of single pixels, which tells nothing of their
    neighbors, as of counts and detectors. The other has learned noise of all kinds, also that which
    demosaicking, smoothing and JPEG have spread over neighbors, and removes a few tenths of a
    decibel less of the first. In the middle of each image, up to 384 × 384 pixels, a third network
    tells which kind the noise is of. A noise that is given is of that kind; in
    images with a side below 64 pixels, but tiny ones, noise that is seen is of the other.

    The map is the root mean square of the noise, after everything that the file has been through,
    such as clipping, demosaicking and JPEG. The noise of sensors depends on the light, and that of
    other files hardly on the place: within some 400 pixels, the map is a function of the brightness
    alone [4]_, the median of what is seen in a neighborhood of about 17 pixels. So texture that
    looks like noise, in a part of an image, is not taken for it. Neither are the dots of prints and
    dithered pictures: where pairs of pixels are alike too often for noise as strong as what is
    seen, the level is what these pairs allow.

    A saved file contains the digest of the weights, not the weights: it is small, and predicts the
    same in a later version, which has the weights of this one, too.

    The networks have learned from photographs, and from pages of text, charts and micrographs that
    were drawn. In other images, they may lose or invent details.

    References
    ----------
    .. [1] Mäkitalo, M. and Foi, A. (2013). "Optimal inversion of the generalized Anscombe
       transformation for Poisson-Gaussian noise". IEEE Transactions on Image Processing 22.
    .. [2] Guo, S. et al. (2019). "Toward convolutional blind denoising of real photographs"
       (CBDNet). CVPR.
    .. [3] Pyatykh, S., Hesser, J. and Zheng, L. (2013). "Image noise level estimation by principal
       component analysis". IEEE Transactions on Image Processing 22.
    .. [4] Liu, C. et al. (2008). "Automatic estimation and removal of noise from a single image".
       IEEE Transactions on Pattern Analysis and Machine Intelligence 30.

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
        "noise": [
            None,
            StrOptions({"estimate"}),
            Interval(Real, 0, MAX_LEVEL, closed="both"),
            BaseNoise,
        ],
        "strength": [
            Interval(Real, 0, 10, closed="both"),
            Predicate(_is_pair, "a pair of such numbers"),
        ],
        "tile_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
        "device": [str, torch.device],
        "precision": [StrOptions({"auto", "float32", "bfloat16", "float16"})],
    }

    noise_: BaseNoise
    sees_: bool
    digest_: str

    def __init__(
        self,
        weights: str = "photographs",
        *,
        noise: float | str | BaseNoise | None = None,
        strength: float | tuple[float, float] = 1.0,
        image_shape: tuple[int, ...] | None = None,
        channel_axis: int | str | None = "auto",
        missing_values: float = math.nan,
        tile_size: int | str | None = "auto",
        device: str | torch.device = "auto",
        precision: str = "auto",
    ):
        self.weights = weights
        self.noise = noise
        self.strength = strength
        self.image_shape = image_shape
        self.channel_axis = channel_axis
        self.missing_values = missing_values
        self.tile_size = tile_size
        self.device = device
        self.precision = precision

    @fit_context(skip_nested=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Remember the shape of the images, and what noise they have; the networks learn nothing.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images, gray, with the three channels of RGB, or with others.
        y : array-like shaped like `X`, or None, default=None
            Clean images; checked, not used. A 1-D array of labels is ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If values are not finite, a parameter is out of range, or the noise is of another kind.
            The fitted state from before is kept.

        Warns
        -----
        UserWarning
            If a noise that was given cannot be that of the images, a value looks as if it stood for
            missing pixels, or `float32` is too coarse for the images.
        """
        super().fit(X, y)
        hardware.resolve_device(self.device)
        self.digest_ = weights_digest()
        noise = self._given_noise()
        self.sees_ = noise is None
        images = self._of_fit(X)
        _check_steps(images)
        if noise is None:
            noise = self._seen_noise(images)
        else:
            _check_unit(noise, images)
        self.noise_ = noise.for_training(self._geometry, 0, self.range_)
        return self

    def to_onnx(self, path: str | os.PathLike) -> None:
        """Write the networks as one ONNX file, which runs without skdae and PyTorch.

        Its inputs are ``X``, `float32` images in [0, 1], gray ``(n_samples, height, width)`` or
        color ``(n_samples, height, width, 3)`` as at `fit`, and ``strength``, `float32` of shape
        ``(n_samples,)``, by which the level that is seen is multiplied: 1 is usual. If `noise` is
        given, ``std`` takes its place: the standard deviation of the noise, from 0 to 75 / 255. The
        output is ``X_denoised``, clipped to [0, 1]. The number of samples, height and width are
        free, and the whole image is one window of the map. Other units, images with a side below 64
        pixels, tone curves and tiles are not part of it.

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
        n_channels = 3 if self._geometry.n_channels == 3 else 1
        module = self._module(n_channels, torch.device("cpu"))
        # The size is free; the smallest would be taken for one that is not.
        shape = (64, 64) if n_channels == 1 else (64, 64, n_channels)
        export_onnx(UserImagesAndStrength(module, shape, self.sees_), path, free_size=True)

    def _set_saved_state(self, state):
        """See `Persistent`."""
        super()._set_saved_state(state)
        if "digest_" in state:
            # Refuses weights that this version does not have.
            weights_folder(self.digest_)

    def _check(self):
        """Refuse noises and tiles that do not fit to the net."""
        self._given_noise()
        if isinstance(self.tile_size, Integral):
            check_tile(self.tile_size, *_fields()["remove"])

    def _given_noise(self):
        """The noise model of the parameter `noise`, or None where it is to be seen."""
        if self.noise is None or isinstance(self.noise, str):
            return None
        if isinstance(self.noise, Real):
            return GaussianNoise(std=float(self.noise), clip=None)
        if not (isinstance(self.noise, SpeckleNoise) and isinstance(self.noise.std, Real)):
            as_camera(self.noise)
        return self.noise

    def _of_fit(self, X):
        """Some images of `fit`, ``(n_slices, height, width, n_channels)`` each, without gaps."""
        is_tiny = _are_tiny(self._geometry.spatial)
        n = _N_TINY if is_tiny else _N_SEEN
        X = X[: n if is_tiny else 1].compute() if is_dask(X) else X
        X = X if is_listed(X) or np.ma.isMaskedArray(X) else as_array(X)
        some, _ = without_gaps(self, X[:: -(-_num_samples(X) // n)])
        images = check_any_images(some, channel_axis=self.channel_axis)
        warn_of_sentinel([*images])
        return [as_planes(self._geometry.read(to_float(image)[None])) for image in images]

    def _seen_noise(self, images):
        """What noise some images of `fit` have together."""
        if _are_tiny(self._geometry.spatial):
            planes = [plane for image in images for plane in image]
            return GaussianNoise(std=_std_of_tiny(planes), clip=None)
        cameras, squares, variances = [], [], []
        for planes in images:
            # Of a volume, the slice in the middle.
            one = planes[len(planes) // 2, None]
            for rows, channels, _ in _parts(one, sees=True):
                tones, _, level = seen(one[rows][..., channels], self._see)
                cameras.append(tones.cameras[0])
                squares.append(np.square(tones.width * level.astype(np.float64)).mean())
                variances.append(squares[-1])
                if cameras[-1] and squares[-1] > 0:
                    noise = _seen_through(cameras[-1], squares[-1])
                    variances[-1] = noise.variance(one[rows][..., channels].mean())
        square = float(np.mean(squares))
        if square > 0 and all(cameras):
            return _seen_through(cameras[0], square)
        return GaussianNoise(std=float(np.mean(variances)) ** 0.5, clip=None)

    def _filter(self, images):
        planes = as_planes(images)
        out = np.empty(planes.shape, np.float32)
        for rows, channels, slopes in _parts(planes, self.sees_):
            before = planes[rows][..., channels]
            after = self._denoise(before)
            if slopes is None:
                out[rows, ..., channels] = after
            else:
                out[rows] = _follow(planes[rows], before, after, slopes)
        return out.reshape(images.shape)

    def _denoise(self, images):
        """Denoised gray or color images."""
        out = np.empty(images.shape, np.float32)
        for rows in gen_batches(len(images), max(1, _PIXELS // np.prod(images.shape[1:3]))):
            tones, inputs, level = self._told_or_seen(images[rows])
            denoised, level = self._remove(inputs, level)
            out[rows] = tones.invert(images[rows], denoised, level)
        return out

    def _remove(self, inputs, level):
        """What the second net makes of its inputs, and the map where it has done something."""
        both = isinstance(self.strength, tuple | list)
        strengths = list(map(np.float32, self.strength if both else [self.strength]))
        kinds = self._kinds(inputs, level)
        if inputs.shape[3] != 3 or strengths[0] == strengths[-1]:
            level = strengths[0] * level
            return self._remove_kinds(inputs, level, kinds), level
        light, color = (
            np.where(
                s * level > 0.5 * LEVEL_STEP, self._remove_kinds(inputs, s * level, kinds), inputs
            )
            for s in strengths
        )
        return color + ((light - color) @ _LUMINANCE)[..., None], max(strengths) * level

    def _told_or_seen(self, images):
        """Tones and inputs of the nets, and the map of the level."""
        sees = self._sees(images.shape[1:3])
        return seen(images, self._see) if sees else told(images, self.noise_)

    def _sees(self, sides):
        """Whether the noise is seen in each image; tiny ones do not tell theirs one by one."""
        return self.sees_ and not _are_tiny(sides)

    def _kinds(self, inputs, level):
        """What removes the noise of each image: the net for independent noise, or that for all.

        A noise that is told is independent.
        """
        sides = inputs.shape[1:3]
        is_independent = np.full(len(inputs), not self._sees(sides))
        if self._sees(sides) and min(sides) >= LEARNED:
            part = slice(None), *middle(sides, _OF_KIND)
            with_level = np.concatenate([inputs[part], level[part]], axis=3)
            is_independent = self._run("is_independent", with_level).ravel() > 0
        return np.where(is_independent, "remove_independent", "remove_correlated")

    def _remove_kinds(self, inputs, level, kinds):
        """What the nets of such names make of images and their map."""
        with_level, out = np.concatenate([inputs, level], axis=3), np.empty_like(inputs)
        for name in np.unique(kinds):
            out[kinds == name] = self._run(name, with_level[kinds == name])
        return out

    def _see(self, inputs):
        """The map of the level of images in [0, 1]."""
        height, width = inputs.shape[1:3]
        if min(height, width) >= LEARNED:
            return self._run("level", inputs)
        stds = np.array([np.mean(noise_stds(image)) for image in inputs], np.float32)
        level = np.tile(stds.reshape(-1, 1, 1, 1), (1, height, width, 1))
        if min(height, width) == 1:
            return level
        # Continued as a mirror would.
        top, left = (max(0, LEARNED - side) // 2 for side in (height, width))
        bottom, right = (max(0, LEARNED - side) - n for side, n in ((height, top), (width, left)))
        padded = np.pad(inputs, ((0, 0), (top, bottom), (left, right), (0, 0)), "symmetric")
        of_net = self._run("level", padded)[:, top : top + height, left : left + width]
        # Both take details for noise, of which small images have more.
        return np.minimum(of_net, level)

    def _module(self, n_channels, device):
        """The nets for gray or color images."""
        return _load(self.digest_, n_channels, device)

    def _run(self, name, images):
        """Images through one of the nets, in tiles where they are large."""
        device = hardware.resolve_loaded_device(self.device)
        n_channels = images.shape[3] - (name != "level")
        net = getattr(self._module(n_channels, device), name)
        dtype = getattr(
            torch, hardware.resolve_precision(self.precision, device, convolutional=True)
        )

        def run(batch):
            with (
                hardware.threads(),
                torch.inference_mode(),
                torch.autocast(device.type, dtype, enabled=dtype != torch.float32),
            ):
                batch = torch.from_numpy(batch).to(device).permute(0, 3, 1, 2)
                return net(batch).float().permute(0, 2, 3, 1).cpu().numpy()

        field = _fields()["level" if name == "level" else "remove"]
        tile = {"auto": _TILE, None: max(images.shape[1:3])}.get(self.tile_size, self.tile_size)
        # The small net looks further than the large one, and takes little memory.
        tile = max(tile, 2 * smallest_tile(*field)) if name == "level" else tile
        if max(images.shape[1:3]) <= tile or name == "is_independent":
            return run(images)
        n_out = 1 if name == "level" else n_channels
        return tiles.in_tiles(run, images, n_out, tile, *field)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


def _check_unit(noise, images):
    """Say so where a noise that was given cannot be that of the images: in other units, mostly."""
    variance = float(np.mean([noise.variance(planes).mean() for planes in images]))
    spread = float(np.mean([planes.var(dtype=np.float64) for planes in images]))
    unit = max(float(np.ptp(np.percentile(planes, (0.1, 99.9)))) for planes in images)
    too_much = variance > _IMPOSSIBLE**2 * spread or abs(getattr(noise, "mean", 0.0)) > unit
    if spread and variance and (too_much or variance**0.5 < 0.5 * LEVEL_STEP * unit):
        warn_user(
            f"The noise that was given has a standard deviation of about {variance**0.5:.3g}, and "
            f"X one of {spread**0.5:.3g}: "
            + ("it would be lost" if too_much else "nothing will change")
            + ". The noise has to be in the units of X; those of uint8 are value / 255."
        )


def _check_steps(images):
    """Say so where `float32` cannot hold the images to a hundredth of what they vary by."""
    largest = max(float(np.abs(planes).max()) for planes in images)
    spread = np.mean([planes.std(dtype=np.float64) for planes in images])
    step = np.spacing(np.float32(largest))
    if step > 0.01 * spread > 0:
        warn_user(
            f"The result is float32, which holds values like those of X in steps of {step:.2g}, "
            f"and X varies by {spread:.2g} only. Subtract its offset first, such as X - X.mean()."
        )


def _seen_through(camera, square):
    """The noise whose mean square is so much on the transform of a camera, where its own is 1."""
    gain, std = (camera.gain * factor for factor in (square, camera.std * square**0.5))
    return PoissonGaussianNoise(gain, std, offset=camera.offset, clip=None)


def _are_tiny(sides):
    """Whether images, not signals, have too few pixels to tell their noise."""
    return min(sides[-2:]) > 1 < len(sides) and math.prod(sides[-2:]) < _TINY


def _std_of_tiny(images):
    """Standard deviation of the noise of many tiny images together; 0 of too few."""
    height, width = np.min([image.shape[:2] for image in images], axis=0)
    rows = np.stack([image[:height, :width, 0].ravel() for image in images])
    std = std_of_many(images)
    # Arrays without any order, as of tests, are no images.
    if std is None and has_order(rows):
        warn_user(
            f"{len(images)} images of less than {_TINY} pixels do not tell how strong their noise "
            "is; they will be returned as they are. Pass its standard deviation, such as "
            "noise=0.1, or 64 such images or more, or train a DenoisingAutoencoder."
        )
    return std or 0.0


def _parts(images, sees):
    """What one net denoises: which images, which of their channels, and what follows it.

    What follows is None, or how much each channel changes where the one that is denoised does.
    """
    n_channels = images.shape[3]
    if n_channels != 3:
        return [(slice(None), slice(c, c + 1), None) for c in range(n_channels)]
    lines = [_line(image, sees) for image in images]
    parts = []
    for c in (None, 0, 1, 2):
        rows = [i for i, (first, _) in enumerate(lines) if first == c]
        if c is None:
            apart = [i for i in rows if _are_apart(images[i])]
            parts += [(apart, slice(k, k + 1), None) for k in range(3) if apart]
            rows = [i for i in rows if i not in apart]
            parts += [(rows, slice(3), None)] if rows else []
        elif rows:
            slopes = np.stack([lines[i][1] for i in rows]).reshape(-1, 1, 1, 3)
            parts.append((rows, slice(c, c + 1), slopes))
    return parts


def _are_apart(image):
    """Whether three channels are those of no color picture: stains, bands, sensors.

    The edges of a scene are in all of them, and so is the noise of a camera. The network for color
    images, which has seen nothing else, would carry those of one channel into the others.
    """
    if min(image.shape[:2]) < LEARNED:
        return False
    image = image[middle(image.shape[:2], _MIDDLE)]
    stds = noise_stds(image)
    if max(stds) > _UNLIKE * min(stds) > 0:
        return True
    smooth = gaussian_filter(image.astype(np.float32), (_BLUR, _BLUR, 0))
    edges = np.concatenate([np.diff(smooth, axis=axis).reshape(-1, 3) for axis in (0, 1)])
    covariance = edges.T.astype(np.float64) @ edges
    sizes = np.sqrt(covariance.diagonal())
    # What the Gaussian leaves of white noise, which is all that there is where nothing has edges.
    of_noise = max(stds) * np.sqrt(len(edges) / (8 * np.pi)) / _BLUR**2
    if min(sizes) <= 2 * of_noise:
        return False
    return np.linalg.eigvalsh(covariance / np.outer(sizes, sizes))[-1] < _SHARED


def _follow(images, before, after, slopes):
    """Images in which one channel was denoised, and the others change with it."""
    changed = np.where(after == before, images, slopes * after + (images - slopes * before))
    is_unit = (images.min(axis=(1, 2, 3)) >= 0) & (images.max(axis=(1, 2, 3)) <= 1)
    changed[is_unit] = changed[is_unit].clip(0, 1)
    return changed


def _line(image, sees):
    """Which channel the others of an image are linear in, and their slopes; None if there is none.

    That is so in a gray scan that was stored in color, or toned.
    """
    pixels = image.reshape(-1, 3)
    pixels = pixels[:: -(-len(pixels) // _N_SAMPLED)].astype(np.float64)
    if (pixels == pixels[:, :1]).all():
        return 0, np.ones(3, np.float32)
    if not sees:
        return None, None
    low, high = pixels.min(), pixels.max()
    inside = ((pixels > low) & (pixels < high)).all(axis=1)
    # What was clipped is off the line.
    pixels = pixels[inside] if inside.sum() >= SMALLEST**2 else pixels
    pixels = pixels - pixels.mean(axis=0)
    c = int(np.square(pixels).sum(axis=0).argmax())
    slopes = pixels[:, c] @ pixels / np.square(pixels[:, c]).sum().clip(1e-300)
    is_line = np.abs(pixels - pixels[:, c : c + 1] * slopes).max() <= _ROUNDED * (high - low)
    return (c, slopes.astype(np.float32)) if is_line else (None, None)


@cache
def _fields():
    """Stride and radius of the receptive fields of the nets, by what they do."""
    level, remover = BlindNet().nets()
    return {"level": level.receptive_field(), "remove": remover.receptive_field()}


@lru_cache(maxsize=4)
def _load(digest, n_channels, device):
    """The nets of some weights on a device."""
    kind = "colour" if n_channels == 3 else "grey"
    path = weights_folder(digest) / f"photographs-{kind}"
    module = Pretrained(path).build((64, 64, n_channels), (64, 64, n_channels)).eval()
    return module.to(device, memory_format=torch.channels_last)
