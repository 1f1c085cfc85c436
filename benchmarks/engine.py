"""Time the training engine against what a user would write, in one run, as ratios.

``python benchmarks/engine.py`` prints the table; README.md beside it says what each row means.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import peers
import torch
from torch import nn

import skdae
from skdae import DenoisingAutoencoder, GaussianNoise
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


@dataclass
class Row:
    """A line of the table; `ratio` is the time of the other over skdae's."""

    work: str
    who: str
    seconds: list = field(default_factory=list)
    ratio: float | None = None
    loss: float | None = None

    def cells(self):
        """The line as text."""
        low, high = min(self.seconds), max(self.seconds)
        time = f"{statistics.median(self.seconds):.4g} s ({low:.4g}–{high:.4g})"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f} ×"
        loss = "" if self.loss is None else f"{self.loss:.5f}"
        return [self.work, self.who, time, ratio, loss]


HEADER = ["work", "who", "median (min–max)", "ratio", "training loss"]


def compare(work, runs, n_repeats):
    """Rows of one work: competitors take turns, A B C A B C, and the first is ours.

    Parameters
    ----------
    work : str
    runs : dict of str to callable
        Each does its work once; a float that it returns is the training loss.
    n_repeats : int
    """
    seconds = {name: [] for name in runs}
    losses = {}
    for _ in range(n_repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            result = run()
            seconds[name].append(time.perf_counter() - start)
            losses[name] = result if isinstance(result, float) else None
    ours = next(iter(runs))
    for name in runs:
        medians = [statistics.median(seconds[n]) for n in (name, ours)]
        ratio = None if name == ours else medians[0] / medians[1]
        yield Row(work, name, seconds[name], ratio, losses[name])


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


@dataclass
class Options:
    """What the command line chose."""

    images: np.ndarray
    n_repeats: int
    quick: bool

    def clean(self, net):
        """Clean images in the shape that a net takes."""
        n_images = (2560 if self.quick else 27000) if net == "conv net" else len(self.images)
        X = self.images[:n_images].astype(np.float32) / 255
        return X[..., np.newaxis] if net == "conv net" else X.reshape(n_images, -1)


def corrupt(X):
    """Noisy images, drawn once: σ 0.4, clipped."""
    noise = np.random.default_rng(peers.SEED).normal(0, 0.4, X.shape).astype(np.float32)
    return np.clip(X + noise, 0, 1)


# Works


def train(net, options):
    """Train for one epoch on fixed noise, against everyone."""
    y = options.clean(net)
    X = corrupt(y)
    fits = competitors(net)
    n_warm_up = 4 * NETS[net][0]["batch_size"]
    for fit in fits.values():
        fit(X[:n_warm_up], y[:n_warm_up])
    runs = {name: partial(fit, X, y) for name, fit in fits.items()}
    yield from compare(net, runs, options.n_repeats)


def noise_on_the_fly(net, options):
    """Fresh noise at every step against noisy images made beforehand."""
    y = options.clean(net)
    X = corrupt(y)
    with_noise = denoiser(net, noise=GaussianNoise(0.4))
    runs = {
        "noise on the fly": lambda: with_noise.fit(y).history_[-1, "train_loss"],
        "no noise": lambda: denoiser(net).fit(X, y).history_[-1, "train_loss"],
    }
    yield from compare(f"{net}, noise", runs, options.n_repeats)


def predict(net, options):
    """`predict` of many images, and of one, against the module batched by hand."""
    X = options.clean(net)[:10000]
    dae = denoiser(net).fit(X[:2048], X[:2048])
    criterion = NETS[net][0]["criterion"]
    # They are so short that more repeats cost little.
    for images, n_repeats in ((X, 5 * options.n_repeats), (X[:1], 200 * options.n_repeats)):
        runs = {
            "skdae": partial(dae.predict, images),
            "module(x)": partial(peers.predict, dae.module_, criterion, images),
        }
        for run in runs.values():
            run()
        yield from compare(f"{net}, predict {len(images):,}", runs, n_repeats)


def both_nets(work, options):
    """A work for the conv net, then for the dense one."""
    for net in NETS:
        yield from work(net, options)


WORKS: dict[str, Callable[[Options], Iterator[Row]]] = {
    "conv": partial(train, "conv net"),
    "dense": partial(train, "dense net"),
    "noise": partial(both_nets, noise_on_the_fly),
    "predict": partial(both_nets, predict),
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


def parse_args():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few images: a test of the script")
    parser.add_argument("--only", nargs="+", choices=WORKS, default=list(WORKS), metavar="NAME")
    parser.add_argument("--repeats", type=int, default=3, help="of each competitor, in turn")
    parser.add_argument("--data", default="mnist", help="a data set of skdae.datasets")
    return parser.parse_args()


def main():
    """Print the table work by work, as the times come in."""
    args = parse_args()
    images = read_images(args.data)
    source = args.data if "SKDAE_DATA" in os.environ else "random (set SKDAE_DATA for real ones)"
    options = Options(images[:6000] if args.quick else images, args.repeats, args.quick)
    print(f"Images: {source}.", ", ".join(f"{k} {v}" for k, v in machine().items()))
    widths = (24, 24, 28, 8, 13)
    print("  ".join(text.ljust(width) for text, width in zip(HEADER, widths, strict=True)))
    for name in args.only:
        for row in WORKS[name](options):
            cells = zip(row.cells(), widths, strict=True)
            print("  ".join(text.ljust(width) for text, width in cells).rstrip(), flush=True)


if __name__ == "__main__":
    main()
