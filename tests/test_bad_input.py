"""A table of cases: what bad input gets, from every public estimator.

Each is an error that names the parameter or array, and a fit that failed leaves the fitted state
as it was.
"""

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from test_common import examples
from torch import nn

from skdae import (
    DenoisingAutoencoder,
    Downsample,
    GaussianNoise,
    MeanFilter,
    MedianFilter,
    SelfEnsembleDenoiser,
    load,
)
from skdae.architectures import Conv, Dense
from skdae.base import BaseDenoiser
from skdae.filters import BaseFilter
from skdae.noise import BaseNoise

# Of small images, AdaptedDenoiser keeps the pretrained network.
pytestmark = pytest.mark.filterwarnings("ignore:The pretrained network was kept:UserWarning")

GOOD = np.random.default_rng(0).random((20, 8, 8)).astype(np.float32)
DAE = DenoisingAutoencoder(Dense(hidden=(8,)), max_epochs=1, noise=GaussianNoise(), random_state=0)
NOISES = [noise for noise in examples(BaseNoise) if not isinstance(noise, Downsample)]
ESTIMATORS = [*NOISES, Downsample(factor=1), *examples(BaseFilter), DAE]


def with_value(value):
    X = GOOD.copy()
    X[3, 2, 1] = value
    return X


BAD_ARRAYS = {
    "NaN": (with_value(np.nan), ValueError, "NaN"),
    "NaN alone": (np.full_like(GOOD, np.nan), ValueError, "NaN"),
    "infinity": (with_value(np.inf), ValueError, "infinity"),
    "empty batch": (GOOD[:0], ValueError, "0 sample"),
    "no pixels": (np.zeros((5, 0, 8)), ValueError, "0 feature"),
    "no features": (np.zeros((5, 0)), ValueError, "0 feature"),
    "one dimension": (GOOD.ravel(), ValueError, "1D array"),
    "six dimensions": (GOOD.reshape(5, 4, 2, 4, 4, 2), ValueError, "expected flat rows"),
    "scalar": (3.0, ValueError, "scalar array"),
    "words": (np.full((5, 4), "grey"), ValueError, "could not convert"),
    "objects": (np.full((5, 4), {}, dtype=object), TypeError, "number"),
    "complex": (GOOD + 1j, ValueError, "Complex"),
    "sparse": (scipy.sparse.csr_matrix(GOOD[:, 0]), TypeError, "[Ss]parse"),
    "ragged": ([[1.0, 2.0], [1.0]], ValueError, "inhomogeneous"),
}


def state(estimator):
    """What is fitted, to compare by identity."""
    return {name: id(value) for name, value in vars(estimator).items()}


@pytest.mark.parametrize("case", BAD_ARRAYS)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_bad_array_is_refused_at_the_door(estimator, case):
    X, kind, message = BAD_ARRAYS[case]
    if case == "NaN" and isinstance(estimator, BaseFilter):
        assert clone(estimator).fit(X).n_features_in_ == 64
        return
    with pytest.raises(kind, match=message):
        clone(estimator).fit(X)
    fitted = clone(estimator).fit(GOOD)
    before = state(fitted)
    takes_nan = case.startswith("NaN") and isinstance(estimator, BaseDenoiser)
    for method in (fitted.fit,) if takes_nan else (fitted.fit, fitted.transform):
        with pytest.raises(kind):
            method(X)
        assert state(fitted) == before


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_transform_before_fit(estimator):
    with pytest.raises(NotFittedError, match=type(estimator).__name__):
        clone(estimator).transform(GOOD)


@pytest.mark.parametrize("method", ["predict", "encode", "decode", "score", "score_samples"])
def test_methods_of_the_autoencoder_before_fit(method):
    with pytest.raises(NotFittedError, match="DenoisingAutoencoder"):
        getattr(clone(DAE), method)(GOOD.reshape(20, -1))


