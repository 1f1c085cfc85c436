"""Nets that were trained before, with weights that come with skdae."""

import os
from pathlib import Path

import torch
from torch import nn

from .._files.weights import read_net, rebuild
from .residual import _ResidualArchitecture

_FOLDER = Path(__file__).parents[1] / "weights"


class Pretrained(_ResidualArchitecture):
    r"""A network with pretrained weights, to start from.

    It takes noisy photographs in [0, 1], grey or with three colours, and returns denoised ones. An
    optional further channel contains the standard deviation :math:`\sigma` of the noise of each
    pixel, from 0 to 75 of 255. Without it, the network uses one level for all images, which is
    initially 0.1 and is learnt together with the weights.
    ``skdae/weights/README.md`` says what it was trained on, and how well it does.

    Parameters
    ----------
    weights : str or path, default="photographs"
        "photographs", which are two networks, for grey and for colour images; the name of one of
        them, "photographs-grey" or "photographs-colour"; or the path of a file like theirs without
        ``.safetensors``.

    Examples
    --------
    >>> import torch
    >>> from skdae.architectures import Pretrained
    >>> net = Pretrained("photographs-grey").build((64, 64, 2), (64, 64, 1))
    >>> sigma = 25 / 255
    >>> noisy = 0.5 + sigma * torch.randn(1, 1, 64, 64)
    >>> denoised = net(torch.cat([noisy, torch.full_like(noisy, sigma)], dim=1))
    >>> bool(denoised.std() < 0.2 * noisy.std())
    True
    """

    _parameter_constraints: dict = {"weights": [str, os.PathLike]}

    def __init__(self, weights: str | os.PathLike = "photographs"):
        self.weights = weights

    def receptive_field(self):
        """Stride and radius; see `BaseArchitecture.receptive_field`.

        Returns
        -------
        stride, radius : int
        """
        architecture, _ = self._read(1)
        return architecture.receptive_field()

    def build(self, input_shape, output_shape, latent_dim=None):
        """Build the network; see `BaseArchitecture.build`.

        Parameters
        ----------
        input_shape, output_shape : (int, int, int)
            ``(height, width, n_channels)`` of images with and without the map.
        latent_dim : None, default=None

        Returns
        -------
        module : torch.nn.Module
        """
        self._check_no_code(latent_dim)
        n_channels = output_shape[2]
        if n_channels not in (1, 3) or input_shape[0] == 1 or input_shape[:2] != output_shape[:2]:
            raise ValueError(
                "The pretrained networks are for grey and colour images and targets of the same "
                f"size, but the input has shape {tuple(input_shape)} and the target "
                f"{tuple(output_shape)} (height, width, channels); pass one image as X[None], or "
                'use architecture="unet".'
            )
        architecture, weights = self._read(n_channels)
        with_map = (*input_shape[:2], n_channels + 1)
        net = rebuild(lambda: architecture.build(with_map, output_shape), weights)
        return net if input_shape[2] > n_channels else _OneLevel(net)

    def _read(self, n_channels):
        """Architecture and weights of the file."""
        name = os.fspath(self.weights)
        if name == "photographs":
            name += "-grey" if n_channels == 1 else "-colour"
        return read_net(_FOLDER / f"{name}.safetensors")


class _OneLevel(nn.Module):
    """A net with a map of the level, for images without one."""

    def __init__(self, net):
        super().__init__()
        self.net = net
        self.level = nn.Parameter(torch.full((1,), 0.1))

    def encode(self, x):
        """The innermost features of a batch ``(n_samples, n_channels, height, width)``."""
        return self.net.encode(self._with_level(x))

    def forward(self, x):
        """Denoised batch."""
        return self.net(self._with_level(x))

    def _with_level(self, x):
        level = torch.zeros_like(x[:, :1]) + self.level.to(x.dtype)
        return torch.cat([x, level], dim=1)
