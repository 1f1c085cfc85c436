"""Noise with a geometry: it hides, or merges, neighbouring pixels."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._images import MAX_LEVEL
from ._base import BaseNoise, LevelRange, level, replaced


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
        "rows" hides full rows, "columns" full columns; "random" tosses a coin for each image.
    start : (int, int) or None, default=None
        First hidden row or column, drawn from low to high, both included. None means anywhere that
        the occlusion fits.
    value : float, default=1.0
        What hidden pixels show, in the units of `X`.
    image_shape : tuple of int or None, default=None
        ``(height, width)`` or ``(height, width, n_channels)`` of flat rows. None means a square
        grey image, or a 1-D signal where the number of values is not a square.
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
        "image_shape": [tuple, list, None],
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
        rows = self._hidden(images, rng, axis=1)
        columns = self._hidden(images, rng, axis=2)
        if self.orientation == "random":
            lying = rng.integers(0, 2, (len(images), 1, 1, 1)) == 1
            hidden = (rows & lying) | (columns & ~lying)
        else:
            masks = {"rows": rows, "columns": columns, "rectangle": rows & columns}
            hidden = masks[self.orientation]
        return replaced(images, hidden, self.value)

    def _hidden(self, images, rng, axis):
        """Whether each row (`axis` 1) or column (`axis` 2) is hidden, a mask that broadcasts."""
        one_each = (len(images), 1, 1, 1)
        low, high = self.size if isinstance(self.size, tuple | list) else (self.size, self.size)
        size = rng.integers(int(low), int(high) + 1, one_each)
        first, last = self.start or (0, (images.shape[axis] - size).clip(0, None))
        start = rng.integers(first, last + 1, one_each)
        # Places are a running count of ones, because arrays and tensors both know it.
        ones = images[:1, :, :1, :1] if axis == 1 else images[:1, :1, :, :1]
        place = (ones == ones).cumsum(axis) - 1
        return (place >= start) & (place < start + size)


class Downsample(BaseNoise):
    r"""Lower the resolution of images by averaging blocks of pixels.

    Each block of ``factor × factor`` pixels becomes their mean; a 1-D signal is shrunk along its
    length. If the last blocks extend beyond the border, its pixels are repeated. The output is
    smaller than the input. This is the "noise" of super-resolution.

    Parameters
    ----------
    factor : int, default=2
        Height and width are divided by this, at least 1, and rounded up. What exceeds a side
        averages all of it.
    image_shape : tuple of int or None, default=None
        ``(height, width)`` or ``(height, width, n_channels)`` of flat rows. None means a square
        grey image, or a 1-D signal where the number of values is not a square.
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
    array([[[0.15625, 0.28125],
            [0.65625, 0.78125]]])
    """

    _parameter_constraints: dict = {
        **BaseNoise._parameter_constraints,
        "factor": [Interval(Integral, 1, None, closed="left")],
        "image_shape": [tuple, list, None],
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
        n, *_, n_channels = images.shape
        (rows, columns, _), (down, right) = self._output_hwc(images.shape[1:]), self._block(images)
        for axis, length in ((1, rows * down), (2, columns * right)):
            side = images.shape[axis]
            if side < length:
                place = [min(i, side - 1) for i in range(length)]
                images = images[:, place] if axis == 1 else images[:, :, place]
        # In memory order, on which the rounding of a mean depends.
        flat = images.reshape(-1)
        return flat.reshape(n, rows, down, columns, right, n_channels).mean((2, 4))

    def _block(self, images):
        """Height and width of a block, at most those of an image; a signal has height 1."""
        return [min(int(self.factor), side) for side in images.shape[1:3]]

    def _output_hwc(self, hwc):
        return (*(-(-side // int(self.factor)) for side in hwc[:2]), hwc[2])
