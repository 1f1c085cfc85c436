"""What a trained net can do: denoise images, whole or tile by tile, and go into files."""

import math
import os
import warnings

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted
from torch import nn

from .._files import weights
from .._files.onnx import UserImages, export_onnx
from .._images import (
    from_nhwc,
    is_ragged,
    to_nhwc,
    validate_images,
)
from .._random import seeded
from .._training import batches, hardware, tiles
from .._training.losses import OUTPUT_ACTIVATIONS
from ..base import BaseDenoiser


class NetPredictor(BaseDenoiser):
    """A denoiser with a net; `LearnedDenoiser` trains it."""

    @property
    def module_(self) -> nn.Module:
        """The module of the trained net; its output has no activation yet."""
        return self.net_.module_

    @property
    def history_(self) -> list[dict]:
        """One row an epoch: ``epoch``, ``train_loss``, ``valid_loss``, ``lr``, ``dur``."""
        return self.net_.history

    @property
    def _clip(self):
        """Range to which predictions are clipped, or None."""
        low, high = self._target_range
        clips = self._fitted_activation == "identity" and 0 <= low <= high <= 1
        return (low, high) if clips else None

    @property
    def _n_features_out(self):
        """Number of values that `transform` gives for an image."""
        return math.prod(self._target_hwc)

    # Prediction

    def _check_tile_size(self):
        """Refuse crops and tiles for a net of one size, and tiles that would be all overlap."""
        for name in ("patch_size", "tile_size"):
            if getattr(self, name) is not None and self._field is None:
                raise ValueError(
                    f"{name}={getattr(self, name)} needs a net that takes images of any size; use "
                    'architecture="unet", "dncnn", or "conv" with latent_dim=None.'
                )
        if self.tile_size is None:
            return
        smallest = tiles.smallest_tile(*self._field)
        if self.tile_size < smallest:
            raise ValueError(
                f"tile_size={self.tile_size} is no larger than the overlap of the tiles: this net "
                f"sees {self._field[1]} pixels to each side; pass tile_size={smallest} or more."
            )

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Denoise images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width) or \
                (n_samples, height, width, n_channels)
            Noisy images. They may have another size than at fit where the architecture is a `UNet`,
            a `DnCNN`, or a `Conv` without `latent_dim`; images of different sizes then come as a
            list of arrays.

        Returns
        -------
        X_denoised : ndarray of float32, shaped like `X`, or like the targets in super-resolution
            A list of arrays for a list of images of different sizes.
        """
        if is_ragged(X):
            return self._predict_list(X)
        return self._predict(self._check_input(X))

    def _check_input(self, X):
        """Check images as scikit-learn does."""
        check_is_fitted(self)
        return validate_images(self, X, reset=False, any_size=self._any_size)

    def _checked_batch(self, X):
        """A batch of images whose size and range the net takes."""
        if X.dtype == np.float64:
            batches.value_range(X)
        images = to_nhwc(X, self.image_shape_)
        expected, got = self._input_hwc, images.shape[1:]
        if got[2] != expected[2] or (got != expected and not self._any_size):
            raise ValueError(
                f"X has images of shape {got} (height, width, channels), but this "
                f"{type(self).__name__} was fitted on {expected}."
            )
        return images

    def _predict(self, X):
        """Denoise checked images."""
        images = self._checked_batch(X)
        self._check_tile_size()
        if self._field is None:
            return from_nhwc(self._run("forward", images, self._layout.enter), X.ndim)
        sides, tile = images.shape[1:3], self.tile_size
        if tile is None or max(sides) <= tile:
            try:
                return from_nhwc(self._run("forward", images, self._layout.enter), X.ndim)
            except torch.OutOfMemoryError:
                tile = self._smaller_tile(max(sides))
        return from_nhwc(self._predict_tiles(images, tile), X.ndim)

    def _predict_tiles(self, images, tile):
        """Denoise a batch tile by tile."""
        scale = [t // n for t, n in zip(self._target_hwc, self._input_hwc, strict=True)]
        shape = (n * s for n, s in zip(images.shape[1:], scale, strict=True))
        out = np.empty((len(images), *shape), dtype=np.float32)

        def run(batch):
            return self._run("forward", batch, self._layout.enter)

        done = 0
        while done < len(images):
            try:
                tiles.in_tiles(run, images[done], out[done], tile, *self._field)
                done += 1
            except torch.OutOfMemoryError:
                tile = self._smaller_tile(tile)
        return out

    def _smaller_tile(self, tile):
        """Half of a tile that did not fit into memory; called where that has been raised."""
        smaller = tile // 2
        if smaller < tiles.smallest_tile(*self._field):
            raise
        warnings.warn(
            f"The memory of {self.device_} does not hold a tile of {tile} pixels; going on with "
            f"tile_size={smaller}.",
            UserWarning,
            stacklevel=4,
        )
        return smaller

    def _run(self, function, X, enter):
        """Run the net and bring its output into the range of images; a channels-last batch."""
        activation = OUTPUT_ACTIVATIONS[self._fitted_activation]
        low, high = self._clip or (-math.inf, math.inf)
        result, n_done = None, 0
        for output in self.net_.map_batches(function, X, enter):
            output = self._layout.leave(activation(output), self._target_hwc)
            if result is None:
                # Joining the batches afterwards would take the memory twice.
                result = torch.empty((len(X), *output.shape[1:]), dtype=torch.float32)
            torch.clip(output, low, high, out=result[n_done : n_done + len(output)])
            n_done += len(output)
        return result.numpy()

    # Files

    def to_onnx(self, path: str | os.PathLike) -> None:
        """Write the trained net as an ONNX file, which runs without skdae and PyTorch.

        The graph does what `predict` does, output activation and clipping included. Its input ``X``
        is `float32` (`uint8` images are divided by 255 first) and shaped like the images at `fit`:
        ``(n_samples, n_features)``, ``(n_samples, height, width)`` or ``(n_samples, height, width,
        n_channels)``; its output is ``X_denoised``. The number of samples is free, and so are
        height and width where the architecture takes images of any size.

        Parameters
        ----------
        path : str or os.PathLike
            The file; ``.onnx`` is usual.

        Raises
        ------
        ImportError
            If the exporter's libraries are missing: ``pip install skdae[onnx]``.

        Notes
        -----
        The graph computes in `float32`. It equals `predict` to about 1e-6 where ``precision_`` is
        "float32", and is more exact than `predict` elsewhere.

        Examples
        --------
        >>> dae.to_onnx("dae.onnx")  # doctest: +SKIP
        >>> session = onnxruntime.InferenceSession("dae.onnx")  # doctest: +SKIP
        >>> (X_denoised,) = session.run(None, {"X": X_noisy})  # doctest: +SKIP
        """
        check_is_fitted(self)
        free = self._any_size and self._ndim > 2
        net = UserImages(
            self.module_,
            self._layout,
            OUTPUT_ACTIVATIONS[self._fitted_activation],
            self._clip,
            self._input_hwc,
            self._target_hwc,
            self._ndim,
        )
        export_onnx(net, path, free_size=free)

    def _get_saved_state(self):
        """See `Persistent`; of the net, weights and history are kept."""
        state = super()._get_saved_state()
        net = state.pop("net_", None)
        if net is not None:
            if self._architecture is None:
                raise TypeError(
                    f"The net {type(self.module_).__name__} is a module of your own, which save "
                    "cannot write, because its files hold no code; joblib.dump keeps it."
                )
            del state["device_"]
            state["net_"] = {
                "weights": weights.saved_weights(net.module_),
                "history": [*net.history],
            }
            weights.check_weights(self._build_fitted, state["net_"]["weights"])
        return state

    def _set_saved_state(self, state):
        """See `Persistent`; the net is built anew, on a device of this machine."""
        net = state.pop("net_", None)
        super()._set_saved_state(state)
        if net is None:
            return
        self.device_ = hardware.resolve_loaded_device(self.device)
        if self.precision == "auto" and self.precision_ == "bfloat16":
            # Where the hardware has it; else float32.
            self.precision_ = hardware.resolve_precision("auto", self.device_, convolutional=True)
        module = weights.rebuild(self._build_fitted, net["weights"])
        with seeded(0, self.device_):
            self.net_ = self._build_net(module, self._layout.flat, partial=False)
        self.net_.history.extend(net["history"])

    def _build_fitted(self):
        """A net like the fitted one, with fresh weights."""
        latent_dim = self._built[1]
        return self._architecture.build(self._input_hwc, self._target_hwc, latent_dim)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
