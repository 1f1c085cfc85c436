"""
Your own noise model and network
================================

What if skdae does not have your noise?

Here a scratch runs across each image. The noise model is a class with one method, and the network
is an ordinary PyTorch module. Use them like those of skdae.
"""

import matplotlib.pyplot as plt
from sklearn.model_selection import train_test_split
from torch import nn

from skdae import DenoisingAutoencoder
from skdae.datasets import load_digits_images
from skdae.noise import BaseNoise
from skdae.plotting import DenoisingDisplay

# %%
# Twenty lines
# ------------
# ``_corrupt`` gets images of shape ``(n, height, width, channels)``: arrays in ``transform``, and
# tensors during training. Use only methods that both have, and take random numbers from ``rng``.
# Every noise model also has the parameters ``clip``, ``when`` and ``random_state``.


class Scratch(BaseNoise):
    """A bright line across each image, at a random place and slope."""

    def __init__(self, value=1.0):
        self.value = value

    def _corrupt(self, images, rng):
        n, height, width, _ = images.shape
        ones = images[:1, :, :, :1] * 0 + 1
        y, x = ones.cumsum(1) / height, ones.cumsum(2) / width
        start, slope = rng.uniform(0.2, 0.8, (n, 1, 1, 1)), rng.uniform(-0.5, 0.5, (n, 1, 1, 1))
        hit = abs(y - start - slope * (x - 0.5)) < 0.5 / height
        return images * ~hit + self.value * hit


net = nn.Sequential(
    *(nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.Conv2d(32, 32, 5, padding=2), nn.ReLU()),
    nn.Conv2d(32, 1, 3, padding=1),
)

# %%
# Train and look
# --------------

X_train, X_test = train_test_split(load_digits_images().images, random_state=0)
scratch = Scratch(random_state=0)
dae = DenoisingAutoencoder(net, noise=scratch, max_epochs=20, batch_size=32, random_state=0)
dae.fit(X_train)
# sphinx_gallery_thumbnail_path = "images/thumb_plot_10_own_noise_and_net.jpg"
DenoisingDisplay.from_estimator(dae, X_test, noise=scratch)
plt.show()
