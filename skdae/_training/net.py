"""The engine: a skorch net whose loop runs over whole-tensor batches.

skorch brings callbacks, history, optimizers and device handling; `ImageNet` replaces its loop
over single samples by one over `index_select` batches. Beside `callbacks`, this is the only file
that imports skorch.
"""

import copy
import math
import textwrap
from contextlib import nullcontext
from functools import partial
from itertools import islice

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNet
from skorch.callbacks import Callback, EpochTimer
from skorch.history import History
from torch.optim import lr_scheduler

from .._files.weights import uncompiled
from .._images import VALUES_PER_STEP, is_inside_of_a_library, to_float, warn_user
from ..architectures._base import call
from . import distributed
from .callbacks import copy_tensors
from .optimizers import STEPS_TO_DENORMALS, clear_gradients, drop_denormals
from .state import Training

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class ImageNet(NeuralNet):
    """A skorch net that trains on an `ImageDataset`.

    History, callbacks and optimizers are skorch's. Its callbacks for single batches are notified
    only where one is there to listen, because that costs as much as a batch of a small net.

    Parameters
    ----------
    module, criterion, **kwargs
        As in skorch.
    precision : {"float32", "bfloat16", "float16"}, default="float32"
        Of the forward pass; weights stay float32.
    lr_schedule : {"cosine", "onecycle", "plateau"} or None, default=None
    max_steps : int or None, default=None
        Batches to train on, in place of `max_epochs`.
    purpose : {"fit", "partial_fit", "predict"}, default="fit"
        What the network is used for. With "predict" it has no optimizer. Pickles hold the states of
        the optimizers with "partial_fit" alone, where training goes on with them.

    Attributes
    ----------
    plan : NetPlan
        Set before training: who holds the net holds its plan, whatever is fitted meanwhile.
    compiles : bool
        False once this machine has failed to compile the net.
    """

    compiles = True

    def __init__(
        self,
        module,
        criterion,
        *,
        precision="float32",
        lr_schedule=None,
        max_steps=None,
        purpose="fit",
        **kwargs,
    ):
        self.precision = precision
        self.purpose = purpose
        self.max_steps = max_steps
        self.lr_schedule = lr_schedule
        if purpose == "predict":
            kwargs = {k: v for k, v in kwargs.items() if not k.startswith("optimizer__")}
        super().__init__(module, criterion, train_split=None, **kwargs)

    @property
    def _default_callbacks(self):
        return [("epoch_timer", EpochTimer())]

    def continue_from(self, other, keep_optimizer):
        """Take over another net's history, loss weights and, where asked, optimizer states."""
        # The rows are shared, since none changes any more: a history may be long.
        self.history = History(other.history)
        weights, learned = self.criterion_.state_dict(), other.criterion_.state_dict()
        if {k: v.shape for k, v in weights.items()} == {k: v.shape for k, v in learned.items()}:
            self.criterion_.load_state_dict(learned)
        # A net that was loaded has no optimizers.
        for mine, theirs in zip(self.optimizers(), other.optimizers(), strict=False):
            if keep_optimizer and type(mine) is type(theirs):
                # A copy: training that fails must not reach the net before.
                state = copy.deepcopy(theirs.state_dict()["state"])
                mine.load_state_dict({**mine.state_dict(), "state": state})

    def partial_fit(self, X, y=None, checkpoint=None, **fit_params):
        """Train for `max_epochs` on the `ImageDataset` `X`.

        An interruption keeps whole epochs, except inside of a search or a cross-validation, which
        would take the net for one that has learned to the end, and except among several processes.
        """
        n_before = len(self.history)
        self.notify("on_train_begin", X=X, y=y)
        try:
            self.fit_loop(X, y, checkpoint=checkpoint)
        except KeyboardInterrupt:
            n_epochs = len(self.history) - n_before
            several = distributed.current().size > 1
            if n_epochs == 0 or is_inside_of_a_library() or several:
                raise
            warn_user(
                f"Training was interrupted: the network keeps what it learned in {n_epochs} of "
                f"{self.plan_epochs(X)} epochs."
            )
        self.notify("on_train_end", X=X, y=y)
        return self

    def fit_loop(self, X, y=None, checkpoint=None, **fit_params):
        """Train on the `ImageDataset` `X`, validate on `y` where it is given.

        A `Checkpoint` may set in after some of the epochs, and is told of each.
        """
        data = {"dataset_train": X, "dataset_valid": y}
        processes, seed = distributed.current(), torch.initial_seed()
        processes.check_batch(X.split(self.batch_size)[0])
        training = Training(self, X, y)
        if checkpoint is not None:
            checkpoint.resume(training)
        weights = self.weights()
        last_good = [w.detach().clone() for w in weights]
        stopped = False
        while not (training.is_over or stopped):
            n_rows = len(self.history)
            is_good = False
            try:
                self.notify("on_epoch_begin", **data)
                processes.draw_apart(seed, training.epoch, self.device)
                with processes.batch_norm(self.modules()):
                    losses = self._train_epoch(X, training)
                # What a module counts by itself, each process has counted on its part.
                processes.align(weights)
                if y is not None:
                    losses["valid_loss"] = self._validate(y)
                # The one synchronisation of an epoch with a GPU.
                results = torch.stack([*losses.values(), _health(weights)])
                *values, health = processes.add(results).tolist()
                if np.isfinite([*values, health]).all():
                    training.record(dict(zip(losses, values, strict=True)))
                    # From here on an interruption finds these weights whole, but not the copy.
                    is_good = True
                    copy_tensors(weights, last_good)
            finally:
                if not is_good:
                    del self.history[n_rows:]
                    copy_tensors(last_good, weights)
            if not is_good:
                self._diverged(training.epoch)
                break
            try:
                self.notify("on_epoch_end", **data)
            except KeyboardInterrupt:
                # This is how callbacks of skorch stop early.
                stopped = True
            # All stop together.
            stopped = processes.any(stopped, self.device)
            if checkpoint is not None:
                checkpoint.save(training)
        return self

    def weights(self):
        """All tensors that training changes, those of a loss with weights too."""
        states = [value for m in self.modules() for value in m.state_dict(keep_vars=True).values()]
        return [value for value in states if isinstance(value, torch.Tensor)]

    def modules(self):
        """All modules that are trained, the loss too."""
        return [self.module_, self.criterion_]

    def optimizers(self):
        """The optimizers of all modules; a net that only predicts has none."""
        names = [name for name in self.cuda_dependent_attributes_ if name.endswith("optimizer_")]
        return [vars(self)[name] for name in names if name in vars(self)]

    def initialize_optimizer(self, *args, **kwargs):
        """Make the optimizer, where there is something to learn; it takes a second to import."""
        return self if self.purpose == "predict" else super().initialize_optimizer(*args, **kwargs)

    def torch_compile(self, module, name):
        """Compile what is trained; what only predicts is compiled when it does."""
        return module if self.purpose == "predict" else super().torch_compile(module, name)

    def __getstate__(self):
        """The weights once, not compiled, and the optimizers only where training goes on."""
        short = object.__new__(type(self))
        state = vars(short)
        state |= vars(self)
        for name in self.cuda_dependent_attributes_:
            value = state.get(name)
            if isinstance(value, torch.nn.Module):
                state[name] = uncompiled(value)
                if state[name.removesuffix("_")] is state[name]:
                    # The parameter, which training has changed.
                    state[name.removesuffix("_")] = None
            elif self.purpose != "partial_fit":
                state.pop(name, None)
        return super(ImageNet, short).__getstate__()

    def __setstate__(self, state):
        """Take over what `__getstate__` gave."""
        super().__setstate__(state)
        for name in self.cuda_dependent_attributes_:
            if vars(self).get(parameter := name.removesuffix("_"), self) is None:
                vars(self)[parameter] = vars(self)[name]

    def n_steps(self, data):
        """Batches of a fit on an `ImageDataset`."""
        return self.max_steps or self.max_epochs * len(data.split(self.batch_size))

    def plan_epochs(self, data):
        """Epochs of a fit on an `ImageDataset`; the last one may be cut short."""
        return -(-self.n_steps(data) // len(data.split(self.batch_size)))

    def _train_epoch(self, data, training):
        """Run one epoch; return this process's share of the mean of each loss, as tensors."""
        self._set_training(True)
        schedule = training.schedule
        listens = self._has_batch_callbacks()
        step = None if isinstance(schedule, lr_scheduler.ReduceLROnPlateau) else schedule
        totals: dict[str, torch.Tensor] = {}
        n_seen = 0
        processes = distributed.current()
        batches = islice(data.shuffled(self.batch_size), training.steps_left)
        for i, rows in enumerate(batches):
            if i % STEPS_TO_DENORMALS == 0:
                drop_denormals(self.optimizers())
            x, y = processes.batch(data, rows)
            if listens:
                self.notify("on_batch_begin", batch=(x, y), training=True)
            losses, output = self._train_step(x, y, training.scaler, listens)
            n_seen += len(rows)
            if step is not None:
                step.step()
            for name, loss in losses.items():
                totals[name] = totals.get(name, 0) + loss.detach() * (len(rows) * processes.share)
            if listens:
                self._notify_batch_end((x, y), losses["train_loss"], output, training=True)
            training.pace.step(training.steps_left)
        return {name: total / n_seen for name, total in totals.items()}

    def _train_step(self, x, y, scaler, listens):
        """Train on one batch; return its losses, ``train_loss`` among them, and the output."""
        clear_gradients(self.optimizer_)
        with self._autocast():
            output = self.module_(x)
        loss = self.criterion_(output, y)
        distributed.current().backward(scaler.scale(loss), self.optimizer_)
        if listens:
            scaler.unscale_(self.optimizer_)
            self.notify(
                "on_grad_computed",
                named_parameters=list(self.module_.named_parameters()),
                batch=(x, y),
                training=True,
            )
        scaler.step(self.optimizer_)
        scaler.update()
        return {"train_loss": loss}, output

    @torch.no_grad()
    def _validate(self, data):
        """Mean loss over the validation images, this process's share of it, as a tensor."""
        self._set_training(False)
        listens = self._has_batch_callbacks()
        data.reset_noise()
        total = torch.zeros((), device=data.device)
        processes = distributed.current()
        for index in data.split(self.batch_size):
            x, y = processes.batch(data, index)
            if listens:
                self.notify("on_batch_begin", batch=(x, y), training=False)
            with self._autocast():
                output = self.module_(x)
            loss = self.criterion_(output, y)
            total += loss * (len(index) * processes.share)
            if listens:
                self._notify_batch_end((x, y), loss, output, training=False)
        return total / len(data)

    @torch.no_grad()
    def compare_with_no_net(self, train, valid, activation, n_batches=8):
        """Mean squared errors of the net, and of what needs none, on images it was not shown.

        Parameters
        ----------
        train : ImageDataset
        valid : ImageDataset or None
            None compares on every second batch of the training images, and takes the mean over the
            others.
        activation : callable
            From the module's output to a prediction.
        n_batches : int, default=8
            As many batches of each are looked at.

        Returns
        -------
        error, constant_error, input_error : float
            Of the net, of the mean training target, and of the noisy images themselves. The last
            is infinity where these are no answer: the targets, or of another size, or partly
            hidden. 0 and infinity where there are no other images.
        """
        self._set_training(False)
        known = train.split(self.batch_size)
        if valid is None:
            valid, known, unknown = train, known[::2], known[1::2]
        else:
            unknown = valid.split(self.batch_size)
        if not unknown:
            return 0.0, np.inf, np.inf
        # Where pixels are hidden, all others have no target.
        total = n_targets = 0
        for rows in known[:n_batches]:
            y = train.batch(rows)[1]
            total += y.nansum(0)
            n_targets += (~y.isnan()).sum(0)
        constant = torch.where(n_targets == 0, total.sum() / n_targets.sum(), total / n_targets)
        valid.reset_noise()
        errors, n_samples = torch.zeros(3, device=valid.device), 0
        for rows in unknown[:n_batches]:
            x, y = valid.batch(rows)
            with self._autocast():
                output = self.module_(x)
            guesses = (activation(output.float()), constant, self._as_answer(x, y, valid))
            errors += torch.stack([torch.square(guess - y).nanmean() for guess in guesses]) * len(y)
            n_samples += len(y)
        return (errors / n_samples).tolist()

    def _as_answer(self, x, y, data):
        """The input of a batch as if it were denoised, or infinity where it cannot be."""
        is_answer = data.task.input_is_answer and x.shape == y.shape and not torch.equal(x, y)
        return x if is_answer else torch.full_like(y[:1], torch.inf)

    def _notify_batch_end(self, batch, loss, output, training):
        """Record the batch as skorch does, and tell the callbacks."""
        prefix = "train" if training else "valid"
        loss = loss.detach()
        self.history.record_batch(f"{prefix}_loss", loss.item())
        self.history.record_batch(f"{prefix}_batch_size", len(batch[0]))
        self.notify("on_batch_end", batch=batch, training=training, loss=loss, y_pred=output)

    def _has_batch_callbacks(self):
        hooks = ("on_batch_begin", "on_batch_end", "on_grad_computed")
        return any(
            getattr(type(callback), hook) is not getattr(Callback, hook)
            for _, callback in self.callbacks_
            for hook in hooks
        )

    def _diverged(self, epoch):
        """Say that the loss is not a number any more."""
        cause = (
            f"The loss became NaN or infinite in epoch {epoch + 1}: the network diverged with "
            f"lr={self.lr}; try a smaller lr, or precision='float32'"
        )
        if epoch == 0:
            raise ValueError(f"{cause}.")
        warn_user(
            f"{cause}. Training stopped, and the weights of epoch {epoch} were restored.",
            ConvergenceWarning,
        )

    def _autocast(self):
        is_short = self.precision != "float32"
        if not is_short and not torch.is_autocast_enabled(self.device.type):
            return nullcontext()
        return torch.autocast(self.device.type, dtype=_DTYPES[self.precision], enabled=is_short)

    # Prediction

    def scored_images(self, data, y=None):
        """Clean and denoised images, for a scorer that a callback of skorch calls.

        Parameters
        ----------
        data : ImageDataset
        y : ndarray or None, default=None
            Targets as the net has them, which the callback has gathered; None takes those of
            `data`.

        Returns
        -------
        X_clean, X_denoised : ndarray of shape (n_samples, height, width, n_channels)
            As `predict` of the denoiser gives them.
        """
        y = data.y if y is None else torch.from_numpy(y)
        X_denoised = self.plan.from_net(self.forward(data).float())
        images = self.plan.to_images(y), X_denoised.clip(*(self.plan.clip or (None, np.inf)))
        return tuple(batch.numpy(force=True) for batch in images)

    def map_batches(self, function, X, layout, compiled=False):
        """Apply a method of the module to images or codes, batch by batch, without gradients.

        Parameters
        ----------
        function : str
            Name of the module's method.
        X : ndarray of shape (n_samples, ...)
        layout : callable
            From a float32 tensor of one batch to what the method takes.
        compiled : bool, default=False
            Whether to run the net compiled.

        Yields
        ------
        output : Tensor of float32, on the CPU
        """
        module = uncompiled(self.module_)
        if module.training:
            # Setting it anew takes as long as a small image.
            module.eval()
        apply = self._apply_compiled if compiled and self.compiles else partial(call, module)
        step = max(1, VALUES_PER_STEP // int(np.prod(X.shape[1:])))
        for start in range(0, len(X), step):
            # A copy: a net that works in place must not reach the caller's array.
            batch = np.array(to_float(X[start : start + step]), np.float32, order="C")
            batch = torch.from_numpy(batch).to(self.device)
            with torch.inference_mode(), self._autocast():
                output = apply(function, layout(batch)).float().cpu()
            # The sum is fast, but may overflow.
            if not (math.isfinite(output.sum()) or output.isfinite().all()):
                raise ValueError(
                    f"{function}() of the network gives NaN or infinity. Values of X far outside "
                    "those of the training do this: pass images in the same units as at fit."
                )
            yield output

    def _apply_compiled(self, function, batch):
        """Apply a method of the module; as it is where this machine cannot compile it."""
        if uncompiled(self.module_) is self.module_ and self.compiles:
            self.module_ = torch.compile(self.module_)
        try:
            return call(self.module_, function, batch)
        except torch._dynamo.exc.TorchDynamoException as error:
            self.module_, self.compiles = uncompiled(self.module_), False
            reason = textwrap.shorten(str(error), 150)
            warn_user(
                f"The network cannot be compiled here, and predicts as it is ({reason}). "
                "set_params(compile=False) avoids the attempt."
            )
            return call(self.module_, function, batch)


def _health(weights):
    """A number that is finite while all weights are."""
    return sum(w.detach().sum(dtype=torch.float32) for w in weights if w.is_floating_point())
