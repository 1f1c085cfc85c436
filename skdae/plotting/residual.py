"""What a denoiser took away, as a picture."""

import numpy as np
from numpy.typing import ArrayLike

from .._images import as_planes, check_images, check_same_shape, geometry_of, to_float
from ..metrics.residual import autocorrelation, check_noise_model, standardized_residual
from ..noise import BaseNoise
from ._base import middle


class ResidualDisplay:
    """What was removed from an image, and its autocorrelation.

    Create it with `from_images`. White noise looks like sand, and its autocorrelation is 0 except
    in the middle; the colors of the second picture end at ten times the 99 % band of white noise.

    Parameters
    ----------
    residual : ndarray of shape (height, width, n_channels)
        In standard deviations of the noise.

    Attributes
    ----------
    autocorrelation_ : ndarray of shape (17, 17)
        Up to 8 pixels away, in the mean over the channels.
    band_ : float
        Half the 99 % band of the autocorrelation of white noise.
    axes_ : ndarray of Axes
    figure_ : Figure

    See Also
    --------
    skdae.metrics.residual_report : Puts it in numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from skdae import GaussianFilter
    >>> from skdae.plotting import ResidualDisplay
    >>> X_noisy = np.random.default_rng(0).normal(0.5, 0.1, (1, 64, 64))
    >>> X_denoised = GaussianFilter(sigma=3.0).fit_transform(X_noisy)
    >>> display = ResidualDisplay.from_images(X_noisy, X_denoised, noise=0.1)
    >>> bool(abs(display.autocorrelation_[8, 9]) < 0.1)
    True
    """

    def __init__(self, residual: np.ndarray) -> None:
        self.residual = residual

    @classmethod
    def from_images(
        cls,
        X_noisy: ArrayLike,
        X_denoised: ArrayLike,
        noise: str | float | BaseNoise = "estimate",
        *,
        index: int = 0,
        image_shape: tuple[int, ...] | None = None,
        channel_axis: int | str | None = "auto",
    ) -> "ResidualDisplay":
        """Plot what was removed from one of some images.

        Parameters
        ----------
        X_noisy, X_denoised, noise, image_shape, channel_axis
            As in `skdae.metrics.residual_report`, but for lists of images of different sizes. Of a
            volume, the middle slice is shown.
        index : int, default=0
            Which image.

        Returns
        -------
        display : ResidualDisplay
        """
        model = check_noise_model(noise)
        images = {
            name: check_images(X, name=name, channel_axis=channel_axis)
            for name, X in (("X_noisy", X_noisy), ("X_denoised", X_denoised))
        }
        check_same_shape(**images)
        geometry = geometry_of(images["X_noisy"], image_shape, channel_axis)
        noisy, denoised = (
            middle(as_planes(geometry.read(to_float(X)[index, None]))).astype(np.float64)
            for X in images.values()
        )
        return cls(standardized_residual(noisy, denoised, model)).plot()

    def plot(self) -> "ResidualDisplay":
        """Draw both pictures into a new figure.

        Returns
        -------
        self : ResidualDisplay
        """
        import matplotlib.pyplot as plt

        reach = 8
        self.autocorrelation_ = autocorrelation(self.residual, reach)
        self.band_ = 2.576 / np.sqrt(self.residual.size)
        self.figure_, self.axes_ = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
        pictures = [
            ("what was taken away", self.residual.mean(axis=2), 3.0, None),
            (
                "autocorrelation",
                self.autocorrelation_,
                10 * self.band_,
                (-reach - 0.5, reach + 0.5, reach + 0.5, -reach - 0.5),
            ),
        ]
        for ax, (title, picture, limit, extent) in zip(self.axes_, pictures, strict=True):
            drawn = ax.imshow(picture, cmap="RdBu_r", vmin=-limit, vmax=limit, extent=extent)
            self.figure_.colorbar(drawn, ax=ax, shrink=0.8)
            ax.set_title(title)
        self.axes_[0].set_axis_off()
        return self
