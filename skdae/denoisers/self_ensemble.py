"""Average a denoiser over all turned and flipped copies of an image."""

from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from .._checks import fit_context
from .._images import to_float
from ..metrics.scorers import learned_noise
from .held import MetaDenoiser


class SelfEnsembleDenoiser(MetaDenoiser):
    r"""Denoise an image in all its poses, and average.

    In each pose of an image, a network makes slightly different errors, and averaging reduces them.
    Over the flips and turns :math:`T_1, \ldots, T_k` that keep the shape of an image, this denoiser
    computes

    .. math:: g(x) = \frac{1}{k} \sum_{i=1}^{k} T_i^{-1}\, f(T_i\, x),

    whose mean squared error is at most the average of those of its terms. It needs no training,
    and takes :math:`k` times as long to predict: 8 for a square image (four quarter turns,
    each flipped or not), 4 for another, 2 for a signal.

    Parameters
    ----------
    denoiser : denoiser
        Anything with ``fit(X, y)`` and ``predict(X)`` that gives images back: an estimator or a
        Pipeline of skdae's, a regressor of scikit-learn for flat rows. A clone of it is fitted; a
        `sklearn.frozen.FrozenEstimator` around a fitted denoiser is used as it is. If you fit
        that one again later, its new state is used.

    Attributes
    ----------
    denoiser_ : estimator
        The fitted denoiser.
    image_shape_ : tuple of int
        Shape of the images that `predict` takes. Of flat rows it is the denoiser's; one that knows
        none takes a perfect square for a gray image, anything else for a signal.
    noise_ : noise model or None
        That with which the denoiser learned; None where it has none, or corrupts images itself, as
        a Pipeline with a noise model does.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    Notes
    -----
    It helps if a turned image is as likely as the image itself, as in micrographs or photographs of
    surfaces, and for networks trained with ``patch_size``, which see all poses. For digits, faces
    or stripes, the network has not seen most poses, and the average is worse than the network
    alone. Filters that treat all directions equally gain nothing.

    References
    ----------
    .. [1] Timofte, R., Rothe, R. and Van Gool, L. (2016). "Seven ways to improve example-based
       single image super resolution". CVPR.
    .. [2] Lim, B. et al. (2017). "Enhanced deep residual networks for single image
       super-resolution". CVPR Workshops.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import SelfEnsembleDenoiser, TVFilter
    >>> X = np.random.default_rng(0).random((2, 16, 16))
    >>> X_denoised = SelfEnsembleDenoiser(TVFilter()).fit(X).predict(X)
    >>> X_denoised.shape
    (2, 16, 16)
    """

    def __init__(self, denoiser: Any):
        self.denoiser = denoiser

    # The denoiser is validated as in a fit of its own.
    @fit_context(skip_nested=False)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, **fit_params: Any) -> Self:
        """Fit the denoiser.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Images as the denoiser takes them, a list of images of different sizes among them.
        y : array-like or None, default=None
            Targets as the denoiser takes them.
        **fit_params : dict
            What else `fit` of the denoiser takes, such as ``sample_weight``, ``groups`` or
            ``validation_data``.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If values are not finite, a parameter is out of range, or the denoiser refuses the
            images. The fitted state from before is kept.
        """
        self._hold_given(X, y, fit_params)
        return self

    @property
    def noise_(self) -> Any:
        """The noise with which the denoiser learned, if it learned with one of its own."""
        return learned_noise(self.denoiser_)

    def _predict(self, X):
        """The mean of what the denoiser makes of checked images, over the poses."""
        images = self._geometry.read(to_float(X))
        poses, total = _poses(images.shape[1:-1]), 0
        for n_turns, flips in poses:
            turned = np.rot90(images, n_turns, (-3, -2)) if n_turns else images
            posed = np.ascontiguousarray(np.flip(turned, flips)).reshape(X.shape)
            denoised = np.asarray(self.denoiser_.predict(posed))
            if denoised.shape != X.shape:
                raise ValueError(
                    f"denoiser={self.denoiser!r} turned images of shape {X.shape} into "
                    f"{denoised.shape}; pass a denoiser that gives an image for each image."
                )
            denoised = np.flip(denoised.reshape(turned.shape), flips)
            # Divided first: the sum of huge values would overflow where their mean does not.
            total = total + (np.rot90(denoised, -n_turns, (-3, -2)) if n_turns else denoised) / len(
                poses
            )
        return total.reshape(X.shape)


def _poses(sides):
    """Quarter turns of planes, and the axes to flip, that keep the shape of a sample."""
    n = len(sides)
    if n == 1 or (n == 2 and sides[0] == 1):
        # Half a turn of a line is its flip.
        return [(0, ()), (0, (n,))]
    turns = range(4) if sides[-1] == sides[-2] else (0, 2)
    # Of volumes, along the depth, too.
    flips = product(*[((), (axis,)) for axis in ((2,) if n == 2 else (1, 3))])
    return [(k, tuple(sum(axes, ()))) for k, axes in product(turns, [*flips])]
