"""The data of a fit: images, targets and their ranges, then training and validation data."""

from functools import partial
from typing import Any, NamedTuple

import torch

from . import crops
from .batches import ImageDataset, data_tensors, is_same_memory, value_range


class FitData(NamedTuple):
    """Images and targets with height, width and channels, and what they span.

    `images` and `targets` are arrays of shape ``(n_samples, height, width, n_channels)``, or lists
    of images of different sizes; one object where the targets are the images.
    """

    images: Any
    targets: Any
    image_range: tuple[float, float]
    target_range: tuple[float, float]


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


def datasets(data, *, n_validation, patch_size, input_hwc, seeds, **options):
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
    **options : dict
        As in `ImageDataset`.
    """
    images, targets = data.images, data.targets
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seeds[0]))
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