@pytest.mark.parametrize("denoiser", [MeanFilter(), MedianFilter(), DAE], ids=str)
@pytest.mark.parametrize(
    "y", [GOOD[:10], GOOD[:, :7], GOOD.reshape(20, -1), np.zeros((20, 3)), with_value(np.nan)]
)
def test_foreign_targets_are_refused(denoiser, y):
    with pytest.raises(ValueError, match=r"y has shape|Input y contains NaN"):
        clone(denoiser).fit(GOOD, y)
    with pytest.raises(ValueError, match=r"y has shape|Input y contains NaN"):
        clone(denoiser).fit(GOOD, GOOD).score(GOOD, y)


@pytest.mark.parametrize(
    "X",
    [GOOD[:, :7], GOOD.reshape(20, -1)[:, :50], GOOD.reshape(20, 4, 16), GOOD.reshape(20, 4, 4, 4)],
)
def test_predict_with_another_shape_than_at_fit(X):
    dae = clone(DAE).fit(GOOD)
    for method in (dae.predict, dae.encode, dae.score_samples):
        with pytest.raises(ValueError, match=r"expecting 64|fitted on \(8, 8, 1\)"):
            method(X)


def test_conv_net_takes_other_sizes_but_no_other_channels():
    dae = clone(DAE).set_params(architecture=Conv(filters=(4,))).fit(GOOD)
    with pytest.raises(ValueError, match=r"fitted on \(8, 8, 1\)"):
        dae.predict(np.zeros((2, 8, 8, 3)))


def test_codes_of_another_length():
    with pytest.raises(ValueError, match="Z has 3 values per code, but .* 8"):
        clone(DAE).fit(GOOD).decode(np.zeros((2, 3)))


class NoNet:
    """Neither a net nor an injector."""


BAD_PARAMETERS = [
    ({"architecture": "transformer"}, "'architecture' parameter"),
    ({"architecture": 3}, "'architecture' parameter"),
    ({"architecture": NoNet}, "'architecture' parameter"),
    ({"loss": nn.MSELoss}, r"Pass an object of it: MSELoss\(\)"),
    ({"architecture": Dense(hidden=())}, "'hidden' parameter"),
    ({"architecture": Dense(activation="step")}, "'activation' parameter of Dense"),
    ({"architecture": Conv(filters=(0,))}, "'filters' parameter"),
    ({"latent_dim": 0}, "'latent_dim' parameter"),
    ({"latent_dim": 2, "architecture": nn.Conv2d(1, 1, 1)}, "no effect on your own module"),
    ({"noise": GaussianNoise}, "is not a noise model"),
    ({"device": "meta:abc"}, "cannot be used here"),
    ({"latent_dim": 2.5}, "'latent_dim' parameter"),
    ({"noise": "gaussian"}, "is not a noise model"),
    ({"noise": MedianFilter()}, "is not a noise model"),
    ({"noise": GaussianNoise(std=-1)}, "'std' parameter of GaussianNoise"),
    ({"image_shape": (4, 4)}, r"image_shape=\(4, 4\)"),
    ({"loss": "l0"}, "'loss' parameter"),
    ({"output_activation": "step"}, "'output_activation' parameter"),
    ({"optimizer": "newton"}, "'optimizer' parameter"),
    ({"optimizer": torch.optim.LBFGS}, "needs no closure"),
    ({"optimizer": int}, "torch.optim.Optimizer class"),
    ({"loss": torch.sub}, "return its mean"),
    ({"lr": 0}, "'lr' parameter"),
    ({"lr": -1e-3}, "'lr' parameter"),
    ({"lr_schedule": "linear"}, "'lr_schedule' parameter"),
    ({"weight_decay": -1}, "'weight_decay' parameter"),
    ({"max_epochs": 0}, "'max_epochs' parameter"),
    ({"batch_size": 0}, "'batch_size' parameter"),
    ({"validation_fraction": 1.0}, "'validation_fraction' parameter"),
    ({"early_stopping": True, "validation_fraction": None}, "early_stopping=True"),
    ({"early_stopping": True, "validation_fraction": 0.01}, "leaves none"),
    ({"patience": 0}, "'patience' parameter"),
    ({"transform_to": "codes"}, "'transform_to' parameter"),
    ({"transform_to": "latent", "architecture": nn.Conv2d(1, 1, 1)}, "has no encode"),
    ({"device": "abacus"}, "device='abacus' cannot be used here"),
    ({"precision": "float8"}, "'precision' parameter"),
    ({"random_state": "seed"}, "'random_state' parameter"),
    ({"callbacks": "bar"}, "'callbacks' parameter"),
]


