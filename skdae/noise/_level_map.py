"""Noise for nets that are told its level."""

import numpy as np

from ._base import BaseNoise


class LevelMap(BaseNoise):
    """Corrupt images by another noise, and append a channel that holds its level.

    The level of an image is the root mean square of the noise that it got, in each pixel of the
    channel. A network that learns with it, such as ``DenoisingAutoencoder(UNet(), noise=LevelMap(
    GaussianNoise((0, 0.3), clip=None)))``, predicts from noisy images with such a channel.

    Parameters
    ----------
    noise : injector
        It leaves the size of images as it is. Its level and clipping count; its seed and `when` do
        not; with clip="auto" it does not clip.
    """

    _parameter_constraints: dict = {
        **BaseNoise._parameter_constraints,
        "noise": [BaseNoise],
    }

    def __init__(
        self,
        noise: BaseNoise,
        *,
        clip: str | tuple[float, float] | None = None,
        when: str = "always",
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(clip=clip, when=when, random_state=random_state)
        self.noise = noise

    def _validate_params(self):
        super()._validate_params()
        self.noise._validate_params()

    def _corrupt(self, images, rng):
        noisy = self._ready(self.noise).corrupt(images, rng)
        level = ((noisy - images) ** 2).mean((1, 2, 3)) ** 0.5
        noisy = noisy[..., [*range(images.shape[3]), 0]]
        noisy[..., -1] = level[:, None, None]
        return noisy

    def output_shape(self, image_shape):
        """Shape of a corrupted image: grey ones get channels too."""
        return self._output_hwc(self.noise.output_shape((*image_shape, 1)[:3]))

    def _output_hwc(self, hwc):
        return (*hwc[:2], hwc[2] + 1)
