"""The denoiser that has learnt before; its truths hold for any weights that learnt reasonably."""

import shutil
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import zoom
from sklearn.base import clone
from sklearn.datasets import load_digits, load_sample_image
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skdae import (
    CameraNoise,
    DenoisingAutoencoder,
    GaussianFilter,
    GaussianNoise,
    JPEGNoise,
    MedianFilter,
    Noise2VoidDenoiser,
    PoissonGaussianNoise,
    PoissonNoise,
    PretrainedDenoiser,
    SaltPepper,
    SelfEnsembleDenoiser,
    SpeckleNoise,
    VarianceStabilized,
    j_invariant_scorer,
    load,
    mse_scorer,
)
from skdae._files.weights import read_net, write_net
from skdae.architectures import pretrained
from skdae.architectures.pretrained import weights_digest
from skdae.noise import tones

COLOUR = load_sample_image("china.jpg")[None, 100:260, 200:392] / np.float32(255)
GREY = COLOUR.mean(3)
GAUSSIAN = GaussianNoise(0.1, clip=None, random_state=0)

FLOWER = load_sample_image("flower.jpg")[None, ::2, ::2][:, 60:220, 40:232] / np.float32(255)


def noisy(X, noise=GAUSSIAN):
    return clone(noise).set_params(clip=None, random_state=0).fit_transform(X)


def error(X_denoised, X_clean=GREY):
    return float(np.square(X_denoised - X_clean).mean())


