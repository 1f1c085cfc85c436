"""Images of different sizes, and signals of different lengths: one door for lists of them.

Signals of one channel, which are 1-D, get an axis for it there.
"""

import inspect
import math
from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any, TypeGuard, TypeVar

import numpy as np
from sklearn.utils.validation import check_consistent_length

from .arrays import as_array, holds_array, is_listed, of_one_kind
from .blocks import lazily, range_of_chunks
from .checks import check_images, check_target, is_clean, validate_images
from .geometry import way_to_one_size
from .missing import around_gaps, masks_of, without_gaps
from .stores import is_dask
from .values import refuse_other_units, value_range

Function = TypeVar("Function", bound=Callable[..., Any])


def is_ragged(X: Any) -> TypeGuard[list[np.ndarray]]:
    """Whether `X` is a list of images of different shapes."""
    if not is_listed(X):
        return False
    shapes = set()
    # Once through, because they may be files.
    for image in X:
        if not holds_array(image):
            return False
        shapes.add(as_array(image).shape)
    return len(shapes) > 1 and all(0 < len(shape) < 5 for shape in shapes)


def image_by_image(
    join: Callable[[list], Any],
    images: str = "X",
    targets: str | None = "y",
    *,
    fills_gaps: bool = False,
) -> Callable[[Function], Function]:
    """Let a function of batches also take lists of images of different sizes, and dask arrays.

    This is the one door for such lists: for each image, the function gets a batch of one. A method
    that makes images of images gives a lazy array for a dask array.

    Parameters
    ----------
    join : callable
        Makes one result of the list of all: `image_list` or `mean_score`, say.
    images : str, default="X"
        The function's parameter for the images.
    targets : str or None, default="y"
        Its parameter for the images that belong to them, if it has one; None leaves it alone.
    fills_gaps : bool, default=False
        Whether it is a method that makes images of images, and also takes missing values.

    Returns
    -------
    decorator : callable
    """

    def decorate(function):
        signature = inspect.signature(function)
        position = [*signature.parameters].index(images)

        def on_lists(*args, **params):
            try:
                call = signature.bind(*args, **params)
            except TypeError:
                # Python's own message names the function.
                return function(*args, **params)
            given = call.arguments
            if join is image_list and is_dask(given[images]):
                estimator, X, *_ = given.values()
                params = {n: v for n, v in given.items() if v is not estimator and v is not X}
                return lazily(estimator, function.__name__, X, params)
            for n in {images, targets} & set(given):
                # The items of a list are read once, not at every door.
                given[n] = as_array(given[n]) if is_listed(given[n]) else given[n]
            if not is_ragged(given[images]):
                return function(*call.args, **call.kwargs)
            channel_axis = _channel_axis(given)
            n_axes = np.ndim(given[images][0])
            X = check_image_list(given[images], images, channel_axis)
            y = check_target_list(X, given.get(targets), targets, channel_axis)
            results = []
            for i, image in enumerate(X):
                given[images] = image[None]
                if targets in given:
                    given[targets] = None if y is None else y[i][None]
                results.append(function(*call.args, **call.kwargs))
                if n_axes == 1:
                    results[-1] = _without_channel(results[-1], given[images].shape)
            return join(results)

        slowly = around_gaps(on_lists) if fills_gaps else on_lists

        @wraps(function)
        def on_images(*args, **params):
            X = args[position] if position < len(args) else None
            is_plain = isinstance(X, np.ndarray) and X.dtype != object
            if is_plain and fills_gaps:
                is_plain = math.isnan(args[0].missing_values) and is_clean(X)
            # All else takes as long as a small image in a net.
            return function(*args, **params) if is_plain else slowly(*args, **params)

        return on_images

    return decorate


def _without_channel(result, shape):
    """A signal, or a tuple of several, as it was in a list."""
    if isinstance(result, tuple):
        return tuple(_without_channel(part, shape) for part in result)
    # Intervals have an axis more in front.
    return result[..., 0] if np.shape(result)[-len(shape) :] == shape else result


def _channel_axis(given):
    """The parameter of a function, or of the estimator whose method it is."""
    own = getattr(given.get("self"), "channel_axis", "auto")
    return given.get("channel_axis", own)


