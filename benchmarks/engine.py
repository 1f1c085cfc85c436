"""Time the training engine against what a user would write, in one run, as ratios.

``python benchmarks/engine.py`` prints the table; README.md beside it says what each row means.
"""

import argparse
import os
import platform
import statistics
import time
from functools import partial

import numpy as np
import peers
import torch
from torch import nn

import skdae
from skdae import DenoisingAutoencoder
from skdae.architectures import Conv, Dense
from skdae.datasets import fetch_images

# The two nets of the table: what a peer needs to train each, and skdae's words for it.
NETS = {
    "conv net": (
        {"net": peers.conv_net, "criterion": nn.BCEWithLogitsLoss(), "batch_size": 256},
        {"architecture": Conv(filters=(32, 64), batch_norm=False), "loss": "bce"},
    ),
    "dense net": (
        {"net": peers.dense_net, "criterion": nn.MSELoss(), "batch_size": 128},
        {"architecture": Dense(hidden=(128,)), "latent_dim": 50, "loss": "mse"},
    ),
}


# Measuring


HEADER = ["work", "who", "median (min–max)", "ratio", "training loss"]


def compare(work, runs, n_repeats):
    """Rows of one work: competitors take turns, A B C A B C, and the first is ours.

    Parameters
    ----------
    work : str
    runs : dict of str to callable
        Each does its work once; a float that it returns is the training loss.
    n_repeats : int

    Yields
    ------
    row : tuple
        Work, who did it, seconds of each repeat, their median over ours, loss or None.
    """
    seconds = {name: [] for name in runs}
    losses = {}
    for _ in range(n_repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            result = run()
            seconds[name].append(time.perf_counter() - start)
            losses[name] = result if isinstance(result, float) else None
    ours = statistics.median(next(iter(seconds.values())))
    for name, times in seconds.items():
        yield work, name, times, statistics.median(times) / ours, losses[name]


def cells(work, who, seconds, ratio, loss):
    """A row as text."""
    low, high = min(seconds), max(seconds)
    time = f"{statistics.median(seconds):.4g} s ({low:.4g}–{high:.4g})"
    return [work, who, time, f"{ratio:.2f} ×", "" if loss is None else f"{loss:.5f}"]


# Competitors and data


def denoiser(net, **params):
    """skdae's estimator for one of `NETS`, with the peers' optimizer and no validation set."""
    peer, ours = NETS[net]
    common = {
        "optimizer": "adam",
        "lr": peers.LR,
        "lr_schedule": None,
        "weight_decay": 0.0,
        "max_epochs": 1,
        "batch_size": peer["batch_size"],
        "validation_fraction": None,
        "random_state": peers.SEED,
    }
    return DenoisingAutoencoder(**{**common, **ours, **params})


def competitors(net):
    """Name to ``fit(X, y)``, which returns the loss, of everyone who trains one of `NETS`."""
    peer, _ = NETS[net]
    return {
        "skdae": lambda X, y: denoiser(net).fit(X, y).history_[-1, "train_loss"],
        "hand-tuned PyTorch": partial(peers.tuned_torch, **peer),
        "plain PyTorch": partial(peers.plain_torch, **peer),
        "plain skorch": partial(peers.plain_skorch, **peer),
    }


def read_images(name):
    """Training images, uint8: of a data set, or random ones where none is at hand."""
    if "SKDAE_DATA" in os.environ:
        return fetch_images(name, download_if_missing=False).X_train
    return np.random.default_rng(peers.SEED).integers(0, 256, (60000, 28, 28), dtype=np.uint8)


def clean(net, images):
    """Clean images in the shape that a net takes."""
    X = images[: 27000 if net == "conv net" else None].astype(np.float32) / 255
    return X[..., np.newaxis] if net == "conv net" else X.reshape(len(X), -1)


# Works


def train(net, images, n_repeats):
    """Train for one epoch on noise drawn once, σ 0.4, clipped, against everyone."""
    y = clean(net, images)
    noise = np.random.default_rng(peers.SEED).normal(0, 0.4, y.shape).astype(np.float32)
    X = np.clip(y + noise, 0, 1)
    fits = competitors(net)
    n_warm_up = 4 * NETS[net][0]["batch_size"]
    for fit in fits.values():
        fit(X[:n_warm_up], y[:n_warm_up])
    yield from compare(net, {name: partial(fit, X, y) for name, fit in fits.items()}, n_repeats)


def predict(net, images, n_repeats):
    """`predict` of many images, and of one, against the module batched by hand."""
    X = clean(net, images)[:10000]
    dae = denoiser(net).fit(X[:2048], X[:2048])
    criterion = NETS[net][0]["criterion"]
    # They are so short that more repeats cost little.
    for some, n_repeated in ((X, 5 * n_repeats), (X[:1], 200 * n_repeats)):
        runs = {
            "skdae": partial(dae.predict, some),
            "module(x)": partial(peers.predict, dae.module_, criterion, some),
        }
        for run in runs.values():
            run()
        yield from compare(f"{net}, predict {len(some):,}", runs, n_repeated)


WORKS = {
    "conv": [partial(train, "conv net")],
    "dense": [partial(train, "dense net")],
    "predict": [partial(predict, net) for net in NETS],
}


# The command line


def machine():
    """What seconds depend on."""
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "bfloat16": peers.has_bfloat16(),
        "GPU": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "skdae": skdae.__version__,
    }


def main(arguments=None):
    """Print the table work by work, as the times come in."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few images: a test of the script")
    parser.add_argument("--only", nargs="+", choices=WORKS, default=list(WORKS), metavar="NAME")
    parser.add_argument("--repeats", type=int, default=3, help="of each competitor, in turn")
    parser.add_argument("--data", default="mnist", help="a data set of skdae.datasets")
    options = parser.parse_args(arguments)
    images = read_images(options.data)[: 2560 if options.quick else None]
    source = options.data if "SKDAE_DATA" in os.environ else "random (set SKDAE_DATA for real ones)"
    print(f"Images: {source}.", ", ".join(f"{k} {v}" for k, v in machine().items()))
    line = "{:24}  {:24}  {:28}  {:8}  {}".format
    print(line(*HEADER))
    for name in options.only:
        for work in WORKS[name]:
            for row in work(images, options.repeats):
                print(line(*cells(*row)).rstrip(), flush=True)


if __name__ == "__main__":
    main()
