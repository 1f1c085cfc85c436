"""The denoising autoencoder: a net under the scikit-learn contract."""

import copy
import inspect
import math
import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import _fit_context, clone
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted
from torch import nn

from . import _net, _tensors
from ._images import (
    BaseDenoiser,
    check_images,
    check_target,
    from_batch,
    guess_image_shape,
    n_dims,
    resolve_image_shape,
    squared_errors,
    to_batch,
    to_hwc,
    unchanged_on_error,
    validate_images,
)
from ._losses import LOSSES, OUTPUT_ACTIVATIONS, Loss
from ._random import draw_seed, seeded
from .architectures import ARCHITECTURES, BaseArchitecture


def _module_has(name):
    """Whether a fitted net has the method `name`; an unfitted one may."""

    def check(estimator):
        module = getattr(estimator, "module_", None)
        if module is not None and not hasattr(module, name):
            raise AttributeError(
                f"This {type(estimator).__name__} has no {name}: the net "
                f"{type(module).__name__} offers no {name}()."
            )
        return True

    return check


def _gives_codes(estimator):
    return estimator.transform_to == "latent" and _module_has("decode")(estimator)


class DenoisingAutoencoder(BaseDenoiser):
    """A net that learns to turn noisy images into clean ones.

    Train it on pairs, ``fit(X_noisy, X_clean)``, or with ``noise=`` on clean images alone, which
    are corrupted afresh at every step. With ``noise`` and `y`, `X` is corrupted and the target is
    `y`.

    Parameters
    ----------
    architecture : str, architecture object, `torch.nn.Module` or its class, default="auto"
        "linear", "dense", "conv", or an object of `skdae.architectures` with their parameters.
        "auto" is "conv" for images and "dense" for flat rows without `image_shape`. A module takes
        and returns ``(n_samples, n_channels, height, width)`` for images, ``(n_samples,
        n_features)`` for flat rows without `image_shape`; an instance is copied before training, a
        class is called without arguments, and methods ``encode`` and ``decode`` become the
        estimator's.
    latent_dim : int or None, default=None
        Number of values in a code, at least 1. None sets no bottleneck beside the architecture's.
    noise : injector or None, default=None
        An object of `skdae.noise`. Only its levels and clipping count while training.
    image_shape : tuple of int or None, default=None
        ``(height, width)``, ``(height, width, n_channels)`` or ``(length,)`` of flat rows. None
        means, for nets that look at neighbours, a square grey image, or a 1-D signal where the
        number of values is no square.
    loss : {"mse", "mae", "huber", "charbonnier", "bce", "ssim"} or callable, default="mse"
        Training loss. A callable takes ``(prediction, target)``, tensors in the net's layout, and
        returns a tensor with one value. "bce" needs targets in [0, 1].
    output_activation : {"auto", "identity", "sigmoid", "tanh"}, default="auto"
        "auto" is the sigmoid with ``loss="bce"``. Otherwise it is the identity, and predictions are
        clipped to the range of the training targets when that lies in [0, 1].
    optimizer : {"adamw", "adam", "sgd", "rmsprop"} or class, default="adamw"
        A name, or a `torch.optim.Optimizer` class. "sgd" has a momentum of 0.9.
    lr : float, default=2e-3
        Learning rate, greater than 0; the highest one of a schedule.
    lr_schedule : {"cosine", "onecycle", "plateau"} or None, default="cosine"
        "cosine" falls to 0 over the fit, "onecycle" rises first, "plateau" divides the rate by 5
        when the validation loss has not improved for 3 epochs. None keeps the rate.
    weight_decay : float, default=1e-4
        Weight decay, at least 0.
    max_epochs : int, default=20
        Passes over the images.
    batch_size : int, default=128
        Images a step.
    validation_fraction : float or None, default=0.1
        Share in (0, 1) of the images set aside to watch the loss. None trains on all.
    early_stopping : bool, default=False
        Whether to stop when the validation loss has not improved for `patience` epochs, and to go
        back to the best weights.
    patience : int, default=5
        See `early_stopping`.
    transform_to : {"denoised", "latent"}, default="denoised"
        What `transform` returns: denoised images, or codes.
    device : str or `torch.device`, default="auto"
        "auto" takes CUDA where there is one, else the CPU.
    precision : {"auto", "float32", "bfloat16", "float16"}, default="auto"
        Precision of the net while it trains and predicts; the weights and the last layer stay
        float32. "auto" takes bfloat16 for skdae's convolutional nets on hardware that has it.
    compile : bool, default=False
        Whether to compile the net with `torch.compile`.
    callbacks : list of skorch callbacks or None, default=None
        Called while training, as in skorch.
    warm_start : bool, default=False
        Whether `fit` starts from the weights of the fit before.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, order of the images, validation split, dropout and noise. The same int
        gives the same bits on the same machine with the same number of threads.
    verbose : {0, 1, 2}, default=0
        0 is silent, 1 shows a bar, 2 prints a line an epoch.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net.
    module_ : torch.nn.Module
        Its module; the output has no activation yet.
    image_shape_ : tuple of int
        Shape of one image.
    history_ : list of dict
        One row an epoch: ``epoch``, ``train_loss``, ``valid_loss``, ``lr``, ``dur`` in seconds.
    n_iter_ : int
        Number of epochs run.
    noise_ : injector or None
        Fitted copy of `noise`, for `score`.
    device_ : torch.device
        Where the net is.
    precision_ : str
        The precision in use.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    MedianFilter : A denoiser that learns nothing.

    References
    ----------
    .. [1] Vincent, P., Larochelle, H., Bengio, Y. and Manzagol, P.-A. (2008). "Extracting and
       composing robust features with denoising autoencoders". ICML.

    Examples
    --------
    >>> from skdae import DenoisingAutoencoder, GaussianNoise
    >>> from skdae.datasets import load_digits_images
    >>> X_clean = load_digits_images().images
    >>> noise = GaussianNoise(std=0.3, random_state=0)
    >>> dae = DenoisingAutoencoder("dense", noise=noise, max_epochs=5, random_state=0).fit(X_clean)
    >>> X_noisy = noise.fit_transform(X_clean)
    >>> dae.predict(X_noisy).shape
    (1797, 8, 8)
    >>> bool(dae.score(X_noisy, X_clean) > -((X_noisy - X_clean) ** 2).mean())
    True
    """

    _parameter_constraints: dict = {
        "architecture": [StrOptions({"auto", *ARCHITECTURES}), BaseArchitecture, nn.Module, type],
        "latent_dim": [Interval(Integral, 1, None, closed="left"), None],
        "noise": "no_validation",
        "image_shape": [tuple, list, None],
        "loss": [StrOptions(set(LOSSES)), callable],
        "output_activation": [StrOptions({"auto", *OUTPUT_ACTIVATIONS})],
        "optimizer": [StrOptions(set(_net.OPTIMIZERS)), type],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions(set(_net.LR_SCHEDULES)), None],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "early_stopping": ["boolean"],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "transform_to": [StrOptions({"denoised", "latent"})],
        "device": [str, torch.device],
        "precision": [StrOptions({"auto", "float32", "bfloat16", "float16"})],
        "compile": ["boolean"],
        "callbacks": [list, tuple, None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        architecture: str | BaseArchitecture | nn.Module | type[nn.Module] = "auto",
        *,
        latent_dim: int | None = None,
        noise: Any = None,
        image_shape: tuple[int, ...] | None = None,
        loss: str | Callable = "mse",
        output_activation: str = "auto",
        optimizer: str | type[torch.optim.Optimizer] = "adamw",
        lr: float = 2e-3,
        lr_schedule: str | None = "cosine",
        weight_decay: float = 1e-4,
        max_epochs: int = 20,
        batch_size: int = 128,
        validation_fraction: float | None = 0.1,
        early_stopping: bool = False,
        patience: int = 5,
        transform_to: str = "denoised",
        device: str | torch.device = "auto",
        precision: str = "auto",
        compile: bool = False,
        callbacks: list | None = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.architecture = architecture
        self.latent_dim = latent_dim
        self.noise = noise
        self.image_shape = image_shape
        self.loss = loss
        self.output_activation = output_activation
        self.optimizer = optimizer
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.patience = patience
        self.transform_to = transform_to
        self.device = device
        self.precision = precision
        self.compile = compile
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    # Training

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> "DenoisingAutoencoder":
        """Train the net.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images; clean ones when `noise` is set. At least 2.
        y : array-like or None, default=None
            Targets: clean images, or second noisy ones, shaped like `X`, or with height and width a
            whole number of times larger or smaller. None, or a 1-D array of labels, means `X`
            itself.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If shapes do not fit, values are not finite, a parameter is out of range, or the loss
            diverges in the first epoch. The fitted state from before is kept.
        """
        previous = self.net_ if self.warm_start and hasattr(self, "net_") else None
        with unchanged_on_error(self):
            return self._fit(X, y, previous)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: ArrayLike, y: ArrayLike | None = None) -> "DenoisingAutoencoder":
        """Train one epoch on a part of the data, with a constant learning rate and no validation.

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
        X = validate_images(self, X, reset=reset, min_samples=1 if partial else 2)
        self._n_clean_features = self.n_features_in_
        y = None if is_plain else check_target(X, y)
        if y is None and self.noise is None and not is_plain:
            _warn_plain_autoencoder()
        if self.early_stopping and not partial and not self._n_validation(len(X)):
            raise ValueError(
                f"early_stopping=True watches the validation loss, but validation_fraction="
                f"{self.validation_fraction} of {len(X)} images leaves none; raise it."
            )
        if reset:
            self._seed, self._n_fits = draw_seed(self.random_state), 0
        self._n_fits += 1
        seeds = np.random.SeedSequence([self._seed, self._n_fits]).generate_state(4).tolist()

        architecture = self._resolve_architecture(X)
        flat = architecture.flat if architecture else X.ndim == 2 and self.image_shape is None
        clean_shape = self._resolve_image_shape(X, flat)
        images = to_batch(X, clean_shape)
        targets = images if y is None else to_batch(y, _scaled_shape(clean_shape, y.size / X.size))
        image_range = _tensors.value_range(images)
        self._set_target_range(image_range if y is None else _tensors.value_range(targets), reset)
        self.noise_ = self._fit_noise(X, clean_shape, seeds[0])
        if self.noise_ is not None:
            self.noise_._check_range(*image_range)
        self._set_shapes(X, clean_shape, targets.shape[1:])
        self._layout, self._ndim = _tensors.Layout(flat), X.ndim
        self._any_size = bool(architecture) and architecture.any_size(self.latent_dim)
        built = (repr(self.architecture), self.latent_dim, flat, self._input_hwc, self._target_hwc)
        if not reset and built != self._built:
            raise ValueError(
                "The net that goes on training was built for architecture, latent_dim, flat rows, "
                f"input and target {self._built}, but now these are {built}; fit a new one with "
                "warm_start=False."
            )
        self._built = built
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
            net.partial_fit(*self._datasets(images, targets, seeds[2:], partial))
        self.net_ = net
        self.n_iter_ = len(net.history) - n_before
        return self

    def _set_shapes(self, X, clean_shape, target_hwc):
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

    def _resolve_architecture(self, X):
        """The parameter object of the architecture, or None where a module stands in its place."""
        architecture = self.architecture
        if architecture == "auto":
            architecture = "dense" if X.ndim == 2 and self.image_shape is None else "conv"
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
        if self.latent_dim is not None:
            raise ValueError(
                f"latent_dim={self.latent_dim} has no effect on a module of your own; build the "
                "module with the code that you want, and leave latent_dim=None."
            )
        return None

    def set_params(self, **params: Any) -> "DenoisingAutoencoder":
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

    def _resolve_image_shape(self, X, flat):
        """Shape of one image; nets that take rows need no image, so a guess will do for them."""
        if flat and X.ndim == 2 and self.image_shape is None:
            return guess_image_shape(X.shape[1])
        return resolve_image_shape(X.shape, self.image_shape)

    def _fit_noise(self, X, image_shape, seed):
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
        if X.ndim == 2 and has_shape and noise._given_image_shape() is None:
            noise.set_params(image_shape=image_shape)
        noise.n_features_in_ = math.prod(X.shape[1:])
        noise._set_up(X)
        return noise

    def _set_target_range(self, target_range, reset):
        """Remember the range of all targets seen, and hold it against the loss."""
        low, high = target_range
        if self.loss == "bce" and not 0 <= low <= high <= 1:
            raise ValueError(
                f'loss="bce" needs targets in [0, 1], but they span [{low:.3g}, {high:.3g}]; scale '
                'the images, or use loss="mse".'
            )
        if not reset:
            low, high = min(low, self._target_range[0]), max(high, self._target_range[1])
        self._target_range = (low, high)

    def _build_module(self, architecture):
        """A net with fresh weights, or the user's own."""
        if architecture:
            return architecture.build(self._input_hwc, self._target_hwc, self.latent_dim)
        return self.architecture() if inspect.isclass(self.architecture) else self.architecture

    def _build_net(self, module, flat, partial):
        """An initialised skorch net around `module`."""
        if self.transform_to == "latent" and not hasattr(module, "encode"):
            raise ValueError(
                f'transform_to="latent" needs a net with codes, but {type(module).__name__} has no '
                "encode()."
            )
        module = module.float()
        if not flat:
            module = module.to(memory_format=torch.channels_last)
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
        net = _net.ImageNet(
            module,
            Loss(self.loss, self._activation, self._target_hwc if flat else None),
            precision=self.precision_,
            lr_schedule=None if partial else self.lr_schedule,
            optimizer=optimizer,
            lr=self.lr,
            max_epochs=1 if partial else self.max_epochs,
            batch_size=self.batch_size,
            device=self.device_,
            compile=self.compile,
            callbacks=[*callbacks, *(self.callbacks or [])],
            verbose=int(self.verbose > 1),
            **{f"optimizer__{name}": value for name, value in options.items()},
        )
        return net.initialize()

    def _n_validation(self, n_samples):
        """Number of images set aside."""
        return int(n_samples * (self.validation_fraction or 0))

    def _datasets(self, images, targets, seeds, partial):
        """Training and validation data; the latter is None where no images are set aside."""
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seeds[0]))
        n_validation = 0 if partial else self._n_validation(len(images))
        data = (
            *_tensors.data_tensors(images, targets, self.device_),
            self._layout,
            self.noise_,
            self._input_hwc,
            self.device_,
        )
        train = _tensors.ImageDataset(*data, indices=order[n_validation:], seed=seeds[0])
        if not n_validation:
            return train, None
        return train, _tensors.ImageDataset(*data, indices=order[:n_validation], seed=seeds[1])

    @property
    def _activation(self):
        """Name of the output activation."""
        if self.output_activation == "auto":
            return "sigmoid" if self.loss == "bce" else "identity"
        return self.output_activation

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
    def _n_features_out(self):
        """Number of values that `transform` gives for an image."""
        codes = self.transform_to == "latent"
        return math.prod(self._code_shape if codes else self._target_hwc)

    @property
    def _one_to_one(self):
        """Codes are no pixels, be there as many of them."""
        return self.transform_to == "denoised" and super()._one_to_one

    # Prediction

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Denoise images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images. They may have another size than at fit where the architecture is a
            `Conv` without `latent_dim`.

        Returns
        -------
        X_denoised : ndarray of float32, shaped like `X`, or like the targets in super-resolution
        """
        return self._predict(self._check_input(X))

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Denoise images, or give their codes with ``transform_to="latent"``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images.

        Returns
        -------
        X_out : ndarray of float32
            Denoised images as from `predict`, or codes ``(n_samples, n_codes)``.
        """
        return self.encode(X) if self.transform_to == "latent" else self.predict(X)

    @available_if(_module_has("encode"))
    def encode(self, X: ArrayLike) -> np.ndarray:
        """Codes of images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images.

        Returns
        -------
        Z : ndarray of float32 of shape (n_samples, n_codes)
        """
        images = to_batch(self._check_input(X), self.image_shape_)
        batches = self.net_.map_batches("encode", images, self._layout.enter)
        return np.concatenate([code.flatten(1).numpy() for code in batches])

    @available_if(_module_has("decode"))
    def decode(self, Z: ArrayLike) -> np.ndarray:
        """Images of codes; ``decode(encode(X))`` equals ``predict(X)``.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_codes)

        Returns
        -------
        X_denoised : ndarray of float32
            Images of the size at fit; flat rows where `fit` got flat rows.
        """
        check_is_fitted(self)
        codes = check_array(Z, dtype=np.float32, input_name="Z")
        n_codes = math.prod(self._code_shape)
        if codes.shape[1] != n_codes:
            raise ValueError(
                f"Z has {codes.shape[1]} values a code, but {type(self).__name__} was fitted with "
                f"{n_codes}; pass what encode(X) returns."
            )
        codes = codes.reshape(-1, *self._code_shape)
        return from_batch(self._run("decode", codes, lambda codes: codes), self._ndim)

    @available_if(_gives_codes)
    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Images of codes; there with ``transform_to="latent"``, the same as `decode`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_codes)

        Returns
        -------
        X_denoised : ndarray of float32
        """
        return self.decode(X)

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
        if self.noise_ is None or (y is not None and n_dims(y) != 1):
            return super().score(X, y)
        clean = check_images(X)
        return -float(squared_errors(self._predict(self.noise_.transform(clean)), clean).mean())

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """Minus the mean squared reconstruction error of each image.

        An image unlike those of the training has a low score.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)

        Returns
        -------
        scores : ndarray of float32 of shape (n_samples,)
        """
        checked = self._check_input(X)
        return -squared_errors(checked, self._predict(checked)).astype(np.float32)

    def _check_input(self, X):
        """Check images for the fitted net."""
        check_is_fitted(self)
        X = validate_images(self, X, reset=False, any_size=self._any_size)
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
        return from_batch(self._run("forward", images, self._layout.enter), X.ndim)

    def _run(self, function, X, enter):
        """Run the net and bring its output into the range of images; a channels-last batch."""
        activation = OUTPUT_ACTIVATIONS[self._fitted_activation]
        low, high = self._target_range
        clips = self._fitted_activation == "identity" and 0 <= low <= high <= 1
        chunks = []
        for output in self.net_.map_batches(function, X, enter):
            output = self._layout.leave(activation(output), self._target_hwc)
            chunks.append((output.clip(low, high) if clips else output).numpy())
        return np.ascontiguousarray(np.concatenate(chunks))

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
