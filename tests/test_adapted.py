"""The pretrained denoiser that learns from the noisy images themselves."""

import warnings

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter, uniform_filter
from skimage.data import astronaut

from skdae import (
    AdaptedDenoiser,
    GaussianNoise,
    PoissonGaussianNoise,
    PretrainedDenoiser,
    load,
)
from skdae.denoisers.adapted import _noise_of
from skdae.metrics import peak_signal_noise_ratio


def discs(n, side, seed=0):
    """Discs of one brightness each, `n` images in [0, 1]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    images = np.full((n, side, side), 0.1)
    for image in images:
        for _ in range(25):
            cy, cx = rng.uniform(0, side, 2)
            image[np.hypot(y - cy, x - cx) < rng.uniform(4, 25)] = rng.uniform(0.1, 1)
    return images


def bent_lines(n, side):
    """Blurred lines, whose brightness tells where they are, `n` images in [0.1, 0.8]."""
    rng = np.random.default_rng(0)
    images = np.zeros((n, side, side))
    for image in images:
        for _ in range(12):
            angle = rng.uniform(0, 2 * np.pi) + rng.normal(0, 2e-3, 600).cumsum().cumsum()
            y, x = (rng.uniform(0, side) + 0.7 * f(angle).cumsum() for f in (np.sin, np.cos))
            inside = (y >= 0) & (y < side) & (x >= 0) & (x < side)
            place = y[inside].astype(int), x[inside].astype(int)
            np.add.at(image, place, rng.uniform(0.5, 1))
    images = gaussian_filter(images, (0, 1.3, 1.3))
    return 0.1 + 0.7 * images / images.max()


# After a step or two, either network may be the better one.
KEPT_OR_NOT = pytest.mark.filterwarnings("ignore:The pretrained network was kept:UserWarning")

CLEAN = discs(6, 256)
# So many are enough for a clear gain.
STEPS = 160

NOISY = GaussianNoise(std=0.2, clip=None, random_state=0).fit_transform(CLEAN)


def gain(denoiser, X_noisy, X_clean):
    """How many dB it is better than the pretrained denoiser."""
    data_range = np.ptp(X_clean)
    plain, adapted = (
        peak_signal_noise_ratio(X_clean, d.predict(X_noisy), data_range=data_range)
        for d in (PretrainedDenoiser().fit(X_noisy), denoiser)
    )
    return adapted - plain


@pytest.fixture(scope="module")
def adapted():
    return AdaptedDenoiser(max_steps=STEPS, random_state=0).fit(NOISY)


@pytest.mark.slow
def test_adapting_to_images_unlike_photographs_pays(adapted):
    assert adapted.n_steps_ == STEPS
    # What is told without the truth, and the truth.
    assert adapted.gains_["gray"] == pytest.approx(gain(adapted, NOISY, CLEAN), abs=0.3)
    assert gain(adapted, NOISY, CLEAN) > 0.5
    # It has learned the kind of images, not these.
    others = discs(2, 128, seed=1)
    noisy = GaussianNoise(std=0.2, clip=None, random_state=1).fit_transform(others)
    assert gain(adapted, noisy, others) > 0.2


LINES = bent_lines(8, 256)
NOISY_LINES = GaussianNoise(std=0.05, clip=None, random_state=0).fit_transform(LINES)


@pytest.mark.slow
def test_thin_lines_gain_what_is_said_or_more():
    denoiser = AdaptedDenoiser(max_steps=300, random_state=0).fit(NOISY_LINES)
    won = gain(denoiser, NOISY_LINES, LINES)
    assert won > 1.3
    assert 0.5 < denoiser.gains_["gray"] < won + 0.2


@KEPT_OR_NOT
def test_noise_cannot_be_read_from_the_map_of_its_level():
    """That follows the brightness, with its noise, and a network would learn to use it."""
    denoiser = AdaptedDenoiser(max_steps=1, random_state=0).fit(NOISY_LINES)
    for clean, noisy in zip(LINES[:3], NOISY_LINES, strict=False):
        image = noisy[None, ..., None].astype(np.float32)
        level = denoiser._learnable(image, np.zeros(image.shape, bool))[..., 1]
        details = level - uniform_filter(level, 17)
        noise, flat = uniform_filter(noisy - clean, 5), clean < 0.11
        assert abs(np.corrcoef(details[flat], noise[flat])[0, 1]) < 0.05


@pytest.mark.slow
def test_counts_are_learned_from_by_themselves():
    clean = 100 + 4000 * discs(4, 192)
    noisy = PoissonGaussianNoise(gain=40.0, std=20.0, random_state=0).fit_transform(clean)
    denoiser = AdaptedDenoiser(max_steps=40, random_state=0).fit(noisy)
    assert denoiser.predict(noisy).mean() == pytest.approx(clean.mean(), rel=0.02)
    assert gain(denoiser, noisy, clean) > 0.2


def test_noise_that_was_clipped_is_not_learned():
    """Its mean at black is not 0; a network that learned it would lift the black."""
    clean = np.where(CLEAN > 0.5, CLEAN, 0)
    noisy = GaussianNoise(std=0.2, clip=(0, 1), random_state=0).fit_transform(clean)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        denoiser = AdaptedDenoiser(max_steps=40, random_state=0).fit(noisy)
    assert gain(denoiser, noisy, clean) > -0.05
    black = clean == 0
    assert denoiser.predict(noisy)[black].mean() < 0.04 < noisy[black].mean()


@KEPT_OR_NOT
def test_level_of_what_has_no_noise_is_a_number():
    """Of a letterbox in color, running sums of the level fell below 0: the network diverged."""
    rng = np.random.default_rng(0)
    clean = 0.1 + 0.4 * gaussian_filter(rng.normal(size=(512, 512, 3)), (6, 6, 0)).clip(0)
    std = np.full((512, 1, 1), 0.1)
    for bar in (slice(128), slice(-128, None)):
        clean[bar], std[bar] = 0, 0
    noisy = clean + std * rng.normal(size=clean.shape)
    denoiser = AdaptedDenoiser(max_steps=2, random_state=0).fit(noisy[None])
    assert denoiser.gains_["color"] != -np.inf


@pytest.mark.slow
def test_same_seed_same_network_from_rows(adapted):
    rows = NOISY.reshape(len(NOISY), -1)
    again = AdaptedDenoiser(max_steps=STEPS, random_state=0).fit(rows)
    assert_array_equal(again.predict(rows), adapted.predict(NOISY).reshape(rows.shape))


@KEPT_OR_NOT
def test_global_generators_and_input_are_left_alone():
    import torch

    before, state, seed = NOISY.copy(), np.random.get_state()[1].copy(), torch.get_rng_state()
    AdaptedDenoiser(max_steps=1).fit(NOISY)
    assert_array_equal(NOISY, before)
    assert_array_equal(np.random.get_state()[1], state)
    assert_array_equal(torch.get_rng_state(), seed)


@KEPT_OR_NOT
def test_time_is_the_limit_without_max_steps():
    assert 1 <= AdaptedDenoiser(minutes=1e-3, random_state=0).fit(NOISY).n_steps_ < 40


@pytest.mark.parametrize(
    ("X", "why"),
    [
        (CLEAN, "no noise was seen"),
        (NOISY[:2, :40, :40], "too few pixels"),
        (NOISY[:, :20, :20], "too small"),
        (gaussian_filter(NOISY, (0, 1, 1)), "correlated"),
        (np.stack([NOISY, NOISY - CLEAN / 2, NOISY - CLEAN[:, ::-1] / 3], 3), "correlated"),
    ],
)
def test_pretrained_network_is_kept_and_says_why(X, why):
    with pytest.warns(UserWarning, match=f"pretrained network was kept for .*{why}"):
        denoiser = AdaptedDenoiser(max_steps=2, random_state=0).fit(X)
    assert denoiser.weights_ == {}
    assert denoiser.n_steps_ == 0
    assert_array_equal(denoiser.predict(X), PretrainedDenoiser().fit(X).predict(X))


@pytest.mark.slow
def test_network_that_got_worse_is_not_kept(monkeypatch):
    monkeypatch.setattr("skdae.denoisers.adapted._LR", 0.02)
    with pytest.warns(UserWarning, match=r"not clearly better \(-"):
        denoiser = AdaptedDenoiser(max_steps=3, random_state=0).fit(NOISY)
    assert denoiser.weights_ == {}
    assert denoiser.gains_["gray"] < 0
    assert_array_equal(denoiser.predict(NOISY), PretrainedDenoiser().fit(NOISY).predict(NOISY))


def test_network_that_diverged_is_not_kept(monkeypatch):
    monkeypatch.setattr("skdae.denoisers.adapted._LR", 1e30)
    with pytest.warns(UserWarning, match="not clearly better"):
        denoiser = AdaptedDenoiser(max_steps=3, random_state=0).fit(NOISY)
    assert denoiser.weights_ == {}


def test_noise_is_measured_where_it_depends_on_the_brightness():
    """Against the truth that made it."""
    rng = np.random.default_rng(0)
    clean = gaussian_filter(rng.random((256, 256)), 20)
    clean = (clean - clean.min()) / np.ptp(clean)
    std = 0.05 + 0.1 * clean
    noisy = clean + std * rng.normal(size=clean.shape)
    seen = np.ones(clean.shape, bool)
    found, is_white = _noise_of(noisy[..., None], clean[..., None], seen)
    assert is_white
    error = np.abs(found[..., 0] / std - 1)
    assert error.mean() < 0.05
    # Where the noise is the same everywhere, it is found to about a percent.
    noisy = clean + 0.1 * rng.normal(size=clean.shape)
    found, _ = _noise_of(noisy[..., None], clean[..., None], seen)
    assert found == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize("kind", ["file", "pickle"])
def test_saved_denoiser_predicts_the_same(kind, adapted, tmp_path):
    path = tmp_path / "adapted"
    if kind == "file":
        adapted.save(path)
        again = load(path)
    else:
        joblib.dump(adapted, path)
        again = joblib.load(path)
    assert_array_equal(again.predict(NOISY), adapted.predict(NOISY))
    assert again.gains_ == adapted.gains_


def test_files_of_earlier_versions_said_grey(adapted, tmp_path):
    earlier = AdaptedDenoiser()
    renamed = {name: {"grey": vars(adapted)[name]["gray"]} for name in ("gains_", "weights_")}
    vars(earlier).update({**vars(adapted), **renamed})
    earlier.save(tmp_path / "adapted")
    again = load(tmp_path / "adapted")
    assert again.gains_ == adapted.gains_
    assert_array_equal(again.predict(NOISY), adapted.predict(NOISY))


@KEPT_OR_NOT
def test_colors_of_different_sizes():
    color = astronaut()[:128, :128]
    noisy = GaussianNoise(std=0.15, random_state=0).fit_transform(color[None])[0]
    denoiser = AdaptedDenoiser(max_steps=1, random_state=0).fit([noisy, noisy[:64]])
    assert [*denoiser.gains_] == ["color"]
    assert [x.shape for x in denoiser.predict([noisy, noisy[:64]])] == [(128, 128, 3), (64, 128, 3)]


def test_strength_scales_the_adapted_network(adapted):
    weak = AdaptedDenoiser(strength=0.0)
    vars(weak).update({**vars(adapted), "strength": 0.0})
    assert_array_equal(weak.predict(NOISY), NOISY.astype(np.float32))


@pytest.mark.slow
def test_graph_of_onnx_is_the_adapted_network(adapted, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    clipped = NOISY.clip(0, 1).astype(np.float32)
    adapted.to_onnx(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    inputs = {"X": clipped, "strength": np.ones(len(clipped), np.float32)}
    exact = AdaptedDenoiser(precision="float32")
    vars(exact).update({**vars(adapted), "precision": "float32"})
    (out,) = session.run(None, inputs)
    assert np.abs(out - exact.predict(clipped)).max() < 1e-3


@pytest.mark.slow
def test_images_without_flat_parts_say_why_the_pretrained_network_was_kept():
    y, x = np.mgrid[:256, :256]
    clean = (np.sin(x / 2 + y / 5) > 0)[None].astype(float)
    X = GaussianNoise(std=0.2, clip=None, random_state=0).fit_transform(clean)
    with pytest.warns(UserWarning, match="measured too high .* pass noise= if you know"):
        denoiser = AdaptedDenoiser(max_steps=40, random_state=0).fit(X)
    assert np.isnan(denoiser.gains_["gray"])
    assert not denoiser.weights_


@KEPT_OR_NOT
def test_bar_of_a_time_that_is_no_whole_second_ends_in_time(monkeypatch):
    """Beyond its total, tqdm warns, which is an error here."""
    train = AdaptedDenoiser._train
    monkeypatch.setattr(AdaptedDenoiser, "_train", lambda self, *nets: train(self, *nets[:2], 1.4))
    AdaptedDenoiser(minutes=0.1, verbose=1, random_state=0).fit(NOISY[:1])


def test_noise_of_text_is_not_called_correlated():
    page = Image.new("L", (160, 160), 235)
    for y in range(0, 150, 15):
        ImageDraw.Draw(page).text((4, y), "abcdef ghij klmnop qrst", 30, ImageFont.load_default(11))
    clean = np.asarray(page)[None] / 255
    X = GaussianNoise(std=0.1, clip=None, random_state=0).fit_transform(clean)
    with pytest.warns(UserWarning, match="measured too high .* pass noise= if you know"):
        AdaptedDenoiser(max_steps=1, random_state=0).fit(X)


def test_noise_of_few_photons_is_skewed():
    """A photomultiplier's: photons of different heights on a level below which there is nothing."""
    rng = np.random.default_rng(0)
    clean = gaussian_filter(rng.random((256, 256)), 20)
    clean = 1 + 3 * (clean - clean.min()) / np.ptp(clean)
    seen = np.ones(clean.shape, bool)
    for n_photons, is_normal in ((1, False), (50, True)):
        light = n_photons * clean
        noisy = rng.gamma(2 * rng.poisson(light) + 1e-9) / 2
        # On a root, it is as strong everywhere.
        noisy, mean = np.sqrt(noisy + 1), np.sqrt(light + 1)
        assert _noise_of(noisy[..., None], mean[..., None], seen)[1] == is_normal
