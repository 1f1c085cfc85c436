"""Measure how well skdae denoises, beside filters and the nets of the studies it starts from.

``python benchmarks/quality.py`` runs what benchmarks/results/quality.jsonl does not hold yet, and
writes docs/results.md from it; README.md beside this file says more.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import measure
import numpy as np
import reach
import systems
from measure import SEED, Images
from sklearn.base import BaseEstimator, clone
from store import NotRun, Reader, Store
from studies import STUDIES

from skdae import (
    DenoisingAutoencoder,
    GaussianNoise,
    MeanFilter,
    MedianFilter,
    NLMeansFilter,
    Occlusion,
    PoissonNoise,
    SaltPepper,
    SpeckleNoise,
    TVFilter,
    WaveletFilter,
)
from skdae.architectures import UNet
from skdae.metrics import mean_squared_error

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "quality.jsonl"
PAGE = ROOT / "docs" / "results.md"

GOALS = {**reach.GOALS, **systems.GOALS}

# Training images on which the parameters of a filter are chosen.
N_TUNING = 20


# Data sets


@dataclass(frozen=True)
class DataSet:
    """Images, the Gaussian noise that suits them, and how long the nets learn."""

    title: str
    train: str  # as skdae.datasets names it
    test: str
    n_train: int
    n_test: int
    gaussian: GaussianNoise
    epochs: int  # of skdae's net
    study: str | None = None  # of `STUDIES`
    study_epochs: int = 0
    side: int | None = None  # of the centre that is cut out
    fit: tuple[tuple[str, Any], ...] = ()  # what else skdae's net is told

    def settings(self):
        """What the images depend on."""
        return {"train": [self.train, self.n_train], "test": [self.test, self.n_test, self.side]}

    def __str__(self):
        cut = f"; the centre of {self.side} × {self.side} pixels" if self.side else ""
        return (
            f"The first {self.n_train:,} training images of `{self.train}`, the first "
            f"{self.n_test:,} test images of `{self.test}`{cut}."
        )


STRONG = GaussianNoise(0.4, random_state=SEED)  # as in the Fashion-MNIST study
PHOTO = GaussianNoise(25 / 255, clip=None, random_state=SEED)  # as in papers on photographs
PATCHES = (("patch_size", 64), ("batch_size", 8))

DATA = {
    "mnist": DataSet("MNIST", "mnist", "mnist", 6000, 1000, STRONG, 1, "mnist", 3),
    "fashion": DataSet(
        "Fashion-MNIST", "fashion_mnist", "fashion_mnist", 6000, 1000, STRONG, 1, "fashion", 5
    ),
    "cifar28": DataSet(
        "CIFAR-10, 28 × 28 × 3", "cifar10", "cifar10", 6000, 1000, PHOTO, 5, "colour 28", 15, 28
    ),
    "cifar32": DataSet(
        "CIFAR-10, 32 × 32 × 3", "cifar10", "cifar10", 6000, 1000, PHOTO, 5, "colour 32", 15
    ),
    "set12": DataSet("Set12", "train400", "set12", 400, 12, PHOTO, 1, fit=PATCHES),
}

# A test of the script, offline.
QUICK_DATA = {"digits": DataSet("Digits", "digits", "digits", 200, 50, STRONG, 1, "fashion", 1)}

NOISES = {
    "Gaussian": None,  # each data set has its own
    "Poisson": PoissonNoise(30, random_state=SEED),
    "salt-and-pepper": SaltPepper(0.1, random_state=SEED),
    "speckle": SpeckleNoise(0.5, random_state=SEED),
    "occlusion": Occlusion(3, random_state=SEED),
}

LEVELS = {
    "Gaussian": "σ {std:.3g} ({of_255:.0f} of 255)",
    "Poisson": "{peak:g} photons where the image is 1",
    "salt-and-pepper": "{amount:.0%} of the pixels",
    "speckle": "x + x · n, n of σ {std:g}",
    "occlusion": "{size} neighbouring rows or columns of each image set to {value:g}",
}


def noise_on(data: DataSet, name: str) -> BaseEstimator:
    """The noise of a data set by its name in `NOISES`."""
    return NOISES[name] or data.gaussian


def level(noise: BaseEstimator, name: str) -> str:
    """Level and clipping of a noise, in words."""
    clipped = "not clipped" if noise.clip is None else "clipped to [{:g}, {:g}]".format(*noise.clip)
    params = noise.get_params()
    words = LEVELS[name].format(**params, of_255=255 * params.get("std", 0))
    return f"{words}, {clipped}"


@lru_cache(maxsize=1)
def images(data: DataSet) -> tuple[np.ndarray, Images]:
    """Training images as they are stored, and test images in [0, 1]."""
    X_train = measure.read_images(data.train, "train")[: data.n_train]
    X_test = measure.read_images(data.test, "test")[: data.n_test]
    if data.side is not None:
        X_train, X_test = (measure.centre(X, data.side) for X in (X_train, X_test))
    return X_train, measure.as_floats(X_test)


@lru_cache(maxsize=1)
def noisy_test_images(data: DataSet, noise: BaseEstimator) -> Images:
    """The noisy images that all denoisers get."""
    return measure.corrupt(images(data)[1], noise)


# Denoisers. A row of the table plans its work: a function and what else it takes, or None.

Plan = tuple[Callable[..., dict[str, Any]], dict[str, Any]] | None


def noisy_input(data: DataSet, noise: BaseEstimator) -> Plan:
    """The noisy images as they are, clipped or not."""
    return measure_input, {}


def best_of(*candidates: BaseEstimator) -> Callable[..., Plan]:
    """The filter with the least squared error on training images."""
    settings = {"candidates": candidates, "n_tuning": N_TUNING}
    return lambda data, noise: (measure_filter, settings)


def study_net(data: DataSet, noise: BaseEstimator) -> Plan:
    """The net of the study of these images, trained as in the study."""
    if data.study is None:
        return None
    net = clone(STUDIES[data.study])
    return measure_net, {"net": net.set_params(max_epochs=data.study_epochs, random_state=SEED)}


def skdae_net(data: DataSet, noise: BaseEstimator) -> Plan:
    """skdae's U-Net with its defaults, and fresh noise at every step."""
    net = DenoisingAutoencoder(UNet(), noise=noise, max_epochs=data.epochs, random_state=SEED)
    return measure_net, {"net": net.set_params(**dict(data.fit))}


