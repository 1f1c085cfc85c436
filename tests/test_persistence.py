"""What `save` writes, `load` gives back; and what it did not write, `load` refuses."""

import copy
import io
import json
import os
import pickle
import re
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearn.feature_selection import VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from skorch.callbacks import EpochScoring
from test_common import ESTIMATORS
from torch import nn

import skdae
from skdae import (
    DenoisingAutoencoder,
    Downsample,
    GaussianNoise,
    MeanFilter,
    MedianFilter,
    Occlusion,
    Pix2PixDenoiser,
    ReconstructionOutlierDetector,
    _random,
    load,
    noise,
    save,
    without_noise,
)
from skdae._files.arrays import read_arrays, write_arrays
from skdae._files.estimators import CLASSES, Reader, Writer
from skdae._files.weights import rebuild, saved_weights
from skdae.architectures import ARCHITECTURES, Conv, Dense

X = np.random.default_rng(0).random((20, 8, 8)).astype(np.float32)


def small(architecture=None, **params):
    params = {"max_epochs": 1, "batch_size": 8, "random_state": 0, **params}
    return DenoisingAutoencoder(architecture or Dense(hidden=(4,)), **params)


@pytest.fixture(scope="module", autouse=True)
def no_waiting_for_the_disk():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def fitted():
    return small(Conv(filters=(2,)), noise=GaussianNoise(), precision="float32").fit(X)


@pytest.fixture(scope="module")
def good(folder, fitted):
    """The bytes of a good file."""
    fitted.save(folder / "good")
    return (folder / "good").read_bytes()


def there_and_back(estimator, folder):
    save(estimator, folder / "file")
    return load(folder / "file")


def assert_same(a, b):
    """Equal in value, type and every bit, all the way down."""
    assert type(a) is type(b)
    if isinstance(a, np.ndarray) and a.dtype != object:
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    elif isinstance(a, np.random.RandomState):
        assert pickle.dumps(a.get_state()) == pickle.dumps(b.get_state())
    elif isinstance(a, torch.nn.Module):
        assert_same(saved_weights(a), saved_weights(b))
    elif hasattr(a, "initialized_"):  # a skorch net
        assert_same(a.module_, b.module_)
        assert_same(list(a.history), list(b.history))
    elif isinstance(a, list | tuple | np.ndarray):
        assert len(a) == len(b)
        for item, twin in zip(a, b, strict=True):
            assert_same(item, twin)
    elif isinstance(a, dict) or type(a).__module__.startswith(("skdae", "sklearn")):
        a, b = (thing if isinstance(thing, dict) else vars(thing) for thing in (a, b))
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    else:
        assert repr(a) == repr(b)


def assert_works_the_same(a, b, X):
    """Every method gives the same bits."""
    assert_same(a, b)
    # A RandomState shows its address.
    assert re.sub("0x[0-9A-F]+", "", repr(a)) == re.sub("0x[0-9A-F]+", "", repr(b))
    for method in ("predict", "transform", "encode", "score_samples"):
        assert hasattr(a, method) == hasattr(b, method)
        if hasattr(a, method):
            assert_same(getattr(a, method)(X), getattr(b, method)(X))
    if hasattr(a, "decode"):
        assert_same(a.decode(a.encode(X)), b.decode(b.encode(X)))
    if hasattr(a, "score"):
        assert a.score(X) == b.score(X)
    if hasattr(a, "history_"):
        assert a.history_ == b.history_
    if hasattr(a, "get_feature_names_out"):
        assert_same(a.get_feature_names_out(), b.get_feature_names_out())


# Round trips


# Of small images, AdaptedDenoiser keeps the pretrained network.
@pytest.mark.filterwarnings("ignore:The pretrained network was kept:UserWarning")
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_every_estimator_comes_back(estimator, tmp_path):
    assert_same(there_and_back(estimator, tmp_path), estimator)
    for images in (X, X.reshape(20, -1)):
        fitted = clone(estimator).fit(images)
        assert_works_the_same(there_and_back(fitted, tmp_path), fitted, images)


OTHERS = [Dense((3, 2), "gelu", batch_norm=True, dropout=0.5), Conv([2], 5, "stride")]


@pytest.mark.parametrize("architecture", [*sorted(ARCHITECTURES), *OTHERS], ids=repr)
def test_every_architecture_comes_back(architecture, tmp_path):
    fitted = small(architecture).fit(X, X)
    assert_works_the_same(there_and_back(fitted, tmp_path), fitted, X)


