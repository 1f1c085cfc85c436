"""A small net that sees the level of the noise."""

import torch
from torch import nn
from torch.nn import functional as F

from .._checks import POSITIVE_INT
from ._base import BaseArchitecture, Float32
from ._spatial import pad_to_multiple, space_to_depth

# The level that the net tells from none, of 255: its output is the logarithm of level + _STEP.
_STEP = 1 / 255

# The map has one value per block of so many pixels.
_BLOCK = 8

# Differences from the local mean, of so many pixels, are what noise is mostly seen by.
_WINDOW, _GAIN = 9, 8.0


class NoiseLevelNet(BaseArchitecture):
    """A net that predicts a map of the standard deviation of the noise.

    It looks at images in [0, 1] and predicts, for each pixel, the root mean square of the noise
    around it, averaged over the channels; 0 where there is none.

    Parameters
    ----------
    filters : int, default=32
        Filters at half the resolution; there are half as many again at a quarter and an eighth.
    """

    _parameter_constraints: dict = {"filters": [POSITIVE_INT]}

    def __init__(self, filters: int = 32):
        self.filters = filters

    def any_size(self, latent_dim):
        """Whether the network takes images of any size: always."""
        return True

    def receptive_field(self):
        """Stride and radius; see `BaseArchitecture.receptive_field`.

        Returns
        -------
        stride, radius : int
        """
        # Window; two convolutions at each resolution; dilated ones; interpolation of the map.
        return _BLOCK, _WINDOW // 2 + 2 * 2 + 4 * 2 + 8 * 7 + 8 * 2

    def build(self, input_shape, output_shape, latent_dim=None):
        """Build the network; see `BaseArchitecture.build`.

        Parameters
        ----------
        input_shape, output_shape : (int, int, int)
            The output has one channel.
        latent_dim : None, default=None

        Returns
        -------
        module : torch.nn.Module
        """
        self._validate_params()
        return _NoiseLevelModule(input_shape[2], self.filters)


class _NoiseLevelModule(nn.Module):
    """The module of a `NoiseLevelNet`."""

    def __init__(self, n_channels, n):
        super().__init__()
        m = n + n // 2
        self.stem = nn.Sequential(_conv(8 * n_channels, n), _conv(n, n))
        self.quarter = nn.Sequential(_conv(n, m, stride=2), _conv(m, m))
        self.eighth = _conv(m, m, stride=2)
        self.context = nn.ModuleList(_conv(m, m, dilation=2**i) for i in range(3))
        self.head = Float32(nn.Conv2d(m, 1, 1))

    def log_level(self, x):
        """Logarithm of the level plus 1 / 255, one value per block of 8 × 8 pixels."""
        x = pad_to_multiple(x, (_BLOCK, _BLOCK))
        radius = _WINDOW // 2
        mean = F.avg_pool2d(F.pad(x, (radius,) * 4, mode="replicate"), _WINDOW, 1)
        x = torch.cat([x, _GAIN * (x - mean)], 1)
        z = self.eighth(self.quarter(self.stem(space_to_depth(x, (2, 2)))))
        for layer in self.context:
            z = z + layer(z)
        return self.head(z)

    def forward(self, x):
        """The map for a batch, ``(n_samples, 1, height, width)``."""
        level = (self.log_level(x).exp() - _STEP).clamp(min=0)
        level = F.interpolate(level, scale_factor=_BLOCK, mode="bilinear")
        return level[..., : x.shape[2], : x.shape[3]]


def _conv(n, m, **options):
    """A convolution of 3 × 3 and its activation."""
    padding = options.get("dilation", 1)
    return nn.Sequential(nn.Conv2d(n, m, 3, padding=padding, **options), nn.ReLU())
