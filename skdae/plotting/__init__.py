"""Displays in scikit-learn's manner: images before and after, curves, histograms, codes.

A display stores its data; ``plot`` draws them and returns the display. Matplotlib is imported only
then, and nothing is ever shown unasked: call ``matplotlib.pyplot.show()`` or
``display.figure_.savefig(...)``.
"""

from .denoising import DenoisingDisplay
from .errors import ErrorHistogramDisplay
from .intervals import CoverageDisplay, IntervalDisplay, WidthErrorDisplay
from .latent_space import LatentSpaceDisplay
from .noise_level import NoiseDisplay, NoiseLevelDisplay
from .residual import ResidualDisplay
from .training import TrainingDisplay

__all__ = [
    "CoverageDisplay",
    "DenoisingDisplay",
    "ErrorHistogramDisplay",
    "IntervalDisplay",
    "LatentSpaceDisplay",
    "NoiseDisplay",
    "NoiseLevelDisplay",
    "ResidualDisplay",
    "TrainingDisplay",
    "WidthErrorDisplay",
]
