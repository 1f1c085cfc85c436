"""Noise that is added to the image and does not depend on it."""

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, StrOptions

from .._images import MAX_LEVEL
from ._base import BaseNoise, level, mean_level


def stripes(images, axis):
    """Sides of what shifts rows or columns of images, or, of other axes, each pixel.

    Of volumes, those of each slice; a signal is one row.
    """
    sides = list(images.shape[1:-1])
    if axis == "rows":
        sides[-1] = 1
    elif axis == "columns" and len(sides) > 1:
        sides[-2] = 1
    return sides


class GaussianNoise(BaseNoise):
    r"""Add white Gaussian noise, :math:`\tilde x = x + n, n \sim \mathcal N(\mu, \sigma^2)`.

    It models the read noise of sensors, and is the usual choice if nothing else is known.

    Parameters
    ----------
    std : float or (float, float), default=0.1
        Standard deviation :math:`\sigma \ge 0`, in the units of `X` (25 of 255 gray levels is
        ``25 / 255``). A pair draws one level per image, uniformly from the range.
    mean : float, default=0.0
        Mean :math:`\mu`, in the units of `X`.
    image_shape : tuple of int or None, default=None
        Shape of one sample, for flat rows. It makes no difference to this noise, which does not
        look at neighbors.
    channel_axis : {"auto", -1, None}, default="auto"
        -1 if the last axis of `X` holds channels, None if no axis does. "auto" takes the last of
        four axes for channels: of volumes ``(n_samples, depth, height, width)``, pass None, and of
        signals with several leads ``(n_samples, length, n_channels)``, -1.
    clip : "auto", (float, float) or None, default="auto"
        Range to which the noisy images are clipped. "auto" is [0, 1] where the images of `fit` lie
        in it, as those of `uint8` do, and no clipping otherwise. None does not clip.
    when : {"always", "fit"}, default="always"
        "fit" adds noise in `fit_transform` alone, so that a Pipeline predicts without it.
    random_state : int, RandomState instance or None, default=None
        Seed. With the pixels of an image it decides its noise. None draws a seed in `fit`.

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
    channel_axis_ : int or None
        -1 if an axis holds channels, else None.
    clip_ : (float, float) or None
        Range to which the noisy images are clipped.
    seed_ : int
        The seed in use.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    SpeckleNoise : Noise in proportion to the image.
    PoissonNoise : Noise of counted photons.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import GaussianNoise
    >>> X_clean = np.linspace(0.4, 0.6, 64000).reshape(1000, 8, 8)
    >>> X_noisy = GaussianNoise(std=0.1, random_state=0).fit_transform(X_clean)
    >>> float((X_noisy - X_clean).std().round(2))
    0.1
    """

    _parameter_constraints: dict = {
        **BaseNoise._parameter_constraints,
        "std": level(Real, 0, MAX_LEVEL),
        "mean": [Interval(Real, -MAX_LEVEL, MAX_LEVEL, closed="both")],
    }

    def __init__(
        self,
        std: float | tuple[float, float] = 0.1,
        mean: float = 0.0,
        *,
        clip: str | tuple[float, float] | None = "auto",
        when: str = "always",
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(clip=clip, when=when, random_state=random_state)
        self.std = std
        self.mean = mean

    def _variance(self, mean):
        return mean_level(self.std, 2)

    def _corrupt(self, images, rng):
        std = self._level(self.std, rng, images)
        return images + rng.normal(float(self.mean), std, images.shape)


class UniformNoise(BaseNoise):
    r"""Add uniform noise, :math:`\tilde x = x + n` with :math:`n \sim \mathcal U(-a, a)`.

    Rounding to gray levels adds such noise. Its standard deviation is :math:`a / \sqrt 3`.

    Parameters
    ----------
    half_width : float or (float, float), default=0.1
        Half width :math:`a \ge 0` of the range, in the units of `X`. A pair draws one level per
        image, uniformly from the range.
    image_shape : tuple of int or None, default=None
        Shape of one sample, for flat rows. It makes no difference to this noise, which does not
        look at neighbors.
    channel_axis : {"auto", -1, None}, default="auto"
        -1 if the last axis of `X` holds channels, None if no axis does. "auto" takes the last of
        four axes for channels: of volumes ``(n_samples, depth, height, width)``, pass None, and of
        signals with several leads ``(n_samples, length, n_channels)``, -1.
    clip : "auto", (float, float) or None, default="auto"
        Range to which the noisy images are clipped. "auto" is [0, 1] where the images of `fit` lie
        in it, as those of `uint8` do, and no clipping otherwise. None does not clip.
    when : {"always", "fit"}, default="always"
        "fit" adds noise in `fit_transform` alone, so that a Pipeline predicts without it.
    random_state : int, RandomState instance or None, default=None
        Seed. With the pixels of an image it decides its noise. None draws a seed in `fit`.

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
    channel_axis_ : int or None
        -1 if an axis holds channels, else None.
    clip_ : (float, float) or None
        Range to which the noisy images are clipped.
    seed_ : int
        The seed in use.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import UniformNoise
    >>> X_clean = np.linspace(0.4, 0.6, 64000).reshape(1000, 8, 8)
    >>> X_noisy = UniformNoise(half_width=0.2, random_state=0).fit_transform(X_clean)
    >>> float(abs(X_noisy - X_clean).max().round(3))
    0.2
    """

    _parameter_constraints: dict = {
        **BaseNoise._parameter_constraints,
        "half_width": level(Real, 0, MAX_LEVEL),
    }

    def __init__(
        self,
        half_width: float | tuple[float, float] = 0.1,
        *,
        clip: str | tuple[float, float] | None = "auto",
        when: str = "always",
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(clip=clip, when=when, random_state=random_state)
        self.half_width = half_width

    def _variance(self, mean):
        return mean_level(self.half_width, 2) / 3

    def _corrupt(self, images, rng):
        half_width = self._level(self.half_width, rng, images)
        return images + half_width * rng.uniform(-1.0, 1.0, images.shape)


class StripeNoise(BaseNoise):
    r"""Add one offset to each row or column, :math:`\tilde x = x + n`.

    The offsets are drawn from :math:`\mathcal N(0, \sigma^2)`. Line scanners, and
    detectors with one amplifier per column, show such stripes. All channels of a stripe share its
    offset.

    Parameters
    ----------
    std : float or (float, float), default=0.1
        Standard deviation :math:`\sigma \ge 0` of the offsets, in the units of `X`. A pair draws
        one level per image, uniformly from the range.
    axis : {"rows", "columns"}, default="rows"
        Whether a row or a column is a stripe.
    image_shape : tuple of int or None, default=None
        Shape of one sample, for flat rows: ``(length,)``, ``(height, width)``, ``(height, width,
        n_channels)`` and so on. None takes rows of a square number of values that look like square
        images for such, and all others for signals.
    channel_axis : {"auto", -1, None}, default="auto"
        -1 if the last axis of `X` holds channels, None if no axis does. "auto" takes the last of
        four axes for channels: of volumes ``(n_samples, depth, height, width)``, pass None, and of
        signals with several leads ``(n_samples, length, n_channels)``, -1.
    clip : "auto", (float, float) or None, default="auto"
        Range to which the noisy images are clipped. "auto" is [0, 1] where the images of `fit` lie
        in it, as those of `uint8` do, and no clipping otherwise. None does not clip.
    when : {"always", "fit"}, default="always"
        "fit" adds noise in `fit_transform` alone, so that a Pipeline predicts without it.
    random_state : int, RandomState instance or None, default=None
        Seed. With the pixels of an image it decides its noise. None draws a seed in `fit`.

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
    channel_axis_ : int or None
        -1 if an axis holds channels, else None.
    clip_ : (float, float) or None
        Range to which the noisy images are clipped.
    seed_ : int
        The seed in use.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import StripeNoise
    >>> X_clean = np.full((10, 8, 8), 0.5)
    >>> X_noisy = StripeNoise(axis="rows", random_state=0).fit_transform(X_clean)
    >>> bool((X_noisy == X_noisy[:, :, :1]).all())
    True
    """

    _parameter_constraints: dict = {
        **BaseNoise._parameter_constraints,
        "std": level(Real, 0, MAX_LEVEL),
        "axis": [StrOptions({"rows", "columns"})],
    }
    _spatial = True

    def __init__(
        self,
        std: float | tuple[float, float] = 0.1,
        axis: str = "rows",
        *,
        image_shape: tuple[int, ...] | None = None,
        clip: str | tuple[float, float] | None = "auto",
        when: str = "always",
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(clip=clip, when=when, random_state=random_state)
        self.std = std
        self.axis = axis
        self.image_shape = image_shape

    def _variance(self, mean):
        return mean_level(self.std, 2)

    def _corrupt(self, images, rng):
        std = self._level(self.std, rng, images)
        return images + rng.normal(0.0, std, (len(images), *stripes(images, self.axis), 1))


class StructuredNoise(BaseNoise):
    r"""Add Gaussian noise that is correlated between neighbors, :math:`\tilde x = x + k * n`.

    White noise :math:`n` is convolved with a kernel :math:`k`, which is scaled so that each pixel
    has the standard deviation that is asked for. Interpolated colors, scanning detectors and
    resampled images have such noise; with an `axis`, whole rows or columns are shifted, as by the
    amplifiers of a detector, and it is the shifts that are correlated.

    Parameters
    ----------
    std : float or (float, float), default=0.1
        Standard deviation :math:`\sigma \ge 0` of each pixel, in the units of `X`. A pair draws one
        level per image, uniformly from the range.
    kernel : array-like of one, two or three axes, default=(1.0, 1.0, 1.0)
        Weights of the neighbors; only their ratios matter. One of shape ``(length,)`` lies along
        the rows of the image; with ``axis="rows"`` it reaches from row to row, with
        ``axis="columns"`` from column to column. ``(1.0,)`` is noise without correlation.
    axis : {"pixels", "rows", "columns"}, default="pixels"
        What has its own offset. Channels share those of rows and columns, not of pixels.
    image_shape : tuple of int or None, default=None
        Shape of one sample, for flat rows: ``(length,)``, ``(height, width)``, ``(height, width,
        n_channels)`` and so on. None takes rows of a square number of values that look like square
        images for such, and all others for signals.
    channel_axis : {"auto", -1, None}, default="auto"
        -1 if the last axis of `X` holds channels, None if no axis does. "auto" takes the last of
        four axes for channels: of volumes ``(n_samples, depth, height, width)``, pass None, and of
        signals with several leads ``(n_samples, length, n_channels)``, -1.
    clip : "auto", (float, float) or None, default="auto"
        Range to which the noisy images are clipped. "auto" is [0, 1] where the images of `fit` lie
        in it, as those of `uint8` do, and no clipping otherwise. None does not clip.
    when : {"always", "fit"}, default="always"
        "fit" adds noise in `fit_transform` alone, so that a Pipeline predicts without it.
    random_state : int, RandomState instance or None, default=None
        Seed. With the pixels of an image it decides its noise. None draws a seed in `fit`.

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
    channel_axis_ : int or None
        -1 if an axis holds channels, else None.
    clip_ : (float, float) or None
        Range to which the noisy images are clipped.
    seed_ : int
        The seed in use.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    StripeNoise : Rows or columns without correlation.

    Notes
    -----
    The noise is as strong at the border as inside. It takes time in proportion to the size of the
    kernel.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import StructuredNoise
    >>> X_clean = np.random.default_rng(0).random((100, 16, 16))
    >>> streaks = StructuredNoise(std=0.1, kernel=(1.0, 1.0), clip=None, random_state=0)
    >>> noise = streaks.fit_transform(X_clean) - X_clean
    >>> float(noise.std().round(2))
    0.1
    >>> correlation = np.corrcoef(noise[:, :, 1:].ravel(), noise[:, :, :-1].ravel())[0, 1]
    >>> float(correlation.round(1))
    0.5
    """

    _parameter_constraints: dict = {
        **BaseNoise._parameter_constraints,
        "std": level(Real, 0, MAX_LEVEL),
        "kernel": ["array-like"],
        "axis": [StrOptions({"pixels", "rows", "columns"})],
    }
    _spatial = True

    def __init__(
        self,
        std: float | tuple[float, float] = 0.1,
        kernel: ArrayLike = (1.0, 1.0, 1.0),
        axis: str = "pixels",
        *,
        image_shape: tuple[int, ...] | None = None,
        clip: str | tuple[float, float] | None = "auto",
        when: str = "always",
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(clip=clip, when=when, random_state=random_state)
        self.std = std
        self.kernel = kernel
        self.axis = axis
        self.image_shape = image_shape

    def _variance(self, mean):
        return mean_level(self.std, 2)

    def _corrupt(self, images, rng):
        std = self._level(self.std, rng, images)
        sides = stripes(images, self.axis)
        kernel = self._unit_kernel(len(sides))
        size = [n + k - 1 for n, k in zip(sides, kernel.shape, strict=True)]
        n_channels = images.shape[-1] if self.axis == "pixels" else 1
        white = rng.normal(0.0, std, (len(images), *size, n_channels))
        noise = 0
        for corner, weight in np.ndenumerate(kernel):
            place = (slice(i, i + n) for i, n in zip(corner, sides, strict=True))
            noise = noise + float(weight) * white[:, *place]
        return images + noise

    def _unit_kernel(self, n_axes):
        """The kernel, with so many axes, as weights that keep the variance of white noise."""
        kernel = np.array(self.kernel, dtype=float, ndmin=2)
        kernel = kernel.T if self.axis == "rows" else kernel
        if n_axes == 1:
            # A signal is one row.
            kernel = kernel[:1, 0] if self.axis == "rows" else np.atleast_1d(kernel.squeeze())
        kernel = kernel.reshape(*[1] * (n_axes - kernel.ndim), *kernel.shape)
        if kernel.ndim > n_axes:
            raise ValueError(
                f"kernel of shape {kernel.shape} has more axes than a sample, which has {n_axes}; "
                "pass weights of shape (length,)."
            )
        # Scaled twice, because the squares of small or large weights are not floats.
        kernel = kernel / np.abs(kernel).max()
        return kernel / np.linalg.norm(kernel)

    def _validate_params(self):
        super()._validate_params()
        kernel = np.asarray(self.kernel)
        one_side = kernel.ndim == 1 or (kernel.ndim in (2, 3) and self.axis == "pixels")
        is_real = kernel.dtype.kind in "iuf" and kernel.size > 0
        if not (one_side and is_real and np.isfinite(kernel).all() and kernel.any()):
            raise ValueError(
                f"kernel={self.kernel!r} must be finite weights, not all 0, of shape (length,), or "
                "(height, width) or (depth, height, width) with axis='pixels'; pass (1.0, 1.0, "
                "1.0), say."
            )
