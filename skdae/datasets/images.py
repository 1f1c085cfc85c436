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

from .._files.atomic import atomic_write

__all__ = ["fetch_images", "load_digits_images"]


class _Labelled(NamedTuple):
    """A labelled data set with a training and a test part."""

    openml_name: str
    image_shape: tuple[int, ...]
    n_train: int
    n_test: int
    target_names: str
    descr: str
    files: tuple[str, ...]


_LABELLED = {
    "mnist": _Labelled(
        "mnist_784",
        (28, 28),
        60000,
        10000,
        "0,1,2,3,4,5,6,7,8,9",
        "MNIST: handwritten digits. LeCun, Cortes and Burges. CC BY-SA 3.0.",
        ("mnist.npz",),
    ),
    "fashion_mnist": _Labelled(
        "Fashion-MNIST",
        (28, 28),
        60000,
        10000,
        "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot",
        "Fashion-MNIST: articles of clothing. Zalando Research. MIT licence.",
        ("fashion_mnist.npz",),
    ),
    "cifar10": _Labelled(
        "CIFAR_10",
        (32, 32, 3),
        50000,
        10000,
        "airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck",
        "CIFAR-10: small colour photographs. Krizhevsky 2009. For research.",
        ("cifar10.npz", "cifar10_subset.npz"),
    ),
}

_COLLECTIONS = {
    "set12": "Set12: 12 standard grey test images, as published with DnCNN. For research.",
    "train400": "Train400: 400 grey Berkeley (BSD) images of 180 x 180 pixels, on which DnCNN was "
    "trained. For research.",
}


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
    return Bunch(
        images=images,
        target=digits.target,
        target_names=digits.target_names,
        DESCR=digits.DESCR,
    )


def fetch_images(
    name: str,
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
) -> Bunch:
    """Read a set of images, downloading it first where it is missing.

    Parameters
    ----------
    name : {"mnist", "fashion_mnist", "cifar10", "set12", "train400"}
        The first three are labelled data sets that OpenML has; the others are collections of grey
        images, read from a file only.
    data_home : str, path or None, default=None
        Folder that holds ``<name>.npz``. ``None`` means the environment variable ``SKDAE_DATA``,
        else the folder ``skdae`` in scikit-learn's data home. ``"cifar10"`` is also found as
        ``cifar10_subset.npz``.
    download_if_missing : bool, default=True
        Whether to download a labelled data set that is not there, and store it there.

    Returns
    -------
    data : Bunch
        Of a labelled data set ``X_train`` and ``X_test``, ndarrays of uint8 of shape (n_samples,
        height, width) or (n_samples, height, width, n_channels); ``y_train`` and ``y_test``,
        ndarrays of int64 of shape (n_samples,); ``target_names``. Of a collection ``images``, a
        list of ndarrays of uint8, and ``names``, a list of str. Always ``DESCR``.

    Raises
    ------
    FileNotFoundError
        If the file is missing and cannot or must not be downloaded.
    ValueError
        If the name is unknown, or the file is damaged or holds something else.

    Examples
    --------
    >>> from skdae.datasets import fetch_images
    >>> mnist = fetch_images("mnist")  # doctest: +SKIP
    >>> mnist.X_train.shape  # doctest: +SKIP
    (60000, 28, 28)
    """
    if name not in {*_LABELLED, *_COLLECTIONS}:
        known = sorted({*_LABELLED, *_COLLECTIONS})
        raise ValueError(f"name={name!r} is unknown; pass one of {known}.")
    folder = _data_home(data_home)
    if name in _COLLECTIONS:
        return _fetch_collection(name, folder)
    return _fetch_labelled(name, folder, download_if_missing)


def _data_home(data_home):
    """The folder of the files; it may not exist."""
    home = data_home or os.environ.get("SKDAE_DATA")
    if home is None or home == "":
        # Not sklearn.datasets.get_data_home(), which makes the folder.
        home = Path(os.environ.get("SCIKIT_LEARN_DATA", Path("~", "scikit_learn_data")), "skdae")
    return Path(home).expanduser()


# Labelled data sets


