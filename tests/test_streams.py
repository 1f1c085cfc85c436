"""Training on what does not fit into memory, and validation data of one's own."""

import shutil
from collections.abc import Sequence

import numpy as np
import pytest
import sklearn
import torch
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skdae import (
    ConformalDenoiser,
    DenoisingAutoencoder,
    GaussianNoise,
    MedianFilter,
    Noise2VoidDenoiser,
    Pix2PixDenoiser,
    RecorruptedDenoiser,
    SelfEnsembleDenoiser,
)
from skdae._images import Geometry
from skdae._training.fit_data import datasets, gather
from skdae._training.streams import Stream, open_images
from skdae.architectures import Dense, UNet
from skdae.datasets import ImageFiles

RNG = np.random.default_rng(0)
X = RNG.random((400, 8, 8)).astype(np.float32)
OPTIONS = {"noise": GaussianNoise(0.1), "max_epochs": 2, "batch_size": 32, "random_state": 0}


class OnDisk:
    """An array with shape, dtype and slices, in chunks, that counts what is read."""

    def __init__(self, values, chunk=None):
        self.values, self.shape, self.dtype = values, values.shape, values.dtype
        self.chunks = None if chunk is None else (chunk, *values.shape[1:])
        self.most = 0

    def __getitem__(self, rows):
        part = self.values[rows]
        self.most = max(self.most, len(part))
        return part.copy()


class Files(Sequence):
    """Images that are read one by one."""

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i].copy()


@pytest.fixture
def little_memory():
    """Eight windows or so of the images above."""
    with sklearn.config_context(working_memory=0.05):
        yield


def dense(**options):
    return DenoisingAutoencoder(Dense((8,)), **{**OPTIONS, **options})


def unet(**options):
    return DenoisingAutoencoder(UNet((2, 4)), **{**OPTIONS, "max_epochs": 1, **options})


def streamed(images, **options):
    """Training data of a stream, without noise."""
    data = gather(*[open_images(images, None)[0].reshape(*images.shape, 1)] * 2, None)
    settings = {"to_net": lambda x, y: (x, y), "noise": None, "pretext": None, "context": 0}
    settings |= {"batch_size": 32, "geometry": Geometry((8, 8)), "device": torch.device("cpu")}
    return datasets(data, seeds=(1, 2), split_seed=3, **{"n_validation": 40, **settings, **options})


def test_what_fits_into_memory_is_read_into_it():
    fitted = dense().fit(OnDisk(X))
    np.testing.assert_array_equal(fitted.predict(X), dense().fit(X).predict(X))


def test_an_epoch_shows_each_image_once_and_mixes_all_blocks(little_memory):
    labels = np.arange(400, dtype=np.float32)
    source = OnDisk(np.broadcast_to(labels[:, None, None], X.shape).copy(), chunk=100)
    train, valid = streamed(source)
    assert isinstance(train.images.source.images, OnDisk)
    source.most = 0
    epochs = []
    for _ in range(2):
        batches = [train.batch(rows)[0] for rows in train.shuffled(32)]
        assert [len(batch) for batch in batches[:-1]] == [32] * (len(batches) - 1)
        assert len(batches) == len(train.split(32))
        epochs.append(np.concatenate([batch[:, 0, 0, 0] for batch in batches]))
    held_out = np.concatenate([valid.batch(rows)[0][:, 0, 0, 0] for rows in valid.split(32)])
    # One window's reads are much smaller than a chunk of sorted images.
    assert source.most <= 10
    for seen in epochs:
        np.testing.assert_array_equal(np.sort(np.append(seen, held_out)), labels)
    assert (epochs[0] != epochs[1]).any()
    # The first batches hold images from everywhere.
    assert np.ptp(epochs[0][:32] // 100) >= 2
    np.testing.assert_array_equal([*map(int, held_out)], valid.rows)


def test_batches_hold_what_their_rows_name_in_any_order(little_memory):
    train, _ = streamed(OnDisk(X))
    batches = train.split(16)
    for rows in [*batches, batches[-1], batches[0]]:
        np.testing.assert_array_equal(train.batch(rows)[0][..., 0], X[rows])
    walk = iter(train.shuffled(16))
    for rows in [next(walk), batches[3], next(walk)]:
        np.testing.assert_array_equal(train.batch(rows)[0][..., 0], X[rows])
    walk.close()


@pytest.mark.parametrize("make", [dense, unet], ids=["rows", "images"])
def test_the_order_depends_on_the_seed_alone(make, little_memory):
    first, again, other = (
        make(random_state=seed).fit(source)
        for seed, source in [(0, OnDisk(X)), (0, OnDisk(X.astype(np.float64))), (1, OnDisk(X))]
    )
    np.testing.assert_array_equal(first.predict(X), again.predict(X))
    assert (first.predict(X) != other.predict(X)).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int64, np.float64])
