"""
4. Occlusion, trained with and without
======================================

**You will learn** why a denoiser removes only what it was trained to remove, and what a bottleneck
does to an image that is mostly intact.

A white line covers one row or column of each digit, as a scratch would. Four networks try to
reconstruct what lies behind it.
"""

import matplotlib.pyplot as plt
from sklearn.model_selection import train_test_split

from skdae import DenoisingAutoencoder, GaussianNoise, Occlusion
from skdae.architectures import Dense, UNet
from skdae.datasets import load_digits_images
from skdae.metrics import peak_signal_noise_ratio
from skdae.plotting import DenoisingDisplay

X_train, X_test = train_test_split(load_digits_images().images, random_state=0)
line = Occlusion(size=1, random_state=0)
X_occluded = line.fit_transform(X_test)

# %%
# Three ways to train one network, and a U-Net
# --------------------------------------------
# The first three are the same network with a code of 16 values. It is trained as a plain
# autoencoder, with Gaussian noise, and with lines.

dense, shared = Dense(hidden=(128,)), {"max_epochs": 30, "lr": 3e-3, "random_state": 0}
code = {"latent_dim": 16, **shared}
networks = {
    "on clean": DenoisingAutoencoder(dense, **code).fit(X_train, X_train),
    "on noise": DenoisingAutoencoder(dense, noise=GaussianNoise(0.3), **code).fit(X_train),
    "on lines": DenoisingAutoencoder(dense, noise=line, **code).fit(X_train),
    "U-Net, lines": DenoisingAutoencoder(UNet((8, 16)), noise=line, **shared).fit(X_train),
}
X_rebuilt = {name: dae.predict(X_occluded) for name, dae in networks.items()}
for name, X in {"occluded": X_occluded, **X_rebuilt}.items():
    print(f"{name:14}{peak_signal_noise_ratio(X_test, X):6.2f} dB")

# %%
# Look
# ----
# The network trained on clean digits keeps traces of the line. The one trained on lines removes
# it, and blurs the digit as every code of 16 values does. The U-Net leaves intact pixels alone.

# sphinx_gallery_thumbnail_path = "images/thumb_plot_4_occlusion.jpg"
DenoisingDisplay.from_predictions(X_test, X_occluded, X_rebuilt, input_label="occluded")
plt.show()

# %%
# Exercises
# ---------
# 1. The network trained on clean digits has never seen a line. Why is its result still better than
#    the occluded digit?
#
# .. dropdown:: Answer
#
#     It can only draw what its code can express, and a white line across a digit is not among the
#     images it was trained on.
#
# 2. Give the U-Net test digits with a line of two pixels, ``Occlusion(size=2)``. What do you
#    expect?
#
# .. dropdown:: Answer
#
#     It has learned to remove lines of one pixel. Train with ``size=(1, 3)`` if lines of several
#     widths occur, and compare.
#
# 3. Train the U-Net on clean digits, ``fit(X_train, X_train)``. Predict the occluded digits.
#
# .. dropdown:: Answer
#
#     It learns to copy its input, line included: without a bottleneck and without corruption,
#     there is nothing else to learn.
