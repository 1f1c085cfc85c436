"""Filters that look at a window around each pixel; they need SciPy alone."""

import math
from itertools import product
from numbers import Real

import numpy as np
from scipy import ndimage
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions

from .._checks import POSITIVE_INT
from .._images import MAX_LEVEL
from ._base import BaseFilter
from .noise_level import noise_stds

# Values in a chunk of images, which stay in the processor's cache.
_CHUNK_VALUES = 2**14

# How an image goes on beyond its border, in the words of scipy.ndimage: what numpy.pad calls it.
_PAD_MODES = {"reflect": "symmetric", "nearest": "edge", "mirror": "reflect", "wrap": "wrap"}
_MODES = StrOptions(set(_PAD_MODES))


def per_axis(images, value, other):
    """`value` for each spatial axis of a batch, `other` for images and channels."""
    return (other, *[value] * (images.ndim - 2), other)


class _SquareWindowFilter(BaseFilter):
    """Has a square window of `size` pixels on each side."""

    _parameter_constraints: dict = {
        **BaseFilter._parameter_constraints,
        "size": [POSITIVE_INT],
        "mode": [_MODES],
    }

    def __init__(
        self,
        size: int = 3,
        *,
        mode: str = "reflect",
        image_shape: tuple[int, ...] | None = None,
        channel_axis: int | str | None = "auto",
        missing_values: float = math.nan,
    ):
        self.size = size
        self.mode = mode
        self.image_shape = image_shape
        self.channel_axis = channel_axis
        self.missing_values = missing_values

    def _radius(self):
        return self.size // 2


class MeanFilter(_SquareWindowFilter):
    r"""Replace each pixel by the mean of the window around it.

    The simplest filter for Gaussian noise. It blurs edges.

    Parameters
    ----------
    size : int, default=3
        Side of the square window, in pixels, at least 1; 1 changes nothing.
    mode : {"reflect", "nearest", "mirror", "wrap"}, default="reflect"
        How the image is extended beyond its border, as in `scipy.ndimage`.
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

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
    channel_axis_ : int or None
        -1 if an axis holds channels, else None.
    range_ : (float, float)
        Smallest and largest value of the images of `fit`.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    GaussianFilter : Weighs near pixels more.
    MedianFilter : Keeps edges, removes outliers.

    Notes
    -----
    Channels are never mixed. `float32` and `float64` keep their dtype, `uint8` becomes `float32` in
    [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import MeanFilter
    >>> MeanFilter(size=3).fit_transform(np.eye(3)[None]).round(2)
    array([[[0.56, 0.33, 0.11],
            [0.33, 0.33, 0.33],
            [0.11, 0.33, 0.56]]])
    """

    def _filter(self, images):
        return ndimage.uniform_filter(images, per_axis(images, self.size, 1), mode=self.mode)


class MedianFilter(_SquareWindowFilter):
    r"""Replace each pixel by the median of the window around it.

    The classical filter for salt-and-pepper noise. It preserves edges.

    Parameters
    ----------
    size : int, default=3
        Side of the square window, in pixels, at least 1; 1 changes nothing.
    mode : {"reflect", "nearest", "mirror", "wrap"}, default="reflect"
        How the image is extended beyond its border, as in `scipy.ndimage`.
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

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
    channel_axis_ : int or None
        -1 if an axis holds channels, else None.
    range_ : (float, float)
        Smallest and largest value of the images of `fit`.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    MeanFilter : Better where the noise is Gaussian.

    Notes
    -----
    Channels are never mixed. `float32` and `float64` keep their dtype, `uint8` becomes `float32` in
    [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import MedianFilter
    >>> X_noisy = np.zeros((1, 5, 5))
    >>> X_noisy[0, 2, 2] = 1.0  # one grain of salt
    >>> float(MedianFilter(size=3).fit_transform(X_noisy).max())
    0.0
    """

    def _filter(self, images):
        return ndimage.median_filter(images, per_axis(images, self.size, 1), mode=self.mode)


class GaussianFilter(BaseFilter):
    r"""Smooth images with a Gaussian window.

    Parameters
    ----------
    sigma : float, default=1.0
        Standard deviation of the window, in pixels, at least 0; 0 changes nothing. The window
        ends at four standard deviations.
    mode : {"reflect", "nearest", "mirror", "wrap"}, default="reflect"
        How the image is extended beyond its border, as in `scipy.ndimage`.
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

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
    channel_axis_ : int or None
        -1 if an axis holds channels, else None.
    range_ : (float, float)
        Smallest and largest value of the images of `fit`.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    MeanFilter : All pixels of the window count alike.

    Notes
    -----
    Channels are never mixed. `float32` and `float64` keep their dtype, `uint8` becomes `float32` in
    [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import GaussianFilter
    >>> X_noisy = np.random.default_rng(0).normal(0.5, 0.1, (1, 64, 64))
    >>> bool(GaussianFilter(sigma=1.0).fit_transform(X_noisy).std() < 0.05)
    True
    """

    _parameter_constraints: dict = {
        **BaseFilter._parameter_constraints,
        "sigma": [Interval(Real, 0, None, closed="left")],
        "mode": [_MODES],
    }

    def __init__(
        self,
        sigma: float = 1.0,
        *,
        mode: str = "reflect",
        image_shape: tuple[int, ...] | None = None,
        channel_axis: int | str | None = "auto",
        missing_values: float = math.nan,
    ):
        self.sigma = sigma
        self.mode = mode
        self.image_shape = image_shape
        self.channel_axis = channel_axis
        self.missing_values = missing_values

    def _radius(self):
        return int(4 * self.sigma + 0.5)

    def _filter(self, images):
        return ndimage.gaussian_filter(images, per_axis(images, self.sigma, 0), mode=self.mode)


