"""Arrays that memory does not hold, searches on a cluster, and what a server loads."""

import os
import pickle
import shutil
import subprocess
import sys

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import make_pipeline

from skdae import (
    BilateralFilter,
    DenoisingAutoencoder,
    Downsample,
    GaussianFilter,
    GaussianNoise,
    MeanFilter,
    MedianFilter,
    Pix2PixDenoiser,
    PoissonNoise,
    SelfEnsembleDenoiser,
    VarianceStabilized,
    load,
)
from skdae.architectures import Conv, Dense, UNet

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")
zarr = pytest.importorskip("zarr")

X = np.random.default_rng(0).random((5, 70, 91)).astype(np.float32)
UNEVEN = (2, (30, 25, 15), (40, 40, 11))


def small(noise=None, **params):
    params = {"precision": "float32", "max_epochs": 1, "random_state": 0, **params}
    noise = noise or GaussianNoise(0.1)
    return DenoisingAutoencoder(UNet((2, 4)), noise=noise, **params)


@pytest.fixture(scope="module")
def net():
    return small().fit(X)


LOCAL = [
    MeanFilter(4),
    MedianFilter(3, mode="mirror"),
    GaussianFilter(2.0),
    BilateralFilter(0.2),
    VarianceStabilized(GaussianFilter(), PoissonNoise(30)),
    small(),
]
WHOLE = [
    BilateralFilter(),
    MedianFilter(3, mode="wrap"),
    SelfEnsembleDenoiser(GaussianFilter()),
    DenoisingAutoencoder(Dense((4,)), noise=GaussianNoise(), max_epochs=1),
]


@pytest.fixture(scope="module")
def denoiser(request):
    """One of `LOCAL` and `WHOLE`, fitted once for all tests of it."""
    return clone(request.param).fit(X)


def name(estimator):
    return type(estimator).__name__


@pytest.mark.parametrize("denoiser", LOCAL + WHOLE, ids=name, indirect=True)
@pytest.mark.parametrize("images", [X, X[..., None].repeat(3, axis=-1)[:2]], ids=["grey", "colour"])
def test_a_dask_array_becomes_a_lazy_one_with_the_values_of_the_whole(denoiser, images):
    if images.ndim == 4:
        if not isinstance(denoiser, MedianFilter | GaussianFilter):
            pytest.skip("learnt from grey images")
        denoiser = type(denoiser)(**denoiser.get_params()).fit(images)
    whole = denoiser.predict(images)
    lazy = denoiser.transform(da.from_array(images, chunks=(*UNEVEN, 1)[: images.ndim]))
    assert isinstance(lazy, da.Array)
    assert (lazy.shape, lazy.dtype) == (whole.shape, whole.dtype)
    got = lazy.compute()
    assert (got.shape, got.dtype) == (whole.shape, whole.dtype)
    np.testing.assert_allclose(got, whole, rtol=0, atol=1e-6)
    is_local = denoiser.receptive_field_ is not None and whole.shape == images.shape
    assert (lazy.numblocks[1] > 1) == is_local


@pytest.mark.parametrize("denoiser", LOCAL + WHOLE, ids=name, indirect=True)
@pytest.mark.parametrize("tile_size", ["auto", 32, None])
def test_an_array_is_denoised_block_by_block_into_another(denoiser, tile_size):
    whole = denoiser.predict(X)
    target = np.empty(whole.shape, np.float32)
    assert denoiser.predict_to(X, target, tile_size=tile_size) is target
    np.testing.assert_allclose(target, whole, rtol=0, atol=1e-6)


def test_blocks_are_as_small_as_asked_for(net):
    class Watched:
        shape, dtype = X.shape, X.dtype

        def __getitem__(self, where):
            block = X[where]
            assert max(block.shape[1:]) <= 40
            return block

    net.predict_to(Watched(), target := np.empty_like(X), tile_size=40)
    np.testing.assert_allclose(target, net.predict(X), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float64])
def test_dtypes_known_beforehand_are_those_that_come(dtype, net):
    images = (200 * X).astype(dtype)
    for denoiser in (MedianFilter().fit(images), net):
        if denoiser is net and dtype != np.uint8:
            continue
        lazy = denoiser.predict(da.from_array(images, chunks=UNEVEN))
        assert lazy.dtype == denoiser.predict(images).dtype == lazy.compute().dtype


