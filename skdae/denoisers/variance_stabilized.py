"""Denoisers for Gaussian noise, put to work on the noise of cameras."""

import os
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from .._checks import fit_context
from .._files.onnx import Graph, export_onnx
from .._images import (
    Geometry,
    check_any_images,
    check_image_list,
    check_targets,
    first_image,
    float32_range,
    is_ragged,
    to_float,
    validate_images,
    warn_if_far,
    without_gaps,
)
from .._training.prediction import UserImages
from ..noise import BaseNoise, estimate_noise
from ..noise.anscombe import AnscombeTransform, as_camera
from .held import MetaDenoiser, with_validation
from .learned import LearnedDenoiser

# Steps of the table that an inverse transform reads.
_N_TABLE = 2**14


class VarianceStabilized(MetaDenoiser):
    r"""Denoise camera images with a denoiser for Gaussian noise.

    The noise of counted photons grows with the light. Filters, and networks that learned one level,
    expect the same noise everywhere. The generalized Anscombe transform [1]_ achieves that,

    .. math:: f(x) = 2 \sqrt{\frac{x - b}{g} + \frac{3}{8} + \frac{\sigma^2}{g^2}},

    for a gain :math:`g`, an offset :math:`b` and read noise :math:`\sigma`. The denoiser gets the
    transformed images; the exact unbiased inverse [2]_ transforms its output back.

    Parameters
    ----------
    denoiser : denoiser
        Anything with ``fit(X, y)`` and ``predict(X)`` that gives images back. A clone of it is
        fitted; a `sklearn.frozen.FrozenEstimator` around a fitted denoiser is used as it is. If
        you fit that one again later, its new state is used.
    noise : "estimate" or noise model, default="estimate"
        The noise of the images, in their units: a `PoissonGaussianNoise`, a `PoissonNoise`, or a
        `GaussianNoise`, which needs no transform: the denoiser gets the images as they are.
        "estimate" finds the first of them in the images of `fit`, and in their targets if there are
        any, with `estimate_noise`. All images have the same.

    Attributes
    ----------
    denoiser_ : estimator
        The fitted denoiser; it sees transformed images.
    noise_ : noise model
        The noise that was given or estimated, fitted.
    range_ : (float, float)
        Least and largest value of the images of `fit`.
    image_shape_ : tuple of int
        Shape of the images that `predict` takes.
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has any.

    See Also
    --------
    skdae.noise.estimate_noise : Finds the noise of a camera.
    SelfEnsembleDenoiser : Another denoiser around any other.

    Notes
    -----
    The transformed images are stretched to the range of those of `fit`, so that images in [0, 1]
    stay there, and levels of the denoiser mean about the same as without the transform.

    Targets are clean images; they are transformed to the mean of their noisy versions. A denoiser
    with its own noise model learns from clean images, from which the noise cannot be estimated:
    pass `noise` here, and the denoiser's `noise` in transformed units.

    References
    ----------
    .. [1] Starck, J.-L., Murtagh, F. and Bijaoui, A. (1998). "Image Processing and Data Analysis".
       Cambridge University Press.
    .. [2] Mäkitalo, M. and Foi, A. (2013). "Optimal inversion of the generalized Anscombe
       transformation for Poisson-Gaussian noise". IEEE Transactions on Image Processing 22.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import GaussianFilter, PoissonGaussianNoise, VarianceStabilized
    >>> X_clean = np.tile(np.linspace(100, 4000, 128), (1, 128, 1))
    >>> camera = PoissonGaussianNoise(gain=50.0, std=20.0, random_state=0)
    >>> X_noisy = camera.fit_transform(X_clean)
    >>> denoiser = VarianceStabilized(GaussianFilter(sigma=2.0)).fit(X_noisy)
    >>> round(denoiser.noise_.gain, -1)
    50.0
    >>> error = abs(denoiser.predict(X_noisy) - X_clean).mean()
    >>> bool(error < 0.3 * abs(X_noisy - X_clean).mean())
    True
    """

    _parameter_constraints: dict = {
        **MetaDenoiser._parameter_constraints,
        "noise": [StrOptions({"estimate"}), BaseNoise],
    }

    noise_: BaseNoise
    range_: tuple[float, float]

    def __init__(self, denoiser: Any, noise: str | BaseNoise = "estimate"):
        self.denoiser = denoiser
        self.noise = noise

    # The denoiser is validated as in a fit of its own.
    @fit_context(skip_nested=False)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, **fit_params: Any) -> Self:
        """Estimate the noise, if it was not given, and fit the denoiser.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Images as the denoiser takes them, a list of images of different sizes among them.
        y : array-like or None, default=None
            Clean images as the denoiser takes them.
        **fit_params : dict
            What else `fit` of the denoiser takes, such as ``sample_weight``, ``groups`` or
            ``validation_data``, whose images are transformed as `X` and `y` are.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If values are not finite, a parameter is out of range, the noise cannot be stabilized
            or estimated, or the denoiser refuses the images. The fitted state from before is kept.
        """
        X, _ = without_gaps(self, X, reset=True) if self._fits_gaps else (X, None)
        images = validate_images(self, first_image(X, self.channel_axis), reset=True)
        X = check_image_list(X, channel_axis=self.channel_axis) if is_ragged(X) else images
        self._fit(images, X, check_targets(X, y, self.channel_axis), fit_params)
        return self

    def _fit(self, images, X, y, fit_params):
        """Fit to checked images and targets; `images` are the first of them."""
        noise = self.noise
        if isinstance(noise, str):
            shape = getattr(self.denoiser, "image_shape", None)
            noise = estimate_noise(
                X, y, "poisson-gaussian", image_shape=shape, channel_axis=self.channel_axis
            )
        # Refuses what cannot be stabilized.
        as_camera(noise)
        self.range_ = float32_range(X)
        shape = images.shape[1:]
        geometry = Geometry(shape, len(shape) > 2 and self.channel_axis is not None)
        self.noise_ = noise.for_training(geometry, 0, self.range_)
        there, expected, _ = self._ways()

        def stabilized(X, y):
            return _each(there, X), _each(expected, y)

        def checked(X, y):
            X = check_any_images(X, channel_axis=self.channel_axis)
            return stabilized(X, check_targets(X, y, self.channel_axis))

        fit_params = with_validation(self._routed(fit_params), checked)
        self._hold(images, *stabilized(X, y), fit_params)

    def _predict(self, X):
        """Denoise checked images."""
        warn_if_far(float32_range(X), self.range_)
        there, _, back = self._ways()
        return back(np.asarray(self.denoiser_.predict(there(to_float(X)))))

    @property
    def receptive_field_(self) -> tuple[int, int] | None:
        """Stride and radius of the denoiser in pixels; None where images have to be whole."""
        return getattr(self.denoiser_, "receptive_field_", None)

    def to_onnx(self, path: str | os.PathLike) -> None:
        """Write transform, trained network and inverse as one ONNX file.

        Input and output are those of `DenoisingAutoencoder.to_onnx`, in the units of the images
        that `predict` takes.

        Parameters
        ----------
        path : str or os.PathLike
            The file; ``.onnx`` is usual.

        Raises
        ------
        ImportError
            If the exporter's libraries are missing: the extra ``onnx`` brings them.
        TypeError
            If the denoiser is not a network that was trained for its images, but a filter, a
            Pipeline or a `PretrainedDenoiser`, whose graph would also need the level of the noise.
        """
        check_is_fitted(self)
        held = self.denoiser_
        held = held.estimator if isinstance(held, FrozenEstimator) else held
        held = getattr(held, "best_estimator_", held)
        if not isinstance(held, LearnedDenoiser):
            raise TypeError(
                f"to_onnx writes a trained network, but denoiser={self.denoiser!r} is not one; "
                "pass a DenoisingAutoencoder or another denoiser that trains, or keep this one "
                "with save(path)."
            )
        graph: Any = UserImages(held.module_, held._plan)
        if as_camera(self.noise_) is not None:
            transform, line = self._line()
            graph = Stabilized(graph, transform, line, self.range_)
        export_onnx(graph, path, free_size=held._plan.any_size and held._plan.ndim > 2)

    def _line(self):
        """The transform, and how its result is stretched: an offset and a slope."""
        transform = AnscombeTransform(as_camera(self.noise_))
        low, high = self.range_
        # A photon at least, lest images without light, or without contrast, have no range.
        high = max(high, max(low, transform.offset) + transform.gain)
        start, end = (float(transform.transform(value)) for value in (low, high))
        slope = (high - low) / (end - start)
        return transform, (low - slope * start, slope)

    def _ways(self):
        """Functions: stabilise noisy images, give the mean of that for clean ones, and go back."""
        if as_camera(self.noise_) is None:
            return (lambda images: images,) * 3
        transform, (offset, slope) = self._line()
        return (
            lambda images: slope * transform.transform(images) + offset,
            lambda images: slope * transform.expect(images) + offset,
            lambda images: transform.inverse((images - offset) / slope).astype(images.dtype),
        )


