"""What displays share: colors, axes, and the place of the noise in a Pipeline."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..noise import BaseNoise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
else:
    Axes = Any

# The palette of Okabe and Ito, told apart also by the color-blind, without its yellow, which is
# too pale for a line on white.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
COLORS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9")


def figure_and_axes(ax):
    """The figure and axes of a plot: those of `ax`, or new ones."""
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained") if ax is None else (ax.figure, ax)


def as_numbers(values, name, n=None):
    """A 1-D array of `n` floats; without `n`, of at least one."""
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) != (n or max(1, len(values))):
        raise ValueError(
            f"{name} has shape {values.shape}; expected {n or 'one or more'} numbers, in shape "
            f"({n or 'n'},)."
        )
    return values


def middle(planes):
    """The slice that stands for a volume."""
    return planes[len(planes) // 2]


def split_injectors(estimator):
    """The fitted steps of a Pipeline up to its last noise model, or None, and what follows."""
    steps = getattr(estimator, "steps", ())
    ends = [i for i, (_, step) in enumerate(steps, start=1) if isinstance(step, BaseNoise)]
    return (estimator[: ends[-1]], estimator[ends[-1] :]) if ends else (None, estimator)
