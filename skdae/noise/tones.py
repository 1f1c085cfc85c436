"""From the values of images to those in which the pretrained nets know them, and back."""

import math
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter

from .._images import middle
from ..filters.noise_level import noise_std
from .anscombe import AnscombeTransform, as_camera
from .estimate import growing_noise, mean_and_variance_of
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

# Noise is correlated where the odds that it is independent have a logarithm below this.
_CORRELATED = -1.5

# Width of the Gaussian that tells the local brightness, in pixels.
_BLUR = 2.0


@dataclass(frozen=True)
class Tones:
    """From the values of images to those of the nets, and back.

    Attributes
    ----------
    start, width : ndarray of shape (n_samples, 1, 1, 1)
        What becomes 0, and how much becomes 1, after the camera's transform.
    cameras : ndarray of AnscombeTransform or None, of shape (n_samples,)
        Where the noise of an image is that of counted photons.
    mean : float
        Of the noise, which is taken away.
    is_unit : ndarray of bool of shape (n_samples, 1, 1, 1)
        Whether an image lies in [0, 1], and the result, too.
    """

    start: np.ndarray
    width: np.ndarray
    cameras: np.ndarray
    mean: float
    is_unit: np.ndarray

    @classmethod
    def of(cls, images, cameras=None, mean=0.0):
        """The tones for images, by the cameras and the mean of their noise, if they are known."""
        cameras = np.array([None] * len(images) if cameras is None else cameras, object)
        pixels = some_pixels(images).reshape(len(images), -1)
        ends = (np.percentile(pixels, (0.1, 99.9), axis=1) - mean).astype(np.float64)
        is_known = (ends[0] >= -_REACH) & (ends[1] > _DARK) & (ends[1] <= 1 + _REACH)
        ends[:, is_known] = [[0.0], [1.0]]
        ends += mean
        for i in np.flatnonzero(cameras):
            ends[:, i] = cameras[i].transform(ends[:, i])
        start, end = ends.reshape(2, -1, 1, 1, 1)
        width = np.where(end != start, end - start, np.where(end, np.abs(end), 1.0))
        is_unit = ((images >= 0) & (images <= 1)).all(axis=(1, 2, 3), keepdims=True)
        return cls(start, width, cameras, mean, is_unit)

    def widened(self, factors):
        """Tones of less contrast."""
        return replace(self, width=self.width * factors)

    def apply(self, images):
        """Values of the nets."""
        pairs = zip(images, self.cameras, strict=True)
        values = np.stack([camera.transform(x) if camera else x for x, camera in pairs])
        return (values - self.start.astype(values.dtype)) / self.width.astype(values.dtype)

    def invert(self, images, denoised, level):
        """What the nets made of images, in their values; as it was where there is no noise."""
        scaled = self.apply(images)
        # What went around the nets.
        values = denoised + (scaled - scaled.clip(_LOW, _HIGH))
        values = np.where(level > 0.5 / 255, self.back(values), images) - self.mean
        return np.where(self.is_unit, values.clip(0, 1), values)

    def stretched(self, values):
        """Values of images after the transform of the cameras, of those of the nets."""
        return values * self.width.astype(values.dtype) + self.start.astype(values.dtype)

    def back(self, values):
        """Values of images, of those of the nets."""
        pairs = zip(self.stretched(values), self.cameras, strict=True)
        return np.stack([camera.inverse(x) if camera else x for x, camera in pairs])

    def inputs(self, images):
        """Images as the nets take them."""
        return self.apply(images).clip(_LOW, _HIGH).astype(np.float32)


def _camera_of(image):
    """The camera whose tone curve may suit an image: its noise grows with the light; or None."""
    if min(image.shape[:2]) < SMALLEST:
        return None
    try:
        noise = growing_noise(*mean_and_variance_of([*np.moveaxis(image, -1, 0)]))
    except ValueError:
        # Too few blocks tell it.
        return None
    if not isinstance(noise, PoissonGaussianNoise):
        return None
    # Hundreds of thousands of photons need no curve, and less than one is no light.
    low, high = np.percentile(some_pixels(image), (0.1, 99.9))
    if not 1e-5 * (high - low) < noise.gain < high - low:
        return None
    return AnscombeTransform(noise.set_params(offset=min(noise.offset, float(image.min()))))