@pytest.mark.parametrize("X", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("std", [0.06, 0.2])
def test_it_beats_filters_without_being_told_the_noise(X, std):
    X_noisy = noisy(X, GaussianNoise(std))
    denoiser = PretrainedDenoiser().fit(X_noisy)
    # Fine texture is seen as noise in part.
    assert denoiser.noise_.std == pytest.approx(std, rel=0.35)
    found = error(denoiser.predict(X_noisy), X)
    best = min(
        error(GaussianFilter(sigma).fit(X_noisy).predict(X_noisy), X) for sigma in (0.7, 1, 1.5)
    )
    assert found < 0.7 * best
    told = PretrainedDenoiser(noise=std).fit(X_noisy).predict(X_noisy)
    assert found < 1.5 * error(told, X)


@pytest.mark.parametrize("noise", [PoissonNoise(30), PoissonGaussianNoise(1 / 30, 0.04)])
@pytest.mark.parametrize("unit", [1.0, 4000.0])
def test_noise_of_photons_is_removed_as_if_it_were_told(noise, unit):
    X_noisy = unit * noisy(GREY, noise)
    if unit > 1:
        gain = getattr(noise, "gain", 1 / 30)
        noise = PoissonGaussianNoise(unit * gain, unit * getattr(noise, "std", 0.0))
    found, told = (
        error(d.fit(X_noisy).predict(X_noisy) / unit)
        for d in (PretrainedDenoiser(), PretrainedDenoiser(noise=noise))
    )
    assert found < 1.35 * told
    filtered = VarianceStabilized(GaussianFilter(1.0), noise).fit(X_noisy).predict(X_noisy)
    assert told < 0.65 * error(filtered / unit)


def test_speckle_has_a_level_that_follows_the_image():
    speckle = SpeckleNoise(0.25)
    # Its level follows the light, of which there is much and little.
    clean = GREY * np.linspace(0.05, 1, GREY.shape[2], dtype=np.float32)
    X_noisy = noisy(clean, speckle)
    told = PretrainedDenoiser(noise=speckle).fit(X_noisy).predict(X_noisy)
    one_level = float((X_noisy - clean).std())
    of_one = PretrainedDenoiser(noise=one_level).fit(X_noisy).predict(X_noisy)
    assert error(told, clean) < 0.9 * error(of_one, clean)


@pytest.mark.parametrize("unit", [1.0, 4000.0])
def test_speckle_is_removed_as_if_it_were_told(unit):
    speckle = SpeckleNoise(0.2)
    X_noisy = noisy(unit * GREY, speckle)
    found, told = (
        error(d.fit(X_noisy).predict(X_noisy) / unit)
        for d in (PretrainedDenoiser(), PretrainedDenoiser(noise=speckle))
    )
    assert found < 1.45 * told


@pytest.mark.parametrize("light", [0.1, 0.01])
def test_dark_images_are_denoised_as_well_as_light_ones(light):
    X_noisy = noisy(GREY, GaussianNoise(0.04, clip=None))
    expected = error(PretrainedDenoiser(noise=0.04).fit(X_noisy).predict(X_noisy))
    dark = PretrainedDenoiser(noise=0.04 * light).fit(light * X_noisy)
    assert error(dark.predict(light * X_noisy) / light) < 1.1 * expected


@pytest.mark.parametrize(("unit", "offset"), [(4000.0, 100.0), (1e-6, 0.0), (1e12, -3e12)])
@pytest.mark.parametrize("noise", ["estimate", "number"])
def test_images_of_any_unit_come_back_in_it(unit, offset, noise):
    X_noisy = noisy(GREY).astype(np.float64)
    level = 0.1 * unit if noise == "number" else noise
    denoiser = PretrainedDenoiser(noise=level).fit(unit * X_noisy + offset)
    X_denoised = denoiser.predict(unit * X_noisy + offset)
    assert error((X_denoised - offset) / unit) < 0.35 * error(X_noisy)


def test_camera_counts():
    X = 100 + 2000 * GREY
    camera = PoissonGaussianNoise(gain=20.0, std=30.0, offset=100.0)
    X_noisy = noisy(X, camera)
    for denoiser in (PretrainedDenoiser(), PretrainedDenoiser(noise=camera)):
        X_denoised = denoiser.fit(X_noisy).predict(X_noisy)
        assert error(X_denoised, X) < 0.35 * error(X_noisy, X)
        assert abs(X_denoised.mean() - X.mean()) < 0.005 * X.mean()


def test_bytes_are_fractions_and_stay_in_their_range():
    X = (255 * noisy(COLOUR).clip(0, 1)).round().astype(np.uint8)
    denoiser = PretrainedDenoiser(noise=0.1).fit(X)
    X_denoised = denoiser.predict(X)
    assert X_denoised.dtype == np.float32
    assert 0 <= X_denoised.min() < X_denoised.max() <= 1
    np.testing.assert_array_equal(X_denoised, denoiser.predict(X / np.float32(255)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("noise", ["estimate", 0.0])
def test_every_dtype_comes_out_as_float32(dtype, noise):
    X = (255 * noisy(GREY).clip(0, 1)).astype(dtype)
    denoiser = PretrainedDenoiser(noise=noise).fit(X)
    assert denoiser.predict(X).dtype == np.float32
    assert [x.dtype for x in denoiser.predict([X[0], X[0, :40]])] == [np.float32] * 2
    stabilized = VarianceStabilized(denoiser, noise=PoissonGaussianNoise(gain=0.1)).fit(X)
    assert stabilized.predict(X).dtype == np.float32


def test_the_mean_of_a_noise_is_taken_away():
    X_noisy = noisy(GREY, GaussianNoise(0.1, mean=0.2))
    X_denoised = (
        PretrainedDenoiser(noise=GaussianNoise(0.1, mean=0.2)).fit(X_noisy).predict(X_noisy)
    )
    assert abs((X_denoised - GREY).mean()) < 0.01


@pytest.mark.parametrize("noise", [0, 0.0, GaussianNoise(0), "estimate"])
def test_no_noise_changes_nothing(noise):
    X = np.full((2, 9, 7), np.float32(0.3)) if noise == "estimate" else GREY
    np.testing.assert_array_equal(PretrainedDenoiser(noise=noise).fit(X).predict(X), X)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3), (5, 70), (1, 1, 3), (7, 1, 3)])
@pytest.mark.parametrize("noise", ["estimate", 0.1, SpeckleNoise(0.2), PoissonNoise(30)])
def test_images_of_any_size(shape, noise):
    X = np.random.default_rng(0).random((3, *shape))
    X_denoised = PretrainedDenoiser(noise=noise).fit(GREY).predict(X)
    assert X_denoised.shape == X.shape
    assert np.isfinite(X_denoised).all()


