"""How a fit starts: seeds, and what it goes on from."""

import numpy as np

from .._random import draw_seed
from .checkpoint import Checkpoint


class FitStart:
    """How a fit starts.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        Of the denoiser.
    checkpoint : str, os.PathLike or None
        Where the fit leaves its state, or has left it.
    before : (int, int) or None
        The seed and the number of fits of the net that goes on training; None is a new one.
    partial : bool
        Whether it is a `partial_fit`: one epoch, no validation, no checkpoint.

    Attributes
    ----------
    checkpoint : Checkpoint or None
    seed, n_fits : int
        The seed of the denoiser, and how often it has been fitted, this time included.
    seeds : list of int
        Of the noise, of weights and dropout, of training and validation data.
    split_seed : int
        Of the choice of the validation images.
    """

    def __init__(self, random_state, checkpoint, before, partial):
        self.going_on, self.partial = before is not None, partial
        self.checkpoint = None if partial or checkpoint is None else Checkpoint(checkpoint)
        kept = self.checkpoint and self.checkpoint.seed
        if before is not None:
            self.seed, self.n_fits = before[0], before[1] + 1
        else:
            # Where none is asked for, that of the fit which a checkpoint goes on with.
            is_kept = random_state is None and kept is not None
            self.seed = kept if is_kept else draw_seed(random_state)
            self.n_fits = 1
        self.seeds = self._seeds(self.n_fits)
        # An image that was set aside stays so in the fits that go on.
        self.split_seed = self._seeds(1)[2]

    def _seeds(self, n_fits):
        return np.random.SeedSequence([self.seed, n_fits]).generate_state(4).tolist()
