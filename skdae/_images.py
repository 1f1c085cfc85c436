"""Shapes, dtypes and ranges of images.

Inside skdae a batch is always ``(n_samples, height, width, n_channels)``. A 1-D signal is an
image of height 1. This module converts to and from what users hold.
"""

import inspect
import math
import os
import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from numbers import Integral
from typing import Any, TypeGuard, TypeVar

import numpy as np
from sklearn.utils import gen_batches
from sklearn.utils.validation import (
    _check_feature_names,
    check_array,
    check_consistent_length,
)

# The dtypes that stay as they are; everything else is cast to the first.
FLOAT_DTYPES = (np.float64, np.float32)

# The largest level of noise, which, and whose products, still fit into the float32 of the nets.
MAX_LEVEL = 1e30

# Values per step of a net's `predict`: enough to fill the cores, few enough for their caches.
VALUES_A_STEP = 2**18

# More channels than this are probably the columns or slices of a stack.
_MOST_CHANNELS = 16

# Between the user's line and the place in skdae that warns.
_BETWEEN = {"skdae", "sklearn", "joblib", "skorch", "torch", "numpy", "contextlib"}


def warn_user(message, category=UserWarning):
    """Warn at the user's own line, however deep the reason was found."""
    frame, level = inspect.currentframe(), 1
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def is_inside_of_a_library():
    """Whether a search, a cross-validation or another meta-estimator, not the user, is calling."""
    through = {"sklearn.base", "sklearn.pipeline"}
    names = {frame.f_globals.get("__name__", "") for frame in callers()} - through
    return any(name.partition(".")[0] in {"sklearn", "joblib"} for name in names)


def callers():
    """The frames from the one that asks outwards."""
    frame = inspect.currentframe()
    while frame := frame.f_back:
        yield frame


# Shapes


def resolve_image_shape(batch_shape, image_shape=None):
    """Shape of one image in a batch, in the user's terms.

    Parameters
    ----------
    batch_shape : tuple of int
        ``(n_samples, n_features)``, ``(n_samples, height, width)`` or ``(n_samples, height,
        width, n_channels)``.
    image_shape : tuple of int or None, default=None
        What the user says: ``(length,)``, ``(height, width)`` or ``(height, width, n_channels)``.
        ``None`` means the images' own shape; for flat rows, a square grey image when
        ``n_features`` is a perfect square, otherwise a 1-D signal, with a `UserWarning`.

    Returns
    -------
    image_shape : tuple of int

    Raises
    ------
    ValueError
        If the batch has another number of dimensions, or `image_shape` does not hold its values.

    Examples
    --------
    >>> resolve_image_shape((100, 64))
    (8, 8)
    >>> resolve_image_shape((100, 48), (4, 4, 3))
    (4, 4, 3)
    """
    own_shape = tuple(batch_shape[1:])
    if not 1 <= len(own_shape) <= 3:
        raise ValueError(
            f"X has shape {tuple(batch_shape)}; expected flat rows (n_samples, n_features), grey "
            "images (n_samples, height, width) or colour images (n_samples, height, width, "
            "n_channels). Reshape your data with X.reshape(len(X), -1) to pass flat rows."
        )
    if image_shape is not None:
        return _check_image_shape(own_shape, image_shape)
    if len(own_shape) > 1:
        if len(own_shape) == 3 and own_shape[0] in (1, 3) and own_shape[2] > 4:
            warn_user(
                f"The images of X have shape {own_shape}, taken as height {own_shape[0]}, width "
                f"{own_shape[1]} and {own_shape[2]} channels. If the channels come first, pass "
                "X.transpose(0, 2, 3, 1)."
            )
        if len(own_shape) == 3 and own_shape[2] > _MOST_CHANNELS:
            warn_user(
                f"The images of X have shape {own_shape}, taken as {own_shape[2]} channels. If X "
                "holds stacks of slices or frames, pass one at a time, (n_slices, height, width); "
                f"if channels are meant, image_shape={own_shape} silences this warning."
            )
        return own_shape
    (n_features,) = own_shape
    image_shape = guess_image_shape(n_features)
    if len(image_shape) == 2:
        return image_shape
    warn_user(
        f"Rows of {n_features} values are not square images and are taken as 1-D signals; pass "
        "image_shape=(height, width) or (height, width, n_channels) if they are images, or "
        f"image_shape=({n_features},) to silence this warning."
    )
    return image_shape


