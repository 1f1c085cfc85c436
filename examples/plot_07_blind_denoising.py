"""
Blind denoising
===============

Does a network need to know how strong the noise is?

A network that was trained for one noise level is best at that level and worse elsewhere. A network
trained on a range of levels handles them all without being told the level. ``std=(low, high)``
draws a level for each image.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from skdae import DenoisingAutoencoder, GaussianFilter, GaussianNoise
from skdae.datasets import load_digits_images
from skdae.plotting import NoiseLevelDisplay

X_train, X_test = train_test_split(load_digits_images().images, random_state=0)

# %%
# Three networks and a filter
# ---------------------------

denoisers = {"GaussianFilter": GaussianFilter(sigma=0.5).fit(X_train)}
for name, std in {
    "trained at 0.1": 0.1,
    "trained at 0.5": 0.5,
    "trained from 0 to 0.6": (0.0, 0.6),
}.items():
    noise = GaussianNoise(std=std)
    dae = DenoisingAutoencoder("dense", noise=noise, max_epochs=40, batch_size=32, random_state=0)
    denoisers[name] = dae.fit(X_train)

# %%
# PSNR against the level
# ----------------------
# The dashed line is the PSNR of the noisy images. Below it, a denoiser makes the images worse.
# The network for the whole range loses something at both ends, most where there is little noise
# to remove.

levels = np.linspace(0.05, 0.6, 12)
NoiseLevelDisplay.from_estimator(
    denoisers, X_test, noise=GaussianNoise(random_state=0), levels=levels
)
plt.show()