MISSPELT = [
    (clone(DAE).set_params(architecture="resunet"), "unet"),
    (clone(DAE).set_params(architecture=Dense(activation="RELU")), "relu"),
    (clone(DAE).set_params(loss="MSE"), "mse"),
    (clone(DAE).set_params(optimizer="Adam"), "adam"),
    (clone(DAE).set_params(lr_schedule="cosinus"), "cosine"),
    (clone(DAE).set_params(output_activation="sigmoyd"), "sigmoid"),
    (clone(DAE).set_params(noise=GaussianNoise(when="allways")), "always"),
    (MedianFilter(mode="reflected"), "reflect"),
]


@pytest.mark.parametrize(("estimator", "meant"), MISSPELT, ids=lambda value: str(value)[:40])
def test_misspelt_names_get_the_name_that_was_meant(estimator, meant):
    with pytest.raises(ValueError, match=f"Did you mean {meant!r}"):
        estimator.fit(GOOD)


def test_names_like_no_other_get_no_guess():
    with pytest.raises(ValueError, match=r"Got 'xyz' instead\.$"):
        clone(DAE).set_params(loss="xyz").fit(GOOD)


@pytest.mark.parametrize(("params", "message"), BAD_PARAMETERS)
def test_bad_parameter_is_named_and_the_old_fit_kept(params, message):
    dae = clone(DAE).fit(GOOD)
    before = dae.predict(GOOD)
    dae.set_params(**params)
    changed = state(dae)
    with pytest.raises((ValueError, TypeError), match=message):
        dae.fit(GOOD)
    assert state(dae) == changed
    np.testing.assert_array_equal(dae.predict(GOOD), before)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cuda_without_a_device():
    with pytest.raises(ValueError, match=r"device='cuda' cannot be used here \(.*(CUDA|NVIDIA)"):
        clone(DAE).set_params(device="cuda").fit(GOOD)


def test_bce_targets_outside_the_unit_range():
    with pytest.raises(ValueError, match=r'loss="bce" needs targets in \[0, 1\], but they span'):
        clone(DAE).set_params(loss="bce").fit(GOOD * 3)


def test_one_sample_is_too_few_to_learn_from():
    with pytest.raises(ValueError, match="minimum of 2 is required by DenoisingAutoencoder"):
        clone(DAE).fit(GOOD[:1])


@pytest.mark.parametrize("n_features", [256, 500])
@pytest.mark.parametrize("kind", ["random", "smooth"])
@pytest.mark.filterwarnings("ignore:Rows of 500 values are not square images")
def test_as_many_rows_as_features_are_rows_where_rows_were_fitted(n_features, kind, tmp_path):
    X = np.random.default_rng(0).random((2 * n_features, n_features))
    if kind == "smooth":
        # Like one image, or a series of spectra.
        X = np.cumsum(X - 0.5, axis=0)
    held = SelfEnsembleDenoiser(MedianFilter())
    net, conv = clone(DAE), clone(DAE).set_params(architecture=Conv((2,)))
    for part in (net, conv, MedianFilter(), GaussianNoise(clip=None), held):
        # Warnings are errors here.
        fitted = clone(part).fit(X)
        fitted.save(tmp_path / "part")
        for again in (fitted, load(tmp_path / "part")):
            assert again.transform(X[:n_features]).shape == (n_features, n_features)


