"""Compare nets for skdae/weights: each learns for the same time on one thread.

``python benchmarks/weights_choice.py`` prints a table: PSNR on 20 photographs that no net learns
from, and megapixels per second of prediction in float32.
"""

import argparse
import time

import numpy as np
import torch
from torch import nn
from weights import NOISE, denoise, judge, judges, training_images

from skdae import DenoisingAutoencoder
from skdae.architectures import UNet
from skdae.architectures._base import Float32
from skdae.architectures._spatial import depth_to_space, space_to_depth
from skdae.architectures.residual import ResidualBlock, _shrink

PATCH_SIZE, BATCH_SIZE = 64, 16


class FFDNet(UNet):
    """The plain stack of Zhang et al. (2018) at half the resolution."""

    def build(self, input_shape, output_shape, latent_dim=None):
        """See `UNet`; the filters are those of each hidden layer."""
        sizes = [4 * input_shape[2], *self.filters]
        layers = []
        for n, m in zip(sizes, self.filters, strict=False):
            layers += [nn.Conv2d(n, m, 3, padding="same"), nn.ReLU()]
            nn.init.kaiming_normal_(layers[-2].weight, nonlinearity="relu")
        head = nn.Conv2d(sizes[-1], 4 * output_shape[2], 3, padding="same")
        _shrink(head)
        return _HalfResolution(nn.Sequential(*layers, Float32(head)), output_shape[2])


class _HalfResolution(nn.Module):
    def __init__(self, noise, n_channels):
        super().__init__()
        self.noise, self.n_channels = noise, n_channels

    def forward(self, x):
        height, width = x.shape[-2:]
        padded = nn.functional.pad(x, (0, width % 2, 0, height % 2), mode="replicate")
        noise = depth_to_space(self.noise(space_to_depth(padded, (2, 2))), (2, 2))
        return x[:, : self.n_channels] - noise[..., :height, :width]


class NAFUNet(UNet):
    """The U-Net with the blocks of NAFNet (Chen et al. 2022)."""

    attention = False

    def build(self, input_shape, output_shape, latent_dim=None):
        """See `UNet`."""
        module = super().build(input_shape, output_shape)
        for stage in [*module.encoder, module.inner, *module.decoder]:
            for i, block in enumerate(stage):
                if isinstance(block, ResidualBlock):
                    stage[i] = _NAFBlock(block.first.in_channels, self.attention)
        return module


class NAFUNetWithAttention(NAFUNet):
    """The same with channel attention, whose mean over the image sees beyond every tile."""

    attention = True


class _NAFBlock(nn.Module):
    def __init__(self, n, attention):
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(n), nn.LayerNorm(n)])
        self.spatial = nn.Sequential(
            nn.Conv2d(n, 2 * n, 1), nn.Conv2d(2 * n, 2 * n, 3, padding=1, groups=2 * n)
        )
        self.attention = nn.Conv2d(n, n, 1) if attention else None
        self.mix = nn.Conv2d(n, n, 1)
        self.widen, self.narrow = nn.Conv2d(n, 2 * n, 1), nn.Conv2d(n, n, 1)
        _shrink(self.mix)
        _shrink(self.narrow)

    def forward(self, x):
        y = _gate(self.spatial(self._norm(0, x)))
        if self.attention is not None:
            y = y * self.attention(y.mean((2, 3), keepdim=True))
        x = x + self.mix(y)
        return x + self.narrow(_gate(self.widen(self._norm(1, x))))

    def _norm(self, i, x):
        return self.norms[i](x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _gate(x):
    a, b = x.chunk(2, dim=1)
    return a * b


CANDIDATES = {
    "U-Net (64, 128), 2 blocks": UNet((64, 128), n_blocks=2, stride=2),
    "U-Net (48, 96), 2 blocks": UNet((48, 96), n_blocks=2, stride=2),
    "U-Net (40, 80, 160), 1 block": UNet((40, 80, 160), n_blocks=1, stride=2),
    "FFDNet, 12 layers of 96": FFDNet((96,) * 11, stride=2),
    "NAF U-Net (64, 128), 4 blocks": NAFUNet((64, 128), n_blocks=4, stride=2),
    "the same with channel attention": NAFUNetWithAttention((64, 128), n_blocks=4, stride=2),
}


def fit(architecture, images):
    """A net that has seen each of some images once."""
    denoiser = DenoisingAutoencoder(
        architecture,
        noise=NOISE,
        optimizer="muon",
        lr=2e-3,
        lr_schedule="onecycle",
        max_epochs=1,
        batch_size=BATCH_SIZE,
        patch_size=PATCH_SIZE,
        validation_fraction=0,
        random_state=0,
    )
    return denoiser.fit(images)


def prediction_speed(module):
    """Megapixels per second in float32."""
    image = np.random.default_rng(0).random((512, 512, 3), dtype=np.float32)
    times = []
    for _ in range(4):
        began = time.process_time()
        denoise(module, image, 0.1)
        times.append(time.process_time() - began)
    return image[..., 0].size / 1e6 / min(times)


def main():
    """Train each and print its row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=180, help="of processor time, each")
    parser.add_argument("--n-images", type=int, default=None, help="to judge by")
    options = parser.parse_args()
    torch.set_num_threads(1)
    images = training_images("colour", 0, PATCH_SIZE)[:380]
    order = np.random.default_rng(0).permutation(len(images))
    sets = {"20 photographs": judges("colour")["20 photographs"][: options.n_images]}
    print("| net | weights | photographs seen |", "PSNR, σ 25 | Mpixel/s |")
    print("|---|---|---|---|---|")
    for name, architecture in CANDIDATES.items():
        fit(architecture, images[:1])
        began = time.process_time()
        fit(architecture, images[:4])
        seconds = (time.process_time() - began) / 4
        n_images = max(1, min(len(images), round(options.seconds / seconds)))
        module = fit(architecture, [images[i] for i in order[:n_images]]).module_
        n_weights = sum(p.numel() for p in module.parameters())
        [score] = judge(module, sets, levels=[25])["20 photographs"]
        speed = prediction_speed(module)
        row = [name, f"{n_weights / 1e6:.2f} M", n_images, f"{score:.2f}", f"{speed:.2f}"]
        print("|", *(f"{cell} |" for cell in row), flush=True)


if __name__ == "__main__":
    main()
