"""Classical filters as denoisers: the baselines that a net has to beat.

Three of them need libraries of the extra ``baselines``, which are imported when such a filter is
fitted, not here.
"""

import math
import threading
import warnings
from importlib import import_module
from itertools import product
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ._images import (
    FLOAT_DTYPES,
    BaseDenoiser,
    check_image_list,
    check_images,
    check_target,
    from_batch,
    is_ragged,
    one_by_one,
    refuse_overflow,
    resolve_image_shape,
    stand_in,
    to_batch,
    to_float,
    unchanged_on_error,
    validate_images,
)

__all__ = [
    "BilateralFilter",
    "GaussianFilter",
    "MeanFilter",
    "MedianFilter",
    "NLMeansFilter",
    "TVFilter",
    "WaveletFilter",
    "estimate_noise_std",
]

# How an image goes on beyond its border, in the words of scipy.ndimage: what numpy.pad calls it.
_PAD_MODES = {"reflect": "symmetric", "nearest": "edge", "mirror": "reflect", "wrap": "wrap"}
_MODES = StrOptions(set(_PAD_MODES))

# Windows that take all of the memory, or years, are slips of the pen.
_LARGEST_WINDOW, _LARGEST_PATCH, _LARGEST_SIGMA, _LARGEST_LEVEL = 9999, 999, 999, 1e30


_WARNINGS = threading.Lock()


class BaseFilter(BaseDenoiser):
    """Base class of the filters; a subclass brings ``_filter(images)``."""

    _parameter_constraints: dict = {"image_shape": [tuple, list, None]}

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> "BaseFilter":
        """Remember the shape of the images; a filter learns nothing.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images.
        y : array-like shaped like `X`, or None, default=None
            Clean images; checked, not used. A 1-D array of labels is ignored.

        Returns
        -------
        self : object
        """
        with unchanged_on_error(self):
            self._check()
            images = validate_images(self, stand_in(X), reset=True)
            if not is_ragged(X):
                check_target(images, y)
            self.image_shape_ = resolve_image_shape(images.shape, self.image_shape)
            self._n_features_out = self.n_features_in_
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Filter images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images. Images, unlike flat rows, may have another size than at fit, and images
            of different sizes may come as a list of arrays.

        Returns
        -------
        X_denoised : ndarray, shaped like `X`
        """
        check_is_fitted(self)
        if is_ragged(X):
            return self._predict_list(X)
        images = validate_images(self, X, reset=False, any_size=True)
        with np.errstate(all="ignore"):
            filtered = self._filter(to_float(to_batch(images, self.image_shape_)))
        refuse_overflow(filtered, images, type(self).__name__)
        return from_batch(filtered, images.ndim)

    def _predict_list(self, images):
        """Filter images of different sizes."""
        return one_by_one(self.predict, check_image_list(images))

    def _check(self):
        """Refuse, in `fit`, what the ranges of the parameters do not tell."""

    def _filter(self, images):
        """Filter a batch of shape ``(n_samples, height, width, n_channels)``."""
        raise NotImplementedError

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [np.dtype(dtype).name for dtype in FLOAT_DTYPES]
        return tags


class MeanFilter(BaseFilter):
    r"""Replace each pixel by the mean of the window around it.

    The simplest remedy for Gaussian noise; it blurs edges.

    Parameters
    ----------
    size : int, default=3
        Side of the square window, in pixels, from 1 to 9999; 1 changes nothing.
    mode : {"reflect", "nearest", "mirror", "wrap"}, default="reflect"
        How the image goes on beyond its border, as in `scipy.ndimage`.
    image_shape : tuple of int or None, default=None
        ``(height, width)``, ``(height, width, n_channels)`` or ``(length,)`` of flat rows. None
        means a square grey image, or a 1-D signal where the number of values is no square.

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
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

    _parameter_constraints: dict = {
        **BaseFilter._parameter_constraints,
        "size": [Interval(Integral, 1, _LARGEST_WINDOW, closed="both")],
        "mode": [_MODES],
    }

    def __init__(
        self, size: int = 3, *, mode: str = "reflect", image_shape: tuple[int, ...] | None = None
    ):
        self.size = size
        self.mode = mode
        self.image_shape = image_shape

    def _filter(self, images):
        return ndimage.uniform_filter(images, (1, self.size, self.size, 1), mode=self.mode)


