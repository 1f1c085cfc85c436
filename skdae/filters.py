"""Classical filters as denoisers: the baselines that a net has to beat."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ._images import (
    FLOAT_DTYPES,
    BaseDenoiser,
    check_target,
    from_batch,
    resolve_image_shape,
    to_batch,
    to_float,
    unchanged_on_error,
    validate_images,
)

__all__ = ["GaussianFilter", "MeanFilter", "MedianFilter"]

_MODES = StrOptions({"reflect", "nearest", "mirror", "wrap"})


class BaseFilter(BaseDenoiser):
    """Base class of the filters; a subclass brings ``_filter(images)``."""

    _parameter_constraints: dict = {
        "mode": [_MODES],
        "image_shape": [tuple, list, None],
    }

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
            images = validate_images(self, X, reset=True)
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
            Noisy images. Images, unlike flat rows, may have another size than at fit.

        Returns
        -------
        X_denoised : ndarray, shaped like `X`
        """
        check_is_fitted(self)
        images = validate_images(self, X, reset=False, any_size=True)
        filtered = self._filter(to_float(to_batch(images, self.image_shape_)))
        return from_batch(filtered, images.ndim)

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
        Side of the square window, in pixels, at least 1; 1 changes nothing.
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
        "size": [Interval(Integral, 1, None, closed="left")],
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
        Side of the square window, in pixels, at least 1; 1 changes nothing.
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
        "size": [Interval(Integral, 1, None, closed="left")],
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
        Standard deviation of the window, in pixels, at least 0; 0 changes nothing. The window ends
        at four standard deviations.
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
        "sigma": [Interval(Real, 0, None, closed="left")],
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
