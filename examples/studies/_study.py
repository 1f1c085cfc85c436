"""What the five studies share: command line, data, time budget, tables and pictures.

A study prints its tables, and keeps them with its pictures for `docs/pages.py`.
"""

import argparse
import io
import json
import platform
import tempfile
import time
from datetime import date
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.utils import Bunch

import skdae
from skdae.datasets import fetch_images, load_digits_images

# Colours that the colour-blind tell apart, too.
plt.style.use("tableau-colorblind10")

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path("examples", "studies", "results")
PICTURES = Path("docs", "images", "studies")


class Study:
    """A run of one study.

    Parameters
    ----------
    script : str
        Path of the script, whose name becomes that of its results and pictures.
    about : str
        What the study did and reported: the title, an empty line, Markdown.
    seconds : float, default=75
        Processor time for each net, unless the command line says otherwise.
    """

    def __init__(self, script, about, seconds=75):
        parser = argparse.ArgumentParser(description=about.splitlines()[0])
        parser.add_argument(
            "--seconds",
            type=float,
            default=seconds,
            help="of processor time for each net, on all cores together (default: %(default)s); it "
            "decides the number of epochs, and where one is too long, of images",
        )
        parser.add_argument(
            "--quick",
            action="store_true",
            help="one epoch on 200 of scikit-learn's digits in place of the data: a test of the "
            "script, kept in a temporary folder",
        )
        parser.add_argument("--output", type=Path, help="another folder than the repository")
        options = parser.parse_args()
        self.seconds, self.quick = options.seconds, options.quick
        spare = Path(tempfile.gettempdir(), "skdae_studies") if self.quick else ROOT
        self.output = options.output or spare
        self.name = Path(script).stem
        self.title, _, self.about = about.strip().partition("\n\n")
        self.tables, self.notes, self.pictures, self.training = [], [], [], []
        self.start = time.perf_counter()
        print(f"\n{self.title}\n{'=' * len(self.title)}", flush=True)

    def images(self, name):
        """A data set of `fetch_images`, or what stands for it in a quick run."""
        if self.quick:
            return _digits_as(name)
        try:
            return fetch_images(name, download_if_missing=False)
        except FileNotFoundError:
            # Part of CIFAR-10 is enough.
            return fetch_images("cifar10_subset" if name == "cifar10" else name)

    def fit(self, label, denoiser, *data):
        """Train on `data` for as many epochs, up to `max_epochs`, as the budget pays for."""
        n_epochs, n_images = self._affordable(denoiser, data)
        print(f"Training {label}: epochs {n_epochs}, images {n_images} ...", flush=True)
        start = time.process_time()
        denoiser.set_params(max_epochs=n_epochs).fit(*_first(data, n_images))
        seconds = round(time.process_time() - start, 1)
        self.device = str(denoiser.device_)
        self.training.append([label, denoiser.n_iter_, n_images, seconds])
        return denoiser

    def _affordable(self, denoiser, data):
        """Numbers of epochs and of images; a trial on a few tells what they cost."""
        n_images = len(data[0])
        if self.quick:
            return 1, n_images
        few = _first(data, 16 * denoiser.batch_size)
        trial = clone(denoiser).set_params(
            max_epochs=1, validation_fraction=None, early_stopping=False, callbacks=None
        )
        for _ in range(2):  # the first also pays for what is done once in a process
            start = time.process_time()
            trial.fit(*few)
            seconds = time.process_time() - start
        n_epochs = self.seconds / seconds * len(few[0]) / n_images
        if n_epochs >= 1:
            return min(int(n_epochs), denoiser.max_epochs), n_images
        return 1, min(n_images, max(2 * denoiser.batch_size, int(n_epochs * n_images)))

    def table(self, columns, rows):
        """Keep and print a table; a row begins with a name, and numbers stay numbers."""
        self.tables.append({"columns": columns, "rows": [[_plain(v) for v in r] for r in rows]})
        print("\n" + markdown(self.tables[-1]), flush=True)

    def note(self, text):
        """Keep and print a sentence that says what the figures mean."""
        self.notes.append(text)
        print("\n" + text, flush=True)

    def picture(self, figure, name, caption):
        """Keep a figure as a small PNG."""
        file = f"{self.name[0]}_{name}.png"
        path = self.output / PICTURES / file
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=100, bbox_inches="tight")
        plt.close(figure)
        # A palette is enough for these pictures, and halves the files.
        small = Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE)
        small.save(path, optimize=True)
        self.pictures.append({"file": file, "caption": caption})

    def finish(self):
        """Say how the nets were trained, and write the results."""
        columns = ["net", "epochs", "images", "processor seconds"]
        self.training = {"columns": columns, "rows": self.training}
        print("\n" + markdown(self.training))
        results = {
            "title": self.title,
            "about": self.about,
            "quick": self.quick,
            "tables": self.tables,
            "notes": self.notes,
            "pictures": self.pictures,
            "training": self.training,
            "budget": self.seconds,
            "seconds": round(time.perf_counter() - self.start),
            "machine": machine(self.device),
            "date": date.today().isoformat(),
        }
        path = self.output / RESULTS / f"{self.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
        print(f"\n{len(self.pictures)} pictures in {self.output / PICTURES}, figures in {path}")


def markdown(table):
    """A table as aligned Markdown, which can also be read as it stands."""
    rows = [table["columns"], *([_text(value) for value in row] for row in table["rows"])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(t.ljust(w) if i == 0 else t.rjust(w) for i, (t, w) in cells) + " |"
        for cells in (enumerate(zip(row, widths, strict=True)) for row in rows)
    ]
    rule = (
        "|"
        + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths))
        + "|"
    )
    return "\n".join([lines[0], rule, *lines[1:]])


def binary_cross_entropy(X_true, X_pred):
    """Mean binary cross-entropy of two batches; of a batch with itself, its entropy."""
    X = np.asarray(X_true, dtype=np.float64) / (255 if X_true.dtype == np.uint8 else 1)
    P = np.clip(X if X_pred is X_true else X_pred, 1e-7, 1 - 1e-7)
    return float(-np.mean(X * np.log(P) + (1 - X) * np.log1p(-P)))


def machine(device):
    """What the seconds depend on, in words."""
    return (
        f"{torch.get_num_threads()} threads, {platform.machine()} "
        f"{torch.backends.cpu.get_cpu_capability()}, device {device}, torch {torch.__version__}, "
        f"skdae {skdae.__version__}"
    )


def _first(data, n):
    """The first images of each array; what was one object stays one."""
    parts = {id(X): X[:n] for X in data}
    return [parts[id(X)] for X in data]


def _digits_as(name, n_train=200, n_test=50):
    """Some of scikit-learn's digits in the format of another data set."""
    digits = load_digits_images()
    side = 32 if name == "cifar10" else 28
    images = (255 * digits.images).astype(np.uint8).repeat(3, 1).repeat(3, 2)
    images = np.pad(images, [(0, 0)] + 2 * [(side // 2 - 12, side // 2 - 12)])
    if name == "cifar10":
        images = (images[..., None] * np.array([1.0, 0.7, 0.4])).astype(np.uint8)
    part = {"train": slice(n_train), "test": slice(n_train, n_train + n_test)}
    return Bunch(
        **{f"X_{key}": images[rows] for key, rows in part.items()},
        **{f"y_{key}": digits.target[rows] for key, rows in part.items()},
        target_names=digits.target_names.astype(str),
    )


def _plain(value):
    """A value that JSON knows."""
    return value.item() if isinstance(value, np.generic) else value


def _text(value):
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
