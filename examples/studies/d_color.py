"""
(d) Four kinds of noise, filters, and pix2pix
=============================================

.. figure:: /images/studies/d_gaussian.png
    :alt: Six small color photographs with Gaussian noise, and the results of two filters and three
        networks. The network with a code is blurred, U-Net and pix2pix are sharper.

    Gaussian noise, and the mean absolute error of each result.

The study took 4,000 faces (CelebA) of 28 × 28 pixels in color, three quarters of them to train
on, and four kinds of noise. Its convolutional network with a code of 100 values was **worse than
the mean and the median filter on all four**, by mean absolute error (MAE). With pix2pix the blur
was gone; on salt and pepper, the error was up to 12 times smaller. Other numbers are not stated.

CelebA is not available here. Crops of CIFAR-10 take its place; they are more varied than faces.
"""

# sphinx_gallery_thumbnail_path = 'images/thumb_d_gaussian.jpg'

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skdae import (
    DenoisingAutoencoder,
    GaussianNoise,
    MeanFilter,
    MedianFilter,
    Pix2PixDenoiser,
    PoissonNoise,
    SaltPepper,
    SpeckleNoise,
)
from skdae.architectures import Conv, UNet
from skdae.datasets import fetch_images
from skdae.metrics import mean_absolute_error
from skdae.plotting import DenoisingDisplay

X = fetch_images("cifar10_subset").X_train[:4000, 2:30, 2:30]
X_train, X_test = np.split(X, [len(X) * 3 // 4])
noises = {
    "Gaussian": GaussianNoise(std=0.1**0.5, random_state=0),
    "Poisson": PoissonNoise(peak=2 ** np.ceil(np.log2(len(np.unique(X)))), random_state=0),
    "salt and pepper": SaltPepper(amount=0.004, random_state=0),
    "multiplicative": SpeckleNoise(std=1.0, random_state=0),
}

# %%
# One set of denoisers per noise. The first network has the study's code of 100 values.

net = Conv((32, 64), downsample="stride", activation="leaky_relu", batch_norm=True)
unet = UNet((32, 64, 128))
errors = {}
for kind, noise in noises.items():
    shared = {"noise": noise, "batch_size": 32, "random_state": 0}
    denoisers = {
        "mean filter": MeanFilter(size=3),
        "median filter": MedianFilter(size=3),
        "code of 100": DenoisingAutoencoder(net, latent_dim=100, max_epochs=20, **shared),
        "U-Net": DenoisingAutoencoder(unet, loss="mae", max_epochs=4, **shared),
        "pix2pix": Pix2PixDenoiser(unet, max_epochs=3, **shared),
    }
    X_noisy = noise.fit_transform(X_test)
    denoised = {name: d.fit(X_train).predict(X_noisy) for name, d in denoisers.items()}
    images = {"noisy": X_noisy, **denoised}
    errors[kind] = {name: mean_absolute_error(X_test, X) for name, X in images.items()}
    DenoisingDisplay.from_predictions(X_test, X_noisy, denoised, n_images=6, metric="mae")
    plt.savefig(f"d_{kind.replace(' ', '_').lower()}.png", dpi=150, bbox_inches="tight")

print(pd.DataFrame(errors).to_string(float_format="{:.4f}".format))

# %%
# The mean absolute errors of the test images, recorded on 2026-11-21 by
# ``python examples/studies/d_color.py --seconds 40``, an earlier form of this script with the same
# networks and seeds, and 19 to 22 epochs for the code of 100:
#
# .. literalinclude:: /../examples/studies/d_color.txt
#
# The network with a code is worse than the filters on Poisson noise and on salt and pepper: it
# blurs the pixels that were clean. On salt and pepper, U-Net and pix2pix have 13 times less error
# than the median filter, and no less than the noisy images, of whose pixels 99.6 % are intact.
#
# .. figure:: /images/studies/d_salt_and_pepper.png
#     :alt: Six small photographs with salt and pepper on few pixels, and the results of two filters
#         and three networks. The network with a code is the most blurred.
#
#     Salt and pepper on 0.4 % of the pixels.
