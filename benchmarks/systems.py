"""Goals of the other systems: learning from noisy images alone, pix2pix, larger images, outliers.

They are run and reported like those of reach.py, which says how a goal is written.
"""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import outliers
from measure import (
    SEED,
    as_floats,
    corrupt,
    denoise,
    errors,
    fit,
    minutes_per_core,
    read_images,
)
from reach import COLOUR_NOISES, Goal, Line, Run, gaussian, images_of
from scipy.ndimage import zoom
from scipy.special import xlogy
from scipy.stats import kendalltau
from sklearn.base import clone
from studies import STUDIES

from skdae import (
    DenoisingAutoencoder,
    Downsample,
    GaussianFilter,
    MeanFilter,
    MedianFilter,
    NLMeansFilter,
    Noise2VoidDenoiser,
    Pix2PixDenoiser,
    TVFilter,
    WaveletFilter,
    j_invariant_scorer,
)
from skdae.architectures import UNet
from skdae.datasets import fetch_images
from skdae.metrics import mean_squared_error

PHOTO_NOISE = gaussian(25 / 255, clip=None)

_PHOTOGRAPHS: dict[str, Any] = {
    "patch_size": 64,
    "batch_size": 4,
    "max_epochs": 2,
    "validation_fraction": None,
    "random_state": SEED,
}

NETS = {
    "Noise2Void": Noise2VoidDenoiser(
        UNet(residual=False), masked_fraction=0.1, **{**_PHOTOGRAPHS, "max_epochs": 15}
    ),
    "pairs": DenoisingAutoencoder(UNet(), **_PHOTOGRAPHS),
    "pix2pix": Pix2PixDenoiser(UNet(), max_epochs=6, validation_fraction=None, random_state=SEED),
    "squared error": DenoisingAutoencoder(
        UNet(), max_epochs=6, validation_fraction=None, random_state=SEED
    ),
    "bottleneck": clone(STUDIES["colour 28"]).set_params(
        max_epochs=30, validation_fraction=None, random_state=SEED
    ),
    "enlarge": DenoisingAutoencoder(
        UNet(filters=(32, 64)),
        noise=Downsample(2),
        max_epochs=1,
        validation_fraction=None,
        random_state=SEED,
    ),
}

# What a filter may be told; the best on the test images themselves counts.
FILTERS = {
    "median": [MedianFilter(size=size) for size in (3, 5, 7)],
    "Gaussian": [GaussianFilter(sigma=sigma) for sigma in np.arange(0.5, 2.1, 0.1).round(1)],
    "TV": [TVFilter(weight=weight) for weight in (0.06, 0.07, 0.08, 0.09, 0.1, 0.11, 0.12, 0.14)],
}

# Images of 256 × 256 pixels come first in Set12.
N_RANKING = 7

RANKED = [
    MeanFilter(size=3),
    MeanFilter(size=5),
    MedianFilter(size=3),
    MedianFilter(size=5),
    GaussianFilter(sigma=1.0),
    GaussianFilter(sigma=2.0),
    WaveletFilter(),
    TVFilter(weight=0.05),
    TVFilter(weight=0.1),
    TVFilter(weight=0.3),
    NLMeansFilter(h=0.05),
    NLMeansFilter(h=0.1),
]


def alone(run: Run) -> Iterator[Line]:
    """Noise2Void and Noise2Noise against filters, and against clean targets."""
    best = {
        name: run(f"{name} filter", best_filter, filters=filters, noise=PHOTO_NOISE)["psnr"]
        for name, filters in FILTERS.items()
    }
    n2v = run("Noise2Void", learn_photographs, net=NETS["Noise2Void"], target="own")
    minutes = minutes_per_core(n2v)
    rivals = ", ".join(f"{name} {value:.2f}" for name, value in best.items())
    yield Line(
        "Noise2Void, in 30 min: above all three",
        f"{n2v['psnr']:.2f} dB in {minutes:.1f} min of {n2v['threads']} core(s); {rivals}",
        n2v["psnr"] > max(best.values()) and minutes <= 30,
        n2v["seconds"],
    )
    clean = run("clean targets", learn_photographs, net=NETS["pairs"], target="clean")
    n2n = run("Noise2Noise", learn_photographs, net=NETS["pairs"], target="noisy")
    loss = clean["psnr"] - n2n["psnr"]
    yield Line(
        "Noise2Noise: at most 0.3 dB below clean targets",
        f"{loss:.2f} dB: {n2n['psnr']:.2f} against {clean['psnr']:.2f}",
        loss <= 0.3,
        n2n["seconds"],
    )


