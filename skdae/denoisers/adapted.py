"""The pretrained denoiser, fine-tuned on the noisy images themselves."""

import copy
import math
import time
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.ndimage import uniform_filter
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _num_samples
from torch import nn

from .._checks import fit_context
from .._files.weights import saved_weights
from .._images import (
    as_array,
    as_planes,
    check_any_images,
    is_dask,
    is_listed,
    masks_of,
    middle,
    to_float,
    warn_user,
    without_gaps,
)
from .._random import draw_seed, seeded
from .._training import hardware
from .._training.progress import Pace, progress_bar
from ..architectures.blind import LEVEL_STEP
from ..metrics.unbiased import unbiased_errors
from ..noise import BaseNoise
from ..noise.removed import noise_of as _noise_of
from .pretrained import PretrainedDenoiser, _parts

# As many pixels are learned from, and the middle of an image has at most a quarter of them.
_PIXELS = 2**23

# Sides of the parts that images are cut into; the largest of which there are so many.
_SIDES, _LEAST = (128, 96, 64, 48, 32), 8

# One of so many parts is set aside, but not more than this.
_SHARE, _MOST_HELD_OUT = 8, 32

# Crops per step, their side, learning rate, and the share of the training in which it rises.
_BATCH, _CROP, _LR, _RISE = 8, 64, 5e-4, 0.05

# How much noise is added to the input, in standard deviations; see `RecorruptedDenoiser`. Of nine
# kinds of images, and of counts, all gained more than with 1.5, and counts more than with 0.5.
_ALPHA = 1.0

# Gain in dB for which the adapted network is kept; of photographs, up to 0.37 was said where there
# was none.
_CLEARLY = 0.4

# The variance of the noise is known to about a hundredth of it; what is left after denoising may be
# as little.
_UNSURE = 0.01

# Noise was measured too high where its finest details tell so many times the variance that was
# removed: white noise has as much in them as in all, and strokes of text have more.
_TOO_FINE = 1.44
_TOO_HIGH = (
    "their noise was measured too high to compare the two, as in images full of edges, without "
    "flat parts; pass noise= if you know its level"
)
_CORRELATED = (
    "their noise is correlated between pixels or channels, or skewed, as of one or two photons"
)

# How much is added to see what is left of it; in float32, more than its rounding.
_LITTLE = 0.05

# The map of the level follows the brightness, which has noise: a net that was told it as it is
# would learn to read the noise of its targets from it. The mean of so wide a window tells none.
_EVEN = 65

# Where noise has been clipped, its mean in such a window is more than this, in standard deviations.
_WINDOW, _MEAN = 25, 0.12


