"""Prediction: images through a trained net, whole or tile by tile."""

import copy
import math
from functools import partial

import torch

from .._files.onnx import Graph
from . import hardware, tiles


def denoise(net, images, tile_size, compiled=False):
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

    Returns
    -------
    denoised : ndarray of float32 of shape (n_samples, *spatial, n_channels)
    """
    plan, side = net.plan, max(images.shape[1:-1])
    run = partial(run_net, net, "forward", layout=plan.to_net, compiled=compiled)
    if tile_size is None or side <= tile_size:
        try:
            return run(images)
        except torch.OutOfMemoryError:
            if not plan.any_size:
                raise
            tile_size = tiles.smaller_tile(side, *plan.receptive_field)
    return tiles.in_tiles(run, images, plan.shape[-1], tile_size, *plan.receptive_field)


@hardware.threads()
def run_net(net, function, X, layout, compiled=False):
    """Run a net and bring its output into the range of images; a channels-last batch."""
    low, high = net.plan.clip or (-math.inf, math.inf)
    result, n_done = None, 0
    for output in net.map_batches(function, X, layout, compiled):
        images = net.plan.from_net(output)
        if result is None:
            # Joining the batches afterwards would take the memory twice.
            size = (len(X), *images.shape[1:])
            result = torch.empty(size, dtype=torch.float32, device="cpu")
        torch.clamp(images, low, high, out=result[n_done : n_done + len(images)])
        n_done += len(images)
    return result.numpy()


class UserImages(Graph):
    """A network from float32 images as users hold them to what `predict` returns.

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
        self.eval()

    def example(self):
        """By name, what `forward` takes: a batch of two images."""
        return {"X": torch.zeros(2, *self.plan.users_shape, dtype=torch.float32)}

    def forward(self, X):
        """Denoised images of a batch shaped like those at fit."""
        plan = self.plan
        if plan.ndim == 2:
            X = X.unflatten(1, plan.shape)
        elif not plan.has_channels:
            X = X.unsqueeze(-1)
        images = plan.from_net(self.module(plan.to_net(X)))
        if plan.clip:
            images = images.clip(*plan.clip)
        if plan.ndim == 2:
            return images.flatten(1)
        return images if plan.has_channels else images.squeeze(-1)
