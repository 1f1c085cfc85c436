"""What a fit says where it cannot do what its user wants, and what would help."""

import math
from contextlib import contextmanager

import torch
from sklearn.exceptions import ConvergenceWarning

from .._images import warn_user


def warn_unless_learned(error, constant_error, input_error, length, lr, has_validation):
    """Say so where a net is no better than the best answer that does not look at its input, or it.

    Parameters
    ----------
    error, constant_error, input_error : float
        As `ImageNet.compare_with_no_net` gives them, in the units of the images.
    length : str
        Of the training, as the user says it.
    lr : float
    has_validation : bool
        Whether these are errors of images that were set aside.
    """
    if error < min(constant_error, input_error):
        return
    longer = f"Train longer ({length})"
    if not error < constant_error:
        than, other = "one constant image would", f"mean training image {constant_error:.4g}"
        way_out = (
            f"{longer}, or, where the loss in history_ stands still, try a smaller lr than {lr}, "
            'another random_state, or output_activation="identity"'
        )
    else:
        decibels = 10 * math.log10(error / input_error)
        than = "leaving them as they are would"
        other = f"noisy images {input_error:.4g}, {decibels:.1f} dB less"
        way_out = (
            f"{longer}, or let more of an image through the network: a larger latent_dim, or an "
            'architecture without a bottleneck, such as "unet" or "dncnn"'
        )
    images = "validation" if has_validation else "training"
    warn_user(
        f"The network denoises its {images} images no better than {than}: their mean squared error "
        f"is {error:.4g}, that of the {other}. {way_out}.",
        ConvergenceWarning,
    )


def warn_plain_autoencoder():
    """Say that nothing tells clean from noisy, and what would."""
    warn_user(
        "fit got neither clean images (y is None, or holds labels) nor noise=, and so trains a "
        "plain autoencoder, X -> X. To learn denoising, call fit(X_noisy, X_clean), or set "
        "noise=GaussianNoise() and call fit(X_clean), or, in a Pipeline with a noise model, "
        "pipe.fit(X, X). fit(X, X) trains a plain autoencoder without this warning."
    )


def check_is_watched(n_validation, fraction, n_samples):
    """Refuse to stop early where no image is set aside."""
    if not n_validation:
        raise ValueError(
            f"early_stopping=True watches the validation loss, but validation_fraction={fraction} "
            f"of {n_samples} images leaves none; raise it."
        )


@contextmanager
def explained(batch_size):
    """Say what helps where memory runs out, or a batch has nothing to normalize."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        error.add_note(
            f"Training ran out of memory with batch_size={batch_size}; a smaller one, or "
            "patch_size= where the images are large, takes less."
        )
        raise
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ValueError(
            "The network normalizes over batches, and a batch of one row has nothing to normalize: "
            f"pass at least 2 images and a larger batch_size than {batch_size}, or choose an "
            "architecture with batch_norm=False."
        ) from error
