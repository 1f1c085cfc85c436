"""Cases of what holds images, of wrapped denoisers, and of global settings: the values decide."""

from contextlib import ExitStack, contextmanager
from functools import cache

import numpy as np
import pandas as pd
import sklearn
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skdae

from .draw import choose, generator
from .oracle import Finding, attempt, expect

try:
    import polars
    import pyarrow
except ImportError:
    polars = pyarrow = None

HWC = (6, 5, 3)


def _images(draw):
    """A batch of `uint8` or floats: rows, grey or colour."""
    rng, n = generator(draw), choose(draw, 1, 2, 5)
    layout = choose(draw, "rows", "rows", "grey", "colour")
    shape = {"rows": (np.prod(HWC),), "grey": HWC[:2], "colour": HWC}[layout]
    if choose(draw, True, False):
        return rng.integers(0, 256, (n, *shape), dtype=np.uint8)
    return rng.random((n, *shape)).astype(choose(draw, "f4", "f8"))


def _frame(X, kind):
    """Rows as a table of columns."""
    columns = [f"x{i}" for i in range(X.shape[1])]
    if kind == "polars":
        return polars.DataFrame(X, schema=columns)
    if kind == "pyarrow":
        return pyarrow.table({name: X[:, i] for i, name in enumerate(columns)})
    frame = pd.DataFrame(X, columns=columns)
    if kind == "nullable":
        return frame.convert_dtypes(convert_floating=X.dtype == np.float64)
    return frame.astype(f"{X.dtype}[pyarrow]") if kind == "pandas of pyarrow" else frame


def _held(draw, X):
    """The same images in something else, and what it is."""
    kinds = ["list of arrays", "object array", "tensor", "tensor with gradient"]
    if X.ndim == 2:
        kinds += ["pandas", "nullable", *(["polars", "pandas of pyarrow"] if polars else [])]
        kinds += ["pyarrow"] if polars else []
    elif X.dtype == np.uint8:
        kinds += ["pillow", "pillow"]
    kind = choose(draw, *kinds)
    if kind == "list of arrays":
        return [*X], kind
    if kind == "object array":
        held = np.empty(len(X), dtype=object)
        held[:] = [*X]
        return held, kind
    if kind.startswith("tensor"):
        tensor = torch.from_numpy(X.copy())
        return tensor.requires_grad_("gradient" in kind and X.dtype != np.uint8), kind
    if kind == "pillow":
        from PIL import Image

        return [Image.fromarray(image) for image in X], kind
    return _frame(X, kind), kind


@contextmanager
def _settings(draw):
    """Global settings of scikit-learn and torch, and a name for them."""
    kind = choose(draw, "none", "none", "pandas", "print", "float64", "all")
    config, dtype = {}, torch.get_default_dtype()
    if kind in ("pandas", "all"):
        config["transform_output"] = "pandas"
    if kind in ("print", "all"):
        config["print_changed_only"] = False
    with sklearn.config_context(**config):
        torch.set_default_dtype(torch.float64 if kind in ("float64", "all") else dtype)
        try:
            yield kind
        finally:
            torch.set_default_dtype(dtype)


def _estimator(draw):
    """A noise, a filter or a tiny net, not fitted."""
    tiny = {"max_epochs": 1, "batch_size": 4, "precision": "float32", "random_state": 0}
    nets = skdae.architectures
    return choose(
        draw,
        skdae.GaussianNoise(0.2, random_state=0),
        skdae.OneOf([skdae.MaskingNoise(), skdae.Occlusion(image_shape=HWC)], random_state=0),
        skdae.MeanFilter(image_shape=HWC),
        skdae.DenoisingAutoencoder(nets.Dense((4,)), noise=skdae.GaussianNoise(0.1), **tiny),
        skdae.DenoisingAutoencoder(
            nets.Conv((2,)), noise=skdae.MaskingNoise(), image_shape=HWC, **tiny
        ),
        skdae.Noise2VoidDenoiser(
            nets.UNet((2, 4), residual=False), image_shape=HWC, **{**tiny, "max_epochs": 2}
        ),
    )


