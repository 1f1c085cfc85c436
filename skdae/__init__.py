"""Learned image denoising with the scikit-learn contract.

Noise injectors (`skdae.noise`), denoising autoencoders (`skdae.DenoisingAutoencoder`), classical
baselines (`skdae.filters`), image metrics and scorers (`skdae.metrics`), honest evaluation
(`skdae.model_selection`), data sets (`skdae.datasets`), displays (`skdae.plotting`), and files
without code (`skdae.save`, `skdae.load`).
"""

from ._files.estimators import load, save
from .denoisers import (
    DenoisingAutoencoder,
    Noise2VoidDenoiser,
    Pix2PixDenoiser,
    ReconstructionOutlierDetector,
    SelfEnsembleDenoiser,
)
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
