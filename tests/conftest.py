"""What several test modules share."""

import sys
from functools import wraps

import numpy as np
import pytest

from skdae import GaussianNoise
from skdae.datasets import load_digits_images

# Pages of the guide whose examples take long.
SLOW_PAGES = {"evaluation.rst", "volumes.rst", "without_clean_data.rst"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.name in SLOW_PAGES:
            item.add_marker("slow")


def filled(allocate):
    """Memory that skdae asks for and that nobody has written yet, as what nobody can overlook."""

    @wraps(allocate)
    def allocate_for(*args, **params):
        array = allocate(*args, **params)
        if sys._getframe(1).f_globals.get("__name__", "").startswith("skdae."):
            kind = array.dtype.kind
            if kind in "iu":
                array.fill(np.iinfo(array.dtype).max)
            elif kind in "fc":
                array.fill(np.nan)
        return array

    return allocate_for


@pytest.fixture(scope="session", autouse=True)
def unwritten_memory_holds_nan():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("empty", "empty_like"):
            patch.setattr(np, name, filled(getattr(np, name)))
        yield


@pytest.fixture(scope="session")
def digits():
    """The digits, noisy and clean; not to be written to."""
    X_clean = load_digits_images().images
    X_noisy = GaussianNoise(std=0.3, clip=None, random_state=0).fit_transform(X_clean)
    X_clean.flags.writeable = X_noisy.flags.writeable = False
    return X_noisy, X_clean
