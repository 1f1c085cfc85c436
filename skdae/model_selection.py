"""Honest evaluation: scorers that corrupt clean images, and pipelines without noise."""

import copy
from collections.abc import Callable
from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from .metrics.scorers import _DenoisingScorer, attributes, injectors, is_estimator, parts
from .noise import BaseNoise

__all__ = ["denoising_scorer", "without_noise"]


def denoising_scorer(
    metric: str | Callable[..., float],
    noise: BaseNoise | None = None,
    data_range: float | None = None,
) -> _DenoisingScorer:
    """Make a scorer that corrupts clean validation images and compares the result with them.

    ``GridSearchCV(dae, grid, scoring=denoising_scorer("psnr", noise=GaussianNoise(0.2)))`` can
    then be fitted on clean images alone.

    Parameters
    ----------
    metric : {"mse", "mae", "psnr", "ssim"} or callable
        A callable gets ``(X_true, X_pred)`` and returns a float, greater for better images.
    noise : noise injector or None, default=None
        Corrupts the images that the estimator gets. The scorer keeps a clone, in which every
        ``random_state`` is a fixed seed, drawn now where there is none: all candidates of a
        search see the same noisy images. None leaves the images as they are, or, where `y` is
        None, corrupts them with the denoiser's own ``noise_``.
    data_range : float or None, default=None
        Largest possible value minus the smallest, for "psnr" and "ssim". None is 1.0 for images in
        [0, 1], as those of `uint8` are; others need it.

    Returns
    -------
    scorer : callable
        Called as ``scorer(estimator, X, y=None)``; greater is better, so errors are negated.

    Raises
    ------
    ValueError
        If `metric` is an unknown name, or `data_range` is not positive.
    TypeError
        If `noise` is not an injector.

    Examples
    --------
    >>> from skdae.model_selection import denoising_scorer
    >>> from skdae.noise import GaussianNoise
    >>> denoising_scorer("psnr", noise=GaussianNoise(std=0.2, random_state=0))
    denoising_scorer('psnr', noise=GaussianNoise(random_state=0, std=0.2))
    """
    return _DenoisingScorer(metric, noise, data_range)


def without_noise(pipeline: Any) -> Any:
    """Return a fitted Pipeline without its noise injectors, ready to denoise real images.

    Parameters
    ----------
    pipeline : estimator
        A Pipeline, or anything that holds one: another Pipeline, a `SelfEnsembleDenoiser`, a
        `sklearn.frozen.FrozenEstimator`, a `sklearn.compose.TransformedTargetRegressor`, .... Of a
        fitted search, the best one is taken.

    Returns
    -------
    pipeline : estimator
        A copy that shares what was fitted; what holds no injector is returned as it is. The noise
        that a denoiser learns with does not count: it adds none when it predicts.

    Raises
    ------
    TypeError
        If `pipeline` is not an estimator.
    ValueError
        If it holds nothing but noise.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skdae import GaussianNoise, MedianFilter, without_noise
    >>> without_noise(make_pipeline(GaussianNoise(), MedianFilter()))
    Pipeline(steps=[('medianfilter', MedianFilter())])
    """
    if not is_estimator(pipeline):
        raise TypeError(f"without_noise takes a Pipeline, not {type(pipeline).__name__}.")
    denoiser = _strip(pipeline)
    if denoiser is None:
        raise ValueError("The pipeline holds noise injectors only; nothing would be left.")
    return denoiser


def _strip(part):
    """A part without injectors, or None where nothing is left of it."""
    part = getattr(part, "__dict__", {}).get("best_estimator_", part)
    if not injectors(part):
        return part
    if isinstance(part, BaseNoise) or [_strip(inner) for inner in parts(part)] == [None]:
        return None
    if isinstance(part, Pipeline):
        steps = [(name, _strip(step)) for name, step in part.steps]
        kept = [(name, step) for name, step in steps if step is not None]
        return Pipeline(kept, memory=part.memory, verbose=part.verbose) if kept else None
    bare = copy.copy(part)
    # What was fitted, and what a new fit would start from.
    vars(bare).update({name: _bare(value) for name, value in attributes(part).items()})
    return bare


def _bare(value):
    """An attribute without injectors; where one stands alone, images pass as they are."""
    if type(value) in (list, tuple):
        return type(value)(map(_bare, value))
    if not is_estimator(value):
        return value
    bare = _strip(value)
    return FunctionTransformer(feature_names_out="one-to-one") if bare is None else bare
