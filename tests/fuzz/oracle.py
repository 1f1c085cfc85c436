"""What counts as a right result, and as a documented error."""

import ast
import os
import sys
import warnings
from copy import deepcopy
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse
import sklearn

import skdae

from .draw import BAD, SOUND

SKDAE = str(Path(skdae.__file__).parent) + os.sep
SKLEARN = str(Path(sklearn.__file__).parent) + os.sep
# What NumPy says to scikit-learn's check_array, which hands it on.
CONVERSION = (
    "could not convert string",
    "inhomogeneous",
    "must be a string or a real number",
    "setting an array element",
    "complex",
)


class Finding(AssertionError):
    """A case that ended in neither a right result nor a documented error."""


def expect(truth, message):
    """Raise a Finding unless `truth`."""
    if not truth:
        raise Finding(message)


def attempt(function, *args, verdict=SOUND, naming=None, only=(ValueError, TypeError), **kwargs):
    """The result of a call, or None where it was rightly refused.

    Parameters
    ----------
    function, args, kwargs
        The call. Its arguments must stay as they are.
    verdict : Verdict
    naming : str or None
        What a refusal must name.
    only : tuple of exceptions
        Those that a refusal may be.
    """
    before = [_bytes(value) for value in (*args, *kwargs.values())]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = function(*args, **kwargs)
        except Exception as error:
            _judge(error, only)
            if verdict is SOUND:
                raise Finding(f"refused what is sound: {_text(error)}") from error
            expect(
                naming is None or naming in str(error),
                f"the error does not name {naming}: {_text(error)}",
            )
            result = None
        else:
            expect(verdict is not BAD, f"took what must be refused ({naming}): {_kind(result)}")
    for warning in caught:
        known = issubclass(warning.category, UserWarning) and "torch" not in warning.filename
        expect(known, f"warned with {warning.category.__name__}: {warning.message}")
    after = [_bytes(value) for value in (*args, *kwargs.values())]
    expect(before == after, "changed its input")
    return result


def state(estimator):
    """What is fitted, to compare by identity."""
    return {name: id(value) for name, value in vars(estimator).items()}


def _judge(error, only):
    """Raise a Finding unless skdae or scikit-learn raised `error`, on purpose."""
    expect(isinstance(error, only), f"raised {_text(error)}")
    expect(len(str(error)) > 10, f"says nothing: {_text(error)}")
    traceback = error.__traceback__
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    path = traceback.tb_frame.f_code.co_filename
    if path.startswith(SKLEARN):
        said = _raises(path, traceback.tb_lineno)
        said |= any(words in str(error) for words in CONVERSION)
    else:
        said = path.startswith(SKDAE) and _raises(path, traceback.tb_lineno)
    place = f"{'/'.join(Path(path).parts[-2:])}:{traceback.tb_lineno}"
    expect(said, f"the error is not its own, but of {place}: {_text(error)}")


@cache
def _raise_lines(path):
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    raises = [node for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    return {line for node in raises for line in range(node.lineno, node.end_lineno + 1)}


def _raises(path, line):
    """Whether a line of a file belongs to a raise statement."""
    return line in _raise_lines(path)


def _text(error):
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _kind(result):
    return f"{type(result).__name__} {getattr(result, 'shape', '')}"


def _bytes(value):
    """The bytes of an argument."""
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return value.dtype, value.shape, repr(value.tolist())
        return value.dtype, value.shape, value.tobytes()
    if isinstance(value, pd.DataFrame):
        return _bytes(value.to_numpy()), tuple(value.columns)
    if isinstance(value, list | tuple):
        return [_bytes(item) for item in value]
    if scipy.sparse.issparse(value):
        return value.data.tobytes()
    return deepcopy(value) if isinstance(value, int | float | str | dict) else id(value)


# Results


def result_dtype(images):
    """The dtype that noises and filters give: float32 of bytes and of floats that fit into it."""
    arrays = images.X if images.is_list else [np.asarray(images.X)]
    short = ("u1", "f2", "f4", ">f2", ">f4")
    kept = [np.dtype("f4" if array.dtype in short else "f8") for array in arrays]
    return kept if images.is_list else kept[0]


def same_shape(out, images, *, dtype=None, clip=None):
    """A result in the shape of the images, finite, and in the clipping range."""
    if images.is_list:
        expect(isinstance(out, list) and len(out) == len(images.X), f"gave {_kind(out)}")
        dtypes = dtype if isinstance(dtype, list) else [dtype] * len(out)
        for array, image, kind in zip(out, images.X, dtypes, strict=True):
            array_like(array, image.shape, kind, clip)
        return
    array_like(out, np.asarray(images.X).shape, dtype, clip)


def array_like(out, shape, dtype=None, clip=None):
    """A finite array of a shape, a dtype and a range."""
    expect(isinstance(out, np.ndarray), f"gave {type(out).__name__}")
    expect(out.shape == shape, f"gave shape {out.shape} for {shape}")
    expect(dtype is None or out.dtype == dtype, f"gave {out.dtype} instead of {dtype}")
    expect(np.isfinite(out).all(), "gave NaN or infinity for finite input")
    if clip is not None:
        low, high = (out.dtype.type(end) for end in clip)
        expect(low <= out.min() and out.max() <= high, f"left the range {clip}")


def equal(a, b, message):
    """Two results are the same bits."""
    pairs = zip(a, b, strict=True) if isinstance(a, list) else [(a, b)]
    expect(all(np.array_equal(x, y) for x, y in pairs), message)


def number(value, low=-np.inf, high=np.inf):
    """A Python float in a range."""
    expect(type(value) is float, f"gave {type(value).__name__} instead of float")
    expect(low <= value <= high, f"gave {value}, outside [{low}, {high}]")


assert sys.flags.optimize == 0, "findings are assertions"
