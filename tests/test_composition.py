"""skdae among scikit-learn's own tools, with input in every form that users hold."""

import copy
import os
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.fixes import parse_version

from skdae import (
    SCORERS,
    DenoisingAutoencoder,
    GaussianNoise,
    MaskingNoise,
    MeanFilter,
    MedianFilter,
    SelfEnsembleDenoiser,
    denoising_scorer,
    psnr_scorer,
    without_noise,
)
from skdae.architectures import Conv, Dense
from skdae.base import BaseDenoiser
from skdae.noise import BaseNoise

NOISE = GaussianNoise(std=0.3, random_state=0)


def small(**params):
    params = {"architecture": Dense(hidden=(16,)), "max_epochs": 2, "random_state": 0, **params}
    return DenoisingAutoencoder(**params)


def pipeline(**params):
    return Pipeline([("noise", NOISE), ("dae", small(**params))])


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X[:300] / 16).astype(np.float32), y[:300]


# The three forms of one task


def test_benchmark_form_corrupts_and_denoises(digits):
    X, _ = digits
    pipe = pipeline().fit(X, X)
    X_noisy = NOISE.fit_transform(X)
    np.testing.assert_array_equal(pipe.predict(X), pipe[-1].predict(X_noisy))
    assert pipe.score(X, X) == pytest.approx(-((pipe.predict(X) - X) ** 2).mean(), rel=1e-5)


def test_deployed_form_denoises_alone(digits):
    X, _ = digits
    pipe = pipeline().fit(X, X)
    deployed = without_noise(pipe)
    assert [name for name, _ in deployed.steps] == ["dae"]
    X_noisy = NOISE.fit_transform(X)
    np.testing.assert_array_equal(deployed.predict(X_noisy), pipe.predict(X))
    assert len(pipe) == 2


def test_without_noise_reaches_into_pipelines(digits):
    nested = make_pipeline(make_pipeline(GaussianNoise(), MedianFilter()), GaussianNoise(), small())
    assert [len(step) for _, step in without_noise(nested).steps[:1]] == [1]
    noise_alone = make_pipeline(make_pipeline(GaussianNoise()), MedianFilter())
    assert len(without_noise(noise_alone)) == 1
    with pytest.raises(ValueError, match="noise models only"):
        without_noise(make_pipeline(GaussianNoise()))
    search = GridSearchCV(pipeline(), {"dae__latent_dim": [2]}, cv=2).fit(*digits[:1] * 2)
    assert [name for name, _ in without_noise(search).steps] == ["dae"]
    dae = small(noise=NOISE)
    assert without_noise(dae) is dae
    with pytest.raises(TypeError, match="takes a Pipeline, not ndarray"):
        without_noise(digits[0])


def wrapped(draw, denoiser, depth):
    """A denoiser inside of `depth` other estimators."""
    for _ in range(depth):
        kind = draw(st.sampled_from(["Pipeline", "search", "frozen", "ensemble", "target"]))
        if kind == "Pipeline":
            denoiser = make_pipeline(FunctionTransformer(), denoiser)
        elif kind == "search":
            # set_params of a frozen estimator returns nothing, which searches do not bear.
            denoiser = GridSearchCV(make_pipeline(denoiser), {}, cv=2, error_score="raise")
        elif kind == "frozen":
            denoiser = FrozenEstimator(denoiser.fit(SMALL, SMALL))
        elif kind == "ensemble":
            denoiser = SelfEnsembleDenoiser(denoiser)
        else:
            denoiser = TransformedTargetRegressor(denoiser, check_inverse=False)
    return denoiser


SMALL = np.random.default_rng(0).random((32, 16))


class Halved(BaseDenoiser):
    """A denoiser that learns with a noise of its own, and gives half of each value."""

    def __init__(self, noise=NOISE):
        self.noise = noise

    def fit(self, X, y=None):
        self.n_features_in_ = X[0].size
        self.noise_ = None if self.noise is None else clone(self.noise).fit(X)
        return self

    def predict(self, X):
        return X / 2

    _predict = predict


