"""What all defaults give on signals, images and volumes: ``make quality ARGS="--defaults"``.

PSNR in dB on test data and CPU seconds of `fit`, of one thread, beside the best of some filters,
whose parameters are chosen on the test data. Rows that results/defaults.jsonl holds are not run.
"""

import time
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import quality
from scipy.ndimage import gaussian_filter
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skdae import (
    DenoisingAutoencoder,
    GaussianFilter,
    GaussianNoise,
    MedianFilter,
    Noise2VoidDenoiser,
    PoissonNoise,
    WaveletFilter,
    without_noise,
)
from skdae.metrics import peak_signal_noise_ratio

RESULTS = Path(__file__).parent / "results" / "defaults.jsonl"
COLUMNS = ("noisy", "filter", "skdae", "seconds")
# (P, Q, R, S and T) of a heartbeat: samples from R, width and height.
WAVES = ((-18, 6, 0.12), (-3, 1.5, -0.12), (0, 1.8, 1.0), (3, 1.6, -0.2), (28, 9, 0.28))


# Data: clean training and test samples


def pictures(name, cut=slice(None)):
    """Images of a data set; of digits three quarters to learn from."""
    if name == "digits":
        X = quality.load_digits_images().images
        return X[:1347], X[1347:]
    parts = (quality.read_images(name, part) for part in ("train", "test"))
    return tuple(X[:n, cut, cut] for X, n in zip(parts, (2000, 500), strict=True))


def rows(name):
    """The same as flat rows."""
    return tuple(X.reshape(len(X), -1) for X in pictures(name))


def heartbeats(length, n_leads=None):
    """What looks like an ECG; the waves of each lead have heights of their own."""
    rng = np.random.default_rng(0)
    samples, heights = np.arange(length), rng.normal(1, 0.5, (5, n_leads or 1))
    X = np.zeros((2500, length, n_leads or 1), np.float32)
    for beat in X:
        period = rng.uniform(70, 120)
        peaks = np.arange(-rng.uniform(0, period), length + period, period)
        for (at, width, height), leads in zip(WAVES, heights, strict=True):
            height, width = height * rng.uniform(0.8, 1.2), width * rng.uniform(0.9, 1.1)
            wave = np.exp(-(((samples[:, None] - peaks - at) / width) ** 2) / 2).sum(1)
            beat += height * wave[:, None] * (leads if n_leads else 1)
    X = X if n_leads else X[..., 0]
    return X[:2000], X[2000:]


def spectra():
    """Counts: lines on a background that falls."""
    rng = np.random.default_rng(0)
    channel = np.arange(1024)
    X = np.empty((1200, 1024), np.float32)
    for spectrum in X:
        spectrum[:] = rng.uniform(20, 60) * np.exp(-channel / rng.uniform(400, 1200))
        for _ in range(rng.integers(8, 20)):
            width, at, height = rng.uniform(1, 4), rng.uniform(0, 1024), rng.lognormal(4, 1)
            spectrum += height * np.exp(-(((channel - at) / width) ** 2) / 2)
    return X[:1000], X[1000:]


