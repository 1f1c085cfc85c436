"""One net that several processes train together.

Every process calls `fit` with the same data and parameters, draws the same order, crops and noise
for whole batches, and computes its part of each. Losses, gradients and the statistics of batch norm
are added up, so that the number of processes is no part of the result, but for rounding.
"""

import inspect
import os
import time
import traceback
import warnings
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from datetime import timedelta
from functools import partial
from itertools import count
from types import SimpleNamespace

import torch
from torch import distributed as dist
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from .._images import warn_user

# How long the first process, which may hold the store of messages, waits for the others to read.
_SECONDS_TO_READ = 5


class Processes:
    """The processes that train one net: here, one alone.

    Attributes
    ----------
    rank : int
        The number of this process; the first one, 0, speaks and writes for all.
    size : int
        How many there are.
    share : float
        Of the batch at hand, how much this process counts for.
    """

    rank = 0
    size = 1
    share = 1.0

    def align(self, tensors):
        """Give all processes the tensors of the first."""

    def batch(self, data, rows):
        """One batch of an `ImageDataset`, this process's part of it."""
        return data.batch(rows)

    def check_batch(self, rows):
        """Refuse batches that leave processes without images."""

    def backward(self, loss, optimizer):
        """Leave the gradients of the whole batch's loss in the optimizer's parameters."""
        loss.backward()

    def add(self, tensor):
        """The sum of a tensor over all processes."""
        return tensor

    def any(self, flag, device):
        """Whether a flag is up in any process."""
        return flag

    def batch_norm(self, modules):
        """A context in which batch norm sees whole batches."""
        return nullcontext()

    def draw_apart(self, seed, epoch, device):
        """Let all but the first process draw numbers of their own, for dropout."""


_ALONE = Processes()

# Not a global: in a block, the fits of other threads are not shared.
_CURRENT: ContextVar[Processes] = ContextVar("skdae_processes", default=_ALONE)


def current():
    """The processes that train with this one."""
    return _CURRENT.get()


def start(make, **values):
    """The start of a fit as ``make()`` gives it in the first process, where all agree on values."""
    processes = current()
    if processes is _ALONE:
        _warn_if_apart()
        return make()
    processes.agree(**values)
    return processes.from_first(make)


def agree(fit, net):
    """Let all processes begin with one description of the fit, one net and one optimizer.

    Parameters
    ----------
    fit : dict of str to str or int
        From `describe_fit`.
    net : ImageNet

    Returns
    -------
    fit : dict
        That of the first process.
    """
    processes = current()
    # Modules of the user's own may begin with any weights: those of the first are taken.
    first_weights = fit.pop("first weights")
    states = [s for o in net.optimizers() for values in o.state.values() for s in values.values()]
    tensors = [t for t in [*net.weights(), *states] if isinstance(t, torch.Tensor)]
    shapes = str([tuple(tensor.shape) for tensor in tensors])
    processes.agree(**fit, **{"shapes of the weights": shapes})
    processes.align(tensors)
    return {**fit, "first weights": processes.from_first(lambda: first_weights)}


def _warn_if_apart():
    """Say so where the processes of torchrun train a net each."""
    n_processes, rank = int(os.environ.get("WORLD_SIZE") or 1), os.environ.get("RANK")
    if n_processes > 1 and rank == "0":
        warn_user(
            f"{n_processes} processes were started together, but each fits its own network. To "
            "train one network, write `with skdae.distributed(): denoiser.fit(X)`."
        )