def _each(function, images):
    """A function of images, of a batch or of a list of them; None stays None."""
    if images is None:
        return None
    return (
        [function(to_float(x)) for x in images] if is_ragged(images) else function(to_float(images))
    )


class Stabilized(Graph):
    """A network for images whose noise was made even: the transform, the network, and back.

    Parameters
    ----------
    net : Graph
    transform : AnscombeTransform
    line : (float, float)
        Offset and slope of the transformed images on their way into the network.
    range : (float, float)
        Least and largest value of the images at fit.
    """

    outputs = ("X_denoised",)

    def __init__(self, net, transform, line, range):
        super().__init__()
        self.net, self.line, self.range, self.sides = net, line, range, net.sides
        self.gain, self.offset = transform.gain, transform.offset
        self.constant = 0.375 + transform.std**2
        # What the inverse adds to a square is constant beyond a hundred photons.
        self.least = transform.darkest
        self.most = float(transform.expect(np.array(transform.offset + 100 * transform.gain)))
        means = np.linspace(self.least, self.most, _N_TABLE)
        table = (transform.inverse(means) - self.offset) / self.gain - self._square(means)
        self.register_buffer("table", torch.tensor(table, dtype=torch.float32, device="cpu"))
        self.eval()

    def example(self):
        """By name, what `forward` takes."""
        return self.net.example()

    def forward(self, X):
        """Denoised images."""
        offset, slope = self.line
        photons = (X - self.offset) / self.gain
        lit = photons.clip(min=0)
        values = 2 * (lit + self.constant).sqrt() + (photons - lit) / self.constant**0.5
        images = self.net(slope * values + offset)
        images = images[0] if isinstance(images, tuple) else images
        found = (images - offset) / slope
        means = found.clip(min=self.least)
        place = (means - self.least) / (self.most - self.least) * (_N_TABLE - 1)
        place = place.clip(max=_N_TABLE - 1)
        index = place.floor().clip(max=_N_TABLE - 2)
        low, high = (self.table[(index + step).long()] for step in (0, 1))
        added = torch.lerp(low, high, place - index)
        below = self.constant**0.5 * (found - means)
        return self.gain * (self._square(means) + added + below) + self.offset

    def _square(self, means):
        return means * means / 4 - self.constant
