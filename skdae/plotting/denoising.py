"""Images before and after denoising."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._checks import POSITIVE_INT, check_parameters
from .._images import (
    as_planes,
    check_any_images,
    check_same_shape,
    geometry_of,
    in_unit_range,
    shapes_of,
    to_float,
    value_range,
)
from ..metrics.full_reference import check_data_range
from ..metrics.scorers import (
    corrupted,
    fitted_attribute,
    fitted_image_shape,
    parameter_of,
    resolve_metric,
)
from ..noise._base import check_noise, description
from ._base import BLUE, Axes, middle, split_injectors


class DenoisingDisplay:
    """Rows of clean, noisy and denoised images, with a metric below each image.

    Create it with `from_estimator` or `from_predictions`. If there are fewer images than rows,
    rows and columns are exchanged.

    Parameters
    ----------
    X_clean : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
            (n_samples, height, width, n_channels)
        Clean images. Their range, or [0, 1] where they lie in it, is shown from black to white.
    X_noisy : array-like
        The same images with noise.
    X_denoised : array-like shaped like `X_clean`, or dict of str to such arrays
        Denoised images, or those of several denoisers by name, one row each.
    image_shape : tuple of int or None, default=None
        Shape of one sample, for flat rows. None takes those that look like square images for such,
        and all others for signals, which are drawn as lines. Of volumes, the middle slice is drawn.
    channel_axis : {"auto", -1, None}, default="auto"
        -1 if the last axis holds channels, None if no axis does. "auto" takes the last of four axes
        for channels.
    metric : {"mse", "mae", "psnr", "ssim"}, callable or None, default="psnr"
        What is written under noisy and denoised images; "= clean" where it is infinite, as the
        PSNR of equal images. None writes nothing.
    data_range : float or None, default=None
        Largest possible value minus the smallest, for "psnr" and "ssim". None is 1.0 for images in
        [0, 1]; others need it.
    input_label : str, default="noisy"
        What stands beside `X_noisy`, such as "14 × 14" or "occluded".

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_kinds, n_images)
        One axes per image; ``axes_[0]`` holds the clean ones, wherever they are.
    figure_ : Figure

    Raises
    ------
    ValueError
        If the arrays do not belong together, the images have other than 1 or 3 channels, or the
        metric needs a `data_range`.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae.plotting import DenoisingDisplay
    >>> X, N = np.zeros((4, 8, 8)), np.full((4, 8, 8), 0.1)
    >>> display = DenoisingDisplay.from_predictions(X, N, {"mean": N / 2, "half": N / 4})
    >>> display.axes_.shape
    (4, 4)
    """

    def __init__(
        self,
        X_clean: ArrayLike,
        X_noisy: ArrayLike,
        X_denoised: ArrayLike | Mapping[str, ArrayLike],
        *,
        image_shape: tuple[int, ...] | None = None,
        channel_axis: int | str | None = "auto",
        metric: str | Callable[..., float] | None = "psnr",
        data_range: float | None = None,
        input_label: str = "noisy",
    ) -> None:
        self.X_clean = check_any_images(X_clean, "X_clean", channel_axis)
        self.X_noisy = check_any_images(X_noisy, "X_noisy", channel_axis)
        if not isinstance(X_denoised, Mapping):
            X_denoised = {"denoised": X_denoised}
        self.X_denoised = {
            name: check_any_images(X, f"X_denoised of {name!r}", channel_axis)
            for name, X in X_denoised.items()
        }
        self._geometry = geometry_of(self.X_clean, image_shape, channel_axis)
        self.image_shape = self._geometry.image_shape
        self.metric = metric
        self.data_range = data_range
        self.input_label = input_label
        self._check()

    def _check(self):
        if self.metric is not None and resolve_metric(self.metric, self.data_range).ranged:
            check_data_range(self.data_range, self.X_clean)
        clean, noisy = self.X_clean, self.X_noisy
        denoised = {f"X_denoised of {name!r}": X for name, X in self.X_denoised.items()}
        check_same_shape(X_clean=clean, X_noisy=noisy, **denoised)
        n_channels = self._geometry.n_channels
        if n_channels not in (1, 3) and self._geometry.rank > 1:
            raise ValueError(
                f"Images of {n_channels} channels cannot be shown; pass gray images, or three "
                "channels, such as X[..., :3]."
            )

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X_clean: ArrayLike,
        *,
        noise: Any = None,
        X_noisy: ArrayLike | None = None,
        n_images: int = 8,
        image_shape: tuple[int, ...] | None = None,
        channel_axis: int | str | None = "auto",
        metric: str | Callable[..., float] | None = "psnr",
        data_range: float | None = None,
        name: str = "denoised",
        input_label: str = "noisy",
        ax: Axes | None = None,
    ) -> "DenoisingDisplay":
        """Corrupt clean images, denoise them with fitted estimators, and plot all of them.

        Parameters
        ----------
        estimator : fitted estimator, or dict of str to such
            Anything with `predict`; of a dict, each has a row under its name. Of a Pipeline that
            begins with noise models, the images that come out of these are the noisy ones.
        X_clean : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Clean images, of which the first `n_images` are used.
        noise : noise model or None, default=None
            Corrupts the images. ``None`` means the noise models of the Pipeline, else the
            estimator's own ``noise``, which several estimators must share.
        X_noisy : array-like or None, default=None
            The noisy images themselves, instead of `noise`.
        n_images : int, default=8
        image_shape : tuple of int or None, default=None
            For flat rows; ``None`` means the shape that the estimator was fitted on.
        channel_axis : {"auto", -1, None}, default="auto"
            As above; "auto" means that of the estimator.
        metric : {"mse", "mae", "psnr", "ssim"}, callable or None, default="psnr"
        data_range : float or None, default=None
            Largest possible value minus the smallest, for "psnr" and "ssim". None is 1.0 for images
            in [0, 1]; others need it.
        name : str, default="denoised"
            Label of the denoised row; a dict has its own names.
        input_label : str, default="noisy"
            What stands beside `X_noisy`, such as "14 × 14" or "occluded".
        ax : Axes or None, default=None
            Axes whose place the images take; ``None`` makes a figure.

        Returns
        -------
        display : DenoisingDisplay

        Raises
        ------
        ValueError
            If there is no denoiser, no noise to show, or more than one, or the shapes do not fit.
        """
        if noise is not None and X_noisy is not None:
            raise ValueError("Both noise and X_noisy were passed; pass the one you want to see.")
        named = estimator if isinstance(estimator, Mapping) else {name: estimator}
        if not named:
            raise ValueError("estimator is a dict without denoisers; pass one denoiser at least.")
        named = {name: getattr(each, "best_estimator_", each) for name, each in named.items()}
        X_clean = _first(X_clean, n_images)
        if channel_axis == "auto":
            channel_axis = parameter_of(next(iter(named.values()), None), "channel_axis")
        if X_noisy is None:
            X_input = _add_noise(named.values(), X_clean, noise)
        else:
            X_input = _first(X_noisy, n_images)
        shapes = shapes_of(check_any_images(X_clean, "X_clean", channel_axis))
        if image_shape is None and isinstance(shapes, tuple) and len(shapes) == 2:
            known = (fitted_image_shape(each, shapes[1]) for each in named.values())
            image_shape = next((shape for shape in known if shape is not None), None)
        return cls(
            X_clean,
            _seen(named.values(), X_input),
            {name: each.predict(X_input) for name, each in named.items()},
            image_shape=image_shape,
            channel_axis=channel_axis,
            metric=metric,
            data_range=data_range,
            input_label=input_label,
        ).plot(ax=ax)

    @classmethod
    def from_predictions(
        cls,
        X_clean: ArrayLike,
        X_noisy: ArrayLike,
        X_denoised: ArrayLike | Mapping[str, ArrayLike],
        *,
        n_images: int = 8,
        image_shape: tuple[int, ...] | None = None,
        channel_axis: int | str | None = "auto",
        metric: str | Callable[..., float] | None = "psnr",
        data_range: float | None = None,
        input_label: str = "noisy",
        ax: Axes | None = None,
    ) -> "DenoisingDisplay":
        """Plot images that are denoised already.

        Parameters
        ----------
        X_clean : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Clean images, of which the first `n_images` are shown.
        X_noisy : array-like
            The same images with noise.
        X_denoised : array-like shaped like `X_clean`, or dict of str to such arrays
            The denoised images, or those of several denoisers by name, one row each.
        n_images : int, default=8
        image_shape : tuple of int or None, default=None
        channel_axis : {"auto", -1, None}, default="auto"
        metric : {"mse", "mae", "psnr", "ssim"}, callable or None, default="psnr"
        data_range : float or None, default=None
            Largest possible value minus the smallest, for "psnr" and "ssim". None is 1.0 for images
            in [0, 1]; others need it.
        input_label : str, default="noisy"
            What stands beside `X_noisy`, such as "14 × 14" or "occluded".
        ax : Axes or None, default=None
            Axes whose place the images take; ``None`` makes a figure.

        Returns
        -------
        display : DenoisingDisplay

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        # Checked before cutting, so that arrays of different lengths do not pass for equal.
        display = cls(
            X_clean,
            X_noisy,
            X_denoised,
            image_shape=image_shape,
            channel_axis=channel_axis,
            metric=metric,
            data_range=data_range,
            input_label=input_label,
        )
        display.X_clean = _first(display.X_clean, n_images)
        display.X_noisy = _first(display.X_noisy, n_images)
        display.X_denoised = {name: _first(X, n_images) for name, X in display.X_denoised.items()}
        return display.plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> "DenoisingDisplay":
        """Draw one row for the clean, the noisy and each kind of denoised images.

        Parameters
        ----------
        ax : Axes or None, default=None
            Axes whose place the images take; ``None`` makes a figure.

        Returns
        -------
        self : DenoisingDisplay
        """
        rows = [("clean", self.X_clean), (self.input_label, self.X_noisy)]
        rows += self.X_denoised.items()
        height, width = (0.6, 1, *self._geometry.spatial)[-2:]
        # Height of a panel over its width.
        aspect = 0.6 if self._geometry.rank == 1 else min(max(height / width, 0.25), 4.0)
        self.axes_ = _grid(ax, [name for name, _ in rows], len(self.X_clean), aspect)
        self.figure_ = self.axes_[0, 0].figure
        low, high = value_range([image for _, X in rows for image in X])
        margin = 0.05 * (high - low or 1)
        shown = value_range(self.X_clean)
        black_and_white = (0.0, 1.0) if in_unit_range(shown) else shown
        for i, (axes, (_, X)) in enumerate(zip(self.axes_, rows, strict=True)):
            for panel, x, clean in zip(axes, X, self.X_clean, strict=True):
                image = self._image(x, black_and_white)
                label = self._label(clean[None], x[None]) if i else ""
                if self._geometry.rank == 1:
                    panel.plot(image, color=BLUE, linewidth=1)
                    panel.set_ylim(low - margin, high + margin)
                else:
                    panel.imshow(image, cmap="gray", vmin=0, vmax=1)
                panel.set(xticks=[], yticks=[])
                panel.set_xlabel(label, labelpad=2)
        return self

    def _image(self, x, black_and_white):
        """One image as Matplotlib draws it, in [0, 1]; signals are in their own units."""
        if self._geometry.rank == 1:
            return self._geometry.read(to_float(x)[None])[0]
        image = middle(as_planes(self._geometry.read(to_float(x)[None])))
        low, high = black_and_white
        image = (image - low) / (high - low or 1)
        return np.clip(image if image.shape[-1] == 3 else image[..., 0], 0, 1)

    def _label(self, clean, x):
        """The metric of a batch of one in words; empty where there is nothing to compare."""
        if self.metric is None:
            return ""
        metric = resolve_metric(self.metric, self.data_range)
        options = {}
        if isinstance(self.metric, str):
            options["channel_axis"] = self._geometry.channel_axis
        if metric.spatial and x.ndim == 2:
            options["image_shape"] = self.image_shape
        value = metric.function(clean, x, **options)
        # No number says how good it is, such as the PSNR of an input without noise.
        return "= clean" if np.isposinf(value) else metric.text.format(value)


