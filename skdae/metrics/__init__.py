"""How near denoised images come to the clean ones: metrics for batches, and scorers for searches.

Every metric is computed for each image and then averaged, so that the PSNR of a batch is the mean
of its images' PSNRs. `uint8` counts as ``value / 255``. A single image is a batch of one,
``image[np.newaxis]``; images of different sizes may come as a list of arrays.
"""

from .full_reference import (
    METRICS,
    mean_absolute_error,
    mean_squared_error,
    peak_signal_noise_ratio,
    structural_similarity,
)
from .j_invariance import JInvariantScorer, j_invariant_scorer
from .residual import ResidualReport, residual_report
from .scorers import SCORERS, mae_scorer, mse_scorer, psnr_scorer, ssim_scorer
from .unbiased import UnbiasedScorer, unbiased_scorer

__all__ = [
    "METRICS",
    "SCORERS",
    "JInvariantScorer",
    "ResidualReport",
    "UnbiasedScorer",
    "j_invariant_scorer",
    "mae_scorer",
    "mean_absolute_error",
    "mean_squared_error",
    "mse_scorer",
    "peak_signal_noise_ratio",
    "psnr_scorer",
    "residual_report",
    "ssim_scorer",
    "structural_similarity",
    "unbiased_scorer",
]
