"""What several test modules share."""

import pytest

from skdae import GaussianNoise
from skdae.datasets import load_digits_images


@pytest.fixture(scope="session")
def digits():
    """The digits, noisy and clean; not to be written to."""
    X_clean = load_digits_images().images
    X_noisy = GaussianNoise(std=0.3, clip=None, random_state=0).fit_transform(X_clean)
    X_clean.flags.writeable = X_noisy.flags.writeable = False
    return X_noisy, X_clean
