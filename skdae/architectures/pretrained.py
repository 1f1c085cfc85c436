"""Nets that were trained before, with weights that come with skdae."""

import os
from pathlib import Path

from .._files.weights import read_net, rebuild
from .residual import _ResidualArchitecture

_FOLDER = Path(__file__).parents[1] / "weights"


class Pretrained(_ResidualArchitecture):
    r"""A net with the weights that it learnt before: the start of a denoiser, or of more training.

    It takes noisy photographs in [0, 1] with one channel more, a map that holds the standard
    deviation :math:`\sigma` of each pixel's noise, from 0 to 75 of 255, and returns the clean ones.
    ``skdae/weights/README.md`` says what it was trained on, and how well it does.

    Parameters
    ----------
    weights : str or path, default="photographs-colour"
        "photographs-colour", "photographs-grey", or the path of a file like theirs without
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

    def __init__(self, weights: str | os.PathLike = "photographs-colour"):
        self.weights = weights

    def receptive_field(self):
        """Stride and radius; see `BaseArchitecture.receptive_field`.

        Returns
        -------
        stride, radius : int
        """
        architecture, _ = self._read()
        return architecture.receptive_field()

    def build(self, input_shape, output_shape, latent_dim=None):
        """Build the net; see `BaseArchitecture.build`.

        Parameters
        ----------
        input_shape, output_shape : (int, int, int)
            ``(height, width, n_channels)`` of images with and without the map.
        latent_dim : None, default=None

        Returns
        -------
        module : torch.nn.Module
        """
        architecture, weights = self._read()
        return rebuild(lambda: architecture.build(input_shape, output_shape, latent_dim), weights)

    def _read(self):
        """Architecture and weights of the file."""
        return read_net(_FOLDER / f"{os.fspath(self.weights)}.safetensors")
