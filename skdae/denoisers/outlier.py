"""Outliers: images that a denoiser, fitted on ordinary ones, does not give back."""

import math
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import OutlierMixin, clone
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._checks import CheckedEstimator, fit_context
from .._files.estimators import SaveMixin
from .._images import (
    batches,
    check_fitted_shape,
    check_kept_shape,
    refuse_overflow,
    to_float,
    validate_images,
)
from ..architectures import Dense
from ..noise import GaussianNoise
from .autoencoder import DenoisingAutoencoder
from .held import detached

# Values in a chunk of images: 8 MB as float64.
_CHUNK_VALUES = 2**20


class ReconstructionOutlierDetector(SaveMixin, OutlierMixin, CheckedEstimator):
    r"""Detect the images that a denoiser cannot reconstruct.

    A denoiser :math:`f` that learned from ordinary images reconstructs every image as if it were
    ordinary, and leaves what is ordinary as it is. The score of an image is minus its
    reconstruction error, in which the error of each of the :math:`m` values counts in units of its
    own spread :math:`s_j` over the training images :math:`x_1, \ldots, x_n`:

    .. math::

        \mathrm{score}(x) = -\frac{1}{m} \sum_{j=1}^{m} \frac{(x_j - f(x)_j)^2}{s_j^2 + s_0^2},
        \qquad s_j^2 = \frac{1}{n} \sum_{i=1}^{n} (x_{ij} - f(x_i)_j)^2

    So a bright pixel where all training images are dark weighs more than a pixel that nobody could
    predict. The floor :math:`s_0^2`, a hundredth of the mean of all :math:`s_j^2`, keeps the
    weight of pixels that never vary finite. An ordinary image scores about -1.

    Parameters
    ----------
    denoiser : denoiser or None, default=None
        Anything with ``fit(X, y)`` and ``predict(X)`` that gives images back: an estimator or a
        Pipeline of skdae's, a regressor of scikit-learn for flat rows. A clone of it is fitted. Of
        a `sklearn.frozen.FrozenEstimator` around a fitted denoiser, `fit` takes a copy, for which
        the threshold holds even if the original is fitted again. None is a dense
        `DenoisingAutoencoder` that learns to remove heavy noise, eight times as strong as the
        pixels vary.
    contamination : "auto" or float, default="auto"
        Share in (0, 0.5] of the training images that are outliers. "auto" sets the threshold by
        the rule of box plots: an outlier's error lies above the upper quartile of the training
        errors by more than 1.5 times the distance of the quartiles.
    standardize : bool, default=True
        Whether the error of each value counts in units of its spread. False scores with minus the
        mean squared error.
    random_state : int, RandomState instance or None, default=None
        Seed of the default denoiser. Your own denoiser brings its own.

    Attributes
    ----------
    denoiser_ : estimator
        The fitted denoiser.
    offset_ : float
        Threshold: images with a lower score are outliers.
    error_scale_ : ndarray of shape (`n_features_in_`,), or None
        Units of the errors, :math:`\sqrt{s_j^2 + s_0^2}`; None without `standardize`.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    sklearn.ensemble.IsolationForest : Knows nothing of images.

    Notes
    -----
    The training images may hold outliers: ``fit_predict(X)`` finds them as long as they are few.
    Images are scored as they are, without added noise. Positive values of `decision_function` are
    inliers, as everywhere in scikit-learn.

    References
    ----------
    .. [1] Vincent, P., Larochelle, H., Bengio, Y. and Manzagol, P.-A. (2008). "Extracting and
       composing robust features with denoising autoencoders". ICML.
    .. [2] Sakurada, M. and Yairi, T. (2014). "Anomaly detection using autoencoders with nonlinear
       dimensionality reduction". MLSDA.

    Examples
    --------
    >>> from skdae import ReconstructionOutlierDetector
    >>> from skdae.datasets import load_digits_images
    >>> X, y = load_digits_images(return_X_y=True)
    >>> detector = ReconstructionOutlierDetector(random_state=0).fit(X[y == 0])
    >>> bool((detector.predict(X[y == 0]) == 1).mean() > 0.9)
    True
    >>> bool((detector.predict(X[y == 7]) == -1).mean() > 0.9)
    True
    """

    _parameter_constraints: dict = {
        "denoiser": [HasMethods(["fit", "predict"]), None],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "standardize": ["boolean"],
        "random_state": ["random_state"],
    }

    denoiser_: Any
    error_scale_: np.ndarray | None
    offset_: float
    _image_shape: tuple[int, ...]

    def __init__(
        self,
        denoiser: Any = None,
        *,
        contamination: float | str = "auto",
        standardize: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.denoiser = denoiser
        self.contamination = contamination
        self.standardize = standardize
        self.random_state = random_state

    # The denoiser is validated as in a fit of its own.
    @fit_context(skip_nested=False)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Fit the denoiser, and set the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Ordinary images, at least 2. They may hold a share of outliers.
        y : object, default=None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If there are fewer than 2 images, values are not finite, a parameter is out of range,
            or the denoiser gives images of another shape. The fitted state from before is kept.
        """
        images = to_float(validate_images(self, X, reset=True, min_samples=2))
        self._image_shape = images.shape[1:]
        given = self.denoiser
        denoiser = self._default_denoiser(images) if given is None else clone(given)
        # A clone shares what is frozen.
        denoiser = detached(denoiser)
        # Images with themselves as targets: denoisers without noise of their own learn those.
        self.denoiser_ = denoiser.fit(images, images)
        predicted = self._reconstruct(images)
        self.error_scale_ = _error_scale(images, predicted) if self.standardize else None
        self.offset_ = self._threshold(self._scores(images, predicted))
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Tell inliers from outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)

        Returns
        -------
        is_inlier : ndarray of int of shape (n_samples,)
            1 for inliers, -1 for outliers.
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """How far images are on the inliers' side of the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)

        Returns
        -------
        decision : ndarray of shape (n_samples,)
            ``score_samples(X) - offset_``; negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Minus the reconstruction error of each image.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            At most 0; the lower, the more unusual.
        """
        check_is_fitted(self)
        images = validate_images(self, X, reset=False)
        check_fitted_shape(images.shape[1:], self._image_shape)
        parts = (to_float(images[rows]) for rows in batches(images))
        return np.concatenate([self._scores(part, self._reconstruct(part)) for part in parts])

    def _default_denoiser(self, X):
        """An autoencoder that has to see the whole image through heavy noise."""
        spread = math.sqrt(X.var(axis=0, dtype=np.float64).mean())
        return DenoisingAutoencoder(
            Dense(hidden=(128,)),
            latent_dim=32,
            # Clipping would shift the mean, and clean images would then be strange to the net.
            noise=GaussianNoise(std=8 * spread, clip=None),
            lr=2e-3,
            max_epochs=40,
            batch_size=64,
            validation_fraction=None,
            random_state=self.random_state,
        )

    def _reconstruct(self, X):
        """What the denoiser makes of checked images."""
        X_pred = np.asarray(self.denoiser_.predict(X))
        check_kept_shape(self.denoiser_, X, X_pred)
        return X_pred

    def _scores(self, X, X_pred):
        """Minus the mean error of each image."""
        weights = 1.0 if self.error_scale_ is None else self.error_scale_**-2
        with np.errstate(all="ignore"):
            errors = [(e * weights).mean(axis=1) for e in _squared_errors(X, X_pred)]
        scores = -np.concatenate(errors)
        refuse_overflow(scores, X, type(self).__name__)
        return scores

    def _threshold(self, scores):
        """The score under which an image is an outlier."""
        if self.contamination != "auto":
            return float(np.percentile(scores, 100 * self.contamination))
        lower, upper = np.percentile(scores, [25, 75])
        return float(lower - 1.5 * (upper - lower))


def _squared_errors(X, X_pred):
    """Squared error of each value, float64 rows, some images at a time."""
    X, X_pred = X.reshape(len(X), -1), X_pred.reshape(len(X), -1)
    for chunk in gen_batches(len(X), max(1, _CHUNK_VALUES // X.shape[1])):
        # What float64 does not hold is infinite.
        with np.errstate(over="ignore"):
            errors = np.square(np.subtract(X[chunk], X_pred[chunk], dtype=np.float64))
        yield errors


def _error_scale(X, X_pred):
    """Root mean square of the error of each value, with a floor."""
    squares = sum(errors.sum(axis=0) for errors in _squared_errors(X, X_pred)) / len(X)
    squares += 0.01 * squares.mean()
    # Without any error there is no spread; errors on other images count as they are.
    return np.sqrt(squares) if squares.any() else np.ones_like(squares)
