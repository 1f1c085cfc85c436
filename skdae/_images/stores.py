"""Where the pixels of arrays lie: stores on a disk that may vanish, files, memory."""

import io
import math
import os
import sys
from contextlib import suppress

import numpy as np


def is_dask(X):
    """Whether `X` is a dask array; where one is, dask has been imported."""
    dask_array = sys.modules.get("dask.array")
    return isinstance(X, getattr(dask_array, "Array", ()))


def check_chunks(X):
    """Refuse a dask array that does not know its shape."""
    if any(math.isnan(n) for n in X.shape):
        raise ValueError(
            f"An array has shape {X.shape}: the sizes of its chunks are unknown. Call "
            "its compute_chunk_sizes() first."
        )


def stores_of(X):
    """The zarr arrays that `X` is, or that it reads where it is a dask array of them."""
    kind = getattr(sys.modules.get("zarr"), "Array", ())
    held = [X]
    if is_dask(X):
        # What dask.array.from_zarr puts into its graph.
        layers = [layer for name, layer in X.dask.layers.items() if name.startswith("original-")]
        held = [value for layer in layers for value in layer.values()]
    return [array for array in held if isinstance(array, kind)]


def check_stores(name, stores):
    """Refuse zarr arrays that are gone; called after they were read.

    Their chunks are missing then, and zarr takes them, without a word, for chunks that were never
    written, which hold its fill value. The description that each array has is missing, too.
    """
    for array in stores:
        import zarr

        try:
            # In the mode that it has: some stores know no other.
            mode = "r" if array.read_only else "r+"
            zarr.open_array(array.store, path=array.path, mode=mode)
        except Exception as error:
            raise ValueError(
                f"{name} has vanished while it was read: {array.store} holds no zarr array any "
                f"more ({error}), and zarr reads missing chunks as {array.fill_value}. Nothing may "
                "move or remove it while it is read; put it back, and begin again."
            ) from error


def share_pixels(source, target):
    """Whether what is written to one array may then be read from the other.

    Where pixels lie decides, not how it is spelled: a file or a folder may have many names.
    """
    return any(_overlap(array, target) for array in _arrays_in(source))


def _overlap(array, other):
    """Whether two arrays, neither of them of dask, have pixels in common."""
    if isinstance(array, np.ndarray) and isinstance(other, np.ndarray):
        return np.shares_memory(array, other) or np.shares_memory(*_in_one_map(array, other))
    if stores_of(array) and stores_of(other):
        return _place_of(array) == _place_of(other)
    # A data set of HDF5 knows its file; arrays of other kinds may compare each value.
    return array is other or (type(array) is type(other) and (array == other) is True)


def _arrays_in(X):
    """The array itself, or all that are in the graph of a dask array, however deep."""
    if not is_dask(X):
        return [X]
    # It comes with dask.
    import cloudpickle

    found = []

    class Finder(cloudpickle.Pickler):
        """Is asked about everything in a graph; it neither copies nor keeps what it finds."""

        def persistent_id(self, item):
            has_dtype = isinstance(getattr(item, "dtype", None), np.dtype)
            if has_dtype and isinstance(getattr(item, "shape", None), tuple):
                found.append(item)
                return len(found)
            return None

    # What cannot be pickled may still be computed here.
    with suppress(Exception):
        Finder(io.BytesIO()).dump(dict(X.dask))
    return found


def _place_of(array):
    """What two zarr arrays have in common only if they are one."""
    store = array.store
    while hasattr(store, "_store"):
        store = store._store
    root = getattr(store, "root", getattr(store, "path", None))
    for place, rest in ((os.path.join(root, array.path), ""), (root, array.path)) if root else ():
        # A folder; or a file, such as that of a ZipStore.
        with suppress(OSError):
            found = os.stat(place)
            return found.st_dev, found.st_ino, rest
    return str(store), array.path


def _in_one_map(array, other):
    """Two arrays as views of one map, where both are maps of one file; else two empty ones."""
    (name, start), (other_name, other_start) = _file_of(array), _file_of(other)
    try:
        is_same = os.path.samefile(name, other_name)
    except (OSError, TypeError):
        # It has no name, or has lost it.
        is_same = False
    if not is_same:
        return np.empty((2, 0))
    whole = np.memmap(name, np.uint8, "r")
    return (
        np.ndarray(array.shape, array.dtype, whole, start, array.strides),
        np.ndarray(other.shape, other.dtype, whole, other_start, other.strides),
    )


def _file_of(array):
    """Name of the file that an array is a map of, or None, and the byte where it begins there."""
    root = array
    while isinstance(root.base, np.ndarray):
        root = root.base
    if not isinstance(root, np.memmap) or root.filename is None:
        return None, 0
    first, start = (a.__array_interface__["data"][0] for a in (root, array))
    return root.filename, root.offset + start - first