def test_table_holds_every_public_class():
    public = [getattr(module, name) for module in (skdae, noise) for name in module.__all__]
    classes = [cls for cls in public if isinstance(cls, type) and issubclass(cls, BaseEstimator)]
    assert {*classes, *ARCHITECTURES.values(), Pipeline} <= {*CLASSES.values()}
    assert all(CLASSES[cls.__name__] is cls for cls in classes)
    others = {cls.__module__.partition(".")[0] for cls in CLASSES.values()} - {"skdae"}
    assert others == {"sklearn"}


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.floats(width=32).map(np.float32),
    st.integers(-(2**63), 2**63 - 1).map(np.int64),
    st.booleans().map(np.bool_),
    st.just(torch.device("cpu")),
    st.builds(
        lambda shape, dtype: np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype),
        st.lists(st.integers(0, 3), max_size=3),
        st.sampled_from(["bool", "u1", "i2", "f2", "f4", "f8", "i8"]),
    ),
    st.lists(st.text(), max_size=3).map(lambda names: np.array(names, dtype=object)),
    st.builds(
        GaussianNoise,
        st.floats(0, 1) | st.tuples(st.floats(0, 0.5), st.floats(0.5, 1)),
        random_state=st.none() | st.integers(0, 9).map(np.random.RandomState),
    ),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=10,
)


def value_there_and_back(value, folder):
    writer = Writer()
    tree = writer.encode(value, ("", "value"))
    write_arrays(folder / "value", writer.arrays, {"value": tree})
    arrays, content = read_arrays(folder / "value")
    return Reader(arrays, "").decode(content["value"])


@settings(max_examples=100, deadline=None)
@given(value=values)
def test_any_value_comes_back(value, folder):
    assert_same(value_there_and_back(value, folder), value)


@pytest.mark.parametrize("dtype", ["<f8", ">f8"])
def test_arrays_come_back_from_any_memory_and_byte_order(dtype, folder):
    array = np.arange(24, dtype=dtype).reshape(2, 3, 4).transpose(2, 0, 1)[::2, ::-1]
    again = value_there_and_back(array, folder)
    np.testing.assert_array_equal(again, array)
    assert again.flags.writeable
    assert again.dtype.isnative


def test_loading_takes_no_more_memory_than_the_file(folder):
    rows = np.random.default_rng(0).random((2, 2**20))
    detector = ReconstructionOutlierDetector(MeanFilter(image_shape=(1024, 1024))).fit(rows)
    save(detector, folder / "large")
    tracemalloc.start()
    try:
        load(folder / "large")
        assert tracemalloc.get_traced_memory()[1] < 1.1 * (folder / "large").stat().st_size
    finally:
        tracemalloc.stop()


def test_pipelines_come_back(tmp_path):
    inner = make_pipeline(Occlusion(random_state=0), "passthrough", MedianFilter())
    pipe = Pipeline([("noise", GaussianNoise(random_state=0)), ("inner", inner), ("dae", small())])
    assert_same(there_and_back(pipe, tmp_path), pipe)
    pipe.fit(X, X)
    again = there_and_back(pipe, tmp_path)
    assert_same(again.predict(X), pipe.predict(X))
    assert repr(again) == repr(pipe)
    assert again.score(X, X) == pipe.score(X, X)
    assert_same(without_noise(again).predict(X), without_noise(pipe).predict(X))


