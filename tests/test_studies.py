"""The studies run from end to end on a few digits, and their page shows what they saved."""

import json
import math
import runpy
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples" / "studies"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("[a-e]_*.py"))


def run(name, *options):
    """Run a study in this process."""
    path = str(FOLDER / f"{name}.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        patch.setattr(sys, "argv", [path, *options])
        runpy.run_path(path, run_name="__main__")


def numbers(results):
    """All figures of a study."""
    tables = [*results["tables"], results["training"]]
    cells = [cell for table in tables for row in table["rows"] for cell in row]
    return [cell for cell in cells if not isinstance(cell, str)]


def test_there_are_five_studies_of_at_most_a_hundred_lines():
    assert [name[0] for name in SCRIPTS] == list("abcde")
    for name in SCRIPTS:
        text = (FOLDER / f"{name}.py").read_text()
        assert len(text.partition('"""\n\n')[2].splitlines()) <= 100


@pytest.mark.parametrize("name", SCRIPTS)
def test_study_runs_on_digits(name, tmp_path, capsys):
    run(name, "--quick", "--output", str(tmp_path))
    saved = (tmp_path / "examples" / "studies" / "results" / f"{name}.json").read_text()
    results = json.loads(saved)
    figures = numbers(results)
    assert len(figures) > 6
    assert all(math.isfinite(figure) for figure in figures)
    assert results["pictures"]
    for picture in results["pictures"]:
        path = tmp_path / "docs" / "images" / "studies" / picture["file"]
        with Image.open(path) as image:
            assert min(image.size) > 100
    assert results["title"] in capsys.readouterr().out


def test_budget_decides_epochs_and_images(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr(sys, "argv", ["study", "--output", str(tmp_path)])
    study_module = __import__("_study")
    from skdae import DenoisingAutoencoder, GaussianNoise

    study = study_module.Study("x_test.py", "Title\n\nText.")
    X = study_module._digits_as("mnist").X_train
    dae = DenoisingAutoencoder("dense", noise=GaussianNoise(0.2), max_epochs=2, batch_size=8)
    study.seconds = 1e6
    assert study._affordable(dae, (X,)) == (2, len(X))
    study.seconds = 1e-9
    assert study._affordable(dae, (X,)) == (1, 16)