def test_integers_come_out_in_their_own_units():
    counts = (60_000 * X).astype(np.uint16)
    for images in (counts, (counts >> 8).astype(np.uint8)):
        median = MedianFilter().fit(images)
        target = median.predict_to(images, np.zeros_like(images), tile_size=40)
        unit = 255 if images.dtype == np.uint8 else 1
        np.testing.assert_array_equal(target, np.rint(median.predict(images) * unit))
    # TIFF and FITS have the other byte order.
    swapped = MedianFilter().fit(counts).predict_to(counts.astype(">u2"), np.zeros_like(counts))
    np.testing.assert_array_equal(swapped, np.rint(MedianFilter().fit(counts).predict(counts)))


@pytest.mark.parametrize("noise", [GaussianNoise(0.1, random_state=0), Downsample(2)], ids=name)
def test_a_noise_corrupts_chunks_as_the_whole(noise):
    chunks = da.from_array(X, chunks=UNEVEN)
    lazy = noise.fit(chunks).transform(chunks)
    assert noise.clip_ == ((0.0, 1.0) if noise.clip == "auto" else noise.clip)
    whole = noise.transform(X)
    assert (lazy.shape, lazy.dtype) == (whole.shape, whole.dtype)
    np.testing.assert_array_equal(lazy, whole)
    np.testing.assert_array_equal(noise.fit_transform(chunks), whole)


def test_chunks_that_split_channels_are_joined():
    colour = np.random.default_rng(1).random((4, 40, 50, 3)).astype(np.float32)
    split = da.from_array(colour, chunks=(2, 20, 25, (1, 2)))
    for denoiser in (MedianFilter(3), BilateralFilter(), small()):
        denoiser.fit(colour)
        lazy = denoiser.predict(split)
        assert lazy.chunks[3] == (3,)
        np.testing.assert_allclose(lazy.compute(), denoiser.predict(colour), atol=1e-6)
        np.testing.assert_array_equal(
            clone(denoiser).fit(split).predict(colour), denoiser.predict(colour)
        )
    noise = GaussianNoise(0.1, random_state=0).fit(split)
    np.testing.assert_array_equal(noise.transform(split).compute(), noise.transform(colour))


def test_rows_and_pipelines_stay_lazy():
    rows = X.reshape(5, -1)
    pipe = make_pipeline(GaussianNoise(random_state=0), MedianFilter(image_shape=(70, 91)))
    lazy = pipe.fit(rows).transform(da.from_array(rows, chunks=(2, 100)))
    assert isinstance(lazy, da.Array)
    np.testing.assert_array_equal(lazy, pipe.transform(rows))


def test_pairs_of_dask_arrays_are_fitted_searched_and_scored(net):
    X_noisy, X_clean = (da.from_array(images, chunks=UNEVEN) for images in (X, X**2))
    pipe = make_pipeline(MedianFilter(3), GaussianFilter()).fit(X_noisy, X_clean)
    assert pipe.score(X_noisy, X_clean) == pipe.score(X, X**2)
    assert net.score(X_noisy, X_clean) == net.score(X, X**2)
    sizes = {"size": [3, 5]}
    search = GridSearchCV(MedianFilter(), sizes, cv=2, error_score="raise").fit(X_noisy, X_clean)
    expected = GridSearchCV(MedianFilter(), sizes, cv=2).fit(X, X**2).cv_results_
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], expected["mean_test_score"]
    )
    MedianFilter().fit(X_noisy, np.arange(5))
    with pytest.raises(ValueError, match="inconsistent"):
        MedianFilter().fit(X_noisy, X_clean[:3])


def test_a_lazy_array_is_of_the_fit_that_made_it():
    median = MedianFilter(3).fit(X)
    lazy = median.predict(da.from_array(X, chunks=UNEVEN))
    before = median.predict(X)
    median.set_params(size=7).fit(X)
    np.testing.assert_array_equal(lazy, before)


