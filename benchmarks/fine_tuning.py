"""What some minutes of training on 20 noisy images give, from the pretrained net and from scratch.

``python benchmarks/fine_tuning.py`` draws images unlike photographs, adds Gaussian noise of σ = 50
of 255, and prints the PSNR of `PretrainedDenoiser`, and of two denoisers that learn from the noisy
images, from its net and from fresh weights, after as many steps each.
"""

import argparse
import time

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from skdae import GaussianNoise, Noise2VoidDenoiser, PretrainedDenoiser, RecorruptedDenoiser
from skdae.metrics import peak_signal_noise_ratio

STD = 50 / 255


def filaments(rng, side):
    """Thin curves of different brightness, as in fluorescence microscopy, on black."""
    image = np.zeros((side, side))
    for _ in range(25):
        along = np.linspace(0, 1, 2000)
        angle = rng.uniform(0, 2 * np.pi) + rng.normal(0, 3) * along
        step = rng.uniform(0.5, 1.5) * side / len(along)
        places = rng.uniform(0, side, (2, 1)) + step * np.cumsum([np.sin(angle), np.cos(angle)], 1)
        rows, columns = places.astype(int)[:, ((places >= 0) & (places < side)).all(0)]
        np.add.at(image, (rows, columns), rng.uniform(0.3, 1))
    image = gaussian_filter(image, 1.0)
    return image / image.max()


def text(rng, side):
    """Dark words of random letters on light paper."""
    image = Image.new("L", (side, side), int(rng.integers(200, 256)))
    page, size = ImageDraw.Draw(image), int(rng.integers(10, 18))
    letters = [chr(code) for code in range(ord("A"), ord("z") + 1) if chr(code).isalpha()]
    for top in range(2, side, size + 4):
        line = " ".join("".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(12))
        page.text((2, top), line, int(rng.integers(0, 60)), ImageFont.load_default(size))
    return np.asarray(image) / 255


KINDS = {"filaments": filaments, "text": text}


def main(argv=None):
    """Print a row for each way to denoise one kind of images."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kind", choices=KINDS, default="filaments")
    parser.add_argument("--steps", type=int, default=1700)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--side", type=int, default=192, help="of the images, in pixels")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    clean = np.stack([KINDS[args.kind](rng, args.side) for _ in range(20)]).astype(np.float32)
    noisy = GaussianNoise(STD, clip=None, random_state=0).fit_transform(clean)
    options = {
        "max_steps": args.steps,
        "lr": args.lr,
        "validation_fraction": 0,
        "batch_size": 8,
        "patch_size": 64,
        "random_state": 0,
    }
    print(f"{args.kind}: 20 images, {args.steps} steps at {args.lr:g}")
    for name, denoiser in [
        ("pretrained, σ estimated", PretrainedDenoiser()),
        ("pretrained, σ given", PretrainedDenoiser(noise=STD)),
        ("hidden pixels, pretrained", Noise2VoidDenoiser("photographs", **options)),
        ("hidden pixels, fresh", Noise2VoidDenoiser(**options)),
        ("recorrupted, pretrained", RecorruptedDenoiser("photographs", **options)),
        ("recorrupted, fresh", RecorruptedDenoiser(**options)),
    ]:
        start = time.process_time()
        denoised = denoiser.fit(noisy).predict(noisy)
        psnr = peak_signal_noise_ratio(clean, denoised, data_range=1.0)
        print(f"{name:25} {psnr:6.2f} dB {time.process_time() - start:6.0f} s", flush=True)


if __name__ == "__main__":
    main()
