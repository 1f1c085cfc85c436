"""What all denoisers that learn share: fit, predict, and files."""

import copy
import inspect
import math
import os
from abc import abstractmethod
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import nn

from .._checks import GEOMETRY, MISSING, SIZES, Predicate, fit_context
from .._files import weights
from .._files.onnx import export_onnx
from .._images import (
    check_fitted_shape,
    image_by_image,
    image_list,
    union,
    validate_images,
    verbose_of_search,
)
from .._random import seeded
from .._training import advice, distributed, hardware
from .._training.callbacks import standard_callbacks
from .._training.checkpoint import describe_fit
from .._training.fit_data import datasets, read
from .._training.losses import Loss
from .._training.net import ImageNet
from .._training.optimizers import LR_SCHEDULES, OPTIMIZERS, optimizer_with_options
from .._training.plan import plan_net
from .._training.prediction import UserImages, denoise
from .._training.start import FitStart
from ..architectures import ARCHITECTURES, BaseArchitecture
from ..architectures._spatial import channels_last
from ..base import BaseDenoiser
from ..noise._base import BaseNoise, check_noise

_KINDS = (BaseArchitecture, nn.Module)

# What ``max_epochs="auto"`` stands for: so many, or, for ``architecture="auto"``, as many as show
# so many pixels, by the number of axes, or so many signals. With a bottleneck, there are more.
_EPOCHS, _FEWEST_EPOCHS, _MOST_EPOCHS = 20, 6, 40
_PIXELS, _SIGNALS, _PIXELS_TO_CODE = {1: 6e6, 2: 2e7, 3: 2e7}, 12e3, 4e6
_NETS = Predicate(
    lambda net: issubclass(net if isinstance(net, type) else type(net), _KINDS),
    "an architecture object, a torch.nn.Module, or a class of these",
)


def _is_optimizer(made):
    made = getattr(made, "func", made)
    is_class = inspect.isclass(made) and issubclass(made, torch.optim.Optimizer)
    return is_class and made is not torch.optim.LBFGS


_OPTIMIZER = Predicate(
    _is_optimizer,
    "a torch.optim.Optimizer class whose step needs no closure, or a functools.partial of one with "
    "its options",
)


