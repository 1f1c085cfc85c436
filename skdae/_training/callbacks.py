"""skdae's own skorch callbacks: early stopping, and what `verbose` shows."""

import torch
from skorch.callbacks import Callback, EarlyStopping, GradientNormClipping, PrintLog

from .progress import progress_bar


class StopEarly(EarlyStopping):
    """skorch's early stopping, which a checkpoint can hold."""

    def state_dict(self):
        """What changes while it watches."""
        return {name: value for name, value in vars(self).items() if name.endswith("_")}

    def load_state_dict(self, state):
        """Take over what `state_dict` gave."""
        vars(self).update(state)


class ProgressBar(Callback):
    """A bar for the whole fit: epochs, losses, time left."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Open the bar."""
        self.n_batches_, self.n_epochs_ = len(X.split(net.batch_size)), net.plan_epochs(X)
        self.n_before_ = len(net.history)
        self.bar_ = progress_bar(net.n_steps(X), unit="step", mininterval=0.5)

    def on_epoch_begin(self, net, **kwargs):
        """Catch up with training that resumes from a checkpoint."""
        n_done = len(net.history) - 1 - self.n_before_
        self.bar_.set_description(f"epoch {n_done + 1}/{self.n_epochs_}", refresh=False)
        self.bar_.update(n_done * self.n_batches_ - self.bar_.n)
        self.total_, self.n_seen_ = 0.0, 0

    def on_batch_end(self, net, batch, loss, training=False, **kwargs):
        """Move the bar on; show the mean loss of the epoch, and the validation loss before it."""
        if not training:
            return
        self.total_ += float(loss) * len(batch[0])
        self.n_seen_ += len(batch[0])
        self._show(net, {"train_loss": self.total_ / self.n_seen_})
        self.bar_.update()

    def on_epoch_end(self, net, **kwargs):
        """Show the losses of the whole epoch."""
        self._show(net, net.history[-1])

    def _show(self, net, row):
        """Show the losses of a row of the history, and of the one before where it lacks one."""
        row = {**dict(*net.history[-2:-1]), **row}
        names = [name for name in ("train_loss", "valid_loss") if name in row]
        self.bar_.set_postfix({name: f"{row[name]:.4g}" for name in names}, refresh=False)

    def on_train_end(self, net, **kwargs):
        """Close the bar."""
        self.bar_.close()
        # An open stream cannot be pickled with the net.
        del self.bar_


def standard_callbacks(verbose, early_stopping, patience, max_gradient_norm=None):
    """skdae's own callbacks, by parameters of the estimator."""
    callbacks = []
    if max_gradient_norm is not None:
        callbacks.append(("clip_gradients", GradientNormClipping(max_gradient_norm)))
    if early_stopping:
        stop = StopEarly(
            patience=patience, load_best=True, threshold=0.0, sink=print if verbose > 1 else _silent
        )
        callbacks.append(("early_stopping", stop))
    if verbose == 1:
        callbacks.append(("progress", ProgressBar()))
    if verbose > 1:
        callbacks.append(("print_log", PrintLog(keys_ignored=["lr"])))
    return callbacks


def _silent(message):
    """Swallow a message."""


def copy_tensors(source, to):
    """Copy tensors in place."""
    with torch.no_grad():
        for a, b in zip(source, to, strict=True):
            b.copy_(a)
