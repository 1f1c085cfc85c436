"""Where denoising does harm: ``make harm``.

Clean pictures of many kinds, those of scikit-image, rendered ones that no net has learned from, and
mosaics, halftones and the like of the first, as they are and with white noise of several levels,
clipped and rounded to 8 bits. Counts files that come out further from the clean picture than they
went in, and clean ones that were changed by more than 45 dB allow. Unless the denoiser is told the
level, or other pictures are drawn, results/harm.jsonl is renewed.
"""

import argparse
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

import mixture
import numpy as np
from real import keep
from skimage import data
from sklearn.datasets import load_sample_image

from skdae import PretrainedDenoiser
from skdae._images import middle as _middle

RESULTS = Path(__file__).parent / "results" / "harm.jsonl"
LEVELS = (0, 2, 5, 10, 25)
NAMES = (
    *("astronaut", "brick", "camera", "cell", "chelsea", "coffee", "coins", "grass", "gravel"),
    *("hubble_deep_field", "immunohistochemistry", "moon", "page", "retina", "rocket", "text"),
)
SIDE = 256
# No training has it.
SEED = 123456789


def middle(image):
    """The middle of a picture, of at most SIDE × SIDE pixels."""
    return image[_middle(image.shape[:2], SIDE)]


def pictures(seed=SEED):
    """Clean pictures of `uint8` by name."""
    found = {name: middle(getattr(data, name)()) for name in NAMES}
    found["phantom"] = (255 * data.shepp_logan_phantom()[72:328, 72:328]).astype(np.uint8)
    found["binary blobs"] = 255 * data.binary_blobs(SIDE, rng=0).astype(np.uint8)
    found["china"] = middle(load_sample_image("china.jpg"))
    found["flower"] = middle(load_sample_image("flower.jpg"))
    rng = np.random.default_rng(seed)
    for name in ("text", "screen", "chart", "flat", "lines", "filaments", "stars", "mosaic"):
        image = middle(getattr(mixture, name)(rng))
        found[f"rendered {name}"] = (255 * image).round().astype(np.uint8)
    inside = np.hypot(*np.ogrid[-128:128, -128:128]) < 100
    found["masked disc"] = found["moon"] * inside
    found["overexposed"] = np.clip(found["coffee"].astype(int) * 2, 0, 255).astype(np.uint8)
    found["flat"] = np.full((SIDE, SIDE, 3), (200, 30, 90), np.uint8)
    found["letterbox"] = found["astronaut"].copy()
    found["letterbox"][:60] = found["letterbox"][-60:] = 0
    sources = cycle(("flower", "china", "astronaut", "coffee"))
    for process, source in zip(dict.fromkeys(mixture.PROCESSES), sources, strict=False):
        image = middle(process(found[source] / np.float32(255), rng)).clip(0, 1)
        found[f"{source}, {process.__name__}"] = (255 * image).round().astype(np.uint8)
    return found


def psnr(image, clean):
    """In dB; 99 where they are equal."""
    error = np.square(image.astype(np.float64) - clean / 255).mean()
    return min(99.0, -10 * np.log10(error)) if error else 99.0


def main(arguments=None):
    """Print a line per picture, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--told", action="store_true", help="tell the denoiser the level")
    parser.add_argument("--seed", type=int, default=SEED, help="for other drawn pictures")
    options = parser.parse_args(arguments)
    rows = []
    for name, clean in pictures(options.seed).items():
        rows.append(measure(name, clean, options.told))
        gains = " ".join(f"{gain:+6.1f}" for gain in rows[-1]["gain"].values())
        print(f"{name:24s} clean {rows[-1]['clean']:5.1f}  gain {gains}", flush=True)
    worse, changed, n_noisy = count(rows)
    print(f"worse than they went in: {len(worse)} of {n_noisy}: {worse}")
    print(f"clean files changed by more than 45 dB: {len(changed)} of {len(rows)}: {changed}")
    if not options.told and options.seed == SEED:
        keep(RESULTS, rows)


def measure(name, clean, told=False):
    """The PSNR of a clean picture after denoising, and what noisy ones gain, in dB."""
    row = {"name": name, "gain": {}, "date": datetime.now(UTC).date().isoformat()}
    for level in LEVELS:
        noise = np.random.default_rng(level).normal(0, level, clean.shape)
        noisy = (clean + noise).clip(0, 255).round().astype(np.uint8)
        denoiser = PretrainedDenoiser(**({"noise": level / 255} if told else {}))
        after = psnr(denoiser.fit_transform(noisy[None])[0], clean)
        if level == 0:
            row["clean"] = round(float(after), 2)
        else:
            row["gain"][str(level)] = round(float(after - psnr(noisy / 255, clean)), 2)
    return row


def count(rows):
    """What came out worse by picture and level, clean pictures that changed, noisy pictures."""
    gains = [(row["name"], *pair) for row in rows for pair in row["gain"].items()]
    worse = [(name, int(level), gain) for name, level, gain in gains if gain < 0]
    changed = [row["name"] for row in rows if row["clean"] < 45]
    return worse, changed, len(gains)


if __name__ == "__main__":
    main()
