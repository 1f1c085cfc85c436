"""Filters equal scipy.ndimage and scikit-image image by image, and never mix channels."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage
from skimage import restoration
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skdae import (
    BilateralFilter,
    GaussianFilter,
    GaussianNoise,
    MeanFilter,
    MedianFilter,
    NLMeansFilter,
    TVFilter,
    WaveletFilter,
    load,
    psnr_scorer,
)
from skdae.datasets import load_digits_images
from skdae.filters import estimate_noise_std


def bilateral(image, sigma_color, sigma_spatial):
    """The formula, in memory for all pixels and windows at once."""
    radius = math.ceil(3 * sigma_spatial)
    side = 2 * radius + 1
    windows = sliding_window_view(np.pad(image, radius, mode="symmetric"), (side, side))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    differences = windows - image[..., None, None]
    weights = np.exp(-(y**2 + x**2) / (2 * sigma_spatial**2))
    weights = weights * np.exp(-(differences**2) / (2 * sigma_color**2))
    return (weights * windows).sum(axis=(2, 3)) / weights.sum(axis=(2, 3))


def nl_means(image):
    std = restoration.estimate_sigma(image)
    return restoration.denoise_nl_means(image, 5, 6, h=0.8 * std, sigma=std)


def visu_shrink(image):
    return restoration.denoise_wavelet(image, 0.1, "haar", "hard", 2, method="VisuShrink")


WINDOWS = [
    (MeanFilter(size=3), lambda image: ndimage.uniform_filter(image, 3)),
    (MeanFilter(size=4, mode="wrap"), lambda image: ndimage.uniform_filter(image, 4, mode="wrap")),
    (MedianFilter(size=3), lambda image: ndimage.median_filter(image, 3)),
    (MedianFilter(size=5, mode="nearest"), lambda i: ndimage.median_filter(i, 5, mode="nearest")),
    (GaussianFilter(sigma=0.8), lambda image: ndimage.gaussian_filter(image, 0.8)),
    (BilateralFilter(sigma_color=0.2), lambda image: bilateral(image, 0.2, 1.5)),
    (
        BilateralFilter(sigma_spatial=0.8),
        lambda image: bilateral(image, 2.5 * restoration.estimate_sigma(image), 0.8),
    ),
]
ORACLES = [
    *WINDOWS,
    (NLMeansFilter(), nl_means),
    (
        NLMeansFilter(patch_size=3, patch_distance=2, h=0.3, std=0.1),
        lambda image: restoration.denoise_nl_means(image, 3, 2, h=0.3, sigma=0.1),
    ),
    (
        TVFilter(),
        lambda i: restoration.denoise_tv_chambolle(i, 0.75 * restoration.estimate_sigma(i)),
    ),
    (TVFilter(weight=0.2), lambda image: restoration.denoise_tv_chambolle(image, 0.2)),
    (
        WaveletFilter("db2", levels=1),
        lambda i: restoration.denoise_wavelet(
            i, restoration.estimate_sigma(i), "db2", wavelet_levels=1
        ),
    ),
    (
        WaveletFilter("haar", std=0.1, method="VisuShrink", thresholding="hard", levels=2),
        visu_shrink,
    ),
]
FILTERS = [denoiser for denoiser, _ in ORACLES]
BASELINES = [BilateralFilter(), NLMeansFilter(), TVFilter(), WaveletFilter()]


@pytest.mark.parametrize(("denoiser", "oracle"), ORACLES, ids=map(str, FILTERS))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_filter_equals_its_oracle_image_by_image(denoiser, oracle, dtype):
    X = np.random.default_rng(0).random((6, 9, 7)).astype(dtype)
    filtered = denoiser.fit(X).predict(X)
    assert filtered.dtype == dtype
    np.testing.assert_allclose(filtered, [oracle(image) for image in X], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("denoiser", "oracle"), ORACLES, ids=map(str, FILTERS))
def test_channels_are_filtered_apart(denoiser, oracle):
    X = np.random.default_rng(0).random((4, 8, 6, 3))
    filtered = denoiser.fit(X).predict(X)
    for channel in range(3):
        expected = [oracle(image) for image in X[..., channel]]
        np.testing.assert_allclose(filtered[..., channel], expected, atol=1e-12)


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


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.integers(1, 3)),
    seed=st.integers(0, 99),
)
def test_windows_stay_in_range_and_treat_images_alone(shape, seed):
    X = np.random.default_rng(seed).random(shape)
    for denoiser, _ in WINDOWS:
        before = X.copy()
        filtered = denoiser.fit(X).predict(X)
        assert filtered.shape == shape
        assert filtered.min() >= X.min() - 1e-12
        assert filtered.max() <= X.max() + 1e-12
        np.testing.assert_allclose(denoiser.predict(X[:1]), filtered[:1], rtol=1e-12)
        np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("unit", [4000.0, 1e-6])
def test_images_in_other_units_than_at_fit_are_warned_about(unit, tmp_path):
    X = np.random.default_rng(0).random((3, 8, 8))
    fitted = MedianFilter().fit(X)
    with pytest.warns(UserWarning, match=r"X has values from .* pass images in the same units"):
        fitted.predict(unit * X)
    fitted.predict(2 * X - 0.5)
    fitted.save(tmp_path / "filter")
    with pytest.warns(UserWarning, match="X has values from"):
        load(tmp_path / "filter").predict(unit * X)


def test_the_range_at_fit_is_that_of_all_images():
    images = [np.full((4, 4), 0.25), np.full((6, 5), 0.75), np.full((6, 5), 0.5)]
    assert MedianFilter().fit(images).range_ == (0.25, 0.75)
    assert MedianFilter().fit(np.array([[[0, 51], [255, 0]]], np.uint8)).range_ == (0, 1)


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


@example(shape=(4, 1, 1, 2), dtype=np.float32, seed=96)
@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.integers(1, 3)),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 99),
)
def test_baselines_keep_shape_and_dtype_and_treat_images_alone(shape, dtype, seed):
    X = np.random.default_rng(seed).random(shape).astype(dtype)
    before = X.copy()
    for denoiser in BASELINES:
        denoised = denoiser.fit(X).predict(X)
        assert denoised.shape == shape
        assert denoised.dtype == dtype
        assert np.isfinite(denoised).all()
        np.testing.assert_array_equal(denoiser.predict(X[::-1])[::-1], denoised)
        np.testing.assert_array_equal(denoiser.predict(X[:1]), denoised[:1])
        np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("denoiser", BASELINES, ids=str)
@pytest.mark.parametrize(("scale", "offset"), [(1e-9, 0), (4000, -1000), (1, -0.5), (-1, 1)])
def test_baselines_follow_the_units_of_the_images(denoiser, scale, offset):
    X = np.random.default_rng(0).normal(0.5, 0.1, (3, 20, 20))
    expected = scale * denoiser.fit(X).predict(X) + offset
    followed = denoiser.fit(scale * X + offset).predict(scale * X + offset)
    np.testing.assert_allclose(followed, expected, atol=1e-9 * abs(scale))


@pytest.mark.parametrize("denoiser", BASELINES, ids=str)
def test_baselines_take_uint8_as_fractions(denoiser):
    X = np.random.default_rng(0).integers(0, 256, (3, 12, 12), dtype=np.uint8)
    expected = denoiser.fit_transform(np.divide(X, 255, dtype=np.float32))
    np.testing.assert_array_equal(denoiser.fit_transform(X), expected)


@pytest.mark.parametrize("denoiser", BASELINES, ids=str)
def test_baselines_find_nothing_to_remove_in_flat_images(denoiser):
    for X in (np.full((2, 9, 9), 0.3), np.full((2, 1, 1), 0.7), np.zeros((2, 1, 5), np.float32)):
        np.testing.assert_array_equal(denoiser.fit_transform(X), X)


@pytest.mark.parametrize("denoiser", [NLMeansFilter(std=0), WaveletFilter(std=0)], ids=str)
def test_no_noise_is_the_identity(denoiser):
    X = np.random.default_rng(0).random((3, 9, 9))
    np.testing.assert_array_equal(denoiser.fit_transform(X), X)


@pytest.mark.parametrize("denoiser", BASELINES, ids=str)
def test_rows_columns_and_signals_are_one(denoiser):
    X = np.random.default_rng(0).random((3, 30))
    signals = clone(denoiser).set_params(image_shape=(30,)).fit_transform(X)
    np.testing.assert_array_equal(denoiser.fit_transform(X[:, None, :])[:, 0, :], signals)
    np.testing.assert_array_equal(denoiser.fit_transform(X[:, :, None])[:, :, 0], signals)


@pytest.mark.parametrize("denoiser", [BilateralFilter(0.5), NLMeansFilter(std=0.2)], ids=str)
def test_signal_is_filtered_like_an_image_of_equal_rows(denoiser):
    X = np.random.default_rng(0).random((2, 1, 20))
    tall = denoiser.fit(X).predict(np.repeat(X, 31, axis=1))
    np.testing.assert_allclose(denoiser.predict(X)[:, 0], tall[:, 15], atol=1e-3)


def test_signals_are_denoised_along_their_length():
    X = np.random.default_rng(0).random((2, 64))
    denoised = TVFilter(0.2, image_shape=(64,)).fit_transform(X)
    expected = [restoration.denoise_tv_chambolle(row, 0.2) for row in X]
    np.testing.assert_allclose(denoised, expected, atol=1e-12)
    denoised = WaveletFilter(std=0.2, levels=2, image_shape=(64,)).fit_transform(X)
    expected = [restoration.denoise_wavelet(row, 0.2, "sym4", wavelet_levels=2) for row in X]
    np.testing.assert_allclose(denoised, expected, atol=1e-12)


def test_wavelet_filter_halves_images_as_often_as_they_allow():
    X = np.random.default_rng(0).random((2, 32, 32))
    deepest = WaveletFilter("haar").fit_transform(X)
    np.testing.assert_array_equal(WaveletFilter("haar", levels=99).fit_transform(X), deepest)
    np.testing.assert_array_equal(WaveletFilter("haar", levels=5).fit_transform(X), deepest)
    assert (WaveletFilter("haar", levels=4).fit_transform(X) != deepest).any()


@pytest.mark.parametrize("mode", ["reflect", "nearest", "mirror", "wrap"])
def test_bilateral_filter_blind_to_values_is_gaussian(mode):
    X = np.random.default_rng(0).random((2, 9, 7))
    denoiser = BilateralFilter(sigma_color=1e6, sigma_spatial=1, mode=mode)
    expected = [ndimage.gaussian_filter(image, 1, truncate=3, mode=mode) for image in X]
    np.testing.assert_allclose(denoiser.fit_transform(X), expected, atol=1e-9)


@pytest.mark.parametrize("denoiser", BASELINES, ids=str)
def test_baselines_keep_edges_better_than_a_gaussian(denoiser):
    X_clean = np.kron(np.random.default_rng(0).random((4, 4, 4)), np.ones((16, 16)))
    X_noisy = X_clean + np.random.default_rng(1).normal(0, 0.1, X_clean.shape)
    assert denoiser.fit(X_noisy).score(X_noisy, X_clean) > GaussianFilter().fit(X_noisy).score(
        X_noisy, X_clean
    )


def test_one_grid_compares_all_filters():
    X_clean = load_digits_images().images[:60]
    X_noisy = GaussianNoise(std=0.2, random_state=0).fit_transform(X_clean)
    filters = [MeanFilter(), MedianFilter(), GaussianFilter(), *BASELINES]
    grid = {"denoiser": filters}
    pipe = Pipeline([("denoiser", MedianFilter())])
    search = GridSearchCV(pipe, grid, cv=2, scoring=psnr_scorer).fit(X_noisy, X_clean)
    best = search.best_params_["denoiser"].fit(X_noisy).score(X_noisy, X_clean)
    assert best == max(f.fit(X_noisy).score(X_noisy, X_clean) for f in filters)


@pytest.mark.parametrize(
    ("denoiser", "message"),
    [
        (NLMeansFilter(patch_size=4), "'patch_size' parameter of NLMeansFilter must be an odd int"),
        (NLMeansFilter(h=0), "'h' parameter"),
        (NLMeansFilter(std=-1), "'std' parameter"),
        (TVFilter(weight=0), "'weight' parameter"),
        (WaveletFilter("cat"), "'wavelet' parameter of WaveletFilter must be .*'sym4'"),
        (WaveletFilter("bior2.2"), r"Got 'bior2\.2'"),
        (WaveletFilter(thresholding="garrote"), "'thresholding' parameter"),
        (BilateralFilter(sigma_color=0), "'sigma_color' parameter"),
    ],
    ids=str,
)
def test_parameter_that_does_not_fit_is_named(denoiser, message):
    with pytest.raises(ValueError, match=message):
        denoiser.fit(np.zeros((2, 8, 8)))
    assert not hasattr(denoiser, "image_shape_")


@pytest.mark.parametrize(
    ("denoiser", "module", "library"),
    [
        (NLMeansFilter(), "skimage.restoration", "scikit-image"),
        (TVFilter(), "skimage.restoration", "scikit-image"),
        (WaveletFilter(), "skimage.restoration", "scikit-image"),
        (WaveletFilter(), "pywt", "PyWavelets"),
    ],
    ids=str,
)
def test_missing_library_is_named_at_fit(denoiser, module, library, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    message = rf"{type(denoiser).__name__} needs {library}, .*pip install '\.\[baselines\]'"
    with pytest.raises(ImportError, match=message):
        clone(denoiser).fit(np.zeros((2, 8, 8)))


def test_optional_libraries_are_not_imported_with_skdae():
    program = (
        "import sys, skdae; sys.exit(any(name in sys.modules for name in ['skimage', 'pywt']))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_noise_estimate_equals_scikit_image():
    rng = np.random.default_rng(0)
    for shape in [(4, 32, 32), (4, 9, 7), (4, 5, 12)]:
        X = rng.random(shape)
        expected = [restoration.estimate_sigma(image) for image in X]
        np.testing.assert_allclose(estimate_noise_std(X), expected)
    signals = rng.random((4, 30))
    expected = [restoration.estimate_sigma(row) for row in signals]
    np.testing.assert_allclose(estimate_noise_std(signals, image_shape=(30,)), expected)


def test_noise_estimate_is_the_mean_of_the_channels():
    X = np.random.default_rng(0).random((4, 12, 10, 3)) * [1, 2, 3]
    expected = np.mean([estimate_noise_std(X[..., channel]) for channel in range(3)], axis=0)
    np.testing.assert_allclose(estimate_noise_std(X), expected)
    np.testing.assert_allclose(estimate_noise_std(X.reshape(4, -1), (12, 10, 3)), expected)


@pytest.mark.parametrize("std", [0.01, 0.1, 1.0])
def test_noise_estimate_finds_the_noise_beside_edges(std):
    X_clean = np.kron(np.random.default_rng(0).random((3, 4, 4)), np.ones((32, 32)))
    X_noisy = X_clean + np.random.default_rng(1).normal(0, std, X_clean.shape)
    np.testing.assert_allclose(estimate_noise_std(X_noisy), std, rtol=0.05)


def test_noise_estimate_counts_uint8_as_fractions():
    X = np.random.default_rng(0).integers(0, 256, (3, 12, 12), dtype=np.uint8)
    np.testing.assert_allclose(estimate_noise_std(X), estimate_noise_std(X / 255), rtol=1e-5)


def test_noise_estimate_of_flat_images_is_zero():
    assert estimate_noise_std(np.full((2, 9, 9), 0.3)).tolist() == [0, 0]
    assert estimate_noise_std(np.full((2, 1, 1), 0.7)).tolist() == [0, 0]


def test_noise_estimate_refuses_what_is_no_batch_of_images():
    with pytest.raises(ValueError, match="NaN"):
        estimate_noise_std(np.full((2, 4, 4), np.nan))
    with pytest.raises(ValueError, match=r"pass image_shape=\(8, 8\)"):
        estimate_noise_std(np.zeros((2, 64)), image_shape=(9, 9))


@pytest.mark.parametrize("method", ["BayesShrink", "VisuShrink"])
def test_one_pixel_has_no_wavelets(method):
    X = np.full((2, 1, 1), 0.5)
    assert (WaveletFilter(std=1.0, method=method).fit(X).predict(X) == X).all()
