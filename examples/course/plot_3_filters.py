"""
3. Each noise has its filter
============================

**You will learn** how four kinds of noise differ, which classical filter fits which of them, and
how to compare them fairly.

A filter makes an assumption about the image and the noise. It fails where the assumption does.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_sample_images

from skdae import (
    BilateralFilter,
    GaussianFilter,
    GaussianNoise,
    MeanFilter,
    MedianFilter,
    SaltPepper,
    SpeckleNoise,
    StripeNoise,
    psnr_scorer,
)
from skdae.model_selection import compare

photographs = np.stack(load_sample_images().images)[:, 150:406, 200:584].mean(axis=3) / 255
X = photographs.reshape(2, 4, 64, 6, 64).swapaxes(2, 3).reshape(-1, 64, 64)

# %%
# Four noise models
# -----------------
# Speckle multiplies the image, salt and pepper replaces pixels, and stripes shift whole rows.

noises = {
    "Gaussian": GaussianNoise(std=0.15, random_state=0),
    "speckle": SpeckleNoise(std=0.3, random_state=0),
    "salt and pepper": SaltPepper(amount=0.1, random_state=0),
    "stripes": StripeNoise(std=0.15, random_state=0),
}
# sphinx_gallery_thumbnail_path = "images/card_noises.jpg"
figure, axes = plt.subplots(1, 5, figsize=(8, 2), layout="constrained")
shown = X[8:9]
images = {"clean": shown, **{name: n.fit_transform(shown) for name, n in noises.items()}}
for ax, (name, image) in zip(axes, images.items(), strict=True):
    ax.imshow(image[0], cmap="gray", vmin=0, vmax=1)
    ax.set(title=name, xticks=[], yticks=[])
plt.show()

# %%
# Four filters
# ------------
# ``compare`` corrupts the images once and scores all filters on them. The row "noisy" is the PSNR
# in dB without any filter.

filters = {
    "mean": MeanFilter(size=3),
    "Gaussian": GaussianFilter(sigma=0.8),
    "median": MedianFilter(size=3),
    "bilateral": BilateralFilter(),
}
scoring = {"psnr": psnr_scorer}
psnr = pd.DataFrame(
    {name: compare(filters, X, n, scoring=scoring)["psnr"] for name, n in noises.items()}
)
print(psnr.round(1).to_string())

# %%
# No filter is the best everywhere. The median ignores extreme values, so it is far ahead on
# salt and pepper, and behind the mean on the other three. The bilateral filter averages similar
# pixels only: it keeps edges, and salt and pepper as well. Stripes look like structure, and the
# filters gain least.
#
# Exercises
# ---------
# 1. Why does the bilateral filter fail on salt and pepper?
#
# .. dropdown:: Answer
#
#     A white pixel on a dark ground has no similar neighbors, so the average consists of the pixel
#     itself. The filter takes it for an edge.
#
# 2. What do you know about stripes that none of these filters uses?
#
# .. dropdown:: Answer
#
#     All pixels of a row are shifted by the same amount. A network that is trained with
#     ``StripeNoise`` can learn this; a window of 3 × 3 pixels that moves over the image cannot.
#
# 3. The filters have parameters. Is this comparison fair?
#
# .. dropdown:: Answer
#
#     Only for these values. A fair comparison gives every filter its best parameters for each
#     noise, chosen on other images, as in :doc:`/gallery/plot_05_baselines_in_one_grid`.