@settings(max_examples=25, deadline=None)
@given(data=st.data(), depth=st.integers(0, 4))
def test_scorers_corrupt_as_the_denoiser_learnt_however_it_is_wrapped(data, depth):
    denoiser = wrapped(data.draw, Halved(), depth).fit(SMALL, SMALL)
    noisy = NOISE.fit_transform(SMALL)
    expected = psnr_scorer(denoiser, noisy, SMALL)
    assert expected < psnr_scorer(denoiser, SMALL, SMALL)
    assert psnr_scorer(denoiser, SMALL) == expected
    if not any(isinstance(part, TransformedTargetRegressor) for part in walk(denoiser)):
        # Its own score is R².
        assert SCORERS["mse"](denoiser, SMALL) == pytest.approx(denoiser.score(SMALL))
        assert SCORERS["mse"](denoiser, noisy, SMALL) == pytest.approx(denoiser.score(noisy, SMALL))


@settings(max_examples=25, deadline=None)
@given(data=st.data(), inner=st.integers(0, 3), outer=st.integers(0, 3))
def test_without_noise_reaches_every_injector(data, inner, outer):
    denoiser = make_pipeline(GaussianNoise(0.2), wrapped(data.draw, Halved(), inner))
    denoiser = wrapped(data.draw, denoiser, outer).fit(SMALL, SMALL)
    noisy = denoiser.predict(SMALL)
    # An injector brings the noise; that of the denoiser does not come on top.
    assert SCORERS["mse"](denoiser, SMALL) == SCORERS["mse"](denoiser, SMALL, SMALL)
    deployed = without_noise(denoiser)
    np.testing.assert_allclose(deployed.predict(SMALL), SMALL / 2, rtol=1e-6)
    assert not any(isinstance(part, BaseNoise) for part in walk(deployed))
    assert SCORERS["mse"](deployed, SMALL) == SCORERS["mse"](
        deployed, NOISE.fit_transform(SMALL), SMALL
    )
    # The one that came is as it was.
    np.testing.assert_array_equal(denoiser.predict(SMALL), noisy)
    assert (noisy != SMALL / 2).any()


def walk(estimator):
    """All estimators in the parameters and the fitted attributes of one, but for `noise`."""
    yield estimator
    for name, value in vars(estimator).items():
        for item in np.ravel(np.array([value], dtype=object)):
            if hasattr(item, "get_params") and name not in ("noise", "noise_"):
                yield from walk(item)


def test_without_noise_keeps_the_columns_of_a_union(digits):
    X, _ = digits
    union = FeatureUnion([("noisy", GaussianNoise()), ("mean", MeanFilter())])
    bare = without_noise(union.fit(X)).transform(X)
    np.testing.assert_array_equal(bare, np.hstack([X, MeanFilter().fit_transform(X)]))


# Model selection


def test_grid_search_over_latent_dim(digits):
    X, _ = digits
    grid = {"dae__latent_dim": [1, 16]}
    search = GridSearchCV(pipeline(max_epochs=20, batch_size=16), grid, cv=2).fit(X, X)
    assert search.best_params_ == {"dae__latent_dim": 16}


def test_grid_search_over_the_architecture(digits):
    X = digits[0].reshape(-1, 8, 8)
    grid = {"dae__architecture__filters": [(2,), (4, 8)], "dae__latent_dim": [None, 4]}
    search = GridSearchCV(pipeline(architecture=Conv()), grid, cv=2).fit(X, X)
    assert len(search.cv_results_["params"]) == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert (
        len({len(filters) for filters in search.cv_results_["param_dae__architecture__filters"]})
        == 2
    )


def test_one_grid_compares_filters_and_nets(digits):
    X, _ = digits
    pipe = Pipeline([("noise", NOISE), ("denoise", MeanFilter())])
    grid = {"denoise": [MeanFilter(), MedianFilter(), small(architecture="dense", max_epochs=60)]}
    search = GridSearchCV(pipe, grid, cv=3, scoring=SCORERS, refit="psnr").fit(X, X)
    assert isinstance(search.best_params_["denoise"], DenoisingAutoencoder)
    assert {f"mean_test_{name}" for name in ("mse", "mae", "psnr", "ssim")} <= set(
        search.cv_results_
    )


def test_denoising_scorer_corrupts_by_itself(digits):
    X, _ = digits
    scorer = denoising_scorer("psnr", noise=NOISE)
    search = GridSearchCV(small(noise=NOISE), {"latent_dim": [2, 8]}, cv=2, scoring=scorer).fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    fitted = search.best_estimator_
    assert scorer(fitted, X) == psnr_scorer(fitted, NOISE.fit_transform(X), X)


