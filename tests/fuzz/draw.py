"""Images and parameters drawn at random, each with a verdict on what must become of it."""

from enum import Enum
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse


class Verdict(Enum):
    """What must become of a case."""

    SOUND = "must give a result"
    BAD = "must be refused"
    # Such as values so large that an honest result overflows.
    EITHER = "may give a result or be refused"

    def __and__(self, other):
        for verdict in (Verdict.BAD, Verdict.EITHER):
            if verdict in (self, other):
                return verdict
        return Verdict.SOUND


SOUND, BAD, EITHER = Verdict


class Images(NamedTuple):
    """A batch as a user may pass it."""

    X: Any
    verdict: Verdict
    # Height, width and channels, where it is a batch.
    hwc: tuple[int, int, int] | None = None

    @property
    def is_list(self):
        """Whether images of different sizes come as a list."""
        return isinstance(self.X, list) and any(isinstance(x, np.ndarray) for x in self.X)

    @property
    def n_samples(self):
        """Number of images, 0 where that is undefined."""
        if hasattr(self.X, "shape"):
            return self.X.shape[0] if self.X.shape else 0
        return len(self.X) if isinstance(self.X, list) else 0


SIDES = (1, 1, 2, 3, 4, 5, 7, 8, 9, 12)
DTYPES = ("f8", "f4", "f2", ">f4", "u1", "i8", "i2", "?", "O")


def choose(draw, *options):
    """One of the options."""
    return options[draw.randrange(len(options))]


def generator(draw):
    """A NumPy generator for arrays, which would be too many draws."""
    return np.random.default_rng(draw.randrange(2**32))


def hwc_of(draw, sides=SIDES):
    """Height, width and channels."""
    return choose(draw, *sides), choose(draw, *sides), choose(draw, 1, 1, 1, 2, 3, 4)


def values(draw, shape, dtype):
    """An array of finite values of any range, and whether an honest result may overflow."""
    rng = generator(draw)
    kind = np.dtype(dtype).kind
    if kind == "u":
        return rng.integers(0, 256, shape).astype(dtype), SOUND
    if kind == "i":
        return rng.integers(-300, 300, shape).astype(dtype), SOUND
    if kind == "b":
        return rng.random(shape) < 0.5, SOUND
    kind = choose(draw, "unit", "unit", "unit", "constant", "negative", "wide", "dull", "huge")
    with np.errstate(over="ignore", under="ignore"):
        X = rng.random(shape)
        if kind == "constant":
            X = np.full(shape, choose(draw, 0.0, -0.0, 0.5, 1.0, -3.0))
        elif kind == "negative":
            X = 2 * X - 1
        elif kind == "wide":
            X = 255 * X
        elif kind == "dull":
            X = X * choose(draw, 1e-6, 1e-30, 1e-44, 1e-300, 1e-320)
        elif kind == "huge":
            X = (X - 0.5) * choose(draw, 1e6, 1e19, 3e38, 1e150, 1e300, 1.7e308)
        largest = 65504 if dtype == "f2" else np.finfo("f4").max if "4" in dtype else np.inf
        X = X.clip(-largest, largest).astype(dtype)
    return X, EITHER if kind == "huge" else SOUND


def sound_images(draw, *, hwc=None, n=None, layout=None, dtypes=DTYPES):
    """A batch that fits, in any layout, dtype, range, memory order and container."""
    hwc = hwc or hwc_of(draw)
    layout = layout or choose(draw, "rows", "rows", "grey", "colour")
    if layout == "grey":
        hwc = (*hwc[:2], 1)
    n = n or choose(draw, 1, 2, 3, 5)
    if layout == "grey" and hwc[1] in (3, 4) and hwc[1] < min(n, hwc[0]):
        # It would be taken for one colour image.
        layout = "colour"
    X, verdict = values(draw, (n, *hwc), choose(draw, *dtypes))
    if layout != "colour":
        X = X.reshape(n, -1) if layout == "rows" else X[..., 0]
    form = choose(draw, "C", "C", "F", "flipped", "strided", "read-only", "list", "DataFrame")
    if form == "F":
        X = np.asfortranarray(X)
    elif form == "flipped":
        X = X[:, ::-1]
    elif form == "strided":
        X = np.repeat(X, 2, axis=1)[:, ::2]
    elif form == "read-only":
        X.flags.writeable = False
    elif form == "list":
        X = X.tolist()
    elif form == "DataFrame" and layout == "rows" and X.dtype.isnative:
        X = pd.DataFrame(X)
    return Images(X, verdict, hwc)


