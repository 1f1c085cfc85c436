"""Write the generated pages of the documentation: ``python docs/pages.py``.

Results come from benchmarks/results, the studies' page from examples/studies/results.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "examples" / "studies")]

import quality
from _study import PICTURES, RESULTS, markdown

STUDIES = """\
<!-- Written by docs/pages.py from the results of the studies; change those. -->

# Five studies

Student projects have trained denoising autoencoders on small images, and reported what they saw.
Here are five of them, in a few lines of skdae each, with the studies' numbers beside ours. All
errors are those of test images, which no net has seen, with values in [0, 1]; PSNR and SSIM are
means over the images. `make studies` runs them again; `SKDAE_DATA` names the folder of the data,
and `ARGS="--seconds 30"` sets the processor time that each net may take. That budget decides for
how many epochs a net is trained, so the numbers move a little from machine to machine; longer
training improves most of them.
"""


def results():
    """The page of the results."""
    return quality.page(quality.DATA, quality.read_results(quality.RESULTS))


def studies():
    """The page of the studies."""
    paths = sorted((ROOT / RESULTS).glob("*.json"))
    return "\n".join([STUDIES, *(study(path.stem, json.loads(path.read_text())) for path in paths)])


def study(name, results):
    """One study: what it was, the numbers, the pictures, how the nets were trained."""
    folder = PICTURES.relative_to("docs").as_posix()
    parts = [
        f"## {results['title']}",
        results["about"],
        *map(markdown, results["tables"]),
        *results["notes"],
        *(
            f"![{p['caption']}]({folder}/{p['file']})\n\n*{p['caption']}.*"
            for p in results["pictures"]
        ),
        f"From `python examples/studies/{name}.py --seconds {results['budget']:g}`, "
        f"{results['date']}, {results['machine']}; {results['seconds'] / 60:.0f} minutes in all. "
        "Training took:",
        markdown(results["training"]),
    ]
    return "\n\n".join(parts) + "\n"


PAGES = {"results.md": results, "studies.md": studies}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page(), encoding="utf-8")
        print(f"docs/{name} is written.")
