"""Ranges and sizes of what images hold."""

import math
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import product

import numpy as np
from sklearn.utils import gen_batches

from .geometry import check_same_shape
from .warn import warn_user

# Upper limit of noise levels, so that products fit into float32.
MAX_LEVEL = 1e30

# Values per step of a net's `predict`: enough to fill the cores, few enough for their caches.
VALUES_PER_STEP = 2**18

# Values of a chunk in a metric: 1 MB as float64, which stays in the processor's cache.
CHUNK_VALUES = 2**17


def to_float(X):
    """`uint8` becomes ``float32`` in [0, 1]; floats stay as they are."""
    # Dividing, not multiplying by 1/255, makes 255 exactly 1.0.
    return np.divide(X, 255, dtype=np.float32) if X.dtype == np.uint8 else X


def float_dtype(dtype):
    """What numbers become: float32 of floats that lose nothing in it, float64 of all others."""
    is_short = isinstance(dtype, np.dtype) and dtype.kind == "f" and dtype.itemsize <= 4
    return np.float32 if is_short else np.float64


def value_range(X):
    """Smallest and largest value of images or a list of them, as float32; uint8 is in [0, 1]."""
    if isinstance(X, list):
        return union(*map(value_range, X))
    unit = 255 if X.dtype == np.uint8 else 1
    with np.errstate(over="ignore"):
        return float(np.float32(X.min()) / unit), float(np.float32(X.max()) / unit)


def float32_range(X):
    """The range of images that nets take.

    Raises
    ------
    ValueError
        If a value does not fit into the float32 of the nets.
    """
    values = value_range(X)
    if not np.isfinite(values).all():
        raise ValueError(
            "Input X contains infinity or a value too large for dtype('float32'), in which "
            "networks compute; divide the images by a constant first."
        )
    return values


def in_unit_range(values):
    """Whether a range lies in [0, 1], as that of `uint8` does."""
    low, high = values
    return 0 <= low <= high <= 1


def union(*ranges):
    """The range that holds all ranges."""
    return min(low for low, _ in ranges), max(high for _, high in ranges)


# Whether what is looked at is a part of the images that the user passed.
_IS_PART = ContextVar("is_part", default=False)


@contextmanager
def part_of_images():
    """In this context, images are parts of larger ones."""
    token = _IS_PART.set(True)
    try:
        yield
    finally:
        _IS_PART.reset(token)


def is_far(seen, fitted):
    """Whether images span a range that has nothing to do with that of the images at fit.

    Parameters
    ----------
    seen, fitted : (float, float)
        Smallest and largest value.
    """
    (low, high), (least, most) = seen, fitted
    width = most - least
    if _IS_PART.get():
        # Its neighbors may be lighter or darker.
        low, high = min(low, least), max(high, most)
    # Noise may reach far beyond the images; other units are further away than that. Images of one
    # value have none, and smooth ones may be narrow, but not of small values alone.
    is_beyond = low < least - 3 * width or high > most + 3 * width
    is_small = max(abs(low), abs(high)) < 0.01 * max(abs(least), abs(most))
    return bool(width) and (is_beyond or (is_small and 0 < high - low < 0.01 * width))


def warn_if_far(seen, fitted, name="X"):
    """Say so where the images of a name are `is_far`."""
    if is_far(seen, fitted):
        (low, high), (least, most) = seen, fitted
        warn_user(
            f"{name} has values from {low:.4g} to {high:.4g}, but at fit they were from "
            f"{least:.4g} to {most:.4g}; pass images in the same units."
        )


def refuse_other_units(**named):
    """Raise a ValueError where two named batches, or lists, cannot be images in one unit.

    Values up to 255 or 65535 for those in [0, 1] differ by a factor of 255 at least, at their peak
    and on average. No noise and no denoiser makes both: near-black images in [0, 1] may have noise
    that is far stronger, and dim ones in counts a hot pixel.
    """
    measured = []
    for name, X in named.items():
        # Some values, at the same places of both, tell it.
        some = [_some(image) for image in (X if isinstance(X, list) else [X])]
        # A mean of the largest floats is infinite, and compares as such.
        with np.errstate(over="ignore"):
            measured.append((max(map(np.max, some)), np.mean([*map(np.mean, some)]), name))
    (small, least, other), (large, most, name) = sorted(measured)
    with np.errstate(over="ignore"):
        differ = large > 10 and 0 < 100 * small < large and 100 * least < most
    if differ:
        raise ValueError(
            f"{name} has values of about {large:.4g}, but {other} only up to {small:.4g}: their "
            f"units differ. Pass both in the same units, such as {name} / 255; uint8 is read as "
            "value / 255."
        )


def _some(X):
    """Absolute values at some places of images, in the units of denoisers."""
    unit = 255 if X.dtype == np.uint8 else 1
    places = [slice(None, None, max(1, n // 32)) for n in X.shape]
    return np.abs(X[tuple(places)].astype(np.float64)) / unit


def refuse_overflow(result, X, maker):
    """Raise a ValueError where `result`, which `maker` made of finite `X`, is not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = result.sum()
    if not (np.isfinite(total) or np.isfinite(result).all()):
        raise ValueError(
            f"The result of {maker} overflows {result.dtype}: X spans [{X.min():.3g}, "
            f"{X.max():.3g}]. Divide the images by a constant, and give levels in the same units."
        )


def batches(images):
    """Slices of a batch for what takes much more memory than the images do."""
    n_values = math.prod(images.shape[1:])
    # Whole steps of the nets keep every bit.
    step = max(1, VALUES_PER_STEP // n_values)
    return gen_batches(len(images), step * max(1, 2**21 // (step * n_values)))


def squared_errors(X, y):
    """Mean squared error of each image, ``float64`` of shape ``(n_samples,)``."""
    check_same_shape(X_denoised=X, y=y)
    return mean_differences(np.square, y, X)


def mean_differences(function, X, y):
    """Mean of a function of the differences in each image, ``float64`` of shape ``(n_samples,)``.

    `function` works in place, on some images or a part of one, which stay in the cache.
    """
    X, y = (images.reshape(len(images), -1) for images in (X, y))
    n_values = X.shape[1]
    n_rows = max(1, CHUNK_VALUES // n_values)
    totals = np.zeros(len(X))
    # What float64 does not hold is infinite.
    with np.errstate(over="ignore"):
        for i, j in product(range(0, len(X), n_rows), range(0, n_values, CHUNK_VALUES)):
            part = slice(i, i + n_rows), slice(j, j + CHUNK_VALUES)
            # NumPy subtracts arrays of one dtype twice as fast.
            difference = (to_float(X[part]) - to_float(y[part])).astype(np.float64)
            totals[part[0]] += function(difference, out=difference).sum(axis=1)
    return totals / n_values
