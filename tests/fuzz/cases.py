"""The kinds of cases: from random draws to calls, and to what they must end in."""

import math
from functools import cache

import numpy as np
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

import skdae
from skdae import metrics
from skdae._random import TorchGenerator
from skdae.filters import estimate_noise_std

from . import draw as d
from .draw import BAD, EITHER, PARAMETERS, SOUND, choose
from .oracle import (
    array_like,
    attempt,
    equal,
    expect,
    number,
    result_dtype,
    same_shape,
    state,
)

FILTERS = sorted(name for name in PARAMETERS if name.endswith("Filter"))
NOISES = sorted(name for name in PARAMETERS if not name.endswith("Filter"))


def estimator(draw, name, hwc=None):
    """An estimator of a class with random parameters, a verdict, and what does not fit."""
    cls = getattr(skdae, name)
    params, verdict, culprit = d.parameters(
        draw, name, "image_shape" in cls._get_param_names(), hwc
    )
    return cls(**params), verdict, culprit


def composed(draw, hwc):
    """A noise that holds others."""
    parts = [estimator(draw, choose(draw, *NOISES)) for _ in range(choose(draw, 1, 2, 3))]
    verdict = SOUND
    for _, part, _ in parts:
        verdict &= part
    noises = [noise for noise, _, _ in parts]
    if draw.random() < 0.05:
        noises, verdict = choose(draw, [], None, "noise", [3], [skdae.MedianFilter()]), BAD
    cls = choose(draw, skdae.NoiseSequence, skdae.OneOf)
    shape = choose(draw, None, hwc) if hwc else None
    clip = choose(draw, (0.0, 1.0), "auto", None)
    return cls(noises, image_shape=shape, clip=clip, random_state=draw.randrange(9)), verdict


def noise(draw, name=None):
    """An injector takes images, adds noise keyed by the image, and takes tensors, too."""
    images = d.images(draw)
    if name is None:
        injector, verdict = composed(draw, images.hwc)
        culprit = None
    else:
        injector, verdict, culprit = estimator(draw, name, images.hwc)
    verdict &= images.verdict
    before = state(injector)
    naming = culprit if images.verdict is SOUND else None
    fitted = attempt(injector.fit, images.X, verdict=verdict, naming=naming)
    if fitted is None:
        expect(state(injector) == before, "a fit that failed changed the estimator")
        return
    out = attempt(injector.transform, images.X, verdict=verdict)
    if out is None:
        return
    clip = injector.clip_ if injector.when == "always" else None
    same_shape(out, images, dtype=result_dtype(images), clip=clip)
    equal(out, injector.transform(images.X), "two calls differ")
    if isinstance(images.X, np.ndarray) and images.X.dtype != object:
        equal(out[::-1], injector.transform(images.X[::-1]), "noise depends on the order")
        equal(out[:1], injector.transform(images.X[:1]), "noise depends on the batch")
        _corrupts_tensors(injector, images, verdict)
    other = d.images(draw)
    again = attempt(injector.transform, other.X, verdict=BAD if other.verdict is BAD else EITHER)
    if again is not None:
        same_shape(again, other, dtype=result_dtype(other))


def _corrupts_tensors(injector, images, verdict):
    """As in a training loop."""
    if images.verdict is not SOUND:
        return
    hwc = injector._geometry.shape
    batch = torch.from_numpy(np.array(images.X, dtype=np.float32).reshape(-1, *hwc))
    before = batch.clone()
    rng = TorchGenerator(torch.Generator().manual_seed(0))
    out = injector.corrupt(batch, rng)
    expect(torch.equal(batch, before), "changed a tensor")
    expect(out.shape == batch.shape and out.dtype == torch.float32, f"{out.shape} {out.dtype}")
    # Levels that overflow are an error of the fit.
    if injector.clip_ is not None and verdict is SOUND:
        expect(bool(torch.isfinite(out).all()), "gave NaN for a tensor")


