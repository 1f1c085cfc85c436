"""A trained net as an ONNX graph, with images in the user's layout on both sides."""

import copy
import json
import logging
import warnings
from contextlib import contextmanager
from importlib import metadata

import torch
from torch import nn
from torch.export import Dim

from .._checks import import_extra
from .atomic import atomic_write


class Graph(nn.Module):
    """A network for images as users hold them, which `export_onnx` writes.

    Attributes
    ----------
    sides : sequence of str
        Names of the spatial axes.
    range : (float, float)
        Least and largest value of the images at fit.
    """

    def example(self):
        """By name, what `forward` takes."""
        raise NotImplementedError


class UserImagesAndStrength(Graph):
    """Networks that see the level of the noise, for float32 images as users hold them.

    Parameters
    ----------
    module : torch.nn.Module
        Of a `BlindNet`.
    image_shape : tuple of int
    sees : bool
        Whether the level is seen, and multiplied by the strength; otherwise it is told.
    """

    sides = ("height", "width")
    range = (0.0, 1.0)

    def __init__(self, module, image_shape, sees):
        super().__init__()
        self.module = copy.deepcopy(module).cpu()
        self.image_shape = image_shape
        self.sees = sees
        self.eval()

    def example(self):
        """By name, what `forward` takes: two images, and a number for each."""
        images = torch.zeros(2, *self.image_shape, dtype=torch.float32)
        name, value = ("strength", 1.0) if self.sees else ("std", 0.1)
        return {"X": images, name: torch.full((2,), value, dtype=torch.float32)}

    def forward(self, X, number):
        """Denoised images, clipped to [0, 1]."""
        images = (X.unsqueeze(-1) if X.ndim == 3 else X).permute(0, 3, 1, 2)
        level = self.module.see(images) if self.sees else torch.ones_like(images[:, :1])
        with_map = torch.cat([images, level * number.reshape(-1, 1, 1, 1)], dim=1)
        if self.sees:
            is_independent = self.module.is_independent(torch.cat([images, level], dim=1))
            denoised = self.module.remove_of_kind(with_map, is_independent)
        else:
            denoised = self.module.remove_independent(with_map)
        denoised = denoised.permute(0, 2, 3, 1).clip(0, 1)
        return denoised.squeeze(-1) if X.ndim == 3 else denoised


@contextmanager
def in_silence():
    """Keep the exporter's words about itself, and about torchvision, from the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def export_onnx(net, path, free_size):
    """Write a network for images of users as an ONNX file, with what its images are.

    Parameters
    ----------
    net : Graph
    path : str or os.PathLike
    free_size : bool
        Whether the sides are free, beside the number of samples.
    """
    for module in ("onnx", "onnxscript"):
        import_extra(module, "onnx", "to_onnx")
    from onnx.helper import set_model_props

    with torch.device("cpu"):
        example = net.example()
    free = {0: Dim("n_samples")}
    if free_size:
        # Of signals, the exporter reasons about lengths of 1 and 2 apart.
        least = {"min": 3} if len(net.sides) == 1 else {}
        free |= {axis: Dim(name, **least) for axis, name in enumerate(net.sides, start=1)}
    # The graph is traced on the CPU, whatever a caller's default device is.
    with in_silence(), torch.device("cpu"):
        program = torch.onnx.export(
            net,
            (*example.values(),),
            dynamo=True,
            input_names=[*example],
            output_names=["X_denoised"],
            dynamic_shapes=(free, *[{0: free[0]} for _ in range(len(example) - 1)]),
            verbose=False,
        )
    model = program.model_proto
    set_model_props(
        model,
        {
            "skdae_version": metadata.version("skdae"),
            "units": "those of the images at fit; of uint8 images, value / 255",
            "range": json.dumps([*map(float, net.range)]),
        },
    )
    with atomic_write(path) as file:
        file.write(model.SerializeToString())