def guess_image_shape(n_features):
    """A square grey image where that is possible, otherwise a signal."""
    side = math.isqrt(n_features)
    return (side, side) if side * side == n_features else (n_features,)


def _check_image_shape(own_shape, image_shape):
    """Return `image_shape` as a tuple of int after comparing it with the images' own shape."""
    is_shape = isinstance(image_shape, (tuple, list)) and 1 <= len(image_shape) <= 3
    if not is_shape or not all(isinstance(n, Integral) and n > 0 for n in image_shape):
        raise ValueError(
            f"image_shape={image_shape!r} must be (length,), (height, width) or (height, width, "
            "n_channels), all positive integers."
        )
    image_shape = tuple(int(n) for n in image_shape)
    if len(own_shape) == 1 and math.prod(image_shape) != own_shape[0]:
        side = math.isqrt(own_shape[0])
        remedy = f"image_shape=({side}, {side})" if side**2 == own_shape[0] else "its true shape"
        raise ValueError(
            f"image_shape={image_shape} holds {math.prod(image_shape)} pixels, but X has "
            f"{own_shape[0]} per row; pass {remedy}."
        )
    if len(own_shape) > 1 and to_hwc(own_shape) != to_hwc(image_shape):
        raise ValueError(
            f"image_shape={image_shape} does not match the images of X, which have shape "
            f"{own_shape}; image_shape is needed for flat rows only, leave it None here."
        )
    return image_shape


def to_hwc(image_shape):
    """``(height, width, n_channels)`` of any image shape; a signal has height 1.

    >>> to_hwc((8, 8)), to_hwc((100,))
    ((8, 8, 1), (1, 100, 1))
    """
    if len(image_shape) == 1:
        return (1, image_shape[0], 1)
    return tuple(image_shape) if len(image_shape) == 3 else (*image_shape, 1)


def to_nhwc(X, image_shape):
    """View `X` as ``(n_samples, height, width, n_channels)``; `image_shape` serves flat rows."""
    return X.reshape(len(X), *to_hwc(image_shape if X.ndim == 2 else X.shape[1:]))


def from_nhwc(images, ndim):
    """Give a batch back in the number of dimensions that came in."""
    if ndim == 2:
        return images.reshape(len(images), -1)
    return images[..., 0] if ndim == 3 else images


# Values


def to_float(X):
    """`uint8` becomes ``float32`` in [0, 1]; floats stay as they are."""
    # Dividing, not multiplying by 1/255, makes 255 exactly 1.0.
    return np.divide(X, 255, dtype=np.float32) if X.dtype == np.uint8 else X


def as_array(X):
    """What users hold as NumPy arrays, with the values and the dtype that it has.

    This is the one door for tensors of torch, PIL images, DataFrames and lists of arrays, in all
    of which `check_array` takes `uint8` for floats up to 255. Arrays of different shapes stay a
    list; what is not known here goes through, for `check_array` to judge.
    """
    if isinstance(X, np.ndarray) and X.dtype != object:
        return X
    if is_listed(X):
        if not isinstance(X, list | tuple | np.ndarray):
            # Files, which are read once.
            X = list(X)
        if len(X) and all(map(_holds_array, X)):
            arrays = [np.asarray(as_array(x)) for x in X]
            same_shape = len({array.shape for array in arrays}) == 1
            return np.stack(_of_one_kind(arrays)) if same_shape else arrays
        array = _joined(X)
        return array if array.dtype.kind in "biuf" else X
    if hasattr(type(X), "requires_grad"):
        # A tensor. NumPy does not know all of torch's short floats.
        is_short = X.is_floating_point() and X.element_size() < 4
        return (X.double() if is_short else X).numpy(force=True)
    if hasattr(type(X), "getbands"):
        # A PIL image; of one with a palette, the colours.
        return np.asarray(X.convert() if X.mode == "P" else X)
    has_dtype = hasattr(type(X), "dtype") and isinstance(X.dtype, np.dtype)
    if has_dtype or not _holds_array(X):
        return X
    dtypes = {str(dtype).partition("[")[0].lower() for dtype in getattr(X, "dtypes", ())}
    short = {"uint8": np.uint8, "float32": np.float32, "float": np.float32}
    if len(dtypes) == 1 and hasattr(X, "isna") and (name := dtypes.pop()) in short:
        # The nullable dtypes of pandas, which NumPy takes for objects.
        return X if X.isna().any(axis=None) else X.to_numpy(short[name])
    array = np.asarray(X)
    return array if array.dtype.kind in "biuf" else X


