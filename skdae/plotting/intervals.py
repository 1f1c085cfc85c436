"""Where not to trust a denoised image, and whether that is true."""

import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._images import as_planes, check_images, check_same_shape, to_float
from ._base import BLUE, ORANGE, Axes, as_numbers, figure_and_axes, middle


class IntervalDisplay:
    """A denoised image, the width of its intervals, and the pixels whose truth lies outside.

    Create it with `from_estimator`.

    Parameters
    ----------
    X_denoised : ndarray of shape (height, width) or (height, width, n_channels)
        One image.
    intervals : ndarray of shape (2, height, width) or (2, height, width, n_channels)
        Lower and upper ends.
    X_clean : ndarray shaped like `X_denoised`, or None, default=None
        The truth; without it, two pictures are drawn.

    Attributes
    ----------
    axes_ : ndarray of Axes
    figure_ : Figure

    Examples
    --------
    >>> from skdae import ConformalDenoiser, GaussianNoise, MeanFilter
    >>> from skdae.datasets import load_digits_images
    >>> from skdae.plotting import IntervalDisplay
    >>> X = load_digits_images().images
    >>> X_noisy = GaussianNoise(0.2, random_state=0).fit_transform(X)
    >>> denoiser = ConformalDenoiser(MeanFilter().fit(X_noisy))
    >>> denoiser = denoiser.conformalize(X_noisy[:100], X[:100])
    >>> display = IntervalDisplay.from_estimator(denoiser, X_noisy[100:], X[100:])
    >>> display.axes_.shape
    (3,)
    """

    def __init__(
        self, X_denoised: np.ndarray, intervals: np.ndarray, X_clean: np.ndarray | None = None
    ) -> None:
        given = {
            "X_denoised": X_denoised,
            "intervals[0]": intervals[0],
            "intervals[1]": intervals[1],
        }
        if X_clean is not None:
            given["X_clean"] = X_clean
        check_same_shape(**{name: np.asarray(image) for name, image in given.items()})
        self.X_denoised = X_denoised
        self.intervals = intervals
        self.X_clean = X_clean

    @classmethod
    def from_estimator(
        cls, estimator: Any, X_noisy: ArrayLike, X_clean: ArrayLike | None = None, *, index: int = 0
    ) -> "IntervalDisplay":
        """Denoise an image with a `ConformalDenoiser`, and plot its intervals.

        Parameters
        ----------
        estimator : ConformalDenoiser
            After `conformalize`.
        X_noisy : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
        X_clean : array-like shaped like the denoised images, or None, default=None
        index : int, default=0
            Which image.

        Returns
        -------
        display : IntervalDisplay
        """
        axis = estimator.channel_axis
        X_noisy = check_images(X_noisy, name="X_noisy", channel_axis=axis)[index, None]
        X_denoised, intervals = estimator.predict_interval(X_noisy)
        images = [X_denoised, *intervals]
        if X_clean is not None:
            clean = check_images(X_clean, name="X_clean", channel_axis=axis)
            images.append(to_float(clean)[index, None])
        denoised, low, high, *clean = (
            middle(as_planes(estimator._geometry.read(image))) for image in images
        )
        return cls(denoised, np.stack([low, high]), clean[0] if clean else None).plot()

    def plot(self) -> "IntervalDisplay":
        """Draw the pictures into a new figure.

        Returns
        -------
        self : IntervalDisplay
        """
        import matplotlib.pyplot as plt

        sides = self.X_denoised.shape
        shape = sides if len(sides) == 3 else (*(1, *sides)[-2:], 1)
        denoised, low, high = (np.reshape(x, shape) for x in (self.X_denoised, *self.intervals))
        pictures = [("denoised", denoised), ("width", (high - low).mean(axis=2))]
        if self.X_clean is not None:
            clean = np.reshape(self.X_clean, shape)
            outside = ((clean < low) | (clean > high)).mean(axis=2)
            pictures.append((f"outside: {outside.mean():.1%}", outside))
        self.figure_, axes = plt.subplots(
            1, len(pictures), figsize=(3 * len(pictures), 3.2), layout="constrained", squeeze=False
        )
        self.axes_ = axes[0]
        for ax, (title, picture), cmap in zip(
            self.axes_, pictures, ("gray", "viridis", "gray_r"), strict=False
        ):
            drawn = ax.imshow(picture, cmap=cmap, vmin=0 if title != "denoised" else None)
            if title == "width":
                self.figure_.colorbar(drawn, ax=ax, shrink=0.7)
            ax.set_title(title)
            ax.set_axis_off()
        return self


