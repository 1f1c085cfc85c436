"""User input as NumPy arrays."""

from collections.abc import Mapping, Sequence

import numpy as np

from .values import to_float


def is_listed(X):
    """Whether `X` is a list, another sequence such as files, or a 1-D array of objects."""
    if isinstance(X, np.ndarray):
        return X.dtype == object and X.ndim == 1
    return isinstance(X, Sequence) and not isinstance(X, str | bytes)


def as_array(X, name="X"):
    """Convert user input to NumPy arrays, keeping values and dtype.

    This is the one door for tensors of torch, PIL images, DataFrames and lists of arrays, in all
    of which `check_array` takes `uint8` for floats up to 255. Arrays of different shapes stay a
    list; what is not known here goes through, for `check_array` to judge.

    Raises
    ------
    ValueError
        If pixels are masked, of which `check_array` would take what lies behind the mask, or if
        columns of `uint8` stand beside others, in a list or a table.
    TypeError
        As in `refuse_groups`.
    """
    if isinstance(X, np.ndarray) and X.dtype != object:
        if np.ma.is_masked(X):
            raise ValueError(
                f"{np.ma.count_masked(X)} values of the images are masked, and so missing. Filters "
                "and pretrained denoisers take them, and predict of networks does; for all else, "
                "leave out images that have them, crop them, or fill them first, as by "
                "X.filled(X.mean())."
            )
        return X
    if is_listed(X):
        if not isinstance(X, list | tuple | np.ndarray):
            # Files, which are read once.
            X = list(X)
        if len(X) and all(map(holds_array, X)):
            arrays = [np.asarray(as_array(x)) for x in X]
            same_shape = len({array.shape for array in arrays}) == 1
            return np.stack(of_one_kind(arrays)) if same_shape else arrays
        array = joined(X)
        return array if array.dtype.kind in "biuf" else X
    refuse_groups(X, name)
    if hasattr(type(X), "requires_grad"):
        # A tensor. NumPy does not know all of torch's short floats.
        is_short = X.is_floating_point() and X.element_size() < 4
        return (X.float() if is_short else X).numpy(force=True)
    if hasattr(type(X), "getbands"):
        # A PIL image; of one with a palette, the colors.
        return np.asarray(X.convert() if X.mode == "P" else X)
    has_dtype = hasattr(type(X), "dtype") and isinstance(X.dtype, np.dtype)
    if has_dtype or not holds_array(X):
        return X
    dtypes = _dtypes_of_columns(X)
    short = {"uint8": np.uint8, "float32": np.float32, "float": np.float32}
    if len(dtypes) == 1 and hasattr(X, "isna") and (name := dtypes.pop()) in short:
        # The nullable dtypes of pandas, which NumPy takes for objects.
        return X if X.isna().any(axis=None) else X.to_numpy(short[name])
    array = np.asarray(X)
    return array if array.dtype.kind in "biuf" else X


def refuse_groups(X, name):
    """Raise a TypeError for a group of zarr or HDF5, a dict, and whatever else has arrays by name.

    NumPy would take the names for the values.
    """
    is_named = isinstance(X, Mapping) or (hasattr(type(X), "keys") and not holds_array(X))
    # A sparse matrix may be a dict, too.
    if is_named and not hasattr(X, "shape"):
        names = [*X.keys()]
        way_out = f"pass one of them, such as {name}[{names[0]!r}]" if names else "it is empty"
        raise TypeError(
            f"{name} is not an array, but a {type(X).__name__} of arrays by name, "
            f"{', '.join(map(repr, names[:5]))}{', ...' * (len(names) > 5)}; {way_out}."
        )


def _dtypes_of_columns(X):
    """Names of the dtypes of a table of pandas, polars or pyarrow; none of what is not a table.

    Raises
    ------
    ValueError
        If `uint8`, which is read as ``value / 255``, stands beside other dtypes.
    """
    dtypes = X.schema.types if hasattr(X, "column_names") else getattr(X, "dtypes", ())
    names = [str(dtype).lower() for dtype in dtypes]
    are_bytes = ["uint8" in name for name in names]
    if any(are_bytes) and not all(are_bytes):
        columns = getattr(X, "column_names", getattr(X, "columns", range(len(names))))
        byte, other = are_bytes.index(True), are_bytes.index(False)
        raise ValueError(
            f"A table mixes columns of uint8, such as {columns[byte]!r}, which is read as value / "
            f"255, with columns of {names[other]}, such as {columns[other]!r}. Pass all columns in "
            "one unit: cast to float, values stay as they are; divide by 255 for [0, 1]."
        )
    return {name.partition("[")[0] for name in names}


def holds_array(X):
    """Whether NumPy can ask `X` for an array."""
    return hasattr(type(X), "__array__") or hasattr(type(X), "__array_interface__")


def joined(X):
    """A list as one array."""
    try:
        return np.asarray(X)
    except ValueError as error:
        raise ValueError(
            "The images or rows of a list have an inhomogeneous shape; pass rows of one length, or "
            "images of different sizes as a list of arrays (height, width) or (height, width, "
            "n_channels)."
        ) from error


def as_container_of(X, values):
    """`values` as a table where `X` is one, and of the same shape."""
    if getattr(X, "shape", None) != getattr(values, "shape", ()):
        return values
    if hasattr(X, "iloc"):
        return type(X)(values, index=X.index, columns=X.columns)
    if hasattr(X, "get_columns"):
        # Of polars.
        return type(X)(values, schema=X.columns)
    if hasattr(X, "column_names"):
        # Of pyarrow.
        return type(X).from_arrays([*values.T], names=X.column_names)
    return values


def of_one_kind(images):
    """Images of a list, in one unit: `uint8` stays where all have it.

    Raises
    ------
    ValueError
        As in `refuse_mixed_units`.
    """
    are_bytes = [image.dtype == np.uint8 for image in images]
    if all(are_bytes):
        return images
    if any(are_bytes):
        refuse_mixed_units(are_bytes, list(map(_peak, images)))
    return [to_float(image) for image in images]


def _peak(image):
    """Largest absolute value in the units of denoisers; 0 where there is none."""
    if image.dtype.kind not in "iuf" or not image.size:
        return 0.0
    unit = 255 if image.dtype == np.uint8 else 1
    return max(float(image.max()), -float(image.min())) / unit


def refuse_mixed_units(are_bytes, peaks):
    """Raise a ValueError where `uint8`, which is read as ``value / 255``, stands beside counts.

    Parameters
    ----------
    are_bytes : list of bool
        Which images of a list are `uint8`.
    peaks : list of float
        Their largest absolute values.
    """
    most = max(peaks)
    # No noise takes values in [0, 1] so far.
    if any(are_bytes) and not all(are_bytes) and most > 10:
        raise ValueError(
            f"A list of images mixes uint8 (item {are_bytes.index(True)}), which is read as "
            f"value / 255, with values up to {most:.4g} (item {peaks.index(most)}). Pass all in "
            "one unit: 8 bits, and floats from 0 to 255, as image / 255, 16 bits as image / 65535."
        )
