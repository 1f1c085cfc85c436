"""Every injector: its formula, its range, its keying, and the same noise on arrays and tensors.

Statistical tests draw with fixed seeds and reject at five standard errors or p < 1e-6: a right
injector would fail about once in a million other seeds.
"""

import os
import pickle
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from test_common import examples

from skdae import (
    BaselineWander,
    DenoisingAutoencoder,
    Downsample,
    GaussianNoise,
    JPEGNoise,
    LineInterference,
    MaskingNoise,
    MedianFilter,
    NoiseSequence,
    Occlusion,
    OneOf,
    PoissonGaussianNoise,
    PoissonNoise,
    SaltPepper,
    SpeckleNoise,
    StripeNoise,
    StructuredNoise,
    UniformNoise,
    load,
)
from skdae._random import KeyedGenerator, TorchGenerator
from skdae.metrics import mse_scorer, structural_similarity
from skdae.model_selection import denoising_scorer
from skdae.noise import BaseNoise

INJECTORS = [
    GaussianNoise(std=0.2, mean=0.05),
    GaussianNoise(std=(0.05, 0.5)),
    UniformNoise(half_width=0.3),
    StripeNoise(std=0.2, axis="columns"),
    PoissonNoise(peak=20.0),
    PoissonNoise(peak=(5.0, 50.0)),
    PoissonGaussianNoise(gain=0.05, std=0.1),
    PoissonGaussianNoise(gain=(0.01, 0.1), std=(0.0, 0.2), offset=-0.1),
    StructuredNoise(std=0.2, kernel=[[0.0, 1.0], [1.0, 2.0]]),
    StructuredNoise(std=(0.1, 0.3), axis="rows"),
    JPEGNoise(quality=(5, 95)),
    SpeckleNoise(std=0.4),
    SpeckleNoise(std=0.4, distribution="uniform"),
    SaltPepper(amount=0.2, salt_ratio=0.7),
    MaskingNoise(amount=0.3, value=0.9),
    Occlusion(size=2),
    Occlusion(size=(1, 3), orientation="rectangle"),
    Downsample(factor=2),
    NoiseSequence([PoissonNoise(peak=20.0), GaussianNoise(std=0.1)]),
    OneOf([GaussianNoise(std=0.3), SaltPepper(amount=0.3)]),
]
# And every other that skdae has, with its defaults.
INJECTORS += [noise for noise in examples(BaseNoise) if type(noise) not in map(type, INJECTORS)]


def name(value):
    """A test's name: the injector as it would be typed, anything else as pytest has it."""
    return " ".join(str(value).split()) if isinstance(value, BaseNoise) else None


every_injector = pytest.mark.parametrize("noise", INJECTORS, ids=name)


def images(n=300, side=8, n_channels=2, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).uniform(0.2, 0.8, (n, side, side, n_channels)).astype(dtype)


def corrupt_tensor(noise, X, seed=0):
    rng = TorchGenerator(torch.Generator().manual_seed(seed))
    return clone(noise).fit(X).corrupt(torch.from_numpy(X.astype(np.float32)), rng)


# Formulas


@pytest.mark.parametrize("path", ["array", "tensor"])
@pytest.mark.parametrize(
    ("noise", "mean", "std"),
    [
        (GaussianNoise(std=0.2, mean=0.05), lambda x: 0.05, lambda x: 0.2),
        (UniformNoise(half_width=0.3), lambda x: 0.0, lambda x: 0.3 / 3**0.5),
        (PoissonNoise(peak=20.0), lambda x: 0.0, lambda x: np.sqrt(x / 20)),
        (
            PoissonGaussianNoise(gain=0.05, std=0.1, offset=0.1),
            lambda x: 0.0,
            lambda x: np.sqrt(0.05 * (x - 0.1) + 0.01),
        ),
        (SpeckleNoise(std=0.4), lambda x: 0.0, lambda x: 0.4 * x),
        (SpeckleNoise(std=0.4, distribution="uniform"), lambda x: 0.0, lambda x: 0.4 * x),
        (
            NoiseSequence([PoissonNoise(peak=20.0, clip=None), GaussianNoise(std=0.1, clip=None)]),
            lambda x: 0.0,
            lambda x: np.sqrt(x / 20 + 0.01),
        ),
    ],
    ids=name,
)
def test_mean_and_variance_agree_with_the_formula(noise, mean, std, path):
    noise = clone(noise).set_params(clip=None, random_state=0)
    X = images()
    noisy = noise.fit_transform(X) if path == "array" else corrupt_tensor(noise, X).numpy()
    standard = (noisy - X - mean(X)) / std(X)
    assert abs(standard.mean()) < 5 / np.sqrt(X.size)
    squares = standard**2
    assert abs(squares.mean() - 1) < 5 * squares.std() / np.sqrt(X.size)


@pytest.mark.parametrize("path", ["array", "tensor"])
@pytest.mark.parametrize(
    ("noise", "value", "rate"),
    [
        (SaltPepper(amount=0.2, salt_ratio=0.7), 1.0, 0.14),
        (SaltPepper(amount=0.2, salt_ratio=0.7), 0.0, 0.06),
        (MaskingNoise(amount=0.3, value=0.9), 0.9, 0.3),
        (Occlusion(size=2, orientation="rows"), 1.0, 2 / 8),
        (Occlusion(size=2, orientation="rectangle"), 1.0, 4 / 64),
    ],
    ids=name,
)
def test_share_of_hit_pixels_agrees_with_the_rate(noise, value, rate, path):
    noise = clone(noise).set_params(random_state=0)
    X = images(n_channels=1)
    noisy = noise.fit_transform(X) if path == "array" else corrupt_tensor(noise, X).numpy()
    hit = np.isclose(noisy, value).mean()
    assert abs(hit - rate) < 5 * np.sqrt(rate * (1 - rate) / X.size)


@every_injector
def test_arrays_and_tensors_agree_in_distribution(noise):
    X = images(n=400)
    noise = clone(noise).set_params(random_state=0)
    array, tensor = noise.fit_transform(X), corrupt_tensor(noise, X).numpy()
    # Statistics of whole images are independent of each other, as the test demands.
    for statistic in (np.mean, np.std, np.max):
        a, b = (statistic(noisy, axis=(1, 2, 3)) for noisy in (array, tensor))
        assert stats.ks_2samp(a.astype(np.float32), b, method="asymp").pvalue > 1e-6


