"""Camera noise becomes Gaussian noise, any denoiser takes it away, and the mean comes back."""

import numpy as np
import pytest
from scipy import stats
from scipy.ndimage import gaussian_filter
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV

from skdae import (
    DenoisingAutoencoder,
    GaussianNoise,
    MeanFilter,
    NLMeansFilter,
    NoiseSequence,
    PoissonGaussianNoise,
    PoissonNoise,
    VarianceStabilized,
    load,
)
from skdae.architectures import Dense
from skdae.filters import estimate_noise_std
from skdae.metrics import mean_squared_error
from skdae.noise.anscombe import AnscombeTransform

CAMERA = PoissonGaussianNoise(gain=80.0, std=20.0, offset=100.0, clip=None, random_state=0)


class Average(BaseEstimator):
    """The mean of all images; the best denoiser of many frames."""

    def fit(self, X, y=None, **params):
        self.seen_, self.params_ = (X, y), params
        return self

    def predict(self, X):
        return np.broadcast_to(X.mean(axis=0), X.shape)


def cells(n=4, side=96, seed=0):
    """Counts of bright cells on a dark ground."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    images = np.zeros((n, side, side))
    for image in images:
        for y, x, radius, height in rng.uniform([0, 0, 5, 0.2], [side, side, 14, 1], (8, 4)):
            disk = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
            np.maximum(image, height * disk, out=image)
    return 150 + 4000 * gaussian_filter(images, (0, 1, 1))


def psnr(X, X_denoised):
    return 10 * np.log10(np.ptp(X) ** 2 / mean_squared_error(X, X_denoised))


# The transform


@pytest.mark.parametrize("std", [0.0, 0.3, 2.0, 30.0])
def test_inverse_gives_the_mean_of_the_photons(std):
    transform = AnscombeTransform(PoissonGaussianNoise(gain=2.0, std=2 * std, offset=5.0))
    photons = np.array([0.0, 0.2, 1.0, 3.0, 20.0, 99.0, 101.0, 1000.0])
    read = std * stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
    for z in photons:
        counts = np.arange(*stats.poisson.interval(1 - 1e-12, z)) if z else np.zeros(1)
        noisy = 5 + 2 * (counts[:, None] + read)
        chances = stats.poisson.pmf(counts, z)
        mean = chances @ transform.transform(noisy).mean(axis=1) / chances.sum()
        clean = 5 + 2 * z
        assert transform.inverse(mean) == pytest.approx(clean, abs=2 * 2e-3)
        assert transform.expect(clean) == pytest.approx(mean, abs=2e-3)


def test_noise_is_of_one_strength_after_the_transform():
    X = np.repeat(np.linspace(5, 1000, 8), 20000).reshape(8, 200, 100)
    camera = PoissonGaussianNoise(gain=2.0, std=3.0, offset=-10.0, clip=None, random_state=0)
    stds = AnscombeTransform(camera).transform(camera.fit_transform(X)).std(axis=(1, 2))
    np.testing.assert_allclose(stds, 1, rtol=0.03)


def test_few_photons_have_no_bias():
    X = np.tile(np.linspace(0.02, 1, 16), (4000, 4, 1))
    X = X + np.linspace(0, 1e-6, 4000)[:, None, None]
    noisy = PoissonNoise(peak=10, clip=None, random_state=0).fit_transform(X)
    denoised = VarianceStabilized(Average(), PoissonNoise(peak=10)).fit(noisy).predict(noisy)[0]
    error = (denoised - X[0]).mean(axis=0)
    assert np.abs(error / np.sqrt(X[0, 0] / 10 / 16000)).max() < 5


# Around a denoiser


def test_counts_are_denoised_far_better():
    X = cells()
    noisy = CAMERA.fit_transform(X).clip(0, 65535).round().astype(np.uint16)
    plain = psnr(X, NLMeansFilter().fit_transform(noisy))
    stabilized = VarianceStabilized(NLMeansFilter()).fit(noisy)
    assert psnr(X, stabilized.predict(noisy)) > plain + 3
    np.testing.assert_array_equal(stabilized.transform(noisy), stabilized.predict(noisy))
    assert isinstance(stabilized.noise_, PoissonGaussianNoise)
    known = VarianceStabilized(NLMeansFilter(), CAMERA).fit(noisy)
    assert psnr(X, known.predict(noisy)) > plain + 3


def test_gaussian_noise_is_a_plain_pass():
    X = cells(n=2, side=32)
    stabilized = VarianceStabilized(MeanFilter(), GaussianNoise(20.0)).fit(X)
    np.testing.assert_array_equal(stabilized.predict(X), MeanFilter().fit_transform(X))


def test_next_to_no_photons_is_nearly_a_plain_pass():
    X = GaussianNoise(0.1, clip=None, random_state=0).fit_transform(np.full((1, 64, 64), 0.5))
    stabilized = VarianceStabilized(MeanFilter(), PoissonGaussianNoise(1e-6, 0.1)).fit(X)
    np.testing.assert_allclose(stabilized.predict(X), MeanFilter().fit_transform(X), atol=1e-4)


def test_denoiser_sees_images_in_their_own_range_and_the_means_of_noisy_targets():
    X = np.tile(np.linspace(0, 1, 16), (3000, 4, 1)) * np.linspace(0.999, 1, 3000)[:, None, None]
    noise = PoissonNoise(peak=20, random_state=0)
    noisy = noise.fit_transform(X)
    stabilized = VarianceStabilized(Average(), noise).fit(noisy, X)
    seen, targets = stabilized.denoiser_.seen_
    assert (seen.min(), seen.max()) == pytest.approx((0, 1))
    # Not where the noisy images are clipped at 1.
    np.testing.assert_allclose(seen.mean(0)[:, :9], targets.mean(0)[:, :9], atol=0.01)


def test_estimate_uses_pairs():
    X = cells()
    noisy = CAMERA.fit_transform(X)
    noise = VarianceStabilized(MeanFilter()).fit(noisy, X).noise_
    assert noise.gain == pytest.approx(80, rel=0.05)


def test_validation_data_are_transformed_as_those_of_the_fit():
    X = cells(side=32)
    noisy = CAMERA.fit_transform(X)
    for y in (X, None):
        params = {"dae__validation_data": (list(noisy), y), "groups": [0, 0, 1, 1]}
        held = VarianceStabilized(Average(), CAMERA).fit(noisy, y, **params).denoiser_
        for part, expected in zip(held.params_["dae__validation_data"], held.seen_, strict=True):
            np.testing.assert_array_equal(part, expected)
        assert held.params_["groups"] == [0, 0, 1, 1]
    with pytest.raises(ValueError, match="NaN") as caught:
        VarianceStabilized(Average(), CAMERA).fit(X, validation_data=(X * np.nan, None))
    assert caught.value.__notes__ == ["X and y are those of validation_data."]


# As any denoiser


def test_in_a_grid_with_the_denoiser_inside():
    X = cells()
    noisy = CAMERA.fit_transform(X)
    grid = {"denoiser__size": [1, 3], "noise": ["estimate", CAMERA]}
    search = GridSearchCV(VarianceStabilized(MeanFilter()), grid, cv=2).fit(noisy, X)
    assert search.best_params_["denoiser__size"] == 3


@pytest.mark.parametrize("noise", ["estimate", CAMERA, GaussianNoise(20.0)])
def test_file_keeps_it(noise, tmp_path):
    X = CAMERA.fit_transform(cells(side=32))
    stabilized = VarianceStabilized(MeanFilter(), noise).fit(X)
    stabilized.save(tmp_path / "file")
    np.testing.assert_array_equal(load(tmp_path / "file").predict(X), stabilized.predict(X))


def test_net_learns_in_it():
    X = np.random.default_rng(0).random((40, 8, 8)).astype(np.float32)
    noise = PoissonNoise(peak=30, random_state=0)
    net = DenoisingAutoencoder(Dense(hidden=(8,)), max_epochs=2, random_state=0)
    stabilized = VarianceStabilized(net, noise).fit(noise.fit_transform(X), X)
    assert stabilized.predict(X).shape == X.shape
    assert stabilized.predict(X).dtype == np.float32
    noisy = stabilized.noise_.transform(X)
    assert stabilized.score(X) == pytest.approx(stabilized.score(noisy, X))


def test_kinds_of_images_agree():
    X = PoissonNoise(peak=20, random_state=0).fit_transform(
        np.random.default_rng(0).uniform(0.2, 0.8, (4, 8, 8))
    )
    levels = (255 * X).round().astype(np.uint8)
    stabilized = VarianceStabilized(MeanFilter(), PoissonNoise(20))
    expected = stabilized.fit(levels).predict(levels)
    floats = levels.astype(np.float32) / 255
    np.testing.assert_array_equal(stabilized.fit(floats).predict(floats), expected)
    rows = floats.reshape(4, 64)
    np.testing.assert_array_equal(stabilized.fit(rows).predict(rows).reshape(4, 8, 8), expected)
    listed = [floats[0], floats[1][:, :5]]
    stabilized.fit(listed)
    assert [image.shape for image in stabilized.predict(listed)] == [(8, 8), (8, 5)]
    np.testing.assert_array_equal(stabilized.predict(listed)[0], stabilized.predict(floats[:1])[0])


def test_images_without_light_stay_dark():
    X = np.full((2, 8, 8), 100.0)
    denoised = VarianceStabilized(MeanFilter(), CAMERA).fit(X).predict(X)
    assert np.abs(denoised - 100).max() < CAMERA.gain
    assert np.isfinite(VarianceStabilized(MeanFilter(), CAMERA).fit_transform(X - 500)).all()


def test_other_units_are_warned_about():
    X = CAMERA.fit_transform(cells(side=32))
    stabilized = VarianceStabilized(MeanFilter(), CAMERA).fit(X)
    with pytest.warns(UserWarning, match="same units"):
        stabilized.predict(257 * X)


# Bad input


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        ("guess", "'noise' parameter"),
        (0.1, "'noise' parameter"),
        (NoiseSequence([PoissonNoise()]), "cannot be stabilized"),
        (PoissonNoise(peak=(5, 10)), "of one level, not a range"),
        (PoissonGaussianNoise(gain=-1), "'gain' parameter"),
    ],
)
def test_noise_of_another_kind_is_refused(noise, message):
    with pytest.raises(ValueError, match=message):
        VarianceStabilized(MeanFilter(), noise).fit(cells(side=32))


def test_images_that_do_not_tell_their_noise_are_refused_and_the_state_is_kept():
    X = CAMERA.fit_transform(cells(side=32))
    stabilized = VarianceStabilized(MeanFilter()).fit(X)
    before = stabilized.predict(X)
    for bad in (np.ones((2, 32, 32)), np.full((2, 32, 32), np.nan)):
        with pytest.raises(ValueError, match=r"blocks tell the noise|NaN"):
            stabilized.fit(bad)
    np.testing.assert_array_equal(stabilized.predict(X), before)


def test_noise_of_the_transformed_images_is_that_of_the_estimate():
    X = CAMERA.fit_transform(np.tile(np.linspace(200, 4000, 128), (2, 128, 1)))
    stabilized = VarianceStabilized(Average()).fit(X)
    seen, _ = stabilized.denoiser_.seen_
    halves = estimate_noise_std(seen[:, :, :64]), estimate_noise_std(seen[:, :, 64:])
    np.testing.assert_allclose(*halves, rtol=0.1)
