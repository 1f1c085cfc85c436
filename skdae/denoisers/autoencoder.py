"""The denoising autoencoder: a net with the scikit-learn API."""

import math
import os
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted
from torch import nn

from .._checks import FUNCTION
from .._images import batches, image_by_image, in_unit_range, squared_errors, validate_images
from .._training.losses import LOSSES, OUTPUT_ACTIVATIONS, Loss
from .._training.prediction import run_net
from .._training.tasks import CleanTargets
from ..architectures import BaseArchitecture
from .learned import LearnedDenoiser


def _module_has(name):
    """Whether a fitted net has the method `name`; an unfitted one may."""

    def check(estimator):
        module = getattr(estimator, "module_", None)
        if module is not None and not hasattr(module, name):
            raise AttributeError(
                f"This {type(estimator).__name__} has no {name}: the network "
                f"{type(module).__name__} offers no {name}()."
            )
        return True

    return check


def _gives_codes(estimator):
    return estimator.transform_to == "latent" and _module_has("decode")(estimator)


class DenoisingAutoencoder(LearnedDenoiser):
    """A network that learns to denoise images [1]_.

    Train it on pairs, ``fit(X_noisy, X_clean)``, or with ``noise=`` on clean images, which then get
    fresh noise at every step. With ``noise`` and `y`, `X` is corrupted and the target is
    `y`.

    Parameters
    ----------
    architecture : str, architecture object, `torch.nn.Module` or its class, default="auto"
        "linear", "dense", "conv", "unet", "dncnn", or an object of `skdae.architectures` with their
        parameters. "photographs" fine-tunes the network of `PretrainedDenoiser`.
        "auto" is a U-Net for images, signals and volumes, and "dense" for tables: rows whose
        neighbors are no more alike than others. With `latent_dim` it is "dense" for up to 4096
        values, and "conv" for more. A module takes and returns ``(n_samples, n_channels,
        *spatial)``, or ``(n_samples, n_features)`` for flat rows without `image_shape`; an instance
        is copied before training, a class is called without arguments, and methods ``encode`` and
        ``decode`` become the estimator's.
    latent_dim : int or None, default=None
        Number of values in a code, at least 1. None sets no bottleneck besides the architecture's.
    noise : noise model or None, default=None
        An object of `skdae.noise`. Only its levels and clipping count while training.
    image_shape : tuple of int or None, default=None
        Shape of one sample, for flat rows: ``(length,)``, ``(height, width)``, ``(height, width,
        n_channels)`` and so on. None takes rows of a square number of values that look like square
        images for such, and all others for signals.
    channel_axis : {"auto", -1, None}, default="auto"
        -1 if the last axis of `X` holds channels, None if no axis does. "auto" takes the last of
        four axes for channels: of volumes ``(n_samples, depth, height, width)``, pass None, and of
        signals with several leads ``(n_samples, length, n_channels)``, -1.
    missing_values : float, default=nan
        What stands for a missing value, such as -9999, besides NaN and masked values. `predict`
        fills them from those around them, and returns them as they were; `fit` refuses them.
    loss : {"mse", "mae", "huber", "charbonnier", "bce", "ssim"} or callable, default="mse"
        Training loss. A callable takes ``(prediction, target)``, tensors in the network's layout,
        and returns a tensor with one value. "bce" needs targets in [0, 1], and the sigmoid.
    output_activation : {"auto", "identity", "sigmoid", "tanh"}, default="auto"
        "auto" is the sigmoid with ``loss="bce"``. Otherwise it is the identity, and predictions are
        clipped to [0, 1] where the training targets lie in it.
    optimizer : {"adamw", "adam", "sgd", "rmsprop", "muon"}, class or partial, default="adamw"
        A name, a `torch.optim.Optimizer` class, or a `functools.partial` of one with its options,
        as in ``partial(torch.optim.AdamW, betas=(0.9, 0.95))``. "sgd" has a momentum of 0.9. "muon"
        [2]_ makes the directions of each step of a matrix or filter bank equally strong: more time
        per step, fewer steps; learning rates are about those of "adamw".
    lr : float, default=1e-3
        Learning rate, greater than 0; the highest one of a schedule.
    lr_schedule : {"cosine", "onecycle", "plateau"} or None, default="cosine"
        "cosine" falls to 0 over the fit, "onecycle" rises first, "plateau" divides the rate by 5
        when the validation loss (without one, the training loss) has not improved for 3 epochs.
        None keeps the rate.
    weight_decay : float, default=1e-4
        Weight decay, at least 0.
    max_epochs : int or "auto", default="auto"
        Passes over the images. "auto" is 20. For ``architecture="auto"``, it depends on their
        number and size: for the U-Net, from 6 to 20, as many as show 20 million pixels, or 12,000
        signals; with `latent_dim`, up to 40 where the images are few and small.
    max_steps : int or None, default=None
        Number of training steps, of one batch each, in place of `max_epochs`: a budget that depends
        neither on the number of images nor on their size. The last epoch ends where it is spent.
    batch_size : int, default=32
        Images per step.
    validation_fraction : float or None, default=0.1
        Share in [0, 1) of the images set aside to watch the loss. 0 and None train on all.
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
        Precision of the network while it trains and predicts; the weights and the last layer stay
        float32. "auto" takes bfloat16 for skdae's convolutional networks on hardware that has it.
    compile : bool, default=False
        Whether to compile the network with `torch.compile`.
    tile_size : int or None, default=None
        Side in pixels of the tiles that larger images are denoised in, with an overlap that makes
        the result the same; it bounds the memory of `predict`. Needs a network that takes images of
        any size. None denoises images in one piece, unless the memory of a GPU is too small for
        that.
    patch_size : int, "auto" or None, default="auto"
        Side in pixels of the crops to train on, drawn afresh in each epoch, flipped and turned by
        quarters; an epoch shows about as many pixels as the images hold, and 10 batches at least.
        Needs a network that takes images of any size; the images may then have different sizes, as
        a list of arrays. "auto" is 64 where the network takes any size and both sides of the images
        have more than 96 pixels, and for lists (or the shortest side, if that is less); else None,
        which trains on whole images.
    callbacks : list of skorch callbacks or None, default=None
        Called while training, as in skorch.
    checkpoint : str, path or None, default=None
        File that keeps the state of training. `fit` writes it after each epoch, and goes on from
        it when it is called again with the same data and parameters, in another process too: the
        weights are those of uninterrupted training, bit by bit, on the same machine with the same
        number of threads. A finished fit is not repeated. The file of another fit is an error;
        `device`, `precision` and the versions of skdae and PyTorch count, while `callbacks`,
        `tile_size`, `transform_to`, `verbose` and `warm_start` are free to change. With
        ``random_state=None`` the seed is the file's. Of your own `callbacks`, modules and
        losses, what their ``state_dict`` gives is kept. One file serves one fit, not the many of
        a `GridSearchCV`. None writes none.
    warm_start : bool, default=False
        Whether `fit` starts from the weights of the fit before; each such fit needs its own
        `checkpoint`.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, order of the images, validation split, dropout and noise. The same int
        gives the same bits on the same machine with the same number of threads.
    verbose : {0, 1, 2}, default=0
        0 is silent, 1 shows a bar, 2 prints one line per epoch.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained network.
    module_ : torch.nn.Module
        Its module; the output has no activation yet.
    image_shape_ : tuple of int
        Shape of one image; of a crop where the images had different sizes.
    channel_axis_ : int or None
        -1 if an axis holds channels, else None.
    history_ : list of dict
        One row per epoch: ``epoch``, ``train_loss``, ``valid_loss``, ``lr``, ``dur`` in seconds.
    scaling_ : tuple of float
        Offset and scale of the units in which the network computes, in those of the images: (0, 1)
        where the training targets lie in [0, 1]. The losses in `history_` are in the network's
        units.
    n_iter_ : int
        Number of epochs run.
    n_samples_fit_ : int
        Number of images of the last `fit`.
    noise_ : noise model or None
        Fitted copy of `noise`, for `score`.
    device_ : torch.device
        Where the network is.
    precision_ : str
        The precision in use.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    skdae.filters.MedianFilter : A denoiser that needs no training.

    References
    ----------
    .. [1] Vincent, P., Larochelle, H., Bengio, Y. and Manzagol, P.-A. (2008). "Extracting and
       composing robust features with denoising autoencoders". ICML.
    .. [2] Jordan, K. et al. (2024). "Muon: An optimizer for hidden layers in neural networks".
       https://kellerjordan.github.io/posts/muon/

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
        **LearnedDenoiser._parameter_constraints,
        "latent_dim": [Interval(Integral, 1, None, closed="left"), None],
        "loss": [StrOptions(LOSSES.keys()), FUNCTION],
        "output_activation": [StrOptions({"auto", *OUTPUT_ACTIVATIONS})],
        "transform_to": [StrOptions({"denoised", "latent"})],
    }

    def __init__(
        self,
        architecture: str | BaseArchitecture | nn.Module | type[nn.Module] = "auto",
        *,
        latent_dim: int | None = None,
        noise: Any = None,
        image_shape: tuple[int, ...] | None = None,
        channel_axis: int | str | None = "auto",
        missing_values: float = math.nan,
        loss: str | Callable = "mse",
        output_activation: str = "auto",
        optimizer: str | type[torch.optim.Optimizer] = "adamw",
        lr: float = 1e-3,
        lr_schedule: str | None = "cosine",
        weight_decay: float = 1e-4,
        max_epochs: int | str = "auto",
        max_steps: int | None = None,
        batch_size: int = 32,
        validation_fraction: float | None = 0.1,
        early_stopping: bool = False,
        patience: int = 5,
        transform_to: str = "denoised",
        device: str | torch.device = "auto",
        precision: str = "auto",
        compile: bool = False,
        tile_size: int | None = None,
        patch_size: int | str | None = "auto",
        callbacks: list | None = None,
        checkpoint: str | os.PathLike | None = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.architecture = architecture
        self.latent_dim = latent_dim
        self.noise = noise
        self.image_shape = image_shape
        self.channel_axis = channel_axis
        self.missing_values = missing_values
        self.loss = loss
        self.output_activation = output_activation
        self.optimizer = optimizer
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.max_epochs = max_epochs
        self.max_steps = max_steps
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.patience = patience
        self.transform_to = transform_to
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

    # Training

    @property
    def _activation(self):
        if self.loss == "bce" and self.output_activation not in ("auto", "sigmoid"):
            raise ValueError(
                'loss="bce" has no gradient outside [0, 1], which output_activation='
                f'{self.output_activation!r} leaves; use "sigmoid" or "auto".'
            )
        if self.output_activation == "auto":
            return "sigmoid" if self.loss == "bce" else "identity"
        return self.output_activation

    def _task(self, plan, noise, data):
        if self.loss == "bce" and not in_unit_range(plan.target_range):
            low, high = plan.target_range
            raise ValueError(
                f'loss="bce" needs targets in [0, 1], but they span [{low:.3g}, {high:.3g}]; scale '
                'the images, or use loss="mse".'
            )
        if self.transform_to == "latent" and plan.code_shape is None:
            raise ValueError(
                'transform_to="latent" needs a network with codes, but that of architecture='
                f"{plan.architecture_name} has no encode()."
            )
        rows_shape = plan.shape if plan.flat else None
        return CleanTargets(Loss(self.loss, plan.activation, rows_shape, plan.net_range), noise)

    @classmethod
    def _upgraded(cls, parameters, state):
        """See `Persistent`."""
        if parameters.get("loss") == "gaussian_nll":
            # Its images were those of the squared error.
            parameters = {**parameters, "loss": "mse"}
        return parameters, state

    # Codes

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Names of the features that `transform` returns, for flat rows.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the input features; by default those seen in `fit`, else ``x0``, ``x1``, ....

        Returns
        -------
        names : ndarray of str
            The input's names; of codes, the lower-case class name with a number.
        """
        if self.transform_to == "denoised":
            return super().get_feature_names_out(input_features)
        check_is_fitted(self)
        name, n_codes = type(self).__name__.lower(), math.prod(self._plan.code_shape)
        return np.array([f"{name}{i}" for i in range(n_codes)], dtype=object)

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
        X = validate_images(self, X, reset=False)
        net = self.net_
        codes = net.map_batches("encode", net.plan.batch_of(X), net.plan.to_net)
        return np.concatenate([code.flatten(1).numpy() for code in codes])

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
        # What float32 does not hold becomes infinity, which is refused.
        with np.errstate(over="ignore", invalid="ignore"):
            codes = check_array(Z, dtype=np.float32, input_name="Z")
        net = self.net_
        code_shape = net.plan.code_shape or ()
        n_codes = math.prod(code_shape)
        if codes.shape[1] != n_codes:
            raise ValueError(
                f"Z has {codes.shape[1]} values per code, but {type(self).__name__} was fitted "
                f"with {n_codes}; pass what encode(X) returns."
            )
        codes = codes.reshape(-1, *code_shape)
        images = run_net(net, "decode", codes, lambda codes: codes)
        return images.reshape(len(images), *net.plan.users_shape)

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

    @image_by_image(np.concatenate, targets=None)
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
        checked = validate_images(self, X, reset=False)
        parts = [checked[rows] for rows in batches(checked)]
        errors = np.concatenate([squared_errors(part, self._predict(part)) for part in parts])
        # What float32 does not hold is infinite.
        with np.errstate(over="ignore"):
            return -errors.astype(np.float32)
