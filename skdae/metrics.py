"""How near denoised images come to the clean ones: metrics for batches, and scorers for searches.

Every metric is computed for each image and then averaged, so that the PSNR of a batch is the mean
of its images' PSNRs. `uint8` counts as ``value / 255``. A single image is a batch of one,
``image[np.newaxis]``; images of different sizes may come as a list of arrays.
"""

import math
from collections.abc import Callable
from functools import partial, wraps
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import correlate1d, uniform_filter
from sklearn.base import clone
from sklearn.utils.validation import check_consistent_length

from ._images import (
    check_image_list,
    check_images,
    check_target,
    from_batch,
    is_ragged,
    refuse_overflow,
    resolve_image_shape,
    squared_errors,
    to_batch,
    to_float,
)
from ._random import draw_seed

__all__ = [
    "METRICS",
    "SCORERS",
    "DenoisingScorer",
    "JInvariantScorer",
    "denoising_scorer",
    "j_invariant_scorer",
    "mae_scorer",
    "mean_absolute_error",
    "mean_squared_error",
    "mse_scorer",
    "peak_signal_noise_ratio",
    "psnr_scorer",
    "ssim_scorer",
    "structural_similarity",
]

# Values in a chunk of images: 1 MB as float64, which stays in the processor's cache.
_CHUNK_VALUES = 2**17


# Metrics


def _lists_too(metric):
    """Let a metric of batches also take lists of images of different sizes."""

    @wraps(metric)
    def on_lists(X_true, X_pred, *, per_image=False, **params):
        if not is_ragged(X_true):
            return metric(X_true, X_pred, per_image=per_image, **params)
        check_consistent_length(X_true, X_pred)
        both = check_image_list(X_true, "X_true"), check_image_list(X_pred, "X_pred")
        pairs = zip(*both, strict=True)
        values = [metric(x[None], p[None], per_image=True, **params) for x, p in pairs]
        return _average(np.concatenate(values), per_image)

    return on_lists


@_lists_too
def mean_squared_error(
    X_true: ArrayLike, X_pred: ArrayLike, *, per_image: bool = False
) -> float | NDArray[np.float64]:
    r"""Mean squared error, :math:`\frac1n \sum_i (x_i - p_i)^2`; 0 is best.

    Parameters
    ----------
    X_true : array-like of shape (n_samples, n_features) or (n_samples, height, width[, n_channels])
        Clean images.
    X_pred : array-like, shaped like `X_true`
        Denoised images.
    per_image : bool, default=False
        Whether to give one value an image instead of their mean.

    Returns
    -------
    error : float or ndarray of shape (n_samples,)
        In squared units of the images.

    Raises
    ------
    ValueError
        If the shapes differ, or an array is empty or holds NaN or infinity.

    Examples
    --------
    >>> from skdae.metrics import mean_squared_error
    >>> mean_squared_error([[0.0, 1.0], [1.0, 1.0]], [[0.0, 0.5], [1.0, 1.0]])
    0.0625
    """
    X, P = _check_pair(X_true, X_pred)
    return _average(_by_chunk(squared_errors, X, P), per_image)


@_lists_too
def mean_absolute_error(
    X_true: ArrayLike, X_pred: ArrayLike, *, per_image: bool = False
) -> float | NDArray[np.float64]:
    r"""Mean absolute error, :math:`\frac1n \sum_i |x_i - p_i|`; 0 is best.

    Parameters
    ----------
    X_true : array-like of shape (n_samples, n_features) or (n_samples, height, width[, n_channels])
        Clean images.
    X_pred : array-like, shaped like `X_true`
        Denoised images.
    per_image : bool, default=False
        Whether to give one value an image instead of their mean.

    Returns
    -------
    error : float or ndarray of shape (n_samples,)
        In the units of the images.

    Raises
    ------
    ValueError
        If the shapes differ, or an array is empty or holds NaN or infinity.

    Examples
    --------
    >>> from skdae.metrics import mean_absolute_error
    >>> mean_absolute_error([[0.0, 1.0]], [[0.0, 0.5]])
    0.25
    """
    X, P = _check_pair(X_true, X_pred)
    return _average(_by_chunk(_absolute_errors, X, P), per_image)