def filter_(draw, name):
    """A filter gives images of the shape and dtype that came in."""
    images = d.images(draw)
    denoiser, verdict, culprit = estimator(draw, name, images.hwc)
    verdict &= images.verdict
    before = state(denoiser)
    naming = culprit if images.verdict is SOUND else None
    if attempt(denoiser.fit, images.X, verdict=verdict, naming=naming) is None:
        expect(state(denoiser) == before, "a fit that failed changed the estimator")
        return
    out = attempt(denoiser.predict, images.X, verdict=verdict)
    if out is None:
        return
    same_shape(out, images, dtype=result_dtype(images))
    equal(out, denoiser.predict(images.X), "two calls differ")
    if isinstance(images.X, np.ndarray) and images.X.dtype != object:
        equal(out[:1], denoiser.predict(images.X[:1]), "an image depends on its batch")
    score = attempt(denoiser.score, images.X, verdict=verdict & EITHER)
    if score is not None:
        number(score, high=0.0)
    other = d.images(draw)
    again = attempt(denoiser.predict, other.X, verdict=BAD if other.verdict is BAD else EITHER)
    if again is not None:
        same_shape(again, other, dtype=result_dtype(other))


# Nets

TINY = {"max_epochs": 1, "batch_size": 4, "precision": "float32", "random_state": 0}


def _architectures():
    a = skdae.architectures
    return {
        "linear": "linear",
        "dense": a.Dense(hidden=(4,)),
        "conv": a.Conv(filters=(2,)),
        "bottleneck": a.Conv(filters=(2, 2)),
        "unet": a.UNet(filters=(2, 4)),
        "dncnn": a.DnCNN(depth=2, filters=2),
    }


def net(draw, cls):
    """A tiny net with random parameters, and a verdict on them."""
    architectures = _architectures()
    kind = choose(draw, *architectures)
    params = {**TINY, "architecture": architectures[kind]}
    verdict, culprit = SOUND, None
    if cls is skdae.DenoisingAutoencoder:
        params["loss"] = choose(draw, "mse", "mae", "huber", "charbonnier", "bce", "ssim")
        params["output_activation"] = choose(draw, "auto", "auto", "identity", "sigmoid")
        if kind in ("linear", "dense", "bottleneck"):
            params["latent_dim"] = choose(draw, 1, 2)
        # What bce takes depends on the images.
        verdict = EITHER if params["loss"] in ("bce", "ssim") else SOUND
    if cls is skdae.Pix2PixDenoiser:
        params["discriminator_filters"] = (2,)
    if "noise" in cls().get_params() and draw.random() < 0.5:
        params["noise"], part, _ = estimator(draw, choose(draw, *NOISES))
        verdict &= part
    if draw.random() < 0.2:
        name = choose(draw, "patch_size", "tile_size")
        params[name], verdict = choose(draw, 1, 2, 4, 64), verdict & EITHER
    if draw.random() < 0.2:
        params["validation_fraction"] = choose(draw, None, 0.5, 0.9)
        # One image that is left to train on may have nothing to normalize over.
        verdict &= EITHER if params["validation_fraction"] == 0.9 else SOUND
    if draw.random() < 0.1:
        culprit = choose(draw, "lr", "max_epochs", "batch_size", "device", "precision", "patience")
        params[culprit], verdict = choose(draw, -1, "x", np.nan, (), {}), BAD
    return cls(**params), verdict, culprit


