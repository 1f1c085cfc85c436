"""Files of arrays and JSON: written whole or not at all, and checked before they are believed.

A file is a safetensors file, whose library checks that its header fits its bytes. skdae adds the
version of its format, a checksum, and JSON, which is one of the arrays because a header is limited.
"""

import hashlib
import json
from contextlib import contextmanager

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from .atomic import atomic_write, refuse_special

# The file format's, not skdae's: raised when a file changes such that other versions misread it.
FORMAT_VERSION = 2

#: What a file holds: booleans, integers and floats, by name.
_CODES = ["?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]
DTYPES = {np.dtype(code).name: np.dtype(code).type for code in _CODES}

# No attribute of an estimator has such a name.
_TREE = "__skdae__"

# Values of JSON: so many in any file, and one more for so many of its bytes. A history has 20 bytes
# for each; empty lists, of 3 bytes each, would take twenty times the memory of the file.
_NODES, _BYTES_PER_NODE = 2**16, 16


def write_arrays(path, arrays, tree):
    """Write arrays and JSON, whole or not at all; equal contents give equal bytes.

    Parameters
    ----------
    path : str or os.PathLike
    arrays : dict of str to ndarray
        Of a dtype in `DTYPES`, and in any order of bytes and axes.
    tree : dict
        Anything that JSON can hold.

    Raises
    ------
    ValueError
        If the JSON has far more values than its size and that of the arrays explain.
    OSError
        If the file cannot be written.
    """
    text = json.dumps(tree, allow_nan=False).encode()
    _check_nodes(text, arrays)
    arrays = {
        name: np.asarray(array, array.dtype.newbyteorder("<"), order="C")
        for name, array in {**arrays, _TREE: np.frombuffer(text, np.uint8)}.items()
    }
    # One entry, because safetensors writes several in random order.
    metadata = {"skdae": f"{FORMAT_VERSION} {_digest(arrays)}"}
    content = safetensors.numpy.save(arrays, metadata)
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
    tree : dict

    Raises
    ------
    ValueError
        If the file is not from skdae, is of another version, or is damaged.
    OSError
        If it cannot be read.
    """
    refuse_special(path)
    try:
        # Python's open names what is wrong with a path.
        with open(path, "rb"), safe_open(path, "np") as file:
            checksum = _check_version(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except SafetensorError as error:
        raise ValueError(
            f"it is not a safetensors file, or it is truncated or damaged ({error}). Files of "
            "joblib or pickle are read by joblib.load."
        ) from error
    if _digest(arrays) != checksum:
        raise ValueError("it is damaged: its contents do not match its checksum; copy it again")
    text = arrays.pop(_TREE).tobytes()
    _check_nodes(text, arrays)
    return arrays, json.loads(text)


def _check_nodes(text, arrays):
    """Refuse JSON whose values would take far more memory than their file."""
    n_nodes = sum(map(text.count, (b",", b"[", b"{")))
    n_bytes = len(text) + sum(array.nbytes for array in arrays.values())
    if n_nodes > _NODES + n_bytes / _BYTES_PER_NODE:
        raise ValueError(f"it has {n_nodes} values besides its arrays, too many for its size")


def _check_version(metadata):
    """The checksum in the metadata of a file, if skdae wrote it in this version of the format."""
    # Format 1 had entries of its own.
    entry = "1" if metadata.get("format") == "skdae" else metadata.get("skdae", "")
    version, _, checksum = entry.partition(" ")
    if not entry:
        raise ValueError("it is a safetensors file, but skdae did not write it")
    if version != str(FORMAT_VERSION):
        way_out = (
            "an earlier development version wrote it; train again, or load it with that version"
            if version == "1"
            else "update skdae"
        )
        raise ValueError(
            f"it is of format {version}, but this version of skdae reads format {FORMAT_VERSION}: "
            f"{way_out}"
        )
    return checksum


def _digest(arrays):
    """The checksum of arrays: over their names, dtypes, shapes and bytes."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        digest.update(array)
    return digest.hexdigest()


@contextmanager
def saying_why(before, after=""):
    """A file that cannot be read is a ValueError that names it; an OSError stays one."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError):
            raise
        # A forged file can break decoding in more ways than can be listed.
        reason = error if isinstance(error, ValueError) else f"it is damaged ({error!r})"
        raise ValueError(f"{before}{reason}{after}") from error
