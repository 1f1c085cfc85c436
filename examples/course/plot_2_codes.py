"""
2. Dense and convolutional autoencoders
=======================================

**You will learn** how the two kinds of networks make a code, how the size of the code matters
against noise, and what lies between two codes.

A dense network connects every pixel with every hidden value. A convolutional network first looks
at small neighborhoods, with the same weights everywhere, and then makes the code.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from skdae import DenoisingAutoencoder, GaussianNoise
from skdae.architectures import Conv, Dense
from skdae.datasets import load_digits_images
from skdae.metrics import peak_signal_noise_ratio

X, y = load_digits_images(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
noise = GaussianNoise(std=0.3, random_state=0)
X_noisy = noise.fit_transform(X_test)

# %%
# Codes of 2, 8 and 32 values
# ---------------------------

networks = {"dense": Dense(hidden=(128,)), "convolutional": Conv(filters=(8, 16))}
sizes, scores, fitted = [2, 8, 32], {}, {}
for name, net in networks.items():
    for latent_dim in sizes:
        fitted[name, latent_dim] = DenoisingAutoencoder(
            net, latent_dim=latent_dim, noise=noise, lr=3e-3, max_epochs=25, random_state=0
        ).fit(X_train)
    scores[name] = [
        peak_signal_noise_ratio(X_test, fitted[name, n].predict(X_noisy)) for n in sizes
    ]
    weights = sum(p.numel() for p in fitted[name, 32].module_.parameters())
    print(f"{name:14}", *(f"{s:6.2f} dB" for s in scores[name]), f"  {weights:,} parameters")

figure, ax = plt.subplots(layout="constrained")
for (name, values), marker in zip(scores.items(), "os", strict=True):
    ax.plot(sizes, values, marker=marker, label=name)
ax.axhline(peak_signal_noise_ratio(X_test, X_noisy), color="black", linestyle="--", label="noisy")
ax.set_xscale("log", base=2)
ax.set_xticks(sizes, sizes)
ax.set(xlabel="values in a code", ylabel="PSNR (dB) of test digits")
ax.legend()
plt.show()

# %%
# Both remove more noise with larger codes, up to 32 values here. On digits of 8 × 8 pixels the
# dense network is ahead, with more parameters.
#
# Between two codes
# -----------------
# From a zero to a six, in equal steps: of their codes in the upper row, of their pixels in the
# lower one.

# sphinx_gallery_thumbnail_path = "images/thumb_plot_2_codes.jpg"

dae = fitted["dense", 8]
start, end = X_test[y_test == 0][:1], X_test[y_test == 6][:1]
steps = np.linspace(0, 1, 8, dtype=np.float32)[:, None]
codes = (1 - steps) * dae.encode(start) + steps * dae.encode(end)
steps = steps[..., None]
rows = {"codes": dae.decode(codes), "pixels": (1 - steps) * start + steps * end}
figure, axes = plt.subplots(2, 8, figsize=(8, 2.3), layout="constrained")
for row, (name, images) in zip(axes, rows.items(), strict=True):
    row[0].set_ylabel(name)
    for ax, image in zip(row, images, strict=True):
        ax.imshow(image, cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
plt.show()

# %%
# The pixels fade from one digit to the other. The decoded images are drawn by the network at every
# step.
#
# Exercises
# ---------
# 1. What happens to the PSNR with ``latent_dim=64``, as many values as pixels?
#
# .. dropdown:: Answer
#
#     The bottleneck is gone, yet the network still has to remove noise, because its input is noisy
#     and its target is clean. Try it. See :doc:`/gallery/plot_04_latent_size`.
#
# 2. Without noise, what would a network with ``latent_dim=64`` learn?
#
# .. dropdown:: Answer
#
#     To copy its input. Either a bottleneck or corruption forces it to learn what digits look like.
#
# 3. How does the number of parameters grow if the images have twice the height and width?
#
# .. dropdown:: Answer
#
#     The first and last layers of the dense network grow by 4, with the pixels. Convolutions stay
#     the same, and only the layers to the code and back grow. This is why large images need
#     convolutions.
