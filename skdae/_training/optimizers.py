"""Optimizers by name, and the schedules of their learning rates."""

import inspect
from functools import partial

import torch
from torch.optim import lr_scheduler

from .muon import Muon

OPTIMIZERS: dict[str, tuple[type[torch.optim.Optimizer], dict]] = {
    "adam": (torch.optim.Adam, {"fused": True}),
    "adamw": (torch.optim.AdamW, {"fused": True}),
    "sgd": (torch.optim.SGD, {"momentum": 0.9, "fused": True}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "muon": (Muon, {}),
}

# Steps in which momentum of 0.9 falls by a factor of 10^3, from the smallest that is kept to the
# smallest number that is not denormal, 10^-38, and one more.
STEPS_TO_DENORMALS = 64
_SMALLEST_MOMENT = 1e-34


def optimizer_with_options(given, weight_decay, precision="float32"):
    """What skorch calls with weights and a rate, of a name, a class or a `functools.partial`."""
    given, options = OPTIMIZERS.get(given, (given, {}))
    if given is Muon and precision == "bfloat16":
        # Gradients have no more digits, either.
        options = {**options, "dtype": torch.bfloat16}
    made = getattr(given, "func", given)
    if "weight_decay" in inspect.signature(made).parameters:
        options = {**options, "weight_decay": weight_decay}
    return partial(made, **options | getattr(given, "keywords", {}))


def clear_gradients(optimizer):
    """What zero_grad does, without its bookkeeping."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None


def drop_denormals(optimizers):
    """Set moments to 0 before they become denormal, in which CPUs compute ten times slower.

    Those of weights without a gradient, as dead units have them, fade away and stay there.
    """
    for state in (values for optimizer in optimizers for values in optimizer.state.values()):
        for value in state.values():
            # Counts of steps have no dimension.
            is_moment = isinstance(value, torch.Tensor) and value.ndim > 0
            if is_moment and value.is_floating_point() and value.device.type == "cpu":
                torch.hardshrink(value, _SMALLEST_MOMENT, out=value)


def load_optimizer(optimizer, state):
    """Give an optimizer its state back, in the memory order of the parameters."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for i, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor) and value.shape == parameters[i].shape:
                # Fused optimizers walk through both side by side.
                values[name] = torch.empty_like(parameters[i], dtype=value.dtype).copy_(value)
    optimizer.load_state_dict(state)


LR_SCHEDULES = ("cosine", "onecycle", "plateau")


def start_schedule(name, optimizer, lr, steps):
    """The learning rate's schedule over as many steps; None keeps the rate `lr`."""
    if name == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    if name == "onecycle":
        return lr_scheduler.OneCycleLR(
            optimizer, max_lr=lr, total_steps=steps, cycle_momentum=False
        )
    if name == "plateau":
        return lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.2, patience=3)
    for group in optimizer.param_groups:
        # The schedule of an earlier fit may have ended at 0.
        group["lr"] = lr
    return None
