"""Stronger filters, from libraries of the extra ``baselines``.

They are imported when such a filter is fitted, not here.
"""

import math
import threading
import warnings
from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._checks import ODD_WINDOW, POSITIVE_INT, check_parameters, import_extra
from .._images import MAX_LEVEL
from ._base import PlaneFilter
from .noise_level import noise_std

_WARNINGS = threading.Lock()


class _BaselineFilter(PlaneFilter):
    """Needs libraries of the extra ``baselines``, which are imported when it is fitted."""

    def _check(self):
        self._library("skimage.restoration")

    def _library(self, module):
        return import_extra(module, "baselines", type(self).__name__)


class NLMeansFilter(_BaselineFilter):
    r"""Average pixels whose surroundings look alike (non-local means).

    A pixel becomes the mean of the pixels near it, with the weights
    ``exp(-max(d - 2 std**2, 0) / h**2)``, where ``d`` is the mean squared difference of the patches
    around the two. It preserves edges and repeated texture. Needs scikit-image (the extra
    ``baselines``).

    Parameters
    ----------
    patch_size : int, default=5
        Side of the patches that are compared, in pixels, odd, at least 3.
    patch_distance : int, default=6
        How far away patches are looked for, in pixels along each axis, at least 1.
    h : float or None, default=None
        How different patches may be, in the units of `X`, above 0; greater smooths more. None means
        0.8 times the noise.
    std : float or None, default=None
        Standard deviation of the Gaussian noise, in the units of `X`, at least 0. None means that
        of the channel, as `estimate_noise_std` finds it. Where it is 0 and `h` is None, nothing
        changes.
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
        **PlaneFilter._parameter_constraints,
        "patch_size": [ODD_WINDOW],
        "patch_distance": [POSITIVE_INT],
        "h": [Interval(Real, 0, MAX_LEVEL, closed="right"), None],
        "std": [Interval(Real, 0, MAX_LEVEL, closed="both"), None],
    }

    def __init__(
        self,
        patch_size: int = 5,
        patch_distance: int = 6,
        *,
        h: float | None = None,
        std: float | None = None,
        image_shape: tuple[int, ...] | None = None,
        channel_axis: int | str | None = "auto",
        missing_values: float = math.nan,
    ):
        self.patch_size = patch_size
        self.patch_distance = patch_distance
        self.h = h
        self.std = std
        self.image_shape = image_shape
        self.channel_axis = channel_axis
        self.missing_values = missing_values

    def _filter_plane(self, plane):
        std = noise_std(plane) if self.std is None else self.std
        h = 0.8 * std if self.h is None else self.h
        if h < np.finfo(plane.dtype).tiny:
            return plane
        image, sizes = np.atleast_2d(plane), (int(self.patch_size), int(self.patch_distance))
        nl_means = self._library("skimage.restoration").denoise_nl_means
        return nl_means(image, *sizes, h, sigma=std, preserve_range=True)


class TVFilter(_BaselineFilter):
    r"""Find an image close to the noisy one with a small total variation.

    The result ``u`` of an image ``x`` minimizes ``sum((u - x)**2) / 2 + weight * sum(|grad u|)``:
    flat regions with sharp edges. Needs scikit-image (the extra ``baselines``).

    Parameters
    ----------
    weight : float or None, default=None
        Weight of the total variation, in the units of `X`, above 0; greater smooths more. None
        means 0.75 times the noise of the channel, as `estimate_noise_std` finds it.
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
        **PlaneFilter._parameter_constraints,
        "weight": [Interval(Real, 0, MAX_LEVEL, closed="right"), None],
    }

    def __init__(
        self,
        weight: float | None = None,
        *,
        image_shape: tuple[int, ...] | None = None,
        channel_axis: int | str | None = "auto",
        missing_values: float = math.nan,
    ):
        self.weight = weight
        self.image_shape = image_shape
        self.channel_axis = channel_axis
        self.missing_values = missing_values

    def _filter_plane(self, plane):
        weight = 0.75 * noise_std(plane) if self.weight is None else self.weight
        if weight < np.finfo(plane.dtype).tiny:
            return plane
        return self._library("skimage.restoration").denoise_tv_chambolle(plane, weight)


class WaveletFilter(_BaselineFilter):
    r"""Shrink the small coefficients of a wavelet transform, which are mostly noise.

    Needs scikit-image and PyWavelets (the extra ``baselines``).

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
        **PlaneFilter._parameter_constraints,
        "wavelet": [str],
        "std": [Interval(Real, 0, MAX_LEVEL, closed="both"), None],
        "method": [StrOptions({"BayesShrink", "VisuShrink"})],
        "thresholding": [StrOptions({"soft", "hard"})],
        "levels": [POSITIVE_INT, None],
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
        channel_axis: int | str | None = "auto",
        missing_values: float = math.nan,
    ):
        self.wavelet = wavelet
        self.std = std
        self.method = method
        self.thresholding = thresholding
        self.levels = levels
        self.image_shape = image_shape
        self.channel_axis = channel_axis
        self.missing_values = missing_values

    def _check(self):
        super()._check()
        pywt = self._library("pywt")
        orthogonal = {w for w in pywt.wavelist(kind="discrete") if pywt.Wavelet(w).orthogonal}
        constraints = {"wavelet": [StrOptions(orthogonal)]}
        check_parameters(type(self).__name__, constraints, wavelet=self.wavelet)

    def _filter_plane(self, plane):
        std = noise_std(plane) if self.std is None else self.std
        if std < np.finfo(plane.dtype).tiny or plane.size == 1:
            return plane
        pywt = self._library("pywt")
        most = max(1, pywt.dwtn_max_level(plane.shape, self.wavelet))
        # The filters of warnings are one list for all threads.
        with _WARNINGS, warnings.catch_warnings():
            # One level always works: an image shorter than the wavelet goes on beyond its border.
            warnings.filterwarnings("ignore", "Level value of 1 is too high", UserWarning)
            # In units of the noise, because BayesShrink compares variances with a fixed epsilon.
            return std * self._library("skimage.restoration").denoise_wavelet(
                plane / std,
                sigma=1.0,
                wavelet=self.wavelet,
                mode=self.thresholding,
                wavelet_levels=min(most, self.levels or most),
                method=self.method,
            )
