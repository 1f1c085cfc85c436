"""Residual nets that predict the noise and take it away: U-Net and DnCNN."""

from itertools import pairwise
from numbers import Integral

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from .._checks import POSITIVE_INT, SIZES
from ._base import ACTIVATIONS, BaseArchitecture, Float32, Shape, hidden_layer
from ._spatial import (
    check_same_sides,
    cropped,
    layer,
    pad_to_multiple,
    space_to_depth,
    subpixel_conv,
)


class _ResidualArchitecture(BaseArchitecture):
    """What nets with a path around everything have in common."""

    def any_size(self, latent_dim: int | None) -> bool:
        """Whether the network takes images of any size: always.

        Parameters
        ----------
        latent_dim : int or None

        Returns
        -------
        any_size : bool
        """
        return True

    def _check_no_code(self, latent_dim):
        """Refuse a code that the rest of the net would bypass."""
        if latent_dim is not None:
            raise ValueError(
                f"latent_dim={latent_dim} would be no bottleneck in {type(self).__name__}, whose "
                'image also takes the way around; use architecture="conv" or "dense", or '
                "latent_dim=None."
            )


# Of a U-Net for signals and images, from the image inwards.
_FILTERS = (32, 64, 128)


class UNet(_ResidualArchitecture):
    """A U-Net of residual blocks that predicts what to subtract from its input.

    Each stage halves the sides with a convolution of stride 2; on the way back, outputs of
    the same resolution are added, so that details need not pass the innermost stage. Images
    whose sides are not multiples of ``stride * 2 ** (len(filters) - 1)`` are padded by reflection
    (by repetition where they are too small for that), and the output is cropped. Signals and
    volumes are convolved along their one axis or three. Targets may have fewer channels: the
    network corrects the first ones of the input and only looks at the others, such as a map of the
    noise level.

    Parameters
    ----------
    filters : tuple of int or None, default=None
        Filters of each resolution, from the image inwards. None is ``(32, 64, 128)``, and half of
        that for volumes, whose convolutions take three times as long.
    n_blocks : int, default=1
        Residual blocks, of two 3 × 3 convolutions each, at each resolution, on either way.
    stride : int, default=1
        Side of the blocks of pixels that enter the network as channels [2]_. With 2 it works at
        half the resolution, on photographs at a quarter of the cost.
    activation : {"relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid"}, default="relu"
        Activation within the blocks.
    residual : bool, default=True
        Whether the output is subtracted from the input; otherwise it is the image itself.

    References
    ----------
    .. [1] Ronneberger, O., Fischer, P. and Brox, T. (2015). "U-Net: Convolutional networks for
       biomedical image segmentation". MICCAI.
    .. [2] Zhang, K., Zuo, W. and Zhang, L. (2018). "FFDNet: Toward a fast and flexible solution for
       CNN-based image denoising". IEEE Transactions on Image Processing 27(9).
    .. [3] Zhang, K. et al. (2022). "Plug-and-play image restoration with deep denoiser prior". IEEE
       Transactions on Pattern Analysis and Machine Intelligence 44(10).

    Examples
    --------
    >>> import torch
    >>> from skdae.architectures import UNet
    >>> net = UNet(filters=(4, 8)).build((28, 28, 1), (28, 28, 1))
    >>> net(torch.zeros(1, 1, 31, 45)).shape
    torch.Size([1, 1, 31, 45])
    """

    _parameter_constraints: dict = {
        "filters": [SIZES, None],
        "n_blocks": [POSITIVE_INT],
        "stride": [POSITIVE_INT],
        "activation": [StrOptions(ACTIVATIONS.keys())],
        "residual": ["boolean"],
    }

    def __init__(
        self,
        filters: tuple[int, ...] | None = None,
        n_blocks: int = 1,
        stride: int = 1,
        activation: str = "relu",
        residual: bool = True,
    ):
        self.filters = filters
        self.n_blocks = n_blocks
        self.stride = stride
        self.activation = activation
        self.residual = residual

    def receptive_field(self) -> tuple[int, int]:
        """Stride and radius; see `BaseArchitecture.receptive_field`.

        Returns
        -------
        stride, radius : int
        """
        inner = 2 ** (len(self.filters or _FILTERS) - 1)
        # First and last convolution, two per block, and the blocks of pixels that move together.
        radius = 2 + 2 * self.n_blocks * (2 * (inner - 1) + inner) + inner
        return self.stride * inner, self.stride * radius

    def build(
        self, input_shape: Shape, output_shape: Shape, latent_dim: int | None = None
    ) -> nn.Module:
        """Build the network; see `BaseArchitecture.build`.

        Parameters
        ----------
        input_shape, output_shape : tuple of int
        latent_dim : None, default=None

        Returns
        -------
        module : torch.nn.Module
        """
        self._validate_params()
        self._check_no_code(latent_dim)
        return _UNetModule(self, input_shape, output_shape)


