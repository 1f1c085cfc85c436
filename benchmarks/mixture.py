"""What the nets of skdae/weights learn from: clean pictures of many kinds, and noise of many kinds.

`load_pictures` reads photographs and renders the rest; `pair` cuts a noisy and a clean crop.
"""

import io
import math
import os
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import convolve, gaussian_filter, uniform_filter

from skdae.noise import CameraNoise

# Shares of the crops that come from each folder of photographs, and from rendered pictures.
# Most have grain of their own, which shrinking takes away.
SHARES = {
    "cid22": 0.18,
    "cid22/2": 0.10,
    "bsds400/2": 0.13,
    "bsds400": 0.08,
    "yang91": 0.05,
    "rendered": 0.30,
    "processed": 0.16,
}
N_RENDERED = 420
N_PROCESSED = 280
SIDE = 288


def load_pictures(seed):
    """Pictures of `uint8`, in colour, by where they come from."""
    folder = Path(os.environ["SKDAE_DATA"])
    photographs = split(read_folder(folder / "bsds400"), 20)[0]
    pictures = {
        "cid22": read_folder(folder / "cid22"),
        "cid22/2": [shrunk(image) for image in read_folder(folder / "cid22")],
        "bsds400": photographs,
        "bsds400/2": [shrunk(image) for image in photographs],
        "yang91": split(read_folder(folder / "yang91"), 11)[0],
    }
    rng = np.random.default_rng(seed)
    makers = [text, text, text, small_text, small_text, screen, chart, flat, lines, filaments]
    makers += [cells, stars, masked, mosaic, mosaic]
    pictures["rendered"] = [
        (makers[i % len(makers)](rng) * 255).round().astype(np.uint8) for i in range(N_RENDERED)
    ]
    # Rendered ones that need a photograph below, and what is done to photographs that looks like
    # noise, and is none.
    some = pictures["cid22"] + pictures["bsds400"]
    changes = [(48, "rendered", (overexposed, letterbox, disc, poster))]
    changes += [(N_PROCESSED, "processed", PROCESSES)]
    pictures["processed"] = []
    for n, name, makers in changes:
        for i in range(n):
            picture = some[rng.integers(len(some))]
            y, x = (rng.integers(max(1, n_pixels - SIDE)) for n_pixels in picture.shape[:2])
            photograph = picture[y : y + SIDE, x : x + SIDE] / np.float32(255)
            changed = makers[i % len(makers)](photograph, rng)
            pictures[name].append((changed.clip(0, 1) * 255).round().astype(np.uint8))
    return pictures


def read_folder(folder):
    """Pictures of a folder, in the order of their names."""
    paths = sorted(folder.glob("*.*g"))
    return [np.asarray(Image.open(path).convert("RGB")) for path in paths]


def split(images, n_held_out):
    """Pictures to learn from, and others, evenly spaced, to judge by."""
    held_out = set(np.linspace(0, len(images) - 1, n_held_out).round().astype(int))
    train = [image for i, image in enumerate(images) if i not in held_out]
    return train, [images[i] for i in sorted(held_out)]


