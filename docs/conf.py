"""How Sphinx builds the site. `make docs` calls it; nothing is fetched from the network."""

import os

os.environ.setdefault("MPLBACKEND", "Agg")

import skdae

project = "skdae"
author = "The skdae developers"
copyright = "2026, the skdae developers"
version = release = skdae.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx_copybutton",
    "myst_parser",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "**/GALLERY_HEADER.rst", "**sg_execution_times.rst"]

# In docstrings `X` is a name in code, not a link.
default_role = "literal"

# A class page lists the methods by itself (_templates/autosummary/class.rst).
numpydoc_show_class_members = False
autodoc_typehints = "none"

# The examples are a course: numbered, and shown in that order.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "within_subsection_order": "FileNameSortKey",
    "filename_pattern": "/plot_",
    "show_memory": False,
    "show_signature": False,
}

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = f"skdae {version}"
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
html_sidebars = {"start": [], "results": [], "changes": [], "contributing": []}
