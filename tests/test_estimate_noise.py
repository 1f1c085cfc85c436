"""The estimated noise is the one that was added, from single images, pairs and frames."""

import warnings

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from scipy.ndimage import gaussian_filter
from sklearn.base import clone

from skdae import (
    GaussianNoise,
    PoissonGaussianNoise,
    PretrainedDenoiser,
    SpeckleNoise,
    estimate_noise,
)
from skdae.filters import estimate_noise_std

LEVELS = np.linspace(0.1, 0.9, 9)


def scene(side=256, seed=0):
    """A smooth scene in [0, 1] with edges, and a quarter of it texture."""
    x = gaussian_filter(np.random.default_rng(seed).normal(size=(side, side)), 12)
    x = (x - x.min()) / np.ptp(x)
    x = np.where(x > 0.5, 0.6 * x + 0.4, x)
    rows = np.arange(side // 2)
    x[: side // 2, : side // 2] += 0.2 * (np.add.outer(rows, rows) % 6 > 2)
    return x.clip(0, 1)[None]


def error(noise, gain, std, offset=0.0, scale=1.0):
    """Relative error of the predicted variance, median over grey levels."""
    x = offset + scale * LEVELS
    true = gain * (x - offset) + std**2
    return np.median(np.abs(noise.gain * (x - noise.offset) + noise.std**2 - true) / true)


def corrupted(X, gain, std, offset=0.0, clip=None, seed=0):
    camera = PoissonGaussianNoise(gain, std, offset, clip=clip, random_state=seed)
    return camera.fit_transform(X)


CAMERAS = [(1 / 10, 0.0), (1 / 50, 20 / 255), (1 / 200, 5 / 255), (1 / 200, 0.0)]


@pytest.mark.parametrize(("gain", "std"), CAMERAS)
@pytest.mark.parametrize(("clip", "tolerance"), [(None, 0.1), ((0, 1), 0.15)])
def test_variance_of_one_image_is_found_in_spite_of_texture_and_clipping(
    gain, std, clip, tolerance
):
    X = corrupted(scene(), gain, std, clip=clip)
    assert error(estimate_noise(X, model="poisson-gaussian"), gain, std) < tolerance


@pytest.mark.parametrize("other", ["clean", "second frame"])
@pytest.mark.parametrize(("gain", "std"), CAMERAS)
def test_clean_images_and_other_frames_tell_the_same(gain, std, other):
    X = scene()
    X_noisy = corrupted(X, gain, std)
    y = X if other == "clean" else corrupted(X, gain, std, seed=1)
    assert error(estimate_noise(X_noisy, y, "poisson-gaussian"), gain, std) < 0.05


@pytest.mark.parametrize("other", ["clean", "second frame"])
def test_gaussian_noise_of_pairs(other):
    X, (first, second) = scene(), [GaussianNoise(0.1, clip=None, random_state=s) for s in (0, 1)]
    y = X if other == "clean" else second.fit_transform(X)
    assert estimate_noise(first.fit_transform(X), y).std == pytest.approx(0.1, rel=0.02)


def test_frames_of_one_scene_are_pairs():
    frames = np.concatenate([corrupted(scene(side=64), 0.02, 0.01, seed=s) for s in range(8)])
    noise = estimate_noise(frames[:-1], frames[1:], "poisson-gaussian")
    assert error(noise, 0.02, 0.01) < 0.05


def test_counts_with_an_offset():
    X = 100 + 4000 * scene()
    counts = corrupted(X, 80.0, 20.0, 100.0).clip(0, 65535).round().astype(np.uint16)
    noise = estimate_noise(counts, model="poisson-gaussian")
    assert error(noise, 80.0, 20.0, 100.0, 4000) < 0.1
    assert noise.std == 0 or noise.offset == 0


def test_the_noise_follows_the_units():
    X = corrupted(scene(), 1 / 50, 0.02)
    one = estimate_noise(X, model="poisson-gaussian")
    for scale, shift in [(255.0, 0.0), (1000.0, -1000.0)]:
        other = estimate_noise(scale * X + shift, model="poisson-gaussian")
        assert other.gain == pytest.approx(scale * one.gain)
        variance = other.gain * (shift + scale * 0.5 - other.offset) + other.std**2
        expected = scale**2 * (one.gain * (0.5 - one.offset) + one.std**2)
        assert variance == pytest.approx(expected)
        assert other.offset <= (scale * X + shift).mean()


def test_noise_of_constant_variance_has_next_to_no_photons():
    X = GaussianNoise(0.1, clip=None, random_state=0).fit_transform(scene())
    noise = estimate_noise(X, model="poisson-gaussian")
    # Of ten seeds, the largest share is 0.21.
    assert noise.gain * LEVELS.max() < 0.25 * noise.std**2
    assert error(noise, 1e-9, 0.1) < 0.1


def test_gaussian_is_the_median_over_the_images():
    X = GaussianNoise(0.1, random_state=0).fit_transform(np.concatenate([scene()] * 3))
    assert estimate_noise(X).std == np.median(estimate_noise_std(X))
    assert isinstance(estimate_noise(X), GaussianNoise)


def test_kinds_of_images_agree():
    X = corrupted(scene(64), 0.02, 0.01).astype(np.float32)

    def estimate(*images, **shape):
        return estimate_noise(*images, model="poisson-gaussian", **shape).get_params()

    expected = estimate(X)
    assert estimate(X.reshape(1, -1)) == expected
    assert estimate(X.reshape(1, -1), image_shape=(64, 64)) == expected
    assert estimate(X[..., None]) == expected
    colour = np.stack([X[:, :32], X[:, 32:]], axis=-1)
    assert estimate([X[0, :32], X[0, 32:, :60]]) == estimate([colour[0, ..., 0], X[0, 32:, :60]])
    levels = (255 * X.clip(0, 1)).astype(np.uint8)
    assert estimate(levels) == estimate(levels.astype(np.float32) / 255)


@pytest.mark.parametrize("shape", [(1, 4096), (400, 12), (900, 2, 3), (400, 3, 3), (200, 8, 8)])
def test_signals_and_small_images_serve(shape):
    X = corrupted(np.linspace(0.1, 0.9, np.prod(shape)).reshape(shape), 0.01, 0.02)
    image_shape = shape[1:] if len(shape) == 2 else None
    noise = estimate_noise(X, model="poisson-gaussian", image_shape=image_shape)
    assert error(noise, 0.01, 0.02) < 0.3


@pytest.mark.parametrize("curve", ["flat", "sine", "peaks"])
@pytest.mark.parametrize(
    ("shape", "tolerance"),
    [((300, 500), 0.02), ((300, 500, 1), 0.02), ((1, 4000), 0.06), ((400, 50), 0.03)],
)
def test_noise_of_signals_is_the_one_that_was_added(shape, tolerance, curve):
    rng = np.random.default_rng(0)
    n, length = shape[:2]
    t = np.linspace(0, 1, length)
    clean = {"flat": 0 * t, "sine": np.sin(6 * t), "peaks": np.exp(-((t - 0.4) ** 2) / 0.02)}[curve]
    X = 3 * clean * rng.uniform(0.5, 1, (n, 1)) + rng.normal(0, 0.15, (n, length))
    options = {"image_shape": (length,)} if len(shape) == 2 else {}
    # A column of pixels is a signal, too.
    images = X if len(shape) == 2 else X[..., None, None]
    assert estimate_noise(images, **options).std == pytest.approx(0.15, rel=tolerance)
    second = X + rng.normal(0, 0.15, X.shape)
    noise = estimate_noise(second.reshape(images.shape), images, **options)
    assert noise.std == pytest.approx(0.15, rel=0.1)


@pytest.mark.parametrize("length", [3, 4, 5, 6, 7, 8, 12, 16])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noise_of_short_signals(length, dtype):
    X = np.random.default_rng(length).normal(2, 0.15, (2000, length)).astype(dtype)
    assert estimate_noise(X, image_shape=(length,)).std == pytest.approx(0.15, rel=0.1)


PICTURES = ["camera", "moon", "text", "coins", "page", "cell"]
NOISES = [GaussianNoise(8.0), PoissonGaussianNoise(2.0, 3.0), SpeckleNoise(0.1)]


def picture(name, side=256):
    return getattr(skimage.data, name)()[None, :side, :side].astype(np.float64)


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: type(noise).__name__)
def test_plain_frames_are_not_said_to_have_moved(name, noise):
    """Of any size, clipped and rounded or not, against a clean image or a second frame."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed, side in [(0, 256), (1, 256), (2, 64), (3, 64), (4, 24)]:
            X = picture(name, side) + 1
            first, second = (
                clone(noise).set_params(clip=None, random_state=2 * seed + i).fit_transform(X)
                for i in (0, 1)
            )
            camera = [frame.round().clip(0, 255) for frame in (first, second)]
            for pair in [(first, second), (first, X), camera, (camera[0], X)]:
                estimate_noise(*pair)


@pytest.mark.parametrize("name", ["camera", "text", "coins", "page"])
@pytest.mark.parametrize("move", ["pixel", "part of a pixel", "turn", "light", "object"])
def test_frames_that_moved_are_told_of(name, move):
    X = picture(name)
    y = {
        "pixel": lambda: np.roll(X, 1, axis=2),
        "part of a pixel": lambda: ndimage.shift(X, (0, 0.4, 0.3), mode="nearest"),
        "turn": lambda: ndimage.rotate(X, 0.4, axes=(1, 2), reshape=False, mode="nearest"),
        "light": lambda: 1.05 * X,
        "object": lambda: np.where(np.arange(256) // 64 == 1, np.roll(X, 9, axis=1), X),
    }[move]()
    camera = [PoissonGaussianNoise(2.0, 3.0, clip=None, random_state=s) for s in (0, 1)]
    frames = [noise.fit_transform(x) for noise, x in zip(camera, (X, y), strict=True)]
    for model in ("gaussian", "poisson-gaussian"):
        with pytest.warns(UserWarning, match="differences between X and y .* align the frames"):
            estimate_noise(*frames, model)


def test_a_gain_that_frames_in_motion_ruin_does_not_come_without_a_word():
    X = picture("coins")
    frames = [
        PoissonGaussianNoise(2.0, 3.0, clip=None, random_state=s).fit_transform(np.roll(X, s, 1))
        for s in (0, 1)
    ]
    with pytest.warns(UserWarning, match="align the frames"):
        noise = estimate_noise(*frames, "poisson-gaussian")
    assert noise.gain > 2.5


def test_signals_that_moved_are_told_of():
    t = np.arange(2000)
    frames = [
        np.sin((t + delay) / 30)[None] + np.random.default_rng(delay).normal(0, 0.1, (20, 2000))
        for delay in (0, 3)
    ]
    with pytest.warns(UserWarning, match="align the frames"):
        estimate_noise(*frames, image_shape=(2000,))


@pytest.mark.parametrize("unit", [1e-17, 1e15])
def test_estimate_follows_the_unit_of_the_images(unit):
    X = corrupted(scene(128), 0.02, 0.05)
    expected = estimate_noise(X, model="poisson-gaussian")
    noise = estimate_noise(unit * X, model="poisson-gaussian")
    levels = [noise.gain / unit, noise.std / unit, noise.offset / unit]
    assert levels == pytest.approx([expected.gain, expected.std, expected.offset], rel=1e-6)


# Bad input


@pytest.mark.parametrize("model", ["gaussian", "poisson-gaussian"])
@pytest.mark.parametrize(
    ("X", "y"),
    [
        (np.full((2, 32, 32), 7.0), None),
        (np.random.default_rng(0).random((1, 4, 4)), None),
        (np.random.default_rng(0).random((30, 1)), None),
        (np.random.default_rng(0).random((1, 64, 64)).round(), None),
        (np.ones((1, 64, 64)), np.ones((1, 64, 64))),
    ],
    ids=["constant", "few pixels", "no neighbours", "saturated", "equal"],
)
@pytest.mark.filterwarnings("ignore:Rows of .* values are not square images:UserWarning")
def test_images_that_do_not_tell_their_noise_are_refused(X, y, model):
    with pytest.raises(ValueError, match="blocks tell the noise; at least 8 are needed"):
        estimate_noise(X, y, model)


def test_other_mistakes_are_named():
    X = scene(32)
    with pytest.raises(ValueError, match=r"Did you mean 'poisson-gaussian'\?"):
        estimate_noise(X, model="poisson_gaussian")
    with pytest.raises(ValueError, match="in the same shape"):
        estimate_noise(X[:, ::2, ::2], X)
    with pytest.raises(ValueError, match="NaN"):
        estimate_noise(np.full_like(X, np.nan))


def test_images_that_equal_their_targets_hold_no_noise():
    X = np.random.default_rng(0).random((64, 16, 16))
    with pytest.raises(ValueError, match="holds no noise"):
        estimate_noise(X, X, "poisson-gaussian")


def test_a_time_series_is_a_volume():
    """Its noise is that of its frames, however they moved."""
    rng = np.random.default_rng(0)
    series = np.stack([np.roll(scene(side=64)[0], (3 * k, k), (0, 1)) for k in range(8)])
    X = series + rng.normal(0, 0.05, series.shape)
    as_volume = estimate_noise(X[None], channel_axis=None)
    assert as_volume.std == estimate_noise(X).std == pytest.approx(0.05, rel=0.3)
    found = PretrainedDenoiser(channel_axis=None).fit(X[None]).predict(X[None])
    np.testing.assert_allclose(found[0], PretrainedDenoiser().fit(X).predict(X), atol=1e-5)


# One source with what the pretrained net sees


def page():
    """A page of text in [0, 1]."""
    sheet = Image.new("L", (256, 256), 235)
    words = "Noise is what nobody meant to record, and what every picture has. "
    lines = "\n".join((3 * words)[7 * i : 7 * i + 44] for i in range(18))
    ImageDraw.Draw(sheet).text((3, 2), lines, fill=30, font=ImageFont.load_default(11))
    return np.asarray(sheet)[None] / 255


def as_scan(X):
    return (X.clip(0, 1) * 255).round().astype(np.uint8)


BANDS = np.repeat(LEVELS, 28)[None, :, None] * np.ones((1, 1, 252))


def test_clean_bands_have_no_noise():
    assert estimate_noise(as_scan(BANDS)).std < 0.5 / 255


@pytest.mark.parametrize(("level", "most"), [(0, 0.3), (2, 0.6), (5, 0.6)])
def test_strokes_of_text_are_no_noise(level, most):
    X = as_scan(GaussianNoise(std=level / 255, random_state=0).fit_transform(page()))
    # Of what differences of neighbors tell.
    assert estimate_noise(X).std < most * estimate_noise_std(X)[0]
    assert estimate_noise(X).std > 0.3 * level / 255


def test_what_is_estimated_is_what_is_seen():
    X = as_scan(GaussianNoise(std=10 / 255, random_state=0).fit_transform(page()))
    seen = PretrainedDenoiser().fit(X).noise_.std
    assert estimate_noise(X).std == pytest.approx(seen, rel=0.5)


def test_correlated_noise_is_measured_and_told():
    grain = gaussian_filter(np.random.default_rng(0).normal(size=(256, 256)), 1.0)
    smooth = gaussian_filter(scene(), (0, 3, 3)) * 0.6 + 0.2
    X = as_scan(smooth + 20 / 255 * grain / grain.std())
    with pytest.warns(UserWarning, match="correlated between neighboring pixels"):
        noise = estimate_noise(X)
    assert noise.std == pytest.approx(20 / 255, rel=0.35)
    # Differences of neighbors tell a fraction.
    assert estimate_noise_std(X)[0] < 8 / 255


def test_few_photons_are_no_correlation():
    stars = np.zeros((256, 256))
    stars[tuple(np.random.default_rng(0).integers(0, 256, (2, 300)))] = 60
    X = PoissonGaussianNoise(gain=0.1, std=0.01, random_state=0, clip=None).fit_transform(
        gaussian_filter(stars, 1.5)[None]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimate_noise(X)


@pytest.mark.parametrize("unit", [1e-3, 1.0, 4e4])
def test_a_saturated_image_of_any_unit_has_a_level(unit):
    X = GaussianNoise(std=0.1, random_state=0).fit_transform(scene() * 1.6) * unit
    assert estimate_noise(X).std == pytest.approx(0.1 * unit, rel=0.25)
