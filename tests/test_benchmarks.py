"""The benchmarks run; of what they measure, only what no clock decides is checked here."""

import importlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from skdae.architectures import Pretrained
from skdae.architectures.blind import BlindNet

ROOT = Path(__file__).parents[1]
# One epoch of a small net learns little, and fit says so.
pytestmark = pytest.mark.filterwarnings("ignore:The network denoises its .* images no better")


@pytest.fixture
def load(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    monkeypatch.syspath_prepend(ROOT / "docs")
    return importlib.import_module


def test_every_denoiser_has_its_result_on_digits_once(load, tmp_path, capsys):
    quality = load("quality")
    command = ["--quick", "--noise", "Gaussian", "--results", str(tmp_path / "results.jsonl")]
    quality.main(command)
    records = quality.read_results(tmp_path / "results.jsonl")
    assert {name.split(" / ")[2] for name in records} == set(quality.ROWS)
    psnr = {name.split(" / ")[2]: record["figures"]["psnr"] for name, record in records.items()}
    assert psnr["skdae"] > psnr["noisy input"]
    page = load("pages").page(quality.QUICK_DATA, records)
    (line,) = [x for x in page.splitlines() if "| Digits" in x]
    assert f"**{max(psnr.values()):.2f}**" in line
    capsys.readouterr()
    written = (tmp_path / "results.jsonl").read_bytes()
    quality.main(command)
    assert capsys.readouterr().out == ""
    assert (tmp_path / "results.jsonl").read_bytes() == written


def test_a_run_that_is_interrupted_leaves_the_results_before_it(load, tmp_path, monkeypatch):
    quality = load("quality")

    def interrupted(*args, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(quality, "measure_filter", interrupted)
    results = tmp_path / "results.jsonl"
    with pytest.raises(KeyboardInterrupt):
        quality.main(["--quick", "--noise", "Gaussian", "--results", str(results)])
    assert list(quality.read_results(results)) == ["digits / Gaussian / noisy input"]


def test_table_of_defaults_runs_what_is_missing(load, tmp_path, monkeypatch, capsys):
    quality, defaults = load("quality"), load("defaults")
    X, X_test = defaults.heartbeats(60)
    ran = []

    def work():
        ran.append(1)
        denoiser = quality.DenoisingAutoencoder(image_shape=(60,), max_steps=20, random_state=0)
        noise = quality.GaussianNoise(0.15, random_state=0)
        few = partial(lambda *data: data, X[:200], X_test[:50])
        return defaults.measured(denoiser, noise, few, defaults.filters(image_shape=(60,)))

    monkeypatch.setattr(defaults, "RESULTS", tmp_path / "results.jsonl")
    monkeypatch.setattr(defaults, "ROWS", {"ECG": work})
    for _ in range(2):
        quality.main(["--defaults"])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ECG")]
    assert (len(ran), len(rows)) == (1, 2)
    assert rows[0] == rows[1]
    noisy, best, ours, seconds = map(float, rows[0].split("|")[2:-1])
    assert noisy < min(best, ours)
    assert seconds > 0


@pytest.mark.parametrize("make", ["spectra", "filaments"])
def test_data_of_the_table_are_counts(load, make):
    X, _ = getattr(load("defaults"), make)()
    assert X.min() >= 0
    assert X.max() > 20


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """A folder of data with small images of noise."""
    rng = np.random.default_rng(0)
    for name, n in [("bsds400", 24), ("yang91", 12)]:
        (tmp_path / name).mkdir()
        for i in range(n):
            image = Image.fromarray(rng.integers(0, 256, (17, 20, 3), dtype=np.uint8))
            image.save(tmp_path / name / f"{i}.png")
    np.savez(tmp_path / "set12.npz", **{"01": rng.integers(0, 256, (16, 16), dtype=np.uint8)})
    monkeypatch.setenv("SKDAE_DATA", str(tmp_path))
    return tmp_path


def test_a_stage_of_weights_goes_on_from_the_one_before(load, photographs, monkeypatch, capsys):
    weights, mixture = load("weights"), load("mixture")
    monkeypatch.setattr(weights, "NET", BlindNet((2, 4), n_blocks=1, level_filters=2))
    monkeypatch.setattr(mixture, "N_RENDERED", 11)
    monkeypatch.setattr(mixture, "SHARES", {"yang91": 0.5, "rendered": 0.5})
    options = ["--steps", "2", "--patch-size", "16", "--batch-size", "2", "--joint", "0.5"]
    for name in ("keep", "output"):
        options += [f"--{name}", str(photographs)]
    options += ["--results", str(photographs / "results.jsonl")]
    weights.main([*options, "--fresh"])
    path = photographs / "photographs-grey.safetensors"
    for net in ("correlated", "independent", "level", "kind"):
        before = weights.read(path, "grey")
        weights.main([*options, "--kinds", "grey", "--nets", net])
        assert f"grey, {net}, from step 0 of 2" in capsys.readouterr().out
        pairs = zip(before.named_parameters(), weights.read(path, "grey").parameters(), strict=True)
        changed = {name.split(".")[0] for (name, old), new in pairs if not torch.equal(old, new)}
        assert changed == {net}
    rows = weights.read_results(photographs / "results.jsonl")
    stages = [(row["net"], row["options"]["net"], row["stage"]) for row in rows]
    nets = ["level", "kind", "independent", "correlated"]
    first = [(kind, net, 0) for kind in ("colour", "grey") for net in nets]
    assert stages[:8] == first
    assert [stage[2] for stage in stages[8:]] == [1, 2, 3, 4]
    assert [*rows[-1]["psnr"]] == ["Set12", "20 photographs", "11 colorful ones"]
    for kind, n in [("grey", 1), ("colour", 3)]:
        net = Pretrained(photographs / f"photographs-{kind}").build((8, 8, n), (8, 8, n))
        assert net(torch.zeros(1, n, 19, 17)).shape == (1, n, 19, 17)


def test_a_stage_that_was_interrupted_ends_as_a_whole_one(load, photographs, monkeypatch):
    weights, mixture = load("weights"), load("mixture")
    monkeypatch.setattr(weights, "NET", BlindNet((2, 4), n_blocks=1, level_filters=2))
    monkeypatch.setattr(weights, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    monkeypatch.setattr(mixture, "N_RENDERED", 11)
    monkeypatch.setattr(mixture, "SHARES", {"yang91": 0.5, "rendered": 0.5})
    options = ["--kinds", "grey", "--nets", "correlated", "--steps", "3", "--patch-size", "16"]
    options += ["--batch-size", "2"]
    torch.manual_seed(0)
    shape = (64, 64, 1)
    begun = weights.NET.build(shape, shape)

    def run(name):
        folder = photographs / name
        folder.mkdir(exist_ok=True)
        path = folder / "photographs-grey.safetensors"
        if not path.exists():
            weights.write_net(path, weights.NET, begun)
        places = ["--keep", str(folder), "--output", str(folder), "--seed", "5"]
        weights.main([*options, *places, "--results", str(folder / "results.jsonl")])
        return weights.read(path, "grey").state_dict()

    whole = run("whole")
    draw = weights.pair
    drawn = []

    def interrupted(*args):
        drawn.append(1)
        if len(drawn) == 5:
            raise KeyboardInterrupt
        return draw(*args)

    monkeypatch.setattr(weights, "pair", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("parts")
    torch.testing.assert_close(run("parts"), whole)


def test_photographs_to_judge_by_are_not_trained_on(load, photographs, monkeypatch):
    weights, mixture = load("weights"), load("mixture")
    monkeypatch.setattr(mixture, "N_RENDERED", 0)
    (photographs / "cid22").mkdir()
    Image.fromarray(np.zeros((300, 300, 3), np.uint8)).save(photographs / "cid22" / "0.png")
    pictures = mixture.load_pictures(0)
    seen = {image.tobytes() for name in ("bsds400", "yang91") for image in pictures[name]}
    held_out = weights.judges("colour")
    assert len(seen) == 24 - 20 + 12 - 11
    assert [len(images) for images in held_out.values()] == [20, 11]
    assert not any(image.tobytes() in seen for images in held_out.values() for image in images)


def test_pairs_have_noise_of_many_levels_and_a_tenth_has_none(load, photographs, monkeypatch):
    mixture = load("mixture")
    monkeypatch.setattr(mixture, "N_RENDERED", 22)
    monkeypatch.setattr(mixture, "SHARES", {"rendered": 1.0})
    monkeypatch.setattr(mixture, "read_folder", lambda folder: [np.full((300, 300, 3), 99, "u1")])
    pictures = mixture.load_pictures(0)
    for n_channels in (1, 3):
        rng = np.random.default_rng(0)
        levels = []
        for _ in range(200):
            noisy, clean, seen = mixture.pair(pictures, 32, n_channels, rng)
            assert noisy.shape == clean.shape == (32, 32, n_channels)
            assert noisy.dtype == clean.dtype == np.float32
            assert np.isfinite(noisy).all()
            assert 0 <= clean.min() <= clean.max() <= 1
            level = mixture.level_map(noisy, clean)
            factor = np.divide(seen, level, out=np.ones_like(level), where=level > 1e-6)
            assert np.isclose(factor.reshape(-1, 1), [1, *mixture.SEEN.values()]).any(1).all()
            rms = np.sqrt(np.square(noisy - clean).mean())
            assert abs(np.sqrt(np.square(level).mean()) - rms) <= 0.5 * rms
            levels.append(255 * rms)
        assert 0.05 < np.mean(np.array(levels) == 0) < 0.25
        assert np.percentile(levels, 40) < 10 < 30 < np.percentile(levels, 90)


@pytest.mark.parametrize("n_channels", [1, 3])
def test_noise_is_independent_where_it_is_asked_for(load, photographs, monkeypatch, n_channels):
    mixture = load("mixture")
    monkeypatch.setattr(mixture, "N_RENDERED", 22)
    monkeypatch.setattr(mixture, "SHARES", {"rendered": 1.0})
    monkeypatch.setattr(mixture, "read_folder", lambda folder: [np.full((300, 300, 3), 99, "u1")])
    pictures = mixture.load_pictures(0)
    rng = np.random.default_rng(0)
    shared = {True: [], False: []}
    for independent, found in shared.items():
        for _ in range(100):
            noisy, clean, _ = mixture.pair(pictures, 64, n_channels, rng, independent)
            noise = (noisy - clean) - (noisy - clean).mean((0, 1))
            if noise.std() < 1e-4:  # of black, or of what is masked
                continue
            # Of pixels and channels beside each other.
            neighbors = [(noise[:-1], noise[1:]), (noise[:, :-1], noise[:, 1:])]
            neighbors += [(noise[..., :-1], noise[..., 1:])] if n_channels == 3 else []
            square = np.square(noise).mean()
            found.append(max(abs(float((a * b).mean())) for a, b in neighbors) / square)
    assert min(map(len, shared.values())) > 70
    assert np.quantile(shared[True], 0.9) < 0.08
    assert np.median(shared[False]) > 0.2


def test_pictures_of_every_kind_can_be_judged_for_harm(load):
    harm = load("harm")
    pictures = harm.pictures()
    assert len(pictures) == 40
    assert all(
        image.dtype == np.uint8 and min(image.shape[:2]) > 100 for image in pictures.values()
    )
    assert harm.psnr(pictures["moon"] / 255, pictures["moon"]) == 99


@pytest.mark.parametrize("name", ["results.md", "real_noise.md", "images/results.svg"])
def test_generated_pages_are_what_their_generator_writes(load, name, monkeypatch):
    pages = load("pages")
    page = pages.PAGES[name]()
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == page, "run python docs/pages.py"
    for line in page.splitlines():
        if line.startswith("!["):
            path = ROOT / "docs" / line.rpartition("(")[2].rstrip(")")
            assert path.stat().st_size < 100_000


def test_the_colour_net_has_the_parameters_of_its_study(load):
    net = load("studies").ColorCodeNet()
    counted = [*net.parameters(), *(b for b in net.buffers() if b.is_floating_point())]
    assert sum(values.numel() for values in counted) == 333_476 + 373_379
    assert net(torch.zeros(2, 3, 28, 28)).shape == (2, 3, 28, 28)


def test_competitors_start_alike_and_learn_alike(load, monkeypatch):
    engine = load("engine")
    monkeypatch.delenv("SKDAE_DATA", raising=False)
    rows = list(engine.train("dense net", engine.read_images("mnist")[:512], n_repeats=1))
    losses = {who: loss for _, who, _, _, loss in rows}
    assert set(losses) == {"skdae", "hand-tuned PyTorch", "plain PyTorch", "plain skorch"}
    assert max(losses.values()) < 1.2 * min(losses.values())
    assert rows[0][3] == 1
    assert all(ratio > 0 for _, _, _, ratio, _ in rows[1:])
    assert all(len(engine.cells(*row)) == len(engine.HEADER) for row in rows)


def test_photographs_are_judged_beside_published_figures(load, photographs, capsys):
    load("photographs").main(["--sets", "held out", "kodak24"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["held", "out,", "sigma", "given", *lines[1].split()[4:]]
    assert len(lines[1].split()) == 7
    assert "kodak24, FFDNet as published       34.63   32.13   28.98" in lines
    assert lines[-1] == "kodak24: not in SKDAE_DATA"
