"""What goes wrong while a net is trained leaves the estimator as before, or whole."""

import gc
import signal
import time
import warnings
import weakref
from contextlib import suppress

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from torch import nn

from skdae import (
    DenoisingAutoencoder,
    GaussianNoise,
    Noise2VoidDenoiser,
    Pix2PixDenoiser,
    RecorruptedDenoiser,
)
from skdae.architectures import Dense, UNet
from skdae.noise import BaseNoise

X = np.random.default_rng(0).random((40, 8, 8)).astype(np.float32)
SMALL = {"max_epochs": 4, "batch_size": 8, "lr_schedule": None, "random_state": 0}
DENOISERS = [
    DenoisingAutoencoder(Dense(hidden=(8,)), noise=GaussianNoise(), **SMALL),
    Noise2VoidDenoiser(UNet(filters=(2, 4)), **SMALL),
    RecorruptedDenoiser(Dense(hidden=(8,)), **SMALL),
    Pix2PixDenoiser(
        UNet(filters=(2, 4)), discriminator_filters=(2, 4), noise=GaussianNoise(), **SMALL
    ),
]
every_denoiser = pytest.mark.parametrize("denoiser", DENOISERS, ids=lambda d: type(d).__name__)

HOOKS = [
    f"on_{event}"
    for event in (
        *("train_begin", "epoch_begin", "batch_begin", "grad_computed"),
        *("batch_end", "epoch_end", "train_end"),
    )
]


class Cause(Exception):
    """What a test lets go wrong."""


class Raising(Callback):
    """Raises at one of its hooks, in the third epoch of this fit where there are epochs."""

    def __init__(self, hook, error=Cause, epoch=3):
        def fail(net, **kwargs):
            started = hook in ("on_train_begin", "on_train_end")
            if started or len(net.history) - self.n_before == epoch:
                raise error("the cause")

        self.fail, self.hook, self.n_before = fail, hook, 0

    def on_train_begin(self, net, **kwargs):
        self.n_before = len(net.history)
        self._at("on_train_begin", net)

    def _at(self, hook, net):
        if hook == self.hook:
            self.fail(net)

    def on_epoch_begin(self, net, **kwargs):
        self._at("on_epoch_begin", net)

    def on_batch_begin(self, net, **kwargs):
        self._at("on_batch_begin", net)

    def on_grad_computed(self, net, **kwargs):
        self._at("on_grad_computed", net)

    def on_batch_end(self, net, **kwargs):
        self._at("on_batch_end", net)

    def on_epoch_end(self, net, **kwargs):
        self._at("on_epoch_end", net)

    def on_train_end(self, net, **kwargs):
        self._at("on_train_end", net)


def moments(optimizer):
    """What an optimizer remembers of each parameter."""
    states = optimizer.state_dict()["state"].values()
    return [(name, v.numpy().tobytes()) for state in states for name, v in state.items()]


def bits(denoiser):
    """All that is fitted, by identity, and the bits of what training works on."""
    if not hasattr(denoiser, "net_"):
        return {name: id(value) for name, value in vars(denoiser).items()}
    net = denoiser.net_
    return (
        {name: id(value) for name, value in vars(denoiser).items()},
        [w.detach().numpy().tobytes() for w in net.weights()],
        [moments(optimizer) for optimizer in net.optimizers()],
        [dict(row) for row in net.history],
        denoiser.predict(X).tobytes(),
    )


def ways_to_fit(denoiser):
    """Anew, after another fit, from its weights, and from its optimizer too."""
    yield clone(denoiser), "fit"
    fitted = clone(denoiser).fit(X)
    yield fitted, "fit"
    yield fitted.set_params(warm_start=True), "fit"
    yield fitted, "partial_fit"


@pytest.mark.parametrize(
    ("denoiser", "hook"),
    [
        *((DENOISERS[0], hook) for hook in HOOKS),
        *((denoiser, "on_batch_end") for denoiser in DENOISERS[1:]),
    ],
    ids=lambda case: case if isinstance(case, str) else type(case).__name__,
)
def test_callback_that_fails_leaves_everything_as_before(denoiser, hook):
    for estimator, method in ways_to_fit(denoiser):
        estimator.set_params(callbacks=[Raising(hook, epoch=1 if method == "partial_fit" else 3)])
        before = bits(estimator)
        with pytest.raises(Cause, match="the cause"):
            getattr(estimator, method)(X)
        assert bits(estimator) == before


