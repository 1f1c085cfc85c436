"""The generalized Anscombe transform: Poisson-Gaussian noise of one strength, and the way back."""

from functools import lru_cache

import numpy as np
from scipy.stats import norm, poisson

from ._base import check_noise
from .additive import GaussianNoise
from .signal_dependent import PoissonGaussianNoise, PoissonNoise

# The table of expectations ends at so many photons; there a square root is a line for the noise.
_MOST = 100.0


def as_camera(noise):
    """Poisson noise as a Poisson-Gaussian one of a single level; None for Gaussian noise.

    Raises
    ------
    TypeError
        If `noise` is not a noise model.
    ValueError
        If it is of another kind, or has a range of levels.
    """
    check_noise(noise)._validate_params()
    kinds = (GaussianNoise, PoissonNoise, PoissonGaussianNoise)
    levels = [getattr(noise, name, 0.0) for name in ("std", "peak", "gain")]
    if not isinstance(noise, kinds) or any(isinstance(v, tuple | list) for v in levels):
        raise ValueError(
            f"noise={noise!r} cannot be stabilized; pass a GaussianNoise, PoissonNoise or "
            "PoissonGaussianNoise of one level, not a range."
        )
    if isinstance(noise, PoissonNoise):
        return PoissonGaussianNoise(gain=1 / noise.peak)
    return noise if isinstance(noise, PoissonGaussianNoise) else None


class AnscombeTransform:
    r"""Stabilise the variance of Poisson-Gaussian noise.

    For a gain :math:`g`, read noise :math:`\sigma` and offset :math:`b`, in photons
    :math:`z = (x - b) / g`,

    .. math:: f(z) = 2 \sqrt{z + 3/8 + (\sigma / g)^2}

    has noise of a standard deviation of about 1; below :math:`z = 0` its tangent continues it. The
    square root bends, so that the mean of the noisy :math:`f(z)` lies below the :math:`f` of the
    mean. `inverse` undoes what happens to the mean, which makes it exact and unbiased for a
    denoiser that finds the mean.

    Parameters
    ----------
    camera : PoissonGaussianNoise
        Of one level.

    References
    ----------
    Mäkitalo, M. and Foi, A. (2013). "Optimal inversion of the generalized Anscombe transformation
    for Poisson-Gaussian noise". IEEE Transactions on Image Processing 22.
    """

    def __init__(self, camera):
        self.gain, self.offset = float(camera.gain), float(camera.offset)
        self.std = float(camera.std) / self.gain

    def transform(self, X):
        """Noisy images in standard deviations of their noise."""
        return _root((X - self.offset) / self.gain, self.std)

    def expect(self, X):
        """The mean of the transformed noisy images whose clean ones are `X`."""
        photons = ((X - self.offset) / self.gain).clip(0, None)
        table, _, bias = _expectation(self.std)
        return _root(photons - np.interp(photons, table, bias), self.std)

    @property
    def darkest(self):
        """The mean of the transformed noisy images where there is no light."""
        return float(_expectation(self.std)[1][0])

    def inverse(self, means):
        """Clean images, of the means of the transformed noisy ones."""
        _, table, bias = _expectation(self.std)
        inside = np.maximum(means, table[0])
        photons = _square(inside, self.std) + np.interp(inside, table, bias)
        # Below the darkest mean, a straight line, as in the transform.
        return self.gain * (photons + _slope(self.std) * (means - inside)) + self.offset


def _root(photons, std):
    lit = np.maximum(photons, 0)
    # Where there are fewer photons than none, the tangent.
    return 2 * np.sqrt(lit + 0.375 + std**2) + (photons - lit) / _slope(std)


def _slope(std):
    """Photons per unit of the transform where there is no light."""
    return (0.375 + std**2) ** 0.5


def _square(values, std):
    return np.square(values / 2) - 0.375 - std**2


@lru_cache(maxsize=32)
def _expectation(std):
    """Numbers of photons, the mean of the transform over their noise, and what its square lacks.

    Beyond the table, that is a constant, a quarter of a photon.
    """
    photons = np.linspace(0, _MOST**0.5, 300) ** 2
    counts = np.arange(poisson.isf(1e-12, _MOST) + 1)
    # Equally likely read noise, in the middle of its share.
    read = std * norm.ppf((np.arange(2000) + 0.5) / 2000)
    of_counts = np.array([_root(count + read, std).mean() for count in counts])
    means = poisson.pmf(counts, photons[:, None]) @ of_counts
    return photons, means, photons - _square(means, std)
