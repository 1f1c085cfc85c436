"""A trained net as an ONNX graph, with images in the user's layout on both sides."""

import copy
import math
import warnings

import torch
from torch import nn
from torch.export import Dim

from .._checks import import_extra
from .atomic import atomic_write


class UserImages(nn.Module):
    """A net from float32 images as users hold them to what `predict` returns.

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
        self.eval()

    def example(self):
        """A batch of two images."""
        hwc, ndim = self.plan.input_hwc, self.plan.ndim
        shape = (math.prod(hwc),) if ndim == 2 else hwc[: ndim - 1]
        return torch.zeros(2, *shape, dtype=torch.float32)

    def forward(self, X):
        """Denoised images of a batch shaped like those at fit."""
        plan = self.plan
        if plan.ndim == 2:
            X = X.unflatten(1, plan.input_hwc)
        elif plan.ndim == 3:
            X = X.unsqueeze(-1)
        if plan.context:
            X = plan.with_neighbours(X, torch.arange(X.shape[0]))
        images = plan.from_net(self.module(plan.to_net(X)))
        if not (plan.any_size and plan.ndim > 2):
            images = plan.without_overhang(images, X.shape[1:])
        if plan.clip:
            images = images.clip(*plan.clip)
        if plan.ndim == 2:
            return images.flatten(1)
        return images.squeeze(-1) if plan.ndim == 3 else images


def export_onnx(net, path, free_size):
    """Write a `UserImages` as an ONNX file.

    Parameters
    ----------
    net : UserImages
    path : str or os.PathLike
    free_size : bool
        Whether height and width are free, beside the number of samples.
    """
    for module in ("onnx", "onnxscript"):
        import_extra(module, "onnx", "to_onnx")
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
