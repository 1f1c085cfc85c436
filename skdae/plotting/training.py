"""Learning curves."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import NotFittedError

from ..metrics.scorers import fitted_attribute
from ._base import BLUE, ORANGE, Axes, as_numbers, figure_and_axes


class TrainingDisplay:
    """Loss of the training and the validation images, epoch by epoch.

    Create it with `from_estimator`.

    Parameters
    ----------
    epochs : array-like of shape (n_epochs,)
    train_loss : array-like of shape (n_epochs,)
    valid_loss : array-like of shape (n_epochs,) or None, default=None
        NaN where an epoch has none.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    lines_ : list of Line2D

    Examples
    --------
    >>> from skdae.plotting import TrainingDisplay
    >>> display = TrainingDisplay([1, 2, 3], [0.3, 0.2, 0.1], [0.3, 0.25, 0.2]).plot()
    >>> len(display.lines_)
    2
    """

    def __init__(
        self, epochs: ArrayLike, train_loss: ArrayLike, valid_loss: ArrayLike | None = None
    ) -> None:
        self.epochs = np.asarray(epochs)
        n = len(self.epochs)
        self.train_loss = as_numbers(train_loss, "train_loss", n)
        self.valid_loss = None if valid_loss is None else as_numbers(valid_loss, "valid_loss", n)

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> "TrainingDisplay":
        """Plot the learning curve of a fitted denoiser.

        Parameters
        ----------
        estimator : fitted estimator
            With a ``history_``, a list of dicts with keys ``epoch``, ``train_loss`` and perhaps
            ``valid_loss``; or a Pipeline or search that holds one.
        ax : Axes or None, default=None
            Axes to draw on; ``None`` makes a figure.

        Returns
        -------
        display : TrainingDisplay

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator has no history.
        """
        history = fitted_attribute(estimator, "history_")
        if not history:
            raise NotFittedError(
                f"{type(estimator).__name__} has no history_ of epochs; fit it first, and pass a "
                "denoiser that learns in epochs, such as DenoisingAutoencoder."
            )
        valid_loss = np.array([row.get("valid_loss", np.nan) for row in history], dtype=float)
        return cls(
            [row["epoch"] for row in history],
            [row["train_loss"] for row in history],
            None if np.isnan(valid_loss).all() else valid_loss,
        ).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> "TrainingDisplay":
        """Draw the curves.

        Parameters
        ----------
        ax : Axes or None, default=None
            Axes to draw on; ``None`` makes a figure.

        Returns
        -------
        self : TrainingDisplay
        """
        self.figure_, self.ax_ = figure_and_axes(ax)
        # Points show a fit of one epoch, and clutter one of many.
        style = {"marker": "o" if len(self.epochs) <= 30 else "", "markersize": 3}
        self.lines_ = self.ax_.plot(
            self.epochs, self.train_loss, color=BLUE, label="training", **style
        )
        if self.valid_loss is not None:
            self.lines_ += self.ax_.plot(
                self.epochs, self.valid_loss, "--", color=ORANGE, label="validation", **style
            )
        self.ax_.xaxis.get_major_locator().set_params(integer=True)
        self.ax_.set(xlabel="epoch", ylabel="loss")
        self.ax_.legend()
        return self
