"""Cases of image files: TIFF of all kinds, and outputs that are inputs under another name."""

import contextlib
import io
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

import skdae
from skdae._files.images import read_image
from skdae.cli import main

from .draw import choose, generator
from .files import folder
from .oracle import attempt, equal, expect

LOSSLESS = (None, "zlib", "lzw", "packbits", "zstd", "lzma", "lerc", "png", "jpegxl", "jpegxr")
CODECS = (*LOSSLESS, "webp", "jpeg2000", "jpeg")
DTYPES = ("u1", "u2", "i1", "i2", "f2", "f4", "f8")
KEPT = ("Make", "Orientation", "ImageDescription", "XResolution", "InterColorProfile")


def _options(draw, n_samples, is_rgb):
    """How a TIFF file is stored."""
    options = {
        "photometric": "rgb" if is_rgb else "minisblack",
        "compression": choose(draw, *CODECS),
        "byteorder": choose(draw, "<", ">"),
        "bigtiff": draw.random() < 0.2,
        "metadata": None,
        "extratags": [(0x0112, "H", 1, draw.randrange(1, 9), True), (0x010F, "s", 0, "me", True)],
    }
    if n_samples > 1:
        options["planarconfig"] = choose(draw, "contig", "contig", "separate")
    n_extra = n_samples - (3 if is_rgb else 1)
    if n_extra and draw.random() < 0.9:
        kinds = ("unspecified", "assocalpha", "unassalpha")
        options["extrasamples"] = [choose(draw, *kinds), *["unspecified"] * (n_extra - 1)]
    options |= choose(draw, {}, {"rowsperstrip": 8}, {"tile": (16, 16)}, {"tile": (32, 16)})
    predictor = choose(draw, None, None, 2, 3)
    if predictor is None or options["compression"] == "lerc":
        # LERC loses a little of what a predictor leaves, which may be all.
        return options
    return {**options, "predictor": predictor}


def _written(draw, path, pages, options):
    """Whether tifffile can write such a file."""
    bits = 12 if pages.dtype == np.uint16 and draw.random() < 0.4 else None
    if bits:
        pages, options = pages >> 4, {**options, "bitspersample": bits, "compression": None}
        options.pop("predictor", None)
    try:
        tifffile.imwrite(path, pages, **options)
        tifffile.imread(path)
    except (ValueError, TypeError, KeyError, NotImplementedError, RuntimeError):
        return False
    return True


def _pages(path):
    """What tifffile and imagecodecs read, samples last, and the tags that stay."""
    with tifffile.TiffFile(path) as tiff:
        tags = [{t.name: t.value for t in page.tags if t.name in KEPT} for page in tiff.pages]
        pages = [
            np.moveaxis(page.asarray(), 0, 2) if page.axes == "SYX" else page.asarray()
            for page in tiff.pages
        ]
        facts = [
            (page.bitspersample, page.dtype, page.extrasamples, page.planarconfig, page.is_tiled)
            for page in tiff.pages
        ]
        alphas = [
            [page.samplesperpixel - len(page.extrasamples) + i for i, kind in enumerate(extra)]
            for page in tiff.pages
            for extra in [[kind for kind in page.extrasamples if kind in (1, 2)]]
        ]
        return [page.reshape(*page.shape[:2], -1) for page in pages], alphas, (tags, facts)


def tiff(draw):
    """A TIFF file is read as tifffile reads it, and written with its other pixels alone."""
    rng = generator(draw)
    dtype, is_rgb = np.dtype(choose(draw, *DTYPES)), draw.random() < 0.6
    n_samples = draw.randrange(3, 6) if is_rgb else draw.randrange(1, 4)
    options = _options(draw, n_samples, is_rgb)
    shape = (draw.randrange(1, 40), draw.randrange(1, 40))
    if n_samples > 1:
        is_planar = options["planarconfig"] == "separate"
        shape = (n_samples, *shape) if is_planar else (*shape, n_samples)
    pages = rng.integers(0, 256 ** min(2, dtype.itemsize), (draw.randrange(1, 3), *shape))
    pages = np.where(rng.random(pages.shape) < 0.2, 0, pages).astype("u2")
    pages = (pages / 7 - 999).astype(dtype) if dtype.kind == "f" else pages.astype(dtype)
    path = Path(folder().name) / "image.tif"
    if not _written(draw, path, pages, options):
        return
    before, alphas, facts = _pages(path)
    file = attempt(read_image, path)
    expect(len(file.pages) == len(before), "another number of pages")
    for page, expected in zip(file.pages, before, strict=True):
        equal(page, expected, "tifffile reads other pixels")
    unit = 255 if dtype == np.uint8 else 1
    new = [rng.permutation(image.ravel()).reshape(image.shape) for image in file.images]
    path.write_bytes(attempt(file.replaced, [image / unit for image in new]))
    after, _, facts_after = _pages(path)
    expect(facts_after == facts, f"{facts_after} became of {facts}")
    for old, out, image, alpha in zip(before, after, new, alphas, strict=True):
        colours = [i for i in range(old.shape[2]) if i not in alpha]
        visible = (old[..., alpha] != 0).all(axis=-1)
        equal(out[~visible], old[~visible], "what is transparent was changed")
        equal(out[..., alpha], old[..., alpha], "alpha was changed")
        values = image.reshape(*image.shape[:2], -1)
        equal(out[..., colours][visible], values[visible], "other pixels were written")


