"""How samples lie in the arrays of users, and the one layout that they have inside skdae.

Inside, a batch is ``(n_samples, *spatial, n_channels)``, with one spatial axis for signals, two for
images and three for volumes.
"""

import math
from dataclasses import dataclass, field
from numbers import Integral

import numpy as np

from .warn import warn_user

# More channels than this are probably the columns or slices of a stack.
_MOST_CHANNELS = 16

# Rows of fewer values than a square of this side do not tell whether they are images.
_LEAST_SIDE = 8

# Rows that are looked at to tell it, and how much more alike neighbors in columns have to be.
_N_ROWS, _ALIKE, _ORDERED = 16, 0.95, 0.8


@dataclass(frozen=True)
class Geometry:
    """Spatial axes and channels of one sample."""

    #: In the user's terms: the sides, and the number of channels where an axis holds them.
    image_shape: tuple[int, ...]
    has_channels: bool = False

    #: The sides: length, or height and width, or depth, height and width; and how many.
    spatial: tuple[int, ...] = field(init=False, repr=False, compare=False)
    rank: int = field(init=False, repr=False, compare=False)
    n_channels: int = field(init=False, repr=False, compare=False)
    #: Shape of a sample inside skdae.
    shape: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        shape = self.image_shape if self.has_channels else (*self.image_shape, 1)
        # Read often, and so no properties; a frozen object is written to this way.
        rank, n_channels = len(shape) - 1, shape[-1]
        vars(self).update(spatial=shape[:-1], rank=rank, n_channels=n_channels, shape=tuple(shape))

    @property
    def channel_axis(self):
        """In scikit-image's terms: -1, or None where no axis holds channels."""
        return -1 if self.has_channels else None

    def of(self, batch_shape):
        """The geometry of another batch, flat rows or samples with as many spatial axes.

        Raises
        ------
        ValueError
            If it has another number of axes.
        """
        own = tuple(batch_shape[1:])
        if len(own) == 1 and len(self.image_shape) > 1:
            return self
        n_more = len(own) - self.rank
        if n_more not in (0, 1) or (n_more and self.rank == 1 and not self.has_channels):
            kinds = {1: "signals", 2: "images", 3: "volumes"}
            raise ValueError(
                f"X has shape {tuple(batch_shape)}, but this estimator was fitted on "
                f"{kinds[self.rank]} of shape {self.image_shape}; pass such ones, or fit again."
            )
        return Geometry(own, bool(n_more))

    def read(self, X):
        """A batch of users in the layout of skdae; ``reshape(X.shape)`` gives it back."""
        if X.ndim == len(self.image_shape) + 1:
            return X if self.has_channels else X[..., None]
        return X.reshape(len(X), *self.of(X.shape).shape)


def as_planes(samples):
    """A batch inside of skdae as images: slices of volumes, and signals as images of one row."""
    if samples.ndim == 3:
        return samples[:, None]
    return samples.reshape(-1, *samples.shape[-3:])


