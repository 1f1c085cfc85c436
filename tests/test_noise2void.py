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
    SelfEnsembleDenoiser,
    StripeNoise,
    StructuredNoise,
    load,
    mse_scorer,
)
from skdae._random import TorchGenerator
from skdae._training.batches import neighbours
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
    hidden, targets = BlindSpots(fraction, radius)(X, rng(seed))
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
    hidden, targets = BlindSpots(1 / 49, 1)(X, rng())
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
    hidden, targets = BlindSpots(1e-3, radius, window)(X, rng(seed))
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
    hidden, targets = BlindSpots(0.5, 2, (1, 9))(X, rng())
    asked = ~targets.isnan()
    # The share that is asked for is that of all hidden pixels.
    assert asked.sum() == 4 * 8
    assert 0.25 < (hidden != X).float().mean() <= 0.5
    assert (hidden[asked] != X[asked]).all()


def test_a_signal_is_hidden_behind_itself_further_on():
    X = torch.arange(60.0).reshape(1, 1, 60, 1)
    hidden, targets = BlindSpots(1e-3, 2, (1, 5))(X, rng())
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


@pytest.fixture(scope="module")
def stack():
    z, y, x = np.indices((40, 16, 16)) / 6
    clean = (np.sin(z / 2 + y) * np.cos(x + np.sin(z)) + 1) / 2
    return clean.astype(np.float32)


def test_neighbours_are_mirrored_at_the_ends_of_a_stack():
    expected = [[0, 1, 1, 2, 2], [1, 0, 2, 1, 3], [2, 1, 3, 0, 2], [3, 2, 2, 1, 1]]
    assert neighbours(torch.arange(4), 4, 2).tolist() == expected
    assert neighbours(torch.arange(5), 5, 0).tolist() == [[0], [1], [2], [3], [4]]


@pytest.mark.parametrize("n_channels", [1, 2])
def test_pixels_of_the_centre_alone_are_hidden(n_channels):
    X = torch.rand(2, 8, 8, 3 * n_channels, generator=torch.Generator().manual_seed(0))
    hidden, targets = BlindSpots(0.2, 2, (1, 3), context=1)(X, rng())
    assert targets.shape == (2, 8, 8, n_channels)
    asked = ~targets.isnan()
    torch.testing.assert_close(targets[asked], X[..., :n_channels][asked])
    assert (hidden[..., :n_channels][asked] != X[..., :n_channels][asked]).all()
    torch.testing.assert_close(hidden[..., n_channels:], X[..., n_channels:])


def test_neighbouring_slices_help(stack):
    X_noisy = GaussianNoise(0.3, clip=None, random_state=0).fit_transform(stack)
    params = {"max_epochs": 30, "batch_size": 8, "lr": 5e-3, "masked_fraction": 0.05}
    alone, together = (
        -small(context=context, **params).fit(X_noisy).score(X_noisy, stack) for context in (0, 1)
    )
    assert together < 0.9 * alone


ARCHITECTURES = [UNet((4, 8)), UNet((4, 8), residual=False), DnCNN(3, 4), Conv((4,)), Dense((8,))]


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=repr)
@pytest.mark.parametrize("shape", [(6, 12, 12), (6, 12, 12, 2), (6, 144)])
def test_stacks_go_out_as_they_came(architecture, shape, tmp_path):
    X = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    denoiser = small(architecture=architecture, context=2, max_epochs=1).fit(X)
    X_denoised = denoiser.predict(X)
    assert X_denoised.shape == shape
    assert denoiser.n_features_in_ == X[0].size
    # Each slice depends on the two on both of its sides, and on no other.
    other = X.copy()
    other[0] *= -1
    changed = (denoiser.predict(other) != X_denoised).reshape(6, -1).any(1)
    assert changed.tolist() == [True, True, True, False, False, False]
    denoiser.save(tmp_path / "denoiser")
    np.testing.assert_array_equal(load(tmp_path / "denoiser").predict(X), X_denoised)


def test_residual_nets_correct_the_slice_itself():
    X = np.random.default_rng(0).random((6, 12, 12, 2), dtype=np.float32)
    denoiser = small(architecture=UNet((4, 8)), context=1, max_epochs=1, lr=1e-9).fit(X)
    assert np.abs(denoiser.predict(X) - X).max() < 0.1


def test_stacks_by_crops_and_tiles_in_any_units(stack):
    X = (1000 + 400 * np.repeat(stack, 8, 1)[:6]).astype(np.uint16)
    X = np.repeat(X, 8, 2)
    denoiser = small(architecture=UNet((4, 8), residual=False), context=1, max_steps=20).fit(X)
    whole = denoiser.predict(X)
    assert whole.shape == X.shape == (6, 128, 128)
    assert np.abs(whole.mean() - X.mean()) < 200
    tiled = denoiser.set_params(tile_size=64).predict(X)
    np.testing.assert_allclose(tiled, whole, rtol=1e-4)


def test_large_stacks_are_predicted_and_scored_as_wholes():
    X = np.random.default_rng(0).random((40, 256, 256), dtype=np.float32)
    denoiser = small(architecture=UNet((2, 2)), context=1, max_steps=1, tile_size=None).fit(X)
    X_denoised = denoiser.predict(X)
    start, end = denoiser.predict(X[:20]), denoiser.predict(X[18:])
    np.testing.assert_allclose(X_denoised, np.concatenate([start[:19], end[1:]]), atol=1e-5)
    error = np.square(X_denoised - X).mean(dtype=np.float64)
    assert -denoiser.score(X, X) == pytest.approx(error)
    assert -mse_scorer(denoiser, X, X) == pytest.approx(error)


def test_wrappers_pass_whole_stacks(stack):
    X = np.tile(stack[:33].reshape(33, 1, 256), 256)
    denoiser = small(architecture=UNet((2, 2)), context=1, max_steps=1).fit(X)
    ensemble = SelfEnsembleDenoiser(denoiser).fit(X)
    error = np.square(ensemble.predict(X) - X).mean(dtype=np.float64)
    assert -ensemble.score(X, X) == pytest.approx(error)


def test_stacks_go_on_where_they_stopped(stack, tmp_path):
    params = {"context": 1, "max_epochs": 2, "architecture": UNet((2, 4))}
    whole = small(**params).fit(stack)
    path = tmp_path / "checkpoint"
    small(**params, checkpoint=path).fit(stack)
    np.testing.assert_array_equal(
        small(**params, checkpoint=path).fit(stack).predict(stack), whole.predict(stack)
    )
    warm = small(**params, warm_start=True).fit(stack).fit(stack)
    assert len(warm.history_) == 4
    assert len(warm.partial_fit(stack[:9]).history_) == 5
    with pytest.raises(ValueError, match="goes on training was built for"):
        warm.set_params(context=2).fit(stack)


@pytest.mark.parametrize("context", [-1, 0.5, "1", None])
def test_context_out_of_range_is_refused(context, stack):
    with pytest.raises(ValueError, match="context"):
        small(context=context).fit(stack)


def test_what_is_not_a_stack_is_refused(stack):
    with pytest.raises(ValueError, match="context=2 takes X for a stack of at least 3 .* has 2;"):
        small(context=2).fit(stack[:2])
    with pytest.raises(ValueError, match="context=1 takes X for .* has several sizes;"):
        small(context=1, patch_size=8).fit([stack[0], stack[1, :9]])
    denoiser = small(context=1, max_epochs=1, architecture=UNet((2, 4))).fit(stack)
    with pytest.raises(ValueError, match="at least 2 slices .* has 1;"):
        denoiser.predict(stack[:1])
