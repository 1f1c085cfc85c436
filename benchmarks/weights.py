"""Train the nets in skdae/weights; ``make weights`` runs one stage of each.

There are two nets for a kind of image: one sees the level of the noise, the other is told it and
removes the noise. A stage trains both on crops of `mixture`, going on from the weights that are
there, and replaces them; the first one, which is small, gets twice as many crops. Stopped and
started again with the same options, it goes on from its last checkpoint. The number of a stage is
its seed. Results are added to benchmarks/results/weights.jsonl.
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
    """The i-th crop of a stage: noisy, clean, and the map of the level."""

    def __init__(self, pictures, options, n_channels, first):
        self.pictures, self.options = pictures, options
        self.n_channels, self.first = n_channels, first

    def __len__(self):
        return self.options.steps * crops_per_step(self.options) - self.first

    def __getitem__(self, i):
        rng = np.random.default_rng([self.options.seed, self.first + i])
        crops = pair(self.pictures, self.options.patch_size, self.n_channels, rng)
        return tuple(np.ascontiguousarray(crop.transpose(2, 0, 1), np.float32) for crop in crops)


def crops_per_step(options):
    """The level's net is small, and learns from twice as many."""
    return options.batch_size * (1 if options.only == "remover" else 2)


class Average:
    """Exponential moving average of weights."""

    def __init__(self, module, decay):
        self.module, self.decay = module, decay
        self.values = [p.detach().clone() for p in module.parameters()]

    def update(self):
        """Move towards the weights of the moment."""
        own = [p.detach() for p in self.module.parameters()]
        torch._foreach_lerp_(self.values, own, 1 - self.decay)

    def give(self):
        """Let the module have them."""
        with torch.no_grad():
            torch._foreach_copy_([*self.module.parameters()], self.values)


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
    return module.requires_grad_(True).to(memory_format=torch.channels_last)


def losses(module, noisy, clean, level, factor, seen, quantile=0.5, weak=0.5):
    """Of what sees the level and of what removes the noise, each a mean over the crops.

    `seen` says which crops the map is not told for, but seen: the second loss then teaches both.
    """
    loss_seer, log_level = level_loss(module.level, noisy, level, quantile, weak)
    # The first half is for the remover.
    noisy, clean, level, log_level = (x[: len(factor)] for x in (noisy, clean, level, log_level))
    own = (log_level.exp() - LEVEL_STEP).clamp(min=0)
    own = torch.nn.functional.interpolate(own, scale_factor=8, mode="bilinear")
    told = torch.where(seen, own, level * factor)
    return loss_seer, remover_loss(module, noisy, clean, level, told)


def level_loss(net, noisy, level, quantile=0.5, weak=0.5):
    """Of what sees the level, and its own logarithm of it."""
    log_level = net.log_level(noisy)
    wanted = torch.log(torch.nn.functional.avg_pool2d(level, 8) + LEVEL_STEP)
    error = log_level - wanted
    # Where several levels are possible, it learns this quantile of them, and less where there is no
    # noise: to take texture for weak noise harms most.
    strong = (wanted - math.log(LEVEL_STEP)).div(2).clamp(0, 1)
    quantile = quantile * (weak + (1 - weak) * strong)
    return 2 * torch.maximum((1 - quantile) * error, -quantile * error).mean(), log_level


def remover_loss(module, noisy, clean, level, told):
    """Of what removes the noise, told a map."""
    denoised = module.remove(torch.cat([noisy, told], 1))
    # Errors of weak noise are small, and count as much.
    weight = (level.square().mean((1, 2, 3)).sqrt() + 2 * LEVEL_STEP) ** -0.7
    charbonnier = ((denoised - clean).square() + 1e-6).sqrt().mean((1, 2, 3)) - 1e-3
    return (weight * charbonnier).mean()


