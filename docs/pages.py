"""Write the generated page of the documentation: ``python docs/pages.py``.

Results come from benchmarks/results.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import photographs
import quality
import weights


def results():
    """The page of the results."""
    page = quality.page(quality.DATA, quality.read_results(quality.RESULTS))
    return page + "\n" + photographs.section(weights.read_results(weights.RESULTS))


PAGES = {"results.md": results}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page(), encoding="utf-8")
        print(f"docs/{name} is written.")
