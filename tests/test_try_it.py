"""The page *Try it* denoises in a browser as Python does, and uploads nothing."""

import contextlib
import http.server
import io
import re
import runpy
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_image

from skdae import GaussianNoise, PretrainedDenoiser
from skdae.architectures.blind import BlindNet
from skdae.datasets import ImageFiles

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SCRIPT = (DOCS / "_static" / "try_it.js").read_text(encoding="utf-8")
BROWSER = next(filter(shutil.which, ("chromium", "chromium-browser", "google-chrome")), None)


@pytest.fixture(scope="module")
def try_it():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        import try_it

        yield try_it


def test_tiles_see_what_the_nets_look_at():
    (margin, stride), (net_stride, radius) = (
        (int(re.search(rf"\b{name} = (\d+)", SCRIPT)[1]) for name in ("MARGIN", "STRIDE")),
        BlindNet().receptive_field(),
    )
    assert stride % net_stride == margin % net_stride == 0
    assert 0.75 * radius <= margin


@pytest.mark.parametrize("missing", ["npm", "network"])
def test_without_npm_or_network_the_page_is_left_out(try_it, missing, monkeypatch, tmp_path):
    def fails(command, **options):
        raise subprocess.CalledProcessError(1, command, stderr="npm error ENOTFOUND")

    monkeypatch.setattr(shutil, "which", {"npm": lambda _: None, "network": lambda n: n}[missing])
    monkeypatch.setattr(subprocess, "run", fails)
    assert try_it.build(tmp_path / "packed") is False
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_there", [True, False])
def test_the_site_has_the_page_only_where_it_can_run(try_it, is_there, monkeypatch, tmp_path):
    pytest.importorskip("sphinx")
    monkeypatch.setattr(try_it, "build", lambda folder: is_there)
    conf = runpy.run_path(str(DOCS / "conf.py"))
    app = SimpleNamespace(confdir=tmp_path, tags=set())
    config = SimpleNamespace(html_static_path=[], exclude_patterns=[])
    conf["add_try_it"](app, config)
    assert app.tags == ({"try_it"} if is_there else set())
    assert config.exclude_patterns == ([] if is_there else ["try_it.rst"])
    assert len(config.html_static_path) == is_there
    # The front page has a second button in any case.
    front = (DOCS / "index.rst").read_text(encoding="utf-8")
    assert front.count(".. only:: try_it\n") == front.count(".. only:: not try_it\n") == 1


def test_another_package_than_the_pinned_one_is_refused(try_it, monkeypatch, tmp_path):
    def brings_another(command, **options):
        (tmp_path / "package.tgz").write_bytes(b"another")
        return subprocess.CompletedProcess(command, 0, stdout="")

    monkeypatch.setattr(subprocess, "run", brings_another)
    with pytest.raises(RuntimeError, match="has the hash sha512-.*, not sha512-"):
        try_it.fetch(tmp_path)


# The browser


@pytest.fixture(scope="module")
def site(try_it, tmp_path_factory):
    """The page as Sphinx writes it, alone."""
    for module in ("playwright", "pydata_sphinx_theme", "sphinx_design"):
        pytest.importorskip(module)
    if BROWSER is None:
        pytest.skip("no Chromium is there")
    folder = tmp_path_factory.mktemp("site")
    if not try_it.build(folder / "packed" / "try_it"):
        pytest.skip("npm, or its network, is not there")
    source = folder / "source"
    source.mkdir()
    shutil.copy(DOCS / "try_it.rst", source / "index.rst")
    settings = {
        "extensions": "sphinx_design",
        "html_theme": "pydata_sphinx_theme",
        "html_css_files": "skdae.css",
        "html_static_path": f"{DOCS / '_static'},{folder / 'packed'}",
    }
    options = [text for pair in settings.items() for text in ("-D", "=".join(pair))]
    command = [sys.executable, "-m", "sphinx", "-q", "-C", "-b", "html", *options]
    subprocess.run([*command, source, folder / "html"], check=True, capture_output=True)
    return folder / "html"


@pytest.fixture(scope="module")
def page(site):
    """The page in a browser, from a server that remembers what it is asked for."""
    from playwright.sync_api import sync_playwright

    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=site)

        def log_message(self, *args):
            asked.append(self.requestline)

    with contextlib.ExitStack() as stack:
        server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        stack.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        chromium = stack.enter_context(sync_playwright()).chromium
        # Whoever is root, as in many containers, has no sandbox.
        browser = chromium.launch(executable_path=shutil.which(BROWSER), chromium_sandbox=False)
        stack.callback(browser.close)
        page = browser.new_page()
        page.set_default_timeout(300_000)
        errors = []
        page.on("pageerror", lambda error: errors.append(error))
        here = f"http://127.0.0.1:{server.server_port}/"
        page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
        page.goto(f"{here}index.html")
        yield page
        assert not errors
        # Nothing is uploaded, and no other server is asked.
        for line in asked:
            assert re.match(rf"GET (/|blob:|data:|{here})", line), line


def part(page, name):
    return page.locator(f'#try-it [data-is="{name}"]')


def downloaded(page):
    """What the page makes of the picture that it has, once it is done."""
    page.wait_for_function("""() => {
        const part = (name) => document.querySelector(`#try-it [data-is="${name}"]`);
        return !part("download").disabled && part("bar").hidden;
    }""")
    with page.expect_download() as download:
        part(page, "download").click()
    content = Path(download.value.path()).read_bytes()
    return download.value.suggested_filename, Image.open(io.BytesIO(content))


