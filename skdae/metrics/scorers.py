"""Scorers that compare with clean images, and may corrupt them first."""

import math
from collections.abc import Callable
from functools import partial
from inspect import isclass
from numbers import Integral
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import StrOptions

from .._checks import check_parameters
from .._images import (
    as_container_of,
    batches,
    callers,
    check_any_images,
    check_images,
    check_kept_shape,
    check_targets,
    geometry_of,
    refuse_gaps,
    to_float,
    warn_user,
    without_gaps,
)
from .._random import draw_seed
from ..noise._base import BaseNoise, check_noise
from .full_reference import DATA_RANGE, METRICS, Metric, spanned

# The parameters of images where no estimator has them.
_UNTOLD = {"channel_axis": "auto", "missing_values": math.nan}


class _DenoisingScorer:
    """Scorer that compares what an estimator predicts with the clean images.

    `skdae.model_selection.denoising_scorer` makes it and documents its parameters.
    """

    def __init__(
        self, metric: str | Callable[..., float], noise: Any = None, data_range: float | None = None
    ) -> None:
        self._known = resolve_metric(metric, data_range)
        self.metric = metric
        self.data_range = data_range
        self.noise = None if noise is None else seeded_noise(noise)

    def __call__(self, estimator: Any, X: ArrayLike, y: ArrayLike | None = None) -> float:
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Anything with `predict`.
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Clean images when `noise` is set or `y` is None; otherwise noisy ones. Images of
            different sizes may come as a list of arrays.
        y : array-like shaped like the denoised images, or None, default=None
            Clean images. None, or a 1-D array of labels, means `X` itself, which is corrupted
            by the denoiser's own ``noise_`` where neither the scorer nor the Pipeline brings
            noise.

        Returns
        -------
        score : float
            Greater is better.
        """
        if hasattr(estimator, "scored_images"):
            # A callback of skorch passes a net under training, whose images have noise already.
            if self.noise is not None:
                raise ValueError(
                    f"{self} would corrupt images that have the noise of the fit already; pass "
                    f"denoising_scorer({self.__name__!r}) to callbacks."
                )
            clean, denoised = estimator.scored_images(X, y)
            metric = self._metric_for(clean)
            return metric.sign * float(metric.function(clean, denoised))
        axis = parameter_of(estimator, "channel_axis")
        values = check_any_images(X, channel_axis=axis)
        for images in values if isinstance(values, list) else [values]:
            refuse_gaps(images, parameter_of(estimator, "missing_values"))
        target = check_targets(values, y, axis)
        # Of images of different sizes, the range is that of all.
        metric = self._metric_for(values if target is None else target)
        if not isinstance(values, list):
            return self._score(estimator, X, values, target, metric, axis)
        ones = [image[None] for image in values]
        targets = [None] * len(ones) if target is None else [image[None] for image in target]
        pairs = zip(ones, targets, strict=True)
        return float(np.mean([self._score(estimator, x, x, t, metric, axis) for x, t in pairs]))

    def _metric_for(self, clean):
        """The metric, with the range of the clean images where they leave [0, 1]."""
        known = self._known
        if self.data_range is not None or not known.ranged:
            return known
        return known._replace(function=partial(known.function, data_range=spanned(clean)))

    def _score(self, estimator, X, values, target, metric, axis):
        """Score with a metric that knows the range of the clean images, which are checked."""
        if self.noise is not None:
            # Fitted to all images, of which it gets a batch at a time.
            noise = clone(self.noise).fit(values)
        else:
            noise = learned_noise(estimator) if target is None else None
            if noise is not None or injectors(estimator):
                _warn_if_candidates_differ(estimator)
        target = values if target is None else target

        def compared(rows):
            images = _safe_indexing(X, rows)
            if noise is not None:
                images = as_container_of(images, noise.add_noise(values[rows]))
            return target[rows], np.asarray(estimator.predict(images))

        if callable(self.metric):
            return float(metric.function(*compared(slice(None))))
        options = {"per_image": True, **geometry_options(estimator, target, metric, axis)}
        rows_of_each = batches(values)
        each = [metric.function(*compared(rows), **options) for rows in rows_of_each]
        return metric.sign * float(np.concatenate(each).mean())

    @property
    def __name__(self) -> str:
        """Name of the metric, which callbacks of skorch write into the history."""
        return getattr(self.metric, "__name__", None) or str(self.metric)

    def __repr__(self) -> str:
        name = getattr(self.metric, "__name__", None) or repr(self.metric)
        # scikit-learn breaks long reprs into lines.
        noise = "" if self.noise is None else ", noise=" + " ".join(repr(self.noise).split())
        data_range = "" if self.data_range is None else f", data_range={self.data_range}"
        return f"denoising_scorer({name}{noise}{data_range})"


def resolve_metric(metric, data_range=None):
    """The `Metric` of a name or a callable; one that needs it knows the `data_range`."""
    constraints = {
        "metric": [StrOptions(METRICS.keys()), callable],
        "data_range": [DATA_RANGE, None],
    }
    check_parameters("a scorer or display", constraints, metric=metric, data_range=data_range)
    known = METRICS.get(metric) if isinstance(metric, str) else _ranged(metric)
    if known is None:
        name = getattr(metric, "__name__", type(metric).__name__)
        return Metric(metric, 1, name.replace("{", "").replace("}", "") + " {:.3g}", name)
    if data_range is None or not known.ranged:
        return known
    return known._replace(function=partial(known.function, data_range=data_range))


def _ranged(function):
    """The `Metric` of a function of skdae that takes ``data_range=``, or None."""
    return next((m for m in METRICS.values() if m.ranged and m.function is function), None)


def seeded_noise(noise):
    """A clone of `noise` in which every random state is a fixed seed."""
    noise = clone(check_noise(noise))
    # RandomState takes seeds of 32 bits.
    return noise.set_params(
        **{
            name: draw_seed(value) % 2**32
            for name, value in _random_states(noise).items()
            if not isinstance(value, Integral)
        }
    )


def _random_states(noise):
    """The random states of a noise and of those that it holds, by the names of the parameters."""
    parameters = noise.get_params().items()
    return {name: v for name, v in parameters if name.split("__")[-1] == "random_state"}


def corrupted(X, noise):
    """Noisy images, a table where `X` is one, from a clone that leaves `noise` as it was."""
    # Not fit_transform, which makes tables of other names, or of arrays, where set_output says so.
    return as_container_of(X, clone(noise).fit(X).add_noise(X, warn=True))


def parts(estimator):
    """The estimators inside of another that images pass when it predicts, in their order.

    Steps, the best candidate of a search, what a wrapper has fitted; where nothing is fitted, what
    it was made with.
    """
    own = getattr(estimator, "_held_estimators", None)
    if own is not None:
        return [*own]
    held = attributes(estimator)
    fitted = [value for name, value in held.items() if name.endswith("_")]
    return _estimators(fitted) or _estimators([*held.values()])


def attributes(estimator):
    """What an estimator holds, but for a noise to learn with, which adds none when it predicts."""
    held = getattr(estimator, "__dict__", {})
    return {name: value for name, value in held.items() if name not in ("noise", "noise_")}


def _estimators(value):
    """The estimators in lists and tuples of them, however deep."""
    if isinstance(value, list | tuple):
        return [estimator for item in value for estimator in _estimators(item)]
    return [value] if is_estimator(value) else []


def is_estimator(value):
    """Whether `value` is an estimator that images can pass."""
    passes = hasattr(value, "predict") or hasattr(value, "transform")
    return passes and hasattr(value, "get_params") and not isclass(value)


def injectors(estimator):
    """The noise models with which an estimator, or what it is made of, corrupts images itself."""
    if isinstance(estimator, BaseNoise):
        return [estimator]
    return [noise for part in parts(estimator) for noise in injectors(part)]


def learned_noise(estimator):
    """The noise with which an estimator learned to denoise, unless it corrupts images itself."""
    return None if injectors(estimator) else fitted_attribute(estimator, "noise_")


def fitted_attribute(estimator, name):
    """The attribute of an estimator, or of the last of what it is made of that has one."""
    value = getattr(estimator, name, None)
    if value is not None:
        return value
    values = (fitted_attribute(part, name) for part in reversed(parts(estimator)))
    return next((value for value in values if value is not None), None)


def _warn_if_candidates_differ(estimator):
    """Say so where a search is under way that compares scores under different noises."""
    # scikit-learn tells a scorer nothing of the search; workers of several processes know of none.
    for frame in callers():
        search = frame.f_locals.get("self")
        if isinstance(search, BaseSearchCV) and frame.f_code.co_name == "fit":
            if _noises(search.estimator) != _noises(estimator):
                warn_user(
                    "The candidates of this search differ in their noise, and each is scored under "
                    "its own: the weakest noise wins, not the best denoiser. Score all under one, "
                    'as with scoring=denoising_scorer("psnr", noise=GaussianNoise(0.3)); noise '
                    'models in a Pipeline then need when="fit".'
                )
            return


def _noises(estimator):
    """The noises under which an estimator is scored, as text, whatever their seeds."""
    texts = []
    for noise in injectors(estimator) or [fitted_attribute(estimator, "noise")]:
        if isinstance(noise, BaseNoise):
            seeds = dict.fromkeys(_random_states(noise))
            texts.append(repr(clone(noise).set_params(**seeds)))
    return texts


def fitted_image_shape(estimator, n_features):
    """The image shape that `estimator` knows, if it fits rows of `n_features` values."""
    image_shape = fitted_attribute(estimator, "image_shape_")
    fits = image_shape is not None and math.prod(image_shape) == n_features
    return tuple(image_shape) if fits else None


def parameter_of(estimator, name):
    """A parameter that tells of images, of an estimator or of the last of what it is made of."""
    if hasattr(estimator, name):
        return getattr(estimator, name)
    inner = parts(estimator)
    return parameter_of(inner[-1], name) if inner else _UNTOLD[name]


def unchanged(denoisers):
    """What denoises nothing, and knows the axes of the images as the first that knows them."""
    known = (d for d in denoisers if fitted_attribute(d, "image_shape_") is not None)
    knows = next(known, None)
    told = {name: parameter_of(next(iter(denoisers), None), name) for name in _UNTOLD}
    return SimpleNamespace(
        predict=lambda X: X,
        **told,
        image_shape_=fitted_attribute(knows, "image_shape_"),
        channel_axis_=fitted_attribute(knows, "channel_axis_"),
    )


def images_and_predict(estimator, X, image_shape):
    """Images in the layout of skdae, and what an estimator makes of others like them.

    Parameters
    ----------
    estimator : fitted estimator
    X : array-like
    image_shape : tuple of int or None
        None means the shape that the estimator knows, where `X` has flat rows.

    Returns
    -------
    images : ndarray of shape (n_samples, *spatial, n_channels)
    predict : callable
        From such an array to another.
    known : ndarray of bool of that shape
        Which values are not missing; the others are filled.
    """
    axis = parameter_of(estimator, "channel_axis")
    shape = np.shape(X)
    if image_shape is None and len(shape) == 2:
        image_shape = fitted_image_shape(estimator, shape[1])
    options = {"image_shape": image_shape, "channel_axis": axis}
    given = SimpleNamespace(missing_values=parameter_of(estimator, "missing_values"), **options)
    X, gaps = without_gaps(given, X, reset=True)
    values = check_images(X, channel_axis=axis)
    geometry = geometry_of(values, image_shape, axis)

    def predict(images):
        given = as_container_of(X, images.reshape(values.shape))
        X_pred = np.asarray(estimator.predict(given))
        check_kept_shape(estimator, values, X_pred)
        return geometry.read(X_pred)

    images = to_float(geometry.read(values))
    known = np.ones(images.shape, bool) if gaps is None else ~geometry.read(gaps.mask)
    return images, predict, known


def geometry_options(estimator, X, metric, axis):
    """What a metric of the table needs to know of the axes of a batch, as an estimator does."""
    options: dict[str, Any] = {"channel_axis": axis}
    if metric.spatial and X.ndim == 2:
        options["image_shape"] = fitted_image_shape(estimator, X.shape[1])
        if options["image_shape"]:
            options["channel_axis"] = fitted_attribute(estimator, "channel_axis_")
    return options


SCORERS: dict[str, _DenoisingScorer] = {name: _DenoisingScorer(name) for name in METRICS}
mse_scorer = SCORERS["mse"]
mae_scorer = SCORERS["mae"]
psnr_scorer = SCORERS["psnr"]
ssim_scorer = SCORERS["ssim"]
