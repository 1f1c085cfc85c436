"""Lists of signals of different lengths, with one channel or several."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter1d, median_filter
from skimage.metrics import structural_similarity as ssim_of_scikit_image

from skdae import (
    BaselineWander,
    ConformalDenoiser,
    DenoisingAutoencoder,
    GaussianFilter,
    GaussianNoise,
    LineInterference,
    MedianFilter,
    Noise2VoidDenoiser,
    NoiseSequence,
    PretrainedDenoiser,
    RecorruptedDenoiser,
    SelfEnsembleDenoiser,
    load,
)
from skdae.architectures import Conv, Dense, UNet
from skdae.filters import NLMeansFilter, TVFilter, WaveletFilter
from skdae.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity
from skdae.noise import estimate_noise
from skdae.plotting import DenoisingDisplay

# The length of some is a perfect square, as that of images in rows.
LENGTHS = (100, 144, 81, 257)
LEADS = {"channel_axis": -1}
KINDS = pytest.mark.parametrize("n_leads", [None, 3])


def waves(n_leads, n=24):
    """Sines with some amplitude per lead, clean."""
    rng = np.random.default_rng(0)
    for i in range(n):
        wave = np.sin(np.arange(LENGTHS[i % 4]) / 7 + rng.uniform(0, 6)).astype(np.float32)
        yield wave if n_leads is None else wave[:, None] * np.arange(1, n_leads + 1, dtype="f4")


@pytest.fixture
def data(n_leads):
    """Noisy and clean signals, and how their axes are told."""
    options = {} if n_leads is None else LEADS
    X = [*waves(n_leads)]
    return GaussianNoise(0.3, random_state=0, **options).fit_transform(X), X, options


def shapes(X):
    return [x.shape for x in X]


@KINDS
def test_filters_work_along_each_signal(data):
    X_noisy, _, options = data
    smooth = GaussianFilter(1.5, **options).fit_transform(X_noisy)
    for x, result in zip(X_noisy, smooth, strict=True):
        assert_allclose(result, gaussian_filter1d(x, 1.5, axis=0), atol=1e-5)
    median = MedianFilter(5, **options).fit_transform(X_noisy)
    for x, result in zip(X_noisy, median, strict=True):
        assert_array_equal(result, median_filter(x, size=(5, 1)[: x.ndim]))


@KINDS
@pytest.mark.parametrize("kind", [NLMeansFilter, TVFilter, WaveletFilter])
def test_a_list_is_filtered_as_its_signals_are(kind, data):
    X_noisy, _, options = data
    results = kind(**options).fit_transform(X_noisy)
    for x, result in zip(X_noisy, results, strict=True):
        alone = kind(image_shape=x.shape, **options)
        assert_array_equal(result, alone.fit_transform(x[None])[0])


@KINDS
@pytest.mark.parametrize("kind", [GaussianNoise, BaselineWander, LineInterference])
def test_noise_of_a_signal_is_that_which_it_gets_alone(kind, data):
    _, X, options = data
    noise = kind(random_state=0, **options).fit(X)
    results = noise.transform(X)
    assert shapes(results) == shapes(X)
    assert all((result != x).any() for result, x in zip(results, X, strict=True))
    alone = kind(random_state=0, image_shape=X[1].shape, **options).fit(X[1][None])
    assert_array_equal(results[1], alone.transform(X[1][None])[0])
    both = NoiseSequence([kind(), GaussianNoise()], random_state=0, **options).fit_transform(X)
    assert shapes(both) == shapes(X)


@KINDS
def test_metrics_are_the_means_of_those_of_the_signals(data):
    X_noisy, X, options = data
    errors = [np.square(a - b, dtype=np.float64).mean() for a, b in zip(X_noisy, X, strict=True)]
    assert_allclose(mean_squared_error(X, X_noisy, **options), np.mean(errors), rtol=1e-6)
    psnr = peak_signal_noise_ratio(X, X_noisy, data_range=2, **options)
    assert_allclose(psnr, np.mean(10 * np.log10(4 / np.array(errors))), rtol=1e-6)
    known = [
        ssim_of_scikit_image(a, b, channel_axis=-1 if a.ndim > 1 else None, data_range=2)
        for a, b in zip(X, X_noisy, strict=True)
    ]
    ssim = structural_similarity(X, X_noisy, data_range=2, **options)
    assert_allclose(ssim, np.mean(known), atol=1e-6)


@KINDS
def test_a_net_learns_from_a_list_and_denoises_it(data, n_leads, tmp_path):
    X_noisy, X, options = data
    net = DenoisingAutoencoder(UNet((8, 16, 32)), max_steps=120, random_state=0, lr=5e-3, **options)
    net.fit(X_noisy, X)
    results = net.predict(X_noisy)
    assert shapes(results) == shapes(X)
    errors = [mean_squared_error(X, each, **options) for each in (results, X_noisy)]
    assert errors[0] < errors[1] / 2
    assert net.image_shape_ == (81, n_leads or 1)
    assert_allclose(net.score(X_noisy, X), -errors[0], rtol=1e-5)
    net.save(tmp_path / "net")
    assert_array_equal(load(tmp_path / "net").predict(X_noisy)[1], results[1])


@KINDS
@pytest.mark.filterwarnings("ignore:The network denoises its .* images no better")
@pytest.mark.parametrize(
    "denoiser",
    [
        DenoisingAutoencoder(noise=GaussianNoise(0.3)),
        DenoisingAutoencoder(Conv((4,)), noise=GaussianNoise(0.3)),
        Noise2VoidDenoiser(UNet((4, 8), residual=False)),
        RecorruptedDenoiser(UNet((4, 8)), std=0.3),
    ],
    ids=lambda d: type(d).__name__,
)
def test_every_net_that_takes_any_size_takes_lists(denoiser, data):
    X_noisy, _, options = data
    net = denoiser.set_params(max_steps=2, random_state=0, **options).fit(X_noisy)
    assert shapes(net.predict(X_noisy)) == shapes(X_noisy)


@KINDS
def test_meta_denoisers_and_the_pretrained_one_take_lists(data):
    X_noisy, X, options = data
    pretrained = PretrainedDenoiser(**options).fit(X_noisy)
    assert shapes(pretrained.predict(X_noisy)) == shapes(X)
    ensemble = SelfEnsembleDenoiser(GaussianFilter(**options)).fit(X_noisy)
    assert shapes(ensemble.predict(X_noisy)) == shapes(X)
    conformal = ConformalDenoiser(GaussianFilter(**options)).fit(X_noisy)
    found = conformal.conformalize(X_noisy, X).predict_interval(X_noisy)
    for x, denoised, intervals in zip(X, *found, strict=True):
        assert (denoised.shape, intervals.shape) == (x.shape, (2, *x.shape))
    assert abs(estimate_noise(X_noisy, **options).std - 0.3) < 0.02


@KINDS
def test_lists_of_signals_are_drawn_as_lines(data, n_leads):
    X_noisy, X, options = data
    display = DenoisingDisplay.from_predictions(
        X[:2], X_noisy[:2], X_noisy[:2], data_range=2, **options
    )
    assert len(display.axes_.flat[0].lines) == (n_leads or 1)


@pytest.mark.parametrize("n_leads", [None])
def test_what_cannot_be_signals_of_several_lengths_is_refused(data):
    X_noisy, X, _ = data
    with pytest.raises(ValueError, match=r"y\[0\] has shape"):
        GaussianFilter().fit(X_noisy, [x[:-1] for x in X])
    with pytest.raises(ValueError, match="or only signals"):
        GaussianFilter().fit([X[0], np.ones((3, 4), np.float32)])
    with pytest.raises(ValueError, match="different sizes"):
        DenoisingAutoencoder(Dense(), patch_size=None).fit(X_noisy, X)


def test_images_of_one_column_are_signals():
    X = np.random.default_rng(0).random((4, 50, 1))
    column, row = GaussianFilter(1.5).fit(X), GaussianFilter(1.5, image_shape=(50,)).fit(X[..., 0])
    assert column.channel_axis_ == -1
    assert_allclose(column.predict(X)[..., 0], row.predict(X[..., 0]))
