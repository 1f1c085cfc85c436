"""Write the generated pages of the documentation: ``python docs/pages.py``.

Their numbers come from benchmarks/results.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import harm
import photographs
import quality
import weights

RESULTS = ROOT / "benchmarks" / "results"


def results():
    """The page of the results."""
    page = quality.page(quality.DATA, quality.read_results(quality.RESULTS))
    return page + "\n" + photographs.section(weights.read_results(weights.RESULTS))


def chart():
    """The chart of the page of the results."""
    return quality.chart(quality.DATA, quality.read_results(quality.RESULTS))


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

- *Best Gaussian* is the Gaussian filter that is best for each image. Only the clean image tells
  which one that is, so nobody can use it: a hard opponent.
- *NL means* is `NLMeansFilter`, at a strength that suits the estimated noise.
- *Worse* counts the images that came out with at least 0.05 dB less than they went in, of
  `PretrainedDenoiser`.

{losses}

## The images

{sources}

Each image is a crop of 512 × 512 pixels with values from 0 to 255. Both images of a pair come from
the authors of the set, and the clean one is an average, so some noise is left in it. Images of W2S
are compared after the affine map of their values that fits best, as its authors do. The sets are
published for research and do not come with skdae. `make real` repeats the measurement where they
lie in the folder `SKDAE_DATA`. Measured {date}.

## Do no harm

A denoiser should leave a clean picture alone, and never make a noisy one worse. `make harm` tries
that on {kinds} pictures of many kinds: photographs, a page of text, charts, screens, line art,
stars, masked and clipped images. White noise of a σ of 2, 5, 10 and 25 of 255 is added to each of
them.

- Of {n_noisy} noisy pictures, **{n_worse} came out worse** than they went in.
- Of {kinds} clean pictures, **{n_changed} were changed** by more than 45 dB allows{changed}.

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
        changed=f" ({', '.join(map(spaced, changed))})" if changed else "",
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
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page(), encoding="utf-8")
        print(f"docs/{name} is written.")
