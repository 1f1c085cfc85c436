"""Checks of batches and of their targets."""

import math
import os

import numpy as np
from sklearn import config_context
from sklearn.utils.validation import (
    _check_feature_names,
    _check_sample_weight,
    assert_all_finite,
    check_array,
    check_consistent_length,
    check_is_fitted,
)

from .arrays import as_array, is_listed, joined
from .geometry import geometry_of, way_to_one_size
from .missing import gaps_in
from .values import batches, float_dtype, refuse_other_units, to_float
from .warn import warn_user

# The dtypes that stay as they are, beside uint8.
FLOAT_DTYPES = (np.float64, np.float32)


# To find NaN, all values are summed, and NumPy warns where huge ones of both signs meet.
@np.errstate(invalid="ignore", over="ignore")
def check_images(X, *, name="X", min_samples=1, estimator=None, channel_axis="auto"):
    """Check a batch that belongs to no fitted estimator; `uint8` and floats keep their dtype.

    Raises
    ------
    ValueError
        If it is empty, holds NaN or infinity, is not numeric, has a wrong number of dimensions, or
        is one image.
    TypeError
        If it is sparse, names files, or holds arrays by name.
    """
    if not (is_clean(X) and len(X) >= min_samples):
        X = _converted(X, name, min_samples, estimator)
    if X.ndim > 5:
        geometry_of(X)
    if X.ndim > 2 and 0 in X.shape:
        raise ValueError(f"Found array with 0 feature(s) (shape={X.shape}): images without pixels.")
    may_be_one = X.ndim == 3 and channel_axis == "auto"
    if may_be_one and X.shape[2] in (3, 4) and X.shape[2] < min(X.shape[:2]):
        n, height, width = X.shape
        raise ValueError(
            f"{name} has shape {X.shape}, which looks like one color image, not {n} gray ones of "
            f"{height} × {width}. Pass {name}[None] for a batch of that one image, or "
            f"{name}[..., None] if they are {n} gray images, or channel_axis=-1 if they are {n} "
            f"signals of {width} channels."
        )
    return X


def _converted(X, name, min_samples, estimator):
    """What users have as an array, which scikit-learn has checked."""
    is_sequence = is_listed(X) or (isinstance(X, np.ndarray) and X.ndim == 1)
    first = X[0] if is_sequence and len(X) else X
    if isinstance(first, str | os.PathLike):
        raise TypeError(
            f"{name} holds names of files or folders, not images; pass "
            "skdae.datasets.ImageFiles(paths), which reads them."
        )
    if hasattr(type(X), "getbands"):
        raise ValueError(f"{name} is one image, not a batch; pass [{name}].")
    X = as_array(X, name)
    if is_clean(X) and len(X) >= min_samples:
        return X
    X = check_array(
        joined(X) if isinstance(X, list) else X,
        dtype=[float_dtype(getattr(X, "dtype", None)), *FLOAT_DTYPES, np.uint8],
        allow_nd=True,
        ensure_min_samples=min_samples,
        ensure_all_finite=False,
        estimator=estimator,
        input_name=name,
    )
    # Without the name of the estimator, for which scikit-learn would advise another one; what
    # is assumed to be finite would be refused later, as an overflow.
    with config_context(assume_finite=False):
        _check_finite(X, name)
    return X


def _check_finite(X, name):
    """Refuse NaN and infinity."""
    try:
        assert_all_finite(X, input_name=name)
    except ValueError as error:
        if not np.isnan(X).any():
            raise
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{reason} {_way_without_gaps(X, f'np.isnan({name})', name)}") from None


def _way_without_gaps(X, are_missing, name):
    """What to do where missing values are refused."""
    axes = tuple(range(1, X.ndim)) if X.ndim != 2 else 1
    return (
        "Filters and pretrained denoisers take missing values, and predict of networks does; for "
        "all else, leave out the images that have them, as in "
        f"{name}[~{are_missing}.any(axis={axes})], crop them, or fill them first."
    )


def refuse_gaps(X, missing_values, name="X"):
    """Raise a ValueError where checked images hold the value that stands for missing ones."""
    if math.isnan(missing_values):
        # Which a check of the images has refused.
        return
    # X may be a file.
    parts = (gaps_in(X[rows], missing_values) for rows in batches(X))
    if n := sum(int(gaps.sum()) for gaps in parts if gaps is not None):
        way = _way_without_gaps(X, f"({name} == {missing_values:g})", name)
        raise ValueError(
            f"{name} holds {n} missing values, missing_values={missing_values:g}. {way}"
        )