def test_dark_parts_of_an_image_are_not_taken_for_other_units(net):
    dark = X.copy()
    dark[:, :40] = dark[:, :40] * 1e-4 + 0.5
    # Warnings are errors here.
    net.predict(da.from_array(dark, chunks=(5, 20, 91))).compute()
    net.predict_to(dark, np.empty_like(dark), tile_size=40)
    with pytest.warns(UserWarning, match="same units"):
        net.predict_to(100 * X, np.empty_like(X))


def test_from_zarr_to_zarr(net, tmp_path):
    options = {"shape": X.shape, "chunks": (1, 32, 32), "dtype": "float32"}
    source = zarr.open(tmp_path / "noisy.zarr", mode="w", **options)
    source[:] = X
    target = zarr.open(tmp_path / "clean.zarr", mode="w", **options)
    with pytest.raises(ValueError, match="source itself"):
        net.predict_to(source, zarr.open(tmp_path / "noisy.zarr", mode="r+"))
    with pytest.raises(ValueError, match="source itself"):
        net.predict_to(da.from_zarr(source), source)
    net.predict_to(source, target)
    np.testing.assert_allclose(target[:], net.predict(X), atol=1e-6)
    lazy = net.predict(da.from_zarr(source))
    lazy.to_zarr(str(tmp_path / "lazy.zarr"))
    np.testing.assert_allclose(da.from_zarr(tmp_path / "lazy.zarr"), target[:], atol=1e-6)


def test_a_file_that_is_mapped_twice_is_one_array(net, tmp_path):
    path, options = tmp_path / "noisy", {"dtype": np.float32, "shape": X.shape}
    source = np.memmap(path, mode="w+", **options)
    source[:] = X
    with pytest.raises(ValueError, match="source itself"):
        net.predict_to(source, np.memmap(path, mode="r+", **options))
    target = np.memmap(path, mode="r+", offset=X.nbytes, **options)
    np.testing.assert_allclose(net.predict_to(source, target), net.predict(X), atol=1e-6)
    np.testing.assert_array_equal(source, X)


MEDIAN = MedianFilter(3).fit(X)
ZARR = {"shape": X.shape, "chunks": (1, 32, 32), "dtype": "float32"}


def spellings(folder):
    """Other names of ``folder / "own"``, all but the first by links."""
    (folder / "linked").symlink_to("own")
    (folder.parent / "way").symlink_to(folder)
    return [
        os.path.relpath(folder / "own"),
        f"{folder}/./own",
        f"{folder}/../{folder.name}/own",
        folder / "linked",
        folder.parent / "way" / "own",
    ]


def lies_there_too(source, target):
    """Whether predict_to refuses it, and leaves both as they were."""
    with pytest.raises(ValueError, match="source itself, or overlaps it"):
        MEDIAN.predict_to(source, target)
    np.testing.assert_array_equal(target[:], X)


