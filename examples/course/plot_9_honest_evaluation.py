"""
9. Fair evaluation and its traps
================================

**You will learn** three ways to deceive yourself about a denoiser, and how to avoid them.

All comparisons use ``compare``: it corrupts the clean images once, and scores every denoiser on
folds that it was not trained on.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold

from skdae import DenoisingAutoencoder, GaussianFilter, GaussianNoise, psnr_scorer
from skdae.architectures import Dense
from skdae.datasets import load_digits_images
from skdae.model_selection import compare

X = load_digits_images().images[:600]
noise = GaussianNoise(std=0.3, random_state=0)
scoring = {"psnr": psnr_scorer}


def network(std):
    """A network that trains with noise of a standard deviation."""
    options = {"max_epochs": 30, "lr": 3e-3, "batch_size": 32, "random_state": 0}
    return DenoisingAutoencoder(Dense((128,)), noise=GaussianNoise(std), **options)


# %%
# Trap 1: equal images in training and test
# -----------------------------------------
# Here are 100 digits with six nearly equal copies each, as frames of a film would be. Shuffled
# folds put copies of the same digit on both sides. ``GroupKFold`` keeps them together.

rng = np.random.default_rng(0)
X_copies = X[:100].repeat(6, axis=0)
X_copies = (X_copies + rng.normal(0, 0.02, X_copies.shape)).clip(0, 1)
digit = np.arange(100).repeat(6)
denoisers = {"network": network(0.3), "filter": GaussianFilter(sigma=0.6)}
folds = {
    "shuffled": list(KFold(3, shuffle=True, random_state=0).split(X_copies)),
    "groups": list(GroupKFold(3).split(X_copies, groups=digit)),
}
scores = {
    name: compare(denoisers, X_copies, noise, scoring=scoring, cv=cv)["psnr"]
    for name, cv in folds.items()
}
print(pd.DataFrame(scores).round(1))

# %%
# The filter learns nothing, and scores the same. The network seems better than it is.
#
# Trap 2: each candidate judged by its own noise
# ----------------------------------------------
# Which noise should the network train with, if the images have σ = 0.3? The left column judges each
# candidate with the noise of its own training, as ``GridSearchCV`` over ``noise__std`` does by
# default. The right column judges all with σ = 0.3.

stds = (0.1, 0.3, 0.5)
own = [
    compare({"net": network(s)}, X, GaussianNoise(s, random_state=0), scoring=scoring, cv=3)
    for s in stds
]
same = compare({f"{s}": network(s) for s in stds}, X, noise, scoring=scoring, cv=3)["psnr"]
table = pd.DataFrame(
    {"own noise": [t.loc["net", "psnr"] for t in own], "noise of 0.3": same[1:].to_numpy()},
    index=pd.Index(stds, name="trained with"),
)
print(table.round(1))
table.plot.bar(rot=0, xlabel="network trained with σ", ylabel="PSNR (dB)")
plt.show()

# %%
# The weakest noise wins the left column because its images are the easiest.
#
# Trap 3: the wrong noise
# -----------------------
# The network that trained with σ = 0.3 meets images with more and with less noise.

levels = {s: GaussianNoise(s, random_state=0) for s in (0.05, 0.3, 0.6)}
denoisers = {"network": network(0.3), "filter": GaussianFilter(sigma=0.6)}
scores = {f"σ = {s}": compare(denoisers, X, n, scoring=scoring, cv=3) for s, n in levels.items()}
print(pd.DataFrame({name: table["psnr"] for name, table in scores.items()}).round(1))

# %%
# Where the images have less noise than the network knows, it makes them worse than they were.
#
# Exercises
# ---------
# 1. You cut 1,000 patches from 20 photographs. Which folds do you use?
#
# .. dropdown:: Answer
#
#     ``GroupKFold``, with the number of the photograph as group. Patches of one photograph share
#     texture, light and camera, and neighboring ones may overlap.
#
# 2. The noise of your images lies between σ = 0.05 and 0.6. How do you train, and how do you
#    report?
#
# .. dropdown:: Answer
#
#     Train with ``GaussianNoise(std=(0.05, 0.6))``, which draws a level per image, and report one
#     score per level. See :doc:`/gallery/plot_07_blind_denoising`.
#
# 3. One network reaches 16.4 dB and another 16.2 dB. What do you ask before choosing?
#
# .. dropdown:: Answer
#
#     Whether both were scored on the same noisy images, how much the difference varies
#     (``per_fold=True``, and other values of ``random_state``), and whether the score comes from
#     the images that the choice was made on.
