"""Shapes of images and of batches."""

import math
from numbers import Integral

import numpy as np

from .warn import warn_user

# More channels than this are probably the columns or slices of a stack.
_MOST_CHANNELS = 16


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
            f"n_channels). {_way_into_two_dimensions(own_shape)}"
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


def _way_into_two_dimensions(own_shape):
    """What to do with samples that are volumes, or single values."""
    if not own_shape:
        return "Pass X[None] if X is one row."
    # The last axis of volumes may be channels.
    image_shape = own_shape[-3:] if own_shape[-1] <= _MOST_CHANNELS else own_shape[-2:]
    sizes = ", ".join(map(str, image_shape))
    return (
        "Volumes are denoised slice by slice: pass their slices as images, such as "
        f"X.reshape(-1, {sizes}), and give the result the shape of X."
    )


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


def is_scaled(shape, target_shape):
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


def check_fitted_shape(got, expected, any_size=False):
    """Refuse images of another shape than at fit; of other channels only, where sizes are free."""
    n_first = 2 if any_size else 0
    if got[n_first:] != expected[n_first:]:
        way_out = "them in that shape"
        if any_size:
            n = expected[2]
            way_out = f"images of {n} channel{'s' * (n > 1)}, of any height and width"
        raise ValueError(
            f"X has images of shape {got}, but this estimator was fitted on {expected}; pass "
            f"{way_out}."
        )
