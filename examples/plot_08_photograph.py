"""
A photograph: crops and tiles
=============================

How do you denoise a large image if there are only two to learn from?

Train on crops. Here the network learns from small parts of one photograph and of the right half
of another. Then it denoises the left half, which it has not seen. A network that looks only at
neighbors takes images of any size.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_sample_images

from skdae import DenoisingAutoencoder, GaussianNoise, NLMeansFilter
from skdae.architectures import UNet
from skdae.metrics import peak_signal_noise_ratio, structural_similarity
from skdae.plotting import DenoisingDisplay, TrainingDisplay

china, flower = load_sample_images().images
test, train = china[:, :320], [china[:, 320:], flower]
print("to train:", [image.shape for image in train], "to test:", test.shape)

# %%
# Train on crops
# --------------
# ``patch_size`` is the side of the crops, which are drawn anew in every epoch. Pass images of
# different sizes as a list. The noise level is 25 gray levels out of 255.

noise = GaussianNoise(std=25 / 255, random_state=0)
dae = DenoisingAutoencoder(
    UNet(filters=(16, 32, 64)),
    noise=noise,
    patch_size=48,
    batch_size=8,
    lr=3e-3,
    max_epochs=22,
    random_state=0,
)
dae.fit(train)
TrainingDisplay.from_estimator(dae)
plt.show()

# %%
# Predict in tiles
# ----------------
# A single image is a batch of one. ``tile_size`` bounds the memory. The tiles overlap by as much
# as the network sees, so there are no seams. The baseline is a non-local means filter; its ``h``
# is the one with the highest PSNR on the training photographs.

X_clean = test[None] / 255
X_noisy = noise.fit_transform(X_clean)
dae.set_params(tile_size=128)
X_denoised = {
    "NLMeansFilter": NLMeansFilter(h=0.07).fit(X_noisy).predict(X_noisy),
    "DenoisingAutoencoder": dae.predict(X_noisy),
}
print(f"{'':22}{'PSNR':>9}{'SSIM':>7}")
for name, X in {"noisy": X_noisy, **X_denoised}.items():
    psnr, ssim = peak_signal_noise_ratio(X_clean, X), structural_similarity(X_clean, X)
    print(f"{name:22}{psnr:6.2f} dB{ssim:7.2f}")

# %%
# Look
# ----
# A part of the image at full resolution.

# sphinx_gallery_thumbnail_path = "images/guide_scale.jpg"


def part(X):
    """120 × 120 pixels."""
    return X[:, 110:230, 190:310]


DenoisingDisplay.from_predictions(
    part(X_clean), part(X_noisy), {name: part(X) for name, X in X_denoised.items()}
)
plt.show()
