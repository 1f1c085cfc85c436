"""A second output for any net: the logarithm of the variance of its error, per pixel."""

import torch
from torch import nn

from ._base import Float32, hidden_layer

# Filters of the convolutions, and how far apart their taps are; the last layer has one tap.
_FILTERS, _DILATIONS = 24, (1, 2, 4)

#: How far a pixel of the first output is felt in the second.
RADIUS = sum(_DILATIONS)

# Logarithms of the variance stay in this range, in the units of the net: standard deviations from
# 1 / 1000 to 50.
_LOW, _HIGH = -14.0, 8.0


class WithVariance(nn.Module):
    """A net that predicts images, and another that predicts how far off they are.

    The second net sees the noisy image and what the first one made of it, but its gradients end
    there: the first one learns as it would alone.

    Parameters
    ----------
    mean : torch.nn.Module
        The net that predicts images.
    input_shape, output_shape : (int, int, int)
        ``(height, width, n_channels)`` of its input and output.
    flat : bool
        Whether it takes rows.
    """

    def __init__(self, mean, input_shape, output_shape, flat):
        super().__init__()
        self.mean = mean
        #: Targets of another size come from the first output alone.
        self.sees_input = flat or input_shape[:2] == output_shape[:2]
        if flat:
            n_in, n_out = (torch.Size(shape).numel() for shape in (input_shape, output_shape))
            layers = hidden_layer(nn.Linear(n_in + n_out, 128), None, "relu", 0.0)
            last = nn.Linear(128, n_out)
        else:
            n_out = output_shape[2]
            sizes = [n_out + (input_shape[2] if self.sees_input else 0)]
            sizes += [_FILTERS] * len(_DILATIONS)
            layers = []
            for n, m, dilation in zip(sizes, sizes[1:], _DILATIONS, strict=False):
                conv = nn.Conv2d(n, m, 3, padding="same", dilation=dilation)
                layers += hidden_layer(conv, None, "relu", 0.0)
            last = nn.Conv2d(_FILTERS, n_out, 1)
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, -3.0)
        self.log_variance = nn.Sequential(*layers, Float32(last))

    def __getattr__(self, name):
        # Codes are those of the first net, if it has any.
        return (
            getattr(self.mean, name) if name in ("encode", "decode") else super().__getattr__(name)
        )

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        """Output of the first net alone."""
        return self.mean(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Both outputs, one after the other along the channels."""
        # Of a net that works in place, nothing must reach the second one.
        mean = self.mean(x.clone())
        known = mean.detach()
        seen = torch.cat([known, x.to(known.dtype)], 1) if self.sees_input else known
        return torch.cat([mean.float(), self.log_variance(seen).clamp(_LOW, _HIGH)], 1)