class BilateralFilter(BaseFilter):
    r"""Average nearby pixels of similar value, which preserves edges.

    A pixel becomes the mean of the pixels around it, with the weights
    ``exp(-distance**2 / (2 sigma_spatial**2) - difference**2 / (2 sigma_color**2))``.

    Parameters
    ----------
    sigma_color : float or None, default=None
        Standard deviation of the weight by difference of values, in the units of `X`, above 0;
        greater smooths across greater differences. None means 2.5 times the noise of the channel,
        as `estimate_noise_std` finds it.
    sigma_spatial : float, default=1.5
        Standard deviation of the weight by distance, in pixels, above 0. The window
        ends at three standard deviations.
    mode : {"reflect", "nearest", "mirror", "wrap"}, default="reflect"
        How the image is extended beyond its border, as in `scipy.ndimage`.
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

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
    channel_axis_ : int or None
        -1 if an axis holds channels, else None.
    range_ : (float, float)
        Smallest and largest value of the images of `fit`.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    GaussianFilter : Weighs by distance alone.
    NLMeansFilter : Compares whole patches, not pixels.

    Notes
    -----
    Channels are never mixed, and values may lie anywhere: adding a constant to an image adds it to
    the result. `float32` and `float64` keep their dtype, `uint8` becomes `float32` in [0, 1].

    This is the filter of the paper, and needs no scikit-image. That of scikit-image 0.26,
    `denoise_bilateral`, differs: its weights by distance are not centered on the pixel, and its
    weights by difference are others where an image has negative values.

    References
    ----------
    Tomasi and Manduchi, "Bilateral filtering for gray and color images", ICCV 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import BilateralFilter
    >>> X = np.array([[0.0, 0.1, 0.0, 0.1, 1.0, 0.9, 1.0, 0.9]])  # a step, and a ripple
    >>> BilateralFilter(sigma_color=0.2, image_shape=(8,)).fit_transform(X).round(2)
    array([[0.03, 0.05, 0.05, 0.06, 0.96, 0.95, 0.95, 0.93]])
    """

    _parameter_constraints: dict = {
        **BaseFilter._parameter_constraints,
        "sigma_color": [Interval(Real, 0, MAX_LEVEL, closed="right"), None],
        "sigma_spatial": [Interval(Real, 0, None, closed="neither")],
        "mode": [_MODES],
    }

    def __init__(
        self,
        sigma_color: float | None = None,
        sigma_spatial: float = 1.5,
        *,
        mode: str = "reflect",
        image_shape: tuple[int, ...] | None = None,
        channel_axis: int | str | None = "auto",
        missing_values: float = math.nan,
    ):
        self.sigma_color = sigma_color
        self.sigma_spatial = sigma_spatial
        self.mode = mode
        self.image_shape = image_shape
        self.channel_axis = channel_axis
        self.missing_values = missing_values

    def _radius(self):
        # The noise is estimated from the whole channel.
        return None if self.sigma_color is None else math.ceil(3 * self.sigma_spatial)

    def _filter(self, images):
        if self.sigma_color is None:
            sigma_color = 2.5 * np.array([noise_stds(image) for image in images])
        else:
            sigma_color = np.full((len(images), 1), float(self.sigma_color))
        # As 0 it would leave the pixel itself without a weight.
        sigma_color = sigma_color.clip(np.finfo(images.dtype).tiny).astype(images.dtype)
        n_spatial = images.ndim - 2
        sigma_color = sigma_color.reshape(len(sigma_color), *[1] * n_spatial, -1)
        radius = math.ceil(3 * self.sigma_spatial)
        # Along an axis of one pixel there are no others.
        reach = [0 if n == 1 else radius for n in images.shape[1:-1]]
        edges = [(0, 0), *((n, n) for n in reach), (0, 0)]
        filtered = np.empty_like(images)
        # Many small images at once, or a strip of a large one.
        n_images = max(1, _CHUNK_VALUES // images[0].size)
        n_rows = max(1, _CHUNK_VALUES // images[0, 0].size)
        for some in gen_batches(len(images), n_images):
            padded = np.pad(images[some], edges, mode=_PAD_MODES[self.mode])
            for rows in gen_batches(images.shape[1], n_rows):
                around = padded[:, rows.start : rows.stop + 2 * reach[0]]
                filtered[some, rows] = self._smooth(
                    images[some, rows], around, reach, sigma_color[some]
                )
        return filtered

    def _smooth(self, images, around, reach, sigma_color):
        """Filter images, or strips of them, with the pixels `around` and a `sigma_color` each."""
        sides = images.shape[1:-1]
        total, weights = np.zeros_like(images), np.zeros_like(images)
        for corner in product(*(range(2 * n + 1) for n in reach)):
            distance = math.dist(corner, reach) / self.sigma_spatial
            place = (slice(k, k + n) for k, n in zip(corner, sides, strict=True))
            difference = around[:, *place] - images
            weight = np.exp(-0.5 * (np.square(difference / sigma_color) + distance * distance))
            weights += weight
            total += weight * difference
        # A sum of differences, not of values, loses no digits where the values are far from 0.
        return images + total / weights
