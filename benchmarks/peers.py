"""What a user would write without skdae, each in its plainest honest form.

Every peer is ``fit(X, y) -> loss``: it trains for one epoch, and returns the mean training loss.
`X` and `y` are float32 arrays, ``(n, height, width, 1)`` for the conv net and ``(n, 784)`` for the
dense one. All start from weights of the same distribution (PyTorch's default), shuffle, and use
Adam at 1e-3.
"""

from contextlib import nullcontext
from itertools import pairwise

import numpy as np
import torch
from skorch import NeuralNetRegressor
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 0
LR = 1e-3
DENSE_SIZES = (784, 128, 50, 128, 784)


# The two nets of the table, written as a user would


def conv_net():
    """The net of the Fashion-MNIST study; its output is logits."""
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2)),
        *(nn.Conv2d(64, 32, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2)),
        nn.Conv2d(32, 1, 3, padding=1),
    )


def dense_net():
    """The fully connected net of the occlusion study; its code is linear."""
    first, code, second, last = (nn.Linear(n_in, n_out) for n_in, n_out in pairwise(DENSE_SIZES))
    return nn.Sequential(first, nn.ReLU(), code, second, nn.ReLU(), last)


# Peers


def plain_torch(X, y, *, net, criterion, batch_size):
    """The loop of the PyTorch tutorials: `DataLoader`, float32, ``loss.item()`` every batch."""
    torch.manual_seed(SEED)
    module = net()
    optimizer = torch.optim.Adam(module.parameters(), lr=LR)
    data = TensorDataset(_channels_first(X), _channels_first(y))
    total = 0.0
    for x_batch, y_batch in DataLoader(data, batch_size=batch_size, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(module(x_batch), y_batch)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x_batch)
    return total / len(data)


def plain_skorch(X, y, *, net, criterion, batch_size):
    """`NeuralNetRegressor` as its documentation shows it, without a validation set."""
    torch.manual_seed(SEED)
    regressor = NeuralNetRegressor(
        net,
        criterion=criterion,
        optimizer=torch.optim.Adam,
        lr=LR,
        max_epochs=1,
        batch_size=batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    # skorch takes arrays in torch's order of axes.
    regressor.fit(_channels_first(X).numpy(), _channels_first(y).numpy())
    return regressor.history[-1, "train_loss"]


def tuned_torch(X, y, *, net, criterion, batch_size):
    """What an expert writes.

    Whole-tensor batches, channels-last, bfloat16 for convolutions where the hardware computes in
    it, fused Adam, and no synchronisation in the loop.
    """
    torch.manual_seed(SEED)
    module = net().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(module.parameters(), lr=LR, fused=True)
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    total = torch.zeros(())
    for index in torch.randperm(len(X)).split(batch_size):
        x_batch = _to_net(X.index_select(0, index))
        y_batch = _to_net(y.index_select(0, index))
        optimizer.zero_grad()
        with _autocast(x_batch):
            output = module(x_batch)
        loss = criterion(output.float(), y_batch)
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(index)
    return float(total) / len(X)


def predict(module, criterion, X, batch_size=256):
    """What a module makes of arrays, batched by hand, in the precision the tuned loop takes."""
    module.eval()
    outputs = []
    with torch.no_grad():
        for batch in torch.from_numpy(X).split(batch_size):
            x_batch = _to_net(batch)
            with _autocast(x_batch):
                outputs.append(module(x_batch).float())
    output = torch.cat(outputs)
    output = output if output.ndim == 2 else output.permute(0, 2, 3, 1)
    return (output.sigmoid() if isinstance(criterion, nn.BCEWithLogitsLoss) else output).numpy()


def has_bfloat16():
    """Whether the CPU computes in bfloat16 rather than emulating it."""
    checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, check, bool)() for check in checks)


def _autocast(batch):
    """bfloat16 for images where it is fast; a small dense net gains nothing from it."""
    if batch.ndim == 4 and has_bfloat16():
        return torch.autocast("cpu", torch.bfloat16)
    return nullcontext()


def _to_net(batch):
    """A channels-last batch as torch sees it, without copying; rows as they are."""
    return batch if batch.ndim == 2 else batch.permute(0, 3, 1, 2)


def _channels_first(X):
    return torch.from_numpy(X if X.ndim == 2 else np.ascontiguousarray(X.transpose(0, 3, 1, 2)))