class LearnedDenoiser(BaseDenoiser):
    """Base class of the denoisers that train a net.

    A subclass has the parameters below in its ``__init__``, and ``_task(plan, noise, data)``, which
    says what its net learns from.
    """

    _parameter_constraints: dict = {
        "architecture": [StrOptions({"auto", *ARCHITECTURES}), _NETS],
        "noise": "no_validation",
        **GEOMETRY,
        **MISSING,
        "optimizer": [StrOptions(OPTIMIZERS.keys()), _OPTIMIZER],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions(set(LR_SCHEDULES)), None],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "max_steps": [Interval(Integral, 1, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left"), None],
        "early_stopping": ["boolean"],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "device": [str, torch.device],
        "precision": [StrOptions({"auto", "float32", "bfloat16", "float16"})],
        "compile": ["boolean"],
        "tile_size": [Interval(Integral, 1, None, closed="left"), None],
        "patch_size": [
            Interval(Integral, 1, None, closed="left"),
            SIZES,
            StrOptions({"auto"}),
            None,
        ],
        "callbacks": [list, tuple, None],
        "checkpoint": [str, os.PathLike, None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    #: Images pass no other estimator inside of it.
    _held_estimators = ()

    #: Images that are enough for a net that takes any size.
    _min_images = 2

    net_: ImageNet
    noise_: BaseNoise | None
    n_iter_: int
    n_samples_fit_: int
    image_shape_: tuple[int, ...]
    channel_axis_: int | None
    device_: torch.device
    precision_: Literal["float32", "bfloat16", "float16"]
    _seed: int
    _n_fits: int

    # What a subclass may say

    @property
    def _architecture_to_build(self):
        """The `architecture` parameter, or what None stands for."""
        return self.architecture

    @property
    def _activation(self):
        """Name of the output activation."""
        return "identity"

    #: The norm to which longer gradients are clipped, or None.
    _max_gradient_norm: float | None = None

    @abstractmethod
    def _task(self, plan, noise, data):
        """The `Task` of a fit to images and targets of a `FitData`, with a fitted noise or None."""

    def _build_net(self, module, loss, plan, options):
        """An initialized skorch net around `module`."""
        return ImageNet(module, loss, **options).initialize()

    # Training

    @fit_context(skip_nested=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        validation_data: tuple[ArrayLike, ArrayLike | None] | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train the net.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images; clean ones when `noise` is set. At least 2; one is enough where it is
            learned by crops (`patch_size`). Images of different sizes come as a list of arrays.
            A zarr, dask or HDF5 array, a memory map, or `skdae.datasets.ImageFiles` may be larger
            than the memory; see the notes.
        y : array-like or None, default=None
            Targets: clean images, or second noisy ones, shaped like `X`. None, or a 1-D array of
            labels, means `X` itself. Without `noise`, that trains a plain autoencoder, which learns
            to copy its input, and `fit` warns.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            How often each image is drawn for training, compared with the others: of weight 2 twice
            as often as of weight 1, of weight 0 never. Images that are set aside count alike.
        validation_data : (array-like, array-like or None) or None, default=None
            ``(X_val, y_val)`` to watch the loss on, of images like those of `X` and `y`; `noise`
            corrupts these, too. All images of `X` are trained on then.
        groups : array-like of shape (n_samples,) or None, default=None
            The scene, patient or film of each image. Those of one group are set aside for
            validation together, as many groups as come nearest to `validation_fraction`.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If shapes do not fit, values are not finite, a parameter is out of range, or the loss
            diverges in the first epoch. The fitted state from before is kept.

        Notes
        -----
        Images on a disk are read into memory if they take at most half of scikit-learn's
        ``working_memory``, which is 1024 MiB unless ``sklearn.set_config`` says otherwise. Larger
        ones are copied once to a temporary file, as `uint8` or `float32`, and each batch is read
        from it. Memory maps of these dtypes are used as they are.
        """
        going_on = self.warm_start and hasattr(self, "net_")
        options = {"validation_data": validation_data, "groups": groups}
        return self._fit(X, y, going_on, sample_weight=sample_weight, **options)

    @fit_context(skip_nested=True)
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train one epoch on a part of the data, with a constant learning rate and no validation.

        It goes on from what was learned before, and writes no checkpoint. It keeps the state of the
        optimizer, also of one that was pickled since the last `partial_fit`; after `load`, or where
        `fit` came before the pickling, the optimizer starts afresh.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images; clean ones when `noise` is set.
        y : array-like or None, default=None
            Targets, as in `fit`.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            As in `fit`.

        Returns
        -------
        self : object
        """
        going_on = hasattr(self, "net_")
        return self._fit(X, y, going_on, partial=True, sample_weight=sample_weight)

    def _fit(self, X, y, going_on, partial=False, **options):
        """Read the data, plan the net, train it, keep the result."""
        given = self._read(X, y, going_on, partial, options)
        start = self._start(going_on, partial)
        plan, noise, data = plan_net(
            self._architecture_to_build,
            getattr(self, "latent_dim", None),
            self.image_shape,
            self.channel_axis,
            self._activation,
            given.X,
            given.y,
            self.patch_size,
            None if self.noise is None else check_noise(self.noise),
            start.seeds[0],
            self._min_images,
        )
        plan.check_sizes(self.tile_size, data.patch_size, data.images)
        least = 1 if partial else self._min_images if plan.any_size else 2
        if data.patch_size is None and len(data.images) < least:
            way_out = " Of one image, patch_size= makes many crops." if plan.any_size else ""
            raise ValueError(
                f"Found array with 1 sample(s) while a minimum of 2 is required by "
                f"{type(self).__name__}.{way_out}"
            )
        if start.going_on:
            plan = plan.going_on_from(self._plan)
        net, task = self._train(given, plan, noise, data, start)
        self._keep(net, noise, task, given.names, start)
        self.n_samples_fit_ = len(data.images)
        return self

    def _start(self, going_on, partial):
        """How a fit starts; several processes start as the first does."""
        before = (self._seed, self._n_fits) if going_on else None
        return distributed.start(
            lambda: FitStart(self.random_state, self.checkpoint, before, partial),
            estimator=type(self).__name__,
            method="partial_fit" if partial else "fit",
            **{"a network that goes on": going_on},
        )

    def _train(self, given, plan, noise, data, start):
        """A net that has learned, with its plan, and its task."""
        device = hardware.resolve_device(self.device)
        # On processors, gradients of convolutions of volumes came out as NaN in bfloat16.
        is_safe = plan.geometry.rank < 3 or device.type == "cuda"
        is_conv = bool(plan.architecture) and not plan.flat and is_safe
        precision = hardware.resolve_precision(self.precision, device, convolutional=is_conv)
        with _own_generator(start.seeds[1], device), advice.explained(self.batch_size):
            module = copy.deepcopy(
                weights.uncompiled(self.module_) if start.going_on else self._new_module(plan)
            )
            plan = replace(plan, code_shape=plan.code_shape_of(module))
            task = self._task(plan, noise, data)
            if given.y is None and not task.is_random:
                advice.warn_plain_autoencoder()
            n_epochs = self._n_epochs(len(data.images), *data.images[0].shape[:-1])
            options = self._net_options(device, precision, start.partial, n_epochs)
            net = self._build_net(in_float32(module, plan), task.loss, plan, options)
            if start.going_on:
                net.continue_from(self.net_, keep_optimizer=start.partial)
            several = distributed.current().size > 1
            if several or start.checkpoint is not None:
                fit = describe_fit(self, given, net, device, precision, start.seed, start.n_fits)
                if several:
                    fit = distributed.agree(fit, net)
                if start.checkpoint is not None:
                    start.checkpoint.check_belongs_to(fit)
            if noise is not None:
                noise.warn_if_clipped(*data.image_range)
            train, valid = datasets(
                data,
                n_validation=0 if start.partial else self._n_validation(len(data.images)),
                batch_size=int(self.batch_size),
                geometry=plan.geometry,
                seeds=start.seeds[2:],
                split_seed=start.split_seed,
                validation=given.validation,
                groups=given.groups,
                weights=given.weights,
                to_net=plan.to_net,
                task=task,
                device=device,
            )
            net.plan = replace(plan, input_range=union(plan.input_range, train.input_range()))
            work = int(self.batch_size) * hardware.n_products(module, *data.sides)
            with hardware.threads(work):
                net.partial_fit(train, valid, checkpoint=start.checkpoint)
            if not start.partial:
                errors = net.compare_with_no_net(train, valid, net.plan.prediction)
                # From the units of the net to those of the images.
                errors = [error * plan.scaling[1] ** 2 for error in errors]
                name = "max_epochs" if self.max_steps is None else "max_steps"
                length = f"{name}={getattr(net, name)}"
                advice.warn_unless_learned(*errors, length, self.lr, valid is not None)
        return net, task

    def _keep(self, net, noise, task, names, start):
        """Assign all attributes of a fit that has succeeded."""
        plan = net.plan
        n_features = plan.n_features
        vars(self).pop("feature_names_in_", None)
        if names is not None:
            self.feature_names_in_ = names
        n_before = len(self.net_.history) if start.going_on else 0
        self.net_, self.noise_ = net, noise
        self._seed, self._n_fits = start.seed, start.n_fits
        self.n_iter_ = len(net.history) - n_before
        self.image_shape_, self.n_features_in_ = plan.image_shape, n_features
        self.channel_axis_ = plan.geometry.channel_axis
        self.device_, self.precision_ = net.device, net.precision
        return self

    def _read(self, X, y, going_on, partial, options):
        """The checked data of a fit."""
        # scikit-learn's check writes attributes; those of a fit that fails must stay.
        draft = copy.copy(self)
        options |= {"patch_size": self.patch_size, "min_images": 1 if partial else self._min_images}
        given = read(draft, X, y, reset=not going_on, **options)
        if self.early_stopping and not partial and given.validation is None:
            n, fraction = len(given.X), self.validation_fraction
            advice.check_is_watched(self._n_validation(n), fraction, n)
        return given

    def _new_module(self, plan):
        """A net with fresh weights, or the user's own."""
        own = self._architecture_to_build
        if plan.architecture is None:
            return own() if inspect.isclass(own) else own
        return plan.build()

    def _n_epochs(self, n_samples, *sides):
        """The epochs of a fit to so many images of one size, about."""
        if self.max_epochs != "auto":
            return int(self.max_epochs)
        if self._architecture_to_build != "auto":
            return _EPOCHS
        n_pixels = n_samples * math.prod(sides)
        if getattr(self, "latent_dim", None) is not None:
            return min(_MOST_EPOCHS, max(_EPOCHS, round(_PIXELS_TO_CODE / n_pixels)))
        # A net that starts from the identity has learned most from so many.
        n_epochs = _PIXELS[len(sides)] / n_pixels
        if len(sides) == 1:
            # Few long ones would make few steps.
            n_epochs = max(n_epochs, _SIGNALS / n_samples)
        return min(_EPOCHS, max(_FEWEST_EPOCHS, round(n_epochs)))

    def _net_options(self, device, precision, partial, n_epochs=_EPOCHS):
        """What every skorch net of skdae takes from the parameters."""
        stops = self.early_stopping and not partial
        # The first of several processes speaks for all.
        verbose = self.verbose or min(1, verbose_of_search())
        verbose = 0 if distributed.current().rank else verbose
        callbacks = standard_callbacks(verbose, stops, self.patience, self._max_gradient_norm)
        return {
            "precision": precision,
            "lr_schedule": None if partial else self.lr_schedule,
            "optimizer": optimizer_with_options(self.optimizer, self.weight_decay, precision),
            "lr": self.lr,
            "max_epochs": 1 if partial else n_epochs,
            "max_steps": None if partial else self.max_steps,
            "purpose": "partial_fit" if partial else "fit",
            "batch_size": int(self.batch_size),
            "device": device,
            "compile": self.compile,
            "callbacks": [*callbacks, *(self.callbacks or [])],
            "verbose": int(verbose > 1),
        }

    def _n_validation(self, n_samples):
        """Number of images set aside."""
        return int(n_samples * (self.validation_fraction or 0))

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of the architecture object and of the noise among them.

        Parameters
        ----------
        **params : dict
            ``latent_dim=8``, ``architecture__filters=(16, 32)``, ``noise__std=0.2``, ....

        Returns
        -------
        self : object
        """
        architecture = params.get("architecture", self.architecture)
        nested = [name for name in params if name.startswith("architecture__")]
        if nested and isinstance(architecture, str):
            raise ValueError(
                f"{nested[0]} needs an architecture object, but architecture={architecture!r} is a "
                "name; pass one, such as architecture=Conv() from skdae.architectures."
            )
        return super().set_params(**params)

    # Prediction

    @property
    def scaling_(self) -> tuple[float, float]:
        """Offset and scale of the units of the network in those of the images."""
        return self._plan.scaling

    @property
    def _plan(self):
        """Which net was built for which images."""
        return self.net_.plan

    @property
    def module_(self) -> nn.Module:
        """The module of the trained network; its output has no activation yet."""
        return self.net_.module_

    @property
    def history_(self) -> list[dict]:
        """One row per epoch: ``epoch``, ``train_loss``, ``valid_loss``, ``lr``, ``dur``."""
        return self.net_.history

    @property
    def _takes_rows(self):
        """Whether the net has learned from flat rows."""
        return self._plan.ndim == 2

    @property
    def _geometry(self):
        """See `ImageFeaturesOutMixin`."""
        return self._plan.geometry

    @property
    def receptive_field_(self) -> tuple[int, int] | None:
        """Stride and radius of the network in pixels; None where it takes images of one size."""
        return self._plan.receptive_field

    @image_by_image(image_list, fills_gaps=True)
    def predict(self, X: ArrayLike) -> np.ndarray:
        """Denoise images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images. They may have another size than at fit where the architecture is a `UNet`,
            a `DnCNN`, or a `Conv` without `latent_dim`; images of different sizes then come as a
            list of arrays.

        Returns
        -------
        X_denoised : ndarray of float32, shaped like `X`
            A list of arrays for a list of images of different sizes.
        """
        return self._predict(validate_images(self, X, reset=False))

    def _check_shape(self, batch_shape):
        """Refuse a batch that the net does not take."""
        shape = self._geometry.of(batch_shape).shape
        check_fitted_shape(shape, self._plan.shape, self._plan.any_size)

    def _predict(self, X):
        """Denoise checked images."""
        net = self.net_
        net.plan.check_sizes(self.tile_size, self.patch_size)
        return denoise(net, net.plan.batch_of(X), self.tile_size, self.compile).reshape(X.shape)

    # Files

    def to_onnx(self, path: str | os.PathLike) -> None:
        """Write the trained network as an ONNX file, which runs without skdae and PyTorch.

        The graph does what `predict` does, output activation and clipping included. Its input ``X``
        is `float32` (`uint8` images are divided by 255 first) and shaped like the images at `fit`:
        ``(n_samples, n_features)``, ``(n_samples, height, width)`` or ``(n_samples, height, width,
        n_channels)``; its output is ``X_denoised``. The number of samples is free, and so are
        height and width where the architecture takes images of any size.

        Parameters
        ----------
        path : str or os.PathLike
            The file; ``.onnx`` is usual.

        Raises
        ------
        ImportError
            If the exporter's libraries are missing: the extra ``onnx`` brings them.

        Notes
        -----
        The graph computes in `float32`. It equals `predict` to about 1e-6 where ``precision_`` is
        "float32", and is more exact than `predict` elsewhere.

        Examples
        --------
        >>> dae.to_onnx("dae.onnx")  # doctest: +SKIP
        >>> session = onnxruntime.InferenceSession("dae.onnx")  # doctest: +SKIP
        >>> (X_denoised,) = session.run(None, {"X": X_noisy})  # doctest: +SKIP
        """
        check_is_fitted(self)
        free = self._plan.any_size and self._plan.ndim > 2
        export_onnx(UserImages(self.module_, self._plan), path, free_size=free)

    def _get_saved_state(self):
        """See `Persistent`; of the net, weights and history are kept."""
        state = super()._get_saved_state()
        net = state.pop("net_", None)
        if net is not None:
            if net.plan.architecture is None:
                raise TypeError(
                    f"The network {type(self.module_).__name__} is your own module, which save "
                    "cannot write, because its files hold no code; joblib.dump keeps it."
                )
            del state["device_"]
            state["net_"] = {
                "weights": weights.saved_weights(net.module_),
                "history": [*net.history],
                "plan": net.plan,
            }
            weights.check_weights(net.plan.build, state["net_"]["weights"])
        return state

    def _set_saved_state(self, state):
        """See `Persistent`; the net is built anew, on a device of this machine."""
        net = state.pop("net_", None)
        super()._set_saved_state(state)
        if net is None:
            return
        self.device_ = hardware.resolve_loaded_device(self.device)
        if self.precision == "auto" and self.precision_ == "bfloat16":
            # Where the hardware has it; else float32.
            self.precision_ = hardware.resolve_precision("auto", self.device_, convolutional=True)
        plan = net["plan"]
        if any(name.startswith("log_variance.") for name in net["weights"]):
            # Earlier versions had a second net beside this one.
            net["weights"] = {
                name.removeprefix("mean."): value
                for name, value in net["weights"].items()
                if name.startswith("mean.")
            }
        if plan.geometry.rank == 1:
            net["weights"] = {name: _of_signals(value) for name, value in net["weights"].items()}
        module = weights.rebuild(plan.build, net["weights"])
        with weights.Builder(net["weights"]), torch.device("cpu"):
            options = self._net_options(self.device_, self.precision_, partial=False)
            options["purpose"] = "predict"
            # What it goes on learning has a loss of its own.
            loss = Loss("mse", plan.activation)
            self.net_ = self._build_net(in_float32(module, plan), loss, plan, options)
        self.net_.plan = plan
        self.net_.history.extend(net["history"])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


def _of_signals(weight):
    """A kernel for signals, which earlier versions took for images of height 1."""
    return weight[:, :, 0] if weight.ndim == 4 and weight.shape[2] == 1 else weight


def in_float32(module, plan):
    """A module whose weights are float32, and laid out as its images are."""
    module = module.float()
    return module if plan.flat else channels_last(module, plan.geometry.rank)


@contextmanager
def _own_generator(seed, device):
    """Train with a generator of its own, and gradients where a caller has turned them off.

    The precision is that of the net, not that of a caller's autocast.
    """
    # Around an autocast of the net, another one would keep casts of weights from step to step.
    own_precision = (
        torch.autocast(device.type, enabled=False, cache_enabled=False)
        if torch.is_autocast_enabled(device.type)
        else nullcontext()
    )
    with seeded(seed, device), torch.inference_mode(False), torch.enable_grad(), own_precision:
        yield
