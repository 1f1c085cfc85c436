"""Shapes and values: the conventions of every public function and class."""

import os
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from PIL import Image
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_sample_image
from sklearn.pipeline import make_pipeline

from skdae import (
    DenoisingAutoencoder,
    GaussianNoise,
    MeanFilter,
    MedianFilter,
    Occlusion,
    StripeNoise,
)
from skdae._images import Geometry, check_images, check_target, geometry_of, to_float
from skdae.datasets import load_digits_images
from skdae.metrics import peak_signal_noise_ratio, psnr_scorer, structural_similarity


@pytest.mark.parametrize(
    ("batch_shape", "image_shape", "channel_axis", "shape"),
    [
        ((5, 1), None, "auto", (1, 1, 1)),
        ((5, 48), (4, 4, 3), "auto", (4, 4, 3)),
        ((5, 48), [6, 8], "auto", (6, 8, 1)),
        ((5, 48), (6, 8), -1, (6, 8)),
        ((5, 48), (3, 4, 4), None, (3, 4, 4, 1)),
        ((5, 96), (3, 4, 4, 2), "auto", (3, 4, 4, 2)),
        ((5, 50), (50,), "auto", (50, 1)),
        ((5, 8, 6), None, "auto", (8, 6, 1)),
        ((5, 8, 6), None, None, (8, 6, 1)),
        ((5, 8, 6), None, -1, (8, 6)),
        ((5, 8, 6, 3), None, "auto", (8, 6, 3)),
        ((5, 8, 6, 3), None, -1, (8, 6, 3)),
        ((5, 8, 6, 3), None, None, (8, 6, 3, 1)),
        ((5, 4, 8, 6, 3), None, "auto", (4, 8, 6, 3)),
        ((5, 8, 6, 1), (8, 6), "auto", (8, 6, 1)),
    ],
)
def test_geometry_is_found(batch_shape, image_shape, channel_axis, shape):
    geometry = geometry_of(np.zeros(batch_shape), image_shape, channel_axis)
    assert geometry.shape == shape
    assert geometry.rank == len(shape) - 1
    X = np.random.default_rng(0).random(batch_shape)
    batch = geometry.read(X)
    assert batch.shape == (5, *shape)
    np.testing.assert_array_equal(batch.ravel(), X.ravel())


def test_rows_that_are_no_square_are_signals_with_a_warning():
    with pytest.warns(UserWarning, match="image_shape="):
        assert geometry_of(np.zeros((5, 50))).image_shape == (50,)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_rows_of_a_square_number_are_images_only_if_they_look_like_it(noise):
    rng = np.random.default_rng(0)
    digits = load_digits_images().images.reshape(-1, 64)
    assert geometry_of(digits + noise * rng.normal(size=digits.shape)).image_shape == (8, 8)
    photographs = np.stack([china()[i : i + 32, i : i + 32].ravel() for i in range(0, 300, 10)])
    rows = photographs + noise * rng.normal(size=photographs.shape)
    assert geometry_of(rows).image_shape == (32, 32)
    steps = rng.normal(size=(20, 1024)).cumsum(axis=1) / 20
    for signals in (steps, np.sin(np.arange(1024) / rng.uniform(20, 60, (20, 1)))):
        with pytest.warns(UserWarning, match=r"do not look like.*image_shape=\(1024,\)"):
            found = geometry_of(signals + noise * rng.normal(size=signals.shape))
        assert found.image_shape == (1024,)


def china():
    """A grey photograph."""
    return load_sample_image("china.jpg").mean(axis=2) / 255


@pytest.mark.parametrize(
    ("batch_shape", "image_shape", "channel_axis", "message"),
    [
        ((5, 784), (8, 8), "auto", r"image_shape=\(8, 8\) holds 64 pixels, but X has 784 per row"),
        ((5, 784), (8, 8), "auto", r"pass image_shape=\(28, 28\)"),
        ((5, 64), (8, 0), "auto", "positive integers"),
        ((5, 64), (8.0, 8.0), "auto", "positive integers"),
        ((5, 64), 64, "auto", "must be"),
        ((5, 64), (2, 2, 2, 2, 4), "auto", "must be"),
        ((5, 64), (2, 2, 4, 4), None, "expected flat rows"),
        ((5, 64), None, -1, r"pass image_shape=\(length, n_channels\)"),
        ((5, 64), (64,), -1, "expected flat rows"),
        ((5, 8, 8), (4, 16), "auto", "does not match the images of X"),
        ((5,), None, "auto", "flat rows"),
        ((5, 2, 2, 2, 2), None, None, "expected flat rows"),
        ((5, 2, 2, 2, 2, 2), None, "auto", "expected flat rows"),
    ],
)
def test_geometry_that_does_not_fit_is_refused(batch_shape, image_shape, channel_axis, message):
    with pytest.raises(ValueError, match=message):
        geometry_of(np.zeros(batch_shape), image_shape, channel_axis)