def test_a_map_is_its_own_source_under_any_name(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    np.memmap(folder / "own", mode="w+", dtype=np.float32, shape=X.shape)[:] = X
    (folder / "hard").hardlink_to(folder / "own")
    source = np.memmap(folder / "own", mode="r", dtype=np.float32, shape=X.shape)
    # Newer releases of dask copy what from_array gets.
    lazy = da.from_delayed(dask.delayed(np.negative)(source), X.shape, np.float32)
    inside = da.map_blocks(lambda block: block + source[0], da.zeros(X.shape), dtype=np.float32)
    for path in [*spellings(folder), folder / "hard"]:
        target = np.memmap(path, mode="r+", dtype=np.float32, shape=X.shape)
        for same in (source, np.asarray(source), lazy[::-1], inside):
            lies_there_too(same, target)
            lies_there_too(same, np.asarray(target))


def test_maps_of_one_file_may_lie_beside_each_other(tmp_path):
    path = tmp_path / "both"
    np.save(path.with_suffix(".npy"), np.concatenate([X, X]))
    n, path = len(X), path.with_suffix(".npy")
    source, target = (np.load(path, mmap_mode=mode) for mode in ("r", "r+"))
    expected = MEDIAN.predict(X)
    for here, there in (
        ([0, n], [n, 2 * n]),
        ([n, 2 * n], [0, n]),
        # The images in turn; both lie between the same bytes.
        ([0, None, 2], [1, None, 2]),
        ([n - 1, None, -1], [n, 2 * n]),
    ):
        target[:] = np.concatenate([X, X])
        own = np.array(source[slice(*here)])
        MEDIAN.predict_to(source[slice(*here)], target[slice(*there)])
        np.testing.assert_array_equal(target[slice(*there)], MEDIAN.predict(own))
        np.testing.assert_array_equal(target[slice(*here)], own)
    assert not np.array_equal(expected, X)
    for here, there in (([0, n], [n - 1, 2 * n - 1]), ([0, None, 2], [n, 2 * n])):
        before = target.copy()
        with pytest.raises(ValueError, match="overlaps it"):
            MEDIAN.predict_to(source[slice(*here)], target[slice(*there)])
        np.testing.assert_array_equal(target, before)


def test_a_zarr_array_is_its_own_source_under_any_name(tmp_path):
    folder = tmp_path / "folder"
    group = zarr.create_group(folder)
    source, other = (group.create_array(name, **ZARR) for name in ("own", "other"))
    source[:] = X
    targets = [zarr.open_array(path, mode="r+") for path in spellings(folder)]
    targets.append(zarr.create_group(tmp_path)["folder/own"])
    wrapped = zarr.storage.WrapperStore(zarr.storage.LocalStore(folder / "linked"))
    targets.append(zarr.open_array(wrapped, mode="r+"))
    lazy = [da.from_zarr(folder / "own", inline_array=inline) for inline in (False, True)]
    for target in targets:
        for same in (source, group["own"], lazy[0], lazy[1][::-1] + 0):
            lies_there_too(same, target)
    np.testing.assert_array_equal(MEDIAN.predict_to(source, other)[:], MEDIAN.predict(X))
    copy = zarr.open_array(shutil.copytree(folder / "own", tmp_path / "copy"), mode="r+")
    np.testing.assert_array_equal(MEDIAN.predict_to(source, copy)[:], MEDIAN.predict(X))


def test_stores_in_memory_are_one_only_if_they_are(tmp_path):
    store = zarr.storage.MemoryStore()
    target = zarr.create_array(store, name="own", **ZARR)
    target[:] = X
    lies_there_too(zarr.open_array(store.with_read_only(True), path="own", mode="r"), target)
    # Equal contents, but other memory; then another array of the same store.
    twin = zarr.create_array(zarr.storage.MemoryStore(), name="own", **ZARR)
    twin[:] = X
    beside = zarr.create_array(store, name="beside", **ZARR)
    for other in (twin, beside):
        np.testing.assert_array_equal(MEDIAN.predict_to(target, other)[:], MEDIAN.predict(X))
    with zarr.storage.ZipStore(tmp_path / "own.zip", mode="w") as zipped:
        zarr.create_array(zipped, name="own", **ZARR)[:] = X
    (tmp_path / "linked.zip").symlink_to("own.zip")
    zips = [zarr.storage.ZipStore(tmp_path / f"{name}.zip") for name in ("own", "linked")]
    lies_there_too(*(zarr.open_array(zipped, path="own", mode="r") for zipped in zips))


class DataSet:
    """Says what it is as a data set of HDF5 does, by its file."""

    def __init__(self, values, file="own"):
        self.values, self.file = values, file
        self.shape, self.dtype = values.shape, values.dtype

    def __getitem__(self, where):
        return self.values[where]

    def __setitem__(self, where, values):
        self.values[where] = values

    def __eq__(self, other):
        return self.file == other.file

    __hash__ = None


class Elementwise(DataSet):
    """Compares each value, as most arrays do."""

    def __eq__(self, other):
        return self.values == other.values


def test_arrays_of_other_kinds_tell_whether_they_are_one():
    lies_there_too(DataSet(X), DataSet(X.copy()))
    own = Elementwise(X.copy())
    lies_there_too(own, own)
    for kind, names in ((DataSet, ("own", "other")), (Elementwise, ("own", "own"))):
        source, target = (kind(X.copy(), name) for name in names)
        np.testing.assert_array_equal(MEDIAN.predict_to(source, target)[:], MEDIAN.predict(X))


class Removing(MedianFilter):
    """Removes a folder when it denoises."""

    folder = None

    def _filter(self, images):
        shutil.rmtree(self.folder, ignore_errors=True)
        return super()._filter(images)


def test_a_zarr_that_vanishes_is_noticed_but_chunks_may_be_missing(tmp_path):
    options = {"shape": X.shape, "chunks": (1, 32, 32), "dtype": "float32"}
    source = zarr.create_array(tmp_path / "noisy", **options)
    # The chunks of the other images were never written.
    source[:2] = X[:2]
    target = zarr.create_array(tmp_path / "clean", **options)
    median, removing = (kind(3).fit(X) for kind in (MedianFilter, Removing))
    median.predict_to(source, target, tile_size=40)
    np.testing.assert_array_equal(target[:], median.predict(source[:]))
    lazy = median.predict(da.from_zarr(source))
    np.testing.assert_array_equal(lazy.compute(), target[:])
    removing.folder = tmp_path / "clean"
    with pytest.raises(ValueError, match="target has vanished") as caught:
        removing.predict_to(source, target, tile_size=40)
    assert "target is incomplete" in caught.value.__notes__[0]
    removing.folder = tmp_path / "noisy"
    with pytest.raises(ValueError, match="source has vanished while it was read") as caught:
        removing.predict_to(source, np.empty_like(X), tile_size=40)
    assert "1 of" in caught.value.__notes__[0]
    for compute in (lazy.compute, lambda: MedianFilter().fit(da.from_zarr(source))):
        with pytest.raises(ValueError, match="X has vanished while it was read"):
            compute()


# Bad input


def test_what_cannot_be_denoised_in_chunks_says_so_at_once(net):
    unknown = da.from_array(X, chunks=UNEVEN)
    unknown = unknown[unknown.max(axis=(1, 2)) > 0]
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        net.predict(unknown)
    with pytest.raises(ValueError, match=r"images of shape \(70, 91, 2\)"):
        net.predict(da.zeros((5, 70, 91, 2)))
    with pytest.raises(ValueError, match="was fitted on images"):
        net.predict(da.zeros((5, 70, 91, 2, 2)))
    with pytest.raises(ValueError, match="7 features"):
        net.predict(da.zeros((5, 7)))
    with pytest.raises(ValueError, match="NaN"):
        MedianFilter().fit(da.full((2, 8, 8), np.nan))


def test_infinity_in_the_last_block_is_named_with_its_place(net):
    broken = X.copy()
    broken[4, 69, 90] = np.inf
    with pytest.raises(ValueError, match=r"X\[4, 69, 90\] is not finite"):
        net.predict(da.from_array(broken, chunks=(2, 28, 40))).compute()
    with pytest.raises(ValueError, match=r"X\[4, 69, 90\] is not finite") as caught:
        net.predict_to(broken, np.empty_like(X), tile_size=40)
    assert "target is incomplete" in caught.value.__notes__[0]


def test_targets_and_tiles_that_do_not_fit_are_refused(net):
    def refused(match, source=X, target=None, error=ValueError, **options):
        target = np.zeros_like(X) if target is None else target
        with pytest.raises(error, match=match):
            net.predict_to(source, target, **options)

    refused("target has shape", target=np.zeros((5, 70, 90), np.float32))
    refused("target has dtype int16", target=np.zeros(X.shape, np.int16))
    refused("target has dtype bool", target=np.zeros(X.shape, bool))
    both = X.copy()
    refused("source itself", source=both, target=both[:])
    refused("source must be an array", source=X.tolist(), error=TypeError)
    refused("target must be an array", target=X.tolist(), error=TypeError)
    refused("tile_size=20 is no larger", tile_size=20)


# Cluster


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore:Sending large graph")
@pytest.mark.slow
def test_searches_on_a_cluster_score_as_here(net, tmp_path):
    digits = X[:, :24, :24].reshape(20, 12, 12)
    dae = DenoisingAutoencoder(Dense((4,)), noise=GaussianNoise(), max_epochs=2, random_state=0)
    grid = {"lr": [1e-3, 1e-2]}
    searches = [
        GridSearchCV(dae, grid, cv=2, n_jobs=2),
        HalvingGridSearchCV(dae, grid, cv=2, n_jobs=2, min_resources=10, random_state=0),
    ]
    own = {"local_directory": str(tmp_path), "dashboard_address": None}
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, **own) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert set(client.run(torch.get_num_threads).values()) == {1}
        for search in searches:
            with joblib.parallel_backend("dask"):
                there = search.fit(digits).cv_results_["mean_test_score"]
            here = search.set_params(n_jobs=1).fit(digits).cv_results_["mean_test_score"]
            np.testing.assert_allclose(there, here, rtol=1e-6)
        lazy = net.predict(da.from_array(X, chunks=UNEVEN))
        np.testing.assert_allclose(lazy.compute(), net.predict(X), atol=1e-6)


