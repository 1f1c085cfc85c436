"""Weights of a net on their way into a file, and back; a net in a file of its own."""

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from .arrays import read_arrays, write_arrays
from .estimators import Reader, Writer, versions

# Values that a net may have beside those of its file: 64 MB.
_ROOM = 2**24

# A small tensor costs as much as so many values.
_TENSOR = 10_000


def uncompiled(module):
    """What torch.compile wraps, or the module itself."""
    return getattr(module, "_orig_mod", module)


def saved_weights(module):
    """Arrays of all weights and buffers of a module, by name."""
    return {name: value.cpu().numpy() for name, value in uncompiled(module).state_dict().items()}


def write_net(path, architecture, module):
    """Write a network as a file of its own, with weights of half precision.

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
    until then, nothing of that size is allocated or initialized.

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
        If a name, shape or dtype differs, or a weight is not finite.
    """
    check_weights(build, weights)
    with Builder(weights, draws=False), torch.device("cpu"):
        module = build().float()
    values = {name: torch.from_numpy(value) for name, value in weights.items()}
    # Assigned, because a skeleton of another one may be under way.
    module.load_state_dict(values, assign=True)
    return module


def check_weights(build, weights):
    """Raise a ValueError unless the module that `build` makes has weights like these."""
    # Meta tensors have a shape, and no memory. float() undoes torch.set_default_dtype.
    with Builder(weights), torch.device("meta"):
        skeleton = build().float()
    expected = {
        name: (tuple(value.shape), str(value.dtype).removeprefix("torch."))
        for name, value in skeleton.state_dict().items()
    }
    got = {name: (value.shape, value.dtype.name) for name, value in weights.items()}
    differing = sorted(name for name in {*expected, *got} if expected.get(name) != got.get(name))
    if differing:
        name = differing[0]
        raise ValueError(
            f"The network's architecture has {expected.get(name, 'nothing')} as {name}, where "
            f"{got.get(name, 'nothing')} stands; {len(differing)} of its weights differ."
        )
    # Buffers that are computed, not stored, must cost no more than the file says either.
    n_values = sum(value.numel() for value in skeleton.buffers())
    if n_values > _ROOM + 4 * sum(value.size for value in weights.values()):
        raise ValueError(f"The network's architecture computes buffers of {n_values} values.")
    # Both ends, because an array of answers would take memory.
    ends = {name: [value.min(), value.max()] for name, value in weights.items() if value.size}
    wrong = [name for name, pair in ends.items() if not np.isfinite(pair).all()]
    if wrong:
        raise ValueError(f"The network has NaN or infinity among its weights {wrong[0]}.")


class Builder(TorchFunctionMode):
    """Within it, this thread builds modules by a generator of its own, and no more than fit.

    So nothing waits for a fit that draws from torch's global generator, or draws from it itself.

    Parameters
    ----------
    weights : dict of str to ndarray
        Those of a file, about as large as all that is built.
    draws : bool, default=True
        Whether first weights are drawn; False where those of a file take their place.
    """

    def __init__(self, weights, draws=True):
        super().__init__()
        self._draws = draws
        self._generator = torch.Generator().manual_seed(0)
        self._room = _ROOM + 2 * sum(value.size + _TENSOR for value in weights.values())

    def __torch_function__(self, function, types, args=(), kwargs=None):
        """See `TorchFunctionMode`."""
        kwargs = dict(kwargs or {})
        if not self._draws and getattr(function, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        if function is torch.empty:
            # What becomes a weight.
            self._room -= torch.empty(*args, **{**kwargs, "device": "meta"}).numel() + _TENSOR
            if self._room < 0:
                raise ValueError("The network's architecture has more weights than the file.")
        if kwargs.get("generator", self) is None:
            kwargs["generator"] = self._generator
        return function(*args, **kwargs)
