"""How strong noise is, and how well denoisers do with more, or less, of it."""

from collections.abc import Callable, Mapping
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from .._images import check_any_images
from ..metrics.full_reference import check_data_range
from ..metrics.scorers import _DenoisingScorer, corrupted, resolve_metric, seeded_noise, unchanged
from ..noise import BaseNoise, estimate_noise
from ..noise.anscombe import as_camera
from ..noise.estimate import mean_and_variance
from ._base import BLUE, COLORS, ORANGE, Axes, as_numbers, figure_and_axes, split_injectors


class NoiseLevelDisplay:
    """A metric against the level of the noise, one line per denoiser.

    Create it with `from_estimator`. A denoiser is good over the range where its line lies above (of
    an error: below) that of the noisy images themselves.

    Parameters
    ----------
    levels : array-like of shape (n_levels,)
        Levels of the noise.
    values : dict of str to array-like of shape (n_levels,)
        The metric of each denoiser at each level. Under the name ``"noisy"`` that of the noisy
        images, which is drawn in gray.
    level_name : str, default="noise level"
        Label of the horizontal axis.
    metric : {"mse", "mae", "psnr", "ssim"} or callable, default="psnr"
        Names the vertical axis.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    lines_ : list of Line2D
        One per name in `values`, in that order.

    Raises
    ------
    ValueError
        If a denoiser does not have one value for each level, or the metric is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import GaussianFilter, GaussianNoise, MedianFilter
    >>> from skdae.plotting import NoiseLevelDisplay
    >>> X = np.linspace(0, 1, 640).reshape(10, 8, 8)
    >>> filters = {"Gaussian": GaussianFilter().fit(X), "median": MedianFilter().fit(X)}
    >>> noise = GaussianNoise(random_state=0)
    >>> display = NoiseLevelDisplay.from_estimator(filters, X, noise=noise, levels=[0.1, 0.2, 0.4])
    >>> list(display.values)
    ['noisy', 'Gaussian', 'median']
    """

    def __init__(
        self,
        levels: ArrayLike,
        values: Mapping[str, ArrayLike],
        *,
        level_name: str = "noise level",
        metric: str | Callable[..., float] = "psnr",
    ) -> None:
        resolve_metric(metric)
        self.levels = as_numbers(levels, "levels")
        self.values = {
            name: as_numbers(row, f"The row of {name!r}", len(self.levels))
            for name, row in values.items()
        }
        self.level_name = level_name
        self.metric = metric

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X_clean: ArrayLike,
        *,
        noise: Any,
        levels: ArrayLike,
        param_name: str = "std",
        metric: str | Callable[..., float] = "psnr",
        data_range: float | None = None,
        ax: Axes | None = None,
    ) -> "NoiseLevelDisplay":
        """Corrupt images at each level, denoise them with every estimator, and plot the metric.

        Parameters
        ----------
        estimator : fitted estimator, or dict of str to fitted estimators
            Anything with `predict`. Of a Pipeline that begins with noise models, the steps
            after them are judged.
        X_clean : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Clean images. All estimators get the same noisy ones.
        noise : noise model
            It is cloned for each level.
        levels : array-like of shape (n_levels,)
            Values of the parameter `param_name` of the noise.
        param_name : str, default="std"
            Which parameter of the noise to vary: ``"peak"`` of `PoissonNoise`, ``"amount"`` of
            `SaltPepper`, ``"0__std"`` of a `NoiseSequence`.
        metric : {"mse", "mae", "psnr", "ssim"} or callable, default="psnr"
            A callable gets ``(X_clean, X_denoised)`` and returns a float.
        data_range : float or None, default=None
            Largest possible value minus the smallest, for "psnr" and "ssim". None is 1.0 for images
            in [0, 1]; others need it.
        ax : Axes or None, default=None
            Axes to draw on; ``None`` makes a figure.

        Returns
        -------
        display : NoiseLevelDisplay

        Raises
        ------
        TypeError
            If `noise` is not a noise model.
        ValueError
            If the noise has no such parameter, the metric is unknown, or needs a
            `data_range`.
        """
        estimators = estimator if isinstance(estimator, Mapping) else {"denoised": estimator}
        score = _DenoisingScorer(metric, None, data_range)
        known = resolve_metric(metric)
        if known.ranged:
            check_data_range(data_range, check_any_images(X_clean, "X_clean"))
        denoisers = {
            name: split_injectors(getattr(member, "best_estimator_", member))[1]
            for name, member in estimators.items()
        }
        noise = seeded_noise(noise)
        noisy_images = {
            level: corrupted(X_clean, clone(noise).set_params(**{param_name: level}))
            for level in np.asarray(levels).tolist()
        }
        values = {
            name: [known.sign * score(each, X, X_clean) for X in noisy_images.values()]
            for name, each in {"noisy": unchanged(denoisers.values()), **denoisers}.items()
        }
        level_name = f"{param_name} of {type(noise).__name__}"
        return cls(list(noisy_images), values, level_name=level_name, metric=metric).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> "NoiseLevelDisplay":
        """Draw the lines.

        Parameters
        ----------
        ax : Axes or None, default=None
            Axes to draw on; ``None`` makes a figure.

        Returns
        -------
        self : NoiseLevelDisplay
        """
        self.figure_, self.ax_ = figure_and_axes(ax)
        self.lines_ = []
        looks = zip(cycle(COLORS), cycle("osD^vPX*"), strict=True)
        for name, row in self.values.items():
            style = {"color": "0.5", "linestyle": "--"}
            if name != "noisy":
                style = dict(zip(("color", "marker"), next(looks), strict=True))
            self.lines_ += self.ax_.plot(self.levels, row, label=name, markersize=4, **style)
        self.ax_.set(xlabel=self.level_name, ylabel=resolve_metric(self.metric).label)
        self.ax_.legend()
        return self