def test_stripes_are_constant_along_their_axis_and_differ_across():
    X = images(n=20)
    for axis, along in (("rows", 2), ("columns", 1)):
        stripes = StripeNoise(axis=axis, clip=None, random_state=0).fit_transform(X) - X
        assert np.ptp(stripes, axis=along).max() < 1e-12
        assert np.ptp(stripes, axis=3 - along).min() > 0


def test_stripe_offsets_have_the_stated_deviation():
    X = images(n=2000)
    offsets = (StripeNoise(std=0.2, clip=None, random_state=0).fit_transform(X) - X)[:, :, 0, 0]
    assert stats.kstest(offsets.ravel() / 0.2, "norm").pvalue > 1e-6


@pytest.mark.parametrize("path", ["array", "tensor"])
def test_camera_counts_are_whole_photons_on_an_offset(path):
    X = np.random.default_rng(0).uniform(50, 4000, (4, 16, 16, 1))
    noise = PoissonGaussianNoise(gain=2.0, offset=100.0, clip=None, random_state=0)
    noisy = noise.fit_transform(X) if path == "array" else corrupt_tensor(noise, X).numpy()
    np.testing.assert_array_equal((noisy - 100) % 2, 0)
    # No light is no noise.
    np.testing.assert_array_equal(noisy[X <= 100], 100)
    assert (noisy[X > 500] != X[X > 500]).mean() > 0.9


def test_more_photons_than_can_be_drawn_are_no_noise():
    X = images(n=3)
    noisy = PoissonGaussianNoise(gain=1e-30, clip=None).fit_transform(X)
    np.testing.assert_allclose(noisy, X, rtol=1e-6)


@pytest.mark.parametrize(
    "noise",
    [PoissonNoise(clip=None), PoissonGaussianNoise(offset=100.0, clip=None)],
    ids=name,
)
def test_negative_light_is_warned_about(noise):
    with pytest.warns(UserWarning, match="counts no light below"):
        noise.fit(-10 * images())
    # A little undershoot, as from interpolation, is no mistake.
    noise.fit(100 + np.linspace(-1, 100, 64).reshape(1, 8, 8))


@pytest.mark.parametrize("path", ["array", "tensor"])
@pytest.mark.parametrize(
    ("axis", "kernel"),
    [("pixels", [[1.0, 2.0], [0.0, -1.0]]), ("rows", [3, 1]), ("columns", [3, 1])],
)
def test_structured_noise_is_correlated_as_its_kernel(axis, kernel, path):
    X = images(n=4000, side=6)
    noise = StructuredNoise(std=0.2, kernel=kernel, axis=axis, clip=None, random_state=0)
    noisy = noise.fit_transform(X) if path == "array" else corrupt_tensor(noise, X).numpy()
    field = (noisy - X).reshape(4000, -1)
    kernel = {"pixels": np.array(kernel), "rows": np.array([[3], [1]]), "columns": [[3, 1]]}[axis]
    kernel = np.asarray(kernel) / np.linalg.norm(kernel)
    # The covariance of two pixels is the kernel's with itself, at their distance.
    height, width = kernel.shape
    expected = np.zeros((6, 6, 2, 6, 6, 2))
    for i, j, k, m in np.ndindex(6, 6, 6, 6):
        dy = k - i if axis != "columns" else 0
        dx = m - j if axis != "rows" else 0
        if abs(dy) < height and abs(dx) < width:
            shifted = np.zeros((3 * height, 3 * width))
            shifted[height + dy : 2 * height + dy, width + dx : 2 * width + dx] = kernel
            same = np.sum(kernel * shifted[height : 2 * height, width : 2 * width])
            expected[i, j, :, k, m] = same * (np.eye(2) if axis == "pixels" else 1)
    covariance = field.T @ field / len(field) / 0.04
    assert np.abs(covariance - expected.reshape(72, 72)).max() < 6 * np.sqrt(2 / 4000)


def test_jpeg_equals_a_file(tmp_path):
    X = images(n=1, side=32, n_channels=3)
    pillow = pytest.importorskip("PIL.Image")
    pillow.fromarray(np.rint(255 * X[0]).astype(np.uint8)).save(tmp_path / "x.jpg", quality=30)
    expected = np.asarray(pillow.open(tmp_path / "x.jpg")) / np.float32(255)
    for noisy in (JPEGNoise(30).fit_transform(X), corrupt_tensor(JPEGNoise(30), X).numpy()):
        np.testing.assert_allclose(noisy[0], expected, rtol=1e-6)
    grey = JPEGNoise(30).fit_transform(X[..., :1])
    np.testing.assert_array_equal(JPEGNoise(30).fit_transform(X[..., [0, 0]])[..., 1:], grey)


def test_jpeg_loses_more_at_lower_quality():
    X = images(n=40, side=16, n_channels=1)
    errors = [np.abs(JPEGNoise(q).fit_transform(X) - X).mean() for q in (10, 50, 95)]
    assert errors == sorted(errors, reverse=True)
    varied = np.abs(JPEGNoise((10, 95), random_state=0).fit_transform(X) - X).mean()
    assert errors[2] < varied < errors[0]


@pytest.mark.parametrize("noise", [JPEGNoise(), SaltPepper(clip=None), OneOf([JPEGNoise()])])
def test_noise_of_images_in_the_unit_range_holds_no_counts(noise):
    with pytest.warns(
        UserWarning,
        match=r"noisy images in \[0, 1\]; pass images in that range\.$",
    ):
        noise.fit(4000 * images())


def test_jpeg_without_pillow_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r"JPEGNoise needs Pillow.*'\.\[images\]"):
        JPEGNoise().fit(images())


def test_salt_and_pepper_hits_all_channels_of_a_pixel():
    X = images()
    hit = SaltPepper(amount=0.3, random_state=0).fit_transform(X) != X
    assert (hit.all(axis=3) == hit.any(axis=3)).all()
    assert 0 < hit.mean() < 1


