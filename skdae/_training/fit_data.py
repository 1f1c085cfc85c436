"""The data of a fit: images, targets and their ranges, then training and validation data."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from .._images import value_range
from . import crops
from .batches import ImageDataset, data_tensors, is_same_memory

# More values than this tell no more of where most of them lie.
_MOST_VALUES = 2**20


class FitData(NamedTuple):
    """Images and targets with height, width and channels, and what they span.

    `images` and `targets` are arrays of shape ``(n_samples, height, width, n_channels)``, or lists
    of images of different sizes; one object where the targets are the images.
    """

    images: Any
    targets: Any
    image_range: tuple[float, float]
    target_range: tuple[float, float]

    def scaling(self):
        """Offset and scale that bring the targets to about [0, 1]: 0 and 1 where they lie there."""
        low, high = self.target_range
        if 0 <= low <= high <= 1:
            return 0.0, 1.0
        # A hot pixel must not decide how all others are seen.
        images = [image.ravel() for image in self.targets]
        step = -(-sum(image.size for image in images) // _MOST_VALUES)
        values = np.concatenate([image[::step] for image in images])
        # Values that are there: of whole counts, the net sees the same bits in any unit.
        typical = np.percentile(values, (0.1, 99.9), method="nearest")
        typical_low, typical_high = map(float, typical)
        if typical_low < typical_high:
            low, high = typical_low, typical_high
        return low, (high - low) or 1.0


def gather(images, targets):
    """The `FitData` of images and their targets.

    Raises
    ------
    ValueError
        If a value does not fit into the float32 of the nets.
    """
    if is_same_memory(images, targets):
        # fit(X, X) needs the memory, and every crop, but once.
        targets = images
    image_range = value_range(images)
    target_range = image_range if targets is images else value_range(targets)
    return FitData(images, targets, image_range, target_range)


def datasets(data, *, n_validation, patch_size, input_hwc, seeds, split_seed, **options):
    """Training and validation data; the latter is None where no images are set aside.

    Parameters
    ----------
    data : FitData
    n_validation : int
        Images to set aside.
    patch_size : int or None
        Side of the crops.
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
    if patch_size is None:
        tensors = data_tensors(images, targets, device)
        make = partial(ImageDataset, *tensors, input_hwc=input_hwc, **options)
    else:
        stores = crops.pixel_stores(images, targets, device)
        patch_hw = (min(patch_size, images[0].shape[0]), patch_size)
        make = partial(crops.PatchDataset, *stores, patch_hw=patch_hw, **options)
    train = make(indices=order[n_validation:], seed=seeds[0])
    if not n_validation:
        return train, None
    return train, make(indices=order[:n_validation], seed=seeds[1])
