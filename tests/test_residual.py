"""The report on residuals names what is wrong with a denoiser, and nothing where all is well."""

import warnings

import numpy as np
import pytest
from skimage import data

from skdae import (
    GaussianFilter,
    GaussianNoise,
    NLMeansFilter,
    PoissonGaussianNoise,
    PoissonNoise,
    PretrainedDenoiser,
    SpeckleNoise,
    StripeNoise,
    VarianceStabilized,
)
from skdae.metrics import residual_report
from skdae.metrics.residual import autocorrelation

FLAGS = ("structure_removed", "noise_left", "noise_correlated")
STD = 0.1


def smooth_images(n=10, side=96):
    """Images of random waves, between 0.2 and 0.8."""
    rng = np.random.default_rng(0)
    t = np.linspace(0, 2 * np.pi, side)
    phases = rng.uniform(0, 2 * np.pi, (2, n, 1))
    rows, columns = (np.sin(k * t + phase) for k, phase in zip((3, 5), phases, strict=True))
    return 0.5 + 0.3 * rows[:, :, None] * columns[:, None]


X_CLEAN = smooth_images()
X_NOISY = GaussianNoise(STD, clip=None, random_state=2).fit_transform(X_CLEAN)


def quiet_report(*args, **params):
    with warnings.catch_warnings(action="ignore"):
        return residual_report(*args, **params)


def flags(report):
    return [name for name in FLAGS if getattr(report, name).mean() > 0.5]


@pytest.mark.parametrize("noise", ["estimate", STD, GaussianNoise(STD)], ids=str)
def test_noise_alone_raises_no_flag(noise):
    # Warnings are errors here. A real denoiser leaves a little of the noise.
    report = residual_report(X_NOISY, 0.8 * X_CLEAN + 0.2 * X_NOISY, noise)
    np.testing.assert_allclose(report.variance, 0.64, atol=0.06)
    np.testing.assert_allclose(report.block_power, 0.64, atol=0.15)
    # What is left of it in the image is also in what was taken away.
    assert (report.correlation < 0.2).all()
    for values in (report.row_correlation, report.autocorrelation):
        assert np.abs(values).mean() < 0.1


@pytest.mark.parametrize(
    ("X_denoised", "X_noisy", "flag", "message"),
    [
        (0.5 + 0.5 * (X_CLEAN - 0.5), X_NOISY, FLAGS[0], "10 of 10 images holds more than noise"),
        (0.5 * X_CLEAN + 0.5 * X_NOISY, X_NOISY, FLAGS[1], "10 of 10 images, less was taken away"),
        (
            X_CLEAN,
            StripeNoise(0.05, clip=None, random_state=1).fit_transform(X_NOISY),
            FLAGS[2],
            "10 of 10 images, the noise is correlated",
        ),
    ],
    ids=FLAGS,
)
def test_each_cause_has_its_flag_and_its_warning(X_denoised, X_noisy, flag, message):
    with pytest.warns(UserWarning, match=message) as record:
        report = residual_report(X_noisy, X_denoised)
    assert len(record) == 1
    assert flags(report) == [flag]
    assert f"{flag:<18}  10 of 10 images" in repr(report)