def test_masking_hits_channels_independently():
    hit = MaskingNoise(amount=0.5, random_state=0).fit_transform(images()) != images()
    assert (hit.all(axis=3) != hit.any(axis=3)).any()


def test_downsample_is_the_block_mean():
    X = images()
    blocks = X.reshape(len(X), 4, 2, 4, 2, 2).mean(axis=(2, 4))
    expected = blocks.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_allclose(Downsample(factor=2).fit_transform(X), expected)
    signals = Downsample(factor=2, image_shape=(6,)).fit_transform(np.arange(6.0)[None] / 6)
    np.testing.assert_allclose(signals, np.repeat([[0.5 / 6, 2.5 / 6, 4.5 / 6]], 2, axis=1))
    volumes = X[..., 0].reshape(-1, 4, 8, 8)
    blocks = volumes.reshape(-1, 2, 2, 4, 2, 4, 2).mean(axis=(2, 4, 6))
    lower = Downsample(factor=2, channel_axis=None).fit_transform(volumes)
    np.testing.assert_allclose(lower[:, ::2, ::2, ::2], blocks)


def test_one_of_uses_each_noise_on_whole_images():
    X = images()
    noisy = OneOf([SaltPepper(amount=1.0, salt_ratio=1.0), MaskingNoise(amount=1.0)]).fit_transform(
        X
    )
    assert (np.ptp(noisy, axis=(1, 2, 3)) == 0).all()
    share = noisy[:, 0, 0, 0].mean()
    assert abs(share - 0.5) < 5 * 0.5 / np.sqrt(len(X))


def test_noise_sequence_clips_each_noise_by_itself():
    X = np.full((1, 4, 4), 0.5)
    push = [GaussianNoise(std=0.0, mean=2.0), GaussianNoise(std=0.0, mean=-0.25)]
    np.testing.assert_array_equal(NoiseSequence(push).fit_transform(X), np.full_like(X, 0.75))


# The occlusion study


@pytest.mark.parametrize("axis", [1, 2])
def test_occlusion_expresses_the_study(axis):
    X = images(n=500, side=28, n_channels=1)[..., 0]
    orientation = {1: "rows", 2: "columns"}[axis]
    noise = Occlusion(size=1, orientation=orientation, start=(10, 20), value=1, random_state=0)
    white = noise.fit_transform(X) == 1.0
    full_lines = white.all(axis=3 - axis)
    assert (full_lines.sum(axis=1) == 1).all()
    assert white.sum() == 500 * 28
    starts = np.bincount(full_lines.argmax(axis=1), minlength=28)
    assert set(np.flatnonzero(starts)) == set(range(10, 21))
    assert stats.chisquare(starts[10:21]).pvalue > 1e-6


def test_random_occlusion_draws_rows_and_columns_alike():
    white = Occlusion(random_state=0).fit_transform(images(n=1000, n_channels=1)[..., 0]) == 1.0
    rows, columns = white.all(axis=2).any(axis=1), white.all(axis=1).any(axis=1)
    assert (rows ^ columns).all()
    assert abs(rows.mean() - 0.5) < 5 * 0.5 / np.sqrt(1000)


def test_occlusion_larger_than_the_image_hides_all_of_it():
    assert (Occlusion(size=99).fit_transform(images(n=3)) == 1.0).all()


# Levels


@pytest.mark.parametrize(
    "noise",
    [
        GaussianNoise(std=0),
        UniformNoise(half_width=0),
        StripeNoise(std=0),
        StructuredNoise(std=0),
        SpeckleNoise(std=0),
        SpeckleNoise(std=0, distribution="uniform"),
        SaltPepper(amount=0),
        MaskingNoise(amount=0),
        Occlusion(size=0),
        Occlusion(size=0, orientation="rectangle"),
        Downsample(factor=1),
        NoiseSequence([GaussianNoise(std=0), SaltPepper(amount=0)]),
        OneOf([GaussianNoise(std=0), SaltPepper(amount=0)]),
    ],
    ids=name,
)
def test_level_zero_is_the_identity(noise):
    X = images()
    np.testing.assert_array_equal(noise.fit_transform(X), X)
    np.testing.assert_array_equal(corrupt_tensor(noise, X), X.astype(np.float32))


def test_range_draws_one_level_an_image():
    X = images(n=1000, side=32, n_channels=1)
    for noisy in (
        GaussianNoise(std=(0.05, 0.5), clip=None, random_state=0).fit_transform(X),
        corrupt_tensor(GaussianNoise(std=(0.05, 0.5), clip=None), X).numpy(),
    ):
        levels = (noisy - X).std(axis=(1, 2, 3))
        assert stats.kstest(levels, stats.uniform(0.05, 0.45).cdf).pvalue > 1e-6


def test_numpy_scalars_as_levels_keep_float32():
    X = images(n=3, dtype=np.float32)
    rng = KeyedGenerator(X, seed=0)
    for noise in (GaussianNoise(std=np.float64(0.1)), SpeckleNoise(std=np.float64(0.1))):
        assert noise.fit(X).corrupt(X, rng).dtype == np.float32


def test_held_noise_decides_the_image_shape():
    held = NoiseSequence([Occlusion(orientation="rows", image_shape=(4, 16))])
    assert held.fit_transform(np.zeros((1, 64))).sum() == 16


# The contract of all injectors


@every_injector
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_shape_and_range(noise, dtype):
    X = images(dtype=dtype)
    before = X.copy()
    noisy = clone(noise).fit_transform(X)
    np.testing.assert_array_equal(X, before)
    assert noisy.shape == X.shape
    assert noisy.dtype == dtype
    assert noisy.min() >= 0
    assert noisy.max() <= 1


@every_injector
def test_uint8_is_the_float_image(noise):
    levels = (images() * 255).astype(np.uint8)
    noise = clone(noise).set_params(random_state=0)
    noisy = noise.fit_transform(levels)
    assert noisy.dtype == np.float32
    np.testing.assert_array_equal(noisy, noise.transform(levels.astype(np.float32) / 255))


