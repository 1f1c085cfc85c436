"""What files do to images."""

import io
from numbers import Integral

import numpy as np

from .._checks import import_extra
from ._base import BaseNoise, by_planes, level


class JPEGNoise(BaseNoise):
    r"""Store images as JPEG and read them back.

    Blocks of 8 × 8 pixels lose fine detail, and edges get ripples. Most photographs have these
    artifacts. Needs Pillow (the extra ``images``).

    Parameters
    ----------
    quality : int or (int, int), default=50
        From 1, the worst, to 100. A pair draws one quality per image, uniformly from the range.
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
        Seed. With the pixels of an image it decides its quality. None draws a seed in `fit`.

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

    Raises
    ------
    ImportError
        In `fit`, if Pillow is missing.

    Notes
    -----
    A file holds 256 gray levels: images are clipped to [0, 1], whatever `clip` says, and rounded.
    Three channels are stored as color, at half the resolution, as is usual; any other number
    of channels as gray images. Inside training, images go through the processor's memory.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import JPEGNoise
    >>> X_clean = np.random.default_rng(0).random((2, 16, 16))
    >>> coarse, fine = (JPEGNoise(quality).fit_transform(X_clean) for quality in (10, 90))
    >>> bool(abs(coarse - X_clean).mean() > abs(fine - X_clean).mean())
    True
    """

    _parameter_constraints: dict = {
        **BaseNoise._parameter_constraints,
        "quality": level(Integral, 1, 100),
    }
    _spatial = _is_unit = True

    def __init__(
        self,
        quality: int | tuple[int, int] = 50,
        *,
        image_shape: tuple[int, ...] | None = None,
        clip: str | tuple[float, float] | None = "auto",
        when: str = "always",
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(clip=clip, when=when, random_state=random_state)
        self.quality = quality
        self.image_shape = image_shape

    def _corrupt(self, images, rng):
        return by_planes(lambda planes: self._stored(planes, rng), images)

    def _stored(self, images, rng):
        """Images stored and read back."""
        qualities = [self.quality] * len(images)
        if isinstance(self.quality, tuple | list):
            low, high = map(int, self.quality)
            qualities = rng.integers(low, high + 1, (len(images), 1)).ravel().tolist()
        stored = map(through_jpeg, _to_bytes(images), map(int, qualities))
        noisy = np.stack(list(stored)) / np.float32(255)
        return noisy if isinstance(images, np.ndarray) else images.new_tensor(noisy)

    def _validate_params(self):
        super()._validate_params()
        _pillow()


def through_jpeg(image, quality):
    """An image of `uint8`, of shape ``(height, width, n_channels)``, stored and read back."""
    if image.shape[2] not in (1, 3):
        planes = [through_jpeg(image[..., c, None], quality) for c in range(image.shape[2])]
        return np.concatenate(planes, axis=2)
    pillow, file = _pillow(), io.BytesIO()
    pillow.fromarray(image.squeeze(2) if image.shape[2] == 1 else image).save(
        file, "JPEG", quality=quality
    )
    with pillow.open(file) as stored:
        return np.asarray(stored).reshape(image.shape)


def _to_bytes(images):
    """The `uint8` of an array, or of a tensor on any device, in [0, 1]."""
    levels = 255 * images.clip(0.0, 1.0)
    levels = levels if isinstance(levels, np.ndarray) else levels.cpu().numpy()
    return np.rint(levels).astype(np.uint8)


def _pillow():
    """Pillow's module of images."""
    return import_extra("PIL.Image", "images", "JPEGNoise")
