"""Remove noise from images, with the scikit-learn API.

A pretrained network (`skdae.PretrainedDenoiser`), networks that you train
(`skdae.DenoisingAutoencoder` and others), filters (`skdae.filters`), noise models (`skdae.noise`),
image metrics and scorers (`skdae.metrics`), comparisons (`skdae.model_selection`), data sets
(`skdae.datasets`), displays (`skdae.plotting`), and files without code (`skdae.save`,
`skdae.load`).

A name is imported when it is first used: `import skdae` takes no time, and noise models,
filters and metrics do not import torch.
"""

from importlib import import_module

from lazy_loader import attach_stub

__version__ = "0.1.0"

# The names are those of __init__.pyi, which type checkers read.
_load, __dir__, __all__ = attach_stub(__name__, __file__)


def __getattr__(name):
    # Modules of scikit-learn import one another, and threads that begin with different ones at once
    # would find some of them half done. All begin with this one, and so wait for one another.
    import_module("sklearn.pipeline")
    return _load(name)
