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
        Both of the same images; the targets may be larger by a whole factor, or `images` itself.
    to_net, noise, pretext, device
        As in `ImageDataset`.
    patch_hw : (int, int)
        Height and width of a crop of `images`.
    least : int, default=1
        An epoch shows as many crops at least.
    **options : dict
        ``indices``, ``seed``, ``context`` and ``weights``, as in `ImageDataset`.
    """

    def __init__(
        self, images, targets, to_net, noise, pretext, device, *, patch_hw, least=1, **options
    ):
        super().__init__(images, targets, to_net, noise, pretext, None, device, **options)
        self.patch_hw = patch_hw
        indices, seed = options["indices"], options["seed"]
        first = indices[0]
        # The largest: 3 pixels are enlarged to 5 by a factor of 2, whose last block is cut off.
        scale = -(-targets.sizes[indices] // images.sizes[indices]).amax(0)
        scale = torch.where(scale > 1, scale.max(), 1)
        if (targets.sizes[indices] < images.sizes[indices]).any():
            raise ValueError(
                "patch_size= needs targets at least as large as the images, but those of the first "
                f"image have sides {targets.sizes[first].tolist()} and "
                f"{images.sizes[first].tolist()}; leave patch_size=None to train on whole images."
            )
        self._target_scale = scale.tolist()
        self._sizes = torch.minimum(images.sizes, targets.sizes // scale)
        if (self._sizes < torch.tensor(patch_hw)).any():
            raise ValueError(
                f"Crops of {patch_hw[0]} by {patch_hw[1]} pixels do not fit into the smallest "
                f"image (sides {self._sizes.amin(0).tolist()}); pass a smaller patch_size."
            )
        self._images = indices
        n_pixels = images.sizes[indices].prod(1)
        self._n_patches = max(least, round(n_pixels.sum().item() / math.prod(patch_hw)))
        # Each pixel counts alike, so that large images are shown more often.
        self._ends = n_pixels.cumsum(0)
        if self.weights is not None:
            self.weights = n_pixels * self.weights
        self.rows = self._draw(torch.Generator().manual_seed(seed + 2))

    def _draw(self, generator):
        """Crops of one epoch, one row per crop: image, top, left, pose."""
        n = self._n_patches
        if self.weights is None:
            pixel = torch.randint(int(self._ends[-1]), (n,), generator=generator)
            drawn = torch.searchsorted(self._ends, pixel, right=True)
        else:
            drawn = draw(self.weights, n, generator)
        image = self._images[drawn]
        room = self._sizes[image] - torch.tensor(self.patch_hw) + 1
        corner = (torch.rand(n, 2, generator=generator, dtype=torch.float64) * room).long()
        pose = torch.randint(len(_poses(self.patch_hw)), (n, 1), generator=generator)
        return torch.cat([image[:, None], corner, pose], dim=1)

    def _fresh_rows(self):
        """The crops of one epoch."""
        return self._draw(self._order)

    def _take(self, store, rows):
        """Crops of one of the stores; the targets may be larger by a whole factor."""
        scale = self._target_scale if store is self.targets else (1, 1)
        corner = rows[:, 1:3] * torch.tensor(scale)
        hw = tuple(n * s for n, s in zip(self.patch_hw, scale, strict=True))
        return self._to_device(store.crop(rows[:, 0], corner, rows[:, 3], hw))

    def _corrupted(self, images):
        return self.noise.corrupt(images, self._rng)


class PixelStore:
    """The pixels of images of any sizes as the rows of one tensor.

    Parameters
    ----------
    pixels : Tensor of shape (n_pixels, n_channels)
        Image after image, row after row.
    sizes : list of (int, int)
        Height and width of each image.
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

    def crop(self, image, corner, pose, hw):
        """Crops of one size, flipped and turned: ``(n_crops, height, width, n_channels)``."""
        rows, columns = _poses(hw).unbind(1)
        width = self.sizes[image, 1]
        pixels, starts = self._rows_of(image)
        first = starts[image] + corner[:, 0] * width + corner[:, 1]
        index = first[:, None, None] + rows[pose] * width[:, None, None] + columns[pose]
        return pixels.index_select(0, index.flatten().to(self.device)).unflatten(0, index.shape)

    def _rows_of(self, images):
        """Where the pixels of some images are: a tensor, and the first row of each image."""
        return self.pixels, self._starts


def pixel_stores(images, targets, device):
    """Stores of images and targets: batches, or lists of images of different sizes."""
    # The same images twice are one store.
    both = (images,) if targets is images else (images, targets)
    sizes = [[image.shape[:2] for image in X] for X in both]
    pixels = [_pixel_rows(X) for X in both]
    tensors = data_tensors(pixels[0], pixels[-1], device)
    stores = [PixelStore(*store) for store in zip(tensors, sizes, strict=False)]
    return stores[0], stores[-1]


def _pixel_rows(images):
    """All pixels, one row per pixel."""
    if isinstance(images, np.ndarray):
        return images.reshape(-1, images.shape[-1])
    return np.concatenate([image.reshape(-1, image.shape[-1]) for image in images])


@lru_cache
def _poses(hw):
    """Rows and columns of a crop in each of its eight poses; two for a signal."""
    grid = torch.stack(torch.meshgrid(*map(torch.arange, hw), indexing="ij"))
    turns = [grid.rot90(k, (1, 2)) for k in range(4)] if hw[0] == hw[1] else [grid]
    return torch.stack([pose for turn in turns for pose in (turn, turn.flip(2))])
