"""Noise models: transformers that corrupt clean images.

In `transform`, the noise of an image is a function of its pixels and the seed: the same image gets
the same noise in every fold, order, batch and process, and two different images never share one.
`uint8` images count as their `float32` ones; in `float64` an image has another noise. While a
denoiser with ``noise=`` trains, the noise is fresh at every step.
"""

from lazy_loader import attach_stub

# The names are those of __init__.pyi, which type checkers read.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
