"""The ensemble over poses equals the mean by hand, for any denoiser and any kind of image."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import correlate1d
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skdae import (
    DenoisingAutoencoder,
    GaussianNoise,
    MeanFilter,
    MedianFilter,
    SelfEnsembleDenoiser,
    load,
    psnr_scorer,
)
from skdae.architectures import Dense, UNet
from skdae.filters import BaseFilter

# The eight poses of a square image, and how to undo each, by transposing and reversing alone.
POSES = [
    (lambda x: x, lambda x: x),
    (lambda x: x[::-1], lambda x: x[::-1]),
    (lambda x: x[:, ::-1], lambda x: x[:, ::-1]),
    (lambda x: x[::-1, ::-1], lambda x: x[::-1, ::-1]),
    (lambda x: x.swapaxes(0, 1), lambda x: x.swapaxes(0, 1)),
    (lambda x: x.swapaxes(0, 1)[::-1], lambda x: x[::-1].swapaxes(0, 1)),
    (lambda x: x.swapaxes(0, 1)[:, ::-1], lambda x: x[:, ::-1].swapaxes(0, 1)),
    (lambda x: x.swapaxes(0, 1)[::-1, ::-1], lambda x: x[::-1, ::-1].swapaxes(0, 1)),
]


def images(shape=(6, 8, 8), seed=0):
    return np.random.default_rng(seed).random(shape).astype(np.float32)


class Skewed(BaseEstimator):
    """A linear denoiser that prefers one direction, and counts its calls."""

    def fit(self, X, y=None):
        self.calls_ = 0
        return self

    def predict(self, X):
        self.calls_ += 1
        return 0.5 * X + 0.25 * np.roll(X, 1, axis=1) + 0.25 * np.roll(X, 2, axis=2)


def by_hand(denoiser, X, poses):
    return np.stack(
        [
            np.mean([undo(denoiser.predict(pose(x)[None])[0]) for pose, undo in poses], axis=0)
            for x in X
        ]
    )


# What it computes


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize(("sides", "n_poses"), [((8, 8), 8), ((8, 5), 4), ((1, 9), 2)])
def test_prediction_is_the_mean_over_the_poses_that_keep_the_shape(sides, n_poses, channels):
    X = images((4, *sides, *channels))
    ensemble = SelfEnsembleDenoiser(Skewed()).fit(X)
    expected = by_hand(Skewed().fit(X), X, POSES[: 8 if n_poses == 8 else 4])
    np.testing.assert_allclose(ensemble.predict(X), expected, rtol=1e-5)
    assert ensemble.denoiser_.calls_ == n_poses


def test_error_is_at_most_the_mean_error_of_the_poses():
    X = images((3, 8, 8))
    noisy = X + 0.1 * images((3, 8, 8), seed=1)
    net = DenoisingAutoencoder(UNet(filters=(4, 8)), max_epochs=3, random_state=0).fit(noisy, X)
    errors = [
        np.mean((undo(net.predict(pose(x)[None])[0]) - clean) ** 2)
        for x, clean in zip(noisy, X, strict=True)
        for pose, undo in POSES
    ]
    ensemble = SelfEnsembleDenoiser(FrozenEstimator(net)).fit(noisy)
    assert np.mean((ensemble.predict(noisy) - X) ** 2) < np.mean(errors)


def test_filter_that_treats_all_directions_alike_is_left_as_it_is():
    X = images()
    expected = MeanFilter().fit_transform(X)
    np.testing.assert_allclose(SelfEnsembleDenoiser(MeanFilter()).fit_transform(X), expected, 1e-5)


# Kinds of input


@pytest.mark.parametrize("shape", [(6, 8, 8), (6, 5, 7), (6, 5, 7, 3)])
def test_flat_rows_give_what_their_images_give(shape):
    X = images(shape)
    filter_ = MeanFilter(image_shape=shape[1:])
    flat = SelfEnsembleDenoiser(filter_).fit(X.reshape(6, -1)).predict(X.reshape(6, -1))
    np.testing.assert_allclose(flat.reshape(shape), MeanFilter().fit_transform(X), rtol=1e-5)


def test_signals_are_flipped():
    X = images((6, 7))
    ridge = Ridge().fit(X, X[::-1])
    expected = (ridge.predict(X) + ridge.predict(X[:, ::-1])[:, ::-1]) / 2
    ensemble = SelfEnsembleDenoiser(Ridge()).fit(X, X[::-1])
    np.testing.assert_allclose(ensemble.predict(X), expected, rtol=1e-4)


def test_images_of_different_sizes_come_as_a_list():
    X = [images((8, 8)), images((12, 9))]
    net = DenoisingAutoencoder(
        UNet(filters=(2, 4)), noise=GaussianNoise(0.1), patch_size=8, max_epochs=1, random_state=0
    )
    ensemble = SelfEnsembleDenoiser(net).fit(X)
    denoised = ensemble.predict(X)
    assert [image.shape for image in denoised] == [(8, 8), (12, 9)]
    np.testing.assert_array_equal(denoised[1], ensemble.predict(X[1][None])[0])


def test_uint8_counts_as_value_over_255():
    X = (255 * images()).astype(np.uint8)
    ensemble = SelfEnsembleDenoiser(MeanFilter()).fit(X)
    np.testing.assert_array_equal(ensemble.predict(X), ensemble.predict((X / 255).astype("f4")))


def test_bytes_reach_a_regressor_of_scikit_learn_in_the_units_of_predict():
    X = (255 * images()).astype(np.uint8).reshape(6, -1)
    y = 255 - X
    denoiser = SelfEnsembleDenoiser(Ridge())
    expected = denoiser.fit(X / np.float32(255), y / np.float32(255)).predict(X)
    for held in (X, [*X]):
        np.testing.assert_allclose(denoiser.fit(held, y).predict(held), expected, atol=1e-5)


def test_mean_of_huge_values_is_finite():
    X = np.full((2, 4, 4), 1.7e308)
    np.testing.assert_allclose(SelfEnsembleDenoiser(MedianFilter()).fit(X).predict(X), X)


def test_names_of_a_frame_are_checked_and_kept():
    X = pd.DataFrame(images((6, 16)), columns=[f"p{i}" for i in range(16)])
    ensemble = SelfEnsembleDenoiser(MeanFilter()).fit(X).set_output(transform="pandas")
    assert list(ensemble.transform(X)) == list(X)
    with pytest.raises(ValueError, match="feature names should match"):
        ensemble.predict(X[X.columns[::-1]])


# As any denoiser


def test_score_corrupts_with_the_noise_of_the_denoiser():
    X = images((40, 8, 8))
    net = DenoisingAutoencoder(
        Dense(hidden=(8,)), noise=GaussianNoise(0.3, random_state=0), max_epochs=1, random_state=0
    )
    ensemble = SelfEnsembleDenoiser(net).fit(X)
    noisy = ensemble.noise_.transform(X)
    assert ensemble.score(X) == pytest.approx(-np.mean((ensemble.predict(noisy) - X) ** 2))
    assert ensemble.score(X) == ensemble.score(noisy, X)
    assert np.isfinite(psnr_scorer(ensemble, X))


def test_signals_and_volumes_have_poses():
    rng = np.random.default_rng(0)
    signals, volumes = rng.random((3, 20, 2)), rng.random((2, 4, 6, 6))
    slope = np.array([0.2, 0.3, 0.5])
    for X, axes, options in ((signals, (1,), {"channel_axis": -1}), (volumes, (1, 2, 3), {})):
        options = {"channel_axis": None, **options}
        filtered = SelfEnsembleDenoiser(Uneven(slope, **options)).fit(X).predict(X)
        flipped = SelfEnsembleDenoiser(Uneven(slope, **options)).fit(X).predict(np.flip(X, axes))
        np.testing.assert_allclose(np.flip(flipped, axes), filtered, atol=1e-12)


class Uneven(BaseFilter):
    """A filter along the last spatial axis that is not symmetric."""

    def __init__(self, weights, *, image_shape=None, channel_axis="auto"):
        self.weights = weights
        self.image_shape = image_shape
        self.channel_axis = channel_axis

    def _filter(self, images):
        return correlate1d(images, self.weights, axis=-2)


def test_score_without_clean_images_of_a_filter():
    X = images()
    ensemble = SelfEnsembleDenoiser(MeanFilter()).fit(X)
    assert ensemble.score(X) == pytest.approx(MeanFilter().fit(X).score(X))
    assert ensemble.noise_ is None


def test_same_images_as_targets_raise_no_warning(recwarn):
    X = images((20, 4, 4))
    net = DenoisingAutoencoder(Dense(hidden=(4,)), max_epochs=1, validation_fraction=None)
    SelfEnsembleDenoiser(net).fit(X, X)
    assert not [w for w in recwarn if "plain autoencoder" in str(w.message)]


def test_stands_in_pipelines_and_grids():
    X = np.broadcast_to(images((12, 1, 1)), (12, 6, 6))
    pipeline = make_pipeline(GaussianNoise(0.2), SelfEnsembleDenoiser(MeanFilter()))
    grid = GridSearchCV(pipeline, {"selfensembledenoiser__denoiser__size": [1, 3]}, cv=3)
    assert grid.fit(X, X).best_params_ == {"selfensembledenoiser__denoiser__size": 3}


def test_file_keeps_it(tmp_path):
    X = images((12, 6, 6))
    net = DenoisingAutoencoder(Dense(hidden=(4,)), noise=GaussianNoise(), max_epochs=1)
    ensemble = SelfEnsembleDenoiser(net).fit(X)
    ensemble.save(tmp_path / "ensemble")
    np.testing.assert_array_equal(load(tmp_path / "ensemble").predict(X), ensemble.predict(X))


# Bad input


@pytest.mark.parametrize("denoiser", [None, "mean", GaussianNoise()])
def test_what_is_no_denoiser_is_refused(denoiser):
    with pytest.raises(ValueError, match="'denoiser' parameter"):
        SelfEnsembleDenoiser(denoiser).fit(images())


@pytest.mark.parametrize("shape", [(6, 8, 8), (6, 64)])
def test_denoiser_that_gives_no_images_is_named(shape):
    X = images(shape)
    labels = Ridge().fit(X.reshape(6, -1), np.arange(6))

    class Labels(BaseEstimator):
        def fit(self, X, y=None):
            return self

        def predict(self, X):
            return labels.predict(X.reshape(6, -1))

    ensemble = SelfEnsembleDenoiser(Labels()).fit(X)
    with pytest.raises(ValueError, match=r"Labels\(\) turned images of shape .* into \(6,\)"):
        ensemble.predict(X)


def test_fit_that_fails_keeps_the_state_before():
    X = images()
    ensemble = SelfEnsembleDenoiser(DenoisingAutoencoder(Dense(hidden=(4,)), max_epochs=1))
    before = ensemble.fit(X, X).predict(X)
    with pytest.raises(ValueError, match="NaN"):
        ensemble.fit(np.full_like(X, np.nan))
    with pytest.raises(ValueError, match="y has shape"):
        ensemble.fit(X, X[:, :5])
    np.testing.assert_array_equal(ensemble.predict(X), before)


def test_other_size_is_up_to_the_denoiser():
    X = images()
    assert SelfEnsembleDenoiser(MeanFilter()).fit(X).predict(images((2, 5, 9))).shape == (2, 5, 9)
    net = DenoisingAutoencoder(Dense(hidden=(4,)), max_epochs=1).fit(X, X)
    with pytest.raises(ValueError, match="this estimator was fitted on"):
        SelfEnsembleDenoiser(FrozenEstimator(net)).fit(X).predict(images((2, 5, 9)))