def _holds_array(X):
    """Whether NumPy can ask `X` for an array."""
    return hasattr(type(X), "__array__") or hasattr(type(X), "__array_interface__")


def _joined(X):
    """A list as one array."""
    try:
        return np.asarray(X)
    except ValueError as error:
        raise ValueError(
            "The images or rows of a list have an inhomogeneous shape; pass rows of one length, or "
            "images of different sizes as a list of arrays (height, width) or (height, width, "
            "n_channels)."
        ) from error


def _of_one_kind(images):
    """Images of a list: `uint8` stays where all have it."""
    if all(image.dtype == np.uint8 for image in images):
        return images
    return [to_float(image) for image in images]


def value_range(X):
    """Smallest and largest value of images or a list of them, as float32; uint8 is in [0, 1]."""
    if isinstance(X, list):
        return union(*map(value_range, X))
    unit = 255 if X.dtype == np.uint8 else 1
    with np.errstate(over="ignore"):
        low, high = (float(np.float32(value) / unit) for value in (X.min(), X.max()))
    return low, high


def in_unit_range(values):
    """Whether a range lies in [0, 1], as that of `uint8` does."""
    low, high = values
    return 0 <= low <= high <= 1


def union(*ranges):
    """The range that holds all ranges."""
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def is_far(seen, fitted):
    """Whether images span a range that has nothing to do with that of the images at fit.

    Parameters
    ----------
    seen, fitted : (float, float)
        Smallest and largest value.
    """
    (low, high), (least, most) = seen, fitted
    width = most - least
    # Noise may reach far beyond the images; other units are further away than that. Images of one
    # value have none.
    is_beyond = low < least - 3 * width or high > most + 3 * width
    return bool(width) and (is_beyond or 0 < high - low < 0.01 * width)


def warn_if_far(seen, fitted):
    """Say so where `is_far`."""
    if is_far(seen, fitted):
        (low, high), (least, most) = seen, fitted
        warn_user(
            f"X has values from {low:.4g} to {high:.4g}, but at fit they were from {least:.4g} to "
            f"{most:.4g}; pass images in the same units."
        )


def refuse_overflow(result, X, maker):
    """Raise a ValueError where `result`, which `maker` made of finite `X`, is not finite."""
    if not np.isfinite(result).all():
        raise ValueError(
            f"The result of {maker} overflows {result.dtype}: X spans [{X.min():.3g}, "
            f"{X.max():.3g}]. Divide the images by a constant, and give levels in the same units."
        )


# To find NaN, scikit-learn sums all values, and NumPy warns where huge ones of both signs meet.
@np.errstate(invalid="ignore")
def check_images(X, *, name="X", min_samples=1, estimator=None):
    """Check a batch that belongs to no fitted estimator; `uint8` and floats keep their dtype.

    Raises
    ------
    ValueError
        If it is empty, holds NaN or infinity, is not numeric, has a wrong number of dimensions, or
        is one image.
    TypeError
        If it is sparse, or names files.
    """
    is_sequence = is_listed(X) or (isinstance(X, np.ndarray) and X.ndim == 1)
    first = X[0] if is_sequence and len(X) else X
    if isinstance(first, str | os.PathLike):
        raise TypeError(
            f"{name} holds names of files or folders, not images; pass "
            "skdae.datasets.ImageFiles(paths), which reads them."
        )
    if hasattr(type(X), "getbands"):
        raise ValueError(f"{name} is one image, not a batch; pass [{name}].")
    X = as_array(X)
    X = check_array(
        _joined(X) if isinstance(X, list) else X,
        dtype=[*FLOAT_DTYPES, np.uint8],
        allow_nd=True,
        ensure_min_samples=min_samples,
        estimator=estimator,
        input_name=name,
    )
    if X.ndim > 4:
        resolve_image_shape(X.shape)
    if X.ndim > 2 and 0 in X.shape:
        raise ValueError(f"Found array with 0 feature(s) (shape={X.shape}): images without pixels.")
    if X.ndim == 3 and X.shape[2] in (3, 4) and X.shape[2] < min(X.shape[:2]):
        n, height, width = X.shape
        raise ValueError(
            f"{name} has shape {X.shape}, which looks like one colour image, not {n} grey ones of "
            f"{height} × {width}. Pass {name}[None] for a batch of that one image, or "
            f"{name}[..., None] if they are {n} grey images."
        )
    return X