class ProcessGroup(Processes):
    """Those of `torch.distributed`.

    Parameters
    ----------
    store : torch.distributed.Store
        For the message of a process that fails.
    group : torch.distributed.ProcessGroup or None
        None is the default group.
    """

    def __init__(self, store, group):
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        # Of the images that this process computes, how many there are for each in the whole batch.
        self.ratio = 1.0
        self._store, self._group = store, group

    def from_first(self, function):
        """What a function returns in the first process; it is called there alone."""
        result = [function() if self.rank == 0 else None]
        with _losing_peers():
            dist.broadcast_object_list(result, src=0, group=self._group)
        return result[0]

    def agree(self, **values):
        """Refuse values that differ from process to process; they are the first one's."""
        everyone: list = [None] * self.size
        with _losing_peers():
            dist.all_gather_object(everyone, values, group=self._group)
        for name in {name: None for one in everyone for name in one}:
            found = [one.get(name) for one in everyone]
            if any(value != found[0] for value in found):
                listed = "; ".join(f"{value} in process {i}" for i, value in enumerate(found))
                raise ValueError(
                    f"The processes that train one network must pass the same data and parameters, "
                    f"but {name} is {listed}."
                )
        return everyone[0]

    def align(self, tensors):
        """See `Processes`."""
        for tensor in tensors:
            own = tensor.detach()
            # In one order of memory, whatever that of each process is.
            first = own.contiguous()
            with _losing_peers():
                dist.broadcast(first, src=0, group=self._group)
            own.copy_(first)

    def batch(self, data, rows):
        """See `Processes`."""
        if len(rows) < self.size:
            # Too few for each to have one: all compute them, and count in part.
            self.share, self.ratio = 1 / self.size, 1.0
            return data.batch(rows)
        ends = [len(rows) * rank // self.size for rank in (self.rank, self.rank + 1)]
        part = slice(*ends)
        self.share = (ends[1] - ends[0]) / len(rows)
        self.ratio = 1 / self.share
        if not data.is_random:
            return data.batch(rows[part])
        x, y = data.batch(rows)
        return x[part], y[part]

    def check_batch(self, rows):
        """See `Processes`."""
        if len(rows) < self.size:
            raise ValueError(
                f"A batch of {len(rows)} image(s) cannot be shared by {self.size} processes; pass "
                "more images or a larger batch_size, or start fewer processes."
            )

    def backward(self, loss, optimizer):
        """See `Processes`."""
        # Weighed before: what batch norm hands to the others is then weighed, too.
        (loss * self.share).backward()
        trained = [p for g in optimizer.param_groups for p in g["params"] if p.requires_grad]
        used = torch.tensor([p.grad is not None for p in trained], device=loss.device)
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        # At once: as messages of their own, they take eight times as long.
        flat = self.add(torch.cat([*(grad.flatten() for grad in grads), used.float()]))
        *sums, used = flat.split([*(p.numel() for p in trained), len(trained)])
        for p, grad, total, n_users in zip(trained, grads, sums, used, strict=True):
            # What no process has used must stay without a gradient, as in one process.
            if p.grad is not None or n_users:
                p.grad = grad.copy_(total.view(p.shape))

    def add(self, tensor):
        """See `Processes`; in place."""
        with _losing_peers():
            dist.all_reduce(tensor, group=self._group)
        return tensor

    def any(self, flag, device):
        """See `Processes`."""
        return bool(self.add(torch.tensor(float(flag), device=device)))

    def batch_norm(self, modules):
        """See `Processes`."""
        kind = nn.modules.batchnorm._BatchNorm
        if any(isinstance(m, kind) for module in modules for m in module.modules()):
            return _WholeBatchNorm(self)
        return nullcontext()

    def draw_apart(self, seed, epoch, device):
        """See `Processes`."""
        if self.rank:
            # From the epoch's number, so that a resumed fit draws what an unbroken one does.
            own = hash((seed, epoch, self.rank)) % 2**63
            torch.default_generator.manual_seed(own)
            if device.type == "cuda":
                torch.cuda.default_generators[device.index].manual_seed(own)

    # Ends

    def tell(self, error):
        """Leave a message of why this process ends; the first one stays."""
        what = "".join(traceback.format_exception_only(error)).strip()
        with suppress(RuntimeError):
            self._store.compare_set(
                "error", "", f"Process {self.rank} of {self.size} has ended: {what}"
            )

    def why(self):
        """The message of the process that has ended."""
        with suppress(RuntimeError):
            if self._store.check(["error"]):
                return self._store.get("error").decode()
        return (
            "Another process has ended, has left skdae.distributed(), or does not answer, without "
            "a message. Where a process catches an error inside the block, the others wait for it "
            "in vain: catch it outside."
        )

    def wait_for_readers(self):
        """Keep the store, which may be the first process's, until all have read."""
        stop = time.monotonic() + _SECONDS_TO_READ
        with suppress(RuntimeError):
            n_read = self._store.add("read", 1)
            while self.rank == 0 and n_read < self.size and time.monotonic() < stop:
                time.sleep(0.02)
                n_read = self._store.add("read", 0)


class _PeerLost(RuntimeError):
    """The connection to another process broke."""


@contextmanager
def _losing_peers():
    """Tell errors of the connection from all others."""
    try:
        yield
    except RuntimeError as error:
        raise _PeerLost(str(error)) from error


# Batch norm


class _Sum(torch.autograd.Function):
    """The sum over all processes, and its gradient: the sum of theirs."""

    @staticmethod
    def forward(ctx, tensor, processes):
        ctx.processes = processes
        return processes.add(tensor.clone())

    @staticmethod
    def backward(ctx, gradient):
        return ctx.processes.add(gradient.clone()), None


class _WholeBatchNorm(TorchFunctionMode):
    """`batch_norm` with the mean and variance of the whole batch, in modules of the user's too.

    The module stays as it is, and one formula serves all devices, batches that are not shared out
    evenly among them.
    """

    def __init__(self, processes):
        super().__init__()
        self._processes = processes

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is F.batch_norm:
            call = inspect.signature(F.batch_norm).bind(*args, **(kwargs or {}))
            call.apply_defaults()
            if call.arguments["training"]:
                return self._normalized(SimpleNamespace(**call.arguments))
        return function(*args, **(kwargs or {}))

    def _normalized(self, call):
        x, processes = call.input.float(), self._processes
        dims, n = [0, *range(2, x.ndim)], x.numel() // x.shape[1] * processes.ratio
        # Of the whole batch, in the words of torch.
        F._verify_batch_size([round(n), x.shape[1]])
        # About the mean of all: a difference of squares would lose digits.
        mean = _Sum.apply(x.mean(dims, keepdim=True) * processes.share, processes)
        x = x - mean
        var = _Sum.apply(x.square().mean(dims, keepdim=True) * processes.share, processes)
        if call.running_mean is not None:
            pairs = (call.running_mean, mean), (call.running_var, var * (n / (n - 1)))
            with torch.no_grad():
                for running, new in pairs:
                    running.lerp_(new.flatten().to(running.dtype), call.momentum)
        scale, shift = (t if t is None else t.view(mean.shape) for t in (call.weight, call.bias))
        x = x * (var + call.eps).rsqrt()
        x = x if scale is None else x * scale
        return (x if shift is None else x + shift).to(call.input.dtype)


# The block


def local_gpu():
    """The number of the GPU that is this process's own."""
    number = int(os.environ.get("LOCAL_RANK") or current().rank)
    n_gpus = torch.cuda.device_count()
    if number >= n_gpus:
        raise ValueError(
            f"This is process {number + 1} of its machine, which has {n_gpus} GPU(s); start as "
            "many processes as there are GPUs, or pass device='cpu'."
        )
    return number


@contextmanager
def distributed(backend=None, timeout=None):
    """Train one network with all processes that ``torchrun`` has started.

    Inside the block, `fit` and `partial_fit` of the denoisers that learn are shared: every process
    calls them with the same parameters and data, and computes its part of each batch.
    `batch_size` stays the size of the whole batch, and all end with the same network, which is that
    of one process but for rounding and for dropout. Outside of torchrun, the block is that of
    one process and changes nothing.

    Parameters
    ----------
    backend : str or None, default=None
        As in `torch.distributed.init_process_group`. None takes "gloo" for CPUs and "nccl" for
        GPUs.
    timeout : float or None, default=None
        Seconds after which a process that waits for another one gives up. Allow for what one of
        them may do alone, such as reading its data or writing a checkpoint. None leaves it to
        PyTorch: 30 minutes on CPUs, 10 on GPUs.

    Yields
    ------
    processes : object
        Its ``rank`` is the number of this process, 0 to ``size - 1``.

    Raises
    ------
    ValueError
        If the backend is not there. `fit` raises it where data or parameters differ between the
        processes, or a batch has fewer images than there are processes.
    RuntimeError
        In `fit`, if another process has ended, with its message, or does not answer in time.

    Notes
    -----
    Warnings, progress and checkpoints are those of process 0; callbacks run in every process, and
    see its part of each batch. A loss is to be a mean over the images of a batch. An error or
    Ctrl-C in one process ends all, once it leaves the block: where one process alone catches an
    error inside of it, the others wait for that process until `timeout`.

    Examples
    --------
    >>> from skdae import DenoisingAutoencoder, GaussianNoise, distributed
    >>> from skdae.datasets import load_digits_images
    >>> X = load_digits_images().images
    >>> dae = DenoisingAutoencoder(noise=GaussianNoise(), max_epochs=1, random_state=0)
    >>> with distributed() as processes:  # torchrun --nproc-per-node 2 train.py
    ...     dae = dae.fit(X)
    >>> processes.rank, processes.size
    (0, 1)
    """
    if backend is not None:
        _check_backend(backend)
    if current() is not _ALONE or not ("RANK" in os.environ or _is_initialized()):
        # An inner block adds nothing.
        yield current()
        return
    processes, close = _join(backend, None if timeout is None else timedelta(seconds=timeout))
    token = _CURRENT.set(processes)
    try:
        with warnings.catch_warnings():
            if processes.rank:
                warnings.simplefilter("ignore")
            yield processes
    except BaseException as error:
        is_lost = isinstance(error, _PeerLost)
        if not is_lost:
            processes.tell(error)
        # This ends what the others wait for.
        close()
        message = processes.why()
        processes.wait_for_readers()
        if is_lost:
            raise RuntimeError(message) from error
        raise
    else:
        close()
    finally:
        _CURRENT.reset(token)


# The store outlives its blocks, because its port can be bound only once.
_stores: list = []
_n_blocks = count()


def _join(backend, timeout):
    """The group of all processes, and the function that leaves it."""
    name = f"skdae {next(_n_blocks)}"
    if dist.is_initialized():
        store = dist.distributed_c10d._get_default_store()
        group = dist.new_group(timeout=timeout)
        close = partial(dist.destroy_process_group, group)
    else:
        if not _stores:
            _stores[:] = next(dist.rendezvous("env://"))
        store, rank, size = _stores
        # Under a name of its own, or a second block would find the addresses of the first.
        group_store = dist.PrefixStore(f"{name} group", store)
        dist.init_process_group(
            _full_name(backend), timeout=timeout, store=group_store, rank=rank, world_size=size
        )
        group, close = None, dist.destroy_process_group
    store = dist.PrefixStore(name, store)
    # One that left at once would break connections that others still make among themselves.
    if store.add("joined", 1) == dist.get_world_size():
        store.set("all joined", "")
    store.wait(["all joined"], *([] if timeout is None else [timeout]))
    return ProcessGroup(store, group), close


def _full_name(backend):
    """Backends by device: parameters may be on a GPU, but messages are on CPUs."""
    if backend is None:
        backend = "nccl" if dist.is_nccl_available() and torch.cuda.is_available() else "gloo"
    return "cpu:gloo,cuda:nccl" if backend == "nccl" else backend


def _is_initialized():
    return dist.is_available() and dist.is_initialized()


def _check_backend(backend):
    for name in (part.split(":")[-1] for part in str(backend).split(",")):
        is_there = dist.is_available() and dist.is_backend_available(name)
        if not is_there or (name == "nccl" and not torch.cuda.is_available()):
            raise ValueError(
                f"backend={backend!r} is not there in this PyTorch, or lacks its devices; leave "
                "backend=None, or pass 'gloo', which runs on CPUs."
            )
