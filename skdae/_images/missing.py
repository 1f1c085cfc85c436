"""Missing pixels: filled for a denoiser from those around them, and put back as they were."""

import math

import numpy as np
from scipy.ndimage import correlate1d, distance_transform_edt, minimum_filter

from .arrays import as_array, as_container_of, holds_array, is_listed
from .geometry import geometry_of
from .stores import is_dask
from .values import float_dtype, to_float
from .warn import warn_user

# A sentinel stands in at least this share of the pixels, and in so many; a hot one is one of fewer.
_SHARED, _FEW = 1e-3, 10


@np.errstate(over="ignore", invalid="ignore")
def gaps_in(values, missing_values=math.nan):
    """Which values of an array are missing; None where none is.

    Parameters
    ----------
    values : ndarray
        NaN and masked values are missing.
    missing_values : float, default=nan
        And so is what equals this.

    Returns
    -------
    gaps : ndarray of bool, shaped like `values`, or None
    """
    gaps, values = np.ma.getmask(values), np.ma.getdata(values)
    # The sum is NaN where a value is.
    if values.dtype.kind == "f" and np.isnan(values.sum()):
        gaps = gaps | np.isnan(values)
    if not math.isnan(missing_values):
        # In the dtype of the values, which may not hold all digits, but holds no other number.
        own = values.dtype.type(missing_values) if values.dtype.kind == "f" else missing_values
        if math.isinf(own) == math.isinf(missing_values):
            gaps = gaps | (values == own)
    return gaps if np.any(gaps) else None


def likely_sentinel(images):
    """A value that many pixels share, further from all others than these are from each other.

    Parameters
    ----------
    images : list of ndarray or MaskedArray

    Returns
    -------
    value : float or None
        None where there is no such value, and of bytes, which have room for none.
    """
    for image in images:
        known = np.ma.compressed(image)
        for end in {known.min(), known.max()} if known.dtype != np.uint8 and known.size else ():
            rest = known[known != end].astype(np.float64)
            n_sharing = known.size - rest.size
            if n_sharing >= max(_FEW, _SHARED * known.size) and rest.size and np.ptp(rest) > 0:
                far = min(abs(rest.min() - float(end)), abs(rest.max() - float(end)))
                if far > np.ptp(rest):
                    return float(end)
    return None


def warn_of_sentinel(images):
    """Say so where a value looks as if it stood for missing pixels; the command has its own name.

    Parameters
    ----------
    images : list of ndarray or MaskedArray
    """
    if (value := likely_sentinel(images)) is not None:
        warn_user(
            f"Many pixels have the value {value:g}, which is far from all others. If it stands for "
            f"missing pixels, pass missing_values={value:g}."
        )


def filled(images, gaps, default=0.0):
    """Images whose missing values are the mean of those beside them, else what lies opposite.

    Both are of the same channel. The mean of several values has less noise than one of them; what
    lies as far from the border of a large gap, on its other side, continues the image as a mirror
    would, noise and all.

    Parameters
    ----------
    images : ndarray of shape (n_samples, *spatial, n_channels)
    gaps : ndarray of bool of that shape
    default : float, default=0.0
        What fills images where nothing else is known of any.

    Returns
    -------
    images : ndarray
    """
    images = images.copy()
    if gaps.all():
        images[:] = default
        return images
    known = images[~gaps]
    # What has no value in its whole channel.
    images[gaps] = np.median(known)
    for i in np.flatnonzero(gaps.any(axis=tuple(range(1, gaps.ndim)))):
        for channel in range(images.shape[-1]):
            _fill_plane(images[i, ..., channel], gaps[i, ..., channel])
    # Sums of huge and small values may miss the range.
    images[gaps] = images[gaps].clip(known.min(), known.max())
    return images