def held(draw):
    """Images give the same result, whatever holds them and whatever the global settings are."""
    X, estimator = _images(draw), _estimator(draw)
    if X.ndim != 2 and "image_shape" in estimator.get_params(deep=False):
        estimator.set_params(image_shape=None)
    if X.ndim != 2 and isinstance(estimator, skdae.OneOf):
        estimator.set_params(noises=[skdae.MaskingNoise(), skdae.Occlusion()])
    fit_on = np.concatenate([X, X, X])
    reference = sklearn.clone(estimator).fit(fit_on)
    expected = reference.transform(X)
    score = reference.score(X) if hasattr(reference, "score") else None
    with _settings(draw) as settings:
        things, kind = _held(draw, X)
        where = f"{kind}, settings {settings}"
        fitted = attempt(sklearn.clone(estimator).fit, fit_on)
        got = attempt(fitted.transform, things)
        _same(got, expected, f"transform of {where}")
        if score is not None:
            _same(attempt(fitted.predict, things), expected, f"predict of {where}")
            _same(attempt(fitted.score, things), score, f"score of {where}")
            _same(attempt(skdae.mse_scorer, fitted, things), score, f"mse_scorer of {where}")


def _same(got, expected, what):
    """Equal values, but for the rounding of another dtype."""
    got, expected = np.asarray(got, dtype=float), np.asarray(expected, dtype=float)
    expect(got.shape == expected.shape, f"{what}: shape {got.shape}, not {expected.shape}")
    error = float(np.abs(got - expected).max(initial=0))
    if not error <= 1e-6:
        raise Finding(f"{what}: differs by {error:.3g}")


@cache
def _clean():
    # Enough for a search in a search in a search.
    return np.random.default_rng(0).random((64, 4, 4)).astype(np.float32)


def _wrapped(draw, denoiser, depth):
    """A denoiser in `depth` of scikit-learn's and skdae's wrappers, fitted."""
    for _ in range(depth):
        kind = choose(draw, "pipeline", "named", "search", "poses")
        if kind == "pipeline":
            denoiser = make_pipeline(FunctionTransformer(), denoiser)
        elif kind == "named":
            denoiser = Pipeline([("as it is", "passthrough"), ("denoise", denoiser)])
        elif kind == "search":
            denoiser = GridSearchCV(denoiser, {}, cv=2, scoring=skdae.mse_scorer)
        else:
            denoiser = skdae.SelfEnsembleDenoiser(denoiser)
    return denoiser


def composition(draw):
    """Scorers see the noise with which a denoiser learnt, however deep it is wrapped."""
    noise = skdae.GaussianNoise(0.3, clip=None, random_state=0)
    params = {"max_epochs": 1, "precision": "float32", "random_state": 0}
    net = skdae.DenoisingAutoencoder(skdae.architectures.Dense((3,)), noise=noise, **params)
    X = _clean()
    with ExitStack() as stack:
        stack.enter_context(_settings(draw))
        denoiser = attempt(_wrapped(draw, net, draw.randrange(4)).fit, X)
        if draw.random() < 0.3:
            denoiser = FrozenEstimator(denoiser)
        noisy = np.asarray(noise.fit(X).add_noise(X))
        for name in ("mse", "psnr"):
            scorer = skdae.SCORERS[name]
            own, given = attempt(scorer, denoiser, X), attempt(scorer, denoiser, noisy, X)
            _same(own, given, f"{name} with its noise and on noisy images")
        _same(attempt(denoiser.score, X), skdae.mse_scorer(denoiser, X), "score and mse_scorer")
        pipe = make_pipeline(skdae.MaskingNoise(0.5), denoiser).fit(X, X)
        bare = attempt(skdae.without_noise, pipe)
        _same(bare.predict(noisy), bare.predict(noisy.copy()), "two predictions without noise")
        _same(bare.predict(X), pipe.steps[-1][1].predict(X), "without noise and the step itself")


HELD_KINDS = {"held": (held, 20), "composition": (composition, 6)}
