"""
Where not to trust a denoised photograph
========================================

Which parts of a denoised image did the denoiser know, and which did it guess?

:class:`~skdae.ConformalDenoiser` gives each pixel an interval that holds the clean value with a
chosen probability on average. It needs some clean images.
:func:`~skdae.metrics.residual_report` looks at what was removed, and needs none.
"""

# %%
# One photograph and the right part of another are cut into tiles, on which the intervals are
# calibrated. The left part of the second photograph is for testing.
import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_sample_images

from skdae import ConformalDenoiser, GaussianFilter, GaussianNoise, PretrainedDenoiser
from skdae.metrics import residual_report
from skdae.plotting import CoverageDisplay, IntervalDisplay, ResidualDisplay

china, flower = (image / 255 for image in load_sample_images().images)
noise = GaussianNoise(std=35 / 255, random_state=0)
corners = [(y, x) for y in range(0, 289, 96) for x in range(224, 513, 96)]
tiles = [photo[y : y + 96, x : x + 96] for photo in (china, flower) for y, x in corners]
X_clean = china[None, 80:240, 10:210]
X_noisy = noise.fit_transform(X_clean)

# %%
# Intervals
# ---------
# The denoiser may be any, here the pretrained network. ``conformalize`` compares its output with
# the clean tiles. ``predict_interval`` needs no clean image any more.

denoiser = ConformalDenoiser(PretrainedDenoiser(), coverage=0.9).fit(X_noisy)
denoiser.conformalize(noise.transform(tiles), tiles)
X_denoised, (low, high) = denoiser.predict_interval(X_noisy)
print(f"Mean width of the intervals: {(high - low).mean():.3f}")
print(f"Clean pixels inside: {((low <= X_clean) & (X_clean <= high)).mean():.1%}")

# %%
# The intervals are narrow in the sky and wide along the edges of the roof, where a small shift of
# an edge is a large error. The third picture shows the pixels outside of their intervals. You can
# draw it only if you have the clean image.

# sphinx_gallery_thumbnail_path = "images/thumb_intervals.jpg"
IntervalDisplay.from_estimator(denoiser, X_noisy, X_clean)
plt.show()

# %%
# The same calibration serves every coverage. The guarantee is for the mean of many images that are
# like the calibration images. In a single image, more or fewer pixels may lie inside; in this one,
# more do.

CoverageDisplay.from_estimator(denoiser, X_noisy, X_clean)
plt.show()

# %%
# What was removed
# ----------------
# Without clean images, look at the residual, ``X_noisy - X_denoised``. It should be nothing but
# noise. The network passes. A wide Gaussian filter does not, and the report warns.

blurred = GaussianFilter(sigma=2.0).fit(X_noisy).predict(X_noisy)
for name, X in {"PretrainedDenoiser": X_denoised, "GaussianFilter": blurred}.items():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report = residual_report(X_noisy, X)
    print(name, report, *(f"UserWarning: {warning.message}" for warning in caught), "", sep="\n")

# %%
# The picture shows why: the residual of the filter contains the roof. Its neighboring pixels are
# correlated, which the second picture shows as color around the middle.

ResidualDisplay.from_images(X_noisy, X_denoised).figure_.suptitle("PretrainedDenoiser")
ResidualDisplay.from_images(X_noisy, blurred).figure_.suptitle("GaussianFilter")
plt.show()
