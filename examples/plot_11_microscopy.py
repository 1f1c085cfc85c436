"""
Micrographs as counts
=====================

A camera counts photons. Its images are ``uint16`` with an offset, and their noise grows with the
brightness. skdae takes them as they are. We estimate the noise, denoise without training, and then
train networks on the noisy images only.
"""

# %%
# We simulate ten micrographs: textured cells on a dark background. The camera multiplies each
# electron by 80, and adds an offset of 100 and read noise of 30.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import PowerNorm
from scipy.ndimage import gaussian_filter

from skdae import (
    AdaptedDenoiser,
    GaussianFilter,
    Noise2VoidDenoiser,
    PoissonGaussianNoise,
    PretrainedDenoiser,
    VarianceStabilized,
    estimate_noise,
)
from skdae.architectures import UNet
from skdae.filters import NLMeansFilter
from skdae.metrics import peak_signal_noise_ratio
from skdae.plotting import NoiseDisplay

rng = np.random.default_rng(0)
side = 192
y, x = np.mgrid[:side, :side]


def micrograph():
    """Cells, brighter and darker ones, some over others."""
    image = np.zeros((side, side))
    for row, column, radius, light in rng.uniform((0, 0, 6, 0.2), (side, side, 20, 1), (16, 4)):
        cell = (y - row) ** 2 + (x - column) ** 2 < radius**2
        image = np.maximum(image, light * cell)
    texture = gaussian_filter(rng.normal(size=image.shape), 2)
    image = gaussian_filter(image * (1 + 0.15 * texture / texture.std()), 1)
    return 100 + 9000 * (0.05 + image).clip(0, 1)


X_clean = np.stack([micrograph() for _ in range(10)])
camera = PoissonGaussianNoise(gain=80, std=30, offset=100, random_state=0)
X = np.round(camera.fit_transform(X_clean)).clip(0, 65535).astype(np.uint16)
print(X.shape, X.dtype, X.min(), X.max())

# %%
# Estimate the noise.
found = estimate_noise(X, model="poisson-gaussian")
print(f"gain {found.gain:.1f}, read noise {found.std:.0f}, offset {found.offset:.0f}")
display = NoiseDisplay.from_images(X, noise=found)

# %%
# The estimate cannot separate the offset from the read noise: a larger value of one is balanced
# by a smaller value of the other. What matters is the variance at each brightness, the line in
# the figure.
#
# A filter for Gaussian noise blurs the dark parts too much or the bright parts too little. It
# works well after a transform that makes the noise level constant:
# :class:`~skdae.VarianceStabilized` puts it around any denoiser. The pretrained network does so by
# itself.
#
# The other networks learn from the 10 noisy images alone. :class:`~skdae.Noise2VoidDenoiser`
# starts with fresh weights; at half resolution and with small batches it trains in seconds.
# :class:`~skdae.AdaptedDenoiser` fine-tunes the pretrained network. Give it ``minutes=2`` for your
# own images; a number of steps makes this page independent of the speed of the machine.
net = UNet(filters=(32, 64), stride=2, residual=False)
n2v = Noise2VoidDenoiser(net, lr=3e-3, max_steps=300, batch_size=8, random_state=0)
denoisers = {
    "Gaussian filter": GaussianFilter(sigma=1.0),
    "NL means": NLMeansFilter(),
    "NL means, stabilized": VarianceStabilized(NLMeansFilter()),
    "Noise2Void": n2v,
    "pretrained": PretrainedDenoiser(),
    "fine-tuned": AdaptedDenoiser(max_steps=100, random_state=0),
}
with warnings.catch_warnings():
    # Where 100 steps are too few to be clearly better, the pretrained network is kept, with a word.
    warnings.simplefilter("ignore", UserWarning)
    denoised = {name: denoiser.fit(X).predict(X) for name, denoiser in denoisers.items()}
for name, images in {"noisy": X, **denoised}.items():
    print(f"{name:22} {peak_signal_noise_ratio(X_clean, images, data_range=9000):.2f} dB")

# %%
# All results are in the units of the camera. The dark parts are brightened, so that the noise in
# them is seen, and the PSNR of all ten images stands below.

# sphinx_gallery_thumbnail_path = "images/card_micrographs.jpg"
shown = {"clean": X_clean, "noisy": X, **denoised}
figure, axes = plt.subplots(2, 4, figsize=(8, 5), layout="constrained")
figure.get_layout_engine().set(h_pad=0.1)
for ax, (name, images) in zip(axes.flat, shown.items(), strict=True):
    ax.imshow(images[0, :144, :144], cmap="magma", norm=PowerNorm(0.5, 100, 9000, clip=True))
    ax.set_title(name, fontsize="medium")
    if name != "clean":
        psnr = peak_signal_noise_ratio(X_clean, images, data_range=9000)
        ax.set_xlabel(f"{psnr:.2f} dB")
    ax.set(xticks=[], yticks=[])
plt.show()

# %%
# Where not to trust it
# ---------------------
# The residual, ``X`` minus the denoised image, should look like noise: no cell should be visible.
# Divided by the noise level at each pixel, it should have a standard deviation of about 1. A
# smaller value means that noise is left. A larger value means that structure was removed.
figure, axes = plt.subplots(1, 3, figsize=(8, 3.1), layout="constrained")
for ax, name in zip(axes, ("Gaussian filter", "NL means, stabilized", "fine-tuned"), strict=True):
    strength = np.sqrt(80 * (denoised[name] - 100).clip(0) + 30**2)
    residual = (X - denoised[name]) / strength
    ax.imshow(residual[0, :96, :96], cmap="RdBu", vmin=-4, vmax=4)
    ax.set_title(f"{name}: {residual.std():.2f}", fontsize="medium")
    ax.axis("off")
plt.show()