class _UNetModule(nn.Module):
    """The module of a `UNet`."""

    def __init__(self, unet, input_shape, output_shape):
        super().__init__()
        check_same_sides(input_shape, output_shape)
        rank, activation = len(input_shape) - 1, ACTIVATIONS[unet.activation]
        filters = unet.filters or [n // 2 if rank == 3 else n for n in _FILTERS]
        conv = layer("Conv", rank)

        def stage(n):
            blocks = [ResidualBlock(n, conv, activation) for _ in range(unet.n_blocks)]
            return nn.Sequential(*blocks)

        self.stride = unet.stride
        self.n_channels = output_shape[-1]
        self.residual = unet.residual
        self.multiple = unet.stride * 2 ** (len(filters) - 1)
        n_stem = input_shape[-1] * unet.stride**rank
        self.stem = conv(n_stem, filters[0], 3, padding="same")
        self.encoder = nn.ModuleList(stage(n) for n in filters[:-1])
        self.down = nn.ModuleList(conv(n, m, 2, 2) for n, m in pairwise(filters))
        self.inner = stage(filters[-1])
        self.up = nn.ModuleList(subpixel_conv(m, n, 1, 2, rank) for n, m in pairwise(filters))
        self.decoder = nn.ModuleList(stage(n) for n in filters[:-1])
        head = subpixel_conv(filters[0], output_shape[-1], 3, unet.stride, rank)
        if self.residual:
            # A small correction first: training starts from the identity.
            _shrink(head)
        self.head = Float32(head)

    def encode(self, x):
        """The innermost features of a batch ``(n_samples, n_channels, *spatial)``."""
        return self._inwards(x)[-1]

    def forward(self, x):
        """Denoised batch, in the size of `x`."""
        *skips, features = self._inwards(x)
        for up, stage in zip(reversed(self.up), reversed(self.decoder), strict=True):
            features = stage(up(features) + skips.pop())
        output = cropped(self.head(features), x.shape[2:])
        return x[:, : self.n_channels] - output if self.residual else output

    def _inwards(self, x):
        """The features of each resolution on the way in."""
        x = pad_to_multiple(x, self.multiple)
        features = self.stem(x if self.stride == 1 else space_to_depth(x, self.stride))
        outputs = []
        for stage, down in zip(self.encoder, self.down, strict=True):
            outputs.append(stage(features))
            features = down(outputs[-1])
        return [*outputs, self.inner(features)]


class ResidualBlock(nn.Module):
    """Two convolutions whose output is added to the input."""

    def __init__(self, n, conv, activation):
        super().__init__()
        self.first = conv(n, n, 3, padding="same")
        self.activation = activation()
        self.second = conv(n, n, 3, padding="same")
        _shrink(self.second)

    def forward(self, x):
        """Output of the shape of `x`."""
        return x + self.second(self.activation(self.first(x)))


def _shrink(conv):
    """Let a residual path begin near zero, which keeps deep nets trainable without batch norm."""
    with torch.no_grad():
        conv.weight.mul_(0.1)
        conv.bias.zero_()


class DnCNN(_ResidualArchitecture):
    r"""The plain deep network of Zhang et al. (2017), which predicts the noise.

    Convolutions of 3 × 3 at full resolution, with batch norm and ReLU between them:
    :math:`\hat x = y - R(y)`. As with `UNet`, targets may have fewer channels.

    Parameters
    ----------
    depth : int, default=17
        Number of convolutions, at least 2.
    filters : int, default=64
        Filters of the hidden ones.
    batch_norm : bool, default=True
        Whether the hidden layers, but the first, are normalized over the batch.

    References
    ----------
    .. [1] Zhang, K., Zuo, W., Chen, Y., Meng, D. and Zhang, L. (2017). "Beyond a Gaussian denoiser:
       Residual learning of deep CNN for image denoising". IEEE Transactions on Image Processing
       26(7).

    Examples
    --------
    >>> import torch
    >>> from skdae.architectures import DnCNN
    >>> net = DnCNN(depth=3, filters=4).build((8, 8, 1), (8, 8, 1))
    >>> net(torch.zeros(1, 1, 31, 45)).shape
    torch.Size([1, 1, 31, 45])
    """

    _parameter_constraints: dict = {
        "depth": [Interval(Integral, 2, None, closed="left")],
        "filters": [POSITIVE_INT],
        "batch_norm": ["boolean"],
    }

    def __init__(self, depth: int = 17, filters: int = 64, batch_norm: bool = True):
        self.depth = depth
        self.filters = filters
        self.batch_norm = batch_norm

    def receptive_field(self) -> tuple[int, int]:
        """Stride and radius; see `BaseArchitecture.receptive_field`.

        Returns
        -------
        stride, radius : int
        """
        return 1, self.depth

    def build(
        self, input_shape: Shape, output_shape: Shape, latent_dim: int | None = None
    ) -> nn.Module:
        """Build the network; see `BaseArchitecture.build`.

        Parameters
        ----------
        input_shape, output_shape : tuple of int
        latent_dim : None, default=None

        Returns
        -------
        module : torch.nn.Module
        """
        self._check_no_code(latent_dim)
        check_same_sides(input_shape, output_shape)
        rank, n = len(input_shape) - 1, self.filters
        new, norms = layer("Conv", rank), layer("BatchNorm", rank)
        layers = [new(input_shape[-1], n, 3, padding="same"), nn.ReLU()]
        for _ in range(self.depth - 2):
            # Batch norm has a bias of its own.
            conv = new(n, n, 3, padding="same", bias=not self.batch_norm)
            norm = norms(n) if self.batch_norm else None
            layers += hidden_layer(conv, norm, "relu", dropout=0)
        head = subpixel_conv(n, output_shape[-1], 3, 1, rank)
        for hidden in layers:
            if isinstance(hidden, new):
                nn.init.kaiming_normal_(hidden.weight, nonlinearity="relu")
        _shrink(head)
        return _DnCNNModule(nn.Sequential(*layers, Float32(head)), output_shape[-1])


class _DnCNNModule(nn.Module):
    """The module of a `DnCNN`."""

    def __init__(self, noise, n_channels):
        super().__init__()
        self.noise = noise
        self.n_channels = n_channels

    def forward(self, x):
        """Denoised batch, in the size of `x`."""
        return x[:, : self.n_channels] - self.noise(x)
