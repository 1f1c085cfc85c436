"""Fair evaluation: comparisons, scorers that corrupt clean images, pipelines without noise."""

import copy
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.model_selection import BaseCrossValidator, check_cv
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from ._checks import import_extra
from .metrics.scorers import (
    SCORERS,
    _DenoisingScorer,
    attributes,
    channel_axis_of,
    corrupted,
    fitted_attribute,
    injectors,
    is_estimator,
    missing_values_of,
    parts,
    seeded_noise,
)
from .metrics.unbiased import unbiased_scorer
from .noise import BaseNoise

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["compare", "denoising_scorer", "without_noise"]


def compare(
    denoisers: Mapping[str, Any],
    X: ArrayLike,
    noise: BaseNoise | None = None,
    *,
    scoring: Mapping[str, Callable[..., float]] | None = None,
    cv: int | BaseCrossValidator | Iterable | None = None,
    groups: ArrayLike | None = None,
    per_fold: bool = False,
) -> "DataFrame":
    """Compare denoisers on the same noisy images and the same folds.

    Clean images are corrupted once. In each fold, a clone of every denoiser learns from the
    training images and is scored on the others, which it has not seen. Filters and networks get
    ``fit(X_noisy, X_clean)``; a network with its own ``noise=`` gets ``fit(X_clean)`` and
    corrupts the training images itself. Needs pandas (the extra ``pandas``).

    Without `noise`, the images are noisy ones, and there are no clean ones: all denoisers get
    ``fit(X_noisy)``, and the score is an unbiased estimate of the error, `UnbiasedScorer`.

    Parameters
    ----------
    denoisers : dict of str to denoiser
        The denoisers and their names in the table. Those in a `sklearn.frozen.FrozenEstimator`
        are scored as they are; they must not have seen any image of `X`.
    X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
            (n_samples, height, width, n_channels)
        Clean images, or, without `noise`, noisy ones; or a list of images of different sizes.
    noise : noise injector or None, default=None
        Corrupts the images. Without a ``random_state``, it gets a seed that is drawn once. None
        means that `X` are noisy images.
    scoring : dict of str to scorer or None, default=None
        Called as ``scorer(denoiser, X_noisy, X_clean)``. None means all four of skdae, which take
        the range of images in other units than [0, 1] from the clean ones of each fold. With noisy
        images alone, it is ``{"mse": unbiased_scorer}``, and scorers get None for the clean ones.
    cv : int, cross-validation splitter, iterable of splits or None, default=None
        As in `sklearn.model_selection.cross_validate`; None means 5 folds, or as many as there are
        noisy images. A single noisy image is scored by what was fitted to it.
    groups : array-like of shape (n_samples,) or None, default=None
        Group of each image, for a splitter such as `sklearn.model_selection.GroupKFold`.
    per_fold : bool, default=False
        Whether each fold has its own row. Otherwise, the scores are means over the folds.

    Returns
    -------
    scores : pandas.DataFrame
        One row per denoiser and one column per scorer. Greater is better, so errors are negated.
        The row "noisy" holds the scores of the noisy images themselves; it is missing if they
        differ in size from the clean ones.

    Raises
    ------
    ImportError
        If pandas is not installed.
    TypeError
        If `denoisers` or `scoring` is not a dict, or `noise` is not an injector.
    ValueError
        If a denoiser or a scorer corrupts images by itself, which would then be corrupted twice,
        or a denoiser is called "noisy".

    See Also
    --------
    denoising_scorer : Makes scorers for grid searches.
    skdae.metrics.UnbiasedScorer : Scores without clean images.

    Examples
    --------
    >>> from skdae import GaussianFilter, GaussianNoise, MedianFilter
    >>> from skdae.datasets import load_digits_images
    >>> from skdae.model_selection import compare
    >>> filters = {"Gaussian": GaussianFilter(sigma=0.5), "median": MedianFilter()}
    >>> noise = GaussianNoise(std=0.3, random_state=0)
    >>> compare(filters, load_digits_images().images, noise)["psnr"].round(1)
    noisy       13.0
    Gaussian    14.0
    median      12.1
    Name: psnr, dtype: float64

    With noisy images alone:

    >>> from skdae.metrics import UnbiasedScorer
    >>> X_noisy = noise.set_params(clip=None).fit_transform(load_digits_images().images)
    >>> compare(filters, X_noisy, scoring={"mse": UnbiasedScorer(0.3)})["mse"].round(2)
    noisy      -0.09
    Gaussian   -0.05
    median     -0.07
    Name: mse, dtype: float64
    """
    pandas = import_extra("pandas", "pandas", "compare")
    if scoring is None:
        scoring = SCORERS if noise is not None else {"mse": unbiased_scorer}
    _check_comparison(denoisers, scoring)
    X_clean, X_noisy = (None, X) if noise is None else (X, corrupted(X, seeded_noise(noise)))
    rows = {}
    for fold, (train, test) in enumerate(_splits(X_noisy, X_clean, cv, groups)):
        clean, noisy = (_at(images, train) for images in (X_clean, X_noisy))
        fitted: dict[str, Any] = {}
        for name, denoiser in denoisers.items():
            is_own = clean is not None and _learns_from_clean(denoiser)
            fitted[name] = clone(denoiser).fit(*((clean, None) if is_own else (noisy, clean)))
        fitted = {"noisy": _unchanged(fitted.values()), **fitted}
        clean, noisy = (_at(images, test) for images in (X_clean, X_noisy))
        for name, denoiser in fitted.items():
            scores = {metric: scorer(denoiser, noisy, clean) for metric, scorer in scoring.items()}
            rows[name, fold] = scores
    table = pandas.DataFrame.from_dict(rows, orient="index", columns=list(scoring))
    table.index.names = "denoiser", "fold"
    names = list(dict.fromkeys(name for name, _ in rows))
    if per_fold:
        return table.loc[names]
    return table.groupby(level=0).mean().loc[names].rename_axis(None)


