"""Arrays larger than memory: dask arrays lazily, any other array block by block."""

import copy
import math
from itertools import product

import numpy as np
from sklearn.utils import get_tags
from sklearn.utils.validation import _check_n_features, check_is_fitted

from .arrays import refuse_groups
from .geometry import check_kept_shape, geometry_of
from .missing import Gaps, gaps_in, without_gaps
from .stores import check_chunks, check_stores, share_pixels, stores_of
from .values import float_dtype, part_of_images, value_range

# Default block size, as the side by the number of axes, and in values; a network of ten channels
# needs about 50 MB for it.
_SIDES, _VALUES = {1: 2**16, 2: 256, 3: 64}, 2**16


def range_of_chunks(X, missing_values=None):
    """Smallest and largest value of a dask array, as `value_range` has them.

    Missing values are left out, unless `missing_values` is None.
    """
    import dask

    options = {"missing_values": missing_values, "dtype": X.dtype, "meta": X._meta}
    low, high = dask.compute(
        X.map_blocks(_known, instead=math.inf, **options).min(),
        X.map_blocks(_known, instead=-math.inf, **options).max(),
    )
    check_stores("X", stores_of(X))
    if not np.isfinite([low, high]).all():
        raise ValueError(
            "X contains NaN or infinity; pass finite images, some of whose pixels are known."
        )
    return value_range(np.array([low, high], X.dtype))


def _known(block, missing_values, instead):
    """A block with another value in place of those that are missing."""
    gaps = None if missing_values is None else gaps_in(block, missing_values)
    return block if gaps is None else np.where(gaps, instead, np.ma.getdata(block))


# Tiles of an axis


def tiles(length: int, tile: int, stride: int, radius: int) -> list[tuple[int, int, int, int]]:
    """Cover one axis by overlapping tiles.

    Parameters
    ----------
    length, tile : int
        Pixels of the axis, and of a tile.
    stride, radius : int
        Of the receptive field: tiles start at a multiple of the stride, and as far from their
        border as the radius their output is wrong.

    Returns
    -------
    tiles : list of (int, int, int, int)
        Start and stop of each tile, and of its part of the output.

    Raises
    ------
    ValueError
        If the tile has no output of its own.
    """
    if length <= tile:
        return [(0, length, 0, length)]
    check_tile(tile, stride, radius)
    margin = overlap(stride, radius)
    step = (tile - 2 * margin) // stride * stride
    parts = [(first, min(first + step, length)) for first in range(0, length, step)]
    return [(max(a - margin, 0), min(b + margin, length), a, b) for a, b in parts]


