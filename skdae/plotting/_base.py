"""What displays share: colours, axes, and the place of the noise in a Pipeline."""

from ..noise import BaseNoise

# The palette of Okabe and Ito, told apart also by the colour-blind, without its yellow, which is
# too pale for a line on white.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
COLORS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9")


def one_axes(ax):
    """The axes given, or those of a new figure."""
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1] if ax is None else ax


def split_injectors(estimator):
    """The fitted steps of a Pipeline up to its last noise injector, or None, and what follows."""
    steps = getattr(estimator, "steps", ())
    ends = [i for i, (_, step) in enumerate(steps, start=1) if isinstance(step, BaseNoise)]
    return (estimator[: ends[-1]], estimator[ends[-1] :]) if ends else (None, estimator)