class MedianFilter(BaseFilter):
    r"""Replace each pixel by the median of the window around it.

    The classical remedy for salt-and-pepper noise; it keeps edges.

    Parameters
    ----------
    size : int, default=3
        Side of the square window, in pixels, from 1 to 9999; 1 changes nothing.
    mode : {"reflect", "nearest", "mirror", "wrap"}, default="reflect"
        How the image goes on beyond its border, as in `scipy.ndimage`.
    image_shape : tuple of int or None, default=None
        ``(height, width)``, ``(height, width, n_channels)`` or ``(length,)`` of flat rows. None
        means a square grey image, or a 1-D signal where the number of values is no square.

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
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

    _parameter_constraints: dict = {
        **BaseFilter._parameter_constraints,
        "size": [Interval(Integral, 1, _LARGEST_WINDOW, closed="both")],
        "mode": [_MODES],
    }

    def __init__(
        self, size: int = 3, *, mode: str = "reflect", image_shape: tuple[int, ...] | None = None
    ):
        self.size = size
        self.mode = mode
        self.image_shape = image_shape

    def _filter(self, images):
        return ndimage.median_filter(images, (1, self.size, self.size, 1), mode=self.mode)


class GaussianFilter(BaseFilter):
    r"""Smooth images with a Gaussian window.

    Parameters
    ----------
    sigma : float, default=1.0
        Standard deviation of the window, in pixels, from 0 to 999; 0 changes nothing. The window
        ends at four standard deviations.
    mode : {"reflect", "nearest", "mirror", "wrap"}, default="reflect"
        How the image goes on beyond its border, as in `scipy.ndimage`.
    image_shape : tuple of int or None, default=None
        ``(height, width)``, ``(height, width, n_channels)`` or ``(length,)`` of flat rows. None
        means a square grey image, or a 1-D signal where the number of values is no square.

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
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
        "sigma": [Interval(Real, 0, _LARGEST_SIGMA, closed="both")],
        "mode": [_MODES],
    }

    def __init__(
        self,
        sigma: float = 1.0,
        *,
        mode: str = "reflect",
        image_shape: tuple[int, ...] | None = None,
    ):
        self.sigma = sigma
        self.mode = mode
        self.image_shape = image_shape

    def _filter(self, images):
        return ndimage.gaussian_filter(images, (0, self.sigma, self.sigma, 0), mode=self.mode)


class _PlaneFilter(BaseFilter):
    """A filter that sees one channel at a time; a subclass brings ``_filter_plane(plane)``."""

    def _filter(self, images):
        filtered = np.empty_like(images)
        for image, out in zip(images, filtered, strict=True):
            for channel in range(image.shape[-1]):
                denoised = self._filter_plane(_plane(image, channel))
                out[..., channel] = denoised.reshape(out.shape[:2])
        return filtered

    def _filter_plane(self, plane):
        """Filter an image of shape ``(height, width)`` or a signal of shape ``(length,)``."""
        raise NotImplementedError


