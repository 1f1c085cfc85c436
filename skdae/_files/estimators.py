"""Estimators in files that hold no code: `save` and `load`.

An estimator is its parameters and its fitted attributes. Both become JSON, in which an object with
one key stands for what JSON lacks, ``{"tuple": [1, 2]}``; arrays are stored beside it. A class is
only a name, which `load` looks up in the table that skdae's own classes fill.
"""

import math
import os
import platform
import textwrap
from functools import cache
from importlib import import_module, metadata
from typing import Any, Literal, Protocol, Self, get_type_hints

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from .arrays import DTYPES, read_arrays, saying_why, write_arrays

#: The classes that `load` makes objects of, as far as they are imported.
CLASSES: dict[str, type] = {"Pipeline": Pipeline, "FrozenEstimator": FrozenEstimator}

# The transformers of scikit-learn that hold numbers and text alone, and whose work is bounded.
_PLAIN = {
    "sklearn.preprocessing": (
        *("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "Normalizer"),
        *("PowerTransformer", "QuantileTransformer", "Binarizer", "FunctionTransformer"),
    ),
    "sklearn.decomposition": ("PCA", "IncrementalPCA", "TruncatedSVD"),
    "sklearn.impute": ("SimpleImputer",),
    "sklearn.feature_selection": ("VarianceThreshold",),
}

# The folders of all others. The last one imports torch, which the files of the others do not need.
_FOLDERS = ("filters", "noise", "denoisers")

# Parameters that name a place on this machine, where a loaded estimator must not write.
_LOCAL_PARAMETERS = {"checkpoint"}

# Far deeper than pipelines in pipelines go, far less deep than Python's recursion.
_MAX_DEPTH = 60


class Persistent:
    """A class of skdae that `save` writes and `load` makes; it enters the table by itself.

    Of a scikit-learn estimator, the parameters and the fitted attributes are kept; of any other
    object, the attributes. A class declares them by annotations that have no value; a file holds no
    others. A child outside skdae is not in the table, because to load it
    would be to run code that a file names.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__.partition(".")[0] == __package__.partition(".")[0]:
            CLASSES[cls.__name__] = cls

    @classmethod
    def _upgraded(cls, parameters, state):
        """What this version saves, of what, still as JSON, an earlier one saved."""
        return parameters, state

    def _get_saved_state(self):
        """Attributes to save beside the parameters, by name, as values that a file can hold."""
        return _attributes(self)

    def _set_saved_state(self, state):
        """Take over what `_get_saved_state` gave."""
        vars(self).update(state)


class SaveMixin(Persistent):
    """Gives an estimator the method `save`, and what all fitted estimators have."""

    n_features_in_: int
    _takes_rows: bool
    feature_names_in_: np.ndarray
    _sklearn_output_config: dict[str, Literal["default", "pandas", "polars"]]

    def save(self, path: str | os.PathLike) -> None:
        """Save the estimator, fitted or not; the same as `skdae.save`.

        Parameters
        ----------
        path : str or os.PathLike
            The file, which `skdae.load` reads.
        """
        save(self, path)


def save(estimator: BaseEstimator, path: str | os.PathLike) -> None:
    """Save an estimator of skdae, or a Pipeline of such, as a safetensors file without code.

    A Pipeline may also hold scikit-learn's scalers (`StandardScaler` and the like), `PCA`,
    `TruncatedSVD`, `SimpleImputer` and `FrozenEstimator`.

    The file holds the parameters and the fitted attributes, `history_` among them. It is written
    whole or not at all: a failure leaves an older file at `path` as it was.

    Parameters
    ----------
    estimator : estimator
        Fitted or not.
    path : str or os.PathLike
        Any name; ``.safetensors`` is usual.

    Raises
    ------
    TypeError
        If the estimator holds what would need code from outside skdae to come back: a module,
        loss, optimizer class, callback or noise model of yours, or another estimator of
        scikit-learn. The message names it.
    ValueError
        If a parameter is out of range.
    OSError
        If the file cannot be written.

    See Also
    --------
    load : Read the file.

    Notes
    -----
    Weights are stored as they are; the state of the optimizer is not, so `partial_fit` on a loaded
    denoiser begins with a fresh one. `joblib.dump` keeps estimators with your own code, but its
    files run code when they are loaded, and should only be loaded from those you trust.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skdae import GaussianFilter, load, save
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "filter.safetensors"
    ...     save(GaussianFilter(sigma=2.0), path)
    ...     load(path)
    GaussianFilter(sigma=2.0)
    """
    path = os.fspath(path)
    if not isinstance(estimator, BaseEstimator) or not _is_known(type(estimator)):
        best = "save its best_estimator_, or " if hasattr(estimator, "best_estimator_") else ""
        raise TypeError(
            f"save takes an estimator of skdae or a Pipeline of them, got {_describe(estimator)}; "
            f"{best}use joblib.dump(estimator, path), which keeps every estimator."
        )
    writer = Writer()
    tree = writer.encode(estimator, (type(estimator).__name__,))
    write_arrays(path, writer.arrays, {"estimator": tree, "versions": versions()})


class Estimator(Protocol):
    """What type checkers know of a loaded estimator; ``isinstance`` tells them which it is."""

    def fit(self, X: ArrayLike, y: Any = None) -> Self: ...
    def predict(self, X: ArrayLike) -> np.ndarray: ...
    def transform(self, X: ArrayLike) -> np.ndarray: ...
    def score(self, X: ArrayLike, y: Any = None) -> float: ...


def load(path: str | os.PathLike, *, device: Any = None) -> Estimator:
    """Load an estimator that `save` wrote.

    Loading is safe whoever wrote the file: nothing in it is run or imported, only classes of skdae
    (and those of scikit-learn that `save` names) are made, the memory taken is a small multiple of
    the size of the file, and parameters, names of attributes and shapes of weights are checked.

    Parameters
    ----------
    path : str or os.PathLike
    device : str, `torch.device` or None, default=None
        Where networks predict, in place of the parameter `device` that is in the file. None takes
        that one, or what "auto" finds where such a device does not exist.

    Returns
    -------
    estimator : estimator
        It predicts the same bits as the saved one on the same hardware.

    Raises
    ------
    ValueError
        If the file is damaged, is of another version of the format, or is not from skdae, or if
        `device` cannot be used.
    OSError
        If it cannot be read.

    See Also
    --------
    save : Write such a file.

    Notes
    -----
    A loaded network is ready to predict: it has no optimizer until it is trained again, and is
    compiled by the first `predict` with ``compile=True``, which may be set after loading.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skdae import DenoisingAutoencoder, load
    >>> X = np.random.default_rng(0).random((20, 8, 8))
    >>> dae = DenoisingAutoencoder("dense", max_epochs=1, random_state=0).fit(X, X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     dae.save(Path(folder) / "dae.safetensors")
    ...     again = load(Path(folder) / "dae.safetensors")
    >>> bool((again.predict(X) == dae.predict(X)).all())
    True
    """
    path = os.fspath(path)
    if device is not None and device != "auto":
        import torch

        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(
                f"device={str(device)!r} cannot be used here; pass device='auto' or 'cpu'."
            ) from error
    with saying_why(f"{path} cannot be loaded: "):
        arrays, tree = read_arrays(path)
        if "estimator" not in tree:
            raise ValueError("it is not an estimator; a checkpoint is read by fit, as checkpoint=")
        estimator = Reader(arrays, tree["versions"]["skdae"], device).decode(tree["estimator"])
        if not isinstance(estimator, BaseEstimator) or arrays:
            raise ValueError("it is damaged: it does not hold exactly one estimator")
    return estimator


def versions():
    """Versions of the libraries that write a file, for whoever wonders where it comes from."""
    names = ("skdae", "numpy", "scikit-learn", "torch")
    return {**{n: metadata.version(n) for n in names}, "python": platform.python_version()}


def _class_of(name):
    """The class that a file names; None where `load` knows none."""
    plain = _plain_class(name)
    if plain is not None:
        return plain
    for folder in _FOLDERS:
        if name in CLASSES:
            break
        module = import_module(f"..{folder}", __package__)
        for public in module.__all__:
            getattr(module, public)
    return CLASSES.get(name)


def _is_known(cls):
    """Whether `load` makes objects of this very class."""
    return CLASSES.get(cls.__name__) is cls or _is_plain(cls)


def _plain_class(name):
    """The class of that name among the transformers of scikit-learn that hold data alone."""
    modules = (module for module, names in _PLAIN.items() if name in names)
    return next((getattr(import_module(module), name) for module in modules), None)


def _is_plain(cls):
    return _plain_class(cls.__name__) is cls


def _parameters(thing):
    """Constructor parameters of an estimator; other objects have none."""
    return thing.get_params(deep=False) if isinstance(thing, BaseEstimator) else {}


def _attributes(thing):
    """All attributes that are not parameters."""
    parameters = _parameters(thing)
    return {name: value for name, value in vars(thing).items() if name not in parameters}


def _validate(thing):
    """Check the parameters of an estimator."""
    if isinstance(thing, BaseEstimator):
        thing._validate_params()
    if isinstance(thing, Pipeline):
        thing._validate_steps()
        if thing.memory is not None:
            raise ValueError(
                f"memory={thing.memory!r} of a Pipeline is a cache of this machine, which is read "
                "with pickle; set_params(memory=None) before saving."
            )


def _describe(value):
    return f"{textwrap.shorten(repr(value), 80)} of type {type(value).__name__}"


def _are_names(array):
    """Whether an array holds strings, as `feature_names_in_` does."""
    return array.dtype == object and array.ndim == 1 and all(type(item) is str for item in array)


class Writer:
    """Turns values into JSON and arrays."""

    def __init__(self):
        self.arrays = {}

    def encode(self, value, where):
        """JSON for `value`, which is found at the path `where`, a tuple of names."""
        if len(where) > _MAX_DEPTH:
            raise ValueError(
                f"{'.'.join(where[:4])}... is nested too deep to be saved, or in itself."
            )
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if kind is list:
            return self._items(value, where)
        if kind is tuple:
            return {"tuple": self._items(value, where)}
        if kind is dict and all(type(key) is str for key in value):
            return {"dict": {k: self.encode(v, (*where, k)) for k, v in value.items()}}
        if kind is np.str_:
            return str(value)
        if isinstance(value, np.generic) and value.dtype.name in DTYPES:
            return {"scalar": [value.dtype.name, self.encode(value.item(), where)]}
        if kind in (np.ndarray, np.memmap) and value.dtype.name in DTYPES:
            # In another order in memory, a product of matrices has other last bits.
            turned = value.ndim > 1 and 0 < value.strides[0] < value.strides[-1]
            name = self._store(value.T if turned else value, where)
            return {"transposed" if turned else "array": name}
        if kind is np.ndarray and _are_names(value):
            return {"names": value.tolist()}
        if (kind.__module__, kind.__name__) == ("torch", "device"):
            return {"device": str(value)}
        if isinstance(value, np.dtype) and value.name in DTYPES:
            return {"dtype": value.name}
        if kind is np.random.RandomState:
            state = value.get_state(legacy=False)
            if state["bit_generator"] == "MT19937":
                key, pos = state["state"]["key"], state["state"]["pos"]
                rest = pos, state["has_gauss"], state["gauss"]
                return {"random_state": [self._store(key, where), *rest]}
        if _is_known(kind):
            return {"object": self._object(value, where)}
        if isinstance(value, BaseEstimator) and kind.__module__.startswith("sklearn."):
            raise TypeError(
                f"{'.'.join(where)} is {_describe(value)}, which save cannot write. Of "
                f"scikit-learn, its files hold {', '.join(sum(_PLAIN.values(), ()))}, Pipeline and "
                "FrozenEstimator. Leave the step out and save the others, or use "
                "joblib.dump(estimator, path), whose files run code when they are loaded."
            )
        raise self.refusal(f"{'.'.join(where)} is {_describe(value)}")

    def refusal(self, what):
        """The error for a value that no file can hold."""
        return TypeError(
            f"{what}, which save cannot write, because its files hold no code. If predictions do "
            "not need it, set it to a value of skdae's own before saving, such as "
            "set_params(callbacks=None); a function of X that they need, apply yourself. Else use "
            "joblib.dump(estimator, path), whose files run code when they are loaded."
        )

    def _items(self, values, where):
        return [self.encode(value, (*where, str(i))) for i, value in enumerate(values)]

    def _object(self, thing, where):
        """Class, parameters and state of an object."""
        # What load would refuse is not written.
        _validate(thing)
        parameters = {
            name: self.encode(value, (*where, name))
            for name, value in _parameters(thing).items()
            if name not in _LOCAL_PARAMETERS
        }
        saved = getattr(type(thing), "_get_saved_state", _attributes)(thing)
        unknown = _unknown(type(thing), parameters, saved)
        if unknown:
            raise TypeError(
                f"{'.'.join(where)} has {unknown}, which its class does not declare and load would "
                "refuse; delete them before saving, or use joblib.dump(estimator, path)."
            )
        state = {name: self.encode(value, (*where, name)) for name, value in saved.items()}
        return {"class": type(thing).__name__, "params": parameters, "state": state}

    def _store(self, array, where):
        """Put an array aside; return its name."""
        # The first name is that of the estimator, which is all in the file.
        name = ".".join(where[1:])
        while name in self.arrays:
            name += "_"
        self.arrays[name] = array
        return name


class Reader:
    """Turns JSON and arrays back into values, `Writer` reversed; each array is used once."""

    def __init__(self, arrays, written_by, device=None):
        self.arrays = arrays
        self.device = device
        self.written_by = written_by
        self.decoders = {
            "float": float,
            "tuple": lambda items: tuple(map(self.decode, items)),
            "dict": self._dict,
            "scalar": lambda content: DTYPES[content[0]](self.decode(content[1])),
            "array": arrays.pop,
            "transposed": lambda name: arrays.pop(name).T,
            "names": lambda names: np.array([str(name) for name in names], dtype=object),
            "dtype": lambda name: np.dtype(DTYPES[name]),
            "device": lambda name: import_module("torch").device(name),
            "random_state": self._random_state,
            "object": self._object,
        }

    def decode(self, node):
        """The value behind a node of JSON."""
        if isinstance(node, list):
            return [self.decode(item) for item in node]
        if not isinstance(node, dict):
            return node
        [(kind, content)] = node.items()
        return self.decoders[kind](content)

    def _dict(self, items):
        return {key: self.decode(value) for key, value in items.items()}

    def _random_state(self, content):
        name, pos, has_gauss, gauss = content
        random_state = np.random.RandomState()
        # NumPy does not check the position, and would read beyond the key.
        pos = range(625).index(pos)
        random_state.set_state(("MT19937", self.arrays.pop(name), pos, has_gauss, gauss))
        return random_state

    def _object(self, content):
        name, parameters, state = content["class"], content["params"], content["state"]
        cls = _class_of(name)
        if cls is not None and issubclass(cls, Persistent):
            parameters, state = cls._upgraded(parameters, state)
        unknown = f"the class {name!r}" if cls is None else _unknown(cls, parameters, state)
        if unknown:
            raise ValueError(
                f"it names {unknown}, which this version of skdae does not know; it was written by "
                f"skdae {self.written_by}"
            )
        if issubclass(cls, BaseEstimator):
            parameters = self._dict(parameters)
            if self.device is not None and "device" in parameters:
                parameters["device"] = self.device
            thing = cls(**parameters)
        else:
            thing = cls.__new__(cls)
        _validate(thing)
        state = self._dict(state)
        getattr(cls, "_set_saved_state", Persistent._set_saved_state)(thing, state)
        return thing


def _unknown(cls, parameters, state):
    """What is not a parameter or an attribute of a class, as text; None where nothing is."""
    known = cls._get_param_names() if issubclass(cls, BaseEstimator) else []
    names = [name for name in parameters if name not in known or name in _LOCAL_PARAMETERS]
    # No method is hidden; what a fit of scikit-learn gives differs with its version.
    names += [n for n in state if (hasattr(cls, n) if _is_plain(cls) else n not in _declared(cls))]
    return f"{names} of {cls.__name__}" if names else None


@cache
def _declared(cls):
    """The attributes of a class beside its parameters."""
    return {name for name in get_type_hints(cls) if not hasattr(cls, name)}
