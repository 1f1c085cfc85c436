"""Images as tensors, and the batches that enter a net."""

import numpy as np
import torch
from torch.utils.data import Dataset

from .._random import TorchGenerator


class ImageDataset(Dataset):
    """Images of a fit as one tensor; a batch is one `index_select`.

    Parameters
    ----------
    images : Tensor of shape (n_images, *spatial, n_channels)
        uint8 or floating, cast to float32 batch by batch.
    targets : Tensor of shape (n_images, *spatial, n_channels)
        May be `images` itself.
    to_net : callable
        From a batch of images to the layout and units of the net.
    task : Task
        From a batch of images and targets to what the net gets and is to give.
    device : torch.device
        Where batches are wanted.
    indices : Tensor of int64
        The images that belong to this data set.
    seed : int
        Of order and noise.
    weights : Tensor or None, default=None
        Of all images, how often each is drawn compared with others; None draws each once per epoch.
    """

    def __init__(self, images, targets, to_net, task, device, *, indices, seed, weights=None):
        self.images = images
        self.targets = targets
        # Where the images are, so that no batch waits for its indices to travel.
        self.rows = indices.to(images.device)
        self.to_net = to_net
        self.task = task
        self.weights = None if weights is None else weights[indices]
        if weights is not None and not self.weights.any():
            raise ValueError(
                "sample_weight is 0 for all images that are not set aside for validation; pass "
                "more positive weights, or validation_fraction=None."
            )
        self.device = device
        self.seed = seed
        self._order = torch.Generator().manual_seed(seed)
        self._noise_generator = torch.Generator(device)
        self._rng = TorchGenerator(self._noise_generator)
        self.reset_noise()

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        x, y = self.batch(self.rows[i : i + 1])
        return x[0], y[0]

    @property
    def X(self):
        """What enters the net, in the order of the data set; skorch's scoring callbacks ask."""
        return self.batch(self.rows)[0]

    @property
    def y(self):
        """The targets, in the order of the data set."""
        return self.batch(self.rows)[1]

    @property
    def generators(self):
        """All random generators that it draws from."""
        return [self._order, self._noise_generator]

    @property
    def is_random(self):
        """Whether a batch draws random numbers."""
        return self.task.is_random

    def input_range(self):
        """Smallest and largest value of some images as they enter the net, with their noise."""
        images, _ = self._pair(self.split(32)[0])
        self.reset_noise()
        return tuple(float(value) for value in images.aminmax())

    def reset_noise(self):
        """Start the noise anew: validation sees the same noise in every epoch."""
        self._noise_generator.manual_seed(self.seed + 1)

    def shuffled(self, batch_size):
        """Rows of the batches of one epoch, in a fresh random order."""
        return self._batches(self._fresh_rows(), batch_size)

    def _fresh_rows(self):
        """The rows of one epoch, in a fresh random order."""
        if self.weights is None:
            order = torch.randperm(len(self), generator=self._order)
        else:
            order = draw(self.weights, len(self), self._order)
        return self.rows[order.to(self.rows.device)]

    def split(self, batch_size):
        """Rows of the batches, in their own order."""
        return self._batches(self.rows, batch_size)

    @staticmethod
    def _batches(rows, batch_size):
        """Rows in batches."""
        batches = list(rows.split(batch_size))
        # Batch norm cannot normalize one image: a last batch of one joins the batch before it.
        if len(batches) > 1 and len(batches[-1]) == 1:
            batches[-2:] = [torch.cat(batches[-2:])]
        return batches

    def batch(self, rows):
        """Input and target of one batch, in the net's layout, on the device."""
        x, y = self._pair(rows)
        return self.to_net(x), self.to_net(y)

    def _pair(self, rows):
        """Input and target of one batch, as images."""
        y = self._take(self.targets, rows)
        # A net or a noise that works in place must not reach the target.
        x = y.clone() if self.targets is self.images else self._take(self.images, rows)
        return self.task.pairs(x, y, self._rng)

    def _take(self, images, rows):
        """Some of the images, or of the targets."""
        return self._to_device(images.index_select(0, rows))

    def _to_device(self, batch):
        """A batch as float32 on the device."""
        if batch.device.type == "cpu" and self.device.type == "cuda":
            # Pinned memory lets the copy run while the device is busy with the batch before.
            batch = batch.pin_memory()
        batch = batch.to(self.device, non_blocking=True)
        # Dividing, not multiplying by 1/255, makes 255 exactly 1.0.
        return batch.float().div_(255) if batch.dtype == torch.uint8 else batch.float()


def draw(weights, n, generator):
    """Indices in proportion to weights, of which there may be any number; with replacement."""
    ends = weights.cumsum(0)
    places = torch.rand(n, generator=generator, dtype=torch.float64) * ends[-1]
    return torch.searchsorted(ends, places, right=True)


def image_tensor(X):
    """Images as a tensor on the CPU.

    Nothing is copied, except that in-memory images in another dtype or memory order are converted
    once. A memory map stays on disk and is read batch by batch.
    """
    if not is_memory_map(X):
        X = np.ascontiguousarray(X, dtype=np.uint8 if X.dtype == np.uint8 else np.float32)
    return shared_tensor(X)


def data_tensors(images, targets, device):
    """Images and targets as tensors, on the device if it is a GPU with room for both."""
    # The same array twice is one tensor.
    tensors = [image_tensor(X) for X in ((images,) if targets is images else (images, targets))]
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # The other half is for the net and its batches.
        if sum(tensor.nbytes for tensor in tensors) < 0.5 * free:
            tensors = [tensor.to(device) for tensor in tensors]
    return tensors[0], tensors[-1]


def shared_tensor(X):
    """A tensor on the memory of an array, which may be read-only; never to be written to."""
    if any(stride < 0 for stride in X.strides):
        # A flipped view, which torch cannot express.
        X = X.copy()
    return torch.from_numpy(np.asarray(_Shared(X)))


def is_same_memory(a, b):
    """Whether two arrays, or lists of them, are views of the same values."""
    if isinstance(a, list):
        return all(map(is_same_memory, a, b))
    keys = ("data", "shape", "strides", "typestr")
    return all(a.__array_interface__[key] == b.__array_interface__[key] for key in keys)


class _Shared:
    """The memory of an array without its read-only flag, of which torch would warn."""

    def __init__(self, X):
        self.owner = X
        interface = X.__array_interface__
        self.__array_interface__ = {**interface, "data": (interface["data"][0], False)}


def is_memory_map(X):
    """Whether `X` is a view of a memory-mapped file."""
    while isinstance(X, np.ndarray):
        if isinstance(X, np.memmap):
            return True
        X = X.base
    return False
