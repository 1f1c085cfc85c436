"""Nets that were trained before, with weights that come with skdae."""

import hashlib
import os
from functools import cache
from pathlib import Path

from .._files.weights import read_net, rebuild
from . import blind  # noqa: F401, whose classes the files name
from .residual import _ResidualArchitecture

_FOLDER = Path(__file__).parents[1] / "weights"


@cache
def weights_digest(folder: Path = _FOLDER) -> str:
    """The name of the weights of a folder: the first digits of the SHA-256 of both its files."""
    files = [folder / f"photographs-{kind}.safetensors" for kind in ("colour", "grey")]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def weights_folder(digest: str) -> Path:
    """Where weights of that name lie: those of now, or, in a folder within, released ones.

    Raises
    ------
    ValueError
        If they are not there.
    """
    folders = [_FOLDER, *sorted(path for path in _FOLDER.iterdir() if path.is_dir())]
    for folder in folders:
        if weights_digest(folder) == digest:
            return folder
    raise ValueError(
        f"The denoiser was fitted with the pretrained weights {digest}, but this version of skdae "
        f"has {', '.join(map(weights_digest, folders))}; use the version that saved it, or fit a "
        "new PretrainedDenoiser."
    )


class Pretrained(_ResidualArchitecture):
    r"""A network with pretrained weights, to start from.

    It takes noisy images in [0, 1], gray or with three colors, and returns denoised ones. It sees
    the level of the noise, and whether it is independent from pixel to pixel, by itself; or an
    optional further channel contains the standard deviation :math:`\sigma` of the noise of each
    pixel, which is taken for independent. ``skdae/weights/README.md`` says what it was trained
    on, and how well it does.

    Parameters
    ----------
    weights : str or path, default="photographs"
        "photographs", which are two networks, for gray and for color images; the name of one of
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
        *sides, n_channels = output_shape
        if n_channels not in (1, 3) or len(sides) != 2 or tuple(sides) != tuple(input_shape[:2]):
            raise ValueError(
                "The pretrained networks are for gray and color images and targets of the same "
                f"size, but the input has shape {tuple(input_shape)} and the target "
                f"{tuple(output_shape)} (height, width, channels); pass one image as X[None], "
                "other channels and slices of volumes one by one as gray images, or use "
                'architecture="unet".'
            )
        architecture, weights = self._read(n_channels)
        return rebuild(lambda: architecture.build(input_shape, output_shape), weights)

    def _read(self, n_channels):
        """Architecture and weights of the file."""
        name = os.fspath(self.weights)
        if name == "photographs":
            name += "-grey" if n_channels == 1 else "-colour"
        return read_net(_FOLDER / f"{name}.safetensors")
