"""Write docs/studies.md from what the studies have saved; `make studies` ends with it."""

import json

from _study import PICTURES, RESULTS, ROOT, markdown

INTRODUCTION = """\
# Five studies

<!-- Written by examples/studies/page.py from the results of the studies; change those. -->

Student projects have trained denoising autoencoders on small images, and reported what they saw.
Here are five of them, each in less than a hundred lines with skdae, and the studies' figures beside
ours. All errors are those of test images, which no net has seen, with values in [0, 1]; PSNR and
SSIM are means over the images. `make studies` runs them again; `SKDAE_DATA` names the folder of the
data, and `ARGS="--seconds 30"` sets the processor time that each net may take. That budget decides
for how many epochs a net is trained, so the figures move a little from machine to machine; longer
training improves most of them.
"""


def page():
    """The page, in Markdown."""
    paths = sorted((ROOT / RESULTS).glob("*.json"))
    studies = [section(path.stem, json.loads(path.read_text())) for path in paths]
    return "\n".join([INTRODUCTION, *studies])


def section(name, study):
    """One study: what it was, the figures, the pictures, how the nets were trained."""
    folder = PICTURES.relative_to("docs").as_posix()
    parts = [
        f"## {study['title']}",
        study["about"],
        *map(markdown, study["tables"]),
        *study["notes"],
        *(
            f"![{p['caption']}]({folder}/{p['file']})\n\n*{p['caption']}.*"
            for p in study["pictures"]
        ),
        f"From `python examples/studies/{name}.py --seconds {study['budget']:g}`, {study['date']}, "
        f"{study['machine']}; {study['seconds'] / 60:.0f} minutes in all. Training took:",
        markdown(study["training"]),
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    path = ROOT / "docs" / "studies.md"
    path.write_text(page())
    print(f"{path} is written.")
