"""What README and documentation show is run as written, and nothing public is left out."""

import inspect
import os
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import pytest

import skdae
from skdae.datasets import load_digits_images

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def test_readme_code_runs_as_written(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) >= 4
    namespace = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
    assert namespace["X_denoised"].shape == namespace["X_test"].shape
    assert "dae__latent_dim" in namespace["search"].best_params_
    assert "dB" in capsys.readouterr().out


def test_contributed_noise_works_as_written():
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    namespace = {}
    exec(compile(block, "CONTRIBUTING.md", "exec"), namespace)
    noise = namespace["UniformNoise"](0.2, random_state=0)
    X = load_digits_images().images[:20]
    assert (
        noise.fit_transform(X) == skdae.UniformNoise(0.2, random_state=0).fit_transform(X)
    ).all()


@pytest.mark.parametrize(
    "name", re.findall(r"\]\(([^)h][^)]*)\)", (ROOT / "README.md").read_text())
)
def test_readme_links_lead_somewhere(name):
    assert (ROOT / name).exists()


# The API reference


def public_modules():
    names = [name for _, name, _ in pkgutil.iter_modules(skdae.__path__) if name[0] != "_"]
    return [skdae, *(import_module(f"skdae.{name}") for name in names)]


def listed_names():
    """Full names that have a page of their own in the API reference."""
    names = set()
    for section in (DOCS / "api.rst").read_text().split(".. currentmodule:: ")[1:]:
        module = section.split()[0]
        for table in re.findall(r":toctree: api/\n\n((?:    \w+\n)+)", section):
            names.update(f"{module}.{name}" for name in table.split())
    return names


def test_every_public_class_and_function_has_a_page_of_the_api_reference():
    listed = {id(getattr(import_module(m), n)) for m, _, n in map(split_name, listed_names())}
    for module in public_modules():
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                assert id(thing) in listed, f"{module.__name__}.{name} is not in docs/api.rst"


def split_name(name):
    return name.rpartition(".")


def test_every_other_public_name_is_told_in_the_api_reference():
    text = (DOCS / "api.rst").read_text()
    for module in public_modules():
        for name in module.__all__:
            assert re.search(rf"\b{name}\b", text), f"{module.__name__}.{name}"


@pytest.mark.parametrize("name", sorted(listed_names()))
def test_references_of_a_docstring_are_those_it_cites(name):
    module, _, member = split_name(name)
    text = inspect.getdoc(getattr(import_module(module), member)) or ""
    assert set(re.findall(r"\[(\d+)\]_", text)) <= set(re.findall(r"^\.\. \[(\d+)\] ", text, re.M))


# The guide

# Run below, because they need data, or a library that skdae does not ask for.
EXCEPTIONS = ["coming_from/keras.rst", "coming_from/pyod.rst", "index.rst"]

PAGES = sorted(
    page.relative_to(DOCS).as_posix()
    for page in DOCS.rglob("*.rst")
    if page.relative_to(DOCS).parts[0] not in ("_build", "_templates", "api", "gallery")
)


def code_blocks(page):
    text = (DOCS / page).read_text()
    blocks = re.findall(r"^( *)\.\. code-block:: python\n\n((?:\1 +.*\n|\n)+)", text, re.MULTILINE)
    return [dedent(block) for _, block in blocks]


@pytest.mark.parametrize("page", PAGES)
def test_code_of_the_guide_is_run(page, pytestconfig):
    """As doctests, which pytest runs where the page is among its paths."""
    if page not in EXCEPTIONS:
        assert not code_blocks(page), "write it with >>>, or run it in this file"
    if ">>>" in (DOCS / page).read_text():
        paths = [Path("docs", *Path(page).parts[:n]).as_posix() for n in (1, 2)]
        assert set(paths) & set(pytestconfig.getini("testpaths"))


def test_the_front_page_runs_as_written():
    X_clean = load_digits_images().images[:100]
    namespace = {"X_clean": X_clean, "X_noisy": X_clean}
    for block in code_blocks("index.rst"):
        exec(block, namespace)
    assert namespace["X_denoised"].shape == X_clean.shape


@pytest.mark.slow
@pytest.mark.parametrize("library", ["keras", "pyod"])
def test_the_other_side_runs_as_written(library, tmp_path):
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    (script,) = code_blocks(f"coming_from/{library}.rst")
    # A process of its own, because these libraries warn, and choose their backend once.
    subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": "torch"},
        check=True,
    )


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page):
    text = (DOCS / page).read_text()
    for target in re.findall(r":doc:`(?:[^`<]*<)?([^`>]+)>?`", text):
        path = (DOCS / page).parent / target
        example = re.fullmatch(r".*gallery/(plot_\w+)", target)
        files = [ROOT / "examples" / f"{example[1]}.py"] if example else []
        files += [path.with_suffix(suffix) for suffix in (".rst", ".md")]
        assert target.endswith("gallery/index") or any(file.exists() for file in files), target


# The gallery


EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example, tmp_path):
    """Also as a notebook, which is made of the same cells, and whose kernel has these arguments."""
    subprocess.run(
        [sys.executable, "-W", "error", str(example), "-f", "kernel.json"],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
