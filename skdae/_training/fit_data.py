"""The data of a fit: images and targets as batches, and the data sets that a net trains on."""

from functools import partial

import torch

from .._images import is_ragged, to_nhwc
from . import crops
from .batches import ImageDataset, data_tensors, value_range


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


def like(image_shape, hwc):
    """`hwc` in as many dimensions as `image_shape`."""
    return tuple(hwc[1:2] if len(image_shape) == 1 else hwc[: len(image_shape)])


def _scaled_shape(image_shape, ratio):
    """Shape of targets that hold `ratio` times as many values as images of `image_shape`."""
    sides, channels = image_shape[:2], image_shape[2:]
    # A signal, an image of height 1 too, is scaled along its length alone.
    n_scaled = 1 if len(sides) == 1 or sides[0] == 1 else 2
    factor = ratio ** (1 / n_scaled)
    scaled = [*sides[:-n_scaled], *(n * factor for n in sides[-n_scaled:])]
    if any(abs(n - round(n)) > 1e-6 for n in scaled):
        raise ValueError(
            f"y holds {ratio:g} times as many values as X, which scales images of shape "
            f"{image_shape} to no whole height and width."
        )
    return (*(round(n) for n in scaled), *channels)


def to_batches(X, y, image_shape):
    """Images and targets with height, width and channels; the same object where `y` is None."""
    if is_ragged(X):
        images = [image.reshape(*image.shape[:2], -1) for image in X]
        return images, images if y is None else [t.reshape(*t.shape[:2], -1) for t in y]
    images = to_nhwc(X, image_shape)
    return images, images if y is None else to_nhwc(y, _scaled_shape(image_shape, y.size / X.size))


def range_of(images):
    """Smallest and largest value of a batch, or of a list of images."""
    ranges = [value_range(X) for X in (images if is_ragged(images) else [images])]
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def times(hwc, scale):
    """Height, width and channels, each times its factor."""
    return tuple(n * s for n, s in zip(hwc, scale, strict=True))
