"""Threads and processes: the same results, and nothing left behind."""

import gc
import os
import subprocess
import sys
import threading
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from test_common import examples

from skdae import DenoisingAutoencoder, GaussianNoise
from skdae.architectures import Conv, Dense, UNet
from skdae.filters import BaseFilter
from skdae.noise import BaseNoise

ROOT = Path(__file__).parents[1]
X = np.random.default_rng(0).random((12, 16, 16)).astype(np.float32)
TINY = {"max_epochs": 1, "batch_size": 8, "random_state": 0, "noise": GaussianNoise(0.1)}
MODELS = {
    **{
        repr(model): model.set_params(random_state=0) if isinstance(model, BaseNoise) else model
        for model in [*examples(BaseNoise), *examples(BaseFilter)]
    },
    "dense": DenoisingAutoencoder(Dense(hidden=(8,)), **TINY),
    "conv": DenoisingAutoencoder(Conv(filters=(4,)), **TINY),
    "unet in tiles": DenoisingAutoencoder(UNet(filters=(2, 4)), tile_size=48, **TINY),
}


# Of small images, AdaptedDenoiser keeps the pretrained network.
@pytest.mark.filterwarnings("ignore:The pretrained network was kept:UserWarning")
@pytest.mark.parametrize("name", MODELS)
def test_eight_threads_at_once_give_what_one_gives(name):
    model = MODELS[name].fit(X)
    side = 56 if "tiles" in name else 16
    rng = np.random.default_rng(1)
    batches = [rng.random((n, side, side)).astype(np.float32) for n in (1, 2, 3, 1)]
    expected = [model.transform(batch) for batch in batches]
    filters = list(warnings.filters)
    start = threading.Barrier(8)

    def work(i):
        start.wait(timeout=60)
        return [model.transform(batches[(i + k) % 4]) for k in range(4)]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))
    for i, got in enumerate(results):
        for k, out in enumerate(got):
            np.testing.assert_array_equal(out, expected[(i + k) % 4])
    assert list(warnings.filters) == filters


PROCESSES = """
import multiprocessing, sys, warnings
import numpy as np
import torch
from skdae import DenoisingAutoencoder
from skdae.architectures import Conv

warnings.simplefilter("ignore")
X = np.random.default_rng(0).random((32, 16, 16)).astype(np.float32)


def fit():
    net = Conv(filters=(8,))
    return DenoisingAutoencoder(net, precision="float32", max_epochs=1, random_state=0).fit(X, X)


def child(queue, model):
    queue.put([model.predict(X), fit().predict(X)])


if __name__ == "__main__":
    # Threads of OpenMP, which a forked child does not inherit.
    torch.set_num_threads(2)
    model = fit()
    expected = model.predict(X)
    context = multiprocessing.get_context(sys.argv[1])
    queue = context.Queue()
    process = context.Process(target=child, args=(queue, model), daemon=True)
    process.start()
    predicted, fitted = queue.get(timeout=100)
    process.join()
    np.testing.assert_allclose(predicted, expected, atol=1e-5)
    np.testing.assert_allclose(fitted, expected, atol=0.02)
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_child_process_predicts_and_fits(method, tmp_path):
    if method == "fork" and not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    script = tmp_path / "processes.py"
    script.write_text(PROCESSES)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2"}
    subprocess.run([sys.executable, str(script), method], env=environment, check=True, timeout=240)


def n_handles():
    """Open files of this process, where the system tells."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def test_fits_leave_no_threads_files_or_tensors():
    def fit(i):
        dae = DenoisingAutoencoder(Dense(hidden=(4,)), **{**TINY, "random_state": i}).fit(X)
        dae.predict(X)
        return weakref.ref(dae.module_), weakref.ref(next(dae.module_.parameters()))

    fit(0)
    threads, handles = threading.active_count(), n_handles()
    references = [reference for i in range(50) for reference in fit(i)]
    gc.collect()
    assert [reference() for reference in references] == [None] * 100
    assert threading.active_count() == threads
    assert n_handles() == handles
