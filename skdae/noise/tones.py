"""From the values of images to those in which the pretrained nets know them, and back."""

import math
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter

from .._images import in_unit_range, middle
from ..filters.noise_level import noise_std
from .anscombe import AnscombeTransform, as_camera
from .estimate import noise_of_planes
from .signal_dependent import PoissonGaussianNoise, SpeckleNoise

# The nets learned levels up to this one, of images in [0, 1].
MOST_SEEN = 75 / 255

# Where a side is shorter, there are too few blocks to tell a tone curve.
SMALLEST = 16

# Sides of the images that the net of the level has learned from. In smaller ones it takes the zeros
# beyond the border for noise: flat parts of 24 pixels were seen twice as noisy as they are.
LEARNED = 64

# What lies further outside of [0, 1] goes around the nets, which have seen nothing like it.
_LOW, _HIGH = -1.5, 2.5

# Images that are darker everywhere, or reach further, have other units than [0, 1].
_DARK, _REACH = 0.25, 0.75

# So many images, or the middle of such a side of larger ones, tell the level of all.
_N_SEEN, _SIDE = 16, 384

# So many values tell the range of an image.
_N_VALUES = 2**20

# On the transform of a camera, its noise has the level 1. A tone curve is taken if the net sees so
# much of it there: it saw 0.51 to 1.3 times as much on files of microscopes and on simulated counts
# that are better with the curve, and 0.06 to 0.5 or 1.45 to 4 times on others that are worse.
_SEEN_BY_CURVE = 0.5, 1.35

# Width of the Gaussian that tells the local brightness, in pixels.
_BLUR = 2.0


@dataclass(frozen=True)
class Tones:
    """From the values of an image to those of the nets, and back.

    Attributes
    ----------
    start, width : float
        What becomes 0, and how much becomes 1, after the camera's transform.
    camera : AnscombeTransform or None
        Where the noise is that of counted photons.
    mean : float
        Of the noise, which is taken away.
    clip : (float, float) or None
        The range of the result.
    """

    start: float
    width: float
    camera: AnscombeTransform | None
    mean: float
    clip: tuple[float, float] | None

    @classmethod
    def of(cls, image, camera=None, mean=0.0):
        """The tones for an image, by the camera and the mean of its noise, if they are known."""
        clip = (0.0, 1.0) if in_unit_range((float(image.min()), float(image.max()))) else None
        low, high = (np.percentile(some_pixels(image), (0.1, 99.9)) - mean).tolist()
        is_unit = low >= -_REACH and _DARK < high <= 1 + _REACH
        low, high = (0.0, 1.0) if is_unit else (low, high)
        ends = np.array([low, high]) + mean
        start, end = map(float, camera.transform(ends) if camera else ends)
        return cls(start, end - start or abs(end) or 1.0, camera, mean, clip)

    def widened(self, factor):
        """Tones of less contrast."""
        return replace(self, width=self.width * factor)

    def apply(self, image):
        """Values of the nets."""
        values = self.camera.transform(image) if self.camera else image
        return (values - self.start) / self.width

    def invert(self, image, denoised, level):
        """What the nets made of an image, in its values; as it was where there is no noise."""
        scaled = self.apply(image)
        # What went around the nets.
        values = denoised + (scaled - scaled.clip(_LOW, _HIGH))
        values = np.where(level > 0.5 / 255, self.back(values), image) - self.mean
        return values if self.clip is None else values.clip(*self.clip)

    def back(self, values):
        """Values of an image, of those of the nets."""
        values = values * self.width + self.start
        return self.camera.inverse(values) if self.camera else values


def _camera_of(image):
    """The camera whose tone curve may suit an image: its noise grows with the light; or None."""
    if min(image.shape[:2]) < SMALLEST:
        return None
    noise = noise_of_planes([*np.moveaxis(image, -1, 0)])
    if not isinstance(noise, PoissonGaussianNoise):
        return None
    # Hundreds of thousands of photons need no curve, and less than one is no light.
    low, high = np.percentile(some_pixels(image), (0.1, 99.9))
    if not 1e-5 * (high - low) < noise.gain < high - low:
        return None
    return AnscombeTransform(noise.set_params(offset=min(noise.offset, float(image.min()))))


