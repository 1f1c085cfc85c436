"""Images that are read when they are asked for: into memory, or, if they are larger, to a file.

The file is temporary, and mapped into memory: a fit takes its batches from it as from an array.
"""

import math
import tempfile
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from scipy import sparse
from sklearn import get_config
from torch.utils.data import DataLoader, Dataset

from .._images import (
    as_array,
    check_chunks,
    check_stores,
    is_listed,
    refuse_mixed_units,
    stores_of,
    to_float,
    value_range,
)
from .batches import is_memory_map

# Images from which the size of a sequence is estimated.
_FEW = 8


def memory():
    """Bytes that images of a fit may take: half of scikit-learn's ``working_memory``."""
    return get_config()["working_memory"] * 2**20 / 2


def open_images(X, y):
    """Images and targets as arrays: in memory, or, where they do not fit into it, on the disk.

    Parameters
    ----------
    X, y : object
        What was given to `fit`.

    Returns
    -------
    X, y : object
        Each an array, a list of arrays, or what it was.

    Raises
    ------
    TypeError
        If one can be passed through but once.
    ValueError
        If one is not finite, or the sizes of its chunks are unknown.
    """
    for name, images in (("X", X), ("y", y)):
        _check_can_be_read_again(name, images)
    lazy = [images for images in (X, y) if _is_lazy(images)]
    read = _in_memory if sum(map(_n_bytes, lazy)) <= memory() else _on_disk
    opened = read("X", X) if _is_lazy(X) else X
    if y is X:
        return opened, opened
    return opened, read("y", y) if _is_lazy(y) else y


def _is_lazy(X):
    """Whether images are read when they are asked for: arrays on a disk, sequences of files."""
    if isinstance(X, np.ndarray):
        return is_memory_map(X)
    if isinstance(X, list | tuple):
        return len(X) > 0 and all(map(_is_lazy, X))
    return _is_lazy_array(X) or is_listed(X)


def _is_lazy_array(X):
    """Whether `X` has shape, dtype and slices, but is not an array of NumPy."""
    if isinstance(X, np.ndarray) or sparse.issparse(X) or not hasattr(X, "__getitem__"):
        return False
    is_array = isinstance(getattr(X, "dtype", None), np.dtype)
    return is_array and isinstance(getattr(X, "shape", None), tuple) and not hasattr(X, "iloc")