def images_of_different_sizes(draw, n_channels=None, dtypes=("f4", "f8", "u1")):
    """A list of images."""
    n_channels = n_channels or choose(draw, 1, 1, 3)
    dtypes = [choose(draw, *dtypes) for _ in range(choose(draw, 2, 3))]
    drawn = [values(draw, (*hwc_of(draw)[:2], n_channels), dtype) for dtype in dtypes]
    grey = n_channels == 1 and draw.random() < 0.7
    X = [image[..., 0] if grey else image for image, _ in drawn]
    # What is beside uint8 may be in another unit.
    mixes = len({image.dtype == np.uint8 for image in X}) > 1
    verdict = EITHER if mixes or any(v is EITHER for _, v in drawn) else SOUND
    if len({image.shape for image in X}) == 1:
        return Images(np.array(X), verdict, drawn[0][0].shape)
    return Images(X, verdict)


def bad_images(draw):
    """What no method may take for images."""
    n, (height, width, channels) = choose(draw, 1, 2, 4), hwc_of(draw, SIDES[2:])
    X, _ = values(draw, (n, height, width, channels), choose(draw, "f4", "f8"))
    if draw.random() < 0.5:
        X = X.reshape(n, -1)
    kind = draw.randrange(12)
    if kind <= 2:
        X = X.copy()
        X.flat[draw.randrange(X.size)] = choose(draw, np.inf, -np.inf)
        return Images(X if draw.random() < 0.7 else X.tolist(), BAD)
    if kind == 3:
        shape = choose(draw, (0, 4), (0, 4, 4), (3, 0), (3, 0, 4), (3, 4, 0), (3, 4, 4, 0), (0, 0))
        return Images(np.zeros(shape), BAD)
    if kind == 4:
        shape = choose(draw, (), (5,), (2, 3, 4, 1, 1, 2), (1, 2, 3, 1, 1, 1, 1))
        return Images(np.zeros(shape), BAD)
    if kind == 5:
        return Images(choose(draw, None, 3.0, "grey", {}, {"a": 1}, object(), b"grey", set()), BAD)
    if kind == 6:
        return Images(np.full((2, 4), choose(draw, "grey", {}, None, object()), dtype=object), BAD)
    if kind == 7:
        return Images(X + 1j, BAD)
    if kind == 8:
        return Images(scipy.sparse.csr_matrix(X.reshape(n, -1)), BAD)
    if kind == 9:
        return Images([[1.0, 2.0], [1.0]], BAD)
    if kind == 10:
        return Images([], BAD)
    X = [np.full((4, 5), 0.5), np.full((5, 4), 0.5)]
    spoilt = choose(draw, "infinity", "channels", "words", "empty")
    if spoilt == "infinity":
        X[1][2, 2] = np.inf
    elif spoilt == "channels":
        X[1] = np.zeros((5, 4, 3))
    elif spoilt == "words":
        X[1] = np.full((5, 4), "grey")
    else:
        X[1] = np.zeros((0, 4))
    return Images(X, BAD)


def images(draw, lists=True, **kwargs):
    """Any images, most of them sound."""
    kind = draw.random()
    if kind < 0.2:
        return bad_images(draw)
    if kind < 0.3 and lists:
        return images_of_different_sizes(draw)
    return sound_images(draw, **kwargs)


# Parameters: values that fit, values that do not, and values that may overflow.

LEVELS = (0, 0.0, 0.1, 1, 5.0, (0.0, 0.5), [0.1, 0.2], (1, 1), np.float32(0.3), 1e-320)
NO_LEVELS = (
    -1,
    -0.1,
    1e39,
    10**400,
    (0, 1e308),
    np.nan,
    np.inf,
    "0.1",
    None,
    (0.5, 0.1),
    (0.1,),
    (0.1, np.nan),
    (),
    {},
    1j,
)
SHARES = (0, 0.0, 0.3, 1, 1.0, (0.0, 1.0), [0.2, 0.2])
NO_SHARES = (-0.1, 1.5, np.nan, "half", None, (0.2, 1.1), (0.5, 0.1))
COUNTS = (0, -1, 1.5, "3", None, np.nan, (3,))
POSITIVE = (0.0, -1.0, 10**400, 1e300, np.nan, np.inf, "1", (1.0,), 1j)
WORDS = ("", "Rows", 3, ["rows"], np.nan)
MODES = (("reflect", "nearest", "mirror", "wrap"), (*WORDS, None, "constant"))

