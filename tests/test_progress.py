"""What long work tells of itself: bars, lines of a log, and how long a fit will take."""

import logging
import subprocess
import sys
import warnings
from itertools import count

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline

from skdae import (
    AdaptedDenoiser,
    DenoisingAutoencoder,
    GaussianNoise,
    MedianFilter,
    Noise2VoidDenoiser,
    RecorruptedDenoiser,
)
from skdae._training import progress
from skdae.architectures import Dense, UNet

NOISE = GaussianNoise(0.2, random_state=0)
SMALL = {"max_epochs": 2, "random_state": 0, "batch_size": 32}


def small(**params):
    return DenoisingAutoencoder(Dense((8,)), **{"noise": NOISE, **SMALL, **params})


def bars(text):
    """The last state of each bar in what was printed."""
    return [line.rsplit("\r", 1)[-1] for line in text.split("\n") if "\r" in line]


@pytest.mark.parametrize(
    "denoiser",
    [
        small(verbose=1),
        Noise2VoidDenoiser(UNet((4, 8), residual=False), verbose=1, **SMALL),
        RecorruptedDenoiser(UNet((4, 8)), std=0.2, verbose=1, **SMALL),
    ],
    ids=lambda d: type(d).__name__,
)
def test_a_fit_is_one_bar_with_its_losses(denoiser, digits, capsys):
    denoiser.fit(digits[1][:100])
    printed = capsys.readouterr()
    (bar,) = bars(printed.err)
    last = denoiser.history_[-1]
    assert not printed.out
    assert "epoch 2/2" in bar
    assert "100%" in bar
    assert f"train_loss={last['train_loss']:.4g}" in bar
    if "valid_loss" in last:
        assert f"valid_loss={last['valid_loss']:.4g}" in bar


def test_the_loss_is_shown_before_the_first_epoch_ends(digits, capsys, monkeypatch):
    # Each refresh is due: tqdm takes its time from there.
    monkeypatch.setattr("tqdm.std.time", map(float, count()).__next__)
    small(verbose=1, max_epochs=1).fit(digits[1][:320])
    shown = capsys.readouterr().err.split("\r")
    assert any("train_loss" in state and "100%" not in state for state in shown)


def test_adapting_shows_its_loss(capsys):
    X = NOISE.fit_transform(np.full((4, 64, 64), 0.5, np.float32))
    with pytest.warns(UserWarning, match="was kept for the gray images"):
        AdaptedDenoiser(noise=0.2, max_steps=3, verbose=1, random_state=0).fit(X)
    (bar,) = bars(capsys.readouterr().err)
    assert "adapting" in bar
    assert "loss=" in bar


def test_predict_to_shows_its_blocks(capsys):
    X = np.random.default_rng(0).random((1, 100, 100)).astype(np.float32)
    median = MedianFilter(3).fit(X)
    median.predict_to(X, np.empty_like(X), tile_size=50, verbose=1)
    (bar,) = bars(capsys.readouterr().err)
    assert "block" in bar


def test_a_search_with_verbose_shows_the_bars_of_its_nets(digits, capsys):
    X = digits[1][:90]
    pipe = Pipeline([("noise", NOISE), ("dae", small(noise=None))])
    warnings.simplefilter("ignore", ConvergenceWarning)
    search = GridSearchCV(pipe, {"dae__lr": [1e-3, 1e-2]}, cv=2, verbose=1)
    search.fit(X, X)
    printed = capsys.readouterr()
    assert "totalling 4 fits" in printed.out
    # And that of the best one.
    assert [("epoch 2/2" in bar) for bar in bars(printed.err)] == [True] * 5
    search.set_params(verbose=0).fit(X, X)
    cross_validate(pipe, X, X, cv=2)
    assert "".join(capsys.readouterr()) == ""
    cross_validate(pipe, X, X, cv=2, verbose=1)
    assert len(bars(capsys.readouterr().err)) == 2


@pytest.fixture
def seconds(monkeypatch):
    """A clock that so many seconds pass on at each look; 1 unless a test says otherwise."""
    step = [1.0]
    clock = count()
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock) * step[0])
    return step


def test_a_long_fit_says_how_long_by_its_first_batches(digits, seconds, caplog):
    # 10 epochs of 30 steps, each of a second: 5 minutes.
    small(max_epochs=10, validation_fraction=0).fit(digits[1][:960])
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("skdae", logging.INFO)
    assert "about 5 minutes: 300 steps of 1 s" in record.message


def test_a_short_fit_and_one_with_a_bar_say_nothing(digits, seconds, caplog, capsys):
    small(max_epochs=1).fit(digits[1][:960])
    small(max_epochs=10, verbose=1).fit(digits[1][:960])
    assert caplog.records == []
    assert "minutes" not in "".join(capsys.readouterr())


def test_hours_are_hours(digits, seconds, caplog):
    seconds[0] = 60
    small(max_epochs=10, validation_fraction=0).fit(digits[1][:960])
    assert "about 5.0 hours: 300 steps of 60 s" in caplog.text


def test_steps_of_adapting_are_judged_by_the_first(caplog, monkeypatch):
    clock = count()
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    pace = progress.Pace()
    for _ in range(10):
        pace.step(200)
    assert "about 3 minutes: 200 steps of 1 s" in caplog.text
    assert len(caplog.records) == 1


@pytest.mark.slow
def test_where_nobody_has_set_up_a_log_the_line_is_on_the_standard_error():
    script = "from skdae._training.progress import _log; _log('It takes long.')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "It takes long.\n")
    # A level that the user has chosen stays.
    quiet = f"import logging; logging.getLogger('skdae').setLevel('WARNING'); {script}"
    done = subprocess.run([sys.executable, "-c", quiet], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_lines_in_place_of_a_bar(digits, capsys):
    with progress.in_lines(0):
        small(verbose=1).fit(digits[1][:320])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 2
    assert all("\r" not in line and line.count("%") == 1 for line in lines)
    assert "epoch 2/2" in lines[-1]
    with progress.in_lines():
        small(verbose=1).fit(digits[1][:320])
    assert capsys.readouterr().err == ""
