"""Noise with a geometry: it hides, or merges, neighboring pixels."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._images import MAX_LEVEL
from ._base import BaseNoise, LevelRange, level, one_each, replaced


class Occlusion(BaseNoise):
    r"""Hide a strip or a rectangle of each image behind a constant.

    It models lost lines, dust and watermarks. Each image gets one occlusion.

    Parameters
    ----------
    size : int or (int, int), default=1
        Thickness of a strip, or side of a rectangle, in pixels, at least 0 (nothing is hidden). A
        pair draws a size per image, for a rectangle height and width each, from low to high, both
        included. What does not fit into the image hides all of it.
    orientation : {"random", "rows", "columns", "rectangle"}, default="random"
        "rows" hides full rows, "columns" full columns; "random" tosses a coin for each image. Of
        volumes, the same rows and columns of all slices; of signals, always a part.
    start : (int, int) or None, default=None
        First hidden row or column, drawn from low to high, both included. None means anywhere that
        the occlusion fits.
    value : float, default=1.0
        What hidden pixels show, in the units of `X`.
    image_shape : tuple of int or None, default=None
        Shape of one sample, for flat rows: ``(length,)``, ``(height, width)``, ``(height, width,
        n_channels)`` and so on. None takes rows of a square number of values that look like square
        images for such, and all others for signals.
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
    MaskingNoise : Hides scattered values.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import Occlusion
    >>> X_noisy = Occlusion(orientation="rows", random_state=0).fit_transform(np.zeros((10, 8, 8)))
    >>> int(X_noisy.sum())  # one row of 8 pixels in each of 10 images
    80
    """

    _parameter_constraints: dict = {
        **BaseNoise._parameter_constraints,
        "size": level(Integral, 0, None),
        "orientation": [StrOptions({"random", "rows", "columns", "rectangle"})],
        "start": [LevelRange(Integral, 0, None, closed="left"), None],
        "value": [Interval(Real, -MAX_LEVEL, MAX_LEVEL, closed="both")],
    }
    _spatial = True

    def __init__(
        self,
        size: int | tuple[int, int] = 1,
        orientation: str = "random",
        start: tuple[int, int] | None = None,
        value: float = 1.0,
        *,
        image_shape: tuple[int, ...] | None = None,
        clip: str | tuple[float, float] | None = "auto",
        when: str = "always",
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(clip=clip, when=when, random_state=random_state)
        self.size = size
        self.orientation = orientation
        self.start = start
        self.value = value
        self.image_shape = image_shape

    def _corrupt(self, images, rng):
        n_axes = images.ndim - 2
        columns = self._hidden(images, rng, axis=n_axes)
        if n_axes == 1:
            return replaced(images, columns, self.value)
        rows = self._hidden(images, rng, axis=n_axes - 1)
        if self.orientation == "random":
            lying = rng.integers(0, 2, one_each(images)) == 1
            hidden = (rows & lying) | (columns & ~lying)
        else:
            masks = {"rows": rows, "columns": columns, "rectangle": rows & columns}
            hidden = masks[self.orientation]
        return replaced(images, hidden, self.value)

    def _hidden(self, images, rng, axis):
        """Whether each row or column is hidden, a mask that broadcasts."""
        low, high = self.size if isinstance(self.size, tuple | list) else (self.size, self.size)
        size = rng.integers(int(low), int(high) + 1, one_each(images))
        first, last = self.start or (0, (images.shape[axis] - size).clip(0, None))
        start = rng.integers(first, last + 1, one_each(images))
        # Places are a running count of ones, because arrays and tensors both know it.
        ones = images[tuple(slice(None if i == axis else 1) for i in range(images.ndim))]
        place = (ones == ones).cumsum(axis) - 1
        return (place >= start) & (place < start + size)


class Downsample(BaseNoise):
    r"""Lower the resolution of images by averaging blocks of pixels.

    Each pixel of a block of ``factor × factor`` pixels becomes their mean, and the size stays; of
    signals and volumes, blocks have one side or three. If the last blocks extend beyond the border,
    its pixels are repeated. This is the "noise" of super-resolution.

    Parameters
    ----------
    factor : int, default=2
        Side of the blocks in pixels, at least 1. What exceeds a side averages all of it.
    image_shape : tuple of int or None, default=None
        Shape of one sample, for flat rows: ``(length,)``, ``(height, width)``, ``(height, width,
        n_channels)`` and so on. None takes rows of a square number of values that look like square
        images for such, and all others for signals.
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

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import Downsample
    >>> Downsample(factor=2).fit_transform(np.arange(16.0).reshape(1, 4, 4) / 16)
    array([[[0.15625, 0.15625, 0.28125, 0.28125],
            [0.15625, 0.15625, 0.28125, 0.28125],
            [0.65625, 0.65625, 0.78125, 0.78125],
            [0.65625, 0.65625, 0.78125, 0.78125]]])
    """

    _parameter_constraints: dict = {
        **BaseNoise._parameter_constraints,
        "factor": [Interval(Integral, 1, None, closed="left")],
    }
    _spatial = True

    def __init__(
        self,
        factor: int = 2,
        *,
        image_shape: tuple[int, ...] | None = None,
        clip: str | tuple[float, float] | None = "auto",
        when: str = "always",
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(clip=clip, when=when, random_state=random_state)
        self.factor = factor
        self.image_shape = image_shape

    def _corrupt(self, images, rng):
        factor = int(self.factor)
        for axis in range(1, images.ndim - 1):
            images = _in_steps(images, axis, min(factor, images.shape[axis]))
        return images


def _in_steps(images, axis, n):
    """Means of blocks of `n` values along an axis, each as often as it has values."""
    side = images.shape[axis]
    n_blocks = -(-side // n)
    ahead = (slice(None),) * axis
    # What lies beyond the border repeats it.
    whole = images[*ahead, [min(i, side - 1) for i in range(n_blocks * n)]]
    blocks = whole.reshape(*images.shape[:axis], n_blocks, n, *images.shape[axis + 1 :])
    return blocks.mean(axis + 1)[*ahead, [i // n for i in range(side)]]
