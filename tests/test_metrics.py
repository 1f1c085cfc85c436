import copy
import inspect
import math
import pickle
from functools import partial

import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from joblib import parallel_config
from scipy.ndimage import gaussian_filter
from scipy.stats import kendalltau
from skimage import metrics as oracle
from skimage.restoration import denoise_invariant
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skdae import (
    DenoisingAutoencoder,
    GaussianFilter,
    GaussianNoise,
    MeanFilter,
    MedianFilter,
    NoiseSequence,
    SelfEnsembleDenoiser,
)
from skdae._images import values
from skdae.datasets import load_digits_images
from skdae.metrics import (
    METRICS,
    SCORERS,
    JInvariantScorer,
    full_reference,
    j_invariant_scorer,
    mae_scorer,
    mean_absolute_error,
    mean_squared_error,
    mse_scorer,
    peak_signal_noise_ratio,
    psnr_scorer,
    ssim_scorer,
    structural_similarity,
)
from skdae.model_selection import denoising_scorer
from skdae.noise import BaseNoise

SHAPES = [(3, 64), (3, 9, 11), (2, 12, 8, 3), (2, 8, 9, 1)]


def pair(shape, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.random(shape)
    return X, np.clip(X + rng.normal(0, 0.2, shape), 0, 1)


class Shrink(BaseEstimator):
    """A denoiser of the least kind."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def predict(self, X):
        return np.asarray(X) * self.factor


class SeededNoise(BaseNoise):
    """A noise of the user's."""

    def __init__(self, std=0.1, *, clip=None, random_state=None):
        super().__init__(clip=clip, random_state=random_state)
        self.std = std

    def _corrupt(self, images, rng):
        return images + rng.normal(0.0, self.std, images.shape)


# Truth


@pytest.mark.parametrize("shape", SHAPES)
def test_errors_equal_hand_formulas(shape):
    X, P = pair(shape)
    axes = tuple(range(1, len(shape)))
    squared, absolute = ((X - P) ** 2).mean(axis=axes), np.abs(X - P).mean(axis=axes)
    np.testing.assert_allclose(mean_squared_error(X, P, per_image=True), squared)
    np.testing.assert_allclose(mean_absolute_error(X, P, per_image=True), absolute)
    psnr = 10 * np.log10(4 / squared)
    np.testing.assert_allclose(
        peak_signal_noise_ratio(X, P, per_image=True, data_range=2), psnr, rtol=1e-12
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("data_range", [1.0, 2.5])
def test_psnr_equals_scikit_image(shape, data_range):
    X, P = pair(shape)
    expected = [
        oracle.peak_signal_noise_ratio(x, p, data_range=data_range)
        for x, p in zip(X, P, strict=True)
    ]
    ours = peak_signal_noise_ratio(X, P, per_image=True, data_range=data_range)
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES[1:])
@pytest.mark.parametrize(("data_range", "win_size"), [(1.0, 7), (2.5, 7), (1.0, 3)])
def test_ssim_equals_scikit_image(shape, data_range, win_size):
    X, P = pair(shape)
    expected = [
        oracle.structural_similarity(
            x, p, data_range=data_range, win_size=win_size, channel_axis=-1 if x.ndim == 3 else None
        )
        for x, p in zip(X, P, strict=True)
    ]
    ours = structural_similarity(X, P, per_image=True, data_range=data_range, win_size=win_size)
    np.testing.assert_allclose(ours, expected, rtol=1e-10)


def test_ssim_of_signals_equals_scikit_image_in_one_dimension():
    X, P = pair((4, 50))
    expected = [
        oracle.structural_similarity(x, p, data_range=1.0) for x, p in zip(X, P, strict=True)
    ]
    ours = structural_similarity(X, P, per_image=True, image_shape=(50,))
    np.testing.assert_allclose(ours, expected, rtol=1e-10)


def test_ssim_of_flat_rows_is_that_of_their_images():
    X, P = pair((3, 8, 9, 3))
    flat = structural_similarity(X.reshape(3, -1), P.reshape(3, -1), image_shape=(8, 9, 3))
    assert flat == pytest.approx(structural_similarity(X, P), rel=1e-12)


def test_ssim_of_flat_rows_that_are_no_square_warns():
    X, P = pair((3, 50))
    with pytest.warns(UserWarning, match="image_shape="):
        structural_similarity(X, P)


@pytest.mark.parametrize("shape", SHAPES)
def test_equal_images_are_perfect(shape):
    X, _ = pair(shape)
    assert mean_squared_error(X, X) == mean_absolute_error(X, X) == 0
    assert peak_signal_noise_ratio(X, X) == math.inf
    assert structural_similarity(X, X) == pytest.approx(1.0, abs=1e-12)


def test_constant_images_have_a_finite_ssim():
    X = np.ones((2, 8, 8))
    assert structural_similarity(X, X) == pytest.approx(1.0)
    assert structural_similarity(X, 0 * X) == pytest.approx(1e-4 / (1 + 1e-4), rel=1e-6)


def test_psnr_is_the_mean_of_the_images_psnrs():
    X = np.zeros((2, 4))
    P = np.array([[0.1] * 4, [0.01] * 4])
    assert peak_signal_noise_ratio(X, P) == pytest.approx((20 + 40) / 2)


# Laws

BATCHES = arrays(np.float64, (2, 4, 8, 8), elements=st.floats(0, 1))


@settings(max_examples=25, deadline=None)
@given(BATCHES, st.permutations(range(4)), st.sampled_from(list(METRICS)))
def test_order_of_images_changes_nothing_but_the_order(batches, order, name):
    X, P = batches
    metric = METRICS[name].function
    permuted = metric(X[order], P[order], per_image=True)
    np.testing.assert_allclose(permuted, metric(X, P, per_image=True)[order], rtol=1e-9, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(BATCHES, st.sampled_from(list(METRICS)))
def test_scalar_is_the_mean_over_images_and_symmetric(batches, name):
    X, P = batches
    metric = METRICS[name].function
    values = metric(X, P, per_image=True)
    assert values.shape == (4,)
    assert isinstance(metric(X, P), float)
    np.testing.assert_allclose(metric(X, P), values.mean())
    np.testing.assert_allclose(metric(P, X, per_image=True), values, rtol=1e-9, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(arrays(np.uint8, (2, 3, 7, 7)), st.sampled_from(list(METRICS)))
def test_uint8_counts_as_value_over_255(batches, name):
    X, P = batches
    metric = METRICS[name].function
    floats = (X / 255).astype(np.float32), (P / 255).astype(np.float32)
    assert metric(X, P) == metric(X, floats[1]) == metric(*floats)


@pytest.mark.parametrize("n_values", [2 * 64, 24], ids=["two images", "three rows"])
@pytest.mark.parametrize("name", METRICS)
def test_chunks_do_not_change_the_values(name, n_values, monkeypatch):
    X, P = pair((5, 8, 8))
    whole = METRICS[name].function(X, P, per_image=True)
    for module in (full_reference, values):
        monkeypatch.setattr(module, "CHUNK_VALUES", n_values)
    np.testing.assert_allclose(METRICS[name].function(X, P, per_image=True), whole, rtol=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_arrays_are_not_written(name):
    X, P = pair((2, 8, 8))
    X.flags.writeable = P.flags.writeable = False
    before = X.copy(), P.copy()
    METRICS[name].function(X, P)
    np.testing.assert_array_equal((X, P), before)


# Bad input


@pytest.mark.parametrize("name", METRICS)
def test_mismatched_shapes_are_both_named(name):
    with pytest.raises(ValueError, match=r"\(2, 8, 8\).*\(2, 64\)"):
        METRICS[name].function(np.zeros((2, 8, 8)), np.zeros((2, 64)))


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_are_refused(name, bad):
    X, P = pair((2, 8, 8))
    P[1, 2, 3] = bad
    with pytest.raises(ValueError, match="X_pred contains"):
        METRICS[name].function(X, P)


@pytest.mark.parametrize("win_size", [2, 6, 1, 7.0])
def test_even_or_tiny_windows_are_refused(win_size):
    X, P = pair((2, 8, 8))
    with pytest.raises(ValueError, match="must be an odd int of at least 3"):
        structural_similarity(X, P, win_size=win_size)


@pytest.mark.parametrize("shape", [(2, 6, 8), (2, 8, 6, 3), (2, 6, 1), (2, 1, 5)])
def test_images_smaller_than_the_window_are_refused(shape):
    X, P = pair(shape)
    with pytest.raises(ValueError, match="win_size=7 is larger"):
        structural_similarity(X, P)


@pytest.mark.parametrize("data_range", [0, -1, np.inf, np.nan, "1"])
@pytest.mark.parametrize("metric", [peak_signal_noise_ratio, structural_similarity])
def test_data_range_must_be_positive(metric, data_range):
    X, P = pair((2, 8, 8))
    with pytest.raises(ValueError, match="'data_range' parameter"):
        metric(X, P, data_range=data_range)


@pytest.mark.parametrize("metric", [peak_signal_noise_ratio, structural_similarity])
def test_data_range_of_images_in_the_unit_range_is_1(metric):
    X, P = pair((3, 9, 11))
    assert metric(X, P) == metric(X, P, data_range=1.0) == metric(X, P, data_range=None)
    # The clean images decide: denoised ones may overshoot.
    assert metric(X, 2 * P) == metric(X, 2 * P, data_range=1.0)
    levels = (255 * X).astype(np.uint8)
    assert metric(levels, P) == pytest.approx(metric(levels / 255, P, data_range=1.0))


@pytest.mark.parametrize("metric", [peak_signal_noise_ratio, structural_similarity])
def test_metrics_follow_the_units_of_the_images(metric):
    X, P = pair((3, 9, 11))
    counts, denoised = 4095 * X, 4095 * P
    assert metric(counts, denoised, data_range=4095) == pytest.approx(metric(X, P))
    for clean in (counts, X - 0.5, list(counts), [counts[0], counts[1, :8]], 255 * X.round()):
        with pytest.raises(ValueError, match=r"clean images span \[.*\].* pass data_range="):
            metric(clean, clean)


@pytest.mark.parametrize("metric", [metric.function for metric in METRICS.values()])
def test_images_in_other_units_are_refused(metric):
    X, P = pair((3, 9, 11))
    levels, counts = (255 * X).astype(np.uint8), (65535 * X).astype(np.uint16)
    ranged = {"data_range": 255} if "data_range" in inspect.signature(metric).parameters else {}
    for clean, denoised, name in [
        (levels, 255 * P, "X_pred"),
        (levels, (65535 * P).astype(np.uint16), "X_pred"),
        (X, 255 * P, "X_pred"),
        (255 * X, (255 * P).astype(np.uint8), "X_true"),
        (counts, P, "X_true"),
        ([levels[0], levels[1, :8]], [255 * P[0], 255 * P[1, :8]], "X_pred"),
    ]:
        for options in ({}, ranged):
            with pytest.raises(ValueError, match=f"their units differ.*such as {name} / 255"):
                metric(clean, denoised, **options)


def test_bad_images_in_the_same_units_are_not_refused():
    X = pair((3, 9, 11))[0]
    dark = (X > 0.9).astype(np.uint8)
    strong = GaussianNoise(1.0, clip=None, random_state=0).fit_transform(dark)
    assert peak_signal_noise_ratio(dark, strong) == pytest.approx(0, abs=0.5)
    for P in (0 * X, X + 5, 60 * X):
        assert mean_squared_error(X, P) > 0.1
    counts = (4095 * X).astype(np.uint16)
    expected = peak_signal_noise_ratio(X, 0.9 * X)
    found = peak_signal_noise_ratio(counts, 0.9 * 4095 * X, data_range=4095)
    assert found == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("metric", [peak_signal_noise_ratio, structural_similarity])
def test_data_range_of_uint8_is_not_255(metric):
    levels = (255 * pair((3, 9, 11))[0]).astype(np.uint8)
    with pytest.raises(ValueError, match="data_range=255 does not fit .* leave data_range out"):
        metric(levels, levels, data_range=255)
    assert metric(levels, levels, data_range=1) == metric(levels, levels)


def test_scorers_follow_the_units_of_the_images():
    X, P = pair((6, 9, 11))
    denoiser = MedianFilter()
    for name in ("psnr", "ssim", "mse", "mae"):
        expected = SCORERS[name](denoiser.fit(P), P, X)
        scorer = denoising_scorer(name, data_range=4095)
        unit = {"mse": 4095**2, "mae": 4095}.get(name, 1)
        score = scorer(denoiser.fit(4095 * P), 4095 * P, 4095 * X)
        assert score == pytest.approx(unit * expected)
        assert pickle.loads(pickle.dumps(scorer))(denoiser, 4095 * P, 4095 * X) == score
    noise = GaussianNoise(500.0, random_state=0)
    score = denoising_scorer("psnr", noise, data_range=4095)(denoiser, 4095 * X)
    share = denoising_scorer("psnr", GaussianNoise(500 / 4095, clip=None, random_state=0))
    assert score == pytest.approx(share(denoiser.fit(X), X), abs=0.5)
    with pytest.raises(ValueError, match="'data_range' parameter"):
        denoising_scorer("psnr", data_range=0)


def psnr_by_numpy(X, P, data_range):
    errors = ((X - P) ** 2).reshape(len(X), -1).mean(axis=1)
    return (10 * np.log10(data_range**2 / errors)).mean()


@pytest.mark.parametrize(("scale", "offset"), [(4095, 0), (65535, 1000), (2.0, -1.0), (1e-3, -5)])
def test_scorers_take_the_range_of_the_clean_images(scale, offset):
    """Their largest value minus the smallest, as `skimage.metrics` would be told."""
    X, P = (images * scale + offset for images in pair((6, 9, 11)))
    denoiser = MedianFilter().fit(P)
    denoised, data_range = denoiser.predict(P), X.max() - X.min()
    assert psnr_scorer(denoiser, P, X) == pytest.approx(psnr_by_numpy(X, denoised, data_range))
    ssim = [
        oracle.structural_similarity(x, d, data_range=data_range)
        for x, d in zip(X, denoised, strict=True)
    ]
    assert ssim_scorer(denoiser, P, X) == pytest.approx(np.mean(ssim))
    # Where X is clean, and where the metric comes as a function.
    noise = GaussianNoise(0.1 * scale, clip=None, random_state=0)
    noisy = noise.fit_transform(X)
    score = psnr_by_numpy(X, denoiser.predict(noisy), data_range)
    assert denoising_scorer("psnr", noise)(denoiser, X) == pytest.approx(score)
    assert denoising_scorer(peak_signal_noise_ratio, noise)(denoiser, X) == pytest.approx(score)


def test_images_of_different_sizes_share_one_range():
    rng = np.random.default_rng(0)
    X = [rng.uniform(0, 100, (12, 13)), rng.uniform(0, 1000, (16, 14)) - 5]
    P = [image + rng.normal(0, 20, image.shape) for image in X]
    denoiser = MedianFilter().fit(P)
    data_range = max(map(np.max, X)) - min(map(np.min, X))
    scores = [
        psnr_by_numpy(x[None], d[None], data_range)
        for x, d in zip(X, denoiser.predict(P), strict=True)
    ]
    assert psnr_scorer(denoiser, P, X) == pytest.approx(np.mean(scores))


@pytest.mark.parametrize("value", [700.0, -0.25, 1e9])
def test_constant_clean_images_have_their_value_as_range(value):
    X = np.full((3, 8, 8), value)
    N = X + np.random.default_rng(0).normal(0, 0.1 * abs(value), X.shape)
    median = MedianFilter().fit(N)
    expected = psnr_by_numpy(X, median.predict(N), abs(value))
    assert psnr_scorer(median, N, X) == pytest.approx(expected)
    assert np.isfinite(ssim_scorer(median, N, X))


def test_a_search_on_counts_has_a_score_in_every_fold():
    """The grid of README, in counts; the best candidate is that of the same images in [0, 1]."""
    X = load_digits_images().images[:90]
    searches = []
    for scale in (1, 4095):
        noise = GaussianNoise(0.3 * scale, clip=None, random_state=0)
        grid = [{"dae": [MedianFilter()]}, {"dae": [GaussianFilter(0.6)]}]
        pipe = Pipeline([("noise", noise), ("dae", MedianFilter())])
        search = GridSearchCV(pipe, grid, cv=3, scoring=psnr_scorer).fit(scale * X, scale * X)
        searches.append(search.cv_results_)
    unit, counts = searches
    for fold in range(3):
        scores = counts[f"split{fold}_test_score"]
        np.testing.assert_allclose(scores, unit[f"split{fold}_test_score"], atol=0.3)
    assert counts["rank_test_score"].tolist() == unit["rank_test_score"].tolist()


def test_ssim_image_shape_must_hold_the_pixels():
    X, P = pair((2, 64))
    with pytest.raises(ValueError, match=r"image_shape=\(8, 9\) holds 72"):
        structural_similarity(X, P, image_shape=(8, 9))


# Scorers


def test_scorers_without_target_take_the_images_as_clean():
    X, _ = pair((5, 64))
    half = Shrink(0.5).fit(X)
    assert mse_scorer(half, X) == -mean_squared_error(X, X / 2)
    assert mae_scorer(half, X, np.arange(5)) == -mean_absolute_error(X, X / 2)
    assert psnr_scorer(half, X, None) == peak_signal_noise_ratio(X, X / 2)
    assert ssim_scorer(half, X) == structural_similarity(X, X / 2)


def test_scorers_compare_with_the_target():
    X, P = pair((5, 8, 8))
    assert psnr_scorer(Shrink(), P, X) == peak_signal_noise_ratio(X, P)
    with pytest.raises(ValueError, match=r"\(5, 3, 8\).*\(5, 8, 8\)"):
        psnr_scorer(Shrink(), P, X[:, :3])


def test_noise_corrupts_the_input_and_not_the_target():
    X, P = pair((5, 8, 8))
    scorer = denoising_scorer("mse", noise=SeededNoise(0.3, random_state=1))
    noisy = SeededNoise(0.3, random_state=1).fit_transform(X)
    assert scorer(Shrink(), X) == -mean_squared_error(X, noisy)
    assert scorer(Shrink(), X, P) == -mean_squared_error(P, noisy)


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_open_seed_is_fixed_once(random_state):
    X, _ = pair((5, 64))
    noise = SeededNoise(random_state=random_state)
    before = np.random.mtrand._rand.get_state()[1].copy()
    scorer, other = denoising_scorer("psnr", noise), denoising_scorer("psnr", SeededNoise())
    assert scorer(Shrink(), X) == scorer(Shrink(), X) == copy.deepcopy(scorer)(Shrink(), X)
    assert scorer(Shrink(), X) != other(Shrink(), X)
    assert noise.random_state is random_state
    np.testing.assert_array_equal(np.random.mtrand._rand.get_state()[1], before)


def test_seeds_inside_a_composed_noise_are_fixed_and_differ():
    composed = NoiseSequence([SeededNoise(), SeededNoise(random_state=3), SeededNoise()])
    seeds = [noise.random_state for noise in denoising_scorer("mse", composed).noise.noises]
    assert seeds[1] == 3
    assert len(set(seeds)) == 3


def test_ssim_scorer_takes_the_shape_that_the_estimator_knows():
    X, _ = pair((4, 16 * 9))
    half = Shrink(0.5).fit(X)
    half.image_shape_ = (16, 9)
    images = X.reshape(4, 16, 9)
    expected = structural_similarity(images, images / 2)
    assert ssim_scorer(half, X) == pytest.approx(expected)
    pipeline = make_pipeline(SeededNoise(0.0).fit(X), half)
    pipeline[0].image_shape_ = (12, 12)
    assert ssim_scorer(pipeline, X) == pytest.approx(expected)
    # A shape that does not hold the target's pixels is not used.
    half.image_shape_ = (8, 9)
    assert ssim_scorer(half, X) == structural_similarity(X, X / 2)


def test_callable_metric_is_greater_is_better():
    X, _ = pair((5, 64))

    def largest(X_true, X_pred):
        return X_pred.max()

    scorer = denoising_scorer(largest)
    assert scorer(Shrink(0.5), X) == X.max() / 2
    assert repr(scorer) == "denoising_scorer(largest)"


def test_dataframe_stays_one():
    pd = pytest.importorskip("pandas")

    class Named(Shrink):
        def predict(self, X):
            assert list(X.columns) == list("abcd")
            return super().predict(X)

    X = pd.DataFrame(np.eye(4), columns=list("abcd"))
    assert mse_scorer(Named(), X) == 0
    assert denoising_scorer("mse", SeededNoise(random_state=0))(Named(), X) < 0


@pytest.mark.parametrize("noise", [None, SeededNoise(0.2, random_state=0)])
@pytest.mark.parametrize("routing", [False, True])
def test_grid_search_finds_the_best_candidate(noise, routing):
    X, _ = pair((12, 64))
    with sklearn.config_context(enable_metadata_routing=routing):
        for name in METRICS:
            search = GridSearchCV(
                Shrink(),
                {"factor": [0.1, 0.95, 2.0]},
                scoring=denoising_scorer(name, noise),
                cv=3,
                error_score="raise",
            )
            assert clone(search).fit(X).best_params_ == {"factor": 0.95}
            assert search.fit(X, np.arange(12)).best_params_ == {"factor": 0.95}


@pytest.mark.parametrize("routing", [False, True])
def test_dict_of_scorers_in_multi_metric_search(routing):
    X, P = pair((12, 8, 8))
    with sklearn.config_context(enable_metadata_routing=routing):
        search = GridSearchCV(Shrink(), {"factor": [0.1, 0.9]}, scoring=SCORERS, refit="ssim", cv=3)
        results = search.fit(P, X).cv_results_
    assert all(
        results[f"mean_test_{name}"][0] < results[f"mean_test_{name}"][1] for name in SCORERS
    )
    scores = cross_validate(search.best_estimator_, P, X, scoring=SCORERS, cv=3)
    assert {f"test_{name}" for name in SCORERS} <= set(scores)


def test_search_sees_the_same_noise_for_all_candidates():
    X, _ = pair((12, 64))
    scoring = denoising_scorer("psnr", SeededNoise(0.2))
    grid = {"factor": [1.0, 1.0]}
    scores = GridSearchCV(Shrink(), grid, scoring=scoring, cv=3).fit(X).cv_results_
    np.testing.assert_array_equal(*scores["mean_test_score"].reshape(2, 1))


def test_scorer_in_threads_scores_as_alone():
    X, _ = pair((12, 64))
    scoring = denoising_scorer("mse", SeededNoise(0.2, random_state=0))
    alone = cross_val_score(Shrink(), X, scoring=scoring, cv=3)
    with parallel_config("threading", n_jobs=2):
        np.testing.assert_array_equal(cross_val_score(Shrink(), X, scoring=scoring, cv=3), alone)


@pytest.mark.parametrize("scorer", [*SCORERS.values(), denoising_scorer("mae", SeededNoise(0.2))])
def test_scorers_survive_pickle_and_clone(scorer):
    X, _ = pair((5, 64))
    for twin in (pickle.loads(pickle.dumps(scorer)), clone(scorer, safe=False)):
        assert repr(twin) == repr(scorer)
        assert twin(Shrink(0.9), X) == scorer(Shrink(0.9), X)


def test_repr_can_be_read():
    scorer = denoising_scorer("psnr", noise=SeededNoise(std=0.2, random_state=0))
    expected = "denoising_scorer('psnr', noise=SeededNoise(random_state=0, std=0.2))"
    assert repr(scorer) == expected
    composed = NoiseSequence([SeededNoise()] * 4)
    assert "\n" not in repr(denoising_scorer("psnr", noise=composed))


@pytest.mark.parametrize("metric", ["rmse", 3, ["mse"]])
def test_unknown_metric_is_refused_with_the_known_ones(metric):
    with pytest.raises(ValueError, match="'mse', 'mae', 'psnr', 'ssim'"):
        denoising_scorer(metric)


@pytest.mark.parametrize("noise", [0.2, SeededNoise, "gaussian"])
def test_noise_must_be_an_injector(noise):
    with pytest.raises(TypeError, match="is not a noise model"):
        denoising_scorer("psnr", noise)


@pytest.mark.parametrize("name", METRICS)
def test_images_of_different_sizes_count_one_by_one(name):
    rng = np.random.default_rng(0)
    X = [rng.random(shape) for shape in [(9, 12), (16, 8)]]
    P = [np.clip(x + rng.normal(0, 0.1, x.shape), 0, 1) for x in X]
    metric = METRICS[name].function
    each = metric(X, P, per_image=True)
    np.testing.assert_allclose(each, [metric(x[None], p[None]) for x, p in zip(X, P, strict=True)])
    assert metric(X, P) == pytest.approx(each.mean())
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        metric(X, P[:1])


@pytest.mark.parametrize(
    "scorer",
    [*SCORERS.values(), denoising_scorer("mse", SeededNoise(random_state=0)), j_invariant_scorer],
    ids=repr,
)
def test_scorers_take_images_of_different_sizes(scorer):
    rng = np.random.default_rng(0)
    X = [rng.random(shape) for shape in [(9, 12), (16, 8)]]
    Y = [np.clip(x + rng.normal(0, 0.1, x.shape), 0, 1) for x in X]
    denoiser = MedianFilter().fit(X)
    each = [scorer(denoiser, x[None], y[None]) for x, y in zip(X, Y, strict=True)]
    assert scorer(denoiser, X, Y) == pytest.approx(np.mean(each))
    assert scorer(denoiser, X, [0, 1]) == scorer(denoiser, X)
    search = GridSearchCV(MedianFilter(), {"size": [1, 3]}, scoring=scorer, cv=2)
    assert np.isfinite(search.fit(X, Y).best_score_)


def lists_of_images(shapes, dtype):
    """A list of images, and an object array of the same."""
    images = [255 * np.random.default_rng(i).random(shape) for i, shape in enumerate(shapes)]
    images = [x.astype(dtype) if dtype == np.uint8 else (x / 255).astype(dtype) for x in images]
    objects = np.empty(len(images), dtype=object)
    for i, image in enumerate(images):
        objects[i] = image
    return images, objects


@pytest.mark.parametrize("dtype", [np.float64, np.uint8])
@pytest.mark.parametrize("shapes", [[(12, 9), (9, 12), (10, 10)], [(12, 9)] * 3], ids=str)
def test_scores_and_metrics_take_every_list_of_images(shapes, dtype):
    images, objects = lists_of_images(shapes, dtype)
    noise = SeededNoise(0.2, random_state=0)
    noisy = noise.fit_transform(images)
    functions = [
        lambda X: MedianFilter().fit(X).score(noisy, X),
        lambda X: SelfEnsembleDenoiser(MedianFilter()).fit(X).score(X),
        *[lambda X, m=m: m.function(X, noisy) for m in METRICS.values()],
        *[lambda X, s=s: s(MedianFilter().fit(X), noisy, X) for s in SCORERS.values()],
        lambda X: denoising_scorer("ssim", noise)(MedianFilter().fit(X), X),
        lambda X: denoising_scorer(lambda a, b: (a - b).mean(), noise)(MedianFilter().fit(X), X),
        lambda X: j_invariant_scorer(MedianFilter().fit(X), X),
    ]
    for function in functions:
        assert function(objects) == function(images)
        assert np.isfinite(function(images))


class Learned(Shrink):
    """A denoiser that learnt with a noise of its own."""

    def fit(self, X, y=None):
        self.noise_ = SeededNoise(0.3, random_state=0).fit(X)
        return self


def test_scorer_corrupts_with_the_noise_of_the_denoiser_in_a_pipeline():
    X, _ = pair((6, 64))
    expected = mse_scorer(Learned().fit(X), X)
    assert expected < 0
    pipe = make_pipeline("passthrough", Learned()).fit(X)
    search = GridSearchCV(pipe, {"learned__factor": [1.0]}, scoring=mse_scorer, cv=2).fit(X, X)
    for estimator in (pipe, make_pipeline(pipe).fit(X), search):
        assert mse_scorer(estimator, X) == expected
    # An injector of its own corrupts already, or shows that clean images are meant.
    for noise in (SeededNoise(0.0), SeededNoise(0.0).set_params(when="fit")):
        assert mse_scorer(make_pipeline(noise, Learned()).fit(X), X) == 0


def test_noise_of_the_denoiser_keeps_the_names_of_features():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(np.random.default_rng(0).random((8, 9)))
    X.columns = [f"pixel{i}" for i in range(9)]
    dae = DenoisingAutoencoder("linear", noise=SeededNoise(0.3), max_epochs=1, random_state=0)
    assert mse_scorer(dae.fit(X), X) == dae.score(X)
    assert mse_scorer(make_pipeline(MinMaxScaler(), dae).fit(X), X) < 0


# The self-supervised scorer


def smoothed(image, channel_axis=None):
    return gaussian_filter(image, 1.0, axes=range(image.ndim if channel_axis is None else 2))


@pytest.mark.parametrize("shape", [*SHAPES, (3, 3, 2)], ids=str)
@pytest.mark.parametrize("spacing", [2, 4])
def test_j_invariant_loss_equals_scikit_image(shape, spacing):
    X, _ = pair(shape)
    images = X.reshape(len(X), 8, 8) if X.ndim == 2 else X
    channels = {"channel_axis": -1} if images.ndim == 4 else {}
    guesses = [
        denoise_invariant(image, smoothed, stride=spacing, denoiser_kwargs=channels)
        for image in images
    ]
    expected = -np.square(guesses - images).mean()
    denoiser = GaussianFilter(1.0).fit(X)
    scorer = JInvariantScorer(spacing)
    assert scorer(denoiser, X) == pytest.approx(expected, rel=1e-10)
    assert scorer(denoiser, X.astype(np.float32)) == pytest.approx(expected, rel=1e-4)


def test_j_invariant_score_hides_every_pixel_once_and_keeps_the_others():
    X, _ = pair((2, 5, 6, 3))
    seen = []

    class Spy(Shrink):
        def predict(self, X):
            seen.append(X)
            return X

    j_invariant_scorer(Spy(), X)
    hidden = np.array(seen) != X
    np.testing.assert_array_equal(hidden.sum(axis=0), 1)
    assert len(seen) == 16


def test_j_invariant_score_guesses_a_pixel_from_the_four_beside_it():
    X = np.zeros((1, 9, 9))
    X[0, 4, 4] = 1
    # Each neighbour of the bright pixel guesses 1/4; the bright pixel guesses 0.
    assert j_invariant_scorer(Shrink(), X) == pytest.approx(-(1 + 4 / 16) / 81)


def test_j_invariant_score_of_signals_and_flat_rows():
    X, _ = pair((4, 30))
    denoiser = GaussianFilter(1.0, image_shape=(30,)).fit(X)
    guesses = [denoise_invariant(x, smoothed, stride=4) for x in X]
    assert j_invariant_scorer(denoiser, X) == pytest.approx(-np.square(guesses - X).mean())
    for thin in ((4, 30, 1), (4, 1, 30), (4, 1, 30, 1)):
        images = X.reshape(thin)
        as_images = j_invariant_scorer(GaussianFilter(1.0).fit(images), images)
        assert as_images == j_invariant_scorer(denoiser, X)
    rows = JInvariantScorer(image_shape=(5, 6))
    assert rows(Shrink(), X) == j_invariant_scorer(Shrink(), X.reshape(4, 5, 6))
    with pytest.warns(UserWarning, match="image_shape="):
        j_invariant_scorer(Shrink(), X)


def test_j_invariant_score_of_uint8_is_that_of_its_floats():
    X = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)
    X.flags.writeable = False
    expected = j_invariant_scorer(Shrink(0.9), (X / 255).astype(np.float32))
    assert j_invariant_scorer(Shrink(0.9), X) == expected


def test_j_invariant_score_differs_from_the_true_error_by_the_noise():
    rng = np.random.default_rng(0)
    clean = gaussian_filter(rng.normal(size=(30, 64, 64)), (0, 4, 4)) * 2
    X = clean + rng.normal(0, 0.2, clean.shape)
    for sigma in (1.0, 2.0, 3.0):
        denoiser = GaussianFilter(sigma).fit(X)
        smooth = partial(gaussian_filter, sigma=sigma)
        hidden = [denoise_invariant(x, smooth) for x in X]
        expected = -np.square(hidden - clean).mean() - 0.2**2
        assert j_invariant_scorer(denoiser, X) == pytest.approx(expected, rel=0.01)


def test_j_invariant_score_ranks_denoisers_as_the_clean_images_do():
    clean = load_digits_images().images[:300]
    X = clean + np.random.default_rng(0).normal(0, 0.3, clean.shape)
    denoisers = [
        *[GaussianFilter(sigma).fit(X) for sigma in (0.5, 1.0, 1.5, 3.0)],
        *[MeanFilter(size).fit(X) for size in (3, 5)],
        *[MedianFilter(size).fit(X) for size in (3, 5)],
    ]
    true = [mse_scorer(denoiser, X, clean) for denoiser in denoisers]
    self_supervised = [j_invariant_scorer(denoiser, X) for denoiser in denoisers]
    assert kendalltau(true, self_supervised).statistic >= 0.7


@pytest.mark.parametrize("routing", [False, True])
def test_grid_search_without_clean_images(routing):
    clean = load_digits_images().images[:60]
    X = GaussianNoise(0.5, clip=None, random_state=0).fit_transform(clean).reshape(60, -1)
    with sklearn.config_context(enable_metadata_routing=routing):
        pipe = Pipeline([("denoise", MedianFilter())])
        grid = {"denoise": [GaussianFilter(0.4), GaussianFilter(1.0), GaussianFilter(5.0)]}
        search = GridSearchCV(pipe, grid, scoring=j_invariant_scorer, cv=3, error_score="raise")
        assert search.fit(X).best_params_["denoise"].sigma == 1.0
        assert search.fit(X, np.arange(60)).best_params_["denoise"].sigma == 1.0
        scoring = {**SCORERS, "j_invariant": j_invariant_scorer}
        scores = cross_validate(GaussianFilter(), X, clean.reshape(60, -1), scoring=scoring, cv=3)
    assert (scores["test_j_invariant"] < scores["test_mse"]).all()
    alone = cross_val_score(GaussianFilter(), X, scoring=j_invariant_scorer, cv=3)
    np.testing.assert_array_equal(scores["test_j_invariant"], alone)


def test_j_invariant_score_of_a_dataframe():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(pair((5, 36))[0]).rename(columns="pixel{}".format)
    denoiser = GaussianFilter(1.0).fit(X)
    assert j_invariant_scorer(denoiser, X) == j_invariant_scorer(denoiser, X.set_axis(range(5)))


@pytest.mark.parametrize("spacing", [1, 0, -4, 2.0, "4"])
def test_spacing_of_hidden_pixels_must_leave_their_neighbours(spacing):
    with pytest.raises(ValueError, match="'spacing' parameter"):
        JInvariantScorer(spacing)


def test_j_invariant_score_names_what_it_cannot_compare():
    with pytest.raises(ValueError, match="Images of one pixel"):
        j_invariant_scorer(Shrink(), np.zeros((5, 1)))

    class Halve(Shrink):
        def predict(self, X):
            return X[:, ::2]

    with pytest.raises(ValueError, match=r"Halve turned images of shape \(2, 8, 8\) into \(2, 4"):
        j_invariant_scorer(Halve(), np.zeros((2, 8, 8)))


@pytest.mark.parametrize("scorer", [j_invariant_scorer, JInvariantScorer(3, (8, 8))], ids=str)
def test_j_invariant_scorer_survives_pickle_and_clone(scorer):
    X, _ = pair((5, 64))
    for twin in (pickle.loads(pickle.dumps(scorer)), clone(scorer, safe=False)):
        assert repr(twin) == repr(scorer)
        assert twin(Shrink(0.9), X) == scorer(Shrink(0.9), X)
    assert eval(repr(scorer))(Shrink(0.9), X) == scorer(Shrink(0.9), X)