def best_filter(filters, noise):
    """PSNR of the filter that is best on the test images."""
    X_clean = images_of("photographs", "test")
    X_noisy = corrupt(X_clean, noise)
    psnr = [errors(X_clean, denoise(f.fit(X_noisy), X_noisy))["psnr"] for f in filters]
    return {"psnr": max(psnr), "chosen": repr(filters[int(np.argmax(psnr))])}


def learn_photographs(net, target):
    """Errors on Set12 of a net trained on noisy images of Train400, the noise drawn once."""
    X = as_floats(images_of("photographs", "train"))
    X_noisy = corrupt(X, PHOTO_NOISE)
    targets = {
        "own": [],
        "clean": [X],
        "noisy": [corrupt(X, clone(PHOTO_NOISE).set_params(random_state=SEED + 1))],
    }
    net, took = fit(net, X_noisy, *targets[target])
    X_clean = images_of("photographs", "test")
    return {**errors(X_clean, denoise(net, corrupt(X_clean, PHOTO_NOISE))), **took}


def ranking(run: Run) -> Iterator[Line]:
    """Order of denoisers by noisy images alone, against that by clean ones."""
    ours = run("filters", rank, denoisers=RANKED, noise=PHOTO_NOISE)
    yield Line(
        f"{len(RANKED)} filters: Kendall's τ ≥ 0.7",
        f"{ours['tau']:.2f}",
        ours["tau"] >= 0.7,
        ours["seconds"],
    )


def rank(denoisers, noise):
    """Kendall's τ between the two orders; errors are means over the images."""
    images = [X[np.newaxis] for X in images_of("photographs", "test")[:N_RANKING]]
    pairs = [(X, corrupt(X, noise)) for X in images]
    guessed, true = [], []
    start = time.perf_counter()
    for denoiser in denoisers:
        denoiser = clone(denoiser).fit(pairs[0][1])
        guessed.append([-j_invariant_scorer(denoiser, X_noisy) for _, X_noisy in pairs])
        true.append([mean_squared_error(X, denoiser.predict(X_noisy)) for X, X_noisy in pairs])
    guessed, true = (np.mean(scores, axis=1).tolist() for scores in (guessed, true))
    return {
        "tau": float(kendalltau(guessed, true).statistic),
        "guessed": guessed,
        "true": true,
        "seconds": time.perf_counter() - start,
    }


def pix2pix(run: Run) -> Iterator[Line]:
    """Against the bottleneck of the study, and against a net trained on squared errors."""
    mae, seconds = {}, 0.0
    for name in ("bottleneck", "pix2pix"):
        net, noise = NETS[name], COLOUR_NOISES["salt-and-pepper, 0.004"]
        ours = run(f"salt-and-pepper, {name}", learn_colour, net=net, noise=noise)
        mae[name], seconds = ours["mae"], ours["seconds"]
    ratio = mae["bottleneck"] / mae["pix2pix"]
    yield Line(
        "salt-and-pepper: MAE at most 1/5 of the study's net",
        f"1/{ratio:.1f}: {mae['pix2pix']:.4f} against {mae['bottleneck']:.4f}",
        ratio >= 5,
        seconds,
    )
    sharp, noise = {}, COLOUR_NOISES["Gaussian, variance 0.1"]
    for name in ("squared error", "pix2pix"):
        ours = run(f"Gaussian, {name}", learn_colour, net=NETS[name], noise=noise)
        sharp[name], seconds = ours["sharpness"], ours["seconds"]
    yield Line(
        "Gaussian: mean gradient nearer to the clean images' than with squared errors",
        f"{sharp['pix2pix']:.2f} of it against {sharp['squared error']:.2f}",
        abs(sharp["pix2pix"] - 1) < abs(sharp["squared error"] - 1),
        seconds,
    )


def learn_colour(net, noise):
    """Errors of a net on the crops of CIFAR-10, and its sharpness beside the clean images'."""
    X, X_clean = images_of("colour", "train"), images_of("colour", "test")
    if net.noise is None and isinstance(net.architecture, type):
        # As in the study: the noise is drawn once.
        net, took = fit(net, corrupt(as_floats(X), noise), as_floats(X))
    else:
        net, took = fit(clone(net).set_params(noise=noise), X)
    X_denoised = denoise(net, corrupt(X_clean, noise))
    sharpness = mean_gradient(X_denoised) / mean_gradient(X_clean)
    return {**errors(X_clean, X_denoised), "sharpness": sharpness, **took}


