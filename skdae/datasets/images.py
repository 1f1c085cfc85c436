"""Images to learn and to compare on, read from a folder of the user's or from OpenML.

`fetch_images` reads ``<data_home>/<name>.npz``, and makes that file first where OpenML has the
data. ``data_home`` is the argument, else the environment variable ``SKDAE_DATA``, else the folder
``skdae`` in scikit-learn's data home. Nothing is downloaded when this module is imported.
"""

import os
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import fetch_openml, load_digits
from sklearn.utils import Bunch

from .._checks import Predicate, check_parameters, did_you_mean
from .._files.atomic import atomic_write


class _Source(NamedTuple):
    """A labeled data set that OpenML has."""

    openml_name: str
    image_shape: tuple[int, ...]
    n_train: int
    n_test: int
    target_names: str
    descr: str


_SOURCES = {
    "mnist": _Source(
        "mnist_784",
        (28, 28),
        60000,
        10000,
        "0,1,2,3,4,5,6,7,8,9",
        "MNIST: handwritten digits. LeCun, Cortes and Burges. CC BY-SA 3.0.",
    ),
    "fashion_mnist": _Source(
        "Fashion-MNIST",
        (28, 28),
        60000,
        10000,
        "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot",
        "Fashion-MNIST: articles of clothing. Zalando Research. MIT license.",
    ),
    "cifar10": _Source(
        "CIFAR_10",
        (32, 32, 3),
        50000,
        10000,
        "airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck",
        "CIFAR-10: small color photographs. Krizhevsky 2009. For research.",
    ),
}

_NAME = Predicate(
    lambda name: isinstance(name, str) and name and Path(name).name == name,
    f"one of {sorted(_SOURCES)} or the name of a file",
)

_LAYOUT = (
    "the arrays x_train and x_test, uint8 of shape (n, height, width) or (n, height, width, "
    "n_channels), and y_train and y_test, integers of shape (n,); or one array per image, uint8 of "
    "shape (height, width) or (height, width, n_channels), under any keys, which become the names"
)


@overload
def load_digits_images(*, return_X_y: Literal[False] = False) -> Bunch: ...
@overload
def load_digits_images(
    *, return_X_y: Literal[True]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]: ...
def load_digits_images(*, return_X_y=False):
    """Load scikit-learn's 8 x 8 digits as images in [0, 1]; needs no network.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to give ``(images, target)`` instead of a `Bunch`.

    Returns
    -------
    data : Bunch
        ``images``, ndarray of float32 in [0, 1], shape (1797, 8, 8); ``target``, the digits,
        ndarray of shape (1797,); ``target_names``; ``DESCR``.

    Examples
    --------
    >>> from skdae.datasets import load_digits_images
    >>> load_digits_images().images.shape
    (1797, 8, 8)
    """
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)
    if return_X_y:
        return images, digits.target
    kept = {name: digits[name] for name in ("target", "target_names", "DESCR")}
    return Bunch(images=images, **kept)


def fetch_images(
    name: str, *, data_home: str | os.PathLike[str] | None = None, download_if_missing: bool = True
) -> Bunch:
    """Load a data set of images, and download it if it is missing.

    Parameters
    ----------
    name : str
        "mnist", "fashion_mnist" and "cifar10" are downloaded from OpenML. Any other name is that of
        a file ``<name>.npz`` in the folder.
    data_home : str, path or None, default=None
        Folder that holds ``<name>.npz``. ``None`` means the environment variable ``SKDAE_DATA``,
        else the folder ``skdae`` in scikit-learn's data home.
    download_if_missing : bool, default=True
        Whether to download a data set that is not there, and store it there.

    Returns
    -------
    data : Bunch
        Of a file with the arrays ``x_train``, ``y_train``, ``x_test`` and ``y_test``: ``X_train``
        and ``X_test``, ndarrays of uint8 of shape (n_samples, height, width) or (n_samples, height,
        width, n_channels); ``y_train`` and ``y_test``, ndarrays of int64 of shape (n_samples,);
        ``target_names``. Of a file with one array per image: ``images``, a list of ndarrays of
        uint8, and ``names``, a list of str. Always ``DESCR``. All values are from 0 to 255.

    Raises
    ------
    FileNotFoundError
        If the file is missing and cannot or must not be downloaded.
    ValueError
        If the name is not that of a file, or the file is damaged or holds something else.

    Notes
    -----
    Every function and estimator of skdae reads uint8 as ``value / 255``. Pass the images as they
    are, or divide them by 255 yourself: the results are the same. Noise levels, denoised images and
    errors are in units of [0, 1] in both cases.

    Examples
    --------
    >>> from skdae.datasets import fetch_images
    >>> mnist = fetch_images("mnist")  # doctest: +SKIP
    >>> mnist.X_train.shape, mnist.X_train.dtype  # doctest: +SKIP
    ((60000, 28, 28), dtype('uint8'))
    """
    check_parameters("fetch_images", {"name": [_NAME]}, name=name)
    path = _data_home(data_home) / f"{name}.npz"
    if path.is_file():
        arrays = _read(path)
    elif name in _SOURCES and download_if_missing:
        arrays = _download(_SOURCES[name], path)
    else:
        raise FileNotFoundError(_absent(path))
    source = _SOURCES.get(name)
    descr = source.descr if source else f"{name}: {_contents(arrays)}."
    if "x_train" not in arrays:
        _check(arrays, path, arrays.values(), all(a.ndim in (2, 3) for a in arrays.values()))
        return Bunch(images=list(arrays.values()), names=list(arrays), DESCR=descr)
    images = [arrays[f"x_{part}"] for part in ("train", "test") if f"x_{part}" in arrays]
    _check(arrays, path, images, _is_labelled(arrays))
    y_train, y_test = (arrays[f"y_{part}"].astype(np.int64) for part in ("train", "test"))
    names = source.target_names.split(",") if source else np.unique(y_train).astype(str)
    return Bunch(
        X_train=arrays["x_train"],
        y_train=y_train,
        X_test=arrays["x_test"],
        y_test=y_test,
        target_names=np.array(names),
        DESCR=descr,
    )


