"""The noise of images, measured in what the pretrained net removes from them."""

import math

import numpy as np
from scipy.ndimage import convolve1d, uniform_filter
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


def removed_std(planes, gaps):
    """Standard deviation of the noise of gray images, measured in what is removed from them.

    Unlike that of blocks, it needs no flat parts beyond a few pixels, of which pages that are full
    of text have no more: there, blocks tell up to six times as much.

    Parameters
    ----------
    planes : list of ndarray of shape (height, width)
        Gray images, in any units.
    gaps : list of ndarray of bool
        Where values are missing, which are filled.

    Returns
    -------
    std : float or None
        The root mean square; None if all images are too small to tell.
    """
    variances = []
    for tone, values, level, gap in seen_middles(planes, gaps):
        denoised, stds = remove(values[None], level[None])[0], _LEAST
        is_noisy = (level[..., 0] > _LEAST) & ~gap
        if is_noisy.mean() >= _LEAST_SHARE:
            stds, _ = noise_of(values.astype(np.float64), denoised, is_noisy)
        spread = tone.back(denoised + stds) - tone.back(denoised - stds)
        variances.append(np.square(spread / 2).mean())
    return float(np.mean(variances)) ** 0.5 if variances else None


def noise_of(image, denoised, seen):
    """Standard deviation of the noise of each value, and whether it is white and even.

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
    unit = (image - denoised) / stds
    return stds, is_white and _correlation(unit, chosen) < _ALIKE and bool(_is_even(unit, chosen))


def _is_even(removed, chosen):
    """Whether the distribution of some pixels is as wide on both sides, in all channels."""
    values = removed.reshape(-1, removed.shape[2])[chosen]
    return np.abs(skew(values)).max() < _SKEWED + 2 * (6 / len(values)) ** 0.5


def _correlation(removed, chosen):
    """That of some pixels with their neighbors, the larger of both axes."""
    flat = removed.reshape(-1, removed.shape[2])[chosen]
    beside = (np.roll(removed, 1, axis).reshape(-1, flat.shape[1]) for axis in (0, 1))
    return max(float((flat * one[chosen]).mean() / np.square(flat).mean()) for one in beside)


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
