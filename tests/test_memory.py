"""Data larger than the memory."""

import subprocess
import sys

import pytest

# RLIMIT_DATA counts what a process allocates, and not the pages of a file that it maps.
TRAINING = """
import resource, sys
from pathlib import Path
import numpy as np
import sklearn
from skdae import DenoisingAutoencoder
from skdae.architectures import Dense

sklearn.set_config(working_memory=32)
dae = DenoisingAutoencoder(
    Dense((128,)), latent_dim=50, max_epochs=1, batch_size=1024, validation_fraction=None
)
rows = np.random.default_rng(0).random((1024, 784), dtype=np.float32)
dae.fit(rows, rows)
status = Path("/proc/self/status").read_text().split("VmData:")[1]
limit = int(status.split()[0]) * 1024 + 160 * 2**20
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


SCORES = """
import resource
from pathlib import Path
import numpy as np
from skdae import DenoisingAutoencoder, GaussianNoise, ReconstructionOutlierDetector, psnr_scorer
from skdae.architectures import Dense
from skdae.model_selection import denoising_scorer

noise = GaussianNoise(random_state=0)
X = np.random.default_rng(0).integers(0, 256, (40_000, 784), dtype=np.uint8)
dae = DenoisingAutoencoder(Dense((16,)), noise=noise, max_epochs=1).fit(X[:500])
detector = ReconstructionOutlierDetector(dae).fit(X[:500])
scores = {
    "score": lambda X: dae.score(X),
    "targets": lambda X: dae.score(X, X),
    "samples": lambda X: dae.score_samples(X).sum(),
    "outliers": lambda X: detector.predict(X).sum(),
    "scorer": lambda X: psnr_scorer(dae, X),
    "noisy": lambda X: denoising_scorer("ssim", noise)(dae, X),
}
for score in scores.values():
    score(X[:3000])
status = Path("/proc/self/status").read_text().split("VmData:")[1]
limit = int(status.split()[0]) * 1024 + 2 * X.nbytes + 100 * 2**20
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
for name, score in scores.items():
    if np.isfinite(score(X)):
        print(name, end=" ")
"""


def run(program, *arguments):
    command = [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="other systems set no limit on allocations"
)


@on_linux
@pytest.mark.slow
def test_scores_take_at_most_twice_the_memory_of_uint8_images():
    result = run(SCORES)
    assert result.stdout == "score targets samples outliers scorer noisy ", result.stderr


@on_linux
@pytest.mark.slow
def test_a_memory_map_larger_than_the_memory_trains(tmp_path):
    result = run(TRAINING, tmp_path / "images.npy")
    assert result.stdout == "trained\n", result.stderr
