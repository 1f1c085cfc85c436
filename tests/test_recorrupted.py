"""Learning from noisy images alone by noise of the same kind."""

import warnings

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_sample_image
from sklearn.exceptions import ConvergenceWarning

from skdae import (
    GaussianNoise,
    Noise2VoidDenoiser,
    PoissonNoise,
    PretrainedDenoiser,
    RecorruptedDenoiser,
    StructuredNoise,
    VarianceStabilized,
    load,
)
from skdae._random import TorchGenerator
from skdae.architectures import Dense, UNet
from skdae.datasets import load_digits_images
from skdae.denoisers.recorrupted import Recorruption

CLEAN = load_digits_images().images
NOISY = GaussianNoise(0.3, clip=None, random_state=0).fit_transform(CLEAN)
SMALL = {"max_epochs": 2, "batch_size": 32, "random_state": 0}


def error(X, X_clean=CLEAN):
    return float(np.mean((X - X_clean) ** 2))


def small(**params):
    return RecorruptedDenoiser(Dense(hidden=(8,)), **{**SMALL, **params})


@pytest.mark.parametrize("alpha", [0.25, 0.5, 2.0])
def test_the_noise_of_both_copies_is_independent(alpha):
    rng = TorchGenerator(torch.Generator().manual_seed(0))
    clean = torch.full((200, 32, 32, 1), 0.5)
    noisy = clean + rng.normal(0.0, 0.2, clean.shape)
    copies = Recorruption(0.2, alpha, None).pairs(noisy, noisy, rng)
    first, second = ((copy - clean) / 0.2 for copy in copies)
    for noise in (first, second):
        assert abs(noise.mean()) < 0.05
    assert first.var() == pytest.approx(1 + alpha**2, rel=0.02)
    assert second.var() == pytest.approx(1 + alpha**-2, rel=0.02)
    assert abs((first * second).mean() / (first.std() * second.std())) < 0.01


def test_one_image_is_too_few_for_a_net_of_one_size():
    with pytest.raises(ValueError, match="minimum of 2 is required by RecorruptedDenoiser"):
        small().fit(NOISY[:1])


def test_it_learns_more_than_with_hidden_pixels():
    options = {"max_epochs": 3, "random_state": 0}
    recorrupted = RecorruptedDenoiser(UNet((8, 16)), **options).fit(NOISY).predict(NOISY)
    hidden = Noise2VoidDenoiser(UNet((8, 16), residual=False), **options).fit(NOISY).predict(NOISY)
    assert error(recorrupted) < 0.8 * error(hidden) < 0.8 * error(NOISY)


@pytest.mark.slow
def test_the_pretrained_net_learns_other_images():
    rng = np.random.default_rng(0)
    # Lines of one pixel are no photographs.
    clean = np.full((8, 64, 64), 0.1)
    for image in clean:
        image[rng.integers(0, 64, 12)] = 0.9
        image[:, rng.integers(0, 64, 12)] = 0.9
    noisy = GaussianNoise(0.2, clip=None, random_state=0).fit_transform(clean)
    options = {"max_steps": 20, "batch_size": 8, "lr": 3e-4, "random_state": 0}
    before = error(PretrainedDenoiser(noise=0.2).fit(noisy).predict(noisy), clean)
    denoiser = RecorruptedDenoiser("photographs", std=0.2, **options).fit(noisy)
    assert error(denoiser.predict(noisy), clean) < 0.9 * before


def test_camera_counts_are_learnt_when_stabilized():
    light = CLEAN / 2 + 0.4
    counts = 20 * PoissonNoise(peak=20.0, random_state=0).fit_transform(light)
    held = RecorruptedDenoiser("dense", max_epochs=10, random_state=0)
    denoiser = VarianceStabilized(held, PoissonNoise(peak=1.0)).fit(counts)
    assert error(denoiser.predict(counts), 20 * light) < 0.5 * error(counts, 20 * light)


# The level of the noise


@pytest.mark.parametrize("unit", [1000.0, 1e-6])
def test_the_level_is_estimated_in_the_units_of_the_images(unit):
    denoiser = small().fit(unit * NOISY)
    assert denoiser.std_ == pytest.approx(0.3 * unit, rel=0.1)
    X_denoised = small().fit(NOISY).predict(NOISY)
    np.testing.assert_allclose(denoiser.predict(unit * NOISY) / unit, X_denoised, atol=1e-3)


def test_uint8_counts_as_its_floats():
    grey = np.rint(255 * NOISY.clip(0, 1)).astype(np.uint8)
    denoiser = small().fit(grey)
    assert denoiser.std_ == small().fit(grey / np.float32(255)).std_
    np.testing.assert_array_equal(denoiser.predict(grey), denoiser.predict(grey / np.float32(255)))


