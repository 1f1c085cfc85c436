"""The plan of a net: all that says which net was built, and for which images."""

import copy
import inspect
import math
from dataclasses import dataclass, replace

import torch
from sklearn.base import clone
from torch import nn

from .._files.estimators import Persistent
from .._images import (
    guess_image_shape,
    resolve_image_shape,
    to_hwc,
    to_nhwc,
    union,
    value_range,
    warn_if_far,
)
from .._training import tiles
from .._training.fit_data import gather
from .._training.losses import OUTPUT_ACTIVATIONS
from ..architectures import ARCHITECTURES, BaseArchitecture


@dataclass(frozen=True)
class NetPlan(Persistent):
    """Which net was built for which images.

    It is made once, by `plan_net`. Files hold it, warm starts compare it, `predict` reads it.
    """

    #: The parameter object that builds the net; None where the user brought a module.
    architecture: BaseArchitecture | None
    #: The parameter `architecture` as text.
    architecture_name: str
    #: Number of values in a code, or None.
    latent_dim: int | None
    #: Whether the net takes rows ``(n_samples, n_features)`` rather than images.
    flat: bool
    #: Dimensions of a batch at fit: 2 for rows, 3 for grey images, 4 with channels.
    ndim: int
    #: Shape of one image that enters `predict`, in the user's terms.
    image_shape: tuple[int, ...]
    #: Number of values in an image given to `fit`, which a noise may shrink.
    n_clean_features: int
    #: Height, width and channels of what enters and leaves the net.
    input_hwc: tuple[int, int, int]
    target_hwc: tuple[int, int, int]
    #: Name of the output activation.
    activation: str
    #: Smallest and largest value of all targets seen, and of all that entered the net.
    target_range: tuple[float, float]
    input_range: tuple[float, float]
    #: Offset and scale of the units of the net in those of the images.
    scaling: tuple[float, float]
    #: Stride and radius of the receptive field of a net for images of any size; else None.
    receptive_field: tuple[int, int] | None
    #: Shape of one code in the net; None where it has none.
    code_shape: tuple[int, ...] | None

    @property
    def any_size(self):
        """Whether the net takes images of another size than those at fit."""
        return self.receptive_field is not None

    @property
    def scale(self):
        """Height and width of the output over those of the input."""
        return tuple(self.target_hwc[i] // self.input_hwc[i] for i in (0, 1))

    @property
    def clip(self):
        """Range to which predictions are clipped, or None."""
        low, high = self.target_range
        return (0.0, 1.0) if self.activation == "identity" and 0 <= low <= high <= 1 else None

    def build(self):
        """A net with fresh weights."""
        return self.architecture.build(self.input_hwc, self.target_hwc, self.latent_dim)

    def code_shape_of(self, module):
        """Shape of one code of a module, or None where it has none."""
        if not hasattr(module, "encode"):
            return None
        # Nets of skdae tell shapes without computing: an image may be large.
        module = copy.deepcopy(module).to("meta" if self.architecture else "cpu").eval()
        image = torch.zeros((1, *self.input_hwc), device="meta" if self.architecture else "cpu")
        with torch.inference_mode():
            return tuple(module.encode(self.to_net(image)).shape[1:])

    # Images on their way into the net and out of it

    def to_net(self, images):
        """From a batch ``(n_samples, height, width, n_channels)`` to the net's input."""
        offset, scale = self.scaling
        if (offset, scale) != (0.0, 1.0):
            images = (images - offset) / scale
        return images.flatten(1) if self.flat else images.permute(0, 3, 1, 2)

    def from_net(self, output):
        """From the net's output to a batch of images, before the clipping."""
        output = OUTPUT_ACTIVATIONS[self.activation](output)
        offset, scale = self.scaling
        if (offset, scale) != (0.0, 1.0):
            output = output * scale + offset
        return output.reshape(-1, *self.target_hwc) if self.flat else output.permute(0, 2, 3, 1)

    def batch_of(self, X):
        """Checked images as a batch, if the net takes their size and values."""
        warn_if_far(value_range(X), self.input_range)
        images = to_nhwc(X, self.image_shape)
        expected, got = self.input_hwc, images.shape[1:]
        if got[2] != expected[2] or (got != expected and not self.any_size):
            raise ValueError(
                f"X has images of shape {got} (height, width, channels), but this denoiser was "
                f"fitted on {expected}."
            )
        return images

    # What parameters and other plans fit to it

    def check_sizes(self, tile_size, patch_size=None, images=()):
        """Refuse crops and tiles that do not fit to the net or the images."""
        for name, size in (("patch_size", patch_size), ("tile_size", tile_size)):
            if size is not None and not self.any_size:
                raise ValueError(
                    f"{name}={size} needs a net that takes images of any size; use "
                    'architecture="unet", "dncnn", or "conv" with latent_dim=None.'
                )
        if tile_size is not None:
            smallest = tiles.smallest_tile(*self.receptive_field)
            if tile_size < smallest:
                raise ValueError(
                    f"tile_size={tile_size} is no larger than the overlap of the tiles: this net "
                    f"sees {self.receptive_field[1]} pixels to each side; pass "
                    f"tile_size={smallest} or more."
                )
        if patch_size is not None and len(images):
            # A signal has a height of 1, which is not a limit.
            smallest = min(
                width if height == 1 else min(height, width)
                for height, width in (image.shape[:2] for image in images)
            )
            if patch_size > smallest:
                raise ValueError(
                    f"patch_size={patch_size} is larger than the smallest image, whose shorter "
                    f"side has {smallest} pixels; pass patch_size={smallest} or less."
                )

    def going_on_from(self, previous):
        """Take over scaling and ranges of the plan under which the net was trained before.

        Raises
        ------
        ValueError
            If that net was built for something else.
        """
        built, here = previous._built, self._built
        if here != built:
            raise ValueError(
                "The net that goes on training was built for architecture, latent_dim, flat rows, "
                f"input and target {built}, but now these are {here}; fit a new one with "
                "warm_start=False."
            )
        return replace(
            self,
            scaling=previous.scaling,
            target_range=union(self.target_range, previous.target_range),
            input_range=union(self.input_range, previous.input_range),
        )

    @property
    def _built(self):
        """What the weights of the net depend on."""
        sizes: tuple = (self.input_hwc, self.target_hwc)
        if self.any_size:
            # Not `scale`, which is whole: targets may be smaller, too.
            scale = tuple(t / n for t, n in zip(self.target_hwc, self.input_hwc, strict=True))
            sizes = (self.input_hwc[2], scale, self.input_hwc[0] == 1)
        return (self.architecture_name, self.latent_dim, self.flat, *sizes)


def plan_net(given, latent_dim, image_shape, activation, X, y, patch_size, noise, seed):
    """Plan a net for checked images.

    Parameters
    ----------
    given : str, BaseArchitecture, torch.nn.Module or class of one of these
        The parameter `architecture`.
    latent_dim : int or None
    image_shape : tuple of int or None
        The parameter, which flat rows need.
    activation : str
        Name of the output activation.
    X : ndarray or list of ndarray
        The images given to `fit`.
    y : ndarray, list of ndarray or None
        Their targets; None where they are the images.
    patch_size : int or None
        Side of the crops, which stand for images of different sizes.
    noise : BaseNoise or None
    seed : int
        Of the noise.

    Returns
    -------
    plan : NetPlan
    noise : BaseNoise or None
        A fitted clone.
    data : FitData
        Of `X` and `y`.
    """
    ragged = isinstance(X, list)
    shape = (len(X), patch_size, patch_size, *X[0].shape[2:]) if ragged else X.shape
    architecture = _resolve_architecture(given, latent_dim, len(shape) == 2 and image_shape is None)
    flat = architecture.flat if architecture else len(shape) == 2 and image_shape is None
    if flat and len(shape) == 2 and image_shape is None:
        # Nets that take rows need no image, so a guess will do for them.
        image_shape = guess_image_shape(shape[1])
    else:
        image_shape = resolve_image_shape(shape, image_shape)
    images = targets = _to_images(X, image_shape)
    if y is not None:
        scaled = None if ragged else _scaled_shape(image_shape, y.size / X.size)
        targets = _to_images(y, scaled)
    data = gather(images, targets)
    hwc = to_hwc(image_shape)
    target_hwc = targets[0].shape
    if ragged:
        scale = [t // n for t, n in zip(targets[0].shape, images[0].shape, strict=True)]
        target_hwc = tuple(n * s for n, s in zip(hwc, scale, strict=True))
    if noise is not None:
        noise = noise.for_training(shape, image_shape, seed)
        noisy_shape = noise.output_shape(noise.image_shape_)
        if noisy_shape != noise.image_shape_:
            hwc, image_shape = to_hwc(noisy_shape), noisy_shape
    latent_dim = None if latent_dim is None else int(latent_dim)
    any_size = bool(architecture) and architecture.any_size(latent_dim)
    plan = NetPlan(
        architecture=clone(architecture) if architecture else None,
        architecture_name=repr(given),
        latent_dim=latent_dim,
        flat=flat,
        ndim=len(shape),
        image_shape=tuple(image_shape),
        n_clean_features=math.prod(shape[1:]),
        input_hwc=tuple(hwc),
        target_hwc=tuple(target_hwc),
        activation=activation,
        target_range=data.target_range,
        input_range=data.image_range,
        scaling=data.scaling(),
        receptive_field=tuple(architecture.receptive_field()) if any_size else None,
        code_shape=None,
    )
    return plan, noise, data


def _resolve_architecture(given, latent_dim, takes_rows):
    """The parameter object of the architecture, or None where a module takes its place."""
    architecture = given
    if isinstance(architecture, str):
        name = ("dense" if takes_rows else "conv") if architecture == "auto" else architecture
        architecture = ARCHITECTURES[name]
    is_class = inspect.isclass(architecture)
    if is_class and issubclass(architecture, BaseArchitecture):
        architecture = architecture()
    if isinstance(architecture, BaseArchitecture):
        architecture._validate_params()
        return architecture
    if is_class and not issubclass(architecture, nn.Module):
        raise TypeError(
            f"architecture={architecture!r} is not a net; pass one of {sorted(ARCHITECTURES)}, an "
            "object of skdae.architectures, or a torch.nn.Module."
        )
    if latent_dim is not None:
        raise ValueError(
            f"latent_dim={latent_dim} has no effect on a module of your own; build the module with "
            "the code that you want, and leave latent_dim=None."
        )
    return None


def _to_images(X, image_shape):
    """Images with height, width and channels."""
    if isinstance(X, list):
        return [image.reshape(*image.shape[:2], -1) for image in X]
    return to_nhwc(X, image_shape)


def _scaled_shape(image_shape, ratio):
    """Shape of targets that hold `ratio` times as many values as images of `image_shape`."""
    sides, channels = image_shape[:2], image_shape[2:]
    # A signal, an image of height 1 too, is scaled along its length alone.
    n_scaled = 1 if len(sides) == 1 or sides[0] == 1 else 2
    factor = ratio ** (1 / n_scaled)
    scaled = [*sides[:-n_scaled], *(n * factor for n in sides[-n_scaled:])]
    if any(abs(n - round(n)) > 1e-6 for n in scaled):
        raise ValueError(
            f"y holds {ratio:g} times as many values as X, which scales images of shape "
            f"{image_shape} to no whole height and width."
        )
    return (*(round(n) for n in scaled), *channels)
