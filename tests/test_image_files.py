"""Image files are read as they are, and written with other pixels alone."""

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from skdae import DenoisingAutoencoder, GaussianNoise, MedianFilter, Noise2VoidDenoiser
from skdae._files.images import read_image
from skdae.architectures import UNet
from skdae.datasets import ImageFiles
from skdae.metrics import peak_signal_noise_ratio
from skdae.noise import estimate_noise

tifffile = pytest.importorskip("tifffile")
imagecodecs = pytest.importorskip("imagecodecs")

RNG = np.random.default_rng(0)
EXIF = Image.Exif()
EXIF[0x0112] = 6  # turned by a quarter
EXIF[0x010F] = "a camera"
SAMPLES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
# Types of colour in a PNG file, by the number of samples.
COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}


def pixels_of(*shape, dtype=np.uint8):
    return RNG.integers(0, 256 if dtype == np.uint8 else 60000, shape).astype(dtype)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(header, *chunks):
    chunks = (chunk(b"IHDR", struct.pack(">IIBBBBB", *header)), *chunks, chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def png_16(pixels, *chunks):
    """A PNG file of 16 bits, whose lines are told from those above."""
    height, width, n = pixels.shape
    lines = pixels.astype(">u2").reshape(height, -1).view(np.uint8)
    lines = np.vstack([lines[:1], lines[1:] - lines[:-1]])
    data = np.hstack([np.full((height, 1), 2, np.uint8), lines]).tobytes()
    data = [chunk(b"IDAT", part) for part in (zlib.compress(data)[:9], zlib.compress(data)[9:])]
    return png((width, height, 16, COLOURS[n], 0, 0, 0), *chunks, *data)


def opened(path):
    return Image.open(io.BytesIO(path.read_bytes()))


def darkened(path):
    """What was in a file, and what is in it after half of each value was written."""
    before = read_image(path)
    units = [255 if image.dtype == np.uint8 else 1 for image in before.images]
    halves = [image / (2 * unit) for image, unit in zip(before.images, units, strict=True)]
    other = path.with_name(f"other{path.suffix}")
    other.write_bytes(before.replaced(halves))
    after = read_image(other)
    n_colours = before.pages[0].shape[2] - len(before.alpha)
    for old, new, half, unit in zip(before.pages, after.pages, halves, units, strict=True):
        assert (new.shape, new.dtype) == (old.shape, old.dtype)
        # Alpha is as before, and so are the colours of what is transparent.
        assert_array_equal(new[..., n_colours:], old[..., n_colours:])
        visible = (old[..., n_colours:] != 0).all(axis=-1)
        assert_array_equal(new[~visible], old[~visible])
        values = half * unit
        if path.suffix != ".jpg":
            values = values if old.dtype.kind == "f" else np.rint(values)
            colours = new[..., :n_colours].reshape(half.shape)
            assert_array_equal(colours[visible], values[visible])
    return before, after, other


# PNG


@pytest.mark.parametrize("mode", SAMPLES)
def test_png_of_8_bits_keeps_all_but_its_pixels(mode, tmp_path):
    pixels = pixels_of(20, 31, SAMPLES[mode])
    path = tmp_path / "image.png"
    image = Image.fromarray(pixels.squeeze())
    image.save(path, icc_profile=b"profile" * 9, exif=EXIF, dpi=(200, 200))
    before, _, other = darkened(path)
    assert_array_equal(before.pages[0], pixels)
    assert opened(other).info == opened(path).info
    assert opened(other).getexif() == EXIF


@pytest.mark.parametrize("n_samples", [1, 2, 3, 4])
def test_png_of_16_bits_keeps_every_bit(n_samples, tmp_path):
    pixels = pixels_of(20, 31, n_samples, dtype=np.uint16)
    path = tmp_path / "image.png"
    profile = chunk(b"iCCP", b"name\0\0" + zlib.compress(b"profile"))
    path.write_bytes(png_16(pixels, profile, chunk(b"gAMA", struct.pack(">I", 45455))))
    before, _, other = darkened(path)
    assert_array_equal(before.pages[0], pixels)
    assert profile in other.read_bytes()
    assert opened(other).info == opened(path).info


# JPEG


@pytest.mark.parametrize("sampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_keeps_tables_sampling_and_what_programs_wrote_into_it(
    sampling, progressive, tmp_path
):
    smooth = Image.fromarray(pixels_of(6, 8, 3)).resize((64, 48))
    path = tmp_path / "image.jpg"
    options = {"quality": 91, "subsampling": sampling, "progressive": progressive}
    smooth.save(path, exif=EXIF, icc_profile=b"profile" * 9, comment=b"mine", **options)
    before, after, other = darkened(path)
    old, new = opened(path), opened(other)
    assert (new.info, new.quantization) == (old.info, old.quantization)
    assert new.getexif() == EXIF
    assert [x[1:] for x in new.layer] == [x[1:] for x in old.layer]
    error = after.pages[0].astype(float) - before.pages[0] / 2
    assert abs(error).mean() < 3


@pytest.mark.parametrize(
    ("sampling", "expected"),
    # Pillow cannot write the first two; what it writes instead loses no colour.
    [("440", (1, 1)), ("411", (2, 1)), ("444", (1, 1)), ("422", (2, 1)), ("420", (2, 2))],
)
def test_jpeg_keeps_its_sampling_or_gets_a_finer_one(sampling, expected, tmp_path):
    smooth = np.asarray(Image.fromarray(pixels_of(6, 8, 3)).resize((64, 48)))
    path = tmp_path / "image.jpg"
    path.write_bytes(imagecodecs.jpeg8_encode(smooth, level=90, subsampling=sampling))
    _, _, other = darkened(path)
    assert [x[1:3] for x in opened(other).layer] == [expected, (1, 1), (1, 1)]
    assert opened(other).quantization == opened(path).quantization


def test_jpeg_in_rgb_stays_so(tmp_path):
    # A checkerboard of red and blue, which sampling would mix.
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[::2, ::2, 0] = pixels[1::2, 1::2, 2] = 200
    path = tmp_path / "image.jpg"
    Image.fromarray(pixels).save(path, quality=98, keep_rgb=True, exif=EXIF)
    _, after, other = darkened(path)
    assert opened(other).info["adobe_transform"] == 0
    assert "jfif" not in opened(other).info
    assert [x[0] for x in opened(other).layer] == [*b"RGB"]
    assert abs(after.pages[0] - pixels / 2).max() < 8
    assert opened(other).getexif() == EXIF


def test_tables_of_a_jpeg_stay_with_their_components(tmp_path):
    tables = [[i] * 64 for i in (3, 5, 9)]
    path = tmp_path / "image.jpg"
    Image.fromarray(pixels_of(16, 16, 3)).save(path, qtables=tables, subsampling=0)
    _, _, other = darkened(path)
    image = opened(other)
    assert [image.quantization[x[3]][0] for x in image.layer] == [3, 5, 9]


def test_grey_jpeg_stays_grey(tmp_path):
    Image.fromarray(pixels_of(20, 30) // 4 + 90).save(tmp_path / "image.jpg", quality=95)
    _, after, _ = darkened(tmp_path / "image.jpg")
    assert after.images[0].shape == (20, 30)


def test_of_several_pictures_in_a_jpeg_the_first_is_kept_alone(tmp_path):
    first, second = (Image.new("RGB", (32, 24), colour) for colour in ("red", "blue"))
    first.save(tmp_path / "image.jpg", "MPO", save_all=True, append_images=[second], exif=EXIF)
    _, _, other = darkened(tmp_path / "image.jpg")
    assert opened(tmp_path / "image.jpg").format == "MPO"
    assert opened(other).format == "JPEG"
    assert opened(other).getexif() == EXIF


# TIFF


def tiff(path, data, **options):
    options = {"photometric": "minisblack", "metadata": None, **options}
    tifffile.imwrite(path, data, **options)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("packing", [{}, {"compression": "zlib"}])
@pytest.mark.parametrize("place", [{"rowsperstrip": 16}, {"tile": (16, 16)}], ids=str)
def test_tiff_keeps_pages_values_and_alpha(dtype, packing, place, tmp_path):
    path = tmp_path / "image.tif"
    kinds = [(1, None, "<"), (3, "contig", ">"), (4, "separate", "<"), (4, "contig", ">")]
    for n_samples, planar, order in kinds:
        shape = (40, 50, n_samples) if planar == "contig" else (n_samples, 40, 50)
        pixels = pixels_of(2, *(shape if planar else (40, 50)), dtype=dtype)
        options = {"photometric": "rgb" if planar else "minisblack", "byteorder": order}
        if n_samples == 4:
            options["extrasamples"] = ["unassalpha"]
        if packing and dtype in (np.uint8, np.uint16):
            options["predictor"] = True
        tiff(path, pixels, planarconfig=planar, **options, **packing, **place)
        before, _, _ = darkened(path)
        expected = np.moveaxis(pixels, 1, 3) if planar == "separate" else pixels
        assert_array_equal(before.pages, expected.reshape(2, 40, 50, n_samples))


def test_tiff_keeps_its_tags(tmp_path):
    path = tmp_path / "image.tif"
    tags = [(0x010F, "s", 0, "a camera", True), (0x0112, "H", 1, 6, True)]
    options = {"iccprofile": b"profile", "description": "cells", "resolution": (300, 300)}
    tiff(path, pixels_of(40, 50), compression="zlib", extratags=tags, **options)
    _, _, other = darkened(path)

    def told(path):
        with tifffile.TiffFile(path) as file:
            return [(t.name, t.value) for t in file.pages[0].tags if t.code not in (273, 279)]

    assert told(other) == told(path)
    assert dict(told(other))["Make"] == "a camera"


def test_tiff_grows_where_other_pixels_are_packed_less_well(tmp_path):
    path = tiff(tmp_path / "image.tif", np.zeros((40, 50), np.uint8), compression="zlib")
    values = pixels_of(40, 50)
    path.write_bytes(read_image(path).replaced([values / 255]))
    assert_array_equal(tifffile.imread(path), values)


@pytest.mark.parametrize(("shape", "dtype"), [((9, 8, 3), np.uint8), ((9, 8), np.uint16)])
def test_tiff_that_pillow_alone_can_unpack(shape, dtype, tmp_path):
    pixels = pixels_of(*shape, dtype=dtype)
    Image.fromarray(pixels).save(tmp_path / "image.tif", compression="tiff_lzw")
    before, _, _ = darkened(tmp_path / "image.tif")
    assert_array_equal(before.images[0], pixels)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize(("shape", "dtype"), [((9, 9, 3), np.uint8), ((9, 8), np.uint16)])
def test_tiff_that_pillow_unpacks_keeps_its_pixels_as_they_lie(shape, dtype, turn, tmp_path):
    pages = pixels_of(2, *shape, dtype=dtype)
    first, second = map(Image.fromarray, pages)
    options = {"compression": "tiff_lzw", "tiffinfo": {0x0112: turn}}
    first.save(tmp_path / "image.tif", save_all=True, append_images=[second], **options)
    before, _, _ = darkened(tmp_path / "image.tif")
    for page, image in zip(pages, before.images, strict=True):
        assert_array_equal(image, page)


@pytest.mark.parametrize(
    ("kind", "options", "places"),
    [
        # Nothing is stored of the second part, which is 0 everywhere.
        ("Strip", {"rowsperstrip": 16}, [(None, 256), (0, 0), (None, 256)]),
        ("Tile", {"tile": (16, 16)}, [(None, 256), (0, 0), (None, 256)]),
        # A wrong number of bytes, which readers do not need.
        ("Strip", {}, [(None, 0)]),
    ],
)
def test_tiff_with_other_places_than_its_pixels_need(kind, options, places, tmp_path):
    path = tiff(tmp_path / "image.tif", pixels_of(48, 16), **options)
    content = io.BytesIO(path.read_bytes())
    with tifffile.TiffFile(content) as file:
        page = file.pages[0]
        pairs = zip(places, page.dataoffsets, strict=True)
        offsets = [old if new is None else new for (new, _), old in pairs]
        page.tags[f"{kind}Offsets"].overwrite(offsets)
        page.tags[f"{kind}ByteCounts"].overwrite([count for _, count in places])
    path.write_bytes(content.getvalue())
    values = pixels_of(48, 16)
    path.write_bytes(read_image(path).replaced([values / 255]))
    assert_array_equal(tifffile.imread(path), values)


def test_stack_of_imagej_has_its_slices(tmp_path):
    path = tmp_path / "stack.tif"
    stack = pixels_of(5, 30, 40, dtype=np.uint16)
    tifffile.imwrite(path, stack, imagej=True)
    _, _, other = darkened(path)
    assert_array_equal(ImageFiles(path), stack)
    with tifffile.TiffFile(other) as file:
        assert file.is_imagej


def test_channels_of_a_microscope_are_not_alpha(tmp_path):
    path = tiff(tmp_path / "cells.tif", pixels_of(30, 40, 5), planarconfig="contig")
    assert read_image(path).images[0].shape == (30, 40, 5)
    darkened(path)


def tiff_kinds():
    """Types of values, and the codecs and predictors that tifffile writes them with."""
    for dtype in ("u1", "u2", "i1", "i2", "f2", "f4", "f8"):
        yield dtype, None, None
        for codec in ("lzw", "zlib", "zstd", "packbits", "lzma"):
            yield from ((dtype, codec, None), (dtype, codec, 3 if dtype[0] == "f" else 2))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("dtype", "codec", "predictor"), [*tiff_kinds()])
def test_tiff_of_any_kind_is_read_and_written(dtype, codec, predictor, order, tmp_path):
    values = (pixels_of(2, 37, 29, 3, dtype=np.uint16) / 3 - 9000).astype(dtype)
    options = {"compression": codec, "byteorder": order, "rowsperstrip": 8, "photometric": "rgb"}
    path = tiff(tmp_path / "image.tif", values, predictor=predictor, **options)
    before, _, other = darkened(path)
    assert_array_equal(before.pages, values)
    with tifffile.TiffFile(other) as file:
        assert file.byteorder == order
        assert file.pages[0].predictor == (predictor or 1)
        # Read by another library than our own, from the tags that we wrote.
        assert_array_equal(file.pages[1].asarray(), read_image(other).pages[1])


def packed(values, bits):
    """What tifffile writes of packed values, which old releases of imagecodecs cannot pack."""
    text = ["".join(f"{value:0{bits}b}" for value in line.ravel()) for line in values]
    lines = [line.ljust(-(-len(line) // 8) * 8, "0") for line in text]
    data = b"".join(int(line, 2).to_bytes(len(line) // 8, "big") for line in lines)
    return {"data": iter([data]), "shape": values.shape, "dtype": values.dtype} | {
        "bitspersample": bits
    }


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("shape", [(9, 7), (8, 5, 3)])
def test_tiff_of_packed_values_keeps_its_bits(bits, shape, tmp_path):
    values = pixels_of(*shape, dtype=np.uint16) >> (16 - bits)
    options = {"photometric": "rgb"} if len(shape) == 3 else {}
    path = tiff(tmp_path / "image.tif", **packed(values, bits), **options)
    before, _, other = darkened(path)
    assert_array_equal(before.images[0], values)
    assert other.stat().st_size == path.stat().st_size
    path.write_bytes(before.replaced([np.full(shape, 1e6)]))
    assert_array_equal(tifffile.imread(path), np.full(shape, 2**bits - 1))


def test_tiff_of_signed_values_is_clipped_to_what_it_holds(tmp_path):
    path = tiff(tmp_path / "image.tif", np.array([[-1000, 3000]], np.int16))
    path.write_bytes(read_image(path).replaced([np.array([[-1e6, 1e6]])]))
    assert_array_equal(tifffile.imread(path), [[-32768, 32767]])


@pytest.mark.parametrize("codec", ["jpeg", "jpeg2000", "webp", "png", "jpegxl", "jpegxr", "lerc"])
@pytest.mark.parametrize("place", [{"rowsperstrip": 16}, {"tile": (32, 32)}], ids=str)
def test_tiff_of_packed_pictures_is_read_as_by_tifffile(codec, place, tmp_path):
    smooth = np.asarray(Image.fromarray(pixels_of(6, 8, 3)).resize((50, 40)))
    options = {"photometric": "rgb", "compression": codec}
    path = tiff(tmp_path / "image.tif", smooth, **options, **place)
    before, _, other = darkened(path)
    assert_array_equal(before.images[0], tifffile.imread(path))
    # By a reader that knows TIFF by its tags.
    half = np.rint(before.images[0] / 2)
    assert_array_equal(np.asarray(opened(other)), half)


def test_tiff_whose_bits_are_turned_is_written_with_bits_that_are_not(tmp_path):
    path = tiff(tmp_path / "image.tif", pixels_of(9, 8), extratags=[(266, "H", 1, 2, True)])
    turned = imagecodecs.bitorder_decode(tifffile.imread(path).tobytes())
    before, _, other = darkened(path)
    assert before.images[0].tobytes() in (turned, tifffile.imread(path).tobytes())
    assert_array_equal(before.images[0], tifffile.imread(path))
    with tifffile.TiffFile(other) as file:
        assert file.pages[0].fillorder == 1


# Alpha


def test_what_a_file_does_not_call_alpha_is_a_channel(tmp_path):
    near_infrared = pixels_of(12, 10, 4)
    path = tiff(tmp_path / "a.tif", near_infrared, photometric="rgb", extrasamples=["unspecified"])
    assert_array_equal(ImageFiles(path)[0], near_infrared)
    darkened(path)
    bands = pixels_of(12, 10, 6, dtype=np.uint16)
    path = tiff(path, bands, photometric="rgb", extrasamples=["unspecified"] * 3)
    assert_array_equal(ImageFiles(path)[0], bands)
    darkened(path)


def test_alpha_may_lie_between_channels(tmp_path):
    pixels = pixels_of(12, 10, 5) | 1
    kinds = ["unassalpha", "unspecified"]
    path = tiff(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=kinds)
    file = read_image(path)
    assert_array_equal(file.images[0], pixels[..., [0, 1, 2, 4]])
    path.write_bytes(file.replaced([np.zeros((12, 10, 4))]))
    out = tifffile.imread(path)
    assert_array_equal(out[..., 3], pixels[..., 3])
    assert not out[..., [0, 1, 2, 4]].any()


def transparent(path, pixels):
    """A file with alpha, as the suffix tells."""
    if path.suffix == ".tif":
        tiff(path, pixels, photometric="rgb", extrasamples=["unassalpha"], compression="lzw")
    else:
        Image.fromarray(pixels).save(path, lossless=True, exact=True)
    return read_image(path)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_colours_under_alpha_0_are_those_of_the_nearest_pixel_that_is_seen(suffix, tmp_path):
    pixels = pixels_of(20, 31, 4)
    pixels[..., 3] = 255
    pixels[:, :12, 3] = 0
    file = transparent(tmp_path / f"image{suffix}", pixels)
    # On each line, the first that is seen.
    assert_array_equal(file.images[0][:, :12], np.repeat(pixels[:, 12:13, :3], 12, axis=1))
    assert_array_equal(file.images[0][:, 12:], pixels[:, 12:, :3])
    other = tmp_path / f"other{suffix}"
    other.write_bytes(file.replaced([np.ones((20, 31, 3))]))
    (out,) = read_image(other).pages
    assert_array_equal(out[:, :12], pixels[:, :12])
    assert (out[:, 12:] == 255).all()


def test_an_image_of_which_nothing_is_seen_stays_as_it_is(tmp_path):
    pixels = pixels_of(6, 7, 4)
    pixels[..., 3] = 0
    file = transparent(tmp_path / "image.png", pixels)
    assert_array_equal(file.images[0], pixels[..., :3])
    (tmp_path / "image.png").write_bytes(file.replaced([np.ones((6, 7, 3))]))
    assert_array_equal(read_image(tmp_path / "image.png").pages[0], pixels)


@pytest.mark.parametrize("codec", [None, "lzw", "zstd", "packbits"])
def test_premultiplied_alpha_comes_out_as_it_went_in(codec, tmp_path):
    pixels = np.full((8, 9, 4), (41, 16, 41, 48), np.uint8)
    options = {"photometric": "rgb", "extrasamples": ["assocalpha"], "compression": codec}
    path = tiff(tmp_path / "image.tif", pixels, **options)
    file = read_image(path)
    path.write_bytes(file.replaced([file.images[0] / 255]))
    assert_array_equal(tifffile.imread(path), pixels)


# BMP and WebP


@pytest.mark.parametrize("mode", ["L", "RGB", "BGRX", "upside down"])
def test_bmp_keeps_all_but_its_pixels(mode, tmp_path):
    path = tmp_path / "image.bmp"
    pixels = pixels_of(5, 7) if mode == "L" else pixels_of(5, 7, 3)
    Image.fromarray(pixels).save(path, dpi=(200, 200))
    content = bytearray(path.read_bytes())
    if mode == "BGRX":
        # 32 bits, of which the last 8 mean nothing.
        content[28] = 32
        content[54:] = np.dstack([pixels[::-1, :, ::-1], np.full((5, 7), 9, np.uint8)]).tobytes()
    elif mode == "upside down":
        content[22:26] = struct.pack("<i", -5)
        pixels = pixels[::-1]
    path.write_bytes(content)
    before, _, other = darkened(path)
    assert_array_equal(before.images[0], pixels)
    assert_array_equal(np.asarray(opened(other)), np.rint(pixels / 2))
    offset = struct.unpack_from("<I", content, 10)[0]
    assert other.read_bytes()[:offset] == content[:offset]
    if mode == "BGRX":
        assert set(other.read_bytes()[57::4]) == {9}


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_webp_without_loss_stays_so(mode, tmp_path):
    pixels = pixels_of(20, 31, SAMPLES[mode])
    path = tmp_path / "image.webp"
    options = {"icc_profile": b"profile" * 9, "exif": EXIF, "xmp": b"<x/>"}
    Image.fromarray(pixels).save(path, lossless=True, exact=True, **options)
    before, _, other = darkened(path)
    assert_array_equal(before.pages[0], pixels)
    assert opened(other).info == opened(path).info


def test_webp_with_loss_stays_so(tmp_path):
    smooth = Image.fromarray(pixels_of(6, 8, 3)).resize((64, 48))
    path = tmp_path / "image.webp"
    smooth.save(path, quality=80, icc_profile=b"profile" * 9)
    file = read_image(path)
    content = file.replaced([file.images[0] / 510])
    assert b"VP8 " in content
    after = np.asarray(Image.open(io.BytesIO(content)), float)
    assert abs(after - file.images[0] / 2).mean() < 3


# What is refused


def refused():
    """Files that cannot be read, with the reason why."""
    grey, colours = Image.fromarray(pixels_of(16, 16)), Image.fromarray(pixels_of(16, 16, 3))

    def saved(image, kind, **options):
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    def tiffs(data, **options):
        buffer = io.BytesIO()
        options = {"photometric": "minisblack", **options}
        tifffile.imwrite(buffer, data, metadata=None, **options)
        return buffer.getvalue()

    header = (4, 4, 1, 0, 0, 0, 0)
    whole = saved(colours, "PNG")
    turned = bytearray(whole)
    turned[60] ^= 1
    stack = io.BytesIO()
    tifffile.imwrite(stack, pixels_of(5, 8, 8), shaped=True, truncate=True, photometric=1)
    pyramid = io.BytesIO()
    with tifffile.TiffWriter(pyramid) as writer:
        writer.write(pixels_of(32, 32), subifds=1, photometric=1)
        writer.write(pixels_of(16, 16), subfiletype=1, photometric=1)
    return {
        "empty.png": (b"", "it is empty"),
        "text.png": (b"not an image", "not a PNG, JPEG or TIFF file"),
        "gif.png": (saved(grey, "GIF"), "not a PNG, JPEG or TIFF file"),
        "cut.png": (whole[:-200], "damaged"),
        "turned.png": (bytes(turned), "damaged"),
        "start.png": (whole[:8], "damaged"),
        "palette.png": (saved(colours.convert("P"), "PNG"), "palette.*convert it"),
        "key.png": (saved(colours, "PNG", transparency=(1, 2, 3)), "one transparent color"),
        "bits.png": (png(header, chunk(b"IDAT", zlib.compress(4 * b"\0\0"))), "1 bit"),
        "animation.png": (
            saved(grey, "PNG", save_all=True, append_images=[Image.new("L", (16, 16))]),
            "animation",
        ),
        "cut.jpg": (saved(colours, "JPEG")[:-100], "damaged"),
        "start.jpg": (b"\xff\xd8\xff\xe0", "damaged, or of a kind"),
        "half.jpg": (saved(colours, "JPEG")[:40], "damaged, or of a kind"),
        "lossless.jpg": (imagecodecs.ljpeg_encode(pixels_of(16, 16)), "damaged, or of a kind"),
        "cmyk.jpg": (saved(colours.convert("CMYK"), "JPEG"), "colors are CMYK"),
        "bits.jpg": (
            # The frame says 12 bits; Pillow's own message would name a buffer.
            saved(colours, "JPEG").replace(b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c"),
            "JPEG of 12 bits",
        ),
        "palette.bmp": (saved(colours.convert("P"), "BMP"), "palette"),
        "bits.bmp": (saved(grey.convert("1"), "BMP"), "less than 8 bits"),
        "cut.bmp": (saved(colours, "BMP")[:-9], "damaged: its end is missing"),
        "animation.webp": (
            saved(colours, "WEBP", save_all=True, append_images=[Image.new("RGB", (16, 16))]),
            "animation",
        ),
        "sound.webp": (b"RIFF" + bytes(40), "damaged, or of a kind"),
        "start.tif": (b"II*\0", "damaged"),
        "cut.tif": (tiffs(pixels_of(16, 16))[:-100], "damaged|corrupt|failed|expected"),
        "cmyk.tif": (tiffs(pixels_of(8, 8, 4), photometric="separated"), "colors are SEPARATED"),
        "palette.tif": (saved(colours.convert("P"), "TIFF"), "colors are PALETTE"),
        "int32.tif": (tiffs(pixels_of(8, 8).astype(np.int32)), "pixels are int32 of 32 bits"),
        "uint32.tif": (tiffs(pixels_of(8, 8).astype(np.uint32)), "pixels are uint32 of 32 bits"),
        "packed.tif": (tiffs(**packed(pixels_of(8, 8) >> 4, 4)), "uint8 of 4 bits"),
        "bits.tif": (saved(grey.convert("1"), "TIFF"), "1 bits"),
        "stack.tif": (stack.getvalue(), "a stack behind its first page"),
        "pyramid.tif": (pyramid.getvalue(), "smaller copies"),
    }


@pytest.mark.parametrize("name", refused())
def test_what_cannot_be_read_is_an_error_that_names_file_and_reason(name, tmp_path):
    content, reason = refused()[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name} cannot be read: .*({reason})") as caught:
        read_image(path)
    assert "BytesIO" not in str(caught.value)
    assert "Error" not in str(caught.value)


# What a stranger's file costs


def small_but(codec, data, path, **options):
    """A TIFF file of 16 x 16 pixels, whose one strip or tile is `data`."""
    options = {"photometric": "minisblack", "compression": codec, "metadata": None, **options}
    tifffile.imwrite(path, iter([data]), shape=(16, 16), dtype=np.uint8, **options)


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["zlib", "zstd", "lzma", "lzw", "lerc", "jpegxl", "jpeg2000"])
def test_strip_that_becomes_too_much_is_refused_before_it_does(codec, tmp_path):
    side = 2**13
    encode = {"lzw": "lzw", "jpeg2000": "jpeg2k"}.get(codec, codec)
    # 64 MiB that the file says nothing about.
    zeros = np.zeros((side, side), np.uint8)
    zeros = zeros if codec in ("lerc", "jpegxl", "jpeg2000") else zeros.tobytes()
    path = tmp_path / "bomb.tif"
    small_but(codec, getattr(imagecodecs, f"{encode}_encode")(zeros), path)
    assert path.stat().st_size < 2**18
    peak = "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss"
    script = (
        "import resource, sys, imagecodecs, tifffile\n"
        "from skdae._files.images import read_image\n"
        f"imagecodecs.{encode}_decode; before = {peak}\n"
        "try: read_image(sys.argv[1])\n"
        "except ValueError as error: assert 'bomb.tif cannot be read' in str(error), error\n"
        "else: raise AssertionError('it was read')\n"
        f"grown = ({peak} - before) // (2**10 if sys.platform == 'linux' else 2**20)\n"
        "assert grown < 40, f'{grown} MiB'\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("codec", ["png", "webp", "jpeg", "jpegxr"])
def test_strip_with_a_larger_picture_is_refused(codec, tmp_path):
    picture = np.zeros((99, 99, 3) if codec == "webp" else (99, 99), np.uint8)
    encode = {"jpeg": "jpeg8"}.get(codec, codec)
    small_but(codec, getattr(imagecodecs, f"{encode}_encode")(picture), tmp_path / "a.tif")
    with pytest.raises(ValueError, match=r"a.tif cannot be read: .*hold more than their pixels"):
        read_image(tmp_path / "a.tif")


def test_tiles_much_larger_than_their_image_are_refused(tmp_path):
    path = tmp_path / "a.tif"
    small_but("zlib", zlib.compress(bytes(64 * 64)), path, tile=(64, 64))
    assert read_image(path).images[0].shape == (16, 16)
    small_but("zlib", zlib.compress(bytes(2**16)), path, tile=(2**15, 2**15))
    with pytest.raises(ValueError, match="its tiles have 32768 × 32768 pixels, the image only 16"):
        read_image(path)


def test_folders_and_files_that_are_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"holds no image files: none is \.png"):
        ImageFiles(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no .*a.png"):
        ImageFiles([tmp_path / "a.png"])
    with pytest.raises(OSError, match="is a folder"):
        read_image(tmp_path)


def test_missing_library_is_told_with_what_brings_it(monkeypatch, tmp_path):
    path = tiff(tmp_path / "image.tif", pixels_of(8, 8))
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(ImportError, match=r"needs tifffile.*'\.\[images\]"):
        read_image(path)


# A sequence of files


def test_folder_has_files_of_all_formats_and_tells_what_it_passes_over(tmp_path):
    image = Image.fromarray(pixels_of(8, 8, 3))
    for suffix in (".jfif", ".bmp", ".webp", ".PNG", ".tif"):
        image.save(tmp_path / f"image{suffix}", None if suffix != ".jfif" else "JPEG")
    assert len(ImageFiles(tmp_path)) == 5
    for name in ("a.gif", "b.heic"):
        (tmp_path / name).write_bytes(b"")
    with pytest.warns(UserWarning, match=r"holds 2 image.* such as a.gif, which are passed over"):
        assert len(ImageFiles(tmp_path)) == 5


def test_pages_are_counted_whatever_the_name_says(tmp_path):
    path = tiff(tmp_path / "pages.png", pixels_of(3, 8, 8))
    assert len(ImageFiles(path)) == 3


@pytest.fixture
def folder(tmp_path):
    """Three files of different sizes, and what is not one."""
    for i, side in enumerate([40, 48, 40]):
        smooth = Image.fromarray(pixels_of(4, 5, 3)).resize((44, side))
        smooth.save(tmp_path / f"{i}.png")
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / ".3.png").write_text("hidden")
    (tmp_path / "more.png").mkdir()
    return tmp_path


def test_files_are_a_sequence_of_arrays(folder):
    images = ImageFiles(folder)
    assert [path.name for path in images.paths] == ["0.png", "1.png", "2.png"]
    assert [image.shape for image in images] == [(40, 44, 3), (48, 44, 3), (40, 44, 3)]
    assert images[0].dtype == np.uint8
    assert_array_equal(images[-1], np.asarray(opened(folder / "2.png")))
    assert repr(images[1:]) == "ImageFiles(2 images of 2 files)"
    assert_array_equal(images[1:][0], images[1])
    with pytest.raises(IndexError):
        images[3]


def test_files_are_read_when_they_are_used(folder):
    images = ImageFiles(folder)
    (folder / "1.png").write_bytes(b"")
    assert len(images) == 3
    assert images[0].shape == (40, 44, 3)
    with pytest.raises(ValueError, match="1.png cannot be read: it is empty"):
        MedianFilter().fit(images)


def test_an_image_is_the_callers_own(folder):
    images = ImageFiles(folder)
    images[0][:] = 0
    assert images[0].any()


def test_pages_are_images_of_their_own(folder):
    tiff(folder / "3.tif", pixels_of(2, 30, 40))
    images = ImageFiles([folder / "0.png", folder / "3.tif"])
    assert [path.name for path in images.paths] == ["0.png", "3.tif", "3.tif"]
    assert images[2].shape == (30, 40)


@pytest.mark.parametrize("size", ["different sizes", "one size"])
def test_files_are_taken_as_a_list_of_images(size, folder):
    files = ImageFiles(folder) if size == "different sizes" else ImageFiles(folder)[::2]
    images = list(files)
    options = {"patch_size": 16, "max_epochs": 1, "random_state": 0}
    for denoiser in (
        MedianFilter(),
        DenoisingAutoencoder(UNet((2, 4)), noise=GaussianNoise(), **options),
        Noise2VoidDenoiser(UNet((2, 4)), **options),
    ):
        expected = denoiser.fit(images).predict(images)
        for X, X_expected in zip(denoiser.fit(files).predict(files), expected, strict=True):
            assert_array_equal(X, X_expected)
        assert denoiser.score(files, files) == denoiser.score(images, images)
    noise = GaussianNoise(random_state=0)
    X_noisy = noise.fit_transform(files)
    assert_array_equal(X_noisy[0], noise.fit_transform(images)[0])
    psnr = peak_signal_noise_ratio(files, X_noisy)
    assert psnr == peak_signal_noise_ratio(images, X_noisy)
    assert estimate_noise(files).std == estimate_noise(images).std
    denoised = DenoisingAutoencoder(UNet((2, 4)), **options).fit(files, files).predict(files)
    assert len(denoised) == len(files)