@np.errstate(invalid="ignore", over="ignore")
def is_clean(X):
    """Whether checks, which take as long as a small image in a net, have no work."""
    is_batch = type(X) is np.ndarray and X.ndim > 1 and X.size > 0
    return is_batch and X.dtype in (*FLOAT_DTYPES, np.uint8) and np.isfinite(X.sum())


@np.errstate(invalid="ignore", over="ignore")
def validate_images(estimator, X, *, reset, min_samples=1):
    """Check `X` for `estimator`, and set its ``n_features_in_``, or compare that of flat rows.

    Whether images of another size than at fit are welcome is for the estimator to say.

    Parameters
    ----------
    estimator : estimator
    X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
            (n_samples, height, width, n_channels)
    reset : bool
        True in `fit`: remember the number of values in an image. False later: compare with it.
    min_samples : int, default=1

    Returns
    -------
    X : ndarray of float64, float32 or uint8

    Raises
    ------
    NotFittedError
        If the estimator is to be fitted, and is not.
    """
    if not (reset or hasattr(estimator, "n_features_in_")):
        check_is_fitted(estimator)
    channel_axis = getattr(estimator, "channel_axis", "auto")
    images = check_images(
        X, min_samples=min_samples, estimator=estimator, channel_axis=channel_axis
    )
    is_flat, n_features = images.ndim == 2, math.prod(images.shape[1:])
    if is_flat:
        _check_feature_names(estimator, X, reset=reset)
    if reset:
        estimator.n_features_in_ = n_features
        if not hasattr(type(estimator), "_takes_rows"):
            estimator._takes_rows = is_flat
        if not is_flat:
            vars(estimator).pop("feature_names_in_", None)
    elif is_flat and n_features != estimator.n_features_in_:
        raise ValueError(
            f"X has {n_features} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input. If X is one image, pass X[None]."
        )
    is_square = is_flat and len(images) == n_features >= (64 if reset else 256)
    if is_square and getattr(estimator, "image_shape", None) is None:
        if reset:
            # A fit for which one image is enough may have got that one; others, what looks like it.
            may_be_one = min_samples == 1 or _looks_like_an_image(images)
        else:
            may_be_one = not getattr(estimator, "_takes_rows", False)
        if may_be_one:
            _warn_of_one_image(images.shape)
    return images


def _warn_of_one_image(shape):
    """Say so where what is taken for as many rows as each has values may be one image."""
    warn_user(
        f"X has shape {shape} and is taken for {shape[0]} flat rows. If it is one image, pass "
        "X[None]; if rows are meant, reshape them to (n_samples, height, width), or set "
        "image_shape where there is such a parameter."
    )


def _looks_like_an_image(rows):
    """Whether values one row apart are much more alike than those half of the rows apart."""
    half = len(rows) // 2
    values = to_float(rows).astype(np.float64)
    near, far = (np.square(values[n:] - values[:-n]).mean() for n in (1, half))
    return near < far / 2


def check_target(X, y):
    """The clean images that belong to `X`, or None where `y` holds none.

    A 1-D `y`, class labels passed on by a Pipeline, is not a target and gives None.

    Raises
    ------
    ValueError
        If `y` has any other shape, holds NaN or infinity, or has other units.
    """
    y = as_array(y, "y")
    if y is None or joined(y).ndim == 1:
        check_consistent_length(X, y)
        return None
    # Of X it is known that it is a batch.
    y = check_images(y, name="y", channel_axis=None)
    if y.shape != X.shape:
        raise ValueError(
            f"y has shape {y.shape}, but X has shape {X.shape}; y must hold the clean image of "
            f"each image of X, in the same shape.{way_to_one_size(X.shape, y.shape)} Class labels "
            "are passed as a 1-D y and ignored."
        )
    refuse_other_units(X=X, y=y)
    return y


def check_sample_weight(sample_weight, X):
    """Weights of images as float64, or None.

    Raises
    ------
    ValueError
        If there is not one for each image, or if one is negative or not finite, or all are 0.
    """
    if sample_weight is None:
        return None
    with config_context(assume_finite=False):
        weights = _check_sample_weight(
            sample_weight, X, dtype=np.float64, copy=True, ensure_non_negative=True
        )
    if not weights.any():
        raise ValueError("sample_weight is 0 for all images; pass at least one positive weight.")
    return weights