def _at(images, rows):
    """Some of the images; None where there are none."""
    return None if images is None else _safe_indexing(images, rows)


def _splits(X_noisy, X_clean, cv, groups):
    """Numbers of images to learn from, and of those to score on."""
    n = _num_samples(X_noisy)
    if X_clean is None and cv is None and n < 5:
        if n == 1:
            return [([0], [0])]
        cv = n
    return check_cv(cv).split(X_noisy, groups=groups)


def _unchanged(denoisers):
    """What denoises nothing, and knows the axes of the images as the first that knows them."""
    known = (fitted_attribute(denoiser, "_geometry") for denoiser in denoisers)
    geometry = next((found for found in known if found is not None), None)
    return SimpleNamespace(
        predict=lambda X: X,
        channel_axis=channel_axis_of(next(iter(denoisers))),
        missing_values=missing_values_of(next(iter(denoisers))),
        image_shape_=geometry and geometry.image_shape,
        channel_axis_=geometry and geometry.channel_axis,
    )


def _check_comparison(denoisers, scoring):
    """Refuse what is not named, and what would corrupt images a second time."""
    for parameter, named, kind in (
        ("denoisers", denoisers, "denoiser"),
        ("scoring", scoring, "scorer"),
    ):
        if not isinstance(named, Mapping) or not named:
            raise TypeError(
                f"{parameter} must be a dict of names and {kind}s, such as "
                f"{{'name': {kind}}}; got {named!r}."
            )
        for name, value in named.items():
            noises = injectors(value) or [getattr(value, "noise", None)] * (kind == "scorer")
            if any(isinstance(noise, BaseNoise) for noise in noises):
                raise ValueError(
                    f"The {kind} {name!r} would corrupt the images once more; compare does it "
                    f"already. Pass the {kind} without its noise."
                )
    if "noisy" in denoisers:
        raise ValueError(
            'The row "noisy" is that of the noisy images; give the denoiser another name.'
        )


def _learns_from_clean(denoiser):
    """Whether a network in a denoiser corrupts its training images itself."""
    from .denoisers.learned import LearnedDenoiser

    if isinstance(denoiser, LearnedDenoiser):
        return isinstance(getattr(denoiser, "noise", None), BaseNoise)
    return any(map(_learns_from_clean, parts(denoiser)))


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
        [0, 1], as those of `uint8` are. In other units, it is what the clean images span that the
        scorer is given or, where all have one value, that value.

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
    """Return a fitted Pipeline without its noise models, ready to denoise real images.

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
