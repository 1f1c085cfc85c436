"""Files: written whole or not at all, and read with distrust.

A file of skdae is a safetensors file: eight bytes with the length of the header, the header in
JSON (names, dtypes, shapes and places of the arrays, and text of its writer's), the bytes of the
arrays. skdae adds a version and a checksum over every byte.
"""

import hashlib
import json
import math
import os

import numpy as np

from .atomic import atomic_write

# The file format's, not skdae's: raised when older versions could no longer read a new file.
FORMAT_VERSION = 1

# Bytes; long attributes are stored among the arrays, so that a header stays far below this.
_MAX_HEADER = 2**24

#: What a file holds: booleans, integers and floats, by their names in safetensors.
DTYPES = {
    "BOOL": np.dtype("?"),
    **{f"U{8 * size}": np.dtype(f"<u{size}") for size in (1, 2, 4, 8)},
    **{f"I{8 * size}": np.dtype(f"<i{size}") for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}

_NO_CHECKSUM = "0" * 64


def dtype_name(dtype):
    """Name of a dtype in safetensors, or None where a file cannot hold it."""
    return _NAMES.get(dtype.newbyteorder("<"))


def write_arrays(path, arrays, metadata):
    """Write arrays and text, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
    arrays : dict of str to ndarray
    metadata : dict of str to str
    """
    # The widest first, so that each starts at a multiple of its items' size.
    arrays = {
        name: np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
        for name, array in sorted(arrays.items(), key=lambda item: -item[1].itemsize)
    }
    own = {"format": "skdae", "format_version": str(FORMAT_VERSION), "checksum": _NO_CHECKSUM}
    header: dict = {"__metadata__": {**own, **metadata}}
    end = 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        header[name] = {
            "dtype": dtype_name(array.dtype),
            "shape": list(array.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > _MAX_HEADER:
        raise ValueError(f"The header would have {len(text)} bytes, above the {_MAX_HEADER}.")
    length = len(text).to_bytes(8, "little")
    digest = hashlib.sha256(length + text)
    for array in arrays.values():
        digest.update(_bytes(array))
    text = text.replace(_NO_CHECKSUM.encode(), digest.hexdigest().encode(), 1)
    with atomic_write(path) as file:
        file.write(length + text)
        for array in arrays.values():
            file.write(_bytes(array))


def read_arrays(path):
    """Read what `write_arrays` wrote, and nothing else.

    Every number of the header is held against the file's size before it is believed.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    arrays : dict of str to ndarray
    metadata : dict of str to str

    Raises
    ------
    ValueError
        If the file is something else, of a newer version, or damaged.
    OSError
        If it cannot be read.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = file.read(8)
        n = int.from_bytes(length, "little")
        if len(length) < 8 or not 2 <= n <= size - 8:
            raise ValueError(
                "it is no safetensors file, or only the beginning of one. Files of joblib or "
                "pickle are read by joblib.load."
            )
        if n > _MAX_HEADER:
            raise ValueError(f"its header has {n} bytes, above the {_MAX_HEADER} of any skdae file")
        text = file.read(n)
        header = parse_json(text)
        metadata = _check_metadata(header)
        shapes = _check_index(header, size - 8 - n)
        checksum = metadata["checksum"].encode()
        digest = hashlib.sha256(length + text.replace(checksum, _NO_CHECKSUM.encode()))
        arrays = {}
        for name, (dtype, shape) in shapes.items():
            array = np.empty(shape, dtype)
            if file.readinto(_bytes(array)) != array.nbytes:
                raise ValueError("it ended while it was read")
            digest.update(_bytes(array))
            arrays[name] = array.astype(dtype.newbyteorder("="), copy=False)
    if digest.hexdigest().encode() != checksum:
        raise ValueError("it is damaged: its checksum does not fit its bytes; copy it anew")
    return arrays, metadata


def parse_json(text):
    """The value that JSON text stands for; a ValueError whatever is wrong with it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is damaged, or no skdae file: its JSON cannot be read") from error


def _check_metadata(header):
    """The metadata of a header, if skdae wrote it in a version that this one knows."""
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or metadata.get("format") != "skdae":
        raise ValueError("it is a safetensors file, but not one that skdae wrote")
    version, checksum = metadata.get("format_version"), metadata.get("checksum")
    if not all(isinstance(v, str) for v in metadata.values()) or not (version and checksum):
        raise ValueError("it is damaged: its metadata are incomplete")
    if version != str(FORMAT_VERSION):
        raise ValueError(
            f"it is of format {version!r}, but this version of skdae reads {FORMAT_VERSION}; "
            "update skdae"
        )
    return metadata


def _check_index(header, n_bytes):
    """Dtype and shape of each array, in the order of the file, which they must fill exactly."""
    arrays, end = {}, 0
    entries = [(name, entry) for name, entry in header.items() if name != "__metadata__"]
    for name, entry in sorted(entries, key=lambda item: item[1]["data_offsets"]):
        dtype, shape = DTYPES.get(entry["dtype"]), tuple(entry["shape"])
        sound = (
            dtype is not None
            and len(shape) <= 32
            and all(type(side) is int and 0 <= side < 2**48 for side in shape)
            and entry["data_offsets"] == [end, end + dtype.itemsize * math.prod(shape)]
        )
        if not sound:
            raise ValueError(f"it is damaged: its array {name!r} does not lie where it should")
        arrays[name] = (dtype, shape)
        end = entry["data_offsets"][1]
    if end != n_bytes:
        raise ValueError(f"it is damaged: its arrays have {end} bytes, but {n_bytes} are there")
    return arrays


def _bytes(array):
    """The memory of a contiguous array."""
    return memoryview(array.reshape(-1).view(np.uint8))