def test_as_many_rows_as_features_may_be_an_image_where_images_were_fitted(tmp_path):
    X = np.random.default_rng(0).random((256, 256))
    rows = X.reshape(256, 16, 16)
    for part in (MedianFilter(), clone(DAE), GaussianNoise()):
        fitted = clone(part).fit(rows)
        fitted.save(tmp_path / "part")
        for again in (fitted, load(tmp_path / "part")):
            with pytest.warns(UserWarning, match="taken for 256 flat rows"):
                again.transform(X)


def test_one_image_that_a_net_takes_for_rows_is_named():
    rows, columns = np.indices((80, 80)) / 15
    noise = np.random.default_rng(0).normal(0, 0.1, (80, 80))
    image = 0.5 + 0.3 * np.sin(rows) * np.cos(columns) + noise
    match = r"taken for 80 flat rows. If it is one image, pass X\[None\]"
    for X in (image, (255 * image.clip(0, 1)).astype(np.uint8)):
        with pytest.warns(UserWarning, match=match):
            clone(DAE).fit(X)
        clone(DAE).set_params(image_shape=(80,)).fit(X)


class Group:
    """Holds arrays by name, as groups of zarr and HDF5 do."""

    def __init__(self, **arrays):
        self.arrays = arrays

    def __getitem__(self, name):
        return self.arrays[name]

    def __iter__(self):
        return iter(self.arrays)

    def __len__(self):
        return len(self.arrays)

    def keys(self):
        return self.arrays.keys()


def test_arrays_by_name_are_no_array(tmp_path):
    zarr = pytest.importorskip("zarr")
    # As levels of resolution are named.
    group = zarr.create_group(tmp_path / "group")
    group["0"] = GOOD
    np.savez(tmp_path / "file.npz", **{"0": GOOD})
    net = clone(DAE).set_params(noise=None)
    with np.load(tmp_path / "file.npz") as file:
        for several in (group, file, {"0": GOOD}, Group(**{"0": GOOD})):
            name = type(several).__name__
            match = f"X is not an array, but a {name} of arrays by name, '0'; pass .* X\\['0'\\]"
            for part in (GaussianNoise(), MedianFilter(), net):
                with pytest.raises(TypeError, match=match):
                    clone(part).fit(several)
                with pytest.raises(TypeError, match=match):
                    clone(part).fit(GOOD, GOOD).transform(several)
            for denoiser in (MedianFilter(), net):
                with pytest.raises(TypeError, match=f"y is not an array, but a {name}"):
                    clone(denoiser).fit(GOOD, several)
            median = MedianFilter().fit(GOOD)
            with pytest.raises(TypeError, match="source is not an array"):
                median.predict_to(several, GOOD.copy())
            with pytest.raises(TypeError, match="target is not an array"):
                median.predict_to(GOOD, several)
    with pytest.raises(TypeError, match="it is empty"):
        MedianFilter().fit({})
    with pytest.raises(TypeError, match=r"'a', 'b', 'c', 'd', 'e', \.\.\.; pass"):
        MedianFilter().fit(dict.fromkeys("abcdefgh", GOOD))


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_that_are_not_finite_are_named_where_scikit_learn_looks_for_none(
    estimator, value, word, dtype
):
    X = with_value(value).astype(dtype)
    fitted = clone(estimator).fit(GOOD)
    with config_context(assume_finite=True):
        methods = [clone(estimator).fit, fitted.transform]
        if word == "NaN" and isinstance(estimator, BaseDenoiser):
            # It is missing, which no training takes.
            assert np.isnan(methods.pop()(X)).sum() == 1
        if word == "NaN" and isinstance(estimator, BaseFilter):
            assert methods.pop()(X).range_ == clone(estimator).fit(GOOD).range_
        for method in methods:
            with pytest.raises(ValueError, match=f"Input X contains {word}"):
                method(X)


def test_targets_and_weights_that_are_not_finite_are_named():
    weights = np.ones(20)
    weights[3] = np.nan
    with config_context(assume_finite=True):
        with pytest.raises(ValueError, match="Input y contains NaN"):
            clone(DAE).fit(GOOD, with_value(np.nan))
        with pytest.raises(ValueError, match="Input sample_weight contains NaN"):
            clone(DAE).fit(GOOD, sample_weight=weights)