def filaments(shape=(64, 128, 128)):
    """Counts: bent curves in a volume, which is all there is to learn from."""
    rng, volume = np.random.default_rng(0), np.zeros(shape, np.float32)
    for _ in range(volume.size // 7000):
        place, step = rng.uniform(0, shape), rng.normal(size=3)
        for _ in range(300):
            step = step / np.linalg.norm(step) + 0.15 * rng.normal(size=3)
            place = (place + 0.7 * step) % shape
            volume[tuple(place.astype(int) % shape)] += 1
    volume = gaussian_filter(volume, 1.2)
    return 5 + 40 * volume / np.percentile(volume, 99.5), None


# What is measured


def measured(denoiser, noise, make, filters):
    """A default denoiser on noise of which it is told, and the best filter."""
    X_train, X_test = make()
    X_noisy = noise.fit(X_train).transform(X_test)
    began = time.process_time()
    denoiser.set_params(noise=noise).fit(X_train)
    seconds = time.process_time() - began
    best = max(_psnr(X_test, f.fit_transform(X_noisy)) for f in filters)
    values = _psnr(X_test, X_noisy), best, _psnr(X_test, denoiser.predict(X_noisy)), seconds
    return dict(zip(COLUMNS, values, strict=True))


def searched():
    """The grid of the README: sizes of the code of an autoencoder of digits."""
    X, X_test = pictures("digits")
    steps = [("noise", GaussianNoise(random_state=0)), ("dae", DenoisingAutoencoder())]
    sizes = {"dae__latent_dim": [2, 8, 32], "dae__random_state": [0]}
    search = GridSearchCV(Pipeline(steps), sizes, cv=3)
    began = time.process_time()
    search.fit(X, X)
    seconds = time.process_time() - began
    X_noisy = search.best_estimator_[0].transform(X_test)
    X_denoised = without_noise(search.best_estimator_).predict(X_noisy)
    values = _psnr(X_test, X_noisy), None, _psnr(X_test, X_denoised), seconds
    return dict(zip(COLUMNS, values, strict=True))


def hidden_pixels():
    """Noise2Void of a noisy volume; as the filter, the same of its slices."""
    X = filaments()[0][None]
    X_noisy = PoissonNoise(1, channel_axis=None, random_state=0).fit_transform(X)
    figures = {"noisy": _psnr(X, X_noisy)}
    for name, axes, options in (("skdae", 3, {"channel_axis": None}), ("filter", 2, {})):
        data = X_noisy.reshape(-1, *X.shape[-axes:])
        began = time.process_time()
        denoiser = Noise2VoidDenoiser(random_state=0, **options).fit(data)
        figures["seconds" if axes == 3 else "seconds in 2-D"] = time.process_time() - began
        figures[name] = _psnr(X, denoiser.predict(data).reshape(X.shape))
    return figures


def _psnr(X_clean, X):
    span = 1 if X_clean.dtype == np.uint8 else float(np.ptp(X_clean))
    axis = -1 if X_clean.shape[-1] in (3, 12) else None
    return peak_signal_noise_ratio(X_clean, X, data_range=span, channel_axis=axis)


def filters(**options):
    """Gaussian and median filters of several widths."""
    smooth = [GaussianFilter(s, **options) for s in (0.3, 0.5, 0.7, 1, 1.4, 2)]
    return smooth + [MedianFilter(size, **options) for size in (3, 5)]


def wavelets():
    """Wavelets of several kinds and thresholds, for spectra."""
    kinds, stds = ("haar", "db2", "sym4", "sym8"), (None, 2, 4, 6, 8, 12)
    options = {"image_shape": (1024,)}
    return [WaveletFilter(kind, std=std, **options) for kind, std in product(kinds, stds)]


def row(noise, make, of=None, **options):
    """A row of the table: what is done for it."""
    denoiser = DenoisingAutoencoder(random_state=0, **options)
    return partial(measured, denoiser, noise.set_params(random_state=0), make, of or filters())


LEADS = {"channel_axis": -1}
MAKERS = {
    "mnist": partial(pictures, "mnist"),
    "fashion": partial(pictures, "fashion_mnist"),
    "cifar": partial(pictures, "cifar10_subset", slice(2, 30)),
}
ROWS = {
    f"digits as {kind.__name__}, σ {std}": row(GaussianNoise(std), partial(kind, "digits"))
    for kind, std in product((rows, pictures), (0.1, 0.4))
}
ROWS |= {"digits, latent_dim 2, 8, 32": searched}
ROWS |= {f"{name}, σ {s}": row(GaussianNoise(s), m) for name, m in MAKERS.items() for s in (0.2,)}
ROWS |= {f"ECG, {n}": row(GaussianNoise(0.15), partial(heartbeats, n)) for n in (500, 484, 1024)}
ROWS["ECG, 500, 12 leads"] = row(
    GaussianNoise(0.15, **LEADS), partial(heartbeats, 500, 12), filters(**LEADS), **LEADS
)
ROWS["spectra, 1024, counts"] = row(PoissonNoise(1), spectra, wavelets())
ROWS["volume 64 × 128 × 128, counts (filter: 2-D)"] = hidden_pixels


def main(fresh=False, only=None):
    """Run what is missing, and print the table."""
    known = {} if fresh else quality.read_results(RESULTS)
    print(f"| data | {' | '.join(COLUMNS)} |\n|---|{'---:|' * len(COLUMNS)}")
    for name, work in ROWS.items():
        if only and not any(name.startswith(data) for data in only):
            continue
        if name not in known:
            known[name] = quality.save_result(RESULTS, name, work())
        figures = known[name]["figures"]
        cells = ("" if figures[c] is None else f"{figures[c]:.1f}" for c in COLUMNS)
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
