"""
Architectures side by side
==========================

Which network suits which images? We train all five on the same digits, with the same noise and
the same number of epochs.

On such small images the dense network does well, because it sees all pixels at once and learns
what a digit looks like. On large images the order changes.
"""

import time

import matplotlib.pyplot as plt
from sklearn.model_selection import train_test_split

from skdae import DenoisingAutoencoder, GaussianNoise
from skdae.architectures import Conv, Dense, DnCNN, Linear, UNet
from skdae.datasets import load_digits_images
from skdae.metrics import peak_signal_noise_ratio
from skdae.plotting import DenoisingDisplay

X_train, X_test = train_test_split(load_digits_images().images, random_state=0)
noise = GaussianNoise(std=0.4, random_state=0)
X_noisy = noise.fit_transform(X_test)

# %%
# Five networks
# -------------
# ``DenoisingAutoencoder("unet")`` uses the default parameters. Here the convolutional networks
# are smaller, so that the example runs quickly.

NETS = {
    "Linear": Linear(),
    "Dense": Dense(),
    "Conv": Conv(filters=(16, 32)),
    "UNet": UNet(filters=(16, 32)),
    "DnCNN": DnCNN(depth=5, filters=24),
}

# %%
# Train and compare
# -----------------

X_denoised = {}
print(f"{'':8}{'parameters':>12}{'seconds':>9}{'PSNR':>11}")
for name, net in NETS.items():
    dae = DenoisingAutoencoder(net, noise=noise, max_epochs=10, batch_size=32, random_state=0)
    start = time.perf_counter()
    dae.fit(X_train)
    seconds = time.perf_counter() - start
    X_denoised[name] = dae.predict(X_noisy)
    size = sum(parameter.numel() for parameter in dae.module_.parameters())
    psnr = peak_signal_noise_ratio(X_test, X_denoised[name])
    print(f"{name:8}{size:12,}{seconds:9.1f}{psnr:8.2f} dB")

# %%
# Look
# ----

# sphinx_gallery_thumbnail_path = "images/thumb_plot_03_architectures.jpg"
DenoisingDisplay.from_predictions(X_test, X_noisy, X_denoised)
plt.show()
