"""Cases of estimators around a denoiser: which one they use, and what their intervals hold."""

import math

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

import skdae

from .draw import choose, generator
from .oracle import attempt, expect

HWC = (6, 6)


def _images(draw, n=24):
    rng = generator(draw)
    X = rng.random((n, *HWC))
    return X + rng.normal(0, 0.1, X.shape), X


def _denoiser(draw):
    """A filter, or a Pipeline that ends in one."""
    kind = choose(draw, skdae.MeanFilter, skdae.MedianFilter)
    denoiser = kind(size=choose(draw, 1, 3, 5))
    return choose(draw, denoiser, make_pipeline(skdae.MeanFilter(3), denoiser))


def _holder(draw, denoiser):
    noise = skdae.GaussianNoise(0.1)
    return choose(
        draw,
        lambda: skdae.ConformalDenoiser(denoiser, choose(draw, 0.5, 0.8)),
        lambda: skdae.SelfEnsembleDenoiser(denoiser),
        lambda: skdae.VarianceStabilized(denoiser, noise),
        lambda: skdae.ReconstructionOutlierDetector(denoiser),
        lambda: skdae.SelfEnsembleDenoiser(skdae.VarianceStabilized(denoiser, noise)),
        lambda: skdae.ConformalDenoiser(skdae.SelfEnsembleDenoiser(denoiser), 0.5),
    )()


def _ready(holder, N, X):
    attempt(holder.fit, N, X)
    return attempt(holder.conformalize, N, X) if hasattr(holder, "conformalize") else holder


def _results(holder, N):
    if hasattr(holder, "score_samples"):
        return np.array([holder.score_samples(N), holder.decision_function(N)])
    predicted = holder.predict(N)
    return (
        np.stack([predicted, *holder.predict_interval(N)[1]]) if _calibrated(holder) else predicted
    )


def _calibrated(holder):
    return hasattr(holder, "errors_")


def _same(one, other, N, message):
    expect(np.array_equal(_results(one, N), _results(other, N)), message)


def holders(draw):
    """After each change of the denoiser, the next fit uses the one that is passed then."""
    N, X = _images(draw)
    holder = _ready(_holder(draw, _denoiser(draw)), N, X)
    # The innermost of holders in holders.
    prefix = "denoiser__" * _depth(holder)
    for _ in range(choose(draw, 1, 2, 3)):
        before = _results(holder, N)
        change = choose(draw, "another", "fitted", "assigned", "frozen", "refit")
        denoiser = _denoiser(draw)
        if change in ("fitted", "assigned", "frozen"):
            denoiser.fit(N)
        if change == "refit":
            given = holder.get_params()[f"{prefix}denoiser"]
            attempt(given.fit, *((N, X) if choose(draw, True, False) else (X, N)))
        elif change == "assigned" and not prefix:
            holder.denoiser = denoiser
        else:
            denoiser = FrozenEstimator(denoiser) if change == "frozen" else denoiser
            attempt(holder.set_params, **{f"{prefix}denoiser": denoiser})
        expect(np.array_equal(_results(holder, N), before), f"{change}: changed before a fit")
        if change in ("fitted", "assigned") and not prefix and _calibrated(holder):
            attempt(holder.conformalize, N, X)
            fresh = skdae.ConformalDenoiser(denoiser, holder.coverage).conformalize(N, X)
            _same(holder, fresh, N, "conformalize kept another denoiser")
        fresh = _ready(clone(holder), N, X)
        _same(_ready(holder, N, X), fresh, N, f"{change}: kept another denoiser")


def _depth(holder):
    inner = holder.denoiser
    return 1 + _depth(inner) if hasattr(inner, "denoiser") else 0


# Dtypes of images that have the same units.
BYTES, COUNTS, FLOATS = ("u1", "f2", "f4", "f8"), ("u2", "i2", "f4", "f8"), ("f2", "f4", "f8")


def intervals(draw):
    """Ends hold as many of the clean pixels as was promised, whatever the dtypes and units are."""
    rng, coverage, n = generator(draw), choose(draw, 0.5, 0.8, 0.9), 120
    kinds = choose(draw, BYTES, COUNTS, FLOATS, FLOATS)
    of_clean, of_noisy = choose(draw, *kinds), choose(draw, *kinds)
    clean = rng.normal(size=(n, 1, 1)) + choose(draw, 0, 0.1, 1) * rng.normal(size=(n, *HWC))
    noisy = clean + choose(draw, 0, 0.01, 0.1) * rng.normal(size=clean.shape)
    scale, offset = _units(draw, kinds, {of_clean, of_noisy})
    clean, noisy = scale * (clean + offset), scale * (noisy + offset)
    clean, noisy = _stored(clean, of_clean), _stored(noisy, of_noisy)
    if of_clean[0] == "f" and choose(draw, True, False, False):
        # Clean but for the rounding.
        clean = _read(noisy).astype(of_clean)
    denoiser = choose(draw, skdae.MedianFilter(3), skdae.MeanFilter(3), skdae.MeanFilter(1))
    conformal = skdae.ConformalDenoiser(denoiser, coverage).fit(noisy)
    half = n // 2
    attempt(conformal.conformalize, noisy[:half], clean[:half])
    _, (low, high) = attempt(conformal.predict_interval, noisy[half:])
    inside = (low <= _read(clean[half:])) & (_read(clean[half:]) <= high)
    each = inside.mean(axis=(1, 2))
    # Both halves are random: five standard errors of their difference.
    slack = 5 * max(each.std(), 0.05) * math.sqrt(2 / half) + 0.01
    where = f"of X {of_noisy}, y {of_clean}, scale {scale:.0e}, offset {offset:.0e}"
    expect(each.mean() >= coverage - slack, f"{each.mean():.3f} inside for {coverage} {where}")
    expect(low.dtype == high.dtype and (low <= high).all(), f"ends in disorder {where}")


def _units(draw, kinds, used):
    """A scale, and an offset in units of it, that all dtypes in use hold."""
    if kinds is BYTES:
        return 0.1, 5
    if kinds is COUNTS:
        return 3000, 5
    if "f2" in used:
        return choose(draw, 0.01, 1, 100), choose(draw, 0, 1, 100)
    return 10.0 ** choose(draw, -40, -20, -3, 0, 3, 20), choose(draw, 0, 1, 1e4, 1e8)


def _stored(values, kind):
    """Values in a dtype; of bytes, 255 is 1."""
    if kind == "u1":
        return (255 * values.clip(0, 1)).round().astype(kind)
    if kind[0] in "ui":
        info = np.iinfo(kind)
        return values.clip(info.min, info.max).round().astype(kind)
    return values.astype(kind)


def _read(values):
    """Values as float64."""
    return values / 255 if values.dtype == np.uint8 else values.astype(np.float64)


META_KINDS = {"meta:set_params": (holders, 10), "meta:interval ends": (intervals, 12)}