def test_a_stream_is_planned_as_the_array_in_memory_is(dtype, little_memory):
    images = (X * 3000 - 1000 if dtype != np.uint8 else 255 * X).astype(dtype)
    on_disk, in_memory = dense().fit(OnDisk(images)), dense().fit(images)
    assert on_disk.scaling_ == in_memory.scaling_
    assert on_disk._plan.target_range == in_memory._plan.target_range
    noisy = GaussianNoise(0.1, random_state=0).fit_transform(X).astype(np.float64)
    losses = [dae.history_[-1]["valid_loss"] for dae in (on_disk, in_memory)]
    assert losses[0] == pytest.approx(losses[1], rel=0.2), noisy.shape


def test_a_memory_map_of_counts_is_a_stream(little_memory, tmp_path):
    np.save(tmp_path / "X.npy", (X * 60000).astype(np.uint16))
    counts = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert isinstance(open_images(counts, None)[0], Stream)
    with sklearn.config_context(working_memory=1):
        assert open_images(counts, None)[0] is counts
    assert dense().fit(counts).predict(counts[:2]).max() > 10_000


def test_targets_are_read_with_their_images(little_memory):
    # A net that sees 2x and is asked for x: the pairs must not be mixed up.
    pairs, options = (2 * X[:, :4, :4], X[:, :4, :4]), {"noise": None, "max_epochs": 30, "lr": 0.01}
    make = DenoisingAutoencoder("linear", **{**OPTIONS, **options})
    on_disk = make.fit(*(OnDisk(images.copy()) for images in pairs))
    # The variance of the images is 1/12, which a net that saw wrong targets would not fall below.
    assert on_disk.score(*pairs) > -0.02


def test_the_same_images_twice_and_a_copy_of_them_mean_the_same(little_memory):
    source = OnDisk(X)
    once = dense(noise=None).fit(source, source)
    copied = dense(noise=None).fit(OnDisk(X), X.copy())
    np.testing.assert_array_equal(once.predict(X), copied.predict(X))


def test_images_of_different_sizes_are_learnt_by_crops(little_memory):
    images = [RNG.random((20 + i % 7, 24)).astype(np.float32) for i in range(30)]
    dae = unet(patch_size=8).fit(Files(images))
    again = unet(patch_size=8).fit(Files(images))
    np.testing.assert_array_equal(dae.predict(images)[3], again.predict(images)[3])
    in_memory = unet(patch_size=8).fit(images)
    assert dae._plan.target_range == in_memory._plan.target_range
    assert dae.history_[0]["train_loss"] == pytest.approx(in_memory.history_[0]["train_loss"], 0.2)


def test_crops_are_those_of_the_images(little_memory):
    values = np.arange(60 * 12 * 12, dtype=np.float32).reshape(60, 12, 12)
    data = gather(*[open_images(OnDisk(values), None)[0].reshape(60, 12, 12, 1)] * 2, (4, 4))
    settings = {"to_net": lambda x, y: (x, y), "noise": None, "pretext": None, "context": 0}
    settings |= {"batch_size": 8, "geometry": Geometry((12, 12)), "device": torch.device("cpu")}
    train, _ = datasets(data, n_validation=6, seeds=(1, 2), split_seed=3, **settings)
    several = 0
    for rows in train.shuffled(8):
        images = train.batch(rows)[0][..., 0].flatten(1).sort(1)[0]
        tops = rows[:, 0] * 144 + rows[:, 1] * 12 + rows[:, 2]
        place = torch.arange(4)[:, None] * 12 + torch.arange(4)
        np.testing.assert_array_equal(images, tops[:, None] + place.flatten())
        several += len(rows[:, 0].unique()) > 3
    assert several > 10


