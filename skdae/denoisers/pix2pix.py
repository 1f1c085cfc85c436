"""Image-to-image translation with an adversary: sharp images instead of averages."""

import math
import os
from itertools import pairwise
from numbers import Real
from typing import Any, Self

import torch
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval
from torch import nn
from torch.nn import functional as F

from .._checks import SIZES
from .._images import warn_user
from .._training import distributed
from .._training.losses import Loss
from .._training.net import ImageNet
from .._training.optimizers import clear_gradients
from .._training.tasks import CleanTargets
from ..architectures import BaseArchitecture
from ..architectures._spatial import channels_last, layer
from .learned import LearnedDenoiser


class Pix2PixDenoiser(LearnedDenoiser):
    r"""A network that learns to make images which a discriminator takes for clean ones.

    A network with the smallest squared error predicts the average of all plausible clean images,
    which is blurred. Here a generator :math:`G` is trained on

    .. math:: L_G = -\log D(x, G(x)) + \lambda \, |y - G(x)|_1

    for noisy images :math:`x` and clean ones :math:`y`, in turn with a discriminator :math:`D`
    that judges each patch of a pair :math:`(x, \cdot)` as real or not (PatchGAN [1]_). Its images
    are sharper, and their mean squared error somewhat larger.

    Parameters
    ----------
    architecture : str, architecture object, `torch.nn.Module` or its class, default="unet"
        The generator, as in `DenoisingAutoencoder`.
    l1_weight : float, default=100.0
        :math:`\lambda`, at least 0.
    discriminator_filters : tuple of int, default=(64, 128)
        Filters of the discriminator's stages, each of which halves height and width: with two, a
        patch has 18 × 18 pixels.
    noise : noise model or None, default=None
        An object of `skdae.noise`, as in `DenoisingAutoencoder`.
    image_shape, channel_axis, missing_values
        As in `DenoisingAutoencoder`.
    lr : float, default=5e-4
        Learning rate of both networks, greater than 0. The optimizers are Adam with
        :math:`\beta_1 = 0.5`.
    lr_schedule, max_epochs, batch_size
        As in `DenoisingAutoencoder`.
    validation_fraction, early_stopping, patience
        As in `DenoisingAutoencoder`; the validation loss is the mean absolute error.
    device, precision, compile, tile_size, patch_size, callbacks, checkpoint, warm_start
        As in `DenoisingAutoencoder`.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, order of the images, validation split and noise.
    verbose : {0, 1, 2}, default=0
        0 is silent, 1 shows a bar, 2 prints one line per epoch.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained networks.
    module_ : torch.nn.Module
        The generator, which alone predicts.
    discriminator_ : torch.nn.Module
        The discriminator.
    image_shape_ : tuple of int
        Shape of one image; of a crop where the images had different sizes.
    channel_axis_ : int or None
        -1 if an axis holds channels, else None.
    history_ : list of dict
        One row per epoch: ``epoch``, ``train_loss`` and ``valid_loss`` (mean absolute errors),
        ``generator_loss``, ``discriminator_loss``, ``real_score`` and ``fake_score`` (mean
        probabilities that the discriminator gives to clean and to generated images), ``lr``,
        ``dur`` in seconds.
    scaling_ : tuple of float
        Offset and scale of the network's units, as in `DenoisingAutoencoder`.
    n_iter_ : int
        Number of epochs run.
    n_samples_fit_ : int
        Number of images of the last `fit`.
    noise_ : noise model or None
        Fitted copy of `noise`, for `score`.
    device_ : torch.device
        Where the networks are.
    precision_ : str
        The precision in use.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    DenoisingAutoencoder : Trains one network, for the smallest error.

    References
    ----------
    .. [1] Isola, P., Zhu, J.-Y., Zhou, T. and Efros, A. (2017). "Image-to-image translation with
       conditional adversarial networks". CVPR.

    Examples
    --------
    >>> from skdae import Pix2PixDenoiser, SaltPepper
    >>> from skdae.datasets import load_digits_images
    >>> X_clean = load_digits_images().images
    >>> noise = SaltPepper(amount=0.1, random_state=0)
    >>> denoiser = Pix2PixDenoiser(noise=noise, max_epochs=3, random_state=0).fit(X_clean)
    >>> denoiser.predict(noise.fit_transform(X_clean)).shape
    (1797, 8, 8)
    """

    _parameter_constraints: dict = {
        **LearnedDenoiser._parameter_constraints,
        "l1_weight": [Interval(Real, 0, None, closed="left")],
        "discriminator_filters": [SIZES],
    }
    del _parameter_constraints["optimizer"], _parameter_constraints["weight_decay"]

    # As in the paper: with a larger momentum the two nets swing.
    optimizer = torch.optim.Adam
    weight_decay = 0.0

    def __init__(
        self,
        architecture: str | BaseArchitecture | nn.Module | type[nn.Module] = "unet",
        *,
        l1_weight: float = 100.0,
        discriminator_filters: tuple[int, ...] = (64, 128),
        noise: Any = None,
        image_shape: tuple[int, ...] | None = None,
        channel_axis: int | str | None = "auto",
        missing_values: float = math.nan,
        lr: float = 5e-4,
        lr_schedule: str | None = "cosine",
        max_epochs: int = 20,
        max_steps: int | None = None,
        batch_size: int = 32,
        validation_fraction: float | None = 0.1,
        early_stopping: bool = False,
        patience: int = 5,
        device: str | torch.device = "auto",
        precision: str = "auto",
        compile: bool = False,
        tile_size: int | None = None,
        patch_size: int | str | None = "auto",
        callbacks: list | None = None,
        checkpoint: str | os.PathLike | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.architecture = architecture
        self.l1_weight = l1_weight
        self.discriminator_filters = discriminator_filters
        self.noise = noise
        self.image_shape = image_shape
        self.channel_axis = channel_axis
        self.missing_values = missing_values
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.max_epochs = max_epochs
        self.max_steps = max_steps
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.patience = patience
        self.device = device
        self.precision = precision
        self.compile = compile
        self.tile_size = tile_size
        self.patch_size = patch_size
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        validation_data: tuple[ArrayLike, ArrayLike | None] | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train both networks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images; clean ones when `noise` is set. At least 2; one is enough where it is
            learned by crops (`patch_size`). Images of different sizes come as a list of arrays.
        y : array-like or None, default=None
            Clean images, as in `DenoisingAutoencoder`.
        sample_weight, validation_data, groups
            As in `DenoisingAutoencoder`.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If shapes do not fit, values are not finite, a parameter is out of range, or the loss
            diverges in the first epoch. The fitted state from before is kept.
        """
        super().fit(X, y, sample_weight, validation_data=validation_data, groups=groups)
        self._warn_of_collapse()
        return self

    @property
    def discriminator_(self) -> nn.Module:
        """The discriminator."""
        return self.net_.discriminator_

    def _task(self, plan, noise, data):
        return CleanTargets(Loss("mae", plan.activation), noise)

    def _build_net(self, module, loss, plan, options):
        return AdversarialNet(
            module,
            loss,
            discriminator=PatchDiscriminator(plan.shape, self.discriminator_filters),
            l1_weight=self.l1_weight,
            rows_shape=plan.shape if plan.flat else None,
            optimizer__betas=(0.5, 0.999),
            **options,
        ).initialize()

    def _warn_of_collapse(self):
        """Say so where one of the two nets has nothing to learn from the other any more."""
        real, fake = (self.history_[-1][f"{kind}_score"] for kind in ("real", "fake"))
        if real - fake > 0.98:
            state, change, lesson = "won", "fewer", "nothing from it"
        elif self.n_iter_ >= 5 and real - fake < 1e-3:
            state, change, lesson = "collapsed", "more", "from the mean absolute error alone"
        else:
            return
        warn_user(
            f"The discriminator has {state}: it gives {real:.3f} to clean images and {fake:.3f} to "
            f"generated ones, and the generator learns {lesson}. Try {change} "
            f"discriminator_filters, another lr than {self.lr}, or another random_state.",
            ConvergenceWarning,
        )


class AdversarialNet(ImageNet):
    """An `ImageNet` with a discriminator, which is trained in turn with the module.

    Parameters
    ----------
    module, criterion, **kwargs
        As in `ImageNet`; the criterion is weighed by `l1_weight`.
    discriminator : torch.nn.Module
    l1_weight : float
    rows_shape : tuple of int or None
        Sides and channels behind the rows that enter and leave a network for rows.
    """

    def __init__(self, module, criterion, *, discriminator, l1_weight, rows_shape, **kwargs):
        self.discriminator = discriminator
        self.l1_weight = l1_weight
        self.rows_shape = rows_shape
        super().__init__(module, criterion, **kwargs)

    def initialize_module(self):
        """Put both nets on the device."""
        super().initialize_module()
        discriminator = self.discriminator.to(self.device)
        self.discriminator_ = channels_last(discriminator, self.discriminator.rank)
        return self

    def initialize_optimizer(self, *args, **kwargs):
        """Give each net its optimizer."""
        super().initialize_optimizer(*args, **kwargs)
        if self.purpose == "predict":
            return self
        weights, options = self.discriminator_.parameters(), self.get_params_for("optimizer")
        self.discriminator_optimizer_ = self.optimizer(weights, lr=self.lr, **options)
        return self

    def continue_from(self, other, keep_optimizer):
        """Take over history and discriminator of another net, and the states of its optimizers."""
        super().continue_from(other, keep_optimizer)
        self.discriminator_.load_state_dict(other.discriminator_.state_dict())

    def modules(self):
        """Both nets, and the loss."""
        return [*super().modules(), self.discriminator_]

    def _train_step(self, x, y, scaler, listens):
        with self._autocast():
            output = self.module_(x)
        inputs, real, fake = map(self._images, (x, y, output))

        for group in self.discriminator_optimizer_.param_groups:
            # One schedule for both.
            group["lr"] = self.optimizer_.param_groups[0]["lr"]
        clear_gradients(self.discriminator_optimizer_)
        pairs = torch.cat([torch.cat([inputs, real], 1), torch.cat([inputs, fake.detach()], 1)])
        logits = self._judge(pairs)
        is_real = torch.zeros_like(logits)
        is_real[: len(x)] = 1
        discriminator_loss = F.binary_cross_entropy_with_logits(logits, is_real)
        processes = distributed.current()
        processes.backward(scaler.scale(discriminator_loss), self.discriminator_optimizer_)
        scaler.step(self.discriminator_optimizer_)

        clear_gradients(self.optimizer_)
        self.discriminator_.requires_grad_(False)
        verdict = self._judge(torch.cat([inputs, fake], 1))
        self.discriminator_.requires_grad_(True)
        error = self.criterion_(output, y)
        adversarial = F.binary_cross_entropy_with_logits(verdict, torch.ones_like(verdict))
        generator_loss = adversarial + self.l1_weight * error
        processes.backward(scaler.scale(generator_loss), self.optimizer_)
        if listens:
            scaler.unscale_(self.optimizer_)
            named = list(self.module_.named_parameters())
            self.notify("on_grad_computed", named_parameters=named, batch=(x, y), training=True)
        scaler.step(self.optimizer_)
        scaler.update()

        scores = torch.sigmoid(logits.detach())
        losses = {
            "train_loss": error,
            "generator_loss": generator_loss,
            "discriminator_loss": discriminator_loss,
            "real_score": scores[: len(x)].mean(),
            "fake_score": scores[len(x) :].mean(),
        }
        return losses, output

    def _judge(self, pairs):
        """Logits of the discriminator, in float32."""
        with self._autocast():
            return self.discriminator_(pairs).float()

    def _images(self, batch):
        """A batch as samples ``(n_samples, n_channels, *spatial)``."""
        if self.rows_shape is None:
            return batch
        return batch.reshape(-1, *self.rows_shape).movedim(-1, 1)


class PatchDiscriminator(nn.Sequential):
    """Judges pairs of input and output patch by patch.

    Parameters
    ----------
    shape : tuple of int
        Sides and channels of both.
    filters : tuple of int
        Filters of each stage.
    """

    def __init__(self, shape, filters):
        rank = len(shape) - 1
        conv = layer("Conv", rank)
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise([2 * shape[-1], *filters]):
            # No norm: its statistics would look beyond the patch.
            layers += [_PadSmall(), conv(n_in, n_out, 4, 2, 1), nn.LeakyReLU(0.2)]
        super().__init__(*layers, conv(filters[-1], 1, 3, 1, 1))
        self.rank = rank


class _PadSmall(nn.Module):
    """Repeat the pixels of images that are smaller than the step of a stage."""

    def forward(self, x):
        """The batch, perhaps enlarged."""
        ends = [max(2 - n, 0) for n in x.shape[2:]]
        pairs = [width for end in reversed(ends) for width in (0, end)]
        return F.pad(x, pairs, mode="replicate") if any(ends) else x