class CoverageDisplay:
    """The share of pixels inside their intervals against the nominal coverage.

    Create it with `from_estimator`. On the diagonal, the coverage is exact.

    Parameters
    ----------
    nominal, actual : array-like of shape (n_levels,)
        Coverage as promised, and as measured.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    line_ : Line2D
    """

    def __init__(self, nominal: ArrayLike, actual: ArrayLike) -> None:
        self.nominal = as_numbers(nominal, "nominal")
        self.actual = as_numbers(actual, "actual", len(self.nominal))

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X_noisy: ArrayLike,
        X_clean: ArrayLike,
        *,
        levels: ArrayLike = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
        ax: Axes | None = None,
    ) -> "CoverageDisplay":
        """Measure the coverage of a `ConformalDenoiser`, and plot it.

        Parameters
        ----------
        estimator : ConformalDenoiser
            After `conformalize`, on other images than these.
        X_noisy : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
        X_clean : array-like shaped like the denoised images
        levels : array-like of shape (n_levels,), default=(0.1, 0.2, ..., 0.9)
            Coverages to ask for.
        ax : Axes or None, default=None
            Axes to draw on; ``None`` makes a figure.

        Returns
        -------
        display : CoverageDisplay
        """
        error, half = _error_and_half_width(estimator, X_noisy, X_clean)
        nominal = as_numbers(levels, "levels")
        at_level = copy.copy(estimator)
        factors = [at_level.set_params(coverage=float(level)).factor_ for level in nominal]
        # Without rounding errors where both are 0.
        actual = [(error * estimator.factor_ <= half * factor).mean() for factor in factors]
        return cls(nominal, actual).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> "CoverageDisplay":
        """Draw the line.

        Parameters
        ----------
        ax : Axes or None, default=None
            Axes to draw on; ``None`` makes a figure.

        Returns
        -------
        self : CoverageDisplay
        """
        self.figure_, self.ax_ = figure_and_axes(ax)
        self.ax_.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="as promised")
        (self.line_,) = self.ax_.plot(self.nominal, self.actual, "o-", color=BLUE, label="measured")
        self.ax_.set(xlabel="coverage asked for", ylabel="share of pixels inside", aspect="equal")
        self.ax_.legend()
        return self


class WidthErrorDisplay:
    """The error of pixels against the width of their intervals, in groups of equal width.

    Create it with `from_estimator`. If the widths predict the errors, the line rises. Where it lies
    above the diagonal, the error is larger than half the interval.

    Parameters
    ----------
    widths, errors : array-like of shape (n_groups,)
        Mean half width of each group, and the quantile of its absolute errors.
    coverage : float
        That quantile.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    line_ : Line2D
    """

    def __init__(self, widths: ArrayLike, errors: ArrayLike, coverage: float) -> None:
        self.widths = as_numbers(widths, "widths")
        self.errors = as_numbers(errors, "errors", len(self.widths))
        self.coverage = coverage

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X_noisy: ArrayLike,
        X_clean: ArrayLike,
        *,
        n_groups: int = 20,
        ax: Axes | None = None,
    ) -> "WidthErrorDisplay":
        """Measure widths and errors of a `ConformalDenoiser`, and plot them.

        Parameters
        ----------
        estimator : ConformalDenoiser
            After `conformalize`, on other images than these.
        X_noisy : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
        X_clean : array-like shaped like the denoised images
        n_groups : int, default=20
            Groups of as many pixels each.
        ax : Axes or None, default=None
            Axes to draw on; ``None`` makes a figure.

        Returns
        -------
        display : WidthErrorDisplay
        """
        error, half = (x.ravel() for x in _error_and_half_width(estimator, X_noisy, X_clean))
        groups = np.array_split(np.argsort(half, kind="stable"), min(n_groups, half.size))
        widths = [half[group].mean() for group in groups]
        errors = [np.quantile(error[group], estimator.coverage) for group in groups]
        return cls(widths, errors, estimator.coverage).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> "WidthErrorDisplay":
        """Draw the line.

        Parameters
        ----------
        ax : Axes or None, default=None
            Axes to draw on; ``None`` makes a figure.

        Returns
        -------
        self : WidthErrorDisplay
        """
        self.figure_, self.ax_ = figure_and_axes(ax)
        ends = [0, self.widths.max()]
        self.ax_.plot(ends, ends, color="0.6", linestyle="--", label="half the interval")
        label = f"{self.coverage:.0%} of errors"
        (self.line_,) = self.ax_.plot(self.widths, self.errors, "o-", color=ORANGE, label=label)
        self.ax_.set(xlabel="half the width of the interval", ylabel="absolute error")
        self.ax_.legend()
        return self


def _error_and_half_width(estimator, X_noisy, X_clean):
    """Absolute error and half width of the interval of each pixel."""
    axis = estimator.channel_axis
    X_noisy = check_images(X_noisy, name="X_noisy", channel_axis=axis)
    X_denoised, (low, high) = estimator.predict_interval(X_noisy)
    X_clean = to_float(check_images(X_clean, name="X_clean", channel_axis=axis))
    check_same_shape(X_denoised=X_denoised, X_clean=X_clean)
    return np.abs(X_denoised - X_clean), (high - low) / 2
