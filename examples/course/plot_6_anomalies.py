"""
6. Anomalies by reconstruction error
====================================

**You will learn** how an autoencoder finds images of a kind it has never seen, and why its
bottleneck matters.

The network is trained on all digits but one. A digit of the missing class is new to it. If the
network cannot reconstruct the new digit, its error gives it away.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from skdae import DenoisingAutoencoder, GaussianNoise, ReconstructionOutlierDetector
from skdae.architectures import Dense, UNet
from skdae.datasets import load_digits_images
from skdae.plotting import DenoisingDisplay

X, y = load_digits_images(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
X_known = X_train[y_train != 0]
is_new = y_test == 0

# %%
# Two networks
# ------------
# The first one squeezes each image through a code of 8 values. The U-Net has connections around
# its bottleneck. The area under the ROC curve (AUC) is the probability that a zero gets a larger
# error than another test digit; 0.5 is chance.

shared = {"noise": GaussianNoise(0.1), "lr": 3e-3, "random_state": 0}
networks = {
    "code of 8": DenoisingAutoencoder(Dense((128,)), latent_dim=8, max_epochs=40, **shared),
    "U-Net": DenoisingAutoencoder(UNet((8, 16)), max_epochs=15, **shared),
}
scores, X_rebuilt = {}, {}
for name, dae in networks.items():
    detector = ReconstructionOutlierDetector(dae, standardize=False).fit(X_known)
    scores[name] = detector.score_samples(X_test)
    X_rebuilt[name] = detector.denoiser_.predict(X_test)
    print(f"{name:10} AUC {roc_auc_score(is_new, -scores[name]):.3f}")

# %%
# Four known and four new digits
# ------------------------------
# Their mean squared errors:

shown = np.r_[np.flatnonzero(~is_new)[:4], np.flatnonzero(is_new)[:4]]
rebuilt = {name: X[shown] for name, X in X_rebuilt.items()}
DenoisingDisplay.from_predictions(
    X_test[shown], X_test[shown], rebuilt, metric="mse", input_label="input"
)
plt.show()

# %%
# The errors of all test digits
# -----------------------------

# sphinx_gallery_thumbnail_number = 2
figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
for ax, (name, score) in zip(axes, scores.items(), strict=True):
    bins = np.linspace(0, -score.min(), 30)
    ax.hist(-score[~is_new], bins, alpha=0.6, label="known digits")
    ax.hist(-score[is_new], bins, alpha=0.6, label="zeros")
    ax.set(title=name, xlabel="mean squared error", ylabel="digits")
    ax.locator_params(axis="x", nbins=4)
axes[0].legend()
plt.show()

# %%
# Exercises
# ---------
# 1. The U-Net reconstructs better. Why is it the worse detector?
#
# .. dropdown:: Answer
#
#     It copies what it sees, zeros included. A detector needs a network that *cannot* reconstruct
#     everything.
#
# 2. Leave out the ones instead of the zeros. Do the results change?
#
# .. dropdown:: Answer
#
#     Yes. How well a class is found depends on how much it differs from those that the network
#     knows. Report the result for every class, not only for the best.
#
# 3. The AUC used the labels. How do you choose a threshold without them?
#
# .. dropdown:: Answer
#
#     From known digits that the network was not trained on:
#     ``ReconstructionOutlierDetector(FrozenEstimator(dae), contamination=0.05)`` accepts 95 % of
#     them. See :doc:`/gallery/plot_09_outliers`.