@np.errstate(invalid="ignore")
def validate_images(estimator, X, *, reset, min_samples=1, any_size=False):
    """Check `X` for `estimator`, and set or compare its ``n_features_in_``.

    Parameters
    ----------
    estimator : estimator
    X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
            (n_samples, height, width, n_channels)
    reset : bool
        True in `fit`: remember the number of values in an image. False later: compare with it.
    min_samples : int, default=1
    any_size : bool, default=False
        Whether images (not flat rows) of another size than at fit are welcome.

    Returns
    -------
    X : ndarray of float64, float32 or uint8
    """
    images = check_images(X, min_samples=min_samples, estimator=estimator)
    is_flat, n_features = images.ndim == 2, math.prod(images.shape[1:])
    if is_flat:
        _check_feature_names(estimator, X, reset=reset)
    # A fit for which one image is enough may have got that one; so may what comes after any fit.
    least = (64 if min_samples == 1 else math.inf) if reset else 256
    is_square = is_flat and len(images) == n_features >= least
    if reset:
        estimator.n_features_in_ = n_features
        if not is_flat:
            vars(estimator).pop("feature_names_in_", None)
    elif n_features != estimator.n_features_in_ and not (any_size and not is_flat):
        what = f"{n_features} features" if is_flat else f"images of shape {images.shape[1:]}"
        raise ValueError(
            f"X has {what}, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input. If X is one image, pass X[None]."
        )
    if is_square and getattr(estimator, "image_shape", None) is None:
        warn_user(
            f"X has shape {images.shape} and is taken for {n_features} flat rows. If it is one "
            "image, pass X[None]; if rows are meant, reshape them to (n_samples, height, width)."
        )
    return images


def check_target(X, y):
    """The clean images that belong to `X`, or None where `y` holds none.

    `y` has `X`'s shape, or the shape of images ``s`` times larger or smaller (super-resolution).
    A 1-D `y`, class labels passed on by a Pipeline, is not a target and gives None.

    Raises
    ------
    ValueError
        If `y` has any other shape, or holds NaN or infinity.
    """
    y = as_array(y)
    if y is None or _joined(y).ndim == 1:
        check_consistent_length(X, y)
        return None
    y = check_images(y, name="y")
    if len(y) != len(X) or y.ndim != X.ndim or not _is_scaled(X.shape[1:], y.shape[1:]):
        raise ValueError(
            f"y has shape {y.shape}, but X has shape {X.shape}; y must hold the clean image of "
            "each image of X: the same shape, or height and width a whole number of times larger "
            "or smaller. Class labels are passed as a 1-D y and ignored."
        )
    return y


def _is_scaled(shape, target_shape):
    """Whether the target is `shape` itself, or larger or smaller by one whole factor."""
    # One value a row is a column of labels, not an image.
    is_column = len(shape) == 1 and target_shape == (1,) != shape
    if is_column or shape[2:] != target_shape[2:]:
        return False
    sides, target_sides = shape[:2], target_shape[:2]
    if find_scale(sides, target_sides):
        return True
    smaller = find_scale(target_sides, sides) or 0
    return all(n == m * smaller or n == m == 1 for n, m in zip(sides, target_sides, strict=True))


