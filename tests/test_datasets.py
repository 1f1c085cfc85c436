import importlib
import os
import socket
from urllib.error import URLError

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.utils import Bunch

from skdae.datasets import fetch_images, load_digits_images
from skdae.datasets import images as datasets

REAL_DATA = os.environ.get("SKDAE_DATA", "")
SHAPES = {"mnist": (28, 28), "fashion_mnist": (28, 28), "cifar10": (32, 32, 3)}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch, tmp_path):
    """No test sees the machine's data folders, and none reaches the network."""
    monkeypatch.delenv("SKDAE_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "sklearn"))

    def offline(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(datasets, "fetch_openml", offline)


def labelled(name, n_train=5, n_test=3):
    rng = np.random.default_rng(0)
    arrays = {}
    for part, n in (("train", n_train), ("test", n_test)):
        arrays[f"x_{part}"] = rng.integers(0, 256, (n, *SHAPES[name]), dtype=np.uint8)
        arrays[f"y_{part}"] = rng.integers(0, 10, n, dtype=np.uint8)
    return arrays


def as_openml(arrays, name):
    """Rows as OpenML has them: planes after planes, labels as text."""
    X = np.concatenate([arrays["x_train"], arrays["x_test"]])
    if name == "cifar10":
        X = X.transpose(0, 3, 1, 2)
    y = np.concatenate([arrays["y_train"], arrays["y_test"]])
    return Bunch(data=X.reshape(len(X), -1).astype(np.int64), target=y.astype(str).astype(object))


def serve(monkeypatch, name, response):
    """Let OpenML have 5 + 3 images of `name`; returns the list of calls."""
    source = datasets._SOURCES[name]._replace(n_train=5, n_test=3)
    monkeypatch.setitem(datasets._SOURCES, name, source)
    calls = []

    def fetch(*args, **kwargs):
        calls.append((args, kwargs))
        if isinstance(response, Exception):
            raise response
        return response

    monkeypatch.setattr(datasets, "fetch_openml", fetch)
    return calls


def assert_holds(bunch, arrays):
    for part in ("train", "test"):
        np.testing.assert_array_equal(bunch[f"X_{part}"], arrays[f"x_{part}"])
        np.testing.assert_array_equal(bunch[f"y_{part}"], arrays[f"y_{part}"])
        assert bunch[f"X_{part}"].dtype == np.uint8
        assert bunch[f"y_{part}"].dtype == np.int64


# Digits


def test_digits_are_float32_in_the_unit_interval():
    data = load_digits_images()
    assert data.images.shape == (1797, 8, 8)
    assert data.images.dtype == np.float32
    assert (data.images.min(), data.images.max()) == (0, 1)
    np.testing.assert_array_equal(data.images * 16, load_digits().images)
    np.testing.assert_array_equal(data.target, load_digits().target)
    assert len(data.target_names) == 10


def test_digits_as_a_pair():
    images, target = load_digits_images(return_X_y=True)
    assert images.shape == (1797, 8, 8)
    assert target.shape == (1797,)


# Reading


@pytest.mark.parametrize("name", SHAPES)
def test_labelled_set_is_read_from_its_file(name, tmp_path):
    arrays = labelled(name)
    np.savez(tmp_path / f"{name}.npz", **arrays)
    data = fetch_images(name, data_home=tmp_path)
    assert_holds(data, arrays)
    assert len(data.target_names) == 10
    assert data.DESCR


def test_fashion_names_are_in_the_order_of_the_labels(tmp_path):
    np.savez(tmp_path / "fashion_mnist.npz", **labelled("fashion_mnist"))
    names = fetch_images("fashion_mnist", data_home=tmp_path).target_names
    assert (names[0], names[5], names[9]) == ("T-shirt/top", "Sandal", "Ankle boot")


def test_any_file_is_read_by_its_name(tmp_path):
    arrays = labelled("cifar10", 4, 2)
    np.savez(tmp_path / "my_subset.npz", **arrays)
    data = fetch_images("my_subset", data_home=tmp_path)
    assert_holds(data, arrays)
    assert list(data.target_names) == [str(label) for label in np.unique(arrays["y_train"])]
    assert "my_subset" in data.DESCR
    np.savez(tmp_path / "scans.npz", page=np.zeros((9, 7), np.uint8))
    assert fetch_images("scans", data_home=tmp_path).names == ["page"]


def test_collection_is_a_list_of_images_of_any_size(tmp_path):
    images = {"01": np.zeros((4, 5), np.uint8), "02": np.ones((6, 7, 3), np.uint8)}
    np.savez(tmp_path / "set12.npz", **images)
    data = fetch_images("set12", data_home=str(tmp_path))
    assert data.names == ["01", "02"]
    assert [image.shape for image in data.images] == [(4, 5), (6, 7, 3)]


def test_environment_variable_is_honoured_below_the_argument(tmp_path, monkeypatch):
    first, second = labelled("mnist", 2, 2), labelled("mnist", 4, 4)
    for folder, arrays in (("a", first), ("b", second)):
        (tmp_path / folder).mkdir()
        np.savez(tmp_path / folder / "mnist.npz", **arrays)
    monkeypatch.setenv("SKDAE_DATA", str(tmp_path / "a"))
    assert_holds(fetch_images("mnist"), first)
    assert_holds(fetch_images("mnist", data_home=tmp_path / "b"), second)


def test_default_folder_is_in_the_data_home_of_scikit_learn(tmp_path, monkeypatch):
    monkeypatch.setenv("SKDAE_DATA", "")
    folder = tmp_path / "sklearn" / "skdae"
    folder.mkdir(parents=True)
    np.savez(folder / "mnist.npz", **labelled("mnist"))
    assert_holds(fetch_images("mnist"), labelled("mnist"))


# Downloading


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("pandas", [True, False])
def test_download_is_stored_and_read_the_next_time(name, pandas, tmp_path, monkeypatch):
    arrays = labelled(name)
    calls = serve(monkeypatch, name, as_openml(arrays, name))
    monkeypatch.setattr(datasets, "find_spec", lambda module: pandas or None)
    folder = tmp_path / "new" / "folder"
    assert_holds(fetch_images(name, data_home=folder), arrays)
    assert_holds(fetch_images(name, data_home=folder), arrays)
    assert len(calls) == 1
    assert calls[0][1]["parser"] == ("pandas" if pandas else "liac-arff")
    assert [path.name for path in folder.iterdir()] == [f"{name}.npz"]


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(
    "error", [URLError("no network"), TimeoutError("late"), ValueError("md5 checksum")]
)
def test_failed_download_says_what_to_put_where(name, error, tmp_path, monkeypatch):
    serve(monkeypatch, name, error)
    folder = tmp_path / "absent"
    with pytest.raises(FileNotFoundError) as caught:
        fetch_images(name, data_home=folder)
    message = str(caught.value)
    parts = [str(folder / f"{name}.npz"), "SKDAE_DATA", "x_train", "y_test", "uint8", str(error)]
    assert all(part in message for part in parts)
    assert not folder.exists()


def test_download_can_be_forbidden(tmp_path, monkeypatch):
    calls = serve(monkeypatch, "mnist", as_openml(labelled("mnist"), "mnist"))
    with pytest.raises(FileNotFoundError, match="download_if_missing=True"):
        fetch_images("mnist", data_home=tmp_path, download_if_missing=False)
    assert not calls


@pytest.mark.parametrize("step", ["savez_compressed", "fsync", "replace"])
def test_failure_while_storing_leaves_no_file(step, tmp_path, monkeypatch):
    serve(monkeypatch, "mnist", as_openml(labelled("mnist"), "mnist"))

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(np if step == "savez_compressed" else os, step, fail)
    with pytest.raises(OSError, match="disk full"):
        fetch_images("mnist", data_home=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", ["fewer rows", "fractions", "too large", "missing"])
def test_foreign_data_from_openml_are_refused_and_not_stored(change, tmp_path, monkeypatch):
    response = as_openml(labelled("mnist"), "mnist")
    if change == "fewer rows":
        response.data = response.data[:-1]
    else:
        shift = {"fractions": 0.5, "too large": 256, "missing": np.nan}[change]
        response.data = response.data + shift
    serve(monkeypatch, "mnist", response)
    with pytest.raises(ValueError, match="Nothing was stored"):
        fetch_images("mnist", data_home=tmp_path)
    assert list(tmp_path.iterdir()) == []


# Bad files


@pytest.mark.parametrize("name", ["set12", "train400"])
def test_absent_collection_says_what_to_put_where(name, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        fetch_images(name, data_home=tmp_path / "absent")
    message = str(caught.value)
    parts = [str(tmp_path / "absent" / f"{name}.npz"), "SKDAE_DATA", "uint8", "one array per image"]
    assert all(part in message for part in parts)
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("name", ["mnist", "set12"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text", "npy", "pickled"])
def test_damaged_file_is_named_and_kept(name, damage, tmp_path):
    path = tmp_path / f"{name}.npz"
    np.savez(path, **labelled("mnist"))
    content = path.read_bytes()
    middle = len(content) // 2
    damaged = {
        "truncated": content[:middle],
        "flipped": content[:middle] + bytes(64) + content[middle + 64 :],
        "empty": b"",
        "text": b"<html>not found</html>",
    }
    if damage in damaged:
        path.write_bytes(damaged[damage])
    elif damage == "npy":
        with open(path, "wb") as file:
            np.save(file, np.zeros(3))
    else:
        np.savez(path, x_train=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="Delete it or replace it") as caught:
        fetch_images(name, data_home=tmp_path)
    assert str(path) in str(caught.value)
    assert path.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"x_train": np.zeros((5, 28, 28))},
        {"x_train": np.zeros((5, 784), np.uint8)},
        {"x_train": np.zeros((4, 28, 28), np.uint8)},
        {"y_test": np.array(["a", "b", "c"])},
        {"y_test": np.zeros((3, 1), int)},
        {"y_test": None},
    ],
)
def test_foreign_npz_is_refused(change, tmp_path):
    arrays = {
        key: value for key, value in {**labelled("mnist"), **change}.items() if value is not None
    }
    np.savez(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(ValueError, match=r"mnist\.npz holds .*expected the arrays x_train"):
        fetch_images("mnist", data_home=tmp_path)


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"01": np.zeros((4, 4))},
        {"01": np.zeros(4, np.uint8)},
        {"01": np.zeros((0, 4), np.uint8)},
        {"01": np.zeros((4, 4), np.uint8), "y_1": np.zeros((4, 4))},
    ],
)
def test_foreign_collection_is_refused(arrays, tmp_path):
    np.savez(tmp_path / "set12.npz", **arrays)
    with pytest.raises(ValueError, match=r"set12\.npz holds .*expected .*one array per image"):
        fetch_images("set12", data_home=tmp_path)


def test_unknown_name_is_answered_with_what_is_there(tmp_path):
    np.savez(tmp_path / "scans.npz", page=np.zeros((9, 7), np.uint8))
    with pytest.raises(
        FileNotFoundError, match=r"MNIST.npz. Did you mean 'mnist'\? mnist, .*cifar10 .*has scans\."
    ):
        fetch_images("MNIST", data_home=tmp_path)


@pytest.mark.parametrize("name", ["", None, "../scans", "/scans", "a/b", 3])
def test_a_name_that_is_not_that_of_a_file_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match="'cifar10', 'fashion_mnist', 'mnist'"):
        fetch_images(name, data_home=tmp_path)


def test_import_opens_no_connection(monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", None)
    importlib.reload(datasets)


# The real thing


@pytest.mark.skipif(not REAL_DATA, reason="reads real MNIST from SKDAE_DATA")
def test_real_mnist_has_its_shapes(monkeypatch):
    monkeypatch.setenv("SKDAE_DATA", REAL_DATA)
    data = fetch_images("mnist", download_if_missing=False)
    assert data.X_train.shape == (60000, 28, 28)
    assert data.X_test.shape == (10000, 28, 28)
    assert (data.X_train.min(), data.X_train.max()) == (0, 255)
    # Counts of the digit 0, from the data set's own description.
    assert (data.y_train == 0).sum() == 5923
    assert (data.y_test == 0).sum() == 980
