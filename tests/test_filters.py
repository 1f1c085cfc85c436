"""Filters equal scipy.ndimage image by image, and never mix channels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from skdae import GaussianFilter, MeanFilter, MedianFilter

ORACLES = [
    (MeanFilter(size=3), lambda image: ndimage.uniform_filter(image, 3)),
    (MeanFilter(size=4, mode="wrap"), lambda image: ndimage.uniform_filter(image, 4, mode="wrap")),
    (MedianFilter(size=3), lambda image: ndimage.median_filter(image, 3)),
    (MedianFilter(size=5, mode="nearest"), lambda i: ndimage.median_filter(i, 5, mode="nearest")),
    (GaussianFilter(sigma=0.8), lambda image: ndimage.gaussian_filter(image, 0.8)),
]
FILTERS = [denoiser for denoiser, _ in ORACLES]


@pytest.mark.parametrize(("denoiser", "oracle"), ORACLES, ids=map(str, FILTERS))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_filter_equals_scipy_image_by_image(denoiser, oracle, dtype):
    X = np.random.default_rng(0).random((6, 9, 7)).astype(dtype)
    filtered = denoiser.fit(X).predict(X)
    assert filtered.dtype == dtype
    np.testing.assert_allclose(filtered, [oracle(image) for image in X], rtol=1e-6)


@pytest.mark.parametrize(("denoiser", "oracle"), ORACLES, ids=map(str, FILTERS))
def test_channels_are_filtered_apart(denoiser, oracle):
    X = np.random.default_rng(0).random((4, 8, 6, 3))
    filtered = denoiser.fit(X).predict(X)
    for channel in range(3):
        expected = [oracle(image) for image in X[..., channel]]
        np.testing.assert_allclose(filtered[..., channel], expected)


@pytest.mark.parametrize("denoiser", FILTERS, ids=str)
def test_flat_rows_give_what_their_images_give(denoiser):
    X = np.random.default_rng(0).random((4, 8, 6, 3))
    images = denoiser.fit(X).predict(X)
    flat = denoiser.set_params(image_shape=(8, 6, 3)).fit_transform(X.reshape(4, -1))
    denoiser.set_params(image_shape=None)
    np.testing.assert_array_equal(flat, images.reshape(4, -1))


def test_signals_are_filtered_along_their_length():
    X = np.random.default_rng(0).random((4, 30))
    filtered = MedianFilter(size=3, image_shape=(30,)).fit_transform(X)
    np.testing.assert_array_equal(filtered, [ndimage.median_filter(row, 3) for row in X])


def test_median_filter_restores_isolated_salt():
    X = np.full((2, 9, 9), 0.5)
    salted = X.copy()
    salted[:, 2, 3] = salted[:, 6, 7] = 1.0
    np.testing.assert_array_equal(MedianFilter(size=3).fit_transform(salted), X)


@pytest.mark.parametrize("denoiser", [MeanFilter(1), MedianFilter(1), GaussianFilter(0)], ids=str)
def test_smallest_window_is_the_identity(denoiser):
    X = np.random.default_rng(0).random((3, 5, 5))
    np.testing.assert_array_equal(denoiser.fit_transform(X), X)


@settings(max_examples=30)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.integers(1, 3)),
    seed=st.integers(0, 99),
)
def test_filters_stay_in_range_and_treat_images_alone(shape, seed):
    X = np.random.default_rng(seed).random(shape)
    for denoiser in FILTERS:
        before = X.copy()
        filtered = denoiser.fit(X).predict(X)
        assert filtered.shape == shape
        assert filtered.min() >= X.min() - 1e-12
        assert filtered.max() <= X.max() + 1e-12
        np.testing.assert_allclose(denoiser.predict(X[:1]), filtered[:1], rtol=1e-12)
        np.testing.assert_array_equal(X, before)


def test_images_of_another_size_than_at_fit():
    fitted = MeanFilter().fit(np.zeros((1, 5, 5)))
    assert fitted.predict(np.ones((2, 7, 9))).shape == (2, 7, 9)


def test_score_is_minus_the_mean_squared_error():
    rng = np.random.default_rng(0)
    X, y = rng.random((2, 5, 8, 8))
    denoiser = MeanFilter().fit(X, y)
    assert denoiser.score(X, y) == pytest.approx(-((denoiser.predict(X) - y) ** 2).mean())
    # Labels are no images: X is its own target then, as without y.
    assert denoiser.score(X, np.arange(5)) == denoiser.score(X) == denoiser.score(X, X)
