"""The plan of a net: all that says which net was built, and for which images."""

import copy
import inspect
import math
from dataclasses import dataclass, replace

import torch
from sklearn import config_context
from sklearn.base import clone
from torch.nn import functional as F

from .._files.estimators import Persistent
from .._images import (
    check_fitted_shape,
    check_tile,
    common_scale,
    find_scale,
    guess_image_shape,
    in_unit_range,
    resolve_image_shape,
    to_hwc,
    to_nhwc,
    union,
    warn_if_far,
)
from ..architectures import ARCHITECTURES, BaseArchitecture, Pretrained
from ..architectures._spatial import along
from ..architectures.variance import RADIUS, WithVariance
from .batches import as_channels, call, neighbours
from .fit_data import choose_patch_size, float32_range, gather, shorter_side, to_images
from .losses import OUTPUT_ACTIVATIONS

# Values of the largest layer of a net that is tried when it is loaded: 16 MB.
_TRIAL_VALUES = 2**22


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
    #: Dimensions of a batch at fit: 2 for rows, 3 for grey images, 4 with channels.
    ndim: int
    #: Shape of one image that enters `predict`, in the user's terms.
    image_shape: tuple[int, ...]
    #: Number of values in an image given to `fit`, which a noise may shrink.
    n_clean_features: int
    #: How many images of a stack enter the net before and behind each, as channels.
    context: int
    #: Height, width and channels of the images that `predict` takes, and of what leaves the net.
    input_hwc: tuple[int, int, int]
    target_hwc: tuple[int, int, int]
    #: Name of the output activation.
    activation: str
    #: Whether the net has a second output, the logarithm of the variance of its error.
    gives_std: bool
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
    def net_hwc(self):
        """Height, width and channels of what enters the net: images with their neighbours."""
        height, width, n_channels = self.input_hwc
        return height, width, n_channels * (2 * self.context + 1)

    @property
    def scale(self):
        """Height and width of the net's output over those of the input.

        What lies beyond the targets, where the last blocks of those are cut off, is left out.
        """
        scale = find_scale(self.input_hwc[:2], self.target_hwc[:2]) or 0
        return along(self.input_hwc, scale)

    @property
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
        """Number of values in an image that `predict` takes."""
        return math.prod(self.input_hwc)

    def _truths(self):
        """See `Persistent`."""
        shape, net = self.image_shape, self.architecture
        yield "image_shape", 0 < len(shape) < 4 and min(shape) > 0
        yield "ndim", 2 <= self.ndim <= 4 and self.ndim in (2, len(shape) + 1)
        yield "input_hwc", self.input_hwc == to_hwc(shape)
        yield "target_hwc", min(self.target_hwc) > 0
        yield "context", self.context >= 0
        yield "n_clean_features", self.n_clean_features > 0
        yield "architecture_name", bool(self.architecture_name)
        yield "latent_dim", self.latent_dim is None or self.latent_dim > 0
        yield "code_shape", self.code_shape is None or min(self.code_shape) > 0
        yield "activation", self.activation in OUTPUT_ACTIVATIONS
        for name in ("target_range", "input_range"):
            low, high = getattr(self, name)
            yield name, -math.inf < low <= high < math.inf
        offset, scale = self.scaling
        yield "scaling", math.isfinite(offset) and 0 < scale < math.inf
        if net is not None:
            yield "flat", self.flat == net.flat
            field = _receptive_field(net, self.latent_dim, self.gives_std)
            yield "receptive_field", self.receptive_field == field

    def check_module(self, module):
        """Try a loaded module on one small image.

        Raises
        ------
        ValueError
            If it gives NaN or infinity, or codes of another shape than the plan's.
        """
        *hw, n_channels = self.net_hwc
        stride = 1 if self.flat else self.architecture.receptive_field()[0]
        widest = max(len(weight) for weight in module.parameters())
        sizes = [hw, [min(n, 8) for n in hw]] if self.any_size else [hw]
        sizes = [s for s in sizes if math.prod(max(n, stride) for n in s) * widest < _TRIAL_VALUES]
        if not sizes:
            # It would cost more than the file.
            return
        image = torch.tensor(sum(self.target_range) / 2, dtype=torch.float32, device="cpu")
        image = self.to_net(image.expand(1, *sizes[0], n_channels).clone())
        module.eval()
        with torch.inference_mode():
            output = module(image)
            code = module.encode(image)[0] if hasattr(module, "encode") else None
        if not output.isfinite().all():
            raise ValueError("The network gives NaN or infinity.")
        known = self.code_shape
        got = None if code is None else tuple(code.shape)
        if sizes[0] is hw and known != got:
            raise ValueError(f"The network has codes of shape {got}, not {known}.")

    def build(self):
        """A net with fresh weights."""
        return self.with_variance(
            self.architecture.build(self.net_hwc, self.target_hwc, self.latent_dim)
        )

    def with_variance(self, module):
        """A net with a second output where the plan has one."""
        if not self.gives_std:
            return module
        return WithVariance(module, self.target_hwc, self.flat)

    def code_shape_of(self, module):
        """Shape of one code of a module, or None where it has none."""
        if not hasattr(module, "encode"):
            return None
        # Nets of skdae tell shapes without computing: an image may be large.
        module = copy.deepcopy(module).to("meta" if self.architecture else "cpu").eval()
        image = torch.zeros((1, *self.net_hwc), device="meta" if self.architecture else "cpu")
        with torch.inference_mode():
            return tuple(call(module, "encode", self.to_net(image)).shape[1:])

    # Images on their way into the net and out of it

    def to_net(self, images):
        """From a batch ``(n_samples, height, width, n_channels)`` to the net's input."""
        offset, scale = self.scaling
        if (offset, scale) != (0.0, 1.0):
            images = (images - offset) / scale
        return images.flatten(1) if self.flat else images.permute(0, 3, 1, 2)

    def pair_to_net(self, images, targets):
        """A batch and its targets in the net's layout; cut-off blocks of targets are completed."""
        x, y = self.to_net(images), self.to_net(targets)
        if self.flat or max(self.scale) == 1:
            return x, y
        bottom, right = (-n % s for n, s in zip(y.shape[2:], self.scale, strict=False))
        return x, F.pad(y, (0, right, 0, bottom), mode="replicate") if bottom or right else y

    def from_net(self, output):
        """From the net's output to a batch of images, before the clipping."""
        return self.to_images(self.prediction(output))

    def prediction(self, output):
        """From the output of the net to what its loss compares with targets."""
        if self.gives_std:
            output = output[:, : self._n_channels]
        return OUTPUT_ACTIVATIONS[self.activation](output)

    def std_from_net(self, output):
        """From both of the net's outputs to a batch of standard deviations."""
        log_variance = output[:, self._n_channels :]
        images = replace(self, scaling=(0.0, self.scaling[1])).to_images(
            torch.exp(log_variance / 2)
        )
        return images

    @property
    def _n_channels(self):
        """Number of channels, or values in a row, of a prediction."""
        return math.prod(self.target_hwc) if self.flat else self.target_hwc[2]

    def to_images(self, batch):
        """From the units and the layout of the net to a batch of images."""
        offset, scale = self.scaling
        if (offset, scale) != (0.0, 1.0):
            batch = batch * scale + offset
        return batch.reshape(-1, *self.target_hwc) if self.flat else batch.permute(0, 2, 3, 1)

    def without_overhang(self, output, input_hwc):
        """Output for images of the size at fit, as large as the targets were."""
        if tuple(input_hwc) != self.input_hwc or output.shape[1:] == self.target_hwc:
            return output
        height, width, _ = self.target_hwc
        return output[:, :height, :width]

    def batch_of(self, X):
        """Checked images as a batch, if the net takes their number, size and values."""
        check_stack(X, self.context)
        warn_if_far(float32_range(X), self.input_range)
        images = to_nhwc(X, self.image_shape)
        self.output_hwc(images.shape[1:])
        return images

    def output_hwc(self, hwc):
        """Height, width and channels of the result for such images, if the net takes them."""
        check_fitted_shape(hwc, self.input_hwc, self.any_size)
        if tuple(hwc) == self.input_hwc:
            return self.target_hwc
        return (*(n * s for n, s in zip(hwc[:2], self.scale, strict=True)), self.target_hwc[2])

    def with_neighbours(self, images, index):
        """Some images of a stack, with those beside them as channels; tensors."""
        # Not len(), of which torch.export would make a constant.
        return as_channels(images[neighbours(index, images.shape[0], self.context)])

    # What parameters and other plans fit to it

    def check_sizes(self, tile_size, patch_size=None, images=()):
        """Refuse crops and tiles that do not fit to the net or the images."""
        # Crops that are not asked for fit always.
        patch_size = None if patch_size == "auto" else patch_size
        for name, size in (("patch_size", patch_size), ("tile_size", tile_size)):
            if size is not None and not self.any_size:
                raise ValueError(
                    f"{name}={size} needs a network that takes images of any size; use "
                    'architecture="unet", "dncnn", or "conv" with latent_dim=None.'
                )
        if tile_size is not None:
            check_tile(tile_size, *self.receptive_field)
        if patch_size is not None and len(images):
            # The first has the size of all, but for a list.
            smallest = min(map(shorter_side, images if isinstance(images, list) else [images[0]]))
            if patch_size > smallest:
                raise ValueError(
                    f"patch_size={patch_size} is larger than the smallest image, whose shorter "
                    f"side has {smallest} pixels; pass patch_size={smallest} or less."
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
                f"rows, input and target {built}, but now these are {here}; fit a new one with "
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
        sizes: tuple = (self.net_hwc, self.target_hwc)
        if self.any_size:
            sizes = (self.net_hwc[2], self.scale, self.input_hwc[0] == 1)
        variance = ("a second output",) if self.gives_std else ()
        return (self.architecture_name, self.latent_dim, self.flat, *sizes, *variance)


def check_stack(X, context):
    """Refuse images that have no neighbours where those are asked for."""
    n = 1 if isinstance(X, list) else len(X)
    if n <= context:
        raise ValueError(
            f"context={context} takes X for a stack of at least {context + 1} slices or frames of "
            f"one size, but it has {'several sizes' if isinstance(X, list) else n}; pass a whole "
            "stack, or context=0 to take each image by itself."
        )


def plan_net(
    given,
    latent_dim,
    image_shape,
    activation,
    X,
    y,
    patch_size,
    noise,
    seed,
    context,
    gives_std=False,
    min_images=2,
):
    """Plan a network for checked images.

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
    patch_size : int, "auto" or None
        Side of the crops, which stand for images of different sizes.
    noise : BaseNoise or None
    seed : int
        Of the noise.
    context : int
        How many neighbours in the stack enter the network on each side of an image.
    gives_std : bool, default=False
        Whether the network has a second output.
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
    check_stack(X, context)
    ragged = isinstance(X, list)
    takes_rows = not ragged and X.ndim == 2 and image_shape is None
    architecture = _resolve_architecture(given, latent_dim, takes_rows)
    latent_dim = None if latent_dim is None else int(latent_dim)
    any_size = bool(architecture) and architecture.any_size(latent_dim)
    if patch_size == "auto":
        patch_size = choose_patch_size(X, any_size, min_images)
    shape = (len(X), patch_size, patch_size, *X[0].shape[2:]) if ragged else X.shape
    flat = architecture.flat if architecture else takes_rows
    if flat and takes_rows:
        # Nets that take rows need no image, so a guess will do for them.
        image_shape = guess_image_shape(shape[1])
    else:
        image_shape = resolve_image_shape(shape, image_shape)
    images = targets = to_images(X, image_shape)
    if y is not None:
        scaled = _scaled_shape(image_shape, y.size / X.size) if len(shape) == 2 else None
        targets = to_images(y, scaled)
    data = gather(images, targets, patch_size)
    hwc = to_hwc(image_shape)
    target_hwc = targets[0].shape
    if ragged:
        scale = common_scale(images, targets)
        target_hwc = (*(n * s for n, s in zip(hwc[:2], along(hwc, scale), strict=True)), hwc[2])
    if noise is not None:
        noise = noise.for_training(shape, image_shape, seed, data.image_range)
        noisy_shape = noise.output_shape(noise.image_shape_)
        if noisy_shape != noise.image_shape_:
            hwc, image_shape = to_hwc(noisy_shape), noisy_shape
    # Told apart by their text, however the user has them printed.
    with config_context(print_changed_only=True):
        architecture_name = repr(given)
    plan = NetPlan(
        architecture=clone(architecture) if architecture else None,
        architecture_name=architecture_name,
        latent_dim=latent_dim,
        flat=flat,
        ndim=len(shape),
        image_shape=tuple(image_shape),
        n_clean_features=math.prod(shape[1:]),
        context=int(context),
        input_hwc=tuple(hwc),
        target_hwc=tuple(target_hwc),
        activation=activation,
        gives_std=gives_std,
        target_range=data.target_range,
        input_range=data.image_range,
        scaling=data.scaling(_net_range(architecture, activation)),
        receptive_field=_receptive_field(architecture, latent_dim, gives_std),
        code_shape=None,
    )
    return plan, noise, data


def _receptive_field(architecture, latent_dim, gives_std):
    """Stride and radius of a net for images of any size; else None."""
    if not (architecture and architecture.any_size(latent_dim)):
        return None
    stride, radius = architecture.receptive_field()
    return stride, radius + RADIUS * gives_std


def _net_range(architecture, activation):
    """The range in which a net sees clean images that do not lie in [0, 1]."""
    # Values of about one standard deviation are learnt soonest; other activations are bounded, and
    # pretrained nets know images in [0, 1].
    is_free = activation == "identity" and not isinstance(architecture, Pretrained)
    return 4.0 if is_free else 1.0


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
    if latent_dim is not None:
        raise ValueError(
            f"latent_dim={latent_dim} has no effect on a module of your own; build the module with "
            "the code that you want, and leave latent_dim=None."
        )
    return None


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
