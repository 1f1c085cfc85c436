"""
Denoise a volume
================

A stack of slices is more than its slices: those above and below tell what is noise in one. How much
does a denoiser gain that sees all three axes?

The stack is synthesized, as a confocal microscope sees filaments. Your own comes as an array from
``tifffile.imread``, or, in Hounsfield or other units, from ``pydicom`` or ``nibabel``::

    X = np.stack([pydicom.dcmread(path).pixel_array for path in sorted(paths)])[None]
    X = nibabel.load("scan.nii.gz").get_fdata(dtype="float32")[None]

"""

# %%
# Bent filaments in 24 slices of 96 × 96 pixels. The microscope counts few photons.
import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter

from skdae import GaussianFilter, Noise2VoidDenoiser, PoissonNoise, VarianceStabilized
from skdae.architectures import UNet
from skdae.metrics import peak_signal_noise_ratio
from skdae.plotting import DenoisingDisplay

rng = np.random.default_rng(0)
shape = (24, 96, 96)


def filament():
    """The places that a filament goes through."""
    place, direction = rng.uniform(0, shape), rng.normal(size=3)
    for _ in range(300):
        direction = direction / np.linalg.norm(direction) + 0.1 * rng.normal(size=3)
        place = (place + 0.7 * direction) % shape
        yield tuple(place.astype(int) % shape)


volume = np.zeros(shape)
for _ in range(35):
    for voxel in filament():
        volume[voxel] += 1
volume = gaussian_filter(volume, 1.3)
X_clean = (3 + 25 * volume / volume.max())[None].astype(np.float32)

# %%
# One volume is a batch of one, ``(1, z, height, width)``. Four axes could also be images with
# channels, so ``channel_axis=None`` says that none of them holds channels. With flat slices,
# ``(z, height, width)``, the same denoisers see images.

X = PoissonNoise(peak=1, channel_axis=None, random_state=0).fit_transform(X_clean)
X_slices = X[0]

# %%
# A filter
# --------

# Photon noise grows with the light; this keeps it even for the denoiser inside.


def stabilized(denoiser):
    """The denoiser, for counts."""
    return VarianceStabilized(denoiser, PoissonNoise(peak=1))


results = {
    "filter in 2-D": stabilized(GaussianFilter(1.0)).fit(X_slices).predict(X_slices)[None],
    "filter in 3-D": stabilized(GaussianFilter(1.0, channel_axis=None)).fit(X).predict(X),
}

# %%
# A network
# ---------
# :class:`~skdae.Noise2VoidDenoiser` needs this one noisy volume, and nothing else. It learns by
# crops along three axes. A hundred steps show the idea; more are better.

net = UNet(filters=(8, 16), residual=False)
options = {"lr": 5e-3, "max_steps": 120, "batch_size": 8, "random_state": 0}
for name, data, crop, axes in [
    ("network in 2-D", X_slices, 32, "auto"),
    ("network in 3-D", X, (12, 32, 32), None),
]:
    denoiser = Noise2VoidDenoiser(net, patch_size=crop, channel_axis=axes, **options)
    results[name] = stabilized(denoiser).fit(data).predict(data).reshape(X.shape)

for name, result in {"noisy": X, **results}.items():
    psnr = peak_signal_noise_ratio(X_clean, result, channel_axis=None, data_range=25)
    print(f"{name:15} {psnr:.1f} dB")

# %%
# Of volumes, displays show the middle slice.

# sphinx_gallery_thumbnail_path = "images/guide_volumes.jpg"
DenoisingDisplay.from_predictions(X_clean, X, results, channel_axis=None, data_range=25)
plt.show()