@pytest.mark.parametrize(
    ("fitted", "later"),
    [
        (Geometry((8, 8)), (5, 8, 8, 2, 2)),
        (Geometry((4, 8, 8)), (5, 8, 8)),
        (Geometry((64,)), (5, 8, 8)),
    ],
)
def test_samples_with_another_number_of_axes_are_refused(fitted, later):
    with pytest.raises(ValueError, match="was fitted on"):
        fitted.of(later)


def test_uint8_spans_exactly_zero_to_one():
    levels = np.arange(256, dtype=np.uint8)[None]
    assert to_float(levels).dtype == np.float32
    assert to_float(levels)[0, [0, 255]].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [
        (np.uint8, np.uint8),
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.int64, np.float64),
        (np.uint16, np.float64),
        (bool, np.float64),
        (np.float16, np.float32),
        (">f2", np.float32),
        (">f4", np.float32),
        (">f8", np.float64),
        (np.longdouble, np.float64),
    ],
)
def test_other_dtypes_are_cast_and_never_rescaled(dtype, kept):
    X = np.ones((2, 3, 3), dtype=dtype)
    checked = check_images(X)
    assert checked.dtype == kept
    assert (checked == 1).all()


def test_targets_of_the_same_shape_fit():
    for shape in ((4, 6), (4, 8, 8), (4, 8, 8, 3), (4, 2, 8, 8, 3)):
        assert check_target(np.zeros(shape), np.zeros(shape)).shape == shape


@pytest.mark.parametrize(
    ("x_shape", "y_shape", "factor"),
    [((4, 8, 8), (4, 16, 16), 2), ((4, 5, 8, 3), (4, 14, 24, 3), 3), ((4, 9, 9), (4, 5, 5), 2)],
)
def test_targets_of_another_size_name_the_way_out(x_shape, y_shape, factor):
    way_out = rf"Enlarge the small images first, as by X.repeat\({factor}, axis=1\)"
    with pytest.raises(ValueError, match=way_out):
        check_target(np.zeros(x_shape), np.zeros(y_shape))
    x, y = ([np.zeros(shape[1:]), np.zeros((20, 20, *shape[3:]))] for shape in (x_shape, y_shape))
    with pytest.raises(ValueError, match=way_out):
        MedianFilter().fit(x, y)


@pytest.mark.parametrize(
    ("x_shape", "y_shape"),
    [
        ((4, 8, 8), (3, 8, 8)),
        ((4, 8, 8), (4, 8, 9)),
        ((4, 8, 8), (4, 16, 8)),
        ((4, 8, 8), (4, 12, 12)),
        ((4, 8, 8), (4, 64)),
        ((4, 8, 8, 3), (4, 8, 8, 1)),
        ((4, 64), (4, 65)),
    ],
)
def test_other_targets_are_refused_with_both_shapes(x_shape, y_shape):
    with pytest.raises(ValueError, match="y has shape") as error:
        check_target(np.zeros(x_shape), np.zeros(y_shape))
    assert str(x_shape) in str(error.value)
    assert str(y_shape) in str(error.value)


def test_labels_are_no_target():
    assert check_target(np.zeros((4, 8, 8)), np.arange(4)) is None
    assert check_target(np.zeros((4, 8, 8)), ["a", "b", "c", "d"]) is None


@pytest.mark.parametrize(
    "part", [GaussianNoise(random_state=0), Occlusion(random_state=0), MedianFilter()], ids=repr
)
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_images_of_different_sizes_come_as_a_list(part, dtype):
    rng = np.random.default_rng(0)
    X = [(255 * rng.random(shape)).astype(dtype) for shape in [(6, 9), (12, 5), (8, 8)]]
    X = X if dtype == np.uint8 else [image / 255 for image in X]
    out = part.fit(X).transform(X)
    assert [image.shape for image in out] == [image.shape for image in X]
    for image, transformed in zip(X, out, strict=True):
        np.testing.assert_array_equal(part.transform(image[None])[0], transformed)
    for same in (part.fit_transform(X), part.transform(objects(X))):
        for a, b in zip(same, out, strict=True):
            np.testing.assert_array_equal(a, b)


