"""Arrays and text in safetensors files: written whole or not at all, and read with distrust.

The text lies in the file's metadata as one JSON object under the name ``skdae``, with a version and
a checksum over arrays and text. safetensors itself checks that header and arrays fit the file.
"""

import hashlib
import json

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .atomic import atomic_write

# Raised when older versions could no longer read a new file.
FORMAT_VERSION = 2

_SIZES = {"int": (8, 16, 32, 64), "uint": (8, 16, 32, 64), "float": (16, 32, 64)}

#: What a file holds, by name: booleans, integers and floats.
DTYPES = {"bool": np.dtype(bool)} | {
    f"{kind}{size}": np.dtype(f"{kind}{size}") for kind, sizes in _SIZES.items() for size in sizes
}


def write_arrays(path, arrays, metadata):
    """Write arrays and text, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
    arrays : dict of str to ndarray
    metadata : dict of str to str
    """
    arrays = {
        name: np.asarray(array, dtype=DTYPES[array.dtype.name], order="C")
        for name, array in arrays.items()
    }
    text = {"format_version": FORMAT_VERSION, **metadata}
    text["checksum"] = _checksum(arrays, text)
    # One entry, because safetensors writes several in any order.
    content = save(arrays, {"skdae": json.dumps(text)})
    with atomic_write(path) as file:
        file.write(content)


def read_arrays(path):
    """Read what `write_arrays` wrote, and nothing else.

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
        If the file is something else, of another version, or damaged.
    OSError
        If it cannot be read.
    """
    # safetensors has an error of its own for what the system refuses.
    open(path, "rb").close()
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = _check_metadata(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(
            f"it is not a safetensors file, or is damaged or only the beginning of one ({error}). "
            "Files of joblib or pickle are read by joblib.load."
        ) from error
    if metadata.pop("checksum") != _checksum(arrays, metadata):
        raise ValueError("it is damaged: its checksum does not fit its content; copy it anew")
    del metadata["format_version"]
    return arrays, metadata


def parse_json(text):
    """The value in JSON text; a ValueError whatever is wrong with it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is damaged: its JSON cannot be read") from error


def _check_metadata(metadata):
    """The text of a file, if skdae wrote it in the version that this one reads."""
    text = parse_json(metadata["skdae"]) if "skdae" in metadata else metadata
    version = text.get("format_version") if isinstance(text, dict) else None
    if version is None or "checksum" not in text:
        raise ValueError("it is a safetensors file, but not one that skdae wrote")
    if version != FORMAT_VERSION:
        raise ValueError(
            f"it has format {version}, but this version of skdae reads format {FORMAT_VERSION}; "
            "use the version of skdae that wrote it, or a newer one"
        )
    return text


def _checksum(arrays, text):
    """A hash over names, dtypes, shapes and values of arrays, and over text."""
    index = [[name, a.dtype.name, a.shape] for name, a in sorted(arrays.items())]
    digest = hashlib.sha256(json.dumps([index, sorted(text.items())]).encode())
    for _, array in sorted(arrays.items()):
        digest.update(array.reshape(-1).view(np.uint8))
    return digest.hexdigest()
