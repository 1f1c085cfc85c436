"""Diagnose the residual without clean images."""

import math
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import rankdata
from sklearn.utils._param_validation import Interval, StrOptions

from .._checks import check_parameters
from .._images import (
    MAX_LEVEL,
    as_planes,
    check_any_images,
    check_same_shape,
    geometry_of,
    is_far,
    to_float,
    value_range,
    warn_user,
)
from ..noise import BaseNoise, GaussianNoise
from ..noise.anscombe import as_camera
from ..noise.estimate import choose_noise
from ..noise.tones import are_correlated

# Side of the blocks whose means tell of removed structure, and the parts of them that are judged,
# from the smoothest to the roughest: in all of them together, noise that is left in one part hides
# structure that is removed in another.
_BLOCK, _ZONES = 2, ((0, 1 / 2), (1 / 2, 1), (3 / 4, 1))

# Orders of the derivatives of a slope.
_SLOPES = ((1, 0, 0), (0, 1, 0))

# Quantiles of a normal variable: 99 % for streaks, 99.5 % for each of the parts.
_BAND, _ZONE_BAND = 2.326, 2.576

# Less of the variance than this, taken away where the image is smooth, is too little. On 300
# photographs with the right model, all but 2 were above, and 57 % the most for 0.7 times its level.
_LEFT = 0.6

# Of the bright half, this is too little where it is so much less than in the dark one. Of eleven
# kinds of images with the noise of a camera, filters that expect the same noise everywhere were
# below in eight, and stabilized ones and the pretrained network in none, but for tiny digits.
_LEFT_IN_LIGHT, _OF_DARK = 0.75, 0.7

# Streaks go through: the correlation between the quarters of rows, or columns, from which on they
# are there.
_STREAKS, _PARTS = 0.2, 4

# More images than this share are warned of: a few are beyond a band by chance.
_SHARE = 0.1

_CAUSES = {
    "structure_removed": (
        "What was taken away from {} images holds more than noise: over blocks of pixels, it "
        "varies more than the noise model allows, so that structure of the image was removed. "
        "Denoise less: tell the denoiser a lower noise level, or train it on such images."
    ),
    "noise_left": (
        "In {} images, less was taken away than the noise model says is there, so that noise is "
        "left. Tell the denoiser a higher noise level, or train it with one."
    ),
    "noise_left_bright": (
        "In {} images, noise is left in the bright half: it grows with the light, and the denoiser "
        "expects the same everywhere. Put VarianceStabilized around it, or take a denoiser that "
        "sees the noise, such as PretrainedDenoiser."
    ),
    "noise_correlated": (
        "In {} images, the noise is correlated between pixels, as that of stripes, compression "
        "and upscaling is. Models of independent noise, and denoisers that learned from such, do "
        "not fit to it."
    ),
}


@dataclass(frozen=True, eq=False, repr=False)
class ResidualReport:
    """Measures of what was removed from each image, as returned by `residual_report`.

    All measures are of ``X_noisy - X_denoised``, divided by the standard deviation that the noise
    model says for the pixel. ``print(report)`` shows their medians and the number of images with
    each flag.

    Attributes
    ----------
    variance : ndarray of shape (n_samples,)
        Mean square: 1 where just the noise was removed. A good denoiser stays a little below
        where the image has much texture.
    smooth_variance : ndarray of shape (n_samples,)
        The same over the half of the pixels where the denoised image is smoothest.
    dark_variance, bright_variance : ndarray of shape (n_samples,)
        The same over the smoothest half of the dark pixels, and of the bright ones.
    block_power : ndarray of shape (n_samples,)
        Mean square of the means of blocks of 2 × 2 pixels, times 4: at most about 1, which is that
        of white noise. More than that is structure. Of the smooth half of the image, its rough
        half and its roughest quarter, the one where it is largest.
    row_correlation, column_correlation : ndarray of shape (n_samples,)
        Rank correlation between the means of the quarters of rows, and of columns: about 0, unless
        the noise has streaks.
    autocorrelation : ndarray of shape (n_samples,)
        That between neighbors with the largest absolute value. A denoiser that takes its
        prediction from the pixels around leaves it slightly below 0.
    correlation : ndarray of shape (n_samples,)
        That with the denoised image.
    structure_removed, noise_left, noise_left_bright, noise_correlated : ndarray of bool of \
            shape (n_samples,)
        The flags. Where noise is correlated, the model of independent noise does not hold, and the
        others are not raised.
    """

    variance: NDArray[np.float64]
    smooth_variance: NDArray[np.float64]
    dark_variance: NDArray[np.float64]
    bright_variance: NDArray[np.float64]
    block_power: NDArray[np.float64]
    row_correlation: NDArray[np.float64]
    column_correlation: NDArray[np.float64]
    autocorrelation: NDArray[np.float64]
    correlation: NDArray[np.float64]
    structure_removed: NDArray[np.bool_]
    noise_left: NDArray[np.bool_]
    noise_left_bright: NDArray[np.bool_]
    noise_correlated: NDArray[np.bool_]

    def __repr__(self):
        n_images = len(self.variance)
        rows = [f"{'':<18}  median    5 %   95 %"]
        for name, values in vars(self).items():
            if name not in _CAUSES:
                numbers = np.quantile(values, (0.5, 0.05, 0.95))
                rows.append(f"{name:<18}  {numbers[0]:6.2f} {numbers[1]:6.2f} {numbers[2]:6.2f}")
        rows += [
            f"{name:<18}  {getattr(self, name).sum()} of {n_images} images" for name in _CAUSES
        ]
        return "\n".join(rows)