def shrunk(image):
    """At half the size, so that JPEG's coarse colour is fine again."""
    height, width = image.shape[:2]
    size = (width // 2, height // 2)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


# Rendered pictures, (SIDE, SIDE, 3) in [0, 1]


def colour(rng, *, near=None):
    """A colour; with `near`, one that contrasts with it."""
    while True:
        kind = rng.random()
        if kind < 0.45:
            c = np.repeat(rng.choice([0.0, 1.0, rng.random()]), 3)
        elif kind < 0.7:
            c = rng.choice([0.0, 1.0], 3)
        else:
            c = rng.random(3)
        if near is None or abs(c - near).max() > 0.2:
            return c.astype(np.float32)


def canvas(rng, scale=1):
    """A drawing on an even ground, with its ground's colour."""
    ground = colour(rng)
    image = Image.new("RGB", (SIDE * scale, SIDE * scale), as_bytes(ground))
    return image, ImageDraw.Draw(image), ground


def as_bytes(c):
    """A colour as Pillow wants it."""
    return tuple(round(255 * float(v)) for v in c)


def as_floats(image):
    """A drawing, at the size of a picture, antialiased where it was drawn larger."""
    if image.size[0] != SIDE:
        image = image.resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(image, np.float32) / 255


def fonts():
    """Files of fonts that come with Matplotlib."""
    paths = [entry.fname for entry in font_manager.fontManager.ttflist]
    names = ("DejaVu", "STIXGeneral", "cmr", "cmss", "cmtt")
    return sorted(p for p in set(paths) if Path(p).name.startswith(names))


FONTS = fonts()


def word(rng):
    """Letters that look like a word."""
    letters = "etaoinshrdlucmfwypvbgkqjxz"
    p = 1 / np.arange(2, 28) ** 0.7
    made = "".join(rng.choice(list(letters), rng.integers(1, 11), p=p / p.sum()))
    kind = rng.random()
    if kind < 0.1:
        return str(rng.integers(10**4)) + rng.choice(["", ",", ".", "%"])
    return made.capitalize() if kind < 0.25 else made.upper() if kind < 0.3 else made


def write(draw, rng, ink, box, size):
    """Lines of text in a box."""
    font = ImageFont.truetype(FONTS[rng.integers(len(FONTS))], size)
    left, top, right, bottom = box
    y = top
    while y < bottom:
        line = ""
        while draw.textlength(line, font) < right - left:
            line += word(rng) + " "
        if rng.random() < 0.9:
            draw.text((left, y), line, fill=as_bytes(ink), font=font)
        y += int(size * rng.uniform(1.1, 1.5))


def text(rng):
    """A page: paper, ink, and light that falls off."""
    scale = int(rng.choice([1, 2, 3]))
    image, draw, ground = canvas(rng, scale)
    if rng.random() < 0.6:
        ground = np.repeat(rng.uniform(0.75, 1.0), 3) * rng.uniform(0.92, 1, 3)
        draw.rectangle((0, 0, *image.size), fill=as_bytes(ground))
        ink = np.repeat(rng.uniform(0.0, 0.3), 3)
    else:
        ink = colour(rng, near=ground)
    size = int(rng.uniform(8, 36) * scale)
    write(draw, rng, ink, (int(rng.integers(-20, 20)), -5, SIDE * scale, SIDE * scale), size)
    page = as_floats(image)
    if rng.random() < 0.4:
        page = gaussian_filter(page, (*[rng.uniform(0.3, 1.2)] * 2, 0))
    if rng.random() < 0.3:
        page = page * shade(rng, 0.6)[..., None]
    return page


def small_text(rng):
    """A page full of small print, which looks like noise."""
    image, draw, _ = canvas(rng)
    light, dark = rng.uniform(0.7, 1.0), rng.uniform(0.0, 0.4)
    paper, ink = (light, dark) if rng.random() < 0.8 else (dark, light)
    draw.rectangle((0, 0, SIDE, SIDE), fill=as_bytes(np.repeat(paper, 3)))
    left = int(rng.integers(-20, 5))
    write(draw, rng, np.repeat(ink, 3), (left, -5, SIDE + 40, SIDE), int(rng.integers(6, 14)))
    page = as_floats(image)
    if rng.random() < 0.3:
        page = gaussian_filter(page, (*[rng.uniform(0.2, 0.6)] * 2, 0))
    return page


def shade(rng, least):
    """Smooth light from `least` to 1, ``(SIDE, SIDE)``."""
    field = gaussian_filter(rng.normal(size=(SIDE, SIDE)), rng.uniform(30, 90), mode="wrap")
    field = (field - field.min()) / np.ptp(field)
    return (least + (1 - least) * field).astype(np.float32)


def screen(rng):
    """Windows, buttons and small text, without antialiasing or with it."""
    image, draw, ground = canvas(rng)
    for _ in range(rng.integers(3, 9)):
        x, y = rng.integers(-40, SIDE - 20, 2)
        w, h = rng.integers(20, 200, 2)
        c = colour(rng)
        draw.rectangle((x, y, x + w, y + h), fill=as_bytes(c), outline=as_bytes(colour(rng)))
        if rng.random() < 0.7 and w > 40 and h > 14:
            box = (x + 4, y + 2, x + w - 30, y + h - 14)
            write(draw, rng, colour(rng, near=c), box, int(rng.integers(8, 18)))
    return as_floats(image)


def chart(rng):
    """Axes with curves, bars or points."""
    scale = int(rng.choice([1, 2, 4]))
    image, draw, ground = canvas(rng, scale)
    side = SIDE * scale
    for i in range(rng.integers(2, 12)):
        at = int((i + 0.5) * side / 10)
        c = as_bytes(colour(rng, near=ground))
        draw.line((at, 0, at, side), fill=c, width=scale)
        draw.line((0, at, side, at), fill=c, width=scale)
    x = np.linspace(0, side, 80)
    for _ in range(rng.integers(1, 5)):
        c = as_bytes(colour(rng, near=ground))
        kind = rng.integers(3)
        y = side * (0.5 + 0.2 * np.cumsum(rng.normal(size=80)) / 5)
        if kind == 0:
            draw.line([*zip(x, y, strict=True)], fill=c, width=int(rng.integers(1, 5)) * scale)
        elif kind == 1:
            for a, b in zip(x[::4], y[::4], strict=True):
                draw.rectangle((a, min(b, side), a + side / 30, side), fill=c)
        else:
            r = rng.uniform(1, 5) * scale
            for a, b in zip(x, y + rng.normal(0, side / 10, 80), strict=True):
                draw.ellipse((a - r, b - r, a + r, b + r), fill=c)
    return as_floats(image)


def flat(rng):
    """Patches of one colour, or of a ramp."""
    scale = int(rng.choice([1, 4]))
    image, draw, ground = canvas(rng, scale)
    side = SIDE * scale
    for _ in range(rng.integers(0, 14)):
        points = rng.integers(-side // 8, side + side // 8, (rng.integers(3, 7), 2))
        draw.polygon([*map(tuple, points.tolist())], fill=as_bytes(colour(rng)))
    out = as_floats(image)
    if rng.random() < 0.4:
        ramp = np.linspace(*rng.uniform(0, 1, 2), SIDE, dtype=np.float32)
        ramp = ramp[:, None] if rng.random() < 0.5 else ramp
        out = out * (np.ones((SIDE, SIDE), np.float32) * ramp)[..., None]
    return out


def lines(rng):
    """Line art: hatching, stripes, checks, curves."""
    scale = int(rng.choice([1, 2, 4]))
    image, draw, ground = canvas(rng, scale)
    side = SIDE * scale
    ink = colour(rng, near=ground)
    kind = rng.integers(4)
    if kind == 0:
        period, angle = rng.uniform(2, 24), rng.uniform(0, np.pi)
        y, x = np.mgrid[:SIDE, :SIDE]
        wave = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period)
        wave = np.clip(0.5 + rng.choice([0.5, 2, 20]) * wave, 0, 1)[..., None]
        return (ground * wave + ink * (1 - wave)).astype(np.float32)
    if kind == 1:
        n = int(rng.integers(1, 30))
        checks = (np.add.outer(np.arange(SIDE) // n, np.arange(SIDE) // n) % 2)[..., None]
        return (ground * checks + ink * (1 - checks)).astype(np.float32)
    for _ in range(rng.integers(5, 60)):
        width = int(rng.integers(1, 4)) * max(1, scale // 2)
        if kind == 2:
            draw.line([*map(int, rng.integers(0, side, 4))], fill=as_bytes(ink), width=width)
        else:
            x, y = rng.integers(-side // 4, side, 2)
            w, h = rng.integers(side // 10, side, 2)
            draw.arc((x, y, x + w, y + h), *rng.uniform(0, 360, 2), as_bytes(ink), width)
    return as_floats(image)


def tinted(field, rng):
    """A field in [0, 1] as a picture: grey, or in one or several colours."""
    kind = rng.random()
    tint = np.ones(3) if kind < 0.5 else rng.choice([0.0, 1.0], 3) if kind < 0.8 else rng.random(3)
    if not tint.any():
        tint[rng.integers(3)] = 1
    return (field[..., None] * tint).astype(np.float32)


def exposed(field, rng):
    """A nonnegative field as a microscope records it: out of focus, dim or bright."""
    blur = rng.uniform(0.5, 2.0) if rng.random() < 0.7 else rng.uniform(2, 12)
    field = gaussian_filter(field, blur)
    if rng.random() < 0.5:
        field = field + rng.uniform(0.2, 1) * gaussian_filter(field, rng.uniform(4, 15))
    peak = np.percentile(field, 99.8) or field.max() or 1.0
    field = field / peak * rng.choice([1.0, rng.uniform(0.1, 1.1)])
    return (rng.choice([0.0, rng.uniform(0, 0.3)]) + field).clip(0, 1)


def filaments(rng):
    """Thin curves that cross, as of a cell's skeleton."""
    field = np.zeros((SIDE, SIDE), np.float32)
    for _ in range(rng.integers(10, 120)):
        n = 400
        turn = np.cumsum(rng.normal(0, rng.uniform(0.005, 0.05), n)) + rng.uniform(0, 2 * np.pi)
        path = np.cumsum(np.stack([np.sin(turn), np.cos(turn)]), 1) + rng.uniform(0, SIDE, (2, 1))
        y, x = path.round().astype(int)
        inside = (y >= 0) & (y < SIDE) & (x >= 0) & (x < SIDE)
        np.add.at(field, (y[inside], x[inside]), np.float32(rng.uniform(0.3, 1)))
    return tinted(exposed(field, rng), rng)


def cells(rng):
    """Round bodies with grains, dark or bright."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    field = np.zeros((SIDE, SIDE), np.float32)
    grain = rng.normal(size=(SIDE, SIDE))
    grain = gaussian_filter(grain, rng.uniform(1, 4))
    grain = 1 + rng.uniform(0, 0.8) * grain / grain.std()
    for _ in range(rng.integers(2, 50)):
        (cy, cx), (ry, rx) = rng.uniform(0, SIDE, 2), rng.uniform(3, 35, 2)
        edge = rng.uniform(0.5, 6)
        distance = np.hypot((y - cy) / ry, (x - cx) / rx)
        body = 1 / (1 + np.exp(np.clip((distance - 1) * min(rx, ry) / edge * 2, -30, 30)))
        ring = np.exp(-((distance - 1) ** 2) * 60) * rng.choice([0, 1])
        field += rng.uniform(0.2, 1) * (body * grain + ring)
    return tinted(exposed(field.clip(0), rng), rng)


def stars(rng):
    """Points of light on the dark, some with a halo."""
    field = np.zeros((SIDE, SIDE), np.float32)
    n = int(rng.integers(10, 600))
    y, x = rng.integers(0, SIDE, (2, n))
    np.add.at(field, (y, x), rng.pareto(1.5, n).astype(np.float32))
    field = gaussian_filter(field, rng.uniform(0.4, 1.6))
    if rng.random() < 0.5:
        field += rng.uniform(0.05, 0.5) * gaussian_filter(field, rng.uniform(3, 12))
    sky = rng.choice([0.0, rng.uniform(0, 0.15)])
    # Of few small stars, most of the sky is empty.
    brightest = np.percentile(field, 99.5) or field.max()
    return tinted((sky + field / brightest).clip(0, 1), rng)


def masked(rng):
    """A smooth or grainy picture in a disc or frame, with exact zeros or ones around it."""
    beta = rng.uniform(1.0, 3.5)
    f = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)) + 1 / SIDE
    field = np.fft.ifft2(np.fft.fft2(rng.normal(size=(SIDE, SIDE))) / f ** (beta / 2)).real
    field = (field - field.min()) / np.ptp(field)
    picture = tinted(field.astype(np.float32) ** rng.uniform(0.5, 2), rng)
    return disc(picture, rng) if rng.random() < 0.6 else picture


def mosaic(rng):
    """A Bayer mosaic as it is: neighbours that differ by their filter."""
    base = (filaments, cells, flat, masked)[rng.integers(4)](rng)
    base = 0.15 + 0.85 * base * rng.uniform(0.3, 1, 3)
    raw = np.empty(base.shape[:2], np.float32)
    for i, j, c in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        raw[i::2, j::2] = base[i::2, j::2, c]
    return np.repeat(raw[..., None], 3, 2)


def overexposed(picture, rng):
    """Large parts at the upper or lower end."""
    gain = rng.uniform(1.5, 4)
    out = picture * gain if rng.random() < 0.5 else 1 - (1 - picture) * gain
    return out.clip(0, 1)


def letterbox(picture, rng):
    """Bars above and below, or an even frame."""
    out = picture.copy()
    n, value = int(rng.integers(20, 100)), rng.choice([0.0, 1.0, rng.random()])
    out[:n] = value
    out[-n:] = value
    return out if rng.random() < 0.5 else np.ascontiguousarray(out.transpose(1, 0, 2))


def disc(picture, rng):
    """A disc cut out."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[:height, :width]
    cy, cx = rng.uniform(0.3, 0.7, 2) * (height, width)
    inside = np.hypot(y - cy, x - cx) < rng.uniform(0.2, 0.6) * height
    return np.where(inside[..., None], picture, np.float32(rng.choice([0.0, 0.0, 1.0])))


def poster(picture, rng):
    """Few levels."""
    n = int(rng.integers(2, 9))
    return (picture * n).round() / n


def bayer(picture, rng):
    """The Bayer mosaic of a photograph, with some white balance."""
    gains = rng.uniform(0.4, 1.0, 3) if rng.random() < 0.7 else np.ones(3)
    picture = (picture * gains) ** rng.uniform(0.7, 2.0)
    order = [[0, 1, 1, 2], [2, 1, 1, 0], [1, 0, 2, 1], [1, 2, 0, 1]][rng.integers(4)]
    raw = np.empty(picture.shape[:2], np.float32)
    for k, c in enumerate(order):
        raw[k // 2 :: 2, k % 2 :: 2] = picture[k // 2 :: 2, k % 2 :: 2, c]
    return np.repeat(raw[..., None], 3, 2)


def dithered(picture, rng):
    """Few colors, whose errors are spread over the neighbors; black and white among them."""
    image = Image.fromarray((picture * 255).round().astype(np.uint8))
    kind = rng.random()
    if kind < 0.5:
        image = image.convert("1")
        if kind < 0.1:
            image = image.resize(
                (image.width // 2 * 3, image.height // 2 * 3), Image.Resampling.BOX
            )
    else:
        image = image.quantize(int(rng.choice([4, 8, 16, 32, 64])), dither=int(rng.random() < 0.8))
    return np.asarray(image.convert("RGB"), np.float32) / 255


def halftone(picture, rng):
    """Dots of a printed page, in a grid or at random, sharp or scanned."""
    light = picture.mean(2) if rng.random() < 0.6 else picture
    height, width = picture.shape[:2]
    if rng.random() < 0.6:
        y, x = np.mgrid[:height, :width]
        angle, period = rng.uniform(0, np.pi), rng.uniform(2.5, 9)
        waves = [
            np.sin(2 * np.pi / period * (x * np.cos(a) + y * np.sin(a)))
            for a in (angle, angle + np.pi / 2)
        ]
        threshold = waves[0] * waves[1] / 2 + 0.5
    else:
        threshold = rng.random((height, width))
    dots = (light > (threshold if light.ndim == 2 else threshold[..., None])).astype(np.float32)
    if rng.random() < 0.5:
        s = rng.uniform(0.3, 1.5)
        dots = gaussian_filter(dots, (s, s, 0)[: dots.ndim])
    dots = dots if dots.ndim == 3 else np.repeat(dots[..., None], 3, 2)
    low, high = rng.uniform(0, 0.2), rng.uniform(0.8, 1)
    return low + (high - low) * dots


def enlarged(picture, rng):
    """Each pixel repeated, as pixel art and screens are."""
    n = int(rng.integers(2, 6))
    small = picture[: -(-SIDE // n), : -(-SIDE // n)]
    if rng.random() < 0.5:
        small = picture[::n, ::n]
    return np.repeat(np.repeat(small, n, 0), n, 1)[:SIDE, :SIDE]


def interlaced(picture, rng):
    """Two half frames of something that moved."""
    moved = np.roll(picture, int(rng.integers(1, 12)) * rng.choice([-1, 1]), 1)
    odd = (np.arange(len(picture)) % 2 == 1)[:, None, None]
    return np.where(odd, moved, picture)


def sharpened(picture, rng):
    """Edges and texture much stronger than they were."""
    s = rng.uniform(0.5, 2)
    return picture + rng.uniform(0.5, 3) * (picture - gaussian_filter(picture, (s, s, 0)))


def solarized(picture, rng):
    """What is lighter or darker than something, inverted; or the edges alone."""
    if rng.random() < 0.5:
        edges = np.abs(picture - gaussian_filter(picture, (1, 1, 0))) * rng.uniform(1, 4)
        return edges if rng.random() < 0.5 else 1 - edges
    return np.where(picture.mean(2, keepdims=True) > rng.uniform(0.3, 0.7), picture, 1 - picture)


def compressed(picture, rng):
    """A JPEG file of low quality."""
    return through_jpeg(picture, int(rng.integers(8, 60)), int(rng.choice([0, 2])))


PROCESSES = (bayer, bayer, dithered, dithered, halftone, enlarged, interlaced, sharpened)
PROCESSES += (solarized, compressed)


# Noise: each takes a crop (height, width, n_channels) in [0, 1] and gives what is added to it


def spread(rng):
    """A standard deviation: none to strong, weak in a third of the crops."""
    if rng.random() < 0.3:
        return rng.uniform(0.3, 6) / 255
    return rng.uniform(0, 75) / 255


def white(clean, rng, alike=0.12):
    """Gaussian noise, in some crops the same in all channels, as of a grey scan in color."""
    channels = 1 if rng.random() < alike else clean.shape[2]
    return spread(rng) * rng.normal(size=(*clean.shape[:2], channels)) * np.ones(clean.shape)


def photons(clean, rng):
    """Poisson-Gaussian noise of a linear sensor."""
    gain = math.exp(rng.uniform(math.log(2e-4), math.log(0.15)))
    read = math.exp(rng.uniform(math.log(5e-4), math.log(0.05))) * (rng.random() < 0.7)
    shape = clean.shape
    return gain * rng.poisson(clean / gain) - clean + read * rng.normal(size=shape)


def kernel(rng):
    """Weights that correlate neighbours, of unit norm."""
    kind = rng.random()
    if kind < 0.75:
        radius = 8
        at = np.arange(-radius, radius + 1)
        a = rng.uniform(0.3, 2.5)
        b = a if rng.random() < 0.7 else rng.uniform(0.3, 2.5)
        k = np.exp(-(at[:, None] ** 2) / 2 / a**2 - at**2 / 2 / b**2)
        if rng.random() < 0.25:  # grain of a band
            c = rng.uniform(1.2, 2) * a
            wide = np.exp(-(at[:, None] ** 2 + at**2) / 2 / c**2)
            k = k / k.sum() - rng.uniform(0.2, 0.9) * wide / wide.sum()
    else:
        k = rng.random((3, 3)) if kind < 0.9 else np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1.0]])
    return k / np.linalg.norm(k)


def filtered(noise, k):
    """Each channel through a kernel."""
    return np.stack([convolve(noise[..., c], k, mode="wrap") for c in range(noise.shape[2])], 2)


def coloured(clean, rng):
    """Noise that is correlated between neighbours, and perhaps between channels."""
    n_channels = clean.shape[2]
    noise = rng.normal(size=clean.shape)
    if n_channels == 3:
        kind = rng.random()
        if kind < 0.25:
            noise = np.repeat(noise[..., :1], 3, 2)
        elif kind < 0.6:
            mix = np.eye(3) + rng.uniform(-0.6, 0.6, (3, 3))
            noise = noise @ (mix / np.linalg.norm(mix, axis=0))
    std = spread(rng)
    if rng.random() < 0.3:
        std = std * np.sqrt(rng.uniform(0.02, 0.3) + clean)
    noise = filtered(noise, kernel(rng))
    if rng.random() < 0.3:
        noise = noise + rng.uniform(0.1, 1) * rng.normal(size=clean.shape)
    return std * noise


def speckle(clean, rng, correlated=0.3):
    """Noise in proportion to the light."""
    noise = rng.normal(size=clean.shape)
    if rng.random() < correlated:
        noise = filtered(noise, kernel(rng))
    return rng.uniform(0.02, 0.5) * clean * noise


def stripes(clean, rng):
    """Rows or columns with an offset each, on white noise."""
    height, width, n_channels = clean.shape
    size = (height, 1, n_channels) if rng.random() < 0.5 else (1, width, n_channels)
    std = spread(rng) / 2
    return std * rng.normal(size=size) + std * rng.uniform(0, 1.5) * rng.normal(size=clean.shape)


def impulses(clean, rng):
    """Dead and hot pixels, on weak white noise."""
    where = rng.random(clean.shape[:2]) < rng.uniform(0.001, 0.04)
    values = rng.choice([0.0, 1.0], clean.shape[:2])
    noise = rng.uniform(0, 15) / 255 * rng.normal(size=clean.shape)
    return np.where(where[..., None], values[..., None] - clean, noise)


# Most cameras smooth, color much more than light; raw converters may not.
CAMERAS = (
    CameraNoise(smoothing=(0.3, 1.3), chroma_smoothing=(0.8, 3.5), clip=None),
    CameraNoise(smoothing=(0.0, 0.6), chroma_smoothing=(0.0, 1.0), clip=None),
)

# Light and two differences of color, and the way back.
_YCC = np.array([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]])
_RGB = np.linalg.inv(_YCC)


def camera(clean, rng):
    """What a camera leaves, sharpened in some crops."""
    noise = CAMERAS[rng.random() < 0.3]._corrupt(clean[None], rng)[0] - clean
    if rng.random() < 0.3:
        blurred = gaussian_filter(noise, (*[rng.uniform(0.7, 2)] * 2, 0))
        noise = noise + rng.uniform(0.2, 1.2) * (noise - blurred)
    return noise


NOISES = {
    white: 0.27,
    photons: 0.11,
    camera: 0.25,
    coloured: 0.26,
    speckle: 0.04,
    stripes: 0.03,
    impulses: 0.04,
}
# Grey pictures come from scanners and microscopes more than from cameras.
GREY_NOISES = {
    white: 0.34,
    photons: 0.14,
    camera: 0.10,
    coloured: 0.31,
    speckle: 0.04,
    stripes: 0.03,
    impulses: 0.04,
}
# Of these, that of a pixel and channel tells nothing of another.
INDEPENDENT_NOISES = {
    partial(white, alike=0): 0.68,
    photons: 0.22,
    partial(speckle, correlated=0): 0.10,
}
# Of these, neighbors always tell something of each other, once they went through JPEG.
_WHITE = (white, photons, speckle)

# Noise that is correlated hides among what it lies on, and is seen too weak: where it is seen at
# all, more than its level is wanted. On real photographs, one and a half times of it is best.
SEEN = {camera: 1.4, coloured: 1.15}


def through_jpeg(image, quality, subsampling):
    """A crop of 8 bits, stored and read back."""
    file = io.BytesIO()
    pixels = (image.clip(0, 1) * 255).round().astype(np.uint8)
    pixels = pixels[..., 0] if image.shape[2] == 1 else pixels
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return (np.asarray(Image.open(file), np.float32) / 255).reshape(image.shape)


def crop(pictures, side, n_channels, rng):
    """A clean crop in [0, 1]: turned, flipped, recoloured, smoothed."""
    names = list(SHARES)
    images = pictures[names[rng.choice(len(names), p=list(SHARES.values()))]]
    image = images[rng.integers(len(images))]
    lack = [max(0, side - n) for n in image.shape[:2]]
    if any(lack):
        image = np.pad(image, [(0, n) for n in lack] + [(0, 0)], mode="symmetric")
    y, x = (rng.integers(n - side + 1) for n in image.shape[:2])
    out = image[y : y + side, x : x + side].astype(np.float32) / 255
    out = np.rot90(out[:, ::-1] if rng.random() < 0.5 else out, rng.integers(4))
    if rng.random() < 0.25:  # dimmer or lighter, as films and sensors are
        out = out * rng.uniform(0.15, 1.2)
        out = out.clip(0, 1) ** rng.uniform(0.7, 1.5)
    if n_channels == 1:
        return out @ np.float32(_YCC[0])[:, None]
    kind = rng.random()
    if kind < 0.3:
        grey = out.mean(2, keepdims=True)
        out = (grey + rng.uniform(0.3, 1.8) * (out - grey))[..., rng.permutation(3)]
    elif kind < 0.34:  # grey, or nearly so
        out = np.repeat(out @ np.float32(_YCC[0])[:, None], 3, 2) * rng.uniform(0.9, 1, 3)
    return out.clip(0, 1).astype(np.float32)


def pair(pictures, side, n_channels, rng, independent=None):
    """A noisy crop and the clean one, float32 of shape (side, side, n_channels), and their map.

    Of noise of all kinds, and none; or only of that which is independent from pixel to pixel, or
    is not, and none.
    """
    clean = crop(pictures, side, n_channels, rng)
    if rng.random() < 0.14:
        if rng.random() < 0.4:
            clean = through_jpeg(clean, int(rng.integers(60, 100)), int(rng.choice([0, 2])))
        if rng.random() < 0.7:
            clean = (clean * 255).round() / np.float32(255)
        return clean, clean, level_map(clean, clean)
    shares = NOISES if n_channels == 3 else GREY_NOISES
    shares = INDEPENDENT_NOISES if independent else shares
    noise = list(shares)[rng.choice(len(shares), p=list(shares.values()))]
    soft = 0.6 if noise is camera else 0.2
    if rng.random() < soft:  # optics and resampling smooth what there is to see
        s = rng.uniform(0.3, 1.0)
        clean = gaussian_filter(clean, (s, s, 0))
        if n_channels == 3 and noise is camera:
            parts = clean @ np.float32(_YCC.T)
            s = rng.uniform(0, 2)
            parts[..., 1:] = gaussian_filter(parts[..., 1:], (s, s, 0))
            clean = (parts @ np.float32(_RGB.T)).clip(0, 1)
    added = noise(clean, rng)
    if rng.random() < 0.15:  # in a part of the crop alone, or fading
        added = added * fading(side, rng)
    ends = (clean == 0) | (clean == 1)
    if ends.mean() > 0.1 and rng.random() < 0.5:  # what is masked has no noise
        added = np.where(ends.all(2, keepdims=True), 0, added)
    noisy = clean + added
    clipped = rng.random() < (0.9 if noise is camera else 0.55)
    of_jpeg = 0.0 if independent else 0.55 if noise is camera else 0.25
    if independent is False and noise in _WHITE:
        clipped, of_jpeg = True, 1.0
    if clipped:
        noisy = noisy.clip(0, 1)
        kind = rng.random()
        if kind < of_jpeg:
            quality = int(rng.integers(40, 99))
            noisy = through_jpeg(noisy, quality, int(rng.choice([0, 2])))
        elif kind < 0.8:
            noisy = (noisy * 255).round() / 255
    noisy, clean = noisy.astype(np.float32), clean.astype(np.float32)
    return noisy, clean, SEEN.get(noise, 1.0) * level_map(noisy, clean)


def fading(side, rng):
    """A smooth factor from 0 to 1, or a sharp edge, (side, side, 1)."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:side, :side] / side - 0.5
    width = rng.choice([0.01, rng.uniform(0.1, 1)])
    along = (x * np.cos(angle) + y * np.sin(angle) - rng.uniform(-0.3, 0.3)) / width
    return (0.5 + 0.5 * np.tanh(along))[..., None]


def level_map(noisy, clean):
    """The local root mean square of the noise, over channels and 17 × 17 pixels."""
    square = ((noisy - clean) ** 2).mean(2)
    return np.sqrt(uniform_filter(square, 17, mode="reflect").clip(0))[..., None]