@every_injector
@settings(max_examples=10)
@given(data=st.data())
def test_noise_depends_on_image_and_seed_alone(noise, data):
    """In any order, subset and batch, flat or not, an image gets the same noise."""
    X = data.draw(hnp.arrays(np.float64, (6, 4, 4), elements=st.floats(0, 1, width=32)))
    noise = clone(noise).set_params(random_state=data.draw(st.integers(0, 2**31 - 1)))
    noisy = noise.fit_transform(X)
    rows = data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=12))
    np.testing.assert_array_equal(noise.transform(X[rows]), noisy[rows])
    if not isinstance(noise, SaltPepper):
        flat = clone(noise).fit_transform(X.reshape(6, -1))
        np.testing.assert_array_equal(flat, noisy.reshape(6, -1))
    np.testing.assert_array_equal(clone(noise).fit(X[:1]).transform(X), noisy)


@settings(max_examples=50)
@given(
    x=st.floats(0, 1),
    step=st.sampled_from([-1, 1]),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 2**31 - 1),
)
def test_two_different_images_never_share_a_field(x, step, dtype, seed):
    """Images one unit in the last place of one pixel apart get unrelated noise."""
    X = np.full((2, 8, 8), x, dtype=dtype)
    X[1, 3, 3] = np.nextafter(X[1, 3, 3], dtype(2 * step))
    fields = GaussianNoise(clip=None, random_state=seed).fit_transform(X) - X
    assert not np.isclose(fields[0], fields[1], atol=1e-5).all()


def test_fields_of_different_images_are_uncorrelated():
    X = np.linspace(0.4, 0.6, 400)[:, None, None] * np.ones((8, 8))
    fields = GaussianNoise(clip=None, random_state=0).fit_transform(X) - X
    correlation = np.corrcoef(fields.reshape(400, -1))[np.triu_indices(400, 1)]
    # With 64 values each correlation deviates by 1/8; their squares' mean is 1/63.
    assert abs((correlation**2).mean() * 63 - 1) < 0.05


def test_equal_images_share_their_noise_whatever_the_sign_of_zero():
    X = np.zeros((2, 8, 8))
    X[1] = -0.0
    noisy = GaussianNoise(random_state=0, clip=None).fit_transform(X)
    np.testing.assert_array_equal(noisy[0], noisy[1])


class Hole(BaseNoise):
    """Works in place."""

    def _corrupt(self, images, rng):
        images[:, :4] = 0
        return images


def test_noise_that_works_in_place_leaves_the_callers_images():
    X = images()
    before = X.copy()
    assert (Hole().fit_transform(X)[:, :4] == 0).all()
    np.testing.assert_array_equal(X, before)


class Repaint(Hole):
    """Draws with arrays as mean and deviation."""

    def _corrupt(self, images, rng):
        return rng.normal(images, images * 0, (len(images), 1, 1, 1))


def test_normal_takes_arrays_as_mean_and_deviation():
    X = images()
    np.testing.assert_allclose(Repaint().fit_transform(X), X)
    np.testing.assert_allclose(corrupt_tensor(Repaint(), X).numpy(), X, rtol=1e-6)


def test_seeds_give_different_noise():
    X = images(n=3)
    a, b = (GaussianNoise(random_state=seed).fit_transform(X) for seed in (0, 1))
    assert (a != b).mean() > 0.5


ONE_SEED = [
    GaussianNoise(0.1),
    GaussianNoise(0.3),
    GaussianNoise(0.1, mean=0.05),
    GaussianNoise((0.1, 0.3)),
    type("OwnNoise", (GaussianNoise,), {})(0.1),
    UniformNoise(0.1),
    UniformNoise(0.3),
    SpeckleNoise(0.1),
    SpeckleNoise(0.1, distribution="uniform"),
    StructuredNoise(0.1, kernel=[[1.0, 2.0]]),
    StructuredNoise(0.1, kernel=[[1.0, 2.0, 0.0]]),
    PoissonNoise(20.0),
    PoissonNoise(30.0),
    PoissonGaussianNoise(gain=0.05, std=0.1),
    PoissonGaussianNoise(gain=0.05, std=0.2),
    NoiseSequence([GaussianNoise(0.1)]),
    NoiseSequence([GaussianNoise(0.2)]),
    NoiseSequence([GaussianNoise(0.1), PoissonNoise(20.0)]),
    NoiseSequence([PoissonNoise(20.0), GaussianNoise(0.1)]),
    OneOf([GaussianNoise(0.1), GaussianNoise(0.3)]),
    NoiseSequence([OneOf([GaussianNoise(0.1), GaussianNoise(0.2)])]),
]


def test_noises_of_one_seed_that_differ_are_independent():
    """Another class or another parameter, also of a held noise: no number is shared."""
    X = images(n=1, side=100, n_channels=1)
    fields = [
        clone(noise).set_params(clip=None, random_state=0).fit_transform(X) - X
        for noise in ONE_SEED
    ]
    correlations = np.corrcoef(np.reshape(fields, (len(fields), -1)))[
        np.triu_indices(len(fields), 1)
    ]
    assert np.abs(correlations).max() < 5 / 100


def test_what_is_hit_differs_with_the_amount():
    """Of one seed, the pixels hit by 0.2 would all be hit by 0.3."""
    X = images(n=1, side=100, n_channels=1)
    for cls in (SaltPepper, MaskingNoise):
        few, more = (cls(a, random_state=0).fit_transform(X) != X for a in (0.2, 0.3))
        assert abs((few & more).mean() - few.mean() * more.mean()) < 0.02


class Blur(BaseNoise):
    """Takes a parameter of any kind."""

    def __init__(self, kernel=None):
        self.kernel = kernel

    def _corrupt(self, images, rng):
        return images + rng.normal(0.0, 0.1, images.shape)