def test_list_of_images_is_checked_as_a_batch_is():
    X = [np.zeros((6, 9)), np.zeros((12, 5))]
    for part in (GaussianNoise(), MedianFilter()):
        with pytest.raises(ValueError, match=r"X\[1\] contains infinity"):
            part.fit([X[0], np.full((12, 5), np.inf)])
        with pytest.raises(ValueError, match="mixes images of different kinds"):
            part.fit(X).transform([X[0], np.zeros((12, 5, 3))])
    assert MedianFilter().fit(X).score(X, X) == 0.0


@pytest.mark.parametrize("shape", [(6, 9), (12, 5)], ids=["same", "other"])
def test_list_of_bytes_and_counts_is_refused(shape):
    rng = np.random.default_rng(0)
    bytes_, scene = (255 * rng.random((6, 9))).astype(np.uint8), rng.random(shape)
    for other in ((65535 * scene).astype(np.uint16), 255 * scene):
        for X in ([bytes_, other], [other, bytes_], objects([bytes_, other])):
            for part in (MedianFilter(), GaussianNoise()):
                with pytest.raises(ValueError, match="mixes uint8 .* Pass all in one unit"):
                    part.fit(X)
            with pytest.raises(ValueError, match="mixes uint8"):
                MedianFilter().fit(bytes_[None]).predict(X)
    fractions = MedianFilter().fit_transform([bytes_, scene])
    np.testing.assert_array_equal(fractions[0], MedianFilter().fit_transform(bytes_[None])[0])


def objects(X):
    """An array of objects, one per image."""
    array = np.empty(len(X), dtype=object)
    for i, image in enumerate(X):
        array[i] = image
    return array


