"""The same seed gives the same bits, and nothing global is touched."""

import hashlib
import os
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback, EpochScoring

from skdae import (
    DenoisingAutoencoder,
    GaussianNoise,
    Noise2VoidDenoiser,
    Pix2PixDenoiser,
    PoissonNoise,
    PretrainedDenoiser,
    RecorruptedDenoiser,
    load,
    save,
)
from skdae.architectures import Conv, Dense, DnCNN, UNet

X = np.random.default_rng(0).random((60, 8, 8)).astype(np.float32)
SMALL = {"max_epochs": 3, "batch_size": 16, "random_state": 0}
NOISY = {**SMALL, "noise": GaussianNoise(std=0.3)}
DENOISERS = {
    "dense": DenoisingAutoencoder(Dense(hidden=(16,), dropout=0.3), **NOISY),
    "conv": DenoisingAutoencoder(Conv(filters=(4,)), **{**NOISY, "noise": PoissonNoise()}),
    "dncnn": DenoisingAutoencoder(DnCNN(depth=3, filters=4), precision="float32", **NOISY),
    "crops": DenoisingAutoencoder(UNet(filters=(2, 4)), patch_size=4, **NOISY),
    "noise2void": Noise2VoidDenoiser(UNet(filters=(2, 4)), **SMALL),
    "recorrupted": RecorruptedDenoiser(Dense(hidden=(16,)), **SMALL),
    "pix2pix": Pix2PixDenoiser(UNet(filters=(2, 4)), discriminator_filters=(4,), **NOISY),
}
every_denoiser = pytest.mark.parametrize("name", DENOISERS)


def fingerprint(denoiser):
    """A hash of weights and predictions."""
    weights = [w.detach().contiguous().numpy().tobytes() for w in denoiser.net_.weights()]
    return hashlib.sha256(b"".join([*weights, denoiser.predict(X).tobytes()])).hexdigest()


def fit_all():
    """The fingerprints of all denoisers."""
    return {name: fingerprint(clone(d).fit(X)) for name, d in DENOISERS.items()}


# Bits


@pytest.fixture(scope="module")
def expected():
    return fit_all()


@pytest.mark.slow
def test_another_process_gives_the_same_bits(expected):
    code = (
        "import warnings; warnings.simplefilter('ignore'); import torch, test_determinism as t; "
        f"torch.set_num_threads({torch.get_num_threads()}); print(t.fit_all())"
    )
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    # Hashes of strings differ from process to process; nothing may hang on their order.
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(expected)


class Reader(Callback):
    """Listens to everything, and draws from the global generators."""

    def on_batch_end(self, net, **kwargs):
        self.drawn = np.random.random(), random.random()


@every_denoiser
def test_watching_changes_no_bit(name, expected, tmp_path, capsys):
    scoring = EpochScoring(lambda net, X, y=None: 0.0, name="zero", use_caching=False)
    ways = [{"verbose": 1}, {"verbose": 2}, {"checkpoint": tmp_path / "file"}]
    for params in [*ways, {"callbacks": [Reader(), scoring]}]:
        assert fingerprint(clone(DENOISERS[name]).set_params(**params).fit(X)) == expected[name]


@every_denoiser
def test_other_seed_gives_other_bits(name, expected):
    other = clone(DENOISERS[name]).set_params(random_state=1)
    assert fingerprint(other.fit(X)) != expected[name]


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.slow
@every_denoiser
def test_numbers_of_threads_agree_within_rounding(name, threads):
    predictions = []
    for n_threads in (1, 2):
        threads(n_threads)
        predictions.append(clone(DENOISERS[name]).fit(X).predict(X))
    # In bfloat16 a rounding is 2**-8.
    bfloat16 = DENOISERS[name].precision == "auto" and name != "dense"
    np.testing.assert_allclose(*predictions, atol=2e-2 if bfloat16 else 1e-5)


# Global state


def global_state():
    return {
        "random": random.getstate(),
        "numpy": np.random.get_state()[1].tobytes(),
        "torch": torch.get_rng_state().numpy().tobytes(),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "defaults": (torch.get_default_dtype(), torch.get_default_device()),
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "autocast": (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


class Failing(Callback):
    """Fails in the second epoch."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 2:
            raise RuntimeError("the cause")


@every_denoiser
def test_global_state_is_left_as_found(name):
    denoiser = clone(DENOISERS[name]).set_params(random_state=None)
    before = global_state()
    denoiser.fit(X).predict(X)
    denoiser.partial_fit(X).score(X, X)
    assert global_state() == before
    with pytest.raises(RuntimeError, match="the cause"):
        clone(denoiser).set_params(callbacks=[Failing()]).fit(X)
    assert global_state() == before


@pytest.mark.parametrize("shape", [(1, 64, 64), (1, 64, 64, 3), (8, 20, 20)], ids=str)
def test_pretrained_nets_go_by_float32_whatever_the_default_of_torch(shape):
    counts = np.random.default_rng(0).poisson(20, shape)
    expected = PretrainedDenoiser().fit(counts).predict(counts)
    torch.set_default_dtype(torch.float64)
    try:
        predicted = PretrainedDenoiser().fit(counts).predict(counts)
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_array_equal(predicted, expected)


def test_state_that_the_caller_has_changed_changes_nothing(expected):
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            before = global_state()
            assert fingerprint(clone(DENOISERS["dense"]).fit(X)) != ""
            assert global_state() == before
    finally:
        torch.set_default_dtype(torch.float32)
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            before = global_state()
            assert fingerprint(clone(DENOISERS["conv"]).fit(X)) == expected["conv"]
            assert global_state() == before


@every_denoiser
@pytest.mark.parametrize("setting", ["default device", "autocast"])
def test_default_device_and_autocast_of_the_caller_change_nothing(
    name, setting, expected, tmp_path
):
    # Tensors on the device "meta" have no values: what lands there by default fails, as on a GPU.
    device, autocast = torch.device("meta"), torch.autocast("cpu", torch.bfloat16)
    with device if setting == "default device" else autocast:
        before = global_state()
        denoiser = clone(DENOISERS[name]).fit(X)
        assert fingerprint(denoiser) == expected[name]
        save(denoiser, tmp_path / "denoiser.safetensors")
        loaded = load(tmp_path / "denoiser.safetensors")
        np.testing.assert_array_equal(loaded.predict(X), denoiser.predict(X))
        assert global_state() == before
