"""
Denoise digits
==============

How much better than a classical filter is a network that has seen clean images?

An autoencoder learns to remove Gaussian noise from digits. We compare it with two filters on test
digits that it has never seen. Run from a shell, the script also takes ``--data mnist``.
"""

import argparse
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.model_selection import train_test_split

from skdae import DenoisingAutoencoder, GaussianFilter, GaussianNoise, MedianFilter
from skdae.datasets import fetch_images, load_digits_images
from skdae.metrics import mean_absolute_error, mean_squared_error, peak_signal_noise_ratio
from skdae.plotting import DenoisingDisplay

parser = argparse.ArgumentParser(description="Denoise digits, and compare with filters.")
parser.add_argument("--data", choices=["digits", "mnist"], default="digits")
parser.add_argument("--output", type=Path, help="where the picture goes")
options, _ = parser.parse_known_args()  # a notebook has arguments of its own

# %%
# Corrupt
# -------
# Noise models are transformers. They give the same image the same noise every time, so all
# denoisers are judged on the same noisy images.

if options.data == "mnist":
    mnist = fetch_images("mnist")
    X_train, X_test = mnist.X_train, mnist.X_test
    training = {"max_epochs": 8, "batch_size": 128, "lr": 2e-3}
    filters = [GaussianFilter(sigma=0.7), MedianFilter(size=3)]
else:
    X_train, X_test = train_test_split(load_digits_images().images, random_state=0)
    training = {"max_epochs": 100, "lr": 2e-3}
    filters = [GaussianFilter(sigma=0.6), MedianFilter(size=3)]

noise = GaussianNoise(std=0.4, random_state=0)
X_noisy = noise.fit_transform(X_test)

# %%
# Train
# -----
# With ``noise=``, the network is trained on clean images and sees fresh noise at every step. In a
# terminal, ``verbose=1`` shows a progress bar.

verbose = int(sys.stderr.isatty())
dae = DenoisingAutoencoder("dense", noise=noise, random_state=0, verbose=verbose, **training)
start = time.perf_counter()
dae.fit(X_train)
print(f"Trained on {len(X_train)} images in {time.perf_counter() - start:.0f} s.")

# %%
# Denoise and compare
# -------------------
# Filters have the same methods as the network but need no training. The width of the Gaussian
# filter is the one with the highest PSNR on the training images. The peak signal-to-noise ratio
# (PSNR) is in decibels, averaged over the test images; higher is better.

X_denoised = {type(f).__name__: f.fit(X_train).predict(X_noisy) for f in filters}
X_denoised["DenoisingAutoencoder"] = dae.predict(X_noisy)

psnr = {}
print(f"\n{'':22}{'MSE':>9}{'MAE':>9}{'PSNR':>11}")
for name, X in {"noisy": X_noisy, **X_denoised}.items():
    psnr[name] = peak_signal_noise_ratio(X_test, X)
    mse, mae = mean_squared_error(X_test, X), mean_absolute_error(X_test, X)
    print(f"{name:22}{mse:9.4f}{mae:9.4f}{psnr[name]:8.2f} dB")
gain = psnr["DenoisingAutoencoder"] - max(psnr[type(f).__name__] for f in filters)
print(f"\nThe autoencoder gains {gain:.1f} dB on the better filter.")

# %%
# Look
# ----

# sphinx_gallery_thumbnail_path = "images/guide_digits.jpg"
_, ax = plt.subplots(figsize=(5.4, 4.6))
columns = dict(zip(["Gaussian", "median", "network"], X_denoised.values(), strict=True))
DenoisingDisplay.from_predictions(X_test, X_noisy, columns, n_images=4, ax=ax)

output = options.output or Path(f"denoised_{options.data}.png")
plt.savefig(output, dpi=150, bbox_inches="tight")
print(f"The figure is in {output}.")
