"""The plan of a net: all that says which net was built, and for which images."""

import copy
import inspect
import math
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import torch
from sklearn import config_context
from sklearn.base import clone

from .._files.estimators import Persistent
from .._images import (
    Geometry,
    check_fitted_shape,
    check_tile,
    float32_range,
    geometry_of,
    guess_image_shape,
    has_order,
    in_unit_range,
    union,
    warn_if_far,
)
from ..architectures import ARCHITECTURES, BaseArchitecture, Pretrained, UNet
from ..architectures._base import call
from .fit_data import gather, patch_shape, to_images
from .losses import OUTPUT_ACTIVATIONS

# Values of a sample up to which a bottleneck is best between dense layers, and up to which a
# U-Net can afford its usual filters.
_MOST_DENSE, _FEW = 4096, 256


@dataclass(frozen=True)
class NetPlan(Persistent):
    """Which network was built for which images.

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
    #: Dimensions of a batch at fit: 2 for rows, else one more than the axes of a sample.
    ndim: int
    #: Shape of one sample, in the user's terms, and whether its last axis holds channels.
    image_shape: tuple[int, ...]
    has_channels: bool
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

    @cached_property
    def any_size(self):
        """Whether the net takes images of another size than those at fit."""
        return self.receptive_field is not None

    @cached_property
    def geometry(self):
        """Spatial axes and channels of a sample."""
        return Geometry(self.image_shape, self.has_channels)

    @cached_property
    def shape(self):
        """Sides and channels of what enters the net, and leaves it."""
        return self.geometry.shape

    @cached_property
    def clip(self):
        """Range to which predictions are clipped, or None."""
        is_unit = self.activation == "identity" and in_unit_range(self.target_range)
        return (0.0, 1.0) if is_unit else None

    @property
    def net_range(self):
        """About the range of clean images in the units of the net."""
        is_scaled = self.scaling != (0.0, 1.0)
        return _net_range(self.architecture, self.activation) if is_scaled else 1.0

    @property
    def n_features(self):
        """Number of values in a sample."""
        return math.prod(self.image_shape)

    @property
    def users_shape(self):
        """Shape of one sample as `fit` got them: flat where it got rows."""
        return (self.n_features,) if self.ndim == 2 else self.image_shape

    @classmethod
    def _upgraded(cls, parameters, state):
        """See `Persistent`."""
        state = dict(state)
        if state.pop("gives_std", False):
            stride, radius = state["receptive_field"]["tuple"]
            # Without the net that saw 7 pixels of what the first one made.
            state["receptive_field"] = {"tuple": [stride, radius - 7]}
        state.pop("context", 0)
        if "input_hwc" not in state:
            return parameters, state
        if state.pop("input_hwc") != state.pop("target_hwc"):
            raise ValueError(
                "its network enlarges images; in this version, a denoiser keeps their size, and "
                "small images are enlarged first"
            )
        del state["n_clean_features"]
        shape, code = state["image_shape"]["tuple"], state["code_shape"]
        if len(shape) == 1 and code is not None and len(code["tuple"]) == 3:
            # A signal was an image of height 1.
            state["code_shape"] = {"tuple": [code["tuple"][0], code["tuple"][2]]}
        return parameters, {**state, "has_channels": len(shape) == 3}

    def _get_saved_state(self):
        """See `Persistent`; what follows from the rest is not kept."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def build(self):
        """A net with fresh weights."""
        return self.architecture.build(self.shape, self.shape, self.latent_dim)

    def code_shape_of(self, module):
        """Shape of one code of a module, or None where it has none."""
        if not hasattr(module, "encode"):
            return None
        # Nets of skdae tell shapes without computing: an image may be large.
        module = copy.deepcopy(module).to("meta" if self.architecture else "cpu").eval()
        image = torch.zeros((1, *self.shape), device="meta" if self.architecture else "cpu")
        with torch.inference_mode():
            return tuple(call(module, "encode", self.to_net(image)).shape[1:])

    # Images on their way into the net and out of it

    def to_net(self, images):
        """From a batch ``(n_samples, *spatial, n_channels)`` to the net's input."""
        offset, scale = self.scaling
        if (offset, scale) != (0.0, 1.0):
            images = (images - offset) / scale
        return images.flatten(1) if self.flat else images.movedim(-1, 1)

    def from_net(self, output):
        """From the net's output to a batch of images, before the clipping."""
        return self.to_images(self.prediction(output))

    def prediction(self, output):
        """From the output of the net to what its loss compares with targets."""
        return OUTPUT_ACTIVATIONS[self.activation](output)

    def to_images(self, batch):
        """From the units and the layout of the net to a batch of images."""
        offset, scale = self.scaling
        if (offset, scale) != (0.0, 1.0):
            batch = batch * scale + offset
        return batch.reshape(-1, *self.shape) if self.flat else batch.movedim(1, -1)

    def batch_of(self, X):
        """Checked images as a batch, if the net takes their number, size and values."""
        warn_if_far(float32_range(X), self.input_range)
        images = self.geometry.read(X)
        check_fitted_shape(images.shape[1:], self.shape, self.any_size)
        return images

    # What parameters and other plans fit to it

    def check_sizes(self, tile_size, patch_size=None, images=()):
        """Refuse crops and tiles that do not fit to the net or the images."""
        # Crops that are not asked for fit always.
        patch_size = None if patch_size == "auto" else patch_size
        for name, size in (("patch_size", patch_size), ("tile_size", tile_size)):
            if size is not None and not self.any_size:
                is_one = isinstance(size, tuple) and len({*size}) == 1
                raise ValueError(
                    f"{name}={size[0] if is_one else size} needs a network that takes images of "
                    'any size; use architecture="unet", "dncnn", or "conv" with latent_dim=None.'
                )
        if tile_size is not None:
            check_tile(tile_size, *self.receptive_field)
        if patch_size is None or not len(images):
            return
        sides = patch_size if isinstance(patch_size, tuple) else (patch_size,)
        # The first has the size of all, but for a list.
        some = images if isinstance(images, list) else [images[0]]
        smallest = np.min([x.shape[:-1] for x in some], 0)
        if (np.array(sides) > smallest).any():
            least = min(smallest.tolist())
            raise ValueError(
                f"patch_size={max(sides)} is larger than the smallest image, whose shorter "
                f"side has {least} pixels; pass patch_size={least} or less."
            )

    def going_on_from(self, previous):
        """Take over scaling and ranges of the plan under which the network was trained before.

        Raises
        ------
        ValueError
            If that network was built for something else.
        """
        built, here = previous._built, self._built
        if here != built:
            raise ValueError(
                "The network that goes on training was built for architecture, latent_dim, flat "
                f"rows and shapes {built}, but now these are {here}; fit a new one with "
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
        size = (self.shape[-1], self.geometry.rank) if self.any_size else self.shape
        return (self.architecture_name, self.latent_dim, self.flat, size)


def plan_net(
    given,
    latent_dim,
    image_shape,
    channel_axis,
    activation,
    X,
    y,
    patch_size,
    noise,
    seed,
    min_images=2,
):
    """Plan a network for checked images.

    Parameters
    ----------
    given : str, BaseArchitecture, torch.nn.Module or class of one of these
        The parameter `architecture`.
    latent_dim : int or None
    image_shape : tuple of int or None
    channel_axis : {"auto", -1, None}
        The parameters.
    activation : str
        Name of the output activation.
    X : ndarray or list of ndarray
        The images given to `fit`.
    y : ndarray, list of ndarray or None
        Their targets; None where they are the images.
    patch_size : int, tuple of int, "auto" or None
        Sides of the crops, which stand for images of different sizes.
    noise : BaseNoise or None
    seed : int
        Of the noise.
    min_images : int, default=2
        Number of images that are enough to learn from.

    Returns
    -------
    plan : NetPlan
    noise : BaseNoise or None
        A fitted clone.
    data : FitData
        Of `X` and `y`.
    """
    ragged = isinstance(X, list)
    takes_rows = not ragged and X.ndim == 2 and image_shape is None
    first = X[0].reshape(1, *X[0].shape) if ragged else X
    geometry = None
    if isinstance(given, str) and given == "auto":
        given, geometry = _automatic(latent_dim, first, image_shape, channel_axis)
    architecture = _resolve_architecture(given, latent_dim)
    latent_dim = None if latent_dim is None else int(latent_dim)
    any_size = bool(architecture) and architecture.any_size(latent_dim)
    flat = architecture.flat if architecture else takes_rows
    if flat and takes_rows:
        # Nets that take rows need no image, so a guess will do for them.
        geometry = Geometry(guess_image_shape(X.shape[1]))
    elif geometry is None:
        geometry = geometry_of(first, image_shape, channel_axis)
    images = targets = to_images(X, geometry)
    if y is not None:
        targets = to_images(y, geometry)
    is_whole = len(first.shape) == 2 or not any_size
    crop = patch_shape(patch_size, images, geometry.rank, is_whole, min_images)
    data = gather(images, targets, crop)
    if ragged:
        channels = geometry.image_shape[geometry.rank :]
        geometry = Geometry((*crop, *channels), geometry.has_channels)
    if noise is not None:
        noise = noise.for_training(geometry, seed, data.image_range)
    # Told apart by their text, however the user has them printed.
    with config_context(print_changed_only=True):
        architecture_name = repr(given)
    plan = NetPlan(
        architecture=clone(architecture) if architecture else None,
        architecture_name=architecture_name,
        latent_dim=latent_dim,
        flat=flat,
        ndim=len(first.shape),
        image_shape=geometry.image_shape,
        has_channels=geometry.has_channels,
        activation=activation,
        target_range=data.target_range,
        input_range=data.image_range,
        scaling=data.scaling(_net_range(architecture, activation)),
        receptive_field=architecture.receptive_field() if any_size else None,
        code_shape=None,
    )
    return plan, noise, data


def _net_range(architecture, activation):
    """The range in which a net sees clean images that do not lie in [0, 1]."""
    # Values of about one standard deviation are learned soonest; other activations are bounded, and
    # pretrained nets know images in [0, 1].
    is_free = activation == "identity" and not isinstance(architecture, Pretrained)
    return 4.0 if is_free else 1.0


def _automatic(latent_dim, X, image_shape, channel_axis):
    """What ``architecture="auto"`` stands for, and the geometry where that was needed."""
    # Rows without order are those of a table.
    if len(X.shape) == 2 and image_shape is None and not has_order(X):
        return "dense", None
    geometry = geometry_of(X, image_shape, channel_axis)
    n_values = math.prod(geometry.shape)
    if latent_dim is not None:
        return "dense" if n_values <= _MOST_DENSE else "conv", geometry
    if n_values <= _FEW:
        return "unet", geometry
    # Long waves need a net that sees far.
    return UNet((16, 32, 64, 64) if geometry.rank == 1 else (16, 32, 64)), geometry


def _resolve_architecture(given, latent_dim):
    """The parameter object of the architecture, or None where a module takes its place."""
    architecture = given
    if isinstance(architecture, str):
        architecture = ARCHITECTURES[architecture]
    is_class = inspect.isclass(architecture)
    if is_class and issubclass(architecture, BaseArchitecture):
        architecture = architecture()
    if isinstance(architecture, BaseArchitecture):
        architecture._validate_params()
        return architecture
    if latent_dim is not None:
        raise ValueError(
            f"latent_dim={latent_dim} has no effect on your own module; build the module with the "
            "code that you want, and leave latent_dim=None."
        )
    return None
