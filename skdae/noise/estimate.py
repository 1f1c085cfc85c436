"""What noise is in images: the noise model that would have made it."""

import math
from functools import cache
from itertools import repeat

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray
from scipy.fft import dct
from scipy.ndimage import maximum_filter, uniform_filter
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_consistent_length

from .._checks import check_parameters
from .._images import as_planes, check_targets, geometry_of, known_images, to_float, warn_user
from ..filters.noise_level import noise_std
from ._base import BaseNoise
from .additive import GaussianNoise
from .signal_dependent import PoissonGaussianNoise, SpeckleNoise

# About so many blocks are looked at, in how many groups of equal brightness, and how many a group
# needs at least.
_N_BLOCKS, _N_GROUPS, _LEAST = 2**14, 12, 8

# Noise depends on the light where its variance in the lightest parts is so many times that in the
# darkest; what texture adds to it stays below.
_GROWS = 2.0

# Two estimates are at odds where one is so many times the other.
_AT_ODDS = 1.5

# Of a block of which more is missing, too little is known.
_MISSING = 0.25

_MODEL = {"model": [StrOptions({"gaussian", "poisson-gaussian"})]}


def estimate_noise(
    X: ArrayLike,
    y: ArrayLike | None = None,
    model: str = "gaussian",
    *,
    image_shape: tuple[int, ...] | None = None,
    channel_axis: int | str | None = "auto",
    missing_values: float = math.nan,
) -> BaseNoise:
    r"""Estimate the noise of images, and return it as a noise model.

    It uses noisy images alone, pairs of noisy and clean images, or two frames of each scene. It
    assumes that all images come from the same camera with the same settings, and that the noise is
    independent from pixel to pixel.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or (n_samples, height, width[, n_channels])
        Noisy images, one or more; images of different sizes may come as a list of arrays.
    y : array-like shaped like `X`, or None, default=None
        The same scenes, clean, or with other noise. Of frames of one scene, `X` is
        ``frames[:-1]`` and `y` is ``frames[1:]``. None, or a 1-D array of labels, means that there
        are only noisy images.
    model : {"gaussian", "poisson-gaussian"}, default="gaussian"
        "gaussian" has one standard deviation everywhere. "poisson-gaussian" has the variance
        :math:`g (x - b) + \sigma^2`, which grows with the light.
    image_shape : tuple of int or None, default=None
        Shape of one sample, for flat rows: ``(length,)``, ``(height, width)``, ``(height, width,
        n_channels)`` and so on. None takes rows of a square number of values that look like square
        images for such, and all others for signals.
    channel_axis : {"auto", -1, None}, default="auto"
        -1 if the last axis of `X` holds channels, None if no axis does. "auto" takes the last of
        four axes for channels: of volumes ``(n_samples, depth, height, width)``, pass None, and of
        signals with several leads ``(n_samples, length, n_channels)``, -1.
    missing_values : float, default=nan
        What stands for a missing value in `X` and `y`, besides NaN and masked values. They count
        for nothing.

    Returns
    -------
    noise : GaussianNoise or PoissonGaussianNoise
        Not fitted, in the units of `X`; those of `uint8` are ``value / 255``.

    Warns
    -----
    UserWarning
        If neighboring pixels have correlated noise, or if something moved between `X` and `y`.

    Raises
    ------
    ValueError
        If `X` has no noise (it is constant, or equals `y`), too few pixels, too many pixels at the
        ends of its range, infinity or nothing but missing values, or if `y` does not have its
        shape.

    See Also
    --------
    skdae.filters.estimate_noise_std : One standard deviation for each image.
    skdae.plotting.NoiseDisplay : Shows the variances and the model.
    skdae.VarianceStabilized : Denoises with such an estimate.

    Notes
    -----
    Of noisy images alone, the Gaussian model is the median of `estimate_noise_std` over the images,
    unless the network that sees the noise for `PretrainedDenoiser` sees less than two thirds of it,
    as in text, drawings and other textures, or more than one and a half times as much of noise
    whose neighbors are correlated. Then what is seen counts, and a warning tells of the
    correlation. Of signals, it is that of the absolute second differences of all, over its value
    for normal noise of standard deviation 1. For the other, blocks of 8 × 8 pixels are transformed
    by the cosine transform. In the flattest blocks of each brightness, as the low frequencies tell,
    the variance of the high frequencies is that of the noise. A line through variance against mean,
    fitted with weights that trust outliers little, gives the gain and the variance at 0. On Set12
    with gains from 1/10 to 1/200 and read noise from 0 to 20 of 255, the predicted variance is off
    by 2 % in the median case and 12 % in the worst; by 3 % and 18 % where the noisy images are
    clipped to [0, 1].

    With `y`, the noise of a pixel of `X` is correlated with the difference ``X - y`` and not with
    the neighbors of that pixel in `y`, whether `y` is clean or noisy. A warning says so where the
    difference holds more than white noise, because something moved or changed its brightness.

    Where clipping is common, brightnesses are left out. A line has two numbers, the model three:
    if the variance at 0 is positive, it is all read noise, and the offset is 0; if it is negative,
    the offset is where the line crosses 0, and there is no read noise. Both describe the same
    noise of the same images. Of noise that is smoothed, as in JPEG, "poisson-gaussian" tells too
    little.

    References
    ----------
    Foi, A. et al. (2008). "Practical Poissonian-Gaussian noise modeling and fitting for
    single-image raw-data". IEEE Transactions on Image Processing 17.

    Ponomarenko, N. et al. (2007). "An automatic approach to lossy compression of AVIRIS images".
    IGARSS (blocks whose low frequencies are small).

    Examples
    --------
    >>> import numpy as np
    >>> from skdae.noise import PoissonGaussianNoise, estimate_noise
    >>> X_clean = np.tile(np.linspace(200, 4000, 512), (1, 512, 1))
    >>> camera = PoissonGaussianNoise(gain=20.0, std=50.0, random_state=0)
    >>> noise = estimate_noise(camera.fit_transform(X_clean), model="poisson-gaussian")
    >>> round(noise.gain), round(noise.gain * 2000 + noise.std**2, -3)
    (20, 42000.0)
    """
    check_parameters("estimate_noise", _MODEL, model=model)
    planes, targets, gaps = _planes(X, y, image_shape, channel_axis, missing_values)
    means, variances = mean_and_variance_of(planes, targets, gaps)
    if model == "poisson-gaussian":
        return _camera(means, *_line(means, variances))
    if targets is None:
        return GaussianNoise(std=agreed_std(_std(planes, gaps, np.median), planes, gaps))
    return GaussianNoise(std=float(np.sqrt(variances.mean())))


