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
# The linear network has no activation between its layers. The dense network has hidden layers. Like
# the networks, PCA gets its results clipped to [0, 1].

sizes = [2, 4, 8]
errors = {"PCA": [], "linear": [], "dense": []}
for n in sizes:
    pca = PCA(n).fit(X_train)
    X_rebuilt = {"PCA": pca.inverse_transform(pca.transform(X_test)).clip(0, 1)}
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
# The reconstructions of a linear autoencoder lie in a plane, spanned by the weights of its decoder.
# These are the principal angles between this plane, of 8 dimensions, and that of PCA:

weight = linear.module_.decoder.layer.weight.detach().numpy()
angles = np.degrees(subspace_angles(weight, pca.components_.T))
print("angles:", *(f"{angle:.1f}°" for angle in angles))
variances = PCA(9).fit(X_train).explained_variance_ratio_[-2:]
print("variances of components 8 and 9: {:.3f} and {:.3f}".format(*variances))

# %%
# Seven directions agree. The last one is hard to tell from the next: both components explain almost
# the same variance, so the error hardly depends on the choice.
#
# Reconstructions from 8 values

DenoisingDisplay.from_predictions(X_test, X_test, X_rebuilt, metric="mse", input_label="input")
plt.show()

# %%
# Exercises
# ---------
# 1. How much smaller is a code of 8 values than a digit, and what is lost?
#
# .. dropdown:: Answer
#
#     A digit has 64 values, so the code is an eighth. What is lost varies from digit to digit; a
#     method keeps what its training images have in common.
#
# 2. Why can the dense network do with 2 values what PCA needs more for?
#
# .. dropdown:: Answer
#
#     PCA with 2 values can only reach the points of a plane. With hidden layers, the decoder bends
#     this plane into a curved surface that passes nearer to the digits.
#
# 3. Put ``noise=GaussianNoise(0.3)`` into both networks and predict noisy digits. Compare with PCA.
#
# .. dropdown:: Answer
#
#     PCA denoises, too: it removes the part of the noise outside its plane. Fit it on clean digits,
#     transform noisy ones, and compare all three by ``peak_signal_noise_ratio``.
