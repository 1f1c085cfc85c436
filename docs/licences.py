"""Write docs/licences.md: what skdae installs, with its versions and licences.

Run as ``python docs/licences.py`` where ``skdae[baselines,onnx]`` is installed. ``licences()`` is
the list that the tests hold against the page and against what may be used.
"""

import re
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAGE = Path(__file__).with_name("licences.md")
EXTRAS = ("", "baselines", "onnx")
# CUDA and Triton, which torch brings on Linux with a GPU: proprietary, and not skdae's to choose.
OF_TORCH = re.compile(r"(nvidia|cuda|triton)")


def dependencies():
    """Names of all distributions that skdae needs, with those that they need."""
    todo, seen = [("skdae", extra) for extra in EXTRAS], set()
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for text in distribution(name).requires or ():
            need = Requirement(text)
            wanted = need.marker is None or need.marker.evaluate({"extra": extra})
            if wanted and not OF_TORCH.match(canonicalize_name(need.name)):
                todo += [(canonicalize_name(need.name), extra) for extra in ("", *need.extras)]
    return sorted({name for name, _ in seen} - {"skdae"})


def licence(name):
    """What a distribution says about its licence, in a few words."""
    metadata = distribution(name).metadata
    classified = [c.split(" :: ")[-1] for c in metadata.get_all("Classifier", []) if "License" in c]
    specific = ", ".join(c for c in classified if c != "OSI Approved")
    # Some give the whole text here.
    text = (metadata.get("License") or "").strip().partition("\n")[0]
    return metadata.get("License-Expression") or specific or text or "unknown"


def licences():
    """Licence of each dependency, by name."""
    return {name: licence(name) for name in dependencies()}


def page():
    """The page as text."""
    rows = "\n".join(f"| {name} | {text} |" for name, text in licences().items())
    return (
        "# Licences\n\nWhat `pip install skdae[baselines,onnx]` installs, and under which licence, "
        "from the packages' own metadata. skdae itself is BSD-3-Clause. On Linux with a GPU, torch "
        "also brings NVIDIA's CUDA libraries, which are proprietary. `python docs/licences.py` "
        f"writes this page.\n\n| Package | Licence |\n|---|---|\n{rows}\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
