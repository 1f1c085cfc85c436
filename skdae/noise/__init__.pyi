from ._base import BaseNoise
from .additive import GaussianNoise, StripeNoise, StructuredNoise, UniformNoise
from .camera import CameraNoise
from .composed import NoiseSequence, OneOf
from .compression import JPEGNoise
from .estimate import estimate_noise
from .impulse import MaskingNoise, SaltPepper
from .periodic import BaselineWander, LineInterference
from .signal_dependent import PoissonGaussianNoise, PoissonNoise, SpeckleNoise
from .spatial import Downsample, Occlusion

__all__ = [
    "BaseNoise",
    "BaselineWander",
    "CameraNoise",
    "Downsample",
    "GaussianNoise",
    "JPEGNoise",
    "LineInterference",
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
