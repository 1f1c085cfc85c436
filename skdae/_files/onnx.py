"""A trained net as an ONNX graph, with images in the user's layout on both sides."""

import copy
import math
import warnings
from importlib.util import find_spec

import torch
from torch import nn
from torch.export import Dim

from .atomic import atomic_write


class UserImages(nn.Module):
    """A net from float32 images as users hold them to what `predict` returns.

    Parameters
    ----------
    module : torch.nn.Module
    layout : Layout
        How images enter and leave the module.
    activation : callable
        Applied to the module's output.
    clip : (float, float) or None
        Range of the predictions.
    input_hwc, target_hwc : (int, int, int)
        Height, width and channels of what enters and leaves.
    ndim : {2, 3, 4}
        Dimensions of a batch: rows, grey images, or images with channels.
    """

    def __init__(self, module, layout, activation, clip, input_hwc, target_hwc, ndim):
        super().__init__()
        # What torch.compile wraps, in memory of its own.
        self.module = copy.deepcopy(getattr(module, "_orig_mod", module)).cpu()
        self.layout = layout
        self.activation = activation
        self.clip = clip
        self.input_hwc = input_hwc
        self.target_hwc = target_hwc
        self.ndim = ndim
        self.eval()

    def example(self):
        """A batch of two images."""
        hwc = self.input_hwc
        shape = (math.prod(hwc),) if self.ndim == 2 else hwc[: self.ndim - 1]
        return torch.zeros(2, *shape)

    def forward(self, X):
        """Denoised images of a batch shaped like those at fit."""
        if self.ndim == 2:
            X = X.unflatten(1, self.input_hwc)
        elif self.ndim == 3:
            X = X.unsqueeze(-1)
        output = self.activation(self.module(self.layout.enter(X)))
        images = self.layout.leave(output, self.target_hwc)
        if self.clip:
            images = images.clip(*self.clip)
        if self.ndim == 2:
            return images.flatten(1)
        return images.squeeze(-1) if self.ndim == 3 else images


def export_onnx(net, path, free_size):
    """Write a `UserImages` as an ONNX file.

    Parameters
    ----------
    net : UserImages
    path : str or os.PathLike
    free_size : bool
        Whether height and width are free, beside the number of samples.
    """
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise ImportError(
            f"to_onnx needs {' and '.join(missing)}, which pip install 'skdae[onnx]' brings."
        )
    example = net.example()
    free = {0: Dim("n_samples")}
    if free_size:
        # A height of 1 is that of signals, and stays.
        sides = {1: "height", 2: "width"}
        free |= {axis: Dim(name) for axis, name in sides.items() if example.shape[axis] > 1}
    with warnings.catch_warnings():
        # The exporter's words about itself.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            net,
            (example,),
            dynamo=True,
            input_names=["X"],
            output_names=["X_denoised"],
            dynamic_shapes=(free,),
            verbose=False,
        )
    with atomic_write(path) as file:
        file.write(program.model_proto.SerializeToString())
