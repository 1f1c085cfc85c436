"""What every architecture and its module share."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import nn

from .._checks import CheckedEstimator
from .._files.estimators import Persistent

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


# Spatial sides and channels of one sample.
Shape = tuple[int, ...]


class BaseArchitecture(Persistent, CheckedEstimator, ABC):
    """Base class of the architectures; define `build` to write your own.

    It is a scikit-learn parameter object: `get_params`, `set_params` and `clone` work, so that a
    grid search reaches the parameters of a denoiser's architecture.
    """

    _parameter_constraints: dict = {}

    #: Whether the net takes rows ``(n_samples, n_features)`` or samples ``(n_samples, n_channels,
    #: *spatial)``.
    flat = False

    @abstractmethod
    def build(
        self, input_shape: Shape, output_shape: Shape, latent_dim: int | None = None
    ) -> nn.Module:
        """Build the network, with fresh weights from torch's global generator.

        Parameters
        ----------
        input_shape, output_shape : tuple of int
            ``(*spatial, n_channels)`` of the noisy and of the denoised samples, with one spatial
            axis for signals, two for images and three for volumes.
        latent_dim : int or None, default=None
            Number of values in a code; None adds no bottleneck.

        Returns
        -------
        module : torch.nn.Module
            Its output has no activation. With ``encode`` and ``decode`` where it has codes.
        """

    def any_size(self, latent_dim: int | None) -> bool:
        """Whether the network takes images of another size than those it was built for.

        Parameters
        ----------
        latent_dim : int or None

        Returns
        -------
        any_size : bool
        """
        return False

    def receptive_field(self) -> tuple[int, int]:
        """How far a pixel is felt in a network for any size; tiles overlap by that much.

        Returns
        -------
        stride : int
            Moving the input by a multiple of it, in pixels, moves the output as far.
        radius : int
            An output pixel depends on no input pixel farther away, in pixels of the input.
        """
        raise NotImplementedError


class Autoencoder(nn.Module):
    """An encoder and a decoder; the decoder's last layer runs in float32 at any precision."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Codes of a batch."""
        return self.encoder(x)

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Output for a batch of codes."""
        return self.decoder(code)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output for a batch of inputs."""
        return self.decode(self.encode(x))


class Float32(nn.Module):
    """Run a layer in float32 under autocast, so that the output keeps its fine gray levels."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output of the layer in float32."""
        if x.is_meta or not torch.is_autocast_enabled(x.device.type):
            return self.layer(x)
        with torch.autocast(x.device.type, enabled=False):
            return self.layer(x.float())


def call(module, function, batch):
    """What a method of a module returns for a batch, if that is one row for each of the batch."""
    output = getattr(module, function)(batch)
    is_tensor = isinstance(output, torch.Tensor)
    if not is_tensor or output.shape[:1] != batch.shape[:1]:
        got = f"shape {tuple(output.shape)}" if is_tensor else type(output).__name__
        raise TypeError(
            f"{function}() of the network {type(module).__name__} must return one tensor with "
            f"{len(batch)} rows for a batch of as many, not {got}."
        )
    return output


def hidden_layer(linear, norm, activation, dropout, pool=None):
    """A linear map, then what there is of batch norm, pooling, activation and dropout."""
    dropped = nn.Dropout(dropout) if dropout else None
    layers = [linear, norm, pool, ACTIVATIONS[activation](), dropped]
    return [layer for layer in layers if layer is not None]
