"""An exported net gives what `predict` gives, without skdae and PyTorch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from torch import nn

import skdae
from skdae import (
    DenoisingAutoencoder,
    GaussianNoise,
    MedianFilter,
    PoissonGaussianNoise,
    PoissonNoise,
    PretrainedDenoiser,
    VarianceStabilized,
)
from skdae.architectures import ARCHITECTURES, Conv, Dense, UNet

ort = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

rng = np.random.default_rng(0)
GREY = rng.random((12, 12, 20)).astype(np.float32)
COLOUR = rng.random((12, 8, 6, 3)).astype(np.float32)
ROWS = rng.random((12, 36)).astype(np.float32)


def fit(architecture, X, y=None, **params):
    params = {"precision": "float32", "max_epochs": 1, "batch_size": 4, "random_state": 0, **params}
    y = X if y is None and "noise" not in params else y
    return DenoisingAutoencoder(architecture, **params).fit(X, y)


def exported(dae, path):
    """A function like `dae.predict`, from the file that `dae` writes."""
    dae.to_onnx(path)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda X: session.run(["X_denoised"], {"X": X})[0]


def assert_equal_predictions(run, dae, X):
    expected = dae.predict(X)
    assert run(X).shape == expected.shape
    np.testing.assert_allclose(run(X), expected, rtol=0, atol=1e-5)


CASES = {
    "rows, dense": (Dense(hidden=(8,), batch_norm=True), ROWS, {}),
    "rows as signals, bce": (Conv(filters=(2,)), ROWS, {"image_shape": (36,), "loss": "bce"}),
    "grey, linear": ("linear", GREY, {"latent_dim": 3}),
    "grey beyond [0, 1]": (Dense(hidden=(8,)), 3 * GREY - 1, {}),
    "grey, bottleneck, tanh": (
        Conv(filters=(2,)),
        GREY,
        {"latent_dim": 5, "output_activation": "tanh"},
    ),
    "colour, own module": (nn.Conv2d(3, 3, 3, padding=1), COLOUR, {}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_graph_predicts_the_same_for_any_number_of_images(name, tmp_path):
    architecture, X, params = CASES[name]
    dae = fit(architecture, X, **params)
    run = exported(dae, tmp_path / "net.onnx")
    for n in (1, 2, 7):
        assert_equal_predictions(run, dae, X[:n])


@pytest.mark.slow
def test_a_default_device_of_the_caller_changes_nothing(tmp_path):
    dae = fit("unet", GREY)
    with torch.device("meta"):
        run = exported(dae, tmp_path / "net.onnx")
    assert_equal_predictions(run, dae, GREY)


@pytest.mark.parametrize(
    "architecture",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name == "photographs"))
        for name in sorted(set(ARCHITECTURES) - {"linear", "dense"})
    ],
)
def test_every_architecture_takes_the_sizes_that_predict_takes(architecture, tmp_path):
    dae = fit(architecture, COLOUR)
    run = exported(dae, tmp_path / "net.onnx")
    # No multiples of the net's scale, and too small to be padded by reflection.
    for shape in [(2, 8, 6, 3), (1, 9, 13, 3), (3, 1, 1, 3), (1, 2, 17, 3), (1, 17, 3, 3)]:
        assert_equal_predictions(run, dae, rng.random(shape).astype(np.float32))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shapes", "options"),
    [
        ([(12, 40), (3, 40)], {"image_shape": (40,)}),
        ([(12, 40, 3), (2, 33, 3)], {"channel_axis": -1}),
        ([(12, 6, 8, 10), (2, 5, 9, 3)], {"channel_axis": None}),
    ],
    ids=["rows", "leads", "volumes"],
)
def test_signals_and_volumes_are_exported(shapes, options, tmp_path):
    first, other = (rng.random(shape).astype(np.float32) for shape in shapes)
    dae = fit(Conv(filters=(2,), batch_norm=True), first, **options)
    run = exported(dae, tmp_path / "net.onnx")
    assert_equal_predictions(run, dae, first)
    assert_equal_predictions(run, dae, other)


def test_export_writes_one_file_and_leaves_the_net_as_it_was(tmp_path):
    dae = fit(Dense(hidden=(8,)), GREY)
    before = dae.predict(GREY)
    weights = [w.data_ptr() for w in dae.module_.parameters()]
    dae.to_onnx(str(tmp_path / "net"))
    assert [file.name for file in tmp_path.iterdir()] == ["net"]
    np.testing.assert_array_equal(dae.predict(GREY), before)
    assert [w.data_ptr() for w in dae.module_.parameters()] == weights
    assert all(w.requires_grad for w in dae.module_.parameters())
    dae.partial_fit(GREY, GREY)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["dense", "unet"])
def test_default_dtype_of_torch_is_no_part_of_the_graph(architecture, tmp_path):
    dae = fit(architecture, GREY)
    torch.set_default_dtype(torch.float64)
    try:
        run = exported(dae, tmp_path / "net.onnx")
    finally:
        torch.set_default_dtype(torch.float32)
    assert_equal_predictions(run, dae, GREY)


def test_missing_library_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    dae = fit(Dense(hidden=(8,)), GREY)
    with pytest.raises(ImportError, match=r"to_onnx needs onnxscript, .* '\.\[onnx\]'"):
        dae.to_onnx(tmp_path / "net.onnx")
    with pytest.raises(NotFittedError):
        DenoisingAutoencoder().to_onnx(tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("name", [pytest.param("strength", marks=pytest.mark.slow), "std"])
def test_pretrained_nets_take_a_number_per_image(color, name, tmp_path):
    # Smaller ones are continued as by a mirror, outside of the graph.
    clean = np.linspace(0.2, 0.7, 88 * 75 * 3, dtype=np.float32).reshape(1, 88, 75, 3)
    X = clean + 0.1 * rng.standard_normal((2, 88, 75, 3), dtype=np.float32)
    X = X if color else X[..., 0]
    told = {"std": {"noise": 0.1}, "strength": {}}[name]
    denoiser = PretrainedDenoiser(precision="float32", **told).fit(X)
    denoiser.to_onnx(tmp_path / "net.onnx")
    session = ort.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == ["X", name]
    for shape in (np.s_[:, :80, :71], np.s_[:1], np.s_[:, :64, :67]):
        numbers = np.array([0.1, 0.02] if name == "std" else [1.0, 0.6], np.float32)
        numbers = numbers[: len(X[shape])]
        (run,) = session.run(["X_denoised"], {"X": X[shape], name: numbers})
        for image, number, denoised in zip(X[shape], numbers.tolist(), run, strict=True):
            one = {"noise": number} if name == "std" else {"strength": number}
            expected = denoiser.set_params(**one).fit(image[None]).predict(image[None])[0]
            np.testing.assert_allclose(denoised, expected.clip(0, 1), rtol=0, atol=1e-4)


CAMERAS = {
    "counts": PoissonGaussianNoise(gain=50.0, std=20.0, offset=100.0, random_state=0),
    "few photons": PoissonGaussianNoise(gain=0.5, std=0.0, random_state=0),
    "units": PoissonNoise(peak=30.0, random_state=0),
    "white": GaussianNoise(0.1, random_state=0),
}


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("architecture", [Dense((8,)), UNet((2, 4))])
# Eight more exports.
@pytest.mark.parametrize("frozen", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_graph_of_a_camera_holds_transform_and_inverse(camera, architecture, frozen, tmp_path):
    clean = {"counts": 4000, "few photons": 9}.get(camera, 1) * np.cumsum(GREY, axis=2) / 20
    X = CAMERAS[camera].fit_transform(clean)
    params = {"precision": "float32", "max_epochs": 1, "batch_size": 4, "random_state": 0}
    net = DenoisingAutoencoder(architecture, **params)
    if frozen:
        net = FrozenEstimator(VarianceStabilized(net, CAMERAS[camera]).fit(X, clean).denoiser_)
    denoiser = VarianceStabilized(net, CAMERAS[camera]).fit(X, clean)
    run = exported(denoiser, tmp_path / "net.onnx")
    # Far below the offset, and at twice the light of fit.
    for images in (X, X[:1] - 0.5 * np.ptp(X), 2 * X[:3]):
        images = images.astype(np.float32)
        expected = denoiser.predict(images)
        np.testing.assert_allclose(run(images), expected, rtol=0, atol=1e-5 * np.ptp(expected))
    if isinstance(architecture, UNet):
        images = X[:1, :7, :13].astype(np.float32)
        atol = 1e-5 * np.ptp(X)
        np.testing.assert_allclose(run(images), denoiser.predict(images), rtol=0, atol=atol)


def test_what_holds_no_trained_net_says_why_it_has_no_graph(tmp_path):
    for held in (MedianFilter(), PretrainedDenoiser(noise=0.1)):
        denoiser = VarianceStabilized(held, GaussianNoise(0.1)).fit(GREY)
        with pytest.raises(TypeError, match=r"writes a trained network, but .* save\(path\)"):
            denoiser.to_onnx(tmp_path / "net.onnx")
    with pytest.raises(NotFittedError):
        VarianceStabilized(DenoisingAutoencoder()).to_onnx(tmp_path / "net.onnx")


@pytest.mark.slow
def test_file_tells_version_units_and_range(tmp_path):
    X = 300 * GREY - 20
    stabilized = VarianceStabilized(DenoisingAutoencoder("dense", max_epochs=1), PoissonNoise(1.0))
    denoisers = {
        fit("dense", X): [X.min(), X.max()],
        stabilized.fit(X.clip(0), X.clip(0)): [0, X.max()],
        PretrainedDenoiser(noise=0.1).fit(GREY): [0, 1],
    }
    for denoiser, expected in denoisers.items():
        denoiser.to_onnx(tmp_path / "net.onnx")
        props = {p.key: p.value for p in onnx.load(tmp_path / "net.onnx").metadata_props}
        assert props["skdae_version"] == skdae.__version__
        assert "uint8 images, value / 255" in props["units"]
        np.testing.assert_allclose(json.loads(props["range"]), expected, rtol=1e-6)


EXPORT = """
import logging
from skdae import DenoisingAutoencoder
import numpy as np
X = np.random.default_rng(0).random((8, 4, 4))
DenoisingAutoencoder("dense", max_epochs=1).fit(X, X).to_onnx("net.onnx")
assert logging.getLogger("torch.onnx").level == logging.NOTSET
"""


@pytest.mark.slow
def test_export_says_nothing(tmp_path):
    command = [sys.executable, "-W", "ignore::UserWarning", "-c", EXPORT]
    root = Path(skdae.__file__).parents[1]
    run = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(root)}, "text": True}
    done = subprocess.run(command, capture_output=True, check=True, **run)
    assert done.stdout == done.stderr == ""