def residual_report(
    X_noisy: ArrayLike,
    X_denoised: ArrayLike,
    noise: str | float | BaseNoise = "estimate",
    *,
    image_shape: tuple[int, ...] | None = None,
    channel_axis: int | str | None = "auto",
) -> ResidualReport:
    """Judge a denoiser by what it removed, without clean images.

    After good denoising, ``X_noisy - X_denoised`` is pure noise: it has the variance of the noise
    model, is independent from pixel to pixel, and does not contain the image. Three warnings report
    what else it is: structure was removed, noise was left, or the noise is correlated.

    Parameters
    ----------
    X_noisy : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
            (n_samples, height, width, n_channels)
        Noisy images; images of different sizes may come as a list of arrays.
    X_denoised : array-like shaped like `X_noisy`
        The denoised images.
    noise : "estimate", float or noise model, default="estimate"
        The noise of the images. A number is the standard deviation of Gaussian noise, in the units
        of `X_noisy` (those of `uint8` are ``value / 255``); a noise model is a `GaussianNoise`,
        `PoissonNoise` or `PoissonGaussianNoise` of one level. "estimate" finds Gaussian or
        Poisson-Gaussian noise in each image.
    image_shape : tuple of int or None, default=None
        Shape of one sample, for flat rows. None takes those that look like square images for such,
        and all others for signals.
    channel_axis : {"auto", -1, None}, default="auto"
        -1 if the last axis holds channels, None if no axis does. "auto" takes the last of four axes
        for channels.

    Returns
    -------
    report : ResidualReport
        One value per image of each measure, and of each flag.

    Raises
    ------
    ValueError
        If shapes or units differ, values are not finite, the noise is of another kind, or an image
        has no noise.

    Warns
    -----
    UserWarning
        One for each flag that more than a tenth of the images have.

    See Also
    --------
    skdae.plotting.ResidualDisplay : Shows it.
    skdae.ConformalDenoiser : Tells how far off each pixel may be, from clean images.

    Notes
    -----
    *Structure removed*: the means of blocks of 2 × 2 pixels vary by more than white noise allows
    (its 99.5 % band), in the smooth half of the denoised image, in its rough half, or in the
    roughest quarter. Noise of such low frequencies is what a denoiser cannot tell from the image
    and leaves in it, so that more than all of it is structure. *Noise left*: where the denoised
    image is smooth, less than 60 % of the variance was removed. *Noise is left where it is bright*:
    less than 75 % was removed there, and much less than where it is dark. *Noise is correlated*:
    what was removed has streaks, or second differences of the noisy image are correlated, as in
    `PretrainedDenoiser`.

    On 300 photographs with noise of σ = 25 of 255, where the noise was estimated and
    `PretrainedDenoiser` was told its level, 1 % had a flag. *Noise left* was named in all if the
    denoiser was told 0.7 times the level, and *structure removed* in 91 % for 1.4 times the level
    and in 99 % after a `GaussianFilter` with ``sigma=3``. No flag is thus no proof.

    For small images, the report is unreliable: one of 28 × 28 pixels has only 196 blocks. If the
    noise was clipped at the ends of the range, there is less of it than the model says, and noise
    may seem to be left.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import GaussianFilter, PretrainedDenoiser
    >>> from skdae.metrics import residual_report
    >>> waves = np.sin(np.linspace(0, 20, 128))
    >>> X_clean = 0.5 + 0.3 * waves[:, None] * waves * np.ones((2, 1, 1))
    >>> X_noisy = X_clean + np.random.default_rng(0).normal(0, 0.1, X_clean.shape)
    >>> residual_report(X_noisy, PretrainedDenoiser().fit_transform(X_noisy)).structure_removed
    array([False, False])
    >>> import warnings
    >>> X_blurred = GaussianFilter(sigma=9.0).fit_transform(X_noisy)
    >>> with warnings.catch_warnings(action="ignore"):
    ...     residual_report(X_noisy, X_blurred).structure_removed
    array([ True,  True])
    """
    model = check_noise_model(noise)
    noisy_images, denoised_images = (
        check_any_images(X, name, channel_axis)
        for X, name in ((X_noisy, "X_noisy"), (X_denoised, "X_denoised"))
    )
    check_same_shape(X_noisy=noisy_images, X_denoised=denoised_images)
    ends, denoised_ends = value_range(noisy_images), value_range(denoised_images)
    if is_far(denoised_ends, ends):
        raise ValueError(
            "X_denoised has values from {:.4g} to {:.4g}, but X_noisy from {:.4g} to {:.4g}; pass "
            "both in the same units (those of uint8 are value / 255).".format(*denoised_ends, *ends)
        )
    geometry = geometry_of(noisy_images, image_shape, channel_axis)
    measures, flags = [], []
    for pair in zip(noisy_images, denoised_images, strict=True):
        planes = (as_planes(geometry.read(to_float(x).astype(np.float64)[None])) for x in pair)
        judged = [_judge(noisy, clear, model) for noisy, clear in zip(*planes, strict=True)]
        measure, flag = (np.mean(values, axis=0) for values in zip(*judged, strict=True))
        measures.append(measure)
        # Of a volume, most slices decide.
        flags.append(flag > 0.5)
    report = ResidualReport(*np.array(measures, float).T, *np.array(flags, bool).T)
    for name, message in _CAUSES.items():
        n_flagged = getattr(report, name).sum()
        if n_flagged > _SHARE * len(measures):
            warn_user(message.format(f"{n_flagged} of {len(measures)}"))
    return report


