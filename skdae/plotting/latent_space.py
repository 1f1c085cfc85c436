"""Display of the codes of images."""

from itertools import cycle, product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.decomposition import PCA
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from ._base import BLUE, Axes, figure_and_axes

# The muted palette of Paul Tol, and gray: ten colors, told apart also by the color-blind.
_MUTED = (
    *("#332288", "#CC6677", "#117733", "#88CCEE", "#882255"),
    *("#DDCC77", "#AA4499", "#44AA99", "#999933", "#777777"),
)


class LatentSpaceDisplay:
    """Codes of images as points in a plane, colored by label.

    Create it with `from_estimator`. Codes of two values are shown as they are, longer ones by their
    first two principal components.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_codes)
        Codes of at least two values, as from ``DenoisingAutoencoder.encode``.
    y : array-like of shape (n_samples,) or None, default=None
        Labels. Classes get a color each, named in a legend beside the points; real numbers get a
        color bar.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure

    Raises
    ------
    ValueError
        If the codes have fewer than two values, or `y` has another length.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae.plotting import LatentSpaceDisplay
    >>> Z = np.random.default_rng(0).normal(size=(60, 2))
    >>> display = LatentSpaceDisplay(Z, y=np.arange(60) % 3).plot()
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ['0', '1', '2']
    """

    def __init__(self, Z: ArrayLike, y: ArrayLike | None = None) -> None:
        self.Z = check_array(Z, input_name="Z")
        if self.Z.shape[1] < 2:
            raise ValueError(
                "Z has codes of one value, which do not make a plane; pass codes of at least two, "
                "such as those of DenoisingAutoencoder(latent_dim=2)."
            )
        self.y = None if y is None else column_or_1d(y)
        check_consistent_length(self.Z, self.y)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: ArrayLike, y: ArrayLike | None = None, *, ax: Axes | None = None
    ) -> "LatentSpaceDisplay":
        """Encode images with a fitted estimator, and plot their codes.

        Parameters
        ----------
        estimator : fitted estimator
            With `encode`; or a Pipeline that ends in one, or a search over such.
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            What the estimator gets: noisy images, or clean ones for a Pipeline that corrupts them
            itself.
        y : array-like of shape (n_samples,) or None, default=None
            Labels, as above.
        ax : Axes or None, default=None
            Axes to draw on; ``None`` makes a figure.

        Returns
        -------
        display : LatentSpaceDisplay

        Raises
        ------
        TypeError
            If the estimator has no codes.
        """
        estimator = getattr(estimator, "best_estimator_", estimator)
        *steps, (_, encoder) = getattr(estimator, "steps", [("encoder", estimator)])
        for _, step in steps:
            X = X if step in (None, "passthrough") else step.transform(X)
        if not hasattr(encoder, "encode"):
            raise TypeError(
                f"{type(encoder).__name__} has no codes to show; pass a denoiser that encodes, "
                'such as DenoisingAutoencoder("dense", latent_dim=2).'
            )
        return cls(encoder.encode(X), y).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> "LatentSpaceDisplay":
        """Draw the points.

        Parameters
        ----------
        ax : Axes or None, default=None
            Axes to draw on; ``None`` makes a figure.

        Returns
        -------
        self : LatentSpaceDisplay
        """
        self.figure_, self.ax_ = figure_and_axes(ax)
        points, names = self._plane()
        style = {"s": 18, "alpha": 0.8, "linewidths": 0}
        if self.y is None:
            self.ax_.scatter(*points.T, color=BLUE, **style)
        elif type_of_target(self.y).startswith("continuous"):
            shown = self.ax_.scatter(*points.T, c=self.y, cmap="viridis", **style)
            self.figure_.colorbar(shown, ax=self.ax_, label="y")
        else:
            self._draw_classes(points, style)
        self.ax_.set(xlabel=names[0], ylabel=names[1])
        return self

    def _plane(self):
        """Points of the plane, and the names of its axes."""
        if self.Z.shape[1] == 2:
            return self.Z, ("value 1 of the code", "value 2 of the code")
        pca = PCA(n_components=2, svd_solver="full").fit(self.Z)
        shares = zip(("first", "second"), pca.explained_variance_ratio_, strict=True)
        name = "{} principal component ({:.0%} of the variance)"
        return pca.transform(self.Z), [name.format(*share) for share in shares]

    def _draw_classes(self, points, style):
        """Points of each class, and the names beside them, where they do not overlap."""
        classes, looks = np.unique(self.y), cycle(product("os^D", _MUTED))
        for label, (marker, color) in zip(classes, looks, strict=False):
            members = points[self.y == label]
            self.ax_.scatter(*members.T, color=color, marker=marker, label=str(label), **style)
        self.ax_.legend(
            loc="upper left",
            bbox_to_anchor=(1, 1),
            frameon=False,
            handletextpad=0,
            ncols=-(-len(classes) // 18),
        )
