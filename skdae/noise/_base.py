"""What all noise injectors share: checks, seeds, clipping, and one verb for arrays and tensors."""

import inspect
import math
from abc import ABC, abstractmethod
from functools import wraps
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import TransformerMixin, clone
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._checks import CheckedEstimator, Is, fit_context, tuple_of
from .._files.estimators import SaveMixin
from .._images import (
    first_image,
    from_nhwc,
    image_by_image,
    image_list,
    refuse_overflow,
    resolve_image_shape,
    to_float,
    to_hwc,
    to_nhwc,
    validate_images,
    warn_user,
)
from .._random import KeyedGenerator, draw_seed
from ..base import ImageFeaturesOutMixin, unchanged_on_error

# Images per step of `transform`: their noise stays in the processor's cache.
_CHUNK = 512


class LevelRange(Interval):
    """Constraint on a noise level that may be one number or a pair ``(low, high)`` of them."""

    def is_satisfied_by(self, val):
        """Whether `val` is a pair of numbers in the interval, in rising order."""
        return (
            isinstance(val, tuple | list)
            and len(val) == 2
            and all(super(LevelRange, self).is_satisfied_by(v) for v in val)
            and val[0] <= val[1]
        )

    def __str__(self):
        return f"a pair (low, high) of {super().__str__()}, low <= high"


_HOLDS_NUMBERS = tuple_of(Real, "")
_CLIP = Is(
    lambda v: _HOLDS_NUMBERS.is_satisfied_by(v) and len(v) == 2 and v[0] < v[1],
    "a pair (low, high) with low < high",
)


def level(kind, low, high):
    """Constraints of a level: a number in an interval, or a pair of such numbers."""
    closed = "left" if high is None else "both"
    return [Interval(kind, low, high, closed=closed), LevelRange(kind, low, high, closed=closed)]


def replaced(images, where, value):
    """Arrays or tensors that show `value` at the places `where`, in their own dtype."""
    # Torch would make a number of its default dtype of a float times a mask.
    own = 0 * images[:1, :1, :1, :1] + float(value)
    return images * ~where + own * where


def _with_common_parameters(init):
    """Let an ``__init__`` that leaves out some of the common parameters take them all the same."""
    own = inspect.signature(init).parameters.values()
    names = {parameter.name for parameter in own}
    common = [p for p in inspect.signature(BaseNoise).parameters.values() if p.name not in names]

    @wraps(init)
    def __init__(self, *args, **kwargs):
        given = {p.name: kwargs.pop(p.name) for p in common if p.name in kwargs}
        init(self, *args, **kwargs)
        vars(self).update(given)

    # scikit-learn reads the parameters of an estimator from the signature.
    named = [p for p in own if p.kind is not p.VAR_KEYWORD]
    __init__.__signature__ = inspect.Signature([*named, *common])
    return __init__ if common else init


def check_noise(noise):
    """The injector; a TypeError where it is not one."""
    if not isinstance(noise, BaseNoise):
        raise TypeError(
            f"noise={noise!r} is not an injector; pass an object of skdae.noise, such as "
            "GaussianNoise(0.2), or NoiseSequence([...]) for several."
        )
    return noise


