"""The data of a fit: images, targets and their ranges, then training and validation data."""

import math
from functools import partial
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_consistent_length

from .._images import (
    as_array,
    check_image_list,
    check_sample_weight,
    check_targets,
    float32_range,
    in_unit_range,
    is_ragged,
    refuse_gaps,
    validate_images,
    warn_if_far,
    warn_user,
)
from .batches import ImageDataset, data_tensors, is_same_memory
from .crops import PatchDataset, pixel_stores
from .lazy import open_images

# More values than this tell no more of where most of them lie.
_MOST_VALUES = 2**20

# Rows that tell columns of a table from pixels.
_LEAST_ROWS = 16

# Signals, images and volumes whose sides have more pixels than this are large, and learned by crops
# of this side; a single one by crops of at least this.
_CROPS = {1: (8192, 2048, 16), 2: (96, 64, 16), 3: (24, 16, 4)}

# Crops are fresh in every epoch, so that one of few images can have as many batches as this.
_BATCHES_OF_CROPS = 10


class FitInput(NamedTuple):
    """What a fit was given, checked."""

    X: Any
    y: Any = None
    #: Names of the features of flat rows, or None.
    names: Any = None
    #: Images and targets of the user's own to watch the loss on, or None.
    validation: "FitInput | None" = None
    #: Number of the group of each image; those of one group are set aside together, or not at all.
    groups: np.ndarray | None = None
    #: How often each image is drawn compared with others, or None.
    weights: np.ndarray | None = None

    def describe(self, describe_data):
        """What to tell this data from others by, beside `X` and `y`; empty where there is none."""
        told = {"groups": self.groups, "sample_weight": self.weights}
        if self.validation is not None:
            told |= {"X_val": self.validation.X, "y_val": self.validation.y}
        return {name: describe_data(data) for name, data in told.items() if data is not None}


def read(
    draft,
    X,
    y,
    *,
    reset,
    patch_size,
    min_images=2,
    validation_data=None,
    groups=None,
    sample_weight=None,
):
    """Check what a fit was given.

    Parameters
    ----------
    draft : estimator
        Gets ``n_features_in_`` and the names of the features where `reset`; has them otherwise.
    X, y : object
    reset : bool
    patch_size : int, "auto" or None
    min_images : int, default=2
        Number of images that are enough; crops make many of one.
    validation_data : (object, object) or None, default=None
    groups, sample_weight : array-like of shape (n_samples,) or None, default=None

    Returns
    -------
    given : FitInput
    """
    X, y = open_images(X, y)
    channel_axis = draft.channel_axis
    if is_ragged(X):
        if patch_size is None:
            raise ValueError(
                "X holds images of different sizes; pass patch_size=, such as patch_size=64, "
                "to train on crops of them, or make all images of one size."
            )
        checked = check_image_list(X, channel_axis=channel_axis)
    else:
        is_rows = getattr(as_array(X), "ndim", 2) <= 2
        can_crop = patch_size and not (patch_size == "auto" and is_rows)
        min_samples = 1 if can_crop else min_images
        checked = validate_images(draft, X, reset=reset, min_samples=min_samples)
    targets = check_targets(checked, y, channel_axis)
    for name, images in (("X", checked), ("y", [] if targets is None else targets)):
        for image in images if isinstance(images, list) else [images]:
            refuse_gaps(image, draft.missing_values, name)
    is_rows = isinstance(checked, np.ndarray) and checked.ndim == 2
    if reset and is_rows and draft.image_shape is None:
        _warn_of_raw_columns(checked)
    given = FitInput(checked, targets, getattr(draft, "feature_names_in_", None))
    if groups is not None:
        check_consistent_length(checked, groups)
        given = given._replace(groups=np.unique(column_or_1d(groups), return_inverse=True)[1])
    if sample_weight is not None:
        weights = check_sample_weight(sample_weight, checked)
        # Equal ones draw each image once, as none do.
        given = given._replace(weights=weights if np.ptp(weights) else None)
    if validation_data is not None:
        given = given._replace(
            validation=_read_validation(draft, given, validation_data, patch_size)
        )
    return given


