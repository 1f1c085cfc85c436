"""Nets that see the level and the kind of the noise, and others that are told it and remove it."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from .._checks import POSITIVE_INT
from ._base import BaseArchitecture, Float32
from ._spatial import pad_to_multiple, space_to_depth
from .residual import UNet, _ResidualArchitecture

# The level that the net tells from none, of 255: its output is the logarithm of level + LEVEL_STEP.
LEVEL_STEP = 1 / 255

# The map has one value per block of so many pixels.
_BLOCK = 8

# Differences from the local mean, of so many pixels, are what noise is mostly seen by.
_WINDOW, _GAIN = 9, 8.0

# Of a histogram: values of the brightness, shades with as many pixels each, and levels. The
# brightness is the mean of so many pixels along each axis.
_VALUES, _SHADES, _LEVELS, _AROUND = 1024, 16, 128, 5

# Of pairs of pixels so far apart, whose noise has nothing in common: values of a histogram of their
# differences, and widths of the windows through which it is looked at.
_APART, _DIFFERENCES = 8, 512
_WIDTHS = [2**k / 255 for k in range(8)]

# A level is refuted where it is so many times what pairs allow, which is so many times what they
# say, for rounding and chance. Fewer pairs in a window, or more equal ones, say nothing.
_REFUTED, _ALLOWED, _LEAST, _EQUAL = 1.7, 1.1, 200, 0.5

# Where more pairs than this differ by no more than noise does, the others are dead or hot pixels.
_ALIKE = 0.85


class _NoiseNet(BaseArchitecture):
    """A net that looks at images of any size and tells something of their noise."""

    _parameter_constraints: dict = {"filters": [POSITIVE_INT]}
    _module: type[nn.Module]

    def any_size(self, latent_dim):
        """Whether the network takes images of any size: always."""
        return True

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
        return self._module(input_shape[-1], self.filters)


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
        x = pad_to_multiple(x, _BLOCK)
        x = torch.cat([x, _GAIN * (x - _local_mean(x, _WINDOW))], 1)
        z = self.eighth(self.quarter(self.stem(space_to_depth(x, 2))))
        for layer in self.context:
            z = z + layer(z)
        return self.head(z)

    def forward(self, x):
        """The map for a batch, ``(n_samples, 1, height, width)``."""
        level = (self.log_level(x).exp() - LEVEL_STEP).clamp(min=0)
        level = F.interpolate(level, scale_factor=_BLOCK, mode="bilinear")
        return level[..., : x.shape[2], : x.shape[3]]


class NoiseLevelNet(_NoiseNet):
    """A net that predicts a map of the standard deviation of the noise.

    It looks at images in [0, 1] and predicts, for each pixel, the root mean square of the noise
    around it, averaged over the channels; 0 where there is none.

    Parameters
    ----------
    filters : int, default=32
        Filters at half the resolution; there are half as many again at a quarter and an eighth.
    """

    _module = _NoiseLevelModule

    def __init__(self, filters: int = 32):
        self.filters = filters

    def receptive_field(self):
        """Stride and radius; see `BaseArchitecture.receptive_field`.

        Returns
        -------
        stride, radius : int
        """
        # Window; two convolutions at each resolution; dilated ones; interpolation of the map.
        return _BLOCK, _WINDOW // 2 + 2 * 2 + 4 * 2 + 8 * 7 + 8 * 2


def by_brightness(x, level):
    """The map of the level as a function of the brightness alone.

    That is how the noise of sensors, counts and clipping depends on an image: its noise level
    function (Liu, C. et al. 2008, "Automatic estimation and removal of noise from a single image",
    IEEE Transactions on Pattern Analysis and Machine Intelligence 30). What is taken for noise at
    an edge or in a texture is not shared by other parts as bright, and the median passes over it.

    Parameters
    ----------
    x : Tensor of shape (n_samples, n_channels, height, width)
        Images in [0, 1].
    level : Tensor of shape (n_samples, 1, height, width)

    Returns
    -------
    level : Tensor of that shape
        The median over pixels about as bright, or less where pairs of pixels refute it; as it was
        where an image is flat.
    """
    light = x.mean(1, keepdim=True)
    down, right = ((light.diff(dim=axis) != 0).float() for axis in (2, 3))
    steps = [F.pad(down, (0, 0, *ends)) for ends in ((1, 0), (0, 1))]
    steps += [F.pad(right, ends) for ends in ((1, 0), (0, 1))]
    is_rough = sum(steps) > 0
    light = _local_mean(light, _AROUND)
    value = (light.clamp(0, 1) * (_VALUES - 1)).round().flatten(1).long()
    weights = is_rough.flatten(1).to(x.dtype)
    counts = x.new_zeros(x.shape[0], _VALUES).scatter_add(1, value, weights)
    ranks = (counts.cumsum(1) - counts / 2) / counts.sum(1, keepdim=True).clamp(min=1)
    shade = (_SHADES - 1) * ranks.gather(1, value)
    # Levels in equal steps of the logarithm.
    step = math.log1p(1 / LEVEL_STEP) / (_LEVELS - 1)
    place = (torch.log1p(level.clamp(0, 1) / LEVEL_STEP) / step).round().flatten(1)
    counts = x.new_zeros(x.shape[0], _SHADES * _LEVELS)
    counts = counts.scatter_add(1, (shade.round() * _LEVELS + place).long(), weights)
    # Shades that are near count, too: one may have no pixels.
    shades = torch.arange(_SHADES, device=x.device, dtype=x.dtype)
    alike = 1 / (1 + (shades - shades[:, None]) ** 4)
    sums = (alike @ counts.unflatten(1, (_SHADES, _LEVELS))).cumsum(2)
    half = sums[..., -1:] / 2
    above = (sums < half).sum(2, keepdim=True).clamp(max=_LEVELS - 1)
    until, before = (sums.gather(2, i.clamp(min=0)) * (i >= 0) for i in (above, above - 1))
    place = above.to(x.dtype) - 0.5 + (half - before) / (until - before).clamp(min=1e-6)
    curve = (torch.expm1(place.clamp(min=0) * step) * LEVEL_STEP).squeeze(2)
    found, whole, n_pairs = _differences(x, is_rough, shade.round().view_as(level))
    curve = _unrefuted(curve, found, alike @ whole, n_pairs)
    below = shade.floor().clamp(max=_SHADES - 2)
    ends = (curve.gather(1, (below + i).long()) for i in (0, 1))
    pooled = torch.lerp(*ends, shade - below).view_as(level)
    return torch.where(is_rough, pooled, level)


def _differences(x, is_rough, shade):
    """Histograms of the differences of pairs of pixels, over sqrt(2), by channel and shade.

    Parameters
    ----------
    x : Tensor of shape (n_samples, n_channels, height, width)
    is_rough, shade : Tensor of shape (n_samples, 1, height, width)

    Returns
    -------
    found : Tensor of shape (n_samples, n_channels, _SHADES, _DIFFERENCES)
    whole : Tensor of that shape
        Where noise was clipped, with the mirror image of what is left of it.
    n_pairs : Tensor of shape (n_samples,)
        In all channels together.
    """

    def pairs(values):
        """Of every fourth row; beyond the image are zeros."""
        return values[..., ::4, :], F.pad(values, (0, _APART) * 2)[..., _APART::4, _APART:]

    def histogram(difference):
        place = (difference.abs() * (2 * _DIFFERENCES / 2**0.5)).round()
        inside = weights * (place < _DIFFERENCES)
        place = (first_bin + place.clamp(max=_DIFFERENCES - 1)).long()
        counts = inside.new_zeros(*x.shape[:2], _SHADES * _DIFFERENCES)
        counts = counts.scatter_add(2, place.flatten(2), inside.flatten(2))
        return counts.unflatten(2, (_SHADES, _DIFFERENCES))

    ends = [x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)]
    # Where the last value is a common one, others beyond it were clipped.
    clipped = [(x == end).float().mean((2, 3), keepdim=True) > 1e-3 for end in ends]
    low, high = (torch.where(c, v, f) for c, v, f in zip(clipped, ends, (-9.0, 9.0), strict=True))
    weights = math.prod(pairs((is_rough & (x > low) & (x < high)).to(x.dtype)))
    first_bin = shade[..., ::4, :] * _DIFFERENCES
    one, other = pairs(x)
    found = histogram(one - other)
    mirrored = (histogram(one + other - 2 * end) for end in (low, high))
    return found, sum(mirrored, found), weights.sum((1, 2, 3))


def _unrefuted(curve, found, counts, n_pairs):
    """The level by shade, lowered where pairs of pixels show that there is less noise.

    Whatever two clean pixels are, noise of standard deviation s in both makes the density of their
    differences, over sqrt(2), a mixture of normal ones of that width. Through a Gaussian window of
    width w, it varies at least as one of them does: by s^2 / (s^2 + w^2) times w^2. That holds as
    well where noise is correlated, or the same in a row. The dots of a halftone or a dithered
    picture look like strong noise, but many are as dark as others, and tell the weak noise that
    there is.

    Parameters
    ----------
    curve : Tensor of shape (n_samples, _SHADES)
    found, counts, n_pairs
        As `_differences` returns them; in `counts`, shades that are near count for each other.
    """
    bins = torch.arange(_DIFFERENCES, device=found.device, dtype=found.dtype) / (2 * _DIFFERENCES)
    level = curve
    for width in reversed(_WIDTHS):
        square = (bins / width).square()
        window = (-square / 2).exp()
        n_seen = (counts @ window).clamp(min=1)
        v = (counts @ (window * square) / n_seen).clamp(max=0.9)
        says = (n_seen > _LEAST) & (counts[..., 0] < _EQUAL * n_seen)
        allowed = torch.where(says, _ALLOWED * width * (v / (1 - v)).sqrt(), level.unsqueeze(1))
        most = allowed.square().mean(1).sqrt()
        is_of_width = (level > width / 1.5) & (level < width * 1.5)
        level = torch.where(is_of_width & (_REFUTED * most < level), most, level)
    near = bins < 3 * level[:, None, :, None]
    has_structure = (found * near).sum((1, 2, 3)) < _ALIKE * n_pairs
    return torch.where(has_structure.unsqueeze(1), level, curve)


class _NoiseKindModule(nn.Module):
    """The module of a `NoiseKindNet`."""

    def __init__(self, n_channels, n):
        super().__init__()
        self.stem = nn.Sequential(_conv(2 * n_channels, n), _conv(n, n, stride=2), _conv(n, n))
        self.quarter = nn.Sequential(_conv(n, 2 * n, stride=2), _conv(2 * n, 2 * n))
        self.head = Float32(nn.Conv2d(2 * n, 1, 1))

    def forward(self, x):
        """Logarithm of the odds, ``(n_samples, 1, 1, 1)``; 0 where no noise is seen."""
        x, level = x[:, :-1], x[:, -1:]
        unit = (x - _local_mean(x, _WINDOW)) / (level + LEVEL_STEP / 2)
        odds = self.head(self.quarter(self.stem(torch.cat([unit.clamp(-6, 6), x], 1))))
        weights = (level > LEVEL_STEP / 2).to(odds.dtype)
        weights = F.interpolate(weights, size=odds.shape[2:], mode="nearest")
        total, of_weights = (y.sum((1, 2, 3), keepdim=True) for y in (odds * weights, weights))
        return total / of_weights.clamp(min=1e-3)


class NoiseKindNet(_NoiseNet):
    """A net that tells noise that is independent from one pixel and channel to the next.

    It looks at images in [0, 1] and at the map of the level, their last channel. The logarithm of
    the odds that it predicts is a mean over the pixels that have noise.

    Parameters
    ----------
    filters : int, default=16
        Filters at the full and at half the resolution; there are twice as many at a quarter.
    """

    _module = _NoiseKindModule

    def __init__(self, filters: int = 16):
        self.filters = filters


class BlindNet(_ResidualArchitecture):
    """Nets that see the level and the kind of the noise, and two that are told it and remove it.

    After CBDNet (Guo et al. 2019). One remover is for noise that is independent from pixel to
    pixel, as that of counts and detectors is, and the other for all kinds, such as that of cameras
    and JPEG, whose structure takes most of what it can learn. Images may bring the map of the level
    as one more channel, which then takes the place of what would be seen, and is of independent
    noise. Where the level is less than half of 1 / 255, pixels are left as they are.

    Parameters
    ----------
    filters, n_blocks, stride
        Of the `UNet` that removes the noise, of either kind.
    level_filters : int, default=32
        Of the `NoiseLevelNet`.
    kind_filters : int, default=16
        Of the `NoiseKindNet`.
    """

    _parameter_constraints: dict = {
        **{name: UNet._parameter_constraints[name] for name in ("filters", "n_blocks", "stride")},
        "level_filters": [POSITIVE_INT],
        "kind_filters": [POSITIVE_INT],
    }

    def __init__(
        self,
        filters: tuple[int, ...] = (64, 128),
        n_blocks: int = 2,
        stride: int = 2,
        level_filters: int = 32,
        kind_filters: int = 16,
    ):
        self.filters = filters
        self.n_blocks = n_blocks
        self.stride = stride
        self.level_filters = level_filters
        self.kind_filters = kind_filters

    def nets(self):
        """The architectures of the net that sees the level, and of those that remove noise.

        Returns
        -------
        level : NoiseLevelNet
        remover : UNet
        """
        remover = UNet(self.filters, n_blocks=self.n_blocks, stride=self.stride)
        return NoiseLevelNet(self.level_filters), remover

    def receptive_field(self):
        """Stride and radius; see `BaseArchitecture.receptive_field`.

        Returns
        -------
        stride, radius : int
        """
        strides, radii = zip(*(net.receptive_field() for net in self.nets()), strict=True)
        return math.lcm(*strides), sum(radii)

    def build(self, input_shape, output_shape, latent_dim=None):
        """Build the network; see `BaseArchitecture.build`.

        Parameters
        ----------
        input_shape, output_shape : (int, int, int)
            The input may have one channel more: the map of the level.
        latent_dim : None, default=None

        Returns
        -------
        module : torch.nn.Module
        """
        self._validate_params()
        self._check_no_code(latent_dim)
        *sides, n = output_shape
        level, remover = self.nets()
        return _BlindModule(
            level.build((*sides, n), (*sides, 1)),
            NoiseKindNet(self.kind_filters).build((*sides, n), (*sides, 1)),
            *(remover.build((*sides, n + 1), (*sides, n)) for _ in range(2)),
            n,
        )


class _BlindModule(nn.Module):
    """The module of a `BlindNet`."""

    def __init__(self, level, kind, independent, correlated, n_channels):
        super().__init__()
        self.level = level
        self.kind = kind
        self.independent = independent
        self.correlated = correlated
        self.n_channels = n_channels

    def encode(self, x):
        """The innermost features of a batch ``(n_samples, n_channels, height, width)``."""
        return self.correlated.encode(self._with_level(x))

    def forward(self, x):
        """Denoised batch, with or without the map of the level."""
        if x.shape[1] > self.n_channels:
            return self.remove_independent(x)
        x = self._with_level(x)
        return self.remove_of_kind(x, self.is_independent(x))

    def see(self, x):
        """The map of the level, ``(n_samples, 1, height, width)``."""
        return by_brightness(x, self.level(x))

    def is_independent(self, x):
        """Whether the noise of images with a map seems independent, ``(n_samples, 1, 1, 1)``."""
        return self.kind(x) > 0

    def remove_of_kind(self, x, is_independent):
        """Denoised batch of images with a map, by the remover that suits each."""
        if torch.compiler.is_exporting():
            # A graph that branches would hold each net twice.
            return torch.where(
                is_independent, self.remove_independent(x), self.remove_correlated(x)
            )
        out = torch.empty_like(x[:, : self.n_channels])
        is_independent = is_independent.flatten()
        if is_independent.any():
            out[is_independent] = self.remove_independent(x[is_independent])
        if not is_independent.all():
            out[~is_independent] = self.remove_correlated(x[~is_independent])
        return out

    def remove_independent(self, x):
        """Denoised batch of images with a map of noise that is independent."""
        return self._remove(self.independent, x)

    def remove_correlated(self, x):
        """Denoised batch of images with a map of noise of any kind."""
        return self._remove(self.correlated, x)

    def _with_level(self, x):
        return x if x.shape[1] > self.n_channels else torch.cat([x, self.see(x)], 1)

    def _remove(self, remover, x):
        images, level = x[:, : self.n_channels], x[:, self.n_channels :]
        # From half a gray level to two: the less noise there is, the more a mistake costs.
        share = ((level / LEVEL_STEP - 0.5) / 1.5).clamp(0, 1)
        return images + share * (remover(x) - images)


def _local_mean(x, n):
    """The mean around each pixel, of `n` pixels along both axes."""
    x = F.pad(x, (n // 2,) * 4, mode="replicate")
    # Along one axis after the other, which is several times as fast.
    return F.avg_pool2d(F.avg_pool2d(x, (n, 1), 1), (1, n), 1)


def _conv(n, m, **options):
    """A convolution of 3 × 3 and its activation."""
    padding = options.get("dilation", 1)
    return nn.Sequential(nn.Conv2d(n, m, 3, padding=padding, **options), nn.ReLU())