def find_scale(sides, target_sides):
    """The whole factor by which images are enlarged to their targets, or None.

    The blocks of pixels at the border of a target may be cut off, as 5 pixels are 3 blocks of 2.

    >>> find_scale((3, 4), (6, 8)), find_scale((3, 4), (5, 8)), find_scale((3, 4), (6, 6))
    (2, 2, None)
    """
    if len(sides) != len(target_sides):
        return None
    # An image of height 1 is a signal, scaled along its length; rows do not tell their height.
    pairs = [(n, m) for n, m in zip(sides, target_sides, strict=True) if not n == m == 1]
    scale = max((math.ceil(m / n) for n, m in pairs), default=1)
    return scale if all(n == math.ceil(m / scale) for n, m in pairs) else None


def common_scale(X, y):
    """The whole factor by which all images of a list are enlarged to their targets, or None."""
    sides, target_sides = ([n for image in images for n in image.shape[:2]] for images in (X, y))
    return find_scale(sides, target_sides)


def without_overhang(X_denoised, X, y):
    """What was made of `X` without what lies beyond the targets, whose last blocks are cut off."""
    if X.ndim == 2 or not X.ndim == X_denoised.ndim == y.ndim:
        return X_denoised
    sides, denoised_sides, target_sides = (images.shape[1:3] for images in (X, X_denoised, y))
    same = find_scale(sides, denoised_sides) == find_scale(sides, target_sides) is not None
    return X_denoised[:, : y.shape[1], : y.shape[2]] if same else X_denoised


# Images of different sizes

Function = TypeVar("Function", bound=Callable[..., Any])


def is_listed(X):
    """Whether `X` is a list, another sequence such as files, or a 1-D array of objects."""
    if isinstance(X, np.ndarray):
        return X.dtype == object and X.ndim == 1
    return isinstance(X, Sequence) and not isinstance(X, str | bytes)


def is_ragged(X: Any) -> TypeGuard[list[np.ndarray]]:
    """Whether `X` is a list of images of different shapes."""
    if not is_listed(X):
        return False
    shapes = set()
    # Once through, because they may be files.
    for image in X:
        if not _holds_array(image):
            return False
        shapes.add(as_array(image).shape)
    return len(shapes) > 1 and all(len(shape) in (2, 3) for shape in shapes)


def image_by_image(
    join: Callable[[list], Any], images: str = "X", targets: str | None = "y"
) -> Callable[[Function], Function]:
    """Let a function of batches also take lists of images of different sizes.

    This is the one door for such lists: for each image, the function gets a batch of one.

    Parameters
    ----------
    join : callable
        Makes one result of the list of all: `image_list` or `mean_score`, say.
    images : str, default="X"
        The function's parameter for the images.
    targets : str or None, default="y"
        Its parameter for the images that belong to them, if it has one; None leaves it alone.

    Returns
    -------
    decorator : callable
    """

    def decorate(function):
        signature = inspect.signature(function)

        @wraps(function)
        def on_lists(*args, **params):
            try:
                call = signature.bind(*args, **params)
            except TypeError:
                # Python's own message names the function.
                return function(*args, **params)
            given = call.arguments
            for n in {images, targets} & set(given):
                # The items of a list are read once, not at every door.
                given[n] = as_array(given[n]) if is_listed(given[n]) else given[n]
            if not is_ragged(given[images]):
                return function(*call.args, **call.kwargs)
            X = check_image_list(given[images], images)
            y = check_target_list(X, given.get(targets), targets)
            results = []
            for i, image in enumerate(X):
                given[images] = image[None]
                if targets in given:
                    given[targets] = None if y is None else y[i][None]
                results.append(function(*call.args, **call.kwargs))
            return join(results)

        return on_lists

    return decorate


def image_list(batches):
    """Join batches of one image: a list of images of different sizes."""
    return [batch[0] for batch in batches]


def mean_score(scores):
    """Join the scores of single images."""
    return float(np.mean(scores))


def first_image(X):
    """The first of some images of different sizes, all checked; any other `X` as it is."""
    return check_image_list(X)[0][None] if is_ragged(X) else X


def images_of_fit(estimator, X):
    """Checked images of a fit (of different sizes, the first alone), and the range of all."""
    if not is_ragged(X):
        images = validate_images(estimator, X, reset=True)
        return images, value_range(images)
    X = check_image_list(X)
    return validate_images(estimator, X[0][None], reset=True), value_range(X)


