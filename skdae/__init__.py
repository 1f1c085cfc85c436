"""Learned image denoising with the scikit-learn contract.

Noise injectors (`skdae.noise`), denoising autoencoders (`skdae.DenoisingAutoencoder`), classical
baselines (`skdae.filters`), image metrics and scorers (`skdae.metrics`), honest evaluation
(`skdae.model_selection`), data sets (`skdae.datasets`), displays (`skdae.plotting`), and files
without code (`skdae.save`, `skdae.load`).
"""

from . import denoisers, filters, noise
from ._files.estimators import load, save
from ._training.distributed import distributed
from .denoisers import *
from .filters import *
from .metrics import (
    SCORERS,
    j_invariant_scorer,
    mae_scorer,
    mse_scorer,
    psnr_scorer,
    ssim_scorer,
)
from .model_selection import denoising_scorer, without_noise
from .noise import *

__version__ = "0.1.0.dev0"

# Every noise, filter and denoiser of its folder, and these.
__all__ = [
    "SCORERS",
    "denoising_scorer",
    "distributed",
    "j_invariant_scorer",
    "load",
    "mae_scorer",
    "mse_scorer",
    "psnr_scorer",
    "save",
    "ssim_scorer",
    "without_noise",
]
__all__ += denoisers.__all__
__all__ += filters.__all__
__all__ += noise.__all__
