"""Several processes that train one net; this file is also the script that they run."""

import json
import os
import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

import skdae
from skdae import (
    DenoisingAutoencoder,
    GaussianNoise,
    Noise2VoidDenoiser,
    Pix2PixDenoiser,
    RecorruptedDenoiser,
)
from skdae._training import distributed, hardware
from skdae.architectures import Conv, Dense, UNet

# With 3 processes the last batch of an epoch has fewer images than there are processes.
X = np.random.default_rng(0).random((37, 8, 8)).astype(np.float32)
NOISE = GaussianNoise(0.1)
PARAMS = {"batch_size": 8, "max_epochs": 2, "precision": "float32", "device": "cpu"}
autoencoder = partial(DenoisingAutoencoder, noise=NOISE, random_state=0, **PARAMS)


def denoisers():
    """One of each kind; those with batch norm under SGD.

    A bias before batch norm has a gradient of rounding errors, which Adam makes as large as others.
    """
    return {
        "dense": autoencoder(Dense((16,)), early_stopping=True, patience=1),
        "batch norm": autoencoder(Conv((4, 8)), optimizer="sgd", lr=0.1),
        "crops": autoencoder("dncnn", optimizer="sgd", patch_size=6, max_steps=6),
        "muon": autoencoder(UNet((4, 8)), optimizer="muon", lr_schedule="plateau"),
        "noise2void": Noise2VoidDenoiser(UNet((4,), residual=False), random_state=0, **PARAMS),
        "recorrupted": RecorruptedDenoiser(Dense((16,)), random_state=0, **PARAMS),
        "pix2pix": Pix2PixDenoiser(UNet((4,)), noise=NOISE, random_state=0, **PARAMS),
        "frozen": autoencoder(Frozen(), weight_decay=1.0),
    }


ALL, SOME = (
    ("dense", "batch norm", "crops", "muon", "noise2void", "recorrupted", "pix2pix", "frozen"),
    ("batch norm", "noise2void", "pix2pix"),
)


