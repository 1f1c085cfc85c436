"""A fit under way, as checkpoints hold it."""

import numpy as np
import torch
from torch.optim import lr_scheduler

from . import distributed
from .callbacks import ProgressBar, StopEarly
from .optimizers import load_optimizer, start_schedule
from .progress import Pace


class Training:
    """A fit under way: all that changes from one epoch to the next.

    Parameters
    ----------
    net : ImageNet
    train : ImageDataset
    valid : ImageDataset or None
    """

    def __init__(self, net, train, valid):
        self.net = net
        self.steps = net.n_steps(train)
        self.steps_per_epoch = len(train.split(net.batch_size))
        self.epoch = 0
        self.best: dict[str, float] = {}
        self.schedule = start_schedule(net.lr_schedule, net.optimizer_, net.lr, self.steps)
        enabled = net.precision == "float16"
        self.scaler = torch.amp.GradScaler(net.device.type, enabled=enabled)
        self.generators = [torch.default_generator, *train.generators]
        if net.device.type == "cuda":
            self.generators.append(torch.cuda.default_generators[net.device.index])
        if valid is not None:
            self.generators += valid.generators
        # A bar tells it already, and of several processes the first.
        has_bar = any(isinstance(callback, ProgressBar) for _, callback in net.callbacks_)
        self.pace = Pace(is_silent=has_bar or distributed.current().rank > 0)

    @property
    def steps_left(self):
        """Batches until the end, when an epoch begins."""
        return self.steps - self.epoch * self.steps_per_epoch

    @property
    def is_over(self):
        """Whether all epochs are done, or skdae's own early stopping has ended them."""
        stop = next((c for _, c in self.net.callbacks_ if isinstance(c, StopEarly)), None)
        return self.steps_left <= 0 or (stop is not None and stop.misses_ >= stop.patience)

    def record(self, losses):
        """Enter the losses of an epoch into the history."""
        history = self.net.history
        for name, value in losses.items():
            history.record(name, value)
            history.record(f"{name}_best", value < self.best.get(name, np.inf))
        if not history[-1]["batches"]:
            # Some of skorch's callbacks look at the last batch: the mean of all stands for it.
            history.new_batch()
            history.record_batch("train_loss", losses["train_loss"])
        history.record("lr", self.net.optimizer_.param_groups[0]["lr"])
        if isinstance(self.schedule, lr_scheduler.ReduceLROnPlateau):
            self.schedule.step(losses.get("valid_loss", losses["train_loss"]))
        self.best = {name: min(v, self.best.get(name, np.inf)) for name, v in losses.items()}
        self.epoch += 1

    # As modules and optimizers of torch have it

    def state_dict(self):
        """All of it, as tensors, numbers and text."""
        return {
            "epoch": self.epoch,
            "best": self.best,
            "history": [*self.net.history],
            "modules": [module.state_dict() for module in self.net.modules()],
            "optimizers": [optimizer.state_dict() for optimizer in self.net.optimizers()],
            "schedule": self.schedule and self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "generators": [generator.get_state() for generator in self.generators],
            "callbacks": {name: c.state_dict() for name, c in self._callbacks()},
        }

    def load_state_dict(self, state):
        """Take over what `state_dict` gave."""
        self.epoch, self.best = state["epoch"], state["best"]
        self.net.history[:] = state["history"]
        for module, values in zip(self.net.modules(), state["modules"], strict=True):
            module.load_state_dict(values)
        for optimizer, values in zip(self.net.optimizers(), state["optimizers"], strict=True):
            load_optimizer(optimizer, values)
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])
        for generator, values in zip(self.generators, state["generators"], strict=True):
            generator.set_state(values)
        for name, callback in self._callbacks():
            if name in state["callbacks"]:
                callback.load_state_dict(state["callbacks"][name])

    def _callbacks(self):
        """The callbacks with a state, by name."""
        return [(name, c) for name, c in self.net.callbacks_ if hasattr(c, "state_dict")]
