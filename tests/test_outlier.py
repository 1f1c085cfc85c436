"""The detector's scores equal hand formulas, and any denoiser can be inside."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline

from skdae import (
    DenoisingAutoencoder,
    GaussianFilter,
    GaussianNoise,
    MeanFilter,
    MedianFilter,
    ReconstructionOutlierDetector,
)
from skdae.architectures import Dense
from skdae.datasets import load_digits_images
from skdae.denoisers import outlier as outlier_module

SHAPES = [(40, 36), (40, 6, 7), (40, 5, 6, 3)]
SMALL_NET = DenoisingAutoencoder(
    Dense(hidden=(8,)), noise=GaussianNoise(0.3), max_epochs=2, random_state=0
)


def images(shape=(40, 6, 7), seed=0):
    return np.random.default_rng(seed).random(shape)


def detector(denoiser=None, **params):
    return ReconstructionOutlierDetector(denoiser or MeanFilter(), **params)


# The score


@pytest.mark.parametrize("shape", SHAPES)
def test_score_is_minus_the_mean_error_in_units_of_its_spread(shape):
    X, X_new = images(shape), images(shape, seed=1)
    errors, new_errors = ((A - MeanFilter().fit_transform(A)) ** 2 for A in (X, X_new))
    spread = errors.mean(axis=0)
    ratios = new_errors / (spread + 0.01 * spread.mean())
    fitted = detector().fit(X)
    np.testing.assert_allclose(fitted.score_samples(X_new), -ratios.reshape(40, -1).mean(axis=1))
    assert fitted.score_samples(X).mean() == pytest.approx(-1, abs=0.02)


@pytest.mark.parametrize("shape", SHAPES)
def test_plain_score_is_minus_the_mean_squared_error(shape):
    X = images(shape)
    fitted = detector(standardize=False).fit(X)
    errors = ((X - MeanFilter().fit_transform(X)) ** 2).reshape(40, -1).mean(axis=1)
    np.testing.assert_allclose(fitted.score_samples(X), -errors)
    assert fitted.error_scale_ is None


def test_chunks_do_not_change_the_scores(monkeypatch):
    X = images()
    whole = detector().fit(X)
    monkeypatch.setattr(outlier_module, "_CHUNK_VALUES", 3 * X[0].size)
    parts = detector().fit(X)
    np.testing.assert_allclose(parts.score_samples(X), whole.score_samples(X), rtol=1e-12)
    assert parts.offset_ == pytest.approx(whole.offset_, rel=1e-12)


def test_flat_rows_score_as_their_images():
    X = images((40, 5, 6, 3))
    flat = detector(MeanFilter(image_shape=(5, 6, 3))).fit(X.reshape(40, -1))
    expected = detector().fit(X).score_samples(X)
    np.testing.assert_array_equal(flat.score_samples(X.reshape(40, -1)), expected)


def test_uint8_counts_as_value_over_255():
    X = (images() * 255).astype(np.uint8)
    floats = (X / 255).astype(np.float32)
    for denoiser in (MeanFilter(), SMALL_NET):
        expected = detector(denoiser).fit(floats).score_samples(floats)
        np.testing.assert_array_equal(detector(denoiser).fit(X).score_samples(X), expected)


def test_denoiser_without_errors_finds_no_outliers():
    X = images()
    fitted = detector(MeanFilter(size=1)).fit(X)
    np.testing.assert_array_equal(fitted.score_samples(X), 0)
    np.testing.assert_array_equal(fitted.predict(X), 1)


def test_value_that_never_varied_has_a_finite_weight():
    X = np.zeros((20, 4, 4))
    X[:, :2] = images((20, 2, 4))
    fitted = detector(DenoisingAutoencoder(Dense(hidden=(8,)), max_epochs=5, random_state=0)).fit(X)
    X_new = X[:1].copy()
    X_new[0, 3, 3] = 1
    (ordinary,), (unusual,) = fitted.score_samples(X[:1]), fitted.score_samples(X_new)
    assert -np.inf < unusual < ordinary


# The threshold


@pytest.mark.parametrize("contamination", [0.05, 0.25, 0.5])
def test_contamination_is_the_share_of_outliers_in_the_training_set(contamination):
    X = images()
    fitted = detector(contamination=contamination).fit(X)
    assert (fitted.predict(X) == -1).sum() == 40 * contamination


def test_auto_contamination_is_the_rule_of_box_plots():
    X = images()
    X[7] = np.indices((6, 7)).sum(axis=0) % 2
    fitted = detector().fit(X)
    errors = -fitted.score_samples(X)
    lower, upper = np.percentile(errors, [25, 75])
    assert -fitted.offset_ == pytest.approx(upper + 1.5 * (upper - lower))
    np.testing.assert_array_equal(fitted.predict(X) == -1, errors > -fitted.offset_)
    assert fitted.predict(X)[7] == -1


def test_methods_agree():
    X = images()
    fitted = detector(contamination=0.1).fit(X)
    decision = fitted.decision_function(X)
    np.testing.assert_allclose(decision, fitted.score_samples(X) - fitted.offset_)
    np.testing.assert_array_equal(fitted.predict(X), np.where(decision < 0, -1, 1))
    np.testing.assert_array_equal(clone(fitted).fit_predict(X), fitted.predict(X))


# The denoiser


@pytest.mark.parametrize(
    "denoiser",
    [
        MedianFilter(),
        SMALL_NET,
        make_pipeline(GaussianNoise(0.1, random_state=0), SMALL_NET),
        GridSearchCV(GaussianFilter(), {"sigma": [0.5, 1.0]}, cv=2),
        MLPRegressor(hidden_layer_sizes=(8,), max_iter=5000, tol=1e-2, random_state=0),
    ],
    ids=["filter", "net", "pipeline", "search", "regressor"],
)
def test_any_denoiser_can_be_inside(denoiser):
    X = images((40, 36))
    fitted = detector(denoiser, standardize=False).fit(X, np.arange(40))
    alone = clone(denoiser).fit(X, X)
    expected = -((X - alone.predict(X)) ** 2).mean(axis=1)
    np.testing.assert_allclose(fitted.score_samples(X), expected, rtol=1e-6)
    assert not hasattr(denoiser, "n_features_in_")


def test_frozen_denoiser_is_not_fitted_again():
    fitted = clone(SMALL_NET).fit(images())
    net = fitted.net_
    assert detector(FrozenEstimator(fitted)).fit(images(seed=1)).denoiser_.net_ is net


def test_default_denoiser_is_seeded():
    X = images()
    scores = [
        ReconstructionOutlierDetector(random_state=seed).fit(X).score_samples(X)
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert (scores[0] != scores[2]).any()


def test_search_over_the_denoiser_by_roc_auc():
    X = GaussianFilter(1).fit_transform(images())
    X[::4] = images((10, 6, 7))
    y = np.where(np.arange(40) % 4, 1, -1)
    grid = {"denoiser": [MedianFilter(), MeanFilter()], "denoiser__size": [1, 3]}
    search = GridSearchCV(detector(), grid, scoring="roc_auc", cv=4).fit(X, y)
    assert search.best_params_["denoiser__size"] == 3
    assert search.best_score_ > 0.9


@pytest.mark.parametrize("digit", [0, 4, 8])
def test_default_finds_other_digits_than_those_it_was_fitted_on(digit):
    X, y = load_digits_images(return_X_y=True)
    normal, others = X[y == digit], X[y != digit]
    fitted = ReconstructionOutlierDetector(random_state=0).fit(normal[:100])
    test = np.concatenate([normal[100:], others])
    is_normal = np.arange(len(test)) < len(normal) - 100
    assert roc_auc_score(is_normal, fitted.decision_function(test)) > 0.8


def test_outliers_in_the_training_set_are_found():
    X, y = load_digits_images(return_X_y=True)
    mixed = np.concatenate([X[y == 0], X[y == 7][:9]])
    is_inlier = ReconstructionOutlierDetector(contamination=0.05, random_state=0).fit_predict(mixed)
    assert (is_inlier[-9:] == -1).mean() > 0.8


# Forms of input, and bad input


def test_dataframe_names_are_remembered_and_held_against():
    X = pd.DataFrame(images((40, 36))).rename(columns="pixel{}".format)
    fitted = detector().fit(X)
    assert list(fitted.feature_names_in_) == list(X.columns)
    expected = detector().fit(X.to_numpy()).score_samples(X.to_numpy())
    np.testing.assert_array_equal(fitted.score_samples(X), expected)
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(X[X.columns[::-1]])


def test_pickle_keeps_the_scores():
    X = images()
    fitted = detector(SMALL_NET).fit(X)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.decision_function(X), fitted.decision_function(X))


class Halve(BaseEstimator):
    """A denoiser that loses every other row."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def predict(self, X):
        return X[:, ::2]