def _n_bytes(X):
    """Bytes that images take as tensors."""
    if hasattr(X, "shape"):
        check_chunks(X)
        return math.prod(X.shape) * _itemsize(X.dtype)
    if not len(X):
        return 0
    # All would have to be read; a few of them tell.
    some = [np.asarray(as_array(X[i])) for i in range(0, len(X), -(-len(X) // _FEW))]
    return sum(image.size * _itemsize(image.dtype) for image in some) / len(some) * len(X)


def _itemsize(dtype):
    """Bytes of a value in the tensors of a fit."""
    return 1 if dtype == np.uint8 else 4


def _in_memory(name, images):
    """Images that fit into memory, where NaN is named by its index."""
    if is_listed(images):
        return as_array(images)
    if not _is_lazy_array(images):
        return images
    stores, images = stores_of(images), np.asarray(images[:])
    check_stores(name, stores)
    if images.ndim > 1 and images.size:
        _check_finite(name, 0, images)
    return images


def _on_disk(name, images, dtype=None):
    """Images in a temporary file, which goes with them."""
    shape = getattr(images, "shape", None)
    if shape is not None and len(shape) < 2:
        # Labels, which need little room.
        return np.asarray(images[:])
    if isinstance(images, np.ndarray) and images.dtype in (np.uint8, np.float32):
        # A memory map that the nets can take as it is.
        return np.asarray(images)
    if dtype is None:
        dtype = np.uint8 if _at(images, 0, 1)[0].dtype == np.uint8 else np.float32
    stores, sizes, peaks, are_bytes = stores_of(images), [], [], []
    with tempfile.TemporaryFile(prefix="skdae") as file:
        for start, stop in pairwise(_bounds(images)):
            for batch in _at(images, start, stop):
                _check_finite(name, start, batch)
                start += len(batch)
                sizes += [batch.shape[1:]] * len(batch)
                peaks.append(max(map(abs, value_range(batch))))
                are_bytes.append(batch.dtype == np.uint8)
                if dtype == np.uint8 and not are_bytes[-1]:
                    # The bytes before have to become floats, too.
                    return _on_disk(name, images, np.float32)
                batch = batch if dtype == np.uint8 else to_float(batch)
                _write(file, np.ascontiguousarray(batch, dtype))
        file.flush()
        values = np.asarray(np.memmap(file, dtype, mode="r"))
    check_stores(name, stores)
    refuse_mixed_units(are_bytes, peaks)
    if len(set(sizes)) == 1:
        return values.reshape(len(sizes), *sizes[0])
    ends = np.cumsum([math.prod(size) for size in sizes])[:-1]
    return [part.reshape(size) for part, size in zip(np.split(values, ends), sizes, strict=True)]


def _write(file, batch):
    """Append a batch to a temporary file."""
    try:
        file.write(batch)
    except OSError as error:
        error.add_note(
            "Images that do not fit into memory are copied to a temporary file in "
            f"{tempfile.gettempdir()}; the environment variable TMPDIR names another folder."
        )
        raise


def _bounds(images):
    """Where parts of images begin that fit into memory and split no chunks, and their number."""
    n = len(images) if is_listed(images) else images.shape[0]
    if is_listed(images):
        return range(n + 1)
    most = max(1, int(memory() / 4 * n / max(1, _n_bytes(images))))
    chunks = (getattr(images, "chunks", None) or (1,))[0]
    # Those of dask tell each size, those of zarr and HDF5 one for all.
    ends = np.cumsum(chunks) if isinstance(chunks, tuple) else [*range(chunks, n, chunks), n]
    bounds = [0]
    for start, stop in pairwise([0, *map(int, ends)]):
        if stop - bounds[-1] > most and start > bounds[-1]:
            bounds.append(start)
    return [*bounds, n]


def _at(images, start, stop):
    """Some images, as a list of batches, each of one size."""
    try:
        if not is_listed(images):
            return [np.asarray(images[start:stop])]
        return [np.asarray(as_array(images[i]))[None] for i in range(start, stop)]
    except Exception as error:
        error.add_note(f"Images {start} to {stop - 1} could not be read.")
        raise


def _check_can_be_read_again(name, images):
    """Refuse what gives its images but once, or as batches."""
    is_loader = isinstance(images, DataLoader | Dataset)
    # Sparse ones are refused as such.
    has_items = hasattr(images, "__getitem__") or hasattr(images, "__array__")
    has_items = has_items or sparse.issparse(images)
    if is_loader or (isinstance(images, Iterable) and not has_items):
        raise TypeError(
            f"{name} is a {type(images).__name__}, but fit reads images many times, in its own "
            "order. Pass an array; a zarr, dask or HDF5 array or a memory map, which may be "
            "larger than the memory; skdae.datasets.ImageFiles(paths) for image files; or call "
            "partial_fit on each batch."
        )


@np.errstate(invalid="ignore", over="ignore")
def _check_finite(name, start, images):
    """Refuse a batch, of which the first is the image `start`, with what is not a finite number."""
    if images.dtype.kind not in "biuf":
        raise ValueError(f"{name} has values of {images.dtype}, not numbers.")
    if np.isfinite(value_range(images)).all():
        return
    is_finite = np.isfinite(images.astype(np.float32)).reshape(len(images), -1).all(1)
    raise ValueError(
        f"Input {name} contains NaN, infinity or a value too large for dtype('float32') in "
        f"image {start + int(is_finite.argmin())}."
    )
