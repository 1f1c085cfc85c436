"""
Outliers by reconstruction error
================================

Which images are unusual, and where?

A network that encodes each image in a few numbers learns to reconstruct images like its training
images, and nothing else. It reconstructs a stained digit without the stain. The error shows that
there is a stain, and where.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from skdae import DenoisingAutoencoder, GaussianNoise, Occlusion, ReconstructionOutlierDetector
from skdae.datasets import load_digits_images

# A small code loses more than the noise takes away, and the fits say so; here it is no surprise.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

# %%
# Sound digits to learn from, and stained ones to find
# ----------------------------------------------------
# Every fifth test digit gets a gray stain of 3 × 3 pixels. The values of the stain are not
# unusual: digits have gray pixels everywhere.

X_train, X_test = train_test_split(load_digits_images().images, random_state=0)
is_stained = np.arange(len(X_test)) % 5 == 0
stain = Occlusion(size=3, orientation="rectangle", value=0.5, random_state=0)
X_test[is_stained] = stain.fit_transform(X_test[is_stained])

# %%
# A detector around a denoiser
# ----------------------------
# You can use any denoiser. This one has a narrow code, so it cannot copy what it has not learned.
# It reconstructs its training digits better than others, so we set the threshold on digits that
# it has not seen. ``FrozenEstimator`` prevents the detector from training it again.

X_train, X_held_out = train_test_split(X_train, test_size=0.2, random_state=0)
dae = DenoisingAutoencoder(
    "dense", latent_dim=16, noise=GaussianNoise(0.1), max_epochs=60, random_state=0
).fit(X_train)
detector = ReconstructionOutlierDetector(
    FrozenEstimator(dae), standardize=False, contamination=0.05
).fit(X_held_out)

# %%
# Is it better than a detector that does not know about images?
# --------------------------------------------------------------
# The area under the ROC curve is the share of pairs of a sound and a stained digit that are
# ranked correctly; 0.5 is chance.

scores = detector.score_samples(X_test)


def rows(X):
    """Images as rows of values."""
    return X.reshape(len(X), -1)


forest = IsolationForest(random_state=0).fit(rows(X_train))
print(f"detector          {roc_auc_score(~is_stained, scores):.2f}")
print(f"isolation forest  {roc_auc_score(~is_stained, forest.score_samples(rows(X_test))):.2f}")

found = detector.predict(X_test) == -1
print(f"\n{found[is_stained].mean():.0%} of the stained digits are found,")
print(f"{found[~is_stained].mean():.0%} of the sound digits are flagged by mistake.")

# %%
# The most unusual digits
# -----------------------
# The input, its reconstruction, and the error, which is dark where it is large: at the stain.

# sphinx_gallery_thumbnail_path = "images/thumb_plot_09_outliers.jpg"

most = np.argsort(scores)[:10]
X_drawn = dae.predict(X_test[most])
errors = (X_test[most] - X_drawn) ** 2

figure, axes = plt.subplots(3, len(most), figsize=(8, 3), layout="constrained")
for column, i in enumerate(most):
    axes[0, column].set_title("stained" if is_stained[i] else "sound", fontsize="medium")
    axes[0, column].imshow(X_test[i], cmap="gray", vmin=0, vmax=1)
    axes[1, column].imshow(X_drawn[column], cmap="gray", vmin=0, vmax=1)
    axes[2, column].imshow(errors[column], cmap="gray_r", vmin=0)
for ax, name in zip(axes[:, 0], ("image", "rebuilt", "error"), strict=True):
    ax.set_ylabel(name, rotation=0, ha="right", va="center")
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
plt.show()

# %%
# The scores
# ----------
# By design, 5 % of the digits used to set the threshold lie beyond it. A stain that looks like a
# stroke, or lies on one, is missed.

figure, ax = plt.subplots(layout="constrained")
bins = np.linspace(scores.min(), 0, 41)
for name, group, color in (("sound", ~is_stained, "#0072B2"), ("stained", is_stained, "#D55E00")):
    ax.hist(scores[group], bins, color=color, alpha=0.6, label=f"{name}, {group.sum()} digits")
ax.axvline(detector.offset_, color="black", linestyle="--", label="threshold")
ax.set(xlabel="score: minus the mean squared error of a digit", ylabel="digits")
ax.legend(loc="upper left")
plt.show()
