"""Train and judge the nets in skdae/weights; ``make weights`` runs one stage of it.

A stage goes on from the weights that are there, and replaces them. Stopped and started again with
the same options, it goes on from its last whole epoch. Photographs are read from the folders
``bsds400`` and ``yang91`` of SKDAE_DATA. Results are added to benchmarks/results/weights.jsonl,
whose rows count the stages; the number of a stage is its seed.
"""

import argparse
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from engine import machine
from PIL import Image
from skorch.callbacks import Callback

from skdae import DenoisingAutoencoder, GaussianNoise
from skdae._files.weights import read_net, rebuild, write_net
from skdae._training.callbacks import AverageWeights
from skdae.architectures import Pretrained, UNet
from skdae.datasets import fetch_images
from skdae.metrics import peak_signal_noise_ratio
from skdae.noise._level_map import LevelMap

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "weights.jsonl"
WEIGHTS = ROOT / "skdae" / "weights"

NET = UNet((64, 128), n_blocks=2, stride=2)
NOISE = LevelMap(GaussianNoise((0, 75 / 255), clip=None))
LEVELS = (15, 25, 50)

# Of images with and without the map of the level.
SHAPES = {"grey": ((64, 64, 2), (64, 64, 1)), "colour": ((64, 64, 4), (64, 64, 3))}


# Photographs


def read_folder(name):
    """Colour photographs of a folder of SKDAE_DATA, in the order of their names."""
    paths = sorted((Path(os.environ["SKDAE_DATA"]) / name).glob("*.*g"))
    return [np.asarray(Image.open(path).convert("RGB")) for path in paths]


def split(images, n_held_out):
    """Images to train on, and others, evenly spaced, to choose and judge by."""
    held_out = set(np.linspace(0, len(images) - 1, n_held_out).round().astype(int))
    train = [image for i, image in enumerate(images) if i not in held_out]
    return train, [images[i] for i in sorted(held_out)]


def to_grey(images):
    """Their luma, with a channel axis."""
    return [np.asarray(Image.fromarray(image).convert("L"))[..., None] for image in images]


def other_colours(image, rng):
    """A photograph with its channels in another order, and up to twice the saturation."""
    image = image[..., rng.permutation(3)].astype(np.float32)
    grey = image.mean(2, keepdims=True)
    return (grey + rng.uniform(1, 2) * (image - grey)).clip(0, 255).round().astype(np.uint8)


def training_images(kind, seed, patch_size):
    """What a net learns from: half the photographs in other colours, the colourful ones twice."""
    photographs, _ = split(read_folder("bsds400"), 20)
    colourful, _ = split(read_folder("yang91"), 11)
    colourful = [image for image in colourful if min(image.shape[:2]) >= patch_size]
    if kind == "grey":
        return to_grey(photographs + colourful)
    rng = np.random.default_rng(seed)
    varied = [image if rng.random() < 0.5 else other_colours(image, rng) for image in photographs]
    return varied + colourful + [other_colours(image, rng) for image in colourful]


def judges(kind):
    """Sets of images that no net has learnt from, by name."""
    sets = {
        "20 photographs": split(read_folder("bsds400"), 20)[1],
        "11 colourful ones": split(read_folder("yang91"), 11)[1],
    }
    if kind == "colour":
        return sets
    sets = {name: to_grey(images) for name, images in sets.items()}
    return {"Set12": [image[..., None] for image in fetch_images("set12").images], **sets}


# Judgement


def denoise(module, noisy, level):
    """One noisy image ``(height, width, n_channels)`` through a net, in float32."""
    with_map = np.concatenate([noisy, np.full_like(noisy[..., :1], level)], axis=2)
    batch = torch.from_numpy(with_map).permute(2, 0, 1)[None]
    batch = batch.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        return module(batch)[0].permute(1, 2, 0).clip(0, 1).numpy()


def psnr(module, images, level):
    """Mean PSNR of denoised images in dB; Gaussian noise of `level` of 255, not clipped."""
    module.eval()
    noise = GaussianNoise(level / 255, clip=None, random_state=0)
    scores = []
    for image in images:
        clean = image[None] / np.float32(255)
        noisy = noise.fit_transform(clean)
        denoised = denoise(module, noisy[0], level / 255)
        scores.append(peak_signal_noise_ratio(clean, denoised[None]))
    return float(np.mean(scores))


def judge(module, sets, levels=LEVELS):
    """PSNR by set, in the order of the levels."""
    return {
        name: [round(psnr(module, images, level), 3) for level in levels]
        for name, images in sets.items()
    }


