"""Noise whose strength depends on the image."""

from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._images import MAX_LEVEL, warn_user
from ._base import BaseNoise, level, mean_level

# NumPy and torch both draw Poisson counts up to here.
_MAX_RATE = 1e18


def _warn_if_dark(noise, low, high, dark):
    """Warn where images are so far below `dark`, the value of no light, that it is a mistake."""
    if low < dark - 0.1 * (float(high) - float(low)):
        warn_user(
            f"X spans [{low:.3g}, {high:.3g}], but {type(noise).__name__} counts no light below "
            f"{dark:.3g} and lifts darker values to it. Add an offset to the images, or pass the "
            "camera's as offset= of PoissonGaussianNoise."
        )


class PoissonNoise(BaseNoise):
    r"""Count photons, :math:`\tilde x = \mathrm{Poisson}(x \cdot p) / p`.

    This is shot noise: its variance :math:`x / p` grows with the image. Values below 0 are treated
    as 0.

    Parameters
    ----------
    peak : float or (float, float), default=255.0
        Photons :math:`p` counted where the image is 1.0, from 1e-9 to 1e9; fewer photons are more
        noise. A pair draws one peak per image, uniformly from the range.
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
    GaussianNoise : Noise that does not depend on the image.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import PoissonNoise
    >>> X_clean = np.linspace(0.2, 0.3, 64000).reshape(1000, 8, 8)
    >>> X_noisy = PoissonNoise(peak=100, random_state=0).fit_transform(X_clean)
    >>> float((X_noisy - X_clean).std().round(2))
    0.05
    """

    _parameter_constraints: dict = {
        **BaseNoise._parameter_constraints,
        "peak": level(Real, 1e-9, 1e9),
    }

    def __init__(
        self,
        peak: float | tuple[float, float] = 255.0,
        *,
        clip: str | tuple[float, float] | None = "auto",
        when: str = "always",
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(clip=clip, when=when, random_state=random_state)
        self.peak = peak

    def _variance(self, mean):
        return mean_level(self.peak, -1) * mean.clip(0)

    def _corrupt(self, images, rng):
        peak = self._level(self.peak, rng, images)
        return rng.poisson((images * peak).clip(0.0, _MAX_RATE)) / peak

    def warn_if_clipped(self, low, high):
        """Warn where clipping, or the lack of negative photons, would change the images."""
        super().warn_if_clipped(low, high)
        _warn_if_dark(self, low, high, 0.0)


class PoissonGaussianNoise(BaseNoise):
    r"""Count photons and add read noise, as a camera does.

    .. math:: \tilde x = g \, \mathrm{Poisson}\left(\frac{x - b}{g}\right) + b + n,
        \quad n \sim \mathcal N(0, \sigma^2),

    in the units of `X`: the mean is :math:`x`, the variance :math:`g (x - b) + \sigma^2`. Values
    below the offset :math:`b` are treated as :math:`b`.

    Parameters
    ----------
    gain : float or (float, float), default=1.0
        Units of `X` per photon, :math:`g > 0`. Images in [0, 1] of at most 100 photons have a gain
        of ``1 / 100``. A pair draws one gain per image, uniformly from the range.
    std : float or (float, float), default=0.0
        Standard deviation :math:`\sigma \ge 0` of the read noise, in the units of `X`. A pair draws
        one level per image, uniformly from the range.
    offset : float, default=0.0
        Value :math:`b` of a pixel without light, in the units of `X`.
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
    PoissonNoise : Photons alone, of images in [0, 1].
    estimate_noise : Finds gain, read noise and offset from images.
    skdae.VarianceStabilized : Lets denoisers for Gaussian noise deal with this one.

    References
    ----------
    Foi, A. et al. (2008). "Practical Poissonian-Gaussian noise modeling and fitting for
    single-image raw-data". IEEE Transactions on Image Processing 17.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import PoissonGaussianNoise
    >>> X_clean = np.full((10, 64, 64), 1100.0)  # camera counts
    >>> camera = PoissonGaussianNoise(gain=2.0, std=5.0, offset=100.0, random_state=0)
    >>> noise = camera.fit_transform(X_clean) - X_clean
    >>> float(noise.std().round()), round((2.0 * (1100 - 100) + 5.0**2) ** 0.5)
    (45.0, 45)
    """

    _parameter_constraints: dict = {
        **BaseNoise._parameter_constraints,
        "gain": level(Real, 1 / MAX_LEVEL, MAX_LEVEL),
        "std": level(Real, 0, MAX_LEVEL),
        "offset": [Interval(Real, -MAX_LEVEL, MAX_LEVEL, closed="both")],
    }

    def __init__(
        self,
        gain: float | tuple[float, float] = 1.0,
        std: float | tuple[float, float] = 0.0,
        offset: float = 0.0,
        *,
        clip: str | tuple[float, float] | None = "auto",
        when: str = "always",
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(clip=clip, when=when, random_state=random_state)
        self.gain = gain
        self.std = std
        self.offset = offset

    def _variance(self, mean):
        return mean_level(self.gain) * (mean - self.offset).clip(0) + mean_level(self.std, 2)

    def _corrupt(self, images, rng):
        gain = self._level(self.gain, rng, images)
        std = self._level(self.std, rng, images)
        offset = float(self.offset)
        photons = ((images - offset) / gain).clip(0.0, None)
        # The noise of more photons than can be drawn is less than float64 resolves.
        drawn = photons.clip(None, _MAX_RATE)
        counts = rng.poisson(drawn) + (photons - drawn)
        return gain * counts + offset + rng.normal(0.0, std, images.shape)

    def warn_if_clipped(self, low, high):
        """Warn where clipping, or the lack of negative photons, would change the images."""
        super().warn_if_clipped(low, high)
        _warn_if_dark(self, low, high, self.offset)


class SpeckleNoise(BaseNoise):
    r"""Multiply the image by noise, :math:`\tilde x = x + x \cdot n`.

    It occurs in coherent imaging (ultrasound, radar, lasers). Its standard deviation is
    :math:`\sigma x`.

    Parameters
    ----------
    std : float or (float, float), default=0.3
        Standard deviation :math:`\sigma \ge 0` of :math:`n`, a ratio. A pair draws one level per
        image, uniformly from the range.
    distribution : {"gaussian", "uniform"}, default="gaussian"
        Distribution of :math:`n`, whose mean is 0; the uniform one spans
        :math:`\pm \sqrt 3\, \sigma`.
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
    GaussianNoise : Noise that does not depend on the image.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import SpeckleNoise
    >>> X_clean = np.linspace(0.4, 0.6, 64000).reshape(1000, 8, 8)
    >>> X_noisy = SpeckleNoise(std=0.2, random_state=0).fit_transform(X_clean)
    >>> float((X_noisy - X_clean).std().round(2))
    0.1
    """

    _parameter_constraints: dict = {
        **BaseNoise._parameter_constraints,
        "std": level(Real, 0, MAX_LEVEL),
        "distribution": [StrOptions({"gaussian", "uniform"})],
    }

    def __init__(
        self,
        std: float | tuple[float, float] = 0.3,
        distribution: str = "gaussian",
        *,
        clip: str | tuple[float, float] | None = "auto",
        when: str = "always",
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(clip=clip, when=when, random_state=random_state)
        self.std = std
        self.distribution = distribution

    def _variance(self, mean):
        return mean_level(self.std, 2) * mean**2

    def _corrupt(self, images, rng):
        std = self._level(self.std, rng, images)
        if self.distribution == "gaussian":
            ratio = rng.normal(0.0, std, images.shape)
        else:
            ratio = 3**0.5 * std * rng.uniform(-1.0, 1.0, images.shape)
        return images + images * ratio
