"""What README and documentation show is run as written, and nothing public is left out."""

import ast
import doctest
import inspect
import os
import pkgutil
import re
import runpy
import subprocess
import sys
import warnings
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from textwrap import dedent

import jinja2
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import skdae
from skdae.datasets import load_digits_images
from skdae.denoisers.learned import LearnedDenoiser
from skdae.metrics import peak_signal_noise_ratio

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def test_readme_code_runs_as_written(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    namespace = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
    assert namespace["X_denoised"].shape == namespace["X_test"].shape
    assert "dae__latent_dim" in namespace["search"].best_params_
    assert "dB" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", re.findall(r"\]\(([^)h][^)]*)\)", (ROOT / "README.md").read_text())
)
def test_readme_links_lead_somewhere(name):
    assert (ROOT / name).exists()


@pytest.mark.slow
def test_templates_for_contributors_run(digits):
    text = (ROOT / "CONTRIBUTING.md").read_text()
    parts: dict = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, parts)
    X_clean = digits[1][:40]
    noise = clone(parts["QuantizationNoise"](step=0.5, random_state=0))
    X_noisy = noise.fit_transform(X_clean)
    assert set(np.unique(X_noisy)) == {0.0, 0.5, 1.0}
    assert parts["MaximumFilter"]().fit_transform(X_noisy).shape == X_noisy.shape
    dae = skdae.DenoisingAutoencoder(
        parts["TwoLayers"](), noise=noise, loss=parts["squared_log_error"], max_epochs=1
    ).fit(X_clean)
    scorer = skdae.denoising_scorer(parts["median_absolute_error"], noise=noise)
    assert 0 <= scorer(dae, X_clean) < 1
    ramp = np.tile(np.linspace(0, 1, 64), (1, 64, 1))
    X_noisy = skdae.GaussianNoise(std=0.2, clip=None, random_state=0).fit_transform(ramp)
    denoiser = parts["NeighborDenoiser"](max_steps=40, random_state=0).fit(X_noisy)
    assert denoiser.score(X_noisy, ramp) > -0.5 * 0.2**2


# The API reference


def public_modules():
    names = [name for _, name, _ in pkgutil.iter_modules(skdae.__path__) if name[0] != "_"]
    return [skdae, *(import_module(f"skdae.{name}") for name in names)]


def listed_names():
    """Full names that have a page of their own in the API reference."""
    names = set()
    for section in (DOCS / "api.rst").read_text().split(".. currentmodule:: ")[1:]:
        module = section.split()[0]
        for table in re.findall(r":toctree: api/\n    :caption: .+\n\n((?:    \w+\n)+)", section):
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


def test_every_parameter_of_a_denoiser_that_learns_belongs_to_one_group():
    groups = docs_module("parameter_groups").GROUPS
    learned = (
        skdae.DenoisingAutoencoder,
        skdae.Noise2VoidDenoiser,
        skdae.Pix2PixDenoiser,
        skdae.RecorruptedDenoiser,
    )
    names = sorted(set().union(*(denoiser().get_params(deep=False) for denoiser in learned)))
    assert sorted(name for group in groups.values() for name in group) == names