class Watch(Callback):
    """Print a line per epoch: the loss, and the PSNR of a few images at the level 25."""

    def __init__(self, images):
        self.images = images

    def on_epoch_end(self, net, **kwargs):
        """Judge the weights of the moment, and their average."""
        module, average = net.module_, dict(net.callbacks_)["average"].average_
        own = [p.detach().clone() for p in module.parameters()]
        scores = []
        for weights in (own, average, own):
            with torch.no_grad():
                torch._foreach_copy_([*module.parameters()], weights)
            scores.append(psnr(module, self.images, 25))
        row = net.history[-1]
        print(
            f"{datetime.now(UTC):%H:%M:%S} epoch {row['epoch']:2d}/{net.max_epochs} "
            f"loss {row['train_loss']:.6f} PSNR {scores[0]:.3f}, averaged {scores[1]:.3f} "
            f"{row['dur']:.0f} s",
            flush=True,
        )


# Training


def read_results(path):
    """One row per stage and net."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def grey_net(colour):
    """The net for colour in the file `colour`, for images whose channels are equal."""
    weights = read_net(colour)[1]
    # Both layers hold the channels of four pixels side by side.
    stem = weights["stem.weight"].reshape(-1, 4, 4, 3, 3)
    stem = np.stack([stem[:, :, :3].sum(2), stem[:, :, 3]], axis=2)
    weights["stem.weight"] = stem.reshape(-1, 8, 3, 3)
    for name in ("head.layer.weight", "head.layer.bias"):
        w = weights[name]
        weights[name] = w.reshape(4, 3, *w.shape[1:]).mean(1)
    return rebuild(lambda: NET.build(*SHAPES["grey"]), weights)


def train(kind, options):
    """One stage of one net."""
    path = options.output / f"photographs-{kind}.safetensors"
    colour = options.output / "photographs-colour.safetensors"
    if kind == "grey" and colour.exists() and not path.exists():
        write_net(path, NET, grey_net(colour))
    start = Pretrained(path.with_suffix("")) if path.exists() and not options.fresh else NET
    stage = sum(row["net"] == kind for row in read_results(options.results))
    sets = judges(kind)
    images = training_images(kind, stage, options.patch_size)
    options.keep.mkdir(parents=True, exist_ok=True)
    watch = Watch(sets["20 photographs"][::4])
    denoiser = DenoisingAutoencoder(
        start,
        noise=NOISE,
        loss="charbonnier",
        optimizer="muon",
        lr=options.lr,
        lr_schedule="onecycle",
        max_epochs=options.epochs,
        batch_size=options.batch_size,
        patch_size=options.patch_size,
        validation_fraction=0,
        callbacks=[
            ("average", AverageWeights(options.decay)),
            ("watch", watch),
        ],
        checkpoint=options.keep / f"{kind}-{stage}.checkpoint",
        random_state=stage,
    )
    print(f"{kind}, stage {stage}, from {start} on {len(images)} photographs", flush=True)
    denoiser.fit(images)
    write_net(path, NET, denoiser.module_)
    module = NET.build(*SHAPES[kind])
    module.load_state_dict({k: v.half().float() for k, v in denoiser.module_.state_dict().items()})
    photographs = {"20 photographs": sets["20 photographs"]}
    row = {
        "net": kind,
        "stage": stage,
        "ended": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        "options": {k: v for k, v in vars(options).items() if isinstance(v, int | float)},
        "hours": round(sum(row["dur"] for row in denoiser.history_) / 3600, 2),
        "loss": [round(row["train_loss"], 6) for row in denoiser.history_],
        "precision": denoiser.precision_,
        "psnr": judge(module, sets),
        "psnr, weights in float32": judge(denoiser.module_, photographs),
        "machine": machine(),
    }
    print(json.dumps(row["psnr"]), flush=True)
    with options.results.open("a") as file:
        file.write(json.dumps(row) + "\n")


def main(arguments=None):
    """Run a stage of each net, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--nets", nargs="+", default=["colour", "grey"], choices=["colour", "grey"])
    add("--epochs", type=int, default=8)
    add("--patch-size", type=int, default=64)
    add("--batch-size", type=int, default=8)
    add("--lr", type=float, default=1.5e-3)
    add("--decay", type=float, default=0.995, help="of the average of the weights")
    add("--fresh", action="store_true", help="start from fresh weights")
    add("--keep", type=Path, default=Path("checkpoints"), help="folder of the checkpoints")
    add("--output", type=Path, default=WEIGHTS)
    add("--results", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    for kind in options.nets:
        train(kind, options)


if __name__ == "__main__":
    main()
