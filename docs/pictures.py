"""Draw the pictures of the front page and the guide: ``python docs/pictures.py``.

The digits of the front page are those of ``make demo``, and thumbnails of the gallery are parts of
the figures that ``make docs`` has drawn.
"""

import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter
from sklearn.base import clone
from sklearn.datasets import load_sample_image, load_sample_images
from sklearn.model_selection import train_test_split

from skdae import (
    ConformalDenoiser,
    DenoisingAutoencoder,
    GaussianNoise,
    Noise2VoidDenoiser,
    Occlusion,
    PoissonNoise,
    PretrainedDenoiser,
    RecorruptedDenoiser,
    SaltPepper,
    StripeNoise,
)
from skdae.datasets import load_digits_images
from skdae.metrics import peak_signal_noise_ratio

IMAGES = Path(__file__).parent / "images"
WINDOW = slice(20, 340), slice(180, 580)


def photographs():
    """A photograph with the noise of a dark evening, and what a pretrained network makes of it."""
    X_clean = load_sample_image("flower.jpg")[None] / 255
    X_noisy = GaussianNoise(std=35 / 255, random_state=0).fit_transform(X_clean)
    X_denoised = PretrainedDenoiser().fit(X_noisy).predict(X_noisy)
    return X_clean, {"noisy": X_noisy, "denoised": X_denoised}


def folder():
    """The files of the page on folders, noisy and denoised."""
    china, flower = load_sample_images().images
    scenes = [china[:96, :96], china[150:230, 200:320], flower[160:224, 240:336]]
    camera = GaussianNoise(std=0.1, random_state=0)
    noisy = [(camera.fit_transform(x[None])[0] * 255).round().astype("uint8") for x in scenes]
    denoised = PretrainedDenoiser().fit(noisy).predict(noisy)
    figure, axes = plt.subplots(2, 3, figsize=(5, 3.1), layout="constrained")
    for column, images in zip(axes.T, zip(noisy, denoised, strict=True), strict=True):
        for ax, image in zip(column, images, strict=True):
            ax.imshow(image)
    for ax, name in zip(axes[:, 0], ("noisy", "denoised"), strict=True):
        ax.set_ylabel(name)
    return figure