ROWS = np.random.default_rng(0).lognormal(0, 2, (40, 16))
TRANSFORMERS = [
    *(StandardScaler(), StandardScaler(with_mean=False, with_std=False), MinMaxScaler((-1, 1))),
    *(MaxAbsScaler(), RobustScaler(), Normalizer(), Binarizer(), FunctionTransformer()),
    *(PowerTransformer(), PowerTransformer("box-cox"), QuantileTransformer(n_quantiles=9)),
    *(
        PCA(),
        PCA(4, whiten=True),
        PCA(4, svd_solver="randomized", random_state=0),
        IncrementalPCA(4),
        TruncatedSVD(4, random_state=0),
    ),
    *(SimpleImputer(), SimpleImputer(strategy="median"), VarianceThreshold()),
    *(FrozenEstimator(StandardScaler().fit(ROWS)), make_pipeline(PCA(), RobustScaler())),
    StandardScaler().set_output(transform="pandas"),
]


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda t: " ".join(repr(t).split()))
@pytest.mark.parametrize("named", [False, True])
def test_transformers_of_scikit_learn_come_back(transformer, named, tmp_path):
    rows = pd.DataFrame(ROWS, columns=[f"c{i}" for i in range(16)]) if named else ROWS
    if named and isinstance(transformer, FrozenEstimator):
        transformer = FrozenEstimator(StandardScaler().fit(rows))
    # Of labels as y, what the transformer gives is learned.
    noise, labels = GaussianNoise(0.1), np.arange(len(ROWS))
    dae = DenoisingAutoencoder("dense", latent_dim=2, noise=noise, max_epochs=1, random_state=0)
    pipe = make_pipeline(clone(transformer), dae).fit(rows, labels)
    loaded = there_and_back(pipe, tmp_path)
    np.testing.assert_array_equal(loaded.predict(rows), pipe.predict(rows))
    assert vars(loaded[0]).keys() == vars(pipe[0]).keys()
    np.testing.assert_array_equal(loaded.fit(rows, labels).predict(rows), pipe.predict(rows))
    assert there_and_back(clone(pipe), tmp_path).steps[0][1].get_params().keys()


def test_feature_names_and_output_containers_come_back(tmp_path):
    table = pd.DataFrame(X.reshape(20, -1), columns=[f"pixel {i}" for i in range(64)])
    denoiser = MedianFilter().set_output(transform="pandas").fit(table)
    again = there_and_back(denoiser, tmp_path)
    pd.testing.assert_frame_equal(again.transform(table), denoiser.transform(table))
    assert_same(again.feature_names_in_, denoiser.feature_names_in_)


def test_super_resolution_comes_back(tmp_path):
    dae = small(Conv(filters=(2,)), noise=Downsample(2)).fit(X)
    again = there_and_back(dae, tmp_path)
    assert_same(again.predict(X), dae.predict(X))


def test_parameters_set_after_fit_do_not_change_the_net(tmp_path):
    dae = small(latent_dim=3, precision="float32").fit(X, X)
    X_denoised = dae.predict(X)
    dae.set_params(architecture__hidden=(5, 5), latent_dim=7, precision="auto", loss="bce")
    again = there_and_back(dae, tmp_path)
    assert_same(again.predict(X), X_denoised)
    assert again.architecture.hidden == (5, 5)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # by torch of torch
def test_weights_of_a_compiled_net_have_their_own_names():
    module = nn.Linear(2, 3)
    assert saved_weights(torch.compile(module)).keys() == {"weight", "bias"}


# What a loaded denoiser does next


def test_loaded_denoiser_trains_on_alone(tmp_path, fitted):
    again, other = (there_and_back(fitted, tmp_path) for _ in range(2))
    again.partial_fit(X)
    assert_same(other.predict(X), fitted.predict(X))
    assert [row["epoch"] for row in again.history_] == [1, 2]
    assert np.isfinite(again.predict(X)).all()
    warm = there_and_back(fitted, tmp_path).set_params(warm_start=True, max_epochs=30).fit(X)
    assert len(warm.history_) == 31
    assert warm.score(X) > fitted.score(X)


def test_loaded_denoiser_is_cloned_copied_pickled_and_saved_again(tmp_path, fitted):
    again = there_and_back(fitted, tmp_path)
    assert repr(clone(again)) == repr(fitted)
    assert_same(clone(again).fit(X).predict(X), clone(fitted).fit(X).predict(X))
    for twin in (copy.deepcopy(again), pickle.loads(pickle.dumps(again))):
        assert_same(twin.predict(X), fitted.predict(X))
    assert_works_the_same(there_and_back(again, tmp_path), fitted, X)


def test_loading_leaves_the_global_generators_alone(tmp_path, fitted):
    before = torch.get_rng_state().tolist(), pickle.dumps(np.random.get_state())
    there_and_back(fitted, tmp_path)
    assert before == (torch.get_rng_state().tolist(), pickle.dumps(np.random.get_state()))


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
@pytest.mark.parametrize("device", ["cuda", "cuda:3", torch.device("cuda", 1)], ids=str)
def test_net_of_another_machine_loads_where_its_device_is_not(device, tmp_path, fitted):
    there = copy.deepcopy(fitted).set_params(device=device)
    again = there_and_back(there, tmp_path)
    assert again.device_ == torch.device("cpu")
    assert again.get_params()["device"] == device
    assert_same(again.predict(X), fitted.predict(X))
    with pytest.raises(ValueError, match="use device='auto'"):
        again.partial_fit(X)


