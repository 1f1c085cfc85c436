"""Noise injectors: transformers that corrupt clean images.

In `transform`, the noise of an image is a function of its pixels and the seed: the same image gets
the same noise in every fold, order, batch and process, and two different images never share one.
`uint8` images count as their `float32` ones; in `float64` an image has another noise. While a
denoiser with ``noise=`` trains, the noise is fresh at every step.
"""

from ._base import BaseNoise
from .additive import GaussianNoise, StripeNoise, StructuredNoise, UniformNoise
from .composed import NoiseSequence, OneOf
from .compression import JPEGNoise
from .estimate import estimate_noise
from .impulse import MaskingNoise, SaltPepper
from .signal_dependent import PoissonGaussianNoise, PoissonNoise, SpeckleNoise
from .spatial import Downsample, Occlusion

__all__ = [
    "BaseNoise",
    "Downsample",
    "GaussianNoise",
    "JPEGNoise",
    "MaskingNoise",
    "NoiseSequence",
    "Occlusion",
    "OneOf",
    "PoissonGaussianNoise",
    "PoissonNoise",
    "SaltPepper",
    "SpeckleNoise",
    "StripeNoise",
    "StructuredNoise",
    "UniformNoise",
    "estimate_noise",
]
