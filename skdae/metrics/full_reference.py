"""Metrics that compare with clean images, and the table of them."""

import math
from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import Any, Literal, NamedTuple, Protocol, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import uniform_filter
from sklearn.utils._param_validation import Interval

from .._checks import ODD_WINDOW, Predicate, check_parameters
from .._images import (
    CHUNK_VALUES,
    check_images,
    check_same_shape,
    geometry_of,
    image_by_image,
    in_unit_range,
    mean_differences,
    refuse_other_units,
    refuse_overflow,
    squared_errors,
    to_float,
    value_range,
)

DATA_RANGE = Predicate(
    Interval(Real, 0, 1e300, closed="right").is_satisfied_by,
    "a positive number: the largest possible value minus the smallest, 1.0 for images in [0, 1]",
)


def _joined(values):
    """What a metric gives for all images, from what it gives for each."""
    return np.concatenate(values) if np.ndim(values[0]) else float(np.mean(values))


class _Measure(Protocol):
    """The type of a metric: a float, or one value per image."""

    @overload
    def __call__(
        self,
        X_true: ArrayLike,
        X_pred: ArrayLike,
        *,
        per_image: Literal[False] = False,
        **options: Any,
    ) -> float: ...
    @overload
    def __call__(
        self, X_true: ArrayLike, X_pred: ArrayLike, *, per_image: Literal[True], **options: Any
    ) -> NDArray[np.float64]: ...


def _lists_too(metric: Callable[..., Any]) -> _Measure:
    return image_by_image(_joined, "X_true", "X_pred")(metric)


@_lists_too
def mean_squared_error(
    X_true: ArrayLike,
    X_pred: ArrayLike,
    *,
    per_image: bool = False,
    channel_axis: int | str | None = "auto",
) -> float | NDArray[np.float64]:
    r"""Mean squared error, :math:`\frac1n \sum_i (x_i - p_i)^2`; 0 is best.

    Parameters
    ----------
    X_true : array-like of shape (n_samples, n_features) or (n_samples, height, width[, n_channels])
        Clean images.
    X_pred : array-like, shaped like `X_true`
        Denoised images in the same units: `uint8` is ``value / 255``, all other values are as they
        are. Values 100 times as large as those of `X_true`, or as small, are refused.
    per_image : bool, default=False
        Whether to give one value per image instead of their mean.
    channel_axis : {"auto", -1, None}, default="auto"
        -1 if the last axis holds channels, None if no axis does. "auto" takes the last of four axes
        for channels.

    Returns
    -------
    error : float or ndarray of shape (n_samples,)
        In squared units of the images.

    Raises
    ------
    ValueError
        If the shapes or units differ, or an array is empty or holds NaN or infinity.

    Examples
    --------
    >>> from skdae.metrics import mean_squared_error
    >>> mean_squared_error([[0.0, 1.0], [1.0, 1.0]], [[0.0, 0.5], [1.0, 1.0]])
    0.0625
    """
    X, P = _check_pair(X_true, X_pred, channel_axis)
    return _average(squared_errors(P, X), per_image)


@_lists_too
def mean_absolute_error(
    X_true: ArrayLike,
    X_pred: ArrayLike,
    *,
    per_image: bool = False,
    channel_axis: int | str | None = "auto",
) -> float | NDArray[np.float64]:
    r"""Mean absolute error, :math:`\frac1n \sum_i |x_i - p_i|`; 0 is best.

    Parameters
    ----------
    X_true : array-like of shape (n_samples, n_features) or (n_samples, height, width[, n_channels])
        Clean images.
    X_pred : array-like, shaped like `X_true`
        Denoised images in the same units: `uint8` is ``value / 255``, all other values are as they
        are. Values 100 times as large as those of `X_true`, or as small, are refused.
    per_image : bool, default=False
        Whether to give one value per image instead of their mean.
    channel_axis : {"auto", -1, None}, default="auto"
        -1 if the last axis holds channels, None if no axis does. "auto" takes the last of four axes
        for channels.

    Returns
    -------
    error : float or ndarray of shape (n_samples,)
        In the units of the images.

    Raises
    ------
    ValueError
        If the shapes or units differ, or an array is empty or holds NaN or infinity.

    Examples
    --------
    >>> from skdae.metrics import mean_absolute_error
    >>> mean_absolute_error([[0.0, 1.0]], [[0.0, 0.5]])
    0.25
    """
    X, P = _check_pair(X_true, X_pred, channel_axis)
    return _average(mean_differences(np.abs, X, P), per_image)


