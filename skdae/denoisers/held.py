"""Base class of meta-denoisers, which hold another denoiser."""

import math
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from .._images import (
    Geometry,
    as_array,
    first_image,
    geometry_of,
    guess_image_shape,
    image_by_image,
    image_list,
    is_ragged,
    to_float,
    validate_images,
    without_gaps,
)
from .._training.net import ImageNet
from ..base import BaseDenoiser
from ..metrics.scorers import fitted_attribute, parameter_of


class MetaDenoiser(BaseDenoiser):
    """A denoiser around any other; `fit` of a subclass calls `_hold`."""

    _parameter_constraints: dict = {"denoiser": [HasMethods(["fit", "predict"])]}

    denoiser: Any
    denoiser_: Any
    image_shape_: tuple[int, ...]
    channel_axis_: int | None
    n_features_in_: int

    @property
    def channel_axis(self):
        """That of the denoiser, by which `X` is read."""
        return parameter_of(self.denoiser, "channel_axis")

    @property
    def missing_values(self):
        """That of the denoiser, by which `predict` tells what is missing."""
        return parameter_of(self.denoiser, "missing_values")

    @property
    def _fits_gaps(self):
        return bool(fitted_attribute(self.denoiser, "_fits_gaps"))

    def _hold_given(self, X, y, fit_params):
        """Check images that may have several sizes, and fit a clone of the denoiser to them."""
        X, _ = without_gaps(self, X, reset=True) if self._fits_gaps else (X, None)
        images = validate_images(self, first_image(X, self.channel_axis), reset=True)
        if not is_ragged(X):
            # Of a DataFrame the values alone: its names are checked here. Regressors of
            # scikit-learn would take uint8 for other units than those of predict.
            X = to_float(images)
            y = as_array(y)
            y = to_float(y) if isinstance(y, np.ndarray) and y.ndim > 1 else y
        fit_params = self._routed(fit_params)
        self._hold(images, X, y, with_validation(fit_params, lambda X, y: (as_array(X), y)))

    def _hold(self, images, X, y, fit_params):
        """Fit a clone of the denoiser to `X` and `y`; `images` are the first of those that came."""
        self.denoiser_ = clone(self.denoiser).fit(X, y, **fit_params)
        self._adopt(images)

    def get_metadata_routing(self) -> MetadataRouter:
        """What of the metadata goes where; see scikit-learn's user guide on metadata routing.

        Returns
        -------
        routing : MetadataRouter
            What `fit` of the denoiser asks for reaches it.
        """
        mapping = MethodMapping()
        for caller in ("fit", "fit_transform"):
            mapping.add(caller=caller, callee="fit")
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        return router.add(denoiser=self.denoiser, method_mapping=mapping)

    def _routed(self, fit_params):
        """What of that which `fit` was given goes to the denoiser."""
        if not get_config()["enable_metadata_routing"]:
            return fit_params
        return process_routing(self, "fit", **fit_params).denoiser.fit

    def _adopt(self, images):
        """Take over the shape of the images that the fitted denoiser knows."""
        own = fitted_attribute(self.denoiser_, "_geometry")
        if own is None or math.prod(own.image_shape) != self.n_features_in_:
            is_flat = images.ndim == 2
            own = (
                Geometry(guess_image_shape(images.shape[1]))
                if is_flat
                else geometry_of(images, channel_axis=self.channel_axis)
            )
        self.image_shape_, self.channel_axis_ = own.image_shape, own.channel_axis

    @image_by_image(image_list, fills_gaps=True)
    def predict(self, X: ArrayLike) -> np.ndarray:
        """Denoise images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images. What sizes they may have, and whether they may come as a list, is up to
            the denoiser.

        Returns
        -------
        X_denoised : ndarray, shaped like what the denoiser returns
        """
        return self._predict(validate_images(self, X, reset=False))

    def _predict(self, X):
        """Denoise checked images."""
        return np.asarray(self.denoiser_.predict(to_float(X)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        own = get_tags(self.denoiser).transformer_tags
        tags.transformer_tags.preserves_dtype = own.preserves_dtype if own else []
        return tags


def detached(value):
    """An estimator, with those in it, that a new fit of the same objects leaves as it is.

    What they hold besides, such as arrays and nets, is shared: a fit makes new ones.
    """
    if type(value) in (list, tuple):
        return type(value)(map(detached, value))
    if not isinstance(value, BaseEstimator) or isinstance(value, ImageNet):
        return value
    twin = copy(value)
    vars(twin).update({name: detached(part) for name, part in vars(value).items()})
    return twin


def with_validation(fit_params, function):
    """What a fit takes, where a function of images and targets has changed the validation data."""
    changed = dict(fit_params)
    for name, pair in fit_params.items():
        # Of a Pipeline, the name of a step stands before. What is not a pair, the denoiser refuses.
        if name.split("__")[-1] == "validation_data" and isinstance(pair, tuple) and len(pair) == 2:
            try:
                changed[name] = function(*pair)
            except ValueError as error:
                error.add_note(f"X and y are those of {name}.")
                raise
    return changed