def docs_module(name):
    spec = spec_from_file_location(name, DOCS / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mini_gallery(module, member, thing):
    """Names whose examples the page of a class or function shows."""
    template = "class.rst" if inspect.isclass(thing) else "base.rst"
    environment = jinja2.Environment()
    environment.filters["underline"] = str
    page = environment.from_string((DOCS / "_templates/autosummary" / template).read_text()).render(
        module=module, objname=member, methods=[m for m in dir(thing) if m[0] != "_"]
    )
    return set(re.search(r"minigallery:: (.*)", page)[1].split())


def test_every_name_that_an_example_imports_has_a_mini_gallery():
    parser = pytest.importorskip("sphinx_gallery.py_source_parser")
    backreferences = pytest.importorskip("sphinx_gallery.backreferences")
    pages = {}
    for module, _, member in map(split_name, listed_names()):
        thing = getattr(import_module(module), member)
        pages[member] = mini_gallery(module, member, thing)
    n_names = 0
    for example in [*EXAMPLES, *LESSONS]:
        _, blocks = parser.split_code_and_text_blocks(example)
        filed = backreferences.identify_names(blocks, backreferences._make_ref_regex()).values()
        shown = {f"{e['module_short']}.{e['name']}" for entries in filed for e in entries}
        for node in ast.walk(ast.parse(example.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("skdae"):
                for member in {alias.name for alias in node.names} & set(pages):
                    assert shown & pages[member], f"{member} in {example.name}: {sorted(shown)}"
                    n_names += 1
    assert n_names > len(EXAMPLES)


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
    if page.relative_to(DOCS).parts[0]
    not in ("_build", "_templates", "api", "course", "gallery", "studies")
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


def test_photograph_of_the_first_pages_gains_what_they_say():
    X_clean, images = docs_module("pictures").photographs()
    for page in (ROOT / "README.md", DOCS / "index.rst"):
        told = re.findall(r"(noisy|denoised): ([\d.]+) dB", page.read_text(), re.I)
        assert len(told) == 2
        for name, psnr in told:
            assert float(psnr) == pytest.approx(
                peak_signal_noise_ratio(X_clean, images[name.lower()]), abs=0.1
            )


def numbers_of_noise(page):
    """Of the table of real and textbook noise, the numbers of each line."""
    lines = [(name, page.read_text().partition(name)[2]) for name in NOISES]
    return {name: re.findall(r"\d\d\.\d\d|–", text)[:4] for name, text in lines}


NOISES = ("PolyU", "FMD", "W2S", "Set12")
FIRST = (ROOT / "README.md", DOCS / "index.rst")


@pytest.fixture
def results(monkeypatch):
    """What the benchmarks have kept, as docs/pages.py reads it."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return docs_module("pages")


def test_textbook_noise_of_the_first_pages_is_that_of_the_benchmarks(results):
    photographs, quality, weights = results.photographs, results.quality, results.weights
    readme = numbers_of_noise(ROOT / "README.md")
    assert readme == numbers_of_noise(DOCS / "index.rst")
    assert {len(numbers) for numbers in readme.values()} == {4}
    rows = quality.read_results(quality.RESULTS)
    nets = {row["net"]: row for row in weights.read_results(weights.RESULTS)}
    place = photographs.LEVELS.index(25)
    expected = [
        *(rows[f"set12 / Gaussian / {x}"]["figures"]["psnr"] for x in ("noisy input", "NL means")),
        photographs.PUBLISHED["set12"]["BM3D"][place],
        nets["grey"]["psnr, seen"]["Set12"][place],
    ]
    assert [float(number) for number in readme["Set12"]] == pytest.approx(expected, abs=0.006)


def test_real_noise_of_the_first_pages_is_that_of_the_benchmarks(results):
    rows = {row["set"]: row for row in results.read("real.jsonl")}
    methods = ("noisy", "NL means", "PretrainedDenoiser")
    for page in (ROOT / "README.md", DOCS / "index.rst"):
        told = numbers_of_noise(page)
        for name, (noisy, filtered, _, denoised) in list(told.items())[:3]:
            expected = [results.psnr(rows[name.lower()], method) for method in methods]
            found = [float(x) for x in (noisy, filtered, denoised)]
            assert found == pytest.approx(expected, abs=0.006)
        oracles = re.search(r"reaches\s+([\d.]+),\s+([\d.]+)\s+and\s+([\d.]+)", page.read_text())
        assert [float(number) for number in oracles.groups()] == pytest.approx(
            [
                results.psnr(rows[name], "best Gaussian of each image")
                for name in ("polyu", "fmd", "w2s")
            ],
            abs=0.006,
        )
    text = (ROOT / "README.md").read_text()
    wide = rows["fmd, wide field"]
    for pattern, method in (
        (r"and\s+([\d.]+)\s+on\s+three\s+wide-field", "best Gaussian of each image"),
        (r"where\s+skdae\s+reaches\s+([\d.]+)", "PretrainedDenoiser"),
    ):
        assert float(re.search(pattern, text)[1]) == pytest.approx(
            results.psnr(wide, method), abs=0.006
        )


def test_mnist_of_the_pages_is_that_of_the_benchmarks(results):
    """The net that is the better one, and how long it has learned."""
    rows = results.quality.read_results(results.quality.RESULTS)
    net = rows["mnist / Gaussian / skdae"]["figures"]
    for page in (ROOT / "README.md", DOCS / "guide/mnist.rst", DOCS / "guide/architectures.rst"):
        text = " ".join(page.read_text().split())
        assert f"{net['psnr']:.1f} dB" in text, page
        assert re.search(rf"\b{net['seconds']:.0f} s\b|\b{net['seconds']:.0f} seconds", text), page
        assert "6,000" in text
    noisy = rows["mnist / Gaussian / noisy input"]["figures"]["psnr"]
    assert f"from {noisy:.1f} dB" in " ".join((DOCS / "guide/mnist.rst").read_text().split())


def test_volume_of_the_guide_is_that_of_the_benchmarks(results):
    rows = results.quality.read_results(results.RESULTS / "defaults.jsonl")
    (figures,) = (row["figures"] for name, row in rows.items() if name.startswith("volume"))
    text = (DOCS / "guide/volumes.rst").read_text()
    for name in ("skdae", "filter"):
        assert f"{figures[name]:.1f} dB" in text


@pytest.mark.slow
def test_the_page_on_mnist_runs_as_written(tmp_path, capsys):
    """With the data, which the doctests of the page leave out."""
    if not Path(os.environ.get("SKDAE_DATA", ""), "mnist.npz").is_file():
        pytest.skip("MNIST is not in SKDAE_DATA")
    text = (DOCS / "guide" / "mnist.rst").read_text().replace("# doctest: +SKIP", "")
    namespace: dict = {}
    for example in doctest.DocTestParser().get_examples(text):
        exec(compile(example.source, "mnist.rst", "single"), namespace)
        printed = capsys.readouterr().out
        if re.fullmatch(r"[\d.]+ dB\n[\d.]+ dB\n", example.want):
            numbers = [
                [float(x) for x in re.findall(r"[\d.]+", y)] for y in (printed, example.want)
            ]
            assert numbers[0] == pytest.approx(numbers[1], abs=0.3)
        elif example.want:
            assert printed == example.want
    plt.close("all")


NUMBERS = {5: "five", 7: "seven", 9: "nine"}


def test_counts_in_words_are_those_of_the_code():
    n_filters = len([name for name in skdae.filters.__all__ if name.endswith("Filter")]) - 1
    n_studies = len(list((ROOT / "examples" / "studies").glob("[a-e]_*.py")))
    for page, count, noun in (
        ("index.rst", len(LESSONS), "lessons"),
        ("compared.rst", n_filters, ""),
        ("../examples/course/index.rst", len(LESSONS), "short lessons"),
        ("../examples/studies/index.rst", n_studies, "studies"),
        ("../README.md", n_studies, "studies"),
    ):
        text = " ".join((DOCS / page).read_text().lower().split())
        assert f"{NUMBERS.get(count, '')} {noun}".strip() in text, page


def numbers(page):
    """Numbers of a page, but for those in code, links and names."""
    text = page.read_text().partition("Two ways to denoise")[0]
    hidden = r"```.*?```|`[^`]*`|\]\([^)]*\)|<[^>]*>|^ *:.*?$|^ *\.\. .*?$|>=?[\d.]+"
    text = re.sub(hidden, " ", text, flags=re.DOTALL | re.MULTILINE)
    return set(re.findall(r"(?<![\w.-])\d(?:[\d,.]*\d)?(?!\w)", text))


def test_every_number_of_the_first_pages_is_traced(results):
    """Those that other tests compare one by one, too; a new one has to be added here."""
    rows = {row["set"]: row for row in results.read("real.jsonl")}
    worse, changed, n_noisy = results.harm.count(results.read("harm.jsonl"))
    kept = results.quality.read_results(results.quality.RESULTS)
    net = kept["mnist / Gaussian / skdae"]["figures"]
    versions = "".join(
        (ROOT / name).read_text()
        for name in ("pyproject.toml", "constraints.txt", "constraints-lowest.txt")
    )
    traced = {
        # The photograph, and the table of noise, each by a test of its own.
        *("18.4", "32.3", "35"),
        *(x for page in FIRST for line in numbers_of_noise(page).values() for x in line),
        *(str(row["images"]) for row in rows.values()),
        *(f"{results.psnr(row, 'best Gaussian of each image'):.2f}" for row in rows.values()),
        f"{results.psnr(rows['fmd, wide field'], 'PretrainedDenoiser'):.2f}",
        # Levels: of the table, in gray levels of 255, and of digits.
        *("25", "255", "0.4"),
        *(str(n) for n in (n_noisy, len(worse), len(changed), len(results.read("harm.jsonl")))),
        "45",
        *(f"{net['psnr']:.1f}", f"{net['seconds']:.0f}"),
        f"{results.quality.DATA['mnist'].n_train:,}",
        *re.findall(r"[>=]=([\d.]+)", versions),
        # Bits of micrographs.
        "16",
    }
    for page in FIRST:
        found = numbers(page)
        assert len(found) > 10
        assert found <= traced, found - traced


def test_versions_of_readme_are_those_that_are_tested():
    text = " ".join((ROOT / "README.md").read_text().split())
    needs = (ROOT / "pyproject.toml").read_text()
    newest, oldest = (
        dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / name).read_text(), re.M))
        for name in ("constraints.txt", "constraints-lowest.txt")
    )
    python = re.search(r'requires-python = ">=([\d.]+)"', needs)[1]
    assert f"Python {python} or newer" in text
    for name, title in (("scikit-learn", "scikit-learn"), ("numpy", "NumPy")):
        lowest = re.search(rf"{name}>=([\d.]+)", needs)[1]
        assert f"{title} ≥ {lowest}" in text
    for versions, titles in (
        (newest, ("scikit-learn", "skorch", "torch")),
        (oldest, ("scikit-learn", "skorch", "SciPy", "NumPy")),
    ):
        for title in titles:
            assert f"{title} {versions[title.lower()]}" in text


def test_harm_of_readme_is_that_of_the_benchmarks(results):
    pictures = results.read("harm.jsonl")
    worse, changed, n_noisy = results.harm.count(pictures)
    text = " ".join((ROOT / "README.md").read_text().split())
    assert f"of {n_noisy} pictures" in text
    assert f", {len(worse)} come out worse than they went in" in text
    assert f"Of {len(pictures)} clean ones, {len(changed)} come out with a PSNR below 45 dB" in text


def test_the_front_page_runs_as_written():
    X_clean = load_digits_images().images[:100]
    namespace = {"X_clean": X_clean, "X_noisy": X_clean}
    for block in code_blocks("index.rst"):
        exec(block, namespace)
    assert namespace["X_denoised"].shape == X_clean.shape


def test_code_of_the_chooser_runs_with_two_steps_of_training(monkeypatch):
    pytest.importorskip("skimage")
    fit = LearnedDenoiser.fit

    def fit_two_steps(self, *images, **options):
        return fit(self.set_params(max_steps=2), *images, **options)

    monkeypatch.setattr(LearnedDenoiser, "fit", fit_two_steps)
    text = (DOCS / "guide" / "choose.rst").read_text()
    namespace: dict = {}
    for example in doctest.DocTestParser().get_examples(text):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            # Of small images, it is.
            warnings.filterwarnings("ignore", "The pretrained network was kept")
            exec(example.source, namespace)
    assert namespace["X_denoised"].shape == namespace["X_noisy"].shape


STACKED = """
.. list-table::
    :class: stacked
    :header-rows: 1

    * - Filter
      - Learns
    * - mean
      - nothing
"""


def test_cells_of_stacked_tables_name_their_column():
    pytest.importorskip("sphinx")
    core = pytest.importorskip("docutils.core")
    doctree = core.publish_doctree(STACKED)
    docs_module("conf").name_cells(None, doctree)
    cells = [entry.astext() for entry in doctree.findall(lambda node: node.tagname == "entry")]
    assert cells == ["Filter", "Learns", "mean", "Learns: nothing"]


def test_answers_of_the_chooser_open_a_section():
    sections = re.findall(r"^\.\. _([\w-]+):$", (DOCS / "guide" / "choose.rst").read_text(), re.M)
    opened = re.findall(r'href="#([\w-]+)"', docs_module("diagrams").choose())
    assert list(dict.fromkeys(opened)) == sections


def test_diagrams_are_those_of_the_script():
    diagrams = docs_module("diagrams")
    for name, draw in diagrams.DIAGRAMS.items():
        assert (diagrams.IMAGES / f"{name}.svg").read_text() == draw(), "run docs/diagrams.py"


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
        files = [path.with_suffix(suffix) for suffix in (".rst", ".md")]
        # Sphinx-Gallery makes these pages of the examples.
        made = re.fullmatch(r"(?:.*/)?(gallery|course|studies)/(\w+)", target)
        if made:
            folder = {"gallery": ""}.get(made[1], made[1])
            name = "GALLERY_HEADER" if made.groups() == ("gallery", "index") else made[2]
            files = [ROOT / "examples" / folder / f"{name}{suffix}" for suffix in (".py", ".rst")]
        assert any(file.exists() for file in files), target


# The gallery


EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))
LESSONS = sorted((ROOT / "examples" / "course").glob("plot_*.py"))


@pytest.mark.parametrize("folder", [".", "course", "studies"])
def test_thumbnails_of_a_page_differ(folder):
    """What shows a sheet of many small pictures, all alike in a thumbnail, has another one."""
    thumbnails = []
    for example in sorted((ROOT / "examples" / folder).glob("*_*.py")):
        text = example.read_text()
        thumbnails += re.findall(r"^# sphinx_gallery_thumbnail_path = ['\"](.+)['\"]$", text, re.M)
        if text.count("plt.show()") == 1 and "DenoisingDisplay" in text:
            assert "sphinx_gallery_thumbnail_path" in text, example.name
    assert len(set(thumbnails)) == len(thumbnails) >= 5
    assert all((DOCS / name).is_file() for name in thumbnails)


def run_example(example, folder):
    """What it prints, also as a notebook, which is made of the same cells.

    The kernel of a notebook has arguments of its own.
    """
    return subprocess.run(
        [sys.executable, "-W", "error", str(example), "-f", "kernel.json"],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES[1:], ids=lambda path: path.stem)
def test_example_runs(example, tmp_path):
    run_example(example, tmp_path)


@pytest.mark.slow
def test_numbers_of_the_first_pages_are_those_of_the_demo(tmp_path):
    demo = EXAMPLES[0]
    assert demo.stem == "plot_01_denoise_digits"
    printed = run_example(demo, tmp_path)
    found = {
        name: float(psnr) for name, psnr in re.findall(r"^(\w+) .* ([\d.]+) dB$", printed, re.M)
    }
    front = (DOCS / "index.rst").read_text()
    for name in ("noisy", "DenoisingAutoencoder", "GaussianFilter"):
        assert f"{found[name]:.1f} dB" in front


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_lesson_runs_and_has_exercises_with_answers(lesson, monkeypatch):
    """With two epochs; the build of the site runs it in full."""
    fit = LearnedDenoiser.fit
    monkeypatch.setattr(
        LearnedDenoiser,
        "fit",
        lambda self, *data, **kwargs: fit(self.set_params(max_epochs=2), *data, **kwargs),
    )
    monkeypatch.setattr(plt, "show", lambda: None)
    text = lesson.read_text()
    assert "**You will learn**" in text
    assert text.count(".. dropdown:: Answer") == len(re.findall(r"^# \d\. ", text, re.M)) >= 3
    try:
        runpy.run_path(str(lesson))
    finally:
        plt.close("all")


def test_every_example_has_texts_for_its_figures():
    texts = docs_module("alternative_texts").TEXTS
    assert sorted(texts) == sorted(example.stem for example in [*EXAMPLES, *LESSONS])
    for lesson in LESSONS:
        assert len(texts[lesson.stem]) == lesson.read_text().count("plt.show()"), lesson.stem


def test_the_gallery_shows_every_example_once():
    header = (ROOT / "examples" / "GALLERY_HEADER.rst").read_text()
    shown = re.findall(r"examples/(plot_\w+\.py)", header)
    assert sorted(shown) == [example.name for example in EXAMPLES]


def test_the_course_lists_every_lesson():
    index = (ROOT / "examples" / "course" / "index.rst").read_text()
    assert re.findall(r"^    (plot_\w+)$", index, re.M) == [lesson.stem for lesson in LESSONS]
    assert [int(lesson.stem.split("_")[1]) for lesson in LESSONS] == list(range(1, 10))


# English


PROSE = [
    *(ROOT / x for x in ("README.md", "CHANGES.md", "CONTRIBUTING.md", "SECURITY.md")),
    *(ROOT / x for x in ("benchmarks/NOTES.md", "benchmarks/README.md", "skdae/weights/README.md")),
    *(*DOCS.glob("*.md"), *(DOCS / page for page in PAGES)),
    *sorted((ROOT / "examples").rglob("*.[prt][ysx]*")),
]
# As scikit-learn's guide, and with its words: a noise model is not called an injector.
BRITISH = re.compile(
    r"\b\w*(colour|favour|flavour|neighbour|behaviour|labour|honour|catalogue|artefact|licence|learnt"
    r"|grey|centre|modell|labell|cancelled|judgement|defence|whilst|injector|analyse"
    r"|(general|normal|standard|optim|initial|summar|visual|recogn|organ|minim|maxim|random"
    r"|regular|serial|util|emphas|character|discret|penal|real)is(e|ing|ation))\w*",
    re.IGNORECASE,
)
# Names of code and files, and keys in quotes.
NAMES = re.compile(
    r"``[^`]*``|`[^`]*`|\"[^\"\n]*\"|'[\w-]+'|[\w-]*[_/.][\w/.-]+|^\| (colour|grey) \|", re.M
)


def british(text):
    """British words of a text, but for names."""
    return [found[0] for found in BRITISH.finditer(NAMES.sub("", text))]


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
def test_pages_are_in_american_english(page):
    assert british(page.read_text(encoding="utf-8")) == []


def test_docstrings_and_messages_are_in_american_english():
    for path in sorted((ROOT / "skdae").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            # A string without a space is a name.
            if isinstance(node, ast.Constant) and " " in str(node.value):
                assert british(str(node.value)) == [], f"{path.name}:{node.lineno}"
