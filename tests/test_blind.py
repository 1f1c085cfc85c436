"""The map of the level of the noise, which the pretrained nets see and are told."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter, uniform_filter
from sklearn.datasets import load_sample_image

from skdae import PretrainedDenoiser
from skdae.architectures import Pretrained
from skdae.architectures.blind import by_brightness
from skdae.metrics import peak_signal_noise_ratio
from skdae.noise.tones import seen

PHOTOGRAPH = load_sample_image("china.jpg").mean(2, dtype=np.float32) / 255


def test_the_level_is_the_median_at_each_brightness():
    rng = np.random.default_rng(0)
    light = torch.from_numpy(gaussian_filter(rng.random((1, 1, 120, 90)), (0, 0, 9, 9)))
    light = ((light - light.min()) / (light.max() - light.min())).float()
    expected = (2 + 20 * light) / 255
    # A third is seen far too high, as texture is.
    outliers = torch.from_numpy(rng.random(light.shape) < 1 / 3)
    level = torch.where(outliers, torch.tensor(60 / 255), expected)
    level *= torch.from_numpy(rng.normal(1, 0.02, light.shape)).float()
    light[..., :40, :40], level[..., :40, :40] = 0.5, 0.0
    pooled = by_brightness(light, level)
    flat = pooled[..., :39, :39]
    assert (flat == 0).all()
    inside = (slice(None), slice(None), slice(45, None), slice(None))
    errors = (pooled / expected - 1)[inside].abs()
    assert errors.quantile(0.9) < 0.12
    assert errors.mean() < 0.06


def test_the_level_of_one_batch_is_that_of_each_image():
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.random((3, 3, 40, 50))).float()
    level = torch.from_numpy(rng.random((3, 1, 40, 50))).float() ** 3
    alone = [by_brightness(images[i : i + 1], level[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(by_brightness(images, level), torch.cat(alone))


def test_noise_that_varies_over_a_large_image_is_seen_where_it_is():
    clean = np.tile(PHOTOGRAPH[100:356, 200:456], (1, 4))
    std = np.repeat([4.0, 16.0], 512) / 255
    noise = np.random.default_rng(0).normal(0, std, clean.shape)
    denoiser = PretrainedDenoiser().fit((clean + noise)[None])
    _, _, level = seen((clean + noise)[None, ..., None], denoiser._see)
    left, right = 255 * level[0, :, :200].mean(), 255 * level[0, :, -200:].mean()
    assert 3 < left < 8
    assert 14 < right < 20


def test_texture_in_a_part_of_an_image_is_not_taken_for_noise():
    # Above is the sky, which is smooth; below are leaves, roofs and water.
    denoiser = PretrainedDenoiser().fit(PHOTOGRAPH[None])
    raw = denoiser._see(PHOTOGRAPH[None, ..., None])
    _, _, level = seen(PHOTOGRAPH[None, ..., None], denoiser._see)
    assert np.quantile(level, 0.9) < 0.7 * np.quantile(raw, 0.9)


def two_tones(kind):
    """Dots of two gray values, `uint8`, that look like strong noise."""
    part = PHOTOGRAPH[100:356, 200:456]
    if kind == "dithered":
        return np.asarray(Image.fromarray((255 * part).astype(np.uint8)).convert("1")) * 255.0
    dots = np.random.default_rng(0).random(part.shape) < part
    return np.where(dots, 233.0, 3.0)


def gain(clean, noisy):
    """What denoising gains, in dB."""
    denoised = PretrainedDenoiser().fit_transform(noisy[None])[0]
    before, after = (peak_signal_noise_ratio(clean, x, data_range=1) for x in (noisy, denoised))
    return after - before


@pytest.mark.parametrize("kind", ["dithered", "random dots"])
@pytest.mark.parametrize("std", [2, 5])
def test_weak_noise_does_not_take_the_dots_of_a_print_away(kind, std):
    clean = two_tones(kind)
    noisy = clean + np.random.default_rng(std).normal(0, std, clean.shape)
    assert gain(clean / 255, noisy.clip(0, 255).round() / 255) > -1.6


def test_dead_and_hot_pixels_on_weak_noise_are_still_removed():
    rng = np.random.default_rng(0)
    clean = PHOTOGRAPH[:256, 200:456]
    noisy = (clean + rng.normal(0, 4 / 255, clean.shape)).astype(np.float32)
    noisy[rng.random(clean.shape) < 0.02] = 1
    assert gain(clean, noisy) > 4


@pytest.mark.parametrize("std", [2, 5, 10, 25])
@pytest.mark.parametrize("blur", [0, 1])
@pytest.mark.parametrize("kind", ["photograph", "dithered", "random dots", "flat"])
def test_pairs_of_pixels_refute_no_level_that_is_true(kind, std, blur):
    clean = two_tones(kind) / 255 if kind[0] in "dr" else PHOTOGRAPH[100:356, 200:456]
    clean = np.full_like(clean, 0.1) if kind == "flat" else clean
    noise = np.random.default_rng(std).normal(0, 1, clean.shape)
    noise = gaussian_filter(noise, blur) if blur else noise
    noisy = (clean + noise * std / 255 / noise.std()).clip(0, 1)
    noisy = (noisy * 255).round().astype(np.float32) / 255
    x = torch.from_numpy(noisy)[None, None]
    level = by_brightness(x, torch.full_like(x, 0.3))[0, 0].numpy()
    true = np.sqrt(uniform_filter(np.square(noisy - clean), 33))
    assert np.median(level / true) > 0.95


@pytest.mark.parametrize("stds", [(20, 2, 2), (2, 2, 30), (10, 5, 15), (8, 8, 8)], ids=str)
def test_pairs_refute_no_level_of_channels_that_differ(stds):
    clean = (50 + 150 * (np.random.default_rng(0).random((3, 256, 256)) < 0.5)) / 255
    noise = np.random.default_rng(1).normal(0, 1, clean.shape) * np.reshape(stds, (3, 1, 1)) / 255
    x = torch.from_numpy(np.float32(clean + noise))[None]
    true = np.sqrt(np.mean(np.square(stds))) / 255
    level = by_brightness(x, torch.full_like(x[:, :1], true))
    assert float(level.median()) > 0.95 * true


@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (40, 3), (3, 40), (8, 9)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_images_of_few_pixels_keep_the_level_that_is_seen(shape, dtype):
    x = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
    level = torch.full_like(x[:, :1], 0.2)
    torch.testing.assert_close(by_brightness(x, level), level, rtol=0.05, atol=0)


# The kind of the noise


def of_kind(x, kind, std, seed=0):
    """A photograph with noise of single pixels, or with noise that a Gaussian has spread."""
    noise = np.random.default_rng(seed).normal(size=x.shape)
    width = {"independent": 0, "smooth": 0.8, "coarse": 2.0}[kind]
    noise = gaussian_filter(noise, (0, width, width, *([0] * (x.ndim - 3))))
    return (x + std / noise.std() * noise).astype(np.float32)


@pytest.mark.parametrize("std", [0.03, 0.06, 0.15])
@pytest.mark.parametrize("is_color", [False, True])
def test_noise_is_removed_by_the_net_of_its_kind(is_color, std):
    photograph = load_sample_image("flower.jpg")[None, 20:404, 100:500] / np.float32(255)
    photograph = photograph if is_color else photograph.mean(3)
    gains = {}
    for kind in ("independent", "smooth", "coarse"):
        X = of_kind(photograph, kind, std)
        told = PretrainedDenoiser(noise=std).fit_transform(X)
        seen = PretrainedDenoiser().fit_transform(X)
        gains[kind] = peak_signal_noise_ratio(
            photograph, seen, data_range=1
        ) - peak_signal_noise_ratio(photograph, told, data_range=1)
    # A noise that is told is independent. What is seen of fine texture costs a little.
    assert gains["independent"] > -0.3
    assert min(gains["smooth"], gains["coarse"]) > 0.3


def test_images_of_a_batch_get_the_nets_of_their_kinds():
    clean = np.stack([PHOTOGRAPH[40:200, 100:300]] * 4)
    kinds = ["smooth", "independent", "coarse", "independent"]
    X = [of_kind(clean[i : i + 1], kind, 0.1, i)[0] for i, kind in enumerate(kinds)]
    X = torch.from_numpy(np.stack(X))[:, None]
    net = Pretrained("photographs-grey").build((64, 64, 1), (64, 64, 1)).eval()
    with torch.inference_mode():
        together = net(X)
        alone = torch.cat([net(x[None]) for x in X])
        with_level = torch.cat([X, net.see(X)], 1)
        both = [net.remove_independent(with_level), net.remove_correlated(with_level)]
    torch.testing.assert_close(together, alone)
    for i, kind in enumerate(kinds):
        torch.testing.assert_close(together[i], both[kind != "independent"][i])
