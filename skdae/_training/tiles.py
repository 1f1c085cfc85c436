"""Prediction by tiles that overlap by the receptive field."""

from itertools import product

import numpy as np
import torch

from .._images import smallest_tile, tiles, warn_user


def in_tiles(run, images, n_channels, tile, stride, radius):
    """Apply a net to images tile by tile, by smaller tiles where the memory of a GPU runs out.

    Parameters
    ----------
    run : callable
        From a batch ``(1, *spatial, n_channels)`` to one of the same sides.
    images : ndarray of shape (n_samples, *spatial, n_channels)
    n_channels : int
        Of the output.
    tile : int
        Sides of the largest tile.
    stride, radius : int
        As in `tiles`.

    Returns
    -------
    out : ndarray of float32 of shape (n_samples, *spatial, n_channels)
    """
    out = np.empty((*images.shape[:-1], n_channels), dtype=np.float32)
    done = 0
    while done < len(images):
        try:
            _fill(out[done], run, images[done], tile, stride, radius)
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
        f"tile_size={smaller}."
    )
    return smaller


def _fill(out, run, image, tile, stride, radius):
    """Fill `out` with ``run(image)``, tile by tile."""
    for place in product(*(tiles(n, tile, stride, radius) for n in image.shape[:-1])):
        seen = tuple(slice(start, stop) for start, stop, *_ in place)
        inner = tuple(slice(first - start, last - start) for start, _, first, last in place)
        (output,) = run(np.ascontiguousarray(image[seen])[None])
        out[tuple(slice(first, last) for *_, first, last in place)] = output[inner]
