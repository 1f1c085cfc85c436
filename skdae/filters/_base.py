"""What all filters share: shapes, lists of images, and one channel at a time."""

from abc import abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from .._checks import GEOMETRY, MISSING, fit_context
from .._images import (
    FLOAT_DTYPES,
    check_kept_shape,
    check_targets,
    geometry_of,
    image_by_image,
    image_list,
    images_of_fit,
    is_dask,
    is_ragged,
    refuse_overflow,
    to_float,
    validate_images,
    value_range,
    warn_if_far,
    without_gaps,
)
from ..base import BaseDenoiser


class BaseFilter(BaseDenoiser):
    """Base class of the filters; define ``_filter(images)`` to write your own.

    There `images` is an array of shape ``(n_samples, *spatial, n_channels)``, with one spatial axis
    for signals, two for images and three for volumes, `float32` or `float64`, and so is what it
    returns. A subclass has the parameters `image_shape` and `channel_axis`. One that looks
    no further than some pixels may say so by a method ``_radius()``, so that large images need not
    be whole.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae.filters import BaseFilter
    >>> class Floor(BaseFilter):
    ...     def __init__(self, level=0.1, *, image_shape=None, channel_axis="auto"):
    ...         self.level = level
    ...         self.image_shape = image_shape
    ...         self.channel_axis = channel_axis
    ...
    ...     def _filter(self, images):
    ...         return np.where(images < self.level, 0, images)
    >>> Floor().fit_transform(np.array([[0.05, 0.5, 0.02, 0.9]]))
    array([[0. , 0.5, 0. , 0.9]])
    """

    _parameter_constraints: dict = {**GEOMETRY, **MISSING}

    # That of a subclass without the parameter.
    channel_axis: int | str | None = "auto"

    _fits_gaps = True

    image_shape_: tuple[int, ...]
    channel_axis_: int | None
    range_: tuple[float, float]

    @fit_context(skip_nested=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Remember shape and range of the images; a filter learns nothing.

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
        self._check()
        X, _ = without_gaps(self, X, reset=True)
        images, self.range_ = images_of_fit(self, X)
        if is_dask(X) and y is not None:
            check_consistent_length(X, y)
            # Of which the first stands for all, too.
            y = y[:1]
        check_targets(X if is_ragged(X) else images, y, self.channel_axis)
        geometry = geometry_of(images, self.image_shape, self.channel_axis)
        self.image_shape_, self.channel_axis_ = geometry.image_shape, geometry.channel_axis
        return self

    @image_by_image(image_list, fills_gaps=True)
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
        return self._predict(validate_images(self, X, reset=False))

    def _predict(self, images):
        """Filter checked images."""
        warn_if_far(value_range(images), self.range_)
        samples = self._geometry.read(images)
        with np.errstate(all="ignore"):
            filtered = self._filter(to_float(samples))
        check_kept_shape(self, samples, filtered)
        refuse_overflow(filtered, images, type(self).__name__)
        return filtered.reshape(images.shape)

    @abstractmethod
    def _filter(self, images):
        """Filter images; the one method that makes a filter."""

    @property
    def receptive_field_(self) -> tuple[int, int] | None:
        """Stride (1) and radius of the window in pixels; None where all of an image counts."""
        check_is_fitted(self)
        radius = self._radius()
        is_local = radius is not None and getattr(self, "mode", None) != "wrap"
        return (1, radius) if is_local else None

    def _radius(self):
        """How far a pixel of the result looks, or None where all of an image counts."""
        return None

    def _check(self):
        """Refuse, in `fit`, what the ranges of the parameters do not tell."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [np.dtype(dtype).name for dtype in FLOAT_DTYPES]
        return tags


class PlaneFilter(BaseFilter):
    """A filter that sees one channel at a time; a subclass brings ``_filter_plane(plane)``.

    It filters a signal, an image or a volume, ``(*spatial,)``, without axes of length 1.
    """

    def _filter(self, images):
        filtered = np.empty_like(images)
        for i, channel in np.ndindex(len(images), images.shape[-1]):
            plane = np.atleast_1d(images[i, ..., channel].squeeze())
            filtered[i, ..., channel] = self._filter_plane(plane).reshape(images.shape[1:-1])
        return filtered
