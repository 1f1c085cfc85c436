"""
1. A linear autoencoder is PCA
==============================

**You will learn** what a code is, why a linear autoencoder can do no more than PCA, and what a
hidden layer adds.

An autoencoder maps an image to a few numbers, its *code*, and the code back to an image. It learns
both maps by making the reconstruction similar to the image.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skdae import DenoisingAutoencoder
from skdae.datasets import load_digits_images
from skdae.metrics import mean_squared_error
from skdae.plotting import DenoisingDisplay

X_train, X_test = train_test_split(load_digits_images().images.reshape(-1, 64), random_state=0)

# %%
# Three ways to a code
# --------------------
# The linear network has no activation between its layers. The dense network has hidden layers.

sizes = [2, 4, 8]
errors = {"PCA": [], "linear": [], "dense": []}
for n in sizes:
    pca = PCA(n).fit(X_train)
    X_rebuilt = {"PCA": pca.inverse_transform(pca.transform(X_test))}
    options = {"latent_dim": n, "validation_fraction": None, "random_state": 0}
    linear = DenoisingAutoencoder("linear", lr=1e-2, max_epochs=100, **options)
    dense = DenoisingAutoencoder("dense", lr=3e-3, max_epochs=40, **options)
    linear.fit(X_train, X_train), dense.fit(X_train, X_train)
    X_rebuilt |= {"linear": linear.predict(X_test), "dense": dense.predict(X_test)}
    for name, X in X_rebuilt.items():
        errors[name].append(mean_squared_error(X_test, X))

for name, values in errors.items():
    print(f"{name:7}", *(f"{value:.4f}" for value in values))

figure, ax = plt.subplots(layout="constrained")
for (name, values), marker in zip(errors.items(), "xos", strict=True):
    ax.plot(sizes, values, marker=marker, markersize=9, label=name)
ax.set_xticks(sizes)
ax.set(xlabel="values in a code", ylabel="mean squared error of test digits", ylim=0)
ax.legend()
plt.show()

# %%
# The same plane
# --------------
# All reconstructions of a linear autoencoder lie in a plane. Decoding the unit codes gives the
# axes of the plane of the network with 8 values. The principal angles between this plane and that
# of PCA are:

axes = linear.decode(np.eye(8, dtype=np.float32)) - linear.decode(np.zeros((1, 8), np.float32))
angles = np.degrees(subspace_angles(axes.T, pca.components_.T))
print(*(f"{angle:.1f}°" for angle in angles))

# %%
# Reconstructions from 8 values

# sphinx_gallery_thumbnail_number = 2

DenoisingDisplay.from_predictions(X_test, X_test, X_rebuilt, metric="mse", input_label="input")
plt.show()