def check_image_list(X, name="X"):
    """Check images of different sizes; `uint8` stays where all images have it.

    Raises
    ------
    ValueError
        As in `check_images`, or if the numbers of channels differ.
    """
    if not is_listed(X) and not isinstance(X, np.ndarray):
        raise TypeError(f"{name} must be a list of images, as its partner is, not {type(X)}.")
    images = [
        check_images(np.asarray(as_array(image))[None], name=f"{name}[{i}]")[0]
        for i, image in enumerate(X)
    ]
    shapes = {image.shape[2:]: image.shape for image in images}
    if len(shapes) > 1:
        raise ValueError(
            f"{name} mixes images of different kinds, of shapes {[*shapes.values()][:2]}; pass "
            "only grey ones (height, width), or only colour ones (height, width, n_channels) with "
            "the same number of channels."
        )
    return _of_one_kind(images)


def check_target_list(X, y, name="y"):
    """The clean images that belong to a list of images, or None where `y` holds none.

    Raises
    ------
    ValueError
        If a target's height and width are not those of its image times one whole factor.
    """
    check_consistent_length(X, y)
    if y is None or np.ndim(next(iter(y))) == 0:
        return None
    y = check_image_list(y, name)
    scales = [find_scale(x.shape[:2], t.shape[:2]) for x, t in zip(X, y, strict=True)]
    is_common = common_scale(X, y) is not None
    for i, (image, target) in enumerate(zip(X, y, strict=True)):
        fits = is_common or (scales[i] is not None and scales[i] == scales[0])
        if not fits or image.shape[2:] != target.shape[2:]:
            raise ValueError(
                f"{name}[{i}] has shape {target.shape}, but X[{i}] has {image.shape}; each target "
                "must have the shape of its image, or height and width all the same whole number "
                "of times larger."
            )
    return y


def check_targets(X, y):
    """Targets of checked images, a batch or a list of different sizes; None where `y` has none."""
    return check_target_list(X, y) if is_ragged(X) else check_target(X, y)


def batches(images, whole=False):
    """Slices of a batch for what takes much more memory than the images do.

    `whole` makes it one, for what denoises an image with the help of those beside it.
    """
    if whole:
        return [slice(None)]
    n_values = math.prod(images.shape[1:])
    # Whole steps of the nets keep every bit.
    step = max(1, VALUES_A_STEP // n_values)
    return gen_batches(len(images), step * max(1, 2**21 // (step * n_values)))


def shapes_of(X):
    """Shape of checked images; a list of shapes where they are of different sizes."""
    return X.shape if isinstance(X, np.ndarray) else [image.shape for image in X]


def check_same_shape(**images):
    """Refuse images, given by their names, that do not have the shape of the first."""
    (name, shape), *others = ((name, shapes_of(X)) for name, X in images.items())
    for other, other_shape in others:
        if other_shape != shape:
            raise ValueError(
                f"{name} has shape {shape}, but {other} has shape {other_shape}; pass the images "
                "in the same shape and order."
            )


def check_kept_shape(denoiser, X, X_pred):
    """Refuse what a denoiser predicted where it has not the shape of its input."""
    if X_pred.shape != X.shape:
        raise ValueError(
            f"{type(denoiser).__name__} turned images of shape {X.shape} into {X_pred.shape}; pass "
            "a denoiser that keeps the shape, so that each value can be compared with its own."
        )


def check_fitted_shape(got, expected):
    """Refuse images of another shape than at fit."""
    if got != expected:
        raise ValueError(
            f"X has images of shape {got}, but this estimator was fitted on {expected}; pass them "
            "in that shape."
        )


def squared_errors(X, y):
    """Mean squared error of each image, ``float64`` of shape ``(n_samples,)``."""
    check_same_shape(X_denoised=X, y=y)
    # What float64 does not hold is infinite.
    with np.errstate(over="ignore"):
        difference = to_float(y).astype(np.float64) - to_float(X)
        return np.square(difference).reshape(len(X), -1).mean(axis=1)