@pytest.mark.parametrize("denoiser", [small(), Pix2PixDenoiser(max_epochs=1)], ids=repr)
def test_saving_and_loading_wait_for_no_fit(denoiser, tmp_path):
    denoiser.fit(X, X)
    with _random.seeded(0, torch.device("cpu")), ThreadPoolExecutor(1) as pool:
        before = torch.get_rng_state().tolist()
        again = pool.submit(there_and_back, denoiser, tmp_path).result(timeout=60)
        assert torch.get_rng_state().tolist() == before
    assert_same(again.predict(X), denoiser.predict(X))


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_default_dtype_of_torch_is_no_part_of_a_file(architecture, tmp_path):
    dae = small(architecture).fit(X, X)
    dae.save(tmp_path / "before")
    torch.set_default_dtype(torch.float64)
    try:
        dae.save(tmp_path / "after")
        again = load(tmp_path / "before")
    finally:
        torch.set_default_dtype(torch.float32)
    assert (tmp_path / "before").read_bytes() == (tmp_path / "after").read_bytes()
    assert_same(again.predict(X), dae.predict(X))


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # by torch of torch
def test_net_that_cannot_be_compiled_here_predicts_all_the_same(fitted):
    def no_compiler(graph, inputs):
        raise RuntimeError("No working C++ compiler found")

    X_denoised = fitted.predict(X)
    dae = copy.deepcopy(fitted)
    dae.net_.module_ = torch.compile(dae.module_, backend=no_compiler)
    # Nobody asks for it.
    assert_same(dae.predict(X), X_denoised)
    dae.set_params(compile=True)
    with pytest.warns(UserWarning, match="cannot be compiled here.*No working C.. compiler"):
        assert_same(dae.predict(X), X_denoised)
    assert_same(dae.predict(X), X_denoised)
    assert_same(dae.set_params(compile=False).partial_fit(X).predict(X).shape, X.shape)


def predicted_elsewhere(dae, folder, **environment):
    """What a fresh process predicts with the file of a denoiser."""
    dae.save(folder / "file")
    np.save(folder / "X.npy", X)
    code = (
        "import sys, numpy; from skdae import load;"
        "numpy.save(sys.argv[3], load(sys.argv[1]).predict(numpy.load(sys.argv[2])))"
    )
    paths = [folder / name for name in ("file", "X.npy", "out.npy")]
    environment = {**os.environ, **environment}
    subprocess.run([sys.executable, "-c", code, *paths], check=True, env=environment)
    return np.load(folder / "out.npy")


def test_fresh_process_predicts_the_same(tmp_path, fitted):
    assert_same(predicted_elsewhere(fitted, tmp_path), fitted.predict(X))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_net_trained_on_cuda_loads_without_it(tmp_path):
    dae = small(device="cuda", precision="float32").fit(X, X)
    assert there_and_back(dae, tmp_path).device_.type == "cuda"
    X_denoised = predicted_elsewhere(dae, tmp_path, CUDA_VISIBLE_DEVICES="")
    np.testing.assert_allclose(X_denoised, dae.predict(X), atol=1e-5)


@pytest.mark.parametrize("has_bfloat16", [True, False])
def test_bfloat16_is_kept_where_the_hardware_has_it(has_bfloat16, tmp_path, monkeypatch):
    monkeypatch.setattr("skdae._training.hardware._has_bfloat16", lambda device: True)
    dae = small(Conv(filters=(2,))).fit(X, X)
    assert dae.precision_ == "bfloat16"
    monkeypatch.setattr("skdae._training.hardware._has_bfloat16", lambda device: has_bfloat16)
    again = there_and_back(dae, tmp_path)
    assert again.precision_ == ("bfloat16" if has_bfloat16 else "float32")
    np.testing.assert_allclose(again.predict(X), dae.predict(X), atol=0.05)


# The file


def test_file_is_a_safetensors_file_for_others(folder, good, fitted):
    weights = safetensors.numpy.load_file(folder / "good")
    for name, value in fitted.module_.state_dict().items():
        np.testing.assert_array_equal(weights[f"net_.weights.{name}"], value.numpy())
    content = json.loads(weights["__skdae__"].tobytes())
    assert content["versions"]["skdae"] == skdae.__version__
    estimator = content["estimator"]["object"]
    assert estimator["class"] == "DenoisingAutoencoder"
    assert estimator["params"]["noise"]["object"]["params"]["std"] == 0.1