class Frozen(nn.Module):
    """Has weights that are not trained, and others that nothing uses; with any first weights."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(64, 64), nn.Linear(64, 64)
        self.unused = nn.Linear(2, 2)
        # Of the first process: the others begin elsewhere.
        torch.manual_seed(int(os.environ.get("RANK", 0)))
        for layer in self.children():
            layer.reset_parameters()
        self.first.requires_grad_(False)

    def forward(self, x):
        """Images of the same shape."""
        return self.second(self.first(x.flatten(1))).view(x.shape)


class OnEpochEnd(Callback):
    """Raise an error after the first epoch, in one process."""

    def __init__(self, error, rank):
        self.error, self.rank = error, rank

    def on_epoch_end(self, net, **kwargs):
        """Raise it."""
        if distributed.current().rank == self.rank:
            raise self.error


class InBatch(OnEpochEnd):
    """The same within an epoch."""

    on_epoch_end = Callback.on_epoch_end

    def on_batch_begin(self, net, **kwargs):
        """Raise it."""
        super().on_epoch_end(net)


def weights(denoiser):
    """All that was learnt, as one array."""
    values = [
        v.flatten().double() for m in denoiser.net_.modules() for v in m.state_dict().values()
    ]
    return torch.cat(values).numpy()


def losses(denoiser):
    """The losses of all epochs."""
    rows = denoiser.history_
    return [row[name] for row in rows for name in ("train_loss", "valid_loss")]


# What the processes do


def train(folder):
    """Fits that must be those of one process."""
    result = {}
    with skdae.distributed() as processes:
        for name in ALL if processes.size == 2 else SOME:
            denoiser = denoisers()[name].fit(X)
            result[f"{name} weights"], result[f"{name} losses"] = (
                weights(denoiser),
                losses(denoiser),
            )
    # Another block of the same processes.
    with skdae.distributed():
        partly = autoencoder(Dense((4,)))
        for start in (0, 10, 20):
            partly.partial_fit(X[start : start + 10])
        result["partial weights"] = weights(partly)
        # Stopped after one epoch, by one process for all.
        stop = OnEpochEnd(KeyboardInterrupt(), rank=processes.size - 1)
        path = folder / "checkpoint"
        kept = autoencoder(Dense((4,)), callbacks=[stop], checkpoint=path).fit(X)
        result["stopped epochs"] = kept.n_iter_
        resumed = autoencoder(Dense((4,)), checkpoint=folder / "whole").fit(X)
        result["second fit"] = weights(resumed.fit(X))
        fresh = autoencoder(Dense((4,))).set_params(random_state=None).fit(X)
        result["without a seed"] = weights(fresh)
        dropped = Masks()
        autoencoder(dropped, max_epochs=1, validation_fraction=None).fit(X)
        result["masks"] = Masks.seen
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always" if processes.rank == 0 else "ignore")
            DenoisingAutoencoder(Dense((4,)), verbose=2, **PARAMS).fit(X)
        result["warnings"] = len(caught)
    np.savez(folder / f"rank {processes.rank}.npz", **result)


class Masks(nn.Module):
    """Remembers the random numbers of its last batch."""

    seen = None

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        """The images, scaled."""
        if self.training:
            Masks.seen = torch.rand(4).numpy()
        return self.scale * x


def fail(folder):
    """Fits that must end in all processes, each in a block of its own."""
    rank = int(os.environ["RANK"])
    nan = np.where(np.arange(37)[:, None, None] == (3 if rank == 1 else -1), np.nan, X)
    fits = {
        "other data": lambda: autoencoder("dense").fit(X + (rank == 2) / 64),
        "other shape": lambda: autoencoder("dense").fit(X[: 37 - rank]),
        "other lr": lambda: autoencoder("dense", lr=0.01 + rank).fit(X),
        "other method": lambda: getattr(autoencoder("dense"), "fit" if rank else "partial_fit")(X),
        "nan": lambda: autoencoder("dense").fit(nan),
        "no images": lambda: autoencoder("dense").fit(X[: 37 * (rank != 2)]),
        "few images": lambda: autoencoder("dense", validation_fraction=None).fit(X[:2]),
        "small batch": lambda: autoencoder("dense", batch_size=2).fit(X),
        "ctrl-c": lambda: autoencoder("dense", callbacks=[InBatch(KeyboardInterrupt(), 0)]).fit(X),
        "callback": lambda: autoencoder("dense", callbacks=[InBatch(KeyError("k"), 2)]).fit(X),
        "left": lambda: rank == 1 or autoencoder("dense").fit(X),
    }
    errors = {}
    for name, fit in fits.items():
        try:
            with skdae.distributed():
                fit()
        except BaseException as error:
            errors[name] = f"{type(error).__name__}: {error}"
    (folder / f"{rank}.json").write_text(json.dumps(errors))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        autoencoder("dense", max_epochs=1).fit(X)
    apart = [w for w in caught if "skdae.distributed()" in str(w.message)]
    assert len(apart) == (rank == 0)


def leave(folder):
    """One process leaves the block at once, while another is still about to join."""
    join, joined = torch.distributed.init_process_group, folder / "joined"

    def join_late(*args, **kwargs):
        join(*args, **kwargs)
        time.sleep(1)
        joined.touch()

    if os.environ["RANK"] == "1":
        torch.distributed.init_process_group = join_late
    with skdae.distributed():
        pass
    assert joined.exists()


def swallow(folder):
    """One process goes on in the block without the fit for which the other one waits."""
    rank, ended = int(os.environ["RANK"]), folder / "ended"
    with skdae.distributed():
        # Both begin the next block at once.
        autoencoder("dense").fit(X)
    try:
        with skdae.distributed(timeout=10):
            if rank == 0:
                autoencoder("dense").fit(X)
            while not ended.exists():
                time.sleep(0.1)
    except RuntimeError as error:
        print(error)
        ended.touch()


# The tests


def run(size, function, folder):
    """Run a function of this file in several processes; return what the first one prints."""
    command = ["-m", "torch.distributed.run", f"--nproc-per-node={size}", "--standalone"]
    options = [__file__, function, str(folder)]
    paths = os.pathsep.join([str(Path(skdae.__file__).parents[1]), *sys.path])
    done = subprocess.run(
        [sys.executable, *command, *options],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def alone():
    """The same denoisers in one process."""
    return {name: denoiser.fit(X) for name, denoiser in denoisers().items()}


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 3])
def test_the_number_of_processes_is_no_part_of_the_result(size, alone, tmp_path):
    printed = run(size, "train", tmp_path)
    ranks = [np.load(tmp_path / f"rank {rank}.npz") for rank in range(size)]
    first = ranks[0]
    for name in ALL if size == 2 else SOME:
        denoiser = alone[name]
        expected = weights(denoiser)
        np.testing.assert_allclose(first[f"{name} weights"], expected, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(first[f"{name} losses"], losses(denoiser), atol=1e-6)
    partly = autoencoder(Dense((4,)))
    for start in (0, 10, 20):
        partly.partial_fit(X[start : start + 10])
    np.testing.assert_allclose(first["partial weights"], weights(partly), atol=1e-5)
    # One process goes on where several have stopped, after the epoch that one of them ended.
    whole = autoencoder(Dense((4,))).fit(X)
    resumed = autoencoder(Dense((4,)), checkpoint=tmp_path / "checkpoint").fit(X)
    assert [first["stopped epochs"], whole.n_iter_, len(resumed.history_)] == [1, 2, 2]
    np.testing.assert_allclose(weights(resumed), weights(whole), atol=1e-5)
    np.testing.assert_allclose(first["second fit"], weights(whole), atol=1e-5)
    for other in ranks[1:]:
        for name in set(first) - {"masks", "warnings"}:
            np.testing.assert_array_equal(other[name], first[name], err_msg=name)
        assert not np.isin(other["masks"], first["masks"]).any()
    assert [int(rank["warnings"]) > 0 for rank in ranks] == [True] + [False] * (size - 1)
    assert printed.count("train_loss") == 1


@pytest.mark.slow
def test_what_ends_one_process_ends_all_with_its_message(tmp_path):
    run(3, "fail", tmp_path)
    ranks = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(3)]
    on_all = {
        "other data": "ValueError: The processes that train one network must pass the same data",
        "other shape": "ValueError: The processes that train one network must pass the same data",
        "other lr": "lr is 0.01 in process 0; 1.01 in process 1; 2.01 in process 2.",
        "other method": "method is partial_fit in process 0; fit in process 1",
        "few images": "ValueError: A batch of 2 image(s) cannot be shared by 3 processes",
        "small batch": "ValueError: A batch of 2 image(s) cannot be shared by 3 processes",
    }
    for name, message in on_all.items():
        assert all(message in errors[name] for errors in ranks), (name, [r[name] for r in ranks])
    on_one = {
        "nan": (1, "ValueError: Input X contains NaN"),
        "no images": (2, "ValueError: Found array with 0 sample(s)"),
        "ctrl-c": (0, "KeyboardInterrupt"),
        "callback": (2, "KeyError: 'k'"),
    }
    for name, (culprit, message) in on_one.items():
        for rank, errors in enumerate(ranks):
            prefix = "" if rank == culprit else f"RuntimeError: Process {culprit} of 3 has ended: "
            assert errors[name].startswith(prefix + message), (rank, name, errors[name])
    assert "left" not in ranks[1]
    assert all("has left skdae.distributed()" in ranks[rank]["left"] for rank in (0, 2))


@pytest.mark.slow
def test_nobody_leaves_before_all_have_joined(tmp_path):
    run(2, "leave", tmp_path)


@pytest.mark.slow
def test_who_waits_in_vain_gives_up(tmp_path):
    assert "or does not answer, without a message" in run(2, "swallow", tmp_path)


def test_without_torchrun_the_block_is_that_of_one_process():
    with skdae.distributed() as processes:
        shared = autoencoder("dense").fit(X)
    assert (processes.rank, processes.size) == (0, 1)
    np.testing.assert_array_equal(weights(shared), weights(autoencoder("dense").fit(X)))


@pytest.mark.parametrize("backend", ["nccl", "carrier pigeons", "cpu:gloo,cuda:pigeons"])
def test_a_backend_that_is_not_there_is_refused(backend, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="is not there"), skdae.distributed(backend):
        pass


def test_each_process_has_the_gpu_of_its_number(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch, "empty", lambda *args, **kwargs: None)
    assert hardware.resolve_device("cuda") == torch.device("cuda:1")
    assert hardware.resolve_device("cuda:0") == torch.device("cuda:0")
    processes = distributed.Processes()
    processes.size = 3
    token = distributed._CURRENT.set(processes)
    try:
        for rank in (0, 1):
            monkeypatch.setenv("LOCAL_RANK", str(rank))
            assert hardware.resolve_device("auto") == torch.device("cuda", rank)
        monkeypatch.setenv("LOCAL_RANK", "2")
        with pytest.raises(ValueError, match=r"process 3 of its machine, which has 2 GPU"):
            hardware.resolve_device("auto")
    finally:
        distributed._CURRENT.reset(token)


if __name__ == "__main__":
    warnings.simplefilter("ignore", category=UserWarning)
    globals()[sys.argv[1]](Path(sys.argv[2]))
