"""Training on crops, prediction by tiles, images of any sizes."""

import re
import warnings
from contextlib import suppress
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from skorch.callbacks import Callback

from skdae import (
    DenoisingAutoencoder,
    Downsample,
    GaussianNoise,
    MedianFilter,
    Occlusion,
    PretrainedDenoiser,
    SpeckleNoise,
)
from skdae._training.crops import PatchDataset, PixelStore, _poses, pixel_stores
from skdae._training.tasks import CleanTargets
from skdae._training.tiles import in_tiles, tiles
from skdae.architectures import Conv, Dense, DnCNN, UNet

NET = UNet(filters=(4, 8))


small = partial(
    DenoisingAutoencoder,
    architecture=NET,
    noise=GaussianNoise(0.1),
    max_epochs=1,
    batch_size=8,
    random_state=0,
)


def photographs(*shapes, dtype=np.float32):
    rng = np.random.default_rng(0)
    images = [rng.random(shape, dtype=np.float32) for shape in shapes]
    return [(255 * x).astype(np.uint8) for x in images] if dtype == np.uint8 else images


RAGGED = photographs((24, 31), (40, 20), (33, 33))


# Crops


def numbered(*sizes):
    """Images whose pixels tell their image, row and column."""
    images = []
    for i, (height, width) in enumerate(sizes):
        rows, columns = np.indices((height, width))
        images.append(np.stack([np.full_like(rows, i), rows, columns], axis=2).astype(np.float32))
    return images


def crops(images, patch_shape, targets=None, seed=0):
    stores = pixel_stores(images, images if targets is None else targets, torch.device("cpu"))
    return PatchDataset(
        *stores,
        lambda images: images.movedim(-1, 1),
        CleanTargets(None, noise=None),
        torch.device("cpu"),
        patch_shape=patch_shape,
        indices=torch.arange(len(images)),
        seed=seed,
    )


def test_crops_are_squares_of_one_image_in_all_eight_poses():
    data = crops(numbered((9, 12), (20, 7)), (5, 5))
    poses = set()
    for _ in range(40):
        for rows in data.shuffled(batch_size=8):
            for patch in data.batch(rows)[1]:
                image, row, column = patch
                assert image.unique().numel() == 1
                assert row.max() - row.min() == column.max() - column.min() == 4
                down, right = patch[1:, 1, 0] - patch[1:, 0, 0], patch[1:, 0, 1] - patch[1:, 0, 0]
                assert abs(down).sum() == abs(right).sum() == 1
                poses.add((*down.tolist(), *right.tolist()))
    assert len(poses) == 8


def test_crops_reach_every_pixel_alike():
    data = crops(numbered((6, 6), (12, 24)), (4, 4))
    seen = torch.cat([data.batch(r)[1] for _ in range(300) for r in data.shuffled(100)])
    images = seen[:, 0, 0, 0]
    # The second image holds eight ninths of the pixels.
    assert abs((images == 1).float().mean() - 8 / 9) < 0.02
    for i, (height, width) in enumerate([(6, 6), (12, 24)]):
        corners = seen[images == i].amin((2, 3))
        assert corners[:, 1].unique().numel() == height - 3
        assert corners[:, 2].unique().numel() == width - 3


def test_epoch_shows_as_many_pixels_as_the_images_hold():
    assert len(crops(np.zeros((10, 30, 40, 1), np.uint8), (10, 10))) == 120
    assert len(crops(np.zeros((1, 10, 10, 1), np.uint8), (9, 9))) == 1


@pytest.mark.parametrize("shape", [(30,), (9, 12), (5, 6, 7)])
def test_crops_of_any_number_of_axes_are_parts_of_images(shape):
    places = np.indices(shape).reshape(len(shape), -1).T.reshape(*shape, len(shape))
    images = places[None].astype(np.float32)
    data = crops(images, (3,) * len(shape))
    for patch in data.batch(data.rows)[1].movedim(1, -1):
        # Places that are neighbours in a crop are neighbours in the image.
        for axis in range(len(shape)):
            steps = patch.diff(dim=axis).abs()
            assert steps.sum(-1).unique().tolist() == [1.0]


def test_crops_of_signals_are_read_both_ways():
    assert len(_poses((5,))) == 2
    assert len(_poses((5, 5))) == 8
    assert len(_poses((4, 5, 5))) == 16