@pytest.mark.parametrize("estimator", [GaussianNoise(), MedianFilter(), DAE], ids=str)
def test_arrays_of_more_axes_than_volumes_are_refused(estimator):
    X = np.random.default_rng(0).random((1, 2, 5, 8, 9, 3))
    with pytest.raises(ValueError, match=r"volumes \(n_samples, depth, height, width\)"):
        clone(estimator).fit(X)
    assert clone(estimator).fit(X[0]).transform(X[0]).shape == X[0].shape


@pytest.mark.parametrize("fitted", [1, 3])
@pytest.mark.parametrize("given", [1, 2, 3, 4])
def test_advice_about_channels_says_nothing_of_sizes(fitted, given):
    def images(n_channels, side):
        X = np.random.default_rng(0).random((3, side, side, n_channels))
        return X[..., 0] if n_channels == 1 else X

    dae = DenoisingAutoencoder("unet", noise=GaussianNoise(), max_steps=1).fit(images(fitted, 32))
    for side in (32, 40):
        X = images(given, side)
        if given == fitted:
            assert dae.predict(X).shape == X.shape
            continue
        with pytest.raises(ValueError, match=rf"fitted on \(32, 32, {fitted}\)") as caught:
            dae.predict(X)
        plural = "s" if fitted > 1 else ""
        assert f"pass images of {fitted} channel{plural}, of any height" in str(caught.value)
        assert "in that shape" not in str(caught.value)


def test_advice_for_one_image_is_for_what_may_be_one():
    median = MedianFilter(image_shape=(20, 20)).fit(
        GOOD[:, :, :1].reshape(-1, 4).repeat(100, axis=1)
    )
    dae = clone(DAE).fit(GOOD)
    with pytest.raises(ValueError, match=r"fitted on \(8, 8, 1\)") as caught:
        dae.predict(np.zeros((2, 5, 6, 2)))
    assert "one image" not in str(caught.value)
    with pytest.raises(ValueError, match=r"If X is one image, pass X\[None\]"):
        dae.predict(GOOD[0])
    with pytest.raises(ValueError, match=r"If X is one image, pass X\[None\]"):
        median.predict(np.zeros((20, 20)))


def test_image_shape_on_rows_that_do_not_hold_it():
    with pytest.raises(ValueError, match=r"pass image_shape=\(8, 8\)"):
        clone(DAE).set_params(image_shape=(9, 9)).fit(GOOD.reshape(20, -1))


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_small_and_dull_images_are_no_error(estimator):
    for X in (np.zeros((5, 8, 8)), np.ones((5, 1)), np.full((5, 1, 1, 3), 0.5)):
        out = clone(estimator).fit(X).transform(X)
        assert out.shape == X.shape
        assert np.isfinite(out).all()


def test_exception_in_a_callable_loss_keeps_the_old_fit():
    def loss(prediction, target):
        raise ZeroDivisionError

    dae = clone(DAE).fit(GOOD)
    before = dae.predict(GOOD)
    with pytest.raises(ZeroDivisionError):
        dae.set_params(loss=loss).fit(GOOD)
    np.testing.assert_array_equal(dae.predict(GOOD), before)


def test_values_beyond_float32_are_refused():
    dae = clone(DAE).fit(GOOD)
    for method in (dae.fit, dae.predict, dae.encode):
        with pytest.raises(ValueError, match=r"too large for dtype\('float32'\)"):
            method(GOOD.astype(np.float64) * 1e300)


class Pair(nn.Linear):
    """A net that returns, and encodes to, two tensors."""

    def __init__(self):
        super().__init__(64, 64)

    def forward(self, x):
        return super().forward(x), x


class PairCodes(nn.Linear):
    def __init__(self):
        super().__init__(64, 64)

    def encode(self, x):
        return x, x


