"""The noise of images, measured in what the pretrained net removes from them."""

import math
from functools import cached_property

import numpy as np
from scipy.ndimage import convolve, convolve1d, uniform_filter
from scipy.stats import skew

from .tones import remove, seen_middles

# Groups of equal brightness, and the share of the flattest pixels that tell the noise in each.
_GROUPS, _FLATTEST, _WINDOW = 8, 0.5, 25

# Noise is white where the root mean square of its finest details and of all of it have a ratio
# like this, and where channels and neighbors correlate by less. Of white noise, the pretrained
# network leaves neighbors that correlate by -0.02; scanned micrographs had up to 0.09.
_WHITE, _CROSS, _ALIKE = (0.9, 1.2), 0.15, 0.06

# Largest skewness of its distribution, beyond chance. Of counts of five photons and more, and of
# micrographs that can be learned from, it was up to 0.19; of those from which networks learned to
# tell the noise, 0.22 to 0.80.
_SKEWED = 0.2

# Noise that is weaker may not be seen, of the range of an image, and tells nothing in a smaller
# share of it.
_LEAST, _LEAST_SHARE = 1 / 255, 0.1

# Noise is not white where neighbors correlate by more, in what is removed and in the second
# differences along both axes, where white noise has -2 / 3. The first was up to 0.82 for white
# noise where all is texture, the second up to -0.32 where texture is stronger than the noise. Of
# noise through a Gaussian of half a pixel, they are about 0.2 and -0.56.
_SHARED, _NOT_WHITE = 0.15, -0.57

# Noise is correlated over so many pixels, at the most.
_FAR = 8


class RemovedNoise:
    """The noise of an image, measured in what the pretrained net removes from it.

    Parameters
    ----------
    image : ndarray of shape (height, width, n_channels)
        In any units, and of 64 × 64 pixels or more, of which those in the middle count.
    gap : ndarray of bool
        Where values are missing, which are filled.

    Attributes
    ----------
    std : float
        The root mean square of white noise, of which the finest details in flat parts tell. Unlike
        that of blocks, it needs no flat parts beyond a few pixels, of which pages that are full of
        text have no more: there, blocks tell up to six times as much.
    is_correlated : bool
        Whether neighboring pixels share noise: in what is removed from flat parts, and as far as
        their second differences tell.
    """

    def __init__(self, image, gap):
        variances, removed, alike = [], [], []
        channels = (list(np.moveaxis(x, -1, 0)) for x in (image, gap))
        for tones, values, level, missing in seen_middles(*channels):
            denoised, stds = remove(values, level).astype(np.float64), _LEAST
            is_noisy = (level > _LEAST) & ~missing
            if is_noisy.mean() >= _LEAST_SHARE:
                exact = values[0].astype(np.float64)
                stds, chosen, _ = _stds_and_flattest(exact, denoised[0], is_noisy[0])
                alike.append(_correlation((exact - denoised[0]) / stds, chosen))
            spread = tones.back(denoised + stds) - tones.back(denoised - stds)
            variances.append(np.square(spread / 2).mean())
            change = tones.back(values) - tones.back(denoised)
            removed.append(np.where(missing, 0, change)[0, ..., 0])
        self.std = float(np.mean(variances)) ** 0.5
        is_white = _of_second_differences(image) < _NOT_WHITE
        self.is_correlated = max(alike, default=0.0) > _SHARED and not is_white
        self._removed = np.stack(removed, axis=-1)

    @cached_property
    def total_std(self):
        """The root mean square of all that is removed, which tells of correlated noise."""
        return float(np.sqrt(np.square(self._removed).mean()))

    def color(self, white):
        """White noise, ``(..., height, width, n_channels)``, correlated as what is removed is."""
        kernels, root = self._filters
        mixed = np.moveaxis(white @ root.T, -1, 0)
        noise = [
            convolve(x, np.expand_dims(k, [*range(x.ndim - 2)]), mode="wrap")
            for x, k in zip(mixed, np.moveaxis(kernels, -1, 0), strict=True)
        ]
        return np.stack(noise, axis=-1) / self.total_std

    @cached_property
    def _filters(self):
        """Of each channel, the kernel; and the root of the correlation of the channels."""
        alike = np.fft.ifft2(np.abs(np.fft.fft2(self._removed, axes=(0, 1))) ** 2, axes=(0, 1))
        near = np.arange(-_FAR, _FAR + 1)
        window = (1 - np.hypot(*np.ix_(near, near)) / (_FAR + 1)).clip(0)[..., None]
        alike = np.fft.ifftshift(alike.real[np.ix_(near, near)] * window, (0, 1))
        # The root of the spectrum of this correlation is that of a kernel.
        roots = np.sqrt(np.abs(np.fft.fft2(alike, axes=(0, 1))))
        kernels = np.fft.fftshift(np.fft.ifft2(roots, axes=(0, 1)).real, (0, 1))
        kernels *= np.sqrt(np.square(self._removed).mean((0, 1)) / np.square(kernels).sum((0, 1)))
        pixels = self._removed.reshape(-1, kernels.shape[2]).T
        mix = np.atleast_2d(np.corrcoef(pixels)) + 1e-6 * np.eye(len(pixels))
        return kernels, np.linalg.cholesky(mix)


