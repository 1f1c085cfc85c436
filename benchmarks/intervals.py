"""Measure intervals and residual reports: what `ConformalDenoiser` and `residual_report` promise.

``python benchmarks/intervals.py`` prints two tables in Markdown; some minutes on one thread.
`train400` and `set12` must lie in the folder that ``SKDAE_DATA`` names.
"""

import argparse
import warnings

import numpy as np
from scipy.ndimage import uniform_filter
from scipy.stats import spearmanr

from skdae import (
    ConformalDenoiser,
    DenoisingAutoencoder,
    GaussianFilter,
    GaussianNoise,
    PoissonGaussianNoise,
    PretrainedDenoiser,
    StripeNoise,
    TVFilter,
    VarianceStabilized,
)
from skdae.architectures import UNet
from skdae.datasets import fetch_images, load_digits_images
from skdae.metrics import peak_signal_noise_ratio, residual_report

STD = 25 / 255
CAMERA = PoissonGaussianNoise(gain=20.0, std=30.0, offset=100.0, random_state=0)


def squares(images, side):
    """Square parts of images, none of which overlaps another, as float32 in [0, 1]."""
    parts = [
        image[i : i + side, j : j + side]
        for image in images
        for i in range(0, image.shape[0] - side + 1, side)
        for j in range(0, image.shape[1] - side + 1, side)
    ]
    return np.stack(parts).astype(np.float32) / 255


def data_sets(quick):
    """Name, clean images to train on, to calibrate and to test with, and their noise."""
    if quick:
        X = load_digits_images().images.astype(np.float32)
        yield "Digits, σ 0.4", X[:300], X[300:400], X[400:500], GaussianNoise(0.4, random_state=0)
        return
    fashion = fetch_images("fashion_mnist")
    X = fashion.X_test[:2000].astype(np.float32) / 255
    strong = GaussianNoise(0.4, random_state=0)
    yield (
        "Fashion-MNIST, σ 0.4",
        fashion.X_train[:6000] / np.float32(255),
        X[:1000],
        X[1000:],
        strong,
    )
    bsd, set12 = fetch_images("train400").images, fetch_images("set12").images
    train, held_out, test = squares(bsd[:200], 176), squares(bsd[200:], 88), squares(set12, 64)
    photo = GaussianNoise(STD, clip=None, random_state=0)
    # Test images calibrate for test images: the promise is about images of one kind.
    order = np.random.default_rng(0).permutation(len(test))
    calibration, test = test[order[::2]], test[order[1::2]]
    yield "Set12, crops of 64 × 64, σ 25", train, calibration, test, photo
    counts = [2000 * X + 100 for X in (train, held_out[::2], held_out[1::2])]
    yield "camera counts (BSD)", *counts, CAMERA


def measure(denoiser, calibration, test, noise, coverage=0.9):
    """Figures of the intervals of a fitted denoiser on unseen images."""
    noisy, X_noisy = (noise.fit_transform(X) for X in (calibration, test))
    conformal = ConformalDenoiser(denoiser, coverage).conformalize(noisy, calibration)
    X_denoised, (low, high) = conformal.predict_interval(X_noisy)
    inside, width = (low <= test) & (test <= high), high - low
    error = np.abs(X_denoised - test)
    constant = 2 * np.quantile(error, inside.mean())
    truths = (local_error(denoiser.predict(noisy), calibration), local_error(X_denoised, test))
    figures = {
        "coverage": inside.mean(),
        "widest tenth": inside[width >= np.quantile(width, 0.9)].mean(),
        "width / constant": width.mean() / constant,
        "best possible by local error": best_possible(*truths, coverage),
        "ρ width": rank_correlation(width, error),
        "ρ brightness": rank_correlation(X_denoised, error),
    }
    if getattr(denoiser, "loss", None) == "gaussian_nll":
        figures["ρ std"] = rank_correlation(denoiser.predict(X_noisy, return_std=True)[1], error)
    return figures


def local_error(X_denoised, X_clean):
    """Errors of pixels, and the root mean squares of those of the 8 pixels around each."""
    squares = np.square(X_denoised.astype(np.float64) - X_clean)
    around = 9 * uniform_filter(squares, (0, 3, 3), mode="reflect") - squares
    return np.sqrt(squares), np.sqrt(around.clip(0) / 8)


