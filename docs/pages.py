"""Write the generated pages of the documentation: ``python docs/pages.py``.

Their numbers come from benchmarks/results.
"""

import json
import sys
from itertools import product
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import harm
import photographs
import quality
import weights

RESULTS = ROOT / "benchmarks" / "results"


def results():
    """The page of the results."""
    learned = page(quality.DATA, quality.read_results(quality.RESULTS))
    return learned + "\n" + nets(weights.read_results(weights.RESULTS))


def chart():
    """The chart of the page of the results."""
    return drawn_chart(quality.DATA, quality.read_results(quality.RESULTS))


# What learned from clean images

LEVELS = {
    "Gaussian": "σ {std:.3g} ({of_255:.0f} of 255)",
    "Poisson": "{peak:g} photons where the image is 1",
    "salt-and-pepper": "{amount:.0%} of the pixels",
    "speckle": "x + x · n, n of σ {std:g}",
    "occlusion": "{size} rows or columns set to {value:g}",
}


def level(noise, name):
    """Level and clipping of a noise, in words."""
    # All images of the benchmark lie in [0, 1].
    clip = (0, 1) if noise.clip == "auto" else noise.clip
    clipped = "not clipped" if clip is None else "clipped to [{:g}, {:g}]".format(*clip)
    params = noise.get_params()
    words = LEVELS[name].format(**params, of_255=255 * params.get("std", 0))
    return f"{words}, {clipped}"


INTRODUCTION = """\
<!-- Written by docs/pages.py from benchmarks/results; do not edit it. -->

# Results

**{finding}** Longer training
improves the networks further. The pretrained network, which learns nothing from your images, is
[below](#pretraineddenoiser), and {{doc}}`real_noise` shows what it does to real noise.

```{{raw}} html
:file: images/results.svg
```
"""

METHOD = """\
## How it was measured

- All denoisers get the same noisy images. Each number is computed per image and averaged over the
  test images. Images lie in [0, 1], and `data_range` is 1. The noisy input is evaluated as it is;
  denoised images are clipped to [0, 1]. All seeds are {seed}.
- *Filters* learn nothing. Their parameters are the best of a few on {tuning} training images with
  the same noise. *Estimated* means that the filter estimates it from each image.
- *The study's network* comes from a student project on these images (on faces of 28 × 28 instead of
  CIFAR-10). It has the loss of the project, its optimizer where known, and noise drawn once, but
  is trained with fewer epochs and images. There was no such study of Set12.
- *skdae* is `DenoisingAutoencoder(UNet(), noise=...)` with its default parameters but for the
  number of epochs, trained on clean images with fresh noise at every step, on Set12 with crops of
  64 in batches of 8. It is larger than the study's network.
- Both networks are trained for about as long: seconds on digits and clothes, one to two minutes on
  CIFAR-10. With one network per noise model and one seed, differences of a few percent are not
  meaningful.

`make quality` computes the results that are missing, and `make quality ARGS=--fresh` computes all
of them, which takes some hours; `SKDAE_DATA` names the folder of the images. MSE, MAE, PSNR, SSIM
and training seconds of every denoiser are in `benchmarks/results/quality.jsonl`.
"""


def page(sets, records):
    """The page of some results."""
    parts = [INTRODUCTION.format(finding=gains(sets, records)), *quality_table(sets, records), ""]
    parts += [METHOD.format(seed=quality.SEED, tuning=quality.N_TUNING), "### Images", ""]
    parts += [*map(described, sets.values()), "", *machines(records)]
    return "\n".join(parts).rstrip() + "\n"


def by_noise(sets, records):
    """Data set, noise, the best filter and the PSNR of each denoiser, where there are results."""
    for data, noise in product(sets, quality.NOISES):
        figures = figures_of(data, noise, records)
        if figures:
            psnr = {row: values["psnr"] for row, values in figures.items()}
            yield data, noise, max(quality.FILTERS, key=lambda name: psnr.get(name, 0)), psnr


def gains(sets, records):
    """What the table says, in a sentence."""
    found = sorted(
        (psnr["skdae"] - psnr[best], f"{sets[data].title}, {noise}")
        for data, noise, best, psnr in by_noise(sets, records)
        if best in psnr and "skdae" in psnr
    )
    if not found:
        return "There is nothing to compare yet."
    least, most = (f"{gain:.1f} dB on {where}" for gain, where in (found[0], found[-1]))
    return (
        "A U-Net that learned for seconds to minutes on one thread beats the best of "
        f"{len(quality.FILTERS)} filters in {sum(gain > 0 for gain, _ in found)} of {len(found)} "
        f"comparisons, by {np.median([gain for gain, _ in found]):.1f} dB in the median "
        f"(least {least}; most {most})."
    )