@pytest.mark.parametrize("shape", [(64,), (8, 8), (8, 8, 3)])
def test_a_list_of_uint8_images_is_the_array_of_them(shape):
    X = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    for estimator in (MedianFilter(), GaussianNoise(random_state=0)):
        method = getattr(estimator.fit(X), "predict", None) or estimator.transform
        expected = method(X)
        method = getattr(estimator.fit(list(X)), "predict", None) or estimator.transform
        assert_array_equal(method(list(X)), expected)
        assert_array_equal(method(objects(X)), expected)
        assert_array_equal(estimator.fit_transform(objects(X)), estimator.fit_transform(X))
    assert MedianFilter().fit(X).score(objects(X), objects(X)) == MedianFilter().fit(X).score(X, X)
    assert peak_signal_noise_ratio(objects(X), list(X // 2)) == peak_signal_noise_ratio(X, X // 2)
    assert peak_signal_noise_ratio(list(X), list(X // 2)) == peak_signal_noise_ratio(X, X // 2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (make_pipeline(StripeNoise(), MedianFilter()).fit, "not square images"),
        (GaussianNoise(clip=(2, 3), random_state=0).fit_transform, "X spans"),
        (lambda X: structural_similarity(X, X), "not square images"),
    ],
)
def test_warning_points_at_the_line_of_the_user(call, words):
    X = np.random.default_rng(0).random((4, 7))
    with pytest.warns(UserWarning, match=words) as record:
        call(X)
    assert {warning.filename for warning in record} == {__file__}


# What users hold: one door decides the dtype

LEVELS = np.random.default_rng(0).integers(0, 256, (6, 16), dtype=np.uint8)
COLUMNS = [f"p{i}" for i in range(16)]


def polars_frame():
    return pytest.importorskip("polars").DataFrame(LEVELS, schema=COLUMNS)


def pyarrow_table():
    columns = dict(zip(COLUMNS, LEVELS.T.copy(), strict=True))
    return pytest.importorskip("pyarrow").table(columns)


def arrow_backed():
    pytest.importorskip("pyarrow")
    return pd.DataFrame(LEVELS, columns=COLUMNS).astype("uint8[pyarrow]")


FLAT = {
    "pandas": lambda: pd.DataFrame(LEVELS, columns=COLUMNS),
    "pandas UInt8": lambda: pd.DataFrame(LEVELS, columns=COLUMNS).astype("UInt8"),
    "pandas uint8[pyarrow]": arrow_backed,
    "polars": polars_frame,
    "pyarrow": pyarrow_table,
    "tensor": lambda: torch.from_numpy(LEVELS),
    "list of tensors": lambda: list(torch.from_numpy(LEVELS)),
    "list of rows": lambda: list(LEVELS),
    "list of lists of uint8": lambda: [list(row) for row in LEVELS],
}
IMAGES = {
    "tensor": lambda: torch.from_numpy(LEVELS).reshape(6, 4, 4),
    "list of tensors": lambda: list(torch.from_numpy(LEVELS).reshape(6, 4, 4)),
    "list of arrays": lambda: list(LEVELS.reshape(6, 4, 4)),
    "tuple of PIL images": lambda: tuple(map(Image.fromarray, LEVELS.reshape(6, 4, 4))),
    "objects": lambda: objects([Image.fromarray(image) for image in LEVELS.reshape(6, 4, 4)]),
}


@pytest.mark.parametrize("holder", [*FLAT.items(), *IMAGES.items()], ids=lambda holder: holder[0])
def test_uint8_is_seen_as_such_in_whatever_holds_it(holder):
    X = holder[1]()
    array = LEVELS if holder in FLAT.items() else LEVELS.reshape(6, 4, 4)
    assert check_images(X).dtype == np.uint8
    median, noise = MedianFilter().fit(X), GaussianNoise(random_state=0).fit(X)
    assert_array_equal(median.predict(X), MedianFilter().fit(array).predict(array))
    assert_array_equal(noise.transform(X), GaussianNoise(random_state=0).fit_transform(array))
    assert median.score(X, X) == MedianFilter().fit(array).score(array, array)
    assert peak_signal_noise_ratio(X, array // 2) == peak_signal_noise_ratio(array, array // 2)
    assert psnr_scorer(median, X, X) == psnr_scorer(MedianFilter().fit(array), array, array)
    dae = DenoisingAutoencoder("linear", noise=noise, max_epochs=1, random_state=0)
    assert_array_equal(dae.fit(X).predict(X), clone(dae).fit(array).predict(array))


@pytest.mark.parametrize("holder", FLAT)
def test_names_of_columns_are_kept_where_there_are_any(holder):
    X = FLAT[holder]()
    names = getattr(MedianFilter().fit(X), "feature_names_in_", None)
    assert (None if names is None else [*names]) == (COLUMNS if holder[0] == "p" else None)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensors_are_read_with_or_without_a_gradient(dtype):
    X = torch.rand(5, 4, 4, generator=torch.Generator().manual_seed(0)).to(dtype)
    assert_array_equal(check_images(X), X.double().numpy())
    assert_array_equal(check_images(X.requires_grad_()), check_images(X.detach()))
    assert_array_equal(MedianFilter().fit(X).predict(X), MedianFilter().fit(X).predict([*X]))


def half_dask():
    return pytest.importorskip("dask.array").from_array(HALF, chunks=(2, -1, -1))


HALF = np.random.default_rng(0).random((5, 4, 4)).astype(np.float16)
HALVES = {
    "array": lambda: HALF,
    "list of arrays": lambda: [*HALF],
    "list of lists": lambda: [[list(row) for row in image] for image in HALF],
    "objects": lambda: objects(HALF),
    "tensor": lambda: torch.from_numpy(HALF),
    "list of tensors": lambda: [*torch.from_numpy(HALF)],
    "bfloat16": lambda: torch.from_numpy(HALF).bfloat16(),
    "big-endian": lambda: HALF.astype(">f2"),
    "dask": half_dask,
    "masked": lambda: np.ma.masked_array(HALF, mask=False),
}


@pytest.mark.parametrize("holder", HALVES)
def test_float16_becomes_float32(holder):
    """Whatever holds it, and whatever the images pass."""
    X = HALVES[holder]()
    expected = np.asarray(HALF, np.float32)
    if holder == "bfloat16":
        expected = X.float().numpy()
    for estimator in (MedianFilter(), GaussianNoise(random_state=0)):
        estimator.fit(X)
        method = getattr(estimator, "predict", None) or estimator.transform
        result = method(X)
        assert result.dtype == np.float32
        assert_array_equal(np.asarray(result), method(expected))


@pytest.mark.parametrize("dtype", ["float16", "Float32", "float32"])
def test_short_floats_of_tables_become_float32(dtype):
    frame = pd.DataFrame(HALF.reshape(5, 16).astype(np.float32)).add_prefix("p").astype(dtype)
    assert MedianFilter().fit_transform(frame).dtype == np.float32


def test_float16_in_lists_of_different_sizes_becomes_float32():
    images = [HALF[0], HALF[1, :3]]
    assert {image.dtype for image in MedianFilter().fit_transform(images)} == {np.dtype("f4")}


def mixed_columns(kind, other):
    """A column of uint8 beside one of another dtype."""
    frame = pd.DataFrame({"a": LEVELS[:, 0], "b": (LEVELS[:, 1] > 127).astype(other)})
    if kind == "pandas":
        return frame
    if kind == "polars":
        return pytest.importorskip("polars").DataFrame({name: frame[name] for name in frame})
    if kind == "table":
        return pytest.importorskip("pyarrow").table({name: frame[name].array for name in frame})
    if kind == "UInt8":
        return frame.astype({"a": "UInt8"})
    if kind == "sparse":
        return frame.astype({"a": pd.SparseDtype("uint8", 0)})
    pytest.importorskip("pyarrow")
    return frame.astype({"a": "uint8[pyarrow]"})


@pytest.mark.parametrize("other", ["float64", "float32", "int64", "uint16", "bool"])
@pytest.mark.parametrize(
    "kind", ["pandas", "polars", "pyarrow table", "UInt8", "pyarrow", "sparse"]
)
def test_tables_that_mix_uint8_with_others_are_refused(kind, other):
    """The bytes would enter as 0 ... 255 beside values in [0, 1]."""
    X, floats = mixed_columns(kind, other), LEVELS[:, :2] / 255
    with pytest.raises(ValueError, match=r"columns of uint8, such as 'a', .* such as 'b'"):
        MedianFilter().fit(X)
    median = MedianFilter(image_shape=(2,)).fit(floats)
    for call in (median.predict, GaussianNoise().fit, partial(median.score, y=floats)):
        with pytest.raises(ValueError, match="columns of uint8"):
            call(X)
    with pytest.raises(ValueError, match="columns of uint8"):
        median.score(floats, X)


def test_tables_of_other_mixtures_stay_as_they_are():
    frame = pd.DataFrame({"a": [0.5, 0.25], "b": [1, 0], "c": [True, False], "d": [0.5, 0.125]})
    frame = frame.astype({"d": "float32"})
    assert_array_equal(check_images(frame), [[0.5, 1, 1, 0.5], [0.25, 0, 0, 0.125]])
    polars = pytest.importorskip("polars").DataFrame(dict(frame))
    assert_array_equal(check_images(polars), check_images(frame))


@pytest.mark.skipif("SCIPY_ARRAY_API" not in os.environ, reason="SciPy's namespaces are off")
def test_tensors_are_read_whatever_scikit_learn_makes_of_array_namespaces():
    X = torch.rand(5, 4, 4)
    with config_context(array_api_dispatch=True):
        assert_array_equal(check_images(X), X.numpy())


def test_masked_pixels_are_refused_where_they_cannot_be_left_out():
    X = np.ma.masked_array(np.ones((3, 4, 4)), mask=False)
    assert (MedianFilter().fit_transform(X) == 1).all()
    X[0, 0, 0] = np.ma.masked
    for images in (X, [*X], [X[0], np.ones((4, 5))]):
        with pytest.raises(ValueError, match="1 values of the images are masked"):
            GaussianNoise().fit(images)


def test_nulls_in_uint8_are_refused():
    frame = pd.DataFrame(LEVELS, columns=COLUMNS).astype("UInt8")
    frame.iloc[2, 3] = pd.NA
    with pytest.raises(ValueError, match="contains NaN"):
        MedianFilter().fit(frame)


def test_a_list_of_uint8_and_float_images_has_one_range():
    levels = LEVELS.reshape(6, 4, 4)
    mixed = [levels[0], levels[1].astype(np.float32) / 255]
    assert_array_equal(check_images(mixed), levels[:2].astype(np.float32) / 255)
    ragged = [levels[0], levels[1][:3].astype(np.float32) / 255]
    for image, same in zip(MedianFilter().fit(ragged).predict(ragged), levels, strict=False):
        expected = MedianFilter().fit(levels).predict(same[None, : len(image)])[0]
        assert_array_equal(image, expected)


def test_pil_images_are_read_as_what_they_show():
    red = Image.new("RGB", (5, 4), (255, 0, 0))
    expected = np.asarray(red)
    for image in (red, red.convert("P")):
        assert_array_equal(check_images([image])[0], expected)
    sizes = [Image.new("L", (5, 4), 9), Image.new("L", (3, 6), 9)]
    filtered = MedianFilter().fit(sizes).predict(sizes)
    assert [image.shape for image in filtered] == [(4, 5), (6, 3)]
    assert_array_equal(filtered[0], np.float32(9 / 255))


# One image is not a batch

COLOUR = np.random.default_rng(0).random((12, 16, 3))


@pytest.mark.parametrize(
    "estimator",
    [
        GaussianNoise(),
        MedianFilter(),
        DenoisingAutoencoder("conv", noise=GaussianNoise(), patch_size=8),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.parametrize("image", [COLOUR, torch.from_numpy(COLOUR), COLOUR[..., [0, 1, 2, 2]]])
def test_one_colour_image_is_refused_where_a_batch_belongs(estimator, image):
    with pytest.raises(ValueError, match=r"one color image, .* Pass X\[None\].* X\[..., None\]"):
        clone(estimator).fit(image)


def test_one_colour_image_is_refused_after_fit_too():
    median = MedianFilter().fit(COLOUR[None])
    with pytest.raises(ValueError, match=r"Pass X\[None\]"):
        median.predict(COLOUR)
    with pytest.raises(ValueError, match=r"Pass X_true\[None\]"):
        peak_signal_noise_ratio(COLOUR, COLOUR)
    grey = COLOUR[..., None]
    assert median.fit(grey).predict(grey).shape == grey.shape


def test_one_grey_image_where_a_batch_was_fitted_is_refused():
    X = np.random.default_rng(0).random((5, 12, 16))
    for method in (MedianFilter().fit(X).predict, GaussianNoise().fit(X).transform):
        with pytest.raises(ValueError, match=r"16 features.* pass X\[None\]"):
            method(X[0])


@pytest.mark.parametrize("part", [GaussianNoise(), MedianFilter()], ids=repr)
def test_a_large_square_that_may_be_one_image_gets_a_warning(part):
    X = np.random.default_rng(0).random((64, 64))
    with pytest.warns(UserWarning, match=r"taken for 64 flat rows.* pass X\[None\]"):
        part.fit(X)
    # Warnings are errors here.
    part.fit(X[None])
    part.fit(X.reshape(64, 8, 8))
    part.fit(X[:63])


def test_one_pil_image_is_not_a_batch():
    with pytest.raises(ValueError, match=r"X is one image, not a batch; pass \[X\]"):
        MedianFilter().fit(Image.new("L", (64, 64)))


@pytest.mark.parametrize(
    "X", ["photos", Path("photos"), ["a.png", "b.png"], [Path("a.png")], np.array(["a.png"])]
)
def test_names_of_files_name_the_way_to_read_them(X):
    for part in (GaussianNoise(), MedianFilter(), DenoisingAutoencoder(noise=GaussianNoise())):
        with pytest.raises(TypeError, match=r"names of files or folders.*ImageFiles"):
            part.fit(X)


def test_many_channels_are_warned_of_unless_they_are_meant():
    X = np.random.default_rng(0).random((2, 24, 24, 24))
    with pytest.warns(UserWarning, match=r"taken as 24 channels.*channel_axis=None"):
        MeanFilter().fit(X)
    MeanFilter(channel_axis=-1).fit(X)
    MeanFilter(channel_axis=None).fit(X)
    MeanFilter().fit(X[..., :16])


def test_an_image_given_where_small_images_were_fitted_is_noticed():
    denoiser = MedianFilter().fit(np.random.default_rng(0).random((3, 16, 16)))
    with pytest.warns(UserWarning, match=r"taken for 256 flat rows.*X\[None\]"):
        denoiser.predict(np.random.default_rng(0).random((256, 256)))
    # Warnings are errors here.
    denoiser.predict(np.random.default_rng(0).random((255, 256)))
