"""What a net learns from: the input that it gets, and the target that its loss compares with."""

from abc import ABC, abstractmethod

import torch


class Task(ABC):
    """What a net learns from.

    A denoiser that learns in a new way has a task of its own, and gives it from ``_task``.

    Attributes
    ----------
    loss : torch.nn.Module
        From the net's raw output and the target, of one batch, to a tensor with one value.
    is_random : bool
        Whether a batch draws random numbers.
    input_is_answer : bool
        Whether the input, as it is, is what predictions can be compared with: not so where it is
        made from the same values as the target.
    """

    loss: torch.nn.Module
    is_random = True
    input_is_answer = False

    @abstractmethod
    def pairs(self, images, targets, rng):
        """Inputs and targets of one batch.

        Parameters
        ----------
        images, targets : Tensor of float32, (n_samples, *spatial, n_channels)
            As `fit` got them; the targets are the images where there are no others.
        rng : TorchGenerator

        Returns
        -------
        inputs, targets : Tensor, (n_samples, *spatial, n_channels)
        """


class CleanTargets(Task):
    """Learn the targets of images, which a noise model may corrupt.

    Parameters
    ----------
    loss : torch.nn.Module
    noise : fitted noise model or None
    """

    input_is_answer = True

    def __init__(self, loss, noise):
        self.loss, self.noise = loss, noise
        self.is_random = noise is not None

    def pairs(self, images, targets, rng):
        """See `Task`."""
        return images if self.noise is None else self.noise.corrupt(images, rng), targets
