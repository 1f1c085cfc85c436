"""Architectures: small parameter objects that build networks.

Each name that `skdae.DenoisingAutoencoder` takes is one of them with its defaults.
"""

from ._base import ACTIVATIONS, BaseArchitecture
from .conv import Conv
from .dense import Dense, Linear
from .pretrained import Pretrained
from .residual import DnCNN, UNet

ARCHITECTURES: dict[str, type[BaseArchitecture]] = {
    "linear": Linear,
    "dense": Dense,
    "conv": Conv,
    "unet": UNet,
    "dncnn": DnCNN,
    "photographs": Pretrained,
}

__all__ = [
    "ACTIVATIONS",
    "ARCHITECTURES",
    "BaseArchitecture",
    "Conv",
    "Dense",
    "DnCNN",
    "Linear",
    "Pretrained",
    "UNet",
]
