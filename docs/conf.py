"""How Sphinx builds the site. `make docs` calls it; try_it.py alone fetches from the network."""

import os
import re
import shutil
import sys
import warnings
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

os.environ.setdefault("MPLBACKEND", "Agg")

sys.path.insert(0, str(Path(__file__).parent))

import guide_links
import try_it
from alternative_texts import set_texts
from parameter_groups import group_parameters

import skdae

project = "skdae"
author = "The skdae developers"
copyright = "2026, the skdae developers"
version = release = skdae.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx_copybutton",
    "sphinx_design",
    "myst_parser",
]
# The gallery holds the folders of course and studies, and counts their files twice.
suppress_warnings = ["sphinx_gallery.duplicate_filename"]
templates_path = ["_templates"]
exclude_patterns = ["_build", "**/GALLERY_HEADER.rst", "**sg_execution_times.rst"]

# In docstrings `X` is a name in code, not a link.
default_role = "literal"

# Which pages of the guide an API page links to (_templates/autosummary).
autosummary_context = {"guide": guide_links.links()}

# A class page lists the methods by itself (_templates/autosummary/class.rst).
numpydoc_show_class_members = False
autodoc_typehints = "none"

# Beside a class page, methods by their own names.
toc_object_entries_show_parents = "hide"

# Numbered, and shown in that order. Course and studies have an index.rst of their own, which keeps
# their folders out of the gallery. The studies take half an hour and are not run: their names do
# not begin with plot_.
sphinx_gallery_conf = {
    "examples_dirs": ["../examples", "../examples/course", "../examples/studies"],
    "gallery_dirs": ["gallery", "course", "studies"],
    "copyfile_regex": r"index\.rst",
    "within_subsection_order": "FileNameSortKey",
    "minigallery_sort_order": "gallery_order.pretrained_first",
    "filename_pattern": "/plot_",
    # API pages list the examples that use them.
    "doc_module": "skdae",
    "backreferences_dir": "gallery/backreferences",
    "show_memory": False,
    "parallel": int(os.environ.get("WORKERS", "1")),
    "show_signature": False,
    "remove_config_comments": True,
    "image_srcset": ["2x"],
}

# A worker that an example has left with much memory is started anew; joblib warns of that.
warnings.filterwarnings("ignore", "A worker stopped while some jobs were given")

# `make docs ONLINE=1` links to the pages of other libraries; their lists come from the network.
intersphinx_mapping = (
    {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
        "skorch": ("https://skorch.readthedocs.io/en/stable", None),
        "matplotlib": ("https://matplotlib.org/stable", None),
    }
    if os.environ.get("ONLINE")
    else {}
)
# [source] leads to the source within the site.
viewcode_line_numbers = True

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = f"skdae {version}"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["skdae.css"]
html_js_files = ["site.js"]
# A path from where sphinx runs, if it is not absolute.
html_search_scorer = str(Path(__file__).parent / "scorer.js")
html_favicon = "_static/favicon.svg"
# Where the site lies, if anybody serves it: links to it then come with a picture.
html_baseurl = os.environ.get("SITE_URL", "")
DESCRIPTION = (
    "Remove noise from photographs, scans, micrographs and signals, with a pretrained network or "
    "your own, through the scikit-learn API."
)
html_theme_options = {
    "logo": {
        "image_light": "_static/logo_light.svg",
        "image_dark": "_static/logo_dark.svg",
        "alt_text": "skdae: home",
    },
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
# Pages that stand alone, and pictures that need the room.
html_sidebars = {
    page: []
    for page in (
        *(
            "index",
            "start",
            "try_it",
            "results",
            "real_noise",
            "compared",
            "reliability",
            "model_card",
            "glossary",
            "cite",
            "help",
            "license",
            "changes",
            "contributing",
        ),
        *("gallery/**", "course/**", "studies/**", "search", "genindex"),
    )
}

# Formulas are MathML, which browsers draw by themselves, with nothing from another server.
html_math_renderer = "mathml"


def inline_formula(translator, node):
    """Write a formula in a line of text."""
    translator.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def formula(translator, node):
    """Write a formula on a line of its own."""
    translator.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def mend_lists(app, page, template, context, doctree):
    """Leave out the role that docutils gives to references, whose children have none of a list."""
    if "body" in context:
        roles = '<div role="list" class="citation-list">'
        context["body"] = context["body"].replace(roles, '<div class="citation-list">')


def break_title(app, page, template, context, doctree):
    """Let the title of an API page break before a word of a name, where it has to."""
    if page.startswith("api/"):
        title = re.search(r"(?<=<h1>)[^<]+", context["body"])
        broken = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=_)", "<wbr>", title[0])
        context["body"] = context["body"].replace(title[0], broken, 1)


def name_cells(app, doctree):
    """Put the word of its column before each cell of a stacked table, for narrow pages."""
    for table in doctree.findall(nodes.table):
        if "stacked" not in table["classes"]:
            continue
        words = [entry.astext() for head in table.findall(nodes.thead) for entry in head[-1]]
        for body in table.findall(nodes.tbody):
            for row in body:
                for word, entry in zip(words[1:], row[1:], strict=False):
                    for text in list(entry.findall(nodes.paragraph))[:1]:
                        text.insert(0, nodes.inline("", f"{word}: ", classes=["column"]))


def group_gallery(app, page, source):
    """Leave the sheet of all examples out of the gallery, whose header has them by topic."""
    if page == "gallery/index":
        place = source[0].index('<div class="sphx-glr-thumbnails">')
        start, end = source[0].rindex(".. raw::", 0, place), source[0].index(".. toctree::", place)
        source[0] = source[0][:start] + source[0][end:]


def describe(app, page, template, context, doctree):
    """Say in the head of a page what the site is, for search engines and for links to it."""
    # A title is HTML: without its tags, all that it lacks for an attribute is escaped quotes.
    title = re.sub("<[^>]*>", "", context.get("title", "")).replace('"', "&quot;")
    texts = {"og:title": title, "og:description": DESCRIPTION}
    if app.config.html_baseurl:
        texts["og:image"] = f"{app.config.html_baseurl}_static/social.jpg"
    tags = [f'<meta name="description" content="{DESCRIPTION}">']
    tags += [f'<meta property="{name}" content="{text}">' for name, text in texts.items()]
    context["metatags"] = context.get("metatags", "") + "\n".join(tags)


def add_try_it(app, config):
    """Add the page that denoises in the browser, where what it runs can be had."""
    if try_it.build(Path(app.confdir, "_build", "try_it", "try_it")):
        app.tags.add("try_it")
        config.html_static_path.append("_build/try_it")
    else:
        config.exclude_patterns.append("try_it.rst")


def renew_sources(app):
    """Let viewcode write all pages of source: it keeps old ones, which lack new anchors."""
    shutil.rmtree(app.outdir / "_modules", ignore_errors=True)
    return []


def setup(app):
    """Add the renderer, breaks of titles, texts of figures, and groups of parameters."""
    app.connect("config-inited", add_try_it)
    app.connect("source-read", set_texts)
    app.connect("source-read", group_gallery)
    app.connect("doctree-read", name_cells)
    app.connect("html-page-context", break_title)
    app.connect("html-page-context", describe)
    app.connect("html-page-context", mend_lists)
    # Before viewcode.
    app.connect("html-collect-pages", renew_sources, priority=400)
    # After numpydoc.
    app.connect("autodoc-process-docstring", group_parameters, priority=900)
    app.add_html_math_renderer("mathml", (inline_formula, None), (formula, None))