NOISE = {
    "clip": (
        ("auto", "auto", (0.0, 1.0), None, [0, 1], (-1, 2), (0.25, 0.75)),
        ((1.0, 0.0), (0.0,), "01", (0, "1"), (0.5, 0.5), (np.nan, 1.0), 1.0, ()),
    ),
    "when": (("always", "always", "fit"), (*WORDS, None)),
    "random_state": (
        (0, 1, 2**31, np.int64(3), None, np.random.RandomState(0)),
        ("seed", -1, 1.5, (1,)),
    ),
}

# By class name: parameter -> (values that fit, values that must be refused[, may overflow]).
PARAMETERS = {
    "GaussianNoise": {
        **NOISE,
        "std": (LEVELS, NO_LEVELS, (1e30, (0, 1e30))),
        "mean": ((0.0, -0.5, 1), (np.nan, np.inf, "0", None, (0, 1), 1e308), (1e30, -1e30)),
    },
    "UniformNoise": {**NOISE, "half_width": (LEVELS, NO_LEVELS, (1e30,))},
    "StripeNoise": {
        **NOISE,
        "std": (LEVELS, NO_LEVELS, (1e30,)),
        "axis": (("rows", "columns"), (*WORDS, None)),
    },
    "PoissonNoise": {
        **NOISE,
        "peak": ((255, 1, 0.1, 1e9, (1, 10), [1.0, 1.0]), (*NO_LEVELS, 0, (0, 1), 1e10, 1e-320)),
    },
    "PoissonGaussianNoise": {
        **NOISE,
        "gain": ((1, 0.1, 1e-9, (0.01, 10), [1.0, 1.0]), (*NO_LEVELS, 0, (0, 1), 1e-31, 1e31)),
        "std": (LEVELS, NO_LEVELS, (1e30,)),
        "offset": ((0.0, -0.5, 1), (np.nan, np.inf, "0", None, (0, 1), 1e308), (1e30, -1e30)),
    },
    "StructuredNoise": {
        **NOISE,
        "std": (LEVELS, NO_LEVELS, (1e30,)),
        "kernel": (
            ((1.0,), [1, 2, 1], (1e-300, 1e300), np.ones(40)),
            (3, (), (0.0,), "k", [np.nan]),
        ),
        "axis": (("pixels", "rows", "columns"), (*WORDS, None)),
    },
    "BaselineWander": {
        **NOISE,
        "std": (LEVELS, NO_LEVELS, (1e30,)),
        "frequency": ((0.002, 0.5, 1e-9), (0, 0.6, -1, np.nan, "1", None, (0.1, 0.2))),
        "n_waves": ((1, 5), (0, -1, 1.5, None, "2")),
    },
    "LineInterference": {
        **NOISE,
        "amplitude": (LEVELS, NO_LEVELS, (1e30,)),
        "frequency": ((0.2, 0.5, 1e-9, (0.1, 0.3)), (0, 0.6, -1, np.nan, None, (0, 0.2))),
        "n_harmonics": ((1, 3), (0, -1, 1.5, None, "2")),
    },
    "CameraNoise": {
        **NOISE,
        "peak": ((1, 50.0, 1e9, (50, 20000)), (0, -1, np.nan, "1", None, (5, 2), (0, 1))),
        "read_noise": (LEVELS, NO_LEVELS, (1e30,)),
        "gamma": ((1, 2.2, (1.8, 2.4)), (0.5, 6, np.nan, "1", None, (2.4, 1.8))),
        "white_balance": ((1, 2.0, (1.3, 2.6)), (0.5, 9, np.nan, None)),
        "color_correction": ((0, 0.5, 1.0, (0, 1)), (-0.1, 1.1, np.nan, None)),
        "smoothing": ((0, 0.7, 5, (0, 1)), (-0.1, 5.1, np.nan, None)),
        "chroma_smoothing": ((0, 0.7, 5, (0, 3)), (-0.1, 5.1, np.nan, None)),
        "quality": ((1, 50, 100, (5, 95), None), (0, 101, 50.5, "1", (5, 2))),
    },
    "JPEGNoise": {**NOISE, "quality": ((1, 50, 100, (5, 95)), (0, 101, 50.5, "1", None, (5, 2)))},
    "SpeckleNoise": {
        **NOISE,
        "std": (LEVELS, NO_LEVELS, (1e30,)),
        "distribution": (("gaussian", "uniform"), (*WORDS, None)),
    },
    "SaltPepper": {
        **NOISE,
        "amount": (SHARES, NO_SHARES),
        "salt_ratio": ((0, 0.5, 1.0), (-0.1, 1.1, np.nan, (0, 1), None)),
    },
    "MaskingNoise": {
        **NOISE,
        "amount": (SHARES, NO_SHARES),
        "value": ((0.0, 1, -2.5), (np.nan, np.inf, None, "0", 1e39, -(10**400)), (1e30,)),
    },
    "Occlusion": {
        **NOISE,
        "size": (
            (0, 1, 3, 50, (0, 2), [1, 1], 2**31),
            (-1, 0.5, None, (2, 1), (0, 1.5), np.nan),
        ),
        "orientation": (("random", "rows", "columns", "rectangle"), (*WORDS, None)),
        "start": ((None, (0, 0), (1, 3), [2, 100]), (0, (3, 1), (-1, 1), (0.5, 1.5), ())),
        "value": ((1.0, 0, -2.5), (np.nan, np.inf, None, "0", 1e39, -(10**400)), (1e30,)),
    },
    "Downsample": {**NOISE, "factor": ((1, 2, 3, 10**12), (0, -1, 1.5, None, "2", np.nan))},
    "MeanFilter": {"size": ((1, 2, 3, 8, 31), COUNTS), "mode": MODES},
    "MedianFilter": {"size": ((1, 2, 3, 8, 15), COUNTS), "mode": MODES},
    "GaussianFilter": {
        "sigma": ((0, 0.0, 1e-300, 0.5, 1, 20.0), (-1.0, np.nan, np.inf, "1", (1.0,), 1j)),
        "mode": MODES,
    },
    "BilateralFilter": {
        "sigma_color": ((None, 0.1, 1, 100.0, 1e-300), POSITIVE, (1e30,)),
        "sigma_spatial": ((0.1, 1e-300, 0.5, 1, 1.5), (0.0, -1.0, np.nan, np.inf, "1", None)),
        "mode": MODES,
    },
    "NLMeansFilter": {
        "patch_size": ((3, 5, 7), (*COUNTS, 1, 2, 4)),
        "patch_distance": ((1, 2, 6), COUNTS),
        "h": ((None, 0.1, 1), POSITIVE, (1e-300, 1e30)),
        "std": ((None, 0, 0.1, 1.0), POSITIVE[1:], (1e-300, 1e30)),
    },
    "TVFilter": {"weight": ((None, None, 0.1, 1), POSITIVE, (1e-300, 1e30))},
    "WaveletFilter": {
        "wavelet": (("sym4", "haar", "db2"), ("", "bior2.2", "sin", 3, None)),
        "std": ((None, 0, 0.1, 1.0), POSITIVE[1:], (1e-300, 1e30)),
        "method": (("BayesShrink", "VisuShrink"), (*WORDS, None)),
        "thresholding": (("soft", "hard"), (*WORDS, None)),
        "levels": ((None, 1, 2, 100), (0, -1, 1.5, "3", (3,))),
    },
}

NO_IMAGE_SHAPES = ((0,), (-1, 4), (2.0, 2.0), "4x4", (1, 2, 3, 4), (), 16, (10**9, 10**9), (None,))


def parameters(draw, name, has_image_shape, hwc):
    """Parameters of a class, with a verdict, and the name of the one that does not fit."""
    table = PARAMETERS[name]
    params, verdict, culprit = {}, SOUND, None
    for parameter, (good, _, *wild) in table.items():
        # Defaults count, too.
        if draw.random() < 0.6:
            is_wild = bool(wild) and draw.random() < 0.1
            params[parameter] = choose(draw, *(wild[0] if is_wild else good))
            verdict &= EITHER if is_wild else SOUND
    if has_image_shape and hwc is not None and draw.random() < 0.5:
        params["image_shape"] = choose(draw, hwc, list(hwc), hwc if hwc[2] > 1 else hwc[:2])
    if draw.random() < 0.15:
        culprit = choose(draw, *sorted(table))
        params[culprit] = choose(draw, *table[culprit][1])
        verdict = BAD
    elif has_image_shape and draw.random() < 0.05:
        params["image_shape"], culprit, verdict = choose(draw, *NO_IMAGE_SHAPES), "image_shape", BAD
    return params, verdict, culprit