def image_list(parts):
    """Join batches of one image, or tuples of such: a list of images, or a tuple of lists."""
    if isinstance(parts[0], tuple):
        return tuple(map(image_list, zip(*parts, strict=True)))
    return [batch[0] for batch in parts]


def mean_score(scores):
    """Join the scores of single images."""
    return float(np.mean(scores))


def first_image(X, channel_axis="auto"):
    """The first of some images of different sizes, all checked; any other `X` as it is."""
    return check_image_list(X, channel_axis=channel_axis)[0][None] if is_ragged(X) else X


def images_of_fit(estimator, X):
    """Checked images of a fit, and the range of all; of lists and dask arrays, the first alone."""
    if is_dask(X):
        first, missing_values = X[:1].compute(), getattr(estimator, "missing_values", None)
        if missing_values is not None:
            first, _ = without_gaps(estimator, first, reset=True)
        images = validate_images(estimator, first, reset=True)
        return images, range_of_chunks(X, missing_values)
    if not is_ragged(X):
        images = validate_images(estimator, X, reset=True)
        return images, value_range(images)
    X = check_image_list(X, channel_axis=getattr(estimator, "channel_axis", "auto"))
    return validate_images(estimator, X[0][None], reset=True), value_range(X)


def check_any_images(X, name="X", channel_axis="auto"):
    """Checked images: a batch, or a list of arrays where they are of different sizes."""
    check = check_image_list if is_ragged(X) else check_images
    return check(X, name=name, channel_axis=channel_axis)


def known_images(X, image_shape, channel_axis, missing_values, name="X"):
    """Checked images whose missing values are filled, and which these are, image by image."""
    options = {"image_shape": image_shape, "channel_axis": channel_axis}
    given = SimpleNamespace(missing_values=missing_values, **options)
    X, gaps = without_gaps(given, X, reset=True)
    images = check_any_images(X, name, channel_axis)
    return images, masks_of(gaps, images)


def check_image_list(X, name="X", channel_axis="auto"):
    """Check images of different sizes; `uint8` stays where all images have it.

    Raises
    ------
    ValueError
        As in `check_images`, or if the numbers of channels differ.
    """
    if not is_listed(X) and not isinstance(X, np.ndarray):
        raise TypeError(f"{name} must be a list of images, as its partner is, not {type(X)}.")
    images = [
        check_images(np.asarray(as_array(x))[None], name=f"{name}[{i}]", channel_axis=None)[0]
        for i, x in enumerate(X)
    ]
    n_axes = images[0].ndim
    has_channels = n_axes > 2 if channel_axis == "auto" else channel_axis is not None
    shapes = {(x.ndim, *(x.shape[-1:] if has_channels else ())): x.shape for x in images}
    if len(shapes) > 1:
        raise ValueError(
            f"{name} mixes images of different kinds, of shapes {[*shapes.values()][:2]}; pass "
            "only gray ones (height, width), or only color ones (height, width, n_channels) with "
            "the same number of channels, or only signals."
        )
    images = of_one_kind(images)
    return [x[:, None] for x in images] if n_axes == 1 else images


def check_target_list(X, y, name="y", channel_axis="auto"):
    """The clean images that belong to a list of images, or None where `y` holds none.

    Raises
    ------
    ValueError
        If shapes or units differ.
    """
    check_consistent_length(X, y)
    if y is None or np.ndim(next(iter(y))) == 0:
        return None
    y = check_image_list(y, name, channel_axis)
    for i, (image, target) in enumerate(zip(X, y, strict=True)):
        if image.shape != target.shape:
            raise ValueError(
                f"{name}[{i}] has shape {target.shape}, but X[{i}] has {image.shape}; each target "
                "must have the shape of its image."
                f"{way_to_one_size((1, *image.shape), (1, *target.shape))}"
            )
    refuse_other_units(X=X, **{name: y})
    return y


def check_targets(X, y, channel_axis="auto"):
    """Targets of checked images, a batch or a list of different sizes; None where `y` has none."""
    if is_ragged(X):
        return check_target_list(X, y, channel_axis=channel_axis)
    return check_target(X, y)