@pytest.mark.parametrize(
    "noise", [0.1, SpeckleNoise(0.2), PoissonNoise(30), "estimate"], ids=lambda noise: str(noise)
)
def test_tiles_make_no_difference(noise):
    X = noisy(GREY[:, :130, :150])
    whole, tiled = (
        PretrainedDenoiser(noise=noise, tile_size=size, precision="float32").fit(X).predict(X)
        for size in (None, 110)
    )
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_an_image_is_denoised_alike_in_any_company():
    X = noisy(np.concatenate([GREY, 0.5 * GREY]))
    X[1] += 0.1 * noisy(GREY, GaussianNoise(1.0, random_state=1))[0]
    denoiser = PretrainedDenoiser(precision="float32").fit(X)
    alone = np.concatenate([denoiser.predict(X[:1]), denoiser.predict(X[1:])])
    np.testing.assert_allclose(denoiser.predict(X), alone, atol=1e-5)
    ragged = denoiser.predict([X[0], X[1, :50]])
    np.testing.assert_allclose(ragged[0], alone[0], atol=1e-5)
    assert ragged[1].shape == (50, 192)


@pytest.mark.filterwarnings("ignore:X has values from")
def test_fit_learns_nothing_but_the_noise():
    X_noisy = noisy(GREY)
    elsewhere = PretrainedDenoiser().fit(0.7 * X_noisy[:, :90, :90])
    here = PretrainedDenoiser().fit(X_noisy)
    np.testing.assert_array_equal(elsewhere.predict(X_noisy), here.predict(X_noisy))


def test_a_saved_one_names_the_weights(tmp_path):
    X_noisy = noisy(COLOUR)
    denoiser = PretrainedDenoiser(noise=PoissonGaussianNoise(1e-2, 0.1)).fit(X_noisy)
    denoiser.save(tmp_path / "denoiser")
    assert (tmp_path / "denoiser").stat().st_size < 10_000
    again = load(tmp_path / "denoiser")
    np.testing.assert_array_equal(again.predict(X_noisy), denoiser.predict(X_noisy))
    assert repr(again.noise_) == repr(denoiser.noise_)
    assert again.digest_ == weights_digest()


def test_other_weights_than_those_of_fit_are_refused(tmp_path, monkeypatch):
    denoiser = PretrainedDenoiser().fit(GREY)
    denoiser.save(tmp_path / "denoiser")
    other = tmp_path / "weights"
    other.mkdir()
    for kind in ("colour", "grey"):
        (other / f"photographs-{kind}.safetensors").write_bytes(b"others")
    monkeypatch.setattr(pretrained, "_FOLDER", other)
    message = f"weights {denoiser.digest_}, but this version .* has {weights_digest(other)}; "
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "denoiser")


def test_released_weights_can_be_kept_in_a_folder(tmp_path, monkeypatch):
    now = PretrainedDenoiser().fit(GREY)
    weights = pretrained._FOLDER
    shutil.copytree(weights, tmp_path / "now" / "old")
    for path in weights.glob("*.safetensors"):
        # The same weights in a file of other bytes.
        net, _ = read_net(path)
        n = 3 if "colour" in path.name else 1
        shapes = ((8, 8, n), (8, 8, n))
        module = net.build(*shapes)
        write_net(tmp_path / "now" / path.name, net, module)
    monkeypatch.setattr(pretrained, "_FOLDER", tmp_path / "now")
    assert pretrained.weights_folder(now.digest_) == tmp_path / "now" / "old"
    assert pretrained.weights_digest(tmp_path / "now") != now.digest_


def test_it_stands_in_grids_beside_filters():
    X = np.stack([COLOUR[0, :64, i : i + 64] for i in range(0, 128, 20)])
    pipe = Pipeline([("noise", GaussianNoise(0.1, random_state=0)), ("denoiser", MedianFilter())])
    grid = {"denoiser": [MedianFilter(), PretrainedDenoiser(), PretrainedDenoiser(noise=0.1)]}
    search = GridSearchCV(pipe, grid, scoring=mse_scorer, cv=2).fit(X, X)
    assert isinstance(search.best_params_["denoiser"], PretrainedDenoiser)