def mean_gradient(X):
    """Mean magnitude of the gradient of images."""
    return float(np.hypot(*np.gradient(X, axis=(1, 2))).mean())


def enlarge(run: Run) -> Iterator[Line]:
    """Digits of 14 × 14 to 28 × 28, against bicubic interpolation and the least entropy."""
    bicubic = run("bicubic", interpolate)["mse"]
    ours = run("squared error", learn_enlarging, net=NETS["enlarge"])
    yield Line(
        "MSE at most 0.35 × bicubic",
        f"{ours['mse'] / bicubic:.3f} ×: {ours['mse']:.5f} against {bicubic:.5f}",
        ours["mse"] <= 0.35 * bicubic,
        ours["seconds"],
    )
    net = clone(NETS["enlarge"]).set_params(loss="bce")
    ours = run("cross-entropy", learn_enlarging, net=net)
    excess = ours["bce"] - ours["entropy"]
    yield Line(
        'loss="bce": within 0.012 of the entropy of the images',
        f"{excess:.4f} above: {ours['bce']:.4f} against {ours['entropy']:.4f}",
        excess <= 0.012,
        ours["seconds"],
    )


def interpolate():
    """Error of bicubic interpolation of the test digits."""
    X = as_floats(read_images("mnist", "test"))
    small = Downsample(2).fit_transform(X)
    large = zoom(small, (1, 2, 2), order=3, mode="grid-constant", grid_mode=True)
    return errors(X, large.clip(0, 1))


def learn_enlarging(net):
    """Errors of a net on the test digits."""
    net, took = fit(net, read_images("mnist", "train"))
    X = as_floats(read_images("mnist", "test"))
    X_large = denoise(net, Downsample(2).fit_transform(X))
    return {
        **errors(X, X_large),
        "bce": cross_entropy(X, X_large),
        "entropy": cross_entropy(X, X),
        **took,
    }


def cross_entropy(X, guess):
    """Mean binary cross-entropy, for grey targets too."""
    X, guess = X.astype(np.float64), guess.astype(np.float64).clip(1e-7, 1 - 1e-7)
    return float(-(xlogy(X, guess) + xlogy(1 - X, 1 - guess)).mean())


def anomalies(run: Run) -> Iterator[Line]:
    """One class of Fashion-MNIST as normal, each in turn."""
    rows, seconds = [], 0.0
    for normal in range(10):
        row = run(f"class {normal}", outliers_of, normal=normal)
        rows.append(row["auc"])
        seconds += row["seconds"]
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    ours = means.pop(outliers.OURS)
    rivals = {name: means[name] for name in (outliers.BEST_PCA, outliers.FOREST)}
    others = ", ".join(f"{name} {value:.4f}" for name, value in rivals.items())
    yield Line(
        "mean ROC AUC of ten classes at least that of both",
        f"{ours:.4f}; {others}",
        ours >= max(rivals.values()),
        seconds,
    )


def outliers_of(normal):
    """AUCs of all detectors with one class as normal."""
    auc, best, seconds = outliers.compare(fetch_images("fashion_mnist"), normal, SEED, None)
    return {"auc": auc, "components": best, "seconds": seconds}


GOALS = {
    "alone": Goal(
        "Set12, Gaussian σ 25 / 255, not clipped; trained on noisy images of Train400",
        "median, Gaussian and TV filter, each at its best on the test images",
        alone,
    ),
    "ranking": Goal(
        "Seven images of Set12, the same noise: which filter is best, without clean images",
        "the order by mean squared error against the clean images",
        ranking,
    ),
    "pix2pix": Goal(
        "CIFAR-10, centre 28 × 28, 3,000 training and 1,000 test images, clipped",
        "the colour study's net with a code of 100; the same U-Net trained on squared errors",
        pix2pix,
    ),
    "enlarge": Goal(
        "MNIST, 14 × 14 (block means) to 28 × 28, no noise",
        "scipy.ndimage.zoom, order 3, grid_mode=True",
        enlarge,
    ),
    "outliers": Goal(
        "Fashion-MNIST, one class as normal, all ten in turn",
        "PCA with the number of components that is best on the test images; IsolationForest",
        anomalies,
    ),
}