def test_a_search_over_the_noise_is_told_that_the_weakest_wins():
    X = SMALL
    searches = [
        (make_pipeline(NOISE, Halved(None)), {"gaussiannoise__std": [0.1, 0.5]}),
        (make_pipeline(Halved(NOISE)), {"halved__noise__std": [0.1, 0.5]}),
        (Pipeline([("noise", None), ("half", Halved(None))]), {"noise": [NOISE, MaskingNoise()]}),
    ]
    for estimator, grid in searches:
        with pytest.warns(UserWarning, match="differ in their noise"):
            GridSearchCV(estimator, grid, cv=2, scoring=psnr_scorer).fit(X, None)
        honest = denoising_scorer("psnr", noise=NOISE)
        GridSearchCV(estimator, grid, cv=2, scoring=honest, error_score="raise").fit(X)
    # Nor where noise is not in the grid, where its seed is, or where X is noisy and y clean.
    pipe = make_pipeline(GaussianNoise(0.2), Halved())
    for grid in ({"halved__noise__std": [0.1, 0.5]}, {"gaussiannoise__random_state": [1, 2]}):
        search = GridSearchCV(pipe, grid, cv=2, scoring=psnr_scorer, error_score="raise")
        assert psnr_scorer(search.fit(X, X), X) > 0
    grid = {"noise__std": [0.1, 0.5]}
    GridSearchCV(Halved(), grid, cv=2, scoring=psnr_scorer, error_score="raise").fit(X, X)


def test_scorers_corrupt_clean_images_as_score_does(digits):
    X, _ = digits
    dae = small(noise=NOISE, max_epochs=30, batch_size=16).fit(X)
    assert SCORERS["mse"](dae, X) == pytest.approx(dae.score(X), rel=1e-6)
    assert SCORERS["mse"](dae, X) < SCORERS["mse"](dae, X, X)


@pytest.mark.slow
def test_parallel_search_gives_the_serial_scores(digits):
    X, _ = digits
    grid = {"dae__latent_dim": [2, 8]}
    scores = [
        GridSearchCV(pipeline(), grid, cv=2, n_jobs=n_jobs).fit(X, X).cv_results_["mean_test_score"]
        for n_jobs in (1, 2)
    ]
    # Workers may run another number of threads, which changes the order of sums.
    np.testing.assert_allclose(*scores, rtol=1e-4)


def test_cross_validation_with_and_without_targets(digits):
    X, _ = digits
    with_targets = cross_val_score(pipeline(), X, X, cv=3)
    assert with_targets.shape == (3,)
    assert (cross_val_score(small(noise=NOISE), X, cv=3) < 0).all()
    scores = cross_validate(pipeline(), X, X, cv=2, scoring=SCORERS)
    assert (scores["test_psnr"] > 5).all()


def test_metadata_routing_does_not_break(digits):
    X, _ = digits
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(pipeline(), {"dae__latent_dim": [2]}, cv=2, scoring=psnr_scorer)
        assert search.fit(X, X).best_score_ > 0
        scores = cross_val_score(pipeline(), X, X, cv=2, scoring=psnr_scorer)
        assert (scores > 0).all()


ARRAY_API = """
import sklearn, torch
from sklearn.model_selection import GridSearchCV
from skdae import MedianFilter, SelfEnsembleDenoiser, GaussianNoise, denoising_scorer
from skdae.metrics import mean_squared_error

X = torch.rand((20, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
scoring, grid = denoising_scorer("ssim", noise=GaussianNoise(0.1, random_state=0)), {"size": [1, 3]}
for images in (X.numpy(), X):
    with sklearn.config_context(array_api_dispatch=images is X):
        search = GridSearchCV(MedianFilter(), grid, scoring=scoring, cv=2, error_score="raise")
        ensemble = SelfEnsembleDenoiser(MedianFilter()).fit(images)
        values = search.fit(images).best_score_, ensemble.score(images, images)
        print(*values, mean_squared_error(images, X.numpy() / 2), sep=",", end=" ")
"""