def check_noise_model(noise, name="residual_report", also=()):
    """The noise model that a parameter `noise` stands for, or None where it is to be estimated."""
    kinds = [StrOptions({"estimate"}), Interval(Real, 0, MAX_LEVEL, closed="neither"), BaseNoise]
    check_parameters(name, {"noise": kinds}, noise=noise)
    if isinstance(noise, str):
        return None
    noise = GaussianNoise(std=float(noise)) if isinstance(noise, Real) else noise
    if not isinstance(noise, also):
        # Refuses what has no known variance.
        as_camera(noise)
    return noise


def standardized_residual(noisy, denoised, noise=None):
    """What was taken away from an image (height, width, n_channels), in deviations of the noise."""
    noise = noise or choose_noise(noisy[None])
    variance = noise.variance(denoised)
    if not variance.max() > 0:
        raise ValueError(
            "X_noisy has an image without noise, which no residual can be compared with; leave it "
            "out, or pass noise=."
        )
    # Where there is no light, counted photons have none.
    return (noisy - denoised) / np.sqrt(variance.clip(1e-3 * variance.mean(), None))


def autocorrelation(residual, reach):
    """Autocorrelation up to `reach` pixels away, of shape (2 * reach + 1, 2 * reach + 1)."""
    residual = residual - residual.mean(axis=(0, 1))
    height, width, _ = residual.shape
    sizes = (height + reach, width + reach)
    spectrum = np.abs(np.fft.rfft2(residual, sizes, axes=(0, 1))) ** 2
    products = np.fft.irfft2(spectrum, sizes, axes=(0, 1)).sum(axis=2)
    lags = np.arange(-reach, reach + 1)
    counts = np.outer(*(np.maximum(n - np.abs(lags), 1) / n for n in (height, width)))
    return products[np.ix_(lags, lags)] / counts / (products[0, 0] or 1.0)


