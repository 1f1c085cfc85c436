"""Where not to trust a denoised image: intervals that hold the truth as often as they say."""

import copy
import math
from dataclasses import dataclass
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .._checks import fit_context
from .._files.estimators import Persistent
from .._images import (
    check_image_list,
    check_images,
    check_kept_shape,
    check_targets,
    first_image,
    image_by_image,
    is_far,
    is_ragged,
    refuse_overflow,
    to_float,
    union,
    validate_images,
    value_range,
    warn_if_far,
)
from ..metrics.scorers import learned_noise
from .held import MetaDenoiser, detached

# Every so many-th calibration image shapes the widths, and the others calibrate them.
_SHAPING = 4

# Steps of the table of errors, pixels that the widths are learned from, and groups of them.
_N_STEPS, _N_PIXELS, _N_GROUPS = 1000, 2**18, 20

# Of the window in which variance is local, in pixels.
_WINDOW = 1.0

# An error, divided by its width and multiplied by it again, may come back smaller than it was.
_ROUNDING = 1 + 4 * np.finfo(np.float64).eps

# What a calibration gives.
_CALIBRATED = ("range_", "widths_", "n_calibration_", "errors_")


class ConformalDenoiser(MetaDenoiser):
    r"""Give each denoised pixel an interval with a guaranteed coverage.

    `conformalize` needs images that were not used for training. It compares the errors of the
    denoiser with a width :math:`w`, which is predicted for each pixel, and finds the factor
    :math:`\lambda` by which to stretch the widths. The intervals are

    .. math:: [f(x) - \lambda\, w(x),\; f(x) + \lambda\, w(x)],

    For any denoiser :math:`f`, they contain on average at least the share `coverage` of the clean
    pixels of a new image, if the new image is of the same kind as the calibration images.

    Parameters
    ----------
    denoiser : denoiser
        Anything with ``fit(X, y)`` and ``predict(X)`` that gives images back: `fit` fits a clone of
        it. One that is fitted already needs no `fit`: `conformalize` takes a copy, as it does of
        a `sklearn.frozen.FrozenEstimator`. The intervals hold for the copy, whatever becomes of
        the original; a further `conformalize` takes a copy of what is passed then.
    coverage : float, default=0.9
        Share in (0, 1) of the pixels that lie inside of their intervals. It may be changed after
        `conformalize`.

    Attributes
    ----------
    denoiser_ : estimator
        The fitted denoiser.
    errors_ : ndarray of shape (1000,)
        Quantiles, in steps of 0.1 %, of the errors on the calibration images in units of the
        width.
    n_calibration_ : int
        Number of images that they come from: three quarters of those of `conformalize`. From the
        other quarter, the widths are learned.
    widths_ : object
        How the width of a pixel follows from the image, or from its predicted standard deviation.
    range_ : (float, float)
        Least and largest value of the noisy images of `conformalize`.
    image_shape_ : tuple of int
        Shape of the images that `predict` takes.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    skdae.plotting.IntervalDisplay : Shows the intervals.
    skdae.metrics.residual_report : What was removed, judged without clean images.

    Notes
    -----
    The guarantee concerns the mean over images and pixels. In a single image, or along its edges,
    more or fewer pixels may lie inside. It holds for every denoiser; the intervals of a
    bad one are wide. A regression on the calibration images predicts how errors grow with the
    brightness of the denoised image, as noise of counted photons does, and with its local variance,
    which is large at edges and in texture.

    With :math:`n` calibration images, the factor is the :math:`(1 + 1/n)` `coverage` quantile of
    the relative errors, where all images have equal weight [2]_. That takes at least `coverage` /
    (1 - `coverage`) images, and a third more to learn the widths: 12 for 0.9, 26 for 0.95. With
    more, the coverage is closer to what was asked for.

    References
    ----------
    .. [1] Angelopoulos, A. N. et al. (2022). "Image-to-image regression with distribution-free
       uncertainty quantification and applications in imaging". ICML.
    .. [2] Angelopoulos, A. N., Bates, S., Fisch, A., Lei, L. and Schuster, T. (2024). "Conformal
       risk control". ICLR.

    Examples
    --------
    >>> from skdae import ConformalDenoiser, GaussianNoise, MeanFilter
    >>> from skdae.datasets import load_digits_images
    >>> X_clean = load_digits_images().images
    >>> X_noisy = GaussianNoise(std=0.2, random_state=0).fit_transform(X_clean)
    >>> denoiser = ConformalDenoiser(MeanFilter(), coverage=0.8).fit(X_noisy[:100])
    >>> denoiser = denoiser.conformalize(X_noisy[100:900], X_clean[100:900])
    >>> X_denoised, (low, high) = denoiser.predict_interval(X_noisy[900:])
    >>> inside = (low <= X_clean[900:]) & (X_clean[900:] <= high)
    >>> round(float(inside.mean()), 2)
    0.8
    """

    _parameter_constraints: dict = {
        **MetaDenoiser._parameter_constraints,
        "coverage": [Interval(Real, 0, 1, closed="neither")],
    }

    errors_: np.ndarray
    n_calibration_: int
    widths_: "Widths"
    range_: tuple[float, float]
    # Whether conformalize takes the denoiser that is passed, rather than that of fit.
    _takes_over: bool

    def __init__(self, denoiser: Any, coverage: float = 0.9):
        self.denoiser = denoiser
        self.coverage = coverage

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "denoiser":
            # As in set_params.
            self.__dict__.pop("_takes_over", None)

    def set_params(self, **params: Any) -> Self:
        """Set parameters; `conformalize` then takes no denoiser that was fitted with others.

        Parameters
        ----------
        **params : dict
            By name; ``denoiser__size`` is the parameter `size` of the denoiser.

        Returns
        -------
        self : object
        """
        super().set_params(**params)
        if any(name.partition("__")[0] == "denoiser" for name in params):
            self.__dict__.pop("_takes_over", None)
        return self

    # The denoiser is validated as in a fit of its own.
    @fit_context(skip_nested=False)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, **fit_params: Any) -> Self:
        """Fit the denoiser; `conformalize` then takes other images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Images as the denoiser takes them, a list of images of different sizes among them.
        y : array-like or None, default=None
            Targets as the denoiser takes them.
        **fit_params : dict
            What else `fit` of the denoiser takes, such as ``sample_weight``, ``groups`` or
            ``validation_data``.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If values are not finite, a parameter is out of range, or the denoiser refuses the
            images. The fitted state from before is kept.
        """
        self._hold_given(X, y, fit_params)
        # A clone shares what is frozen in it.
        self.denoiser_ = detached(self.denoiser_)
        # Those of another denoiser.
        for name in _CALIBRATED:
            self.__dict__.pop(name, None)
        self._takes_over = isinstance(self.denoiser, FrozenEstimator)
        return self

    @fit_context(skip_nested=False)
    def conformalize(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from new images how wide the intervals have to be.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images that the denoiser has not learned from; those of different sizes may come
            as a list of arrays.
        y : array-like shaped like the denoised images
            Clean images.

        Returns
        -------
        self : object

        Raises
        ------
        NotFittedError
            If `fit` was not called since the denoiser was set, and it is not a fitted one.
        ValueError
            If there are too few images for the coverage, if `y` is missing, or if it has other
            shapes or units than the denoised images. The fitted state from before is kept.
        """
        if getattr(self, "_takes_over", True):
            self._take_over(X)
        self._conformalize(X, y)
        return self

    def _take_over(self, X):
        """Use a denoiser that came fitted."""
        try:
            check_is_fitted(self.denoiser)
        except NotFittedError as error:
            raise NotFittedError(
                f"This {type(self).__name__} has no fitted denoiser: call fit before conformalize, "
                "or pass a denoiser that is fitted."
            ) from error
        images = validate_images(self, first_image(X, self.channel_axis), reset=True)
        # A copy, because a new fit of the caller's would make the intervals wrong.
        self.denoiser_ = copy.deepcopy(self.denoiser)
        self._adopt(images)

    def _conformalize(self, X, y):
        """Learn widths from some images, and the errors relative to them from the others."""
        if is_ragged(X):
            X = check_image_list(X, channel_axis=self.channel_axis)
        else:
            X = validate_images(self, X, reset=False)
        y = check_targets(X, y, self.channel_axis)
        if y is None:
            raise ValueError(
                "conformalize got no clean images: y is None, or holds labels. Pass the clean "
                "image of each image of X."
            )
        self._rank(len(X) - -(-len(X) // _SHAPING), len(X))
        denoised, errors = [], []
        for images, targets in _batches(X, y):
            pixels = self._denoise(images)
            target = self._geometry.read(_float64(targets))
            denoised += [*pixels]
            errors += [*np.abs(target - pixels.astype(np.float64))]
        seen, expected = value_range(y), union(value_range(X), value_range(denoised))
        if is_far(seen, expected):
            raise ValueError(
                f"y has values from {seen[0]:.4g} to {seen[1]:.4g}, but X and what was "
                f"made of it from {expected[0]:.4g} to {expected[1]:.4g}; pass clean images in "
                "the same units."
            )
        self.range_ = value_range(X)
        self.widths_ = Widths.learn(denoised[::_SHAPING], errors[::_SHAPING], self.coverage)
        pairs = [*zip(denoised, errors, strict=True)]
        del pairs[::_SHAPING]
        rows = [_quantiles(error / self.widths_(image)) for image, error in pairs]
        self.n_calibration_ = len(rows)
        # The k-th of them is the least above which lies a share of 1 - k / 1000.
        self.errors_ = np.sort(rows, axis=None)[len(rows) - 1 :: len(rows)]

    @image_by_image(
        lambda parts: tuple(map(list, zip(*map(_first, parts), strict=True))), fills_gaps=True
    )
    def predict_interval(self, X: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Denoise images, and return an interval for each pixel.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images, in the units of those of `conformalize`.

        Returns
        -------
        X_denoised : ndarray, shaped like what the denoiser returns
        intervals : ndarray of shape (2, ...), and then the shape of `X_denoised`
            Lower and upper ends. Of a list of images of different sizes, one array per image.

        Raises
        ------
        NotFittedError
            If `conformalize` was not called.
        ValueError
            If `coverage` was raised to what the calibration images are too few for.
        """
        check_is_fitted(self)
        if not hasattr(self, "errors_"):
            raise NotFittedError(
                f"This {type(self).__name__} has no intervals yet: call conformalize with noisy "
                "and clean images that the denoiser has not learned from."
            )
        self._validate_params()
        factor = self.factor_
        images = validate_images(self, X, reset=False)
        warn_if_far(value_range(images), self.range_)
        pixels = self._denoise(images)
        widths = np.stack([*map(self.widths_, pixels)])
        half = (factor * _ROUNDING * widths).reshape(images.shape)
        X_denoised = pixels.reshape(images.shape)
        ends = (_rounded_outward(X_denoised, step * half) for step in (-1, 1))
        return X_denoised, np.stack([*ends])

    @property
    def noise_(self) -> Any:
        """The noise with which the denoiser learned, if it learned with one of its own."""
        return learned_noise(self.denoiser_)

    @property
    def factor_(self) -> float:
        """By how much the widths are stretched for `coverage`."""
        return float(self.errors_[self._rank(self.n_calibration_) - 1])

    def _rank(self, n_calibration, n_given=None):
        """Which of the quantiles holds for new images, if there are enough images to tell."""
        share = self.coverage * (1 + 1 / n_calibration) if n_calibration else math.inf
        if share > 1 + 1e-9:
            least = math.ceil(self.coverage / (1 - self.coverage) - 1e-6)
            total = -(-least * _SHAPING // (_SHAPING - 1))
            came = f"{n_given} images" if n_given else f"{n_calibration} images for calibration"
            raise ValueError(
                f"conformalize got {came}, but coverage={self.coverage} needs at least {total} "
                f"({least} for the intervals, the others for their widths); pass more, or lower "
                "coverage."
            )
        return min(_N_STEPS, math.ceil(share * _N_STEPS - 1e-6))

    def _denoise(self, X):
        """Denoised images, ``(n_samples, *spatial, n_channels)``."""
        denoised = check_images(self._predict(X), name="X_denoised", channel_axis=None)
        check_kept_shape(self.denoiser_, X, denoised)
        # Bytes could hold no interval.
        return self._geometry.read(to_float(denoised))


@dataclass(frozen=True, eq=False)
class Widths(Persistent):
    """How the width of a pixel follows from the denoised image.

    The logarithm of a first guess is a weighted sum of those of brightness and local variance; a
    table corrects it.
    """

    #: Of brightness, local variance and 1.
    weights: np.ndarray
    #: The brightness of which counts as none.
    low: float
    #: What is added to each of these, but 1.
    floors: np.ndarray
    #: Logarithms of guesses, and by what to multiply the guesses there.
    table: np.ndarray

    @classmethod
    def learn(cls, images, errors, coverage):
        """Learn from denoised images and their errors."""
        tiny = np.finfo(np.float32).tiny
        low = min(float(image.min()) for image in images)
        step = -(-sum(error.size for error in errors) // _N_PIXELS)
        features = [_features(image, low).reshape(2, -1) for image in images]
        features = np.concatenate(features, axis=1)[:, ::step]
        errors = np.concatenate([error.ravel() for error in errors])[::step]
        # An error of 0 is luck.
        errors = errors + 0.05 * errors.mean() + tiny
        floors = 0.01 * features.mean(axis=1) + tiny
        logs = np.log(features + floors[:, None])
        design = np.vstack([logs, np.ones_like(errors)])
        weights = np.linalg.lstsq(design.T, np.log(errors), rcond=None)[0]
        guess = weights @ design
        groups = np.array_split(np.argsort(guess), min(_N_GROUPS, len(guess)))
        centers = np.array([guess[group].mean() for group in groups])
        widths = np.array([np.quantile(errors[group], coverage) for group in groups])
        return cls(weights, low, floors, np.stack([centers, widths / np.exp(centers)]))

    def __call__(self, image):
        """The widths of the pixels of a denoised image."""
        floors = self.floors.reshape(-1, *[1] * image.ndim)
        logs = np.log(_features(image, self.low) + floors)
        guess = np.tensordot(self.weights[:-1], logs, 1) + self.weights[-1]
        return np.exp(guess) * np.interp(guess, *self.table)


def _features(image, low):
    """What tells of the error of each pixel: brightness and texture."""
    image = image - np.float64(low)
    sigma = (*[_WINDOW] * (image.ndim - 1), 0)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, squares = (gaussian_filter(x, sigma, mode="nearest") for x in (image, image**2))
        features = np.stack([image.clip(0), (squares - mean**2).clip(0)])
    refuse_overflow(features, image, "ConformalDenoiser")
    return features


def _quantiles(values):
    """The 1000 quantiles of an image, none of which is below the true one."""
    values = np.sort(values, axis=None)
    steps = np.arange(1, _N_STEPS + 1)
    return values[-(-len(values) * steps // _N_STEPS) - 1]


def _float64(images):
    """Clean images as exactly as they are known; float32 would move those of `uint8`."""
    return images / 255 if images.dtype == np.uint8 else images.astype(np.float64)


def _rounded_outward(images, steps):
    """Images plus signed steps, in their dtype: the nearest value may lie on the wrong side."""
    outward = np.copysign(np.inf, steps)
    with np.errstate(over="ignore"):
        exact = images + steps
        # Of no step, the sum is exact.
        exact = np.where(steps == 0, exact, np.nextafter(exact, outward))
        ends = exact.astype(images.dtype)
        is_inside = np.where(outward > 0, ends < exact, ends > exact)
        return np.where(is_inside, np.nextafter(ends, outward.astype(ends.dtype)), ends)


def _batches(X, y):
    """Images and their targets, one by one where they are of different sizes."""
    if not is_ragged(X):
        return [(X, y)]
    return [(image[None], target[None]) for image, target in zip(X, y, strict=True)]


def _first(part):
    """Of a batch of one image, the image and its intervals."""
    X_denoised, intervals = part
    return X_denoised[0], intervals[:, 0]