def noise_of(image, denoised, seen):
    """Standard deviation of the noise of each value, and whether it is white and even."""
    stds, chosen, is_white = _stds_and_flattest(image, denoised, seen)
    unit = (image - denoised) / stds
    return stds, is_white and _correlation(unit, chosen) < _ALIKE and bool(_is_even(unit, chosen))


def _stds_and_flattest(image, denoised, seen):
    """Standard deviations, the pixels that tell them, and whether their details are of white noise.

    What denoising takes from the finest details is noise, if it is measured in the flattest pixels
    of each brightness. That they are flat is told by a wide window, because chance makes small
    parts of the noise weaker.
    """
    finest, left = _finest(image), _finest(denoised)
    texture = uniform_filter(np.square(left).mean(axis=2), _WINDOW)
    fine = np.square(finest) - np.square(left)
    all_ = np.square(image - denoised)
    stds, ratios = np.empty_like(image), []
    for c in range(image.shape[2]):
        light = uniform_filter(denoised[..., c].astype(np.float64), 3)
        groups = [*_flattest(light, texture, seen)]
        levels = np.array([fine[..., c].flat[group].mean() for group in groups]).clip(1e-12)
        ratios.append(
            levels.mean() / np.mean([all_[..., c].flat[group].mean() for group in groups])
        )
        # Of neighbors, the finest details are not independent, but of every third pixel.
        chance = (6 / len(groups[0])) ** 0.5
        if levels.std() < 2 * chance * levels.mean():
            levels[:] = levels.mean()
        centers = [light.flat[group].mean() for group in groups]
        stds[..., c] = np.sqrt(np.interp(light, centers, levels))
    is_white = all(_WHITE[0] < ratio**0.5 < _WHITE[1] for ratio in ratios)
    chosen = np.concatenate(groups)
    cross = np.atleast_2d(np.corrcoef(finest.reshape(-1, image.shape[2])[chosen].T))
    is_white &= bool(np.abs(cross - np.diag(np.diag(cross))).max() < _CROSS)
    return stds, chosen, is_white


def _is_even(removed, chosen):
    """Whether the distribution of some pixels is as wide on both sides, in all channels."""
    values = removed.reshape(-1, removed.shape[2])[chosen]
    return np.abs(skew(values)).max() < _SKEWED + 2 * (6 / len(values)) ** 0.5


def _correlation(removed, chosen):
    """That of some pixels with their neighbors, the larger of both axes."""
    flat = removed.reshape(-1, removed.shape[2])[chosen]
    beside = (np.roll(removed, 1, axis).reshape(-1, flat.shape[1]) for axis in (0, 1))
    return max(float((flat * one[chosen]).mean() / np.square(flat).mean()) for one in beside)


def _of_second_differences(image):
    """Correlation of neighboring second differences along both axes, the larger of both."""
    details = np.diff(np.diff(image, 2, axis=0), 2, axis=1)
    pairs = [(details[1:], details[:-1]), (details[:, 1:], details[:, :-1])]
    # By how often they have the same sign, which a few edges hardly change.
    return max(np.sin(np.pi / 2 * np.sign(a * b).mean()) for a, b in pairs)


def _finest(image):
    """The finest details along both axes, in which white noise has its own level."""
    for axis in (0, 1):
        image = convolve1d(image, (1.0, -2.0, 1.0), axis=axis, mode="mirror")
    return image / 6


def _flattest(light, texture, seen):
    """Pixels with little texture in groups of equal brightness, as indices of flat arrays."""
    places = np.flatnonzero(seen)
    places = places[np.argsort(light.flat[places])]
    for group in np.array_split(places, _GROUPS):
        yield group[np.argsort(texture.flat[group])[: math.ceil(_FLATTEST * len(group))]]
