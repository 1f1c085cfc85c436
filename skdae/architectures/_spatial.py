"""What convolutional nets share: changes of resolution, and padding."""

import torch
from torch import nn
from torch.nn import functional as F

from .._images import find_scale


def along(image_shape, n):
    """`n` along height and width; a signal has height 1, and keeps it."""
    return (1, n) if image_shape[0] == 1 else (n, n)


def enlarged(x, scale):
    """Each pixel repeated `scale` times."""
    return x if scale == (1, 1) else F.interpolate(x, scale_factor=scale)


def depth_to_space(x, scale):
    """Spread ``(n, sh * sw * c, h, w)`` into ``(n, c, sh * h, sw * w)``.

    Like `pixel_shuffle`, but channels-last, with the channels of a pixel side by side: the copy
    moves runs of them, not single values.
    """
    sh, sw = scale
    y = x.permute(0, 2, 3, 1).unflatten(3, (sh, sw, -1))
    return y.permute(0, 1, 3, 2, 4, 5).flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)


def space_to_depth(x, scale):
    """Gather blocks of pixels as channels; the inverse of `depth_to_space`."""
    sh, sw = scale
    y = x.permute(0, 2, 3, 1).unflatten(2, (-1, sw)).unflatten(1, (-1, sh))
    return y.permute(0, 1, 3, 2, 4, 5).flatten(3).permute(0, 3, 1, 2)


class SubpixelConv(nn.Conv2d):
    """A convolution at the low resolution whose channels are spread over blocks of pixels.

    With a 1 × 1 kernel it is the transposed convolution whose kernel and stride are `scale`.
    """

    def __init__(self, n_in, n_out, kernel, scale):
        super().__init__(n_in, n_out * scale[0] * scale[1], kernel, padding="same")
        self.scale = scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output of ``(n_samples, n_out, scale * height, scale * width)``."""
        y = super().forward(x)
        return y if self.scale == (1, 1) else depth_to_space(y, self.scale)


class UpConv(nn.Conv2d):
    """Nearest-neighbour upsampling by `scale`, then a convolution of the same size.

    Computed at the low resolution (Shi et al. 2016, "Is the deconvolution layer the same as a
    convolutional layer?"): each output pixel of a block of ``scale × scale`` becomes an output
    channel, whose kernel sums the taps that fall on the same input pixel. For a 3 × 3 kernel and a
    scale of 2 that is 16 products per input pixel instead of 36, and no enlarged input in memory.
    """

    def __init__(self, n_in, n_out, kernel, scale):
        super().__init__(n_in, n_out, kernel, padding="same")
        self.scale = scale
        # Tap by (row, column in the block; row, column of the folded kernel).
        self.fold: torch.Tensor
        if self.weight.is_meta:
            # To compute without values, torch would import its compiler.
            sides = [-(-(k + s - 1) // s) for k, s in zip(kernel, scale, strict=True)]
            fold = torch.zeros(*kernel, *scale, *sides)
        else:
            rows, columns = (_fold_matrix(k, s) for k, s in zip(kernel, scale, strict=True))
            fold = torch.einsum("pct,qdu->tupqcd", rows, columns)
        self.register_buffer("fold", fold, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output of ``(n_samples, n_out, scale * height, scale * width)``."""
        (sh, sw), (kh, kw) = self.scale, self.kernel_size
        height, width = x.shape[-2:]
        with torch.autocast(x.device.type, enabled=False):
            folded = self.weight.flatten(2) @ self.fold.flatten(0, 1).flatten(1)
        folded = folded.unflatten(2, self.fold.shape[2:])
        folded = folded.permute(2, 3, 0, 1, 4, 5).flatten(0, 2)
        bias = None if self.bias is None else self.bias.repeat(sh * sw)
        y = F.conv2d(x, folded, bias, padding=[n - 1 for n in folded.shape[-2:]])
        y = depth_to_space(y, self.scale)
        top, left = kh // 2, kw // 2
        y = y[..., top : top + sh * height, left : left + sw * width]
        # Batch norm is 6 times slower on a view with gaps than this copy.
        return y.contiguous(memory_format=torch.channels_last)


def _fold_matrix(kernel_size, scale):
    """Which taps of a kernel meet on one input pixel, along one axis.

    The entry ``[p, c, t]`` is 1 where tap `t`, at place `p` of a block of `scale` output pixels,
    falls on the pixel that the folded kernel sees at `c`. The blocks start ``kernel_size // 2``
    before the output does, so that the folded kernel needs no zeros on both sides.
    """
    n_folded = -(-(kernel_size + scale - 1) // scale)
    place = torch.arange(scale)[:, None, None]
    column = torch.arange(n_folded - 1, -1, -1)[None, :, None]
    tap = torch.arange(kernel_size)[None, None, :]
    offset = scale * column + place + tap - (kernel_size - 1)
    return ((offset >= 0) & (offset < scale)).float()


def pad_to_multiple(x, multiple):
    """Pad a batch below and to the right until height and width are multiples."""
    if any(isinstance(n, torch.SymInt) for n in x.shape[-2:]):
        return _pad_unknown(x, multiple)
    bottom, right = (-n % m for n, m in zip(x.shape[-2:], multiple, strict=True))
    if not (bottom or right):
        return x
    reflects = bottom < x.shape[-2] and right < x.shape[-1]
    return F.pad(x, (0, right, 0, bottom), mode="reflect" if reflects else "replicate")


def _pad_unknown(x, multiple):
    """The same where the size is a symbol: a net that is exported for images of any size."""
    sizes = x.shape[-2:]
    # Rounded up so, because torch.export takes minutes to reason about -n % m.
    padded = [(n + m - 1) // m * m for n, m in zip(sizes, multiple, strict=True)]
    # No `if`, which would hold for the example's size alone.
    reflects = torch.stack(
        [
            torch.scalar_tensor(p, dtype=torch.float32) < 2 * n
            for p, n in zip(padded, sizes, strict=True)
        ]
    ).all()
    for axis, n, p in zip((2, 3), sizes, padded, strict=True):
        index = torch.arange(p)
        index = torch.where(reflects, n - 1 - (n - 1 - index).abs(), index.clip(max=n - 1))
        x = x.index_select(axis, index)
    return x


def scale_of(input_shape, output_shape):
    """The whole factors by which height and width of the output are larger than the input's.

    The output may be cut off within its last rows and columns, as that of 3 pixels at 5 for 6.

    Raises
    ------
    ValueError
        If the output is smaller, or not larger by a whole factor.
    """
    scale = find_scale(input_shape[:2], output_shape[:2])
    if scale is None or input_shape[0] == 1 < output_shape[0]:
        raise ValueError(
            f"A convolutional network enlarges images by a whole factor, but the input has shape "
            f"{tuple(input_shape)} and the target {tuple(output_shape)} (height, width, "
            'channels); use architecture="dense" for other shapes.'
        )
    return along(input_shape, scale)
