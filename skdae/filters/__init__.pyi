from ._base import BaseFilter
from .baselines import NLMeansFilter, TVFilter, WaveletFilter
from .noise_level import estimate_noise_std
from .windows import BilateralFilter, GaussianFilter, MeanFilter, MedianFilter

__all__ = [
    "BaseFilter",
    "BilateralFilter",
    "GaussianFilter",
    "MeanFilter",
    "MedianFilter",
    "NLMeansFilter",
    "TVFilter",
    "WaveletFilter",
    "estimate_noise_std",
]
