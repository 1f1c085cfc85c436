"""Honest evaluation: scorers that corrupt clean images, and pipelines without noise."""

from collections.abc import Callable

from sklearn.pipeline import Pipeline

from .metrics.scorers import _DenoisingScorer
from .noise import BaseNoise

__all__ = ["denoising_scorer", "without_noise"]


def denoising_scorer(
    metric: str | Callable[..., float], noise: BaseNoise | None = None
) -> _DenoisingScorer:
    """Make a scorer that corrupts clean validation images itself, and compares with them.

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

    Returns
    -------
    scorer : callable
        Called as ``scorer(estimator, X, y=None)``; greater is better, so errors are negated.

    Raises
    ------
    ValueError
        If `metric` is an unknown name.
    TypeError
        If `noise` is not an injector.

    Examples
    --------
    >>> from skdae.model_selection import denoising_scorer
    >>> from skdae.noise import GaussianNoise
    >>> denoising_scorer("psnr", noise=GaussianNoise(std=0.2, random_state=0))
    denoising_scorer('psnr', noise=GaussianNoise(random_state=0, std=0.2))
    """
    return _DenoisingScorer(metric, noise)


def without_noise(pipeline: Pipeline) -> Pipeline:
    """Return a fitted pipeline without its noise injectors, ready to denoise real images.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        May hold other pipelines. Of a fitted search, the best one is taken.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        A new pipeline of the same fitted steps.

    Raises
    ------
    TypeError
        If `pipeline` is not a Pipeline.
    ValueError
        If it holds nothing but noise.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skdae import GaussianNoise, MedianFilter, without_noise
    >>> without_noise(make_pipeline(GaussianNoise(), MedianFilter()))
    Pipeline(steps=[('medianfilter', MedianFilter())])
    """
    pipeline = getattr(pipeline, "best_estimator_", pipeline)
    if not isinstance(pipeline, Pipeline):
        raise TypeError(
            f"without_noise takes a Pipeline, got {type(pipeline).__name__}; a denoiser alone adds "
            "no noise when it predicts."
        )
    denoiser = _strip(pipeline)
    if denoiser is None:
        raise ValueError("The pipeline holds noise injectors only; nothing would be left.")
    return denoiser


def _strip(step):
    """`step` without injectors, or None where nothing is left of it."""
    if not isinstance(step, Pipeline):
        return None if isinstance(step, BaseNoise) else step
    steps = [(name, _strip(inner)) for name, inner in step.steps]
    kept = [(name, inner) for name, inner in steps if inner is not None]
    return Pipeline(kept, memory=step.memory, verbose=step.verbose) if kept else None