class BaseNoise(SaveMixin, ImageFeaturesOutMixin, TransformerMixin, CheckedEstimator, ABC):
    """Base class of the noise injectors; write your own by giving it `_corrupt`.

    A subclass has the verb ``_corrupt(images, rng)`` and, for parameters of its own, an
    ``__init__`` that remembers them and ``_parameter_constraints``. Every noise also takes the
    parameters below, whether its ``__init__`` names them or not. In the verb, `images` has shape
    ``(n_samples, height, width, n_channels)``, and `rng` offers ``normal(loc, scale, size)``,
    ``uniform(low, high, size)``, ``integers(low, high, size)`` and ``poisson(rates)``. The verb
    gets NumPy arrays in `transform`, and torch tensors where a denoiser corrupts its batches while
    it trains; operators and methods that both know serve both.

    Parameters
    ----------
    clip : (float, float) or None, default=(0.0, 1.0)
        Range to which the noisy images are clipped. None does not clip.
    when : {"always", "fit"}, default="always"
        "fit" adds noise in `fit_transform` alone, so that a Pipeline predicts without it.
    random_state : int, RandomState instance or None, default=None
        Seed. With the pixels of an image it decides its noise. None draws a seed in `fit`.

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
    seed_ : int
        The seed that, with the pixels of an image, decides its noise.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae.noise import BaseNoise
    >>> class DeadColumns(BaseNoise):
    ...     def __init__(self, share=0.25):
    ...         self.share = share
    ...
    ...     def _corrupt(self, images, rng):
    ...         n, _, width, _ = images.shape
    ...         return images * (rng.uniform(0.0, 1.0, (n, 1, width, 1)) > self.share)
    >>> DeadColumns(random_state=1).fit_transform(np.ones((1, 2, 6)))
    array([[[1., 1., 1., 0., 1., 0.],
            [1., 1., 1., 0., 1., 0.]]])
    """

    _parameter_constraints: dict = {
        "clip": [_CLIP, None],
        "when": [StrOptions({"always", "fit"})],
        "random_state": ["random_state"],
    }

    # Those of a subclass whose __init__ does not call this class's.
    clip: tuple[float, float] | None = (0.0, 1.0)
    when: str = "always"
    random_state: int | np.random.RandomState | None = None

    def __init__(
        self,
        *,
        clip: tuple[float, float] | None = (0.0, 1.0),
        when: str = "always",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.clip = clip
        self.when = when
        self.random_state = random_state

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        hidden = set(BaseNoise._parameter_constraints) & set(vars(cls))
        if hidden:
            raise TypeError(
                f"{sorted(hidden)} of {cls.__name__} are parameters, which hide attributes of the "
                "class; give them to super().__init__ in its __init__."
            )
        if "__init__" in vars(cls):
            cls.__init__ = _with_common_parameters(cls.__init__)

    # Whether flat rows must be seen as images, because neighbours or channels matter.
    _spatial = False

    @fit_context(skip_nested=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Remember the shape of the images, and draw a seed if `random_state` is None.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Clean images.
        y : Ignored

        Returns
        -------
        self : object
        """
        with unchanged_on_error(self):
            images = validate_images(self, first_image(X), reset=True)
            self._set_up(images.shape)
            scale = 255 if images.dtype == np.uint8 else 1
            self.warn_if_clipped(images.min() / scale, images.max() / scale)
        return self

    def for_training(self, batch_shape, image_shape, seed):
        """A clone fitted to the shape of a batch, for a denoiser that corrupts its own batches.

        Parameters
        ----------
        batch_shape : tuple of int
            Shape of the clean images.
        image_shape : tuple of int
            Shape of one image, for a noise that got none and must see flat rows as images.
        seed : int
            Used where `random_state` is None.

        Returns
        -------
        noise : injector
        """
        noise = clone(self)
        # Inside a fit, scikit-learn takes the parameters of held estimators for checked.
        noise._validate_params()
        noise.when = "always"
        if noise.random_state is None:
            noise.random_state = seed % 2**31
        has_shape = "image_shape" in noise.get_params(deep=False)
        if len(batch_shape) == 2 and has_shape and noise._given_image_shape() is None:
            noise.image_shape = image_shape
        noise.n_features_in_ = math.prod(batch_shape[1:])
        noise._set_up(batch_shape)
        return noise

    def output_shape(self, image_shape):
        """Shape of a corrupted image; some noises change the size."""
        hwc = self._output_hwc(to_hwc(image_shape))
        return tuple(hwc[1:2] if len(image_shape) == 1 else hwc[: len(image_shape)])

    def _set_up(self, batch_shape):
        """Fit to the shape of a batch."""
        given = self._given_image_shape()
        if given is None and not self._spatial and len(batch_shape) == 2:
            # Where neighbours do not matter, flat rows are signals of any length.
            given = batch_shape[1:]
        self.image_shape_ = resolve_image_shape(batch_shape, given)
        self._n_features_out = math.prod(self.output_shape(self.image_shape_))
        self.seed_ = draw_seed(self.random_state)

    def warn_if_clipped(self, low, high):
        """Warn where clipping would change the images themselves, not only their noise."""
        if self.clip is None:
            return
        margin = 0.1 * (self.clip[1] - self.clip[0])
        if low < self.clip[0] - margin or high > self.clip[1] + margin:
            warn_user(
                f"X spans [{low:.3g}, {high:.3g}], but {type(self).__name__} clips noisy images to "
                f"clip={tuple(self.clip)}. Pass uint8 images, or divide by 255, to have [0, 1]; or "
                "set clip=None."
            )

    @image_by_image(image_list)
    def transform(self, X: ArrayLike) -> np.ndarray:
        """Corrupt images; an image gets the same noise in any batch, order and process.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Clean images. Images, unlike flat rows, may have another size than at fit, and images
            of different sizes may come as a list of arrays.

        Returns
        -------
        X_noisy : ndarray, shaped like `X`
            With ``when="fit"`` this is `X` itself.
        """
        check_is_fitted(self)
        images = validate_images(self, X, reset=False, any_size=True)
        return to_float(images) if self.when == "fit" else self._corrupt_keyed(images, warn=True)

    def fit_transform(self, X: ArrayLike, y: Any = None) -> np.ndarray:
        """Fit, and corrupt `X`; this adds noise also with ``when="fit"``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Clean images.
        y : Ignored

        Returns
        -------
        X_noisy : ndarray, shaped like `X`
        """
        return self.fit(X).add_noise(X, warn=True)

    @image_by_image(image_list)
    def add_noise(self, X: ArrayLike, *, warn: bool = False) -> np.ndarray:
        """Corrupt images as `transform` does, whatever `when` and `set_output` say.

        Denoisers and scorers call this.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Clean images.
        warn : bool, default=False
            Whether to warn where many images are equal, and share their noise.

        Returns
        -------
        X_noisy : ndarray, shaped like `X`
        """
        check_is_fitted(self)
        return self._corrupt_keyed(validate_images(self, X, reset=False, any_size=True), warn)

    def _corrupt_keyed(self, X, warn):
        """Corrupt a validated batch with noise keyed by its images."""
        keys = set()
        images = to_nhwc(X, self.image_shape_)
        dtype = np.float32 if X.dtype == np.uint8 else X.dtype
        out = np.empty((len(X), *self._output_hwc(images.shape[1:])), dtype=dtype)
        for start in range(0, len(X), _CHUNK):
            # A copy, which the verb may write to; adding 0.0 gives -0.0 the bytes of 0.0.
            chunk = np.ascontiguousarray(to_float(images[start : start + _CHUNK])) + 0.0
            rng = KeyedGenerator(chunk, self.seed_)
            with np.errstate(over="ignore", invalid="ignore"):
                out[start : start + _CHUNK] = self.corrupt(chunk, rng)
            refuse_overflow(out[start : start + _CHUNK], chunk, type(self).__name__)
            keys.update(rng.keys)
        n_copies = len(X) - len(keys)
        # Not where nothing is drawn: equal images shrunk alike are what they should be.
        if warn and rng.n_calls and len(X) >= 20 and n_copies > 0.01 * len(X):
            is_flat = " (If X is one image, pass X[None].)" if X.ndim == 2 else ""
            warn_user(
                f"{n_copies} of {len(X)} images are copies of others. Equal images get equal "
                "noise, which a net can learn by heart, and which training and test images of a "
                "cross-validation then share: scores come out too good. Leave the copies out, or "
                "train with noise= of the denoiser, which is fresh at every step." + is_flat
            )
        return from_nhwc(out, X.ndim)

    def corrupt(self, images, rng):
        """Corrupt and clip one batch, an array or a tensor, with numbers from `rng`.

        Denoisers call this on their training batches. `rng` is the generator handed to
        ``_corrupt``.

        Parameters
        ----------
        images : ndarray or torch.Tensor of shape (n_samples, height, width, n_channels)
        rng : object with methods normal, uniform, integers and poisson

        Returns
        -------
        images : ndarray or torch.Tensor of shape (n_samples, height, width, n_channels)
        """
        noisy = self._corrupt(images, rng)
        return noisy if self.clip is None else noisy.clip(*self.clip)

    @abstractmethod
    def _corrupt(self, images, rng):
        """Corrupt images; the one method that makes a noise."""

    def _given_image_shape(self):
        """The image shape that the user gave, or None."""
        return getattr(self, "image_shape", None)

    def _output_hwc(self, hwc):
        """Height, width and channels of the corrupted images."""
        return hwc

    def _level(self, value, rng, n_samples):
        """One number for all images, or one number per image where `value` is a range."""
        if isinstance(value, tuple | list):
            low, high = map(float, value)
            return rng.uniform(low, high, (n_samples, 1, 1, 1))
        return float(value)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
