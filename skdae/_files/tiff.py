"""TIFF: tifffile and imagecodecs read the pixels, and others are written in their places.

All tags are kept but those that say where the pixels lie and how they are packed.
"""

import io
import math
import os
import struct
import zlib
from functools import partial

import numpy as np

from .pictures import CONVERT

_RGB, _YCBCR = 2, 6
_LZW, _LZMA = 5, 34925
_JPEG, _JPEG_2000 = {6, 7, 33007, 34892}, {33003, 33004, 33005, 34712}
# Not packed, Deflate, PackBits and Zstandard: tifffile says how much there may be.
_BOUNDED = {1, 8, 32773, 32946, 34926, 50000, 50013}

# Tiles of small images may be larger than these, up to so many pixels.
_TILE = 2**22


def read_tiff(content, tifffile, imagecodecs):
    """TIFF with pages of one kind."""
    with tifffile.TiffFile(io.BytesIO(content)) as tiff:
        pages = list(tiff.pages)
        kinds = {_kind(page) for page in pages}
        is_stack = tiff.is_imagej or tiff.is_shaped
        n_values = sum(series.size for series in tiff.series) if is_stack else 0
        if len(kinds) != 1 or n_values > sum(page.size for page in pages):
            raise ValueError(
                "it has no pages, pages in gray and in color, or a stack behind its first "
                "page; save it as a TIFF file with plain pages"
            )
        [(n_samples, alpha, is_rgb)] = kinds
        pixels = [_pixels(page, content, tifffile, imagecodecs) for page in pages]
        bits = [page.bitspersample for page in pages]
        nodata = [_nodata(page) for page in pages]
    return {
        "pages": [page.reshape(*page.shape[:2], n_samples) for page in pixels],
        "alpha": alpha,
        "is_rgb": is_rgb,
        "bits": bits,
        "nodata": nodata,
        "encode": partial(_encode, content, tifffile, imagecodecs),
    }


def _nodata(page):
    """The value of missing pixels, as GDAL writes it, in a tuple; none where there is no such."""
    tag = page.tags.get("GDAL_NODATA")
    try:
        return () if tag is None else (float(str(tag.value).strip("\0 ")),)
    except ValueError:
        # Its words are free.
        return ()


def _kind(page):
    """Number of samples, which of them are alpha, and whether the first three are RGB."""
    is_jpeg = page.compression in _JPEG
    if page.photometric not in ((0, 1, _RGB, _YCBCR) if is_jpeg else (0, 1, _RGB)):
        name = getattr(page.photometric, "name", page.photometric)
        raise ValueError(f"its colors are {name}; {CONVERT}")
    if not _is_known(page.dtype, page.bitspersample):
        raise ValueError(
            f"its pixels are {page.dtype} of {page.bitspersample} bits; expected integers of 8 to "
            f"16 bits, or floats: {CONVERT}"
        )
    if page.axes not in ("YX", "YXS", "SYX") or page.subifds:
        raise ValueError("it holds volumes or smaller copies; save its pages as plain TIFF pages")
    # What is not called alpha is a channel, as of a microscope, or infrared.
    n, extra = page.samplesperpixel, page.extrasamples
    alpha = tuple(n - len(extra) + i for i, kind in enumerate(extra) if kind in (1, 2))
    return n, alpha, page.photometric in (_RGB, _YCBCR) and n >= 3


def _is_known(dtype, bits):
    if dtype is None or (dtype.kind, dtype.itemsize) not in {
        *((kind, size) for kind in "iu" for size in (1, 2)),
        *(("f", size) for size in (2, 4, 8)),
    }:
        return False
    return bits == 8 * dtype.itemsize or (dtype == np.uint16 and bits in range(9, 16))


def _pixels(page, content, tifffile, imagecodecs):
    """Pixels of a page, the samples last."""
    _check_sizes(page, content, tifffile)
    pixels = page.asarray()
    return np.moveaxis(pixels, 0, 2) if page.axes == "SYX" else pixels


# What a stranger's file costs


def _check_sizes(page, content, tifffile):
    """Refuse a page whose strips or tiles would become larger than what it says of its size."""
    if page.is_tiled and page.tilewidth * page.tilelength > max(
        _TILE, 4 * page.imagewidth * page.imagelength
    ):
        raise ValueError(
            f"its tiles have {page.tilelength} × {page.tilewidth} pixels, the image only "
            f"{page.imagelength} × {page.imagewidth}"
        )
    if page.compression in _BOUNDED:
        return
    decode = tifffile.TIFF.DECOMPRESSORS[page.compression]
    for i, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
        data = content[offset : offset + count]
        if data and not _fits(page, data, page.decode(None, i)[2][1:], decode):
            raise ValueError("it is damaged: its strips or tiles hold more than their pixels")


