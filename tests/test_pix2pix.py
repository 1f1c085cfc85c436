"""A generator and a discriminator, trained in turn."""

import pickle
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from skdae import DenoisingAutoencoder, Downsample, GaussianNoise, Pix2PixDenoiser, SaltPepper
from skdae.architectures import Conv, Dense, UNet
from skdae.denoisers.pix2pix import PatchDiscriminator

NOISE = SaltPepper(amount=0.1, random_state=0)


small = partial(
    Pix2PixDenoiser,
    architecture=UNet(filters=(8, 16)),
    discriminator_filters=(4, 8),
    noise=NOISE,
    max_epochs=1,
    random_state=0,
)


@pytest.mark.slow
def test_it_denoises(digits):
    X_clean = digits[1]
    noise = GaussianNoise(std=0.4, random_state=0)
    X_noisy = noise.fit_transform(X_clean)
    denoiser = small(noise=noise, max_epochs=8, lr=2e-3).fit(X_clean[:1400])
    error = np.abs(denoiser.predict(X_noisy[1400:]) - X_clean[1400:]).mean()
    assert error < 0.7 * np.abs(X_noisy[1400:] - X_clean[1400:]).mean()


def test_history_tells_of_both_nets(digits):
    row = small().fit(digits[1][:200]).history_[-1]
    assert row["generator_loss"] > 100 * row["train_loss"] > 0
    assert row["valid_loss"] > 0
    assert 0 < row["discriminator_loss"] < 2
    assert 0 < row["fake_score"] < 1
    assert 0 < row["real_score"] < 1


def test_both_nets_learn(digits):
    denoiser = small(max_epochs=3).fit(digits[1][:300])
    first, last = denoiser.history_[0], denoiser.history_[-1]
    assert last["train_loss"] < first["train_loss"]
    assert last["discriminator_loss"] < first["discriminator_loss"] < 0.75


def test_without_an_adversary_it_is_a_net_with_mae_loss(digits):
    X = digits[1][:400]
    steep = small(l1_weight=1e6, max_epochs=3).fit(X)
    plain = DenoisingAutoencoder(
        UNet(filters=(8, 16)),
        noise=NOISE,
        loss="mae",
        optimizer="adam",
        weight_decay=0.0,
        lr=5e-4,
        batch_size=32,
        max_epochs=3,
        random_state=0,
    ).fit(X)
    a, b = steep.history_[-1]["valid_loss"], plain.history_[-1]["valid_loss"]
    assert a == pytest.approx(b, rel=0.2)


def test_prediction_is_deterministic_and_keeps_shapes():
    rng = np.random.default_rng(0)
    for shape, params in [
        ((8, 12, 10, 3), {}),
        ((8, 12, 10), {"architecture": Conv((4,))}),
        ((8, 120), {"image_shape": (12, 10)}),
        ((8, 120), {"architecture": Dense((8,))}),
        ((8, 50), {"image_shape": (50,)}),
    ]:
        X = rng.random(shape, dtype=np.float32)
        denoiser = small(**params).fit(X)
        denoised = denoiser.predict(X)
        assert denoised.shape == shape
        np.testing.assert_array_equal(denoiser.predict(X), denoised)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 3), (7, 1)], ids=str)
def test_tiny_images_have_patches_too(shape):
    X = np.random.default_rng(0).random((8, *shape), dtype=np.float32)
    assert small(discriminator_filters=(2, 4, 4)).fit(X).predict(X).shape == X.shape


def test_super_resolution_and_crops():
    rng = np.random.default_rng(0)
    X = [rng.random(shape, dtype=np.float32) for shape in [(20, 24), (32, 18)]]
    denoiser = small(noise=Downsample(factor=2), patch_size=16, validation_fraction=None).fit(X)
    assert [image.shape for image in denoiser.predict(X)] == [(20, 24), (32, 18)]


@pytest.mark.parametrize(
    ("shape", "options"),
    [((8, 20, 2), {"channel_axis": -1}), ((8, 4, 6, 8), {"channel_axis": None})],
)
def test_signals_and_volumes_have_patches_too(shape, options):
    X = np.random.default_rng(0).random(shape, dtype=np.float32)
    assert small(discriminator_filters=(2, 4), **options).fit(X).predict(X).shape == X.shape


def test_same_seed_gives_the_same_bits(digits):
    a, b = (small(max_epochs=2).fit(digits[1][:100]) for _ in range(2))
    np.testing.assert_array_equal(a.predict(digits[0]), b.predict(digits[0]))