def _warn_of_raw_columns(X):
    """Say so where rows look like those of a table, whose small columns one scale would hide.

    Neighbors in signals and images, however much they differ, come in steps; columns jump. On
    MNIST, Fashion-MNIST and CIFAR, sampled down in several ways, digits, photographs and spectra
    with peaks of any width, it is silent; on breast cancer, wine and diabetes it speaks.
    """
    # Enough of them to tell, of which copies in float64 are small.
    X = X[:: max(1, X.size // 2**20)].astype(np.float64)
    if len(X) < _LEAST_ROWS:
        return
    low, lower, middle, upper, high = np.percentile(X, (5, 25, 50, 75, 95), axis=0)
    # Pixels that are black in most images are small for another reason.
    (columns,) = np.nonzero(upper - lower > 0.15 * (high - low))
    spans, levels = (high - low)[columns], middle[columns]
    darkest, lightest = np.percentile(X[:, columns], (0.1, 99.9)) if len(columns) > 1 else (0, 0)
    # Of one scale for all, what spans less than that is not seen.
    if len(columns) > 1 and spans.min() < 0.02 * (lightest - darkest) and _jump(spans, levels):
        large, small = columns[[spans.argmax(), spans.argmin()]]
        warn_user(
            f"X looks like a table in raw units: column {large} spans {spans.max():.3g}, column "
            f"{small} only {spans.min():.3g}, and all values from {darkest:.3g} to {lightest:.3g} "
            "get one scale, which hides the small columns. Scale each column first, as in "
            "make_pipeline(StandardScaler(), denoiser). If rows are signals or images, pass "
            f"image_shape=({X.shape[1]},) or (height, width)."
        )


def _jump(spans, levels):
    """Whether spans or levels of neighbors differ by orders of magnitude, and without order."""
    n = len(spans)
    logs = np.log10(np.maximum(spans, 1e-4 * spans.max()))
    steps = np.abs(np.diff(logs))
    # Of independent values, the mean squared step is twice the variance.
    jumps = n <= 12 or np.square(steps).mean() > 0.6 * logs.var()
    if np.ptp(logs) >= 2 and jumps and (n <= 128 or steps.mean() >= 0.5):
        return True
    rises = np.abs(np.diff(levels))
    unlike = np.square(rises).mean() >= levels.var()
    return n <= 128 and unlike and np.median(rises / np.minimum(spans[1:], spans[:-1])) >= 10


def _read_validation(draft, given, pair, patch_size):
    """Check validation data of the user's own."""
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise TypeError(
            "validation_data must be a tuple (X_val, y_val), with y_val=None where fit has no y, "
            f"not {type(pair).__name__}."
        )
    try:
        is_listed = isinstance(given.X, list)
        X, y, *_ = read(draft, *pair, reset=is_listed, patch_size=patch_size, min_images=1)
    except ValueError as error:
        raise ValueError(f"In validation_data=(X_val, y_val), {error}") from error
    if (y is None) != (given.y is None):
        has, has_not = ("y_val", "y") if given.y is None else ("y", "y_val")
        raise ValueError(
            f"fit got {has}, but {has_not} is None or holds labels; validation needs what training "
            "has: targets for both, or for neither."
        )
    return FitInput(X, y)


class FitData(NamedTuple):
    """Images and targets with spatial axes and channels, and what they span.

    `images` and `targets` are arrays of shape ``(n_samples, *spatial, n_channels)``, or lists of
    images of different sizes; one object where the targets are the images.
    """

    images: Any
    targets: Any
    image_range: tuple[float, float]
    target_range: tuple[float, float]
    #: Sides of the crops; None where whole images are trained on.
    patch_size: tuple[int, ...] | None

    @property
    def sides(self):
        """Sides of the images, or of their crops."""
        return self.patch_size or self.images[0].shape[:-1]

    def scaling(self, width):
        """Offset and scale from the targets to the units of the net.

        Targets in [0, 1] stay as they are: 0 and 1. Others go to about [0, `width`].
        """
        if in_unit_range(self.target_range):
            return 0.0, 1.0
        low, high = self.target_range
        # A hot pixel must not decide how all others are seen.
        values = _some_values(self.targets)
        # Values that are there: of whole counts, the net sees the same bits in any unit.
        typical = np.percentile(values, (0.1, 99.9), method="nearest")
        typical_low, typical_high = map(float, typical)
        if typical_low < typical_high:
            low, high = typical_low, typical_high
        return low, (high - low) / width or 1.0


def _some_values(images):
    """Values of images, evenly spread over all of them."""
    images = [image.ravel() for image in images]
    step = -(-sum(image.size for image in images) // _MOST_VALUES)
    return np.concatenate([image[::step] for image in images])


def patch_shape(patch_size, images, rank, is_whole, min_images=2):
    """Sides of the crops that images are learned by; None where each is learned as a whole.

    With "auto", those are images of different sizes, and large ones if the net takes them. A small
    one, too, is learned by crops where it is the only one, and one is enough: an epoch has many
    steps then, and sees it in all poses.

    Parameters
    ----------
    patch_size : int, tuple of int, "auto" or None
    images : array or list of arrays, each (*spatial, n_channels)
    rank : int
        Number of spatial axes.
    is_whole : bool
        Whether "auto" leaves images of one size as they are.
    min_images : int, default=2
        Number of images that are enough to learn from.

    Returns
    -------
    sides : tuple of int or None
    """
    if patch_size is None:
        return None
    if patch_size != "auto":
        sides = (patch_size,) * rank if isinstance(patch_size, Integral) else tuple(patch_size)
        if len(sides) != rank:
            raise ValueError(
                f"patch_size={patch_size} has {len(sides)} sides, but the images have {rank} axes; "
                "pass one number, or one per axis."
            )
        return sides
    is_list = isinstance(images, list)
    # The first has the size of all, but for a list.
    smallest = np.min([x.shape[:-1] for x in (images if is_list else [images[0]])], 0).tolist()
    large, crop, least = _CROPS[rank]
    sides = [min(crop, side) for side in smallest]
    if rank == 3:
        # Thin volumes make room for larger slices.
        sides[1:] = [min(side, math.isqrt(crop**3 // sides[0]) // 8 * 8) for side in smallest[1:]]
    elif len(set(sides)) > 1:
        sides = [min(sides)] * rank
    if is_list:
        return tuple(sides)
    if is_whole:
        return None
    is_large = max(smallest) > large if rank == 3 else min(smallest) > large
    is_alone = len(images) == min_images == 1 and min(sides) >= least
    return tuple(sides) if is_large or is_alone else None


def gather(images, targets, patch_size):
    """The `FitData` of images and their targets; a ValueError where they exceed `float32`."""
    if is_same_memory(images, targets):
        # fit(X, X) needs the memory, and every crop, but once.
        targets = images
    image_range = float32_range(images)
    target_range = image_range if targets is images else float32_range(targets)
    return FitData(images, targets, image_range, target_range, patch_size)


def datasets(
    data,
    *,
    n_validation,
    batch_size,
    seeds,
    split_seed,
    geometry,
    validation=None,
    groups=None,
    weights=None,
    **options,
):
    """Training and validation data; the latter is None where no images are set aside.

    Parameters
    ----------
    data : FitData
    n_validation : int
        Images to set aside.
    batch_size : int
    seeds : (int, int)
        Of training and validation data.
    split_seed : int
        Of the choice of the images to set aside.
    geometry : Geometry
    validation : FitInput or None, default=None
        Validation data of the user's own; no images are set aside then.
    groups : ndarray or None, default=None
        Label of each image, of which about as many images are set aside in whole groups.
    weights : ndarray or None, default=None
        How often each image is drawn for training compared with others.
    **options : dict
        As in `ImageDataset`.
    """
    options |= {"batch_size": batch_size}
    n_validation = 0 if validation else n_validation
    generator = torch.Generator().manual_seed(split_seed if n_validation else seeds[0])
    order = torch.randperm(len(data.images), generator=generator)
    make = _maker(data, **options)
    weights = None if weights is None else torch.from_numpy(weights)
    if validation:
        valid_data = _like(data, validation, geometry)
        valid_order = torch.arange(len(valid_data.images))
        valid = _maker(valid_data, **options)(indices=valid_order, seed=seeds[1])
        return make(indices=order, seed=seeds[0], weights=weights), valid
    if not n_validation:
        return make(indices=order, seed=seeds[0], weights=weights), None
    if groups is None:
        is_valid = torch.arange(len(order)) < n_validation
    else:
        is_valid = torch.from_numpy(_in_some_groups(groups, n_validation, generator))[order]
    train = make(indices=order[~is_valid], seed=seeds[0], weights=weights)
    return train, make(indices=order[is_valid], seed=seeds[1])


def _maker(data, batch_size, device, **options):
    """What makes a data set of some of the images."""
    if data.patch_size is None:
        stores = data_tensors(data.images, data.targets, device)
        return partial(ImageDataset, *stores, device=device, **options)
    stores = pixel_stores(data.images, data.targets, device)
    options |= {"patch_shape": data.patch_size, "least": _BATCHES_OF_CROPS * batch_size}
    return partial(PatchDataset, *stores, device=device, **options)


def _in_some_groups(groups, n_validation, generator):
    """Which images belong to random groups that hold about `n_validation` images."""
    counts = np.bincount(groups)
    if len(counts) < 2:
        raise ValueError(
            "groups says that all images belong together, so that none can be set aside; pass at "
            "least 2 groups, or validation_fraction=None."
        )
    order = torch.randperm(len(counts), generator=generator).numpy()
    n_groups = 1 + np.abs(counts[order].cumsum()[:-1] - n_validation).argmin()
    return np.isin(groups, order[:n_groups])


def to_images(X, geometry):
    """Samples with spatial axes and channels."""
    if isinstance(X, list):
        return [image.reshape(*geometry.of((1, *image.shape)).shape) for image in X]
    return geometry.read(X)


def _like(data, validation, geometry):
    """The `FitData` of validation images, which must be like those of the training."""
    try:
        X = to_images(validation.X, geometry)
        y = X if validation.y is None else to_images(validation.y, geometry)
    except ValueError as error:
        error.add_note("X and y are those of validation_data.")
        raise
    given = gather(X, y, data.patch_size)
    of_fit, own = data.images[0].shape, X[0].shape
    if (of_fit[-1:] != own[-1:]) if data.patch_size else (of_fit != own):
        raise ValueError(
            f"The images of validation_data, of shape {own}, are not like those of fit, of shape "
            f"{of_fit}; pass images of the same kind."
        )
    for images_range, fitted in (
        (given.image_range, data.image_range),
        (given.target_range, data.target_range),
    ):
        warn_if_far(images_range, fitted, "validation_data")
    return given
