"""What denoisers share that learn from noisy images alone."""

from typing import Any, Self

from numpy.typing import ArrayLike

from .learned import LearnedDenoiser


class _SelfSupervisedDenoiser(LearnedDenoiser):
    """Base class of the denoisers that make a task of noisy images; a subclass has `_task`."""

    _parameter_constraints: dict = {**LearnedDenoiser._parameter_constraints}
    del _parameter_constraints["noise"]

    noise = None

    # Of one, each step makes another task.
    _min_images = 1

    def fit(
        self,
        X: ArrayLike,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        validation_data: tuple[ArrayLike, ArrayLike | None] | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images. One is enough for an architecture that takes images of any size. Images of
            different sizes come as a list of arrays.
        y : Ignored
        sample_weight : array-like of shape (n_samples,) or None, default=None
            As in `DenoisingAutoencoder`.
        validation_data : (array-like, None) or None, default=None
            ``(X_val, None)``, noisy images to watch the loss on.
        groups : array-like of shape (n_samples,) or None, default=None
            As in `DenoisingAutoencoder`.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If shapes do not fit, values are not finite, a parameter is out of range, images are too
            few or too small for one (such as ``mask_shape=``), or the loss diverges
            in the first epoch.
        """
        return super().fit(X, None, sample_weight, validation_data=validation_data, groups=groups)

    def partial_fit(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train one epoch on a part of the data, with a constant learning rate and no validation.

        It continues from the current weights, and does not write a checkpoint.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images.
        y : Ignored
        sample_weight : array-like of shape (n_samples,) or None, default=None
            As in `fit`.

        Returns
        -------
        self : object
        """
        return super().partial_fit(X, None, sample_weight)
