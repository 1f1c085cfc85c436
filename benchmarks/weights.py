"""Train the nets in skdae/weights; ``make weights`` runs one stage of each.

There are four nets for a kind of image: `level` sees the level of the noise, `kind` whether it is
independent from pixel to pixel, and `independent` and `correlated` are told the level and remove
noise that is so, and noise of all kinds. A stage trains each of them on crops of `mixture`, going
on from the weights that are there, and replaces them. Stopped and started again with the same
options, it goes on from its last checkpoint. The number of a stage is its seed. Results are added
to benchmarks/results/weights.jsonl.
"""

import argparse
import json
import math
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from engine import machine
from mixture import load_pictures, pair, read_folder, split
from PIL import Image
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from skdae import GaussianNoise
from skdae._files.weights import read_net, rebuild, write_net
from skdae._training.muon import Muon
from skdae.architectures.blind import LEVEL_STEP, BlindNet
from skdae.datasets import fetch_images
from skdae.metrics import peak_signal_noise_ratio

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "weights.jsonl"
WEIGHTS = ROOT / "skdae" / "weights"

NET = BlindNet()
N_CHANNELS = {"colour": 3, "grey": 1}
SECONDS_BETWEEN_CHECKPOINTS = 240
LEVELS = (15, 25, 50)
# What a remover is told, as a factor of the level: where noise has a structure, that is seen less
# surely.
FACTORS = {"independent": (0.9, 1.15), "correlated": (0.8, 1.3)}


# Judgement


def to_grey(images):
    """Their luma, with a channel axis."""
    return [np.asarray(Image.fromarray(image).convert("L"))[..., None] for image in images]


def judges(kind):
    """Sets of images that no net has learned from, by name."""
    folder = Path(os.environ["SKDAE_DATA"])
    sets = {
        "20 photographs": split(read_folder(folder / "bsds400"), 20)[1],
        "11 colorful ones": split(read_folder(folder / "yang91"), 11)[1],
    }
    if kind == "colour":
        return sets
    sets = {name: to_grey(images) for name, images in sets.items()}
    return {"Set12": [image[..., None] for image in fetch_images("set12").images], **sets}


def psnr(module, images, level, told):
    """Mean PSNR of denoised images in dB; Gaussian noise of `level` of 255, not clipped."""
    noise = GaussianNoise(level / 255, clip=None, random_state=0)
    scores = []
    for image in images:
        clean = image[None] / np.float32(255)
        batch = torch.from_numpy(noise.fit_transform(clean)).permute(0, 3, 1, 2)
        if told:
            batch = torch.cat([batch, torch.full_like(batch[:, :1], level / 255)], 1)
        with torch.inference_mode():
            denoised = module(batch).permute(0, 2, 3, 1).clip(0, 1).numpy()
        scores.append(peak_signal_noise_ratio(clean, denoised, data_range=1))
    return float(np.mean(scores))


def judge(module, sets, told):
    """PSNR by set, in the order of the levels; where the level is told, or seen."""
    return {
        name: [round(psnr(module, images, level, told), 3) for level in LEVELS]
        for name, images in sets.items()
    }


