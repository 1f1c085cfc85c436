"""PSNR of PretrainedDenoiser beside published figures: ``make photographs``.

Gaussian noise, not clipped, one pose. Sets of images are read from the folder that SKDAE_DATA
names: ``<set>.npz`` as `skdae.datasets.fetch_images` reads it, or a folder ``<set>`` of image
files; a set that is not there is left out. None of the sets was trained on; ``held out`` are the
20 of the 400 photographs of the folder bsds400 by which the net was chosen.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from mixture import read_folder, split
from weights import LEVELS, to_grey

from skdae import GaussianNoise, PretrainedDenoiser
from skdae.datasets import fetch_images
from skdae.metrics import peak_signal_noise_ratio

# In dB, at LEVELS of 255, as published: Zhang, Zuo and Zhang (2018, FFDNet), Tian et al. (2020,
# ADNet), and of BM3D or CBM3D as these papers give them.
PUBLISHED = {
    "set12": {
        "BM3D": (32.37, 29.97, 26.72),
        "FFDNet": (32.75, 30.43, 27.32),
        "ADNet": (32.90, 30.55, 27.45),
    },
    "bsd68": {
        "BM3D": (31.08, 28.57, 25.60),
        "FFDNet": (31.63, 29.19, 26.29),
        "ADNet": (31.74, 29.28, 26.35),
    },
    "cbsd68": {
        "CBM3D": (33.52, 30.71, 27.38),
        "FFDNet": (33.90, 31.24, 27.96),
        "ADNet": (34.05, 31.40, 28.15),
    },
    "kodak24": {
        "CBM3D": (34.28, 31.68, 28.46),
        "FFDNet": (34.63, 32.13, 28.98),
        "ADNet": (34.85, 32.40, 29.25),
    },
    "mcmaster": {
        "CBM3D": (34.06, 31.66, 28.51),
        "FFDNet": (34.66, 32.35, 29.18),
        "ADNet": (34.95, 32.65, 29.45),
    },
    "held out": {},
}
GREY = {"set12", "bsd68"}


def read_set(name):
    """Images of a set as floats in [0, 1], or None where it is not there."""
    folder = Path(os.environ["SKDAE_DATA"])
    if name == "held out":
        images = split(read_folder(folder / "bsds400"), 20)[1]
    elif (folder / f"{name}.npz").exists():
        images = list(fetch_images(name).images)
    elif (folder / name).is_dir():
        images = read_folder(folder / name)
        images = [image[..., 0] for image in to_grey(images)] if name in GREY else images
    else:
        return None
    return [image.astype(np.float32) / (255 if image.dtype == np.uint8 else 1) for image in images]


def psnr(images, noise, denoiser):
    """Mean PSNR in dB of images that got a noise and were denoised, clipped to [0, 1]."""
    scores = []
    for image in images:
        noisy = noise.fit_transform(image[None])
        denoised = denoiser.fit(noisy).predict(noisy).clip(0, 1)
        scores.append(peak_signal_noise_ratio(image[None], denoised, data_range=1))
    return float(np.mean(scores))


def line(name, values):
    """A row of a table."""
    print(f"{name:32s}" + "".join(f"{value:8.2f}" for value in values), flush=True)


def main(arguments=None):
    """Print the table of Gaussian noise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="*", default=[*PUBLISHED], choices=PUBLISHED)
    print(f"{'PSNR in dB, sigma of 255':32s}" + "".join(f"{level:8d}" for level in LEVELS))
    for name in parser.parse_args(arguments).sets:
        for method, figures in PUBLISHED[name].items():
            line(f"{name}, {method} as published", figures)
        images = read_set(name)
        if images is None:
            print(f"{name}: not in SKDAE_DATA")
            continue
        noises = [GaussianNoise(level / 255, clip=None, random_state=0) for level in LEVELS]
        line(f"{name}, sigma given", [psnr(images, n, PretrainedDenoiser(noise=n)) for n in noises])
        line(f"{name}, estimated", [psnr(images, n, PretrainedDenoiser()) for n in noises])


if __name__ == "__main__":
    main()