def test_validation_crops_stay_the_same():
    data = crops(numbered((9, 12), (20, 7)), (5, 5))
    first = torch.cat([data.batch(rows)[1] for rows in data.split(8)])
    list(data.shuffled(8))
    torch.testing.assert_close(data.y, first)
    torch.testing.assert_close(data[3][1], first[3])


def test_store_keeps_uint8_and_shares_the_memory_of_a_batch():
    X = np.arange(2 * 6 * 7, dtype=np.uint8).reshape(2, 6, 7, 1)
    store, same = pixel_stores(X, X, torch.device("cpu"))
    assert store is same
    assert isinstance(store, PixelStore)
    assert store.pixels.dtype == torch.uint8
    assert np.shares_memory(store.pixels.numpy(), X)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_images_of_different_sizes_train_and_predict(dtype):
    X = photographs((24, 31), (40, 20), (33, 33), dtype=dtype)
    before = [image.copy() for image in X]
    dae = small(patch_size=16, max_epochs=2, validation_fraction=0.4).fit(X)
    assert dae.image_shape_ == (16, 16)
    assert "valid_loss" in dae.history_[0]
    denoised = dae.predict(X)
    assert [image.shape for image in denoised] == [image.shape for image in X]
    np.testing.assert_array_equal(denoised[1], dae.predict(X[1][None])[0])
    assert dae.score(X) < 0
    assert dae.score(X, X) == pytest.approx(
        np.mean([dae.score(image[None], image[None]) for image in X])
    )
    for image, original in zip(X, before, strict=True):
        np.testing.assert_array_equal(image, original)


def test_pairs_of_different_sizes_train():
    noisy = [image + np.float32(0.1) for image in RAGGED]
    dae = small(noise=None, patch_size=16).fit(noisy, RAGGED)
    assert dae.predict(RAGGED)[1].shape == (40, 20)


def test_labels_beside_a_list_of_images_are_ignored():
    a = small(patch_size=16).fit(RAGGED, [0, 1, 2]).predict(RAGGED[0][None])
    b = small(patch_size=16).fit(RAGGED).predict(RAGGED[0][None])
    np.testing.assert_array_equal(a, b)


def test_super_resolution_learns_from_crops():
    dae = small(noise=Downsample(factor=2), patch_size=16).fit(RAGGED)
    assert dae.predict(np.zeros((1, 9, 11))).shape == (1, 9, 11)


def test_one_image_is_enough_for_crops():
    dae = small(patch_size=8, validation_fraction=None).fit(RAGGED[2][None])
    assert dae.n_features_in_ == 33 * 33
    assert dae.predict(RAGGED[2][None]).shape == (1, 33, 33)


def test_flat_rows_and_signals_train_on_crops():
    X = np.random.default_rng(0).random((6, 400), dtype=np.float32)
    images = small(patch_size=8, image_shape=(20, 20)).fit(X)
    assert images.predict(X).shape == (6, 400)
    assert images.score(X) < 0
    signals = small(patch_size=50, image_shape=(400,)).fit(X)
    assert signals.predict(X).shape == (6, 400)


def test_same_seed_gives_the_same_bits_on_crops():
    a, b = (small(patch_size=16).fit(RAGGED) for _ in range(2))
    np.testing.assert_array_equal(a.predict(RAGGED)[0], b.predict(RAGGED)[0])


def test_crops_go_on_with_images_of_other_sizes():
    dae = small(patch_size=16).fit(RAGGED)
    dae.partial_fit(np.stack([RAGGED[0]] * 3))
    assert len(dae.history_) == 2
    warm = small(patch_size=16, warm_start=True).fit(RAGGED)
    assert len(warm.fit(RAGGED[:2]).history_) == 2


def test_crops_see_noise_as_large_as_they_are():
    dae = small(patch_size=16, noise=Occlusion(size=4, orientation="rectangle")).fit(RAGGED)
    assert dae.n_iter_ == 1


