"""Measure how well skdae denoises, beside filters and the nets of the studies it starts from.

``python benchmarks/quality.py`` runs what benchmarks/results/quality.jsonl does not hold yet;
docs/pages.py writes the page of results from it. README.md beside this file says more.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from engine import machine
from sklearn.base import BaseEstimator, clone
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
from skdae.datasets import fetch_images, load_digits_images
from skdae.metrics import METRICS, mean_squared_error

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "quality.jsonl"

# Of noise, weights and the order of images, everywhere.
SEED = 0

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
    side: int | None = None  # of the center that is cut out
    fit: tuple[tuple[str, Any], ...] = ()  # what else skdae's net is told


STRONG = GaussianNoise(0.4, random_state=SEED)  # as in the Fashion-MNIST study
PHOTO = GaussianNoise(25 / 255, clip=None, random_state=SEED)  # as in papers on photographs
SUBSET = ("cifar10_subset", "cifar10_subset")  # what the kept results are of
PATCHES = (("patch_size", 64), ("batch_size", 8))

DATA = {
    "mnist": DataSet("MNIST", "mnist", "mnist", 6000, 1000, STRONG, 1, "mnist", 3),
    "fashion": DataSet(
        "Fashion-MNIST", "fashion_mnist", "fashion_mnist", 6000, 1000, STRONG, 1, "fashion", 5
    ),
    "cifar28": DataSet("CIFAR-10, 28 × 28 × 3", *SUBSET, 6000, 1000, PHOTO, 5, "color 28", 15, 28),
    "cifar32": DataSet("CIFAR-10, 32 × 32 × 3", *SUBSET, 6000, 1000, PHOTO, 5, "color 32", 15),
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


def noise_on(data: DataSet, name: str) -> BaseEstimator:
    """The noise of a data set by its name in `NOISES`."""
    return NOISES[name] or data.gaussian


def read_images(name: str, part: str) -> list[np.ndarray] | np.ndarray:
    """Clean images of one part, "train" or "test", of a data set; a collection has but one."""
    if name == "digits":
        X = load_digits_images().images
        return {"train": X[:-300], "test": X[-300:]}[part]
    bunch = fetch_images(name)
    if "images" not in bunch:
        return bunch[f"X_{part}"]
    same_size = len({image.shape for image in bunch.images}) == 1
    return np.stack(bunch.images) if same_size else bunch.images


@lru_cache(maxsize=1)
def images(data: DataSet):
    """Training and test images as they are stored; skdae reads uint8 as [0, 1]."""
    X_train = read_images(data.train, "train")[: data.n_train]
    X_test = read_images(data.test, "test")[: data.n_test]
    if data.side is not None:
        cut = slice((X_train.shape[1] - data.side) // 2, (X_train.shape[1] + data.side) // 2)
        X_train, X_test = X_train[:, cut, cut], X_test[:, cut, cut]
    return X_train, X_test


def corrupt(X, noise: BaseEstimator):
    """Noisy images: always the same ones for the same images and the same seed."""
    return clone(noise).fit_transform(X)


@lru_cache(maxsize=1)
def noisy_test_images(data: DataSet, noise: BaseEstimator):
    """The noisy images that all denoisers get."""
    return corrupt(images(data)[1], noise)


def denoise(denoiser: BaseEstimator, X):
    """What a fitted denoiser makes of noisy images, clipped to [0, 1], where clean ones lie."""
    X_denoised = denoiser.predict(X)
    if isinstance(X_denoised, list):
        return [image.clip(0, 1) for image in X_denoised]
    return X_denoised.clip(0, 1)


def errors(X_clean, X_denoised) -> dict[str, float]:
    """Every metric, computed for each image, then averaged."""
    return {name: metric.function(X_clean, X_denoised) for name, metric in METRICS.items()}


# Denoisers. A row of the table plans its work: a function of data and noise, or None.

Plan = Callable[..., dict[str, Any]] | None


def noisy_input(data: DataSet, noise: BaseEstimator) -> Plan:
    """The noisy images as they are, clipped or not."""
    return measure_input


def best_of(*candidates: BaseEstimator) -> Callable[..., Plan]:
    """The filter with the least squared error on training images."""
    return lambda data, noise: partial(measure_filter, candidates=candidates)


def study_net(data: DataSet, noise: BaseEstimator) -> Plan:
    """The net of the study of these images, trained as in the study."""
    if data.study is None:
        return None
    net = clone(STUDIES[data.study])
    net.set_params(max_epochs=data.study_epochs, random_state=SEED)
    return partial(measure_net, net=net)


def skdae_net(data: DataSet, noise: BaseEstimator) -> Plan:
    """skdae's U-Net with its defaults, and fresh noise at every step."""
    net = DenoisingAutoencoder(UNet(), noise=noise, max_epochs=data.epochs, random_state=SEED)
    return partial(measure_net, net=net.set_params(**dict(data.fit)))


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
    return errors(images(data)[1], noisy_test_images(data, noise))


