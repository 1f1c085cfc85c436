"""Denoisers with a net, and what is built on denoisers."""

from lazy_loader import attach_stub

# The names are those of __init__.pyi, which type checkers read.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
