"""PNG, JPEG, BMP and WebP: their pixels, and the same file with others.

What is written is the file as it was, chunk by chunk and segment by segment, with other pixels in
it. So size, bit depth, color profile, EXIF, alpha and whatever else it has are kept.
"""

import io
import struct
import zlib
from functools import partial

import numpy as np

CONVERT = "convert it to gray or RGB with 8 or 16 bits first"


def _plain(pixels):
    """Pixels without the axis of samples where it has one value, as libraries want it."""
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def _picture(array, encode):
    """What is known of a picture, whose alpha is the last of an even number of samples."""
    pixels = array.reshape(*array.shape[:2], -1)
    n = pixels.shape[2]
    return {"pages": [pixels], "alpha": () if n % 2 else (n - 1,), "encode": encode}


# PNG

_PNG_START = b"\x89PNG\r\n\x1a\n"


def read_png(content, pillow, imagecodecs):
    """PNG with 8 or 16 bits; all chunks but those of the pixels are kept."""
    chunks = list(_chunks(content))
    kinds = {kind for kind, _ in chunks}
    width, height, depth, color = struct.unpack(">IIBB", chunks[0][1][:10])
    if b"acTL" in kinds:
        raise ValueError("it is an animation; save its frames as separate files")
    if color not in (0, 2, 4, 6) or b"tRNS" in kinds:
        raise ValueError(f"it has a palette, or one transparent color; {CONVERT}")
    if depth < 8:
        raise ValueError(f"it has {depth} bit(s) per value; {CONVERT}")
    if width * height > 2 * (pillow.MAX_IMAGE_PIXELS or np.inf):
        raise pillow.DecompressionBombError
    # Profiles and texts, which may be damaged or large, are not looked at.
    core = [chunk for chunk in chunks if chunk[0] in (b"IHDR", b"IDAT", b"IEND")]
    pixels = imagecodecs.png_decode(_png(core))
    return _picture(pixels, partial(_encode_png, chunks, imagecodecs))


def _encode_png(chunks, imagecodecs, pages):
    made = list(_chunks(imagecodecs.png_encode(np.ascontiguousarray(_plain(pages[0])))))
    data = [chunk for chunk in made if chunk[0] == b"IDAT"]
    at = next(i for i, chunk in enumerate(chunks) if chunk[0] == b"IDAT")
    after = [chunk for chunk in chunks[at:] if chunk[0] != b"IDAT"]
    # The new header, because the pixels are not interlaced any more.
    return _png([made[0], *chunks[1:at], *data, *after])


def _chunks(content):
    """Kind and content of each chunk of a PNG file."""
    position, kind = len(_PNG_START), b""
    while kind != b"IEND":
        try:
            length, kind = struct.unpack_from(">I4s", content, position)
            (checksum,) = struct.unpack_from(">I", content, position + 8 + length)
        except struct.error as error:
            raise ValueError("it is damaged: its end is missing; copy it again") from error
        data = content[position + 8 : position + 8 + length]
        if zlib.crc32(data, zlib.crc32(kind)) != checksum:
            raise ValueError(f"it is damaged (checksum of {kind!r})")
        yield kind, data
        position += 12 + length


def _png(chunks):
    """A PNG file of chunks."""
    parts = [
        struct.pack(">I4s", len(data), kind)
        + data
        + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
        for kind, data in chunks
    ]
    return _PNG_START + b"".join(parts)


# JPEG

# Segments of applications, Adobe's among them, and of comments; the frame tells size and bits.
_APPLICATIONS, _ADOBE, _COMMENT = range(0xE0, 0xF0), 0xEE, 0xFE
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def read_jpeg(content, pillow):
    """JPEG in gray, YCbCr or RGB; the segments of applications, its tables and sampling are kept.

    Of several pictures, as cameras and telephones store them, it is the first.
    """
    bits = next((data[4] for marker, data in _segments(content) if marker in _FRAMES), 8)
    if bits != 8:
        raise ValueError(f"it is a JPEG of {bits} bits, which Pillow does not read; {CONVERT}")
    image = pillow.open(io.BytesIO(content))
    if image.mode not in ("L", "RGB"):
        raise ValueError(f"its colors are {image.mode}, those of print; {CONVERT}")
    options = {
        "qtables": _tables(image),
        "subsampling": _sampling(image.layer),
        "progressive": bool(image.info.get("progressive")),
        "keep_rgb": _is_rgb(image),
    }
    return _picture(np.asarray(image), partial(_encode_jpeg, content, pillow, options))