def measure_filter(data, noise, candidates):
    """Figures of the best of some filters."""
    X_tuning = images(data)[0][:N_TUNING]
    X_noisy = corrupt(X_tuning, noise)
    filters = [clone(candidate).fit(X_noisy) for candidate in candidates]
    scores = [mean_squared_error(X_tuning, denoise(f, X_noisy)) for f in filters]
    best = filters[int(np.argmin(scores))]
    X_denoised = denoise(best, noisy_test_images(data, noise))
    return {"chosen": varied(best, filters), **errors(images(data)[1], X_denoised)}


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
    pair = (X_train,) if net.noise is not None else (corrupt(X_train, noise), X_train)
    start = time.perf_counter()
    net = clone(net).fit(*pair)
    seconds = time.perf_counter() - start
    if net.n_iter_ < net.max_epochs:
        # Such a fit keeps what it has learned and returns; here it shall end the program.
        raise RuntimeError(f"The fit ended after {net.n_iter_} of {net.max_epochs} epochs.")
    X_denoised = denoise(net, noisy_test_images(data, noise))
    return {
        "chosen": f"{net.n_iter_} epochs",
        **errors(X_clean, X_denoised),
        "seconds": seconds,
    }


# Results, one line of JSON each, so that a run goes on where it was stopped


def read_results(path: Path) -> dict[str, dict]:
    """All records of a file, by name."""
    if not path.exists():
        return {}
    records = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {record["name"]: record for record in records}


def cell_name(data: str, noise: str, row: str) -> str:
    """What the figures of a denoiser on one noise of one data set are filed under."""
    return f"{data} / {noise} / {row}"


def save_result(path: Path, name: str, figures: dict[str, Any]) -> dict:
    """Add figures to a file of results, with the machine and the date; their record."""
    today = datetime.now(UTC).date().isoformat()
    record = {"name": name, "figures": figures, "machine": machine(), "date": today}
    records = {**read_results(path), name: record}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    lines = [json.dumps(r, ensure_ascii=False) + "\n" for r in records.values()]
    temporary.write_text("".join(lines), encoding="utf-8")
    temporary.replace(path)
    return record


# The command line


def main(argv: Sequence[str] | None = None) -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--defaults", action="store_true", help="the table of defaults.py instead")
    for name, table in (("data", DATA), ("noise", NOISES), ("row", ROWS)):
        parser.add_argument(f"--{name}", nargs="+", choices=table, metavar="NAME")
    parser.add_argument("--fresh", action="store_true", help="run also what has results already")
    parser.add_argument("--quick", action="store_true", help="digits: a test of the script itself")
    parser.add_argument("--results", type=Path, metavar="PATH", help="instead of quality.jsonl")
    args = parser.parse_args(argv)
    if args.defaults:
        import defaults

        return defaults.main(args.fresh)
    sets = QUICK_DATA if args.quick else DATA
    path = args.results or (Path(tempfile.mkdtemp(), RESULTS.name) if args.quick else RESULTS)
    known = {} if args.fresh else read_results(path)
    for data, noise, row in product(args.data or sets, args.noise or NOISES, args.row or ROWS):
        name, injector = cell_name(data, noise, row), noise_on(sets[data], noise)
        work = ROWS[row](sets[data], injector)
        if work is not None and name not in known:
            print(f"{name} ...", flush=True)
            figures = work(sets[data], injector)
            print(f"    {figures}", flush=True)
            save_result(path, name, figures)


if __name__ == "__main__":
    main()