def overlap(stride, radius):
    """How far tiles reach into their neighbors: the radius, up to a multiple of the stride."""
    return -(-radius // stride) * stride


def smallest_tile(stride, radius):
    """The smallest tile that has an output of its own."""
    return 2 * overlap(stride, radius) + stride


def check_tile(tile, stride, radius):
    """Refuse tiles that have no output of their own."""
    smallest = smallest_tile(stride, radius)
    if tile < smallest:
        raise ValueError(
            f"tile_size={tile} is no larger than the overlap of the tiles: this denoiser sees "
            f"{radius} pixels to each side; pass tile_size={smallest} or more."
        )


# What is made of a block


def output_of(estimator, X):
    """Shape and dtype of what an estimator makes of an array, which is not looked at."""
    check_is_fitted(estimator)
    shape, kept = tuple(X.shape), get_tags(estimator).transformer_tags.preserves_dtype
    if not 2 <= len(shape) <= 5:
        geometry_of(X)
    check_chunks(X)
    if len(shape) == 2:
        _check_n_features(estimator, X, reset=False)
    if hasattr(estimator, "_check_shape"):
        estimator._check_shape(shape)
    dtype = np.dtype(X.dtype)
    return shape, np.dtype(float_dtype(dtype) if kept and dtype != np.uint8 else np.float32)


def axes_to_cut(estimator, shape):
    """The axes along which parts of samples are denoised; none where these have to be whole."""
    if len(shape) == 2 or getattr(estimator, "receptive_field_", None) is None:
        return ()
    geometry = getattr(estimator, "_geometry", None)
    rank = min(len(shape) - 1, 2) if geometry is None else geometry.rank
    return range(1, rank + 1)


def run(block, estimator, method, start, axes, params=None):
    """Apply a method to a block; errors name its position.

    Parameters
    ----------
    block : ndarray of shape (n_samples, ...)
    estimator : fitted estimator
    method : str
    start : sequence of int
        Where the block begins in the whole array.
    axes : sequence of int
        Those along which it is a part of samples.
    params : dict or None, default=None
        Further keyword arguments of the method.
    """
    # A part may be as narrow as a pixel has channels.
    is_narrow = axes and block.ndim == 3 and getattr(estimator, "channel_axis", "auto") == "auto"
    given = block[..., None] if is_narrow else block
    try:
        with part_of_images():
            result = np.asanyarray(getattr(estimator, method)(given, **(params or {})))
        check_kept_shape(estimator, given, result)
    except ValueError as error:
        # Of what takes missing values, infinite ones alone.
        takes_gaps = hasattr(estimator, "missing_values")
        bad = np.argwhere(np.isinf(block) if takes_gaps else ~np.isfinite(block))
        if len(bad):
            index = [int(first + i) for first, i in zip(start, bad[0], strict=True)]
            raise ValueError(
                f"X{index} is not finite; pass images without "
                f"{'infinity' if takes_gaps else 'NaN and infinity'}."
            ) from None
        where = ", ".join(f"{i}:{i + n}" for i, n in zip(start, block.shape, strict=True))
        raise ValueError(f"X[{where}]: {error}") from error
    return result.reshape(block.shape)


def _reach(estimator, axes):
    """How far off, along an axis, values lie that fill what pixels of a block see."""
    # The nearest value is not further from a gap than the pixel that sees it; its mirror is twice.
    return 1 + math.ceil(2 * estimator.receptive_field_[1] * len(axes) ** 0.5)


def _filled(block, estimator):
    """A block whose missing values are filled."""
    return without_gaps(estimator, block)[0]


def _put_back(block, result, missing_values):
    """What was made of a filled block, with the missing values as they were."""
    gaps = gaps_in(block, missing_values)
    return result if gaps is None else Gaps(block, gaps).put_back(result)


# Dask


def lazily(estimator, method, X, params):
    """A dask array of what a method of an estimator makes of the images of another one.

    Blocks that hold parts of images overlap by the receptive field.

    Parameters
    ----------
    estimator : fitted estimator
        Perhaps with ``receptive_field_``.
    method : str
        Name of the method, for blocks of NumPy.
    X : dask.array.Array of shape (n_samples, ...)
    params : dict
        Further keyword arguments of the method.

    Returns
    -------
    X_denoised : dask.array.Array
    """
    import dask
    import dask.array as da

    shape, dtype = output_of(estimator, X)
    axes = axes_to_cut(estimator, shape)
    chunks = dict.fromkeys(range(1, X.ndim), -1)
    chunks |= {axis: _whole_strides(X.chunks[axis], *estimator.receptive_field_) for axis in axes}
    given = X = X.rechunk(chunks)
    depth = {axis: overlap(*estimator.receptive_field_) for axis in axes}
    # A fit that comes later does not change it; it travels to each worker once.
    fitted = dask.delayed(copy.copy(estimator), traverse=False)
    options = {"boundary": "none", "meta": np.empty((0,) * X.ndim, dtype)}
    if may_miss := bool(axes) and _may_miss(estimator, X):
        reach = {axis: _reach(estimator, axes) for axis in axes}
        # In smaller chunks, as they were, where filling needs to see more.
        X = da.map_overlap(_filled, X, estimator=fitted, depth=reach, dtype=X.dtype, **options)
        X = X.rechunk(chunks)
    result = da.map_overlap(
        _run_chunk,
        X,
        fitted=fitted,
        stores=dask.delayed(stores_of(X), traverse=False),
        how=(method, axes, params, dtype),
        starts=[np.cumsum([0, *sizes]).tolist() for sizes in X.chunks],
        overlaps=depth,
        depth=depth,
        allow_rechunk=False,
        dtype=dtype,
        **options,
    )
    if not may_miss:
        return result
    missing = estimator.missing_values
    return da.map_blocks(_put_back, given, result, missing, dtype=dtype, meta=result._meta)


def _may_miss(estimator, X):
    """Whether a lazy array may hold missing values that an estimator takes."""
    has_nan = X.dtype.kind == "f" or np.ma.isMaskedArray(X._meta)
    return has_nan or not math.isnan(estimator.missing_values)


def _run_chunk(block, fitted, stores, how, starts, overlaps, block_id):
    """What a method makes of a chunk, of whole images or of parts."""
    check_stores("X", stores)
    method, axes, params, dtype = how
    # The first of an axis has no overlap before it.
    before = [overlaps.get(axis, 0) if i else 0 for axis, i in enumerate(block_id)]
    start = [row[i] - n for row, i, n in zip(starts, block_id, before, strict=True)]
    return run(block, fitted, method, start, axes, params).astype(dtype, copy=False)


def _whole_strides(sizes, stride, radius):
    """Sizes of chunks that begin at multiples of a stride and hold the overlap of neighbors."""
    length, margin = sum(sizes), overlap(stride, radius)
    if all(n % stride == 0 and n >= margin for n in sizes[:-1]) and sizes[-1] >= margin:
        return sizes
    for n_chunks in range(max(1, length // max(*sizes, margin, 1)), 0, -1):
        # Of one size, as zarr has it, but for the last, which lends its neighbor the overlap, too.
        size = -(-length // (n_chunks * stride)) * stride
        rest = length - (n_chunks - 1) * size
        if rest >= max(margin, 1):
            break
    return (size,) * (n_chunks - 1) + (rest,)


# Block by block


def predict_blocks(estimator, source, target, tile_size, verbose):
    """Denoise an array block by block into another one; see `BaseDenoiser.predict_to`."""
    from tqdm.auto import tqdm

    shape, dtype = _checked_output(estimator, source, target)
    axes = axes_to_cut(estimator, shape)
    places = _places(estimator, axes, source, target, tile_size)
    n_written, stores = 0, stores_of(source)
    try:
        for place in tqdm(places, unit="block", disable=not verbose):
            start, stop, *_ = zip(*place, strict=True)
            result = _predicted(estimator, source, start, stop, axes, stores)
            inner = tuple(slice(first - start, last - start) for start, _, first, last in place)
            outer = tuple(slice(first, last) for *_, first, last in place)
            target[outer] = _stored(result[inner], np.dtype(target.dtype))
            n_written += 1
        check_stores("target", stores_of(target))
    except BaseException as error:
        error.add_note(f"target is incomplete: {n_written} of {len(places)} blocks are written.")
        raise
    return target


def _checked_output(estimator, source, target):
    """Shape and dtype of the result, which the target has to hold."""
    for name, array in (("source", source), ("target", target)):
        refuse_groups(array, name)
        if not all(hasattr(array, attribute) for attribute in ("shape", "dtype", "__getitem__")):
            raise TypeError(
                f"{name} must be an array with shape, dtype and slices, such as a zarr array or a "
                f"numpy.memmap, not {type(array).__name__}."
            )
    shape, dtype = output_of(estimator, source)
    if tuple(target.shape) != shape:
        raise ValueError(
            f"target has shape {tuple(target.shape)}, but the result has shape {shape}; pass an "
            f"array of that shape, of dtype {dtype} or that of source."
        )
    kind = np.dtype(target.dtype)
    is_short = kind.kind in "iu" and kind.itemsize <= 4
    # By name: files of microscopes and telescopes have the other byte order.
    if kind.kind != "f" and not (is_short and kind.name == np.dtype(source.dtype).name):
        raise ValueError(
            f"target has dtype {kind}, but the result has dtype {dtype}; pass an array of that "
            "dtype, or of the dtype of source where those are integers of up to 32 bits."
        )
    if share_pixels(source, target):
        raise ValueError(
            "target is source itself, or overlaps it in memory or on the disk, whose pixels the "
            "blocks beside still need; pass another array."
        )
    return shape, dtype


def _predicted(estimator, source, start, stop, axes, stores):
    """What `predict` makes of a block of an array."""
    block = _read(source, start, stop)
    check_stores("source", stores)
    gaps = gaps_in(block, estimator.missing_values) if axes else None
    if gaps is None:
        return run(block, estimator, "predict", start, axes)
    # More of the array tells what fills them.
    reach = [_reach(estimator, axes) if axis in axes else 0 for axis in range(block.ndim)]
    first = [max(0, i - n) for i, n in zip(start, reach, strict=True)]
    wide = _filled(_read(source, first, np.add(stop, reach)), estimator)
    part = _read(wide, np.subtract(start, first), np.subtract(stop, first))
    return Gaps(block, gaps).put_back(run(part, estimator, "predict", start, axes))


def _read(array, start, stop):
    """A part of an array, from one corner to the other."""
    return np.asanyarray(array[tuple(map(slice, start, stop))])


def _places(estimator, axes, source, target, tile_size):
    """Along each axis, start and stop of a block, and of its part of the output; all blocks."""
    place = [[(0, n, 0, n)] for n in source.shape]
    for axis in axes:
        length, (stride, radius) = source.shape[axis], estimator.receptive_field_
        tile = length if tile_size is None else tile_size
        if tile == "auto":
            margins = 2 * overlap(stride, radius)
            step = max(_SIDES[len(axes)] - margins, margins // 2, stride) // stride * stride
            chunk = (getattr(target, "chunks", None) or (1,) * 5)[axis]
            if isinstance(chunk, int) and chunk % stride == 0 and chunk <= 2 * step:
                # Chunks that are written once.
                step = max(1, step // chunk) * chunk
            tile = step + margins
        place[axis] = tiles(length, tile, stride, radius)
    n_values = math.prod(max(stop - start for start, stop, *_ in parts) for parts in place[1:])
    place[0] = tiles(source.shape[0], max(1, _VALUES // n_values), 1, 0)
    return list(product(*place))


def _stored(values, dtype):
    """Values as an array of some dtype holds them."""
    if dtype.kind == "f":
        return values
    limits = np.iinfo(dtype)
    values = values.astype(np.float64) * (255 if dtype == np.uint8 else 1)
    return np.rint(values, out=values).clip(limits.min, limits.max, out=values).astype(dtype)
