"""DenoisingAutoencoder learns what it should, by the contract of all denoisers."""

import pickle
import re
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pandas
import pytest
import skimage.data
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
    TrainEndCheckpoint,
)
from torch import nn

from skdae import (
    DenoisingAutoencoder,
    Downsample,
    GaussianFilter,
    GaussianNoise,
    MaskingNoise,
    MeanFilter,
    MedianFilter,
    OneOf,
    denoising_scorer,
    load,
)
from skdae._training.losses import LOSSES, Loss
from skdae._training.optimizers import LR_SCHEDULES, OPTIMIZERS
from skdae.architectures import Conv, Dense, UNet
from skdae.metrics import peak_signal_noise_ratio, psnr_scorer, structural_similarity

NOISE = GaussianNoise(std=0.3, clip=None, random_state=0)


small = partial(
    DenoisingAutoencoder, architecture=Dense(hidden=(16,)), max_epochs=2, random_state=0
)


# Truths


@pytest.mark.slow
def test_linear_autoencoder_reaches_pca_error(digits):
    X = digits[1].reshape(len(digits[1]), -1)
    pca = PCA(n_components=8).fit(X)
    best = ((pca.inverse_transform(pca.transform(X)) - X) ** 2).mean()
    dae = DenoisingAutoencoder(
        "linear",
        latent_dim=8,
        lr=1e-2,
        max_epochs=100,
        validation_fraction=None,
        random_state=0,
    ).fit(X, X)
    error = ((dae.decode(dae.encode(X)) - X) ** 2).mean()
    assert error < 1.02 * best


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["dense", Conv(filters=(16, 32))], ids=str)
def test_autoencoder_beats_the_filters(digits, architecture):
    X_noisy, X_clean = digits
    dae = DenoisingAutoencoder(architecture, noise=NOISE, max_epochs=30, lr=4e-3, random_state=0)
    error = -dae.fit(X_clean[:1200]).score(X_noisy[1200:], X_clean[1200:])
    for baseline in (MeanFilter(), MedianFilter()):
        assert error < -0.8 * baseline.fit(X_noisy).score(X_noisy[1200:], X_clean[1200:])


def test_fresh_noise_trains_better_than_fixed_noise(digits):
    X_noisy, X_clean = digits
    dae = DenoisingAutoencoder("dense", max_epochs=40, random_state=0)
    fixed = clone(dae).fit(X_noisy[:800], X_clean[:800]).score(X_noisy[800:], X_clean[800:])
    fresh = dae.set_params(noise=NOISE).fit(X_clean[:800]).score(X_noisy[800:], X_clean[800:])
    assert fresh > fixed


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_falls(digits, loss):
    dae = small(loss=loss, noise=NOISE, max_epochs=6).fit(digits[1])
    losses = [row["train_loss"] for row in dae.history_]
    assert losses[-1] < 0.95 * losses[0]


def test_ssim_loss_is_one_minus_the_metric():
    X, y = np.random.default_rng(0).random((2, 4, 12, 10, 3)).astype(np.float32)
    loss = LOSSES["ssim"](*(torch.from_numpy(a).permute(0, 3, 1, 2) for a in (X, y)))
    assert loss.item() == pytest.approx(1 - structural_similarity(y, X), rel=1e-4)


def test_callable_loss_is_used(digits):
    seen = []

    def loss(prediction, target):
        seen.append(prediction.shape)
        return (prediction - target).pow(4).mean()

    small(loss=loss, batch_size=100).fit(*digits)
    assert set(seen[:5]) == {(100, 64)}


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, torch.optim.NAdam])
def test_every_optimizer_learns(digits, optimizer):
    dae = small(optimizer=optimizer, noise=NOISE, max_epochs=5).fit(digits[1])
    assert dae.history_[-1]["valid_loss"] < dae.history_[0]["valid_loss"]


@pytest.mark.parametrize("schedule", [None, *LR_SCHEDULES])
def test_learning_rate_follows_its_schedule(digits, schedule):
    dae = small(lr_schedule=schedule, noise=NOISE, max_epochs=8, lr=0.01).fit(digits[1])
    rates = np.array([row["lr"] for row in dae.history_])
    if schedule == "cosine":
        expected = 0.005 * (1 + np.cos(np.pi * np.arange(1, 9) / 8))
        np.testing.assert_allclose(rates, expected, atol=1e-8)
    elif schedule == "onecycle":
        assert 0.5 < rates.argmax() < 4
        assert rates[-1] < 1e-4
    else:
        assert (rates == 0.01).all()


def test_plateau_divides_the_rate_when_nothing_improves(digits):
    # A rate too small to change a float32 weight: the loss stands still.
    dae = small(lr_schedule="plateau", lr=1e-12, max_epochs=6, weight_decay=0).fit(*digits)
    assert dae.history_[-1]["lr"] == pytest.approx(2e-13)


def test_early_stopping_restores_the_best_weights(digits):
    X_noisy, X_clean = digits
    dae = DenoisingAutoencoder(
        Dense(hidden=(256,)),
        early_stopping=True,
        patience=3,
        max_epochs=300,
        lr=5e-3,
        lr_schedule=None,
        random_state=0,
    ).fit(X_noisy[:200], X_clean[:200])
    losses = [row["valid_loss"] for row in dae.history_]
    assert len(losses) < 300
    assert int(np.argmin(losses)) == len(losses) - 4
    order = torch.randperm(200, generator=torch.Generator().manual_seed(_order_seed(dae)))
    held_out = order[:20].numpy()
    error = -dae.score(X_noisy[held_out], X_clean[held_out])
    # The loss has no clipping, which can only lower the error.
    assert error <= min(losses) * 1.0001
    assert error > 0.9 * min(losses)


def _order_seed(dae):
    return np.random.SeedSequence([dae._seed, 1]).generate_state(4).tolist()[2]


# The contract


