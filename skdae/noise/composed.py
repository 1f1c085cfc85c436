"""Noise models that hold others."""

import numpy as np

from .._checks import tuple_of
from ._base import BaseNoise, one_each

_INJECTORS = tuple_of(BaseNoise, "a list of at least one noise model, as in [GaussianNoise()]")


class _ComposedNoise(BaseNoise):
    """Holds a list `noises`; the parameters of the first are ``0__...``."""

    _parameter_constraints: dict = {**BaseNoise._parameter_constraints, "noises": [_INJECTORS]}

    def __init__(
        self,
        noises: list[BaseNoise] | tuple[BaseNoise, ...],
        *,
        image_shape: tuple[int, ...] | None = None,
        clip: str | tuple[float, float] | None = "auto",
        when: str = "always",
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(clip=clip, when=when, random_state=random_state)
        self.noises = noises
        self.image_shape = image_shape

    def get_params(self, deep=True):
        """Parameters of this noise and, as ``0__std``, ``1__amount``, ..., of those it holds.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the held noise models and their parameters.

        Returns
        -------
        params : dict
        """
        params = super().get_params(deep=False)
        if deep and isinstance(self.noises, list | tuple):
            for i, noise in enumerate(self.noises):
                params[str(i)] = noise
                if hasattr(noise, "get_params"):
                    params.update({f"{i}__{k}": v for k, v in noise.get_params().items()})
        return params

    def set_params(self, **params):
        """Set parameters, a held noise (``set_params(**{"0": ...})``) or one of its parameters.

        Parameters
        ----------
        **params : dict
            Names as in `get_params`.

        Returns
        -------
        self : object
        """
        # The list first, then whole noises in it, then the parameters of those.
        self.noises = params.pop("noises", self.noises)
        if any(name.isdigit() for name in params):
            self.noises = [params.pop(str(i), noise) for i, noise in enumerate(self.noises or ())]
        return super().set_params(**params)

    def _held(self):
        """Copies of the noises, ready to corrupt."""
        return map(self._ready, self.noises)

    def warn_if_clipped(self, low, high):
        """Warn where one of the noises, or the whole, would change the images themselves."""
        super().warn_if_clipped(low, high)
        for noise in self._held():
            noise.warn_if_clipped(low, high)

    @property
    def _spatial(self):
        return any(noise._spatial for noise in self.noises)

    def _given_image_shape(self):
        given = [self.image_shape, *(noise._given_image_shape() for noise in self.noises)]
        shapes = {tuple(shape) for shape in given if shape is not None}
        if len(shapes) > 1:
            raise ValueError(
                f"The noise models in {type(self).__name__} name different shapes {sorted(shapes)} "
                "for the same images; give image_shape once, to the outer one."
            )
        return shapes.pop() if shapes else None

    def _validate_params(self):
        super()._validate_params()
        for noise in self.noises:
            noise._validate_params()


class NoiseSequence(_ComposedNoise):
    r"""Apply several noise models one after the other.

    For example, a camera counts photons and adds read noise. The `clip` of the sequence applies to
    each step; a noise in it clips otherwise only where it has a `clip` other than "auto".

    Parameters
    ----------
    noises : list of noise models
        Applied in this order. Their seeds and `when` do not count.
    image_shape : tuple of int or None, default=None
        Shape of one sample, for flat rows: ``(length,)``, ``(height, width)``, ``(height, width,
        n_channels)`` and so on. None takes rows of a square number of values that look like square
        images for such, and all others for signals.
        Matters only where one of the noise models looks at neighbors.
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
    OneOf : Draws one of several noise models for each image.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import GaussianNoise, NoiseSequence, PoissonNoise
    >>> camera = NoiseSequence([PoissonNoise(peak=50), GaussianNoise(std=0.02)], random_state=0)
    >>> camera.fit_transform(np.full((2, 8, 8), 0.5)).shape
    (2, 8, 8)
    """

    def _corrupt(self, images, rng):
        for noise in self._held():
            images = noise.corrupt(images, rng)
        return images


class OneOf(_ComposedNoise):
    r"""Apply one of several noise models to each image, chosen with equal probability.

    With it, one denoiser learns several kinds of noise. The `clip` of `OneOf` applies to each; a
    noise clips otherwise only where it has a `clip` other than "auto".

    Parameters
    ----------
    noises : list of noise models
        Their seeds and `when` do not count.
    image_shape : tuple of int or None, default=None
        Shape of one sample, for flat rows: ``(length,)``, ``(height, width)``, ``(height, width,
        n_channels)`` and so on. None takes rows of a square number of values that look like square
        images for such, and all others for signals.
        Matters only where one of the noise models looks at neighbors.
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
    NoiseSequence : Applies all noise models, one after the other.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import GaussianNoise, OneOf, SaltPepper
    >>> either = OneOf([GaussianNoise(std=0.2), SaltPepper(amount=0.1)], random_state=0)
    >>> either.fit_transform(np.full((2, 8, 8), 0.5)).shape
    (2, 8, 8)
    """

    def _corrupt(self, images, rng):
        choice = rng.integers(0, len(self.noises), one_each(images))
        # Every noise corrupts every image, so that the numbers of one do not shift another's; each
        # gets images of its own, because it may write to them.
        return sum(
            noise.corrupt(images + 0, rng) * (choice == i) for i, noise in enumerate(self._held())
        )