def test_scores_without_clean_images_and_ensembles():
    X = noisy(GREY[:, :64, :64])
    denoiser = PretrainedDenoiser(noise=0.1).fit(X)
    assert j_invariant_scorer(denoiser, X) > j_invariant_scorer(MedianFilter().fit(X), X)
    ensemble = SelfEnsembleDenoiser(PretrainedDenoiser(noise=0.1)).fit(X)
    assert error(ensemble.predict(X), GREY[:, :64, :64]) < error(X, GREY[:, :64, :64]) / 2
    assert denoiser.score(GREY[:, :64, :64]) == pytest.approx(
        denoiser.score(denoiser.noise_.add_noise(GREY[:, :64, :64]), GREY[:, :64, :64])
    )


@pytest.mark.slow
@pytest.mark.parametrize("X", [GREY, COLOUR], ids=["grey", "colour"])
def test_training_goes_on_from_what_the_net_knows(X, tmp_path):
    X_noisy = noisy(X)
    options = {"max_steps": 10, "batch_size": 4, "lr": 1e-4, "random_state": 0}
    for denoiser in (
        DenoisingAutoencoder("photographs", noise=GAUSSIAN, **options).fit(X),
        Noise2VoidDenoiser("photographs", **options).fit(X_noisy),
    ):
        X_denoised = denoiser.predict(X_noisy)
        assert error(X_denoised, X) < 0.6 * error(X_noisy, X)
        denoiser.save(tmp_path / "denoiser")
        np.testing.assert_array_equal(load(tmp_path / "denoiser").predict(X_noisy), X_denoised)


@pytest.mark.parametrize("n_channels", [2, 4, 5])
def test_other_channels_are_denoised_one_by_one(n_channels):
    X = np.stack([noisy(GREY, GaussianNoise(0.02 * (i + 1)))[0] for i in range(n_channels)], 2)
    one_by_one = [
        PretrainedDenoiser(precision="float32").fit_transform(X[None, ..., i])
        for i in range(n_channels)
    ]
    together = PretrainedDenoiser(precision="float32").fit_transform(X[None])
    np.testing.assert_allclose(together, np.stack(one_by_one, 3), atol=1e-6)


@pytest.mark.parametrize("noise", [None, 0.1])
def test_grey_in_three_channels_is_grey(noise):
    X = noisy(GREY)
    denoiser = PretrainedDenoiser(noise=noise)
    grey = denoiser.fit_transform(X)
    three = denoiser.fit_transform(np.concatenate([X[..., None]] * 3, axis=3))
    np.testing.assert_array_equal(three, np.stack([grey] * 3, 3))
    # Beside an image in color, too.
    mixed = np.concatenate([np.stack([X] * 3, 3), noisy(COLOUR)])
    np.testing.assert_allclose(denoiser.fit(mixed).predict(mixed)[0], three[0], atol=1e-6)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("as_bytes", [True, False])
def test_a_toned_scan_is_as_good_as_the_grey_one(order, as_bytes):
    slopes, offsets = np.array([0.9, -0.7, 0.5])[[*order]], np.array([0, 0.9, 0.1])[[*order]]
    X = noisy(GREY).clip(0, 1)[..., None]
    toned, clean = X * slopes + offsets, np.asarray(GREY)[..., None] * slopes + offsets
    toned = (toned * 255).round().astype(np.uint8) if as_bytes else toned
    denoised = PretrainedDenoiser().fit_transform(toned)
    grey = PretrainedDenoiser().fit_transform(X[..., 0])
    assert error(denoised, clean) < 1.15 * np.abs(slopes).mean() * error(grey, GREY)
    assert denoised.min() >= 0
    assert denoised.max() <= 1