def middle(sides, most):
    """Slices of the middle, of at most so many values along each axis."""
    starts = [max(0, side - most) // 2 for side in sides]
    return tuple(slice(start, start + most) for start in starts)


def geometry_of(X, image_shape=None, channel_axis="auto"):
    """The geometry of a batch, or of a list of samples of different sizes.

    Parameters
    ----------
    X : ndarray, anything with a shape and samples, or list of ndarray
        Flat rows, or samples in their shape.
    image_shape : tuple of int or None, default=None
        The shape of one sample, which flat rows need. None means that of the samples; rows are
        square images if their number of values is a perfect square and they look like it, else
        signals.
    channel_axis : {"auto", -1, None}, default="auto"
        -1: the last axis holds channels. None: no axis does. "auto" takes the last of three or
        more axes of a sample for channels, and images of one column for signals.

    Returns
    -------
    geometry : Geometry

    Raises
    ------
    ValueError
        If `X` has another number of axes, or `image_shape` does not hold its values.

    Examples
    --------
    >>> geometry_of(np.zeros((100, 64)))
    Geometry(image_shape=(8, 8), has_channels=False)
    >>> geometry_of(np.zeros((100, 500, 12)), channel_axis=-1).spatial
    (500,)
    """
    X = X[0][None] if isinstance(X, list) else X
    own_shape = tuple(X.shape[1:])
    if image_shape is not None:
        image_shape = _check_image_shape(own_shape, image_shape)
    elif len(own_shape) != 1:
        image_shape = own_shape
    elif channel_axis == -1:
        raise ValueError(
            f"channel_axis=-1, but X has flat rows, of shape {tuple(X.shape)}; pass "
            "image_shape=(length, n_channels) with it."
        )
    else:
        return Geometry(_shape_of_rows(X))
    n_axes = len(image_shape)
    has_channels = channel_axis is not None
    if channel_axis == "auto":
        # One column is a signal, as lists hold them.
        has_channels = n_axes > 2 or (n_axes == 2 and image_shape[1] == 1)
    if not 1 <= n_axes - has_channels <= 3:
        raise ValueError(
            f"X has shape {tuple(X.shape)} and samples of shape {image_shape}, with channel_axis="
            f"{channel_axis!r}; expected flat rows (n_samples, n_features), signals (n_samples, "
            "length, n_channels) with channel_axis=-1, images (n_samples, height, width) or "
            "(n_samples, height, width, n_channels), or volumes (n_samples, depth, height, width) "
            f"with channel_axis=None. {'' if own_shape else 'Pass X[None] if X is one row.'}"
        )
    if channel_axis == "auto" and len(own_shape) == 3:
        _warn_of_other_channels(own_shape)
    return Geometry(image_shape, has_channels)


def _warn_of_other_channels(own_shape):
    """Say so where the last axis may hold something else."""
    if own_shape[0] in (1, 3) and own_shape[2] > 4:
        warn_user(
            f"The images of X have shape {own_shape}, taken as height {own_shape[0]}, width "
            f"{own_shape[1]} and {own_shape[2]} channels. If the channels come first, pass "
            "X.transpose(0, 2, 3, 1)."
        )
    if own_shape[2] > _MOST_CHANNELS:
        warn_user(
            f"The images of X have shape {own_shape}, taken as {own_shape[2]} channels. If they "
            "are volumes, pass channel_axis=None; if channels are meant, channel_axis=-1 silences "
            "this warning."
        )


def _shape_of_rows(X):
    """The shape of one flat row: a square image if it looks like one, otherwise a signal."""
    (n_features,) = X.shape[1:]
    side = math.isqrt(n_features)
    is_square = side * side == n_features
    if is_square and (side < _LEAST_SIDE or _look_like_images(X, side)):
        return (side, side)
    what = "do not look like" if is_square else "are not"
    warn_user(
        f"Rows of {n_features} values {what} square images and are taken as 1-D signals; pass "
        "image_shape=(height, width) or (height, width, n_channels) if they are images, or "
        f"image_shape=({n_features},) to silence this warning."
    )
    return (n_features,)


def _look_like_images(X, side):
    """Whether values one row of an image apart are more alike than those half a row apart.

    Rows without any order, in which neighbors are no more alike, tell nothing, and may be images.
    """
    beside, below, far = _differences(X, (1, side, side // 2))
    return not beside < _ALIKE * far < below


def has_order(X):
    """Whether neighbors in flat rows are more alike than values half a row apart.

    So they are in signals and images, and not in tables.
    """
    n_features = X.shape[1]
    if n_features < _LEAST_SIDE:
        return False
    # In a square, half of a row of it.
    beside, far = _differences(X, (1, max(2, math.isqrt(n_features) // 2)))
    return bool(beside < _ORDERED * far)


def _differences(X, distances):
    """Mean squared difference of values in some flat rows, at each distance."""
    places = range(0, len(X), max(1, len(X) // _N_ROWS))
    rows = np.stack([np.asarray(X[i], dtype=np.float64) for i in places])
    with np.errstate(over="ignore", invalid="ignore"):
        return [float(np.square(rows[:, n:] - rows[:, :-n]).mean()) for n in distances]


def _check_image_shape(own_shape, image_shape):
    """`image_shape` as a tuple of int, after comparing it with the samples' own shape."""
    is_shape = isinstance(image_shape, (tuple, list)) and 1 <= len(image_shape) <= 4
    if not is_shape or not all(isinstance(n, Integral) and n > 0 for n in image_shape):
        raise ValueError(
            f"image_shape={image_shape!r} must be (length,), (height, width), (height, width, "
            "n_channels) or (depth, height, width, n_channels), all positive integers."
        )
    image_shape = tuple(int(n) for n in image_shape)
    if len(own_shape) == 1 and math.prod(image_shape) != own_shape[0]:
        side = math.isqrt(own_shape[0])
        remedy = f"image_shape=({side}, {side})" if side**2 == own_shape[0] else "its true shape"
        raise ValueError(
            f"image_shape={image_shape} holds {math.prod(image_shape)} pixels, but X has "
            f"{own_shape[0]} per row; pass {remedy}."
        )
    # An axis of one channel may be left out, or named without being there.
    longer, shorter = sorted((image_shape, own_shape), key=len, reverse=True)
    same = longer == shorter or (len(shorter) > 1 and longer == (*shorter, 1))
    if len(own_shape) > 1 and not same:
        raise ValueError(
            f"image_shape={image_shape} does not match the images of X, which have shape "
            f"{own_shape}; image_shape is needed for flat rows only, leave it None here."
        )
    return image_shape if len(own_shape) == 1 else own_shape


def guess_image_shape(n_features):
    """A square gray image where that is possible, otherwise a signal."""
    side = math.isqrt(n_features)
    return (side, side) if side * side == n_features else (n_features,)


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
                f"in the same shape and order.{way_to_one_size(shape, other_shape)}"
            )


def way_to_one_size(shape, other_shape):
    """What helps where one of two batches has images that are larger by a whole factor."""
    if isinstance(shape, list) or len(shape) != len(other_shape) or len(shape) < 3:
        return ""
    small, large = sorted((tuple(shape), tuple(other_shape)))
    factors = {-(-m // n) for n, m in zip(small[1:], large[1:], strict=True) if n != m}
    if len(factors) != 1 or not all(n <= m for n, m in zip(small, large, strict=True)):
        return ""
    return (
        f" Enlarge the small images first, as by X.repeat({factors.pop()}, axis=1) and axis=2, "
        "and cut them to size; super-resolution is denoising of such images."
    )


def check_kept_shape(denoiser, X, X_pred):
    """Refuse what a denoiser predicted where it has not the shape of its input."""
    if X_pred.shape != X.shape:
        raise ValueError(
            f"{type(denoiser).__name__} turned images of shape {X.shape} into {X_pred.shape}; pass "
            "a denoiser that keeps the shape, so that each value can be compared with its own."
        )


def check_fitted_shape(got, expected, any_size=False):
    """Refuse samples of another shape than at fit; of other channels only, where sizes are free."""
    n_first = len(expected) - 1 if any_size else 0
    if len(got) != len(expected) or got[n_first:] != expected[n_first:]:
        way_out = "them in that shape"
        if any_size:
            n = expected[-1]
            way_out = f"images of {n} channel{'s' * (n > 1)}, of any height and width"
        raise ValueError(
            f"X has images of shape {got}, but this estimator was fitted on {expected}; pass "
            f"{way_out}."
        )