@pytest.mark.parametrize("shape", [(64,), (8, 8), (8, 8, 1), (4, 4, 4)])
@pytest.mark.parametrize("architecture", ["linear", "dense", "conv"])
def test_what_comes_in_flat_goes_out_flat(digits, architecture, shape):
    X_noisy, X_clean = (X[:64].reshape(64, *shape) for X in digits)
    dae = small(architecture=architecture).fit(X_noisy, X_clean)
    X_denoised = dae.predict(X_noisy)
    assert X_denoised.shape == X_noisy.shape
    assert X_denoised.dtype == np.float32
    np.testing.assert_array_equal(dae.transform(X_noisy), X_denoised)
    np.testing.assert_allclose(dae.decode(dae.encode(X_noisy)), X_denoised, atol=1e-6)
    assert not dae.module_.training


def test_auto_chooses_by_geometry_and_code(digits):
    def chosen(X, **options):
        net = DenoisingAutoencoder(max_steps=1, max_epochs=1, **options).fit(X, X)
        return repr(net.net_.plan.architecture)

    rng, X = np.random.default_rng(0), digits[1][:64]
    large, waves = X.repeat(3, axis=1).repeat(3, axis=2), rng.normal(size=(20, 400)).cumsum(axis=1)
    assert chosen(X) == chosen(X.reshape(64, -1)) == "UNet()"
    assert chosen(large) == chosen(X.reshape(8, 8, 8, 8), channel_axis=None)
    assert chosen(large) == "UNet(filters=(16, 32, 64))"
    signals = {"image_shape": (400,)}, {"image_shape": (200, 2), "channel_axis": -1}
    assert {chosen(waves, **each) for each in signals} == {"UNet(filters=(16, 32, 64, 64))"}
    with pytest.warns(UserWarning, match="taken as 1-D signals"):
        assert chosen(waves) == "UNet(filters=(16, 32, 64, 64))"
    # Columns of a table in any order.
    assert chosen(rng.normal(size=(40, 30))) == chosen(rng.normal(size=(40, 7))) == "Dense()"
    assert chosen(X, latent_dim=4) == chosen(X.reshape(64, -1), latent_dim=4) == "Dense()"
    assert chosen(rng.random((4, 72, 72)), latent_dim=4) == "Conv()"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "shape", "n_epochs"),
    [
        (50, (8, 8), 20),
        (800, (8, 8), 13),
        (2500, (8, 8), 6),
        # Channels are no more pixels.
        (800, (8, 8, 3), 13),
        # Of signals, enough for as many steps count, too.
        (300, (64,), 20),
        (600, (256,), 10),
        (1500, (64,), 7),
    ],
)
def test_auto_shows_so_many_pixels_or_signals_within_limits(n, shape, n_epochs, monkeypatch):
    pixels = {1: 7 * 1500 * 64, 2: 13 * 800 * 64}
    monkeypatch.setattr("skdae.denoisers.learned._PIXELS", pixels)
    monkeypatch.setattr("skdae.denoisers.learned._SIGNALS", 10 * 600)
    X = np.random.default_rng(0).random((n, *shape)).astype(np.float32)
    params = {"noise": NOISE, "batch_size": 500}
    if len(shape) == 1:
        params["image_shape"] = shape
    dae = DenoisingAutoencoder(**params).fit(X)
    assert dae.n_iter_ == n_epochs
    assert DenoisingAutoencoder("linear", **params).fit(X).n_iter_ == 20


@pytest.mark.parametrize(("n", "n_epochs"), [(50, 40), (2000, 31), (6000, 20)])
@pytest.mark.filterwarnings("ignore:The network denoises its .* images no better")
def test_a_code_of_few_small_images_is_learned_for_longer(n, n_epochs):
    X = np.random.default_rng(0).random((n, 8, 8)).astype(np.float32)
    dae = DenoisingAutoencoder(noise=NOISE, batch_size=5000, latent_dim=2).fit(X)
    assert dae.n_iter_ == n_epochs


@pytest.mark.slow
def test_the_default_is_better_than_its_input_and_than_filters(digits):
    X, X_test = digits[1][:800], digits[1][800:1000]
    noise = GaussianNoise(0.1, random_state=0)
    X_noisy = noise.fit(X).transform(X_test)
    filters = [GaussianFilter(s) for s in (0.3, 0.5, 0.7)] + [MedianFilter(3)]
    best = max(peak_signal_noise_ratio(X_test, f.fit_transform(X_noisy)) for f in filters)
    net = DenoisingAutoencoder(noise=noise, random_state=0).fit(X)
    assert peak_signal_noise_ratio(X_test, net.predict(X_noisy)) > best + 1


@pytest.mark.filterwarnings("ignore:X has values from")
def test_predictions_stay_in_the_unit_range_where_the_targets_do(digits):
    X_noisy, X_clean = digits
    dae = small().fit(X_noisy, 0.25 + X_clean / 2)
    assert dae.predict(X_noisy * 50).min() == 0
    assert dae.predict(X_noisy * 50).max() == 1
    assert small().fit(X_noisy, X_noisy).predict(X_noisy * 50).max() > 1.5


@pytest.mark.parametrize("factor", [255, 0.001])
def test_images_in_other_units_than_at_fit_are_noticed(digits, factor):
    dae = small(noise=GaussianNoise(0.5, clip=None)).fit(digits[1])
    dae.predict(digits[0])
    dae.predict(digits[1])
    with pytest.warns(UserWarning, match=r"X has values from .* at fit they were from -[12]"):
        dae.predict(digits[1] * factor)


def test_bce_needs_probabilities(digits):
    with pytest.raises(ValueError, match="no gradient outside"):
        small(loss="bce", output_activation="identity").fit(*digits)


def test_images_set_aside_stay_so_in_a_warm_start(digits):
    X = digits[1]
    dae = small(noise=NOISE, warm_start=True, early_stopping=False)
    seen = []

    class Look(Callback):
        def on_train_begin(self, net, X=None, y=None, **kwargs):
            seen.append((set(X.rows.tolist()), set(y.rows.tolist())))

    dae.set_params(callbacks=[Look()])
    dae.fit(X).fit(X)
    assert seen[0] == seen[1]