def test_a_toned_page_without_noise_comes_out_as_it_was():
    page = np.where(np.indices((128, 128)).sum(0) % 23 < 3, 20, 235)[None, ..., None]
    toned = (page * [0.9, 0.8, 0.6] + [0, 5, 20]).round().astype(np.uint8)
    denoised = PretrainedDenoiser().fit_transform(toned)
    np.testing.assert_array_equal(denoised, (toned / 255).astype(np.float32))


@pytest.mark.parametrize("X", [GREY, COLOUR], ids=["grey", "color"])
def test_strength_is_how_much_of_the_noise_goes(X):
    X_noisy = noisy(X)
    changes = [
        error(PretrainedDenoiser(strength=s).fit_transform(X_noisy), X_noisy)
        for s in (0.0, 0.4, 0.7, 1.0, 1.5)
    ]
    assert changes[0] == 0
    assert np.all(np.diff(changes) > 0)


def test_clean_pictures_come_out_as_they_were():
    skimage_data = pytest.importorskip("skimage.data")
    page = np.where(np.indices((128, 128)).sum(0) % 23 < 3, 20, 235).astype(np.uint8)
    disc = (np.hypot(*np.ogrid[-64:64, -64:64]) < 50) * np.uint8(180)
    flat = np.full((64, 64, 3), (200, 30, 90), np.uint8)
    for X in (page, disc, flat, skimage_data.moon()[:256, :256], skimage_data.text()):
        change = error(PretrainedDenoiser().fit_transform(X[None]), X[None] / 255)
        assert -10 * np.log10(change + 1e-10) > 45


def test_what_is_masked_stays_exactly_as_it_was():
    inside = np.hypot(*np.ogrid[-80:80, -96:96]) < 50
    X = noisy(GREY) * inside
    X_denoised = PretrainedDenoiser().fit_transform(X)
    far = np.hypot(*np.ogrid[-80:80, -96:96]) > 75
    np.testing.assert_array_equal(X_denoised[0][far], 0)
    changed = [error(image[0][inside], GREY[0][inside]) for image in (X_denoised, X)]
    assert changed[0] < 0.9 * changed[1]


def test_noise_of_a_camera_is_removed():
    camera = CameraNoise(
        peak=300, read_noise=2, smoothing=0.8, chroma_smoothing=1.5, quality=90, random_state=0
    )
    X_noisy = camera.fit_transform(FLOWER)
    assert error(PretrainedDenoiser().fit_transform(X_noisy), FLOWER) < 0.9 * error(X_noisy, FLOWER)


def test_the_noise_of_fit_is_what_is_removed():
    X_noisy = noisy(GREY)
    denoiser = PretrainedDenoiser(noise=0.1).fit(X_noisy)
    X_denoised = denoiser.predict(X_noisy)
    denoiser.set_params(noise=0.3)
    np.testing.assert_array_equal(denoiser.predict(X_noisy), X_denoised)
    assert denoiser.noise_.std == 0.1


def test_a_mean_without_noise_keeps_the_range():
    X_denoised = PretrainedDenoiser(noise=GaussianNoise(0, mean=0.2)).fit_transform(GREY)
    np.testing.assert_array_equal(X_denoised, (GREY - np.float32(0.2)).clip(0, 1))


# What does not fit


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"weights": "photograph"}, "Did you mean 'photographs'"),
        ({"noise": -0.1}, "noise"),
        ({"noise": "estimated"}, "Did you mean 'estimate'"),
        ({"noise": SaltPepper()}, "cannot be stabilized"),
        ({"noise": GaussianNoise((0, 0.1))}, "not a range"),
        ({"noise": SpeckleNoise((0, 0.1))}, "not a range"),
        ({"tile_size": 8}, "tile_size=8 is no larger than the overlap"),
        ({"device": "nowhere"}, "device='nowhere' cannot be used"),
    ],
)
def test_parameters_that_do_not_fit_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        PretrainedDenoiser(**params).fit(GREY)


def test_infinity_is_refused():
    X = GREY.copy()
    X[0, 3, 3] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        PretrainedDenoiser().fit(X)
    with pytest.raises(ValueError, match="infinity"):
        PretrainedDenoiser().fit(GREY).predict(X)


