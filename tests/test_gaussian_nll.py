"""A net that says how far off it is, and denoises as it would without."""

import numpy as np
import pytest
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch import nn

from skdae import (
    ConformalDenoiser,
    DenoisingAutoencoder,
    GaussianNoise,
    MedianFilter,
    SelfEnsembleDenoiser,
    load,
)
from skdae._training.losses import Loss
from skdae.architectures import Conv, Dense, DnCNN, UNet

# Small nets, short trainings.
pytestmark = pytest.mark.filterwarnings("ignore:The network denoises its .* images no better")

rng = np.random.default_rng(0)
X = rng.random((12, 16, 16)).astype(np.float32)


def dae(architecture="auto", **params):
    settings = {"max_epochs": 2, "batch_size": 4, "random_state": 0, "noise": GaussianNoise(0.1)}
    return DenoisingAutoencoder(architecture, loss="gaussian_nll", **{**settings, **params})


def learnt(X, y, **params):
    settings = {"max_epochs": 15, "batch_size": 16, "lr": 3e-3, "random_state": 0}
    return DenoisingAutoencoder(loss="gaussian_nll", **{**settings, **params}).fit(X, y)


# What it learns


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("unit", [1, 4000])
def test_std_is_that_of_the_noise_in_the_units_of_the_images(unit, flat):
    # The noise of y cannot be told, and is 4 times as strong in light images: its std is the error.
    clean = rng.choice([0.3, 0.7], (400, 1, 1)) * np.ones((400, 8, 8))
    is_light = clean[:, 0, 0] > 0.5
    noisy = clean + np.where(clean > 0.5, 0.08, 0.02) * rng.normal(size=clean.shape)
    shape = (400, 64) if flat else (400, 8, 8)
    images, targets = (unit * x.reshape(shape) for x in (clean, noisy))
    net = learnt(images, targets, architecture="dense" if flat else Conv((8,)))
    denoised, std = net.predict(images, return_std=True)
    for group in (is_light, ~is_light):
        error = np.sqrt(np.mean((denoised - targets)[group] ** 2))
        # A net for images has to tell borders as well, and is not done after so few steps.
        assert std[group].mean() == pytest.approx(error, rel=0.15 if flat else 0.8)
    assert std[is_light].mean() > 1.5 * std[~is_light].mean()
    assert std.dtype == denoised.dtype == np.float32


@pytest.mark.parametrize("architecture", [Conv((4,)), UNet((2, 4)), DnCNN(depth=3), Dense((8,))])
def test_predictions_are_those_of_the_squared_error(architecture):
    nll, mse = dae(architecture).fit(X), dae(architecture).set_params(loss="mse").fit(X)
    np.testing.assert_allclose(nll.predict(X), mse.predict(X), atol=1e-4)
    np.testing.assert_array_equal(nll.predict(X), nll.predict(X, return_std=True)[0])


def test_loss_is_the_likelihood_and_its_gradient_leaves_the_mean_alone():
    output = torch.tensor([[0.2, 0.5, 0.1, -2.0]], requires_grad=True)
    target = torch.tensor([[0.0, 1.0]])
    loss = Loss("gaussian_nll", "identity")(output, target)
    mean, log_variance = output.detach().numpy().reshape(2, 2)
    error = (mean - target.numpy()[0]) ** 2
    deviance = 0.5 * np.mean(error / np.exp(log_variance) + log_variance)
    assert loss.item() == pytest.approx(error.mean() + deviance)
    loss.backward()
    np.testing.assert_allclose(output.grad[0, :2], [0.2, -0.5], rtol=1e-6)


# Kinds of nets and images


def test_tiles_give_what_the_whole_gives():
    net = dae(UNet((2, 4)), max_epochs=1).fit(rng.random((6, 96, 96)).astype("f4"))
    image = rng.random((1, 150, 170)).astype("f4")
    whole = net.predict(image, return_std=True)
    in_tiles = net.set_params(tile_size=112).predict(image, return_std=True)
    for part, expected in zip(in_tiles, whole, strict=True):
        np.testing.assert_allclose(part, expected, atol=1e-5)


def test_lists_rows_colours_and_volumes_have_a_std_of_their_shape():
    net = dae(UNet((2, 4)), patch_size=8).fit([X[0], X[1, :9]])
    denoised, std = net.predict([X[0], X[1, :9]], return_std=True)
    assert [s.shape for s in std] == [d.shape for d in denoised] == [(16, 16), (9, 16)]
    rows = dae("conv").fit(X.reshape(12, -1)).predict(X.reshape(12, -1), return_std=True)
    assert rows[0].shape == rows[1].shape == (12, 256)
    colours = np.repeat(X[..., None], 3, axis=3)
    assert dae("conv").fit(colours).predict(colours, return_std=True)[1].shape == colours.shape
    volumes = X.reshape(3, 4, 16, 16)
    deep = dae("conv", channel_axis=None).fit(volumes).predict(volumes, return_std=True)
    assert deep[0].shape == deep[1].shape == volumes.shape
    assert all((part > 0).all() for part in (std[0], rows[1], deep[1]))