def fit(draw, name):
    """A fit ends with a net that predicts, or leaves the estimator as it was."""
    images = d.images(draw)
    denoiser, verdict, culprit = net(draw, getattr(skdae, name))
    n = images.n_samples
    if images.is_list or n < 2 or name == "Noise2VoidDenoiser" or _spreads(images):
        # One image, or one pixel; or images that let training diverge.
        verdict &= EITHER
    verdict &= images.verdict
    before = state(denoiser)
    target = d.sound_images(draw).X if draw.random() < 0.1 else None
    args = (images.X,) if target is None else (images.X, target)
    verdict &= EITHER if target is not None else SOUND
    if attempt(denoiser.fit, *args, verdict=verdict) is None:
        expect(state(denoiser) == before, "a fit that failed changed the estimator")
        return
    if target is None:
        out = attempt(denoiser.predict, images.X, verdict=verdict & EITHER)
        if out is not None:
            same_shape(out, images, dtype=np.dtype("f4"))
            equal(out, denoiser.predict(images.X), "two predictions differ")
    other = d.images(draw)
    attempt(denoiser.predict, other.X, verdict=BAD if other.verdict is BAD else EITHER)


def _spreads(images):
    """Whether the images are so far from [0, 1] that a step of training may diverge."""
    if images.verdict is not SOUND or images.is_list:
        return True
    return bool(np.abs(np.asarray(images.X, dtype=np.float64)).max() > 1e3)


FIT_HWC = (6, 8, 3)


@cache
def fitted(kind):
    """A fitted net for images of one shape."""
    X = np.random.default_rng(0).random((12, *FIT_HWC)).astype(np.float32)
    options = {**TINY, "noise": skdae.GaussianNoise(0.1, random_state=0)}
    latent_dim = 3 if kind in ("linear", "dense", "bottleneck") else None
    if kind == "rows":
        X = X.reshape(len(X), -1)
    if kind == "pix2pix":
        a = skdae.architectures
        net = skdae.Pix2PixDenoiser(a.UNet(filters=(2, 4)), discriminator_filters=(2,), **options)
    elif kind == "poses":
        net = skdae.SelfEnsembleDenoiser(
            skdae.DenoisingAutoencoder(_architectures()["unet"], **options)
        )
    elif kind == "tiles":
        net = skdae.DenoisingAutoencoder(_architectures()["dncnn"], tile_size=16, **options)
    else:
        net = skdae.DenoisingAutoencoder(
            _architectures()["dense" if kind == "rows" else kind], latent_dim=latent_dim, **options
        )
    return net.fit(X)


KINDS = (
    "linear",
    "dense",
    "rows",
    "conv",
    "bottleneck",
    "unet",
    "dncnn",
    "tiles",
    "poses",
    "pix2pix",
)


def predict(draw, kind):
    """A fitted net denoises what fits, and refuses the rest."""
    denoiser = fitted(kind)
    any_size = kind in ("conv", "unet", "dncnn", "tiles", "poses", "pix2pix")
    hwc = choose(draw, FIT_HWC, FIT_HWC, None)
    if hwc is None and any_size and draw.random() < 0.7:
        hwc = (*d.hwc_of(draw, (*d.SIDES, 17, 33))[:2], 3)
    layout = choose(draw, "rows", "colour", "colour")
    if any_size and draw.random() < 0.2:
        images = d.images_of_different_sizes(draw, n_channels=3)
    else:
        images = d.images(draw, hwc=hwc, layout=layout)
    verdict = _fits(images, any_size)
    if kind == "rows" and images.hwc is not None and np.ndim(images.X) > 2:
        # A net of rows guesses what their images look like.
        verdict &= EITHER
    method = choose(draw, "predict", "transform", "score", "score_samples", "encode", "decode")
    if method in ("score_samples", "encode", "decode") and not hasattr(denoiser, method):
        method = "predict"
    if method in ("predict", "transform"):
        out = attempt(getattr(denoiser, method), images.X, verdict=verdict)
        if out is not None:
            same_shape(out, images, dtype=np.dtype("f4"))
            equal(out, denoiser.predict(images.X), "two predictions differ")
    elif method == "score":
        target = choose(draw, None, images.X, d.images(draw).X)
        score = attempt(denoiser.score, images.X, target, verdict=verdict & EITHER)
        if score is not None:
            number(score, high=0.0)
    elif method == "score_samples":
        out = attempt(denoiser.score_samples, images.X, verdict=verdict & EITHER)
        if out is not None:
            expect(out.shape == (len(images.X),) and out.dtype == np.float32, f"gave {out}")
            expect(not np.isnan(out).any() and (out <= 0).all(), f"gave {out}")
    elif method == "encode":
        out = attempt(denoiser.encode, images.X, verdict=verdict & EITHER)
        if out is not None:
            expect(out.ndim == 2 and len(out) == len(images.X), f"codes of shape {out.shape}")
            expect(np.isfinite(out).all(), "codes are not finite")
    else:
        codes = denoiser.encode(np.zeros((2, *FIT_HWC), np.float32).reshape(2, *_own(denoiser)))
        Z, part = d.values(draw, codes.shape, choose(draw, "f4", "f8", "i8"))
        Z = choose(draw, Z, Z, Z[:, :-1], np.zeros((0, codes.shape[1])), images.X)
        fits = getattr(Z, "shape", None) == codes.shape and part is SOUND
        out = attempt(denoiser.decode, Z, verdict=SOUND if fits else EITHER)
        if out is not None:
            array_like(out, (len(Z), *_own(denoiser)), np.float32)