def _judge(noisy, denoised, noise):
    """The measures and flags of one image."""
    residual = standardized_residual(noisy, denoised, noise)
    squares = residual**2
    # Along rows and columns, not from color to color.
    slope = np.hypot(*(gaussian_filter(denoised, (1.5, 1.5, 0), order=o) for o in _SLOPES))
    smooth = slope <= np.median(slope)
    light = gaussian_filter(denoised, (1, 1, 0))
    is_dark = light <= np.median(light)
    dark, bright = (_of_smoothest(squares, slope, half) for half in (is_dark, ~is_dark))
    around = autocorrelation(residual, 1)
    neighbors = np.array([around[1, 2], around[2, 1], around[2, 2], around[2, 0]])
    block_power, removed = _structure(residual, slope)
    rows, columns = _streaks(residual), _streaks(residual.swapaxes(0, 1))
    spread = residual.std() * denoised.std()
    covariance = np.mean((residual - residual.mean()) * (denoised - denoised.mean()))
    measures = (
        squares.mean(),
        squares[smooth].mean(),
        dark,
        bright,
        block_power,
        rows,
        columns,
        neighbors[np.abs(neighbors).argmax()],
        covariance / spread if spread > 0 else 0.0,
    )
    sides = np.array(residual.shape[:2])
    is_streaked = (np.array([rows, columns]) > np.maximum(_STREAKS, _BAND / np.sqrt(sides))).any()
    correlated = is_streaked or are_correlated([*np.moveaxis(noisy, -1, 0)])
    left = squares[smooth].mean() < _LEFT
    left_in_light = bright < _LEFT_IN_LIGHT and bright < _OF_DARK * dark
    flags = (flag and not correlated for flag in (removed, left, left_in_light))
    return measures, (*flags, correlated)


def _of_smoothest(squares, slope, part):
    """Mean over the smoothest half of a part of an image; of an image of one value, 1."""
    if not part.any():
        return 1.0
    return squares[part & (slope <= np.median(slope[part]))].mean()


def _structure(residual, slope):
    """Power of the means of blocks where it is largest, 1 for white noise, and if that is much."""
    sides = [min(_BLOCK, side) for side in residual.shape[:2]]
    means, slopes = (_means(x, sides) for x in (residual - residual.mean(axis=(0, 1)), slope))
    powers = means[np.argsort(slopes)] ** 2 * np.prod(sides)
    n = len(powers)
    # An image of one block has no halves.
    zones = [powers[int(low * n) : math.ceil(high * n)] for low, high in _ZONES]
    excess = [(zone.mean() - 1) / np.sqrt(2 / zone.size) for zone in zones]
    return max(zone.mean() for zone in zones), max(excess) > _ZONE_BAND


def _means(images, sides):
    """Means of blocks of all channels."""
    height, width = sides
    n_rows, n_columns = images.shape[0] // height, images.shape[1] // width
    blocks = images[: n_rows * height, : n_columns * width]
    return blocks.reshape(n_rows, height, n_columns, width, -1).mean(axis=(1, 3)).ravel()


def _streaks(residual):
    """Correlation between the parts of a row, over the rows; 0 where these are too few or short."""
    height, width, n_channels = residual.shape
    if height < 32 or width < 4 * _PARTS:
        return 0.0
    parts = np.array_split(residual, _PARTS, axis=1)
    # Differences between rows, because what varies slowly from row to row is the image; and their
    # ranks, because a border of the image goes through all parts, but is a single row.
    means = [np.diff(part.mean(axis=1), 2, axis=0).ravel() for part in parts]
    if not np.ptp(means, axis=1).all():
        return 0.0
    rho = np.corrcoef(rankdata(means, axis=1))
    # The median, because an edge of the image may go through two or three parts.
    return float(np.median(rho[np.triu_indices(_PARTS, 1)]))
