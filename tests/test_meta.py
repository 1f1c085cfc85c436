"""Estimators around a denoiser use the one that is passed, and hand on what its fit asks for."""

import copy

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

from skdae import (
    ConformalDenoiser,
    DenoisingAutoencoder,
    GaussianNoise,
    MeanFilter,
    MedianFilter,
    ReconstructionOutlierDetector,
    SelfEnsembleDenoiser,
    VarianceStabilized,
    load,
)
from skdae.architectures import Dense

rng = np.random.default_rng(0)
X = np.cumsum(rng.random((60, 8, 8)), axis=2) / 8
N = X + rng.normal(0, 0.2, X.shape)
NET = DenoisingAutoencoder(Dense((4,)), max_epochs=1, precision="float32", random_state=0)


def stabilized(denoiser):
    return VarianceStabilized(denoiser, GaussianNoise(0.2))


HOLDERS = {
    "conformal": ConformalDenoiser,
    "poses": SelfEnsembleDenoiser,
    "stabilized": stabilized,
    "outliers": ReconstructionOutlierDetector,
}
holders = pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)


def fit(estimator):
    estimator.fit(N, X)
    return estimator.conformalize(N, X) if hasattr(estimator, "conformalize") else estimator


def results(estimator):
    """All that the denoiser inside shows in."""
    if hasattr(estimator, "score_samples"):
        return [estimator.score_samples(N), estimator.decision_function(N)]
    results = [estimator.predict(N), estimator.score(N, X)]
    return [*results, *estimator.predict_interval(N)] if hasattr(estimator, "errors_") else results


def assert_equal(one, other):
    for a, b in zip(results(one), results(other), strict=True):
        np.testing.assert_array_equal(a, b)


def differ(one, other):
    return any(np.any(a != b) for a, b in zip(results(one), results(other), strict=True))


CHANGES = {
    "another": {"denoiser": MeanFilter(5)},
    "another that is fitted": {"denoiser": MeanFilter(5).fit(N)},
    "a frozen one": {"denoiser": FrozenEstimator(MeanFilter(5).fit(N))},
    "a parameter of it": {"denoiser__size": 5},
}


@holders
@pytest.mark.parametrize("change", CHANGES)
def test_another_denoiser_is_used_from_the_next_fit(holder, change, tmp_path):
    estimator, before = fit(holder(MedianFilter(3))), fit(holder(MedianFilter(3)))
    estimator.set_params(**CHANGES[change])
    # As everywhere in scikit-learn.
    assert_equal(estimator, before)
    expected = fit(holder(clone(estimator.denoiser)))
    assert differ(estimator, expected)
    assert_equal(fit(estimator), expected)
    estimator.save(tmp_path / "file")
    assert_equal(load(tmp_path / "file"), expected)


@holders
@pytest.mark.parametrize("inside", [lambda d: d, lambda d: make_pipeline(MedianFilter(), d)])
def test_a_frozen_denoiser_that_is_fitted_again(holder, inside):
    net = clone(NET).fit(N, X)
    estimator = fit(holder(inside(FrozenEstimator(net))))
    old = holder(inside(FrozenEstimator(copy.deepcopy(net))))
    net.fit(X, 1 - N)
    new = fit(holder(inside(FrozenEstimator(net))))
    assert differ(new, fit(old))
    if holder is stabilized or holder is SelfEnsembleDenoiser:
        # They have learnt nothing from what it predicts.
        assert_equal(estimator, new)
    else:
        # Thresholds and intervals hold for what they were made with.
        assert_equal(estimator, old)
    assert_equal(fit(estimator), new)