MARKS = {  # of the chart: class, shape and name
    "noisy input": ("noisy", '<path d="M{x} {y}m-4 -4l8 8m0 -8l-8 8"/>', "noisy"),
    "filter": ("filter", '<rect x="{left}" y="{top}" width="8" height="8"/>', "best filter"),
    "the study's net": ("study", '<path d="M{x} {y}m0 -5l5 9h-10z"/>', "study"),
    "skdae": ("skdae", '<circle cx="{x}" cy="{y}" r="5"/>', "skdae"),
}


def drawn_chart(sets, records):
    """PSNR as marks on lines, in the colors of the page."""
    rows = list(by_noise(sets, records))
    low, high = 8, 44
    left, step, width = 148, 17, 560

    def place(value):
        return f"{left + (value - low) / (high - low) * (width - left - 12):.1f}"

    def mark(row, x, y):
        kind, shape, _ = MARKS[row]
        drawn = shape.format(x=x, y=y, left=float(x) - 4, top=y - 4)
        return f'<g class="{kind}">{drawn}</g>'

    parts, y, previous = [], 40, None
    for data, noise, best, psnr in rows:
        if data != previous:
            parts.append(f'<text class="title" x="2" y="{y + 12}">{sets[data].title}</text>')
            y, previous = y + 24, data
        values = {row: psnr.get(best if row == "filter" else row) for row in MARKS}
        values = {row: value for row, value in values.items() if value is not None}
        ends = [place(f(values.values())) for f in (min, max)]
        parts.append(f'<text class="note" x="12" y="{y + 4}">{noise}</text>')
        parts.append(f'<path class="line" d="M{ends[0]} {y}H{ends[1]}"/>')
        parts += [mark(row, place(value), y) for row, value in values.items()]
        y += step
    grid = []
    for value in range(10, high, 5):
        x = place(value)
        grid.append(f'<path class="grid" d="M{x} 34V{y}"/>')
        grid.append(f'<text x="{x}" y="{y + 14}">{value}</text>')
    grid.append(f'<text x="{place(26)}" y="{y + 32}">PSNR in dB; higher is better</text>')
    for i, (row, (_, _, name)) in enumerate(MARKS.items()):
        grid.append(mark(row, left + 8 + 104 * i, 14))
        grid.append(f'<text class="note" x="{left + 18 + 104 * i}" y="18">{name}</text>')
    label = "PSNR of noisy images, of the best filter, of a study's network and of skdae."
    return (
        f'<svg class="diagram chart" viewBox="0 0 {width} {y + 40}" role="img" '
        f'aria-label="{label} The table below has the numbers.">\n'
        + "\n".join([*grid, *parts])
        + "\n</svg>\n"
    )


def machines(records):
    """What ran the figures."""
    dates = {}
    for record in records.values():
        text = ", ".join(f"{name} {value}" for name, value in record["machine"].items())
        dates.setdefault(text, []).append(record["date"])
    yield from ["### Machine", ""]
    for text, days in dates.items():
        yield f"- {len(days)} results, {' to '.join(sorted({min(days), max(days)}))}: {text}"
    yield ""


def figures_of(data, noise, records):
    """Figures of all denoisers on one noise of one data set."""
    names = {row: quality.cell_name(data, noise, row) for row in quality.ROWS}
    return {row: records[name]["figures"] for row, name in names.items() if name in records}


def quality_table(sets, records):
    """PSNR of all data sets and noises; of the filters only the best."""
    yield from ["## Networks that learned from clean images", ""]
    yield "PSNR in dB, and the SSIM of skdae; higher is better. Noisy images are clipped to [0, 1],"
    yield from ["unless a row says that they are not.", ""]
    yield from ["```{table}", ":class: stacked", ""]
    yield "| images and noise | noisy | best filter | study | skdae | SSIM | which filter |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | --- |"
    for data, noise, best, psnr in by_noise(sets, records):
        figures = figures_of(data, noise, records)
        texts = _numbers([psnr.get(x) for x in ("noisy input", best, "the study's net", "skdae")])
        which = f"{best}, {figures[best]['chosen']}" if best in psnr else "–"
        ssim = "–" if "skdae" not in figures else f"{figures['skdae']['ssim']:.3f}"
        words = level(quality.noise_on(sets[data], noise), noise).removesuffix(
            ", clipped to [0, 1]"
        )
        yield f"| {sets[data].title}, {noise}: {words} | {' | '.join(texts)} | {ssim} | {which} |"
    yield "```"