class AdaptedDenoiser(PretrainedDenoiser):
    r"""Denoise images with a pretrained network that is fine-tuned on them.

    `fit` needs noisy images alone. It starts from the network of `PretrainedDenoiser` for noise
    that is independent from pixel to pixel, as learning from noisy images needs it, and trains it
    for a few minutes to predict one noisy copy of them from another, as `RecorruptedDenoiser`
    does. Where the noise is that of counted photons, it does so on the generalized Anscombe
    transform. At the end, both networks denoise parts of the images that were set aside: if the
    adapted one is not clearly better, the pretrained one is kept, and a warning says so.

    Parameters
    ----------
    weights : {"photographs"}, default="photographs"
        What the networks learned from, as in `PretrainedDenoiser`.
    minutes : float, default=2.0
        How long `fit` takes, about.
    max_steps : int or None, default=None
        Number of steps, in place of `minutes`: the result does not depend on the speed of the
        machine then.
    noise, strength, image_shape, channel_axis, missing_values, tile_size, device, precision
        As in `PretrainedDenoiser`.
    random_state : int, RandomState instance or None, default=None
        Seed of the parts that are set aside, of crops and of noise.
    verbose : int, default=0
        Above 0, a bar shows the time that is left, and the loss.

    Attributes
    ----------
    gains_ : dict of str to float
        By kind of images, "gray" or "color": by how many dB the adapted network is better on the
        parts that were set aside; NaN where none was trained, or where the noise was measured too
        high to tell.
    weights_ : dict of str to dict of str to ndarray
        The weights of the adapted network of each kind that has one; where it is empty, the
        pretrained networks were kept.
    n_steps_ : int
        Number of training steps.
    noise_ : noise model
        As in `PretrainedDenoiser`.
    sees_ : bool
        As in `PretrainedDenoiser`.
    digest_ : str
        The name of the pretrained weights.
    image_shape_ : tuple of int
        Shape of one image.
    channel_axis_ : int or None
        -1 if an axis holds channels, else None.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    PretrainedDenoiser : Does not learn.
    RecorruptedDenoiser : Learns any architecture from noisy images alone.
    Noise2VoidDenoiser : Learns from noisy images whose noise is not Gaussian.

    Notes
    -----
    Adapting pays for images that are not photographs, such as micrographs and scans, and for many
    images of one kind. The noise has to be white. Its level is measured in what the pretrained
    network removes, in the flattest parts of each brightness. Noise that is correlated between
    pixels or channels, as in the JPEG files of a camera, is recognized there, and the pretrained
    network is kept. The same holds for noise that is skewed, even on the transform, as that
    of one or two photons per pixel: a network would learn to tell some of it.

    Of large sets, the middle of at most 8 megapixels of images, spread over all of them, is used.

    References
    ----------
    .. [1] Pang, T., Zheng, H., Quan, Y. and Ji, H. (2021). "Recorrupted-to-Recorrupted:
       Unsupervised deep learning for image denoising". CVPR.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import AdaptedDenoiser, GaussianNoise
    >>> y, x = np.mgrid[:256, :256]
    >>> X_clean = (np.sin(x / 2 + y / 5) > 0)[np.newaxis].astype(float)
    >>> X_noisy = GaussianNoise(std=0.2, clip=None, random_state=0).fit_transform(X_clean)
    >>> denoiser = AdaptedDenoiser(max_steps=30, noise=0.2, random_state=0).fit(X_noisy)
    >>> bool(denoiser.gains_["gray"] > 0.5)
    True
    >>> denoiser.predict(X_noisy).shape
    (1, 256, 256)
    """

    _parameter_constraints: dict = {
        **PretrainedDenoiser._parameter_constraints,
        "minutes": [Interval(Real, 0, None, closed="neither")],
        "max_steps": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    gains_: dict[str, float]
    weights_: dict[str, dict[str, np.ndarray]]
    n_steps_: int

    def __init__(
        self,
        weights: str = "photographs",
        *,
        minutes: float = 2.0,
        max_steps: int | None = None,
        noise: float | str | BaseNoise | None = None,
        strength: float | tuple[float, float] = 1.0,
        image_shape: tuple[int, ...] | None = None,
        channel_axis: int | str | None = "auto",
        missing_values: float = math.nan,
        tile_size: int | str | None = "auto",
        device: str | torch.device = "auto",
        precision: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ):
        super().__init__(
            weights,
            noise=noise,
            strength=strength,
            image_shape=image_shape,
            channel_axis=channel_axis,
            missing_values=missing_values,
            tile_size=tile_size,
            device=device,
            precision=precision,
        )
        self.minutes = minutes
        self.max_steps = max_steps
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(skip_nested=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Adapt the network to noisy images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images; those of different sizes come as a list of arrays.
        y : array-like shaped like `X`, or None, default=None
            Clean images; checked, not used. A 1-D array of labels is ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If values are not finite, a parameter is out of range, or the noise is of another kind.
            The fitted state from before is kept.

        Warns
        -----
        UserWarning
            If the pretrained network is kept, and why.
        """
        began = time.monotonic()
        # Until the end, it is the pretrained networks that see and remove.
        self.weights_ = {}
        super().fit(X, y)
        seed, device = draw_seed(self.random_state), hardware.resolve_device(self.device)
        with seeded(seed, device), torch.inference_mode(False), torch.enable_grad():
            self._adapt(X, began, np.random.default_rng(seed))
        return self

    def _adapt(self, X, began, rng):
        """Train a net for each kind of images, and keep those that are better."""
        by_kind: dict[str, list] = {}
        for image, gaps in self._some(X):
            for _, channels, _ in _parts(image, self.sees_):
                part = self._learnable(image[..., channels], gaps[..., channels])
                by_kind.setdefault("color" if channels == slice(3) else "gray", []).append(part)
        self.gains_, weights, self.n_steps_ = {}, {}, 0
        for i, (kind, parts) in enumerate(by_kind.items()):
            # What is left is shared by the kinds that are left.
            left = (began + 60 * self.minutes - time.monotonic()) / (len(by_kind) - i)
            self.gains_[kind] = math.nan
            reasons = [part for part in parts if isinstance(part, str)]
            train, held_out = _split([p for p in parts if not isinstance(p, str)], rng)
            if 2 * len(reasons) > len(parts) or not held_out:
                why = max(reasons, key=reasons.count, default="they have too few pixels")
                warn_user(f"The pretrained network was kept for the {kind} images: {why}.")
                continue
            before = self._module(3 if kind == "color" else 1, hardware.resolve_device(self.device))
            after, n_steps = self._train(before, train, max(left, 6 * self.minutes))
            self.n_steps_ += n_steps
            self.gains_[kind], is_better = _compare(before, after, held_out)
            if is_better:
                weights[kind] = saved_weights(after.independent)
            else:
                why = (
                    "on parts that were set aside, the adapted one is not clearly better "
                    f"({self.gains_[kind]:+.2f} dB after {n_steps} steps)"
                )
                why = _TOO_HIGH if math.isnan(self.gains_[kind]) else why
                warn_user(f"The pretrained network was kept for the {kind} images: {why}.")
        self.weights_ = weights

    def _some(self, X):
        """Images to learn from, evenly spread, and what of them is missing.

        Both are ``(1, height, width, n_channels)``.
        """
        X = X if is_dask(X) or is_listed(X) or np.ma.isMaskedArray(X) else as_array(X)
        n_pixels = _num_samples(X) * min(math.prod(self.image_shape_), _PIXELS // 4)
        step = max(1, n_pixels // _PIXELS)
        some = X[::step].compute() if is_dask(X) else X
        step = 1 if is_dask(X) else step
        given, gaps = without_gaps(self, some)
        images = check_any_images(given, channel_axis=self.channel_axis)
        masks, side = masks_of(gaps, images), int((_PIXELS // 4) ** 0.5)
        for i in range(0, len(images), step):
            planes, gap_planes = (
                as_planes(self._geometry.read(x[i][None])) for x in (images, masks)
            )
            # Of a volume, the slices of which memory holds so many.
            for k in range(0, len(planes), max(1, planes.size // _PIXELS)):
                part = k, None, *middle(planes.shape[1:3], side)
                yield to_float(planes[part]), gap_planes[part]

    def _learnable(self, images, gaps):
        """An image of one kind and what is known of its noise, or why it cannot be learned."""
        if min(images.shape[1:3]) < _SIDES[-1]:
            return "the images are too small"
        tones, inputs, level = self._told_or_seen(images)
        # Of missing pixels, nothing is learned.
        seen = (level[0] > LEVEL_STEP) & ~gaps[0].any(axis=2, keepdims=True)
        if seen.mean() < 0.1:
            return "no noise was seen in them"
        denoised = self._remove_kinds(inputs, level, self._kinds(inputs, level))
        stds, is_white = _noise_of(inputs[0].astype(np.float64), denoised[0], seen[..., 0])
        if not self.sees_:
            stds = np.broadcast_to(level[0], stds.shape)
        elif not is_white:
            removed = np.square(inputs[0] - denoised[0]).mean(axis=2, keepdims=True)[seen].mean()
            return _TOO_HIGH if np.square(stds).mean() > _TOO_FINE * removed else _CORRELATED
        # Where noise was clipped, its mean is not 0: there, the pretrained network is the teacher.
        is_fair = seen & _has_no_mean(inputs[0] - denoised[0], stds)
        if is_fair.mean() < 0.1:
            return "their noise was clipped, as at black"
        aims = np.where(is_fair, inputs[0], denoised[0])
        # What is missing counts for nothing when nets are compared.
        slope = _slope(tones, denoised)[0] * ~gaps[0].any(axis=2, keepdims=True)
        even = uniform_filter(np.square(level[0], dtype=np.float64), (_EVEN, _EVEN, 0))
        # Beside what has none, its running sums fall below 0.
        told = np.sqrt(even.clip(0))
        layers = [inputs[0], told, stds * is_fair, aims, slope]
        return np.concatenate(layers, axis=2, dtype=np.float32)

    def _train(self, before, parts, seconds):
        """A copy of the nets that has learned to remove the noise of parts; number of steps."""
        nets = copy.deepcopy(before).train()
        remover = nets.requires_grad_(False).independent.requires_grad_(True)
        optimizer = torch.optim.Adam(remover.parameters())
        began, n_steps, done = time.monotonic(), 0, 0.0
        n = self.max_steps or seconds
        bar = progress_bar(
            round(n),
            desc="adapting",
            bar_format="{desc}|{bar:20}| [{elapsed}<{remaining}{postfix}]",
            disable=not self.verbose,
        )
        # The time is a parameter, but the number of steps does not tell it.
        pace = Pace(is_silent=self.verbose or not self.max_steps)
        with bar, hardware.threads():
            while done < 1:
                rate = _LR * min(1, done / _RISE + 0.1) * (1 + math.cos(math.pi * done)) / 2
                optimizer.param_groups[0]["lr"] = rate
                loss = self._errors(nets, _crops(parts)).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                n_steps += 1
                pace.step(n)
                if self.verbose:
                    bar.set_postfix(loss=f"{loss.item():.4g}", refresh=False)
                now = n_steps if self.max_steps else time.monotonic() - began
                bar.update(min(bar.total, now) - bar.n)
                done = now / n
        # Whatever the kind of the noise seems to be.
        nets.correlated = nets.independent
        return nets.eval(), n_steps

    def _errors(self, nets, batch):
        """Squared errors of what nets make of one noisy copy, against another one."""
        images, level, stds, aims, _ = _layers(nets, batch)
        more = stds * torch.randn_like(images)
        # Without more noise, it is what the net will be told.
        told = level * (1 + _ALPHA**2 * (stds.amax(1, keepdim=True) > 0)).sqrt()
        noisier = torch.cat([images + _ALPHA * more, told], 1)
        name = hardware.resolve_precision(self.precision, images.device, convolutional=True)
        dtype = getattr(torch, name)
        with torch.autocast(images.device.type, dtype, enabled=dtype != torch.float32):
            output = nets.remove_independent(noisier)
        # In units of the noise, so that images count alike.
        return ((output.float() - aims + more / _ALPHA) / _unit(level)).square()

    def _set_saved_state(self, state):
        """See `Persistent`; earlier versions wrote "grey"."""
        for by_kind in (state.get("gains_", {}), state.get("weights_", {})):
            if "grey" in by_kind:
                by_kind["gray"] = by_kind.pop("grey")
        super()._set_saved_state(state)

    def _module(self, n_channels, device):
        """The nets for gray or color images, adapted where that has paid."""
        nets = super()._module(n_channels, device)
        weights = self.weights_.get("color" if n_channels == 3 else "gray")
        if weights is None:
            return nets
        nets = copy.deepcopy(nets)
        nets.independent.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
        nets.correlated = nets.independent
        return nets


def _layers(nets, batch):
    """Images, what is told of their noise, what it is, targets before it, and the tone's slope."""
    n = nets.n_channels
    batch = batch.to(next(nets.parameters()).device, memory_format=torch.channels_last)
    return batch.split((n, 1, n, n, 1), dim=1)


@torch.inference_mode()
def _compare(before, after, parts):
    """By how many dB nets are better on parts than others were; whether that is certain."""
    # Each is added, and taken away.
    n_draws = max(1, min(_LEAST, _MOST_HELD_OUT // len(parts)) // 2)
    with hardware.threads():
        old, new = (
            torch.cat([_unbiased_errors(nets, part, n_draws) for part in parts]).double().numpy()
            for nets in (before, after)
        )
    # What is not known of the noise is added to both, which it may be as large as.
    old, new = old + _UNSURE, new + _UNSURE
    # An error below 0 says that the noise is weaker than was measured.
    if min(new.mean(), old.mean()) <= 0:
        return math.nan, False
    # A network may have diverged.
    if not new.mean() > 0:
        return -math.inf, False
    difference = old - new
    margin = difference.std(ddof=1) / len(difference) ** 0.5
    gain = 10 * math.log10(old.mean() / new.mean())
    return gain, bool(difference.mean() > 2 * margin and gain > _CLEARLY)


def _unbiased_errors(nets, part, n_draws):
    """Stein's unbiased estimate of the squared error, in blocks of a part."""
    images, level, stds, aims, slope = _layers(nets, part[None])
    # The same numbers for all nets.
    generator = torch.Generator().manual_seed(0)
    draws = torch.randn((n_draws, *images.shape), generator=generator).to(images.device)

    kind = nets.is_independent(torch.cat([images, level], 1))

    def denoise(noisy):
        return nets.remove_of_kind(torch.cat([noisy, level], 1), kind)

    errors = unbiased_errors(denoise, images, aims, stds, [*draws], _LITTLE)
    # In the units of the images, in which the light parts of counts have the larger errors.
    errors = slope.square() * errors
    means = (errors / _unit(level).square()).mean(1, keepdim=True).cpu()
    return nn.functional.avg_pool2d(means, _SIDES[-1]).flatten()


def _unit(level):
    """The level of the noise of each image of a batch."""
    return level.mean((1, 2, 3), keepdim=True).clamp(min=LEVEL_STEP)


def _has_no_mean(removed, stds):
    """Where the mean of what was removed is 0, up to chance."""
    means = uniform_filter(removed.astype(np.float64), (_WINDOW, _WINDOW, 0))
    return (np.abs(means) < _MEAN * stds).all(axis=2, keepdims=True)


def _slope(tones, denoised):
    """How much the values of one image change with those of the nets, about 1 on average."""
    if tones.cameras[0] is None:
        return np.ones_like(denoised[..., :1])
    # The square of the transform grows as the light does.
    slope = tones.stretched(denoised).mean(axis=3, keepdims=True).clip(0)
    return slope / np.sqrt(np.square(slope).mean())


def _split(images, rng):
    """Parts of images to learn from, and others that are set aside; tensors, channels first."""
    for side in _SIDES:
        parts = [part for image in images for part in _tiles(image, side)]
        if len(parts) >= _LEAST:
            break
    else:
        return [], []
    order = rng.permutation(len(parts))
    n = min(_MOST_HELD_OUT, max(3, len(parts) // _SHARE))
    return [parts[i] for i in order[n:]], [parts[i] for i in order[:n]]


def _tiles(image, side):
    """Parts of an image that are at least so long and wide, and do not overlap."""
    for rows in np.array_split(np.arange(image.shape[0]), image.shape[0] // side or 1):
        for columns in np.array_split(np.arange(image.shape[1]), image.shape[1] // side or 1):
            if min(len(rows), len(columns)) >= side:
                part = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
                yield torch.from_numpy(np.ascontiguousarray(part.transpose(2, 0, 1)))


def _crops(parts):
    """A batch of random crops, flipped and turned."""
    side = min(_CROP, *(n for part in parts for n in part.shape[1:]))
    crops = []
    for _ in range(_BATCH):
        part = parts[int(torch.randint(len(parts), ()))]
        top, left = (int(torch.randint(n - side + 1, ())) for n in part.shape[1:])
        crop = part[:, top : top + side, left : left + side]
        crop = crop.rot90(int(torch.randint(4, ())), (1, 2))
        crops.append(crop.flip(2) if torch.randint(2, ()) else crop)
    return torch.stack(crops)
