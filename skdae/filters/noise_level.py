"""An estimate of the noise in an image."""

import math
from itertools import product

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from .._images import geometry_of, known_images, to_float


def estimate_noise_std(
    X: ArrayLike,
    image_shape: tuple[int, ...] | None = None,
    channel_axis: int | str | None = "auto",
    *,
    missing_values: float = math.nan,
) -> NDArray[np.float64]:
    """Estimate the standard deviation of the Gaussian noise in each image.

    It is the median absolute value of the finest diagonal wavelet details (db2), over 0.6745, its
    value for normal noise of standard deviation 1; the mean of the channels. In those details
    a smooth image leaves little but noise, and the median passes over its edges.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
            (n_samples, height, width, n_channels)
        Noisy images; images of different sizes may come as a list of arrays.
    image_shape : tuple of int or None, default=None
        Shape of one sample, for flat rows: ``(length,)``, ``(height, width)``, ``(height, width,
        n_channels)`` and so on. None takes rows of a square number of values that look like square
        images for such, and all others for signals.
    channel_axis : {"auto", -1, None}, default="auto"
        -1 if the last axis of `X` holds channels, None if no axis does. "auto" takes the last of
        four axes for channels: of volumes ``(n_samples, depth, height, width)``, pass None, and of
        signals with several leads ``(n_samples, length, n_channels)``, -1.
    missing_values : float, default=nan
        What stands for a missing value in `X`, besides NaN and masked values. They count for
        nothing.

    Returns
    -------
    std : ndarray of float64 of shape (n_samples,)
        In the units of `X`; those of `uint8` are ``value / 255``.

    Raises
    ------
    ValueError
        If `X` is empty, holds infinity or nothing but missing values, or `image_shape` does not
        hold its values.

    Notes
    -----
    The estimate holds for additive noise that is normal, independent from pixel to pixel and of
    one strength all over the image. It is too low where noise was clipped (about half of the true
    value on digits with a black background) or smoothed, as by JPEG, and too high on fine
    texture: a clean image does not give 0. Details that are exactly 0, of flat parts, do not
    count; an image without any others, such as one pixel, gives 0. Images of few pixels give
    rough values: those of 8 by 8 pixels are a tenth too low on average, and scatter by a quarter.

    It is the estimate of `skimage.restoration.estimate_sigma`, without the need for scikit-image.

    References
    ----------
    Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika 81, 1994,
    section 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae.filters import estimate_noise_std
    >>> X_noisy = np.random.default_rng(0).normal(0.5, 0.1, (2, 64, 64))
    >>> estimate_noise_std(X_noisy).round(2)
    array([0.1, 0.1])
    """
    images, gaps = known_images(X, image_shape, channel_axis, missing_values)
    first = images if isinstance(images, np.ndarray) else images[0][None]
    read = geometry_of(first, image_shape, channel_axis).read
    pairs = (
        (read(to_float(x)[None])[0], read(gap[None])[0])
        for x, gap in zip(images, gaps, strict=True)
    )
    return np.array([np.mean(noise_stds(*pair)) for pair in pairs])


# The high-pass filter of Daubechies' wavelet with two vanishing moments, last tap first.
_DB2 = np.array([1 - 3**0.5, 3**0.5 - 3, 3 + 3**0.5, -1 - 3**0.5]) / 32**0.5

# So many details are enough, where others have been told by what fills gaps.
_LEAST = 100


def noise_stds(image, gaps=None):
    """Estimated standard deviation of the noise in each channel of an image."""
    stds = []
    for c in range(image.shape[-1]):
        gap = None if gaps is None else np.atleast_1d(gaps[..., c].squeeze())
        stds.append(noise_std(np.atleast_1d(image[..., c].squeeze()), gap))
    return stds


def noise_std(plane, gap=None):
    """Estimated standard deviation of the noise in one image or signal, filled where `gap` is."""
    has_gaps = gap is not None and gap.any()
    details = _details(np.where(gap, np.nan, plane) if has_gaps else plane)
    # Gaps may be everywhere.
    if has_gaps and len(details) < _LEAST:
        details = _details(plane)
    return float(np.median(details) / 0.6744897501960817) if details.size else 0.0


def _details(plane):
    """The finest wavelet details, without those of flat parts and of NaN."""
    details = plane.astype(np.float64)
    for _ in range(plane.ndim):
        padded = np.pad(details, [(3, 3)] + [(0, 0)] * (plane.ndim - 1), mode="symmetric")
        # One axis after the other: each turn filters the first and moves it to the end.
        details = np.moveaxis(sliding_window_view(padded, 4, axis=0)[1::2] @ _DB2, 0, -1)
    details = np.abs(details)
    # Flat parts leave nothing, or rounding errors.
    return details[details > 1e-12 * np.fmax.reduce(np.abs(plane), axis=None)]


# Principal components are told by so many samples each, and of blocks of at least this side.
_SAMPLES, _LEAST_SIDE = 4, 4


def std_of_many(images):
    """Standard deviation of the noise that many images share, by their least principal component.

    White noise has the same variance along all components, of which few hold something else; that
    of the least one is therefore rather too small than too large. The components are those of
    blocks in the corners.

    Parameters
    ----------
    images : list of ndarray of shape (height, width, n_channels)
        Images may have different sizes; of samples that are alike, such as digits, the more of
        each a block holds, the less is mistaken for noise.

    Returns
    -------
    std : float or None
        None of too few images.
    """
    n = len(images)
    side = min(math.isqrt(n // _SAMPLES), *(s for image in images for s in image.shape[:2]))
    if side < _LEAST_SIDE:
        return None
    corners = product((slice(side), slice(-side, None)), repeat=2)
    blocks = (np.stack([image[corner] for image in images]) for corner in corners)
    planes = [plane.reshape(n, -1) for block in blocks for plane in np.moveaxis(block, -1, 0)]
    least = min(np.linalg.eigvalsh(np.cov(plane, rowvar=False))[0] for plane in planes)
    # Of few samples, it is too small, which details among the noise make up for.
    return float(max(least, 0.0) ** 0.5)