@pytest.mark.parametrize(
    ("X", "params", "message"),
    [
        (RAGGED, {"patch_size": None}, "images of different sizes; pass patch_size="),
        (RAGGED, {"architecture": Dense()}, "patch_size=20 needs a network"),
        (RAGGED[2][None], {}, "Found array with 1 sample"),
        (RAGGED, {"patch_size": 21}, "patch_size=21 is larger than the smallest image.* 20 pixels"),
        (np.zeros((3, 8, 9)), {"patch_size": 9}, "whose shorter side has 8"),
        ([*RAGGED, np.zeros((20, 20, 3))], {"patch_size": 8}, "mixes images of different kinds"),
        (
            [np.zeros((20, 20, 3)), np.zeros((22, 20, 4))],
            {"patch_size": 8},
            r"mixes images .*\(20, 20, 3\), \(22, 20, 4\)",
        ),
        ([*RAGGED[:2], np.full((20, 21), np.nan)], {"patch_size": 8}, r"Input X\[2\] contains NaN"),
        (
            np.zeros((3, 8, 8)),
            {"architecture": Dense(), "patch_size": 4},
            "patch_size=4 needs a network",
        ),
        (
            np.zeros((3, 8, 8)),
            {"architecture": Dense(), "tile_size": 4},
            "tile_size=4 needs a net",
        ),
        (np.zeros((3, 8, 8)), {"tile_size": 16}, "overlap of the tiles.* tile_size=.* or more"),
        (
            np.zeros((3, 8, 8)),
            {"architecture": Conv((4,)), "latent_dim": 2, "tile_size": 99},
            "needs",
        ),
    ],
    ids=range(12),
)
def test_sizes_that_do_not_fit_are_refused(X, params, message):
    with pytest.raises(ValueError, match=message):
        small(**params).fit(X)


@pytest.mark.parametrize("name", ["tile_size", "patch_size"])
def test_sizes_set_on_a_net_of_one_size_are_refused_in_predict(name):
    X = np.zeros((3, 8, 8))
    dae = small(architecture=Dense(hidden=(4,))).fit(X).set_params(**{name: 4})
    for method in (dae.predict, dae.score):
        with pytest.raises(ValueError, match=f"{name}=4 needs a network that takes images"):
            method(X)


def test_targets_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"y\[1\] has shape \(40, 21\)"):
        small(noise=None, patch_size=8).fit(
            RAGGED, [RAGGED[0], np.zeros((40, 21), np.float32), RAGGED[2]]
        )
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        small(noise=None, patch_size=8).fit(RAGGED, RAGGED[:2])


# Tiles


