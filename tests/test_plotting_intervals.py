"""Displays of intervals and residuals show what was measured."""

import matplotlib as mpl
import numpy as np
import pytest

from skdae import ConformalDenoiser, MeanFilter
from skdae.plotting import CoverageDisplay, IntervalDisplay, ResidualDisplay, WidthErrorDisplay

mpl.use("agg")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture(scope="module")
def denoiser(digits):
    X, y = digits
    return ConformalDenoiser(MeanFilter().fit(X)).conformalize(X[:800], y[:800])


def test_pixels_outside_are_drawn(denoiser, digits):
    X, y = (images[800:810] for images in digits)
    display = IntervalDisplay.from_estimator(denoiser, X, y, index=3)
    X_denoised, (low, high) = denoiser.predict_interval(X)
    _, width, outside = (ax.images[0].get_array() for ax in display.axes_)
    np.testing.assert_allclose(width, (high - low)[3])
    np.testing.assert_array_equal(outside, (y[3] < low[3]) | (y[3] > high[3]))
    assert len(IntervalDisplay.from_estimator(denoiser, X).axes_) == 2
    with pytest.raises(ValueError, match="X_clean has shape"):
        IntervalDisplay(X_denoised[0], np.stack([low[0], high[0]]), y[0, :4])


def test_coverage_is_measured_at_every_level(denoiser, digits):
    X, y = (images[800:] for images in digits)
    display = CoverageDisplay.from_estimator(denoiser, X, y, levels=[0.5, 0.9])
    np.testing.assert_allclose(display.actual, [0.5, 0.9], atol=0.01)
    np.testing.assert_array_equal(display.line_.get_ydata(), display.actual)
    assert denoiser.coverage == 0.9


def test_errors_are_grouped_by_width(denoiser, digits):
    X, y = (images[800:] for images in digits)
    display = WidthErrorDisplay.from_estimator(denoiser, X, y, n_groups=5)
    assert len(display.widths) == 5
    assert (np.diff(display.widths) > 0).all()
    assert np.corrcoef(display.widths, display.errors)[0, 1] > 0.9


def test_residual_is_shown_in_deviations_of_the_noise():
    noise = np.random.default_rng(0).normal(0, 0.1, (2, 32, 32))
    display = ResidualDisplay.from_images(0.5 + noise, np.full((2, 32, 32), 0.5), 0.1, index=1)
    np.testing.assert_allclose(display.axes_[0].images[0].get_array(), noise[1] / 0.1)
    assert display.autocorrelation_[8, 8] == pytest.approx(1)
    assert (abs(display.autocorrelation_) < display.band_).mean() > 0.95
    flat = ResidualDisplay.from_images((0.5 + noise).reshape(2, -1), np.full((2, 1024), 0.5), 0.1)
    np.testing.assert_allclose(flat.residual[..., 0], noise[0] / 0.1)