def read_results(path):
    """One row per stage and net."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


# Training


class Crops(Dataset):
    """The i-th crop of a stage: noisy, clean, the map of the level, and 1 for independent noise."""

    def __init__(self, pictures, options, n_channels, first):
        self.pictures, self.options = pictures, options
        self.n_channels, self.first = n_channels, first

    def __len__(self):
        return self.options.steps * self.options.batch_size - self.first

    def __getitem__(self, i):
        rng = np.random.default_rng([self.options.seed, self.first + i])
        independent = {"independent": True, "kind": (self.first + i) % 2 == 0}.get(self.options.net)
        crops = pair(self.pictures, self.options.patch_size, self.n_channels, rng, independent)
        crops = [np.ascontiguousarray(crop.transpose(2, 0, 1), np.float32) for crop in crops]
        return *crops, np.float32(bool(independent) and crops[2].any())


def read(path, kind):
    """The nets in a file."""
    shape = (64, 64, N_CHANNELS[kind])
    net, weights = read_net(path)
    return rebuild(lambda: net.build(shape, shape), weights)


def start(path, kind, fresh):
    """The nets of a kind of image, with the weights that are there, or else the shipped ones."""
    shape = (64, 64, N_CHANNELS[kind])
    known = path if path.exists() else WEIGHTS / path.name
    module = NET.build(shape, shape) if fresh else read(known, kind)
    return module.to(memory_format=torch.channels_last)


def loss_of(module, batch, options, rng):
    """The loss of the net that is trained, a mean over crops."""
    noisy, clean, level, is_independent = batch
    if options.net == "level":
        return level_loss(module.level, noisy, level, options.quantile, options.weak)
    shape = len(noisy), 1, 1, 1
    seen = level
    if options.net == "kind" or options.joint:
        with torch.no_grad():
            seen = module.see(noisy.float())
    if options.net == "kind":
        return kind_loss(module.kind, noisy, seen, is_independent)
    factor = torch.tensor(rng.uniform(*FACTORS[options.net], shape), dtype=torch.float32)
    is_seen = torch.tensor(rng.random(shape) < options.joint)
    told = torch.where(is_seen.to(level.device), seen, level * factor.to(level.device))
    remove = getattr(module, f"remove_{options.net}")
    return remover_loss(remove, noisy, clean, level, told)


def level_loss(net, noisy, level, quantile=0.5, weak=0.5):
    """Of what sees the level."""
    wanted = torch.log(torch.nn.functional.avg_pool2d(level, 8) + LEVEL_STEP)
    error = net.log_level(noisy) - wanted
    # Where several levels are possible, it learns this quantile of them, and less where there is no
    # noise: to take texture for weak noise harms most.
    strong = (wanted - math.log(LEVEL_STEP)).div(2).clamp(0, 1)
    quantile = quantile * (weak + (1 - weak) * strong)
    return 2 * torch.maximum((1 - quantile) * error, -quantile * error).mean()


def kind_loss(net, noisy, seen, is_independent):
    """Of what sees the kind of the noise, which matters where noise is seen, rightly or not."""
    weights = (seen.square().mean((1, 2, 3)).sqrt() / (4 * LEVEL_STEP)).clamp(0.05, 1)
    odds = net(torch.cat([noisy, seen], 1)).flatten()
    error = torch.nn.functional.binary_cross_entropy_with_logits
    return (weights * error(odds, is_independent, reduction="none")).mean()


def remover_loss(remove, noisy, clean, level, told):
    """Of what removes the noise, told a map."""
    denoised = remove(torch.cat([noisy, told], 1))
    # Errors of weak noise are small, and count as much.
    weight = (level.square().mean((1, 2, 3)).sqrt() + 2 * LEVEL_STEP) ** -0.7
    charbonnier = ((denoised - clean).square() + 1e-6).sqrt().mean((1, 2, 3)) - 1e-3
    return (weight * charbonnier).mean()


def train(kind, options, pictures):
    """One stage of a net for a kind of image."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    output = options.output / f"photographs-{kind}.safetensors"
    module = start(output, kind, options.fresh).to(device)
    net = getattr(module.requires_grad_(False), options.net).requires_grad_(True)
    dtype = torch.bfloat16 if options.bfloat16 else torch.float32
    optimizer = (
        Muon(net.parameters(), lr=options.lr, weight_decay=0, dtype=dtype)
        if options.net in FACTORS
        else torch.optim.AdamW(net.parameters(), lr=options.lr, weight_decay=1e-3)
    )
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(options.decay))
    options.keep.mkdir(parents=True, exist_ok=True)
    path = options.keep / f"{kind}-{options.net}-{options.seed}.pt"
    step, seconds, curve = 0, 0.0, []
    if path.exists():
        state = torch.load(path, weights_only=True, map_location=device)
        step, seconds, curve = state["step"], state["seconds"], state["curve"]
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        average.load_state_dict(state["average"])
    crops = Crops(pictures, options, N_CHANNELS[kind], step * options.batch_size)
    loader = DataLoader(crops, options.batch_size, num_workers=options.workers)
    began, saved, losses = time.perf_counter(), time.perf_counter(), []
    rng = np.random.default_rng([options.seed, step])
    print(f"{kind}, {options.net}, from step {step} of {options.steps}, on {device}", flush=True)

    def save():
        state = {
            "step": step,
            "seconds": seconds + time.perf_counter() - began,
            "curve": curve,
            "net": net.state_dict(),
            "optimizer": optimizer.state_dict(),
            "average": average.state_dict(),
        }
        torch.save(state, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)

    for *images, is_independent in loader:
        batch = [x.to(device, memory_format=torch.channels_last) for x in images]
        rise = min(1.0, (step + 1) / (0.05 * options.steps))
        rate = rise * (0.5 + 0.5 * math.cos(math.pi * step / options.steps)) + 1e-3
        optimizer.param_groups[0]["lr"] = options.lr * rate
        with torch.autocast(device.type, torch.bfloat16, enabled=options.bfloat16):
            loss = loss_of(module, (*batch, is_independent.to(device)), options, rng)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(net)
        step += 1
        losses.append(float(loss.detach()))
        if time.perf_counter() - saved > SECONDS_BETWEEN_CHECKPOINTS or step == options.steps:
            curve.append([step, round(float(np.mean(losses)), 5)])
            print(f"{datetime.now(UTC):%H:%M:%S} step {step}, loss {curve[-1][1]}", flush=True)
            save()
            saved, losses = time.perf_counter(), []
    net.load_state_dict(average.module.state_dict())
    write_net(output, NET, module.cpu())
    module, sets = read(output, kind).eval(), judges(kind)
    row = {
        "net": kind,
        "stage": options.seed,
        "ended": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        "options": {k: v for k, v in vars(options).items() if isinstance(v, int | float | str)},
        "hours": round((seconds + time.perf_counter() - began) / 3600, 2),
        "loss": curve,
        "psnr": judge(module, sets, told=True),
        "psnr, seen": judge(module, sets, told=False),
        "machine": machine(),
    }
    with options.results.open("a") as file:
        file.write(json.dumps(row) + "\n")


