"""Prediction: images through a trained net, whole or tile by tile."""

import copy
import math

import numpy as np
import torch

from .._files.onnx import Graph
from .._images import batches
from . import hardware, tiles
from .batches import image_tensor


def denoise(net, images, tile_size, compiled=False, with_std=False):
    """Denoise images with a trained net.

    Parameters
    ----------
    net : ImageNet
        With its plan.
    images : ndarray of shape (n_samples, *spatial, n_channels)
        Images that the plan takes.
    tile_size : int or None
        Images with a longer side go through the net in tiles.
    compiled : bool, default=False
        Whether to run the net compiled.
    with_std : bool, default=False
        Whether standard deviations follow, as further channels.

    Returns
    -------
    denoised : ndarray of float32 of shape (n_samples, *spatial, n_channels)
    """
    plan = net.plan
    if not plan.context:
        return _whole_or_in_tiles(net, images, tile_size, compiled, with_std)
    stack = image_tensor(images)
    index = torch.arange(len(stack), device="cpu")
    # Some at a time: with their neighbors, all would take a multiple of the memory.
    parts = (plan.with_neighbours(stack, index[rows]).numpy() for rows in batches(images))
    return np.concatenate(
        [_whole_or_in_tiles(net, part, tile_size, compiled, with_std) for part in parts]
    )


def _whole_or_in_tiles(net, images, tile_size, compiled, with_std):
    """Denoise what enters the net."""
    plan, side = net.plan, max(images.shape[1:-1])

    # Without standard deviations, the second output need not be computed.
    function = "predict" if plan.gives_std and not with_std else "forward"

    def run(batch):
        return run_net(net, function, batch, plan.to_net, compiled, with_std)

    if tile_size is None or side <= tile_size:
        try:
            return run(images)
        except torch.OutOfMemoryError:
            if not plan.any_size:
                raise
            tile_size = tiles.smaller_tile(side, *plan.receptive_field)
    n_channels = plan.shape[-1] * (2 if with_std else 1)
    return tiles.in_tiles(run, images, n_channels, tile_size, *plan.receptive_field)


@hardware.threads()
def run_net(net, function, X, enter, compiled=False, with_std=False):
    """Run a net and bring its output into the range of images; a channels-last batch."""
    low, high = net.plan.clip or (-math.inf, math.inf)
    result, n_done = None, 0
    for output in net.map_batches(function, X, enter, compiled):
        images = net.plan.from_net(output)
        *shape, n_channels = images.shape[1:]
        if result is None:
            # Joining the batches afterwards would take the memory twice.
            size = (len(X), *shape, n_channels * (2 if with_std else 1))
            result = torch.empty(size, dtype=torch.float32, device="cpu")
        part = result[n_done : n_done + len(images)]
        torch.clamp(images, low, high, out=part[..., :n_channels])
        if with_std:
            part[..., n_channels:] = net.plan.std_from_net(output)
        n_done += len(images)
    return result.numpy()


class UserImages(Graph):
    """A network from float32 images as users hold them to what `predict` returns.

    One that learned standard deviations returns them as a second output.

    Parameters
    ----------
    module : torch.nn.Module
    plan : NetPlan
    """

    def __init__(self, module, plan):
        super().__init__()
        # What torch.compile wraps, in memory of its own.
        self.module = copy.deepcopy(getattr(module, "_orig_mod", module)).cpu()
        self.plan = plan
        self.range = plan.input_range
        self.sides = ("depth", "height", "width")[-plan.geometry.rank :]
        self.outputs = ["X_denoised", "X_std"] if plan.gives_std else ["X_denoised"]
        self.eval()

    def example(self):
        """By name, what `forward` takes: a batch of two images."""
        return {"X": torch.zeros(2, *self.plan.users_shape, dtype=torch.float32)}

    def forward(self, X):
        """Denoised images of a batch shaped like those at fit, and their standard deviations."""
        plan = self.plan
        if plan.ndim == 2:
            X = X.unflatten(1, plan.shape)
        elif not plan.has_channels:
            X = X.unsqueeze(-1)
        if plan.context:
            X = plan.with_neighbours(X, torch.arange(X.shape[0]))
        output = self.module(plan.to_net(X))
        images = plan.from_net(output)
        if plan.clip:
            images = images.clip(*plan.clip)
        images = self._like_users(images)
        if not plan.gives_std:
            return images
        return images, self._like_users(plan.std_from_net(output))

    def _like_users(self, images):
        """Images of the layout that `predict` returns."""
        if self.plan.ndim == 2:
            return images.flatten(1)
        return images if self.plan.has_channels else images.squeeze(-1)