ROWS: dict[str, Callable[[DataSet, BaseEstimator], Plan]] = {
    "noisy input": noisy_input,
    "mean": best_of(*(MeanFilter(size=size) for size in (3, 5, 7))),
    "median": best_of(*(MedianFilter(size=size) for size in (3, 5, 7))),
    "NL means": best_of(
        *(
            NLMeansFilter(patch_size=size, h=h)
            for size in (3, 5, 7)
            for h in (None, 0.02, 0.05, 0.1, 0.2, 0.4)
        )
    ),
    "TV": best_of(*(TVFilter(weight=w) for w in (None, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8))),
    "wavelet": best_of(
        *(WaveletFilter(std=std) for std in (None, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6))
    ),
    "the study's net": study_net,
    "skdae": skdae_net,
}

FILTERS = ("mean", "median", "NL means", "TV", "wavelet")


def measure_input(data, noise):
    """Figures of the noisy images."""
    return measure.errors(images(data)[1], noisy_test_images(data, noise))


def measure_filter(data, noise, candidates, n_tuning):
    """Figures of the best of some filters."""
    X_tuning = measure.as_floats(images(data)[0][:n_tuning])
    X_noisy = measure.corrupt(X_tuning, noise)
    filters = [clone(candidate).fit(X_noisy) for candidate in candidates]
    scores = [mean_squared_error(X_tuning, measure.denoise(f, X_noisy)) for f in filters]
    best = filters[int(np.argmin(scores))]
    X_noisy = noisy_test_images(data, noise)
    start = time.perf_counter()
    X_denoised = measure.denoise(best, X_noisy)
    seconds = time.perf_counter() - start
    return {
        "chosen": varied(best, filters),
        **measure.errors(images(data)[1], X_denoised),
        "predict_seconds": seconds,
    }


