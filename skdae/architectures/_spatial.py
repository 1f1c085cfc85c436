"""What convolutional nets share: layers for one to three axes, changes of resolution, padding."""

import string

import torch
from torch import nn
from torch.nn import functional as F

# In which order the values of a batch lie, by its number of axes: the channels of a pixel together,
# where torch has it.
_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


class Conv1d(nn.Conv1d):
    """A convolution of signals as of images of height 1, channels-last.

    On processors it takes half to four fifths of the time.
    """

    def _conv_forward(self, x, weight, bias):
        padding = self.padding if isinstance(self.padding, str) else (0, *self.padding)
        image = x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        y = F.conv2d(image, weight.unsqueeze(2), bias, (1, *self.stride), padding)
        return y.squeeze(2)


def layer(kind, rank):
    """The class of torch.nn for so many spatial axes, such as ``Conv2d``."""
    return Conv1d if (kind, rank) == ("Conv", 1) else getattr(nn, f"{kind}{rank}d")


def channels_last(tensor_or_module, rank):
    """A batch, or a module with its weights, with the channels of a pixel side by side."""
    memory_format = _FORMATS.get(rank + 2)
    if memory_format is None:
        return tensor_or_module
    if isinstance(tensor_or_module, nn.Module):
        return tensor_or_module.to(memory_format=memory_format)
    return tensor_or_module.contiguous(memory_format=memory_format)


def depth_to_space(x, scale):
    """Spread ``(n, scale ** rank * c, *spatial)`` into ``(n, c, *(scale * spatial))``.

    Like `pixel_shuffle`, but channels-last, with the channels of a pixel side by side: the copy
    moves runs of them, not single values.
    """
    rank = x.ndim - 2
    y = x.movedim(1, -1).unflatten(-1, (*[scale] * rank, -1))
    pairs = (axis for i in range(1, rank + 1) for axis in (i, rank + i))
    y = y.permute(0, *pairs, 2 * rank + 1)
    for i in range(rank, 0, -1):
        y = y.flatten(2 * i - 1, 2 * i)
    return y.movedim(-1, 1)


def space_to_depth(x, scale):
    """Gather blocks of pixels as channels; the inverse of `depth_to_space`."""
    rank = x.ndim - 2
    y = x.movedim(1, -1)
    for i in range(rank, 0, -1):
        y = y.unflatten(i, (-1, scale))
    y = y.permute(0, *range(1, 2 * rank, 2), *range(2, 2 * rank + 1, 2), 2 * rank + 1)
    return y.flatten(rank + 1).movedim(-1, 1)


