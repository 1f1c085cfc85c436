"""Training on what does not fit into memory, and validation data of one's own."""

import shutil
import tempfile
from collections.abc import Sequence

import numpy as np
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from skorch.callbacks import Callback

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
from skdae._training.batches import is_memory_map
from skdae._training.crops import pixel_stores
from skdae._training.fit_data import datasets, gather
from skdae._training.lazy import open_images
from skdae._training.tasks import CleanTargets
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


def test_what_fits_into_memory_is_read_into_it():
    fitted = dense().fit(OnDisk(X))
    np.testing.assert_array_equal(fitted.predict(X), dense().fit(X).predict(X))


@pytest.mark.parametrize("chunk", [None, 1, 7, 100, 400])
@pytest.mark.parametrize("make", [dense, unet], ids=["rows", "images"])
def test_what_does_not_fit_is_learnt_as_if_it_did(make, chunk, little_memory):
    source = OnDisk(X, chunk)
    fitted = make().fit(source)
    # Never more at a time than a chunk, or what a quarter of the memory holds.
    assert source.most <= max(chunk or 1, 30)
    np.testing.assert_array_equal(fitted.predict(X), make().fit(X).predict(X))
    assert fitted.history_[-1]["valid_loss"] == make().fit(X).history_[-1]["valid_loss"]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_it_lies_on_the_disk_and_memory_maps_stay_where_they_are(dtype, little_memory, tmp_path):
    images = np.tile((200 * X).astype(dtype), (4, 1, 1))
    opened, targets = open_images(OnDisk(images), None)
    assert is_memory_map(opened)
    assert targets is None
    assert opened.dtype == dtype
    np.testing.assert_array_equal(opened, images)
    np.save(tmp_path / "X.npy", images)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert np.shares_memory(open_images(mapped, None)[0], mapped)
    with sklearn.config_context(working_memory=1):
        assert not is_memory_map(open_images(OnDisk(images), None)[0])


def test_images_of_different_sizes_are_crops_of_one_file(little_memory):
    images = [RNG.random((20 + i % 7, 24, 2)).astype(np.float32) for i in range(30)]
    opened, _ = open_images(Files(images), None)
    store, _ = pixel_stores(opened, opened, torch.device("cpu"))
    assert store.pixels.data_ptr() == opened[0].__array_interface__["data"][0]
    for i in (0, 8, 29):
        corner = torch.tensor([[3, 5]])
        crop = store.crop(torch.tensor([i]), corner, torch.tensor([0]), (8, 8))
        np.testing.assert_array_equal(crop[0], images[i][3:11, 5:13])
    # In another order, or of a part, they are no whole file.
    for some in (opened[::-1], opened[:4]):
        store, _ = pixel_stores(some, some, torch.device("cpu"))
        crop = store.crop(torch.tensor([2]), torch.tensor([[0, 0]]), torch.tensor([0]), (8, 8))
        np.testing.assert_array_equal(crop[0], some[2][:8, :8])


def test_a_full_disk_says_where_it_is(little_memory, monkeypatch):
    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *exception):
            return None

        def write(self, batch):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: Full())
    with pytest.raises(OSError, match="No space left") as info:
        dense().fit(OnDisk(X))
    assert "TMPDIR" in info.value.__notes__[0]


def test_bytes_beside_floats_are_read_as_in_memory(little_memory):
    images = [(255 * x).astype(np.uint8) for x in X[:200]] + [*X[200:]]
    on_disk, in_memory = dense().fit(Files(images)), dense().fit(images)
    np.testing.assert_array_equal(on_disk.predict(X), in_memory.predict(X))


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


def test_a_memory_map_of_counts_is_copied(little_memory, tmp_path):
    np.save(tmp_path / "X.npy", (X * 60000).astype(np.uint16))
    counts = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert open_images(counts, None)[0].dtype == np.float32
    with sklearn.config_context(working_memory=1):
        assert np.shares_memory(open_images(counts, None)[0], counts)
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


@pytest.mark.parametrize("kind", [Pix2PixDenoiser, Noise2VoidDenoiser, RecorruptedDenoiser])
def test_other_denoisers_take_streams(kind, little_memory):
    small = {"discriminator_filters": (2,), "noise": GaussianNoise(0.1)}
    options = small if kind is Pix2PixDenoiser else {}
    denoiser = kind(UNet((2, 4)), max_epochs=1, max_steps=3, **options).fit(OnDisk(X))
    assert denoiser.predict(X[:2]).shape == (2, 8, 8)


def test_training_that_was_stopped_goes_on(little_memory, tmp_path):
    whole = dense(max_epochs=4).fit(OnDisk(X))

    def stop(net, **data):
        if len(net.history) == 2:
            raise RuntimeError("stopped")

    kept = dense(max_epochs=4, checkpoint=tmp_path / "kept")
    callback = type("Stop", (Callback,), {"on_epoch_begin": lambda self, net, **data: stop(net)})
    with pytest.raises(RuntimeError, match="stopped"):
        clone(kept).set_params(callbacks=[callback()]).fit(OnDisk(X))
    resumed = kept.fit(X)
    np.testing.assert_array_equal(resumed.predict(X), whole.predict(X))
    with pytest.raises(ValueError, match="belongs to another fit: X is float32"):
        kept.fit(OnDisk(X + 1))


# Libraries


def test_zarr_and_dask_train_alike(little_memory, tmp_path):
    zarr, da = pytest.importorskip("zarr"), pytest.importorskip("dask.array")
    array = zarr.create_array(tmp_path / "X", shape=X.shape, chunks=(50, 4, 8), dtype=X.dtype)
    array[:] = X
    fits = [dense(max_epochs=1).fit(images) for images in (array, da.from_zarr(array))]
    np.testing.assert_array_equal(fits[0].predict(X), fits[1].predict(X))


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


def test_files_of_one_size_are_one_array(little_memory, tmp_path):
    image = pytest.importorskip("PIL.Image")
    for i, pixels in enumerate((255 * X[:200].repeat(3, 1).repeat(3, 2)).astype(np.uint8)):
        image.fromarray(pixels).save(tmp_path / f"{i:03}.png")
    files = ImageFiles(tmp_path)
    assert open_images(files, None)[0].shape == (200, 24, 24)
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
        (OnDisk(X), X[:200], r"y has shape \(200, 8, 8\)"),
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


def test_a_group_is_set_aside_whole():
    groups = np.repeat(np.arange(20), 20)
    RNG.shuffle(groups)
    settings = {"to_net": None, "task": CleanTargets(None, noise=None), "groups": groups}
    settings |= {"batch_size": 32, "geometry": Geometry((8, 8)), "device": torch.device("cpu")}
    data = gather(X[..., None], X[..., None], None)
    train, valid = datasets(data, n_validation=40, seeds=(1, 2), split_seed=3, **settings)
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
