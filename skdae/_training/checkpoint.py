"""Checkpoints: all that a fit needs to go on after its process is gone.

A checkpoint is a file of `_files`: the state of training as JSON and arrays, without code, beside
a description of the fit that it belongs to.
"""

import hashlib
import inspect
import os
from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import nn

from .._files.arrays import read_arrays, saying_why, write_arrays
from .._files.estimators import Reader, Writer, versions
from .._images import is_ragged, warn_user
from . import distributed

# Parameters that cannot change the weights, or are compared as what they resolve to.
_FREE_PARAMETERS = {
    "callbacks",
    "checkpoint",
    "device",
    "precision",
    "random_state",
    "tile_size",
    "transform_to",
    "verbose",
    "warm_start",
}

# Bytes hashed at a time, which bounds the memory for data on a disk.
_CHUNK = 2**26


class Checkpoint:
    """The file of one fit, written anew after every epoch.

    Parameters
    ----------
    path : str or os.PathLike
        Where nothing is there, the fit starts from the beginning.

    Raises
    ------
    ValueError
        If the file is damaged, or is not a checkpoint.
    OSError
        If it cannot be read.
    """

    def __init__(self, path):
        self.path = os.path.abspath(os.fspath(path))
        self._fit = self._state = None
        self._has_warned = False
        if not os.path.exists(self.path):
            return
        way_out = ". Delete the file to train from the beginning, or pass another path."
        with saying_why(f"checkpoint={self.path!r} cannot be read: ", way_out):
            arrays, tree = read_arrays(self.path)
            if "fit" not in tree:
                raise ValueError("it is a file of skdae, but not a checkpoint")
            self._fit = tree["fit"]
            self._state = StateReader(arrays).decode(tree["state"])

    @property
    def seed(self):
        """The seed of the fit in the file, or None without one."""
        return self._fit and self._fit["random_state"]

    def check_belongs_to(self, fit):
        """Refuse a file that belongs to another fit.

        Parameters
        ----------
        fit : dict
            From `describe_fit`.

        Raises
        ------
        ValueError
            If a parameter, the data, the first weights or a version differ.
        """
        here, there = fit, self._fit
        self._fit = fit
        if there is None:
            return
        names = [name for name in {**here, **there} if here.get(name) != there.get(name)]
        if names:
            differences = "; ".join(
                f"{name} is {here.get(name)} here, but {there.get(name)} there"
                for name in names[:3]
            )
            raise ValueError(
                f"checkpoint={self.path!r} belongs to another fit: {differences}. Pass what it was "
                "written with to go on, or another path, or delete the file."
            )

    def resume(self, training):
        """Bring training to where the file left it; write it, to see that this works.

        Parameters
        ----------
        training : object with state_dict(), load_state_dict(state) and is_over

        Raises
        ------
        TypeError
            If a part of its state cannot be written.
        OSError
            If the file cannot be written.
        """
        if self._state is not None:
            training.load_state_dict(self._state)
            self._state = None
        if training.is_over:
            return
        try:
            self._write(training)
        except OSError as error:
            error.add_note(f"checkpoint={self.path!r} cannot be written; pass another path.")
            raise

    def save(self, training):
        """Write the state between two epochs; a failure is a warning, once."""
        try:
            self._write(training)
        except Exception as error:
            # A full disk must not cost a net, nor must anything else here.
            if not self._has_warned:
                self._has_warned = True
                warn_user(
                    f"checkpoint={self.path!r} could not be written after epoch {training.epoch} "
                    f"({error!r}); training goes on, and the file stays as it was before.",
                    RuntimeWarning,
                )

    def _write(self, training):
        if distributed.current().rank:
            # The first process writes for all.
            return
        writer = StateWriter()
        state = writer.encode(training.state_dict(), ("training",))
        write_arrays(self.path, writer.arrays, {"fit": self._fit, "state": state})


