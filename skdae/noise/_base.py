"""What all noise models share: checks, seeds, clipping, and one verb for arrays and tensors."""

import copy
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
from sklearn.utils.metaestimators import available_if

from .._checks import GEOMETRY, CheckedEstimator, Predicate, fit_context, tuple_of
from .._files.estimators import SaveMixin
from .._images import (
    Geometry,
    geometry_of,
    image_by_image,
    image_list,
    images_of_fit,
    in_unit_range,
    refuse_overflow,
    to_float,
    validate_images,
    value_range,
    warn_user,
)
from .._random import KeyedGenerator, described, draw_seed
from ..base import ImageFeaturesOutMixin

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
_CLIP = Predicate(
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
    own = 0 * images.reshape(-1)[:1] + float(value)
    return images * ~where + own * where


def by_planes(function, images):
    """What a function of images makes of a batch: of volumes slice by slice, of signals as lines.

    Parameters
    ----------
    function : callable
        From ``(n_samples, height, width, n_channels)`` to the same shape.
    images : ndarray or torch.Tensor of shape (n_samples, *spatial, n_channels)
    """
    if images.ndim == 4:
        return function(images)
    if images.ndim == 3:
        return function(images[:, None])[:, 0]
    out = images + 0
    for k in range(images.shape[1]):
        out[:, k] = function(images[:, k])
    return out


def one_each(images):
    """Shape of one number per image, which broadcasts against a batch."""
    return (len(images), *[1] * (images.ndim - 1))


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
    """The noise model; a TypeError where it is not one."""
    if not isinstance(noise, BaseNoise):
        raise TypeError(
            f"noise={noise!r} is not a noise model; pass an object of skdae.noise, such as "
            "GaussianNoise(0.2), or NoiseSequence([...]) for several."
        )
    return noise


def description(noise):
    """Text that noises share which draw the same numbers from one seed."""
    return described(noise, lambda part: part._identity() if isinstance(part, BaseNoise) else part)


class BaseNoise(SaveMixin, ImageFeaturesOutMixin, TransformerMixin, CheckedEstimator, ABC):
    """Base class of noise models; define `_corrupt` to write your own.

    A subclass has the verb ``_corrupt(images, rng)`` and, for its own parameters, an
    ``__init__`` that remembers them and ``_parameter_constraints``. Every noise also takes the
    parameters below, whether its ``__init__`` names them or not. In the verb, `images` has shape
    ``(n_samples, *spatial, n_channels)``, with one spatial axis for signals, two for images and
    three for volumes, and `rng` offers ``normal(loc, scale, size)``,
    ``uniform(low, high, size)``, ``integers(low, high, size)`` and ``poisson(rates)``. The verb
    gets NumPy arrays in `transform`, and torch tensors where a denoiser corrupts its batches while
    it trains; operators and methods that both know serve both.

    Parameters
    ----------
    image_shape : tuple of int or None, default=None
        Shape of one sample, for flat rows, if the noise looks at neighbors or channels.
    channel_axis : {"auto", -1, None}, default="auto"
        -1 if the last axis of `X` holds channels, None if no axis does. "auto" takes the last of
        four axes for channels: of volumes ``(n_samples, depth, height, width)``, pass None, and of
        signals with several leads ``(n_samples, length, n_channels)``, -1.
    clip : "auto", (float, float) or None, default="auto"
        Range to which the noisy images are clipped. "auto" is [0, 1] where the images of `fit` lie
        in it, as those of `uint8` do, and no clipping otherwise. None does not clip.
    when : {"always", "fit"}, default="always"
        "fit" adds noise in `fit_transform` alone, so that a Pipeline predicts without it.
    random_state : int, RandomState instance or None, default=None
        Seed. With the pixels of an image it decides its noise; noise models of another class, or
        with other parameters, draw other numbers. None draws a seed in `fit`.

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
    channel_axis_ : int or None
        -1 if an axis holds channels, else None.
    clip_ : (float, float) or None
        Range to which the noisy images are clipped.
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
    array([[[1., 0., 0., 1., 1., 1.],
            [1., 0., 0., 1., 1., 1.]]])
    """

    _parameter_constraints: dict = {
        **GEOMETRY,
        "clip": [StrOptions({"auto"}), _CLIP, None],
        "when": [StrOptions({"always", "fit"})],
        "random_state": ["random_state"],
    }

    # Those of a subclass whose __init__ does not call this class's.
    image_shape: tuple[int, ...] | None = None
    channel_axis: int | str | None = "auto"
    clip: str | tuple[float, float] | None = "auto"
    when: str = "always"
    random_state: int | np.random.RandomState | None = None

    def __init__(
        self,
        *,
        image_shape: tuple[int, ...] | None = None,
        channel_axis: int | str | None = "auto",
        clip: str | tuple[float, float] | None = "auto",
        when: str = "always",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.image_shape = image_shape
        self.channel_axis = channel_axis
        self.clip = clip
        self.when = when
        self.random_state = random_state

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        hidden = set(BaseNoise._parameter_constraints) & set(vars(cls))
        if hidden:
            raise TypeError(
                f"{sorted(hidden)} of {cls.__name__} are parameters, which hide attributes of the "
                "class; give them to super().__init__ in its __init__."
            )
        if "__init__" in vars(cls):
            cls.__init__ = _with_common_parameters(cls.__init__)  # type: ignore[method-assign]

    image_shape_: tuple[int, ...]
    channel_axis_: int | None
    clip_: tuple[float, float] | None
    seed_: int

    # Whether it makes images in [0, 1], whatever their units are.
    _is_unit = False
    # Whether flat rows must be seen as images, because neighbors or channels matter.
    _spatial = False

    @fit_context(skip_nested=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Remember the shape of the images and whether they lie in [0, 1], and draw a seed.

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
        images, image_range = images_of_fit(self, X)
        self._set_up(images, image_range)
        self.warn_if_clipped(*image_range)
        return self

    def for_training(self, geometry, seed, image_range):
        """A clone fitted to a geometry, for a denoiser that corrupts its own batches.

        Parameters
        ----------
        geometry : Geometry
            Of the clean images.
        seed : int
            Used where `random_state` is None.
        image_range : (float, float)
            Smallest and largest value of the clean images.

        Returns
        -------
        noise : noise model
        """
        noise = clone(self)
        # Inside a fit, scikit-learn takes the parameters of held estimators for checked.
        noise._validate_params()
        noise.when = "always"
        if noise.random_state is None:
            noise.random_state = seed % 2**31
        noise.n_features_in_ = math.prod(geometry.shape)
        noise._remember(geometry, image_range)
        return noise

    def _set_up(self, X, image_range):
        """Fit to a batch, and to the range of its values."""
        given = self._given_image_shape()
        if given is None and not self._spatial and X.ndim == 2:
            # Where neighbors do not matter, flat rows are signals of any length.
            given = X.shape[1:]
        if self._spatial or X.ndim == 2 or given is not None:
            geometry = geometry_of(X, given, self.channel_axis)
        else:
            # Nor does it matter what the last axis is.
            geometry = Geometry(X.shape[1:], X.ndim > 3 and self.channel_axis is not None)
        self._remember(geometry, image_range)

    def _remember(self, geometry, image_range):
        """Set the attributes of a fit."""
        self.image_shape_, self.channel_axis_ = geometry.image_shape, geometry.channel_axis
        self._resolve_clip((0.0, 1.0) if in_unit_range(image_range) else None)
        self.seed_ = draw_seed(self.random_state)

    def _resolve_clip(self, auto):
        """Set `clip_`, of which "auto" is `auto`."""
        clip = auto if self.clip == "auto" else self.clip
        self.clip_ = None if clip is None else tuple(map(float, clip))

    def _ready(self, noise):
        """A copy of a noise inside of this one, ready to corrupt."""
        noise = copy.copy(noise)
        noise._resolve_clip(self.clip_)
        return noise

    @available_if(lambda self: hasattr(self, "_variance"))
    def variance(self, mean: ArrayLike) -> np.ndarray:
        """Variance of the noise where the clean image has some values, before any clipping.

        Only noise models that keep the mean have this method. If a level is drawn from a range, the
        variance is the mean over the range.

        Parameters
        ----------
        mean : array-like of any shape
            Values of the clean image.

        Returns
        -------
        variance : ndarray of float64, shaped like `mean`

        Examples
        --------
        >>> from skdae import PoissonGaussianNoise
        >>> PoissonGaussianNoise(gain=2.0, std=3.0).variance([0.0, 100.0])
        array([  9., 209.])
        """
        mean = np.asarray(mean, dtype=np.float64)
        return np.broadcast_to(self._variance(mean), mean.shape).copy()

    def warn_if_clipped(self, low, high):
        """Warn where clipping would change the images themselves, not only their noise."""
        least, most = (0.0, 1.0) if self._is_unit else self.clip_ or (-math.inf, math.inf)
        margin = 0.1 * (most - least)
        if low < least - margin or high > most + margin:
            way_out = "" if self._is_unit else ", or set clip=None and fit again"
            warn_user(
                f"X spans [{low:.3g}, {high:.3g}], but {type(self).__name__} makes noisy images in "
                f"[{least:g}, {most:g}]; pass images in that range{way_out}."
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
        images = validate_images(self, X, reset=False)
        if self.when == "fit":
            return to_float(images)
        self.warn_if_clipped(*value_range(images))
        return self._corrupt_keyed(images, warn=True)

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
        return self._corrupt_keyed(validate_images(self, X, reset=False), warn)

    def _corrupt_keyed(self, X, warn):
        """Corrupt a validated batch with noise keyed by its images."""
        keys, asker = set(), description(self)
        images = self._geometry.read(X)
        out = np.empty(images.shape, np.float32 if X.dtype == np.uint8 else X.dtype)
        for start in range(0, len(X), _CHUNK):
            # A copy, which the verb may write to; adding 0.0 gives -0.0 the bytes of 0.0.
            chunk = np.ascontiguousarray(to_float(images[start : start + _CHUNK])) + 0.0
            rng = KeyedGenerator(chunk, self.seed_, asker)
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
                "noise, which a network can learn by heart, and which training and test images of "
                "a cross-validation then share: scores come out too good. Leave the copies out, or "
                "train with noise= of the denoiser, which is fresh at every step." + is_flat
            )
        return out.reshape(X.shape)

    def corrupt(self, images, rng):
        """Corrupt and clip one batch, an array or a tensor, with numbers from `rng`.

        Denoisers call this on their training batches. `rng` is the generator handed to
        ``_corrupt``.

        Parameters
        ----------
        images : ndarray or torch.Tensor of shape (n_samples, ..., n_channels)
        rng : object with methods normal, uniform, integers and poisson

        Returns
        -------
        images : ndarray or torch.Tensor of shape (n_samples, ..., n_channels)
        """
        noisy = self._corrupt(images, rng)
        return noisy if self.clip_ is None else noisy.clip(*self.clip_)

    @abstractmethod
    def _corrupt(self, images, rng):
        """Corrupt images; the one method that makes a noise."""

    def _identity(self):
        """What tells a noise from others; those of one seed that differ draw other numbers."""
        params = self.get_params(deep=False)
        # Where the numbers come from and what becomes of them makes no other noise.
        for name in BaseNoise._parameter_constraints:
            params.pop(name, None)
        return type(self).__qualname__, params

    def _given_image_shape(self):
        """The image shape that the user gave, or None."""
        return self.image_shape

    def _level(self, value, rng, images):
        """One number for all images, or one number per image where `value` is a range."""
        if isinstance(value, tuple | list):
            low, high = map(float, value)
            return rng.uniform(low, high, one_each(images))
        return float(value)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def mean_level(value, power=1):
    """Mean of a power of a level, -1, 1 or 2, which may be drawn from a range."""
    low, high = map(float, value if isinstance(value, tuple | list) else (value, value))
    if power == -1:
        return math.log(high / low) / (high - low) if high > low else 1 / low
    return (low + high) / 2 if power == 1 else (low**2 + low * high + high**2) / 3
