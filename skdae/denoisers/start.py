"""How a fit starts: seeds, and what it goes on from."""

import numpy as np

from .._random import draw_seed
from .._training.checkpoint import Checkpoint


class Start:
    """How a fit starts.

    Parameters
    ----------
    denoiser : LearnedDenoiser
    going_on : bool
        Whether the net that it has goes on training.
    partial : bool, default=False
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

    def __init__(self, denoiser, going_on, partial=False):
        self.going_on, self.partial = going_on, partial
        path = None if partial else denoiser.checkpoint
        self.checkpoint = None if path is None else Checkpoint(path)
        kept = self.checkpoint and self.checkpoint.seed
        if going_on:
            self.seed, self.n_fits = denoiser._seed, denoiser._n_fits + 1
        else:
            # Where none is asked for, that of the fit which a checkpoint goes on with.
            is_kept = denoiser.random_state is None and kept is not None
            self.seed = kept if is_kept else draw_seed(denoiser.random_state)
            self.n_fits = 1
        self.seeds = self._seeds(self.n_fits)
        # An image that was set aside stays so in the fits that go on.
        self.split_seed = self._seeds(1)[2]

    def _seeds(self, n_fits):
        return np.random.SeedSequence([self.seed, n_fits]).generate_state(4).tolist()
