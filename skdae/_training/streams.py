"""Images that do not fit into memory: read in blocks, shuffled within windows of many blocks.

A `Source` is what the user holds: it is read block by block, the first time to learn what it holds.
A window is a part of the blocks, in random order, and the images of a window are shuffled: while
the net learns from one window, a thread reads the next.
"""

import math
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import torch
from scipy import sparse
from sklearn import get_config
from sklearn.utils.validation import check_consistent_length
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from .._images import (
    as_array,
    check_stores,
    is_listed,
    refuse_mixed_units,
    stores_of,
    to_float,
    union,
    value_range,
)
from .batches import ImageDataset, is_memory_map
from .crops import PatchDataset, PixelStore

# More values than this tell no more of where most of them lie.
MOST_VALUES = 2**20

# A window holds at least as many blocks as the first, so that it is a fair sample of data in any
# order: chunks that are too large for this are read in parts. Smaller chunks are joined up to the
# second.
_LEAST_BLOCKS, _ENOUGH_BLOCKS = 32, 128

# Images from which the size of a sequence is estimated.
_FEW = 8


def memory():
    """Bytes that images of a fit may take: half of scikit-learn's ``working_memory``."""
    return get_config()["working_memory"] * 2**20 / 2


# What users hold


def open_images(X, y):
    """Images and targets: as they are, in memory, or, where they do not fit into it, as streams.

    Parameters
    ----------
    X, y : object
        What was given to `fit`.

    Returns
    -------
    X, y : object
        Each a `Stream`, a list of `StreamedImage`, or what is in memory.

    Raises
    ------
    TypeError
        If one can be passed through but once.
    ValueError
        If one is not finite, or the sizes of its chunks are unknown.
    """
    for name, images in (("X", X), ("y", y)):
        _check_can_be_read_again(name, images)
    lazy = [images for images in (X, y) if _is_lazy(images)]
    if not lazy:
        return X, y
    if sum(map(_n_bytes, lazy)) <= memory():
        return tuple(_in_memory(name, images) for name, images in (("X", X), ("y", y)))
    source = Source(X, "X")
    if not _holds_images(y):
        return source.open(source.blocks()), y
    targets = Source(y, "y")
    check_consistent_length(*(range(images.n_images) for images in (source, targets)))
    # Pairs are read together.
    blocks = source.blocks(targets.image_bytes)
    stream = source.open(blocks)
    # What is the same twice is held once.
    target_stream = stream if y is X else targets.open(blocks)
    return stream, stream if targets.sums in ([], source.sums) else target_stream


def streamed(images):
    """The `Source` behind images; None where they are in memory."""
    return getattr(images[0] if isinstance(images, list) else images, "source", None)


def stand_in(images):
    """What has the shapes of streamed images, but no values; anything else as it is."""
    if isinstance(images, list) and images and streamed(images):
        return [_hollow(image.shape) for image in images]
    return _hollow(images.shape) if isinstance(images, Stream) else images


def _hollow(shape):
    """An array of a shape that takes no memory."""
    return np.broadcast_to(np.uint8(0), shape)


def _is_lazy(X):
    """Whether images are read when they are asked for: arrays on a disk, sequences of files."""
    if isinstance(X, np.ndarray):
        return is_memory_map(X)
    if isinstance(X, list | tuple):
        return len(X) > 0 and all(map(_is_lazy, X))
    return _is_lazy_array(X) or is_listed(X)


def _is_lazy_array(X):
    """Whether `X` has shape, dtype and slices, but is not an array of NumPy."""
    if isinstance(X, np.ndarray) or sparse.issparse(X) or not hasattr(X, "__getitem__"):
        return False
    is_array = isinstance(getattr(X, "dtype", None), np.dtype)
    return is_array and isinstance(getattr(X, "shape", None), tuple) and not hasattr(X, "iloc")


def _holds_images(y):
    """Whether targets are images, not labels or None."""
    shape = getattr(y, "shape", None)
    return len(shape) > 1 if shape is not None else y is not None and np.ndim(y[0]) > 0


