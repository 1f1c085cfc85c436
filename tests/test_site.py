"""The built site in a browser: what search finds, what fits a page, and what axe says of it.

The site is built once, without running the examples: about a minute. SKDAE_SITE may name a folder
where it is, such as docs/_build/html.
"""

import contextlib
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BROWSER = next(filter(shutil.which, ("chromium", "chromium-browser", "google-chrome")), None)
AXE = (
    "axe-core@4.14.1",
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
)

pytestmark = pytest.mark.slow

# What else the sources of the site read.
BESIDE = ("examples", "CHANGES.md", "CONTRIBUTING.md", "LICENSE", "README.md", "skdae")
MADE = shutil.ignore_patterns("_build", "api", "gallery", "course", "studies", "__pycache__")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, and the warnings of its build."""
    for module in ("playwright", "sphinx", "sphinx_gallery"):
        pytest.importorskip(module)
    if BROWSER is None:
        pytest.skip("no Chromium is there")
    if built := os.environ.get("SKDAE_SITE"):
        return Path(built).resolve(), []
    folder = tmp_path_factory.mktemp("site")
    # Pictures of examples are those of pages that are not run here.
    shutil.copytree(DOCS, folder / "docs", ignore=MADE)
    shutil.copytree(DOCS / "images" / "studies", folder / "docs" / "images" / "studies")
    for name in BESIDE:
        (folder / name).symlink_to(ROOT / name)
    built = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-q", "-D", "plot_gallery=0"),
            *("-b", "html", folder / "docs", folder / "html"),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        check=False,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    warnings = [line for line in built.stderr.splitlines() if "WARNING" in line]
    return folder / "html", warnings


@pytest.fixture(scope="module")
def page(site):
    """A page of a browser, at the front page of the site."""
    from playwright.sync_api import sync_playwright

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=site[0])

        def log_message(self, *args):
            pass

    with contextlib.ExitStack() as stack:
        server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        stack.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        chromium = stack.enter_context(sync_playwright()).chromium
        browser = chromium.launch(executable_path=shutil.which(BROWSER), chromium_sandbox=False)
        stack.callback(browser.close)
        context = browser.new_context(base_url=f"http://127.0.0.1:{server.server_port}/")
        page = context.new_page()
        page.set_default_timeout(120_000)
        yield page


def pages(site, *folders):
    """Names of the pages of the site, or of some of its folders."""
    names = (path.relative_to(site[0]).as_posix() for path in site[0].rglob("*.html"))
    return sorted(x for x in names if x.split("/")[0] in (folders or x.split("/")[:1]))


def test_the_site_is_built_without_a_warning(site):
    """But for pictures of the gallery, which is not run."""
    unreadable = "image file not readable: gallery/images/sphx_glr_"
    assert [warning for warning in site[1] if unreadable not in warning] == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("tiff", "guide/microscopy.html"),
        ("mnist", "guide/mnist.html"),
        ("signal", "guide/signals.html"),
        ("volume", "guide/volumes.html"),
        ("jpeg", "guide/command.html"),
        ("onnx", "guide/deploying.html"),
        ("cite", "cite.html"),
        ("missing values", "guide/pitfalls.html"),
        ("gpu", "guide/speed.html"),
        # By entries of the index, which are not seen on the pages.
        ("install", "start.html"),
        ("video", "guide/volumes.html"),
        ("16-bit", "guide/microscopy.html"),
        ("spectrum", "guide/signals.html"),
        ("nan", "guide/pitfalls.html"),
        ("photograph", "guide/command.html"),
    ],
)
def test_search_finds_the_right_page_first(page, words, expected):
    page.goto(f"search.html?q={words}")
    first = page.locator("#search-results ul.search li a").first
    first.wait_for()
    assert first.evaluate("a => a.pathname").strip("/") == expected


SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("width", [1280, 400])
def test_no_page_scrolls_sideways(site, page, width):
    page.set_viewport_size({"width": width, "height": 900})
    wide = {}
    for name in pages(site):
        if name.startswith("_modules/"):
            continue
        page.goto(name, wait_until="domcontentloaded")
        if (beyond := page.evaluate(SIDEWAYS)) > 0:
            wide[name] = beyond
    assert wide == {}


VISITORS = {
    "Micrographs, TIFF stacks": ("skdae denoise stack.tif -o denoised.tif --adapt 2", "16-bit"),
    "A model to serve": ("PretrainedDenoiser(device=", "Latency", "Memory"),
    "Noisy photographs": ("skdae denoise noisy -o denoised",),
    "A course to take or give": ("1. A linear autoencoder is PCA",),
}


@pytest.mark.parametrize("card", VISITORS)
def test_a_visitor_is_one_click_from_what_is_looked_for(page, card):
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto("index.html")
    page.locator(".sd-card", has_text=card).first.click()
    page.wait_for_load_state()
    text = page.locator("article").inner_text()
    for words in VISITORS[card]:
        assert words in text


# Code blocks that scroll, those in folded or hidden parts aside.
SCROLLING = """() => [...document.querySelectorAll("div.highlight pre")]
    .filter(pre => pre.offsetParent && pre.scrollWidth > pre.clientWidth + 1)
    .map(pre => pre.innerText.split("\\n").sort((a, b) => b.length - a.length)[0])"""


def test_code_of_the_guide_fits_its_column(site, page):
    page.set_viewport_size({"width": 1280, "height": 900})
    wide = {}
    for name in [*pages(site, "guide", "coming_from"), "start.html", "index.html"]:
        page.goto(name, wait_until="domcontentloaded")
        if lines := page.evaluate(SCROLLING):
            wide[name] = lines
    assert wide == {}


SIZES = """() => ["h1", "h2", "h3"].map(h => document.querySelector(`article ${h}`))
    .map(h => parseFloat(getComputedStyle(h).fontSize))"""


def test_titles_are_larger_than_the_headings_below_them(page):
    for width in (400, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        for name in ("guide/command.html", "guide/pitfalls.html", "results.html"):
            page.goto(name)
            first, second, third = page.evaluate(SIZES)
            assert first > second > third, (name, width)


def test_the_front_page_has_the_largest_title(page):
    for width in (400, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto("index.html")
        first, second = page.evaluate(SIZES.replace(', "h3"', ""))
        assert first > second, width


def test_the_table_of_the_front_page_fits_a_phone(page):
    page.set_viewport_size({"width": 400, "height": 900})
    page.goto("index.html")
    beyond = page.evaluate(
        """() => [...document.querySelectorAll("article td, article th")]
            .filter(cell => cell.getBoundingClientRect().right > 400 - 8)
            .map(cell => cell.innerText)"""
    )
    assert beyond == []


def test_pictures_keep_their_brightness_in_the_dark(page):
    for name in ("index.html", "guide/folder.html", "guide/index.html"):
        page.goto(name)
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        filters = page.evaluate(
            """() => [...document.querySelectorAll("article img")]
                .map(image => getComputedStyle(image).filter)"""
        )
        assert filters
        assert set(filters) == {"none"}


def test_links_and_code_are_not_clipped_on_a_phone(site, page):
    page.set_viewport_size({"width": 400, "height": 900})
    clipped = {}
    for name in pages(site, "api", "guide"):
        page.goto(name, wait_until="domcontentloaded")
        beyond = page.evaluate(
            """() => [...document.querySelectorAll(".prev-next-area a, article p > code")]
                .filter(x => x.offsetParent && x.getBoundingClientRect().right > 400)
                .map(x => x.innerText)"""
        )
        if beyond:
            clipped[name] = beyond
    assert clipped == {}


def test_nothing_of_the_machinery_is_on_a_page(site):
    for name in pages(site):
        if not name.startswith("_modules/"):
            text = re.sub("<[^>]*>", "", (site[0] / name).read_text(encoding="utf-8"))
            for leak in ("sphinx_gallery_", "object at 0x", ":class:`~skdae", ":doc:`", "{doc}"):
                assert leak not in text, (name, leak)


def test_see_also_leads_somewhere(site):
    """A name of skdae that has no page is plain text, without the classes of a link."""
    for name in pages(site, "api"):
        text = (site[0] / name).read_text(encoding="utf-8")
        for block in re.findall(r'<div class="admonition seealso">(.*?)</div>', text, re.S):
            dead = re.findall(r'<dt><code class="xref[^>]*><span class="pre">([^<]*)', block)
            # Other libraries have pages where the site is built with ONLINE=1.
            assert [x for x in dead if not x.startswith(("sklearn.", "skimage."))] == [], name


def test_api_pages_link_to_the_guide(site):
    for name in pages(site, "api"):
        text = (site[0] / name).read_text(encoding="utf-8")
        assert re.search(r'In the guide:</strong>.*?href="\.\./guide/', text, re.S), name


TEN = (
    *("index.html", "start.html", "guide/index.html", "guide/choose.html", "guide/mnist.html"),
    *("gallery/index.html", "results.html", "real_noise.html", "compared.html"),
    "api/skdae.DenoisingAutoencoder.html",
)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault(page, theme, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    import try_it

    if shutil.which("npm") is None:
        pytest.skip("npm is not there")
    try:
        package = try_it.fetch(tmp_path, *AXE)
    except subprocess.CalledProcessError:
        pytest.skip("npm does not reach axe-core")
    page.set_viewport_size({"width": 1280, "height": 900})
    faults = {}
    for name in TEN:
        page.goto(name)
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        # The theme fades from one to the other.
        page.wait_for_timeout(500)
        page.add_script_tag(path=package / "axe.min.js")
        found = page.evaluate("() => axe.run()")["violations"]
        serious = [x for x in found if x["impact"] in ("serious", "critical")]
        faults.update({(name, x["id"]): [n["html"] for n in x["nodes"]][:3] for x in serious})
    assert faults == {}