@pytest.mark.slow
@pytest.mark.skipif(
    parse_version(scipy.__version__) < parse_version("1.14"),
    reason="scikit-learn dispatches with SciPy 1.14 or newer",
)
def test_tensors_score_as_arrays_where_scikit_learn_dispatches_to_namespaces():
    run = subprocess.run(
        [sys.executable, "-c", ARRAY_API],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
    )
    of_arrays, of_tensors = run.stdout.split() or pytest.fail(run.stderr)
    assert of_arrays == of_tensors


# In front of, and beside, other estimators


def test_denoiser_in_front_of_a_classifier(digits):
    X, labels = digits
    for dae in (small(noise=NOISE), small(noise=NOISE, latent_dim=12, transform_to="latent")):
        dae.set_params(max_epochs=20, batch_size=16, lr=5e-3)
        model = make_pipeline(dae, LogisticRegression(max_iter=2000))
        assert model.fit(X, labels).score(X, labels) > 0.8


def test_column_transformer_and_feature_union(digits):
    X, _ = digits
    halves = ColumnTransformer(
        [
            ("denoised", small(noise=NOISE), slice(0, 32)),
            ("filtered", MedianFilter(image_shape=(4, 8)), slice(32, 64)),
        ]
    )
    assert halves.fit_transform(X).shape == X.shape
    union = FeatureUnion([("denoised", small(noise=NOISE)), ("mean", MeanFilter())])
    assert union.fit_transform(X).shape == (300, 128)
    assert union.get_feature_names_out()[0] == "denoised__x0"


def test_pandas_output_keeps_names_and_index(digits):
    X = pd.DataFrame(digits[0], columns=[f"pixel{i}" for i in range(64)]).iloc[::-1]
    for step in (NOISE, MedianFilter(), small(noise=NOISE)):
        out = clone(step).set_output(transform="pandas").fit_transform(X)
        assert list(out.columns) == list(X.columns)
        assert (out.index == X.index).all()
    dae = small(noise=NOISE).fit(X)
    assert dae.score(X) < 0
    assert (dae.score_samples(X) < 0).all()
    codes = small(noise=NOISE, latent_dim=64, transform_to="latent").fit(X)
    assert codes.get_feature_names_out()[0] == "denoisingautoencoder0"
    codes = small(noise=NOISE, latent_dim=3, transform_to="latent").set_output(transform="pandas")
    assert codes.fit_transform(X).shape == (300, 3)


# Every form of input


def forms(X, tmp_path):
    read_only = X.copy()
    read_only.flags.writeable = False
    np.save(tmp_path / "X.npy", X)
    return {
        "list": X.tolist(),
        "DataFrame": pd.DataFrame(X),
        "memory map": np.load(tmp_path / "X.npy", mmap_mode="r"),
        "read-only": read_only,
        "Fortran order": np.asfortranarray(X),
        "every other row": np.repeat(X, 2, axis=0)[::2],
        "flipped twice": np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
        "float64": X.astype(np.float64),
        "image": X.reshape(-1, 8, 8),
        "image with a channel": X.reshape(-1, 8, 8, 1),
    }


@pytest.mark.parametrize("step", [NOISE, MedianFilter(), small(noise=NOISE)], ids=["n", "f", "dae"])
def test_every_form_of_input_gives_the_same(digits, tmp_path, step):
    X, _ = digits
    expected = clone(step).fit(X).transform(X)
    for form, X_given in forms(X, tmp_path).items():
        before = copy.deepcopy(X_given)
        out = clone(step).fit(X_given).transform(X_given)
        # Keyed noise hashes the bytes, so float64 has a field of its own.
        if not (isinstance(step, GaussianNoise) and form in ("list", "float64")):
            np.testing.assert_allclose(out.reshape(300, -1), expected, atol=1e-6, err_msg=form)
        assert out.shape == np.shape(X_given)
        np.testing.assert_array_equal(np.asarray(X_given), np.asarray(before), err_msg=form)


def test_joblib_and_deepcopy_round_trips(digits, tmp_path):
    X, _ = digits
    pipe = pipeline().fit(X, X)
    joblib.dump(pipe, tmp_path / "pipe.joblib")
    for again in (joblib.load(tmp_path / "pipe.joblib"), copy.deepcopy(pipe)):
        np.testing.assert_array_equal(again.predict(X), pipe.predict(X))


def test_html_repr_renders():
    assert "DenoisingAutoencoder" in pipeline()._repr_html_()