def _n_bytes(X):
    """Bytes that images take as tensors."""
    if hasattr(X, "shape"):
        _check_chunks(X)
        return math.prod(X.shape) * _itemsize(X.dtype)
    if not len(X):
        return 0
    # All would have to be read; a few of them tell.
    some = [np.asarray(as_array(X[i])) for i in range(0, len(X), -(-len(X) // _FEW))]
    return sum(image.size * _itemsize(image.dtype) for image in some) / len(some) * len(X)


def _itemsize(dtype):
    """Bytes of a value in the tensors of a fit."""
    return 1 if dtype == np.uint8 else 4


def _check_chunks(X):
    if any(math.isnan(n) for n in X.shape):
        raise ValueError(
            f"An array has shape {X.shape}: the sizes of its chunks are unknown. Call "
            "its compute_chunk_sizes() first."
        )


def _in_memory(name, images):
    """Images that fit into memory, where NaN is named by its index."""
    if is_listed(images):
        return as_array(images)
    if not _is_lazy_array(images):
        return images
    stores, images = stores_of(images), np.asarray(images[:])
    check_stores(name, stores)
    if images.ndim > 1 and images.size:
        _finite_range(name, 0, images)
    return images


def _check_can_be_read_again(name, images):
    """Refuse what gives its images but once, or as batches."""
    is_loader = isinstance(images, DataLoader | TorchDataset)
    # Sparse ones are refused as such.
    has_items = hasattr(images, "__getitem__") or hasattr(images, "__array__")
    has_items = has_items or sparse.issparse(images)
    if is_loader or (isinstance(images, Iterable) and not has_items):
        raise TypeError(
            f"{name} is a {type(images).__name__}, but fit reads images many times, in an order of "
            "its own. Pass an array; a zarr, dask or HDF5 array or a memory map, which may be "
            "larger than the memory; skdae.datasets.ImageFiles(paths) for image files; or call "
            "partial_fit on each batch."
        )


@np.errstate(invalid="ignore")
def _finite_range(name, start, images):
    """The range of a batch that begins at the image `start`."""
    if images.dtype.kind not in "biuf":
        raise ValueError(f"{name} has values of {images.dtype}, not numbers.")
    values = value_range(images)
    if not np.isfinite(values).all():
        with np.errstate(over="ignore"):
            is_finite = np.isfinite(images.astype(np.float32)).reshape(len(images), -1).all(1)
        raise ValueError(
            f"Input {name} contains NaN, infinity or a value too large for dtype('float32') in "
            f"image {start + int(is_finite.argmin())}."
        )
    return values


class Source:
    """Images that are read block by block, and not kept.

    Parameters
    ----------
    images : object with shape, dtype and slices, or sequence of arrays
    name : str
        "X" or "y".

    Attributes
    ----------
    bounds : ndarray of int of shape (n_blocks + 1,)
        The first image of each block, and the number of images.
    shapes : list of tuple
        Of the images; one for all where they have the same.
    dtype : dtype
        `uint8`, or `float32`.
    range : (float, float)
        Smallest and largest value.
    values : ndarray
        Some of the values.
    sums : list of int
        The checksum of each block.
    """

    def __init__(self, images, name):
        self.images, self.name = images, name
        self.sums: list[int] = []
        self.is_array = hasattr(images, "shape")
        self.n_images = images.shape[0] if self.is_array else len(images)
        if self.n_images:
            first = self.read(0, 1)[0]
            self._image_size = first.size
            self.image_bytes = first.size * _itemsize(first.dtype)

    def blocks(self, target_bytes=0):
        """Where blocks begin that neither split chunks without need, nor are too large or small.

        `target_bytes` is the size of a target, which is read with each image.
        """
        n_window = memory() / 2 / (self.image_bytes + target_bytes)
        most = max(1, int(n_window / _LEAST_BLOCKS))
        enough = max(1, int(n_window / _ENOUGH_BLOCKS))
        bounds = [0]
        for start, stop in pairwise(self._chunks(enough)):
            n_parts = math.ceil((stop - start) / most)
            parts = [start + (stop - start) * k // n_parts for k in range(1, n_parts + 1)]
            # A small chunk joins the block before it, if both together are still small.
            if n_parts == 1 and len(bounds) > 1 and stop - bounds[-2] <= enough:
                bounds.pop()
            bounds += parts
        return np.array(bounds)

    def _chunks(self, enough):
        """Where its own chunks begin, and the number of images; without chunks, those of a size."""
        n, chunks = self.n_images, getattr(self.images, "chunks", None)
        if isinstance(chunks, tuple) and chunks:
            first = chunks[0]
            return [0, *np.cumsum(first)] if isinstance(first, tuple) else [*range(0, n, first), n]
        if self.is_array:
            return [*range(0, n, enough), n]
        paths = getattr(self.images, "paths", range(n))
        # The pages of a file are read together.
        return [0, *(i for i in range(1, n) if paths[i] != paths[i - 1]), n]

    def open(self, bounds):
        """Read all, once, to learn what it holds.

        Returns
        -------
        images : Stream or list of StreamedImage

        Raises
        ------
        ValueError
            If a value is not finite, or 8 bits stand beside counts.
        """
        self.bounds = bounds
        step = -(-self._image_size * self.n_images // MOST_VALUES)
        ranges, values, shapes, are_bytes = [], [], [], []
        for start, stop in pairwise(bounds.tolist()):
            batches = self.read(start, stop)
            self.sums.append(_checksum(batches))
            for batch in batches:
                ranges.append(_finite_range(self.name, start, batch))
                values.append(to_float(batch.reshape(len(batch), -1)[:, ::step]).ravel())
                are_bytes.append(batch.dtype == np.uint8)
                if not self.is_array:
                    shapes.append(batch.shape[1:])
                start += len(batch)
        check_stores(self.name, stores_of(self.images))
        refuse_mixed_units(are_bytes, [max(map(abs, ends)) for ends in ranges])
        self.range, self.values = union(*ranges), np.concatenate(values)
        self.dtype = np.dtype(np.uint8 if all(are_bytes) else np.float32)
        if len(set(shapes)) > 1:
            return [StreamedImage(self, i, shape) for i, shape in enumerate(shapes)]
        shape = self.images.shape if self.is_array else (self.n_images, *shapes[0])
        return Stream(self, shape)

    def block(self, i):
        """The images of a block, as a list of batches."""
        start, stop = self.bounds[i : i + 2].tolist()
        batches = self.read(start, stop)
        if _checksum(batches) != self.sums[i]:
            raise ValueError(
                f"{self.name} has changed since fit began: its images {start} to {stop - 1} are "
                "not those that were there. Nothing may write to it, move or remove it while it "
                "is read, and each reading must give the same values."
            )
        return batches

    def read(self, start, stop):
        """Images as a list of batches, each of one size."""
        try:
            if self.is_array:
                return [np.asarray(self.images[start:stop])]
            return [np.asarray(as_array(self.images[i]))[None] for i in range(start, stop)]
        except Exception as error:
            error.add_note(f"Images {start} to {stop - 1} of {self.name} could not be read.")
            raise

    def block_of(self, images):
        """The block that each of some images belongs to."""
        return np.searchsorted(self.bounds, images, side="right") - 1

    def describe(self):
        """What it is, and in which blocks it is read, as text."""
        digest = zlib.crc32(np.array([*self.sums, *self.bounds]).tobytes())
        return (
            f"{self.n_images} images in {len(self.sums)} blocks, {memory() / 2**20:g} MiB at a "
            f"time, with hash {digest:08x}"
        )


def _checksum(batches):
    """A number that tells apart what was read from anything else."""
    total = 0
    for batch in batches:
        total = zlib.crc32(f"{batch.dtype} {batch.shape}".encode(), total)
        total = zlib.crc32(np.ascontiguousarray(batch).view(np.uint8).reshape(-1), total)
    return total


class Stream:
    """A batch of images of one size that are on their way from a `Source`."""

    def __init__(self, source, shape):
        self.source, self.shape = source, tuple(map(int, shape))
        self.ndim, self.size = len(self.shape), math.prod(self.shape)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, i):
        return self.source.read(i, i + 1)[0].reshape(self.shape[1:])

    def reshape(self, *shape):
        """The same images in another shape."""
        return Stream(self.source, shape)


class StreamedImage:
    """One image of a `Source` with images of different sizes."""

    def __init__(self, source, index, shape):
        self.source, self.index, self.shape = source, index, tuple(shape)

    @property
    def size(self):
        """Number of its values."""
        return math.prod(self.shape)

    def __array__(self, dtype=None, copy=None):
        image = self.source.read(self.index, self.index + 1)[0].reshape(self.shape)
        return image if dtype is None else image.astype(dtype)

    def reshape(self, *shape):
        """The same image in another shape."""
        return StreamedImage(self.source, self.index, _hollow(self.shape).reshape(shape).shape)


# Windows of them


class WindowStore(PixelStore):
    """The images of the two windows that were read last, as the rows of one tensor.

    What is asked for, but not in them, is read for that one time.

    Parameters
    ----------
    source : Source
    images : Stream or list of StreamedImage
        Of that source, with height, width and channels.
    by_pixels : bool
        Whether a row is a pixel, of which crops are made, rather than an image.
    """

    device = torch.device("cpu")

    def __init__(self, images, by_pixels):
        self.source = streamed(images)
        if isinstance(images, list):
            self.sizes = torch.tensor([image.shape[:-1] for image in images])
            shape = images[0].shape
        else:
            shape = images.shape[1:]
            self.sizes = torch.tensor(shape[:-1]).expand(len(images), len(shape) - 1)
        self._row_shape = tuple(shape[-1:] if by_pixels else shape)
        #: How many rows each image takes.
        self.n_rows = self.sizes.prod(1) if by_pixels else torch.ones(len(self.sizes), dtype=int)
        self.row_bytes = math.prod(self._row_shape) * self.source.dtype.itemsize
        self._starts = torch.full((len(self.sizes),), -1)

    def allocate(self, n_rows):
        """Make room for two windows of as many rows."""
        self._room = n_rows
        self.pixels = torch.from_numpy(self._empty(2 * n_rows))

    def _empty(self, n_rows):
        return np.empty((n_rows, *self._row_shape), self.source.dtype)

    def load(self, blocks, half):
        """Read a window into one of two places."""
        start = half * self._room
        is_old = (self._starts >= start) & (self._starts < start + self._room)
        self._starts[is_old] = -1
        self._fill(self.pixels.numpy(), self._starts, blocks, start)

    def _fill(self, rows, starts, blocks, start, wanted=None):
        """Read the images of some blocks, or those of them that are wanted."""
        for block in blocks.tolist():
            image = int(self.source.bounds[block])
            for batch in self.source.block(block):
                chosen = torch.arange(image, image + len(batch))
                image += len(batch)
                if wanted is not None:
                    is_wanted = torch.isin(chosen, wanted)
                    chosen, batch = chosen[is_wanted], batch[is_wanted.numpy()]
                values = to_float(batch) if self.source.dtype != np.uint8 else batch
                values = values.reshape(-1, *self._row_shape)
                # NumPy casts while it copies, in one thread.
                np.copyto(rows[start : start + len(values)], values, casting="unsafe")
                ends = self.n_rows[chosen].cumsum(0)
                starts[chosen] = start + ends - self.n_rows[chosen]
                start += len(values)

    def _rows_of(self, images):
        if (self._starts[images] >= 0).all():
            return self.pixels, self._starts
        wanted = images.unique()
        rows = self._empty(int(self.n_rows[wanted].sum()))
        starts = torch.full_like(self._starts, -1)
        self._fill(rows, starts, self.block_of(wanted).unique(), 0, wanted)
        return torch.from_numpy(rows), starts

    def index_select(self, dim, images):
        """Some of the images, as tensors have it."""
        rows, starts = self._rows_of(images)
        return rows.index_select(dim, starts[images])

    def block_of(self, images):
        """The block that each of some images belongs to."""
        return torch.from_numpy(self.source.block_of(images.numpy()))


def window_stores(images, targets, by_pixels):
    """Stores of images and targets, one and the same where these are."""
    both = (images,) if targets is images else (images, targets)
    stores = [WindowStore(X, by_pixels) for X in both]
    first, last = stores[0], stores[-1]
    ratio = (last.n_rows / first.n_rows).max().item()
    total = sum(store.row_bytes * (1 if store is first else ratio) for store in stores)
    block_ends = torch.from_numpy(first.source.bounds[1:]) - 1
    ends = first.n_rows.cumsum(0)[block_ends]
    first.block_rows = ends.diff(prepend=torch.zeros(1, dtype=ends.dtype))
    first.window_rows = max(1, int(memory() / 2 / total))
    # A window ends with the block that fills it.
    room = first.window_rows + int(first.block_rows.max())
    for store in stores:
        store.allocate(room if store is first else math.ceil(room * ratio))
    return first, last


class Streamed:
    """What makes a data set draw its batches from windows."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self._blocks = self.images.block_of(options["indices"]).unique()
        # Sorted by windows, a few batches are read with one.
        self.rows, self._walked = self._by_window(
            self.rows, torch.Generator().manual_seed(self.seed + 3)
        )

    def shuffled(self, batch_size):
        """Batches of one epoch: the windows in a fresh random order, and the rows in each."""
        rows, walked = self._by_window(self._fresh_rows(), self._order)
        return PrefetchedBatches(self, self._batches(rows, batch_size), *walked)

    def split(self, batch_size):
        """Batches in an order that stays."""
        return PrefetchedBatches(self, self._batches(self.rows, batch_size), *self._walked)

    def _by_window(self, rows, generator):
        """Rows in the order of random windows; these, and which of them each block is in."""
        blocks = self._blocks[torch.randperm(len(self._blocks), generator=generator)]
        sizes = self.images.block_rows[blocks]
        n_windows = math.ceil(sizes.sum().item() / self.images.window_rows)
        number = (sizes.cumsum(0) - sizes) * n_windows // sizes.sum()
        window_of = torch.full((len(self.images.block_rows),), -1)
        window_of[blocks] = number
        windows = [blocks[number == k] for k in range(n_windows)]
        order = self.window(rows, window_of).argsort(stable=True)
        return rows[order], (windows, window_of)

    def window(self, rows, window_of):
        """The window that each row needs."""
        return window_of[self.images.block_of(rows.view(len(rows), -1)[:, 0])]

    def load(self, blocks, half):
        """Read a window of images, and of targets."""
        for store in {id(store): store for store in (self.images, self.targets)}.values():
            store.load(blocks, half)


class StreamedDataset(Streamed, ImageDataset):
    """Whole images of streams; see `ImageDataset`."""


class StreamedPatches(Streamed, PatchDataset):
    """Crops of the images of streams, of several images in each batch; see `PatchDataset`."""


class PrefetchedBatches(Sequence):
    """Batches of rows; who iterates over them has the next window read meanwhile.

    Parameters
    ----------
    data : Streamed
    batches : list of Tensor
        Sorted by window.
    windows : list of Tensor
        Blocks of each.
    window_of : Tensor
        From block to window.
    """

    def __init__(self, data, batches, windows, window_of):
        self.data, self.batches = data, batches
        self._windows = windows, window_of

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, i):
        chosen = self.batches[i]
        return (
            PrefetchedBatches(self.data, chosen, *self._windows) if isinstance(i, slice) else chosen
        )

    def __iter__(self):
        if not self.batches:
            return
        windows, window_of = self._windows
        ends = torch.stack([rows[[0, -1]] for rows in self.batches]).flatten(0, 1)
        spans = self.data.window(ends, window_of).view(-1, 2).tolist()
        reader = ThreadPoolExecutor(1, "skdae-reader")
        pending, n_asked, n_read = [], spans[0][0], spans[0][0]
        try:
            for rows, (first, last) in zip(self.batches, spans, strict=True):
                # The window before the first that is still needed has left its place free.
                while n_asked <= min(first + 1, spans[-1][1]):
                    pending.append(reader.submit(self.data.load, windows[n_asked], n_asked % 2))
                    n_asked += 1
                while n_read <= last and pending:
                    pending.pop(0).result()
                    n_read += 1
                yield rows
        finally:
            reader.shutdown(cancel_futures=True)