def test_a_given_level_is_used_as_it_is():
    assert small(std=0.2).fit(NOISY).std_ == 0.2
    # Without noise to add, the net learns to copy.
    copied = RecorruptedDenoiser("linear", std=0, lr=1e-2, random_state=0).fit(NOISY)
    assert error(copied.predict(NOISY), NOISY) < 0.1 * error(NOISY)


def test_images_of_different_sizes_and_those_read_in_parts(tmp_path):
    params = {"patch_size": 16, **SMALL}
    sides = (24, 32, 40)
    rng = np.random.default_rng(0)
    images = [rng.normal(0.5, 0.1, (side, side)).astype(np.float32) for side in sides]
    denoiser = RecorruptedDenoiser(UNet((2, 4)), **params).fit(images)
    assert denoiser.std_ == pytest.approx(0.1, rel=0.1)
    assert [image.shape[0] for image in denoiser.predict(images)] == list(sides)
    for i, image in enumerate(images):
        np.save(tmp_path / f"{i}.npy", image)
    maps = [np.load(tmp_path / f"{i}.npy", mmap_mode="r") for i in range(3)]
    with config_context(working_memory=0.001):
        streamed = RecorruptedDenoiser(UNet((2, 4)), **params).fit(maps)
    assert streamed.std_ == denoiser.std_


def test_each_part_of_the_data_has_an_estimate_of_its_own():
    denoiser = small().partial_fit(NOISY)
    first = denoiser.std_
    denoiser.partial_fit(CLEAN + (NOISY - CLEAN) / 3)
    # Not a third, because the digits themselves have fine details.
    assert 0.2 < denoiser.std_ / first < 0.6


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (PoissonNoise(peak=50.0, clip=None, random_state=0), "grows with the light"),
        (
            StructuredNoise(std=0.1, kernel=((1, 2, 1), (2, 4, 2), (1, 2, 1)), random_state=0),
            "correlated",
        ),
        (GaussianNoise(std=0.1, clip=None, random_state=0), None),
    ],
)
def test_other_noise_is_warned_of(noise, message):
    ramp = np.linspace(0.1, 0.9, 96)
    clean = [np.tile(ramp, (96, 1)), np.tile(ramp[:, None], 96)] * 4
    noisy = noise.fit_transform(np.stack(clean))
    denoiser = RecorruptedDenoiser(UNet((2, 4)), max_steps=1, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        denoiser.fit(noisy)
    messages = [str(w.message) for w in caught if w.category is UserWarning]
    assert len(messages) == bool(message)
    assert not message or message in messages[0]


def test_neither_texture_nor_hot_pixels_raise_the_estimate():
    clean = load_sample_image("china.jpg")[:384, :640].mean(axis=2) / 255
    pieces = clean.reshape(3, 128, 5, 128).swapaxes(1, 2).reshape(15, 128, 128)
    noisy = GaussianNoise(std=10 / 255, clip=None, random_state=0).fit_transform(pieces)
    noisy[:, 60, 60] = 50
    denoiser = RecorruptedDenoiser(UNet((2, 4)), max_steps=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        denoiser.fit(noisy)
    assert denoiser.std_ == pytest.approx(10 / 255, rel=0.1)


def test_a_level_in_other_units_is_refused():
    grey = np.rint(255 * NOISY.clip(0, 1)).astype(np.uint8)
    with pytest.raises(ValueError, match=r"std=25 is more than the range of X, \[0, 1\]"):
        small(std=25).fit(grey)


# The contract


def test_targets_are_ignored():
    with_targets = small().fit(NOISY, CLEAN)
    np.testing.assert_array_equal(with_targets.predict(NOISY), small().fit(NOISY).predict(NOISY))


def test_files_keep_the_level(tmp_path):
    denoiser = small().fit(NOISY)
    denoiser.save(tmp_path / "denoiser")
    loaded = load(tmp_path / "denoiser")
    assert loaded.std_ == denoiser.std_
    np.testing.assert_array_equal(loaded.predict(NOISY), denoiser.predict(NOISY))


def test_a_fit_that_fails_keeps_the_level():
    denoiser = small().fit(NOISY)
    before = denoiser.std_
    with pytest.raises(ValueError, match="diverged|NaN"):
        denoiser.set_params(std=0.1, lr=1e30).fit(NOISY)
    assert denoiser.std_ == before


@pytest.mark.parametrize(
    "params", [{"std": -0.1}, {"std": "guess"}, {"std": np.nan}, {"alpha": 0}, {"alpha": np.inf}]
)
def test_bad_parameters_are_refused(params):
    with pytest.raises(ValueError, match=f"'{next(iter(params))}' parameter"):
        clone(small()).set_params(**params).fit(NOISY)