@_lists_too
def peak_signal_noise_ratio(
    X_true: ArrayLike, X_pred: ArrayLike, *, per_image: bool = False, data_range: float = 1.0
) -> float | NDArray[np.float64]:
    r"""Peak signal-to-noise ratio, :math:`10 \log_{10}(r^2 / \mathrm{MSE})`; greater is better.

    Parameters
    ----------
    X_true : array-like of shape (n_samples, n_features) or (n_samples, height, width[, n_channels])
        Clean images.
    X_pred : array-like, shaped like `X_true`
        Denoised images.
    per_image : bool, default=False
        Whether to give one value an image instead of their mean.
    data_range : float, default=1.0
        :math:`r`, the distance between the smallest and the largest possible value.

    Returns
    -------
    psnr : float or ndarray of shape (n_samples,)
        In decibels; infinite for equal images.

    Raises
    ------
    ValueError
        If the shapes differ, an array is empty or holds NaN or infinity, or `data_range` is not
        positive.

    Examples
    --------
    >>> from skdae.metrics import peak_signal_noise_ratio
    >>> peak_signal_noise_ratio([[0.0, 1.0]], [[0.1, 0.9]])
    20.0
    """
    _check_data_range(data_range)
    X, P = _check_pair(X_true, X_pred)
    errors = _by_chunk(squared_errors, X, P)
    # PSNR of equal images is inf, as in scikit-image; no epsilon.
    with np.errstate(divide="ignore"):
        return _average(20 * math.log10(data_range) - 10 * np.log10(errors), per_image)


@_lists_too
def structural_similarity(
    X_true: ArrayLike,
    X_pred: ArrayLike,
    *,
    per_image: bool = False,
    data_range: float = 1.0,
    image_shape: tuple[int, ...] | None = None,
    win_size: int = 7,
) -> float | NDArray[np.float64]:
    r"""Structural similarity (SSIM): means, variances and covariances compared window by window.

    In every window, with means :math:`\mu`, variances :math:`\sigma^2` and covariance
    :math:`\sigma_{x p}` of the two images,

    .. math::

        \frac{(2 \mu_x \mu_{p} + C_1)(2 \sigma_{x p} + C_2)}
        {(\mu_x^2 + \mu_{p}^2 + C_1)(\sigma_x^2 + \sigma_{p}^2 + C_2)},
        \qquad C_1 = (0.01 \, r)^2, \quad C_2 = (0.03 \, r)^2

    then the mean over all windows that lie inside the image, and over the channels. The windows
    are square and uniform and the covariance is the sample's, as in
    `skimage.metrics.structural_similarity`.

    Parameters
    ----------
    X_true : array-like of shape (n_samples, n_features) or (n_samples, height, width[, n_channels])
        Clean images.
    X_pred : array-like, shaped like `X_true`
        Denoised images.
    per_image : bool, default=False
        Whether to give one value an image instead of their mean.
    data_range : float, default=1.0
        :math:`r`, the distance between the smallest and the largest possible value.
    image_shape : tuple of int or None, default=None
        ``(height, width[, n_channels])`` or ``(length,)``, for flat rows. ``None`` takes them as
        square grey images, or else as 1-D signals, whose windows are 1-D.
    win_size : int, default=7
        Side of the window in pixels, odd and at least 3.

    Returns
    -------
    ssim : float or ndarray of shape (n_samples,)
        At most 1.0, the value of equal images.

    Raises
    ------
    ValueError
        If the shapes differ, an array is empty or holds NaN or infinity, `data_range` is not
        positive, or the window is even or larger than the images.

    References
    ----------
    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", IEEE Transactions on Image Processing 13, 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae.metrics import structural_similarity
    >>> X = np.linspace(0, 1, 64).reshape(1, 8, 8)
    >>> structural_similarity(X, X)
    1.0
    """
    _check_data_range(data_range)
    X, P = _check_pair(X_true, X_pred)
    image_shape = resolve_image_shape(X.shape, image_shape)
    X, P = to_batch(X, image_shape), to_batch(P, image_shape)
    window = _window(X.shape, win_size)
    ssim = partial(_windowed_similarities, window=window, data_range=data_range)
    with np.errstate(all="ignore"):
        values = _by_chunk(ssim, X, P)
    refuse_overflow(values, X, "structural_similarity")
    return _average(values, per_image)