def test_same_estimator_gives_the_same_bytes(folder, good, fitted):
    fitted.save(folder / "again")
    assert (folder / "again").read_bytes() == good


@pytest.mark.parametrize("kind", [str, Path])
def test_paths_may_be_strings_or_paths(kind, tmp_path):
    path = kind(tmp_path / "any name, no suffix")
    save(MeanFilter(5), path)
    assert load(path).size == 5
    MeanFilter(7).save(path)
    assert load(path).size == 7
    for bad in (3, None):
        with pytest.raises(TypeError, match="PathLike"):
            save(MeanFilter(), bad)
        with pytest.raises(TypeError, match="PathLike"):
            load(bad)


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("step", ["fsync", "replace", "write"])
def test_failure_while_saving_leaves_the_old_file(step, error, tmp_path, monkeypatch, fitted):
    path = tmp_path / "file"
    save(MeanFilter(5), path)
    before = path.read_bytes()

    def fail(*args):
        raise error

    class Full(io.FileIO):
        def write(self, content):
            super().write(content[: len(content) // 2])
            raise error

    with monkeypatch.context() as patch:
        if step == "write":
            patch.setattr("skdae._files.atomic.open", Full, raising=False)
        else:
            patch.setattr(os, step, fail)
        with pytest.raises(type(error)):
            save(fitted, path)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == before


def test_new_name_is_given_between_two_syncs(tmp_path, monkeypatch):
    calls = []
    for step in ("fsync", "replace"):
        real = getattr(os, step)
        monkeypatch.setattr(os, step, lambda *a, s=step, r=real: (calls.append(s), r(*a)))
    save(MeanFilter(), tmp_path / "file")
    assert calls == ["fsync", "replace", "fsync"]


@pytest.mark.skipif(os.name != "posix", reason="links and modes are POSIX's")
def test_saving_keeps_links_and_the_users_mask(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "file")
    save(MeanFilter(), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    (tmp_path / "plain").touch()
    assert (tmp_path / "real" / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_saving_keeps_the_permissions_of_the_file_before(mode, tmp_path):
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    save(MeanFilter(), path)
    assert path.stat().st_mode & 0o777 == mode


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_devices_pipes_and_folders_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path / "link", tmp_path, "/dev/null"):
        for call in (lambda path: save(MeanFilter(), path), load):
            with pytest.raises(
                OSError, match="is a (folder|device or a pipe); pass the path of a file"
            ):
                call(path)
    assert {file.name for file in tmp_path.iterdir()} == {"pipe", "link"}


WRITING = """
import sys, time
from skdae._files.atomic import atomic_write
with atomic_write(sys.argv[1]) as file:
    print("writing", flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(os.name != "posix", reason="locks of files are POSIX's")
def test_next_save_removes_what_a_killed_one_left_but_not_what_is_being_written(tmp_path):
    others = [tmp_path / f".file.{'0a' * 16}.tmp", tmp_path / ".file.skdae-tmp"]
    for path in others:
        path.touch()
    command = [sys.executable, "-c", WRITING, tmp_path / "another file"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"writing\n"
        (temporary,) = {*tmp_path.iterdir()} - {*others}
        save(MeanFilter(), tmp_path / "file")
        assert {*tmp_path.iterdir()} == {*others, temporary, tmp_path / "file"}
    finally:
        process.kill()
        process.communicate()
    save(MeanFilter(), tmp_path / "file")
    assert {*tmp_path.iterdir()} == {*others, tmp_path / "file"}


def test_missing_files_and_folders_are_os_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder .*nowhere"):
        save(MeanFilter(), tmp_path / "nowhere" / "file")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nowhere")


# What cannot be saved


class OwnArchitecture(Dense):
    pass


class OwnNoise(GaussianNoise):
    pass


def own_loss(prediction, target):
    return ((prediction - target) ** 2).mean()


UNSAVABLE = {
    "module": (small(nn.Linear(64, 64)), "architecture is .*Linear"),
    "module class": (small(nn.Identity), "architecture is .*Identity"),
    "architecture": (small(OwnArchitecture()), "architecture is OwnArchitecture"),
    "noise": (small(noise=OwnNoise()), "noise is OwnNoise"),
    "loss": (small(loss=own_loss), "loss is .*own_loss"),
    "optimizer": (small(optimizer=torch.optim.NAdam), "optimizer is .*NAdam"),
    "callbacks": (small(callbacks=[EpochScoring("r2")]), r"callbacks.0 is .*EpochScoring"),
    "step": (
        make_pipeline(PolynomialFeatures(), MeanFilter()),
        r"steps.0.1 is PolynomialFeatures.* Of scikit-learn, its files hold StandardScaler, .* or ",
    ),
    "function": (
        make_pipeline(FunctionTransformer(np.log1p), MeanFilter()),
        "func is <ufunc.*apply yourself",
    ),
    "foreign estimator": (LogisticRegression(), "save takes an estimator of skdae"),
    "own class": (OwnArchitecture(), "save takes an estimator of skdae"),
    "search": (GridSearchCV(MeanFilter(), {"size": [3]}, cv=2).fit(X, X), "its best_estimator_"),
    "no estimator": ({"a": 1}, "save takes an estimator of skdae"),
}


@pytest.mark.parametrize("name", UNSAVABLE)
def test_what_needs_foreign_code_is_not_saved(name, tmp_path):
    estimator, message = UNSAVABLE[name]
    with pytest.raises(TypeError, match=message) as caught:
        save(estimator, tmp_path / "file")
    assert "joblib.dump" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_net_of_ones_own_is_not_saved_under_another_name(tmp_path):
    dae = small(nn.Linear(64, 64)).fit(X.reshape(20, -1), X.reshape(20, -1))
    with pytest.raises(TypeError, match="Linear is your own module"):
        save(dae.set_params(architecture="dense"), tmp_path / "file")


def test_net_that_was_rebuilt_by_hand_is_not_saved(tmp_path, fitted):
    dae = copy.deepcopy(fitted)
    dae.module_.encoder = nn.Identity()
    with pytest.raises(ValueError, match="weights differ"):
        dae.save(tmp_path / "file")


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (GaussianNoise(std=-1), "'std' parameter"),
        (small(lr=-1), "'lr' parameter"),
        (small(noise=GaussianNoise(std=-1)), "'std' parameter"),
        (Pipeline([("mean", MeanFilter())], memory="cache"), "memory='cache'"),
    ],
    ids=repr,
)
def test_what_load_would_refuse_is_not_saved(estimator, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        save(estimator, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_attributes_that_no_class_declares_are_not_saved(tmp_path):
    estimator = MeanFilter().fit(X)
    estimator.note_ = "from the old microscope"
    with pytest.raises(TypeError, match=r"\['note_'\] of MeanFilter.*joblib.dump"):
        save(estimator, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_what_holds_itself_is_not_saved(tmp_path):
    estimator = make_pipeline(MeanFilter())
    estimator.steps = [("itself", estimator)]
    with pytest.raises(ValueError, match="nested too deep"):
        save(estimator, tmp_path / "file")


# What is not loaded


def refuses(path, match):
    """Loading is a ValueError that names the file, and takes next to no memory."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=match) as caught:
            load(path)
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith(f"{path} cannot be loaded: ")


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_is_noticed(data, folder, good):
    bit = data.draw(st.integers(0, 8 * len(good) - 1))
    broken = bytearray(good)
    broken[bit // 8] ^= 1 << bit % 8
    (folder / "flipped").write_bytes(broken)
    refuses(folder / "flipped", "damaged|did not write it|is of format")


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_other_length_is_noticed(data, folder, good):
    n = data.draw(st.integers(0, len(good) + 9).filter(lambda n: n != len(good)))
    (folder / "short").write_bytes((good + bytes(9))[:n])
    refuses(folder / "short", "truncated or damaged")


@settings(max_examples=100, deadline=None)
@given(junk=st.binary(max_size=200), length=st.booleans())
def test_random_bytes_are_refused(junk, length, folder):
    (folder / "junk").write_bytes((len(junk).to_bytes(8, "little") if length else b"") + junk)
    refuses(folder / "junk", "not a safetensors file|did not write it")


def test_large_files_of_others_are_refused_unread(tmp_path):
    with open(tmp_path / "junk", "wb") as file:
        file.truncate(2**28)
    refuses(tmp_path / "junk", "not a safetensors file")
    safetensors.numpy.save_file({"weight": np.zeros(2**25, np.uint8)}, tmp_path / "weights")
    refuses(tmp_path / "weights", "skdae did not write it")


def test_files_of_joblib_and_torch_are_refused_with_a_hint(tmp_path):
    for dump in (joblib.dump, torch.save):
        dump({"weight": np.zeros(3)}, tmp_path / "file")
        refuses(tmp_path / "file", "read by joblib.load")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "skdae did not write it"),
        ({"format": "pt"}, "skdae did not write it"),
        ({"skdae": "3 abc"}, "is of format 3, but this version of skdae reads format 2: update"),
        ({"format": "skdae", "format_version": "1"}, "is of format 1, .* train again"),
    ],
)
def test_files_of_others_and_of_other_versions_are_refused(metadata, message, tmp_path):
    safetensors.numpy.save_file({"weight": np.zeros(3)}, tmp_path / "file", metadata)
    refuses(tmp_path / "file", message)


def test_dtypes_that_numpy_lacks_are_refused(tmp_path):
    tensors = {"a": torch.zeros(3, dtype=torch.bfloat16)}
    safetensors.torch.save_file(tensors, tmp_path / "file", {"skdae": "2 abc"})
    refuses(tmp_path / "file", "damaged")


def forge(folder, estimator, change):
    """A file with a sound checksum whose contents were changed by `change(tree, arrays)`."""
    path = folder / "forged"
    save(estimator, path)
    arrays, content = read_arrays(path)
    tree = content["estimator"]
    tree = change(tree["object"], arrays) or tree
    write_arrays(path, arrays, {"estimator": tree, "versions": {"skdae": "9.9"}})
    return path


FOREIGN = ["os.system", "builtins.eval", "eval", "antigravity", "sklearn.svm.SVC", "__class__", ""]


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("where", ["class", "params", "state"])
def test_foreign_names_are_neither_imported_nor_run(name, where, folder):
    spec = {"class": name, "params": {}, "state": {}}

    def change(tree, arrays):
        if where == "class":
            return {"object": spec}
        tree[where]["noise" if where == "params" else "noise_"] = {"object": spec}

    modules = set(sys.modules)
    path = forge(folder, small(), change)
    refuses(path, f"the class {name!r}, which this version .* written by skdae 9.9")
    assert {module for module in set(sys.modules) - modules if "antigravity" in module} == set()


def put(*keys, value):
    """A change that puts `value` at a place of the tree."""

    def change(tree, arrays):
        *path, last = keys
        for key in path:
            tree = tree[key]
        tree[last] = value

    return change


def put_weight(change):
    """A change of the first weight of the net."""
    return lambda tree, arrays: arrays.update({WEIGHT: change(arrays[WEIGHT])})


WEIGHT = "net_.weights.encoder.0.weight"
PLAN = ("state", "net_", "dict", "plan", "object", "state")
ARCHITECTURE = (*PLAN, "architecture", "object", "params")
FORGED = {
    "unknown parameter": (put("params", "command", value="rm"), r"\['command'\] of DenoisingAuto"),
    "attribute over a method": (put("state", "predict", value=1), r"\['predict'\] of Denoising"),
    "attribute over a parameter": (put("state", "lr", value=1), r"\['lr'\] of DenoisingAuto"),
    "attribute over the class": (put("state", "__class__", value=1), "__class__"),
    "parameter out of range": (put("params", "lr", value=-1), "'lr' parameter"),
    "parameter of another type": (put("params", "loss", value=["mse"]), "'loss' parameter"),
    "unknown device": (put("params", "device", value="os.system"), "os.system"),
    "unknown attribute": (put("state", "a_", value=1), r"\['a_'\] of DenoisingAutoencoder"),
    "unknown kind of value": (
        put("state", "n_iter_", value={"eval": "1"}),
        "damaged .*eval",
    ),
    "two kinds of value": (
        put("state", "n_iter_", value={"tuple": [], "dict": {}}),
        "too many values",
    ),
    "unknown array": (put("state", "n_iter_", value={"array": "none"}), "'none'"),
    "array used twice": (put("state", "n_iter_", value={"array": WEIGHT}), "encoder.0.weight"),
    "unknown dtype": (put("state", "n_iter_", value={"scalar": ["O", 1]}), "damaged"),
    "missing net": (put("state", "net_", value={"dict": {}}), "damaged"),
    "large filters": (put(*ARCHITECTURE, "filters", value=[10**3]), "weights differ"),
    "huge filters": (put(*ARCHITECTURE, "filters", value=[10**6]), "more weights than the file"),
    "impossible filters": (put(*ARCHITECTURE, "filters", value=[10**30]), "damaged"),
    "huge kernel": (put(*ARCHITECTURE, "kernel_size", value=10**4 + 1), "weights"),
    "huge bottleneck": (put(*PLAN, "latent_dim", value=10**12), "weights"),
    "many layers": (put(*ARCHITECTURE, "filters", value=[1] * 3_000), "weights"),
    "no filters": (put(*ARCHITECTURE, "filters", value="abc"), "'filters' parameter|filters="),
    "fewer weights": (put_weight(lambda weight: weight[:1]), WEIGHT[13:]),
    "wider weights": (put_weight(lambda weight: weight.astype(np.float64)), WEIGHT[13:]),
    "missing weights": (lambda tree, arrays: arrays.pop(WEIGHT) is None, WEIGHT[13:]),
    "additional array": (lambda tree, arrays: arrays.update(a=X), "not hold exactly one"),
    "not an estimator": (lambda tree, arrays: arrays.clear() or [1], "not hold exactly one"),
}


@pytest.mark.parametrize("name", ["encoder.1.running_var", "encoder.0.weight", "encoder.0.bias"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(name, value, folder, fitted):
    def change(tree, arrays):
        arrays[f"net_.weights.{name}"][...] = value

    refuses(forge(folder, fitted, change), "NaN or infinity")


def test_discriminator_is_not_as_large_as_a_file_likes(folder):
    denoiser = Pix2PixDenoiser(Conv(filters=(2,)), discriminator_filters=(2,), max_epochs=1)
    change = put("params", "discriminator_filters", value=[30_000, 30_000])
    refuses(forge(folder, denoiser.fit(X, X), change), "more weights than the file")


def test_pipeline_needs_steps_that_transform(folder):
    pipe = make_pipeline(MeanFilter(), MedianFilter())
    refuses(forge(folder, pipe, put("params", "steps", 0, "tuple", 1, value=[])), "damaged")


def test_json_of_many_values_is_refused_unread(folder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("skdae._files.arrays._check_nodes", lambda text, arrays: None)
        path = forge(folder, MeanFilter(), put("params", "size", value=[[]] * 100_000))
    refuses(path, "200[0-9]{3} values besides its arrays, too many for its size")


def test_long_histories_come_back(folder, fitted):
    dae = copy.deepcopy(fitted)
    dae.net_.history *= 20_000
    assert there_and_back(dae, folder).history_ == dae.history_


@pytest.mark.parametrize("name", FORGED)
def test_forged_files_are_refused(name, folder, fitted):
    change, message = FORGED[name]
    refuses(forge(folder, fitted, change), message)


def test_computed_buffers_are_not_as_large_as_a_file_likes():
    def build():
        return Conv(filters=(1,), kernel_size=501, batch_norm=False).build((8, 8, 1), (8, 8, 1))

    with torch.device("meta"):
        shapes = {name: value.shape for name, value in build().state_dict().items()}
    weights = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    with pytest.raises(ValueError, match="computes buffers of"):
        rebuild(build, weights)


def test_deeply_nested_values_are_refused(folder):
    deep = []
    for _ in range(2000):
        deep = [deep]
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        path = forge(folder, MeanFilter(), put("params", "size", value=deep))
    finally:
        sys.setrecursionlimit(limit)
    refuses(path, "damaged .*recursion")


@pytest.mark.parametrize("position", [-1, 625, 2**40, "0"])
def test_impossible_random_states_are_refused(position, folder):
    estimator = GaussianNoise(random_state=np.random.RandomState(0))
    change = put("params", "random_state", "random_state", 1, value=position)
    refuses(forge(folder, estimator, change), "not in ")


@pytest.mark.parametrize("name", ["transform", "__class__", "_parameter_constraints"])
def test_attributes_over_methods_of_transformers_are_refused(name, folder):
    def change(tree, arrays):
        tree["params"]["steps"][0]["tuple"][1]["object"]["state"][name] = "evil"

    pipe = make_pipeline(StandardScaler(), MeanFilter()).fit(ROWS)
    refuses(forge(folder, pipe, change), "does not know")


def test_pipeline_cannot_bring_a_cache(folder):
    pipe = make_pipeline(MeanFilter())
    refuses(forge(folder, pipe, put("params", "memory", value="/tmp")), "memory='/tmp'")
