"""Convolutional autoencoders."""

import math
from itertools import pairwise
from numbers import Real

from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn
from torch.nn import functional as F

from .._checks import ODD, SIZES
from ._base import ACTIVATIONS, Autoencoder, BaseArchitecture, Float32, Shape, hidden_layer
from ._spatial import check_same_sides, cropped, layer, pad_to_multiple, up_conv


class Conv(BaseArchitecture):
    """A convolutional autoencoder: each stage halves the sides, the decoder mirrors it.

    ``latent_dim=None`` keeps the code as a feature map, and the network takes images of any size;
    an integer adds a dense bottleneck between the two halves, which fixes the size. Images whose
    sides are not multiples of ``2 ** len(filters)`` are padded by reflection (by repetition where
    they are too small for that), and the output is cropped. Signals and volumes are convolved along
    their one axis or three.

    Parameters
    ----------
    filters : tuple of int, default=(32, 64)
        Filters of each stage, from the image inwards.
    kernel_size : int, default=3
        Side of the kernels in pixels, odd.
    downsample : {"pool", "stride"}, default="pool"
        A stage ends in max pooling, or its convolution takes steps of 2.
    activation : {"relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid"}, default="relu"
        Activation of the hidden layers.
    batch_norm : bool, default=True
        Whether hidden layers are normalized over the batch.
    dropout : float, default=0.0
        Share in [0, 1) of hidden values dropped while training.

    Examples
    --------
    >>> import torch
    >>> from skdae.architectures import Conv
    >>> net = Conv(filters=(4, 8)).build((28, 28, 1), (28, 28, 1))
    >>> net.encode(torch.zeros(1, 1, 28, 28)).shape
    torch.Size([1, 8, 7, 7])
    """

    _parameter_constraints: dict = {
        "filters": [SIZES],
        "kernel_size": [ODD],
        "downsample": [StrOptions({"pool", "stride"})],
        "activation": [StrOptions(ACTIVATIONS.keys())],
        "batch_norm": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        filters: tuple[int, ...] = (32, 64),
        kernel_size: int = 3,
        downsample: str = "pool",
        activation: str = "relu",
        batch_norm: bool = True,
        dropout: float = 0.0,
    ):
        self.filters = filters
        self.kernel_size = kernel_size
        self.downsample = downsample
        self.activation = activation
        self.batch_norm = batch_norm
        self.dropout = dropout

    def any_size(self, latent_dim: int | None) -> bool:
        """Whether the network takes images of any size: without a dense bottleneck.

        Parameters
        ----------
        latent_dim : int or None

        Returns
        -------
        any_size : bool
        """
        return latent_dim is None

    def receptive_field(self) -> tuple[int, int]:
        """Stride and radius; see `BaseArchitecture.receptive_field`.

        Returns
        -------
        stride, radius : int
        """
        stride = 2 ** len(self.filters)
        # Each resolution but the innermost is convolved on the way in and on the way out; blocks
        # of pixels that are pooled and spread together add their side.
        n_pixels = 2 * (stride - 1) + stride + 1
        return stride, self.kernel_size // 2 * n_pixels + stride

    def build(
        self, input_shape: Shape, output_shape: Shape, latent_dim: int | None = None
    ) -> nn.Module:
        """Build the network; see `BaseArchitecture.build`.

        Parameters
        ----------
        input_shape, output_shape : tuple of int
        latent_dim : int or None, default=None

        Returns
        -------
        module : torch.nn.Module
        """
        self._validate_params()
        check_same_sides(input_shape, output_shape)
        *sides, n_channels = input_shape
        rank, kernel = len(sides), self.kernel_size
        first, last = self.filters[0], self.filters[-1]
        multiple = 2 ** len(self.filters)

        encoder = []
        for n_in, n_out in pairwise([n_channels, *self.filters]):
            encoder += self._down(n_in, n_out, rank)
        decoder = self._layers(layer("Conv", rank)(last, last, kernel, padding="same"), rank)
        for n_in, n_out in pairwise(reversed(self.filters)):
            decoder += self._layers(up_conv(n_in, n_out, kernel, 2, rank), rank)
        decoder.append(Float32(up_conv(first, output_shape[-1], kernel, 2, rank)))

        if latent_dim is not None:
            code_shape = (last, *(math.ceil(n / multiple) for n in sides))
            n_values = math.prod(code_shape)
            encoder += [nn.Flatten(), nn.Linear(n_values, latent_dim)]
            activation = ACTIVATIONS[self.activation]()
            spread = nn.Unflatten(1, code_shape)
            decoder = [nn.Linear(latent_dim, n_values), activation, spread, *decoder]
        halves = nn.Sequential(*encoder), nn.Sequential(*decoder)
        return ConvAutoencoder(*halves, multiple, sides)

    def _layers(self, conv, rank, pool=None):
        """A convolution with its norm, pooling, activation and dropout."""
        norm = layer("BatchNorm", rank)(conv.out_channels) if self.batch_norm else None
        # Pooled before it is activated: the same for rising functions, at a quarter of the work.
        return hidden_layer(conv, norm, self.activation, self.dropout, pool)

    def _down(self, n_in, n_out, rank):
        """A stage of the encoder."""
        conv, kernel = layer("Conv", rank), self.kernel_size
        if self.downsample == "stride":
            return self._layers(conv(n_in, n_out, kernel, 2, kernel // 2), rank)
        pool = _MaxPool1d() if rank == 1 else layer("MaxPool", rank)(2)
        return self._layers(conv(n_in, n_out, kernel, padding="same"), rank, pool)


class _MaxPool1d(nn.Module):
    """``MaxPool1d(2)``, of which torch.export would make one for a single length."""

    def forward(self, x):
        """The larger of each two values."""
        return F.max_pool2d(x.unsqueeze(2), (1, 2)).squeeze(2)


class ConvAutoencoder(Autoencoder):
    """An autoencoder that pads its input to a multiple and crops its output."""

    def __init__(self, encoder, decoder, multiple, sides):
        super().__init__(encoder, decoder)
        self.multiple = multiple
        self.sides = sides

    def encode(self, x):
        """Codes of a batch ``(n_samples, n_channels, *spatial)``."""
        return self.encoder(pad_to_multiple(x, self.multiple))

    def decode(self, code):
        """Output for a batch of codes, in the size of the images at fit."""
        return cropped(self.decoder(code), self.sides)

    def forward(self, x):
        """Output for a batch of inputs, in their own size."""
        return cropped(self.decoder(self.encode(x)), x.shape[2:])