def _own(denoiser):
    """Shape of an image in the layout of the fit."""
    return denoiser.image_shape_ if denoiser._plan.ndim > 2 else (denoiser.n_features_in_,)


def _fits(images, any_size):
    """Whether the fitted nets must take some images."""
    if images.verdict is BAD:
        return BAD
    if images.verdict is EITHER:
        return EITHER
    if images.is_list:
        return SOUND if any_size and images.X[0].shape[2:] == FIT_HWC[2:] else BAD
    shape = np.asarray(images.X).shape[1:]
    if len(shape) == 1:
        return SOUND if shape[0] == math.prod(FIT_HWC) else BAD
    hwc = tuple(shape) if len(shape) == 3 else (*shape, 1)
    if any_size:
        return SOUND if hwc[2] == FIT_HWC[2] else BAD
    # As many values in another shape: a net of rows may take them.
    return SOUND if hwc == FIT_HWC else EITHER if math.prod(hwc) == math.prod(FIT_HWC) else BAD


# Whatever holds denoisers


def detector(draw):
    """The outlier detector scores each image with one number."""
    images = d.images(draw, lists=False)
    options = [("contamination", ("auto", 0.1, 0.5), (0, 0.6, "none", None, -1))]
    options += [("standardize", (True, False), ("yes", None))]
    params, verdict = {"denoiser": skdae.MeanFilter()}, SOUND
    if draw.random() < 0.3:
        params["denoiser"], verdict, _ = estimator(draw, choose(draw, *FILTERS), images.hwc)
    for name, good, bad in options:
        is_bad = draw.random() < 0.05
        params[name] = choose(draw, *(bad if is_bad else good))
        verdict &= BAD if is_bad else SOUND
    if draw.random() < 0.05:
        params["denoiser"], verdict = choose(draw, 3, "mean", skdae.GaussianNoise), BAD
    verdict &= images.verdict
    n = images.n_samples
    verdict &= BAD if n < 2 else SOUND
    model = skdae.ReconstructionOutlierDetector(**params)
    before = state(model)
    if attempt(model.fit, images.X, verdict=verdict) is None:
        expect(state(model) == before, "a fit that failed changed the estimator")
        return
    scores = attempt(model.score_samples, images.X, verdict=verdict)
    if scores is not None:
        array_like(scores, (n,), np.float64)
        expect((scores <= 0).all(), "a positive score")
        labels = model.predict(images.X)
        expect(set(np.unique(labels)) <= {-1, 1}, f"labels {np.unique(labels)}")
    other = d.images(draw)
    out = attempt(model.predict, other.X, verdict=BAD if other.verdict is BAD else EITHER)
    if out is not None:
        expect(out.shape == (len(other.X),), f"shape {out.shape}")


