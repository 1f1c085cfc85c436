"""The data of a fit: images, targets and their ranges, then training and validation data."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from .._images import in_unit_range, value_range
from . import crops
from .batches import ImageDataset, data_tensors, is_same_memory

# More values than this tell no more of where most of them lie.
_MOST_VALUES = 2**20

# Images whose sides have more pixels than this are large, and learnt by crops of this side.
_LARGE, _CROP = 96, 64

# Crops are fresh in every epoch, so that one of few images can have as many batches as this.
_BATCHES_OF_CROPS = 10


class FitData(NamedTuple):
    """Images and targets with height, width and channels, and what they span.

    `images` and `targets` are arrays of shape ``(n_samples, height, width, n_channels)``, or lists
    of images of different sizes; one object where the targets are the images.
    """

    images: Any
    targets: Any
    image_range: tuple[float, float]
    target_range: tuple[float, float]
    #: Side of the crops; None where whole images are trained on.
    patch_size: int | None

    def scaling(self, width):
        """Offset and scale from the targets to the units of the net.

        Targets in [0, 1] stay as they are: 0 and 1. Others go to about [0, `width`].
        """
        if in_unit_range(self.target_range):
            return 0.0, 1.0
        low, high = self.target_range
        # A hot pixel must not decide how all others are seen.
        images = [image.ravel() for image in self.targets]
        step = -(-sum(image.size for image in images) // _MOST_VALUES)
        values = np.concatenate([image[::step] for image in images])
        # Values that are there: of whole counts, the net sees the same bits in any unit.
        typical = np.percentile(values, (0.1, 99.9), method="nearest")
        typical_low, typical_high = map(float, typical)
        if typical_low < typical_high:
            low, high = typical_low, typical_high
        return low, (high - low) / width or 1.0


def choose_patch_size(X, any_size):
    """Side of the crops for images of different sizes, and for large ones if the net takes them.

    Parameters
    ----------
    X : ndarray or list of ndarray
        The images given to `fit`.
    any_size : bool
        Whether the net takes images of any size.

    Returns
    -------
    patch_size : int or None
    """
    if isinstance(X, list):
        return min(_CROP, *map(shorter_side, X))
    is_large = X.ndim > 2 and min(X.shape[1:3]) > _LARGE
    return _CROP if is_large and any_size else None


def shorter_side(image):
    """Height or width; a signal has a height of 1, which does not count."""
    height, width = image.shape[:2]
    return width if height == 1 else min(height, width)


def float32_range(X):
    """The range of images that nets take.

    Raises
    ------
    ValueError
        If a value does not fit into the float32 of the nets.
    """
    values = value_range(X)
    if not np.isfinite(values).all():
        raise ValueError(
            "Input X contains infinity or a value too large for dtype('float32'), in which nets "
            "compute; divide the images by a constant first."
        )
    return values


def gather(images, targets, patch_size):
    """The `FitData` of images and their targets; a ValueError where they exceed `float32`."""
    if is_same_memory(images, targets):
        # fit(X, X) needs the memory, and every crop, but once.
        targets = images
    image_range = float32_range(images)
    target_range = image_range if targets is images else float32_range(targets)
    return FitData(images, targets, image_range, target_range, patch_size)


def datasets(data, *, n_validation, batch_size, input_hwc, seeds, split_seed, **options):
    """Training and validation data; the latter is None where no images are set aside.

    Parameters
    ----------
    data : FitData
    n_validation : int
        Images to set aside.
    batch_size : int
    input_hwc : (int, int, int)
    seeds : (int, int)
        Of training and validation data.
    split_seed : int
        Of the choice of the images to set aside.
    **options : dict
        As in `ImageDataset`.
    """
    images, targets = data.images, data.targets
    order_seed = split_seed if n_validation else seeds[0]
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(order_seed))
    device = options["device"]
    if data.patch_size is None:
        tensors = data_tensors(images, targets, device)
        make = partial(ImageDataset, *tensors, input_hwc=input_hwc, **options)
    else:
        stores = crops.pixel_stores(images, targets, device)
        patch_hw = (min(data.patch_size, images[0].shape[0]), data.patch_size)
        least = _BATCHES_OF_CROPS * batch_size
        make = partial(crops.PatchDataset, *stores, patch_hw=patch_hw, least=least, **options)
    train = make(indices=order[n_validation:], seed=seeds[0])
    if not n_validation:
        return train, None
    return train, make(indices=order[:n_validation], seed=seeds[1])