def _fetch_labelled(name, folder, download_if_missing):
    """Bunch of a labelled data set."""
    source = _LABELLED[name]
    found = [folder / file for file in source.files if (folder / file).is_file()]
    if found:
        arrays = _read(found[0])
        _check_labelled(arrays, source, found[0])
    else:
        path = folder / source.files[0]
        if not download_if_missing:
            raise FileNotFoundError(_absent(name, path) + " Or pass download_if_missing=True.")
        arrays = _download(name, path)
        _store(path, arrays)
    return Bunch(
        X_train=arrays["x_train"],
        y_train=arrays["y_train"].astype(np.int64),
        X_test=arrays["x_test"],
        y_test=arrays["y_test"].astype(np.int64),
        target_names=np.array(source.target_names.split(",")),
        DESCR=source.descr,
    )


def _layout(source):
    """What the file of a labelled data set holds, in words."""
    size = ", ".join(map(str, source.image_shape))
    return (
        f"x_train and x_test, uint8 of shape (n, {size}), and y_train and y_test, integers of "
        f"shape (n,), with n = {source.n_train} and {source.n_test} in the complete set"
    )


def _absent(name, path):
    return (
        f"{name} is not there: put a file {path} there, an npz with the arrays "
        f"{_layout(_LABELLED[name])}. Its folder is chosen by data_home= or by the environment "
        "variable SKDAE_DATA."
    )


def _check_labelled(arrays, source, path):
    """Refuse an npz that holds something else."""
    ok = {"x_train", "y_train", "x_test", "y_test"} <= set(arrays) and all(
        arrays[f"x_{part}"].dtype == np.uint8
        and arrays[f"x_{part}"].shape == (len(arrays[f"y_{part}"]), *source.image_shape)
        and arrays[f"y_{part}"].ndim == 1
        and arrays[f"y_{part}"].dtype.kind in "iu"
        for part in ("train", "test")
    )
    if not ok:
        raise ValueError(
            f"{path} holds {_contents(arrays)}; expected {_layout(source)}. Delete the file or "
            "replace it."
        )


def _download(name, path):
    """Arrays of a labelled data set, from OpenML."""
    source = _LABELLED[name]
    try:
        # No cache: the npz is the cache, and a broken download leaves nothing.
        data = fetch_openml(
            source.openml_name,
            version=1,
            as_frame=False,
            cache=False,
            # pandas parses faster, but is no dependency of skdae.
            parser="pandas" if find_spec("pandas") else "liac-arff",
        )
    except (OSError, HTTPException, ValueError) as error:
        raise FileNotFoundError(
            f"Could not download {source.openml_name!r} from OpenML ({error}). "
            + _absent(name, path)
        ) from error
    images = _openml_images(data.data, source)
    y = np.asarray(data.target).astype(np.uint8)
    n = source.n_train
    return {"x_train": images[:n], "y_train": y[:n], "x_test": images[n:], "y_test": y[n:]}


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
    # A row holds one plane a channel: all red values, all green, all blue.
    planes = images.reshape(-1, n_channels, height, width)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)).reshape(-1, *source.image_shape)


# Collections


def _fetch_collection(name, folder):
    """Bunch of a collection of images of any size."""
    path = folder / f"{name}.npz"
    layout = "one array an image, uint8 of shape (height, width) or (height, width, n_channels)"
    if not path.is_file():
        raise FileNotFoundError(
            f"{name} is not there, and OpenML does not have it: put a file {path} there, an npz "
            f"with {layout}, under any keys, which become the names. Its folder is chosen by "
            "data_home= or by the environment variable SKDAE_DATA."
        )
    arrays = _read(path)
    if not arrays or any(a.dtype != np.uint8 or a.ndim not in (2, 3) for a in arrays.values()):
        raise ValueError(
            f"{path} holds {_contents(arrays)}; expected {layout}. Delete the file or replace it."
        )
    return Bunch(images=list(arrays.values()), names=list(arrays), DESCR=_COLLECTIONS[name])


# Files


def _read(path):
    """All arrays of an npz; nothing in it is ever unpickled."""
    try:
        # Opened here, because np.load leaves the file open when it is no zip.
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


def _store(path, arrays):
    """Write an npz whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        np.savez_compressed(file, **arrays)


def _contents(arrays):
    """The first arrays of a file, in words."""
    parts = [f"{key} {a.dtype} {a.shape}" for key, a in list(arrays.items())[:4]]
    return ", ".join(parts) + (", ..." if len(arrays) > 4 else "") if parts else "no arrays"