def choose_noise(X, image_shape=None, channel_axis="auto"):
    """The noise of images: Gaussian, or Poisson-Gaussian or speckle where it grows with the light.

    Speckle is what a variance that is the square of the mean explains better than a line. On Set12
    and 5 photographs, the mean logarithmic error of the square was at most 0.5 times that of the
    line under speckle of 0.1 to 0.3, and at least 2.5 times under Gaussian and Poisson-Gaussian
    noise. Weaker speckle drowns in texture; Poisson-Gaussian noise then stands for it.

    Parameters
    ----------
    X, image_shape, channel_axis
        As in `estimate_noise`; too few pixels, and images without noise, are welcome.

    Returns
    -------
    noise : GaussianNoise, PoissonGaussianNoise or SpeckleNoise
        Without clipping.
    """
    planes, _, gaps = _planes(X, None, image_shape, channel_axis)
    try:
        means, variances = mean_and_variance_of(planes, None, gaps)
    except ValueError:
        # The median of all details stands for blocks of which there are not enough.
        return GaussianNoise(std=_std(planes, gaps, np.mean), clip=None)
    even = GaussianNoise(std=float(np.median(variances)) ** 0.5, clip=None)
    return growing_noise(means, variances) or even


def growing_noise(means, variances):
    """The Poisson-Gaussian noise or speckle of variances that grow with the light, or None."""
    gain, intercept = _line(means, variances)
    darkest, lightest = gain * np.array([means.min(), means.max()]) + intercept
    if lightest <= _GROWS * darkest:
        return None
    if means.min() > 0:
        square = np.median(variances / means**2)
        line = gain * means + intercept
        if _misfit(variances, square * means**2) < _misfit(variances, line):
            return SpeckleNoise(std=float(square) ** 0.5, clip=None)
    return _camera(means, gain, intercept).set_params(clip=None)


