"""The contract of every denoiser, and what it shares with noises and detectors."""

from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from ._checks import CheckedEstimator
from ._files.estimators import SaveMixin
from ._images import (
    batches,
    check_images,
    check_target,
    image_by_image,
    mean_score,
    squared_errors,
)

__all__ = ["BaseDenoiser"]


@contextmanager
def unchanged_on_error(estimator):
    """A `fit` that fails inside this block leaves the fitted state as it was."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


class ImageFeaturesOutMixin(ClassNamePrefixFeaturesOutMixin):
    """Names of the values of an output image: the input's own where the size stays.

    Needs the fitted attributes ``n_features_in_`` and ``_n_features_out``.
    """

    @property
    def _one_to_one(self):
        """Whether each value of the output stands for one of the input."""
        return self._n_features_out == self.n_features_in_

    def get_feature_names_out(self, input_features=None):
        """Names of the features that `transform` returns, for flat rows.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the input features; by default those seen in `fit`, else ``x0``, ``x1``, ....

        Returns
        -------
        names : ndarray of str
            The input's names, or the lower-case class name with a number where the output has
            another size.
        """
        check_is_fitted(self, "n_features_in_")
        if self._one_to_one:
            return _check_feature_names_in(self, input_features)
        return super().get_feature_names_out(input_features)


class BaseDenoiser(SaveMixin, ImageFeaturesOutMixin, TransformerMixin, CheckedEstimator, ABC):
    """What every denoiser offers; a subclass brings `fit` and `predict`.

    `predict` and `transform` give the denoised images, in the shape that came in, so that a
    denoiser stands at the end of a Pipeline or before a classifier.
    """

    @abstractmethod
    def predict(self, X: ArrayLike) -> Any:
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

    def transform(self, X):
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

    @image_by_image(mean_score)
    def score(self, X, y=None):
        """Minus the mean squared error against the clean images; greater is better, 0 is best.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images; clean ones when `y` is None.
        y : array-like shaped like the denoised images, or None, default=None
            Clean images. With None, or a 1-D array of labels, `X` is clean; where the denoiser
            learnt with a noise of its own, ``noise_`` corrupts it first, alike at every call.

        Returns
        -------
        score : float
        """
        check_is_fitted(self)
        images = check_images(X)
        target = check_target(images, y)
        noise = getattr(self, "noise_", None) if target is None else None
        target = images if target is None else target

        def denoised(rows):
            if noise is None:
                return self.predict(_safe_indexing(X, rows))
            # Without the names of the features, which predict would miss.
            return self._predict(noise.transform(images[rows]))

        errors = [squared_errors(denoised(rows), target[rows]) for rows in batches(images)]
        return -float(np.concatenate(errors).mean())
