"""
(e) Digits behind a line
========================

.. figure:: /images/studies/e_digits.png
    :alt: Five test digits: clean, crossed by a white line, and reconstructed by three networks. The
        U-Net restores them almost exactly.

    Test digits with one row or column set to white, and three reconstructions with their mean
    squared errors.

The study trained a network 784-128-50-128-784 on clean MNIST digits. It then covered one row or
column of every test digit, and showed what the network made of it. It reports pictures, and no
numbers. Its activations are not stated; here they are ReLU.

A network that has only seen clean digits does not know what a line is. The same network, trained
*with* occlusion, learns to look behind it. A U-Net has no bottleneck and can copy the rest of the
digit.
"""

# sphinx_gallery_thumbnail_path = 'images/thumb_e_digits.jpg'

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skdae import DenoisingAutoencoder, Occlusion
from skdae.architectures import Dense, UNet
from skdae.datasets import fetch_images
from skdae.metrics import mean_squared_error, peak_signal_noise_ratio
from skdae.plotting import DenoisingDisplay

# %%
# Digits with an even index lose a row, the others a column.

mnist = fetch_images("mnist")
X_train, X_test = mnist.X_train, mnist.X_test
X_occluded = np.empty(X_test.shape, dtype=np.float32)
for first, orientation in enumerate(("rows", "columns")):
    line = Occlusion(size=1, orientation=orientation, start=(10, 20), random_state=0)
    X_occluded[first::2] = line.fit_transform(X_test[first::2])

# %%
# Train one network on clean digits and two with occlusion.

net = Dense(hidden=(128,))
lines = Occlusion(size=1, start=(10, 20))
dense = {"latent_dim": 50, "max_epochs": 30, "random_state": 0}
nets = {
    "on clean": DenoisingAutoencoder(net, **dense).fit(X_train, X_train),
    "occlusion": DenoisingAutoencoder(net, noise=lines, **dense).fit(X_train),
    "U-Net": DenoisingAutoencoder(
        UNet((32, 64), stride=2), noise=lines, max_epochs=2, random_state=0
    ).fit(X_train),
}
X_rebuilt = {name: dae.predict(X_occluded) for name, dae in nets.items()}

# %%
# Compare.

metrics = {"MSE": mean_squared_error, "PSNR in dB": peak_signal_noise_ratio}
images = {"occluded": X_occluded, **X_rebuilt}
scores = {name: {m: f(X_test, X) for m, f in metrics.items()} for name, X in images.items()}
print(pd.DataFrame(scores).T.to_string(float_format="{:.4g}".format))

DenoisingDisplay.from_predictions(
    X_test, X_occluded, X_rebuilt, n_images=5, metric="mse", input_label="occluded"
)
plt.savefig("e_digits.png", dpi=150, bbox_inches="tight")

# %%
# It printed, on 2026-11-24:
#
# .. literalinclude:: /../examples/studies/e_occlusion.txt