class NoiseDisplay:
    """Variance of the noise against the mean of the image, with the line of a model.

    Create it with `from_images`. Points of Gaussian noise lie on a level line, those of
    counted photons on a rising one. Where points are off the line, the model does not hold.

    Parameters
    ----------
    means : array-like of shape (n_groups,)
        Mean of the image in groups of equal brightness.
    variances : array-like of shape (n_groups,)
        Variance of the noise in each.
    noise : GaussianNoise, PoissonNoise or PoissonGaussianNoise
        The model, of one level.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    points_ : Line2D
    line_ : Line2D

    Raises
    ------
    ValueError
        If there is not one variance for each mean, or the noise is not such a model.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import PoissonGaussianNoise
    >>> from skdae.plotting import NoiseDisplay
    >>> X = np.tile(np.linspace(0.1, 0.9, 64), (1, 64, 1))
    >>> X_noisy = PoissonGaussianNoise(gain=0.01, random_state=0).fit_transform(X)
    >>> display = NoiseDisplay.from_images(X_noisy)
    >>> type(display.noise).__name__
    'PoissonGaussianNoise'
    """

    def __init__(self, means: ArrayLike, variances: ArrayLike, noise: BaseNoise) -> None:
        as_camera(noise)
        self.means = as_numbers(means, "means")
        self.variances = as_numbers(variances, "variances", len(self.means))
        self.noise = noise

    @classmethod
    def from_images(
        cls,
        X: ArrayLike,
        y: ArrayLike | None = None,
        noise: BaseNoise | None = None,
        *,
        image_shape: tuple[int, ...] | None = None,
        channel_axis: int | str | None = "auto",
        ax: Axes | None = None,
    ) -> "NoiseDisplay":
        """Measure the noise of images, as `skdae.noise.estimate_noise` does, and plot it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images; those of different sizes may come as a list of arrays.
        y : array-like shaped like `X`, or None, default=None
            The same scenes, clean or with independent noise.
        noise : noise model or None, default=None
            The model to compare with; None estimates a Poisson-Gaussian one.
        image_shape : tuple of int or None, default=None
            Shape of flat rows, as in `skdae.noise.estimate_noise`.
        channel_axis : {"auto", -1, None}, default="auto"
            As in `skdae.noise.estimate_noise`.
        ax : Axes or None, default=None
            Axes to draw on; ``None`` makes a figure.

        Returns
        -------
        display : NoiseDisplay

        Raises
        ------
        ValueError
            If the images do not tell their noise.
        """
        if noise is None:
            shape: dict[str, Any] = {"image_shape": image_shape, "channel_axis": channel_axis}
            noise = estimate_noise(X, y, "poisson-gaussian", **shape)
        return cls(*mean_and_variance(X, y, image_shape, channel_axis), noise).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> "NoiseDisplay":
        """Draw the points and the line.

        Parameters
        ----------
        ax : Axes or None, default=None
            Axes to draw on; ``None`` makes a figure.

        Returns
        -------
        self : NoiseDisplay
        """
        self.figure_, self.ax_ = figure_and_axes(ax)
        model = self.noise.variance(self.means)
        (self.points_,) = self.ax_.plot(self.means, self.variances, "o", color=BLUE, label="images")
        name = type(self.noise).__name__
        (self.line_,) = self.ax_.plot(self.means, model, color=ORANGE, label=name)
        self.ax_.set(xlabel="mean of the image", ylabel="variance of the noise")
        self.ax_.set_ylim(bottom=0)
        self.ax_.legend()
        return self