def _std(planes, gaps, average):
    """One standard deviation of planes, or of signals."""
    if any(min(plane.shape) > 1 for plane in planes):
        return float(average(list(map(noise_std, planes, gaps))))
    # Each signal may have few values, so that those of all tell it.
    known = (np.where(gap, np.nan, plane) for plane, gap in zip(planes, gaps, strict=True))
    details = np.concatenate([np.diff(plane.ravel().astype(np.float64), 2) for plane in known])
    # Flat parts leave nothing, or rounding errors.
    details = np.abs(details)[np.abs(details) > 1e-12 * max(np.abs(p).max() for p in planes)]
    return float(np.median(details) / (0.6745 * 6**0.5)) if details.size else 0.0


def agreed_std(std, planes, gaps=None):
    """A standard deviation that differences of neighbors tell, or what the pretrained net sees.

    The first is the more exact for white noise, but takes texture for noise, and the most of
    correlated noise for none. The net, which has learned what these look like, decides where the
    two are at odds.

    Parameters
    ----------
    std : float
    planes, gaps : list of ndarray of shape (height, width)

    Warns
    -----
    UserWarning
        Where the net sees noise whose neighbors are correlated.
    """
    ratio = at_odds(planes, gaps)
    if ratio > 1:
        from .tones import are_correlated

        if not are_correlated(planes, gaps):
            # Where most pixels are dark, the noise of a few others is seen, too.
            return std
        warn_user(
            "The noise of X is correlated between neighboring pixels, as sensors, optics and "
            f"compression make it: its standard deviation is about {ratio * std:.3g}, of which "
            f"neighbors tell {std:.3g}. Methods that expect independent noise leave most of it; "
            "PretrainedDenoiser has learned such noise, too."
        )
    return ratio * std


def at_odds(planes, gaps=None):
    """How much more noise is seen than told, where that is much or little; else 1."""
    # It loads a net.
    from .tones import seen_ratio

    ratio = seen_ratio(planes, gaps)
    return 1.0 if 1 / _AT_ODDS < ratio < _AT_ODDS else ratio


def _misfit(variances, model):
    """Mean logarithmic error of a model of variances."""
    floor = 1e-3 * variances.max()
    return np.abs(np.log(np.maximum(variances, floor) / np.maximum(model, floor))).mean()


