"""A second output for any net: the logarithm of the variance of its error, per pixel."""

import math

import torch
from torch import nn

from ._base import Float32, hidden_layer
from ._spatial import layer

# Filters of the convolutions, and how far apart their taps are; the last layer has one tap.
_FILTERS, _DILATIONS = 24, (1, 2, 4)

# Hidden values where the net takes rows.
_HIDDEN = 128

#: How far a pixel of the first output is felt in the second.
RADIUS = sum(_DILATIONS)

# Logarithms of the variance stay in this range, in the units of the net: standard deviations from
# 1 / 1000 to 50. They vary much, and are learned faster as multiples.
_LOW, _HIGH, _START, _GAIN = -14.0, 8.0, -3.0, 4.0


class WithVariance(nn.Module):
    """A network that predicts images, and a small one that predicts how far off they are.

    The second network sees what the first one predicts, but its gradients end there: the first one
    learns as it would alone.

    Parameters
    ----------
    mean : torch.nn.Module
        The network that predicts images.
    output_shape : tuple of int
        ``(*spatial, n_channels)`` of its output.
    flat : bool
        Whether it gives rows.
    """

    def __init__(self, mean, output_shape, flat):
        super().__init__()
        self.mean = mean
        self.n_out = math.prod(output_shape) if flat else output_shape[-1]
        # Normalized, because the scale of what is seen matters for how soon it is learned.
        if flat:
            layers = hidden_layer(
                nn.Linear(self.n_out, _HIDDEN), nn.LayerNorm(_HIDDEN), "relu", 0.0
            )
            last = nn.Linear(_HIDDEN, self.n_out)
        else:
            layers, n_in, rank = [], self.n_out, len(output_shape) - 1
            convolution, norm = layer("Conv", rank), layer("BatchNorm", rank)
            for dilation in _DILATIONS:
                conv = convolution(n_in, _FILTERS, 3, padding="same", dilation=dilation)
                layers += hidden_layer(conv, norm(_FILTERS), "relu", 0.0)
                n_in = _FILTERS
            last = convolution(_FILTERS, self.n_out, 1)
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, _START / _GAIN)
        # In bfloat16, gradients of dilated convolutions came out as NaN on some processors.
        self.log_variance = Float32(nn.Sequential(*layers, last))

    def __getattr__(self, name):
        # Codes are those of the first net, if it has any.
        has_codes = name in ("encode", "decode")
        return getattr(self.mean, name) if has_codes else super().__getattr__(name)

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        """Output of the first net alone."""
        return self.mean(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Both outputs, one after the other along the channels."""
        mean = self.mean(x)
        if mean.shape[1] != self.n_out:
            raise ValueError(
                f"The network returned a batch of shape {tuple(mean.shape)}, but the targets have "
                f"{self.n_out} values per {'row' if mean.ndim == 2 else 'pixel'}."
            )
        mean = mean.float()
        log_variance = _GAIN * self.log_variance(mean.detach())
        return torch.cat([mean, log_variance.clamp(_LOW, _HIGH)], 1)