class StateWriter(Writer):
    """Writes the state dicts of torch, too: tensors, and dicts with numbers as keys."""

    def encode(self, value, where):
        """See `Writer`."""
        if isinstance(value, torch.Tensor):
            if value.dtype == torch.bfloat16 or value.is_complex() or value.layout != torch.strided:
                raise self.refusal(f"{'.'.join(where)} is a tensor of {value.dtype}")
            return {"tensor": self.encode(value.detach().cpu().numpy(), where)}
        if isinstance(value, Mapping):
            return {"items": [[k, self.encode(v, (*where, str(k)))] for k, v in value.items()]}
        return super().encode(value, where)

    def refusal(self, what):
        """See `Writer`."""
        return TypeError(
            f"{what}, which a checkpoint cannot hold: tensors, arrays, numbers and text are all "
            "that goes into it. Fit with checkpoint=None."
        )


class StateReader(Reader):
    """Reads what `StateWriter` wrote."""

    def __init__(self, arrays):
        super().__init__(arrays, written_by=None)
        self.decoders["tensor"] = lambda node: torch.from_numpy(self.decode(node))
        self.decoders["items"] = lambda items: {key: self.decode(value) for key, value in items}


# What a fit depends on


def describe_fit(estimator, given, net, device, precision, seed, n_fits):
    """What decides the weights that a fit ends with, by name, as text and numbers.

    Parameters
    ----------
    estimator : LearnedDenoiser
    given : FitInput
        The checked data.
    net : ImageNet
        Ready to train.
    device : torch.device
    precision : str
    seed, n_fits : int
        The seed of the estimator, and how often it has been fitted.

    Returns
    -------
    fit : dict of str to str or int
    """
    parameters = estimator.get_params(deep=False)
    version = versions()
    return {
        "estimator": type(estimator).__name__,
        **{
            name: _describe(value)
            for name, value in sorted(parameters.items())
            if name not in _FREE_PARAMETERS
        },
        "device": device.type,
        "precision": precision,
        "X": _describe_data(given.X),
        "y": "None" if given.y is None else _describe_data(given.y),
        **given.describe(_describe_data),
        "random_state": seed,
        "number of fits before": n_fits - 1,
        "version of skdae": version["skdae"],
        "version of torch": version["torch"],
        # Of a warm start, and of modules that the user made.
        "first weights": _describe_weights(net),
    }


def _describe(value):
    """A value of a parameter as text that is the same in every process."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_describe, value))})"
    if isinstance(value, np.ndarray):
        return _describe_data(value)
    if isinstance(value, BaseEstimator) and not inspect.isclass(value):
        parameters = sorted(value.get_params(deep=False).items())
        inner = ", ".join(f"{name}={_describe(v)}" for name, v in parameters)
        return f"{type(value).__name__}({inner})"
    if isinstance(value, partial):
        return f"partial{_describe([value.func, value.args, *sorted(value.keywords.items())])}"
    if value is None or isinstance(value, bool | int | float | str | nn.Module):
        return repr(value)
    # Anything else by its name, because its text may hold an address.
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _describe_data(X):
    """Dtype, shape and hash of an array, or of a list of images."""
    if is_ragged(X):
        digest = _digest(_describe_data(image).encode() for image in X)
        return f"{len(X)} images with hash {digest}"
    rows = max(1, _CHUNK // max(1, X[:1].nbytes))
    chunks = (X[start : start + rows] for start in range(0, len(X), rows))
    return f"{X.dtype} {X.shape} with hash {_digest(map(np.ascontiguousarray, chunks))}"


def _describe_weights(net):
    """Hash of all that training changes."""
    weights = (w.detach().cpu().contiguous().flatten() for w in net.weights())
    return f"hash {_digest(w.view(torch.uint8).numpy() for w in weights)}"


def _digest(buffers):
    """A short hash of buffers, one after the other."""
    digest = hashlib.sha256()
    for buffer in buffers:
        digest.update(buffer)
    return digest.hexdigest()[:32]