def _numbers(values):
    """Numbers as text, the largest one bold."""
    texts = ["–" if value is None else f"{value:.2f}" for value in values]
    # Compared as texts: what looks equal is equally good.
    top = f"{max(v for v in values if v is not None):.2f}"
    return [f"**{text}**" if text == top else text for text in texts]


# The networks that come with skdae

SECTION = """\
## PretrainedDenoiser

`PretrainedDenoiser` learns nothing from your images. These are the PSNR in dB of its networks for
Gaussian noise of a σ of 15, 25 and 50 of 255, not clipped, seed 0. They see the level of the noise,
as by default, or are told it. They were not trained on these images; the 20 photographs served to
choose the network. *As published* are the numbers of the papers, whose networks are told the level
and learned white noise alone. `make weights` trains the networks, and `make photographs` measures
more.
"""

TITLES = {
    "20 photographs": "20 photographs of BSDS500",
    "11 colorful ones": "11 pictures of Yang et al. (2010)",
}


def nets(rows):
    """The part of the page of results on the networks: what the last stage of each has reached."""
    last = {row["net"]: row for row in rows}
    lines = [SECTION, "```{table}", ":class: stacked", ""]
    lines.append(
        "| images | denoiser | " + " | ".join(f"σ = {x}" for x in photographs.LEVELS) + " |"
    )
    lines.append("| --- | --- |" + " ---: |" * len(photographs.LEVELS))

    def add(images, denoiser, values):
        values = " | ".join(f"{value:.2f}" for value in values)
        lines.append(f"| {images} | {denoiser} | {values} |")

    for net, row in last.items():
        for name, values in row["psnr"].items():
            images = f"{TITLES.get(name, name)}, {'gray' if net == 'grey' else 'color'}"
            for method, figures in (
                photographs.PUBLISHED[name.lower()].items() if name == "Set12" else ()
            ):
                add(images, f"{method}, as published", figures)
            add(images, "PretrainedDenoiser", row["psnr, seen"][name])
            add(images, "the same, told the level", values)
    lines.append("```")
    return "\n".join(lines) + "\n"


def described(data):
    """A data set of `quality` as an item of a list."""
    cut = f"; the center of {data.side} × {data.side} pixels" if data.side else ""
    return (
        f"- {data.title}: the first {data.n_train:,} training images of `{data.train}`, the "
        f"first {data.n_test:,} test images of `{data.test}`{cut}."
    )


# Real noise

SETS = {
    "polyu": (
        "photographs of five cameras",
        "[PolyU](https://arxiv.org/abs/1804.02603), JPEG of cameras against the mean of many shots",
    ),
    "fmd": (
        "confocal and two-photon micrographs",
        "[FMD](https://arxiv.org/abs/1812.10366), one frame against the mean of 50",
    ),
    "fmd, wide field": (
        "wide-field micrographs",
        "[FMD](https://arxiv.org/abs/1812.10366), one frame against the mean of 50",
    ),
    "w2s": (
        "wide-field micrographs, after an affine fit",
        "[W2S](https://arxiv.org/abs/2003.05961), one exposure against the mean of 400",
    ),
}
ORDER = ("polyu", "fmd", "w2s", "fmd, wide field")

REAL = """\
<!-- Written by docs/pages.py from benchmarks/results; do not edit it. -->

# Real noise

White Gaussian noise is easy to make and easy to compare, but it is not what cameras and microscopes
record. Here is what `PretrainedDenoiser` with its defaults does to {images} images with real noise,
from which no network of skdae has learned. {finding}

PSNR in dB; higher is better.

```{{table}}
:class: stacked

{table}
```

- *Best Gaussian* is a Gaussian filter whose width is chosen for each image with the help of the
  clean one. In practice there is none, so it is a tough competitor.
- *NL means* is `NLMeansFilter`, at a strength that suits the estimated noise.
- *Worse* counts the images that `PretrainedDenoiser` made worse by at least 0.05 dB.

{losses}

## The images

{sources}

Each image is a crop of 512 × 512 pixels with values from 0 to 255. Both images of a pair come from
the authors of the set, and the clean one is an average, so some noise is left in it. Images of W2S
are compared after the affine map of their values that fits best, as its authors do. The sets are
published for research and do not come with skdae. `make real` repeats the measurement where they
lie in the folder `SKDAE_DATA`. Measured on {date}.

## Do no harm

A denoiser should leave a clean picture alone, and never make a noisy one worse. `make harm` tries
that on {kinds} pictures of many kinds: photographs, a page of text, charts, screens, line art,
stars, masked and clipped images, mosaics, dithered and printed pictures. White noise of a σ of 2,
5, 10 and 25 of 255 is added to each of them.

- Of {n_noisy} noisy pictures, **{n_worse} came out worse** than they went in.
- Of {kinds} clean pictures, **{n_changed} were changed** to a PSNR below 45 dB{changed}.

{worse}

## What does not work

- **Texture that is as irregular as noise**, such as grass, gravel or cloth, is partly removed.
- **Noise that went through strong JPEG compression** is seen as far too weak, and nearly all of it
  stays. At σ 25 and a JPEG quality of 30, 99 % is left.
- **Coarse grain** of more than about five pixels, and noise of a σ above 75 of 255, lie outside of
  what the networks have learned.
- **Details may be invented.** Do not draw conclusions from details that only the denoised image
  shows; {{doc}}`guide/intervals` says which pixels to trust.

What helps: tell the denoiser the level if you know it (`noise=`), lower the strength (`strength=`),
denoise the raw images instead of JPEG files, or fine-tune the network on your own noisy images with
`AdaptedDenoiser` ({{ref}}`adapt`). The {{doc}}`model_card` has more numbers, and says what the
networks were trained on.
"""