def test_options_of_the_optimizer_come_by_partial(digits):
    optimizer = partial(torch.optim.AdamW, betas=(0.5, 0.9), weight_decay=0.25)
    dae = clone(small(optimizer=optimizer)).fit(*digits)
    group = dae.net_.optimizer_.param_groups[0]
    assert (group["betas"], group["weight_decay"]) == ((0.5, 0.9), 0.25)


@pytest.mark.parametrize("optimizer", [partial(dict), torch.optim.LBFGS, dict])
def test_what_is_not_an_optimizer_is_refused(digits, optimizer):
    with pytest.raises(TypeError, match=r"functools\.partial of one with its options"):
        small(optimizer=optimizer).fit(*digits)


@pytest.mark.parametrize("direct", [True, False])
def test_an_interruption_ends_a_search(digits, direct):
    dae = small(callbacks=[CtrlC("on_batch_begin", epoch=2)], max_epochs=3, noise=NOISE)
    if direct:
        with pytest.warns(UserWarning, match="interrupted.* 1 of 3"):
            make_pipeline(MinMaxScaler(), dae).fit(digits[1].reshape(-1, 64))
        return
    search = GridSearchCV(dae, {"lr": [1e-3]}, cv=2)
    with pytest.raises(KeyboardInterrupt):
        search.fit(digits[1])


def test_early_stopping_of_skorch_does_not_end_a_search(digits):
    dae = small(callbacks=[EarlyStopping(patience=1, threshold=10)], max_epochs=9, noise=NOISE)
    search = GridSearchCV(dae, {"lr": [1e-3]}, cv=2).fit(digits[1])
    assert search.best_estimator_.n_iter_ == 2


def test_a_batch_of_one_row_says_what_it_needs(digits):
    dae = small(architecture=Dense(hidden=(4,), batch_norm=True), batch_size=1)
    with pytest.raises(ValueError, match="batch of one row has nothing to normalize"):
        dae.fit(*digits)


def test_training_goes_by_float32_whatever_the_default_of_torch(digits):
    expected = small().fit(*digits)
    torch.set_default_dtype(torch.float64)
    try:
        dae = small().fit(*digits)
        np.testing.assert_array_equal(dae.predict(digits[0]), expected.predict(digits[0]))
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_parts_cost_the_same_however_many_came_before(digits):
    dae = small(noise=NOISE).partial_fit(digits[1])
    first = dae.history_[0]
    dae.partial_fit(digits[1])
    # Rows are shared, not copied.
    assert dae.history_[0] is first


def test_bce_predicts_probabilities(digits):
    X_denoised = small(loss="bce").fit(*digits).predict(digits[0])
    assert X_denoised.min() > 0
    assert X_denoised.max() < 1


def test_uint8_is_the_float_image(digits):
    levels = (digits[1][:100] * 255).astype(np.uint8)
    floats = levels.astype(np.float32) / 255
    from_levels, from_floats = (small().fit(X, X) for X in (levels, floats))
    np.testing.assert_array_equal(from_levels.predict(levels), from_floats.predict(floats))


def test_score_corrupts_clean_images_with_keyed_noise(digits):
    X = digits[1]
    dae = small(noise=GaussianNoise(std=0.3)).fit(X)
    X_noisy = dae.noise_.transform(X)
    assert dae.score(X) == dae.score(X) == dae.score(X_noisy, X)
    assert dae.score(X_noisy, X) == pytest.approx(-((dae.predict(X_noisy) - X) ** 2).mean())
    assert dae.score(X, np.arange(len(X))) == dae.score(X)


def test_score_corrupts_with_noise_that_acts_in_fit_alone(digits):
    X = digits[1]
    scores = [
        small(noise=GaussianNoise(std=0.3, random_state=0, when=when)).fit(X).score(X)
        for when in ("always", "fit")
    ]
    assert scores[0] == scores[1]


def test_score_samples_is_low_for_strange_images(digits):
    X_noisy, X_clean = digits
    dae = small(max_epochs=20, noise=NOISE).fit(X_clean)
    strange = np.random.default_rng(0).permuted(X_clean.reshape(-1, 64), axis=1).reshape(-1, 8, 8)
    scores = dae.score_samples(X_clean)
    assert scores.shape == (len(X_clean),)
    errors = ((dae.predict(X_clean) - X_clean) ** 2).mean(axis=(1, 2))
    np.testing.assert_allclose(scores, -errors, rtol=1e-5)
    assert scores.mean() > dae.score_samples(strange).mean()


def test_plain_autoencoder_warns_and_shows_the_way(digits):
    X = digits[1][:50]
    with pytest.warns(UserWarning, match=r"fit\(X_noisy, X_clean\)") as record:
        small().fit(X)
    (warning,) = [w for w in record if w.category is UserWarning]
    assert warning.filename == __file__
    with pytest.warns(UserWarning, match=r"noise=GaussianNoise\(\)"):
        small().fit(X, np.arange(50))
    small().fit(X, X)


def test_codes_have_latent_dim_values(digits):
    X_noisy, X_clean = digits
    for architecture in ("linear", "dense", "conv"):
        dae = small(architecture=architecture, latent_dim=5, transform_to="latent")
        Z = dae.fit(X_noisy, X_clean).transform(X_noisy)
        assert Z.shape == (len(X_noisy), 5)
        np.testing.assert_allclose(dae.inverse_transform(Z), dae.predict(X_noisy), atol=1e-6)
        assert list(dae.get_feature_names_out())[:1] == ["denoisingautoencoder0"]
    assert not hasattr(small(), "inverse_transform")


def test_super_resolution_by_pairs_and_by_noise(digits):
    X = digits[1]
    X_low = Downsample(factor=2).fit_transform(X)
    for architecture in ("dense", "conv"):
        by_pairs = small(architecture=architecture).fit(X_low, X)
        by_noise = small(architecture=architecture, noise=Downsample(factor=2)).fit(X)
        for dae in (by_pairs, by_noise):
            assert dae.image_shape_ == (8, 8)
            assert dae.predict(X_low).shape == X.shape
        assert by_noise.score(X) == pytest.approx(by_noise.score(X_low, X))