@pytest.mark.parametrize("kind", [Pix2PixDenoiser, Noise2VoidDenoiser, RecorruptedDenoiser])
def test_other_denoisers_take_streams(kind, little_memory):
    small = {"discriminator_filters": (2,), "noise": GaussianNoise(0.1)}
    options = small if kind is Pix2PixDenoiser else {}
    denoiser = kind(UNet((2, 4)), max_epochs=1, max_steps=3, **options).fit(OnDisk(X))
    assert denoiser.predict(X[:2]).shape == (2, 8, 8)


def test_a_stack_with_context_is_refused_where_it_does_not_fit(little_memory):
    with pytest.raises(ValueError, match=r"context=1 needs the whole stack in memory.*set_config"):
        Noise2VoidDenoiser(UNet((2, 4)), context=1, max_epochs=1).fit(OnDisk(X))


def test_training_that_was_stopped_goes_on(little_memory, tmp_path):
    class Stop(Exception):
        pass

    class Stopping(OnDisk):
        n_left = 10**9

        def __getitem__(self, rows):
            self.n_left -= 1
            if self.n_left < 0:
                raise Stop
            return super().__getitem__(rows)

    whole, counted = dense(max_epochs=4).fit(OnDisk(X)), Stopping(X)
    dense(max_epochs=1).fit(counted)
    n_reads = 10**9 - counted.n_left
    stopping = Stopping(X)
    stopping.n_left = 2 * n_reads
    kept = dense(max_epochs=4, checkpoint=tmp_path / "kept")
    with pytest.raises(Stop) as info:
        kept.fit(stopping)
    assert "of X could not be read" in info.value.__notes__[0]
    resumed = kept.fit(OnDisk(X))
    np.testing.assert_array_equal(resumed.predict(X), whole.predict(X))
    with pytest.raises(ValueError, match="belongs to another fit: X is 400 images in"):
        kept.fit(OnDisk(X + 1))
    with (
        sklearn.config_context(working_memory=0.06),
        pytest.raises(ValueError, match="belongs to another fit: X is 400 images in"),
    ):
        kept.fit(OnDisk(X))


# Libraries


def test_zarr_and_dask_train_alike(little_memory, tmp_path):
    zarr, da = pytest.importorskip("zarr"), pytest.importorskip("dask.array")
    array = zarr.create_array(tmp_path / "X", shape=X.shape, chunks=(50, 4, 8), dtype=X.dtype)
    array[:] = X
    fits = [dense(max_epochs=1).fit(images) for images in (array, da.from_zarr(array))]
    np.testing.assert_array_equal(fits[0].predict(X), fits[1].predict(X))


