"""
(b) Linear layers, and super-resolution
=======================================

.. figure:: /images/studies/b_enlarged.png
    :alt: Five test digits: clean, reduced to 14 by 14 pixels, and enlarged by bicubic interpolation
        and by two networks. The networks' digits are sharp, the interpolated ones blurred.

    Digits of 14 × 14 pixels, enlarged to 28 × 28, with their mean squared errors.

The study trained a symmetric network of fully connected layers on noisy MNIST digits: five
reductions, batch norm, LeakyReLU, binary cross-entropy (BCE), Adam. It reports a loss of 0.15, and
digits that are correct but blurred. Noise and layer sizes are not stated. Here σ is 0.5, and the
layers have 512, 256, 128, 64 and 32 units.

Then it enlarged small digits without noise, with fewer layers and ReLU, and reports a loss below
0.02. This cannot be the BCE of gray digits, which is at least the entropy of their pixels. It can
be a mean squared error.
"""

# sphinx_gallery_thumbnail_path = 'images/thumb_b_enlarged.jpg'

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.ndimage import zoom

from skdae import DenoisingAutoencoder, Downsample, GaussianNoise
from skdae.architectures import Dense, UNet
from skdae.datasets import fetch_images
from skdae.metrics import mean_squared_error, peak_signal_noise_ratio
from skdae.plotting import DenoisingDisplay

# %%
# Denoise with linear layers.

mnist = fetch_images("mnist")
X_train, X_test = mnist.X_train, mnist.X_test
noise = GaussianNoise(std=0.5, random_state=0)
X_noisy = noise.fit_transform(X_test)
layers = Dense(hidden=(512, 256, 128, 64, 32), activation="leaky_relu", batch_norm=True)
linear = DenoisingAutoencoder(
    layers, noise=noise, loss="bce", optimizer="adam", max_epochs=9, random_state=0
).fit(X_train)

# %%
# Enlarge: the "noise" is the lower resolution.

lower = Downsample(factor=2)
X_blocks = lower.fit_transform(X_test)  # each pixel of a block of 2 × 2 is their mean
X_small = X_blocks[:, ::2, ::2]
bicubic = zoom(X_small, (1, 2, 2), order=3, mode="grid-constant", grid_mode=True)
X_large = {"bicubic": bicubic.clip(0, 1)}
for loss in ("mse", "bce"):
    net = UNet(filters=(32, 64))
    dae = DenoisingAutoencoder(net, noise=lower, loss=loss, max_epochs=2, random_state=0)
    X_large[f"net, {loss}"] = dae.fit(X_train).predict(X_blocks)


# %%
# Compare.


def bce(X_true, X_pred):
    """Mean binary cross-entropy; of images with themselves, their entropy."""
    X, P = np.asarray(X_true / 255, dtype=float), np.clip(X_pred, 1e-7, 1 - 1e-7).astype(float)
    return -np.mean(X * np.log(P) + (1 - X) * np.log1p(-P))


metrics = {"BCE": bce, "MSE": mean_squared_error, "PSNR in dB": peak_signal_noise_ratio}
images = {"noisy": X_noisy, "linear layers": linear.predict(X_noisy), **X_large}
scores = {name: {m: f(X_test, X) for m, f in metrics.items()} for name, X in images.items()}
print(pd.DataFrame(scores).T.to_string(float_format="{:.4g}".format))
print(f"\nEntropy of the test digits: {bce(X_test, X_test / 255):.4f}")

DenoisingDisplay.from_predictions(
    X_test, X_blocks, X_large, n_images=5, metric="mse", input_label="14 × 14"
)
plt.savefig("b_enlarged.png", dpi=150, bbox_inches="tight")

# %%
# It printed, on 2026-11-30:
#
# .. literalinclude:: /../examples/studies/b_linear_layers.txt