def _absolute_errors(X, P):
    """Mean absolute error of each image."""
    # What float64 does not hold is infinite.
    with np.errstate(over="ignore"):
        difference = to_float(X).astype(np.float64) - to_float(P)
    return np.abs(difference).reshape(len(X), -1).mean(axis=1)


def _windowed_similarities(X, P, window, data_range):
    """SSIM of each image of two batches ``(n_samples, height, width, n_channels)``."""
    X, P = (to_float(images).astype(np.float64) / float(data_range) for images in (X, P))
    inside = tuple(slice(size // 2, n - size // 2) for size, n in zip(window, X.shape, strict=True))

    def mean(images):
        return uniform_filter(images, window)[inside]

    n = math.prod(window)
    mean_x, mean_p = mean(X), mean(P)
    var_x = n / (n - 1) * (mean(X * X) - mean_x * mean_x)
    var_p = n / (n - 1) * (mean(P * P) - mean_p * mean_p)
    cov = n / (n - 1) * (mean(X * P) - mean_x * mean_p)
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_x * mean_p + c1) * (2 * cov + c2)
    similarity /= (mean_x * mean_x + mean_p * mean_p + c1) * (var_x + var_p + c2)
    return similarity.reshape(len(X), -1).mean(axis=1)


def _window(batch_shape, win_size):
    """Shape of the window in a batch; images of height 1 are signals."""
    if not isinstance(win_size, Integral) or win_size < 3 or win_size % 2 == 0:
        raise ValueError(f"win_size={win_size!r} must be an odd integer of at least 3, such as 7.")
    _, height, width, _ = batch_shape
    smallest = width if height == 1 else min(height, width)
    if smallest < win_size:
        raise ValueError(
            f"win_size={win_size} is larger than the images, {height} pixels high and {width} "
            f"wide; pass an odd win_size of at most {smallest}, and at least 3."
        )
    return (1, 1 if height == 1 else win_size, win_size, 1)


def _check_pair(X_true, X_pred):
    """Two valid batches of one shape."""
    X_true = check_images(X_true, name="X_true")
    X_pred = check_images(X_pred, name="X_pred")
    if X_true.shape != X_pred.shape:
        raise ValueError(
            f"X_true has shape {X_true.shape}, but X_pred has shape {X_pred.shape}; pass the "
            "clean and the denoised images in the same shape and order."
        )
    return X_true, X_pred


def _check_data_range(data_range):
    if not isinstance(data_range, Real) or not 0 < data_range <= 1e300:
        raise ValueError(
            f"data_range={data_range!r} must be a positive number: the largest possible value "
            "minus the smallest, 1.0 for images in [0, 1]."
        )


def _by_chunk(per_image, X_true, X_pred):
    """Values of all images, computed for some images at a time."""
    step = max(1, _CHUNK_VALUES // math.prod(X_true.shape[1:]))
    starts = range(0, len(X_true), step)
    return np.concatenate([per_image(X_true[i : i + step], X_pred[i : i + step]) for i in starts])


def _average(values, per_image):
    return values if per_image else float(values.mean())


# Scorers


class Metric(NamedTuple):
    """A metric as scorers and plots need it."""

    # (X_true, X_pred) -> float
    function: Callable[..., Any]
    # 1 where greater is better, -1 for errors.
    sign: int
    # How a plot writes a value.
    text: str
    # What stands at an axis, with the unit.
    label: str
    # Whether flat rows must be seen as images.
    spatial: bool = False


METRICS: dict[str, Metric] = {
    "mse": Metric(mean_squared_error, -1, "MSE {:.4f}", "mean squared error"),
    "mae": Metric(mean_absolute_error, -1, "MAE {:.4f}", "mean absolute error"),
    "psnr": Metric(peak_signal_noise_ratio, 1, "{:.1f} dB", "PSNR (dB)"),
    "ssim": Metric(structural_similarity, 1, "SSIM {:.2f}", "SSIM", spatial=True),
}


class DenoisingScorer:
    """Scorer that compares what an estimator predicts with the clean images.

    Pass it as ``scoring=`` to `GridSearchCV`, `cross_val_score` and the like, alone or in a dict.
    Greater is better: errors are negated.

    Parameters
    ----------
    metric : {"mse", "mae", "psnr", "ssim"} or callable
        A callable gets ``(X_true, X_pred)`` and returns a float, greater for better images.
    noise : noise injector or None, default=None
        Corrupts the images that the estimator gets. The scorer keeps a clone, in which every
        ``random_state`` is a fixed seed, drawn now where there is none: all candidates of a
        search see the same noisy images.

    Raises
    ------
    ValueError
        If `metric` is an unknown name.
    TypeError
        If `noise` is not an injector.

    Examples
    --------
    >>> from sklearn.dummy import DummyRegressor
    >>> from skdae.metrics import DenoisingScorer
    >>> X = [[0.0, 1.0], [1.0, 1.0]]
    >>> mean_image = DummyRegressor().fit(X, X)
    >>> DenoisingScorer("mse")(mean_image, X)
    -0.125
    """

    def __init__(self, metric: str | Callable[..., float], noise: Any = None) -> None:
        _resolve_metric(metric)
        self.metric = metric
        self.noise = None if noise is None else _seeded(noise)

    def __call__(self, estimator: Any, X: ArrayLike, y: ArrayLike | None = None) -> float:
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Anything with `predict`.
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Clean images when `noise` is set or `y` is None; otherwise noisy ones.
        y : array-like shaped like the denoised images, or None, default=None
            Clean images. None, or a 1-D array of labels, means `X` itself, which is corrupted
            by the estimator's own ``noise_`` where the scorer has no noise.

        Returns
        -------
        score : float
            Greater is better.
        """
        metric = _resolve_metric(self.metric)
        values = check_images(X)
        target = check_target(values, y)
        noise = getattr(estimator, "noise_", None) if target is None else None
        target = values if target is None else target
        if self.noise is not None:
            X = _corrupted(X, self.noise)
        elif noise is not None:
            # As in the estimator's own score: the clean images get the noise that it learnt.
            X = noise.transform(values)
        X_pred = estimator.predict(X)
        options = {}
        if metric.spatial and target.ndim == 2:
            options["image_shape"] = _fitted_image_shape(estimator, target.shape[1])
        return metric.sign * float(metric.function(target, X_pred, **options))

    def __repr__(self) -> str:
        name = getattr(self.metric, "__name__", None) or repr(self.metric)
        # scikit-learn breaks long reprs into lines.
        noise = "" if self.noise is None else ", noise=" + " ".join(repr(self.noise).split())
        return f"denoising_scorer({name}{noise})"


def denoising_scorer(metric: str | Callable[..., float], noise: Any = None) -> DenoisingScorer:
    """Make a scorer that corrupts clean validation images itself, and compares with them.

    ``GridSearchCV(dae, grid, scoring=denoising_scorer("psnr", noise=GaussianNoise(0.2)))`` can
    then be fitted on clean images alone.

    Parameters
    ----------
    metric : {"mse", "mae", "psnr", "ssim"} or callable
        A callable gets ``(X_true, X_pred)`` and returns a float, greater for better images.
    noise : noise injector or None, default=None
        Corrupts the images that the estimator gets; None leaves them as they are.

    Returns
    -------
    scorer : DenoisingScorer
        Called as ``scorer(estimator, X, y=None)``; errors are negated.

    Raises
    ------
    ValueError
        If `metric` is an unknown name.
    TypeError
        If `noise` is not an injector.

    Examples
    --------
    >>> from skdae.metrics import denoising_scorer
    >>> from skdae.noise import GaussianNoise
    >>> denoising_scorer("psnr", noise=GaussianNoise(std=0.2, random_state=0))
    denoising_scorer('psnr', noise=GaussianNoise(random_state=0, std=0.2))
    """
    return DenoisingScorer(metric, noise)


class JInvariantScorer:
    r"""Scorer that ranks denoisers on noisy images alone, without any clean one.

    Hides pixels, and looks how well the denoiser guesses their noisy values from the others. With
    the pixels of an image split into groups :math:`J`, the score of a denoiser :math:`f` on the
    noisy images :math:`x` is

    .. math:: -\frac{1}{m} \sum_J \left\| f(x_{\setminus J})_J - x_J \right\|^2

    where :math:`x_{\setminus J}` is :math:`x` with each pixel of :math:`J` replaced by the mean of
    the pixels above, below, left and right of it, and :math:`m` is the number of values. Where the
    noise has mean 0 and is independent from pixel to pixel, no denoiser can foresee it, and the
    expected score is minus the mean squared error against the clean images, of a denoiser that
    sees no pixel's own value, minus the variance of the noise. The latter is the same for all, so
    that denoisers are ranked by their true error.

    Pass it as ``scoring=`` to `GridSearchCV`, `cross_val_score` and the like, and fit on noisy
    images alone; ``j_invariant_scorer`` is one with the defaults.

    Parameters
    ----------
    spacing : int, default=4
        Distance between the hidden pixels of a group, at least 2. A denoiser predicts
        ``spacing**2`` times for images, `spacing` times for signals. Wide filters see more
        replaced pixels when it is small.
    image_shape : tuple of int or None, default=None
        ``(height, width)``, ``(height, width, n_channels)`` or ``(length,)`` of flat rows. None
        means the shape that the denoiser knows from its fit, else a square grey image, or a 1-D
        signal where the number of values is no square.

    Raises
    ------
    ValueError
        If `spacing` is no integer of at least 2.

    See Also
    --------
    denoising_scorer : Compares with clean images, and corrupts them itself.

    Notes
    -----
    All channels of a pixel are hidden together. `uint8` reaches the denoiser as floats in [0, 1].
    Noise that neighbours share (stripes, occlusion), that shifts the mean (salt alone), or that
    was clipped breaks the assumption. A denoiser that hardly changes its input is judged too
    well, because here it gets the mean of the neighbours where it would keep the noise.

    References
    ----------
    .. [1] Batson, J. and Royer, L. (2019). "Noise2Self: Blind denoising by self-supervision". ICML.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdae import GaussianFilter, GaussianNoise, j_invariant_scorer
    >>> from skdae.datasets import load_digits_images
    >>> X_noisy = GaussianNoise(0.5, clip=None, random_state=0).fit_transform(
    ...     load_digits_images().images[:100]
    ... )
    >>> grid = {"sigma": [0.5, 1.0, 4.0]}
    >>> GridSearchCV(GaussianFilter(), grid, scoring=j_invariant_scorer).fit(X_noisy).best_params_
    {'sigma': 1.0}
    """

    def __init__(self, spacing: int = 4, image_shape: tuple[int, ...] | None = None) -> None:
        if not isinstance(spacing, Integral) or spacing < 2:
            raise ValueError(
                f"spacing={spacing!r} must be an integer of at least 2, such as 4: the neighbours "
                "of a hidden pixel must be seen."
            )
        self.spacing: int = spacing
        self.image_shape: tuple[int, ...] | None = image_shape

    def __call__(self, estimator: Any, X: ArrayLike, y: Any = None) -> float:
        """Score a fitted denoiser.

        Parameters
        ----------
        estimator : estimator
            Anything whose `predict` gives images of the shape that it gets.
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images.
        y : object, default=None
            Ignored.

        Returns
        -------
        score : float
            Minus a mean squared error; greater is better.

        Raises
        ------
        ValueError
            If the images are single pixels, or come back in another shape.
        """
        values = check_images(X)
        image_shape = self.image_shape
        if image_shape is None and values.ndim == 2:
            image_shape = _fitted_image_shape(estimator, values.shape[1])
        image_shape = resolve_image_shape(values.shape, image_shape)
        images = to_float(to_batch(values, image_shape))
        guesses = _neighbour_means(images)
        loss = 0.0
        for hidden in _grids(images.shape, self.spacing):
            masked = images.copy()
            masked[hidden] = guesses[hidden]
            X_pred = np.asarray(estimator.predict(_like(X, from_batch(masked, values.ndim))))
            if X_pred.shape != values.shape:
                raise ValueError(
                    f"{type(estimator).__name__} turned images of shape {values.shape} into "
                    f"{X_pred.shape}; the score compares them pixel by pixel, so pass a denoiser "
                    "that keeps the shape."
                )
            prediction = to_batch(X_pred, image_shape)[hidden]
            with np.errstate(over="ignore"):
                difference = np.subtract(prediction, images[hidden], dtype=np.float64)
                loss += np.square(difference).sum()
        return -float(loss / images.size)

    def __repr__(self) -> str:
        shape = "" if self.image_shape is None else f", image_shape={self.image_shape}"
        return f"JInvariantScorer(spacing={self.spacing}{shape})"


def _neighbour_means(images):
    """Mean of the pixels above, below, left and right of each pixel, itself not among them."""
    axes = [axis for axis in (1, 2) if images.shape[axis] > 1]
    if not axes:
        raise ValueError(
            "Images of one pixel have no neighbours to guess from; pass image_shape= if the rows "
            "hold more, or score against clean images with denoising_scorer."
        )
    # Beyond the border, "mirror" has the pixel inside of it; "reflect" would show the pixel itself.
    return sum(correlate1d(images, [0.5, 0, 0.5], axis, mode="mirror") for axis in axes) / len(axes)


def _grids(batch_shape, spacing):
    """Indices of the groups of pixels, each `spacing` apart; every pixel is in one group."""
    _, height, width, _ = batch_shape
    for row in range(min(spacing, height)):
        for column in range(min(spacing, width)):
            yield np.s_[:, row::spacing, column::spacing]


def _like(X, values):
    """`values` as a DataFrame where `X` is one."""
    return type(X)(values, index=X.index, columns=X.columns) if hasattr(X, "iloc") else values


def _resolve_metric(metric):
    """The `Metric` of a name or a callable."""
    if callable(metric):
        name = getattr(metric, "__name__", type(metric).__name__)
        return Metric(metric, 1, name.replace("{", "").replace("}", "") + " {:.3g}", name)
    if not isinstance(metric, str) or metric not in METRICS:
        raise ValueError(
            f"metric={metric!r} is unknown; pass one of {sorted(METRICS)} or a callable "
            "(X_true, X_pred) -> float."
        )
    return METRICS[metric]


def _check_noise(noise):
    if isinstance(noise, type) or not hasattr(noise, "fit_transform"):
        raise TypeError(
            f"noise={noise!r} must be a noise injector, an instance with fit and transform, such "
            "as GaussianNoise(0.2)."
        )
    return noise


def _seeded(noise):
    """A clone of `noise` in which every random state is a fixed seed."""
    noise = clone(_check_noise(noise))
    seeds = {}
    for name, value in noise.get_params().items():
        if name.split("__")[-1] == "random_state" and not isinstance(value, Integral):
            # RandomState takes seeds of 32 bits.
            seeds[name] = draw_seed(value) % 2**32
    return noise.set_params(**seeds)


def _corrupted(X, noise):
    """Noisy images, a DataFrame where `X` is one, from a clone that leaves `noise` as it was."""
    noise = clone(noise)
    if hasattr(X, "iloc"):
        noise.set_output(transform="pandas")
    # Not transform, which adds nothing where the noise has when="fit".
    return noise.fit_transform(X)


def _fitted_attribute(estimator, name):
    """The attribute of an estimator, of its best candidate or of its last step that has one."""
    value = getattr(estimator, name, None)
    if value is not None:
        return value
    parts = [step for _, step in getattr(estimator, "steps", ())]
    parts.append(getattr(estimator, "best_estimator_", None))
    for part in reversed(parts):
        value = None if part is None else _fitted_attribute(part, name)
        if value is not None:
            return value
    return None


def _fitted_image_shape(estimator, n_features):
    """The image shape that `estimator` knows, if it fits rows of `n_features` values."""
    image_shape = _fitted_attribute(estimator, "image_shape_")
    # A super-resolution net predicts larger images than it was fitted on.
    fits = image_shape is not None and math.prod(image_shape) == n_features
    return tuple(image_shape) if fits else None


SCORERS: dict[str, DenoisingScorer] = {name: DenoisingScorer(name) for name in METRICS}
mse_scorer = SCORERS["mse"]
mae_scorer = SCORERS["mae"]
psnr_scorer = SCORERS["psnr"]
ssim_scorer = SCORERS["ssim"]
j_invariant_scorer = JInvariantScorer()
