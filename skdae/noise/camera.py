"""What a camera leaves in a photograph: photons on a mosaic, developed and compressed."""

import math
from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval

from .._images import MAX_LEVEL
from ._base import BaseNoise, LevelRange, by_planes, level
from .compression import JPEGNoise

# Colors of a typical sensor to those of a screen; rows add up to 1, so that gray stays gray.
_TO_SCREEN = np.array([[1.75, -0.6, -0.15], [-0.25, 1.6, -0.35], [0.05, -0.65, 1.6]])

# Light and two differences of color, as in JPEG, and the way back.
_TO_LIGHT = np.array([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]])
_FROM_LIGHT = np.linalg.inv(_TO_LIGHT)

# Which filter lies over each pixel of a block of 2 × 2: rows and columns from where, channel.
_BAYER = ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2))

# The darkest value that is developed, where a power is still steep but finite.
_BLACK = 1e-6


class CameraNoise(BaseNoise):
    r"""Take a photograph of an image, as a camera with a Bayer mosaic does.

    The image is developed backwards, which undoes the tone curve :math:`v = l^{1/\gamma}`, the
    color matrix and the white balance [1]_. Each pixel of the sensor sees one color and counts
    photons, :math:`\tilde r = (\mathrm{Poisson}(r p) + \mathcal N(0, \sigma^2)) / p`. Then the
    mosaic is interpolated and developed forwards, and the difference that the noise made is added
    to the image. The camera may smooth this difference, its color more than its light, and may
    store the photograph as JPEG. Such noise is stronger in some brightnesses and colors than in
    others, and is correlated between neighbors and channels.

    Parameters
    ----------
    peak : float or (float, float), default=(50.0, 20000.0)
        Photons :math:`p` counted in a white pixel behind the green filter, from 1 to 1e9; fewer
        photons are more noise. A pair draws one number per image, whose logarithm is uniform.
    read_noise : float or (float, float), default=(0.0, 4.0)
        Standard deviation :math:`\sigma` of the noise of the electronics, in photons. A pair, here
        and below, draws one number per image, uniformly from the range.
    gamma : float or (float, float), default=(1.8, 2.4)
        Exponent :math:`\gamma` of the tone curve, at least 1.
    white_balance : float or (float, float), default=(1.3, 2.6)
        How much red and blue are amplified, from 1 to 8; a pair draws one number for each.
    color_correction : float or (float, float), default=(0.0, 1.0)
        How far the color matrix is from the identity (0) to that of a typical sensor (1). It mixes
        the noise of the channels and makes it stronger.
    smoothing : float or (float, float), default=(0.0, 1.0)
        Standard deviation in pixels, up to 5, of the Gaussian by which the camera smooths light.
    chroma_smoothing : float or (float, float), default=(0.0, 2.5)
        The same for color.
    quality : int, (int, int) or None, default=None
        Quality of the JPEG file, from 1 to 100, or None for no JPEG. Needs Pillow (the extra
        ``images``).
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

    Raises
    ------
    ImportError
        In `fit`, if `quality` is given and Pillow is missing.

    See Also
    --------
    PoissonGaussianNoise : The noise of a linear sensor without a mosaic.
    JPEGNoise : Compression alone.

    Notes
    -----
    Images lie in [0, 1]. Those with three channels are colors; a gray one gets the luminance of
    the noise of a gray picture, and of any other number of channels each is a gray one. A signal
    is seen as a picture of equal rows. As nothing but the noise changes, the image itself keeps
    what a mosaic would blur, and is the target that a denoiser learns.

    References
    ----------
    .. [1] Brooks, T. et al. (2019). "Unprocessing images for learned raw denoising". CVPR.
    .. [2] Guo, S. et al. (2019). "Toward convolutional blind denoising of real photographs"
       (CBDNet). CVPR.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import CameraNoise
    >>> X_clean = np.full((1, 64, 64, 3), 0.5)
    >>> noise = CameraNoise(peak=500, read_noise=2, smoothing=0.8, random_state=0)
    >>> error = noise.fit_transform(X_clean) - X_clean
    >>> rho = np.corrcoef(error[:, 1:].ravel(), error[:, :-1].ravel())[0, 1]
    >>> bool(0.5 < rho < 0.9)
    True
    """

    _parameter_constraints: dict = {
        **BaseNoise._parameter_constraints,
        "peak": level(Real, 1.0, 1e9),
        "read_noise": level(Real, 0.0, MAX_LEVEL),
        "gamma": level(Real, 1.0, 5.0),
        "white_balance": level(Real, 1.0, 8.0),
        "color_correction": level(Real, 0.0, 1.0),
        "smoothing": level(Real, 0.0, 5.0),
        "chroma_smoothing": level(Real, 0.0, 5.0),
        "quality": [
            Interval(Integral, 1, 100, closed="both"),
            LevelRange(Integral, 1, 100, closed="both"),
            None,
        ],
    }
    _spatial = _is_unit = True

    def __init__(
        self,
        peak: float | tuple[float, float] = (50.0, 20000.0),
        read_noise: float | tuple[float, float] = (0.0, 4.0),
        *,
        gamma: float | tuple[float, float] = (1.8, 2.4),
        white_balance: float | tuple[float, float] = (1.3, 2.6),
        color_correction: float | tuple[float, float] = (0.0, 1.0),
        smoothing: float | tuple[float, float] = (0.0, 1.0),
        chroma_smoothing: float | tuple[float, float] = (0.0, 2.5),
        quality: int | tuple[int, int] | None = None,
        image_shape: tuple[int, ...] | None = None,
        clip: str | tuple[float, float] | None = "auto",
        when: str = "always",
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(clip=clip, when=when, random_state=random_state)
        self.peak = peak
        self.read_noise = read_noise
        self.gamma = gamma
        self.white_balance = white_balance
        self.color_correction = color_correction
        self.smoothing = smoothing
        self.chroma_smoothing = chroma_smoothing
        self.quality = quality
        self.image_shape = image_shape

    def _corrupt(self, images, rng):
        return by_planes(lambda planes: self._photographed(planes, rng), images)

    def _photographed(self, images, rng):
        """Images as the camera hands them over."""
        n_channels = images.shape[3]
        if n_channels == 3:
            noisy = images + self._noise(images, rng)
        else:
            noisy = images + 0
            for c in range(n_channels):
                noise = self._noise(images[..., [c, c, c]], rng)
                noisy[..., c] += _mixed(noise, _TO_LIGHT[:1])[..., 0]
        if self.quality is None:
            return noisy
        return JPEGNoise(self.quality)._corrupt(noisy, rng)

    def _noise(self, images, rng):
        """The developed noise of images in color."""
        height, width = images.shape[1:3]
        # A mosaic has at least two rows and two columns.
        images = images[:, [*range(height), *([0] * (height == 1))]]
        images = images[:, :, [*range(width), *([0] * (width == 1))]]
        gamma, strength = (
            self._level(self.gamma, rng, images),
            self._level(self.color_correction, rng, images),
        )
        # Gray is 1 in all three, and stays so under a matrix whose rows add up to 1.
        balance = [self._level(self.white_balance, rng, images), 1.0]
        balance.append(self._level(self.white_balance, rng, images))
        matrix = [
            [_flat(strength * (v - (i == j)) + (i == j)) for j, v in enumerate(row)]
            for i, row in enumerate(_TO_SCREEN)
        ]

        def develop(raw):
            light = _demosaic(raw)
            for c, gain in enumerate(balance):
                light[..., c] *= _flat(gain)
            return _mixed(light, matrix).clip(_BLACK, 1.0) ** (1 / gamma)

        linear = _mixed(images.clip(0.0, 1.0) ** gamma, _inverse(matrix))
        raw = _mosaic(linear, balance).clip(0.0, 1.0)
        peak = self._log_level(self.peak, rng, images)
        read = self._level(self.read_noise, rng, images)
        counts = rng.poisson(raw * peak) + read * rng.normal(0.0, 1.0, raw.shape)
        noise = develop(counts / peak) - develop(raw)
        return self._smoothed(noise, rng)[:, :height, :width]

    def _smoothed(self, noise, rng):
        """Noise whose light and color the camera smooths."""
        light, color = (
            self._level(value, rng, noise) for value in (self.smoothing, self.chroma_smoothing)
        )
        largest = [np.max(value) for value in (self.smoothing, self.chroma_smoothing)]
        parts = _mixed(noise, _TO_LIGHT)
        parts[..., :1] = _blurred(parts[..., :1], light, largest[0])
        parts[..., 1:] = _blurred(parts[..., 1:], color, largest[1])
        return _mixed(parts, _FROM_LIGHT)

    def _log_level(self, value, rng, images):
        """One number, or one per image whose logarithm is uniform in the range."""
        if isinstance(value, tuple | list):
            value = tuple(math.log(v) for v in value)
            return math.e ** self._level(value, rng, images)
        return float(value)

    def _validate_params(self):
        super()._validate_params()
        if self.quality is not None:
            JPEGNoise(self.quality)._validate_params()


def _flat(value):
    """A number per image that broadcasts against one channel."""
    return value if isinstance(value, float) else value[..., 0]


def _mixed(images, matrix):
    """Channels that are sums of channels, a row of weights for each."""
    out = images[..., : len(matrix)] + 0
    for c, row in enumerate(matrix):
        out[..., c] = sum(images[..., k] * weight for k, weight in enumerate(row))
    return out


def _inverse(matrix):
    """The inverse of a 3 × 3 matrix of numbers, or of numbers per image, by Cramer's rule."""
    minors = [
        [
            matrix[(j + 1) % 3][(i + 1) % 3] * matrix[(j + 2) % 3][(i + 2) % 3]
            - matrix[(j + 1) % 3][(i + 2) % 3] * matrix[(j + 2) % 3][(i + 1) % 3]
            for j in range(3)
        ]
        for i in range(3)
    ]
    determinant = sum(matrix[0][k] * minors[k][0] for k in range(3))
    return [[minor / determinant for minor in row] for row in minors]


def _mosaic(linear, balance):
    """What each pixel sees through its filter, 0 in the channels of the others."""
    raw = 0 * linear
    for row, column, c in _BAYER:
        own = (slice(None), slice(row, None, 2), slice(column, None, 2), c)
        gain = balance[c]
        raw[own] = linear[own] / (gain if isinstance(gain, float) else _flat(gain))
    return raw


def _demosaic(raw):
    """Missing colors from the nearest pixels that see them (bilinear)."""
    seen = 0 * raw
    for row, column, c in _BAYER:
        own = (slice(None), slice(row, None, 2), slice(column, None, 2), c)
        seen[own] = raw[own]
    around = seen + 0.5 * _beside(seen, 1)
    out = around + 0.5 * _beside(around, 2)
    green = seen[..., 1:2]
    out[..., 1:2] = green + 0.25 * (_beside(green, 1) + _beside(green, 2))
    return out


def _beside(images, axis):
    """Sum of the two neighbors along an axis."""
    return _shifted(images, -1, axis) + _shifted(images, 1, axis)


def _shifted(images, step, axis):
    """Images moved by some pixels; what enters is reflected about the outermost pixels."""
    n = images.shape[axis]
    place = np.abs((np.arange(n) + step + n - 1) % (2 * n - 2) - (n - 1)).tolist()
    return images[:, place] if axis == 1 else images[:, :, place]


def _blurred(images, std, largest):
    """Images under a Gaussian of one width per image."""
    if largest == 0:
        return images
    steps = range(1, math.ceil(3 * largest) + 1)
    # Much less than a pixel is none at all.
    width = std.clip(0.1, None) if hasattr(std, "clip") else max(std, 0.1)
    weights = [math.e ** (-0.5 * (step / width) ** 2) for step in steps]
    total = 1 + 2 * sum(weights)
    for axis in (1, 2):
        images = (
            images
            + sum(
                weight * (_shifted(images, step, axis) + _shifted(images, -step, axis))
                for step, weight in zip(steps, weights, strict=True)
            )
        ) / total
    return images
