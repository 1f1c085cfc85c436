"""A net that learns from noisy images alone."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from skdae import (
    GaussianNoise,
    Noise2VoidDenoiser,
    RecorruptedDenoiser,
    StripeNoise,
    StructuredNoise,
)
from skdae._random import TorchGenerator
from skdae.architectures import Conv, Dense, DnCNN, UNet
from skdae.datasets import load_digits_images
from skdae.denoisers.noise2void import BlindSpots, MaskedLoss


def rng(seed=0):
    return TorchGenerator(torch.Generator().manual_seed(seed))


@settings(max_examples=100, deadline=None)
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    n_channels=st.integers(1, 3),
    fraction=st.floats(0.01, 0.5),
    radius=st.integers(1, 6),
    seed=st.integers(0, 999),
)
def test_hidden_pixels_take_the_value_of_another_nearby(
    height, width, n_channels, fraction, radius, seed
):
    if height * width == 1:
        return
    # Values that tell the place.
    X = torch.arange(height * width * n_channels).reshape(1, height, width, n_channels).float()
    X = X.repeat(2, 1, 1, 1)
    hidden, targets = BlindSpots(fraction, radius).pairs(X, X, rng(seed))
    asked = ~targets.isnan()
    torch.testing.assert_close(targets[asked], X[asked])
    torch.testing.assert_close(hidden[~asked], X[~asked])
    # All channels of a pixel are hidden together, behind one pixel.
    assert (asked.any(3) == asked.all(3)).all()
    n_hidden = asked.all(3).sum((1, 2))
    assert (n_hidden == max(1, round(fraction * height * width))).all()
    places = (hidden[..., 0] / n_channels).long()
    rows, columns = places // width, places % width
    away = torch.maximum(
        (rows - torch.arange(height)[:, None]).abs(), (columns - torch.arange(width)).abs()
    )[asked.all(3)]
    assert (away >= 1).all()
    assert (away <= radius).all()


def test_every_neighbour_is_chosen_alike_and_never_the_pixel_itself():
    X = torch.arange(49.0).reshape(1, 7, 7, 1).repeat(20_000, 1, 1, 1)
    hidden, targets = BlindSpots(1 / 49, 1).pairs(X, X, rng())
    at_centre = ~targets[:, 3, 3, 0].isnan()
    values, counts = hidden[at_centre, 3, 3, 0].unique(return_counts=True)
    assert values.tolist() == [16, 17, 18, 23, 25, 30, 31, 32]
    assert counts.min() > 0.6 * counts.max()


def test_loss_asks_for_the_hidden_pixels_alone():
    target = torch.tensor([[1.0, torch.nan, 3.0]])
    output = torch.tensor([[2.0, 100.0, 3.0]], requires_grad=True)
    loss = MaskedLoss()(output, target)
    loss.backward()
    assert loss.item() == 0.5
    assert output.grad.tolist() == [[1.0, 0.0, 0.0]]


@pytest.fixture(scope="module")
def smooth():
    rows, columns = np.indices((400, 24, 24))[1:] / 6
    phase = np.random.default_rng(0).uniform(0, 6, (2, 400, 1, 1))
    X = (np.sin(rows + phase[0]) * np.cos(columns + phase[1]) + 1) / 2
    return X.astype(np.float32)


small = partial(
    Noise2VoidDenoiser,
    architecture=UNet((8, 16), residual=False),
    batch_size=32,
    max_epochs=2,
    random_state=0,
)


def test_noisy_images_alone_teach_to_denoise(smooth):
    X_noisy = GaussianNoise(0.2, clip=None, random_state=0).fit_transform(smooth)
    denoiser = small(max_epochs=20, lr=5e-3, masked_fraction=0.05).fit(X_noisy[:320])
    error = -denoiser.score(X_noisy[320:], smooth[320:])
    assert error < 0.25 * 0.2**2
    # What cannot be predicted stays: the loss ends near the variance of the noise.
    loss = denoiser.history_[-1]["valid_loss"] * denoiser.scaling_[1] ** 2
    assert loss == pytest.approx(0.2**2, rel=0.3)


def test_noise_with_a_pattern_stays(smooth):
    X_noisy = StripeNoise(0.2, clip=None, random_state=0).fit_transform(smooth)
    denoiser = small(max_epochs=10, lr=5e-3, masked_fraction=0.05).fit(X_noisy[:320])
    assert -denoiser.score(X_noisy[320:], smooth[320:]) > 0.5 * 0.2**2


@pytest.mark.parametrize(
    "architecture", [None, "dense", "dncnn", Conv((4,)), Dense((8,))], ids=repr
)
def test_any_architecture_serves(architecture):
    X = load_digits_images().images[:60]
    denoiser = small(architecture=architecture, max_epochs=1).fit(X)
    assert denoiser.predict(X).shape == X.shape
    assert np.isfinite(denoiser.predict(X)).all()


def test_shapes_go_out_as_they_came():
    rng = np.random.default_rng(0)
    for shape, params in [
        ((6, 12, 10, 3), {}),
        ((6, 120), {"image_shape": (12, 10)}),
        ((6, 50), {"image_shape": (50,)}),
    ]:
        X = rng.random(shape, dtype=np.float32)
        assert small(**params).fit(X).predict(X).shape == shape


def test_crops_of_images_of_different_sizes():
    rng = np.random.default_rng(0)
    X = [rng.random(shape, dtype=np.float32) for shape in [(20, 24), (31, 18)]]
    denoiser = small(patch_size=16, validation_fraction=None).fit(X)
    assert [image.shape for image in denoiser.predict(X)] == [(20, 24), (31, 18)]


ROWS, COLUMNS = np.indices((64, 64)) / 10
SCENE = (1 + np.sin(ROWS) * np.cos(COLUMNS))[None] / 2


@pytest.mark.parametrize(
    "denoiser",
    [Noise2VoidDenoiser(UNet((8, 16), residual=False)), RecorruptedDenoiser(UNet((8, 16)))],
    ids=lambda denoiser: type(denoiser).__name__,
)
def test_one_small_image_is_enough(denoiser):
    noisy = GaussianNoise(0.2, clip=None, random_state=0).fit_transform(SCENE)
    denoiser.set_params(max_epochs=10, batch_size=8, lr=3e-3, random_state=0).fit(noisy)
    # What a mean of 3 x 3 pixels leaves of white noise.
    assert -denoiser.score(noisy, SCENE) < 0.2**2 / 9
    np.testing.assert_array_equal(
        clone(denoiser).fit([noisy[0]]).predict(noisy), denoiser.predict(noisy)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape",
    [(64, 64), (96, 96), (97, 97), (16, 200), (8, 8), (1, 50), (30, 1), (2, 3), (20, 30, 3), (99,)],
    ids=str,
)
@pytest.mark.parametrize("architecture", [UNet((2, 4), residual=False), DnCNN(3, 2)], ids=repr)
def test_one_image_of_any_size_is_enough(architecture, shape):
    X = np.random.default_rng(0).random((1, *shape))
    params = {"architecture": architecture, "max_epochs": 1, "batch_size": 64, "random_state": 0}
    if len(shape) == 1:
        params["image_shape"] = shape
    for kind in (Noise2VoidDenoiser, RecorruptedDenoiser):
        denoiser = kind(**params).fit(X)
        assert denoiser.predict(X).shape == X.shape
        assert denoiser.n_features_in_ == X.size
        assert (
            kind(**params).set_params(max_epochs=2).fit(X, validation_data=(X, None)).n_iter_ == 2
        )


def test_targets_are_ignored():
    X = load_digits_images().images[:40]
    np.testing.assert_array_equal(small().fit(X).predict(X), small().fit(X, 1 - X).predict(X))


@pytest.mark.parametrize("masked_fraction", [0, -0.1, 0.6, np.nan, "some"])
def test_masking_fraction_out_of_range_is_refused(masked_fraction):
    with pytest.raises(ValueError, match="masked_fraction"):
        small(masked_fraction=masked_fraction).fit(np.zeros((4, 8, 8)))


def test_bad_images_are_refused():
    with pytest.raises(ValueError, match="one pixel has no neighbo"):
        small().fit(np.zeros((4, 1, 1)))
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        small(architecture=Dense((4,))).fit(np.zeros((1, 8, 8)))
    with pytest.raises(ValueError, match="mask_radius"):
        small(mask_radius=0).fit(np.zeros((4, 8, 8)))


def test_partial_fit_learns_from_parts_of_noisy_images():
    X = np.random.default_rng(0).normal(0.5, 0.4, (240, 8, 8))
    denoiser = Noise2VoidDenoiser(UNet(filters=(4, 8)), lr=5e-3, batch_size=16, random_state=0)
    for _ in range(4):
        for part in np.array_split(X, 3):
            denoiser.partial_fit(part)
    losses = [row["train_loss"] for row in denoiser.history_]
    assert len(losses) == 12
    assert losses[-1] < 0.8 * losses[0]


# Windows of hidden pixels


@settings(max_examples=100, deadline=None)
@given(
    height=st.integers(8, 14),
    width=st.integers(8, 14),
    window=st.sampled_from([(1, 1), (1, 5), (3, 1), (3, 3), (1, 9), (9, 1)]),
    radius=st.integers(1, 3),
    seed=st.integers(0, 999),
)
def test_no_pixel_of_a_window_is_hidden_behind_another_of_it(height, width, window, radius, seed):
    X = torch.arange(height * width).reshape(1, height, width, 1).float()
    hidden, targets = BlindSpots(1e-3, radius, window).pairs(X, X, rng(seed))
    row, column = (index.item() for index in (~targets[0, ..., 0].isnan()).nonzero()[0])
    rows, columns = (
        slice(max(centre - side // 2, 0), centre + side // 2 + 1)
        for centre, side in zip((row, column), window, strict=True)
    )
    inside = torch.zeros(1, height, width, 1, dtype=torch.bool)
    inside[:, rows, columns] = True
    assert not torch.isin(hidden[inside], X[inside]).any()
    assert torch.isin(hidden[inside], X[~inside]).all()
    torch.testing.assert_close(hidden[~inside], X[~inside])


def test_windows_that_overlap_hide_each_other():
    X = torch.rand(4, 12, 12, 1, generator=torch.Generator().manual_seed(0))
    hidden, targets = BlindSpots(0.5, 2, (1, 9)).pairs(X, X, rng())
    asked = ~targets.isnan()
    # The share that is asked for is that of all hidden pixels.
    assert asked.sum() == 4 * 8
    assert 0.25 < (hidden != X).float().mean() <= 0.5
    assert (hidden[asked] != X[asked]).all()


def test_a_signal_is_hidden_behind_itself_further_on():
    X = torch.arange(60.0).reshape(1, 1, 60, 1)
    hidden, targets = BlindSpots(1e-3, 2, (1, 5)).pairs(X, X, rng())
    changed = hidden != X
    assert 3 <= changed.sum() <= 5
    steps = (hidden - X)[changed].abs()
    assert steps.min() >= 5
    assert steps.max() <= 6


@pytest.mark.parametrize("mask_shape", [3, (), (1, 4), (0, 1), (1, 3, 1, 1), ("1", 9), None])
def test_windows_have_odd_sides(mask_shape):
    with pytest.raises(ValueError, match="mask_shape"):
        small(mask_shape=mask_shape).fit(np.zeros((4, 8, 8)))


def test_windows_larger_than_the_image_are_refused():
    with pytest.raises(ValueError, match=r"mask_shape=\(9, 9\) hides too much of images of 8 by 8"):
        small(mask_shape=(9, 9)).fit(np.zeros((4, 8, 8)))


def test_windows_remove_noise_that_is_correlated_along_them(smooth):
    noise = StructuredNoise(0.2, kernel=np.ones((1, 3)), clip=None, random_state=0)
    X_noisy = noise.fit_transform(smooth)
    params = {"max_epochs": 8, "lr": 5e-3, "masked_fraction": 0.05}
    error, with_windows = (
        -small(mask_shape=shape, **params).fit(X_noisy).score(X_noisy, smooth)
        for shape in [(1, 1), (1, 5)]
    )
    assert with_windows < 0.5 * error


# Stacks


def test_slices_of_a_stack_help_each_other():
    z, y, x = np.indices((40, 16, 16)) / 6
    stack = ((np.sin(z / 2 + y) * np.cos(x + np.sin(z)) + 1) / 2).astype(np.float32)
    X_noisy = GaussianNoise(0.3, clip=None, random_state=0).fit_transform(stack)
    params = {"architecture": UNet((8, 16), residual=False), "max_steps": 100, "lr": 5e-3}
    alone = small(batch_size=8, **params).fit(X_noisy)
    together = small(batch_size=2, patch_size=16, channel_axis=None, **params).fit(X_noisy[None])
    errors = -alone.score(X_noisy, stack), -together.score(X_noisy[None], stack[None])
    assert errors[1] < 0.8 * errors[0]