def varied(best, filters):
    """The parameters in which filters differ, with the values of the best one."""
    params = [f.get_params() for f in filters]
    names = [name for name in params[0] if len({repr(p[name]) for p in params}) > 1]
    # None is a level that the filter estimates for each image.
    values = {name: getattr(best, name) for name in names}
    return ", ".join(f"{n} {'estimated' if v is None else v}" for n, v in values.items())


def measure_net(data, noise, net):
    """Figures of a net: one with a noise learns from clean images, one without from pairs."""
    X_train, X_clean = images(data)
    pair = (X_train,) if net.noise is not None else (measure.corrupt(X_train, noise), X_train)
    net, took = measure.fit(net, *pair)
    start = time.perf_counter()
    X_denoised = measure.denoise(net, noisy_test_images(data, noise))
    return {
        "chosen": f"{took['epochs']} epochs",
        **measure.errors(X_clean, X_denoised),
        **took,
        "predict_seconds": time.perf_counter() - start,
    }


@dataclass(frozen=True)
class Cell:
    """A line of the table: a denoiser on one noise of one data set."""

    sets: dict[str, DataSet]
    data: str
    noise: str
    row: str

    def run(self, store: Store | Reader) -> dict[str, Any] | None:
        """Figures from the store; None where a data set has no such row."""
        data = self.sets[self.data]
        noise = noise_on(data, self.noise)
        plan = ROWS[self.row](data, noise)
        if plan is None:
            return None
        work, settings = plan
        name = f"{self.data} / {self.noise} / {self.row}"
        return store.run(name, work, data=data, noise=noise, **settings)


def run_goal(name: str, store: Store | Reader) -> Iterator:
    """Lines of a goal, whose results are filed under its name."""

    def run(part, work, **settings):
        return store.run(f"goal {name} / {part}", work, **settings)

    return GOALS[name].lines(run)


# The page

INTRODUCTION = """\
<!-- `python benchmarks/quality.py --table` writes this page; do not edit it. -->

# Results

`make quality` runs what is missing here, `make quality ARGS=--fresh` everything again, in some
hours; `SKDAE_DATA` names the folder of the images. The figures stand in
`benchmarks/results/quality.jsonl`, each with its settings. All seeds are {seed}.

## How to read it

- Each figure is the mean over the test images of what is computed for each image by itself; images
  lie in [0, 1], and so does `data_range`. All denoisers get the same noisy images: noise is a
  function of the image and the seed.
- The noisy input counts as it is, all denoised images are clipped to [0, 1].
- *Filters* learn nothing; their parameters, which are shown, are those of the least MSE on
  {tuning} training images with the same noise, out of a few; *estimated* means from each image.
- *The study's net* is that of a student project on these images (on faces of 28 × 28, where these
  are CIFAR-10), with its loss, its optimiser where that is known, and noise drawn once, but with
  fewer epochs and images. There was no such study of Set12.
- *skdae* is `DenoisingAutoencoder(UNet(), noise=...)` with its defaults, on clean images with fresh
  noise at every step; on Set12 it learns from crops. It is a larger net than the study's.
- Both nets are trained for about as long, seconds on digits and clothes, one to two minutes on
  CIFAR-10: what anyone can wait for, not their best. One net per noise and one seed: differences of
  some percent mean nothing.
- *Seconds* are those of training, on the machine named below, and vary with what else it does.
"""


