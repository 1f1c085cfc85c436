"""Noise that replaces single values or pixels."""

from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval

from .._images import MAX_LEVEL
from ._base import BaseNoise, level, replaced


class SaltPepper(BaseNoise):
    r"""Turn pixels white or black: salt and pepper.

    It models dead and saturated pixels and transmission errors. A hit pixel is 1 (salt) with
    probability `salt_ratio` and 0 (pepper) otherwise, in all its channels. It is for images
    in [0, 1].

    Parameters
    ----------
    amount : float or (float, float), default=0.05
        Probability in [0, 1] that a pixel is hit. A pair draws one level per image, uniformly from
        the range.
    salt_ratio : float, default=0.5
        Share in [0, 1] of salt among the hit pixels.
    image_shape : tuple of int or None, default=None
        ``(height, width)`` or ``(height, width, n_channels)`` of flat rows. None means that each
        value of a flat row is a pixel.
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
        Seed. With the pixels of an image it decides its noise. None draws a seed in `fit`.

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
    channel_axis_ : int or None
        -1 if an axis holds channels, else None.
    clip_ : (float, float) or None
        Range to which the noisy images are clipped.
    seed_ : int
        The seed in use.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    MaskingNoise : Hits single values rather than pixels.
    skdae.filters.MedianFilter : The classical remedy.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import SaltPepper
    >>> X_clean = np.linspace(0.4, 0.6, 64000).reshape(1000, 8, 8)
    >>> X_noisy = SaltPepper(amount=0.1, random_state=0).fit_transform(X_clean)
    >>> float((X_noisy == 0).mean().round(2)), float((X_noisy == 1).mean().round(2))
    (0.05, 0.05)
    """

    _parameter_constraints: dict = {
        **BaseNoise._parameter_constraints,
        "amount": level(Real, 0, 1),
        "salt_ratio": [Interval(Real, 0, 1, closed="both")],
    }
    _is_unit = True

    def __init__(
        self,
        amount: float | tuple[float, float] = 0.05,
        salt_ratio: float = 0.5,
        *,
        image_shape: tuple[int, ...] | None = None,
        clip: str | tuple[float, float] | None = "auto",
        when: str = "always",
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(clip=clip, when=when, random_state=random_state)
        self.amount = amount
        self.salt_ratio = salt_ratio
        self.image_shape = image_shape

    def _corrupt(self, images, rng):
        amount = self._level(self.amount, rng, images)
        # One number per pixel decides both: below amount a hit, below the salt's share salt.
        chance = rng.uniform(0.0, 1.0, (*images.shape[:-1], 1))
        hit = chance < amount
        salt = chance < amount * float(self.salt_ratio)
        return images * ~hit + salt


class MaskingNoise(BaseNoise):
    r"""Set single values to a constant: masking noise of the first denoising autoencoders.

    Each value is lost with probability `amount`, independently in each channel.

    Parameters
    ----------
    amount : float or (float, float), default=0.1
        Probability in [0, 1] that a value is lost. A pair draws one level per image, uniformly from
        the range.
    value : float, default=0.0
        What lost values are set to, in the units of `X`.
    image_shape : tuple of int or None, default=None
        Shape of one sample, for flat rows. It makes no difference to this noise, which does not
        look at neighbors.
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
        Seed. With the pixels of an image it decides its noise. None draws a seed in `fit`.

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one image.
    channel_axis_ : int or None
        -1 if an axis holds channels, else None.
    clip_ : (float, float) or None
        Range to which the noisy images are clipped.
    seed_ : int
        The seed in use.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    SaltPepper : Hits whole pixels, white or black.
    Occlusion : Hides a connected part of the image.

    References
    ----------
    .. [1] Vincent, P., Larochelle, H., Bengio, Y. and Manzagol, P.-A. (2008). "Extracting and
       composing robust features with denoising autoencoders". ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import MaskingNoise
    >>> X_clean = np.linspace(0.4, 0.6, 64000).reshape(1000, 64)
    >>> X_noisy = MaskingNoise(amount=0.25, random_state=0).fit_transform(X_clean)
    >>> float((X_noisy == 0).mean().round(2))
    0.25
    """

    _parameter_constraints: dict = {
        **BaseNoise._parameter_constraints,
        "amount": level(Real, 0, 1),
        "value": [Interval(Real, -MAX_LEVEL, MAX_LEVEL, closed="both")],
    }

    def __init__(
        self,
        amount: float | tuple[float, float] = 0.1,
        value: float = 0.0,
        *,
        clip: str | tuple[float, float] | None = "auto",
        when: str = "always",
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(clip=clip, when=when, random_state=random_state)
        self.amount = amount
        self.value = value

    def _corrupt(self, images, rng):
        amount = self._level(self.amount, rng, images)
        lost = rng.uniform(0.0, 1.0, images.shape) < amount
        return replaced(images, lost, self.value)
