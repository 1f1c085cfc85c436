"""Training from zarr against training in memory: ``python benchmarks/streams.py``.

The images of MNIST (`SKDAE_DATA` says where they are kept) take four times as much as
scikit-learn's ``working_memory`` allows. They lie in zarr in their own order, and sorted by class.
Each training is a process of its own, with one thread. What counts is the time of the CPU, reading
and all: on a machine that is busy otherwise, the clock tells little.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import skdae
from skdae import DenoisingAutoencoder, GaussianNoise
from skdae.architectures import Conv, Dense

NETS = {
    "dense": (Dense((512, 128)), {"max_epochs": 5, "batch_size": 128}),
    "conv": (Conv((8, 16)), {"max_epochs": 1, "batch_size": 128}),
}
CHUNK = 1000
KINDS = ("memory", "zarr", "sorted", "memory again")


def mnist():
    """Training images, their classes, and test images."""
    folder = Path(os.environ.get("SKDAE_DATA", Path.home() / "skdae_data"))
    with np.load(folder / "mnist.npz") as data:
        return data["x_train"], data["y_train"], data["x_test"]


def write(folder):
    """Write both orders; return the size of one."""
    import zarr

    X, classes, _ = mnist()
    for name, images in (("zarr", X), ("sorted", X[classes.argsort(kind="stable")])):
        path, chunks = folder / name, (CHUNK, *X.shape[1:])
        zarr.create_array(path, shape=X.shape, chunks=chunks, dtype=X.dtype)[:] = images
    return X.nbytes


def train(kind, net, folder):
    """Print seconds per epoch, by the clock and of the CPU, and PSNR on the test images."""
    import sklearn
    import zarr

    X, _, X_test = mnist()
    sklearn.set_config(working_memory=X.nbytes / 4 / 2**20)
    noise = GaussianNoise(0.3, random_state=0)
    architecture, options = NETS[net]
    dae = DenoisingAutoencoder(architecture, noise=noise, random_state=0, **options)
    X_noisy = noise.fit_transform(X_test)
    # What is imported and compiled once does not count.
    DenoisingAutoencoder(architecture, noise=noise, max_epochs=1).fit(X[:2000])
    if not kind.startswith("memory"):
        X = zarr.open_array(Path(folder, kind), mode="r")
    start = time.process_time()
    dae.fit(X)
    cpu = (time.process_time() - start) / dae.n_iter_
    clock = np.median([row["dur"] for row in dae.history_])
    print(f"{clock:8.2f} {cpu:8.2f} {skdae.psnr_scorer(dae, X_noisy, X_test):8.2f}")


def main():
    """Start the trainings."""
    with tempfile.TemporaryDirectory() as folder:
        n_bytes = write(Path(folder))
        print(f"{n_bytes / 2**20:.0f} MiB of images, working_memory {n_bytes / 2**22:.0f} MiB")
        print(f"{'':20}  s/epoch    CPU s  PSNR (dB)")
        for net in NETS:
            for kind in KINDS:
                environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
                command = [sys.executable, __file__, "train", kind, net, folder]
                done = subprocess.run(
                    command, env=environment, stdout=subprocess.PIPE, text=True, check=True
                )
                print(f"{net:6} {kind:13} {done.stdout.rstrip()}", flush=True)


if __name__ == "__main__":
    train(*sys.argv[2:]) if sys.argv[1:2] == ["train"] else main()
