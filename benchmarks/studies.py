"""The nets of the studies that skdae starts from, trained as their authors did.

What a study does not state is chosen here, and said. All are trained on noise drawn once.
"""

from torch import nn

from skdae import DenoisingAutoencoder
from skdae.architectures import Conv


class DigitCodeNet(nn.Sequential):
    """MNIST: two convolutions, a dense code, and back by transposed ones; logits.

    The number of filters and the strides are not stated: 32 and 64, by steps of 2.
    """

    def __init__(self, latent_dim=16):
        super().__init__(
            *(nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU()),
            *(nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(64 * 7 * 7, latent_dim)),
            *(nn.Linear(latent_dim, 64 * 7 * 7), nn.ReLU(), nn.Unflatten(1, (64, 7, 7))),
            *(nn.ConvTranspose2d(64, 64, 3, 2, 1, output_padding=1), nn.ReLU(), nn.Dropout(0.2)),
            *(nn.ConvTranspose2d(64, 32, 3, 2, 1, output_padding=1), nn.ReLU()),
            nn.ConvTranspose2d(32, 1, 3, 1, 1),
        )


class ColorCodeNet(nn.Sequential):
    """Color faces: strided convolutions with batch norm, a dense code of 100 values; logits.

    At 28 × 28 pixels it has the 706,855 parameters of the study, counted as Keras does, with the
    running means and variances of its batch norms. The slope below 0 is not stated: 0.2.
    """

    def __init__(self, side=28, latent_dim=100):
        small = side // 4
        n_values = 64 * small * small
        super().__init__(
            *(nn.Conv2d(3, 32, 3, 2, 1), nn.LeakyReLU(0.2), nn.BatchNorm2d(32)),
            *(nn.Conv2d(32, 64, 3, 2, 1), nn.LeakyReLU(0.2), nn.BatchNorm2d(64)),
            *(nn.Flatten(), nn.Linear(n_values, latent_dim)),
            *(nn.Linear(latent_dim, n_values), nn.Unflatten(1, (64, small, small))),
            nn.ConvTranspose2d(64, 64, 3, 2, 1, output_padding=1),
            *(nn.LeakyReLU(0.2), nn.BatchNorm2d(64)),
            nn.ConvTranspose2d(64, 32, 3, 2, 1, output_padding=1),
            *(nn.LeakyReLU(0.2), nn.BatchNorm2d(32)),
            nn.ConvTranspose2d(32, 3, 3, 1, 1),
        )


class ColorCodeNet32(ColorCodeNet):
    """The same for 32 × 32 pixels."""

    def __init__(self):
        super().__init__(side=32)


_COMMON = {"optimizer": "adam", "lr": 1e-3, "lr_schedule": None, "weight_decay": 0.0}

# One per study and size of images. The batch size is stated for Fashion-MNIST alone; the
# optimizer is not stated for the color net.
STUDIES = {
    "mnist": DenoisingAutoencoder(
        DigitCodeNet,
        **{**_COMMON, "lr_schedule": "plateau"},
        output_activation="sigmoid",
        batch_size=128,
    ),
    "fashion": DenoisingAutoencoder(
        Conv(filters=(32, 64), batch_norm=False), **_COMMON, loss="bce", batch_size=256
    ),
    "color 28": DenoisingAutoencoder(
        ColorCodeNet, **_COMMON, output_activation="sigmoid", batch_size=128
    ),
    "color 32": DenoisingAutoencoder(
        ColorCodeNet32, **_COMMON, output_activation="sigmoid", batch_size=128
    ),
}
