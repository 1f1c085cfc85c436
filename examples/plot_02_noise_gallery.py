"""
Noise gallery
=============

What does noise do to an image, and what do its levels mean?

Each row shows one of nine noise models, from weak to strong noise; the guide lists all of them
(:doc:`/guide/noise`). The image is a small part of a color photograph. It shows that
salt-and-pepper noise changes whole pixels, while masking noise changes single values.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_sample_images

from skdae import noise

image = load_sample_images().images[0][158:206, 268:316] / 255

# %%
# The parameter that sets the level, and some values of it
# --------------------------------------------------------
# ``std`` and ``half_width`` are in the units of the image. A smaller ``peak`` means fewer photons
# and more noise. ``amount`` is a share of the pixels. ``size`` and ``factor`` are in pixels.

LEVELS = {
    "GaussianNoise": ("std", (0.05, 0.1, 0.2)),
    "UniformNoise": ("half_width", (0.1, 0.2, 0.4)),
    "StripeNoise": ("std", (0.05, 0.1, 0.2)),
    "PoissonNoise": ("peak", (300, 100, 30)),
    "SpeckleNoise": ("std", (0.1, 0.2, 0.4)),
    "SaltPepper": ("amount", (0.02, 0.1, 0.3)),
    "MaskingNoise": ("amount", (0.05, 0.2, 0.6)),
    "Occlusion": ("size", (5, 10, 20)),
    "Downsample": ("factor", (2, 4, 8)),
}

# %%
# From weak to strong
# -------------------
# ``image[None]`` is a batch of one image. The seed is always the same, so the same noise grows
# along each row.

# sphinx_gallery_thumbnail_path = "images/card_noises.jpg"
figure, axes = plt.subplots(len(LEVELS), 4, figsize=(6.4, 16.6), layout="constrained")
for row, (name, (parameter, levels)) in zip(axes, LEVELS.items(), strict=True):
    row[0].imshow(image, interpolation="nearest")
    row[0].set_title(name, fontsize="medium", weight="bold")
    for ax, level in zip(row[1:], levels, strict=True):
        model = getattr(noise, name)(**{parameter: level}, random_state=0)
        ax.imshow(model.fit_transform(image[None])[0], interpolation="nearest")
        ax.set_title(f"{parameter}={level}", fontsize="medium")
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
figure.get_layout_engine().set(h_pad=0.08)
plt.show()
