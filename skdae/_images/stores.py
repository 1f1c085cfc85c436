"""Stores on a disk that may vanish while they are read."""

import sys


def is_dask(X):
    """Whether `X` is a dask array; where one is, dask has been imported."""
    dask_array = sys.modules.get("dask.array")
    return isinstance(X, getattr(dask_array, "Array", ()))


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