def _data_home(data_home):
    """The folder of the files; it may not exist."""
    home = data_home or os.environ.get("SKDAE_DATA")
    if home is None or home == "":
        # Not sklearn.datasets.get_data_home(), which makes the folder.
        home = Path(os.environ.get("SCIKIT_LEARN_DATA", Path("~", "scikit_learn_data")), "skdae")
    return Path(home).expanduser()


def _absent(path):
    """What to do about a file that is not there."""
    there = ", ".join(sorted(file.stem for file in path.parent.glob("*.npz"))) or "nothing"
    meant = did_you_mean(path.stem, _SOURCES)
    return (
        f"There is no {path}.{meant} {', '.join(_SOURCES)} are downloaded with "
        "download_if_missing=True; the folder, chosen by data_home= or by the environment variable "
        f"SKDAE_DATA, has {there}. Or put that file there, an npz with {_LAYOUT}."
    )


def _is_labelled(arrays):
    """Whether arrays are images and labels of a training part and a test part."""
    return {"x_train", "y_train", "x_test", "y_test"} <= set(arrays) and all(
        arrays[f"x_{part}"].ndim in (3, 4)
        and arrays[f"y_{part}"].shape == arrays[f"x_{part}"].shape[:1]
        and arrays[f"y_{part}"].dtype.kind in "iu"
        for part in ("train", "test")
    )


def _check(arrays, path, images, is_sound):
    """Refuse an npz that holds something else than images of uint8."""
    if not arrays or not is_sound or any(X.dtype != np.uint8 or not X.size for X in images):
        raise ValueError(
            f"{path} holds {_contents(arrays)}; expected {_LAYOUT}. Delete the file or replace it."
        )


def _download(source, path):
    """Arrays of a data set from OpenML, which are stored at `path`."""
    try:
        # No cache: the npz is the cache, and a broken download leaves nothing.
        data = fetch_openml(
            source.openml_name,
            version=1,
            as_frame=False,
            cache=False,
            # pandas parses faster, but is not a dependency of skdae.
            parser="pandas" if find_spec("pandas") else "liac-arff",
        )
    except (OSError, HTTPException, ValueError) as error:
        raise FileNotFoundError(
            f"Could not download {source.openml_name!r} from OpenML ({error}). {_absent(path)}"
        ) from error
    images = _openml_images(data.data, source)
    y = np.asarray(data.target).astype(np.uint8)
    n = source.n_train
    arrays = {"x_train": images[:n], "y_train": y[:n], "x_test": images[n:], "y_test": y[n:]}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        np.savez_compressed(file, **arrays)
    return arrays


def _openml_images(rows, source):
    """Images of uint8 from OpenML's rows, the training images first."""
    height, width, *channels = source.image_shape
    n_channels = channels[0] if channels else 1
    expected = (source.n_train + source.n_test, height * width * n_channels)
    values = np.asarray(rows)
    with np.errstate(invalid="ignore"):
        images = values.astype(np.uint8)
    if values.shape != expected or not np.array_equal(images, values):
        raise ValueError(
            f"OpenML's {source.openml_name!r} has shape {values.shape}; expected whole numbers "
            f"from 0 to 255 of shape {expected}. Nothing was stored."
        )
    # A row holds one plane per channel: all red values, all green, all blue.
    planes = images.reshape(-1, n_channels, height, width)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)).reshape(-1, *source.image_shape)


def _read(path):
    """All arrays of an npz; nothing in it is ever unpickled."""
    try:
        # Opened here, because np.load leaves the file open when it is not a zip.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (MemoryError, PermissionError):
        raise
    except Exception as error:
        # Zip, zlib, header and pickle errors: a damaged file fails in a dozen ways.
        raise ValueError(
            f"{path} cannot be read as an npz file of plain arrays ({error}); it is damaged or "
            "something else. Delete it or replace it."
        ) from error


def _contents(arrays):
    """The first arrays of a file, in words."""
    parts = [f"{key} {a.dtype} {a.shape}" for key, a in list(arrays.items())[:4]]
    return ", ".join(parts) + (", ..." if len(arrays) > 4 else "") if parts else "no arrays"
