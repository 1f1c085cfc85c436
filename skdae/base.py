"""What every denoiser offers, and what it shares with noise models and detectors."""

import math
from abc import ABC, abstractmethod
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import _safe_indexing
from sklearn.utils._set_output import _wrap_data_with_container
from sklearn.utils.validation import check_is_fitted

from ._checks import CheckedEstimator
from ._files.estimators import SaveMixin
from ._images import (
    Geometry,
    batches,
    check_images,
    check_sample_weight,
    check_target,
    image_by_image,
    is_dask,
    predict_blocks,
    squared_errors,
)

__all__ = ["BaseDenoiser"]


def _rows_in_tables(method):
    """Let `set_output` make DataFrames of rows, and leave images, which fit into none, alone.

    `method` is one that scikit-learn has wrapped.
    """

    @wraps(method)
    def on_images(self, X, *args, **kwargs):
        result = method.__wrapped__(self, X, *args, **kwargs)
        is_rows = getattr(result, "ndim", None) == 2
        return _wrap_data_with_container("transform", result, X, self) if is_rows else result

    return on_images


class ImageFeaturesOutMixin(OneToOneFeatureMixin):
    """Names of the values of an output image, which are the input's own.

    Needs the fitted attribute ``n_features_in_``, and stands before scikit-learn's
    `TransformerMixin`.
    """

    fit_transform = _rows_in_tables(TransformerMixin.fit_transform)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in {"transform", "fit_transform"} & set(vars(cls)):
            setattr(cls, name, _rows_in_tables(vars(cls)[name]))

    @property
    def _geometry(self):
        """The geometry of the images of `fit`."""
        shape = self.image_shape_
        # Files of earlier versions know images of three axes alone to have channels.
        axis = getattr(self, "channel_axis_", -1 if len(shape) == 3 else None)
        return Geometry(shape, axis is not None)


class BaseDenoiser(SaveMixin, ImageFeaturesOutMixin, TransformerMixin, CheckedEstimator, ABC):
    """What every denoiser offers; a subclass brings `fit` and `predict`.

    `predict` and `transform` give the denoised images, in the shape that came in, so that a
    denoiser stands at the end of a Pipeline or before a classifier.
    """

    #: That of a subclass without the parameter: NaN and masked values are missing.
    missing_values: float = math.nan

    #: Whether `fit`, which learns nothing of single pixels, takes missing values.
    _fits_gaps = False

    @abstractmethod
    def predict(self, X: ArrayLike) -> np.ndarray:
        """Denoise images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images.

        Returns
        -------
        X_denoised : ndarray, shaped like `X`
        """

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Denoise images; the same as `predict`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images.

        Returns
        -------
        X_denoised : ndarray, shaped like `X`
        """
        return self.predict(X)

    def predict_to(
        self, source: Any, target: Any, *, tile_size: int | str | None = "auto", verbose: int = 0
    ) -> Any:
        """Denoise an array that memory does not hold, block by block, into another one.

        Memory holds one block at a time, where `receptive_field_` is not None: else whole images.
        The result is that of `predict` on the whole array, but for rounding.

        Parameters
        ----------
        source : array of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images: anything with shape, dtype and slices, such as a zarr array, a data set of
            HDF5, or a `numpy.memmap`. It is read, and checked, block by block.
        target : array
            Where the result goes, of its shape; anything that takes values by slices. Of a floating
            dtype, it gets what `predict` returns. Integers of up to 32 bits, of the dtype of
            `source`, get that rounded and clipped to their range, and `uint8` times 255.
        tile_size : int, "auto" or None, default="auto"
            Side in pixels of the blocks that are read, with their overlap. "auto" is about 256, so
            that chunks of `target` are written once where they are not much larger. None reads
            whole images.
        verbose : int, default=0
            Above 0, a bar shows progress.

        Returns
        -------
        target : array

        Raises
        ------
        TypeError
            If `source` or `target` is not such an array.
        ValueError
            If `target` has another shape or dtype, or shares pixels with `source`, in memory or in
            a file of whatever name; if `tile_size` is smaller than the overlap of the blocks, a
            block holds NaN or infinity, or images that `predict` refuses, or a zarr array is
            removed meanwhile.

        Notes
        -----
        An error, Ctrl-C among them, leaves `target` incomplete, and says so. To tell a whole
        result from a part, write under a temporary name, and rename it when this method returns.

        Examples
        --------
        >>> import numpy as np
        >>> from skdae import MedianFilter
        >>> X = np.random.default_rng(0).random((1, 1000, 1000)).astype(np.float32)
        >>> median = MedianFilter(5).fit(X)
        >>> X_denoised = median.predict_to(X, np.empty_like(X), tile_size=300)
        >>> bool((X_denoised == median.predict(X)).all())
        True
        """
        return predict_blocks(self, source, target, tile_size, verbose)

    @property
    def receptive_field_(self) -> tuple[int, int] | None:
        """Stride and radius, in pixels, of the blocks that images may be denoised in.

        A block that starts at a multiple of the stride is denoised as in the whole image, but for a
        border as wide as the radius. None where images have to be whole.
        """
        return None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Of `fit`; what `predict` takes, scikit-learn does not ask.
        tags.input_tags.allow_nan = bool(self._fits_gaps)
        return tags

    def score(
        self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> float:
        """Minus the mean squared error against the clean images; greater is better, 0 is best.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images; clean ones when `y` is None.
        y : array-like shaped like `X`, or None, default=None
            Clean images. With None, or a 1-D array of labels, `X` is clean; where the denoiser
            learned with its own noise model, ``noise_`` corrupts it first, alike at every call.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            How much each image counts in the mean.

        Returns
        -------
        score : float
        """
        check_is_fitted(self)
        errors = self._squared_errors(X, y)
        return -float(np.average(errors, weights=check_sample_weight(sample_weight, errors)))

    @image_by_image(np.concatenate)
    def _squared_errors(self, X, y):
        """Mean squared error of each image, as `score` takes them."""
        images = check_images(X, channel_axis=getattr(self, "channel_axis", "auto"))
        if is_dask(X):
            X = images
        target = check_target(images, y)
        noise = getattr(self, "noise_", None) if target is None else None
        target = images if target is None else target

        def errors(rows):
            if noise is None:
                X_denoised = self.predict(_safe_indexing(X, rows))
            else:
                # Without the names of the features, which predict would miss.
                X_denoised = self._predict(noise.add_noise(images[rows]))
            return squared_errors(X_denoised, target[rows])

        return np.concatenate([errors(rows) for rows in batches(images)])
