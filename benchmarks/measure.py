"""What the tables of quality.py share: real images, their noise, errors, and fits on time."""

import time
from functools import lru_cache

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone

from skdae import DenoisingAutoencoder
from skdae.datasets import fetch_images, load_digits_images
from skdae.metrics import (
    mean_absolute_error,
    mean_squared_error,
    peak_signal_noise_ratio,
    structural_similarity,
)

# Of noise, weights and the order of images, everywhere.
SEED = 0

METRICS = {
    "mse": mean_squared_error,
    "mae": mean_absolute_error,
    "psnr": peak_signal_noise_ratio,
    "ssim": structural_similarity,
}

# Batches of images; a list of images where their sizes differ.
Images = np.ndarray | list[np.ndarray]


@lru_cache(maxsize=4)
def read_images(name: str, part: str) -> Images:
    """Clean images of one part, "train" or "test", of a data set; a collection has but one."""
    if name == "digits":
        X = load_digits_images().images
        return {"train": X[:-300], "test": X[-300:], "all": X}[part]
    bunch = fetch_images(name)
    if "images" not in bunch:
        return bunch[f"X_{part}"]
    same_size = len({image.shape for image in bunch.images}) == 1
    return np.stack(bunch.images) if same_size else bunch.images


def centre(X: np.ndarray, side: int) -> np.ndarray:
    """The middle of each image."""
    top, left = ((n - side) // 2 for n in X.shape[1:3])
    return X[:, top : top + side, left : left + side]


def as_floats(X: Images) -> Images:
    """Images in [0, 1]."""
    if isinstance(X, list):
        return [as_floats(image) for image in X]
    return X.astype(np.float32) / 255 if X.dtype == np.uint8 else X


def one_by_one(function, X: Images) -> Images:
    """Apply a function of batches; to each image by itself where sizes differ."""
    if isinstance(X, list):
        return [function(image[np.newaxis])[0] for image in X]
    return function(X)


def corrupt(X: Images, noise: BaseEstimator) -> Images:
    """Noisy images: always the same ones for the same images and the same seed."""
    return one_by_one(clone(noise).fit_transform, X)


def denoise(denoiser: BaseEstimator, X: Images) -> Images:
    """What a fitted denoiser makes of noisy images, clipped to [0, 1], where clean ones lie."""
    return one_by_one(lambda batch: np.clip(denoiser.predict(batch), 0, 1), X)


def errors(X_clean: Images, X_denoised: Images) -> dict[str, float]:
    """Every metric, computed for each image, then averaged."""
    if isinstance(X_clean, list):
        pairs = [(x[np.newaxis], p[np.newaxis]) for x, p in zip(X_clean, X_denoised, strict=True)]
    else:
        pairs = [(X_clean, X_denoised)]
    return {
        name: float(np.concatenate([metric(*pair, per_image=True) for pair in pairs]).mean())
        for name, metric in METRICS.items()
    }


def fit(net: DenoisingAutoencoder, *pair: np.ndarray) -> tuple[DenoisingAutoencoder, dict]:
    """A fitted copy of a net, and what that took: epochs, seconds, seconds of all cores."""
    net = clone(net)
    start, start_cpu = time.perf_counter(), time.process_time()
    net.fit(*pair)
    if net.n_iter_ < net.max_epochs:
        # Such a fit keeps what it has learnt and returns; here it shall end the program.
        raise RuntimeError(
            f"The fit was interrupted, or diverged, after {net.n_iter_} of {net.max_epochs} epochs."
        )
    took = {
        "epochs": net.n_iter_,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - start_cpu,
        "threads": torch.get_num_threads(),
    }
    return net, took


def minutes_per_core(took: dict) -> float:
    """What a fit took of each core in use: other programs lengthen the wall time, not this one."""
    return took["cpu_seconds"] / took["threads"] / 60