class Countdown:
    """Raises at the n-th call."""

    def __init__(self, n, error=Cause):
        self.n, self.error = n, error

    def __call__(self):
        self.n -= 1
        if self.n == 0:
            raise self.error("the cause")


class FailingLoss(Countdown):
    def __call__(self, prediction, target):
        super().__call__()
        return (prediction - target).square().mean()


class FailingNet(nn.Linear):
    def __init__(self):
        super().__init__(64, 64)
        self.count = Countdown(12)

    def forward(self, x):
        self.count()
        return super().forward(x)


class FailingNoise(BaseNoise):
    def __init__(self):
        super().__init__(clip=None)
        self.count = Countdown(12)

    def _corrupt(self, images, rng):
        self.count()
        return images


@pytest.mark.parametrize(
    "params",
    [{"loss": FailingLoss(12)}, {"architecture": FailingNet()}, {"noise": FailingNoise()}],
    ids=lambda params: next(iter(params)),
)
def test_own_code_that_fails_leaves_everything_as_before(params):
    rows = X.reshape(len(X), -1)
    new = clone(DENOISERS[0]).set_params(**params)
    before = bits(new)
    with pytest.raises(Cause, match="the cause"):
        new.fit(rows)
    assert bits(new) == before


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_memory_that_runs_out_names_what_takes_less_and_is_free_again(error, method):
    denoiser = clone(DENOISERS[0]).fit(X)
    before = bits(denoiser)
    denoiser.set_params(loss=FailingLoss(3, error))
    with pytest.raises(error, match="the cause") as info:
        getattr(denoiser, method)(X)
    assert "batch_size=8; a smaller one" in "".join(info.value.__notes__)
    denoiser.set_params(loss="mse")
    assert bits(denoiser)[1:] == before[1:]


class Watching(Raising):
    """Notes, without holding it, what a fit works on; then raises."""

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        things = [net, *net.weights(), dataset_train, dataset_train.images]
        self.seen = [weakref.ref(thing) for thing in things]
        super().on_epoch_begin(net)


@every_denoiser
@pytest.mark.parametrize("error", [Cause, torch.OutOfMemoryError, KeyboardInterrupt])
def test_failed_fit_keeps_no_memory(denoiser, error):
    watching = Watching("on_batch_end", error, epoch=1)
    denoiser = clone(denoiser).set_params(callbacks=[watching])
    with suppress(error):
        denoiser.fit(X)
    gc.collect()
    assert [ref() for ref in watching.seen if ref() is not None] == []


# A loss that is no number


class BlowUp(nn.Conv2d):
    """Returns NaN from some batch of a training on."""

    def __init__(self, good):
        super().__init__(1, 1, 3, padding=1)
        # The same weights in each.
        nn.init.constant_(self.weight, 0.1)
        nn.init.constant_(self.bias, 0.0)
        self.good = good

    def forward(self, x):
        self.good -= self.training
        is_broken = self.training and self.good < 0
        return super().forward(x) * (float("nan") if is_broken else 1.0)


@every_denoiser
def test_nan_in_the_first_epoch_is_an_error_that_names_lr(denoiser):
    fitted = clone(denoiser).fit(X)
    before = bits(fitted)
    with pytest.raises(ValueError, match="NaN or infinite in epoch 1.*lr="):
        fitted.set_params(architecture=BlowUp(good=2)).fit(X)
    fitted.set_params(architecture=denoiser.architecture)
    assert bits(fitted)[1:] == before[1:]


@every_denoiser
def test_nan_later_gives_the_net_of_the_epochs_before(denoiser):
    # 36 images are trained on: 5 batches.
    denoiser = clone(denoiser).set_params(architecture=BlowUp(good=12))
    with pytest.warns(ConvergenceWarning, match="epoch 3.*weights of epoch 2 were restored"):
        denoiser.fit(X)
    whole = clone(denoiser).set_params(architecture=BlowUp(good=99), max_epochs=2).fit(X)
    assert denoiser.n_iter_ == len(denoiser.history_) == 2
    assert bits(denoiser)[1] == bits(whole)[1]