# As torch sees GPUs: those that are visible, numbered from 0.
GPU_OF_A_WORKER = """
import os, torch
from unittest import mock
from skdae._training.hardware import resolve_device
visible = os.environ["CUDA_VISIBLE_DEVICES"].split(",")
tensor_on = lambda n, device: visible[device.index or 0]
with (
    mock.patch("torch.cuda.is_available", lambda: bool(visible)),
    mock.patch("torch.cuda.current_device", lambda: 0),
    mock.patch("torch.empty", side_effect=tensor_on) as made,
):
    device = resolve_device("auto")
    print(device.type, tensor_on(0, device), made.called)
"""


@pytest.mark.slow
def test_each_worker_has_the_gpu_that_it_sees():
    for gpu in ("0", "1"):
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": gpu}
        command = [sys.executable, "-c", GPU_OF_A_WORKER]
        told = subprocess.run(
            command, env=environment, check=True, timeout=200, capture_output=True, text=True
        )
        assert told.stdout.split() == ["cuda", gpu, "True"]


@pytest.mark.parametrize(
    "denoiser",
    [
        DenoisingAutoencoder("unet", noise=GaussianNoise(), max_steps=1),
        Pix2PixDenoiser(max_steps=1),
    ],
    ids=name,
)
def test_a_pickle_is_hardly_larger_than_the_weights(denoiser):
    images = X[:, :32, :32]
    denoiser.fit(images, images)
    states = [module.state_dict() for module in denoiser.net_.modules()]
    n_bytes = sum(value.nbytes for state in states for value in state.values())
    assert len(pickle.dumps(denoiser)) < 1.1 * n_bytes
    again = pickle.loads(pickle.dumps(denoiser))
    np.testing.assert_array_equal(again.predict(images), denoiser.predict(images))
    assert len(again.partial_fit(images, images).history_) == 2