def best_possible(calibration, test, coverage, n_groups=100):
    """Mean width against a constant one, were the error around each pixel known.

    Pixels are put into groups of equal error around them; each group has the width that held in
    the calibration images.
    """
    errors, around = (x.ravel() for x in calibration)
    order = np.argsort(around)
    groups = np.array_split(order, n_groups)
    widths = [np.quantile(errors[group], coverage) for group in groups]
    # A group without errors still has a width, which is stretched.
    widths = np.maximum(widths, 1e-3 * np.mean(widths))
    edges = [around[group[0]] for group in groups[1:]]
    errors, around = (x.ravel() for x in test)
    width = widths[np.searchsorted(edges, around, side="right")]
    return np.quantile(errors / width, coverage) * width.mean() / np.quantile(errors, coverage)


def rank_correlation(a, b):
    """Spearman's, over all pixels."""
    return spearmanr(a, b, axis=None).statistic


def intervals(quick):
    """Yield rows of the table of intervals."""
    for name, train, calibration, test, noise in data_sets(quick):
        nets = {}
        for loss in ("mse", "gaussian_nll"):
            net = DenoisingAutoencoder(
                UNet(filters=(16, 32)),
                noise=noise,
                loss=loss,
                max_steps=100 if quick else 600,
                batch_size=16,
                patch_size=None if train.shape[1] < 64 else 48,
                random_state=0,
            )
            nets[loss] = net.fit(train)
        others = {}
        if not quick and train.shape[1] > 64:
            X_noisy = noise.fit_transform(test)
            tv = VarianceStabilized(TVFilter()) if noise is CAMERA else TVFilter()
            others = {"pretrained": PretrainedDenoiser().fit(X_noisy), "TV": tv.fit(X_noisy)}
        unit = float(test.max() - test.min())
        for label, denoiser in {**nets, **others}.items():
            X_denoised = denoiser.predict(noise.fit_transform(test))
            psnr = peak_signal_noise_ratio(test, X_denoised, data_range=unit)
            yield name, label, {"PSNR": psnr, **measure(denoiser, calibration, test, noise)}


def residuals(quick):
    """Yield cases, and the share of images on which the report names what it should."""
    images = np.tile(load_digits_images().images[:4], (1, 16, 16)).astype(np.float32)
    clean = images if quick else squares(fetch_images("set12").images, 256)
    draws = range(1 if quick else 4)
    X = np.concatenate([clean for _ in draws])[:100]
    noises = [GaussianNoise(STD, clip=None, random_state=i) for i in draws]
    X_noisy = np.concatenate([noise.fit_transform(clean) for noise in noises])[: len(X)]
    rows = StripeNoise(STD / 2, clip=None, random_state=0).fit_transform(X_noisy)
    cases = {
        "right model": (X_noisy, PretrainedDenoiser(noise=STD), None),
        "0.7 × σ": (X_noisy, PretrainedDenoiser(noise=0.7 * STD), "noise_left"),
        "1.4 × σ": (X_noisy, PretrainedDenoiser(noise=1.4 * STD), "structure_removed"),
        "row noise": (rows, PretrainedDenoiser(noise=STD), "noise_correlated"),
        "over-smoothed": (X_noisy, GaussianFilter(sigma=3.0), "structure_removed"),
    }
    names = ("structure_removed", "noise_left", "noise_correlated")
    for case, (images, denoiser, cause) in cases.items():
        with warnings.catch_warnings(action="ignore"):
            report = residual_report(images, denoiser.fit_transform(images))
        flags = np.array([getattr(report, name) for name in names])
        expected = np.array([[name == cause] for name in names])
        yield case, cause or "none", (flags == expected).all(axis=0).mean(), flags.mean(axis=1)


def main(arguments=None):
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small data: a test of the script")
    parser.add_argument("--only", choices=["intervals", "residuals"])
    options = parser.parse_args(arguments)
    if options.only != "residuals":
        header = None
        for name, label, figures in intervals(options.quick):
            if header is None:
                header = ["PSNR", "coverage", "widest tenth", "width / constant"]
                header += ["best possible by local error"]
                header += ["ρ width", "ρ brightness", "ρ std"]
                print("| images | denoiser |", " | ".join(header), "|")
                print("|" + "---|" * (2 + len(header)))
            values = [f"{figures[n]:.3f}" if n in figures else "" for n in header]
            print(f"| {name} | {label} |", " | ".join(values), "|", flush=True)
    if options.only != "intervals":
        print(
            "\n| case | cause | named rightly | removed | left | correlated |\n" + "|---" * 6 + "|"
        )
        for case, cause, share, flags in residuals(options.quick):
            print(f"| {case} | {cause} | {share:.0%} |", " | ".join(f"{f:.0%}" for f in flags), "|")


if __name__ == "__main__":
    main()