EQUAL = [
    (GaussianNoise(0.25), GaussianNoise(np.float32(0.25)), GaussianNoise(np.array([0.25])[0])),
    (GaussianNoise(1), GaussianNoise(1.0), GaussianNoise(np.int64(1))),
    (GaussianNoise(0.1), GaussianNoise(std=0.1, mean=-0.0), GaussianNoise(0.1, when="fit")),
    (GaussianNoise((0.1, 0.3)), GaussianNoise([0.1, 0.3]), GaussianNoise([np.float64(0.1), 0.3])),
    (Blur([[1, 2], [3, 4]]), Blur(((1.0, 2), (3, 4))), Blur(np.array([[1, 2], [3, 4]], np.uint8))),
    (Blur(np.ones((2, 2))), Blur(torch.ones(2, 2)), Blur(np.ones((2, 2), order="F"))),
    (Blur({"a": 1, "b": [2]}), Blur({"b": (2.0,), "a": 1.0})),
    (Blur({"x", "y", "z"}), Blur({"z", "y", "x"})),
    (Blur([[1], [2, "x"], None]), Blur(([1.0], (2, np.str_("x")), None))),
    (Blur(stats.norm), Blur(stats.norm)),
    (SaltPepper(0.2, image_shape=(8, 8, 2)), SaltPepper(0.2)),
    (
        NoiseSequence([PoissonNoise(20), GaussianNoise(0.1)]),
        NoiseSequence((PoissonNoise(20.0, random_state=3), GaussianNoise(0.1, when="fit"))),
    ),
    (OneOf([GaussianNoise(0.1)]), OneOf([GaussianNoise(0.1, clip="auto", random_state=1)])),
]


@pytest.mark.parametrize("noises", EQUAL)
def test_equal_noises_draw_the_same_numbers(noises):
    """Whatever holds their parameters, and whatever `when` and held seeds are."""
    X = images(n=3)
    first, *others = (clone(noise).set_params(random_state=5).fit_transform(X) for noise in noises)
    for other in others:
        np.testing.assert_array_equal(other, first)


UNEQUAL = [
    (Blur([[1, 2], [3, 4]]), Blur([1, 2, 3, 4])),
    (Blur("1"), Blur(1)),
    (Blur({"a": 1}), Blur({"a": 2})),
    (Blur(), Blur(0)),
    (Blur(np.sin), Blur(np.cos)),
    (Blur(partial(np.clip, a_max=1)), Blur(partial(np.clip, a_max=2))),
]


@pytest.mark.parametrize("noises", UNEQUAL)
def test_noises_that_differ_in_any_parameter_draw_others(noises):
    one, other = (noise.set_params(random_state=5).fit_transform(images(n=3)) for noise in noises)
    assert (one != other).mean() > 0.5


@pytest.mark.parametrize("noise", [GaussianNoise(0.1), OneOf([GaussianNoise(0.1, clip=None)])])
def test_clipping_changes_no_number(noise):
    X = images(n=3)
    wide, narrow = (
        clone(noise).set_params(clip=clip, random_state=0).fit_transform(X)
        for clip in (None, (0.15, 0.85))
    )
    np.testing.assert_array_equal(wide.clip(0.15, 0.85), narrow)


def test_a_level_that_is_set_later_counts_as_one_from_the_start():
    X = images(n=3)
    later = GaussianNoise(0.1, random_state=0).fit(X).set_params(std=0.3)
    np.testing.assert_array_equal(
        later.transform(X), GaussianNoise(0.3, random_state=0).fit_transform(X)
    )


@pytest.mark.slow
def test_another_process_draws_the_same_numbers():
    """Names and numbers are hashed by nothing that Python salts."""
    code = (
        "import numpy as np, hashlib; from skdae.noise import *;"
        "X = np.linspace(0.2, 0.8, 64)[None];"
        "noise = OneOf([SaltPepper(0.2), NoiseSequence([GaussianNoise((0.1, 0.3))])]);"
        "N = noise.set_params(random_state=0).fit_transform(X);"
        "print(hashlib.sha256(N.tobytes()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert len(digests) == 1


def test_without_a_seed_each_fit_draws_one_and_keeps_it():
    X, noise = images(n=3), GaussianNoise()
    first = noise.fit_transform(X)
    np.testing.assert_array_equal(noise.transform(X), first)
    assert (noise.fit_transform(X) != first).any()


def test_global_generators_are_left_alone():
    numpy_before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()
    GaussianNoise().fit_transform(images(n=3))
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)
    assert torch.equal(torch.get_rng_state(), torch_before)


def test_when_fit_adds_noise_in_fit_transform_alone():
    X, noise = images(), GaussianNoise(when="fit", random_state=0)
    noisy = noise.fit_transform(X)
    np.testing.assert_array_equal(noisy, GaussianNoise(random_state=0).fit_transform(X))
    np.testing.assert_array_equal(noise.transform(X), X)


def test_clip_none_lets_values_out_of_range():
    noisy = GaussianNoise(std=2.0, clip=None).fit_transform(images())
    assert noisy.min() < 0
    assert noisy.max() > 1


@pytest.mark.parametrize("scale", [255.0, -1.0])
def test_images_outside_the_clip_range_get_a_warning(scale):
    X, noise = images() * scale, GaussianNoise(clip=(0, 1))
    with pytest.warns(UserWarning, match=r"X spans .* in \[0, 1\]; .* set clip=None and fit again"):
        noise.fit(X)
    with pytest.warns(UserWarning, match="X spans"):
        noise.transform(X)
    with pytest.warns(UserWarning, match="X spans"):
        NoiseSequence([noise]).fit(X)
    with pytest.warns(UserWarning, match="X spans"):
        GaussianNoise().fit(images()).transform(X)
    for unclipped in (GaussianNoise(clip=None), GaussianNoise(), NoiseSequence([GaussianNoise()])):
        unclipped.fit(X).transform(X)
    noise.fit(images() * 1.3)  # a little overshoot, as from interpolation, is no mistake


@every_injector
def test_auto_clips_images_in_the_unit_range_to_it(noise):
    X = images(n=40)
    auto, pair = (clone(noise).set_params(clip=c, random_state=0) for c in ("auto", (0.0, 1.0)))
    np.testing.assert_array_equal(auto.fit_transform(X), pair.fit_transform(X))
    assert auto.clip_ == pair.clip_ == (0, 1)
    levels = (255 * X).astype(np.uint8)
    np.testing.assert_array_equal(auto.fit_transform(levels), pair.fit_transform(levels))


