"""
Denoise a photograph without training
=====================================

:class:`~skdae.PretrainedDenoiser` comes with its networks. It denoises photographs of any size, in
color or gray, and sees the noise level by itself.
"""

# %%
# The photograph comes with scikit-learn. We add noise with a standard deviation of 35 gray levels
# out of 255.
import argparse
import time
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_sample_image

from skdae import GaussianNoise, PretrainedDenoiser
from skdae.filters import NLMeansFilter
from skdae.metrics import peak_signal_noise_ratio

parser = argparse.ArgumentParser(description="Denoise a photograph without training.")
parser.add_argument("--output", type=Path, help="where the picture goes")
options, _ = parser.parse_known_args()  # a notebook has arguments of its own

X_clean = load_sample_image("flower.jpg")[None, :400] / 255
X_noisy = GaussianNoise(std=35 / 255, random_state=0).fit_transform(X_clean)

# %%
# ``fit`` does not train anything. It only checks the images, as a filter does.
images = {"noisy": X_noisy}
for denoiser in (NLMeansFilter(), PretrainedDenoiser()):
    start = time.perf_counter()
    name = type(denoiser).__name__
    images[name] = denoiser.fit(X_noisy).predict(X_noisy)
    print(f"{name:20} {time.perf_counter() - start:5.1f} s")

# %%
# Compare
# -------

# sphinx_gallery_thumbnail_path = "images/card_flower.jpg"
figure, axes = plt.subplots(2, 2, figsize=(7, 7.4), layout="constrained")
for ax, (name, X) in zip(axes.flat, {"clean": X_clean, **images}.items(), strict=True):
    psnr = "" if X is X_clean else f", {peak_signal_noise_ratio(X_clean, X):.1f} dB"
    print(f"{name}{psnr}")
    ax.imshow(X[0, 80:280, 220:420].clip(0, 1))
    ax.set_title(name + psnr)
    ax.axis("off")
if options.output:
    figure.savefig(options.output, dpi=100)
    print(f"See {options.output}.")
plt.show()