class MeanDecoder(nn.Linear):
    """A net whose decoder forgets how many codes it got."""

    def __init__(self):
        super().__init__(64, 64)

    def encode(self, x):
        return x

    def decode(self, z):
        return z.mean(0, keepdim=True)


def test_net_that_returns_no_tensor_or_too_few_rows_is_named():
    rows = GOOD.reshape(20, -1)
    with pytest.raises(ValueError, match="The network returned a batch <class 'tuple'>"):
        clone(DAE).set_params(architecture=Pair).fit(rows)
    with pytest.raises(TypeError, match=r"encode\(\) of the network PairCodes must return one"):
        clone(DAE).set_params(architecture=PairCodes).fit(rows)
    dae = clone(DAE).set_params(architecture=MeanDecoder).fit(rows)
    with pytest.raises(TypeError, match=r"one tensor with 20 rows .*, not shape \(1, 64\)"):
        dae.decode(rows)


@pytest.mark.parametrize("going_on", ["warm_start", "partial_fit"])
@pytest.mark.parametrize(
    "params", [{"architecture": Dense(hidden=(3,))}, {"latent_dim": 2}, {"architecture": "conv"}]
)
def test_another_net_than_the_one_that_goes_on_is_refused(going_on, params):
    dae = clone(DAE).fit(GOOD).set_params(warm_start=True, **params)
    method = dae.fit if going_on == "warm_start" else dae.partial_fit
    with pytest.raises(ValueError, match="fit a new one with warm_start=False"):
        method(GOOD)


def test_clip_of_the_noise_is_held_against_the_images_of_a_fit():
    with pytest.warns(UserWarning, match="X spans"):
        clone(DAE).set_params(noise__clip=(0, 1)).fit(GOOD * 255)


def test_channels_first_images_get_a_hint():
    with pytest.warns(UserWarning, match=r"pass X.transpose\(0, 2, 3, 1\)"):
        clone(DAE).fit(GOOD[:, None])


@pytest.mark.parametrize("denoiser", [MeanFilter(), DAE], ids=["filter", "dae"])
def test_labels_that_do_not_belong_to_the_images(denoiser):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        clone(denoiser).fit(GOOD, np.arange(3))
    with pytest.raises(ValueError, match="Class labels are passed as a 1-D y"):
        clone(denoiser).fit(GOOD.reshape(20, -1), np.arange(20)[:, None])


def test_parameters_of_an_architecture_that_is_a_name():
    with pytest.raises(ValueError, match=r"pass one, such as architecture=Conv\(\)"):
        DenoisingAutoencoder("conv").set_params(architecture__filters=(4,))
    dae = DenoisingAutoencoder("conv").set_params(architecture=Conv(), architecture__filters=(4,))
    assert dae.architecture.filters == (4,)


def test_module_of_the_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"The network returned .* but the targets"):
        clone(DAE).set_params(architecture=nn.Conv2d(1, 1, 3)).fit(GOOD)


@pytest.mark.parametrize("of", [list, np.asarray], ids=["list", "batch"])
@pytest.mark.parametrize("name", ["X", "y"])
def test_noisy_and_clean_images_in_other_units_are_refused(of, name):
    images = {"X": of(list(GOOD)), "y": of(list(0.9 * GOOD))}
    if of is list:
        # One of another size, which makes it a list.
        images = {key: [*X, X[0][:7]] for key, X in images.items()}
    counts = {**images, name: of([255 * image for image in images[name]])}
    net = DenoisingAutoencoder("unet", max_epochs=1, patch_size=4)
    for denoiser in (net, MedianFilter()):
        with pytest.raises(ValueError, match=f"{name} has values of .* their units differ"):
            denoiser.fit(**counts)
    with pytest.raises(ValueError, match="their units differ"):
        MedianFilter().fit(images["X"]).score(**counts)


def test_hot_pixels_in_dim_images_are_no_other_unit():
    hot = 100 * GOOD
    hot[::4, 0, 0] = 65535
    MedianFilter().fit(hot, 100 * GOOD)
