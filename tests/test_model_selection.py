"""Comparisons are what scoring by hand gives, and corrupt every image once."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GroupKFold, KFold
from sklearn.pipeline import make_pipeline

from skdae import (
    SCORERS,
    DenoisingAutoencoder,
    GaussianFilter,
    GaussianNoise,
    MedianFilter,
    Noise2VoidDenoiser,
    SelfEnsembleDenoiser,
    denoising_scorer,
    j_invariant_scorer,
)
from skdae.architectures import Conv, Dense
from skdae.base import BaseDenoiser
from skdae.datasets import load_digits_images
from skdae.metrics import METRICS
from skdae.model_selection import compare

X = load_digits_images().images[:60]
SPLIT = [(np.arange(40), np.arange(40, 60))]
NOISE = GaussianNoise(std=0.3, random_state=0)


def dae(**params):
    return DenoisingAutoencoder(Dense(hidden=(16,)), max_epochs=2, random_state=0, **params)


class Recorder(BaseDenoiser):
    """Remembers what it was fitted on."""

    def fit(self, X, y=None):
        calls.append((X, y))
        self.image_shape_ = X.shape[1:]
        return self

    def predict(self, X):
        return X


calls: list = []


@pytest.mark.parametrize("flat", [False, True])
def test_scores_are_those_of_scoring_by_hand(flat):
    images = X.reshape(60, -1) if flat else X
    denoisers = {
        "filter": GaussianFilter(0.6),
        "pairs": dae(),
        "own noise": dae(noise=GaussianNoise(0.2)),
    }
    table = compare(denoisers, images, NOISE, cv=KFold(3), per_fold=True)
    X_noisy = NOISE.fit_transform(images)
    for fold, (train, test) in enumerate(KFold(3).split(images)):
        fitted = {
            "filter": GaussianFilter(0.6).fit(images[train]),
            "pairs": dae().fit(X_noisy[train], images[train]),
            "own noise": dae(noise=GaussianNoise(0.2)).fit(images[train]),
        }
        for name, denoiser in fitted.items():
            for metric, scorer in SCORERS.items():
                expected = scorer(denoiser, X_noisy[test], images[test])
                assert table.loc[(name, fold), metric] == expected
        for metric, (function, sign, *_) in METRICS.items():
            expected = sign * function(images[test], X_noisy[test])
            assert table.loc[("noisy", fold), metric] == pytest.approx(expected)
    means = compare(denoisers, images, NOISE, cv=KFold(3))
    assert list(means.index) == ["noisy", *denoisers]
    pd.testing.assert_frame_equal(
        means, table.groupby(level=0).mean().loc[means.index], check_names=False
    )


def test_denoisers_are_cloned_and_see_the_same_images_of_other_folds():
    calls.clear()
    given = Recorder()
    groups = np.arange(60) // 15
    noise = GaussianNoise(std=0.3)  # without a seed
    table = compare({"a": given, "b": Recorder()}, X, noise, cv=GroupKFold(4), groups=groups)
    assert not hasattr(given, "image_shape_")
    assert len(calls) == 8
    for (X_a, y_a), (X_b, y_b) in zip(calls[::2], calls[1::2], strict=True):
        np.testing.assert_array_equal(X_a, X_b)
        np.testing.assert_array_equal(y_a, y_b)
        assert len(y_a) == 45
        assert abs(X_a - y_a).max() > 0.1
    assert (table.loc["a"] == table.loc["b"]).all()
    assert (table.loc["a"] == table.loc["noisy"]).all()


def test_a_network_inside_another_denoiser_that_corrupts_its_images_gets_clean_ones():
    inner = dae(noise=GaussianNoise(0.2))
    table = compare({"ensemble": SelfEnsembleDenoiser(inner)}, X, NOISE, cv=SPLIT)
    by_hand = SelfEnsembleDenoiser(inner).fit(X[:40])
    score = SCORERS["psnr"](by_hand, NOISE.fit_transform(X)[40:], X[40:])
    assert table.loc["ensemble", "psnr"] == score


def test_a_network_without_clean_images_learns_from_noisy_ones():
    net = Noise2VoidDenoiser(Conv((4,), batch_norm=False), max_epochs=1, random_state=0)
    table = compare({"noise2void": net}, X, NOISE, cv=SPLIT)
    X_noisy = NOISE.fit_transform(X)
    score = SCORERS["psnr"](net.fit(X_noisy[:40]), X_noisy[40:], X[40:])
    assert table.loc["noise2void", "psnr"] == score


def test_frozen_denoisers_are_scored_as_they_are():
    frozen = FrozenEstimator(dae(noise=NOISE).fit(X[40:]))
    table = compare({"frozen": frozen}, X[:40], NOISE, cv=2)
    X_noisy = NOISE.fit_transform(X[:40])
    expected = np.mean(
        [SCORERS["mse"](frozen, X_noisy[r], X[r]) for r in (slice(20), slice(20, 40))]
    )
    assert table.loc["frozen", "mse"] == pytest.approx(expected)


def test_dataframes_and_lists_of_images():
    filters = {"median": MedianFilter()}
    rows = X.reshape(60, -1)
    from_arrays = compare(filters, rows, NOISE, cv=3)
    pd.testing.assert_frame_equal(compare(filters, pd.DataFrame(rows), NOISE, cv=3), from_arrays)
    ragged = [*X[:30], *np.pad(X[30:], [(0, 0), (0, 2), (0, 0)])]
    table = compare(filters, ragged, NOISE, cv=3, scoring={"psnr": SCORERS["psnr"]})
    assert table.shape == (2, 1)
    assert np.isfinite(table.to_numpy()).all()


def table(kind, rows):
    """Rows with names, in a table of another library."""
    columns = {f"pixel{i}": column for i, column in enumerate(rows.T)}
    library = pytest.importorskip(kind)
    return library.table(columns) if kind == "pyarrow" else library.DataFrame(columns)


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_tables_keep_their_names_with_noise(kind):
    rows = X.reshape(60, -1)
    given = table(kind, rows)
    denoisers = {"learnt": dae(noise=NOISE), "median": MedianFilter()}
    expected, scores = compare(denoisers, rows, NOISE, cv=2), compare(denoisers, given, NOISE, cv=2)
    pd.testing.assert_frame_equal(scores, expected)
    fitted = dae(noise=NOISE).fit(given)
    for scorer in (SCORERS["mse"], denoising_scorer("mse", noise=NOISE), j_invariant_scorer):
        assert scorer(fitted, given) == scorer(dae(noise=NOISE).fit(rows), rows)


def test_rows_without_names_get_none_from_set_output():
    rows = X.reshape(60, -1)
    with config_context(transform_output="pandas"):
        assert len(compare({"learnt": dae(noise=NOISE)}, rows, NOISE, cv=2)) == 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"denoisers": [MedianFilter()]}, TypeError, "denoisers must be a dict"),
        ({"denoisers": {}}, TypeError, "denoisers must be a dict"),
        ({"denoisers": {"noisy": MedianFilter()}}, ValueError, "another name"),
        (
            {"denoisers": {"twice": make_pipeline(NOISE, MedianFilter())}},
            ValueError,
            "The denoiser 'twice' would corrupt the images once more",
        ),
        (
            {"scoring": {"psnr": denoising_scorer("psnr", noise=NOISE)}},
            ValueError,
            "The scorer 'psnr' would corrupt the images once more",
        ),
        ({"scoring": SCORERS["psnr"]}, TypeError, "scoring must be a dict"),
        ({"noise": 0.3}, TypeError, "noise model"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments, error, message):
    arguments = {"denoisers": {"median": MedianFilter()}, "X": X, "noise": NOISE, **arguments}
    with pytest.raises(error, match=message):
        compare(**arguments)


def test_without_pandas_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"compare needs pandas.*'\.\[pandas\]'"):
        compare({"median": MedianFilter()}, X, NOISE)


def test_images_in_counts_have_all_four_scores():
    """As many dB as in [0, 1], whose range their clean images have nearly all of."""
    denoisers = {"median": MedianFilter(), "Gaussian": GaussianFilter(0.6)}
    unit, counts = (
        compare(denoisers, unit * X, GaussianNoise(0.3 * unit, clip=None, random_state=0), cv=SPLIT)
        for unit in (1, 4095)
    )
    assert np.isfinite(counts).all(axis=None)
    np.testing.assert_allclose(counts["psnr"], unit["psnr"], atol=1.0)
    np.testing.assert_allclose(counts["ssim"], unit["ssim"], atol=0.1)