def page(sets: dict[str, DataSet], store: Store) -> tuple[str, set[str]]:
    """The page of what the store holds, and the names of results with other settings."""
    reader = Reader(store)
    parts = [*overview_table(sets, reader), *goals_table(reader)]
    for data, noise in product(sets, NOISES):
        parts += noise_table(sets, data, noise, reader)
    parts = [INTRODUCTION.format(seed=SEED, tuning=N_TUNING), *machines(reader), *parts]
    return "\n".join(parts).rstrip() + "\n", reader.stale


def machines(reader: Reader) -> Iterator[str]:
    """What ran the figures, and what has not been run."""
    dates: dict[str, list[str]] = {}
    for record in reader.used.values():
        text = ", ".join(f"{name} {value}" for name, value in record["machine"].items())
        dates.setdefault(text, []).append(record["date"])
    if dates:
        yield from ["## Machine", ""]
        for text, days in dates.items():
            yield f"- {len(days)} results, {' to '.join(sorted({min(days), max(days)}))}: {text}"
        yield ""
    if reader.missing:
        yield from [f"{len(reader.missing)} results have not been run yet.", ""]


def held(cell: Cell, reader: Reader) -> dict[str, Any] | None:
    """Figures of a cell, or None where there are none."""
    try:
        return cell.run(reader)
    except NotRun:
        return None


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]], n_texts: int) -> list[str]:
    """A table whose first columns are texts and whose others are numbers."""
    rule = ["---"] * n_texts + ["---:"] * (len(header) - n_texts)
    return [f"| {' | '.join(row)} |" for row in (header, rule, *rows)]


def overview_table(sets: dict[str, DataSet], reader: Reader) -> Iterator[str]:
    """PSNR of all data sets and noises; of the filters only the best."""
    rows = []
    for data, noise in product(sets, NOISES):
        figures = {row: held(Cell(sets, data, noise, row), reader) for row in ROWS}
        psnr = {row: values["psnr"] for row, values in figures.items() if values}
        if not psnr:
            continue
        best = max(FILTERS, key=lambda name: psnr.get(name, 0))
        shown = [psnr.get(name) for name in ("noisy input", best, "the study's net", "skdae")]
        noisy, filtered, *nets = _numbers(shown, "{:.2f}", max)
        filtered += f" ({best})" if best in psnr else ""
        rows.append([sets[data].title, noise, noisy, filtered, *nets])
    if rows:
        yield from ["## All at a glance", "", "PSNR in dB; more is better.", ""]
        header = ["images", "noise", "noisy input", "best filter", "the study's net", "skdae"]
        yield from [*markdown(header, rows, 2), ""]


COLUMNS = {
    "mse": ("MSE", "{:.5f}", min),
    "mae": ("MAE", "{:.4f}", min),
    "psnr": ("PSNR, dB", "{:.2f}", max),
    "ssim": ("SSIM", "{:.3f}", max),
    "seconds": ("seconds", "{:.0f}", None),
}


def noise_table(sets: dict[str, DataSet], data: str, noise: str, reader: Reader) -> Iterator[str]:
    """All denoisers on one noise of one data set."""
    figures = {row: held(Cell(sets, data, noise, row), reader) for row in ROWS}
    figures = {row: values for row, values in figures.items() if values is not None}
    if not figures:
        return
    if noise == next(iter(NOISES)):
        yield from [f"## {sets[data].title}", "", str(sets[data]), ""]
    yield from [f"### {sets[data].title}, {noise}", ""]
    yield from [f"{level(noise_on(sets[data], noise), noise)}.", ""]
    columns = [
        _numbers([values.get(key) for values in figures.values()], form, best)
        for key, (_, form, best) in COLUMNS.items()
    ]
    chosen = [values.get("chosen", "") for values in figures.values()]
    rows = list(zip(figures, chosen, *columns, strict=True))
    titles = [title for title, _, _ in COLUMNS.values()]
    yield from [*markdown(["denoiser", "with", *titles], rows, 2), ""]


