"""What denoisers do to real noise: ``make real``.

Pairs of noisy and clean files are read from ``real.npz`` of SKDAE_DATA, whose README says where
they come from; nothing was trained on them. Of microscopes (W2S), each image is compared after the
affine map that fits it best, as the set's authors do. A run over all sets and methods renews
results/real.jsonl, of which docs/pages.py makes the page on real noise.
"""

import argparse
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from skdae import NLMeansFilter, PretrainedDenoiser
from skdae.filters import estimate_noise_std
from skdae.metrics import peak_signal_noise_ratio, structural_similarity

RESULTS = Path(__file__).parent / "results" / "real.jsonl"
WIDTHS = (0.4, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0, 4.0, 6.0)


def read_pairs():
    """Pairs of floats in [0, 1] by set and name."""
    stored = np.load(Path(os.environ["SKDAE_DATA"]) / "real.npz")
    names = sorted({key.rsplit("/", 1)[0] for key in stored})
    return {
        name: tuple(stored[f"{name}/{kind}"] / np.float32(255) for kind in ("noisy", "clean"))
        for name in names
    }


def group(name):
    """The set that a pair belongs to; wide field is a set of its own."""
    name_of_set, rest = name.split("/")
    return f"{name_of_set}, wide field" if rest.startswith("WideField") else name_of_set


def best_gaussian(noisy, clean):
    """The Gaussian filter that is best for an image, which nobody could know."""
    blurred = [gaussian_filter(noisy, (w, w, 0)[: noisy.ndim]) for w in WIDTHS]
    return max([noisy, *blurred], key=lambda image: score(image, clean)[0])


def nl_means(noisy, clean):
    """Non-local means, at a strength that suits the estimated noise."""
    std = float(estimate_noise_std(noisy[None])[0])
    return NLMeansFilter(std=max(std, 1e-3)).fit_transform(noisy[None])[0]


METHODS = {
    "noisy": lambda noisy, clean: noisy,
    "best Gaussian of each image": best_gaussian,
    "NL means": nl_means,
    "PretrainedDenoiser": lambda noisy, clean: PretrainedDenoiser().fit_transform(noisy[None])[0],
}


def aligned(image, clean):
    """An image under the affine map of its values that fits best."""
    slope, offset = np.polyfit(image.ravel(), clean.ravel(), 1)
    return slope * image + offset


def score(image, clean, affine=False):
    """PSNR in dB, and SSIM."""
    image = aligned(image, clean) if affine else image.clip(0, 1)
    image, clean = (x[None].astype(np.float64) for x in (image, clean))
    psnr = peak_signal_noise_ratio(clean, image, data_range=1)
    return float(psnr), float(structural_similarity(clean, image, data_range=1))


def main(arguments=None):
    """Print a table per set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="*", default=[], help="such as polyu fmd")
    parser.add_argument("--each", action="store_true", help="a line per image")
    parser.add_argument("--quick", action="store_true", help="PretrainedDenoiser alone")
    options = parser.parse_args(arguments)
    quick = [name for name in METHODS if name in ("noisy", "PretrainedDenoiser")]
    rows = {}
    for name, (noisy, clean) in read_pairs().items():
        if options.sets and name.split("/")[0] not in options.sets:
            continue
        affine = name.startswith("w2s")
        found = {}
        for method in quick if options.quick else METHODS:
            began = time.process_time()
            denoised = METHODS[method](noisy, clean)
            seconds = time.process_time() - began
            found[method] = (*score(denoised, clean, affine), seconds)
        rows.setdefault(group(name), []).append(found)
        if options.each:
            print(name, {m: np.round(v, 3).tolist() for m, v in found.items()}, flush=True)
    summaries = [summary(name, of_set) for name, of_set in rows.items()]
    for row in summaries:
        affine = ", after an affine fit" if row["affine"] else ""
        print(f"\n{row['set']}: {row['images']} images{affine}")
        for method, found in row["methods"].items():
            print(
                "  {:28s} {psnr:6.2f} dB  SSIM {ssim:.4f}  worse: {worse}"
                "  {seconds:.2f} s per image".format(method, **found),
                flush=True,
            )
    if not (options.sets or options.quick):
        keep(RESULTS, summaries)


def summary(name, of_set):
    """Means over the images of a set, and how many became worse by more than 0.05 dB."""
    methods = {}
    for method in of_set[0]:
        means = np.mean([found[method] for found in of_set], axis=0).round(4).tolist()
        methods[method] = dict(zip(("psnr", "ssim", "seconds"), means, strict=True))
        worse = [found[method][0] < found["noisy"][0] - 0.05 for found in of_set]
        methods[method]["worse"] = sum(worse)
    affine, date = name.startswith("w2s"), datetime.now(UTC).date().isoformat()
    return {"set": name, "images": len(of_set), "affine": affine, "methods": methods, "date": date}


def keep(path, rows):
    """Write rows, one of JSON per line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