@pytest.mark.parametrize("scale", [4000, -1, 1.3])
@pytest.mark.parametrize("held", [lambda noise: noise, lambda noise: NoiseSequence([noise])])
def test_auto_does_not_clip_other_images(scale, held):
    X, noise = images() * scale, held(GaussianNoise(2.0, random_state=0)).set_params(random_state=0)
    np.testing.assert_array_equal(
        noise.fit_transform(X), clone(noise).set_params(clip=None).fit_transform(X)
    )
    assert noise.clip_ is None
    assert np.ptp(noise.transform(X) - X) > 10


def test_the_range_of_a_list_is_that_of_all_its_images():
    dark, light = np.zeros((4, 4)), np.full((6, 5), 100.0)
    assert GaussianNoise().fit([dark, light]).clip_ is None
    assert GaussianNoise().fit([dark, light / 100]).clip_ == (0, 1)


def test_a_fitted_noise_clips_as_it_was_fitted(tmp_path):
    noise = GaussianNoise(random_state=0).fit(4000 * images())
    noise.save(tmp_path / "noise")
    again = load(tmp_path / "noise")
    assert again.clip_ is None
    np.testing.assert_array_equal(again.transform(images()), noise.transform(images()))


@pytest.mark.parametrize("cls", [NoiseSequence, OneOf])
def test_the_clip_of_a_composition_holds_for_its_noises(cls):
    X = np.full((1, 4, 4), 0.5)
    up, down = GaussianNoise(std=0.0, mean=2.0), GaussianNoise(std=0.0, mean=-1.5)
    steps = [cls([up]), cls([down])]

    def end(noises, clip):
        return float(NoiseSequence(noises, clip=clip).fit_transform(X).max())

    assert end(steps, "auto") == end(steps, (0, 1)) == 0
    assert end(steps, None) == 1
    assert end(steps, (0, 3)) == 1
    assert end([cls([up], clip=(0, 2)), cls([down])], None) == 0.5
    assert end([cls([up], clip=None), cls([down])], "auto") == 1


def test_flat_colour_rows_need_their_shape_to_hit_pixels():
    X = images(n=50)
    noise = SaltPepper(amount=0.3, image_shape=(8, 8, 2), random_state=0)
    flat = noise.fit_transform(X.reshape(50, -1))
    hit = (flat != X.reshape(50, -1)).reshape(X.shape)
    assert (hit.all(axis=3) == hit.any(axis=3)).all()


def test_feature_names_stay():
    X = np.random.default_rng(0).random((5, 16))
    for noise in (GaussianNoise(), Downsample(factor=2)):
        assert list(noise.fit(X).get_feature_names_out()) == [f"x{i}" for i in range(16)]


# Noises that hold others


def test_held_noises_are_reached_by_their_place():
    noise = NoiseSequence([GaussianNoise(std=0.1), SaltPepper(amount=0.2)])
    assert noise.get_params()["1__amount"] == 0.2
    old = noise.noises[0]
    noise.set_params(noises=[GaussianNoise(), SaltPepper()], **{"0__std": 0.3, "1": MaskingNoise()})
    assert old.std == 0.1
    assert noise.noises[0].std == 0.3
    assert isinstance(noise.noises[1], MaskingNoise)
    assert clone(noise).noises[0].std == 0.3


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (GaussianNoise(std=-1), "'std' parameter of GaussianNoise"),
        (GaussianNoise(std=(0.5, 0.1)), "low <= high"),
        (GaussianNoise(std="much"), "'std' parameter"),
        (GaussianNoise(std=np.nan), "'std' parameter"),
        (PoissonGaussianNoise(gain=0), "'gain' parameter of PoissonGaussianNoise"),
        (PoissonGaussianNoise(gain=(-1, 1)), "'gain' parameter"),
        (PoissonGaussianNoise(std=-1), "'std' parameter"),
        (PoissonGaussianNoise(offset=np.inf), "'offset' parameter"),
        (StructuredNoise(kernel=3), "'kernel' parameter"),
        (StructuredNoise(kernel=[0.0, 0.0]), "must be finite weights, not all 0"),
        (StructuredNoise(kernel=[1.0, np.nan]), "must be finite weights"),
        (StructuredNoise(kernel=[[1.0]], axis="rows"), "must be finite weights"),
        (StructuredNoise(kernel="box"), "kernel"),
        (JPEGNoise(quality=0), "'quality' parameter"),
        (JPEGNoise(quality=(5.5, 60)), "'quality' parameter"),
        (
            GaussianNoise(clip=(1, 0)),
            "must be a str among {'auto'}, a pair (low, high) with low < high or None. Got (1, 0)",
        ),
        (GaussianNoise(clip=(0, 1, 2)), "a pair (low, high)"),
        (GaussianNoise(clip="avto"), "Did you mean 'auto'?"),
        (GaussianNoise(when="never"), "'when' parameter"),
        (GaussianNoise(random_state="x"), "'random_state' parameter"),
        (PoissonNoise(peak=0), "'peak' parameter"),
        (SaltPepper(amount=1.5), "'amount' parameter"),
        (SaltPepper(salt_ratio=-0.1), "'salt_ratio' parameter"),
        (SpeckleNoise(distribution="cauchy"), "'distribution' parameter"),
        (Occlusion(size=1.5), "'size' parameter"),
        (Occlusion(start=3), "'start' parameter"),
        (Occlusion(orientation="diagonal"), "'orientation' parameter"),
        (StripeNoise(axis=0), "'axis' parameter"),
        (Downsample(factor=0), "'factor' parameter"),
        (NoiseSequence([]), "at least one noise model"),
        (OneOf([GaussianNoise(), "salt"]), "at least one noise model"),
        (NoiseSequence([GaussianNoise(std=-1)]), "'std' parameter of GaussianNoise"),
        (OneOf([Occlusion(image_shape=(8, 8, 2))], image_shape=(16, 8)), "different shapes"),
    ],
    ids=name,
)
def test_bad_parameters_are_named(noise, message):
    with pytest.raises(ValueError) as error:
        noise.fit(images())
    assert message in str(error.value)
    assert not hasattr(noise, "seed_")


def test_numpy_integers_serve_as_integers():
    X = np.random.default_rng(0).random((1, 300, 300))
    assert Downsample(np.uint8(2)).fit_transform(X).shape == X.shape
    assert structural_similarity(X, X, win_size=np.uint8(7)) == 1.0
    noise = Occlusion(np.uint8(3), image_shape=tuple(np.array([300, 300])))
    assert noise.fit(X.reshape(1, -1)).image_shape_ == (300, 300)