BAD_PARAMETERS = [
    ({"contamination": 0}, "'contamination' parameter"),
    ({"contamination": 0.6}, "'contamination' parameter"),
    ({"contamination": -0.1}, "'contamination' parameter"),
    ({"contamination": "all"}, "'contamination' parameter"),
    ({"denoiser": PCA()}, "'denoiser' parameter"),
    ({"denoiser": "median"}, "'denoiser' parameter"),
    ({"denoiser": MedianFilter(size=0)}, "'size' parameter of MedianFilter"),
    ({"denoiser": Halve()}, r"Halve turned images of shape \(40, 6, 7\) into"),
    ({"standardize": "yes"}, "'standardize' parameter"),
    ({"denoiser": None, "random_state": "seed"}, "'random_state' parameter"),
]


@pytest.mark.parametrize(("params", "message"), BAD_PARAMETERS, ids=lambda value: str(value)[:50])
def test_bad_parameter_is_named_and_the_old_fit_kept(params, message):
    X = images()
    fitted = detector().fit(X)
    before = fitted.decision_function(X)
    with pytest.raises(ValueError, match=message):
        fitted.set_params(**params).fit(X)
    np.testing.assert_array_equal(fitted.decision_function(X), before)


@pytest.mark.parametrize("shape", SHAPES)
def test_one_image_is_too_few_to_fit_and_enough_to_score(shape):
    X = images(shape)
    with pytest.raises(ValueError, match="minimum of 2 is required by Reconstruction"):
        detector().fit(X[:1])
    assert detector().fit(X[:2]).predict(X[:1]).shape == (1,)


@pytest.mark.parametrize("shape", [(5, 7, 6), (5, 42), (5, 6, 7, 1)], ids=str)
def test_images_of_another_shape_than_at_fit_are_refused(shape):
    with pytest.raises(ValueError, match=r"was fitted on \(6, 7\); pass them in that shape"):
        detector().fit(images()).predict(images(shape))