def train(kind, options, pictures):
    """One stage of both nets of a kind of image."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    output = options.output / f"photographs-{kind}.safetensors"
    module = start(output, kind, options.fresh).to(device)
    remover, seer = nets = module.remover, module.level
    dtype = torch.bfloat16 if options.bfloat16 else torch.float32
    optimizers = [
        Muon(remover.parameters(), lr=options.lr, weight_decay=0, dtype=dtype),
        torch.optim.AdamW(seer.parameters(), lr=options.lr_seer, weight_decay=1e-3),
    ]
    averages = [Average(net, options.decay) for net in nets]
    options.keep.mkdir(parents=True, exist_ok=True)
    path = options.keep / f"{kind}-{options.seed}.pt"
    step, seconds, curve = 0, 0.0, []
    if path.exists():
        state = torch.load(path, weights_only=True, map_location=device)
        step, seconds, curve = state["step"], state["seconds"], state["curve"]
        for i in range(2):
            nets[i].load_state_dict(state["nets"][i])
            optimizers[i].load_state_dict(state["optimizers"][i])
            averages[i].values = state["averages"][i]
    crops = Crops(pictures, options, N_CHANNELS[kind], step * crops_per_step(options))
    loader = DataLoader(crops, crops_per_step(options), num_workers=options.workers)
    began, saved, sums = time.perf_counter(), time.perf_counter(), np.zeros(2)
    rng = np.random.default_rng([options.seed, step])
    print(f"{kind}, from step {step} of {options.steps}, on {device}", flush=True)

    def save():
        spent = seconds + time.perf_counter() - began
        state = {
            "step": step,
            "seconds": spent,
            "curve": curve,
            "nets": [net.state_dict() for net in nets],
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
            "averages": [average.values for average in averages],
        }
        torch.save(state, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)

    n_summed, quantiles = 0, (options.quantile, options.weak)
    for noisy, clean, level in loader:
        batch = [x.to(device, memory_format=torch.channels_last) for x in (noisy, clean, level)]
        rise = min(1.0, (step + 1) / (0.05 * options.steps))
        rate = rise * (0.5 + 0.5 * math.cos(math.pi * step / options.steps)) + 1e-3
        for optimizer, lr in zip(optimizers, (options.lr, options.lr_seer), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = lr * rate
        n = options.batch_size
        factor = torch.tensor(rng.uniform(0.8, 1.3, (n, 1, 1, 1)), dtype=torch.float32)
        seen = torch.tensor(rng.random((n, 1, 1, 1)) < options.joint).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=options.bfloat16):
            if options.only == "remover":
                told = batch[2] * factor.to(device)
                if options.joint:
                    with torch.no_grad():
                        told = torch.where(seen, module.see(batch[0].float()), told)
                zero = torch.zeros((), device=device)
                pair_of_losses = zero, remover_loss(module, *batch, told)
            elif options.only == "level":
                zero = torch.zeros((), device=device)
                pair_of_losses = level_loss(seer, batch[0], batch[2], *quantiles)[0], zero
            else:
                pair_of_losses = losses(module, *batch, factor.to(device), seen, *quantiles)
        for optimizer in optimizers:
            optimizer.zero_grad()
        (options.seer_weight * pair_of_losses[0] + pair_of_losses[1]).backward()
        for net, optimizer, average in zip(nets, optimizers, averages, strict=True):
            if next(net.parameters()).grad is None:
                continue
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            average.update()
        step += 1
        sums += [float(loss.detach()) for loss in pair_of_losses]
        n_summed += 1
        if time.perf_counter() - saved > SECONDS_BETWEEN_CHECKPOINTS or step == options.steps:
            means = [round(v, 5) for v in (sums / n_summed).tolist()]
            curve.append([step, *means])
            print(f"{datetime.now(UTC):%H:%M:%S} step {step} seer, remover {means}", flush=True)
            save()
            saved, sums, n_summed = time.perf_counter(), np.zeros(2), 0
    for average in averages:
        average.give()
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
    add("--kinds", nargs="+", default=["colour", "grey"], choices=["colour", "grey"])
    add("--steps", type=int, default=8000)
    add("--seed", type=int, help="the number of the stage; by default, the next one")
    add("--patch-size", type=int, default=96)
    add("--batch-size", type=int, default=8)
    add("--lr", type=float, default=5e-4)
    add("--lr-seer", type=float, default=1e-3)
    add("--decay", type=float, default=0.998, help="of the average of the weights")
    add("--joint", type=float, default=0.0, help="share of crops whose map the seer tells")
    add("--seer-weight", type=float, default=1.0, help="of the loss of the map itself")
    add("--only", choices=["remover", "level"], help="train one of the two nets")
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
        train(kind, options, pictures)


if __name__ == "__main__":
    main()