# Ctrl-C


class CtrlC:
    """A loss that is interrupted in the middle of a batch."""

    def __init__(self, batch):
        self.batch = batch

    def __call__(self, prediction, target):
        self.batch -= 1
        if self.batch == 0:
            signal.raise_signal(signal.SIGINT)
        return (prediction - target).square().mean()


@pytest.fixture
def _listens_to_ctrl_c():
    """Python's own handler: a process that a script starts in the background has none."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.mark.usefixtures("_listens_to_ctrl_c")
def test_ctrl_c_in_a_batch_keeps_the_epochs_before():
    # 5 batches to train on and 1 to validate, an epoch.
    denoiser = clone(DENOISERS[0]).set_params(loss=CtrlC(batch=15))
    with pytest.warns(UserWarning, match="interrupted"):
        denoiser.fit(X)
    whole = clone(DENOISERS[0]).set_params(loss=CtrlC(batch=99), max_epochs=2).fit(X)
    assert denoiser.n_iter_ == 2
    assert bits(denoiser)[1] == bits(whole)[1]
    before = bits(denoiser)
    with pytest.raises(KeyboardInterrupt):
        denoiser.set_params(loss=CtrlC(batch=3)).fit(X)
    assert bits(denoiser)[1:] == before[1:]


class Recorder(Callback):
    """The weights after each epoch."""

    def on_train_begin(self, net, **kwargs):
        self.weights = []

    def on_epoch_end(self, net, **kwargs):
        self.weights.append([w.detach().numpy().tobytes() for w in net.weights()])


@pytest.mark.usefixtures("_listens_to_ctrl_c")
def test_ctrl_c_at_any_moment_gives_whole_epochs_or_nothing():
    recorder = Recorder()
    denoiser = clone(DENOISERS[0]).set_params(max_epochs=30)
    started = time.process_time()
    clone(denoiser).set_params(callbacks=[recorder]).fit(X)
    seconds = time.process_time() - started
    # A clock of the time that this process computes, however busy the machine is.
    previous = signal.signal(signal.SIGPROF, lambda *_: signal.raise_signal(signal.SIGINT))
    moments = np.random.default_rng(0).uniform(0.2 * seconds, seconds, size=20)
    n_interrupted = 0
    try:
        for moment in moments:
            new = clone(denoiser)
            before = bits(new)
            try:
                signal.setitimer(signal.ITIMER_PROF, moment)
                fit_quietly(new)
                signal.setitimer(signal.ITIMER_PROF, 0)
            except KeyboardInterrupt:
                # It may also come when `fit` has done all its work, but not yet returned.
                whole = hasattr(new, "n_iter_")
                assert bits(new) == before or whole
            else:
                whole = True
                n_interrupted += new.n_iter_ < 30
            if whole:
                assert bits(new)[1] == recorder.weights[new.n_iter_ - 1]
                assert all("valid_loss" in row for row in new.history_)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)
    assert n_interrupted > 0


def fit_quietly(denoiser):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return denoiser.fit(X)


# Many fits


@pytest.mark.slow
def test_failing_candidates_of_a_search_cost_no_other():
    grid = {"lr": [1e-3, 1e38]}
    denoiser = clone(DENOISERS[0]).set_params(optimizer="sgd", max_epochs=2)
    scores = []
    for n_jobs in (1, 2):
        search = GridSearchCV(denoiser, grid, cv=2, n_jobs=n_jobs, error_score=-9.0)
        with pytest.warns(FitFailedWarning, match="2 fits failed out of a total of 4") as record:
            search.fit(X)
        (failed,) = [w.message for w in record if w.category is FitFailedWarning]
        assert "diverged with lr=1e+38" in str(failed)
        scores.append(search.cv_results_["mean_test_score"])
        assert scores[-1][1] == -9.0
        assert search.best_params_ == {"lr": 1e-3}
    # Workers may have another number of threads.
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-5)