def some_pixels(image):
    """Pixels, ``(n, n_channels)``, that tell the range of an image; all of a small one."""
    pixels = image.reshape(-1, image.shape[-1])
    step = -(-image.size // _N_VALUES)
    # In each row others, so that none of the filters of a mosaic is left out.
    while step > 1 and math.gcd(step, image.shape[-2]) > 1:
        step += 1
    return pixels[::step]


def inputs_of(tones, images):
    """Images in the values of the nets."""
    scaled = [
        tone.apply(image).clip(_LOW, _HIGH) for tone, image in zip(tones, images, strict=True)
    ]
    return np.stack(scaled).astype(np.float32)


def told(images, noise):
    """The same as `seen`, of a noise that is known."""
    camera = None if isinstance(noise, SpeckleNoise) else as_camera(noise)
    camera = camera and AnscombeTransform(camera)
    mean = float(getattr(noise, "mean", 0.0))
    tones = [Tones.of(image, camera, mean) for image in images]
    level = np.ones((*images.shape[:3], 1))
    if camera is None:
        light = gaussian_filter(images, (0, _BLUR, _BLUR, 0), mode="nearest")
        level = np.sqrt(noise.variance(light).mean(axis=3, keepdims=True))
    level /= np.reshape([tone.width for tone in tones], (-1, 1, 1, 1))
    # Stronger noise than the nets know is weak noise in an image of less contrast.
    excess = (level.max(axis=(1, 2, 3), keepdims=True) / MOST_SEEN).clip(1, None)
    tones = [
        tone.widened(factor) for tone, factor in zip(tones, excess.ravel().tolist(), strict=True)
    ]
    return tones, inputs_of(tones, images), (level / excess).astype(np.float32)


def seen(images, see):
    """Tones and inputs of the nets for images whose noise is not known, and the map of its level.

    Where noise seems to grow with the light, an image gets the tone curve of a camera if about as
    much noise is seen then as that camera has.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width, n_channels)
    see : callable
        From inputs to the map, ``(n_samples, height, width, 1)``.

    Returns
    -------
    tones : list of Tones
        Of less contrast where there is more noise than the nets know.
    inputs, level : ndarray of float32
    """
    tones, inputs, level = _seen([Tones.of(image) for image in images], images, see)
    cameras = {i: camera for i, image in enumerate(images) if (camera := _camera_of(image))}
    if cameras:
        curves = [Tones.of(images[i], camera) for i, camera in cameras.items()]
        others = _seen(curves, images[[*cameras]], see)
        for i, (tone, values, seen_by_it) in zip(cameras, zip(*others, strict=True), strict=True):
            if _SEEN_BY_CURVE[0] < _seen_on(tone, values, seen_by_it) < _SEEN_BY_CURVE[1]:
                tones[i], inputs[i], level[i] = tone, values, seen_by_it
    level = _by_brightness(inputs, level)
    # Noise does not keep to two values, as masks and dithered pictures do.
    level[[((x == x.min()) | (x == x.max())).all() for x in images]] = 0
    return tones, inputs, level


def _seen(tones, images, see):
    """The same, with tones that may lose contrast."""
    inputs = inputs_of(tones, images)
    level = see(inputs)
    excess = level.mean(axis=(1, 2, 3)) / MOST_SEEN
    if (excess > 1).any():
        factors = excess.clip(1, None).tolist()
        tones = [tone.widened(factor) for tone, factor in zip(tones, factors, strict=True)]
        inputs = inputs_of(tones, images)
        level = see(inputs)
    return tones, inputs, level


def _by_brightness(inputs, level):
    """Maps as functions of the brightness, in windows of large images: noise may vary over them."""
    import torch

    from ..architectures.blind import by_brightness

    sides = level.shape[1:3]
    windows = [
        [slice(i, i + _SIDE) for i in range(0, max(1, n - _SIDE // 2), _SIDE // 2)] for n in sides
    ]
    out, total = np.zeros_like(level), np.zeros(sides, np.float32)
    for place in product(*windows):
        part = tuple(
            torch.from_numpy(x[:, *place]).permute(0, 3, 1, 2).contiguous() for x in (inputs, level)
        )
        with torch.inference_mode():
            pooled = by_brightness(*part).permute(0, 2, 3, 1).numpy()
        # Each fades into the next.
        weights = np.outer(*(np.hanning(n + 2)[1:-1] for n in pooled.shape[1:3]))
        out[:, *place] += weights[..., None] * pooled
        total[place] += weights
    return out / total[..., None]


def _seen_on(tones, values, level):
    """The median level that is seen, in units of the transform; 0 of flat images."""
    levels = level[_is_rough(values)]
    return float(np.median(levels)) * tones.width if levels.size else 0.0


def _is_rough(values):
    """Where values of an image, ``(height, width, n_channels)``, differ from their neighbors."""
    light = values.mean(axis=2)
    return maximum_filter(light, 3) > minimum_filter(light, 3)


def seen_ratio(planes, gaps):
    """How many times the noise that differences of neighbors tell the pretrained net sees.

    About 1 for noise that is independent from pixel to pixel, also of counts; more where it is
    correlated, and less where texture is taken for noise.

    Parameters
    ----------
    planes : list of ndarray of shape (height, width)
        Gray images, in any units.
    gaps : list of ndarray of bool
        Where values are missing, which are filled.

    Returns
    -------
    ratio : float
        The median; 1 if all images are too small to tell.
    """
    ratios = []
    for _, values, level, gap in seen_middles(planes, gaps):
        # Flat parts have no noise, whatever the others have.
        level = level[_is_rough(values) & ~gap]
        told = max(noise_std(values[..., 0], gap), 0.5 / 255)
        ratios.append(float(np.median(level)) / told if level.size else 1.0)
    return float(np.median(ratios)) if ratios else 1.0


def seen_middles(planes, gaps):
    """Tones, values and level of the middle of some planes, and its gaps; not of small ones."""
    pairs = [pair for pair in zip(planes, gaps, strict=True) if min(pair[0].shape) >= LEARNED]
    for plane, gap in pairs[:: -(-len(pairs) // _N_SEEN) or 1]:
        part = middle(plane.shape, _SIDE)
        tones, inputs, level = seen(plane[part][None, ..., None].astype(np.float32), see)
        yield tones[0], inputs[0], level[0], gap[part]


def see(inputs):
    """The map of the level of gray images, as the shipped net sees it."""
    return _run(_gray_nets().level, inputs)


def remove(inputs, level):
    """Gray images without the noise of such a map, as the shipped net removes it."""
    return _run(_gray_nets().remove, np.concatenate([inputs, level], axis=3))


def _run(net, inputs):
    import torch

    with torch.inference_mode():
        return net(torch.from_numpy(inputs).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()


@cache
def _gray_nets():
    """The nets that see and remove the noise of gray images."""
    from ..architectures import Pretrained

    return Pretrained("photographs-grey").build((64, 64, 1), (64, 64, 1)).eval()
