"""Intervals hold what they promise, for any denoiser and any kind of image."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skdae import (
    ConformalDenoiser,
    DenoisingAutoencoder,
    MeanFilter,
    MedianFilter,
    PoissonNoise,
    PretrainedDenoiser,
    VarianceStabilized,
    load,
)
from skdae.architectures import Conv


class Nothing(BaseEstimator):
    """A denoiser that leaves images as they are."""

    def fit(self, X, y=None):
        return self

    def predict(self, X):
        return X

    def __sklearn_is_fitted__(self):
        return True


def share_inside(intervals, X):
    return (intervals[0] <= X) & (intervals[1] >= X)


def conformal(denoiser, digits, coverage=0.9):
    X, y = digits
    denoiser = ConformalDenoiser(denoiser, coverage).fit(X[:200], y[:200])
    return denoiser.conformalize(X[200:1000], y[200:1000])


# What it promises


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("denoiser", [Nothing(), MeanFilter()], ids=["nothing", "mean"])
def test_share_of_pixels_inside_is_what_was_promised(denoiser, coverage, digits):
    X, y = digits
    _, intervals = conformal(denoiser, digits, coverage).predict_interval(X[1000:])
    assert share_inside(intervals, y[1000:]).mean() == pytest.approx(coverage, abs=0.01)


def test_promise_holds_on_average_over_few_calibration_images():
    # Images differ so much that their pixels together are no sample of independent ones.
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(300):
        X = rng.exponential(size=(14, 1, 1)) * rng.normal(size=(14, 6, 6))
        denoiser = ConformalDenoiser(Nothing()).conformalize(X[:12], np.zeros((12, 6, 6)))
        _, intervals = denoiser.predict_interval(X[12:])
        shares.append(share_inside(intervals, 0).mean())
    error = np.std(shares) / len(shares) ** 0.5
    assert np.mean(shares) > 0.9 - 2 * error


def test_factor_is_the_conformal_quantile_of_the_relative_errors():
    # All widths are equal, and each image has one error, so that the quantile is told by hand.
    errors = np.random.default_rng(0).permutation(np.arange(1.0, 41.0))
    X = np.zeros((40, 4, 4))
    denoiser = ConformalDenoiser(Nothing(), 0.8).conformalize(X, X + errors[:, None, None])
    X_denoised, (low, high) = denoiser.predict_interval(X)
    kept = np.sort(np.delete(errors, slice(None, None, 4)))
    # ceil(0.8 * 31) is 25.
    np.testing.assert_allclose(high, kept[24])
    np.testing.assert_allclose(low, -kept[24])


def covered(X, y, coverage, denoiser=None):
    """Of new images, the share of float64 pixels that the ends of intervals hold."""
    half = len(X) // 2
    denoiser = ConformalDenoiser((denoiser or MedianFilter(3)).fit(X), coverage)
    denoiser.conformalize(X[:half], y[:half])
    truth = y[half:] / 255 if y.dtype == np.uint8 else y[half:].astype(np.float64)
    return share_inside(denoiser.predict_interval(X[half:])[1], truth).mean()


def test_rounding_of_bytes_takes_no_coverage():
    # Errors are the rounding of float32 in most pixels.
    X = np.random.default_rng(0).integers(0, 100, (400, 1, 1), dtype=np.uint8)
    X = X + np.tile(np.arange(16, dtype=np.uint8) * 9, (16, 1))
    for y in (X, X / 255, (X / 255).astype(np.float32)):
        assert covered(X, y, 0.8) >= 0.79
        assert covered(X, y, 0.8, Nothing()) >= 0.79


@pytest.mark.parametrize("offset", [0, 1, 1e4, 1e8])
@pytest.mark.parametrize("scale", [1e-320, 1e-40, 1e-30, 1e-8, 0.3, 1e3, 1e30])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_ends_hold_the_truth_in_every_dtype_and_unit(dtype, scale, offset):
    rng = np.random.default_rng(0)
    y = scale * (offset + rng.normal(size=(400, 8, 8)))
    X = y + scale * 0.1 * rng.normal(size=y.shape)
    if np.abs(X).max() > np.finfo(dtype).max:
        pytest.skip("beyond the range of the dtype")
    # Outward rounding may hold more, where a step of the dtype is a large part of the error.
    assert covered(X.astype(dtype), y, 0.9) > 0.88


def test_ends_hold_equal_errors_to_the_last_bit():
    # The larger of two errors is that of the quantile, and the end is 0, where steps are smallest.
    rng = np.random.default_rng(0)
    for error in rng.uniform(1, 2, 50):
        X = np.full((40, 4, 4), -error)
        assert covered(X, rng.choice([0, -0.5 * error], X.shape), 0.9, Nothing()) == 1


def test_images_too_large_to_square_are_refused():
    X = 1e200 * np.random.default_rng(0).random((40, 8, 8))
    with pytest.raises(ValueError, match="ConformalDenoiser overflows float64"):
        covered(X, 0.9 * X, 0.5)


def test_widths_follow_the_light_and_the_edges():
    rng = np.random.default_rng(0)
    X_clean = np.repeat(rng.uniform(20, 2000, (80, 1, 8)), 8, axis=1)
    X_noisy = PoissonNoise(peak=1.0, random_state=0).fit_transform(X_clean)
    denoiser = ConformalDenoiser(Nothing()).conformalize(X_noisy[:60], X_clean[:60])
    _, (low, high) = denoiser.predict_interval(X_noisy[60:])
    width = high - low
    rank = [np.argsort(np.argsort(v, axis=None)) for v in (width, X_clean[60:])]
    assert np.corrcoef(rank)[0, 1] > 0.8
    inside = share_inside((low, high), X_clean[60:])
    assert inside[width > np.quantile(width, 0.9)].mean() > 0.85


def test_widths_are_large_at_edges():
    rng = np.random.default_rng(0)
    levels = rng.uniform(0, 1, (80, 1, 2))
    X_clean = np.repeat(np.repeat(levels, 16, axis=1), 8, axis=2)
    X_noisy = X_clean + rng.normal(0, 0.02, X_clean.shape)
    denoiser = ConformalDenoiser(MeanFilter().fit(X_noisy)).conformalize(X_noisy, X_clean)
    _, (low, high) = denoiser.predict_interval(X_noisy)
    width = (high - low).mean(axis=(0, 1))
    assert width[7:9].min() > 5 * width[[3, 12]].max()


def test_coverage_may_be_changed_without_new_images(digits):
    X, y = digits
    denoiser = conformal(MeanFilter(), digits, 0.9).set_params(coverage=0.6)
    _, intervals = denoiser.predict_interval(X[1000:])
    assert share_inside(intervals, y[1000:]).mean() == pytest.approx(0.6, abs=0.02)
    with pytest.raises(ValueError, match=r"600 images .* needs at least 1332 \(999 for"):
        denoiser.set_params(coverage=0.999).predict_interval(X)


def test_a_perfect_denoiser_has_intervals_of_no_width():
    X = np.random.default_rng(0).random((20, 5, 5))
    X_denoised, (low, high) = ConformalDenoiser(Nothing()).conformalize(X, X).predict_interval(X)
    np.testing.assert_array_equal(low, X_denoised)
    np.testing.assert_array_equal(high, X_denoised)


# Denoisers and images


def test_a_fitted_denoiser_is_taken_as_it_is(digits):
    X, y = digits
    net = DenoisingAutoencoder(Conv((4,)), max_epochs=1, random_state=0).fit(X[:200], y[:200])
    denoiser = ConformalDenoiser(net).conformalize(X[200:300], y[200:300])
    X_denoised, intervals = denoiser.predict_interval(X[300:400])
    np.testing.assert_array_equal(X_denoised, net.predict(X[300:400]))
    frozen = ConformalDenoiser(FrozenEstimator(net)).fit(X).conformalize(X[200:300], y[200:300])
    np.testing.assert_array_equal(frozen.predict_interval(X[300:400])[1], intervals)
    # What becomes of it later makes no intervals wrong.
    net.fit(X[:50], 1 - y[:50])
    np.testing.assert_array_equal(denoiser.predict(X[300:400]), X_denoised)


@pytest.mark.parametrize(
    "denoiser",
    [
        make_pipeline(MedianFilter(), MeanFilter()),
        PretrainedDenoiser(noise=0.25),
        VarianceStabilized(MeanFilter(), PoissonNoise()),
        GridSearchCV(MeanFilter(), {"size": [1, 3]}, cv=2),
    ],
    ids=lambda denoiser: type(denoiser).__name__,
)
def test_any_denoiser_has_intervals(denoiser, digits):
    X, y = digits
    _, intervals = conformal(clone(denoiser), digits).predict_interval(X[1000:1500])
    assert share_inside(intervals, y[1000:1500]).mean() == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize("shape", [(1797, 64), (1797, 8, 8, 1), (1797, 4, 8, 2)])
def test_intervals_have_the_shape_of_the_images(shape, digits):
    X, y = (images.reshape(shape) for images in digits)
    image_shape = (8, 8) if len(shape) == 2 else None
    denoiser = ConformalDenoiser(MeanFilter(image_shape=image_shape)).fit(X)
    X_denoised, intervals = denoiser.conformalize(X[:40], y[:40]).predict_interval(X[40:50])
    assert X_denoised.shape == X[40:50].shape
    assert intervals.shape == (2, *X_denoised.shape)
    assert intervals.dtype == X_denoised.dtype
    if len(shape) == 2:
        images = (
            ConformalDenoiser(MeanFilter())
            .fit(digits[0])
            .conformalize(*(images[:40] for images in digits))
        )
        expected = images.predict_interval(digits[0][40:50])[1]
        np.testing.assert_allclose(intervals.reshape(expected.shape), expected)


def test_images_of_different_sizes_come_as_lists(digits):
    X, y = ([*images[:30], *images[30:60, :5]] for images in digits)
    denoiser = ConformalDenoiser(MeanFilter()).fit(X).conformalize(X, y)
    X_denoised, intervals = denoiser.predict_interval(X[28:32])
    assert [image.shape for image in X_denoised] == [(8, 8), (8, 8), (5, 8), (5, 8)]
    assert [ends.shape for ends in intervals] == [(2, 8, 8), (2, 8, 8), (2, 5, 8), (2, 5, 8)]
    np.testing.assert_array_equal(intervals[3], denoiser.predict_interval(X[31:32])[1][:, 0])


@pytest.mark.parametrize(
    ("shape", "channel_axis"),
    [((400, 16, 4), -1), ((400, 4, 4, 4), None), ((400, 4, 4, 4, 2), "auto")],
)
def test_signals_and_volumes_have_intervals(shape, channel_axis):
    rng = np.random.default_rng(0)
    y = rng.random(shape).cumsum(axis=1) / shape[1]
    X = y + 0.1 * rng.normal(size=shape)
    denoiser = ConformalDenoiser(MeanFilter(channel_axis=channel_axis)).fit(X[:10])
    _, intervals = denoiser.conformalize(X[:200], y[:200]).predict_interval(X[200:])
    assert intervals.shape == (2, 200, *shape[1:])
    assert share_inside(intervals, y[200:]).mean() == pytest.approx(0.9, abs=0.02)


def test_uint8_counts_as_value_over_255(digits):
    X, y = ((255 * images.clip(0, 1)).astype(np.uint8) for images in digits)
    denoiser = ConformalDenoiser(MeanFilter()).fit(X).conformalize(X[:50], y[:50])
    floats = [images.astype(np.float32) / 255 for images in (X, y)]
    again = ConformalDenoiser(MeanFilter()).fit(X).conformalize(*(x[:50] for x in floats))
    for intervals in (again.predict_interval(X)[1], again.predict_interval(floats[0])[1]):
        np.testing.assert_allclose(denoiser.predict_interval(X)[1], intervals, atol=1e-6)


def test_a_denoiser_that_returns_bytes_has_intervals_of_floats(digits):
    class Bytes(Nothing):
        def predict(self, X):
            return (255 * X.clip(0, 1)).round().astype(np.uint8)

    X, y = digits
    denoiser = ConformalDenoiser(Bytes()).conformalize(X[:800], y[:800])
    X_denoised, intervals = denoiser.predict_interval(X[800:])
    np.testing.assert_allclose(X_denoised, X[800:].clip(0, 1), atol=0.002)
    assert share_inside(intervals, y[800:]).mean() == pytest.approx(0.9, abs=0.02)


def test_file_keeps_it(digits, tmp_path):
    X = digits[0][1000:]
    denoiser = conformal(MeanFilter(), digits)
    denoiser.save(tmp_path / "denoiser")
    again = load(tmp_path / "denoiser")
    np.testing.assert_array_equal(again.predict_interval(X)[1], denoiser.predict_interval(X)[1])
    np.testing.assert_array_equal(again.errors_, denoiser.errors_)


def test_a_new_fit_takes_new_calibration(digits):
    X = digits[0]
    denoiser = conformal(MeanFilter(), digits)
    with pytest.raises(NotFittedError, match="call conformalize"):
        denoiser.fit(X).predict_interval(X)
    with pytest.raises(NotFittedError):
        clone(denoiser).predict_interval(X)


# Bad input


@pytest.mark.parametrize("coverage", [0, 1, 1.5, -0.1, "0.9"])
def test_coverage_is_a_share(coverage, digits):
    X, y = digits
    with pytest.raises(ValueError, match="'coverage' parameter"):
        ConformalDenoiser(MeanFilter(), coverage).fit(X)
    denoiser = ConformalDenoiser(MeanFilter().fit(X), coverage)
    with pytest.raises(ValueError, match="'coverage' parameter"):
        denoiser.conformalize(X, y)


@pytest.mark.parametrize(("coverage", "n"), [(0.5, 2), (0.8, 6), (0.9, 12), (0.95, 26)])
def test_too_few_images_are_refused_with_the_number_needed(coverage, n, digits):
    X, y = digits
    denoiser = ConformalDenoiser(MeanFilter(), coverage).fit(X)
    with pytest.raises(ValueError, match=f"got {n - 1} images, .* at least {n} "):
        denoiser.conformalize(X[: n - 1], y[: n - 1])
    denoiser.conformalize(X[:n], y[:n])


def test_conformalize_needs_a_fitted_denoiser(digits):
    with pytest.raises(NotFittedError, match="call fit before conformalize"):
        ConformalDenoiser(MeanFilter()).conformalize(*digits)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: None, "no clean images"),
        (lambda y: np.arange(len(y)), "no clean images"),
        (lambda y: y[:, :4], "shape"),
        (lambda y: np.repeat(np.repeat(y, 2, 1), 2, 2), "Enlarge the small images first"),
        (lambda y: 255 * y, "same units"),
        (lambda y: y / 255, "same units"),
        (lambda y: y * np.nan, "NaN"),
    ],
)
def test_targets_that_do_not_fit_are_refused(change, message, digits):
    X, y = digits
    denoiser = conformal(MeanFilter(), digits)
    before = denoiser.predict_interval(X)[1]
    with pytest.raises(ValueError, match=message):
        denoiser.conformalize(X, change(y))
    np.testing.assert_array_equal(denoiser.predict_interval(X)[1], before)


def test_a_denoiser_that_returns_nan_is_refused(digits):
    class Broken(Nothing):
        def predict(self, X):
            return np.where(X > 0.5, np.nan, X)

    with pytest.raises(ValueError, match="X_denoised contains NaN"):
        ConformalDenoiser(Broken()).conformalize(*digits)


def test_images_of_other_units_are_noticed(digits):
    X, y = digits
    denoiser = ConformalDenoiser(Nothing()).conformalize(X, y)
    with pytest.warns(UserWarning, match="same units"):
        denoiser.predict_interval(255 * X)