# A file's own codec may be asked to make too much of it.
BOMBS = {
    "zlib": "zlib_encode",
    "lzw": "lzw_encode",
    "zstd": "zstd_encode",
    "lzma": "lzma_encode",
    "packbits": "packbits_encode",
    "png": "png_encode",
    "webp": "webp_encode",
    "jpegxl": "jpegxl_encode",
    "jpegxr": "jpegxr_encode",
    "jpeg": "jpeg8_encode",
    "lerc": "lerc_encode",
    "jpeg2000": "jpeg2k_encode",
}


@cache
def _large(codec):
    """A strip of more pixels than a file says."""
    side = 1024
    pixels = np.zeros((side, side), np.uint8)
    if codec == "webp":
        pixels = np.dstack([pixels] * 3)
    if codec in ("zlib", "lzw", "zstd", "lzma", "packbits"):
        pixels = pixels.tobytes()
    return getattr(imagecodecs, BOMBS[codec])(pixels)


def swollen(draw):
    """A strip that holds more than its pixels is refused."""
    codec = choose(draw, *BOMBS)
    path = Path(folder().name) / "swollen.tif"
    n_samples = 3 if codec == "webp" else 1
    shape = (16, 16, 3)[: 2 + (n_samples > 1)]
    photometric = "rgb" if n_samples > 1 else "minisblack"
    tifffile.imwrite(
        path,
        iter([_large(codec)]),
        shape=shape,
        dtype="u1",
        photometric=photometric,
        compression=codec,
        byteorder=choose(draw, "<", ">"),
        metadata=None,
    )
    try:
        read_image(path)
    except ValueError as error:
        expect(str(path) in str(error), f"the error does not name the file: {error}")
        return
    expect(False, f"{codec}: took a strip that holds more than its pixels")


def outputs(draw):
    """No input is written over, and no output twice, whatever their paths look like."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        (top / "in" / "deep").mkdir(parents=True)
        (top / "out").mkdir()
        files = [top / "in" / "a.png", top / "in" / "deep" / "b.png"]
        for i, path in enumerate(files):
            Image.fromarray(np.full((4, 5), 100 * i, np.uint8)).save(path)
        skdae.MeanFilter().save(top / "model")
        before = [path.read_bytes() for path in files]
        inputs = files[: draw.randrange(1, 3)]
        out = _spelt(draw, top, choose(draw, *inputs, top / "out" / "a.png", top / "out"))
        is_folder = out.is_dir() or len(inputs) > 1
        targets = [out / path.name for path in inputs] if is_folder else [out]
        if is_folder and out.is_dir() and draw.random() < 0.3:
            # One output is a link to the other, or to an input.
            with contextlib.suppress(FileExistsError):
                choose(draw, os.link, os.symlink)(choose(draw, *files), targets[-1])
        taken = [path for path in targets if path.exists()]
        is_input = any(path.samefile(other) for path in taken for other in inputs)
        with contextlib.redirect_stderr(io.StringIO()) as said:
            code = main(
                ["denoise", *map(str, inputs), "-o", str(out), "--model", str(top / "model")]
            )
        if is_input:
            expect(code == 1, "an input was to be written over")
            expect("is one of the inputs" in said.getvalue(), said.getvalue())
        for path, content in zip(inputs, before, strict=False):
            expect(path.read_bytes() == content, f"{path.name} was written over")
        shutil.rmtree(top / "out")


def _spelt(draw, top, path):
    """Another path to the same place."""
    kind = draw.randrange(6)
    if kind == 0:
        return path.parent / "." / ".." / path.parent.name / path.name
    if kind == 1:
        return Path(os.path.relpath(path))
    if kind == 2:
        (top / "link").symlink_to(path.parent)
        return top / "link" / path.name
    if kind == 3:
        (top / "link.png").symlink_to(os.path.relpath(path, top))
        return top / "link.png"
    if kind == 4 and path.is_file():
        os.link(path, top / "hard.png")
        return top / "hard.png"
    return path


IMAGE_KINDS = {
    "image: TIFF": (tiff, 20),
    "image: swollen": (swollen, 4),
    "image: outputs": (outputs, 10),
}