def _fits(page, data, shape, decode):
    """Whether the data of a strip or tile become no more than its shape tells."""
    if page.compression in (_LZW, _LZMA):
        # The last strip may be as long as the others.
        most = page.rowsperstrip * math.prod(shape[1:]) if not page.is_tiled else math.prod(shape)
        most *= page.dtype.itemsize
        return len(decode(data, out=most + 1)) <= most
    if page.compression in _JPEG_2000:
        start = data.index(b"\xff\x4f\xff\x51") + 8
        width, height, left, top, *_, n_samples = struct.unpack_from(">8IH", data, start)
        return (width - left) * (height - top) * n_samples <= math.prod(shape)
    options = {}
    if page.compression in _JPEG:
        options = {"bitspersample": page.bitspersample, "tables": page.jpegtables}
    out = np.empty(shape if shape[2] > 1 else shape[:2], page.dtype)
    try:
        decode(data, out=out, **options)
    except ValueError as error:
        if "out.shape" in str(error):
            return False
        raise
    return True


# Writing


def _encode(content, tifffile, imagecodecs, pages):
    file, used = io.BytesIO(content), set()
    with tifffile.TiffFile(file) as tiff:
        for page, pixels in zip(list(tiff.pages), pages, strict=True):
            _replace_page(file, page, pixels, imagecodecs, used)
    return file.getvalue()


def _replace_page(file, page, pixels, imagecodecs, used):
    """Write the pixels of a page over the old ones, or to the end of the file."""
    predictor = _predictor(page)
    places = [*page.dataoffsets], [*page.databytecounts]
    offsets, counts = [], []
    for part, (offset, count) in zip(_parts(page, pixels), zip(*places, strict=True), strict=True):
        data = _packed(part, page, predictor, imagecodecs)
        if len(data) > count or offset in used:
            end = file.seek(0, os.SEEK_END)
            offset = end + file.write(b"\0" * (end % 2))
        file.seek(offset)
        file.write(data)
        used.add(offset)
        offsets.append(offset)
        counts.append(len(data))
    _tell(page, predictor, offsets, counts, places)


def _tell(page, predictor, offsets, counts, places):
    """Overwrite the tags that say how and where the pixels are stored."""
    tags, wide = page.tags, 16 if page.parent.is_bigtiff else 4
    new = {"Predictor": predictor, "FillOrder": 1}
    if page.compression != 1:
        new["Compression"] = 8
    if page.compression in _JPEG:
        new["YCbCrSubSampling"] = 1, 1
    if page.photometric == _YCBCR:
        new["PhotometricInterpretation"] = _RGB
    for name, value in new.items():
        if name in tags and tags[name].value != value:
            tags[name].overwrite(value)
    # Of pixels that are not packed, too: a file may have left out what is 0, or have wrong sizes.
    if (offsets, counts) != places:
        kind = "Tile" if page.is_tiled else "Strip"
        tags[f"{kind}Offsets"].overwrite(offsets, dtype=wide)
        tags[f"{kind}ByteCounts"].overwrite(counts, dtype=wide)


def _predictor(page):
    """The predictor as before, where all readers know it."""
    is_whole = page.bitspersample == 8 * page.dtype.itemsize and page.compression != 1
    return int(page.predictor) if is_whole and page.predictor in (2, 3) else 1


def _packed(part, page, predictor, imagecodecs):
    """The bytes of a strip or tile, packed with Deflate if the file was packed at all."""
    order = page.parent.byteorder
    if predictor == 3:
        # Its order of bytes is its own.
        part, order = imagecodecs.floatpred_encode(np.ascontiguousarray(part), axis=-2), "="
    elif predictor == 2:
        words = np.ascontiguousarray(part).view(f"u{part.itemsize}")
        part = imagecodecs.delta_encode(words, axis=-2)
    if page.bitspersample < 8 * part.itemsize:
        # Of 16 bits, the last ones, without a gap but at the end of a line.
        words = part.astype(">u2").reshape(-1, 1).view(np.uint8)
        bits = np.unpackbits(words, axis=1)[:, -page.bitspersample :]
        data = np.packbits(bits.reshape(len(part), -1), axis=1).tobytes()
    else:
        data = part.astype(part.dtype.newbyteorder(order)).tobytes()
    return data if page.compression == 1 else zlib.compress(data)


def _parts(page, pixels):
    """Strips or tiles of a page, in the order of the file."""
    height, width, _ = pixels.shape
    rows, columns = page.rowsperstrip, width
    if page.is_tiled:
        rows, columns = page.tilelength, page.tilewidth
        margins = [(0, -height % rows), (0, -width % columns), (0, 0)]
        pixels = np.pad(pixels, margins, mode="edge")
    planes = np.moveaxis(pixels, 2, 0)[..., None] if page.axes == "SYX" else [pixels]
    for plane in planes:
        for y in range(0, height, rows):
            for x in range(0, width, columns):
                yield plane[y : y + rows, x : x + columns]
