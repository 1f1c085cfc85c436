"""Learned image denoising with the scikit-learn contract.

Noise injectors (`skdae.noise`), denoising autoencoders (`skdae.DenoisingAutoencoder`), classical
baselines (`skdae.filters`), image metrics and scorers (`skdae.metrics`), honest evaluation
(`skdae.model_selection`), data sets (`skdae.datasets`), displays (`skdae.plotting`), and files
without code (`skdae.save`, `skdae.load`).
"""

from ._autoencoder import DenoisingAutoencoder
from ._noise2void import Noise2VoidDenoiser
from ._outlier import ReconstructionOutlierDetector
from ._persistence import load, save
from ._pix2pix import Pix2PixDenoiser
from ._self_ensemble import SelfEnsembleDenoiser
from .filters import (
    BilateralFilter,
    GaussianFilter,
    MeanFilter,
    MedianFilter,
    NLMeansFilter,
    TVFilter,
    WaveletFilter,
)
from .metrics import (
    SCORERS,
    j_invariant_scorer,
    mae_scorer,
    mse_scorer,
    psnr_scorer,
    ssim_scorer,
)
from .model_selection import denoising_scorer, without_noise
from .noise import (
    Downsample,
    GaussianNoise,
    MaskingNoise,
    NoiseSequence,
    Occlusion,
    OneOf,
    PoissonNoise,
    SaltPepper,
    SpeckleNoise,
    StripeNoise,
    UniformNoise,
)

__version__ = "0.1.0.dev0"

__all__ = [
    "SCORERS",
    "BilateralFilter",
    "DenoisingAutoencoder",
    "Downsample",
    "GaussianFilter",
    "GaussianNoise",
    "MaskingNoise",
    "MeanFilter",
    "MedianFilter",
    "NLMeansFilter",
    "Noise2VoidDenoiser",
    "NoiseSequence",
    "Occlusion",
    "OneOf",
    "Pix2PixDenoiser",
    "PoissonNoise",
    "ReconstructionOutlierDetector",
    "SaltPepper",
    "SelfEnsembleDenoiser",
    "SpeckleNoise",
    "StripeNoise",
    "TVFilter",
    "UniformNoise",
    "WaveletFilter",
    "denoising_scorer",
    "j_invariant_scorer",
    "load",
    "mae_scorer",
    "mse_scorer",
    "psnr_scorer",
    "save",
    "ssim_scorer",
    "without_noise",
]