def _first(X, n_images):
    """The first images, a DataFrame where `X` is one."""
    check_parameters("DenoisingDisplay", {"n_images": [POSITIVE_INT]}, n_images=n_images)
    return X.iloc[:n_images] if hasattr(X, "iloc") else X[:n_images]


def _add_noise(estimators, X, noise):
    """The images that estimators get: noisy, unless they corrupt them themselves."""
    if noise is not None:
        return corrupted(X, check_noise(noise))
    if any(split_injectors(estimator)[0] for estimator in estimators):
        return X
    own = [fitted_attribute(e, "noise_") or fitted_attribute(e, "noise") for e in estimators]
    noises = {description(noise): noise for noise in own if noise is not None}
    if len(noises) != 1:
        names = ", ".join(type(estimator).__name__ for estimator in estimators)
        have = "more than one noise model" if noises else "no noise model"
        raise ValueError(
            f"{names} has {have} to show; pass noise=GaussianNoise(0.2), or your noisy images as "
            "X_noisy=."
        )
    return corrupted(X, check_noise(noises.popitem()[1]))


def _seen(estimators, X):
    """The noisy images: what comes out of the noise models of all estimators, if there are any."""
    first, *others = (
        X if injectors is None else injectors.transform(X)
        for injectors, _ in map(split_injectors, estimators)
    )
    for other in others:
        pair = (check_any_images(X, channel_axis=None) for X in (first, other))
        if not all(map(np.array_equal, *pair)):
            raise ValueError(
                "The estimators do not denoise the same noisy images, because Pipelines among them "
                "corrupt these by themselves; pass without_noise(pipeline), and noise=."
            )
    return first