class Explicit(Hole):
    def __init__(self, share=0.25, *, clip="auto", when="always", random_state=None):
        super().__init__(clip=clip, when=when, random_state=random_state)
        self.share = share


class PassesOn(Hole):
    def __init__(self, share=0.25, **common):
        super().__init__(**common)
        self.share = share


class LeavesOut(Hole):
    def __init__(self, share=0.25):
        super().__init__()
        self.share = share


class CallsNoParent(Hole):
    def __init__(self, share=0.25):
        self.share = share


class Grandchild(PassesOn):
    def __init__(self, share=0.5):
        super().__init__(share)


@pytest.mark.parametrize("cls", [Hole, Explicit, PassesOn, LeavesOut, CallsNoParent, Grandchild])
def test_every_noise_has_the_common_parameters(cls):
    assert cls().clip == "auto"
    assert cls().when == "always"
    assert repr(cls()) == f"{cls.__name__}()"
    noise = cls(clip=(0.0, 2.0), when="fit", random_state=3)
    assert {"clip", "when", "random_state"} <= set(noise.get_params())
    assert repr(noise) == f"{cls.__name__}(clip=(0.0, 2.0), random_state=3, when='fit')"
    for copy in (clone(noise), pickle.loads(pickle.dumps(noise))):
        assert copy.get_params() == noise.get_params()
    assert noise.set_params(clip=None).clip is None
    assert noise.fit_transform(np.full((1, 8, 8), 7.0)).max() == 7
    with pytest.raises(TypeError, match="unexpected keyword argument 'sd'"):
        cls(sd=1)


@pytest.mark.parametrize("cls", [Explicit, PassesOn, CallsNoParent])
def test_the_common_parameters_of_any_noise_can_be_searched(cls):
    X = np.linspace(0, 1, 640).reshape(10, 8, 8)
    net = DenoisingAutoencoder("linear", noise=cls(), max_epochs=1, random_state=0)
    search = GridSearchCV(net, {"noise__clip": [None, (0.0, 2.0)], "noise__share": [0.5]}, cv=2)
    best = search.fit(X).best_estimator_.noise_
    assert best.clip in (None, (0.0, 2.0))
    assert best.share == 0.5


class InPlace(BaseNoise):
    """Adds one, and writes to what it gets."""

    def _corrupt(self, images, rng):
        images += 1
        return images


def test_one_of_gives_each_noise_images_of_its_own():
    either = OneOf([InPlace(clip=None)] * 3, clip=None, random_state=0)
    X = np.arange(20.0)[:, None, None] * np.ones((4, 4))
    before = X.copy()
    np.testing.assert_array_equal(either.fit_transform(X), X + 1)
    noisy = either.corrupt(torch.zeros(20, 4, 4, 1), TorchGenerator(torch.Generator()))
    assert (noisy == 1).all()
    np.testing.assert_array_equal(X, before)


def test_a_common_parameter_is_not_an_attribute_of_the_class():
    with pytest.raises(TypeError, match=r"\['clip'\] of Unclipped are parameters"):

        class Unclipped(BaseNoise):
            clip = None


# Images that are copies of others


@pytest.mark.parametrize("layout", ["rows", "images"])
def test_copies_of_images_get_a_warning_where_their_noise_is_shared(layout):
    X = images(n=200, n_channels=1)[..., 0]
    X[:5] = 1.0
    X = X.reshape(200, -1) if layout == "rows" else X
    noise = GaussianNoise(random_state=0).fit(X)
    for corrupt in (noise.transform, noise.fit_transform):
        with pytest.warns(UserWarning, match=r"^4 of 200 images are copies .* noise= of the"):
            corrupt(X)
    # Warnings are errors: up to 1 % are no trap, nor is what draws no numbers, nor a small batch.
    noise.transform(X[3:])
    noise.transform(X[:19])
    Downsample().fit_transform(X)


def test_a_denoiser_that_draws_fresh_noise_is_not_warned_of_copies():
    X = np.full((30, 8, 8), 0.5, dtype=np.float32)
    dae = DenoisingAutoencoder("linear", noise=GaussianNoise(), max_epochs=1).fit(X)
    # Warnings are errors here.
    assert dae.score(X) < 0


def test_an_image_taken_for_rows_is_named():
    with pytest.warns(UserWarning, match=r"If X is one image, pass X\[None\]"):
        GaussianNoise().fit_transform(np.ones((28, 28)))


# Sizes, dtypes and containers


@pytest.mark.parametrize("factor", [1, 2, 3, 5, 10**12])
def test_downsample_repeats_the_edge_of_any_size(factor):
    X = images(n=3)[:, :7, :5]
    lower = Downsample(factor).fit_transform(X)
    assert lower.shape == X.shape
    if factor > 5:
        np.testing.assert_allclose(lower, np.broadcast_to(X.mean((1, 2), keepdims=True), X.shape))
    else:
        padded = np.pad(X, [(0, 0), (0, -7 % factor), (0, -5 % factor), (0, 0)], mode="edge")
        np.testing.assert_allclose(lower, Downsample(factor).fit_transform(padded)[:, :7, :5])
    np.testing.assert_array_equal(Downsample(factor).fit_transform(X[:1]), lower[:1])
    tensor = corrupt_tensor(Downsample(factor), X)
    np.testing.assert_allclose(tensor, lower, rtol=1e-6)


@every_injector
def test_tensors_keep_their_dtype_whatever_the_default(noise):
    X = images(n=5)
    expected = corrupt_tensor(noise, X)
    torch.set_default_dtype(torch.float64)
    try:
        noisy = corrupt_tensor(noise, X)
    finally:
        torch.set_default_dtype(torch.float32)
    assert noisy.dtype == torch.float32
    assert torch.equal(noisy, expected)


class NoClip(InPlace):
    """Knows none of the common parameters."""

    _parameter_constraints = {}

    def __init__(self, share=0.25):
        self.share = share


