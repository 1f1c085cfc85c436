"""Which pages of the guide a page of the API reference links to: those that use its name most."""

import re
from pathlib import Path

DOCS = Path(__file__).parent
MOST = 3

# First if they use a name, and where no page does.
OF_MODULE = {
    "skdae.architectures": ["architectures"],
    "skdae.base": ["extending"],
    "skdae.datasets": ["mnist", "folder"],
    "skdae.filters": ["denoisers"],
    "skdae.metrics": ["evaluation"],
    "skdae.model_selection": ["evaluation"],
    "skdae.noise": ["noise"],
    "skdae.plotting": ["evaluation"],
    "skdae": ["denoisers"],
}


def listed():
    """Module and name of each page of the API reference."""
    for section in (DOCS / "api.rst").read_text("utf-8").split(".. currentmodule:: ")[1:]:
        module = section.split()[0]
        for table in re.findall(r"    :caption: .+\n\n((?:    \w+\n)+)", section):
            yield from ((module, name) for name in table.split())


def links():
    """Pages of the guide by full name, those first that use it most."""
    pages = {page.stem: page.read_text("utf-8") for page in (DOCS / "guide").glob("*.rst")}
    # They name nearly all.
    for page in ("index", "choose", "pitfalls"):
        del pages[page]
    found = {}
    for module, name in listed():
        uses = {page: len(re.findall(rf"\b{name}\b", text)) for page, text in pages.items()}
        home = OF_MODULE[module]
        best = sorted(filter(uses.get, uses), key=lambda x: (x not in home, -uses[x], x))
        found[f"{module}.{name}"] = best[:MOST] or home
    return found
