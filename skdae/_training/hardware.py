"""Devices, precisions and threads."""

import os
from functools import cache

import torch


@cache
def _prepare_for_forks():
    """Let children of this process compute with one thread.

    A forked child has OpenMP's books on the threads of its parent, but not the threads, and would
    wait for them forever. With one thread it asks for none. Only a process that uses nets needs
    this, so nothing is registered at import.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


def resolve_device(device):
    """The `torch.device` behind a name; "auto" takes CUDA where there is one.

    Raises
    ------
    ValueError
        If the name is unknown, or the device is not there.
    """
    _prepare_for_forks()
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f'device={device!r} is unknown; use "auto", "cpu" or "cuda".') from error
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise ValueError(
                f'device="{device}" was asked for, but torch {torch.__version__} finds no CUDA '
                'device here; use device="auto" or "cpu".'
            )
        if (device.index or 0) >= torch.cuda.device_count():
            raise ValueError(
                f'device="{device}" was asked for, but there are {torch.cuda.device_count()} '
                "CUDA devices, counted from 0."
            )
        # Tensors carry the number of their device.
        return torch.device("cuda", device.index or 0)
    try:
        torch.empty(0, device=device)
    except (RuntimeError, NotImplementedError, AssertionError) as error:
        raise ValueError(
            f'device="{device}" was asked for, but torch {torch.__version__} finds none here; use '
            'device="auto" or "cpu".'
        ) from error
    return device


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
