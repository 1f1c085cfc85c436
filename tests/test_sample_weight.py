"""Weights of images: in a fit, in a score, in a search."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.model_selection import cross_validate

from skdae import DenoisingAutoencoder, GaussianNoise, MedianFilter, Noise2VoidDenoiser, load
from skdae.architectures import Conv, Dense, UNet
from skdae.datasets import load_digits_images

X = load_digits_images().images[:200]
DARK, LIGHT = np.zeros((100, 8, 8), np.float32), np.ones((100, 8, 8), np.float32)
BOTH = np.concatenate([DARK, LIGHT])
SMALL = {"max_epochs": 2, "random_state": 0, "validation_fraction": None}


def small(**params):
    return DenoisingAutoencoder(Dense(hidden=(16,)), **{**SMALL, **params})


class Seen:
    """A loss that counts the light and the dark images that it is given."""

    def __init__(self):
        self.n_light = self.n = 0

    def __call__(self, prediction, target):
        light = target.flatten(1).mean(1)
        self.n_light, self.n = self.n_light + int((light > 0.5).sum()), self.n + len(light)
        return (prediction - target).square().mean()


@pytest.mark.filterwarnings("ignore:.*no better than one constant image")
@pytest.mark.parametrize("patch_size", [None, 4])
def test_images_are_drawn_in_proportion_to_their_weights(patch_size):
    loss = Seen()
    net = Dense(hidden=(16,)) if patch_size is None else Conv((2,))
    params = {"loss": loss, "patch_size": patch_size, **SMALL, "max_epochs": 10}
    weights = np.repeat([1.0, 3.0], 100)
    DenoisingAutoencoder(net, **params).fit(BOTH, BOTH, sample_weight=weights)
    # Without weights, half of them are light.
    assert loss.n_light / loss.n == pytest.approx(0.75, abs=0.05)


def test_images_without_weight_are_as_if_they_were_not_there():
    weights = np.repeat([1.0, 0.0], 100)
    broken = X.copy()
    broken[100:] = 1 - broken[100:]
    one, other = (small().fit(images, images, sample_weight=weights) for images in (X, broken))
    np.testing.assert_array_equal(one.predict(X), other.predict(X))


def test_equal_weights_are_none(tmp_path):
    plain, equal = (small().fit(X, X, sample_weight=w) for w in (None, np.full(200, 0.3)))
    np.testing.assert_array_equal(plain.predict(X), equal.predict(X))
    kept = small(checkpoint=tmp_path / "kept").fit(X, X, sample_weight=np.arange(200))
    # Nothing is left to train.
    again = small(checkpoint=tmp_path / "kept").fit(X, X, sample_weight=np.arange(200))
    np.testing.assert_array_equal(kept.predict(X), again.predict(X))
    with pytest.raises(ValueError, match="sample_weight"):
        small(checkpoint=tmp_path / "kept").fit(X, X)
    kept.save(tmp_path / "dae")
    np.testing.assert_array_equal(load(tmp_path / "dae").predict(X), kept.predict(X))


def test_scores_are_weighted_means():
    noisy = GaussianNoise(0.3, random_state=0).fit_transform(X)
    denoiser = MedianFilter().fit(noisy)
    each = [denoiser.score(noisy[i : i + 1], X[i : i + 1]) for i in range(200)]
    weights = np.arange(200.0)
    expected = np.average(each, weights=weights)
    assert denoiser.score(noisy, X, sample_weight=weights) == pytest.approx(expected)
    sizes = [noisy[0], noisy[1, :6]], [X[0], X[1, :6]]
    last = denoiser.score(noisy[1:2, :6], X[1:2, :6])
    assert denoiser.score(*sizes, sample_weight=[0, 2]) == pytest.approx(last)


def test_cross_validation_routes_weights():
    weights = np.repeat([1.0, 0.0], 100)[np.random.default_rng(0).permutation(200)]
    with config_context(enable_metadata_routing=True):
        dae = small().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        result = cross_validate(dae, X, X, cv=2, params={"sample_weight": weights})
    first, second = np.arange(100), np.arange(100, 200)
    by_hand = small().fit(X[second], X[second], sample_weight=weights[second])
    expected = by_hand.score(X[first], X[first], sample_weight=weights[first])
    assert result["test_score"][0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), "sample_weight"),
        (np.full(200, -1.0), "[Nn]egative"),
        (np.zeros(200), "0 for all images|non-zero"),
        (np.full(200, np.nan), "NaN"),
    ],
)
def test_bad_weights_are_refused(weights, message):
    for fit in (small(noise=GaussianNoise()).fit, Noise2VoidDenoiser(UNet((2, 4)), **SMALL).fit):
        with pytest.raises(ValueError, match=message):
            fit(X, None, weights)
    with pytest.raises(ValueError, match=message):
        MedianFilter().fit(X).score(X, X, weights)


def test_weights_of_images_set_aside_alone_leave_nothing_to_train_on():
    weights = np.zeros(200)
    weights[0] = 1

    def refused(seed):
        dae = small(validation_fraction=0.5, random_state=seed)
        try:
            dae.fit(X, X, weights, groups=weights)
        except ValueError as error:
            return "not set aside" in str(error)
        return False

    # That image or all others are set aside, as the seed has it.
    assert {refused(seed) for seed in range(9)} == {False, True}