def _grid(ax, names, n_images, aspect):
    """Axes of shape ``(len(names), n_images)``, in a new figure or in the place of `ax`."""
    import matplotlib.pyplot as plt

    # Pages are wide: a few images get one row each, and their kinds are the columns.
    upright = n_images < len(names)
    n_rows, n_columns = (n_images, len(names)) if upright else (len(names), n_images)
    if ax is None:
        longest = 0.085 * max(map(len, names))
        margin = 0 if upright else 0.2 + longest
        # A page shows 8 inches; a number below an image needs 0.75.
        side = min(max(min((8 - margin) / n_columns, 8 / (n_rows * aspect)), 0.75), 2.5)
        side = max(side, longest) if upright else side
        width = n_columns * side + margin
        height = n_rows * (aspect * side + 0.3) + (0.3 if upright else 0)
        figure = plt.figure(figsize=(width, height), layout="constrained")
        cells = figure.subplots(n_rows, n_columns, squeeze=False)
    else:
        cells = _insets(ax, n_rows, n_columns)
    cells = cells.T if upright else cells
    for axes, name in zip(cells, names, strict=True):
        if upright:
            axes[0].set_title(name, fontsize="medium")
        else:
            axes[0].set_ylabel(name, rotation=0, ha="right", va="center")
    return cells


def _insets(ax, n_rows, n_columns):
    """Axes of shape ``(n_rows, n_columns)`` within `ax`."""
    ax.set_axis_off()
    width, height = 1 / n_columns, 1 / n_rows
    cells = np.empty((n_rows, n_columns), dtype=object)
    for i, j in np.ndindex(cells.shape):
        # A fifth of a row is left for the metric below the image.
        bounds = (j * width, 1 - (i + 0.8) * height, 0.94 * width, 0.8 * height)
        cells[i, j] = ax.inset_axes(bounds)
    return cells