@pytest.mark.parametrize("noise", [0.45, None])
def test_noise_beyond_what_was_learned_is_removed(noise):
    X_noisy = noisy(GREY, GaussianNoise(0.45))
    X_denoised = PretrainedDenoiser(noise=noise).fit_transform(X_noisy)
    assert error(X_denoised) < 0.1 * error(X_noisy)


def test_noise_that_is_correlated_is_seen():
    clean = zoom(GREY, (1, 2, 2), order=1)
    large = zoom(noisy(GREY), (1, 2, 2), order=1)
    assert error(PretrainedDenoiser().fit_transform(large), clean) < 0.7 * error(large, clean)


# Of compressed noise in color, nearly nothing is seen.
@pytest.mark.parametrize(
    ("X", "most"), [(FLOWER.mean(3), 0.9), (FLOWER, 0.998)], ids=["grey", "color"]
)
@pytest.mark.parametrize(("std", "quality"), [(0.04, 60), (0.1, 30)])
def test_noise_that_was_compressed_is_seen(X, most, std, quality):
    compressed = JPEGNoise(quality, random_state=0).fit_transform(
        noisy(X, GaussianNoise(std)).clip(0, 1)
    )
    # Nobody knows where in the block of a compressed image a crop begins.
    compressed, X = compressed[:, 3:, 5:], X[:, 3:, 5:]
    assert error(PretrainedDenoiser().fit_transform(compressed), X) < most * error(compressed, X)


@pytest.mark.filterwarnings("ignore:X has values from")
def test_values_far_from_all_others_do_no_harm():
    X = 100 + 1000 * noisy(GREY)
    hot = X.copy()
    hot[0, 50, 50] = 65535
    denoiser = PretrainedDenoiser(noise=100.0).fit(hot)
    far = np.ones(X.shape, dtype=bool)
    far[0, 45:56, 45:56] = False
    difference = denoiser.predict(hot) - denoiser.predict(X)
    assert abs(difference[far]).mean() < 5


def test_noise_is_estimated_in_images_of_different_sizes():
    images = [np.full(shape, 0.5) for shape in ((96, 64, 3), (40, 120, 3))]
    X_noisy = GaussianNoise(0.1, clip=None, random_state=0).fit_transform(images)
    denoiser = PretrainedDenoiser().fit(X_noisy)
    assert denoiser.noise_.std == pytest.approx(0.1, rel=0.1)
    for x, denoised in zip(X_noisy, denoiser.predict(X_noisy), strict=True):
        assert np.abs(denoised - 0.5).mean() < 0.2 * np.abs(x - 0.5).mean()


