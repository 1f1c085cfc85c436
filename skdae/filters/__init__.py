"""Classical filters as denoisers: the baselines that a network has to beat.

Three of them need libraries of the extra ``baselines``, which are imported when such a filter is
fitted, not here.
"""

from lazy_loader import attach_stub

# The names are those of __init__.pyi, which type checkers read.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