def main(arguments=None):
    """Run a stage of the nets for each kind of image, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    nets = ["level", "kind", *FACTORS]
    add("--nets", nargs="+", default=nets, choices=nets, help="those that are trained")
    add("--kinds", nargs="+", default=["colour", "grey"], choices=["colour", "grey"])
    add("--steps", type=int, default=8000)
    add("--seed", type=int, help="the number of the stage; by default, the next one")
    add("--patch-size", type=int, default=96)
    add("--batch-size", type=int, default=8)
    add("--lr", type=float, default=5e-4)
    add("--decay", type=float, default=0.998, help="of the average of the weights")
    add("--joint", type=float, default=0.3, help="share of crops whose level is seen, not told")
    add("--quantile", type=float, default=0.5, help="of the level that is seen")
    add("--weak", type=float, default=0.5, help="factor of the quantile where there is no noise")
    add("--workers", type=int, default=0)
    add("--fresh", action="store_true", help="start from fresh weights")
    add("--bfloat16", action=argparse.BooleanOptionalAction, default=True)
    add("--keep", type=Path, default=Path("checkpoints"), help="folder of the checkpoints")
    add("--output", type=Path, default=WEIGHTS)
    add("--results", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    if "OMP_NUM_THREADS" in os.environ:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if options.seed is None:
        stages = [row["stage"] for row in read_results(options.results)]
        options.seed = max(stages, default=-1) + 1
    pictures = load_pictures(options.seed)
    for kind in options.kinds:
        for net in options.nets:
            options.net = net
            train(kind, options, pictures)


if __name__ == "__main__":
    main()
