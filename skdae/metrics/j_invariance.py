"""The scorer that needs no clean images."""

from itertools import product
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import correlate1d
from sklearn.utils._param_validation import Interval

from .._checks import check_parameters
from .._images import image_by_image, mean_score
from .scorers import images_and_predict


class JInvariantScorer:
    r"""Scorer that ranks denoisers on noisy images, without clean ones.

    It hides pixels and measures how well the denoiser predicts their noisy values from the others.
    With the pixels of an image split into groups :math:`J`, the score of a denoiser :math:`f` on
    the noisy images :math:`x` is

    .. math:: -\frac{1}{m} \sum_J \left\| f(x_{-J})_J - x_J \right\|^2

    where :math:`x_{-J}` is :math:`x` with each pixel of :math:`J` replaced by the mean of
    the pixels above, below, left and right of it, and :math:`m` is the number of values. Where the
    noise has mean 0 and is independent from pixel to pixel, no denoiser can predict it, and the
    expected score is minus the mean squared error against the clean images, of a denoiser that
    sees no pixel's own value, minus the variance of the noise. The latter is the same for all, so
    that denoisers are ranked by that error. Compare denoisers of one kind: one that never looks at
    the pixel, such as a `Noise2VoidDenoiser`, loses nothing here, others do, and are better than
    their score.

    Pass it as ``scoring=`` to `GridSearchCV`, `cross_val_score` and the like, and fit on noisy
    images alone; ``j_invariant_scorer`` is one with the defaults.

    Parameters
    ----------
    spacing : int, default=4
        Distance between the hidden pixels of a group, at least 2. A denoiser predicts
        ``spacing**2`` times for images, `spacing` times for signals. Wide filters see more
        replaced pixels when it is small.
    image_shape : tuple of int or None, default=None
        ``(height, width)``, ``(height, width, n_channels)`` or ``(length,)`` of flat rows. None
        means the shape that the denoiser knows from its fit, else a square gray image, or a 1-D
        signal where the number of values is not a square.

    Raises
    ------
    ValueError
        If `spacing` is not an integer of at least 2.

    See Also
    --------
    skdae.model_selection.denoising_scorer : Compares with clean images, and corrupts them itself.

    Notes
    -----
    All channels of a pixel are hidden together. `uint8` reaches the denoiser as floats in [0, 1].
    Noise that neighbors share (stripes, occlusion), that shifts the mean (salt alone), or that
    was clipped breaks the assumption. A denoiser that hardly changes its input is judged too
    well, because here it gets the mean of the neighbors where it would keep the noise.

    References
    ----------
    .. [1] Batson, J. and Royer, L. (2019). "Noise2Self: Blind denoising by self-supervision". ICML.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdae import GaussianFilter, GaussianNoise, j_invariant_scorer
    >>> from skdae.datasets import load_digits_images
    >>> X_noisy = GaussianNoise(0.5, clip=None, random_state=0).fit_transform(
    ...     load_digits_images().images[:100]
    ... )
    >>> grid = {"sigma": [0.5, 1.0, 4.0]}
    >>> GridSearchCV(GaussianFilter(), grid, scoring=j_invariant_scorer).fit(X_noisy).best_params_
    {'sigma': 1.0}
    """

    def __init__(self, spacing: int = 4, image_shape: tuple[int, ...] | None = None) -> None:
        at_least_2 = Interval(Integral, 2, None, closed="left")
        check_parameters("JInvariantScorer", {"spacing": [at_least_2]}, spacing=spacing)
        self.spacing: int = int(spacing)
        self.image_shape: tuple[int, ...] | None = image_shape

    @image_by_image(mean_score, targets=None)
    def __call__(self, estimator: Any, X: ArrayLike, y: Any = None) -> float:
        """Score a fitted denoiser.

        Parameters
        ----------
        estimator : estimator
            Anything whose `predict` gives images of the shape that it gets.
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images; images of different sizes may come as a list of arrays.
        y : object, default=None
            Ignored.

        Returns
        -------
        score : float
            Minus a mean squared error; greater is better.

        Raises
        ------
        ValueError
            If the images are single pixels, or come back in another shape.
        """
        images, predict, known = images_and_predict(estimator, X, self.image_shape)
        guesses = _neighbor_means(images)
        loss = 0.0
        for hidden in _grids(images.shape, self.spacing):
            masked = images.copy()
            masked[hidden] = guesses[hidden]
            asked = known[hidden]
            pair = predict(masked)[hidden][asked], images[hidden][asked]
            with np.errstate(over="ignore"):
                difference = np.subtract(*pair, dtype=np.float64)
                loss += np.square(difference).sum()
        return -float(loss / known.sum())

    def __repr__(self) -> str:
        shape = "" if self.image_shape is None else f", image_shape={self.image_shape}"
        return f"JInvariantScorer(spacing={self.spacing}{shape})"


def _neighbor_means(images):
    """Mean of the two pixels beside each pixel along each axis, itself not among them."""
    axes = [axis for axis in range(1, images.ndim - 1) if images.shape[axis] > 1]
    if not axes:
        raise ValueError(
            "Images of one pixel have no neighbors to guess from; pass image_shape= if the rows "
            "hold more, or score against clean images with denoising_scorer."
        )
    # Beyond the border, "mirror" has the pixel inside of it; "reflect" would show the pixel itself.
    weight = 0.5 / len(axes)
    return sum(correlate1d(images, [weight, 0, weight], axis, mode="mirror") for axis in axes)


def _grids(batch_shape, spacing):
    """Indices of the groups of pixels, each `spacing` apart; every pixel is in one group."""
    starts = (range(min(spacing, side)) for side in batch_shape[1:-1])
    for corner in product(*starts):
        yield (slice(None), *(slice(start, None, spacing) for start in corner))


j_invariant_scorer = JInvariantScorer()
