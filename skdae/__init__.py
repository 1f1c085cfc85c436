"""Learned image denoising with the scikit-learn contract.

Noise injectors (`skdae.noise`), denoising autoencoders (`skdae.DenoisingAutoencoder`), classical
baselines (`skdae.filters`), image metrics and scorers (`skdae.metrics`), honest evaluation
(`skdae.model_selection`), data sets (`skdae.datasets`), displays (`skdae.plotting`), and files
without code (`skdae.save`, `skdae.load`).

A name is imported when it is first used: `import skdae` takes no time, and noises, filters and
metrics do not import torch.
"""

import os
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING

from lazy_loader import attach

from . import denoisers, filters, noise

# Threads that wait for one another leave the processor to others, where torch is not loaded yet.
# Spinning, as OpenMP does by itself, takes a hundred times as long on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"

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

if TYPE_CHECKING:
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
else:
    __getattr__, __dir__, _ = attach(
        __name__,
        ["architectures", "base", "datasets", "metrics", "model_selection", "plotting"],
        {
            "_files.estimators": ["load", "save"],
            "_training.distributed": ["distributed"],
            "denoisers": denoisers.__all__,
            "filters": filters.__all__,
            "metrics": [
                "SCORERS",
                "j_invariant_scorer",
                "mae_scorer",
                "mse_scorer",
                "psnr_scorer",
                "ssim_scorer",
            ],
            "model_selection": ["denoising_scorer", "without_noise"],
            "noise": noise.__all__,
        },
    )

    def _after(libraries, load):
        """Load names after libraries, as a whole.

        The modules of these import one another, and threads that begin with different ones at once
        would find some of them half done.
        """

        def load_after(name):
            if not name.startswith("__"):
                with _LOCK:
                    for library in libraries:
                        import_module(library)
            return load(name)

        return load_after

    _LOCK = Lock()
    __getattr__ = _after(["sklearn.pipeline"], __getattr__)
    for _folder in (filters, noise):
        _folder.__getattr__ = _after(["sklearn.pipeline"], _folder.__getattr__)
    denoisers.__getattr__ = _after(["sklearn.pipeline", "skorch"], denoisers.__getattr__)
