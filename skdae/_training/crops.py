"""Training on crops of images."""

import math
from functools import lru_cache

import numpy as np
import torch

from .batches import ImageDataset, data_tensors, draw


class PatchDataset(ImageDataset):
    """Random crops of images, with flips and quarter turns; a batch is one `index_select`.

    An epoch shows about as many pixels as the images hold. The validation crops stay the same.

    Parameters
    ----------
    images, targets : PixelStore
        Both of the same images; the targets may be `images` itself.
    to_net, task, device
        As in `ImageDataset`.
    patch_shape : tuple of int
        Sides of a crop.
    least : int, default=1
        An epoch shows as many crops at least.
    **options : dict
        ``indices``, ``seed`` and ``weights``, as in `ImageDataset`.
    """

    def __init__(self, images, targets, to_net, task, device, *, patch_shape, least=1, **options):
        super().__init__(images, targets, to_net, task, device, **options)
        self.patch_shape = tuple(patch_shape)
        indices, seed = options["indices"], options["seed"]
        if (images.sizes < torch.tensor(self.patch_shape)).any():
            raise ValueError(
                f"Crops of {' by '.join(map(str, self.patch_shape))} pixels do not fit into the "
                f"smallest image (sides {images.sizes.amin(0).tolist()}); pass a smaller "
                "patch_size."
            )
        self._images = indices
        n_pixels = images.sizes[indices].prod(1)
        self._n_patches = max(least, round(n_pixels.sum().item() / math.prod(self.patch_shape)))
        # Each pixel counts alike, so that large images are shown more often.
        self._ends = n_pixels.cumsum(0)
        if self.weights is not None:
            self.weights = n_pixels * self.weights
        self.rows = self._draw(torch.Generator().manual_seed(seed + 2))

    def _draw(self, generator):
        """Crops of one epoch, one row per crop: image, corner, pose."""
        n = self._n_patches
        if self.weights is None:
            pixel = torch.randint(int(self._ends[-1]), (n,), generator=generator)
            drawn = torch.searchsorted(self._ends, pixel, right=True)
        else:
            drawn = draw(self.weights, n, generator)
        image = self._images[drawn]
        room = self.images.sizes[image] - torch.tensor(self.patch_shape) + 1
        place = torch.rand(*room.shape, generator=generator, dtype=torch.float64)
        corner = (place * room).long()
        pose = torch.randint(len(_poses(self.patch_shape)), (n, 1), generator=generator)
        return torch.cat([image[:, None], corner, pose], dim=1)

    def _fresh_rows(self):
        """The crops of one epoch."""
        return self._draw(self._order)

    def _take(self, store, rows):
        """Crops of one of the stores."""
        crops = store.crop(rows[:, 0], rows[:, 1:-1], rows[:, -1], self.patch_shape)
        return self._to_device(crops)


class PixelStore:
    """The pixels of images of any sizes as the rows of one tensor.

    Parameters
    ----------
    pixels : Tensor of shape (n_pixels, n_channels)
        Image after image, row after row.
    sizes : list of tuple of int
        Sides of each image.
    """

    def __init__(self, pixels, sizes):
        self.pixels = pixels
        self.sizes = torch.tensor(sizes)
        n_pixels = self.sizes.prod(1)
        self._starts = n_pixels.cumsum(0) - n_pixels

    def __len__(self):
        return len(self.sizes)

    @property
    def device(self):
        """Where the pixels are."""
        return self.pixels.device

    def crop(self, image, corner, pose, shape):
        """Crops of one size, flipped and turned: ``(n_crops, *spatial, n_channels)``."""
        # How many pixels lie between neighbors along each axis.
        steps = self.sizes[image].flip(1).cumprod(1).flip(1).roll(-1, 1)
        steps[:, -1] = 1
        index = self._starts[image] + (corner * steps).sum(1)
        index = index.reshape(-1, *[1] * len(shape))
        for places, step in zip(_poses(shape).unbind(1), steps.unbind(1), strict=True):
            index = index + places[pose] * step.reshape(index.shape[:1] + (1,) * len(shape))
        return self.pixels.index_select(0, index.flatten().to(self.device)).unflatten(
            0, index.shape
        )


def pixel_stores(images, targets, device):
    """Stores of images and targets: batches, or lists of images of different sizes."""
    # The same images twice are one store.
    both = (images,) if targets is images else (images, targets)
    sizes = [[image.shape[:-1] for image in X] for X in both]
    pixels = [_pixel_rows(X) for X in both]
    tensors = data_tensors(pixels[0], pixels[-1], device)
    stores = [PixelStore(*store) for store in zip(tensors, sizes, strict=False)]
    return stores[0], stores[-1]


def _pixel_rows(images):
    """All pixels, one row per pixel."""
    if isinstance(images, np.ndarray):
        return images.reshape(-1, images.shape[-1])
    whole = images[0]
    while isinstance(whole.base, np.ndarray):
        whole = whole.base
    if whole.nbytes == sum(image.nbytes for image in images) and _follow(images):
        # One file holds all of them, and memory may not.
        return np.asarray(whole).view(images[0].dtype).reshape(-1, images[0].shape[-1])
    return np.concatenate([image.reshape(-1, image.shape[-1]) for image in images])


def _follow(images):
    """Whether the memory of each image begins where that of the one before ends."""
    starts = np.array([image.__array_interface__["data"][0] for image in images])
    are_whole = all(image.flags.c_contiguous for image in images)
    return are_whole and np.array_equal(np.diff(starts), [x.nbytes for x in images[:-1]])


@lru_cache
def _poses(shape):
    """Places in a crop, along each axis, in each of its poses: flips, and turns of a square."""
    grid = torch.stack(torch.meshgrid(*map(torch.arange, shape), indexing="ij"))
    square = len(shape) > 1 and shape[-1] == shape[-2]
    poses = [grid.rot90(k, (-2, -1)) for k in range(4)] if square else [grid]
    # A turn and a flip make the flip of the other axis of a square.
    for axis in {2: [2], 3: [1, 3]}.get(len(shape), [1]):
        poses = [pose for turn in poses for pose in (turn, turn.flip(axis))]
    return torch.stack(poses)
