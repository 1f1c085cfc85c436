"""Time the training engine against what a user would write, in one run, as ratios.

``python benchmarks/engine.py`` prints the table; README.md beside it says what each row means.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

import numpy as np
import peers
from store import machine
from torch import nn

import skdae
import skdae.noise
from skdae import DenoisingAutoencoder, GaussianNoise
from skdae.architectures import Conv, Dense
from skdae.datasets import fetch_images

SEED = 0
MEGABYTE = 2**20

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
class Goal:
    """What a ratio must reach; `faster` counts peer / skdae, otherwise skdae / peer."""

    value: float
    faster: bool = False

    def ratio(self, ours, theirs):
        """The ratio in the goal's own direction."""
        return theirs / ours if self.faster else ours / theirs

    def met(self, ratio):
        """Whether a ratio reaches the goal."""
        return ratio >= self.value if self.faster else ratio <= self.value

    def __str__(self):
        return f"{'≥' if self.faster else '≤'} {self.value:g} ×"


@dataclass
class Row:
    """A line of the table."""

    work: str
    who: str
    figures: list = field(default_factory=list)
    unit: str = "s"
    ratio: float | None = None
    goal: str = ""
    met: bool | None = None
    loss: float | None = None

    def cells(self):
        """The line as text."""
        figure = ""
        if self.figures:
            low, high = min(self.figures), max(self.figures)
            figure = f"{statistics.median(self.figures):.4g} {self.unit}"
            if len(self.figures) > 1:
                figure += f" ({low:.4g}–{high:.4g})"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f} ×"
        met = {None: "", True: "yes", False: "NO"}[self.met]
        loss = "" if self.loss is None else f"{self.loss:.5f}"
        return [self.work, self.who, figure, ratio, self.goal, met, loss]


HEADER = ["work", "who", "median (min–max)", "ratio", "goal", "met?", "training loss"]