def test_lost_texture_of_a_part_is_found_though_noise_is_left_elsewhere():
    # Stripes on a quarter lose a fifth; in the others, a fifth of the noise is left.
    rows, columns = np.indices((96, 96))
    is_texture = columns < 24
    X_clean = X_CLEAN + np.where(is_texture, 0.5 * (rows // 4 % 2), 0)
    X_noisy = X_clean + X_NOISY - X_CLEAN
    X_denoised = X_CLEAN + np.where(is_texture, 0.05 + 0.4 * (rows // 4 % 2), 0)
    X_denoised = np.where(is_texture, X_denoised, 0.8 * X_denoised + 0.2 * X_noisy)
    assert flags(quiet_report(X_noisy, X_denoised, STD)) == ["structure_removed"]
    rest = quiet_report(X_noisy[:, :, 24:], X_denoised[:, :, 24:], STD)
    assert not flags(rest)


def test_smooth_is_what_has_no_edges_however_bright_it_is():
    # The lighter half is flat, and there a denoiser takes nothing away.
    is_flat = np.arange(96) < 48
    X_clean = np.where(is_flat, 0.7, 0.2 + 0.5 * (X_CLEAN - 0.5))
    X_noisy = X_clean + X_NOISY - X_CLEAN
    report = quiet_report(X_noisy, np.where(is_flat, 0.9 * X_noisy + 0.07, X_clean), STD)
    assert (report.smooth_variance < 0.3).all()
    report = quiet_report(X_noisy, np.where(is_flat, X_clean, 0.9 * X_noisy + 0.02), STD)
    assert (report.smooth_variance > 0.8).all()


def test_the_border_of_an_image_is_not_a_streak():
    X_framed = X_CLEAN.copy()
    X_framed[:, :2] = X_framed[:, :, -2:] = 0
    X_noisy = X_framed + X_NOISY - X_CLEAN
    report = quiet_report(X_noisy, GaussianFilter(sigma=4.0).fit_transform(X_noisy))
    assert not report.noise_correlated.any()
    assert flags(report) == ["structure_removed"]


def test_nothing_taken_away_is_noise_left():
    with pytest.warns(UserWarning, match="less was taken away") as record:
        report = residual_report(X_NOISY, X_NOISY)
    assert len(record) == 1
    assert report.noise_left.all()
    assert all(np.isfinite(values).all() for values in vars(report).values())


@pytest.mark.parametrize("transposed", [False, True])
def test_streaks_run_either_way(transposed):
    stripes = StripeNoise(0.05, clip=None, random_state=1).fit_transform(X_NOISY) - X_NOISY
    X_noisy = X_NOISY + (stripes.swapaxes(1, 2) if transposed else stripes)
    report = quiet_report(X_noisy, X_CLEAN)
    assert flags(report) == ["noise_correlated"]
    low, high = report.row_correlation.mean(), report.column_correlation.mean()
    assert min(low, high) < 0.1
    assert max(low, high) > 0.5


@pytest.mark.parametrize("noise", ["estimate", "given"])
@pytest.mark.filterwarnings("ignore:What was taken away:UserWarning")
def test_noise_of_a_camera_is_judged_by_its_own_variance(noise):
    camera = PoissonGaussianNoise(gain=20.0, std=30.0, random_state=0)
    X_noisy = camera.fit_transform(4000 * X_CLEAN)
    report = residual_report(X_noisy, 4000 * X_CLEAN, "estimate" if noise != "given" else camera)
    np.testing.assert_allclose(report.variance, 1, atol=0.15 if noise == "estimate" else 0.05)
    assert not flags(report)


@pytest.mark.filterwarnings("ignore:What was taken away:UserWarning")
def test_a_wrong_level_changes_the_variance_by_its_square():
    report = residual_report(X_NOISY, X_CLEAN, 0.5 * STD)
    np.testing.assert_allclose(report.variance, 4, atol=0.3)


def test_flat_rows_lists_and_uint8_give_what_images_give():
    X_denoised = 0.8 * X_CLEAN + 0.2 * X_NOISY
    expected = vars(residual_report(X_NOISY, X_denoised))
    flat = residual_report(X_NOISY.reshape(10, -1), X_denoised.reshape(10, -1))
    ragged = residual_report([*X_NOISY, X_NOISY[0, :50]], [*X_denoised, X_denoised[0, :50]])
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(flat, name), values, atol=1e-9)
        np.testing.assert_allclose(getattr(ragged, name)[:10], values)
    bytes_ = [np.round(255 * x.clip(0, 1)).astype(np.uint8) for x in (X_NOISY, X_denoised)]
    np.testing.assert_allclose(
        residual_report(*bytes_, STD).variance,
        residual_report(*(x / 255 for x in bytes_), STD).variance,
        rtol=1e-5,
    )


def test_autocorrelation_is_that_of_the_sums_by_hand():
    residual = np.random.default_rng(0).normal(size=(9, 7, 2))
    centred = residual - residual.mean(axis=(0, 1))
    expected = (centred[:-2, 1:] * centred[2:, :-1]).mean() / (centred**2).mean()
    result = autocorrelation(residual, 2)
    assert result[2, 2] == pytest.approx(1)
    assert result[4, 1] == pytest.approx(expected)
    np.testing.assert_allclose(result, result[::-1, ::-1])


def test_signals_and_tiny_images_are_judged_too():
    rng = np.random.default_rng(0)
    for shape in [(3, 500), (3, 2, 2), (3, 1, 1)]:
        noise = rng.normal(size=shape)
        report = quiet_report(noise, np.zeros(shape), 1.0, image_shape=shape[1:])
        assert np.isfinite(list(vars(report).values())).all()


@pytest.mark.parametrize(
    ("noise", "error", "message"),
    [
        ("gaussian", ValueError, "'noise' parameter"),
        (-0.1, ValueError, "'noise' parameter"),
        (SpeckleNoise(0.1), ValueError, "cannot be stabilized"),
        (GaussianNoise((0.1, 0.2)), ValueError, "of one level"),
        (PoissonNoise, ValueError, "'noise' parameter"),
    ],
    ids=str,
)
def test_noise_of_no_known_variance_is_refused(noise, error, message):
    with pytest.raises(error, match=message):
        residual_report(X_NOISY, X_CLEAN, noise)


def test_images_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="X_denoised has shape"):
        residual_report(X_NOISY, X_CLEAN[:, :50])
    with pytest.raises(ValueError, match="NaN"):
        residual_report(X_NOISY, X_CLEAN * np.nan)
    with pytest.raises(ValueError, match="without noise"):
        residual_report(np.ones((2, 70, 70)), np.ones((2, 70, 70)))
    for X_denoised in (255 * X_CLEAN, X_CLEAN / 255, (255 * X_NOISY).clip(0, 255)):
        with pytest.raises(ValueError, match="same units"):
            residual_report(X_NOISY, X_denoised)


def test_speckle_is_estimated_and_raises_no_flag():
    X_noisy = SpeckleNoise(0.2, clip=None, random_state=2).fit_transform(X_CLEAN)
    assert flags(quiet_report(X_noisy, X_CLEAN)) == []


@pytest.mark.parametrize("offset", [0, 100])
def test_noise_that_is_left_where_it_is_bright_is_named(offset):
    """A filter that expects the same noise everywhere leaves that of many photons."""
    clean = offset + 2000 * (data.camera()[None, :256, :256] / 255)
    camera = PoissonGaussianNoise(20, 10, offset=offset, clip=None, random_state=0)
    X = camera.fit_transform(clean)
    report = quiet_report(X, NLMeansFilter().fit_transform(X))
    assert report.noise_left_bright.all()
    assert report.bright_variance < 0.7 < report.dark_variance
    for denoiser in (VarianceStabilized(NLMeansFilter()), PretrainedDenoiser()):
        report = quiet_report(X, denoiser.fit(X).predict(X))
        assert not report.noise_left_bright.any()
        assert report.bright_variance == pytest.approx(report.dark_variance, rel=0.2)


def test_noise_that_is_left_where_it_is_bright_has_a_warning_of_its_own():
    # All of the noise where it is dark, and three fifths of its variance elsewhere.
    left = np.where(X_CLEAN > 0.5, 0.22, 0.0)
    with pytest.warns(UserWarning, match="10 of 10 images, noise is left in the bright half") as r:
        residual_report(X_NOISY, X_CLEAN + left * (X_NOISY - X_CLEAN), noise=STD)
    assert len(r) == 1
