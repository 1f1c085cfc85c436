"""Data larger than the memory."""

import subprocess
import sys

import pytest

# RLIMIT_DATA counts what a process allocates, and not the pages of a file that it maps.
PROGRAM = """
import resource, sys
from pathlib import Path
import numpy as np
from skdae import DenoisingAutoencoder
from skdae.architectures import Dense

dae = DenoisingAutoencoder(
    Dense((128,)), latent_dim=50, max_epochs=1, batch_size=1024, validation_fraction=None
)
rows = np.random.default_rng(0).random((1024, 784), dtype=np.float32)
dae.fit(rows, rows)
status = Path("/proc/self/status").read_text().split("VmData:")[1]
limit = int(status.split()[0]) * 1024 + 80 * 2**20
n_images = 2 * limit // rows[0].nbytes
X = np.lib.format.open_memmap(sys.argv[1], "w+", np.float32, (n_images, 784))
for start in range(0, n_images, len(rows)):
    X[start : start + len(rows)] = rows[: n_images - start]
X = np.load(sys.argv[1], mmap_mode="r")
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    np.array(X)
except MemoryError:
    dae.fit(X, X)
    print("trained")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems set no limit on allocations")
def test_a_memory_map_larger_than_the_memory_trains(tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(tmp_path / "images.npy")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.stdout == "trained\n", run.stderr