def test_warm_start_goes_on_with_both_nets(digits):
    X = digits[1][:100]
    denoiser = small(warm_start=True, lr=1e-12).fit(X)
    before = [w.clone() for w in denoiser.discriminator_.parameters()]
    denoiser.fit(X)
    for a, b in zip(before, denoiser.discriminator_.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
    assert len(denoiser.history_) == 2


def test_pickle_round_trip_predicts_the_same(digits):
    denoiser = small().fit(digits[1][:100])
    again = pickle.loads(pickle.dumps(denoiser))
    np.testing.assert_array_equal(again.predict(digits[0]), denoiser.predict(digits[0]))


def test_patch_of_the_discriminator_has_18_pixels():
    judge = PatchDiscriminator((64, 64, 1), (4, 8))
    x = torch.rand(1, 2, 64, 64, requires_grad=True)
    judge(x)[0, 0, 8, 8].backward()
    assert x.grad.abs().sum((0, 1, 2)).count_nonzero() == 18


def test_discriminator_that_wins_is_warned_about(digits, monkeypatch):
    scores = {"real_score": 0.999, "fake_score": 0.001}
    denoiser = small().fit(digits[1][:100])
    denoiser.history_[-1].update(scores)
    with pytest.warns(ConvergenceWarning, match="has won.*fewer discriminator_filters"):
        denoiser._warn_of_collapse()
    denoiser.history_[-1].update(fake_score=0.9995)
    denoiser.n_iter_ = 5
    with pytest.warns(ConvergenceWarning, match="has collapsed.*more discriminator_filters"):
        denoiser._warn_of_collapse()


def test_generator_without_a_useful_rate_is_warned_about(digits):
    with pytest.warns(ConvergenceWarning, match="no better than one constant image"):
        small(architecture=Conv((4,)), lr=1e-12).fit(digits[1][:200])


def test_discriminator_that_learns_nothing_has_collapsed(digits):
    with pytest.warns(ConvergenceWarning) as record:
        small(lr=1e-12, max_epochs=5, noise=GaussianNoise(0.0)).fit(digits[1][:100])
    assert any("discriminator has collapsed" in str(w.message) for w in record)
    assert record[-1].filename == __file__


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"l1_weight": -1.0}, "l1_weight"),
        ({"l1_weight": "heavy"}, "l1_weight"),
        ({"discriminator_filters": ()}, "discriminator_filters"),
        ({"discriminator_filters": (4, 0)}, "discriminator_filters"),
        ({"lr": 0.0}, "lr"),
        ({"noise": "gaussian"}, "is not a noise model"),
    ],
    ids=range(6),
)
def test_bad_parameters_are_refused(params, message, digits):
    with pytest.raises((ValueError, TypeError), match=message):
        small(**params).fit(digits[1][:20])


def test_one_image_is_refused(digits):
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        small().fit(digits[1][:1])


def test_partial_fit_goes_on_with_both_nets_and_their_optimizers(digits):
    denoiser = small().partial_fit(digits[1][:64])
    steps = []
    for _ in range(3):
        before = [p.clone() for p in denoiser.discriminator_.parameters()]
        denoiser.partial_fit(digits[1][:64])
        assert any(
            not torch.equal(a, b)
            for a, b in zip(before, denoiser.discriminator_.parameters(), strict=True)
        )
        steps.append(
            [o.state_dict()["state"][0]["step"].item() for o in denoiser.net_.optimizers()]
        )
    # Two batches each time.
    assert steps == [[4, 4], [6, 6], [8, 8]]
    assert denoiser.history_[-1]["train_loss"] < denoiser.history_[0]["train_loss"]


def test_plateau_watches_the_error_of_the_images(digits):
    """Not `fake_score`, the last of the losses, which stands still when the generator wins."""
    denoiser = small(lr_schedule="plateau", validation_fraction=None, max_epochs=7, lr=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        denoiser.fit(digits[1][:200])
    errors = [row["train_loss"] for row in denoiser.history_]
    scores = [row["fake_score"] for row in denoiser.history_]
    # The rate would have been divided for scores that do not fall for four epochs.
    assert min(scores[-5:]) > min(scores[:2])
    assert min(errors[3:]) < min(errors[:3])
    assert denoiser.history_[-1]["lr"] == denoiser.lr
