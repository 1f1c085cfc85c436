"""
Baselines and autoencoder in one grid
=====================================

Is a network worth its training? Filters and networks share one interface, so a single grid search
ranks them all on the same noisy images and the same folds.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline

from skdae import (
    SCORERS,
    DenoisingAutoencoder,
    GaussianFilter,
    GaussianNoise,
    MeanFilter,
    MedianFilter,
)
from skdae.datasets import load_digits_images
from skdae.metrics import peak_signal_noise_ratio

X_train, X_test = train_test_split(load_digits_images().images, random_state=0)

# %%
# One grid
# --------
# The step ``denoise`` is itself a parameter of the Pipeline. Each filter has its own parameters.

noise = GaussianNoise(std=0.3, random_state=0)
dae = DenoisingAutoencoder("dense", max_epochs=25, batch_size=32, random_state=0)
pipe = Pipeline([("noise", noise), ("denoise", dae)])
grid = [
    {"denoise": [MeanFilter(size=2), MeanFilter(size=3)]},
    {"denoise": [MedianFilter(size=2), MedianFilter(size=3)]},
    {"denoise": [GaussianFilter(sigma=0.5), GaussianFilter(sigma=1.0)]},
    {"denoise": [dae], "denoise__latent_dim": [None, 16]},
]

# %%
# Four metrics
# ------------
# All four metrics score every candidate. ``refit`` names the one that selects the best.

search = GridSearchCV(pipe, grid, cv=3, scoring=SCORERS, refit="psnr").fit(X_train, X_train)


def label(params):
    """A candidate in a few words, such as ``MeanFilter(size=2)``."""
    latent_dim = params.get("denoise__latent_dim")
    options = "" if latent_dim is None else f", latent_dim={latent_dim}"
    return f'"dense"{options}' if "denoise__latent_dim" in params else str(params["denoise"])


results = search.cv_results_
names = [label(params) for params in results["params"]]
print(f"{'':28}{'PSNR':>9}{'SSIM':>7}{'MSE':>9}{'MAE':>8}")
for i in np.argsort(results["rank_test_psnr"]):
    values = [results[f"mean_test_{metric}"][i] for metric in ("psnr", "ssim", "mse", "mae")]
    print("{:28}{:6.2f} dB{:7.2f}{:9.4f}{:8.4f}".format(names[i], *np.abs(values)))

psnr_noisy = peak_signal_noise_ratio(X_train, noise.fit_transform(X_train))
print(f"{'noisy images':28}{psnr_noisy:6.2f} dB")

# %%
# The ranking
# -----------
# A candidate to the left of the dashed line makes the noisy images worse.

order = np.argsort(results["mean_test_psnr"])
is_net = np.array([name.startswith('"') for name in names])[order]
figure, ax = plt.subplots(layout="constrained")
ax.barh(
    np.array(names)[order],
    results["mean_test_psnr"][order],
    xerr=results["std_test_psnr"][order],
    color=np.where(is_net, "#0072B2", "#999999"),
)
ax.axvline(psnr_noisy, color="black", linestyle="--", label="noisy images")
ax.legend(loc="lower right")
ax.set(xlabel="PSNR (dB), mean and spread of three folds")
plt.show()

# %%
# The selected candidate, on images that no candidate has seen:

print(f"{SCORERS['psnr'](search, X_test, X_test):.2f} dB")
