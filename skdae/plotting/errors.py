"""The errors of single images."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..metrics import mean_squared_error
from ._base import BLUE, GREEN, ORANGE, Axes, as_numbers, figure_and_axes


class ErrorHistogramDisplay:
    """How the mean squared error is distributed over the images.

    Create it with `from_estimator` or `from_predictions`. The denoiser fails on images far to
    the right.

    Parameters
    ----------
    errors : array-like of shape (n_samples,)
        Mean squared error of each image.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure

    Examples
    --------
    >>> import numpy as np
    >>> from skdae.plotting import ErrorHistogramDisplay
    >>> X = np.random.default_rng(0).random((50, 8, 8))
    >>> display = ErrorHistogramDisplay.from_predictions(X, X**2)
    >>> display.ax_.get_xlabel()
    'mean squared error of an image'
    """

    def __init__(self, errors: ArrayLike) -> None:
        self.errors = as_numbers(errors, "errors")

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X_noisy: ArrayLike,
        X_clean: ArrayLike,
        *,
        bins: int = 50,
        ax: Axes | None = None,
    ) -> "ErrorHistogramDisplay":
        """Denoise images with a fitted estimator, and plot their errors.

        Parameters
        ----------
        estimator : fitted estimator
            Anything with `predict`.
        X_noisy : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            What the estimator gets; clean images for a Pipeline that corrupts them itself.
        X_clean : array-like shaped like the denoised images
        bins : int, default=50
        ax : Axes or None, default=None
            Axes to draw on; ``None`` makes a figure.

        Returns
        -------
        display : ErrorHistogramDisplay

        Raises
        ------
        ValueError
            If the denoised images have another shape than `X_clean`.
        """
        return cls.from_predictions(X_clean, estimator.predict(X_noisy), bins=bins, ax=ax)

    @classmethod
    def from_predictions(
        cls, X_clean: ArrayLike, X_denoised: ArrayLike, *, bins: int = 50, ax: Axes | None = None
    ) -> "ErrorHistogramDisplay":
        """Plot the errors of images that are denoised already.

        Parameters
        ----------
        X_clean : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
        X_denoised : array-like shaped like `X_clean`
        bins : int, default=50
        ax : Axes or None, default=None
            Axes to draw on; ``None`` makes a figure.

        Returns
        -------
        display : ErrorHistogramDisplay

        Raises
        ------
        ValueError
            If the shapes differ.
        """
        errors = mean_squared_error(X_clean, X_denoised, per_image=True)
        return cls(errors).plot(bins=bins, ax=ax)

    def plot(self, *, bins: int = 50, ax: Axes | None = None) -> "ErrorHistogramDisplay":
        """Draw the histogram, with its mean and median.

        Parameters
        ----------
        bins : int, default=50
        ax : Axes or None, default=None
            Axes to draw on; ``None`` makes a figure.

        Returns
        -------
        self : ErrorHistogramDisplay
        """
        self.figure_, self.ax_ = figure_and_axes(ax)
        self.ax_.hist(self.errors, bins=bins, color=BLUE, alpha=0.6)
        mean, median = self.errors.mean(), np.median(self.errors)
        self.ax_.axvline(mean, color=ORANGE, label=f"mean {mean:.3g}")
        self.ax_.axvline(median, color=GREEN, linestyle="--", label=f"median {median:.3g}")
        self.ax_.set(xlabel="mean squared error of an image", ylabel="images")
        self.ax_.legend()
        return self