def test_a_zarr_that_vanishes_is_noticed(little_memory, tmp_path):
    zarr = pytest.importorskip("zarr")
    array = zarr.create_array(tmp_path / "X", shape=X.shape, chunks=(50, 8, 8), dtype=X.dtype)
    array[:] = X

    class Vanishing(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(64, 64)

        def forward(self, x):
            shutil.rmtree(tmp_path / "X", ignore_errors=True)
            return self.layer(x.flatten(1)).reshape(x.shape)

    dae = DenoisingAutoencoder(Vanishing, **OPTIONS)
    # Missing chunks of zarr are read as zeros, without a word.
    with pytest.raises(ValueError, match="X has changed since fit began: its images"):
        dae.fit(array)
    with pytest.raises(NotFittedError):
        check_is_fitted(dae)


@pytest.mark.parametrize("working_memory", [0.05, 1024])
def test_a_zarr_that_vanishes_while_it_is_read_first_is_noticed(working_memory, tmp_path):
    zarr = pytest.importorskip("zarr")

    class Vanishing(zarr.Array):
        def __getitem__(self, rows):
            if rows != slice(0, 1):
                shutil.rmtree(tmp_path / "X", ignore_errors=True)
            return super().__getitem__(rows)

    array = zarr.create_array(tmp_path / "X", shape=X.shape, chunks=(50, 8, 8), dtype=X.dtype)
    array[:] = X
    with (
        sklearn.config_context(working_memory=working_memory),
        pytest.raises(ValueError, match="X has vanished while it was read"),
    ):
        dense().fit(Vanishing(array._async_array))


def test_unknown_chunks_are_refused():
    da = pytest.importorskip("dask.array")
    images = da.from_array(X.reshape(400, -1), chunks=(50, 64))
    unknown = images[images[:, 0] > 0.5]
    with pytest.raises(ValueError, match=r"sizes of its chunks are unknown.*compute_chunk_sizes"):
        dense().fit(unknown)


def test_files_of_one_size_are_a_stream(little_memory, tmp_path):
    image = pytest.importorskip("PIL.Image")
    for i, pixels in enumerate((255 * X[:200].repeat(3, 1).repeat(3, 2)).astype(np.uint8)):
        image.fromarray(pixels).save(tmp_path / f"{i:03}.png")
    files = ImageFiles(tmp_path)
    stream, _ = open_images(files, None)
    assert stream.shape == (200, 24, 24)
    assert dense(max_epochs=1).fit(files).predict(files[:2]).shape == (2, 24, 24)


# Bad input


def test_bytes_beside_counts_are_refused(little_memory):
    images = [(255 * X[0]).astype(np.uint8), *(4095 * X[1:200]).astype(np.uint16)]

    class Lazy(Sequence):
        def __len__(self):
            return 400

        def __getitem__(self, i):
            return images[i % 200]

    with pytest.raises(ValueError, match="mixes uint8 .item 0.*Pass all in one unit"):
        dense().fit(Lazy())


@pytest.mark.parametrize("memory", [0.05, 100])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_named_with_its_image(value, memory):
    bad = X.copy()
    bad[397, 2, 3] = value
    with (
        sklearn.config_context(working_memory=memory),
        pytest.raises(ValueError, match="Input X contains NaN, infinity .* in image 397"),
    ):
        dense().fit(OnDisk(bad, chunk=50))


@pytest.mark.parametrize(
    "images",
    [
        (image for image in X),
        torch.utils.data.DataLoader(X, batch_size=8),
        torch.utils.data.TensorDataset(torch.from_numpy(X)),
    ],
    ids=["generator", "loader", "data set"],
)
def test_what_is_no_array_names_the_ways(images):
    with pytest.raises(TypeError, match=r"zarr, dask or HDF5 .*ImageFiles.*partial_fit"):
        dense().fit(images)


@pytest.mark.parametrize(
    ("images", "y", "message"),
    [
        (OnDisk(X[:1].repeat(400, 0)[..., 0]), X[:, :5, 0], r"y has shape \(400, 5\)"),
        (OnDisk(X), X[:200], "inconsistent numbers"),
        (OnDisk(X), np.arange(300), "inconsistent numbers"),
        (OnDisk(RNG.random((60, 70, 3), np.float32)), None, "looks like one color image"),
        (OnDisk(X.astype(complex)), None, "not numbers"),
    ],
)
def test_shapes_of_streams_are_checked(images, y, message, little_memory):
    with pytest.raises(ValueError, match=message):
        dense().fit(images, y)


# Validation data


def test_validation_data_is_watched_and_not_learnt():
    pair, plain = (X[300:], X[300:]), {"noise": None, "max_epochs": 3}
    dae = dense(**plain).fit(X[:300], X[:300], validation_data=pair)
    blind = dense(validation_fraction=None, **plain).fit(X[:300], X[:300])
    # The same training; only one is watched.
    np.testing.assert_array_equal(dae.predict(X), blind.predict(X))
    rows = torch.from_numpy(pair[0]).flatten(1)
    error = torch.square(dae.module_(rows) - rows).mean().item()
    assert dae.history_[-1]["valid_loss"] == pytest.approx(error, rel=1e-5)
    early = dense(early_stopping=True, patience=1, lr=1.0, **plain | {"max_epochs": 30})
    assert early.fit(X[:300], X[:300], validation_data=pair).n_iter_ < 30


def test_validation_data_may_be_a_stream(little_memory):
    rows = {
        name: dense().fit(X, validation_data=(X_val, None)).history_
        for name, X_val in [("stream", OnDisk(X)), ("array", X)]
    }
    losses = [history[-1]["valid_loss"] for history in rows.values()]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_validation_data_of_crops_may_have_other_sizes():
    X_val = [RNG.random((20, 30)), RNG.random((24, 20))]
    dae = unet(patch_size=8).fit(X, validation_data=(X_val, None))
    assert "valid_loss" in dae.history_[-1]


@pytest.mark.parametrize(
    ("pair", "error", "message"),
    [
        (X, TypeError, r"must be a tuple \(X_val, y_val\)"),
        ((X, X), ValueError, "fit got y_val, but y is None"),
        ((X[:, :4], None), ValueError, "are not like those of fit"),
        ((X * np.nan, None), ValueError, r"In validation_data=\(X_val, y_val\), Input X"),
    ],
)
def test_validation_data_that_does_not_fit_is_refused(pair, error, message):
    with pytest.raises(error, match=message):
        dense().fit(X, validation_data=pair)


def test_validation_data_in_other_units_is_noticed():
    with pytest.warns(UserWarning, match="validation_data has values from"):
        dense().fit(X, validation_data=(1000 * X, None))


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_group_is_set_aside_whole(on_disk, little_memory):
    groups = np.repeat(np.arange(20), 20)
    RNG.shuffle(groups)
    images = OnDisk(X) if on_disk else X
    fit = {"n_validation": 40, "groups": groups}
    if on_disk:
        train, valid = streamed(images, **fit)
    else:
        settings = {"to_net": None, "noise": None, "pretext": None, "context": 0}
        settings |= {"batch_size": 32, "geometry": Geometry((8, 8)), "device": torch.device("cpu")}
        data = gather(X[..., None], X[..., None], None)
        train, valid = datasets(data, seeds=(1, 2), split_seed=3, **fit, **settings)
    assert len(valid) == 40
    assert not set(groups[train.rows]) & set(groups[valid.rows])
    assert sorted([*train.rows.tolist(), *valid.rows.tolist()]) == [*range(400)]


def test_bad_groups_are_refused():
    with pytest.raises(ValueError, match="groups says that all images belong together"):
        dense().fit(X, groups=["film"] * 400)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        dense().fit(X, groups=[1, 2])


def test_a_checkpoint_knows_validation_data_and_groups(tmp_path):
    dae = dense(max_epochs=1, checkpoint=tmp_path / "kept")
    dae.fit(X, validation_data=(X[:50], None))
    with pytest.raises(ValueError, match="X_val is float32 .* here, but"):
        dae.fit(X, validation_data=(X[50:100], None))
    with pytest.raises(ValueError, match="groups is int64"):
        dae.fit(X, groups=np.arange(400) // 10)


def test_pipelines_and_searches_route_validation_data():
    pair, steps = (X[:50], None), [("dae", dense())]
    direct = dense().fit(X, validation_data=pair).history_[-1]["valid_loss"]
    pipe = Pipeline(steps).fit(X, dae__validation_data=pair)
    assert pipe["dae"].history_[-1]["valid_loss"] == direct
    search = GridSearchCV(dense(), {"lr": [1e-3]}, cv=2).fit(X, validation_data=pair)
    assert "valid_loss" in search.best_estimator_.history_[-1]
    assert search.best_estimator_.history_[-1]["valid_loss"] == direct
    with sklearn.config_context(enable_metadata_routing=True):
        asking = dense().set_fit_request(validation_data=True, groups=True)
        groups = np.arange(400) // 10
        pipe = Pipeline([("dae", asking)]).fit(X, validation_data=pair, groups=groups)
        assert pipe["dae"].history_[-1]["valid_loss"] == direct
        search = GridSearchCV(asking, {"lr": [1e-3]}, cv=2).fit(X, groups=groups)
        assert "valid_loss" in search.best_estimator_.history_[-1]


@pytest.mark.parametrize("kind", [SelfEnsembleDenoiser, ConformalDenoiser])
def test_denoisers_that_hold_another_pass_on_what_its_fit_takes(kind):
    for params in (
        {"validation_data": (X[:50], None), "sample_weight": np.arange(400)},
        {"groups": np.arange(400) // 100},
    ):
        direct = dense().fit(X, **params).history_
        held = kind(dense()).fit(X, **params).denoiser_.history_
        for loss in ("train_loss", "valid_loss"):
            assert [row[loss] for row in held] == [row[loss] for row in direct]
    with pytest.raises(TypeError, match="validation_data must be a tuple"):
        kind(dense()).fit(X, validation_data=X)
    with pytest.raises(TypeError, match=r"fit\(\) got an unexpected keyword argument 'groups'"):
        kind(MedianFilter()).fit(X, groups=np.arange(400))