def pipeline(draw):
    """A noise before a denoiser: fit, predict, score, and deployment without the noise."""
    images = d.images(draw, lists=False)
    injector, first, _ = estimator(draw, choose(draw, *NOISES), images.hwc)
    denoiser, second, _ = estimator(draw, choose(draw, *FILTERS), images.hwc)
    verdict = first & second & images.verdict
    if verdict is SOUND and np.abs(np.asarray(images.X, dtype=np.float64)).max() > 10:
        # Noise that makes images in [0, 1] of counts makes pairs in two units, which are refused.
        verdict = EITHER
    pipe = make_pipeline(injector, denoiser)
    if attempt(pipe.fit, images.X, images.X, verdict=verdict) is None:
        return
    out = attempt(pipe.predict, images.X, verdict=verdict)
    if out is None:
        return
    same_shape(out, images)
    score = attempt(pipe.score, images.X, images.X, verdict=verdict & EITHER)
    if score is not None:
        number(score, high=0.0)
    deployed = skdae.without_noise(pipe)
    out = attempt(deployed.predict, images.X, verdict=verdict)
    if out is not None:
        same_shape(out, images)


# Figures


def metric(draw, name):
    """A metric gives a float, or one value an image, in its range."""
    function = getattr(metrics, name)
    images = d.images(draw)
    params, verdict = {}, images.verdict
    P = _prediction(draw, images)
    if P is None:
        P, verdict = d.images(draw).X, verdict & EITHER
    if name in ("peak_signal_noise_ratio", "structural_similarity") and draw.random() < 0.5:
        good, bad = (1.0, 255, 2, 1e200, 1e-200, 10**20), (0, -1, np.nan, np.inf, "1", (1,))
        params["data_range"] = choose(draw, *choose(draw, good, bad, good))
        verdict &= SOUND if params["data_range"] in good else BAD
        if images.verdict is not BAD and (images.is_list or np.asarray(images.X).dtype == np.uint8):
            # That of uint8 is at most 1.
            verdict &= EITHER
    elif name in ("peak_signal_noise_ratio", "structural_similarity"):
        # Images outside [0, 1] need it.
        verdict &= EITHER
    if name == "structural_similarity":
        verdict &= EITHER
        if draw.random() < 0.5:
            params["win_size"] = choose(draw, 3, 5, 7, 2, 0, -1, 3.5, "7", None, 10**9)
            wrong = not isinstance(params["win_size"], int) or params["win_size"] % 2 == 0
            verdict &= BAD if wrong or params["win_size"] < 3 else SOUND
        if draw.random() < 0.3 and images.hwc:
            params["image_shape"] = images.hwc
    value = attempt(function, images.X, P, verdict=verdict, **params)
    if value is None:
        return
    low, high = {
        "peak_signal_noise_ratio": (-np.inf, np.inf),
        "structural_similarity": (-1.0 - 1e-6, 1.0 + 1e-6),
    }.get(name, (0.0, np.inf))
    number(value, low, high)
    each = function(images.X, P, per_image=True, **params)
    expect(each.shape == (len(images.X),) and not np.isnan(each).any(), f"per image {each}")
    expect(np.isclose(each.mean(), value) or not np.isfinite(value), "not the mean of the images")
    best = function(images.X, images.X, **params)
    perfect = {"peak_signal_noise_ratio": np.inf, "structural_similarity": 1.0}.get(name, 0.0)
    expect(np.isclose(best, perfect), f"equal images give {best}")


def _prediction(draw, images):
    """Images near the true ones."""
    if images.verdict is BAD or draw.random() < 0.2:
        return None
    rng = d.generator(draw)
    shift = choose(draw, 0.0, 0.1, 1e-300)
    with np.errstate(over="ignore"):
        if images.is_list:
            return [_unit(image) + shift * rng.random(image.shape) for image in images.X]
        X = _unit(np.asarray(images.X))
        return X + shift * rng.random(X.shape)