def mean_and_variance(
    X: ArrayLike,
    y: ArrayLike | None = None,
    image_shape: tuple[int, ...] | None = None,
    channel_axis: int | str | None = "auto",
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean of images and variance of their noise, in groups of equal brightness.

    Parameters
    ----------
    X, y, image_shape, channel_axis
        As in `estimate_noise`.

    Returns
    -------
    means : ndarray of shape (n_groups,)
    variances : ndarray of shape (n_groups,)
    """
    return mean_and_variance_of(*_planes(X, y, image_shape, channel_axis))


def mean_and_variance_of(planes, targets=None, gaps=None):
    """The same, of checked images whose channels are planes ``(height, width)``."""
    n_pixels = sum(map(np.size, planes))
    low, high = min(map(np.min, planes)), max(map(np.max, planes))
    n_low = sum(map(np.count_nonzero, map(np.equal, planes, repeat(low))))
    n_high = sum(map(np.count_nonzero, map(np.equal, planes, repeat(high))))
    # Where the last value of the range is a common one, values beyond it were clipped.
    ends = np.array([low, high])[np.array([n_low, n_high]) > 1e-3 * n_pixels].tolist()
    stride = max(1, round((n_pixels / _N_BLOCKS) ** 0.5))
    given = (planes, targets or repeat(None), gaps or repeat(False), repeat(stride), repeat(ends))
    mean, texture, variance, clipped, missing = np.concatenate([*map(_blocks, *given)], axis=1)
    is_known = (clipped < 0.5) & (missing < _MISSING)
    usable = np.flatnonzero(is_known & (texture + np.abs(variance) > 0))
    if len(usable) < _LEAST:
        raise ValueError(
            f"X has {n_pixels} pixels in [{low:.3g}, {high:.3g}], in which {len(usable)} of "
            f"{len(mean)} blocks tell the noise; at least {_LEAST} are needed, neither constant, "
            "nor at the ends of the range, nor equal to y. Pass more or larger noisy images, with "
            "less of them saturated."
        )
    if targets is not None:
        _warn_of_structure(planes, targets, gaps, ends, high - low)
    average, rows = np.mean if targets else np.median, []
    n_groups = min(_N_GROUPS, len(usable) // _LEAST)
    for group in np.array_split(usable[np.argsort(mean[usable])], n_groups):
        if targets is None:
            # The flattest blocks; texture in their high frequencies is an outlier.
            group = group[np.argsort(texture[group])[: max(_LEAST, round(0.15 * len(group)))]]
        rows.append((mean[group].mean(), average(variance[group]), clipped[group].mean()))
    means, variances, shares = np.array(rows).T
    kept = shares <= max(0.03, np.median(shares))
    return means[kept], variances[kept].clip(0, None)


def _warn_of_structure(planes, targets, gaps, ends, unit):
    """Say so where differences hold more than white noise, such as a scene that has moved.

    Neighboring differences are then alike, and they follow the slope of the scene. Of white noise,
    each of the sums is normal, whatever its strength here and there; on 9 pictures of scikit-image
    with four kinds of noise, none of 7,000 was further than 4.1 standard deviations from 0.
    """
    triples = zip(planes, targets, gaps, strict=True)
    moments = sum(_moments(*triple, ends, unit) for triple in triples)
    alike, alike_2, power, along, along_2, steepness = moments.T
    with np.errstate(divide="ignore", invalid="ignore"):
        rho, slope = alike / power, along / np.sqrt(power * steepness)
        is_alike = (np.abs(rho) > 0.01) & (alike**2 > 36 * alike_2)
        # Of the variance, the square of it is the scene's.
        has_moved = (np.abs(slope) > 0.05) & (along**2 > 36 * along_2)
    if (is_alike | has_moved).any():
        warn_user(
            "The differences between X and y hold more than noise that is independent from pixel "
            f"to pixel: neighbors correlate by up to {np.nanmax(np.abs(rho)):.2f}, and with the "
            f"slope of the scene by {np.nanmax(np.abs(slope)):.2f}. Something moved or changed its "
            "brightness between the frames, and is taken for noise; align the frames, or pass "
            "frames that differ in nothing else. Correlated noise, as of JPEG, does so, too."
        )


def _moments(plane, target, gap, ends, unit):
    """The sums of `_warn_of_structure`, and those of their squares, for each axis of a plane."""
    scene = np.add(plane, target, dtype=np.float64) / (2 * unit)
    difference = np.subtract(plane, target, dtype=np.float64) / unit
    difference[gap] = 0
    if ends:
        # Clipping moves the mean of noise.
        is_end = np.isin(plane, ends) | np.isin(target, ends)
        difference[maximum_filter(is_end, 9)] = 0
    moments = np.zeros((2, 6))
    for axis in np.flatnonzero(np.greater(plane.shape, 2)):
        d, s = np.moveaxis(difference, axis, 0), np.moveaxis(scene, axis, 0)
        rise = s[2:] - s[:-2]
        alike, along = d[1:] * d[:-1], d[1:-1] * rise
        moments[axis] = [np.sum(v) for v in (alike, alike**2, d**2, along, along**2, rise**2)]
    return moments


def _planes(X, y, image_shape, channel_axis, missing_values=math.nan):
    """The channels of checked images as planes, those of their targets, or None, and the gaps.

    A signal is a plane of one row; of volumes, each slice is one.
    """
    X, gaps = known_images(X, image_shape, channel_axis, missing_values)
    if y is not None and np.ndim(next(iter(y), 0)):
        y, more = known_images(y, image_shape, channel_axis, missing_values, "y")
        check_consistent_length(X, y)
        gaps = [a | b if a.shape == b.shape else a for a, b in zip(gaps, more, strict=True)]
    geometry = geometry_of(X, image_shape, channel_axis)
    y = check_targets(X, y, channel_axis)
    found = []
    for images in (X, [] if y is None else y, gaps):
        samples = (as_planes(geometry.read(to_float(image)[None])) for image in images)
        planes = (np.moveaxis(x, -1, 0).reshape(-1, *x.shape[1:3]) for x in samples)
        found.append([plane for channels in planes for plane in channels])
    return found[0], found[1] or None, found[2]


def _blocks(plane, target, gap, stride, ends):
    """Mean, texture, noise variance, shares of clipped and missing pixels of blocks of 8 × 8."""
    if max(plane.shape) < 3:
        return np.zeros((5, 1))
    plane = plane.astype(np.float64)
    sides = tuple(np.minimum(8, plane.shape).tolist())
    layers = [plane, np.isin(plane, ends), np.broadcast_to(gap, plane.shape)]
    if target is not None:
        layers.append(np.where(gap, 0, _products(plane, target)))
    places = (slice(None, None, stride), slice(None, None, stride))
    blocks = [sliding_window_view(x, sides)[places].reshape(-1, *sides) for x in layers]
    down, across, fine = _waves(*sides)
    waves = down @ blocks[0] @ across.T
    mean = waves[:, 0, 0] / np.sqrt(np.prod(sides))
    texture = np.square(waves[:, ~fine]).sum(axis=1) - np.square(waves[:, 0, 0])
    clipped, missing, *products = np.mean(blocks[1:], axis=(2, 3))
    if products:
        variance = products[0]
    else:
        # The median of a mean of n squares, after Wilson and Hilferty.
        variance = np.square(waves[:, fine]).mean(axis=1) / (1 - 2 / (9 * fine.sum())) ** 3
    # What is missing adds nothing: a mean of its neighbors has hardly any noise.
    return mean, texture, variance / (1 - missing).clip(0.1), clipped, missing


@cache
def _waves(height, width):
    """The cosine transforms of blocks along both axes, and which frequencies are fine."""
    down, across = (dct(np.eye(side), axis=0, norm="ortho") for side in (height, width))
    frequency = np.add.outer(np.arange(height) / height, np.arange(width) / width)
    # Of 8 × 8 frequencies, those whose numbers add up to 10 or more.
    return down, across, frequency > 0.7 * frequency.max()


def _products(plane, target):
    """What has the variance of the noise as its mean: differences, and those from neighbors."""
    size = np.minimum(3, plane.shape)
    n = np.prod(size)
    around = (n * uniform_filter(target, size, np.float64, mode="mirror") - target) / (n - 1)
    return (plane - target) * (plane - around)


def _line(means, variances):
    """Gain and intercept of the variance as a function of the mean."""
    if not variances.any():
        return 0.0, 0.0
    # In any unit, both columns are of about one size: lstsq drops what is tiny beside the other.
    unit = np.abs(means).max() or 1.0
    design = np.stack([means / unit, np.ones_like(means)], axis=1)
    floor = 1e-3 * variances.max()
    model, trust = np.maximum(variances, floor), 1.0
    for _ in range(5):
        weights = trust / model
        gain, intercept = np.linalg.lstsq(
            design * weights[:, None], variances * weights, rcond=None
        )[0]
        gain /= unit
        if gain < 0:
            gain, intercept = 0.0, np.average(variances, weights=weights**2)
        model = np.maximum(gain * means + intercept, floor)
        # What texture left can only be too much: values far above the line count less.
        excess = variances / model - 1
        spread = 1.5 * np.median(np.abs(excess)) + 1e-6
        trust = (1 + np.maximum(excess / (2 * spread), 0) ** 2) ** -0.5
    return gain, intercept


def _camera(means, gain, intercept):
    """The Poisson-Gaussian noise whose variance is a line in the mean."""
    darkest, spread = means.min(), np.ptp(means)
    constant = gain * means.mean() + intercept
    if gain == constant == 0:
        raise ValueError(
            "X holds no noise that could be estimated: it varies no more than y does, or its flat "
            "parts are constant. Pass noisy images, with a y that is not X itself."
        )
    # A gain of 0 is not one: photons then make a hundredth of a percent of the variance.
    gain = max(gain, 1e-4 * constant / (spread or abs(darkest) or 1.0))
    crossing = means.mean() - constant / gain
    # No offset, unless the images are dark enough to need one, or the variance small enough.
    offset = max(crossing, min(0.0, darkest) if darkest**2 > constant else 0.0)
    std = (gain * (offset - crossing)) ** 0.5
    return PoissonGaussianNoise(gain=float(gain), std=float(std), offset=float(offset))
