"""Honest evaluation: scorers that corrupt or need no clean image, and pipelines without noise."""

from sklearn.pipeline import Pipeline

from .metrics import denoising_scorer, j_invariant_scorer
from .noise import BaseNoise

__all__ = ["denoising_scorer", "j_invariant_scorer", "without_noise"]


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
        If nothing but noise is in it.

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