def interleave(runs, n_repeats):
    """Run competitors in turn, A B C A B C.

    Parameters
    ----------
    runs : dict of str to callable
        Each does its work once; a float that it returns is the training loss.
    n_repeats : int

    Returns
    -------
    seconds : dict of str to list of float
    losses : dict of str to float or None
    """
    seconds = {name: [] for name in runs}
    losses = {}
    for _ in range(n_repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            result = run()
            seconds[name].append(time.perf_counter() - start)
            losses[name] = result if isinstance(result, float) else None
    return seconds, losses


def compare(work, runs, goals, n_repeats):
    """Rows of one work: the first competitor is ours, and each other has its goal or none."""
    seconds, losses = interleave(runs, n_repeats)
    ours, *others = runs
    yield Row(work, ours, seconds[ours], loss=losses[ours])
    for name in others:
        row = Row(work, name, seconds[name], loss=losses[name])
        goal = goals.get(name)
        if goal is not None:
            medians = (statistics.median(seconds[n]) for n in (ours, name))
            row.ratio = goal.ratio(*medians)
            row.goal, row.met = str(goal), goal.met(row.ratio)
        yield row


# Competitors and data


def denoiser(net, **params):
    """skdae's estimator for one of `NETS`, with the peers' optimiser and no validation set."""
    peer, ours = NETS[net]
    common = {
        "optimizer": "adam",
        "lr": peers.LR,
        "lr_schedule": None,
        "weight_decay": 0.0,
        "max_epochs": 1,
        "batch_size": peer["batch_size"],
        "validation_fraction": None,
        "random_state": SEED,
    }
    return DenoisingAutoencoder(**{**common, **ours, **params})


def skdae_fit(X, y, epochs, seed, *, net, **params):
    """skdae as one peer among the others."""
    dae = denoiser(net, max_epochs=epochs, random_state=seed, **params).fit(X, y)
    return dae.predict, dae.history_[:, "train_loss"]


def competitors(net):
    """Name to ``fit(X, y, epochs, seed)`` of everyone who trains one of `NETS`."""
    peer, _ = NETS[net]
    named = {
        "skdae": partial(skdae_fit, net=net),
        "hand-tuned PyTorch": partial(peers.tuned_torch, **peer),
        "plain PyTorch": partial(peers.plain_torch, **peer),
        "plain skorch": partial(peers.plain_skorch, **peer),
    }
    if peers.has_keras():
        named["Keras"] = partial(peers.keras_fit, **peer)
    return named


def read_images(name):
    """Training images, uint8: of a data set, or random ones where none is at hand."""
    if "SKDAE_DATA" in os.environ:
        return fetch_images(name, download_if_missing=False).X_train
    return np.random.default_rng(SEED).integers(0, 256, (60000, 28, 28), dtype=np.uint8)


@dataclass
class Options:
    """What the command line chose."""

    images: np.ndarray
    n_repeats: int
    quick: bool
    data: str

    def clean(self, net):
        """Clean images in the shape that a net takes."""
        n_images = (2560 if self.quick else 27000) if net == "conv net" else len(self.images)
        X = self.images[:n_images].astype(np.float32) / 255
        return X[..., np.newaxis] if net == "conv net" else X.reshape(n_images, -1)


def corrupt(X):
    """Noisy images, drawn once: σ 0.4, clipped."""
    noise = np.random.default_rng(SEED).normal(0, 0.4, X.shape).astype(np.float32)
    return np.clip(X + noise, 0, 1)


# Works


def train(net, goals, options):
    """Train for one epoch on fixed noise."""
    y = options.clean(net)
    X = corrupt(y)
    fits = competitors(net)
    n_warm_up = 4 * NETS[net][0]["batch_size"]
    for fit in fits.values():
        fit(X[:n_warm_up], y[:n_warm_up], 1, SEED)
    runs = {name: lambda fit=fit: fit(X, y, 1, SEED)[1][-1] for name, fit in fits.items()}
    yield from compare(net, runs, goals, options.n_repeats)


def train_conv(options):
    """The conv net against everyone."""
    goals = {
        "plain PyTorch": Goal(4.0 if peers.has_bfloat16() else 1.5, faster=True),
        "plain skorch": Goal(4.5, faster=True),
        "Keras": Goal(2.5, faster=True),
        "hand-tuned PyTorch": Goal(1.05),
    }
    yield from train("conv net", goals, options)


def train_dense(options):
    """The dense net against everyone."""
    goals = {"hand-tuned PyTorch": Goal(1.10), "plain skorch": Goal(1.7, faster=True)}
    yield from train("dense net", goals, options)


def noise_on_the_fly(net, options):
    """Fresh noise at every step against noisy images made beforehand."""
    y = options.clean(net)
    X = corrupt(y)
    with_noise = denoiser(net, noise=GaussianNoise(0.4))
    runs = {
        "noise on the fly": lambda: with_noise.fit(y).history_[-1, "train_loss"],
        "no noise": lambda: denoiser(net).fit(X, y).history_[-1, "train_loss"],
    }
    yield from compare(f"{net}, noise", runs, {"no noise": Goal(1.25)}, options.n_repeats)


def precision_loss(net, options):
    """Training loss in bfloat16 against float32; the better of the two must win by 1 % at most."""
    y = options.clean(net)
    X = corrupt(y)
    losses = {}
    for precision in ("float32", "bfloat16"):
        start = time.perf_counter()
        dae = denoiser(net, precision=precision, max_epochs=2).fit(X, y)
        losses[precision] = dae.history_[-1, "train_loss"]
        seconds = time.perf_counter() - start
        yield Row(f"{net}, precision", precision, [seconds], loss=losses[precision])
    ratio = losses["bfloat16"] / losses["float32"]
    met = abs(ratio - 1) <= 0.01
    yield Row(f"{net}, precision", "loss, bf16 / f32", ratio=ratio, goal="within 1 %", met=met)


def predict(net, options):
    """`predict` against the module, batched by hand in the same precision."""
    X = options.clean(net)[:10000]
    dae = denoiser(net).fit(X[:2048], X[:2048])
    criterion = NETS[net][0]["criterion"]
    runs = {
        "skdae": lambda: dae.predict(X),
        "module(x)": lambda: peers.predict(dae.module_, criterion, X),
    }
    interleave(runs, 1)
    # It is so short that more repeats cost little.
    n_repeats = 5 * options.n_repeats
    yield from compare(f"{net}, predict", runs, {"module(x)": Goal(1.10)}, n_repeats)


def both_nets(work, options):
    """A work for the conv net, then for the dense one."""
    for net in NETS:
        yield from work(net, options)


def small_fit(options):
    """Many epochs of one batch: what an epoch itself costs."""
    epochs = 200 if options.quick else 2000
    X = np.random.default_rng(SEED).random((64, 64), dtype=np.float32)
    peer = {
        "net": partial(peers.dense_net, n_features=64, hidden=32, latent_dim=16),
        "criterion": nn.MSELoss(),
        "batch_size": 64,
    }
    ours = {"architecture": Dense(hidden=(32,)), "latent_dim": 16, "batch_size": 64}
    runs = {
        "skdae": lambda: skdae_fit(X, X, epochs, SEED, net="dense net", **ours)[1][-1],
        "hand-tuned PyTorch": lambda: peers.tuned_torch(X, X, epochs, SEED, **peer)[1][-1],
    }
    work = f"{epochs:,} epochs of one batch"
    yield from compare(work, runs, {"hand-tuned PyTorch": Goal(2.5)}, options.n_repeats)


def keyed_noise(options):
    """Noise keyed by the image against as many draws of numpy's generator."""
    X = options.clean("dense net")
    rng = np.random.default_rng(SEED)
    injectors = {
        "GaussianNoise": GaussianNoise(random_state=SEED),
        **{
            name: getattr(skdae.noise, name)(random_state=SEED)
            for name in skdae.noise.__all__
            if name not in ("BaseNoise", "GaussianNoise", "NoiseSequence", "OneOf")
        },
    }
    normal = "Generator.normal"
    runs = {name: partial(noise.fit_transform, X) for name, noise in injectors.items()}
    runs[normal] = partial(rng.normal, size=X.shape)
    seconds, _ = interleave(runs, options.n_repeats)
    reference, goal = statistics.median(seconds[normal]), Goal(3.0)
    for name in runs:
        row = Row("keyed noise", name, seconds[name])
        if name != normal:
            row.ratio = goal.ratio(statistics.median(seconds[name]), reference)
        if name == "GaussianNoise":
            row.goal, row.met = str(goal), goal.met(row.ratio)
        yield row


def import_time(options):
    """`import skdae` against the libraries that it stands on."""
    timed = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
    statements = {"skdae": "import skdae", "dependencies": "import torch, sklearn, skorch"}
    seconds = {name: [] for name in statements}
    for repeat in range(1 + 7 * options.n_repeats):
        for name, statement in statements.items():
            value = float(_run_python("-c", timed.format(statement)))
            if repeat:  # the first fills the caches of the disk
                seconds[name].append(value)
    goal = Goal(1.05)
    ratio = goal.ratio(*map(statistics.median, seconds.values()))
    yield Row("import", "skdae", seconds["skdae"])
    yield Row(
        "import",
        "torch, sklearn, skorch",
        seconds["dependencies"],
        ratio=ratio,
        goal=str(goal),
        met=goal.met(ratio),
    )


def fit_memory(options):
    """Peak memory of a fit on uint8 images, in a process of its own."""
    used, size = json.loads(_run_python(__file__, "--child", "fit_memory", "--data", options.data))
    yield Row(
        "memory of a fit",
        f"{size / MEGABYTE:.0f} MB of uint8",
        [used / MEGABYTE],
        "MB",
        ratio=used / size,
        goal="≤ 3 × + 300 MB",
        met=used <= 3 * size + 300 * MEGABYTE,
    )


def memory_map(options):
    """A memory-mapped file twice as large as the memory that the process may take."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        try:
            limit, size = json.loads(_run_python(__file__, "--child", "memory_map", str(path)))
            who, met = f"{size / MEGABYTE:.0f} MB under {limit / MEGABYTE:.0f} MB", True
        except subprocess.CalledProcessError as error:
            who, met = error.stderr.strip().splitlines()[-1][:60], False
    seconds = time.perf_counter() - start
    yield Row("memory map", who, [seconds], goal="trains", met=met)


def large(options):
    """A photograph of 24 million pixels, denoised in tiles."""
    start = time.perf_counter()
    added = float(_run_python(__file__, "--child", "large_image"))
    seconds = time.perf_counter() - start
    who = f"{added / MEGABYTE:.0f} MB above the base"
    yield Row(
        "6000 × 4000 in tiles", who, [seconds], goal="≤ 1500 MB", met=added <= 1500 * MEGABYTE
    )


def _run_python(*args):
    run = subprocess.run([sys.executable, *args], capture_output=True, text=True, check=True)
    return run.stdout.splitlines()[-1]


# Works that need a process of their own


def child_fit_memory(data):
    """Bytes that reading the images and fitting add to the peak, and bytes of the images."""
    before = peak_memory()
    X = read_images(data)
    denoiser("dense net", noise=GaussianNoise(0.4)).fit(X)
    return peak_memory() - before, X.nbytes


def peak_memory():
    """Bytes of memory that this process has held at most."""
    status = Path("/proc/self/status")
    if status.exists():
        # On Linux ru_maxrss is inherited from the process that started this one.
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def child_large_image(data):
    """Bytes that a large image and its denoising add to the peak."""
    rng = np.random.default_rng(0)
    dae = DenoisingAutoencoder("unet", noise=GaussianNoise(0.1), max_epochs=1, tile_size=512)
    dae.fit(rng.random((32, 32, 32), dtype=np.float32))
    before = peak_memory()
    dae.predict(rng.random((1, 4000, 6000), dtype=np.float32))
    return peak_memory() - before


def child_memory_map(path):
    """Fit a file of twice the allowed memory; return the limit and the file's size.

    RLIMIT_DATA counts what a process allocates, and not the pages of a file that it maps.
    """
    dae = denoiser("dense net", batch_size=1024)
    warm_up = np.random.default_rng(SEED).random((1024, 784), dtype=np.float32)
    dae.fit(warm_up, warm_up)
    status = Path("/proc/self/status").read_text().split("VmData:")[1]
    limit = int(status.split()[0]) * 1024 + 80 * MEGABYTE
    n_images = 2 * limit // warm_up[0].nbytes
    X = np.lib.format.open_memmap(path, "w+", np.float32, (n_images, 784))
    for start in range(0, n_images, len(warm_up)):
        X[start : start + len(warm_up)] = warm_up[: n_images - start]
    X = np.load(path, mmap_mode="r")
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    try:
        np.array(X)
    except MemoryError:
        dae.fit(X, X)
        return limit, X.nbytes
    raise RuntimeError("The limit does not hold: the whole file could be copied.")


CHILDREN: dict[str, Callable] = {
    "fit_memory": child_fit_memory,
    "large_image": child_large_image,
    "memory_map": child_memory_map,
}

WORKS: dict[str, Callable[[Options], Iterator[Row]]] = {
    "conv": train_conv,
    "dense": train_dense,
    "noise": partial(both_nets, noise_on_the_fly),
    "predict": partial(both_nets, predict),
    "precision": partial(both_nets, precision_loss),
    "small": small_fit,
    "keyed": keyed_noise,
    "import": import_time,
    "memory": fit_memory,
    "memmap": memory_map,
    "large": large,
}


# The command line


def parse_args():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few images: a test of the script")
    parser.add_argument("--only", nargs="+", choices=WORKS, default=list(WORKS), metavar="NAME")
    parser.add_argument("--repeats", type=int, default=3, help="of each competitor, in turn")
    parser.add_argument("--data", default="mnist", help="a data set of skdae.datasets")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures here, too")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    """Print the table work by work, as the figures come in."""
    args = parse_args()
    if args.child:
        name, *arguments = args.child
        print(json.dumps(CHILDREN[name](*(arguments or [args.data]))))
        return
    images = read_images(args.data)
    source = args.data if "SKDAE_DATA" in os.environ else "random (set SKDAE_DATA for real ones)"
    options = Options(images[:6000] if args.quick else images, args.repeats, args.quick, args.data)
    print(f"Images: {source}.", ", ".join(f"{k} {v}" for k, v in machine().items()))
    if not peers.has_keras():
        print("No Keras rows: pip install -r benchmarks/requirements.txt adds them.")
    widths = (24, 24, 28, 8, 14, 5, 13)
    rows = []
    print("  ".join(text.ljust(width) for text, width in zip(HEADER, widths, strict=True)))
    for name in args.only:
        for row in WORKS[name](options):
            rows.append(row)
            cells = zip(row.cells(), widths, strict=True)
            print("  ".join(text.ljust(width) for text, width in cells).rstrip(), flush=True)
    missed = sum(row.met is False for row in rows)
    print(f"{sum(row.met is True for row in rows)} goals met, {missed} missed.")
    if args.json:
        report = {"machine": machine(), "images": source, "rows": [asdict(row) for row in rows]}
        args.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
