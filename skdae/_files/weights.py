"""Weights of a net on their way into a file, and back; a net in a file of its own."""

import itertools
import threading
from contextlib import contextmanager

import numpy as np
import torch
from torch.nn.modules.module import register_module_parameter_registration_hook

from .._random import seeded
from .arrays import read_arrays, write_arrays
from .estimators import Reader, Writer, versions


def saved_weights(module):
    """Arrays of all weights and buffers of a module, by name."""
    # What torch.compile wraps.
    module = getattr(module, "_orig_mod", module)
    return {name: value.cpu().numpy() for name, value in module.state_dict().items()}


def write_net(path, architecture, module):
    """Write a net as a file of its own, with weights of half precision.

    Parameters
    ----------
    path : str or os.PathLike
    architecture : BaseArchitecture
        What built the module.
    module : torch.nn.Module
    """
    writer = Writer()
    weights = {name: value.astype(np.float16) for name, value in saved_weights(module).items()}
    content = {"architecture": architecture, "weights": weights}
    tree = writer.encode(content, ("net",))
    write_arrays(path, writer.arrays, {"net": tree, "versions": versions()})


def read_net(path):
    """Read what `write_net` wrote.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    architecture : BaseArchitecture
    weights : dict of str to ndarray of float32
        For `rebuild`.
    """
    arrays, tree = read_arrays(path)
    net = Reader(arrays, tree["versions"]["skdae"]).decode(tree["net"])
    weights = {name: value.astype(np.float32) for name, value in net["weights"].items()}
    return net["architecture"], weights


def rebuild(build, weights):
    """The module that `build` makes, with saved weights.

    What the parameters of an architecture claim is believed only once the weights are seen to fit:
    until then, nothing of that size is allocated or initialised.

    Parameters
    ----------
    build : callable
        Makes a module, without arguments.
    weights : dict of str to ndarray
        From `saved_weights`.

    Returns
    -------
    module : torch.nn.Module

    Raises
    ------
    ValueError
        If a name, shape or dtype differs.
    """
    check_weights(build, weights)
    with seeded(0, torch.device("cpu")):
        module = build()
    module.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return module


def check_weights(build, weights):
    """Raise a ValueError unless the module that `build` makes has weights like these."""
    cpu, meta = torch.device("cpu"), torch.device("meta")
    # Meta tensors have a shape, and no memory.
    with seeded(0, cpu), meta, _at_most(2 * len(weights) + 100):
        skeleton = build()
    expected = {
        name: (tuple(value.shape), str(value.dtype).removeprefix("torch."))
        for name, value in skeleton.state_dict().items()
    }
    got = {name: (value.shape, value.dtype.name) for name, value in weights.items()}
    differing = sorted(name for name in {*expected, *got} if expected.get(name) != got.get(name))
    if differing:
        name = differing[0]
        raise ValueError(
            f"The net's architecture has {expected.get(name, 'nothing')} as {name}, where "
            f"{got.get(name, 'nothing')} stands; {len(differing)} of its weights differ."
        )
    # Buffers that are computed, not stored, must cost no more than the file says either.
    n_bytes = sum(value.nbytes for value in skeleton.buffers())
    if n_bytes > 2**26 + 4 * sum(value.nbytes for value in weights.values()):
        raise ValueError(f"The net's architecture computes buffers of {n_bytes} bytes.")


@contextmanager
def _at_most(n_parameters):
    """Stop a build that makes more parameters than this, however many it is told to make."""
    thread, numbers = threading.get_ident(), itertools.count(1)

    def check(module, name, parameter):
        # The hook is one for all threads.
        if threading.get_ident() == thread and next(numbers) > n_parameters:
            raise ValueError("The net's architecture has more layers than there are weights.")

    handle = register_module_parameter_registration_hook(check)
    try:
        yield
    finally:
        handle.remove()
