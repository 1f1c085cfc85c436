"""The studies run from end to end on a few digits; their pages show what was recorded."""

import re
import runpy
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image
from sklearn.utils import Bunch

import skdae.datasets
from skdae.datasets import load_digits_images
from skdae.denoisers.learned import LearnedDenoiser

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples" / "studies"
PICTURES = ROOT / "docs" / "images" / "studies"
SCRIPTS = sorted(FOLDER.glob("[a-e]_*.py"))


def digits_as(name):
    """Some of scikit-learn's digits in the format of another data set."""
    digits = load_digits_images()
    side = 32 if name == "cifar10_subset" else 28
    images = (255 * digits.images).astype(np.uint8).repeat(3, 1).repeat(3, 2)
    images = np.pad(images, [(0, 0)] + 2 * [(side // 2 - 12, side // 2 - 12)])
    if side == 32:
        images = (images[..., None] * np.array([1.0, 0.7, 0.4])).astype(np.uint8)
    train, test = slice(100), slice(100, 120)
    return Bunch(
        X_train=images[train],
        X_test=images[test],
        y_train=digits.target[train],
        y_test=digits.target[test],
        target_names=digits.target_names.astype(str),
    )


def table(text):
    """Rows of numbers by their names, of a table in text."""
    rows = re.findall(r"^([a-z].*?)((?: +\d*\.\d+| {2,}\d+)+)$", text, re.M | re.I)
    return {name: [float(number) for number in numbers.split()] for name, numbers in rows}


def test_there_are_five_short_studies():
    assert [path.stem[0] for path in SCRIPTS] == list("abcde")
    for path in SCRIPTS:
        assert len(path.read_text().splitlines()) <= 100


@pytest.mark.slow
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_study_prints_its_table_and_draws_its_pictures(path, tmp_path, capsys, monkeypatch):
    fit = LearnedDenoiser.fit
    monkeypatch.setattr(
        LearnedDenoiser,
        "fit",
        lambda self, *data, **kwargs: fit(self.set_params(max_epochs=1), *data, **kwargs),
    )
    monkeypatch.setattr(skdae.datasets, "fetch_images", digits_as)
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path))
    plt.close("all")
    printed, recorded = table(capsys.readouterr().out), table(path.with_suffix(".txt").read_text())
    assert len(recorded) >= 3
    assert {name: len(row) for name, row in printed.items()} == {
        name: len(row) for name, row in recorded.items()
    }
    assert np.isfinite([number for row in printed.values() for number in row]).all()
    shown = set(re.findall(r"/images/studies/(\w+\.png)", path.read_text()))
    assert shown <= {file.name for file in tmp_path.iterdir()}
    for name in shown:
        for file in (tmp_path / name, PICTURES / name):
            with Image.open(file) as image:
                assert min(image.size) > 100
        assert (PICTURES / name).stat().st_size < 150_000


def test_the_page_of_the_studies_tells_what_was_recorded():
    page = (FOLDER / "index.rst").read_text()
    found = {path.stem[0]: table(path.with_suffix(".txt").read_text()) for path in SCRIPTS}
    told = [
        f"{found['a']['skdae'][0]:.4f}",
        f"{found['b']['linear layers'][0]:.3f}",
        f"{found['b']['net, mse'][1]:.4f}",
        f"{found['c']['conv, as studied'][2]:.2f} dB",
        f"{found['c']['U-Net'][2]:.2f} dB",
        f"{found['e']['on clean'][1]:.1f} dB",
        f"{found['e']['U-Net'][1]:.1f} dB",
    ]
    assert all(number in page for number in told), told
    for name in ("U-Net", "pix2pix", "code of 100"):
        filters = np.minimum(found["d"]["mean filter"], found["d"]["median filter"])
        n_worse = (np.array(found["d"][name]) > filters).sum()
        assert n_worse == (2 if name == "code of 100" else 0)


def test_every_picture_is_shown():
    text = "".join(path.read_text() for path in SCRIPTS)
    for picture in PICTURES.iterdir():
        assert picture.name in text
