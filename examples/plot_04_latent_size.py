"""
How large a code?
=================

How many numbers does a network need to encode a digit, so that it can reconstruct the digit
without noise?

A grid search gives the answer. It scores each code size by cross-validation, for a network with a
hidden layer and for a linear network, which can do no better than PCA.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline

from skdae import DenoisingAutoencoder, GaussianNoise, psnr_scorer
from skdae.datasets import load_digits_images

X_train, X_test = train_test_split(load_digits_images().images, random_state=0)

# A small code loses more than the noise takes away, and the fits say so; here it is no surprise.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

# %%
# The search
# ----------
# The noise is a step of the Pipeline, so all candidates see the same noisy images. The clean
# images are both the input of the Pipeline and the target.

noise = GaussianNoise(std=0.3, random_state=0)
dae = DenoisingAutoencoder("dense", lr=5e-3, max_epochs=40, batch_size=32, random_state=0)
pipe = Pipeline([("noise", noise), ("dae", dae)])

sizes = [2, 4, 8, 16, 32, 64]
grid = {"dae__architecture": ["linear", "dense"], "dae__latent_dim": sizes}
search = GridSearchCV(pipe, grid, cv=2, scoring=psnr_scorer)
search.fit(X_train, X_train)

# %%
print(f"Best: {search.best_params_}, {search.best_score_:.2f} dB in cross-validation")
print(f"On the test images: {psnr_scorer(search, X_test, X_test):.2f} dB")

# %%
# The score curve
# ---------------
# With few values the hidden layer helps, because the outputs of the network need not lie in a
# plane. With 32 values, half the number of pixels, both networks reach the limit set by the
# noise.

results = search.cv_results_
figure, ax = plt.subplots(layout="constrained")
for name, color, marker in (("linear", "#D55E00", "s"), ("dense", "#0072B2", "o")):
    rows = results["param_dae__architecture"] == name
    score, spread = results["mean_test_score"][rows], results["std_test_score"][rows]
    ax.errorbar(sizes, score, spread, color=color, marker=marker, capsize=3, label=name)
ax.set_xscale("log", base=2)
ax.set_xticks(sizes, np.array(sizes).astype(str))
ax.set(xlabel="values in a code (latent_dim)", ylabel="PSNR (dB), mean and spread of the folds")
ax.legend()
plt.show()