def test_a_pickle_between_two_partial_fits_changes_nothing():
    dae = small(precision="float32").partial_fit(X).partial_fit(X)
    again = pickle.loads(pickle.dumps(dae))
    np.testing.assert_array_equal(again.partial_fit(X).predict(X), dae.partial_fit(X).predict(X))


# Serving


def test_a_loaded_net_has_no_optimizer_until_it_learns(net, tmp_path):
    for denoiser in (net, Pix2PixDenoiser(UNet((2, 4)), max_epochs=1).fit(X, X)):
        denoiser.save(tmp_path / "net")
        again = load(tmp_path / "net")
        assert not hasattr(again.net_, "optimizer_")
        np.testing.assert_array_equal(again.predict(X), denoiser.predict(X))
        assert len(again.partial_fit(X, X).net_.optimizers()) == len(denoiser.net_.optimizers())


@pytest.mark.slow
def test_loading_imports_no_compiler(tmp_path):
    """Which takes torch seconds."""
    code = (
        "import sys, skdae; [skdae.load(path) for path in sys.argv[1:]]; "
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    noise = GaussianNoise()
    paths = []
    for net in (UNet((2, 4)), Conv((2,)), Dense((2,))):
        dae = DenoisingAutoencoder(net, noise=noise, max_epochs=1).fit(X)
        paths.append(str(tmp_path / type(net).__name__))
        dae.set_params(compile=True).save(paths[-1])
    path = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-c", code, *paths]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path})


def test_the_device_is_chosen_where_it_is_loaded(net, tmp_path):
    net.save(tmp_path / "net")
    assert load(tmp_path / "net", device="cpu").get_params()["device"] == "cpu"
    assert load(tmp_path / "net").device == "auto"
    with pytest.raises(ValueError, match="device='nowhere' cannot be used here"):
        load(tmp_path / "net", device="nowhere")
