"""Fit many nets in one process, and tell what it leaves behind: memory, threads, open files.

``python -m fuzz.leaks [--fits 1000]``; 1 where memory has grown by more than 50 MB, or a
thread or a file is left, since the first tenth of the fits.
"""

import argparse
import gc
import os
import sys
import warnings
from pathlib import Path

import numpy as np

from skdae import DenoisingAutoencoder, GaussianNoise
from skdae.architectures import Conv, Dense

LIMIT = 50


def standing():
    """Resident memory in MB, threads and open files of this process (Linux)."""
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines)
    handles = len(os.listdir("/proc/self/fd"))
    return int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"]), handles


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fits", type=int, default=1000)
    args = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    X = np.random.default_rng(0).random((32, 16, 16)).astype(np.float32)
    options = {"noise": GaussianNoise(0.1), "max_epochs": 1, "batch_size": 16}
    before = None
    for i in range(args.fits):
        architecture = Conv(filters=(4,)) if i % 2 else Dense(hidden=(64,))
        DenoisingAutoencoder(architecture, random_state=i, **options).fit(X).predict(X)
        if i + 1 in (args.fits // 10, args.fits // 2, args.fits):
            now = standing()
            print(f"{i + 1:5} fits: {now[0]:.1f} MB, {now[1]} threads, {now[2]} files", flush=True)
            before = before or now
    growth = now[0] - before[0]
    print(f"memory grew by {growth:.1f} MB after the first {args.fits // 10} fits")
    return growth > LIMIT or now[1:] > before[1:]


if __name__ == "__main__":
    sys.exit(main())