def tiles(X, side):
    """Parts of images that do not overlap."""
    rows, columns = (n // side for n in X.shape[1:3])
    X = X[:, : rows * side, : columns * side]
    parts = X.reshape(len(X), rows, side, columns, side, -1).swapaxes(2, 3)
    return parts.reshape(-1, side, side, *X.shape[3:])


def lines(n, side):
    """Images of bright lines in every direction, full of edges."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] - side / 2
    angles, places = rng.uniform(0, np.pi, (n, 3, 1, 1)), rng.uniform(-0.5, 0.5, (n, 3, 1, 1))
    far = x * np.cos(angles) + y * np.sin(angles) - side * places
    return np.exp(-np.square(far) / 2).max(axis=1)


SMALL = {
    "digits": load_digits().images[:300] / 16,
    "digits, 16": zoom(load_digits().images[:20] / 16, (1, 2, 2), order=1),
    "lines, 8": lines(100, 8),
    "lines, 12": lines(100, 12),
    "lines, 24": lines(20, 24),
    "grey, 8": tiles(GREY, 8)[::4],
    "grey, 24": tiles(GREY, 24)[::3],
    "color, 10": tiles(FLOWER, 10)[::3],
    "color, 16": tiles(FLOWER, 16)[::6],
}


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("unit", [1.0, 3000.0])
def test_noise_of_small_images_is_removed_and_nothing_else(kind, unit):
    X = SMALL[kind]
    clean = PretrainedDenoiser().fit(unit * X).predict(unit * X) / unit
    # Before, digits lost 0.09, and lines of 8 pixels 0.13.
    assert error(clean, X) < 0.03**2
    for std, left in ((0.05, 1.0), (0.1, 0.8), (0.2, 0.7)):
        X_noisy = noisy(X, GaussianNoise(std))
        found = PretrainedDenoiser().fit(unit * X_noisy).predict(unit * X_noisy) / unit
        assert error(found, X) < left * error(X_noisy, X)
    for std in (0.05, 0.1):
        X_noisy = noisy(X, GaussianNoise(std)).clip(0, 1)
        found = PretrainedDenoiser().fit(unit * X_noisy).predict(unit * X_noisy) / unit
        assert error(found, X) < error(X_noisy, X)


def test_the_level_of_small_images_is_that_of_large_ones():
    # Zeros beyond the border were taken for noise: of 24 pixels, it was seen twice as strong.
    X_noisy = noisy(0.2 + 0.6 * np.indices((1, 192, 192)).mean(0) / 96, GaussianNoise(0.05))
    for side in (16, 20, 24, 32, 48, 63, 64, 96):
        denoiser = PretrainedDenoiser().fit(tiles(X_noisy, side))
        assert denoiser.noise_.std == pytest.approx(0.05, rel=0.3), side


def test_few_tiny_images_are_left_as_they_are_and_a_warning_says_so():
    X_noisy = noisy(SMALL["digits"])
    for X in (X_noisy[:20], list(X_noisy[:20]), [X_noisy[0], X_noisy[1, :, :5]]):
        with pytest.warns(UserWarning, match=r"do not tell how strong.*noise=0\.1"):
            denoiser = PretrainedDenoiser().fit(X)
        for x, denoised in zip(X, denoiser.predict(X), strict=True):
            np.testing.assert_array_equal(denoised, x.astype(np.float32))
    many = PretrainedDenoiser().fit(X_noisy)
    told = PretrainedDenoiser(noise=many.noise_.std).fit(X_noisy)
    np.testing.assert_allclose(many.predict(X_noisy[:3]), told.predict(X_noisy)[:3], atol=1e-5)


class Files(Sequence):
    """Images that are counted when they are read."""

    def __init__(self, images, reads):
        self.images, self.reads = images, reads

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Files(self.images[index], self.reads)
        self.reads.append(index)
        return self.images[index]


def test_noise_is_looked_for_in_some_images_of_many():
    images = [GREY[0, i : i + 20 + i % 5, :24] for i in range(80)]
    told, seen = [], []
    PretrainedDenoiser(noise=0.1).fit(Files(images, told))
    PretrainedDenoiser().fit(Files(images, seen))
    # Of 16, each is read to tell the sizes, and again; of all 80, it would be 160.
    assert len(seen) - len(told) < 40


# What looks like noise, and is none


def mosaic(photo):
    raw = np.empty(photo.shape[:2], np.uint8)
    for row, column, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        raw[row::2, column::2] = photo[row::2, column::2, channel]
    return raw


def interlaced(photo):
    return np.where((np.arange(len(photo)) % 2)[:, None, None] == 0, photo, np.roll(photo, 6, 1))


def dithered(photo):
    return np.asarray(Image.fromarray(photo).convert("1").convert("L"))


def in_few_colors(photo):
    return np.asarray(Image.fromarray(photo).quantize(16, dither=1).convert("RGB"))


def enlarged(photo):
    return photo[::4, ::4].repeat(4, 0).repeat(4, 1)


@pytest.mark.parametrize(
    ("process", "least"),
    [(mosaic, 32), (interlaced, 36), (dithered, 99), (in_few_colors, 38), (enlarged, 33)],
)
@pytest.mark.parametrize("name", ["flower.jpg", "china.jpg"])
def test_what_looks_like_noise_and_is_none_hardly_changes(process, least, name):
    clean = process(load_sample_image(name)[100:356, 200:456])
    denoised = PretrainedDenoiser().fit_transform(clean[None])[0]
    assert -10 * np.log10(np.square(denoised - clean / 255).mean() + 1e-12) > least


# What is not one color picture, and what is in other units


def three_photographs():
    """Channels that have nothing in common, as of stains."""
    from skimage import data

    return np.stack([getattr(data, name)()[:160, :160] for name in STAINS], -1)[None] / 255


STAINS = ("camera", "coins", "moon")


def test_channels_with_nothing_in_common_are_denoised_alone():
    pytest.importorskip("skimage")
    X = three_photographs()
    X_noisy = noisy(X, GaussianNoise(0.1))
    together = PretrainedDenoiser().fit(X_noisy).predict(X_noisy)
    alone = PretrainedDenoiser().fit(X_noisy[..., 0]).predict(X_noisy[..., 0])
    np.testing.assert_allclose(together[..., 0], alone, atol=1e-6)
    for c in range(3):
        assert error(together[..., c], X[..., c]) < 0.3 * 0.1**2


@pytest.mark.parametrize("stds", [(0.02, 0.02, 0.1), (0.1, 0.02, 0.02)])
def test_a_channel_that_is_noisier_does_not_spoil_the_others(stds):
    X_noisy = COLOUR + np.random.default_rng(0).normal(size=COLOUR.shape) * stds
    X_denoised = PretrainedDenoiser().fit(X_noisy).predict(X_noisy)
    for c, std in enumerate(stds):
        assert error(X_denoised[..., c], COLOUR[..., c]) < 1.25 * std**2


@pytest.mark.parametrize("std", [0.02, 0.1, 0.25])
@pytest.mark.parametrize("X", [COLOUR, FLOWER], ids=["china", "flower"])
def test_a_photograph_stays_one(X, std):
    X_noisy = noisy(X, GaussianNoise(std))
    together = PretrainedDenoiser().fit(X_noisy).predict(X_noisy)
    alone = PretrainedDenoiser().fit(X_noisy[..., 0]).predict(X_noisy[..., 0])
    assert error(together[..., 0], X[..., 0]) < 0.9 * error(alone, X[..., 0])


@pytest.mark.parametrize("shape", [(1024, 1024, 3), (700, 1500, 3), (1030, 1030, 1)])
def test_pixels_that_tell_the_range_are_of_all_channels_and_columns(shape):
    """Every third value would be of one channel, and every second pixel of two filters of four."""
    places = np.indices(shape[:2])[1] % 2
    image = (places[..., None] + 2.0 * np.arange(shape[2])).astype(np.float32)
    values, counts = np.unique(tones.some_pixels(image), return_counts=True)
    np.testing.assert_array_equal(values, np.arange(2.0 * shape[2]))
    assert counts.min() > 0.9 * counts.max()


@pytest.mark.parametrize(
    "noise",
    [25, PoissonGaussianNoise(2.0), SpeckleNoise(50), GaussianNoise(0.1, mean=25), 1e-4],
)
def test_noise_in_other_units_is_named(noise):
    with pytest.warns(UserWarning, match="The noise has to be in the units of X"):
        PretrainedDenoiser(noise=noise).fit(np.uint8(255 * noisy(GREY).clip(0, 1)))


@pytest.mark.parametrize("std", [0.01, 0.1, 1.0])
def test_noise_in_their_units_is_not(std):
    PretrainedDenoiser(noise=std).fit(GaussianNoise(std, random_state=0).fit_transform(GREY))


def test_what_looks_like_padding_is_named():
    X_noisy = 30 * noisy(GREY)
    X_noisy[:, :, :20] = -1024
    with pytest.warns(UserWarning, match="pass missing_values=-1024"):
        PretrainedDenoiser().fit(X_noisy)
    PretrainedDenoiser(missing_values=-1024).fit(X_noisy)


def test_values_that_float32_cannot_hold_are_named():
    with pytest.warns(UserWarning, match="Subtract its offset first"):
        PretrainedDenoiser().fit(1e7 + noisy(GREY).astype(np.float64))
    PretrainedDenoiser().fit(1e3 + noisy(GREY).astype(np.float64))