class BilateralFilter(_PlaneFilter):
    r"""Average near pixels of similar value; it keeps edges.

    A pixel becomes the mean of the pixels around it, weighed by
    ``exp(-distance**2 / (2 sigma_spatial**2) - difference**2 / (2 sigma_color**2))``.

    Parameters
    ----------
    sigma_color : float or None, default=None
        Standard deviation of the weight by difference of values, in the units of `X`, above 0;
        greater smooths across greater differences. None means 2.5 times the noise of the channel,
        as `estimate_noise_std` finds it.
    sigma_spatial : float, default=1.5
        Standard deviation of the weight by distance, in pixels, above 0, at most 999. The window
        ends at three standard deviations.
    mode : {"reflect", "nearest", "mirror", "wrap"}, default="reflect"
        How the image goes on beyond its border, as in `scipy.ndimage`.
    image_shape : tuple of int or None, default=None
        ``(height, width)``, ``(height, width, n_channels)`` or ``(length,)`` of flat rows. None
        means a square grey image, or a 1-D signal where the number of values is no square.

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
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
    `denoise_bilateral`, differs: its weights by distance are not centred on the pixel, and its
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
        "sigma_color": [Interval(Real, 0, _LARGEST_LEVEL, closed="right"), None],
        "sigma_spatial": [Interval(Real, 0, _LARGEST_SIGMA, closed="right")],
        "mode": [_MODES],
    }

    def __init__(
        self,
        sigma_color: float | None = None,
        sigma_spatial: float = 1.5,
        *,
        mode: str = "reflect",
        image_shape: tuple[int, ...] | None = None,
    ):
        self.sigma_color = sigma_color
        self.sigma_spatial = sigma_spatial
        self.mode = mode
        self.image_shape = image_shape

    def _filter_plane(self, plane):
        sigma_color = 2.5 * _noise_std(plane) if self.sigma_color is None else self.sigma_color
        if sigma_color == 0:
            return plane
        # As 0 it would leave the pixel itself without a weight.
        sigma_color = max(sigma_color, np.finfo(plane.dtype).tiny)
        radius = math.ceil(3 * self.sigma_spatial)
        padded = np.pad(plane, radius, mode=_PAD_MODES[self.mode])
        total, weights = np.zeros_like(plane), np.zeros_like(plane)
        for start in product(range(2 * radius + 1), repeat=plane.ndim):
            window = tuple(slice(i, i + n) for i, n in zip(start, plane.shape, strict=True))
            distance = math.dist(start, [radius] * plane.ndim) / self.sigma_spatial
            difference = padded[window] - plane
            weight = np.exp(-0.5 * (np.square(difference / sigma_color) + distance * distance))
            weights += weight
            total += weight * difference
        # A sum of differences, not of values, loses no digits where the values are far from 0.
        return plane + total / weights


class NLMeansFilter(_PlaneFilter):
    r"""Average pixels whose surroundings look alike (non-local means).

    A pixel becomes the mean of the pixels near it, weighed by
    ``exp(-max(d - 2 std**2, 0) / h**2)``, where ``d`` is the mean squared difference of the patches
    around the two. It keeps edges and repeated texture. Needs scikit-image (``pip install
    skdae[baselines]``).

    Parameters
    ----------
    patch_size : int, default=5
        Side of the patches that are compared, in pixels, odd, from 3 to 999.
    patch_distance : int, default=6
        How far away patches are looked for, in pixels along each axis, from 1 to 999.
    h : float or None, default=None
        How different patches may be, in the units of `X`, above 0; greater smooths more. None means
        0.8 times the noise.
    std : float or None, default=None
        Standard deviation of the Gaussian noise, in the units of `X`, at least 0. None means that
        of the channel, as `estimate_noise_std` finds it. Where it is 0 and `h` is None, nothing
        changes.
    image_shape : tuple of int or None, default=None
        ``(height, width)``, ``(height, width, n_channels)`` or ``(length,)`` of flat rows. None
        means a square grey image, or a 1-D signal where the number of values is no square.

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    BilateralFilter : Compares pixels, not patches; faster.
    skimage.restoration.denoise_nl_means : What each channel goes through, in its fast mode.

    Notes
    -----
    Channels are never mixed, and values may lie anywhere. `float32` and `float64` keep their dtype,
    `uint8` becomes `float32` in [0, 1].

    References
    ----------
    Buades, Coll and Morel, "A non-local algorithm for image denoising", CVPR 2005; the fast mode is
    that of Darbon et al., "Fast nonlocal filtering applied to electron cryomicroscopy", ISBI 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import NLMeansFilter
    >>> X_noisy = np.random.default_rng(0).normal(0.5, 0.1, (1, 64, 64))
    >>> bool(NLMeansFilter().fit_transform(X_noisy).std() < 0.02)
    True
    """

    _parameter_constraints: dict = {
        **BaseFilter._parameter_constraints,
        "patch_size": [Interval(Integral, 3, _LARGEST_PATCH, closed="both")],
        "patch_distance": [Interval(Integral, 1, _LARGEST_PATCH, closed="both")],
        "h": [Interval(Real, 0, _LARGEST_LEVEL, closed="right"), None],
        "std": [Interval(Real, 0, _LARGEST_LEVEL, closed="both"), None],
    }

    def __init__(
        self,
        patch_size: int = 5,
        patch_distance: int = 6,
        *,
        h: float | None = None,
        std: float | None = None,
        image_shape: tuple[int, ...] | None = None,
    ):
        self.patch_size = patch_size
        self.patch_distance = patch_distance
        self.h = h
        self.std = std
        self.image_shape = image_shape

    def _check(self):
        _import_baseline("skimage.restoration", self)
        if self.patch_size % 2 == 0:
            raise ValueError(
                f"patch_size={self.patch_size} must be odd, so that a pixel lies in the middle of "
                f"its patch; pass {self.patch_size - 1} or {self.patch_size + 1}."
            )

    def _filter_plane(self, plane):
        std = _noise_std(plane) if self.std is None else self.std
        h = 0.8 * std if self.h is None else self.h
        if h < np.finfo(plane.dtype).tiny:
            return plane
        return _import_baseline("skimage.restoration", self).denoise_nl_means(
            np.atleast_2d(plane),
            self.patch_size,
            self.patch_distance,
            h,
            sigma=std,
            preserve_range=True,
        )


class TVFilter(_PlaneFilter):
    r"""Find the image near the noisy one that has the least total variation.

    The result ``u`` of an image ``x`` minimises ``sum((u - x)**2) / 2 + weight * sum(|grad u|)``:
    flat regions with sharp edges. Needs scikit-image (``pip install skdae[baselines]``).

    Parameters
    ----------
    weight : float or None, default=None
        Weight of the total variation, in the units of `X`, above 0; greater smooths more. None
        means 0.75 times the noise of the channel, as `estimate_noise_std` finds it.
    image_shape : tuple of int or None, default=None
        ``(height, width)``, ``(height, width, n_channels)`` or ``(length,)`` of flat rows. None
        means a square grey image, or a 1-D signal where the number of values is no square.

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    NLMeansFilter : Keeps texture better.
    skimage.restoration.denoise_tv_chambolle : What each channel goes through.

    Notes
    -----
    Channels are never mixed, and values may lie anywhere. `float32` and `float64` keep their dtype,
    `uint8` becomes `float32` in [0, 1].

    References
    ----------
    Rudin, Osher and Fatemi, "Nonlinear total variation based noise removal algorithms", Physica D
    60, 1992; computed as in Chambolle, "An algorithm for total variation minimization and
    applications", Journal of Mathematical Imaging and Vision 20, 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import TVFilter
    >>> X_noisy = np.random.default_rng(0).normal(0.5, 0.1, (1, 64, 64))
    >>> bool(TVFilter(weight=0.5).fit_transform(X_noisy).std() < 0.02)
    True
    """

    _parameter_constraints: dict = {
        **BaseFilter._parameter_constraints,
        "weight": [Interval(Real, 0, _LARGEST_LEVEL, closed="right"), None],
    }

    def __init__(
        self,
        weight: float | None = None,
        *,
        image_shape: tuple[int, ...] | None = None,
    ):
        self.weight = weight
        self.image_shape = image_shape

    def _check(self):
        _import_baseline("skimage.restoration", self)

    def _filter_plane(self, plane):
        weight = 0.75 * _noise_std(plane) if self.weight is None else self.weight
        if weight < np.finfo(plane.dtype).tiny:
            return plane
        return _import_baseline("skimage.restoration", self).denoise_tv_chambolle(plane, weight)


class WaveletFilter(_PlaneFilter):
    r"""Shrink the small coefficients of a wavelet transform, which are mostly noise.

    Needs scikit-image and PyWavelets (``pip install skdae[baselines]``).

    Parameters
    ----------
    wavelet : str, default="sym4"
        Name of an orthogonal wavelet in PyWavelets, such as ``"haar"``, ``"db2"`` or ``"sym4"``.
    std : float or None, default=None
        Standard deviation of the Gaussian noise, in the units of `X`, at least 0; 0 changes
        nothing. None means that of the channel, as `estimate_noise_std` finds it.
    method : {"BayesShrink", "VisuShrink"}, default="BayesShrink"
        How the threshold is found: one for each band, ``std**2`` over the standard deviation of the
        band's signal, or one for all, ``std * sqrt(2 log(n_pixels))``, which smooths more.
    thresholding : {"soft", "hard"}, default="soft"
        Whether coefficients above the threshold shrink by it or stay.
    levels : int or None, default=None
        How often the image is halved, at least 1. An image too small for so many gets as many as
        it allows. None means as many as that.
    image_shape : tuple of int or None, default=None
        ``(height, width)``, ``(height, width, n_channels)`` or ``(length,)`` of flat rows. None
        means a square grey image, or a 1-D signal where the number of values is no square.

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    estimate_noise_std : What `std=None` takes, from a wavelet transform as well.
    skimage.restoration.denoise_wavelet : What each channel goes through.

    Notes
    -----
    Channels are never mixed, and values may lie anywhere. `float32` and `float64` keep their dtype,
    `uint8` becomes `float32` in [0, 1].

    References
    ----------
    Chang, Yu and Vetterli, "Adaptive wavelet thresholding for image denoising and compression",
    IEEE Transactions on Image Processing 9, 2000 (BayesShrink); Donoho and Johnstone, "Ideal
    spatial adaptation by wavelet shrinkage", Biometrika 81, 1994 (VisuShrink).

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import WaveletFilter
    >>> X_noisy = np.random.default_rng(0).normal(0.5, 0.1, (1, 64, 64))
    >>> bool(WaveletFilter().fit_transform(X_noisy).std() < 0.03)
    True
    """

    _parameter_constraints: dict = {
        **BaseFilter._parameter_constraints,
        "wavelet": [str],
        "std": [Interval(Real, 0, _LARGEST_LEVEL, closed="both"), None],
        "method": [StrOptions({"BayesShrink", "VisuShrink"})],
        "thresholding": [StrOptions({"soft", "hard"})],
        "levels": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        wavelet: str = "sym4",
        *,
        std: float | None = None,
        method: str = "BayesShrink",
        thresholding: str = "soft",
        levels: int | None = None,
        image_shape: tuple[int, ...] | None = None,
    ):
        self.wavelet = wavelet
        self.std = std
        self.method = method
        self.thresholding = thresholding
        self.levels = levels
        self.image_shape = image_shape

    def _check(self):
        _import_baseline("skimage.restoration", self)
        pywt = _import_baseline("pywt", self)
        orthogonal = [w for w in pywt.wavelist(kind="discrete") if pywt.Wavelet(w).orthogonal]
        if self.wavelet not in orthogonal:
            raise ValueError(
                f"wavelet={self.wavelet!r} is no orthogonal wavelet of PyWavelets, which the "
                f"thresholds need; pass one of {orthogonal}."
            )

    def _filter_plane(self, plane):
        std = _noise_std(plane) if self.std is None else self.std
        if std < np.finfo(plane.dtype).tiny:
            return plane
        pywt = _import_baseline("pywt", self)
        most = max(1, pywt.dwtn_max_level(plane.shape, self.wavelet))
        # The filters of warnings are one list for all threads.
        with _WARNINGS, warnings.catch_warnings():
            # One level always works: an image shorter than the wavelet goes on beyond its border.
            warnings.filterwarnings("ignore", "Level value of 1 is too high", UserWarning)
            # In units of the noise, because BayesShrink holds variances against a fixed epsilon.
            return std * _import_baseline("skimage.restoration", self).denoise_wavelet(
                plane / std,
                sigma=1.0,
                wavelet=self.wavelet,
                mode=self.thresholding,
                wavelet_levels=min(most, self.levels or most),
                method=self.method,
            )


def _import_baseline(module, estimator):
    """A module of the extra ``baselines``."""
    try:
        return import_module(module)
    except ImportError as error:
        library = {"pywt": "PyWavelets", "skimage.restoration": "scikit-image"}[module]
        raise ImportError(
            f"{type(estimator).__name__} needs {library}, which cannot be imported here ({error}); "
            "install it with pip install skdae[baselines]."
        ) from error


# The noise in an image


def estimate_noise_std(
    X: ArrayLike, image_shape: tuple[int, ...] | None = None
) -> NDArray[np.float64]:
    """Estimate the standard deviation of the Gaussian noise in each image.

    The median absolute value of the finest diagonal wavelet details (db2), over 0.6745, its
    value for normal noise of standard deviation 1; the mean of the channels. In those details
    a smooth image leaves little but noise, and the median passes over its edges.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
            (n_samples, height, width, n_channels)
        Noisy images.
    image_shape : tuple of int or None, default=None
        ``(height, width)``, ``(height, width, n_channels)`` or ``(length,)`` of flat rows. None
        means a square grey image, or a 1-D signal where the number of values is no square.

    Returns
    -------
    std : ndarray of float64 of shape (n_samples,)
        In the units of `X`; those of `uint8` are ``value / 255``.

    Raises
    ------
    ValueError
        If `X` is empty, holds NaN or infinity, or `image_shape` does not hold its values.

    Notes
    -----
    The estimate holds for additive noise that is normal, independent from pixel to pixel and of
    one strength all over the image. It is too low where noise was clipped (about half of the true
    value on digits with a black background) or smoothed, as by JPEG, and too high on fine
    texture: a clean image does not give 0. Details that are exactly 0, of flat parts, do not
    count; an image without any others, such as one pixel, gives 0. Images of few pixels give
    rough values: those of 8 by 8 pixels are a tenth too low on average, and scatter by a quarter.

    It is the estimate of `skimage.restoration.estimate_sigma`, without the need for scikit-image.

    References
    ----------
    Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika 81, 1994,
    section 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae.filters import estimate_noise_std
    >>> X_noisy = np.random.default_rng(0).normal(0.5, 0.1, (2, 64, 64))
    >>> estimate_noise_std(X_noisy).round(2)
    array([0.1, 0.1])
    """
    batch = check_images(X)
    images = to_batch(batch, resolve_image_shape(batch.shape, image_shape))
    channels = range(images.shape[-1])
    stds = [[_noise_std(_plane(image, channel)) for channel in channels] for image in images]
    return np.mean(stds, axis=1)


# The high-pass filter of Daubechies' wavelet with two vanishing moments, last tap first.
_DB2 = np.array([1 - 3**0.5, 3**0.5 - 3, 3 + 3**0.5, -1 - 3**0.5]) / 32**0.5


def _plane(image, channel):
    """One channel: an image of shape ``(height, width)``, or a signal where a side is 1."""
    return np.atleast_1d(to_float(image[..., channel]).squeeze())


def _noise_std(plane):
    """Estimated standard deviation of the noise in one image or signal."""
    details = plane.astype(np.float64)
    for _ in range(plane.ndim):
        padded = np.pad(details, [(3, 3)] + [(0, 0)] * (plane.ndim - 1), mode="symmetric")
        # One axis after the other: each turn filters the first and moves it to the end.
        details = (sliding_window_view(padded, 4, axis=0)[1::2] @ _DB2).T
    details = np.abs(details)
    # Flat parts leave nothing, or rounding errors.
    details = details[details > 1e-12 * np.abs(plane).max()]
    return float(np.median(details) / 0.6744897501960817) if details.size else 0.0
