"""
Denoise an electrocardiogram
============================

ECGs come with the drift of the baseline, the hum of the power line and the noise of muscles. How
well does a network remove all three at once, compared with a filter?

skdae ships no recordings, so the heartbeats here are synthesized. With your own recordings, replace
the function below; rows of ``X`` are signals.
"""

# %%
# Five waves make a heartbeat. Their sizes and the heart rate differ from record to record. Each has
# two seconds at 250 samples per second.
import matplotlib.pyplot as plt
import numpy as np

from skdae import (
    BaselineWander,
    DenoisingAutoencoder,
    GaussianFilter,
    GaussianNoise,
    LineInterference,
    NoiseSequence,
    WaveletFilter,
)
from skdae.metrics import peak_signal_noise_ratio
from skdae.plotting import DenoisingDisplay

rate, length = 250, 500
# P, Q, R, S and T: samples from R, width, height in millivolts.
waves = [(-40, 10, 0.12), (-6, 2.5, -0.12), (0, 3, 1.0), (6, 2.5, -0.2), (60, 16, 0.28)]
rng = np.random.default_rng(0)


def record():
    """Two seconds of an ECG, without noise."""
    period = rng.uniform(150, 260)
    peaks = np.arange(rng.uniform(-period, 0), length + period, period)
    signal = np.zeros(length)
    for place, width, height in waves:
        width, height = width * rng.uniform(0.8, 1.2), height * rng.uniform(0.7, 1.3)
        distance = np.arange(length) - peaks[:, None] - place
        signal += (height * np.exp(-((distance / width) ** 2) / 2)).sum(axis=0)
    return signal.astype(np.float32)


X = np.stack([record() for _ in range(500)])
X_train, X_test = X[:400], X[400:]

# %%
# The noise
# ---------
# Frequencies are in cycles per sample: hertz over the sampling rate.

noise = NoiseSequence(
    [
        BaselineWander(std=0.15, frequency=0.4 / rate),
        LineInterference(amplitude=0.1, frequency=50 / rate),
        GaussianNoise(std=0.08),
    ],
    image_shape=(length,),
    clip=None,
    random_state=0,
).fit(X_train)
X_noisy = noise.transform(X_test)

# %%
# The denoisers
# -------------
# ``image_shape=(length,)`` says that rows are signals. The default network for signals is a U-Net
# that is convolved along them. It gets clean records, and noise afresh at every step.

shape = {"image_shape": (length,)}
denoisers = {
    "Gaussian filter": GaussianFilter(sigma=2, **shape).fit(X_noisy),
    "wavelet": WaveletFilter(**shape).fit(X_noisy),
    "network": DenoisingAutoencoder(noise=noise, **shape, random_state=0).fit(X_train),
}
denoised = {name: denoiser.predict(X_noisy) for name, denoiser in denoisers.items()}
for name, result in {"noisy": X_noisy, **denoised}.items():
    print(f"{name:15} {peak_signal_noise_ratio(X_test, result, data_range=1.5):.1f} dB")

# %%
# A filter that keeps the narrow R waves keeps the drift, too, because it knows nothing of ECGs. The
# network has learned what a heartbeat looks like.

# sphinx_gallery_thumbnail_path = "images/guide_signals.jpg"
DenoisingDisplay.from_predictions(
    X_test, X_noisy, denoised, n_images=3, data_range=1.5, image_shape=(length,)
)
plt.show()
