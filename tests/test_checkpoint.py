"""A training that goes on from its checkpoint ends as if nothing had happened."""

import json
import multiprocessing
import os
import random
import resource
import signal
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from skdae import (
    DenoisingAutoencoder,
    GaussianNoise,
    Noise2VoidDenoiser,
    Pix2PixDenoiser,
    PoissonNoise,
    RecorruptedDenoiser,
    load,
    save,
)
from skdae._files.arrays import read_arrays
from skdae.architectures import Conv, Dense, DnCNN, UNet

X = np.random.default_rng(0).random((40, 8, 8)).astype(np.float32)
NOISE = GaussianNoise(std=0.3)


class Weighted(nn.Module):
    """A loss with weights of its own."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(64))

    def forward(self, prediction, target):
        errors = (prediction - target).square().flatten(1)
        return (errors * self.weight.softmax(0)).sum(1).mean()


def net(estimator=DenoisingAutoencoder, architecture=None, **params):
    if estimator not in (Noise2VoidDenoiser, RecorruptedDenoiser):
        params = {"noise": NOISE, **params}
    params = {"max_epochs": 12, "batch_size": 16, "random_state": 0, **params}
    return estimator(architecture or Dense(hidden=(8,)), **params)


# Between them they have every kind of state that changes while a net is trained.
NETS = {
    "dropout": net(architecture=Dense(hidden=(8,), dropout=0.3), noise=PoissonNoise(peak=9.0)),
    "batch norm": net(architecture=DnCNN(depth=3, filters=4), lr_schedule="onecycle"),
    "crops": net(architecture=UNet(filters=(2, 4)), patch_size=4, optimizer="sgd"),
    "half precision": net(architecture=Conv(filters=(4,)), precision="float16"),
    "muon": net(architecture=Conv(filters=(4,)), precision="float16", optimizer="muon"),
    "early stopping": net(
        early_stopping=True, patience=3, lr=0.05, lr_schedule="plateau", max_epochs=99
    ),
    "loss with weights": net(loss=Weighted(), optimizer=torch.optim.NAdam, random_state=None),
    "noise2void": net(Noise2VoidDenoiser, UNet(filters=(2, 4)), lr_schedule=None),
    "recorrupted": net(RecorruptedDenoiser),
    "pix2pix": net(Pix2PixDenoiser, UNet(filters=(2, 4)), discriminator_filters=(2, 4)),
}
KILLS = int(os.environ.get("SKDAE_KILLS", 0))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "training.safetensors"


def trained(denoiser):
    """Bits of all that training changes, and the history without its seconds."""
    weights = [w.detach().numpy().tobytes() for w in denoiser.net_.weights()]
    rows = [{k: v for k, v in row.items() if k != "dur"} for row in denoiser.history_]
    return weights, rows


class AverageWeights(Callback):
    """Training ends with an exponential moving average of the weights after each step.

    Parameters
    ----------
    decay : float, default=0.999
        Weight in [0, 1) of the steps before, at each step.
    """

    def __init__(self, decay=0.999):
        self.decay = decay

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Start from the weights there are; follow the optimizer."""
        weights = [*net.module_.parameters()]
        update = get_ema_multi_avg_fn(self.decay)
        self.average_ = [w.detach().clone() for w in weights]
        self.hook_ = net.optimizer_.register_step_post_hook(
            lambda *_: update(self.average_, weights, None)
        )

    def on_train_end(self, net, X=None, y=None, **kwargs):
        """Put the average in the place of the weights."""
        self.hook_.remove()
        for own, average in zip(net.module_.parameters(), self.average_, strict=True):
            own.data.copy_(average)
        # A hook cannot be pickled with the net.
        del self.hook_, self.average_

    def state_dict(self):
        """What changes from step to step."""
        return {"average": self.average_}

    def load_state_dict(self, state):
        """Take over what `state_dict` gave."""
        for own, value in zip(self.average_, state["average"], strict=True):
            own.copy_(value)


class Stop(Callback):
    """Raises at the start of an epoch."""

    def __init__(self, epoch, error):
        self.epoch, self.error = epoch, error

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise self.error


def fit_in_parts(denoiser, path, epochs=(1, 3, 4)):
    """Fit anew after a failure at the start of each of these epochs."""
    for epoch in epochs:
        broken = clone(denoiser).set_params(
            checkpoint=path, callbacks=[Stop(epoch, RuntimeError("killed"))]
        )
        with pytest.raises(RuntimeError, match="killed"):
            broken.fit(X)
    return clone(denoiser).set_params(checkpoint=path).fit(X)


def fit_quietly(denoiser):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return denoiser.fit(X)