@given(
    length=st.integers(1, 300),
    radius=st.integers(0, 20),
    stride=st.sampled_from([1, 2, 4]),
    more=st.integers(0, 40),
)
def test_tiles_cover_an_axis_once_with_room_around(length, radius, stride, more):
    margin = -(-radius // stride) * stride
    tile = 2 * margin + stride + more
    covered = []
    for start, stop, first, last in tiles(length, tile, stride, radius):
        assert 0 <= start <= first < last <= stop <= length
        assert stop - start <= tile
        assert start % stride == 0
        assert start == 0 or first - start >= radius
        assert stop == length or stop - last >= radius
        covered.extend(range(first, last))
    assert covered == list(range(length))


@given(
    length=st.integers(1, 300),
    radius=st.integers(0, 20),
    stride=st.sampled_from([1, 2, 4]),
    tile=st.integers(-3, 100),
)
def test_tiles_that_leave_a_pixel_out_are_refused(length, radius, stride, tile):
    # The least side, found by trying: a stride of output between two margins.
    margin = next(n for n in range(99) if n >= radius and n % stride == 0)
    if tile >= min(length, 2 * margin + stride):
        covered = [
            i for *_, first, last in tiles(length, tile, stride, radius) for i in range(first, last)
        ]
        assert covered == list(range(length))
    else:
        with pytest.raises(ValueError, match=f"tile_size={tile} .*{2 * margin + stride} or more"):
            tiles(length, tile, stride, radius)


@pytest.mark.parametrize("reach", [40, 41, 48, 500])
def test_pictures_in_tiles_are_whole_or_refused(reach):
    X = np.random.default_rng(0).random((2, 300, 50, 1), dtype=np.float32)

    def run():
        return in_tiles(lambda image: image, X, 1, 88, 8, reach)

    if reach == 40:
        np.testing.assert_array_equal(run(), X)
    else:
        with pytest.raises(ValueError, match="tile_size=88 is no larger than the overlap"):
            run()


class TileTooSmall(Exception):
    """An error that says which tile is large enough."""


def refusing(function):
    """Tell that error from all others."""

    def call(X):
        try:
            return function(X)
        except ValueError as error:
            kind = TileTooSmall if re.search(r"pass tile_size=\d+ or more", str(error)) else error
            raise kind from error

    return call


def test_tiles_of_a_noise_that_is_seen_further_are_whole_or_refused():
    X = np.random.default_rng(0).random((1, 112, 40), dtype=np.float32)
    pretrained = PretrainedDenoiser(noise=SpeckleNoise(0.1), precision="float32", tile_size=None)
    whole = pretrained.fit(X).predict(X)
    for tile_size in (88, 99, 104, 111):
        pretrained.set_params(tile_size=tile_size)
        with suppress(TileTooSmall):
            np.testing.assert_allclose(refusing(pretrained.predict)(X), whole, atol=1e-4)


def test_memory_that_torch_does_not_write_is_not_given_back(trained):
    X = np.random.default_rng(0).random((3, 70, 90), dtype=np.float32)
    before = torch.are_deterministic_algorithms_enabled()
    whole = trained.set_params(tile_size=None).predict(X)
    # It fills what is allocated with NaN.
    torch.use_deterministic_algorithms(True)
    try:
        np.testing.assert_array_equal(trained.predict(X), whole)
        tiled = trained.set_params(tile_size=60).predict(X)
    finally:
        torch.use_deterministic_algorithms(before)
    np.testing.assert_allclose(tiled, whole, atol=1e-4)


class Strided(MedianFilter):
    """Says that blocks begin at multiples of a stride."""

    receptive_field_ = (512, 0)


def test_blocks_of_any_stride_cover_the_images():
    X = np.random.default_rng(0).random((1, 1300, 20), dtype=np.float32)
    median = Strided(1).fit(X)
    target = median.predict_to(X, np.full_like(X, np.nan))
    np.testing.assert_array_equal(target, median.predict(X))


@pytest.fixture(scope="module", params=["unet", "unet stride", "conv", "conv stride", "dncnn"])
def trained(request):
    architecture = {
        "unet": UNet(filters=(4, 8)),
        "unet stride": UNet(filters=(4, 8), stride=2),
        "conv": Conv(filters=(4, 8)),
        "conv stride": Conv(filters=(4, 8), downsample="stride", kernel_size=5),
        "dncnn": DnCNN(depth=4, filters=4),
    }[request.param]
    noise = GaussianNoise(0.1)
    X = np.stack([RAGGED[2][:32, :32]] * 4)
    dae = small(architecture=architecture, noise=noise, precision="float32", lr=1e-2)
    return dae.set_params(max_epochs=3).fit(X)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    height=st.integers(1, 130),
    width=st.integers(1, 130),
    more=st.integers(0, 30),
    seed=st.integers(0, 99),
)
def test_tiles_give_the_untiled_result(trained, height, width, more, seed):
    X = np.random.default_rng(seed).random((2, height, width), dtype=np.float32)
    whole = trained.set_params(tile_size=None).predict(X)
    stride, radius = trained.architecture.receptive_field()
    tile = 2 * (-(-radius // stride) * stride) + stride + more
    tiled = trained.set_params(tile_size=tile).predict(X)
    assert tiled.dtype == np.float32
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-4)


def test_tiles_serve_colour_rows_and_signals():
    rng = np.random.default_rng(0)
    for shape, image_shape in [((2, 60, 50, 3), None), ((2, 3000), (60, 50)), ((2, 3000), (3000,))]:
        X = rng.random(shape, dtype=np.float32)
        dae = small(image_shape=image_shape, precision="float32").fit(X)
        whole = dae.predict(X)
        np.testing.assert_allclose(dae.set_params(tile_size=40).predict(X), whole, atol=1e-4)


@pytest.mark.parametrize("tile_size", [None, 120])
def test_tile_is_halved_while_memory_runs_out(tile_size, monkeypatch):
    X = photographs((1, 128, 128))[0]
    dae = small(precision="float32").fit(X.repeat(2, axis=0))
    whole = dae.predict(X)
    run = dae.net_.map_batches
    sides = []

    def scarce(function, images, layout, compiled):
        sides.append(max(images.shape[1:3]))
        if sides[-1] > 64:
            raise torch.OutOfMemoryError("no room for it")
        return run(function, images, layout)

    monkeypatch.setattr(dae.net_, "map_batches", scarce)
    with pytest.warns(UserWarning, match="going on with tile_size="):
        tiled = dae.set_params(tile_size=tile_size).predict(X)
    np.testing.assert_allclose(tiled, whole, atol=1e-4)
    assert max(sides) > 64 >= sides[-1]


def test_memory_that_holds_no_tile_is_an_error(monkeypatch):
    X = photographs((1, 128, 128))[0]
    dae = small().fit(X.repeat(2, axis=0))

    def never(function, images, layout, compiled):
        raise torch.OutOfMemoryError("no room for it")

    monkeypatch.setattr(dae.net_, "map_batches", never)
    with (
        pytest.warns(UserWarning, match="going on with tile_size="),
        pytest.raises(torch.OutOfMemoryError, match="no room"),
    ):
        dae.predict(X)


# Any size


@pytest.mark.parametrize("architecture", [UNet((4, 8, 8)), DnCNN(3, 4), Conv((4, 8))], ids=repr)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3), (3, 2)], ids=str)
def test_images_smaller_than_the_stride_are_padded(architecture, shape):
    X = np.random.default_rng(0).random((3, *shape), dtype=np.float32)
    own = small(architecture=architecture).fit(X).predict(X)
    other = small(architecture=architecture).fit(np.stack([RAGGED[2]] * 2)).predict(X)
    for denoised in (own, other):
        assert denoised.shape == X.shape
        assert np.isfinite(denoised).all()