def _fill_plane(plane, gap):
    """Fill what is missing of one channel of a sample, in place."""
    if not gap.any() or gap.all():
        return
    count, total = (~gap).astype(np.float64), np.where(gap, 0, plane).astype(np.float64)
    for axis in range(plane.ndim):
        # No running sums, whose rounding would depend on where a block begins.
        count, total = (correlate1d(x, (1, 1, 1), axis, mode="constant") for x in (count, total))
    if (far := gap & (count == 0)).any():
        nearest = distance_transform_edt(gap, return_distances=False, return_indices=True)
        nearest, here = nearest[:, far], np.array(np.nonzero(far))
        # What is as far on the other side, which has noise of its own, where it is known.
        ends = np.array(plane.shape)[:, None] - 1
        mirrored = (2 * nearest - here).clip(0, ends)
        is_known = ~gap[tuple(mirrored)]
        plane[far] = plane[tuple(np.where(is_known, mirrored, nearest))]
    beside = gap & (count > 0)
    plane[beside] = total[beside] / count[beside]


class Gaps:
    """The missing values of a batch, and how to put them back.

    Parameters
    ----------
    images : ndarray or MaskedArray
    mask : ndarray of bool

    Attributes
    ----------
    scattered : ndarray of bool
        What is missing beside what is known, where that is most of it; else nothing is.
    """

    def __init__(self, images, mask):
        self.mask, self.values = mask, to_float(np.ma.getdata(images))
        self.scattered = np.zeros_like(mask)
        self.hidden = np.ma.getmaskarray(images) if np.ma.isMaskedArray(images) else None

    @np.errstate(over="ignore")
    def put_back(self, result):
        """What a denoiser made of filled images, with the missing values as they were."""
        if isinstance(result, tuple):
            return tuple(map(self.put_back, result))
        # Intervals have an axis before the others.
        out = np.where(self.mask, self.values.astype(result.dtype, copy=False), result)
        if self.hidden is None:
            return out
        return np.ma.masked_array(out, np.broadcast_to(self.hidden, out.shape))


def without_gaps(estimator, X, *, reset=False):
    """Images without missing values, which a denoiser takes, and what was missing.

    Parameters
    ----------
    estimator : estimator
        With `missing_values`, and fitted unless `reset`.
    X : array-like, or list of images
    reset : bool, default=False
        Whether the geometry is to be found in `X`.

    Returns
    -------
    X : object
        What came where nothing is missing; files have been read.
    gaps : Gaps, list of Gaps or None, or None
        None where nothing is missing.

    Raises
    ------
    ValueError
        If, with `reset`, everything is missing.
    """
    if is_dask(X):
        return X, None
    if is_listed(X):
        # Files are read once.
        X = X if isinstance(X, np.ndarray) else list(X)
    if is_listed(X) and len(X) and all(map(holds_array, X)):
        pairs = [_without(estimator, x, reset, is_item=True) for x in X]
        gaps = [gap for _, gap in pairs]
        X, gaps = ([x for x, _ in pairs], gaps) if any(gaps) else (X, None)
    else:
        X, gaps = _without(estimator, X, reset)
    if reset and gaps and all(g and g.mask.all() for g in np.atleast_1d(np.array(gaps, object))):
        raise ValueError(
            "X contains NaN or other missing values alone; pass images some of whose pixels are "
            "known."
        )
    return X, gaps


def _without(estimator, X, reset, is_item=False):
    """The same of one batch, or of one image of a list."""
    images = X if np.ma.isMaskedArray(X) else as_array(X)
    if images is X and hasattr(type(X), "dtype") and holds_array(X):
        # Of a disk, it is read once.
        X = images = np.asanyarray(X)
    if not isinstance(images, np.ndarray) or images.dtype.kind not in "biuf" or not images.ndim:
        return X, None
    mask = gaps_in(images, estimator.missing_values)
    if mask is None:
        return X, None
    if images.ndim == 2 and not is_item and not _knows_neighbors(estimator):
        raise ValueError(
            "Input X contains NaN or other missing values in flat rows, which may be those of a "
            "table, without neighbors to fill them from; pass image_shape= to "
            f"{type(estimator).__name__} if they are images or signals."
        )
    gaps = Gaps(images, mask)
    # What a sentinel is, even infinity, no longer matters.
    batch = np.where(mask, 0, gaps.values).astype(float_dtype(gaps.values.dtype))
    batch, mask = (batch[None], mask[None]) if is_item else (batch, mask)
    shape = _inner_shape(estimator, batch, mask, reset)
    default = 0.0 if reset else _range_of(estimator)[0]
    far = minimum_filter(mask.reshape(shape), (1, *[3] * (len(shape) - 2), 1), mode="nearest")
    if 2 * far.sum() < mask.sum():
        gaps.scattered = gaps.mask & ~far.reshape(gaps.mask.shape)
    batch = filled(batch.reshape(shape), mask.reshape(shape), default).reshape(batch.shape)
    return as_container_of(X, batch[0] if is_item else batch), gaps