def test_a_noise_without_clip_works_wherever_a_noise_does():
    X = images(n=5, n_channels=1).astype(np.float32)
    assert (NoClip().fit_transform(X) == 1).all()
    assert (OneOf([NoClip(), NoiseSequence([NoClip()])]).fit_transform(X) == 1).all()
    dae = DenoisingAutoencoder("linear", noise=NoClip(), max_epochs=1).fit(X)
    assert denoising_scorer("mse", noise=NoClip(clip=None))(dae, X) < 0


@pytest.mark.parametrize("output", ["pandas", "polars"])
@pytest.mark.parametrize("way", ["global", "set_output"])
def test_set_output_makes_tables_of_rows_and_leaves_images_alone(output, way):
    pytest.importorskip(output)
    X = images(n=6, n_channels=1)[..., 0].astype(np.float32)
    rows, sizes = X.reshape(6, -1), [X[0], X[1][:5]]
    parts = [GaussianNoise(random_state=0), MedianFilter(), Downsample()]
    parts += [DenoisingAutoencoder("conv", noise=GaussianNoise(), max_epochs=1, random_state=0)]
    for part in parts:
        expected = clone(part).fit(X).transform(X)
        score = clone(part).fit(X).score(X) if hasattr(part, "score") else None
        with config_context(transform_output=output if way == "global" else "default"):
            part = clone(part)
            if way == "set_output":
                part.set_output(transform=output)
            np.testing.assert_array_equal(part.fit(X).transform(X), expected)
            np.testing.assert_array_equal(part.fit_transform(X), expected)
            assert [image.ndim for image in part.transform(sizes)] == [2, 2]
            if score is not None:
                assert part.score(X) == score
                assert mse_scorer(part, X) == pytest.approx(score)
            table = part.fit(rows).transform(rows)
            assert type(table).__module__.partition(".")[0] == output
            assert [*table.columns] == [*part.get_feature_names_out()]
            assert type(part.fit_transform(rows)) is type(table)
            if score is not None:
                assert part.score(rows) < 0


# Drifts and hum


@pytest.mark.parametrize("path", ["array", "tensor"])
def test_hum_is_a_line_of_the_spectrum_with_its_harmonics(path):
    X = 1e-6 * np.random.default_rng(0).random((50, 200, 2)).astype(np.float32)
    hum = LineInterference(0.5, 0.05, n_harmonics=20, channel_axis=-1, clip=None, random_state=0)
    noisy = hum.fit_transform(X) if path == "array" else corrupt_tensor(hum, X)
    spectrum = np.abs(np.fft.rfft(noisy, axis=1)) / 100
    lines = np.arange(10, 101, 10)
    # The last is at half a cycle per sample, where the phase tells the amplitude.
    expected = np.broadcast_to(0.5 / np.arange(1, 10)[:, None], (50, 9, 2))
    np.testing.assert_allclose(spectrum[:, lines[:-1]], expected, rtol=1e-3)
    others = np.setdiff1d(np.arange(101), lines)
    assert spectrum[:, others].max() < 1e-3
    phases = np.angle(np.fft.rfft(noisy, axis=1)[:, 10])
    assert len(np.unique(phases.round(3))) > 95


def test_levels_and_frequencies_of_hum_may_be_ranges():
    X = 1e-6 * np.random.default_rng(0).random((400, 1000))
    hum = LineInterference((0.2, 0.4), (0.1, 0.3), image_shape=(1000,), clip=None, random_state=0)
    spectrum = np.abs(np.fft.rfft(hum.fit_transform(X) * np.hanning(1000))) / 250
    peaks = spectrum.argmax(axis=1) / 1000
    assert 0.1 - 1e-3 <= peaks.min() < 0.12 < 0.28 < peaks.max() <= 0.3 + 1e-3
    amplitudes = spectrum.max(axis=1)
    assert 0.16 < amplitudes.min() < 0.22 < 0.36 < amplitudes.max() < 0.41


@pytest.mark.parametrize("path", ["array", "tensor"])
def test_baseline_wander_has_its_strength_and_no_fast_waves(path):
    X = 1e-6 * np.random.default_rng(0).random((2000, 400)).astype(np.float32)
    X = X[..., None] if path == "tensor" else X
    options = {"image_shape": (400,)} if path == "array" else {"channel_axis": -1}
    wander = BaselineWander(0.3, 0.05, clip=None, random_state=0, **options)
    noisy = wander.fit_transform(X) if path == "array" else corrupt_tensor(wander, X)
    noisy = np.asarray(noisy).reshape(2000, 400)
    assert noisy.std() == pytest.approx(0.3, rel=0.03)
    power = np.square(np.abs(np.fft.rfft(noisy * np.hanning(400)))).sum(axis=0)
    assert power[23:].sum() < 1e-4 * power.sum()
    assert power[10:18].sum() > 0.1 * power.sum()


@pytest.mark.parametrize(
    "noise",
    [
        GaussianNoise(0.2),
        GaussianNoise((0.1, 0.6), mean=0.3),
        UniformNoise(0.5),
        UniformNoise((0.1, 0.6)),
        StripeNoise((0.1, 0.5)),
        StructuredNoise(0.2, kernel=(1, 2, 1)),
        SpeckleNoise((0.1, 0.5)),
        PoissonNoise(20.0),
        PoissonNoise((5.0, 50.0)),
        PoissonGaussianNoise((0.02, 0.2), (0.1, 0.4), offset=-0.5),
    ],
    ids=repr,
)
def test_variance_is_that_of_many_draws(noise):
    means = [0.0, 0.4, 2.0]
    X = np.repeat(means, 40_000)[:, None, None] * np.ones((1, 2, 2))
    # Equal images would get equal noise.
    X += 1e-9 * np.arange(len(X))[:, None, None]
    noisy = clone(noise).set_params(clip=None, random_state=0).fit_transform(X)
    found = noisy.reshape(3, -1).var(axis=1)
    np.testing.assert_allclose(noise.variance(means), found, rtol=0.05, atol=1e-5)
    assert noise.variance(0.4).shape == ()


def test_noises_that_change_the_mean_have_no_variance():
    for noise in (SaltPepper(), MaskingNoise(), Occlusion(), JPEGNoise()):
        assert not hasattr(noise, "variance")
