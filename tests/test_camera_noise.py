"""CameraNoise against formulas of its parts, and against SciPy."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve, gaussian_filter

from skdae import CameraNoise
from skdae._random import TorchGenerator

# A sensor without tone curve, white balance, matrix and smoothing.
PLAIN = {
    "read_noise": 0.0,
    "gamma": 1.0,
    "white_balance": 1.0,
    "color_correction": 0.0,
    "smoothing": 0.0,
    "chroma_smoothing": 0.0,
    "clip": None,
    "random_state": 0,
}


def even(value, n=1, side=128):
    return np.full((n, side, side, 3), float(value))


def added(noise, X):
    return noise.fit_transform(X) - X


@pytest.mark.parametrize("value", [0.2, 0.6])
def test_variance_of_each_site_is_that_of_its_interpolation(value):
    peak = 1000.0
    error = added(CameraNoise(peak=peak, **PLAIN), even(value, side=512))
    variance = value / peak

    def seen(c, row, column):
        return error[0, row::2, column::2, c].var() / variance

    # Red and blue are seen, between two, or between four that see them; green between four.
    for c, place in ((0, 0), (2, 1)):
        other = 1 - place
        assert seen(c, place, place) == pytest.approx(1, rel=0.05)
        assert seen(c, place, other) == pytest.approx(1 / 2, rel=0.05)
        assert seen(c, other, other) == pytest.approx(1 / 4, rel=0.05)
    assert seen(1, 0, 1) == pytest.approx(1, rel=0.05)
    assert seen(1, 0, 0) == pytest.approx(1 / 4, rel=0.05)


def test_demosaicking_is_the_convolution_of_each_color():
    # With the seed, counts are the same whatever the curve: an identity one gives the raw noise.
    X = np.random.default_rng(0).uniform(0.3, 0.6, (1, 16, 18, 3))
    error = added(CameraNoise(peak=300, **PLAIN), X)[0]
    cross = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
    square = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
    places = [[(0, 0)], [(0, 1), (1, 0)], [(1, 1)]]
    for c, kernel in enumerate((square, cross, square)):
        sensor = np.zeros(X.shape[1:3])
        for i, j in places[c]:
            sensor[i::2, j::2] = error[i::2, j::2, c]
        expected = convolve(sensor, kernel, mode="mirror")
        np.testing.assert_allclose(error[..., c], expected, atol=1e-12)


def test_noise_follows_the_slope_of_the_tone_curve():
    gamma, peak = 2.2, 1e5
    parameters = {**PLAIN, "gamma": gamma}
    for value in (0.1, 0.5, 0.9):
        error = added(CameraNoise(peak=peak, **parameters), even(value, side=256))
        linear = value**gamma
        slope = linear ** (1 / gamma - 1) / gamma
        expected = slope * (linear / peak) ** 0.5
        assert error[0, ::2, ::2, 0].std() == pytest.approx(expected, rel=0.05)


def test_white_balance_amplifies_red_and_blue():
    error = added(CameraNoise(peak=1e5, **{**PLAIN, "white_balance": 2.0}), even(0.4, side=256))
    # Half the light, twice the gain: the variance doubles.
    red, green = error[0, ::2, ::2, 0].var(), error[0, ::2, 1::2, 1].var()
    assert red / green == pytest.approx(2, rel=0.1)


def test_smoothing_is_that_of_scipy():
    X = even(0.5, side=64)
    smoothing = {"smoothing": 1.5, "chroma_smoothing": 1.5}
    # The verb itself, so that both get the same numbers.
    rough, smooth = (
        CameraNoise(peak=1e3, **PLAIN | changed)._corrupt(X, np.random.default_rng(0)) - X
        for changed in ({}, smoothing)
    )
    expected = gaussian_filter(rough, (0, 1.5, 1.5, 0), mode="mirror", truncate=10 / 3)
    np.testing.assert_allclose(smooth, expected, atol=2e-4)


@pytest.mark.parametrize("parameters", [{}, {"color_correction": 1.0}, {"white_balance": 2.5}])
def test_without_photon_noise_nothing_changes(parameters):
    X = np.random.default_rng(0).uniform(0.05, 0.9, (3, 9, 10, 3))
    noise = CameraNoise(peak=1e9, read_noise=0.0, random_state=0, **parameters)
    np.testing.assert_allclose(noise.fit_transform(X), X, atol=3e-3)


def test_noise_is_correlated_and_of_many_levels():
    X = np.random.default_rng(0).uniform(0.49, 0.51, (60, 32, 32, 3))
    error = added(CameraNoise(random_state=0, clip=None), X)
    error -= error.mean((1, 2, 3), keepdims=True)
    rho = (error[:, 1:] * error[:, :-1]).mean((1, 2, 3)) / (error**2).mean((1, 2, 3))
    assert 0.5 < np.median(rho) < 0.9
    levels = 255 * error.std((1, 2, 3))
    assert levels.min() < 2 < 12 < levels.max()


def test_arrays_and_tensors_get_noise_of_the_same_distribution():
    X = np.random.default_rng(0).uniform(0.3, 0.7, (200, 16, 16, 3)).astype(np.float32)
    noise = CameraNoise(random_state=0, clip=None).fit(X)
    tensors = noise.corrupt(
        torch.from_numpy(X), TorchGenerator(torch.Generator().manual_seed(0))
    ).numpy()
    quantiles = [
        np.quantile(np.log((noisy - X).std((1, 2, 3))), (0.2, 0.5, 0.8))
        for noisy in (noise.transform(X), tensors)
    ]
    np.testing.assert_allclose(*quantiles, atol=0.35)


def test_grey_is_the_luminance_and_other_channels_are_grey_ones():
    X = np.random.default_rng(0).uniform(0.3, 0.7, (1, 256, 256))
    noise = CameraNoise(peak=1e4, **PLAIN)
    grey = added(noise, X)
    # Of luma weights, at a red site: red seen, green of four, blue of four diagonal neighbors.
    weights = np.array([0.299, 0.587, 0.114])
    expected = weights[0] ** 2 + weights[1] ** 2 / 4 + weights[2] ** 2 / 4
    found = (grey[0, ::2, ::2] ** 2 / (X[0, ::2, ::2] / 1e4)).mean()
    assert found == pytest.approx(expected, rel=0.1)
    assert noise.fit_transform(np.stack([X] * 4, 3)).shape == (1, 256, 256, 4)


def test_jpeg_leaves_its_blocks():
    X = np.random.default_rng(0).uniform(0.4, 0.6, (1, 64, 64))
    fine = added(CameraNoise(peak=500, random_state=0), X)
    coarse = added(CameraNoise(peak=500, quality=20, random_state=0), X)
    assert np.abs(coarse - fine).max() > 0.02
    edge = np.abs(np.diff(X + coarse, axis=1)).mean((0, 2))
    inside = np.delete(edge, range(7, 63, 8))
    assert edge[7::8].mean() > 1.2 * inside.mean()
