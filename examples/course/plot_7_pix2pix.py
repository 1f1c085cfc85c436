"""
7. Sharp or right: pix2pix against the mean
===========================================

**You will learn** why networks trained with the squared error blur, what a discriminator changes,
and what sharpness costs.

Four rows of each digit are black. Several digits fit what is left. The squared error is smallest
for their *mean*, which is blurred. pix2pix adds a second network, the discriminator, which learns
to tell real digits from restored ones; a blurred digit does not deceive it.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from skdae import DenoisingAutoencoder, Occlusion, Pix2PixDenoiser
from skdae.architectures import UNet
from skdae.datasets import load_digits_images
from skdae.metrics import mean_squared_error
from skdae.plotting import DenoisingDisplay

X_train, X_test = train_test_split(load_digits_images().images, random_state=0)
hide = Occlusion(size=4, value=0.0, orientation="rows", random_state=0)
X_hidden = hide.fit_transform(X_test)

# %%
# The same U-Net, trained in two ways
# -----------------------------------
# ``l1_weight`` says how much the absolute error counts next to the discriminator. The default, 100,
# stays close to the clean image; 10 gives the discriminator more weight.

shared = {"noise": hide, "max_epochs": 15, "random_state": 0}
mean = DenoisingAutoencoder(UNet((16, 32)), lr=2e-3, **shared).fit(X_train)
gan = Pix2PixDenoiser(UNet((16, 32)), l1_weight=10, **shared).fit(X_train)
X_restored = {"MSE": mean.predict(X_hidden), "pix2pix": gan.predict(X_hidden)}

# sphinx_gallery_thumbnail_path = "images/thumb_plot_7_pix2pix.jpg"
DenoisingDisplay.from_predictions(
    X_test, X_hidden, X_restored, metric="mse", input_label="hidden rows"
)
plt.show()

# %%
# Error and sharpness
# -------------------
# As a measure of sharpness we take the mean difference of neighboring rows, relative to that of
# the clean digits.


def contrast(X):
    """Mean absolute difference of pixels and those below them."""
    return np.abs(np.diff(X, axis=1)).mean()


for name, X in {"hidden rows": X_hidden, **X_restored}.items():
    error, sharpness = mean_squared_error(X_test, X), contrast(X) / contrast(X_test)
    print(f"{name:12} mean squared error {error:.3f}, sharpness {sharpness:.2f}")

# %%
# pix2pix is closer to the sharpness of the clean digits, and its error is larger.
#
# Exercises
# ---------
# 1. A pixel is black or white with equal probability. Which guess has the smallest expected squared
#    error? Which could be real?
#
# .. dropdown:: Answer
#
#     The guess 0.5 has an expected squared error of 0.25. Black or white has 0.5, because it is
#     completely wrong half the time. Only black or white could be real.
#
# 2. Which of the two would you use to read postal codes, and which to illustrate a book?
#
# .. dropdown:: Answer
#
#     For reading, the mean: it is right more often, and it shows by its blur where it is unsure.
#     pix2pix invents a plausible stroke, which may be another digit. For a picture that only has to
#     look natural, that is what you want.
#
# 3. Set ``l1_weight=100``. What happens to both numbers?
#
# .. dropdown:: Answer
#
#     The absolute error dominates the training, so the result should lie nearer to the clean images
#     and be less sharp. It is worth a try; adversarial training varies with ``random_state``.