def _knows_neighbors(estimator):
    """Whether flat rows have been said to be images, or are so for what takes nothing else."""
    is_said = getattr(estimator, "image_shape", None) is not None
    return is_said or getattr(estimator, "_fits_gaps", True)


def _inner_shape(estimator, batch, mask, reset):
    """The shape of a batch inside of skdae; of what will be refused, that of flat rows."""
    rows = (len(batch), -1, 1)
    if batch.size == 0:
        return batch.shape
    try:
        if not reset:
            return (len(batch), *estimator._geometry.of(batch.shape).shape)
        if batch.ndim == 2:
            # Rows tell whether they are images.
            batch = filled(batch.reshape(rows), mask.reshape(rows)).reshape(batch.shape)
        axis = getattr(estimator, "channel_axis", "auto")
        found = geometry_of(batch, getattr(estimator, "image_shape", None), axis)
        return (len(batch), *found.shape)
    except ValueError:
        return rows


def _range_of(estimator):
    """The range of the images of a fit, as far as an estimator knows it."""
    plan = getattr(estimator, "_plan", None)
    return getattr(estimator, "range_", None) or getattr(plan, "input_range", (0.0, 0.0))


def around_gaps(method):
    """Let a method that makes images of images take missing values, and leave them as they are.

    This is the one door for them: what the method gets has none. Where images have to be whole, and
    single pixels are missing, it works twice: its own result fills them better the second time.
    """

    def filling(self, X, *args, **kwargs):
        given, gaps = without_gaps(self, X)
        result = method(self, given, *args, **kwargs)
        if gaps is None:
            return result
        each = gaps if isinstance(gaps, list) else [gaps]
        is_whole = getattr(self, "receptive_field_", None) is None and not isinstance(result, tuple)
        if is_whole and any(g is not None and g.scattered.any() for g in each):
            result = method(self, _refilled(given, gaps, result), *args, **kwargs)
        return _put_back(gaps, result)

    return filling


def masks_of(gaps, images):
    """Which values of images are missing, by what `without_gaps` has told of them."""
    if isinstance(gaps, Gaps):
        return gaps.mask
    each = gaps or [None] * len(images)
    return [
        np.zeros(image.shape, bool) if gap is None else gap.mask
        for image, gap in zip(images, each, strict=True)
    ]


def _refilled(given, gaps, result):
    """Images whose missing values are what a denoiser has made of them."""
    if isinstance(gaps, list):
        triples = zip(given, gaps, result, strict=True)
        return [x if g is None else _refilled(x, g, r) for x, g, r in triples]
    images = as_array(given)
    return as_container_of(given, np.where(gaps.scattered, result, images).astype(images.dtype))


def _put_back(gaps, result):
    """A result with the missing values of a batch, or of each image of a list."""
    if not isinstance(gaps, list):
        return gaps.put_back(result)
    if isinstance(result, tuple):
        return tuple(_put_back(gaps, part) for part in result)
    parts = [r if g is None else g.put_back(r) for g, r in zip(gaps, result, strict=True)]
    if isinstance(result, list):
        return parts
    return (np.ma.stack if any(map(np.ma.isMaskedArray, parts)) else np.stack)(parts)
