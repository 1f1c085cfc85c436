"""Fully connected autoencoders: the linear one and the one with hidden layers."""

import math
from itertools import pairwise
from numbers import Real

from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from .._checks import SIZES
from ._base import ACTIVATIONS, Autoencoder, BaseArchitecture, Float32, Shape, hidden_layer


class Linear(BaseArchitecture):
    """A linear autoencoder: one matrix to the code, one back, no activation.

    With a code of ``k`` values its best reconstruction is that of PCA with ``k`` components (Baldi
    and Hornik 1989). Without `latent_dim` the code is as large as the image, and the network is a
    linear filter over all pixels.

    References
    ----------
    .. [1] Baldi, P. and Hornik, K. (1989). "Neural networks and principal component analysis:
       Learning from examples without local minima". Neural Networks 2(1).

    Examples
    --------
    >>> from skdae.architectures import Linear
    >>> Linear().build((8, 8, 1), (8, 8, 1), latent_dim=4).encoder
    Linear(in_features=64, out_features=4, bias=True)
    """

    flat = True

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
        n_inputs, n_outputs = math.prod(input_shape), math.prod(output_shape)
        n_codes = latent_dim or n_inputs
        return Autoencoder(nn.Linear(n_inputs, n_codes), Float32(nn.Linear(n_codes, n_outputs)))


class Dense(BaseArchitecture):
    """A fully connected autoencoder; the decoder mirrors the encoder.

    ``Dense(hidden=(128,))`` with ``latent_dim=50`` is the network 784-128-50-128-784 on MNIST. The
    code is linear. With ``latent_dim=None`` the last hidden layer is the code.

    Parameters
    ----------
    hidden : tuple of int, default=(512,)
        Units of the encoder's hidden layers, from the image inwards.
    activation : {"relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid"}, default="relu"
        Activation of the hidden layers.
    batch_norm : bool, default=False
        Whether hidden layers are normalized over the batch.
    dropout : float, default=0.0
        Share in [0, 1) of hidden values dropped while training.

    Examples
    --------
    >>> from skdae.architectures import Dense
    >>> net = Dense(hidden=(32,)).build((8, 8, 1), (8, 8, 1), latent_dim=4)
    >>> [tuple(p.shape) for name, p in net.named_parameters() if name.endswith("weight")]
    [(32, 64), (4, 32), (32, 4), (64, 32)]
    """

    _parameter_constraints: dict = {
        "hidden": [SIZES],
        "activation": [StrOptions(ACTIVATIONS.keys())],
        "batch_norm": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
    }

    flat = True

    def __init__(
        self,
        hidden: tuple[int, ...] = (512,),
        activation: str = "relu",
        batch_norm: bool = False,
        dropout: float = 0.0,
    ):
        self.hidden = hidden
        self.activation = activation
        self.batch_norm = batch_norm
        self.dropout = dropout

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
        encoder = self._stack([math.prod(input_shape), *self.hidden])
        outwards = [*reversed(self.hidden)]
        if latent_dim is not None:
            encoder.append(nn.Linear(outwards[0], latent_dim))
            outwards.insert(0, latent_dim)
        decoder = self._stack(outwards)
        decoder.append(Float32(nn.Linear(self.hidden[0], math.prod(output_shape))))
        return Autoencoder(nn.Sequential(*encoder), nn.Sequential(*decoder))

    def _stack(self, sizes):
        """Hidden layers from each size to the next."""
        layers = []
        for n_in, n_out in pairwise(sizes):
            norm = nn.BatchNorm1d(n_out) if self.batch_norm else None
            linear = nn.Linear(n_in, n_out)
            layers += hidden_layer(linear, norm, self.activation, self.dropout)
        return layers
