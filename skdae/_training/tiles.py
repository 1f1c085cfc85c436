"""Prediction by tiles that overlap by the receptive field."""

import numpy as np
import torch

from .._images import smallest_tile, tiles, warn_user


def in_tiles(run, images, scale, n_channels, tile, stride, radius):
    """Apply a net to images tile by tile, by smaller tiles where the memory of a GPU runs out.

    Parameters
    ----------
    run : callable
        From a batch ``(1, height, width, n_channels)`` to the output's, perhaps larger by a whole
        factor.
    images : ndarray of shape (n_samples, height, width, n_channels)
    scale : (int, int)
        Height and width of the output over those of the input.
    n_channels : int
        Of the output.
    tile : int
        Height and width of the largest tile.
    stride, radius : int
        As in `tiles`.

    Returns
    -------
    out : ndarray of float32 of shape (n_samples, scale * height, scale * width, n_channels)
    """
    sides = (n * s for n, s in zip(images.shape[1:3], scale, strict=True))
    out = np.empty((len(images), *sides, n_channels), dtype=np.float32)
    done = 0
    while done < len(images):
        try:
            _fill(out[done], run, images[done], scale, tile, stride, radius)
            done += 1
        except torch.OutOfMemoryError:
            tile = smaller_tile(tile, stride, radius)
    return out


def smaller_tile(tile, stride, radius):
    """Half of a tile that did not fit into memory; called where that has been raised."""
    smaller = tile // 2
    if smaller < smallest_tile(stride, radius):
        raise
    warn_user(
        f"The memory of the device does not hold a tile of {tile} pixels; going on with "
        f"tile_size={smaller}.",
    )
    return smaller


def _fill(out, run, image, scale, tile, stride, radius):
    """Fill `out` with ``run(image)``, tile by tile."""
    for top, bottom, row, row_end in tiles(image.shape[0], tile, stride, radius):
        for left, right, column, column_end in tiles(image.shape[1], tile, stride, radius):
            (output,) = run(np.ascontiguousarray(image[None, top:bottom, left:right]))
            rows = np.array([row, row_end]) * scale[0]
            columns = np.array([column, column_end]) * scale[1]
            out[slice(*rows), slice(*columns)] = output[
                slice(*(rows - top * scale[0])), slice(*(columns - left * scale[1]))
            ]
