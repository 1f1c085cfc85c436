"""The training and validation data of a fit."""

from functools import partial

import torch

from . import crops
from .batches import ImageDataset, data_tensors


def datasets(images, targets, *, n_validation, patch_size, input_hwc, seeds, **options):
    """Training and validation data; the latter is None where no images are set aside.

    Parameters
    ----------
    images, targets : ndarray of shape (n_samples, height, width, n_channels), or list of images
        The same object where the targets are the images.
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
