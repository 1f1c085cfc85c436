"""How many threads a net uses, and that the caller's number stays."""

import os
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

import skdae
from skdae import DenoisingAutoencoder
from skdae._training import hardware
from skdae.architectures import Conv, Dense

X = np.random.default_rng(0).random((16, 32, 32)).astype(np.float32)
SMALL, LARGE = Dense(hidden=(4,)), Conv(filters=(32, 64))


class Watch(Callback):
    """Keeps the number of threads of each epoch."""

    def on_epoch_begin(self, net, **kwargs):
        seen.append(torch.get_num_threads())


seen = []


def threads_of_fit(architecture):
    before = torch.get_num_threads()
    seen.clear()
    dae = DenoisingAutoencoder(architecture, max_epochs=1, callbacks=[Watch()], random_state=0)
    dae.fit(X, X).predict(X)
    assert torch.get_num_threads() == before
    return seen[0]


@pytest.fixture
def machine(monkeypatch):
    """A function that says how many processors there are, and how many the process may use."""
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def pretend(n_processors, quota, n_threads=None):
        monkeypatch.setattr(hardware, "_n_processors", lambda: n_processors)
        monkeypatch.setattr(joblib, "cpu_count", lambda: quota)
        hardware._within_quota.cache_clear()
        torch.set_num_threads(n_threads or n_processors)

    yield pretend
    torch.set_num_threads(before)
    hardware._within_quota.cache_clear()


def test_no_more_threads_than_the_quota(machine):
    machine(8, quota=2)
    assert threads_of_fit(LARGE) == 2


def test_small_steps_take_one_thread(machine):
    machine(4, quota=4)
    assert threads_of_fit(SMALL) == 1
    assert threads_of_fit(LARGE) == 4


def test_the_callers_number_stays(machine, monkeypatch):
    machine(8, quota=2, n_threads=3)
    assert threads_of_fit(SMALL) == 3
    assert threads_of_fit(LARGE) == 3
    machine(8, quota=2)
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert threads_of_fit(LARGE) == 8


def test_threads_are_as_they_were_after_a_failure(machine):
    machine(8, quota=2)
    with hardware.threads():
        assert torch.get_num_threads() == 2
    with pytest.raises(RuntimeError), hardware.threads():
        raise RuntimeError
    assert torch.get_num_threads() == 8


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity is of Linux")
def test_affinity_counts():
    script = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "from skdae._training import hardware\nimport torch\n"
        "with hardware.threads(): assert torch.get_num_threads() == 1\n"
        "assert os.environ['OMP_WAIT_POLICY'] == 'ACTIVE'"
    )
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    environment |= {"PYTHONPATH": str(Path(skdae.__file__).parents[1]), "OMP_WAIT_POLICY": "ACTIVE"}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
