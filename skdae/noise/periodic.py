"""Noise that waves along samples: drifts and hum."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval

from .._images import MAX_LEVEL
from ._base import BaseNoise, LevelRange, level

# Frequencies, in cycles per sample, end where two values make a cycle.
_FREQUENCY = [Interval(Real, 0, 0.5, closed="right"), LevelRange(Real, 0, 0.5, closed="right")]


class BaselineWander(BaseNoise):
    r"""Add a slow drift, :math:`\tilde x_t = x_t + \sum_k a_k \cos(2 \pi f_k t + \varphi_k)`.

    Breathing and moving electrodes shift the baseline of an ECG, and warming detectors that of a
    spectrum. The drift runs along the last spatial axis; each channel has its own.

    Parameters
    ----------
    std : float or (float, float), default=0.1
        Standard deviation :math:`\ge 0` of the drift over all samples and signals, in the units of
        `X`. A pair draws one level per signal, uniformly from the range.
    frequency : float, default=0.002
        Highest frequency in cycles per sample, above 0 and at most 0.5: the frequency in hertz over
        the sampling rate, such as ``0.5 / 250``. Those of the waves lie uniformly below.
    n_waves : int, default=5
        Number of waves whose sum is a drift, at least 1.
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
    LineInterference : The hum of the mains.

    References
    ----------
    Moody, G. B., Muldrow, W. E. and Mark, R. G. (1984). "A noise stress test for arrhythmia
    detectors". Computers in Cardiology 11 (kinds of noise in ECGs).

    Examples
    --------
    >>> import numpy as np
    >>> from skdae.noise import BaselineWander
    >>> X_clean = np.random.default_rng(0).random((400, 500))
    >>> wander = BaselineWander(std=0.2, image_shape=(500,), clip=None, random_state=0)
    >>> drift = wander.fit_transform(X_clean) - X_clean
    >>> float(drift.std().round(1)), bool(abs(np.diff(drift)).max() < 0.01)
    (0.2, True)
    """

    _parameter_constraints: dict = {
        **BaseNoise._parameter_constraints,
        "std": level(Real, 0, MAX_LEVEL),
        "frequency": _FREQUENCY[:1],
        "n_waves": [Interval(Integral, 1, None, closed="left")],
    }
    _spatial = True

    def __init__(
        self,
        std: float | tuple[float, float] = 0.1,
        frequency: float = 0.002,
        n_waves: int = 5,
        *,
        image_shape: tuple[int, ...] | None = None,
        clip: str | tuple[float, float] | None = "auto",
        when: str = "always",
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(clip=clip, when=when, random_state=random_state)
        self.std = std
        self.frequency = frequency
        self.n_waves = n_waves
        self.image_shape = image_shape

    def _corrupt(self, images, rng):
        std = self._level(self.std, rng, images)
        size = _one_each_channel(images)
        drift = 0
        for _ in range(int(self.n_waves)):
            frequency = rng.uniform(0.0, float(self.frequency), size)
            # A wave has half the power of its amplitude.
            amplitude = rng.normal(0.0, (2 / int(self.n_waves)) ** 0.5, size)
            drift = drift + amplitude * _wave(images, frequency, rng.uniform(0.0, 1.0, size))
        return images + std * drift


class LineInterference(BaseNoise):
    r"""Add the hum of the mains, :math:`\tilde x_t = x_t + a \cos(2 \pi f t + \varphi)`.

    Power lines of 50 or 60 Hz leak into ECGs and other electrical measurements, and scanning
    microscopes show them as waves along their rows. The phase is drawn for each channel of each
    sample; of images and volumes, each row has its own.

    Parameters
    ----------
    amplitude : float or (float, float), default=0.1
        Amplitude :math:`a \ge 0`, in the units of `X`; the standard deviation is
        :math:`a / \sqrt 2`. A pair draws one level per sample, uniformly from the range.
    frequency : float or (float, float), default=0.2
        In cycles per sample, above 0 and at most 0.5: the frequency in hertz over the sampling
        rate, such as ``50 / 250``. A pair draws one per sample.
    n_harmonics : int, default=1
        Waves of 1, 2, ... times the frequency, with an amplitude that falls as 1, 1/2, ..., as far
        as they are below 0.5 cycles per sample; at least 1.
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
    BaselineWander : A slow drift.
    StripeNoise : One offset per row.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae.noise import LineInterference
    >>> X_clean = 1e-3 * np.random.default_rng(0).random((3, 250))
    >>> hum = LineInterference(0.5, 50 / 250, image_shape=(250,), clip=None, random_state=0)
    >>> spectrum = abs(np.fft.rfft(hum.fit_transform(X_clean)))
    >>> spectrum.argmax(axis=1)
    array([50, 50, 50])
    """

    _parameter_constraints: dict = {
        **BaseNoise._parameter_constraints,
        "amplitude": level(Real, 0, MAX_LEVEL),
        "frequency": _FREQUENCY,
        "n_harmonics": [Interval(Integral, 1, None, closed="left")],
    }
    _spatial = True

    def __init__(
        self,
        amplitude: float | tuple[float, float] = 0.1,
        frequency: float | tuple[float, float] = 0.2,
        n_harmonics: int = 1,
        *,
        image_shape: tuple[int, ...] | None = None,
        clip: str | tuple[float, float] | None = "auto",
        when: str = "always",
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(clip=clip, when=when, random_state=random_state)
        self.amplitude = amplitude
        self.frequency = frequency
        self.n_harmonics = n_harmonics
        self.image_shape = image_shape

    def _corrupt(self, images, rng):
        amplitude = self._level(self.amplitude, rng, images)
        frequency = self._level(self.frequency, rng, images)
        phase = rng.uniform(0.0, 1.0, (*images.shape[:-2], 1, images.shape[-1]))
        hum = 0
        for k in range(1, int(self.n_harmonics) + 1):
            # What is beyond half a cycle per sample would be a lower frequency.
            is_seen = k * frequency <= 0.5
            hum = hum + is_seen * _wave(images, k * frequency, k * phase) / k
        return images + amplitude * hum


def _one_each_channel(images):
    """Shape of one number per channel of each sample."""
    return (len(images), *[1] * (images.ndim - 2), images.shape[-1])


def _wave(images, frequency, phase):
    """Cosines along the last spatial axis of a batch, of frequency and phase in cycles."""
    # Places are a running count of ones, because arrays and tensors both know it.
    ones = 0 * images[(slice(1),) * (images.ndim - 2)][..., :1] + 1
    cycles = frequency * (ones.cumsum(-2) - 1) + phase
    angle = 2 * np.pi * cycles
    return angle.cos() if hasattr(angle, "cos") else np.cos(angle)