def _numbers(values, form, best):
    """Numbers as text, the best one bold."""
    top = best((v for v in values if v is not None), default=None) if best else None
    texts = ["–" if value is None else form.format(value) for value in values]
    # Compared as texts: what looks equal is equally good.
    shown = None if top is None else form.format(top)
    return [f"**{text}**" if text == shown else text for text in texts]


def goals_table(reader: Reader) -> Iterator[str]:
    """Goals beside what was seen."""
    rows = []
    for name, goal in GOALS.items():
        try:
            for line in run_goal(name, reader):
                rows.append(
                    [
                        *(goal.task, goal.reference, line.goal, line.seen),
                        *("yes" if line.met else "**no**", f"`--reach {name}`"),
                        f"{line.seconds:.0f}",
                    ]
                )
        except NotRun:
            continue
    if rows:
        yield from [
            "## Goals",
            "",
            "What skdae set out to reach, and what it did. `benchmarks/reach.py` and `systems.py` "
            "hold the parameters of each net. T is 20 times the mean time of two epochs in Keras, "
            "taken on the same machine. `python benchmarks/quality.py --reach fashion` runs one "
            "goal.",
            "",
        ]
        header = ["task", "reference", "goal", "seen", "met", "command", "seconds"]
        yield from [*markdown(header, rows, 6), ""]


# The command line


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    rows = parser.add_argument_group("the table", "Naming any of its parts leaves the goals out.")
    rows.add_argument("--data", nargs="+", choices=DATA, metavar="NAME", help=", ".join(DATA))
    rows.add_argument("--noise", nargs="+", choices=NOISES, metavar="NAME", help=", ".join(NOISES))
    rows.add_argument("--row", nargs="+", choices=ROWS, metavar="NAME", help=", ".join(ROWS))
    rows.add_argument("--train-images", type=int, metavar="N", help="of each data set, at most")
    parser.add_argument(
        "--reach", nargs="*", choices=GOALS, metavar="NAME", help=f"the goals: {', '.join(GOALS)}"
    )
    parser.add_argument("--fresh", action="store_true", help="run also what there are figures of")
    parser.add_argument("--table", action="store_true", help="run nothing, write the page")
    parser.add_argument("--quick", action="store_true", help="digits: a test of the script itself")
    parser.add_argument("--results", type=Path, metavar="PATH", help="instead of quality.jsonl")
    parser.add_argument("--page", type=Path, metavar="PATH", help="instead of docs/results.md")
    args = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp()) if args.quick else None
    args.results = args.results or (folder / RESULTS.name if folder else RESULTS)
    args.page = args.page or (folder / PAGE.name if folder else PAGE)
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Run what is missing, then write the page."""
    args = parse_args(argv)
    sets = QUICK_DATA if args.quick else DATA
    if args.train_images:
        sets = {
            name: replace(data, n_train=min(args.train_images, data.n_train))
            for name, data in sets.items()
        }
    store = Store(args.results, args.fresh)
    try:
        if not args.table:
            run_all(args, sets, store)
    finally:
        # After an interruption, too.
        write_page(args.page, sets, store)


def run_all(args: argparse.Namespace, sets: dict[str, DataSet], store: Store) -> None:
    """Run the rows and goals that the command line names."""
    some_rows = bool(args.data or args.noise or args.row)
    if some_rows or args.reach is None:
        for data, noise, row in product(args.data or sets, args.noise or NOISES, args.row or ROWS):
            Cell(sets, data, noise, row).run(store)
    if args.reach is not None or not (some_rows or args.quick):
        for name in args.reach or GOALS:
            for line in run_goal(name, store):
                print(f"    {line}", flush=True)


def write_page(path: Path, sets: dict[str, DataSet], store: Store) -> None:
    """Write the page, and say what of it is out of date."""
    text, stale = page(sets, store)
    path.write_text(text, encoding="utf-8")
    print(f"Wrote {path}.")
    if stale:
        print(f"{len(stale)} results were run with other settings: {', '.join(sorted(stale))}")


if __name__ == "__main__":
    main()