def real_noise():
    """The page on real noise."""
    rows = {row["set"]: row for row in read("real.jsonl")}
    sets = {name: rows[name] for name in ORDER}
    pictures = read("harm.jsonl")
    worse, changed, n_noisy = harm.count(pictures)
    return REAL.format(
        images=sum(row["images"] for row in sets.values()),
        finding=finding(sets),
        table=real_table(sets),
        losses=losses(sets),
        sources=sources(sets),
        date=max(row["date"] for row in sets.values()),
        kinds=len(pictures),
        n_noisy=n_noisy,
        n_worse=len(worse),
        n_changed=len(changed),
        changed=f" ({'; '.join(map(spaced, changed))})" if changed else "",
        worse=table(
            ("picture", "σ of 255", "gain in dB"),
            [(spaced(name), str(level), f"{gain:+.2f}") for name, level, gain in sorted(worse)],
        ),
    )


def read(name):
    """The rows of a file of results."""
    return [json.loads(line) for line in (RESULTS / name).read_text("utf-8").splitlines()]


def spaced(name):
    """A name without underscores."""
    return name.replace("_", " ")


def psnr(row, method):
    """The mean of a method over a set, in dB."""
    return row["methods"][method]["psnr"]


def finding(sets):
    """What the table says, in a sentence or two."""
    gains = [psnr(row, "PretrainedDenoiser") - psnr(row, "noisy") for row in sets.values()]
    beaten = [
        psnr(row, "PretrainedDenoiser") > psnr(row, "best Gaussian of each image")
        for row in sets.values()
    ]
    return (
        f"It gains {min(gains):.1f} to {max(gains):.1f} dB, depending on the set, and more than "
        f"non-local means. On {sum(beaten)} of {len(beaten)} sets it is also better than the best "
        "Gaussian filter of each image."
    )


def table(head, rows):
    """A table whose first column is text, and whose others are numbers."""
    lines = [head, ("---", *["---:"] * (len(head) - 1)), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def real_table(sets):
    """PSNR by set, the highest of a row in bold."""
    methods = ("noisy", "best Gaussian of each image", "NL means", "PretrainedDenoiser")
    rows = []
    for name, row in sets.items():
        texts = [f"{psnr(row, method):.2f}" for method in methods]
        texts = [f"**{text}**" if text == max(texts) else text for text in texts]
        worse = f"{row['methods']['PretrainedDenoiser']['worse']} of {row['images']}"
        title = f"{row['images']} {SETS[name][0]} ({name.partition(',')[0].upper()})"
        rows.append((title.replace("POLYU", "PolyU"), *texts, worse))
    head = ("images", "noisy", "best Gaussian", "NL means", "PretrainedDenoiser", "worse")
    return table(head, rows)


def losses(sets):
    """Where the network loses, in words."""
    lost = [
        f"On the {SETS[name][0]} of {name.partition(',')[0].upper()}, the best Gaussian filter is "
        f"{psnr(row, best) - psnr(row, 'PretrainedDenoiser'):.1f} dB better than the network: "
        "these images are so blurred that a wide filter takes away noise and hardly anything else."
        for name, row in sets.items()
        for best in ["best Gaussian of each image"]
        if psnr(row, best) > psnr(row, "PretrainedDenoiser")
    ]
    return "\n".join(lost)


def sources(sets):
    """Where the images come from."""
    lines = [f"- {row['images']} {SETS[name][0]}: {SETS[name][1]}." for name, row in sets.items()]
    return "\n".join(lines)


PAGES = {"results.md": results, "real_noise.md": real_noise, "images/results.svg": chart}

if __name__ == "__main__":
    for name, write in PAGES.items():
        (ROOT / "docs" / name).write_text(write(), encoding="utf-8")
        print(f"docs/{name} is written.")