def some_pixels(images):
    """Pixels, ``(..., n, n_channels)``, that tell the range of images; all of small ones."""
    *_, height, width, n_channels = images.shape
    step = -(-height * width * n_channels // _N_VALUES)
    # In each row others, so that none of the filters of a mosaic is left out.
    while step > 1 and math.gcd(step, width) > 1:
        step += 1
    return images.reshape(*images.shape[:-3], -1, n_channels)[..., ::step, :]


def told(images, noise):
    """The same as `seen`, of a noise that is known."""
    camera = None if isinstance(noise, SpeckleNoise) else as_camera(noise)
    camera = camera and AnscombeTransform(camera)
    mean = float(getattr(noise, "mean", 0.0))
    tones = Tones.of(images, [camera] * len(images), mean)
    level = np.ones((*images.shape[:3], 1))
    if camera is None:
        light = gaussian_filter(images, (0, _BLUR, _BLUR, 0), mode="nearest")
        level = np.sqrt(noise.variance(light).mean(axis=3, keepdims=True))
    level /= tones.width
    # Stronger noise than the nets know is weak noise in an image of less contrast.
    excess = (level.max(axis=(1, 2, 3), keepdims=True) / MOST_SEEN).clip(1, None)
    tones = tones.widened(excess)
    return tones, tones.inputs(images), (level / excess).astype(np.float32)


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
    tones : Tones
        Of less contrast where there is more noise than the nets know.
    inputs, level : ndarray of float32
    """
    tones, inputs, level = _seen(Tones.of(images), images, see)
    cameras = list(map(_camera_of, images))
    if places := [i for i, camera in enumerate(cameras) if camera]:
        some = images[places]
        curves, *others = _seen(Tones.of(some, [cameras[i] for i in places]), some, see)
        shares = map(_seen_on, *others, curves.width.ravel())
        fits = [_SEEN_BY_CURVE[0] < share < _SEEN_BY_CURVE[1] for share in shares]
        chosen = np.array(places)[fits]
        before = (tones.start, tones.width, tones.cameras, inputs, level)
        after = (curves.start, curves.width, curves.cameras, *others)
        for old, new in zip(before, after, strict=True):
            old[chosen] = new[fits]
    level = _by_brightness(inputs, level)
    # Noise does not keep to two values, as masks and dithered pictures do.
    level[[((x == x.min()) | (x == x.max())).all() for x in images]] = 0
    return tones, inputs, level


def _seen(tones, images, see):
    """The same, with tones that may lose contrast."""
    inputs = tones.inputs(images)
    level = see(inputs)
    excess = level.mean(axis=(1, 2, 3), keepdims=True) / MOST_SEEN
    if (excess > 1).any():
        tones = tones.widened(excess.clip(1, None))
        inputs = tones.inputs(images)
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


def _seen_on(values, level, width):
    """The median level that is seen, in units of the transform; 0 of flat images."""
    levels = level[_is_rough(values)]
    return float(np.median(levels)) * width if levels.size else 0.0


def _is_rough(values):
    """Where values of an image, ``(height, width, n_channels)``, differ from their neighbors."""
    light = values.mean(axis=2)
    return maximum_filter(light, 3) > minimum_filter(light, 3)


def seen_ratio(planes, gaps=None):
    """How many times the noise that differences of neighbors tell the pretrained net sees.

    About 1 for noise that is independent from pixel to pixel, also of counts; more where it is
    correlated, and less where texture is taken for noise.

    Parameters
    ----------
    planes : list of ndarray of shape (height, width)
        Gray images, in any units.
    gaps : list of ndarray of bool, or None
        Where values are missing, which are filled.

    Returns
    -------
    ratio : float
        The median; 1 if all images are too small to tell.
    """
    ratios = []
    for _, values, level, gap in seen_middles(planes, gaps):
        # Flat parts have no noise, whatever the others have.
        level = level[0][_is_rough(values[0]) & ~gap[0, ..., 0]]
        told = max(noise_std(values[0, ..., 0], gap[0, ..., 0]), 0.5 / 255)
        ratios.append(float(np.median(level)) / told if level.size else 1.0)
    return float(np.median(ratios)) if ratios else 1.0


def are_correlated(planes, gaps=None):
    """Whether neighbors share noise in most planes that are not small, as the pretrained net sees.

    Planes and gaps are those of `seen_ratio`.
    """
    odds = [odds_of_kind(values, level) for _, values, level, _ in seen_middles(planes, gaps)]
    return bool(odds) and float(np.median(odds)) < _CORRELATED


def seen_middles(planes, gaps=None):
    """Tones, values and level of the middle of some planes, and its gaps; not of small ones.

    Each is a batch of one.
    """
    gaps = [np.zeros(plane.shape, bool) for plane in planes] if gaps is None else gaps
    pairs = [pair for pair in zip(planes, gaps, strict=True) if min(pair[0].shape) >= LEARNED]
    for plane, gap in pairs[:: -(-len(pairs) // _N_SEEN) or 1]:
        part = middle(plane.shape, _SIDE)
        image = plane[part][None, ..., None].astype(np.float32)
        yield *seen(image, see), gap[part][None, ..., None]


def see(inputs):
    """The map of the level of gray images, as the shipped net sees it."""
    return _run(_gray_nets().level, inputs)


def odds_of_kind(inputs, level):
    """Logarithm of the odds that the noise of a gray image is independent, as the net sees it."""
    return _run(_gray_nets().kind, np.concatenate([inputs, level], axis=3)).item()


def remove(inputs, level):
    """Gray images without the noise of such a map, as the shipped net removes it."""
    return _run(_gray_nets().remove_correlated, np.concatenate([inputs, level], axis=3))


def _run(net, inputs):
    import torch

    with torch.inference_mode():
        return net(torch.from_numpy(inputs).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()


@cache
def _gray_nets():
    """The nets that see and remove the noise of gray images."""
    from ..architectures import Pretrained

    return Pretrained("photographs-grey").build((64, 64, 1), (64, 64, 1)).eval()