# The same bits


@pytest.mark.parametrize("name", NETS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_training_in_parts_gives_the_bits_of_one_in_one_piece(name, path, monkeypatch):
    denoiser = clone(NETS[name])
    in_parts = fit_in_parts(denoiser, path)
    if denoiser.random_state is None:
        # The seed of the first part served all of them.
        monkeypatch.setattr("skdae._training.start.draw_seed", lambda _: in_parts._seed)
    whole = clone(denoiser).fit(X)
    assert trained(in_parts) == trained(whole)
    assert in_parts.n_iter_ == whole.n_iter_
    assert (whole.n_iter_ < whole.max_epochs) == (name == "early stopping")
    np.testing.assert_array_equal(in_parts.predict(X), whole.predict(X))


def test_averaged_weights_go_on_from_a_checkpoint(path):
    def fit(decay, *callbacks, **params):
        return net(max_epochs=3, callbacks=[AverageWeights(decay), *callbacks], **params).fit(X)

    plain = net(max_epochs=3).fit(X)
    with pytest.raises(RuntimeError, match="killed"):
        fit(0.9, Stop(2, RuntimeError("killed")), checkpoint=path)
    whole = fit(0.9)
    assert trained(fit(0.9, checkpoint=path)) == trained(whole)
    assert trained(whole)[0] != trained(plain)[0]
    assert trained(fit(0.0)) == trained(plain)


def train_and_report(denoiser, path, report):
    """What a process that may be killed does."""
    torch.set_num_threads(1)
    fitted = fit_quietly(denoiser.set_params(checkpoint=path))
    weights, rows = trained(fitted)
    Path(report).write_text(json.dumps([[w.hex() for w in weights], rows]))


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS if KILLS else ["dropout"])
def test_killed_training_ends_with_the_bits_of_an_undisturbed_one(name, tmp_path):
    """SKDAE_KILLS=10 kills each net ten times."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["skdae", "pytest"])
    denoiser = clone(NETS[name]).set_params(
        max_epochs=60, early_stopping=False, random_state=NETS[name].random_state or 0
    )

    def start(folder):
        folder.mkdir(exist_ok=True)
        process = processes.Process(
            target=train_and_report,
            args=(denoiser, folder / "checkpoint", folder / "report"),
        )
        process.start()
        return process

    whole = tmp_path / "whole"
    process = start(whole)
    process.join()
    assert process.exitcode == 0

    parts, moment = tmp_path / "parts", random.Random(name)
    n_kills = 0
    for _ in range(KILLS or 2):
        file = parts / "checkpoint"
        before = file.stat().st_mtime_ns if file.exists() else None
        process = start(parts)
        # Not before it has got somewhere, so that the last kill, too, hits a training.
        while process.is_alive() and (not file.exists() or file.stat().st_mtime_ns == before):
            time.sleep(0.001)
        time.sleep(moment.uniform(0, 0.05))
        process.kill()
        process.join()
        n_kills += process.exitcode == -signal.SIGKILL
    assert n_kills == (KILLS or 2)
    process = start(parts)
    process.join()
    assert process.exitcode == 0
    assert (parts / "report").read_text() == (whole / "report").read_text()
    assert {file.name for file in parts.iterdir()} == {"checkpoint", "report"}


def test_writing_that_was_killed_leaves_nothing_behind(path):
    path.with_name(f".{path.name}.{'0a' * 16}.skdae-tmp").touch()
    net(max_epochs=2, checkpoint=path).fit(X)
    assert set(path.parent.iterdir()) == {path}


def test_finished_training_is_not_repeated(path):
    for denoiser in (net(max_epochs=2), clone(NETS["early stopping"])):
        denoiser.set_params(checkpoint=path)
        first = fit_quietly(denoiser)
        bits = path.read_bytes()
        path.chmod(0o400)
        again = clone(denoiser).set_params(callbacks=[Stop(len(first.history_) + 1, ValueError())])
        assert trained(fit_quietly(again)) == trained(first)
        assert again.n_iter_ == first.n_iter_
        assert path.read_bytes() == bits
        path.unlink()


def test_checkpoint_changes_no_bit_of_a_training(path):
    assert trained(net(checkpoint=path).fit(X)) == trained(net().fit(X))


def test_interrupted_fit_keeps_its_epochs_and_goes_on_later(path):
    denoiser = net(checkpoint=str(path), callbacks=[Stop(4, KeyboardInterrupt())])
    with pytest.warns(UserWarning, match="interrupted"):
        denoiser.fit(X)
    assert denoiser.n_iter_ == len(denoiser.history_) == 3
    denoiser.set_params(callbacks=None, verbose=2).fit(X)
    assert trained(denoiser) == trained(net().fit(X))


def test_progress_bar_goes_on_where_the_training_does(path, capsys):
    denoiser = net(verbose=1, max_epochs=4)
    fit_in_parts(denoiser, path, epochs=[3])
    assert "epoch 4/4" in capsys.readouterr().err


def test_random_state_none_goes_on_with_the_seed_of_the_file(path):
    denoiser = net(random_state=None)
    fit_in_parts(denoiser, path)
    seeds = {clone(denoiser).set_params(checkpoint=path).fit(X)._seed for _ in range(2)}
    assert len(seeds) == 1
    with pytest.raises(ValueError, match="random_state is"):
        net(random_state=np.random.RandomState(3), checkpoint=path).fit(X)


def test_partial_fit_writes_no_checkpoint(path):
    net(checkpoint=path).partial_fit(X)
    assert not path.exists()


def test_each_fit_of_a_warm_start_has_a_file_of_its_own(path, tmp_path):
    denoiser = net(max_epochs=3, warm_start=True, checkpoint=path).fit(X)
    first = tmp_path / "first"
    denoiser.save(first)
    with pytest.raises(ValueError, match="number of fits before is 1 here, but 0 there"):
        denoiser.fit(X)
    denoiser.set_params(checkpoint=None).fit(X)
    other = tmp_path / "other"
    for error in (RuntimeError("killed"), None):
        again = load(first).set_params(checkpoint=other, warm_start=True)
        if error:
            with pytest.raises(RuntimeError):
                again.set_params(callbacks=[Stop(5, error)]).fit(X)
    assert trained(again.fit(X))[0] == trained(denoiser)[0]
    assert again.n_iter_ == 3


# Another fit's file


@pytest.mark.parametrize(
    ("params", "difference"),
    [
        ({"lr": 0.5}, "lr is 0.5 here, but 0.001 there"),
        ({"max_epochs": 3}, "max_epochs is 3 here, but 2 there"),
        ({"architecture": Dense(hidden=(8,), dropout=0.1)}, r"dropout=0\.1.* here, but Dense"),
        ({"noise": GaussianNoise(std=0.1)}, r"noise is .*std=0\.1.* here, but .*std=0\.3"),
        ({"loss": Weighted()}, "loss is Weighted.* here, but 'mse' there"),
        ({"optimizer": torch.optim.NAdam}, "optimizer is torch.*NAdam here, but 'adamw' there"),
        ({"precision": "bfloat16"}, "precision is bfloat16 here, but float32 there"),
        ({"random_state": 1}, "random_state is"),
        ({"validation_fraction": None}, "validation_fraction is None here"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_other_parameters_are_refused_by_name(params, difference, path):
    denoiser = net(max_epochs=2, checkpoint=path).fit(X)
    bits, before = path.read_bytes(), trained(denoiser)
    with pytest.raises(ValueError, match=f"belongs to another fit: .*{difference}"):
        denoiser.set_params(**params).fit(X)
    assert path.read_bytes() == bits
    assert trained(denoiser) == before


def test_other_data_are_refused(path):
    changed = X.copy()
    changed[3, 2, 1] += 1e-6
    net(max_epochs=2, checkpoint=path).fit(X)
    for data, name in [((changed,), "X"), ((X[:39],), "X"), ((X, X[::-1]), "y")]:
        with pytest.raises(ValueError, match=f"another fit: {name} is .* here, but"):
            net(max_epochs=2, checkpoint=path).fit(*data)


def test_other_data_of_different_sizes_are_refused(path):
    denoiser = net(max_epochs=1, checkpoint=path, architecture=UNet((2,)), patch_size=4)
    denoiser.fit([X[0], X[1, :6]])
    with pytest.raises(ValueError, match="another fit: X is 2 images with hash .* here, but"):
        denoiser.fit([X[0], X[2, :6]])


def test_other_first_weights_of_a_module_are_refused(path):
    torch_state = torch.get_rng_state()
    modules = [nn.Conv2d(1, 1, 3, padding=1) for _ in range(2)]
    torch.set_rng_state(torch_state)
    net(architecture=modules[0], checkpoint=path, max_epochs=1).fit(X)
    with pytest.raises(ValueError, match="another fit: first weights is"):
        net(architecture=modules[1], checkpoint=path, max_epochs=1).fit(X)


def test_what_cannot_change_the_weights_may_differ(path):
    broken = {"checkpoint": path, "callbacks": [Stop(3, RuntimeError())]}
    with pytest.raises(RuntimeError):
        net(architecture=Conv(filters=(4,)), **broken).fit(X)
    other = {"verbose": 2, "tile_size": 64, "transform_to": "latent", "device": "cpu"}
    denoiser = net(architecture=Conv(filters=(4,)), checkpoint=path, **other).fit(X)
    assert trained(denoiser) == trained(net(architecture=Conv(filters=(4,))).fit(X))


# A file that is not a checkpoint


def damages(good):
    yield "empty", b""
    yield "half", good[: len(good) // 2]
    yield "flipped bit", good[:-100] + bytes([good[-100] ^ 1]) + good[-99:]
    yield "text", b"a shopping list" * 100


def test_damaged_checkpoint_is_an_error_before_training(path):
    net(max_epochs=2, checkpoint=path).fit(X)
    for _, bits in damages(path.read_bytes()):
        path.write_bytes(bits)
        with pytest.raises(ValueError, match="cannot be read: it .* Delete the file"):
            net(max_epochs=2, checkpoint=path).fit(X)
        assert path.read_bytes() == bits


def test_saved_estimator_is_not_a_checkpoint_and_the_other_way_round(path, tmp_path):
    denoiser = net(max_epochs=1, checkpoint=path).fit(X)
    with pytest.raises(ValueError, match="cannot be loaded: it is not an estimator; a checkpoint"):
        load(path)
    save(denoiser, tmp_path / "saved")
    with pytest.raises(ValueError, match="cannot be read: it is a file of skdae, but not a ch"):
        denoiser.set_params(checkpoint=tmp_path / "saved").fit(X)


def test_loaded_estimator_writes_nowhere(path, tmp_path):
    denoiser = net(max_epochs=1, checkpoint=path).fit(X)
    save(denoiser, tmp_path / "saved")
    assert load(tmp_path / "saved").checkpoint is None
    assert denoiser.checkpoint == path


def test_folder_that_is_not_there_is_an_error_before_training(tmp_path):
    calls = []
    denoiser = net(checkpoint=tmp_path / "no" / "file", loss=lambda *batch: calls.append(batch))
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        denoiser.fit(X)
    with pytest.raises(OSError, match="is a folder"):
        denoiser.set_params(checkpoint=tmp_path).fit(X)
    assert not calls
    assert not hasattr(denoiser, "net_")


@pytest.fixture
def limit_files():
    """A function that lets no file grow beyond a size, as on a full disk."""
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda n_bytes=before: resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))


def test_full_disk_is_an_error_before_training(path, limit_files):
    limit_files(100)
    with pytest.raises(OSError, match="too large"):
        net(checkpoint=path).fit(X)
    limit_files()
    assert list(path.parent.iterdir()) == []


class FullFor(Callback):
    """The disk is full at the end of some epochs."""

    def __init__(self, path, epochs, limit_files):
        self.path, self.epochs, self.limit_files, self.files = path, epochs, limit_files, []

    def on_epoch_begin(self, net, **kwargs):
        self.files.append(self.path.read_bytes())
        self.limit_files(*[100][: len(net.history) in self.epochs])

    def on_train_end(self, net, **kwargs):
        self.files.append(self.path.read_bytes())


def test_disk_that_fills_while_training_costs_a_warning_and_no_net(path, limit_files):
    full = FullFor(path, [3, 4], limit_files)
    with pytest.warns(RuntimeWarning, match="not be written after epoch 3 .* goes on") as record:
        denoiser = net(max_epochs=5, checkpoint=path, callbacks=[full]).fit(X)
    assert len([w for w in record if w.category is RuntimeWarning]) == 1
    assert trained(denoiser) == trained(net(max_epochs=5).fit(X))
    # The files before each epoch, and after the last.
    assert [len(set(full.files[:n])) for n in range(1, 7)] == [1, 2, 3, 3, 3, 4]
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert trained(net(max_epochs=5, checkpoint=path).fit(X)) == trained(denoiser)


class Odd(torch.optim.SGD):
    """An optimizer with something in its state that no file can hold."""

    def state_dict(self):
        return {**super().state_dict(), "odd": object()}


def test_state_that_no_file_can_hold_is_an_error_before_training(path):
    with pytest.raises(TypeError, match=r"optimizers.0.odd is <object .* a checkpoint cannot hold"):
        net(optimizer=Odd, checkpoint=path).fit(X)
    assert not path.exists()


def test_file_holds_no_code(path):
    net(max_epochs=1, checkpoint=path, loss=Weighted()).fit(X)
    arrays, tree = read_arrays(path)
    assert set(tree) == {"fit", "state"}
    assert all(array.dtype != object for array in arrays.values())
