"""What all denoisers that learn share: shapes and noise of a fit, and the net that it trains."""

import copy
import inspect
import math
import os
import warnings
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import _fit_context, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from .._images import (
    check_image_list,
    check_target,
    check_target_list,
    guess_image_shape,
    is_ragged,
    resolve_image_shape,
    to_hwc,
    validate_images,
)
from .._random import draw_seed, seeded
from .._training import batches as _tensors
from .._training import fit_data as _fit_data
from .._training import hardware
from .._training import net as _net
from .._training.callbacks import standard_callbacks
from .._training.checkpoint import Checkpoint, describe_fit
from .._training.losses import OUTPUT_ACTIVATIONS
from ..architectures import ARCHITECTURES, BaseArchitecture
from ..base import unchanged_on_error
from ..noise._base import check_noise
from .prediction import NetPredictor


class LearnedDenoiser(NetPredictor):
    """Base class of the denoisers that train a net.

    A subclass has the parameters below in its ``__init__``, and ``_build_net(module, flat,
    partial)``, which puts a module into a skorch net that is ready to train.
    """

    _parameter_constraints: dict = {
        "architecture": [StrOptions({"auto", *ARCHITECTURES}), BaseArchitecture, nn.Module, type],
        "noise": "no_validation",
        "image_shape": [tuple, list, None],
        "optimizer": [StrOptions(set(_net.OPTIMIZERS)), type],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions(set(_net.LR_SCHEDULES)), None],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "early_stopping": ["boolean"],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "device": [str, torch.device],
        "precision": [StrOptions({"auto", "float32", "bfloat16", "float16"})],
        "compile": ["boolean"],
        "tile_size": [Interval(Integral, 1, None, closed="left"), None],
        "patch_size": [Interval(Integral, 1, None, closed="left"), None],
        "callbacks": [list, tuple, None],
        "checkpoint": [str, os.PathLike, None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    # Training

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: ArrayLike, y: ArrayLike | None = None) -> "LearnedDenoiser":
        """Train one epoch on a part of the data, with a constant learning rate and no validation.

        It goes on from what was learnt before, and writes no checkpoint.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images; clean ones when `noise` is set.
        y : array-like or None, default=None
            Targets, as in `fit`.

        Returns
        -------
        self : object
        """
        with unchanged_on_error(self):
            return self._fit(X, y, getattr(self, "net_", None), partial=True)

    def _fit(self, X, y, previous, partial=False):
        """Train a new net, or go on with a copy of the previous one."""
        is_plain, reset = y is X, previous is None
        if not reset:
            # Clean images again; noise that shrinks them leaves fewer values to predict from.
            self.n_features_in_ = self._n_clean_features
        X, y = self._check_training_images(X, None if is_plain else y, reset, partial)
        n_samples, ragged = len(X), is_ragged(X)
        if y is None and self.noise is None and not is_plain:
            _warn_plain_autoencoder()
        if self.early_stopping and not partial and not self._n_validation(n_samples):
            raise ValueError(
                f"early_stopping=True watches the validation loss, but validation_fraction="
                f"{self.validation_fraction} of {n_samples} images leaves none; raise it."
            )
        checkpoint = None if self.checkpoint is None or partial else Checkpoint(self.checkpoint)
        if reset:
            self._seed, self._n_fits = self._draw_seed(checkpoint), 0
        self._n_fits += 1
        seeds = np.random.SeedSequence([self._seed, self._n_fits]).generate_state(4).tolist()

        # Where sizes differ, a crop stands for them.
        crop_shape = (self.patch_size, self.patch_size, *X[0].shape[2:])
        shape = (n_samples, *crop_shape) if ragged else X.shape
        self.n_features_in_ = self._n_clean_features = math.prod(shape[1:])
        architecture = self._resolve_architecture(shape)
        self._architecture = clone(architecture) if architecture else None
        flat = architecture.flat if architecture else len(shape) == 2 and self.image_shape is None
        clean_shape = self._resolve_image_shape(shape, flat)
        images, targets = _fit_data.to_batches(X, y, clean_shape)
        clean_hwc = to_hwc(clean_shape)
        scale = [t // n for t, n in zip(targets[0].shape, images[0].shape, strict=True)]
        target_hwc = targets.shape[1:] if not ragged else _fit_data.times(clean_hwc, scale)

        image_range = _fit_data.range_of(images)
        self._set_target_range(image_range if y is None else _fit_data.range_of(targets), reset)
        self.noise_ = self._fit_noise(shape, clean_shape, seeds[0])
        if self.noise_ is not None:
            self.noise_.warn_if_clipped(*image_range)
        self._set_shapes(clean_shape, target_hwc)
        self._layout, self._ndim = _tensors.Layout(flat), len(shape)
        self._any_size = bool(architecture) and architecture.any_size(self._latent_dim)
        self._field = architecture.receptive_field() if self._any_size else None
        self._check_sizes(images)
        self._check_built(flat, reset)
        self._fitted_activation = self._activation
        self.device_ = hardware.resolve_device(self.device)
        self.precision_ = hardware.resolve_precision(
            self.precision, self.device_, convolutional=bool(architecture) and not flat
        )

        # A caller may have turned gradients off.
        gradients = (torch.inference_mode(False), torch.enable_grad())
        with seeded(seeds[1], self.device_), gradients[0], gradients[1], _memory_noted(self):
            module = self._build_module(architecture) if reset else previous.module_
            net = self._build_net(copy.deepcopy(module), flat, partial)
            self._code_shape = self._find_code_shape(net)
            if not reset:
                net.continue_from(previous, keep_optimizer=partial)
            if checkpoint is not None:
                checkpoint.claim(describe_fit(self, X, y, net, self._seed, self._n_fits))
            n_before = len(net.history)
            train, valid = self._datasets(images, targets, seeds[2:], partial)
            net.partial_fit(train, valid, checkpoint=checkpoint)
            if not partial:
                self._warn_unless_learnt(net, train, valid)
        self.net_ = net
        self.n_iter_ = len(net.history) - n_before
        return self

    def _draw_seed(self, checkpoint):
        """A seed; where none is asked for, that of the fit which a checkpoint goes on with."""
        if self.random_state is None and checkpoint is not None and checkpoint.seed is not None:
            return checkpoint.seed
        return draw_seed(self.random_state)

    def _check_training_images(self, X, y, reset, partial):
        """Checked images and targets: arrays, or lists where the sizes differ."""
        if is_ragged(X):
            if self.patch_size is None:
                raise ValueError(
                    "X holds images of different sizes; pass patch_size=, such as patch_size=64, "
                    "to train on crops of them, or make all images of one size."
                )
            vars(self).pop("feature_names_in_", None)
            X = check_image_list(X)
            return X, check_target_list(X, y)
        # Crops make many of one image.
        min_samples = 1 if partial or self.patch_size else 2
        any_size = self.patch_size is not None
        X = validate_images(self, X, reset=reset, min_samples=min_samples, any_size=any_size)
        return X, check_target(X, y)

    def _check_sizes(self, images):
        """Hold `patch_size` and `tile_size` against the images and the net."""
        self._check_tile_size()
        if self.patch_size is not None:
            sides = [n for image in images for n in image.shape[:2] if image.shape[0] > 1]
            smallest = min(sides or [image.shape[1] for image in images])
            if self.patch_size > smallest:
                raise ValueError(
                    f"patch_size={self.patch_size} is larger than the smallest image, whose "
                    f"shorter side has {smallest} pixels; pass patch_size={smallest} or less."
                )

    def _check_built(self, flat, reset):
        """Refuse to go on training a net that was built for something else."""
        sizes = (self._input_hwc, self._target_hwc)
        if self._any_size:
            scale = tuple(t / n for t, n in zip(*reversed(sizes), strict=True))
            sizes = (self._input_hwc[2], scale, self._input_hwc[0] == 1)
        built = (repr(self._given_architecture), self._latent_dim, flat, *sizes)
        if not reset and built != self._built:
            raise ValueError(
                "The net that goes on training was built for architecture, latent_dim, flat rows, "
                f"input and target {self._built}, but now these are {built}; fit a new one with "
                "warm_start=False."
            )
        self._built = built

    def _set_shapes(self, clean_shape, target_hwc):
        """Remember the shapes of input and output; some noises change the size of the input."""
        input_hwc, self.image_shape_ = to_hwc(clean_shape), clean_shape
        if self.noise_ is not None:
            noise_shape = self.noise_.image_shape_
            noisy_hwc = self.noise_._output_hwc(to_hwc(noise_shape))
            if noisy_hwc != to_hwc(noise_shape):
                input_hwc, self.image_shape_ = noisy_hwc, _fit_data.like(noise_shape, noisy_hwc)
                # The names are those of the clean images.
                vars(self).pop("feature_names_in_", None)
        self.n_features_in_ = math.prod(input_hwc)
        self._input_hwc, self._target_hwc = tuple(input_hwc), tuple(target_hwc)

    def _resolve_architecture(self, shape):
        """The parameter object of the architecture, or None where a module stands in its place."""
        architecture = self._given_architecture
        if architecture == "auto":
            architecture = "dense" if len(shape) == 2 and self.image_shape is None else "conv"
        if isinstance(architecture, str):
            architecture = ARCHITECTURES[architecture]
        is_class = inspect.isclass(architecture)
        if is_class and issubclass(architecture, BaseArchitecture):
            architecture = architecture()
        if isinstance(architecture, BaseArchitecture):
            architecture._validate_params()
            return architecture
        if is_class and not issubclass(architecture, nn.Module):
            raise TypeError(
                f"architecture={architecture!r} is no net; pass one of {sorted(ARCHITECTURES)}, an "
                "object of skdae.architectures, or a torch.nn.Module."
            )
        if self._latent_dim is not None:
            raise ValueError(
                f"latent_dim={self._latent_dim} has no effect on a module of your own; build the "
                "module with the code that you want, and leave latent_dim=None."
            )
        return None

    def set_params(self, **params: Any) -> "LearnedDenoiser":
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

    def _resolve_image_shape(self, shape, flat):
        """Shape of one image; nets that take rows need no image, so a guess will do for them."""
        if flat and len(shape) == 2 and self.image_shape is None:
            return guess_image_shape(shape[1])
        return resolve_image_shape(shape, self.image_shape)

    def _fit_noise(self, shape, image_shape, seed):
        """A fitted copy of the noise, with a seed and the shape of the images."""
        if self.noise is None:
            return None
        return check_noise(self.noise).for_training(shape, image_shape, seed)

    def _set_target_range(self, target_range, reset):
        """Remember the range of all targets seen."""
        low, high = target_range
        if not reset:
            low, high = min(low, self._target_range[0]), max(high, self._target_range[1])
        self._target_range = (low, high)

    @property
    def _latent_dim(self):
        """Number of values in a code, for the denoisers that have one."""
        return getattr(self, "latent_dim", None)

    @property
    def _given_architecture(self):
        """The `architecture` parameter, or what None stands for."""
        return self.architecture

    @property
    def _activation(self):
        """Name of the output activation."""
        return "identity"

    @property
    def _hide(self):
        """From a batch of images and random numbers to input and target, or None."""
        return None

    def _build_module(self, architecture):
        """A net with fresh weights, or the user's own."""
        if architecture:
            return architecture.build(self._input_hwc, self._target_hwc, self._latent_dim)
        own = self._given_architecture
        return own() if inspect.isclass(own) else own

    def _build_net(self, module, flat, partial):
        """An initialised skorch net around `module`."""
        raise NotImplementedError

    def _net_options(self, partial):
        """What every skorch net of skdae takes from the parameters."""
        optimizer, options = _net.OPTIMIZERS.get(self.optimizer, (self.optimizer, {}))
        if optimizer is torch.optim.LBFGS or not issubclass(optimizer, torch.optim.Optimizer):
            raise TypeError(
                f"optimizer={self.optimizer!r} must be a name or a torch.optim.Optimizer class "
                "whose step needs no closure."
            )
        if "weight_decay" in inspect.signature(optimizer).parameters:
            options = {**options, "weight_decay": self.weight_decay}
        callbacks = standard_callbacks(
            self.verbose, self.early_stopping and not partial, self.patience
        )
        return {
            "precision": self.precision_,
            "lr_schedule": None if partial else self.lr_schedule,
            "optimizer": optimizer,
            "lr": self.lr,
            "max_epochs": 1 if partial else self.max_epochs,
            "batch_size": self.batch_size,
            "device": self.device_,
            "compile": self.compile,
            "callbacks": [*callbacks, *(self.callbacks or [])],
            "verbose": int(self.verbose > 1),
            **{f"optimizer__{name}": value for name, value in options.items()},
        }

    def _n_validation(self, n_samples):
        """Number of images set aside."""
        return int(n_samples * (self.validation_fraction or 0))

    def _datasets(self, images, targets, seeds, partial):
        """Training and validation data; the latter is None where no images are set aside."""
        return _fit_data.datasets(
            images,
            targets,
            n_validation=0 if partial else self._n_validation(len(images)),
            patch_size=self.patch_size,
            input_hwc=self._input_hwc,
            seeds=seeds,
            layout=self._layout,
            noise=self.noise_,
            hide=self._hide,
            device=self.device_,
        )

    def _warn_unless_learnt(self, net, train, valid):
        """Compare the net with the best answer that does not look at its input."""
        error, constant_error = net.compare_with_constant(
            train, valid, OUTPUT_ACTIVATIONS[self._activation]
        )
        if not error < constant_error:
            images = "training" if valid is None else "validation"
            warnings.warn(
                f"The net denoises its {images} images no better than one constant image would: "
                f"their mean squared error is {error:.4g}, that of the mean training image "
                f"{constant_error:.4g}. Train longer (max_epochs={self.max_epochs}), or, where the "
                f"loss in history_ stands still, try a smaller lr than {self.lr}, another "
                'random_state, or output_activation="identity".',
                ConvergenceWarning,
                stacklevel=5,
            )

    def _find_code_shape(self, net):
        """Shape of one code in the net, or None where it has none."""
        if not hasattr(net.module_, "encode"):
            return None
        image = np.zeros((1, *self._input_hwc), dtype=np.float32)
        (code,) = net.map_batches("encode", image, self._layout.enter)
        return tuple(code.shape[1:])


@contextmanager
def _memory_noted(estimator):
    """Say what takes less memory where it has run out."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        error.add_note(
            f"Training ran out of memory with batch_size={estimator.batch_size}; a smaller one, "
            "or patch_size= where the images are large, takes less."
        )
        raise


def _warn_plain_autoencoder():
    """Say that nothing tells clean from noisy, and what would."""
    warnings.warn(
        "fit got neither clean images (y is None, or holds labels) nor noise=, and so trains a "
        "plain autoencoder, X -> X. To learn denoising, call fit(X_noisy, X_clean), or set "
        "noise=GaussianNoise() and call fit(X_clean), or, in a Pipeline with an injector, "
        "pipe.fit(X, X). fit(X, X) trains a plain autoencoder without this warning.",
        UserWarning,
        stacklevel=5,
    )