def _tables(image):
    """The tables of each component, of which the last that are equal are written once."""
    tables = [image.quantization[component[3]] for component in image.layer]
    while len(tables) > 1 and tables[-1] == tables[-2]:
        tables.pop()
    return tables


def _sampling(components):
    """Pillow's number of the sampling; the finer one where it cannot write the same."""
    luma, *chroma = (component[1:3] for component in components)
    across, down = (min([luma[i] // other[i] for other in chroma], default=1) for i in (0, 1))
    # 4:4:0 becomes 4:4:4, and 4:1:1 becomes 4:2:2.
    return min(down, 2) if across > 1 else 0


def _is_rgb(image):
    """Whether the components are red, green and blue, by the rules of libjpeg."""
    if len(image.layer) != 3 or "jfif" in image.info:
        return False
    if "adobe" in image.info:
        return image.info["adobe_transform"] == 0
    return bytes(component[0] for component in image.layer) == b"RGB"


def _encode_jpeg(content, pillow, options, pages):
    buffer = io.BytesIO()
    pillow.fromarray(_plain(pages[0])).save(buffer, "JPEG", **options)
    kept = [data for marker, data in _segments(content) if _is_kept(marker, data)]
    made = [
        data
        for marker, data in _segments(buffer.getvalue())
        # Adobe's says that the components are RGB.
        if marker not in _APPLICATIONS or marker == _ADOBE
    ]
    return b"".join([b"\xff\xd8", *kept, *made])


def _is_kept(marker, data):
    """Whether a segment says nothing about how the pixels are stored."""
    # Adobe's, which tells the colors as they were, and the list of other pictures.
    is_other = marker == _ADOBE or data[4:8] == b"MPF\0"
    return marker == _COMMENT or (marker in _APPLICATIONS and not is_other)


def _segments(content):
    """Marker and bytes of each segment of a JPEG file; the last has all the pixels."""
    position, marker = 2, 0
    while marker != 0xDA:
        while content[position + 1] == 0xFF:
            position += 1
        marker = content[position + 1]
        end = position + 2 + int.from_bytes(content[position + 2 : position + 4])
        yield marker, content[position : None if marker == 0xDA else end]
        position = end


# BMP


def read_bmp(content, pillow):
    """BMP in gray or RGB that is not packed; everything but the values of its colors is kept."""
    image = pillow.open(io.BytesIO(content))
    packing, (*_, width, height), offset, (order, *rest) = image.tile[0]
    bits, n_gray = (int.from_bytes(content[i : i + 2], "little") for i in (28, 46))
    is_plain = packing == "raw" and content[14] >= 40 and bits == 8 * len(order)
    # Of a palette of fewer gray values, the others do not exist.
    modes = ("RGB", "RGBA", "L") if n_gray in (0, 256) else ("RGB", "RGBA")
    if not is_plain or image.mode not in modes:
        raise ValueError(f"it has a palette, is packed, or has less than 8 bits; {CONVERT}")
    if len(content) < offset + height * rest[0]:
        raise ValueError("it is damaged: its end is missing; copy it again")
    # Of a pixel, the places of its samples, and perhaps a byte that nobody uses.
    places = [order.index(sample) for sample in image.mode]

    def samples(content):
        stride, direction = rest
        lines = np.frombuffer(content, np.uint8, height * stride, offset)
        lines = lines.reshape(height, stride)[::direction]
        return lines[:, : width * len(order)].reshape(height, width, len(order))

    def encode(pages):
        out = bytearray(content)
        samples(out)[..., places] = pages[0]
        return bytes(out)

    return _picture(samples(content)[..., places], encode)


# WebP


def read_webp(content, pillow):
    """WebP; what is packed without loss stays so, else with little, and profiles are kept."""
    image = pillow.open(io.BytesIO(content))
    if getattr(image, "n_frames", 1) > 1:
        raise ValueError("it is an animation; save its frames as separate files")
    kept = {name: image.info.get(name, b"") for name in ("icc_profile", "exif", "xmp")}
    options = {"lossless": _is_lossless(content), "quality": 95, "exact": True, **kept}

    def encode(pages):
        buffer = io.BytesIO()
        pillow.fromarray(pages[0]).save(buffer, "WEBP", **options)
        return buffer.getvalue()

    return _picture(np.asarray(image), encode)


def _is_lossless(content):
    """Whether the pixels of a WebP file are in the chunk of those without loss."""
    position = 12
    while (kind := content[position : position + 4]) not in (b"VP8L", b"VP8 ", b""):
        size = int.from_bytes(content[position + 4 : position + 8], "little")
        position += 8 + size + size % 2
    return kind == b"VP8L"