class _Subpixel(nn.Module):
    """A convolution at the low resolution whose channels are spread over blocks of pixels.

    With a kernel of one pixel it is the transposed convolution whose kernel and stride are `scale`.
    """

    def __init__(self, n_in, n_out, kernel, scale, rank):
        super().__init__(n_in, n_out * scale**rank, kernel, padding="same")
        self.scale = scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output of ``(n_samples, n_out, *(scale * spatial))``."""
        y = super().forward(x)
        return y if self.scale == 1 else depth_to_space(y, self.scale)


class _Up(nn.Module):
    """Nearest-neighbor upsampling by `scale`, then a convolution of the same size.

    Computed at the low resolution (Shi et al. 2016, "Is the deconvolution layer the same as a
    convolutional layer?"): each output pixel of a block of ``scale × scale`` becomes an output
    channel, whose kernel sums the taps that fall on the same input pixel. For a 3 × 3 kernel and a
    scale of 2 that is 16 products per input pixel instead of 36, and no enlarged input in memory.
    """

    # Of the convolution that stands beside it.
    weight: torch.Tensor
    bias: torch.Tensor | None
    kernel_size: tuple[int, ...]

    def __init__(self, n_in, n_out, kernel, scale, rank):
        super().__init__(n_in, n_out, kernel, padding="same")
        self.scale, self.rank = scale, rank
        # Tap by (place in the block; place in the folded kernel), each along all axes.
        self.fold: torch.Tensor
        if self.weight.is_meta:
            # To compute without values, torch would import its compiler.
            n_folded = -(-(kernel + scale - 1) // scale)
            fold = torch.zeros(*[kernel] * rank, *[scale] * rank, *[n_folded] * rank)
        else:
            p, c, t = (string.ascii_letters[i * rank : (i + 1) * rank] for i in range(3))
            factors = ",".join(map("".join, zip(p, c, t, strict=True)))
            fold = torch.einsum(f"{factors}->{t}{p}{c}", *[_fold_matrix(kernel, scale)] * rank)
        self.register_buffer("fold", fold, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output of ``(n_samples, n_out, *(scale * spatial))``."""
        rank, sides = self.rank, x.shape[2:]
        with torch.autocast(x.device.type, enabled=False):
            folded = self.weight.flatten(2) @ self.fold.flatten(0, rank - 1).flatten(1)
        folded = folded.unflatten(2, self.fold.shape[rank:])
        folded = folded.movedim([*range(2, 2 + rank)], [*range(rank)]).flatten(0, rank)
        bias = None if self.bias is None else self.bias.repeat(self.scale**rank)
        padding = [n - 1 for n in folded.shape[2:]]
        y = getattr(F, f"conv{rank}d")(x, folded, bias, padding=padding)
        y = depth_to_space(y, self.scale)
        for axis, (k, n) in enumerate(zip(self.kernel_size, sides, strict=True), start=2):
            y = y[(slice(None),) * axis + (slice(k // 2, k // 2 + self.scale * n),)]
        # Batch norm is 6 times slower on a view with gaps than this copy.
        return channels_last(y, rank) if rank > 1 else y.clone()


class SubpixelConv1d(_Subpixel, Conv1d):
    """See `_Subpixel`."""


class SubpixelConv2d(_Subpixel, nn.Conv2d):
    """See `_Subpixel`."""


class SubpixelConv3d(_Subpixel, nn.Conv3d):
    """See `_Subpixel`."""


class UpConv1d(_Up, nn.Conv1d):
    """See `_Up`."""


class UpConv2d(_Up, nn.Conv2d):
    """See `_Up`."""


class UpConv3d(_Up, nn.Conv3d):
    """See `_Up`."""


_SUBPIXEL = {1: SubpixelConv1d, 2: SubpixelConv2d, 3: SubpixelConv3d}
_UP = {1: UpConv1d, 2: UpConv2d, 3: UpConv3d}


def subpixel_conv(n_in, n_out, kernel, scale, rank):
    """A convolution that spreads its channels over blocks of pixels, for so many axes."""
    return _SUBPIXEL[rank](n_in, n_out, kernel, scale, rank)


def up_conv(n_in, n_out, kernel, scale, rank):
    """Upsampling and a convolution, for so many axes."""
    return _UP[rank](n_in, n_out, kernel, scale, rank)


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
    """Pad a batch at the end of each axis until all sides are multiples."""
    sides = x.shape[2:]
    if any(isinstance(n, torch.SymInt) for n in sides):
        return _pad_unknown(x, multiple)
    ends = [-n % multiple for n in sides]
    if not any(ends):
        return x
    reflects = all(end < n for end, n in zip(ends, sides, strict=True))
    pairs = [width for end in reversed(ends) for width in (0, end)]
    return F.pad(x, pairs, mode="reflect" if reflects else "replicate")


def _pad_unknown(x, multiple):
    """The same where the size is a symbol: a net that is exported for images of any size."""
    sizes = x.shape[2:]
    # Rounded up so, because torch.export takes minutes to reason about -n % m.
    padded = [(n + multiple - 1) // multiple * multiple for n in sizes]
    # No `if`, which would hold for the example's size alone.
    reflects = torch.stack(
        [
            torch.scalar_tensor(p, dtype=torch.float32) < 2 * n
            for p, n in zip(padded, sizes, strict=True)
        ]
    ).all()
    for axis, (n, p) in enumerate(zip(sizes, padded, strict=True), start=2):
        index = torch.arange(p)
        index = torch.where(reflects, n - 1 - (n - 1 - index).abs(), index.clip(max=n - 1))
        x = x.index_select(axis, index)
    return x


def check_same_sides(input_shape, output_shape):
    """Refuse to build a net whose output has other sides than its input."""
    if tuple(input_shape[:-1]) != tuple(output_shape[:-1]):
        raise ValueError(
            f"A convolutional network keeps the size of images, but the input has shape "
            f"{tuple(input_shape)} and the output {tuple(output_shape)}; use "
            'architecture="dense" for other shapes.'
        )


def cropped(x, sides):
    """The beginning of each spatial axis of a batch."""
    return x[(..., *(slice(n) for n in sides))]
