"""What all denoisers that learn share: shapes and noise of a fit, the net, prediction by tiles."""

import copy
import inspect
import math
import os
import warnings
from functools import partial as bind
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import nn

from . import _net, _patches, _tensors
from ._images import (
    BaseDenoiser,
    check_image_list,
    check_images,
    check_target,
    check_target_list,
    from_batch,
    guess_image_shape,
    is_ragged,
    n_dims,
    one_by_one,
    resolve_image_shape,
    squared_errors,
    to_batch,
    to_hwc,
    validate_images,
)
from ._losses import OUTPUT_ACTIVATIONS
from ._onnx import UserImages, export_onnx
from ._random import draw_seed, seeded
from .architectures import ARCHITECTURES, BaseArchitecture


class LearnedDenoiser(BaseDenoiser):
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
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    # Training

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
        if reset:
            self._seed, self._n_fits = draw_seed(self.random_state), 0
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
        images, targets = _batches(X, y, clean_shape)
        clean_hwc = to_hwc(clean_shape)
        scale = [t // n for t, n in zip(targets[0].shape, images[0].shape, strict=True)]
        target_hwc = targets.shape[1:] if not ragged else _times(clean_hwc, scale)

        image_range = _range(images)
        self._set_target_range(image_range if y is None else _range(targets), reset)
        self.noise_ = self._fit_noise(shape, clean_shape, seeds[0])
        if self.noise_ is not None:
            self.noise_._check_range(*image_range)
        self._set_shapes(clean_shape, target_hwc)
        self._layout, self._ndim = _tensors.Layout(flat), len(shape)
        self._any_size = bool(architecture) and architecture.any_size(self._latent_dim)
        self._field = architecture.receptive_field() if self._any_size else None
        self._check_sizes(images)
        self._check_built(flat, reset)
        self._fitted_activation = self._activation
        self.device_ = _tensors.resolve_device(self.device)
        self.precision_ = _tensors.resolve_precision(
            self.precision, self.device_, convolutional=bool(architecture) and not flat
        )

        with seeded(seeds[1], self.device_):
            module = self._build_module(architecture) if reset else previous.module_
            net = self._build_net(copy.deepcopy(module), flat, partial)
            self._code_shape = self._find_code_shape(net)
            if not reset:
                net.continue_from(previous, keep_optimizer=partial)
            n_before = len(net.history)
            train, valid = self._datasets(images, targets, seeds[2:], partial)
            net.partial_fit(train, valid)
            if valid is not None:
                self._warn_unless_learnt(net, train, valid)
        self.net_ = net
        self.n_iter_ = len(net.history) - n_before
        return self

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
        for name in ("patch_size", "tile_size"):
            if getattr(self, name) is not None and self._field is None:
                raise ValueError(
                    f"{name}={getattr(self, name)} needs a net that takes images of any size; use "
                    'architecture="unet", "dncnn", or "conv" with latent_dim=None.'
                )
        if self.patch_size is not None:
            sides = [n for image in images for n in image.shape[:2] if image.shape[0] > 1]
            smallest = min(sides or [image.shape[1] for image in images])
            if self.patch_size > smallest:
                raise ValueError(
                    f"patch_size={self.patch_size} is larger than the smallest image, whose "
                    f"shorter side has {smallest} pixels; pass patch_size={smallest} or less."
                )
        self._check_tile_size()

    def _check_tile_size(self):
        """Refuse tiles that would be all overlap."""
        if self.tile_size is None:
            return
        smallest = _patches.smallest_tile(*self._field)
        if self.tile_size < smallest:
            raise ValueError(
                f"tile_size={self.tile_size} is no larger than the overlap of the tiles: this net "
                f"sees {self._field[1]} pixels to each side; pass tile_size={smallest} or more."
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
                input_hwc, self.image_shape_ = noisy_hwc, _like(noise_shape, noisy_hwc)
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
        if inspect.isclass(self.noise) or not hasattr(self.noise, "_corrupt"):
            raise TypeError(
                f"noise={self.noise!r} is no injector; pass an object of skdae.noise such as "
                "GaussianNoise(std=0.2)."
            )
        noise = clone(self.noise)
        # Inside a fit, scikit-learn takes the parameters of held estimators for checked.
        noise._validate_params()
        noise.set_params(when="always")
        if noise.random_state is None:
            noise.set_params(random_state=seed % 2**31)
        has_shape = "image_shape" in noise.get_params(deep=False)
        if len(shape) == 2 and has_shape and noise._given_image_shape() is None:
            noise.set_params(image_shape=image_shape)
        noise.n_features_in_ = math.prod(shape[1:])
        noise._set_up(np.broadcast_to(np.float32(0), shape))
        return noise

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
        callbacks = _net.standard_callbacks(
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
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seeds[0]))
        n_validation = 0 if partial else self._n_validation(len(images))
        where = {
            "layout": self._layout,
            "noise": self.noise_,
            "hide": self._hide,
            "device": self.device_,
        }
        if self.patch_size is None:
            tensors = _tensors.data_tensors(images, targets, self.device_)
            make = bind(_tensors.ImageDataset, *tensors, input_hwc=self._input_hwc, **where)
        else:
            stores = _patches.pixel_stores(images, targets, self.device_)
            patch_hw = (min(self.patch_size, images[0].shape[0]), self.patch_size)
            make = bind(_patches.PatchDataset, *stores, patch_hw=patch_hw, **where)
        train = make(indices=order[n_validation:], seed=seeds[0])
        if not n_validation:
            return train, None
        return train, make(indices=order[:n_validation], seed=seeds[1])

    def _warn_unless_learnt(self, net, train, valid):
        """Compare the net with the best answer that does not look at its input."""
        error, constant_error = net.compare_with_constant(
            train, valid, OUTPUT_ACTIVATIONS[self._activation]
        )
        if not error < constant_error:
            warnings.warn(
                f"The net denoises its validation images no better than one constant image would: "
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

    # What a fitted net knows

    @property
    def module_(self) -> nn.Module:
        """The module of the trained net; its output has no activation yet."""
        return self.net_.module_

    @property
    def history_(self) -> list[dict]:
        """One row an epoch: ``epoch``, ``train_loss``, ``valid_loss``, ``lr``, ``dur``."""
        return self.net_.history

    @property
    def _clip(self):
        """Range to which predictions are clipped, or None."""
        low, high = self._target_range
        clips = self._fitted_activation == "identity" and 0 <= low <= high <= 1
        return (low, high) if clips else None

    @property
    def _n_features_out(self):
        """Number of values that `transform` gives for an image."""
        return math.prod(self._target_hwc)

    # Prediction

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
        X_denoised : ndarray of float32, shaped like `X`, or like the targets in super-resolution
            A list of arrays for a list of images of different sizes.
        """
        if is_ragged(X):
            return self._predict_list(X)
        return self._predict(self._check_input(X))

    def _predict_list(self, images):
        """Denoise images of different sizes."""
        return one_by_one(self.predict, check_image_list(images))

    def score(self, X: ArrayLike, y: ArrayLike | None = None) -> float:
        """Minus the mean squared error against the clean images; greater is better, 0 is best.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images; clean ones when `y` is None.
        y : array-like shaped like the denoised images, or None, default=None
            Clean images. With None, or a 1-D array of labels, `X` is clean, and is corrupted by
            ``noise_`` first where there is one; that noise is the same at every call.

        Returns
        -------
        score : float
        """
        check_is_fitted(self)
        if is_ragged(X):
            return super().score(X, y)
        if self.noise_ is None or (y is not None and n_dims(y) != 1):
            return super().score(X, y)
        clean = check_images(X)
        noisy = self._check_values(self.noise_.transform(clean))
        return -float(squared_errors(self._predict(noisy), clean).mean())

    def _check_input(self, X):
        """Check images for the fitted net."""
        check_is_fitted(self)
        return self._check_values(validate_images(self, X, reset=False, any_size=self._any_size))

    def _check_values(self, X):
        """Check size and range of images for the fitted net."""
        if X.dtype == np.float64:
            _tensors.value_range(X)
        expected, got = self._input_hwc, to_batch(X, self.image_shape_).shape[1:]
        if got[2] != expected[2] or (got != expected and not self._any_size):
            raise ValueError(
                f"X has images of shape {got} (height, width, channels), but this "
                f"{type(self).__name__} was fitted on {expected}."
            )
        return X

    def _predict(self, X):
        """Denoise checked images."""
        images = to_batch(X, self.image_shape_)
        if self._field is None:
            return from_batch(self._run("forward", images, self._layout.enter), X.ndim)
        self._check_tile_size()
        sides, tile = images.shape[1:3], self.tile_size
        if tile is None or max(sides) <= tile:
            try:
                return from_batch(self._run("forward", images, self._layout.enter), X.ndim)
            except torch.OutOfMemoryError:
                tile = self._smaller_tile(max(sides))
        return from_batch(self._predict_tiles(images, tile), X.ndim)

    def _predict_tiles(self, images, tile):
        """Denoise a batch tile by tile."""
        scale = [t // n for t, n in zip(self._target_hwc, self._input_hwc, strict=True)]
        out = np.empty((len(images), *_times(images.shape[1:], scale)), dtype=np.float32)

        def run(batch):
            return self._run("forward", batch, self._layout.enter)

        done = 0
        while done < len(images):
            try:
                _patches.in_tiles(run, images[done], out[done], tile, *self._field)
                done += 1
            except torch.OutOfMemoryError:
                tile = self._smaller_tile(tile)
        return out

    def _smaller_tile(self, tile):
        """Half of a tile that did not fit into memory; called where that has been raised."""
        smaller = tile // 2
        if smaller < _patches.smallest_tile(*self._field):
            raise
        warnings.warn(
            f"The memory of {self.device_} does not hold a tile of {tile} pixels; going on with "
            f"tile_size={smaller}.",
            UserWarning,
            stacklevel=4,
        )
        return smaller

    def _run(self, function, X, enter):
        """Run the net and bring its output into the range of images; a channels-last batch."""
        activation = OUTPUT_ACTIVATIONS[self._fitted_activation]
        chunks = []
        for output in self.net_.map_batches(function, X, enter):
            output = self._layout.leave(activation(output), self._target_hwc)
            chunks.append((output.clip(*self._clip) if self._clip else output).numpy())
        return np.ascontiguousarray(np.concatenate(chunks))

    # Files

    def to_onnx(self, path: str | os.PathLike) -> None:
        """Write the trained net as an ONNX file, which runs without skdae and PyTorch.

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
            If the exporter's libraries are missing: ``pip install skdae[onnx]``.

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
        free = self._any_size and self._ndim > 2
        net = UserImages(
            self.module_,
            self._layout,
            OUTPUT_ACTIVATIONS[self._fitted_activation],
            self._clip,
            self._input_hwc,
            self._target_hwc,
            self._ndim,
        )
        export_onnx(net, path, free_size=free)

    def _get_saved_state(self):
        """See `Persistent`; of the net, weights and history are kept."""
        state = super()._get_saved_state()
        net = state.pop("net_", None)
        if net is not None:
            if self._architecture is None:
                raise TypeError(
                    f"The net {type(self.module_).__name__} is a module of your own, which save "
                    "cannot write, because its files hold no code; joblib.dump keeps it."
                )
            del state["device_"]
            state["net_"] = {"weights": _net.saved_weights(net.module_), "history": [*net.history]}
            _net.check_weights(self._build_fitted, state["net_"]["weights"])
        return state

    def _set_saved_state(self, state):
        """See `Persistent`; the net is built anew, on a device of this machine."""
        net = state.pop("net_", None)
        super()._set_saved_state(state)
        if net is None:
            return
        self.device_ = _tensors.resolve_loaded_device(self.device)
        if self.precision == "auto" and self.precision_ == "bfloat16":
            # Where the hardware has it; else float32.
            self.precision_ = _tensors.resolve_precision("auto", self.device_, convolutional=True)
        module = _net.rebuild(self._build_fitted, net["weights"])
        with seeded(0, self.device_):
            self.net_ = self._build_net(module, self._layout.flat, partial=False)
        self.net_.history.extend(net["history"])

    def _build_fitted(self):
        """A net like the fitted one, with fresh weights."""
        latent_dim = self._built[1]
        return self._architecture.build(self._input_hwc, self._target_hwc, latent_dim)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


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


def _like(image_shape, hwc):
    """`hwc` in as many dimensions as `image_shape`."""
    return tuple(hwc[1:2] if len(image_shape) == 1 else hwc[: len(image_shape)])


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


def _batches(X, y, image_shape):
    """Images and targets with height, width and channels; the same object where `y` is None."""
    if is_ragged(X):
        images = [image.reshape(*image.shape[:2], -1) for image in X]
        return images, images if y is None else [t.reshape(*t.shape[:2], -1) for t in y]
    images = to_batch(X, image_shape)
    return images, images if y is None else to_batch(y, _scaled_shape(image_shape, y.size / X.size))


def _range(images):
    """Smallest and largest value of a batch, or of a list of images."""
    ranges = [_tensors.value_range(X) for X in (images if is_ragged(images) else [images])]
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _times(hwc, scale):
    """Height, width and channels, each times its factor."""
    return tuple(n * s for n, s in zip(hwc, scale, strict=True))