@_lists_too
def peak_signal_noise_ratio(
    X_true: ArrayLike,
    X_pred: ArrayLike,
    *,
    per_image: bool = False,
    channel_axis: int | str | None = "auto",
    data_range: float | None = None,
) -> float | NDArray[np.float64]:
    r"""Peak signal-to-noise ratio, :math:`10 \log_{10}(r^2 / \mathrm{MSE})`; greater is better.

    Parameters
    ----------
    X_true : array-like of shape (n_samples, n_features) or (n_samples, height, width[, n_channels])
        Clean images.
    X_pred : array-like, shaped like `X_true`
        Denoised images in the same units: `uint8` is ``value / 255``, all other values are as they
        are. Values 100 times as large as those of `X_true`, or as small, are refused.
    per_image : bool, default=False
        Whether to give one value per image instead of their mean.
    channel_axis : {"auto", -1, None}, default="auto"
        -1 if the last axis holds channels, None if no axis does. "auto" takes the last of four axes
        for channels.
    data_range : float or None, default=None
        :math:`r`, the distance between the smallest and the largest possible value. None is 1.0
        where `X_true` lies in [0, 1], as `uint8` does, and refused for others.

    Returns
    -------
    psnr : float or ndarray of shape (n_samples,)
        In decibels; infinite for equal images.

    Raises
    ------
    ValueError
        If the shapes or units differ, an array is empty or holds NaN or infinity, or `data_range`
        is not positive, above 1 for `uint8`, or None where `X_true` leaves [0, 1].

    Examples
    --------
    >>> from skdae.metrics import peak_signal_noise_ratio
    >>> peak_signal_noise_ratio([[0.0, 1.0]], [[0.1, 0.9]])
    20.0
    """
    X, P = _check_pair(X_true, X_pred, channel_axis)
    data_range = check_data_range(data_range, X)
    errors = squared_errors(P, X)
    # PSNR of equal images is inf, as in scikit-image; no epsilon. The tiniest errors would overflow
    # in a quotient.
    with np.errstate(divide="ignore"):
        return _average(20 * math.log10(data_range) - 10 * np.log10(errors), per_image)