def _unit(image):
    """Values as metrics read them."""
    return image.astype(np.float64) / (255 if image.dtype == np.uint8 else 1)


def scorer(draw, name):
    """A scorer gives a float."""
    images = d.images(draw, lists=False)
    denoiser, verdict, _ = estimator(draw, choose(draw, *FILTERS), images.hwc)
    verdict &= images.verdict
    if verdict is SOUND:
        denoiser.fit(images.X)
    elif verdict is BAD:
        denoiser = skdae.MeanFilter().fit(np.zeros((2, 4, 4)))
    else:
        denoiser = skdae.MeanFilter()
        if attempt(denoiser.fit, images.X, verdict=EITHER) is None:
            return
    if name == "j_invariant":
        score = skdae.metrics.JInvariantScorer(choose(draw, 2, 3, 4))
    else:
        injector, part, _ = estimator(draw, choose(draw, *NOISES), images.hwc)
        injector = choose(draw, None, injector)
        verdict &= EITHER if injector is not None and part is not SOUND else SOUND
        score = attempt(skdae.denoising_scorer, name, injector, verdict=EITHER)
        if score is None:
            return
    # Of images too small, too large or of another size.
    verdict = BAD if images.verdict is BAD else EITHER
    value = attempt(score, denoiser, images.X, verdict=verdict)
    if value is not None:
        number(value)


def noise_std(draw):
    """The estimate of the noise is a number an image."""
    images = d.images(draw, lists=False)
    out = attempt(estimate_noise_std, images.X, verdict=images.verdict)
    if out is not None:
        array_like(out, (len(images.X),), np.float64)
        expect((out >= 0).all(), "a negative standard deviation")


def unfitted(draw):
    """Before a fit, every method says so."""
    names = [*NOISES, *FILTERS, "ReconstructionOutlierDetector", "DenoisingAutoencoder"]
    name = choose(draw, *names, "Noise2VoidDenoiser", "Pix2PixDenoiser", "RecorruptedDenoiser")
    model = clone(getattr(skdae, name)())
    methods = ["predict", "transform", "score", "score_samples", "decision_function", "encode"]
    methods = [method for method in methods if hasattr(model, method)]
    attempt(getattr(model, choose(draw, *methods)), d.sound_images(draw).X, verdict=BAD)


def kinds():
    """Every kind of case, by name: a function of a `random.Random`, and its share of the cases."""
    table = {f"noise:{name}": (lambda draw, n=name: noise(draw, n), 6) for name in NOISES}
    table["noise:composed"] = (noise, 8)
    table |= {f"filter:{name}": (lambda draw, n=name: filter_(draw, n), 5) for name in FILTERS}
    learned = (
        *("DenoisingAutoencoder", "Noise2VoidDenoiser"),
        *("Pix2PixDenoiser", "RecorruptedDenoiser"),
    )
    table |= {f"fit:{name}": (lambda draw, n=name: fit(draw, n), 3) for name in learned}
    table |= {f"predict:{kind}": (lambda draw, k=kind: predict(draw, k), 4) for kind in KINDS}
    table["outlier detector"] = (detector, 8)
    table["pipeline"] = (pipeline, 8)
    names = [name for name in metrics.__all__ if name.islower() and hasattr(metrics, name)]
    names = [n for n in names if not n.endswith(("scorer", "report"))]
    table |= {f"metric:{name}": (lambda draw, n=name: metric(draw, n), 5) for name in names}
    scorers = ("mse", "mae", "psnr", "ssim", "j_invariant")
    table |= {f"scorer:{name}": (lambda draw, n=name: scorer(draw, n), 3) for name in scorers}
    table["estimate_noise_std"] = (noise_std, 3)
    table["before fit"] = (unfitted, 1)
    from .files import FILE_KINDS
    from .held import HELD_KINDS
    from .images import IMAGE_KINDS
    from .meta import META_KINDS

    return table | FILE_KINDS | HELD_KINDS | IMAGE_KINDS | META_KINDS
