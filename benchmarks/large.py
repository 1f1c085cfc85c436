"""What large arrays and servers cost: ``python benchmarks/large.py`` prints a table.

Memory is what a process holds by itself (``RssAnon`` of Linux), at its peak above what it held
before, with the net in it. Times of loading are those of fresh processes after their imports; times
of the processor, beside them, do not depend on what else the machine does.
"""

import argparse
import pickle
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np

from skdae import DenoisingAutoencoder, GaussianNoise, MedianFilter, load


def denoisers():
    noise = GaussianNoise(100.0)
    for name in ("unet", "dncnn", "conv"):
        yield name, DenoisingAutoencoder(name, noise=noise, max_steps=1, random_state=0)
    yield "median", MedianFilter(5)


def held():
    """Megabytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("RssAnon")]
    return int(line.split()[1]) / 1e3


def peak(work):
    """Seconds, and megabytes above those before, of a function."""
    before, most, is_over = held(), [0.0], threading.Event()

    def watch():
        while not is_over.wait(0.005):
            most[0] = max(most[0], held())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    is_over.set()
    watcher.join()
    return seconds, most[0] - before


def memory(side, names, folder):
    """Of `predict_to`, from a zarr array of uint16 to one of float32."""
    import zarr

    rng = np.random.default_rng(0)
    X = rng.uniform(0, 1000, (4, 96, 96))
    layout = {"shape": (1, side, side), "chunks": (1, 512, 512)}
    source = zarr.open(folder / "noisy.zarr", mode="w", dtype="uint16", **layout)
    for i in range(0, side, 512):
        source[0, i : i + 512] = rng.integers(0, 1000, (min(512, side - i), side))
    for name, denoiser in denoisers():
        if name in names:
            denoiser.fit(X).predict(X[:1])
            target = zarr.open(folder / "clean.zarr", mode="w", dtype="float32", **layout)
            run = peak(lambda d=denoiser, t=target: d.predict_to(source, t))
            print(f"predict_to, {side} x {side} uint16, {name}: {run[0]:.1f} s, + {run[1]:.0f} MB")


def serving(names, folder):
    """Of files and of pickles; each file is loaded in a process of its own."""
    X = np.random.default_rng(0).uniform(0, 1000, (40, 28, 28))
    for name, denoiser in denoisers():
        if name in names and name != "median":
            path = folder / name
            denoiser.fit(X).save(path)
            n_bytes = sum(value.nbytes for value in denoiser.module_.state_dict().values())
            ratio = len(pickle.dumps(denoiser)) / n_bytes
            print(f"pickle, {name}: {ratio:.2f} x the weights")
            for _ in range(3):
                subprocess.run([sys.executable, __file__, "--load", path], check=True)


def load_once(path):
    X = np.random.default_rng(1).uniform(0, 1000, (1, 28, 28))
    clocks = []

    def tick():
        clocks.append((time.perf_counter(), time.process_time()))

    before = held()
    tick()
    denoiser = load(path)
    tick()
    after = held()
    for _ in range(2):
        denoiser.predict(X)
        tick()
    wall, cpu = 1e3 * np.diff(clocks, axis=0).T
    what = f"load, {denoiser.architecture}: + {after - before:.0f} MB"
    for name, times in (("wall", wall), ("processor", cpu)):
        what += f"; {name}: load {times[0]:.0f}, first {times[1]:.1f}, next {times[2]:.1f} ms"
    print(what)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=8000, help="of the large image")
    parser.add_argument("--nets", nargs="*", default=["unet", "median"])
    parser.add_argument("--load", help="a file, which is loaded and timed")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    if args.load:
        load_once(args.load)
        return
    with tempfile.TemporaryDirectory() as folder:
        serving(args.nets, Path(folder))
        memory(args.side, args.nets, Path(folder))


if __name__ == "__main__":
    main()