def micrograph(side=200):
    """Cells on a dark ground, in photons."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:side, : side * 7 // 5]
    image = np.zeros(y.shape)
    for row, column, radius, light in rng.uniform((0, 0, 8, 0.3), (*y.shape, 26, 1), (22, 4)):
        distance = np.hypot(y - row, x - column) / radius
        image = np.maximum(image, light * (distance < 1) * (0.5 + 0.5 * distance**2))
    texture = gaussian_filter(rng.normal(size=image.shape), 2)
    return 1 + 30 * gaussian_filter(image * (1 + 0.2 * texture / texture.std()), 1).clip(0)


def half_denoised(X_noisy):
    """An image of which the right half is denoised, behind a white line."""
    card = X_noisy[0].copy()
    middle = card.shape[1] // 2
    card[:, middle:] = PretrainedDenoiser().fit(X_noisy).predict(X_noisy)[0, :, middle:]
    card[:, middle] = card.max()
    return card


def service():
    """Lines of code, as a terminal shows them."""
    figure = plt.figure(figsize=(2.8, 2), facecolor="#1b1f24")
    lines = ['save(dae, "d.safetensors")', "", 'load("d.safetensors")', "    .predict(X_noisy)", ""]
    text = "\n".join([*lines, 'dae.to_onnx("d.onnx")'])
    figure.text(0.06, 0.5, text, color="#e6edf3", family="monospace", fontsize=11, va="center")
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3] / 255
    plt.close(figure)
    return pixels


def thumbnails():
    """Pictures of cards: four noises, what is half denoised, and lines of code."""
    china, flower = (image / 255 for image in load_sample_images().images)
    temple = china[None, 150:250, 200:340]
    noises = [
        GaussianNoise(0.2, random_state=0),
        SaltPepper(0.2, random_state=0),
        StripeNoise(0.2, random_state=0),
        Occlusion(30, random_state=3),
    ]
    kinds = [noise.fit_transform(temple)[0] for noise in noises]
    cards = {"noises": np.vstack([np.hstack(kinds[:2]), np.hstack(kinds[2:])])}
    flower = flower[None, 80:260, 190:442]
    X_noisy = GaussianNoise(35 / 255, random_state=0).fit_transform(flower)
    cards["flower"] = half_denoised(X_noisy)
    counts = PoissonNoise(peak=1.0, random_state=0).fit_transform(micrograph()[None])
    # Brightened, for the eye.
    cards["micrographs"] = (half_denoised(counts).clip(0) / counts.max()) ** 0.6
    cards["service"] = service()
    return cards


def page_of_text(height=200, width=280):
    """Lines of a page, dark on light."""
    page = Image.new("L", (width, height), 244)
    words = "the noise of a scanner lies on paper and ink alike and hides thin strokes of letters"
    lines = textwrap.wrap(f"{words}; {words}.", 24)
    font = ImageFont.truetype(font_manager.findfont("DejaVu Serif"), 19)
    for i, line in enumerate(lines):
        ImageDraw.Draw(page).text((10, 8 + 26 * i), line, fill=40, font=font)
    return np.asarray(page) / 255


def volume(tau=2 * np.pi):
    """Slices of a ball with a pattern, one behind the other."""
    z, y, x = np.mgrid[-0.6:0.6:7j, -1:1:70j, -1:1:90j]
    inside = np.sqrt(z**2 + y**2 + (0.8 * x) ** 2) < 0.9
    stack = inside * (0.55 + 0.35 * np.sin(tau * (x + z)) * np.cos(tau * y))
    sheet = np.ones((200, 280))
    # The last is the farthest, and those before it hide a part of it.
    for i, image in reversed([*enumerate(stack)]):
        row, column = 12 + 17 * (6 - i), 20 + 24 * i
        sheet[row - 2 : row + 72, column - 2 : column + 92] = 1
        sheet[row : row + 70, column : column + 90] = image
    return sheet


def drawing(plot):
    """The pixels of a chart that a function draws on axes without numbers."""
    figure, ax = plt.subplots(figsize=(2.8, 2), dpi=200, layout="constrained")
    plot(ax)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set(xticks=[], yticks=[])
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3] / 255
    plt.close(figure)
    return pixels


def plot_signals(ax):
    """Heartbeats, noisy above and clean below."""
    time = np.arange(500)
    beats = np.exp(-(((time % 125) - 50) ** 2) / 12)
    waves = beats + 0.3 * np.exp(-(((time % 125) - 85) ** 2) / 160)
    noisy = waves + np.random.default_rng(0).normal(0, 0.13, time.size)
    ax.plot(time, noisy + 1.7, color="0.5", linewidth=0.8)
    ax.plot(time, waves, color="#0072B2", linewidth=1.6)


def plot_loss(ax):
    """A loss that falls."""
    steps = np.arange(1, 60)
    loss = steps**-0.6
    noise = np.random.default_rng(0).normal(0, 0.03, steps.size)
    ax.plot(steps, loss * (1 + noise) - 0.03, color="#D55E00")
    ax.plot(steps, loss + 0.04, color="#0072B2", linewidth=2)
    ax.set(xlabel="epoch", ylabel="loss")


def plot_scores(ax):
    """PSNR of noisy images, two filters and a network, as on the front page."""
    values = {"network": 16.6, "Gaussian": 12.3, "median": 11.2, "noisy": 10.8}
    colors = ["#0072B2", *["0.6"] * 3]
    ax.barh([*reversed(values)], [*reversed(values.values())], color=[*reversed(colors)])
    ax.tick_params(left=False)
    ax.set_xlabel("PSNR in dB")


def in_tiles(image, side=70):
    """An image that is cut into tiles."""
    rows = [
        np.pad(image[y : y + side, x : x + side], ((3, 3), (3, 3), (0, 0)), constant_values=1)
        for y in range(0, 3 * side, side)
        for x in range(0, 4 * side, side)
    ]
    return np.vstack([np.hstack(rows[i : i + 4]) for i in range(0, 12, 4)])


def digits():
    """Four digits, noisy above and denoised below."""
    X_train, X_test = train_test_split(load_digits_images().images, random_state=0)
    noise = GaussianNoise(0.25, random_state=0)
    X_noisy = noise.fit_transform(X_test)
    dae = DenoisingAutoencoder("dense", noise=noise, max_epochs=60, random_state=0).fit(X_train)
    rows = [X[4:8].repeat(8, axis=1).repeat(8, axis=2) for X in (X_noisy, dae.predict(X_noisy))]
    framed = [np.pad(X, ((0, 0), (18, 18), (3, 3)), constant_values=1) for X in rows]
    return np.vstack([np.hstack([*X]) for X in framed])


def plot_choice(ax):
    """A question with two answers, each of which leads to a box."""
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": "0.3"}
    arrow = {"arrowstyle": "->", "color": "0.3", "linewidth": 1.5}
    for x, name, color in ((0.22, "yes", "#0072B2"), (0.78, "no", "#D55E00")):
        answer = {**box, "edgecolor": color, "linewidth": 2}
        ax.annotate("", (x, 0.34), (0.5, 0.72), arrowprops=arrow)
        ax.text(x, 0.2, name, ha="center", va="center", bbox=answer, color=color, size=13)
    ax.text(0.5, 0.8, "Clean images?", ha="center", va="center", bbox=box, size=13)
    ax.spines[:].set_visible(False)


def guide():
    """Pictures of the cards of the guide."""
    china, _ = (image / 255 for image in load_sample_images().images)
    camera = GaussianNoise(25 / 255, random_state=0)
    page = GaussianNoise(0.16, random_state=0).fit_transform(page_of_text()[None])
    return {
        "choose": drawing(plot_choice),
        "denoisers": half_denoised(camera.fit_transform(china[None, 40:220, 60:312])),
        "documents": half_denoised(page),
        "signals": drawing(plot_signals),
        "volumes": volume(),
        "digits": digits(),
        "train": drawing(plot_loss),
        "evaluate": drawing(plot_scores),
        "scale": in_tiles(china[100:310, 160:440]),
    }


def without_clean_data():
    """Digits, denoised by networks that learned from one copy, two copies and clean images."""
    X_train, X_test = train_test_split(load_digits_images().images, random_state=0)
    noises = [GaussianNoise(0.3, clip=None, random_state=seed) for seed in (1, 2)]
    first, second = (noise.fit_transform(X_train) for noise in noises)
    X_noisy = noises[0].transform(X_test)
    options = {"max_epochs": 60, "random_state": 0}
    network = DenoisingAutoencoder("dense", **options)
    rows = {
        "noisy": X_noisy,
        "one copy,\nhidden pixels": Noise2VoidDenoiser(max_epochs=30, random_state=0).fit(first),
        "one copy,\nrecorrupted": RecorruptedDenoiser("dense", **options).fit(first),
        "two copies": clone(network).fit(first, second),
        "clean images": clone(network).fit(first, X_train),
        "clean": X_test,
    }
    figure, axes = plt.subplots(len(rows), 4, figsize=(4.2, 5.2), layout="constrained")
    for row, (name, X) in zip(axes, rows.items(), strict=True):
        X = X if name in ("noisy", "clean") else X.predict(X_noisy)
        psnr = "" if name == "clean" else f"\n{peak_signal_noise_ratio(X_test, X):.1f} dB"
        row[0].set_ylabel(name + psnr, rotation=0, ha="right", va="center")
        for ax, image in zip(row, X, strict=False):
            ax.imshow(image, cmap="gray", vmin=0, vmax=1)
    return figure


def intervals():
    """A denoised photograph, how wide its intervals are, and how wrong it is."""
    china, flower = (image / 255 for image in load_sample_images().images)
    noise = GaussianNoise(std=35 / 255, random_state=0)
    corners = [(y, x) for y in range(0, 289, 96) for x in range(208, 497, 96)]
    tiles = [photo[y : y + 96, x : x + 96] for photo in (china, flower) for y, x in corners]
    denoiser = ConformalDenoiser(PretrainedDenoiser(), coverage=0.9).fit(noise.fit_transform(tiles))
    denoiser = denoiser.conformalize(noise.transform(tiles), tiles)
    X_clean = china[None, 96:206, :200]
    X_denoised, ends = denoiser.predict_interval(noise.transform(X_clean))
    widths, errors = (
        (ends[1] - ends[0])[0].mean(axis=-1),
        abs(X_denoised - X_clean)[0].mean(axis=-1),
    )
    figure, axes = plt.subplots(3, 1, figsize=(4.2, 7.6), layout="constrained")
    pictures = {
        "denoised": (X_denoised[0].clip(0, 1), None),
        "width of the intervals": (widths, "magma"),
        "error": (errors, "magma"),
    }
    for ax, (name, (picture, colors)) in zip(axes, pictures.items(), strict=True):
        shown = ax.imshow(picture, cmap=colors, vmin=0, vmax=np.quantile(picture, 0.99))
        ax.set_title(name, fontsize="medium")
        if colors:
            figure.colorbar(shown, ax=ax, shrink=0.8)
    return figure


def save_cards(kind, cards):
    """Write pictures of one size, by name."""
    for name, card in cards.items():
        pixels = Image.fromarray((card.clip(0, 1) * 255).round().astype("uint8"))
        pixels.resize((560, 400)).save(IMAGES / f"{kind}_{name}.jpg", quality=85)
        print(f"{kind}_{name}.jpg is drawn.")


def runs(filled):
    """Slices without a break; those up to half as long as the longest, as of text, are left out."""
    ends = np.flatnonzero(np.diff(np.r_[0, filled, 0])).reshape(-1, 2)
    lengths = np.ptp(ends, axis=1)
    return [slice(*pair) for pair in ends[lengths > lengths.max() / 2]]


def panels(path):
    """Rows of the pictures in a figure, as arrays."""
    figure = np.asarray(Image.open(path).convert("RGB")) / 255
    is_filled = figure.min(axis=-1) < 0.9
    # Text below the pictures is as wide as they are, but fills little of its lines.
    rows, columns = (
        runs((is_filled.mean(axis=a) > t).astype(int)) for a, t in ((1, 0.3), (0, 0.1))
    )
    return [[figure[row, column] for column in columns] for row in rows]


# Of a figure, the rows and columns that are shown.
ENLARGED = {
    "gallery/plot_03_architectures_001": ([1, 3, 5], [0, 4, 7]),
    "gallery/plot_09_outliers_001": ([0, 1], [1, 4, 6]),
    "gallery/plot_10_own_noise_and_net_001": ([1, 2], [0, 3]),
    "course/plot_2_codes_002": ([0, 1], [0, 2, 4, 7]),
    "course/plot_4_occlusion_001": ([1, 5], [0, 3, 7]),
    "course/plot_5_super_resolution_001": ([1, 5], [0, 5]),
    "course/plot_7_pix2pix_001": ([1, 2, 3], [0, 1, 2, 3]),
    "course/plot_8_without_clean_images_001": ([1, 3], [6, 7]),
    "studies/a_digits": ([1, 3], [0, 1, 2]),
    "studies/b_enlarged": ([1, 3], [3, 4]),
    "studies/c_images": ([1, 3], [0, 1, 2]),
    "studies/d_gaussian": ([1, 2], [1, 3, 5]),
    "studies/e_digits": ([1, 4], [0, 3]),
}


def sheet(pictures, width=560, height=400, gap=10):
    """Rows of square pictures, as large as they can be."""
    n, m = len(pictures), len(pictures[0])
    side = min((height - gap) // n, (width - gap) // m) - gap
    whole = Image.new("RGB", (width, height), "white")
    corner = [(x - k * (side + gap) + gap) // 2 for x, k in ((width, m), (height, n))]
    for i, j in np.ndindex(n, m):
        picture = Image.fromarray((255 * pictures[i][j]).round().astype("uint8"))
        place = corner[0] + j * (side + gap), corner[1] + i * (side + gap)
        whole.paste(picture.resize((side, side), Image.Resampling.BOX), place)
    return np.asarray(whole) / 255


def enlarged():
    """Thumbnails of examples whose figures have many small pictures: some of these, by name."""
    found = {}
    for name, (rows, columns) in ENLARGED.items():
        folder, stem = name.split("/")
        built = IMAGES.parent / folder / f"images/sphx_glr_{stem}_2_00x.png"
        pictures = panels(IMAGES / f"{name}.png" if folder == "studies" else built)
        found[stem[:-4] if "_00" in stem else stem] = sheet(
            [[pictures[i][j] for j in columns] for i in rows]
        )
    (photograph,), (widths,), _ = panels(IMAGES / "intervals.png")
    found["intervals"] = np.hstack([x[2:368, 336:595] for x in (photograph, widths)])
    return found


if __name__ == "__main__":
    X_clean, images = photographs()
    for name, X in images.items():
        pixels = (X[0][WINDOW] * 255).round().astype("uint8")
        Image.fromarray(pixels).save(IMAGES / f"photograph_{name}.jpg", quality=90, subsampling=0)
        print(f"{name}: {peak_signal_noise_ratio(X_clean, X):.1f} dB")
    save_cards("card", thumbnails())
    save_cards("guide", guide())
    wide = Image.fromarray((half_denoised(images["noisy"])[:336] * 255).round().astype("uint8"))
    wide.save(IMAGES.parent / "_static" / "social.jpg", quality=85)
    for draw in (folder, without_clean_data, intervals):
        figure = draw()
        for ax in figure.axes:
            if ax.images:
                ax.set(xticks=[], yticks=[])
        figure.savefig(IMAGES / f"{draw.__name__}.png", dpi=200)
        print(f"{draw.__name__}.png is drawn.")
    save_cards("thumb", enlarged())