def denoised(page, path):
    """Pixels and name of what the page makes of a picture."""
    part(page, "download").evaluate("button => { button.disabled = true }")
    part(page, "file").set_input_files(path)
    name, picture = downloaded(page)
    assert name == f"{path.stem}_denoised.png"
    return picture


def noisy(height, width, color=True):
    clean = load_sample_image("china.jpg")[:height, :width]
    clean = clean if color else clean.mean(axis=2).round().astype("uint8")
    X_noisy = GaussianNoise(25 / 255, random_state=0).fit_transform(clean[None])[0]
    return (255 * X_noisy).round().astype("uint8")


def assert_equal_to_python(picture, pixels, **params):
    images = pixels[None]
    denoiser = PretrainedDenoiser(precision="float32", **params).fit(images)
    # No tone curve, which the graph has not.
    assert isinstance(denoiser.noise_, GaussianNoise)
    expected = 255 * denoiser.predict(images)[0]
    assert abs(expected - pixels).max() > 10
    assert abs(np.asarray(picture) - expected).max() <= 1


@pytest.mark.slow
def test_pictures_are_those_of_python_within_a_grey_level(page, tmp_path):
    # Wider than a tile and a window, and of sides that are no multiples of the stride.
    color, grey = noisy(150, 637), noisy(203, 309, color=False)
    color = np.concatenate([color, color[:, ::-1]], axis=1)
    for name, pixels in {"color": color, "grey": grey}.items():
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        picture = denoised(page, tmp_path / f"{name}.png")
        assert picture.mode == {"color": "RGB", "grey": "L"}[name]
        assert_equal_to_python(picture, pixels)
    # Another strength of the same picture.
    slider = part(page, "strength")
    slider.fill("0.4")
    slider.dispatch_event("change")
    assert_equal_to_python(downloaded(page)[1], grey, strength=0.4)
    slider.fill("0")
    slider.dispatch_event("change")
    np.testing.assert_array_equal(np.asarray(downloaded(page)[1]), grey)
    slider.fill("1")


@pytest.mark.slow
def test_pictures_come_out_upright(page, tmp_path):
    pixels = noisy(97, 160)
    exif = Image.Exif()
    exif[0x0112] = 6  # a camera that was turned
    path = tmp_path / "turned.jpg"
    Image.fromarray(pixels).save(path, exif=exif, quality=95, subsampling=0)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    assert upright.shape == (160, 97, 3)
    assert_equal_to_python(denoised(page, path), upright)


@pytest.mark.slow
@pytest.mark.parametrize("color", [True, False])
def test_alpha_is_kept(color, page, tmp_path):
    pixels = noisy(120, 140, color)
    alpha = np.tile(np.linspace(0, 500, 140).clip(0, 255).astype("uint8"), (120, 1))
    alpha[40:60, 50:90] = 0
    given = np.dstack([pixels, alpha])
    path = tmp_path / "transparent.png"
    Image.fromarray(given).save(path)
    picture = denoised(page, path)
    assert picture.mode == ("RGBA" if color else "LA")
    found = np.asarray(picture)
    np.testing.assert_array_equal(found[..., -1], alpha)
    np.testing.assert_array_equal(found[alpha == 0], given[alpha == 0])
    # Transparent pixels count as the nearest that is not.
    (seen,) = ImageFiles([path])
    expected = PretrainedDenoiser(precision="float32").fit(seen[None]).predict(seen[None])[0]
    difference = abs(found[..., :-1] - 255 * expected.reshape(*alpha.shape, -1))
    assert difference[alpha > 0].max() <= 1


@pytest.mark.slow
def test_pictures_without_noise_come_out_as_they_were(page, tmp_path):
    pixels = np.full((64, 80, 3), (250, 120, 30), "uint8")
    Image.fromarray(pixels).save(tmp_path / "flat.png")
    np.testing.assert_array_equal(np.asarray(denoised(page, tmp_path / "flat.png")), pixels)
    assert "see no noise" in part(page, "status").inner_text()


@pytest.mark.slow
def test_what_does_not_fit_says_what_to_do(page, tmp_path):
    (tmp_path / "scan.tif").write_bytes(b"II*\x00 not for browsers")
    part(page, "file").set_input_files(tmp_path / "scan.tif")
    page.wait_for_function("document.body.innerText.includes('scan.tif')")
    assert "skdae denoise" in part(page, "status").inner_text()
    Image.new("L", (40, 12)).save(tmp_path / "tiny.png")
    part(page, "file").set_input_files(tmp_path / "tiny.png")
    page.wait_for_function("document.body.innerText.includes('at least 16 pixels')")
    # The middle of what is too large; it is given up as soon as another picture comes.
    Image.new("RGB", (2400, 1600)).save(tmp_path / "large.png")
    part(page, "file").set_input_files(tmp_path / "large.png")
    part(page, "large").wait_for()
    assert "3.8 megapixels" in part(page, "large").inner_text()
    assert "skdae denoise" in part(page, "large").inner_text()
    sides = part(page, "after").evaluate("canvas => [canvas.width, canvas.height]")
    assert sides == [1732, 1154]
    test_pictures_without_noise_come_out_as_they_were(page, tmp_path)
