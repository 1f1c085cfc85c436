"""Devices, precisions and threads."""

import math
import os
from contextlib import contextmanager
from functools import cache

import joblib
import torch

from . import distributed

# Multiply-adds of a step below which threads wait for one another longer than they save.
_SMALL_STEP = 2**22


@cache
def _prepare_for_forks():
    """Let children of this process compute with one thread.

    A forked child inherits OpenMP's bookkeeping but not its threads, and would wait for them
    forever. With one thread it asks for none. Only a process that uses nets needs
    this, so nothing is registered at import.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


@contextmanager
def threads(n_products=_SMALL_STEP):
    """Use as many threads as the work is worth and the process may use; they are left as found.

    A number that is not torch's own choice is the caller's, and stays.

    Parameters
    ----------
    n_products : int
        Multiply-adds of a step; by default enough for all threads.
    """
    before = torch.get_num_threads()
    if before == 1 or "OMP_NUM_THREADS" in os.environ or before != _n_processors():
        yield
        return
    n_threads = _within_quota(before) if n_products >= _SMALL_STEP else 1
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _n_processors():
    """Processors that the system lets this process run on, of which torch takes all."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        return os.cpu_count()


@cache
def _within_quota(n_processors):
    """How many of the processors the quota of a container lets work; it is read once."""
    return min(n_processors, joblib.cpu_count())


def n_products(module, *sides):
    """About how many multiply-adds a net takes for an image; at most, where it shrinks images."""
    weights = module.parameters()
    return sum(w.numel() * (math.prod(sides) if w.ndim > 2 else 1) for w in weights)


def resolve_device(device):
    """The `torch.device` behind a name; "auto" takes CUDA where there is one.

    Of several processes that train one net, each has the GPU of its own number.

    Raises
    ------
    ValueError
        If the name is unknown, or the device is not there.
    """
    _prepare_for_forks()
    if device == "auto":
        device = "cpu"
        if torch.cuda.is_available():
            several = distributed.current().size > 1
            device = f"cuda:{distributed.local_gpu()}" if several else "cuda"
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, TypeError, NotImplementedError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"device={str(device)!r} cannot be used here ({reason}); use device='auto' or 'cpu'."
        ) from error
    # Tensors carry the number of their GPU.
    if found.type == "cuda" and found.index is None:
        found = torch.device("cuda", torch.cuda.current_device())
    return found


def resolve_loaded_device(device):
    """The same for a net that is loaded: where its device is not there, another serves."""
    try:
        return resolve_device(device)
    except ValueError:
        if device != "auto":
            # A name that no machine has is still an error.
            torch.device(device)
        return resolve_device("auto")


def resolve_precision(precision, device, convolutional):
    """The precision that runs; "auto" is bfloat16 for convolutions on hardware that has it."""
    if precision != "auto":
        return precision
    return "bfloat16" if convolutional and _has_bfloat16(device) else "float32"


def _has_bfloat16(device):
    """Whether the hardware computes in bfloat16 rather than emulating it."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, check, bool)() for check in checks)
