"""The benchmarks run; of what they measure, only what no clock decides is judged here."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.utils import Bunch

from skdae import GaussianNoise

ROOT = Path(__file__).parents[1]
# One epoch of a small net learns little, and fit says so.
pytestmark = pytest.mark.filterwarnings("ignore:The net denoises its .* images no better")


@pytest.fixture
def load(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module


def tiny_images(name):
    """Random images in the layout of `fetch_images`, few and small."""
    rng = np.random.default_rng(0)

    def draw(*shape):
        return rng.integers(0, 256, shape, dtype=np.uint8)

    if name == "train400":
        return Bunch(images=[draw(64, 64) for _ in range(4)])
    if name == "set12":
        return Bunch(images=[draw(48, 64), draw(64, 48)])
    shape = (32, 32, 3) if name == "cifar10" else (28, 28)
    return Bunch(X_train=draw(40, *shape), X_test=draw(8, *shape))


def test_a_result_is_worked_out_once_for_its_settings(load, tmp_path):
    store = load("store")
    calls = []

    def work(noise):
        calls.append(noise.std)
        return {"mse": noise.std}

    kept = store.Store(tmp_path / "results" / "figures.jsonl")
    for std in (0.1, 0.1, 0.2):
        assert kept.run("row", work, noise=GaussianNoise(std)) == {"mse": std}
    kept.run("other row", work, noise=GaussianNoise(0.3))
    assert calls == [0.1, 0.2, 0.3]
    again = store.Store(kept.path, fresh=True)
    for _ in range(2):
        again.run("row", work, noise=GaussianNoise(0.2))
    assert calls == [0.1, 0.2, 0.3, 0.2]
    assert list(kept.records()) == ["row", "other row"]
    assert [path.name for path in kept.path.parent.iterdir()] == ["figures.jsonl"]


def test_a_result_interrupted_leaves_those_before_it(load, tmp_path):
    store = load("store").Store(tmp_path / "figures.jsonl")

    def interrupted():
        raise KeyboardInterrupt

    store.run("first", lambda: {"mse": 1.0})
    with pytest.raises(KeyboardInterrupt):
        store.run("second", interrupted)
    assert list(store.records()) == ["first"]


def test_defaults_count_among_the_settings(load):
    describe = load("store").describe
    unet = importlib.import_module("skdae.architectures").UNet
    assert describe([GaussianNoise(0.2), unet()]) == describe((GaussianNoise(0.2), unet()))
    assert describe(unet()) != describe(unet(stride=2))
    assert json.dumps(describe({"noise": GaussianNoise(0.1), "n": 3}))


def test_settings_are_the_same_where_all_parameters_are(load):
    store = load("store")
    short, long = "GaussianNoise() #0a1b2c3d", "GaussianNoise(std=0.1) #0a1b2c3d"
    assert store.same({"noise": short, "n": 3}, {"n": 3, "noise": long})
    assert not store.same({"noise": short, "n": 3}, {"noise": long, "n": 4})
    assert not store.same([short], [short.replace("0a1b", "0a1c")])


def test_every_denoiser_has_its_row_on_digits(load, tmp_path, capsys):
    quality = load("quality")
    results, page = tmp_path / "figures.jsonl", tmp_path / "page.md"
    command = ["--quick", "--noise", "Gaussian", "--results", str(results), "--page", str(page)]
    quality.main(command)
    lines = [line.split(" | ") for line in page.read_text().splitlines()]
    rows = {line[0].removeprefix("| "): line for line in lines if len(line) == 7}
    assert set(rows) >= set(quality.ROWS)
    assert float(rows["skdae"][2].strip("*")) < float(rows["noisy input"][2])
    capsys.readouterr()
    written = results.read_bytes()
    quality.main(command)
    assert " ..." not in capsys.readouterr().out
    assert results.read_bytes() == written


def shrunk(net):
    """One epoch of a net; a small one where skdae builds it."""
    small = {"architecture__filters": (4, 8)} if hasattr(net.architecture, "filters") else {}
    return clone(net).set_params(max_epochs=1, **small)


def test_every_goal_runs_to_its_lines(load, tmp_path, monkeypatch):
    quality, measure = load("quality"), load("measure")
    monkeypatch.setattr(measure, "fetch_images", tiny_images)
    monkeypatch.setattr(load("reach"), "time_keras", lambda epochs: {"epoch_seconds": 0.001})
    systems = load("systems")
    aucs = {systems.outliers.OURS: 0.9, "PCA, best k": 0.8, "IsolationForest": 0.85}
    monkeypatch.setattr(systems, "outliers_of", lambda normal: {"auc": aucs, "seconds": 1.0})
    monkeypatch.setattr(systems, "RANKED", systems.RANKED[:4])
    for module in (load("reach"), systems):
        monkeypatch.setattr(module, "NETS", {k: shrunk(net) for k, net in module.NETS.items()})
    measure.read_images.cache_clear()
    page = tmp_path / "page.md"
    try:
        quality.main(["--reach", "--results", str(tmp_path / "r.jsonl"), "--page", str(page)])
    finally:
        measure.read_images.cache_clear()
    lines = [line for line in page.read_text().splitlines() if "`--reach" in line]
    reached = {line.split("`")[-2].removeprefix("--reach ") for line in lines}
    assert reached == set(quality.GOALS)
    assert len(lines) == (2 + 2 + 4 + 2 + 2 + 3) + (2 + 1 + 2 + 2 + 1)


def test_the_page_of_results_is_the_one_that_the_figures_give(load):
    quality = load("quality")
    text, _ = quality.page(quality.DATA, load("store").Store(quality.RESULTS))
    assert quality.PAGE.read_text(encoding="utf-8") == text


def test_the_colour_net_has_the_parameters_of_its_study(load):
    net = load("studies").ColourCodeNet()
    counted = [*net.parameters(), *(b for b in net.buffers() if b.is_floating_point())]
    assert sum(values.numel() for values in counted) == 333_476 + 373_379
    assert net(torch.zeros(2, 3, 28, 28)).shape == (2, 3, 28, 28)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems set no limit on allocations")
def test_a_memory_map_larger_than_the_memory_trains(load):
    (row,) = load("engine").memory_map(None)
    assert row.met, row.who