def test_super_resolution_goes_on_and_takes_signals():
    rows = np.random.default_rng(0).random((40, 64))
    noise = Downsample(factor=2, image_shape=(64,))
    dae = small(noise=noise, image_shape=(64,)).fit(rows)
    assert dae.score(rows) == pytest.approx(dae.score(noise.fit_transform(rows), rows))
    assert dae.partial_fit(rows).set_params(warm_start=True).fit(rows).image_shape_ == (64,)


@pytest.mark.parametrize("architecture", ["dense", Conv((4,)), UNet((4, 8))], ids=repr)
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((40, 32), {"image_shape": (32,)}),
        ((40, 32, 2), {"channel_axis": -1}),
        ((40, 4, 6, 8), {"channel_axis": None}),
        ((40, 4, 6, 8, 2), {}),
        ((40, 192), {"image_shape": (4, 6, 8), "channel_axis": None}),
    ],
)
def test_signals_and_volumes_go_out_as_they_came(architecture, shape, options, tmp_path):
    X = np.random.default_rng(0).random(shape).astype(np.float32)
    dae = small(architecture=architecture, noise=NOISE, **options).fit(X)
    X_denoised = dae.predict(X)
    assert X_denoised.shape == shape
    dae.save(tmp_path / "dae")
    np.testing.assert_array_equal(load(tmp_path / "dae").predict(X), X_denoised)


def test_conv_nets_without_a_dense_code_take_other_sizes(digits):
    dae = small(architecture="conv").fit(*digits)
    assert dae.predict(np.zeros((2, 11, 13))).shape == (2, 11, 13)


# Modules of one's own


