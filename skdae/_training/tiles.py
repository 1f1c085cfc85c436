"""Prediction by tiles that overlap by the receptive field."""

import numpy as np


def tiles(length, tile, stride, radius):
    """Cover one axis by overlapping tiles.

    Parameters
    ----------
    length, tile : int
        Pixels of the axis, and of a tile.
    stride, radius : int
        Of the net's receptive field: tiles start at a multiple of the stride, and as far from their
        border as the radius their output is wrong.

    Yields
    ------
    start, stop : int
        The tile.
    first, last : int
        Its part of the output.
    """
    if length <= tile:
        yield 0, length, 0, length
        return
    margin = overlap(stride, radius)
    step = (tile - 2 * margin) // stride * stride
    for first in range(0, length, step):
        last = min(first + step, length)
        yield max(first - margin, 0), min(last + margin, length), first, last


def overlap(stride, radius):
    """How far tiles reach into their neighbours: the radius, up to a multiple of the stride."""
    return -(-radius // stride) * stride


def smallest_tile(stride, radius):
    """The smallest tile that has an output of its own."""
    return 2 * overlap(stride, radius) + stride


def in_tiles(run, image, out, tile, stride, radius):
    """Fill `out` with ``run(image)``, tile by tile.

    Parameters
    ----------
    run : callable
        From a batch ``(1, height, width, n_channels)`` to the output's, perhaps larger by a whole
        factor.
    image : ndarray of shape (height, width, n_channels)
    out : ndarray of shape (scale * height, scale * width, n_channels)
    tile : int
        Height and width of the largest tile.
    stride, radius : int
        As in `tiles`.
    """
    scale = [o // n for o, n in zip(out.shape[:2], image.shape[:2], strict=True)]
    for top, bottom, row, row_end in tiles(image.shape[0], tile, stride, radius):
        for left, right, column, column_end in tiles(image.shape[1], tile, stride, radius):
            (output,) = run(np.ascontiguousarray(image[None, top:bottom, left:right]))
            rows = np.array([row, row_end]) * scale[0]
            columns = np.array([column, column_end]) * scale[1]
            out[slice(*rows), slice(*columns)] = output[
                slice(*(rows - top * scale[0])), slice(*(columns - left * scale[1]))
            ]
