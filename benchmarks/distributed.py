"""Seconds per epoch for processes × threads: ``python benchmarks/distributed.py``.

A U-Net of the default width is trained on 256 images of 32 × 32 pixels with batches of 32.
"""

import os
import subprocess
import sys

import numpy as np

import skdae

SETUPS = [(1, 1), (1, 2), (2, 1)]


def train():
    """Print the fastest of some epochs."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    X = np.random.default_rng(0).random((256, 32, 32), dtype=np.float32)
    noise = skdae.GaussianNoise(0.1)
    params = {"max_epochs": 3, "validation_fraction": None, "patch_size": None, "random_state": 0}
    denoiser = skdae.DenoisingAutoencoder("unet", noise=noise, precision="float32", **params)
    with skdae.distributed() as processes:
        denoiser.fit(X)
    if processes.rank == 0:
        print(f"{min(row['dur'] for row in denoiser.history_):.2f}")


def main():
    """Start one training per setup."""
    print("processes  threads  seconds per epoch")
    for processes, threads in SETUPS:
        launcher = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}", "--standalone"]
        done = subprocess.run(
            [sys.executable, *launcher, __file__, "train"],
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONWARNINGS": "ignore"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        print(f"{processes:>9}  {threads:>7}  {done.stdout.strip():>17}", flush=True)


if __name__ == "__main__":
    train() if "train" in sys.argv else main()