@_lists_too
def structural_similarity(
    X_true: ArrayLike,
    X_pred: ArrayLike,
    *,
    per_image: bool = False,
    channel_axis: int | str | None = "auto",
    data_range: float | None = None,
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
        Denoised images in the same units: `uint8` is ``value / 255``, all other values are as they
        are. Values 100 times as large as those of `X_true`, or as small, are refused.
    per_image : bool, default=False
        Whether to give one value per image instead of their mean.
    channel_axis : {"auto", -1, None}, default="auto"
        -1 if the last axis holds channels, None if no axis does. "auto" takes the last of four axes
        for channels.
    data_range : float or None, default=None
        :math:`r`, the distance between the smallest and the largest possible value. None is 1.0
        where `X_true` lies in [0, 1], as `uint8` does, and refused for others.
    image_shape : tuple of int or None, default=None
        Shape of one sample, for flat rows. None takes those that look like square images for such,
        and all others for signals. Windows have as many axes as samples.
    win_size : int, default=7
        Side of the window in pixels, odd and at least 3.

    Returns
    -------
    ssim : float or ndarray of shape (n_samples,)
        At most 1.0, the value of equal images.

    Raises
    ------
    ValueError
        If the shapes or units differ, an array is empty or holds NaN or infinity, `data_range` is
        not positive, above 1 for `uint8`, or None where `X_true` leaves [0, 1], or the window is
        even or larger than the images.

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
    X, P = _check_pair(X_true, X_pred, channel_axis)
    data_range = check_data_range(data_range, X)
    X, P = map(geometry_of(X, image_shape, channel_axis).read, (X, P))
    window = _window(X.shape, win_size)
    ssim = partial(_windowed_similarities, window=window, data_range=data_range)
    with np.errstate(all="ignore"):
        values = _by_chunk(ssim, X, P)
    refuse_overflow(values, X, "structural_similarity")
    return _average(values, per_image)


class Metric(NamedTuple):
    """A metric as scorers and plots need it."""

    # (X_true, X_pred) -> float; those in the table below take per_image=True, too.
    function: Callable[..., Any]
    # 1 where greater is better, -1 for errors.
    sign: int
    # How a plot writes a value.
    text: str
    # What stands at an axis, with the unit.
    label: str
    # Whether it takes data_range=.
    ranged: bool = False
    # Whether flat rows must be seen as images.
    spatial: bool = False


METRICS: dict[str, Metric] = {
    "mse": Metric(mean_squared_error, -1, "MSE {:.4f}", "mean squared error"),
    "mae": Metric(mean_absolute_error, -1, "MAE {:.4f}", "mean absolute error"),
    "psnr": Metric(peak_signal_noise_ratio, 1, "{:.1f} dB", "PSNR (dB)", ranged=True),
    "ssim": Metric(structural_similarity, 1, "SSIM {:.2f}", "SSIM", ranged=True, spatial=True),
}


def _windowed_similarities(X, P, window, data_range):
    """SSIM of each image of two batches ``(n_samples, *spatial, n_channels)``."""
    size, n_rows = window[1], max(1, CHUNK_VALUES // math.prod(X.shape[2:]))
    inside = [n - size + 1 for n, size in zip(X.shape, window, strict=True)]
    totals = np.zeros(len(X))
    # A large image in strips of rows, which stay in the cache.
    for top in range(0, inside[1], n_rows):
        rows = slice(top, top + n_rows + size - 1)
        similarity = _similarity(X[:, rows], P[:, rows], window, data_range)
        totals += similarity.reshape(len(X), -1).sum(axis=1)
    return totals / math.prod(inside[1:])


def _similarity(X, P, window, data_range):
    """SSIM of each window inside of images."""
    X, P = (to_float(images).astype(np.float64) / data_range for images in (X, P))
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
    return similarity


def _window(batch_shape, win_size):
    """Shape of the window in a batch; it has one pixel along axes of one."""
    check_parameters("structural_similarity", {"win_size": [ODD_WINDOW]}, win_size=win_size)
    win_size, sides = int(win_size), batch_shape[1:-1]
    smallest = min([side for side in sides if side > 1], default=1)
    if smallest < win_size:
        raise ValueError(
            f"win_size={win_size} is larger than the images, of {' by '.join(map(str, sides))} "
            f"pixels; pass an odd win_size of at most {smallest}, and at least 3."
        )
    return (1, *(1 if side == 1 else win_size for side in sides), 1)


def _check_pair(X_true, X_pred, channel_axis):
    """Two valid batches of one shape, in one unit."""
    X_true = check_images(X_true, name="X_true", channel_axis=channel_axis)
    X_pred = check_images(X_pred, name="X_pred", channel_axis=channel_axis)
    check_same_shape(X_true=X_true, X_pred=X_pred)
    refuse_other_units(X_true=X_true, X_pred=X_pred)
    return X_true, X_pred


def check_data_range(data_range, X_true):
    """The range that the values of clean images could have, 1.0 for those in [0, 1]."""
    check_parameters("a metric", {"data_range": [DATA_RANGE, None]}, data_range=data_range)
    if data_range is not None:
        if data_range > 1 and X_true[0].dtype == np.uint8:
            raise ValueError(
                f"data_range={data_range:g} does not fit clean images of uint8, which are read as "
                "value / 255; leave data_range out, or pass 1.0."
            )
        return float(data_range)
    low, high = value_range(X_true)
    if not in_unit_range((low, high)):
        raise ValueError(
            f"The clean images span [{low:.4g}, {high:.4g}], which does not tell what values they "
            "could have; pass data_range=, the largest minus the smallest, such as 65535 for "
            "counts of 16 bits."
        )
    return 1.0


def spanned(X_true):
    """A `data_range` for the clean images at hand: 1.0 in [0, 1], else what they span.

    Of images that all have one value, it is that value.
    """
    if in_unit_range(value_range(X_true)):
        return 1.0
    images = X_true if isinstance(X_true, list) else [X_true]
    low, high = min(float(x.min()) for x in images), max(float(x.max()) for x in images)
    return min(high - low or abs(high), 1e300)


def _by_chunk(per_image, X_true, X_pred):
    """Values of all images, computed for some images at a time."""
    step = max(1, CHUNK_VALUES // math.prod(X_true.shape[1:]))
    starts = range(0, len(X_true), step)
    return np.concatenate([per_image(X_true[i : i + step], X_pred[i : i + step]) for i in starts])


def _average(values, per_image):
    return values if per_image else float(values.mean())
