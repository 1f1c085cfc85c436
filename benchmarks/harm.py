"""Where denoising does harm: ``make harm``.

Clean pictures of many kinds, those of scikit-image and rendered ones that no net has learned from,
as they are and with white noise of several levels, clipped and rounded to 8 bits. Counts files that
come out further from the clean picture than they went in, and clean ones that were changed by more
than 45 dB allow.
"""

import argparse

import mixture
import numpy as np
from skimage import data
from sklearn.datasets import load_sample_image

from skdae import PretrainedDenoiser

LEVELS = (0, 2, 5, 10, 25)
NAMES = (
    *("astronaut", "brick", "camera", "cell", "chelsea", "coffee", "coins", "grass", "gravel"),
    *("hubble_deep_field", "immunohistochemistry", "moon", "page", "retina", "rocket", "text"),
)
SIDE = 256


def middle(image):
    """The middle of a picture, of at most SIDE × SIDE pixels."""
    rows, columns = (
        slice((n - min(n, SIDE)) // 2, (n + min(n, SIDE)) // 2) for n in image.shape[:2]
    )
    return image[rows, columns]


def pictures():
    """Clean pictures of `uint8` by name."""
    found = {
        name: middle(getattr(data, name)())
        for name in (
            [
                "astronaut",
                "brick",
                "camera",
                "cell",
                "chelsea",
                "coffee",
                "coins",
                "grass",
                "gravel",
                "hubble_deep_field",
                "immunohistochemistry",
                "moon",
                "page",
                "retina",
                "rocket",
                "text",
            ]
        )
    }
    found["phantom"] = (255 * data.shepp_logan_phantom()[72:328, 72:328]).astype(np.uint8)
    found["binary blobs"] = 255 * data.binary_blobs(SIDE, rng=0).astype(np.uint8)
    found["china"] = middle(load_sample_image("china.jpg"))
    found["flower"] = middle(load_sample_image("flower.jpg"))
    # A seed that no training has.
    rng = np.random.default_rng(123456789)
    for maker in (
        mixture.text,
        mixture.screen,
        mixture.chart,
        mixture.flat,
        mixture.lines,
        mixture.filaments,
        mixture.stars,
        mixture.mosaic,
    ):
        found[f"rendered {maker.__name__}"] = (255 * middle(maker(rng))).round().astype(np.uint8)
    inside = np.hypot(*np.ogrid[-128:128, -128:128]) < 100
    found["masked disc"] = found["moon"] * inside
    found["overexposed"] = np.clip(found["coffee"].astype(int) * 2, 0, 255).astype(np.uint8)
    found["flat"] = np.full((SIDE, SIDE, 3), (200, 30, 90), np.uint8)
    found["letterbox"] = found["astronaut"].copy()
    found["letterbox"][:60] = found["letterbox"][-60:] = 0
    return found


def psnr(image, clean):
    """In dB; 99 where they are equal."""
    error = np.square(image.astype(np.float64) - clean / 255).mean()
    return min(99.0, -10 * np.log10(error)) if error else 99.0


def main(arguments=None):
    """Print a line per picture, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--told", action="store_true", help="tell the denoiser the level")
    options = parser.parse_args(arguments)
    worse, changed, n_noisy = [], [], 0
    found = pictures()
    for name, clean in found.items():
        cells = []
        for level in LEVELS:
            noise = np.random.default_rng(level).normal(0, level, clean.shape)
            noisy = (clean + noise).clip(0, 255).round().astype(np.uint8)
            noise = level / 255 if options.told else None
            denoiser = PretrainedDenoiser(**({"noise": noise} if options.told else {}))
            after = psnr(denoiser.fit_transform(noisy[None])[0], clean)
            before = psnr(noisy / 255, clean)
            cells.append(f"{after - before:+6.1f}" if level else f"{after:5.1f}")
            if level == 0:
                changed += [name] * int(after < 45)
            else:
                n_noisy += 1
                worse += [(name, level, round(after - before, 2))] * int(after < before)
        print(f"{name:24s} clean {cells[0]}  gain {' '.join(cells[1:])}", flush=True)
    print(f"worse than they went in: {len(worse)} of {n_noisy}: {worse}")
    print(f"clean files changed by more than 45 dB: {len(changed)} of {len(found)}: {changed}")


if __name__ == "__main__":
    main()
