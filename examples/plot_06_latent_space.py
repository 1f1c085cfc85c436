"""
Look at the latent space
========================

What does a network encode about an image if it has only two numbers?

An autoencoder with codes of two values learns to denoise digits. It never sees the labels, but
its codes form groups.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skdae import DenoisingAutoencoder, GaussianNoise
from skdae.architectures import Dense
from skdae.datasets import load_digits_images
from skdae.plotting import LatentSpaceDisplay

X, y = load_digits_images(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

# A small code loses more than the noise takes away, and the fits say so; here it is no surprise.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

noise = GaussianNoise(std=0.1, random_state=0)
net = Dense(hidden=(256, 64), activation="silu")
dae = DenoisingAutoencoder(net, latent_dim=2, noise=noise, max_epochs=90, random_state=0)
dae.fit(X_train)

# %%
# Codes of noisy digits
# ---------------------
# The colors show the labels, which the network has not seen.

LatentSpaceDisplay.from_estimator(dae, noise.fit_transform(X_test), y_test)
plt.show()

# %%
# What the codes stand for
# ------------------------
# ``decode`` turns any code into an image. Decoding a grid of codes shows which images the network
# can produce.

codes = dae.encode(X_train)
(left, bottom), (right, top) = np.quantile(codes, (0.1, 0.9), axis=0)
side = 12
columns, rows = np.meshgrid(np.linspace(left, right, side), np.linspace(top, bottom, side))
drawn = dae.decode(np.column_stack([columns.ravel(), rows.ravel()]))

# A gray line between the images; then (row, column, y, x) becomes (row, y, column, x), one image.
framed = np.pad(drawn, [(0, 0), (1, 0), (1, 0)], constant_values=0.5)
chart = framed.reshape(side, side, 9, 9).swapaxes(1, 2).reshape(side * 9, side * 9)
# sphinx_gallery_thumbnail_number = 2
figure, ax = plt.subplots(figsize=(6.4, 6.4), layout="constrained")
ax.imshow(chart, cmap="gray", extent=(left, right, bottom, top), aspect="auto")
ax.set(xlabel="value 1 of the code", ylabel="value 2 of the code")
plt.show()