class Halves(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.up = nn.Linear(64, 3), nn.Linear(3, 64)

    def encode(self, x):
        return self.down(x)

    def decode(self, code):
        return self.up(code)

    def forward(self, x):
        return self.decode(self.encode(x))


def test_module_class_and_instance_train_and_encode(digits):
    rows = digits[1].reshape(-1, 64)
    module = Halves()
    before = module.down.weight.clone()
    for architecture in (Halves, module):
        dae = small(architecture=architecture).fit(rows, rows)
        assert dae.encode(rows).shape == (len(rows), 3)
    assert torch.equal(module.down.weight, before)


class InPlace(nn.Sequential):
    """Works on its input itself."""

    def __init__(self):
        super().__init__(nn.ReLU(inplace=True), nn.Linear(64, 64))


def test_net_that_works_in_place_reaches_neither_targets_nor_the_caller(digits):
    X = digits[1].reshape(-1, 64) - 0.5
    before = X.copy()
    dae = small(architecture=InPlace, validation_fraction=None, lr=1e-12, weight_decay=0)
    error = ((dae.fit(X, X).predict(X) - X) ** 2).mean()
    np.testing.assert_array_equal(X, before)
    assert dae.history_[0]["train_loss"] == pytest.approx(error / dae.scaling_[1] ** 2, rel=1e-3)


class Weighted(nn.Module):
    """A loss with weights of its own, which are trained with the net."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(64))
        self.gradients_before = []

    def forward(self, prediction, target):
        self.gradients_before.append(self.weight.grad)
        return ((prediction - target) ** 2 * self.weight.softmax(0)).sum(1).mean()


def test_loss_with_weights_of_its_own_is_trained_with_the_net(digits):
    dae = small(loss=Weighted(), validation_fraction=None).fit(*digits)
    loss = dae.net_.criterion_.function
    assert (loss.weight != 1).any()
    assert all(gradient is None for gradient in loss.gradients_before)


def test_a_loss_learns_in_a_copy_that_the_next_fit_goes_on_with(digits):
    dae = small(loss=Weighted(), warm_start=True).fit(*digits)
    first = dae.net_.criterion_.state_dict()["function.weight"].clone()
    assert (first != 1).any()
    dae.set_params(lr=1e-9).fit(*digits)
    assert (dae.loss.weight == 1).all()
    second = dae.net_.criterion_.state_dict()["function.weight"]
    torch.testing.assert_close(first, second, atol=1e-6, rtol=0)


def test_module_for_images_gets_channels_first(digits):
    dae = small(architecture=nn.Conv2d(1, 1, 3, padding=1)).fit(*digits)
    assert dae.predict(digits[0]).shape == digits[0].shape
    assert not hasattr(dae, "encode")
    assert not hasattr(dae, "decode")


# Going on


def test_warm_start_goes_on_from_the_weights(digits):
    dae = small(noise=NOISE, warm_start=True, max_epochs=5).fit(digits[1])
    first = dae.history_[-1]["train_loss"]
    dae.fit(digits[1])
    assert dae.n_iter_ == 5
    assert len(dae.history_) == 10
    assert dae.history_[5]["train_loss"] < 1.2 * first


def test_partial_fit_learns_from_parts(digits):
    X_noisy, X_clean = digits
    dae = small()
    for _ in range(5):
        for part in np.array_split(np.arange(len(X_clean)), 4):
            dae.partial_fit(X_noisy[part], X_clean[part])
    assert len(dae.history_) == 20
    assert dae.history_[-1]["train_loss"] < 0.7 * dae.history_[0]["train_loss"]


def test_partial_fit_goes_on_however_estimators_are_printed(digits):
    with config_context(print_changed_only=False):
        dae = small().partial_fit(*digits)
    with config_context(print_changed_only=True):
        assert len(dae.partial_fit(*digits).history_) == 2


def test_partial_fit_after_fit_still_learns(digits):
    dae = small(noise=NOISE).fit(digits[1])
    before = dae.module_.encoder[0].weight.clone()
    dae.partial_fit(digits[1])
    assert (dae.module_.encoder[0].weight != before).any()
    assert dae.history_[-1]["lr"] == dae.lr


class CtrlC(Callback):
    """Interrupts in one epoch, at one of its hooks."""

    def __init__(self, hook, epoch):
        self.hook, self.epoch = hook, epoch

    def _interrupt(self, hook, net):
        # The fourth batch, where the hook is one of a batch.
        is_time = "epoch" in hook or len(net.history[-1]["batches"]) > 3
        if (hook, len(net.history)) == (self.hook, self.epoch) and is_time:
            raise KeyboardInterrupt

    def on_epoch_begin(self, net, **kwargs):
        self._interrupt("on_epoch_begin", net)

    def on_batch_begin(self, net, **kwargs):
        self._interrupt("on_batch_begin", net)

    def on_batch_end(self, net, **kwargs):
        self._interrupt("on_batch_end", net)


@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_batch_begin", "on_batch_end"])
def test_interruption_keeps_whole_epochs(digits, hook):
    params = {"noise": NOISE, "lr_schedule": None}
    dae = small(callbacks=[CtrlC(hook, epoch=3)], max_epochs=10, **params)
    with pytest.warns(UserWarning, match="interrupted.* 2 of 10 epochs"):
        dae.fit(digits[1])
    assert dae.n_iter_ == len(dae.history_) == 2
    whole = small(max_epochs=2, **params).fit(digits[1])
    for a, b in zip(weights(dae), weights(whole), strict=True):
        np.testing.assert_array_equal(a, b)


def test_interruption_in_the_first_epoch_changes_nothing(digits):
    dae = small(callbacks=[CtrlC("on_batch_end", epoch=1)])
    with pytest.raises(KeyboardInterrupt):
        dae.fit(*digits)
    with pytest.raises(NotFittedError):
        dae.predict(digits[0])


class BlowUp(nn.Linear):
    """Works for some batches, then returns NaN."""

    def __init__(self, good=30):
        super().__init__(64, 64)
        self.good = good

    def forward(self, x):
        self.good -= self.training
        return super().forward(x) * (1.0 if self.good >= 0 else float("nan"))


def test_divergence_restores_the_last_good_weights(digits):
    rows = digits[0].reshape(-1, 64)
    with pytest.warns(ConvergenceWarning, match="weights of epoch 2 were restored"):
        dae = small(architecture=BlowUp(), max_epochs=9, batch_size=128).fit(rows, rows)
    assert dae.n_iter_ == 2
    assert np.isfinite(dae.module_.weight.detach().numpy()).all()


def test_weights_that_blow_up_in_the_last_step_are_noticed(digits):
    X = digits[1][:60]
    dae = small(lr=1e39, optimizer="sgd", lr_schedule=None, validation_fraction=None)
    with pytest.raises(ValueError, match=r"lr=1e\+39"):
        dae.set_params(batch_size=60).fit(X, X)


def test_divergence_in_the_first_epoch_names_lr(digits):
    rows = digits[0].reshape(-1, 64)
    dae = small().fit(rows, rows)
    before = dae.predict(rows)
    with pytest.raises(ValueError, match="lr="):
        dae.set_params(architecture=BlowUp(good=1)).fit(rows, rows)
    np.testing.assert_array_equal(dae.predict(rows), before)


# Callbacks and history


def test_partial_fit_takes_new_parameters_of_the_optimizer(digits):
    dae = small().fit(*digits).set_params(weight_decay=0.5, lr=0.01).partial_fit(*digits)
    group = dae.net_.optimizer_.param_groups[0]
    assert (group["weight_decay"], group["lr"]) == (0.5, 0.01)


def test_fit_no_better_than_a_constant_image_says_so(digits):
    # So small a rate leaves the net where it began.
    with pytest.warns(ConvergenceWarning, match="no better than one constant image") as record:
        small(noise=NOISE, lr=1e-9).fit(digits[1])
    assert record[0].filename == __file__


def test_fit_without_validation_says_so_too(digits):
    with pytest.warns(ConvergenceWarning, match="its training images no better than one constant"):
        small(noise=NOISE, lr=1e-9, validation_fraction=None).fit(digits[1])
    # Steps that were asked for come before epochs.
    with pytest.warns(ConvergenceWarning, match=r"Train longer \(max_steps=3\)"):
        small(noise=NOISE, lr=1e-9, max_steps=3).fit(digits[1])


def raw_table(n=200):
    rng = np.random.default_rng(0)
    units = np.array([1, 1e3, 1, 1e-2, 50, 1e4, 1, 1])
    return pandas.DataFrame(rng.gamma(4, 1, (n, 8)) * units).add_prefix("column ")


def one_unit(n=200):
    """Spectra with peaks of several widths, weak noise, and a scale of counts."""
    rng, t = np.random.default_rng(0), np.arange(120)
    for width in (1, 3, 10):
        peaks = np.exp(-((t - rng.uniform(0, 120, (4, 1))) ** 2) / (2 * width**2))
        spectra = rng.uniform(0.2, 1, (n, 4)) @ peaks
        yield 1e4 * (spectra + rng.normal(0, 1e-3, spectra.shape))
    yield np.exp(-t / 10) * rng.uniform(0.5, 1, (n, 1))
    yield load_digits().data
    yield (load_digits().data * 15.9).astype(np.uint8)
    camera = skimage.data.camera()
    yield 257.0 * np.lib.stride_tricks.sliding_window_view(camera, (9, 11))[::16, ::16].reshape(
        -1, 99
    )
    yield load_iris().data
    yield StandardScaler().fit_transform(load_breast_cancer().data)


@pytest.mark.parametrize(
    "table",
    [
        load_breast_cancer().data,
        load_breast_cancer().data[:20],
        load_wine().data,
        load_diabetes(scaled=False).data,
        raw_table(),
        raw_table().to_numpy(np.float32),
        np.random.default_rng(0).normal([0, 2000, 1, 50, 0], 1, (100, 5)),
    ],
    ids=["cancer", "few", "wine", "diabetes", "DataFrame", "float32", "levels"],
)
def test_tables_in_raw_units_are_told_of(table):
    dae = small(noise=MaskingNoise())
    with pytest.warns(UserWarning, match="table in raw units: .*StandardScaler") as record:
        dae.fit(table)
    record = [w for w in record if w.category is UserWarning]
    assert len(record) == 1
    assert record[0].filename == __file__
    with pytest.warns(UserWarning, match="table in raw units"):
        clone(dae).partial_fit(table)
    scaled = make_pipeline(StandardScaler(), clone(dae))
    # Of a signal, the user says so.
    signals = clone(dae).set_params(image_shape=(table.shape[1],))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        scaled.fit(table)
        signals.fit(np.asarray(table))


def test_the_columns_that_are_named_are_the_largest_and_the_smallest():
    with pytest.warns(UserWarning, match="column 5 spans .*, column 3 only "):
        small(noise=MaskingNoise()).fit(raw_table())


def test_rows_in_one_unit_are_not_taken_for_tables():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        for X in one_unit():
            small(noise=MaskingNoise()).fit(X)


MESSAGE = r"no better than leaving them .* is (\S+), that of the noisy images (\S+), (\S+) dB less"


@pytest.mark.parametrize("scale", [1, 4095])
@pytest.mark.parametrize("own", ["noise", "pairs", "validation_data", "no validation"])
def test_fit_that_harms_says_so_in_the_units_of_the_images(digits, scale, own):
    """Two values hold less of a digit than weak noise leaves of it."""
    X, n = scale * digits[1][:300], 100
    noise = GaussianNoise(0.05 * scale, clip=None, random_state=0)
    noisy, params = noise.fit_transform(X), {"max_epochs": 40, "latent_dim": 2, "lr": 0.01}
    fits = {
        "noise": lambda: small(noise=noise, **params).fit(X),
        "pairs": lambda: small(**params).fit(noisy, X),
        "validation_data": lambda: small(**params).fit(
            noisy[n:], X[n:], validation_data=(noisy[:n], X[:n])
        ),
        "no validation": lambda: small(validation_fraction=None, **params).fit(noisy, X),
    }
    with pytest.warns(ConvergenceWarning, match=MESSAGE) as record:
        dae = fits[own]()
    message = str(record[0].message)
    error, noisy_error, decibels = map(float, re.search(MESSAGE, message).groups())
    assert record[0].filename == __file__
    assert "larger latent_dim" in message
    # Weights of some batches alone are looked at.
    mse = np.mean((dae.predict(noisy) - X) ** 2)
    assert error == pytest.approx(mse, rel=0.25)
    assert noisy_error == pytest.approx((0.05 * scale) ** 2, rel=0.1)
    assert decibels == pytest.approx(10 * np.log10(error / noisy_error), abs=0.06)
    if own == "validation_data":
        mse = np.mean((dae.predict(noisy[:n]) - X[:n]) ** 2)
        assert error == pytest.approx(mse, rel=1e-2)
        assert noisy_error == pytest.approx(np.mean((noisy[:n] - X[:n]) ** 2), rel=1e-3)


def test_inputs_that_are_no_answer_are_not_compared_with(digits):
    """A plain autoencoder gets its target."""
    X = digits[1][:300]
    params = {"max_epochs": 40, "lr": 0.01, "latent_dim": 2}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(**params).fit(X, X)


@pytest.mark.parametrize(
    ("params", "n"),
    [({"validation_fraction": 0.1}, 1000), ({}, 1000), ({"lr": 1e-9}, 20)],
    ids=str,
)
def test_fit_that_learns_or_cannot_be_judged_does_not_warn(digits, params, n):
    params = {"validation_fraction": None, **params}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(architecture="dense", noise=NOISE, max_epochs=5, **params).fit(digits[1][:n])


def test_history_has_a_row_an_epoch(digits):
    dae = small(noise=NOISE, max_epochs=3).fit(digits[1])
    assert dae.n_iter_ == len(dae.history_) == 3
    assert [row["epoch"] for row in dae.history_] == [1, 2, 3]
    assert {"train_loss", "valid_loss", "lr", "dur"} <= set(dae.history_[0])
    assert "valid_loss" not in small(validation_fraction=None).fit(*digits).history_[0]


def test_callbacks_of_skorch_work(digits):
    class Counter(Callback):
        def __init__(self):
            self.epochs = self.batches = self.begun = 0

        def on_train_begin(self, net, **kwargs):
            self.begun += 1

        def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
            self.epochs += 1
            assert len(dataset_train) + len(dataset_valid) == 1797

        def on_batch_end(self, net, batch=None, training=False, **kwargs):
            self.batches += training

    def peak(net, X, y):
        return float(np.max(net.predict(X)))

    counter = Counter()
    callbacks = [
        counter,
        LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5),
        EpochScoring(peak, name="peak", use_caching=False),
    ]
    dae = small(callbacks=callbacks, lr_schedule=None, batch_size=100, lr=0.01).fit(*digits)
    assert (counter.begun, counter.epochs, counter.batches) == (1, 2, 2 * 17)
    assert dae.net_.optimizer_.param_groups[0]["lr"] == pytest.approx(0.0025)
    assert dae.history_[-1]["peak"] > 0


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_gradients_are_clipped_by_skorch(digits, precision):
    params = {
        "optimizer": torch.optim.SGD,
        "weight_decay": 0,
        "max_steps": 1,
        "precision": precision,
    }
    first = small(lr=1e-12, **params).fit(*digits).module_
    steps = []
    for callbacks in [None, [GradientNormClipping(1e-3)]]:
        module = small(lr=1.0, callbacks=callbacks, **params).fit(*digits).module_
        pairs = zip(module.parameters(), first.parameters(), strict=True)
        steps.append(sum((a - b).square().sum() for a, b in pairs).sqrt().item())
    # The weights have moved by the rate times the norm of the gradient.
    assert steps[0] > 0.01
    assert steps[1] == pytest.approx(1e-3, rel=0.01)


def test_score_samples_take_images_of_different_sizes(digits):
    images = [digits[1][0], digits[1][1][:6], digits[1][2][:, :7]]
    dae = small(architecture="dncnn", noise=NOISE, patch_size=6, max_epochs=1).fit(images)
    each = [dae.score_samples(image[None])[0] for image in images]
    np.testing.assert_array_equal(dae.score_samples(images), each)


class Rows(Callback):
    """Remembers which images are set aside."""

    def on_epoch_end(self, net, dataset_valid, **kwargs):
        self.rows = dataset_valid.rows.numpy()


@pytest.mark.parametrize(
    ("params", "scale"),
    [
        ({"architecture": "dense"}, 1),
        ({"architecture": "dense"}, 1000),
        ({"architecture": Conv((4,))}, 1),
        ({"architecture": Conv((4,))}, 1000),
        ({"loss": "bce"}, 1),
    ],
    ids=str,
)
def test_scorers_in_callbacks_score_the_validation_images(digits, params, scale):
    X_noisy, X_clean = (scale * X[:200] for X in digits)
    psnr, ssim = (denoising_scorer(name, data_range=scale) for name in ("psnr", "ssim"))
    rows = Rows()
    callbacks = [
        rows,
        EpochScoring(psnr, lower_is_better=False),
        ("ssim", EpochScoring(ssim, lower_is_better=False)),
        ("again", EpochScoring(psnr, use_caching=False, name="again")),
        ("train", EpochScoring(denoising_scorer("mae"), on_train=True, name="train_mae")),
        ("batch", BatchScoring(psnr, name="batches")),
    ]
    dae = small(**params, callbacks=callbacks, validation_fraction=0.2).fit(X_noisy, X_clean)
    valid, last = (X_noisy[rows.rows], X_clean[rows.rows]), dae.history_[-1]
    assert last["psnr"] == pytest.approx(psnr(dae, *valid), rel=1e-4)
    assert last["ssim"] == pytest.approx(ssim(dae, *valid), rel=1e-4)
    for name in ("again", "batches"):
        assert last[name] == pytest.approx(last["psnr"], rel=1e-3)
    assert last["train_mae"] < 0
    assert last["psnr_best"] == (last["psnr"] > dae.history_[0]["psnr"])


def test_a_scorer_with_noise_is_not_for_callbacks(digits):
    callbacks = [EpochScoring(denoising_scorer("psnr", noise=NOISE))]
    with pytest.raises(ValueError, match=r"pass denoising_scorer\('psnr'\) to callbacks"):
        small(callbacks=callbacks, noise=NOISE).fit(digits[1][:100])


def test_checkpoint_of_skorch_saves_the_best_weights(digits, tmp_path):
    best = Checkpoint(monitor="valid_loss_best", dirname=tmp_path)
    callbacks = [best, TrainEndCheckpoint(dirname=tmp_path / "end")]
    dae = small(callbacks=callbacks).fit(*digits)
    state = torch.load(tmp_path / "params.pt", weights_only=True)
    assert torch.equal(state["encoder.0.weight"], dae.module_.encoder[0].weight)


@pytest.mark.parametrize(("verbose", "expected"), [(0, ""), (1, "epoch 2/2"), (2, "train_loss")])
def test_verbose_says_as_much_as_asked(digits, capsys, verbose, expected):
    small(verbose=verbose).fit(*digits)
    printed = "".join(capsys.readouterr())
    assert expected in printed if expected else not printed


# The same bits


def weights(dae):
    return [p.detach().numpy() for p in dae.module_.parameters()]


@pytest.mark.parametrize(
    "architecture", [Dense(hidden=(16,), dropout=0.3), Conv(filters=(8,))], ids=str
)
def test_same_seed_gives_the_same_bits(digits, architecture):
    X = digits[1][:300]
    runs = [
        small(architecture=architecture, noise=NOISE, verbose=verbose).fit(X) for verbose in (0, 0)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runs.append(small(architecture=architecture, noise=NOISE, callbacks=[Callback()]).fit(X))
    for other in runs[1:]:
        for a, b in zip(weights(runs[0]), weights(other), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(runs[0].predict(X), other.predict(X))
    assert any(
        (a != b).any()
        for a, b in zip(weights(runs[0]), weights(_other(architecture, X)), strict=True)
    )


def _other(architecture, X):
    return small(architecture=architecture, noise=NOISE, random_state=1).fit(X)


def test_fits_in_threads_give_the_serial_bits(digits):
    X = digits[1][:300]
    noisy = {"architecture": Dense(hidden=(16,), dropout=0.3), "noise": NOISE}
    before = torch.get_rng_state()
    with ThreadPoolExecutor(4) as pool:
        fits = list(pool.map(lambda seed: small(random_state=seed, **noisy).fit(X), [0, 1, 0, 1]))
        parallel = list(pool.map(lambda dae: dae.predict(X), [fits[0]] * 8))
    assert torch.equal(torch.get_rng_state(), before)
    for seed, dae in zip([0, 1, 0, 1], fits, strict=True):
        serial = small(random_state=seed, **noisy).fit(X)
        np.testing.assert_array_equal(dae.predict(X), serial.predict(X))
    for prediction in parallel:
        np.testing.assert_array_equal(prediction, fits[0].predict(X))


def test_global_state_is_left_as_found(digits):
    numpy_before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()
    threads = torch.get_num_threads()
    small(random_state=None, noise=GaussianNoise()).fit(digits[1]).predict(digits[0])
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_precision_is_what_was_asked(digits, precision):
    dae = small(architecture=Conv(filters=(8,)), precision=precision, max_epochs=3).fit(*digits)
    assert dae.precision_ == precision
    assert dae.history_[-1]["train_loss"] < dae.history_[0]["train_loss"]
    assert dae.predict(digits[0]).dtype == np.float32
    assert all(w.dtype == np.float32 for w in weights(dae))


def test_pickle_round_trip_predicts_the_same(digits):
    dae = small(noise=NOISE, early_stopping=True, verbose=1).fit(digits[1])
    again = pickle.loads(pickle.dumps(dae))
    np.testing.assert_array_equal(again.predict(digits[0]), dae.predict(digits[0]))
    assert again.history_ == dae.history_
    assert again.partial_fit(digits[1]).n_iter_ == 1


def test_repr_shows_what_was_set():
    assert repr(DenoisingAutoencoder("dense", latent_dim=8)) == (
        "DenoisingAutoencoder(architecture='dense', latent_dim=8)"
    )


# Units


@pytest.mark.parametrize("architecture", [Conv((4, 8)), Dense((16,))], ids=repr)
@pytest.mark.parametrize(("factor", "offset"), [(257, 0), (1, 1000), (4, -3000)])
def test_units_come_out_as_they_went_in(digits, architecture, factor, offset):
    counts = [np.round(100 + 4000 * X) for X in digits]
    dae = small(architecture=architecture, max_epochs=3).fit(*counts)
    expected = dae.predict(counts[0])
    other = [factor * X + offset for X in counts]
    got = clone(dae).fit(*other).predict(other[0])
    span = 4000 * factor
    assert np.abs(got - (factor * expected + offset)).max() <= 1e-4 * span
    # The net has learnt something: an error below that of the noise.
    assert np.mean((expected - counts[1]) ** 2) < np.mean((counts[0] - counts[1]) ** 2)


def test_hot_pixels_do_not_decide_the_scale(digits):
    counts = 100 + 4000 * digits[1].astype(float)
    counts[3, 4, 4] = 1e6
    dae = small().fit(counts, counts)
    assert dae.scaling_[0] == pytest.approx(100)
    assert dae.scaling_[1] == pytest.approx(4000 / 4, rel=0.01)
    dae.set_params(output_activation="sigmoid").fit(counts, counts)
    assert dae.scaling_[1] == pytest.approx(4000, rel=0.01)


@pytest.mark.parametrize("value", [0.5, 7.0])
def test_constant_targets_have_a_scale(digits, value):
    constant = np.full_like(digits[1], value)
    with pytest.warns(ConvergenceWarning):
        dae = small().fit(digits[0], constant)
    assert dae.scaling_ == ((0, 1) if value < 1 else (7, 1))


def test_images_in_the_unit_range_are_not_scaled(digits):
    dae = small().fit(*digits)
    assert dae.scaling_ == (0, 1)
    levels = np.round(255 * digits[1]).astype(np.uint8)
    assert small().fit(levels, levels).scaling_ == (0, 1)


def test_a_net_learns_from_counts_with_default_noise(digits):
    X = digits[1][:60]
    scorer = denoising_scorer("psnr", data_range=4095)
    params = {"lr": 1e-3, "callbacks": [EpochScoring(scorer, lower_is_better=False)]}
    dae = small(noise=GaussianNoise(900.0), **params).fit(4095 * X)
    assert dae.noise_.clip_ is None
    assert 0 < dae.history_[-1]["psnr"] < 60
    assert small(noise=GaussianNoise(0.2)).fit(X).noise_.clip_ == (0, 1)
    assert small(noise=OneOf([GaussianNoise(900.0)])).fit(4095 * X).noise_.clip_ is None


def test_scorers_in_callbacks_take_the_range_of_the_validation_images(digits):
    X_noisy, X_clean = (4095 * X[:100] + 10 for X in digits)
    callbacks = [EpochScoring(psnr_scorer, lower_is_better=False, name="psnr")]
    dae = small(callbacks=callbacks).fit(
        X_noisy, X_clean, validation_data=(X_noisy[:20], X_clean[:20])
    )
    expected = denoising_scorer("psnr", data_range=float(np.ptp(X_clean[:20])))
    score = expected(dae, X_noisy[:20], X_clean[:20])
    assert dae.history_[-1]["psnr"] == pytest.approx(score, rel=1e-4)


def test_a_net_that_goes_on_keeps_its_scale(digits):
    counts = 100 + 4000 * digits[1]
    dae = small(noise=GaussianNoise(900.0, clip=None)).partial_fit(counts)
    scaling = dae.scaling_
    dae.partial_fit(counts[counts.mean((1, 2)) < counts.mean()])
    assert dae.scaling_ == scaling


def test_codes_take_the_scale_along(digits, tmp_path):
    counts = 100 + 4000 * digits[1]
    dae = small(architecture=Conv((4,)), latent_dim=8).fit(counts, counts)
    np.testing.assert_array_equal(dae.decode(dae.encode(counts)), dae.predict(counts))
    dae.save(tmp_path / "dae")
    again = load(tmp_path / "dae")
    assert again.scaling_ == dae.scaling_
    np.testing.assert_array_equal(again.predict(counts), dae.predict(counts))


@pytest.mark.parametrize("name", ["conv", "unet", "dncnn", "dense"])
def test_the_shape_of_a_code_is_known_without_computing_it(digits, name):
    dae = small(architecture=name, max_epochs=1).fit(*digits)
    module = dae.module_
    shape = dae._plan.code_shape
    if hasattr(module, "encode"):
        X = dae._plan.to_net(torch.from_numpy(digits[0][:1].astype(np.float32))[..., None])
        assert shape == tuple(module.encode(X).shape[1:])
    else:
        assert shape is None


# While it trains, and elsewhere


def test_predict_during_a_fit_knows_the_net_that_it_has(digits):
    dae = small().fit(*digits)
    expected, seen = dae.predict(digits[0]), []

    class Predict(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(dae.predict(digits[0]))

    counts = 100 + 4000 * digits[1]
    dae.set_params(callbacks=[Predict()]).fit(counts, counts)
    assert len(seen) == 2
    for got in seen:
        np.testing.assert_array_equal(got, expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a compiler")
def test_compiled_nets_predict_the_same(digits):
    plain, compiled = (
        small(architecture=Dense((4,)), max_epochs=1, compile=c).fit(*digits) for c in (False, True)
    )
    np.testing.assert_allclose(
        compiled.predict(digits[0]), plain.predict(digits[0]), rtol=1e-4, atol=1e-5
    )


def test_float16_predicts_close_to_float32(digits):
    half, single = (
        small(precision=precision).fit(*digits).predict(digits[0])
        for precision in ("float16", "float32")
    )
    assert np.abs(half - single).max() < 0.02


@pytest.mark.parametrize("loss", ["huber", "charbonnier", "ssim"])
def test_losses_with_constants_see_counts_as_images_in_the_unit_range(loss, digits):
    X, y = (torch.tensor(a[:, None]) for a in digits)
    expected = Loss(loss, "identity")(X, y)
    torch.testing.assert_close(Loss(loss, "identity", net_range=4.0)(4 * X, 4 * y), expected)
    plan = small(loss=loss, max_epochs=1).fit(*(100 + 4000 * a for a in digits))._plan
    assert plan.net_range == 4
    assert plan.scaling == pytest.approx((100, 1000), rel=0.2)
    assert small(loss=loss, max_epochs=1).fit(*digits)._plan.net_range == 1