def test_conformalize_takes_what_is_passed_then():
    def intervals(denoiser):
        return ConformalDenoiser(denoiser).conformalize(N, X).predict_interval(N)[1]

    median, mean = MedianFilter(3).fit(N), MeanFilter(5).fit(N)
    for given in (median, FrozenEstimator(median)):
        conformal = ConformalDenoiser(given).conformalize(N, X)
        conformal.set_params(denoiser=mean).conformalize(N, X)
        np.testing.assert_array_equal(conformal.predict_interval(N)[1], intervals(mean))
    conformal = fit(ConformalDenoiser(MedianFilter(3))).set_params(denoiser=mean)
    np.testing.assert_array_equal(
        conformal.conformalize(N, X).predict_interval(N)[1], intervals(mean)
    )
    conformal = fit(ConformalDenoiser(MedianFilter(3)))
    conformal.denoiser = mean
    np.testing.assert_array_equal(
        conformal.conformalize(N, X).predict_interval(N)[1], intervals(mean)
    )
    for change in ({"denoiser": MeanFilter()}, {"denoiser__size": 3}):
        conformal = fit(ConformalDenoiser(MeanFilter(5))).set_params(**change)
        with pytest.raises(NotFittedError, match="call fit before conformalize, or pass"):
            conformal.conformalize(N, X)
    net = clone(NET).fit(N, X)
    conformal = ConformalDenoiser(net).conformalize(N, X)
    net.fit(X, 1 - N)
    assert_equal(conformal.conformalize(N, X), ConformalDenoiser(net).conformalize(N, X))


# Metadata routing


@pytest.fixture
def _routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


w = np.linspace(0, 1, len(X))
groups = np.arange(len(X)) // 2
ROUTED = [holder for name, holder in HOLDERS.items() if name != "outliers"]


@pytest.mark.usefixtures("_routing")
@pytest.mark.parametrize("holder", ROUTED)
@pytest.mark.parametrize("wrap", [lambda d: d, make_pipeline], ids=["alone", "in a pipeline"])
def test_metadata_reach_the_denoiser(holder, wrap):
    options = {"sample_weight": w, "groups": groups, "validation_data": (N[:9], X[:9])}
    for names in (["sample_weight"], ["groups"], ["validation_data"], [*options][:2]):
        request = dict.fromkeys(names, True)
        given = {name: options[name] for name in names}
        estimator = wrap(holder(clone(NET).set_fit_request(**request))).fit(N, X, **given)
        alone = clone(NET).set_fit_request(**request)
        with sklearn.config_context(enable_metadata_routing=False):
            expected = holder(alone).fit(N, X, **given).predict(N)
            plain = holder(clone(NET)).fit(N, X).predict(N)
        np.testing.assert_array_equal(estimator.predict(N), expected)
        assert not np.array_equal(estimator.predict(N), plain)


@pytest.mark.usefixtures("_routing")
@pytest.mark.parametrize("holder", ROUTED)
def test_metadata_go_through_wrappers_under_other_names(holder):
    net = clone(NET).set_fit_request(sample_weight="weights")
    outer = SelfEnsembleDenoiser(holder(make_pipeline(net)))
    fitted = outer.fit(N, X, weights=w)
    with sklearn.config_context(enable_metadata_routing=False):
        inner = make_pipeline(clone(NET))
        name = "denoisingautoencoder__sample_weight"
        expected = SelfEnsembleDenoiser(holder(inner)).fit(N, X, **{name: w}).predict(N)
    np.testing.assert_array_equal(fitted.predict(N), expected)
    # As a step that transforms, and in scikit-learn's tools.
    make_pipeline(holder(net), MeanFilter()).fit(N, X, weights=w)
    scored = holder(net).set_score_request(sample_weight="of_score")
    cross_validate(scored, N, X, cv=2, params={"weights": w, "of_score": w}, error_score="raise")
    GridSearchCV(scored, {}, cv=2).fit(N, X, weights=w, of_score=w)


@pytest.mark.usefixtures("_routing")
@pytest.mark.parametrize("holder", ROUTED)
def test_metadata_that_nobody_asked_for_are_refused(holder):
    with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"):
        holder(clone(NET)).fit(N, X, sample_weight=w)
    with pytest.raises(TypeError, match="other"):
        holder(clone(NET)).fit(N, X, other=w)