def test_clone_and_repr_know_the_sizes():
    dae = clone(small(patch_size=16, tile_size=64))
    assert "patch_size=16" in repr(dae)
    assert "tile_size=64" in repr(dae)


def test_learning_from_crops_removes_noise():
    rows, columns = np.indices((96, 96)) / 12
    X = np.stack([(np.sin(rows + k) * np.cos(columns * k) + 1) / 2 for k in (0.5, 1.0, 1.5)])
    noise = GaussianNoise(0.2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dae = small(noise=noise, patch_size=24, max_epochs=30, lr=5e-3).fit(X.astype(np.float32))
    noisy = noise.fit_transform(X)
    assert -dae.score(noisy, X) < 0.35 * np.mean((noisy - X) ** 2)


# Defaults, and a budget

X_LARGE = np.random.default_rng(0).random((2, 100, 120))


@pytest.mark.parametrize(
    ("images", "architecture", "n_crops"),
    [
        (X_LARGE, UNet((2,)), 80),
        (X_LARGE[:1], UNet((2,)), 80),
        (X_LARGE[:, :96], UNet((2,)), None),
        (X_LARGE, Conv((2,)), 80),
        (X_LARGE, Dense((2,)), None),
        ([X_LARGE[0], X_LARGE[1, :, :70]], UNet((2,)), 80),
    ],
    ids=["large", "one", "small", "conv", "rows", "list"],
)
def test_large_images_are_learnt_by_crops(images, architecture, n_crops):
    seen = []

    class Look(Callback):
        def on_train_begin(self, net, X=None, y=None, **kwargs):
            seen.append((len(X), X[0][0].shape))

    params = {"batch_size": 8, "validation_fraction": None, "callbacks": [Look()]}
    small(architecture=architecture, max_epochs=1, **params).fit(images)
    [(n, shape)] = seen
    assert n == (n_crops or len(images))
    assert (shape == (1, 64, 64)) == (n_crops is not None)


@pytest.mark.parametrize(("max_steps", "epochs", "last"), [(7, 3, 1), (6, 2, 3), (2, 1, 2)])
def test_a_budget_in_steps(max_steps, epochs, last):
    X = np.random.default_rng(0).random((24, 8, 8))
    steps = []

    class Count(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            steps.append(net.history[-1]["epoch"])

    dae = small(
        architecture=Dense((4,)),
        max_steps=max_steps,
        batch_size=8,
        validation_fraction=None,
        callbacks=[Count()],
    ).fit(X)
    assert len(steps) == max_steps
    assert dae.n_iter_ == epochs
    assert steps.count(epochs) == last
    # The schedule ends where the budget does.
    assert dae.net_.optimizer_.param_groups[0]["lr"] == pytest.approx(0, abs=1e-12)


def test_a_budget_of_whole_epochs_is_these_epochs():
    X = np.random.default_rng(0).random((24, 8, 8))
    params = {"architecture": Dense((4,)), "batch_size": 8, "validation_fraction": None}
    by_steps = small(max_steps=6, **params).fit(X)
    by_epochs = small(max_epochs=2, **params).fit(X)
    np.testing.assert_array_equal(by_steps.predict(X), by_epochs.predict(X))
