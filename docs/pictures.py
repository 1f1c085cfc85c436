"""Draw the photographs of the front page: ``python docs/pictures.py``.

The digits beside them are those of ``make demo``.
"""

from pathlib import Path

from PIL import Image
from sklearn.datasets import load_sample_image

from skdae import GaussianNoise, PretrainedDenoiser
from skdae.metrics import peak_signal_noise_ratio

IMAGES = Path(__file__).parent / "images"
WINDOW = slice(20, 340), slice(180, 580)


def photographs():
    """A photograph with the noise of a dark evening, and what the pretrained net makes of it."""
    X_clean = load_sample_image("flower.jpg")[None] / 255
    X_noisy = GaussianNoise(std=35 / 255, random_state=0).fit_transform(X_clean)
    X_denoised = PretrainedDenoiser().fit(X_noisy).predict(X_noisy)
    return X_clean, {"noisy": X_noisy, "denoised": X_denoised}


if __name__ == "__main__":
    X_clean, images = photographs()
    for name, X in images.items():
        pixels = (X[0][WINDOW] * 255).round().astype("uint8")
        Image.fromarray(pixels).save(IMAGES / f"photograph_{name}.jpg", quality=90, subsampling=0)
        print(f"{name}: {peak_signal_noise_ratio(X_clean, X):.1f} dB")