def test_codes_are_those_of_the_net_that_denoises():
    net = dae("dense", latent_dim=3).fit(X)
    np.testing.assert_allclose(net.decode(net.encode(X)), net.predict(X), atol=1e-6)
    with pytest.raises(AttributeError, match="encode"):
        dae(DnCNN(depth=3)).fit(X).encode(X)


def test_a_module_of_ones_own_gets_a_std():
    net = dae(nn.Conv2d(1, 1, 3, padding="same")).fit(X)
    assert net.predict(X, return_std=True)[1].shape == X.shape
    with pytest.raises(ValueError, match="returned a batch"):
        dae(nn.Conv2d(1, 2, 3, padding="same")).fit(X)


def test_a_fit_goes_on():
    net = dae(Conv((4,)), warm_start=True).fit(X)
    assert len(net.fit(X).partial_fit(X).history_) == 5
    with pytest.raises(ValueError, match="second output"):
        net.set_params(loss="mse").fit(X)


# Files and compositions


def test_file_keeps_it(tmp_path):
    net = dae(UNet((2, 4))).fit(X)
    net.save(tmp_path / "net")
    again = load(tmp_path / "net")
    for part, expected in zip(*(n.predict(X, return_std=True) for n in (again, net)), strict=True):
        np.testing.assert_array_equal(part, expected)


@pytest.mark.parametrize("kind", ["rows of counts", "larger colours of any size"])
def test_onnx_has_a_second_output(kind, tmp_path):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    if kind == "rows of counts":
        images = 4000 * X.reshape(12, -1) + 100
        net = dae("dense", noise=GaussianNoise(400), precision="float32").fit(images)
    else:
        images = np.repeat(X[..., None], 3, axis=3)
        net = dae(UNet((2, 4)), noise=GaussianNoise(0.1), precision="float32").fit(images)
        images = images[:5, :10]
    net.to_onnx(tmp_path / "net.onnx")
    session = runtime.InferenceSession(tmp_path / "net.onnx")
    assert [output.name for output in session.get_outputs()] == ["X_denoised", "X_std"]
    outputs = session.run(None, {"X": images})
    for output, expected in zip(outputs, net.predict(images, return_std=True), strict=True):
        np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5)


def test_pipelines_pass_it_on_and_ensembles_average_it():
    net = dae(UNet((2, 4))).fit(X)
    pipeline = make_pipeline(MedianFilter(), FrozenEstimator(net)).fit(X)
    expected = net.predict(MedianFilter().fit_transform(X), return_std=True)[1]
    np.testing.assert_array_equal(pipeline.predict(X, return_std=True)[1], expected)
    ensemble = SelfEnsembleDenoiser(FrozenEstimator(net)).fit(X)
    denoised, std = ensemble.predict(X, return_std=True)
    np.testing.assert_array_equal(denoised, ensemble.predict(X))
    poses = [np.rot90(X, k, (1, 2))[:, :, ::step] for k in range(4) for step in (1, -1)]
    means = [net.predict(np.ascontiguousarray(p), return_std=True)[1].mean() for p in poses]
    assert std.mean() == pytest.approx(np.mean(means), rel=1e-5)
    frozen = SelfEnsembleDenoiser(FrozenEstimator(pipeline)).fit(X)
    assert frozen.predict(X, return_std=True)[1].shape == X.shape


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda net: net,
        lambda net: make_pipeline(MedianFilter(size=1), net),
        SelfEnsembleDenoiser,
        lambda net: GridSearchCV(net, {"lr": [1e-3]}, cv=2),
    ],
    ids=["net", "pipeline", "ensemble", "search"],
)
def test_intervals_take_the_std_as_their_width(wrapped):
    clean = rng.random((60, 8, 8)).astype("f4")
    noisy = GaussianNoise(0.1, clip=None, random_state=0).fit_transform(clean)
    denoiser = ConformalDenoiser(wrapped(dae(Conv((4,)), noise=None)))
    denoiser.fit(noisy, clean).conformalize(noisy, clean)
    # Beside brightness, texture and a constant.
    assert len(denoiser.widths_.weights) == 4
    _, (low, high) = denoiser.predict_interval(noisy)
    assert ((low <= clean) & (clean <= high)).mean() == pytest.approx(0.9, abs=0.03)


def test_std_without_its_loss_is_refused():
    net = dae(Conv((4,))).set_params(loss="mse").fit(X)
    with pytest.raises(ValueError, match="loss='gaussian_nll', but loss='mse'"):
        net.predict(X, return_std=True)
    ensemble = SelfEnsembleDenoiser(MedianFilter()).fit(X)
    with pytest.raises(ValueError, match="return_std=True needs a denoiser"):
        ensemble.predict(X, return_std=True)
