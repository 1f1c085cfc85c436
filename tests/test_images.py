"""Shapes and values: the conventions of every public function and class."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline

from skdae import GaussianNoise, MedianFilter, Occlusion, StripeNoise
from skdae._images import (
    check_images,
    check_target,
    from_nhwc,
    resolve_image_shape,
    to_float,
    to_hwc,
    to_nhwc,
)
from skdae.metrics import peak_signal_noise_ratio, structural_similarity


@pytest.mark.parametrize(
    ("batch_shape", "image_shape", "expected"),
    [
        ((5, 64), None, (8, 8)),
        ((5, 1), None, (1, 1)),
        ((5, 48), (4, 4, 3), (4, 4, 3)),
        ((5, 48), [6, 8], (6, 8)),
        ((5, 50), (50,), (50,)),
        ((5, 8, 6), None, (8, 6)),
        ((5, 8, 6, 3), None, (8, 6, 3)),
        ((5, 8, 6), (8, 6, 1), (8, 6, 1)),
    ],
)
def test_image_shape_is_resolved(batch_shape, image_shape, expected):
    assert resolve_image_shape(batch_shape, image_shape) == expected


def test_rows_that_are_no_square_are_signals_with_a_warning():
    with pytest.warns(UserWarning, match="image_shape="):
        assert resolve_image_shape((5, 50)) == (50,)


@pytest.mark.parametrize(
    ("batch_shape", "image_shape", "message"),
    [
        ((5, 784), (8, 8), r"image_shape=\(8, 8\) holds 64 pixels, but X has 784 per row"),
        ((5, 784), (8, 8), r"pass image_shape=\(28, 28\)"),
        ((5, 64), (8, 0), "positive integers"),
        ((5, 64), (8.0, 8.0), "positive integers"),
        ((5, 64), 64, "must be"),
        ((5, 64), (2, 2, 4, 4), "must be"),
        ((5, 8, 8), (4, 16), "does not match the images of X"),
        ((5,), None, "flat rows"),
        ((5, 2, 2, 2, 2), None, "expected flat rows"),
    ],
)
def test_image_shape_that_does_not_fit_is_refused(batch_shape, image_shape, message):
    with pytest.raises(ValueError, match=message):
        resolve_image_shape(batch_shape, image_shape)


@given(
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    n_samples=st.integers(1, 4),
    flat=st.booleans(),
)
def test_batch_and_back_changes_nothing(shape, n_samples, flat):
    X = np.random.default_rng(0).random((n_samples, *shape))
    X = X.reshape(n_samples, -1) if flat or len(shape) == 1 else X
    batch = to_nhwc(X, tuple(shape))
    assert batch.shape == (n_samples, *to_hwc(tuple(shape)))
    np.testing.assert_array_equal(from_nhwc(batch, X.ndim), X)


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
        (np.float16, np.float64),
    ],
)
def test_other_dtypes_are_cast_and_never_rescaled(dtype, kept):
    X = np.ones((2, 3, 3), dtype=dtype)
    checked = check_images(X)
    assert checked.dtype == kept
    assert (checked == 1).all()


@pytest.mark.parametrize(
    ("x_shape", "y_shape"),
    [
        ((4, 8, 8), (4, 16, 16)),
        ((4, 8, 8, 3), (4, 4, 4, 3)),
        ((4, 49, 49), (4, 1, 1)),
        ((4, 1, 32), (4, 1, 64)),
        ((4, 64), (4, 256)),
        ((4, 6), (4, 6)),
    ],
)
def test_targets_of_the_same_or_a_scaled_shape_fit(x_shape, y_shape):
    assert check_target(np.zeros(x_shape), np.zeros(y_shape)).shape == y_shape


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
        with pytest.raises(ValueError, match=r"X\[1\] contains NaN"):
            part.fit([X[0], np.full((12, 5), np.nan)])
        with pytest.raises(ValueError, match="mixes images of different kinds"):
            part.fit(X).transform([X[0], np.zeros((12, 5, 3))])
    assert MedianFilter().fit(X).score(X, X) == 0.0


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
