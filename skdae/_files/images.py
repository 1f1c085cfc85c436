"""Image files, read into arrays and written again with other pixels.

What is written is the file as it was, chunk by chunk, segment by segment, tag by tag, with other
pixels in it. So size, bit depth, colour profile, EXIF, alpha and whatever else it has are kept.
"""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np

from .._checks import import_extra
from .arrays import saying_why
from .atomic import refuse_special

#: The formats that are read and written, by the suffixes that files of a folder have.
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"}

_CONVERT = "convert it to grey or RGB with 8 or 16 bits first"


def find_images(paths):
    """Paths of image files, those in folders in the order of their names.

    Parameters
    ----------
    paths : str, os.PathLike or iterable of them
        Files, which are not looked at, and folders.

    Returns
    -------
    files : list of Path

    Raises
    ------
    ValueError
        If a folder holds no image files.
    """
    paths = [paths] if isinstance(paths, str | os.PathLike) else paths
    return [file for path in map(Path, paths) for file in _images_in(path)]


def _images_in(path):
    if not path.is_dir():
        return [path]
    files = sorted(
        file
        for file in path.iterdir()
        if file.suffix.lower() in FORMATS and file.name[0] != "." and not file.is_dir()
    )
    if not files:
        raise ValueError(f"The folder {path} holds no image files: none is {', '.join(FORMATS)}.")
    return files


def read_image(path):
    """Read an image file.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    file : ImageFile

    Raises
    ------
    ValueError
        If it is damaged, is not a PNG, JPEG or TIFF file, or holds what pixels in grey or RGB, of
        8 or 16 bits or floats, cannot stand for.
    OSError
        If it cannot be read.
    ImportError
        If Pillow or tifffile is missing.
    """
    refuse_special(path)
    content = Path(path).read_bytes()
    kind = next((kind for start, kind in _KINDS.items() if content.startswith(start)), None)
    with saying_why(f"{path} cannot be read: "):
        if kind is None:
            what = "not a PNG, JPEG or TIFF file; convert it to one" if content else "empty"
            raise ValueError(f"it is {what}")
    libraries = [import_extra(name, "images", "Reading image files") for name in kind.needs]
    with saying_why(f"{path} cannot be read: "):
        try:
            return kind(content, *libraries)
        except OSError as error:
            # Pillow's word for what it cannot decode.
            raise ValueError(f"it is damaged ({error})") from error
        except Exception as error:
            if type(error).__name__ != "DecompressionBombError":
                raise
            raise ValueError(
                "it has more pixels than Pillow reads, twice PIL.Image.MAX_IMAGE_PIXELS; save it "
                "as TIFF, or raise that number in Python"
            ) from error


def n_pages(path):
    """Number of images in a file; 1 where it cannot be told."""
    if FORMATS.get(Path(path).suffix.lower()) != "TIFF":
        return 1
    tifffile = import_extra("tifffile", "images", "Reading image files")
    try:
        with tifffile.TiffFile(path) as tiff:
            return max(1, len(tiff.pages))
    except tifffile.TiffFileError:
        # Reading it will say what is wrong.
        return 1


class ImageFile:
    """An image file in memory.

    A subclass reads ``pages``, a list of arrays ``(height, width, n_samples)``, and ``n_colours``,
    how many of the samples are not alpha; and it writes pages, with ``_encode(pages)``.
    """

    needs: tuple[str, ...] = ("PIL.Image",)
    pages: list[np.ndarray]
    n_colours: int

    @property
    def images(self):
        """The pages without alpha, ``(height, width)`` or ``(height, width, n_channels)``."""
        n = self.n_colours
        return [page[..., 0] if n == 1 else page[..., :n] for page in self.pages]

    def replaced(self, images):
        """The content of a file with other images.

        Parameters
        ----------
        images : list of ndarray
            In the shapes of `images`, and in the units of denoisers: [0, 1] for `uint8`, the
            file's own for all others. They are rounded, and clipped to what the file can hold.

        Returns
        -------
        content : bytes
        """
        pages = [page.copy() for page in self.pages]
        for page, image, before in zip(pages, images, self.images, strict=True):
            if image.shape != before.shape:
                raise ValueError(
                    f"the denoiser turned an image of shape {before.shape} into {image.shape}; a "
                    "file keeps its size, so pass a denoiser that does."
                )
            colours = page[..., : self.n_colours]
            colours[:] = _stored(image, page.dtype).reshape(colours.shape)
        return self._encode(pages)

    def _encode(self, pages):
        raise NotImplementedError


def _stored(image, dtype):
    """Values as a file holds them."""
    if dtype.kind == "f":
        return image
    values = image * (255 if dtype == np.uint8 else 1)
    return np.rint(values, out=values).clip(0, np.iinfo(dtype).max, out=values)


# PNG

_PNG_START = b"\x89PNG\r\n\x1a\n"
_HEADER = ">IIBBBBB"
# Samples of a pixel, by type of colour; those with alpha have an even number.
_SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}


class PNG(ImageFile):
    """PNG with 8 or 16 bits; all chunks but those of the pixels are kept."""

    def __init__(self, content, pillow):
        self.chunks = list(_chunks(content))
        kinds = {kind for kind, _ in self.chunks}
        self.header = struct.unpack(_HEADER, self.chunks[0][1])
        width, height, depth, colour, *_ = self.header
        if b"acTL" in kinds:
            raise ValueError("it is an animation; save its frames as files of their own")
        if colour not in _SAMPLES or b"tRNS" in kinds:
            raise ValueError(f"it has a palette, or one transparent colour; {_CONVERT}")
        if depth < 8:
            raise ValueError(f"it has {depth} bit(s) per value; {_CONVERT}")
        n = _SAMPLES[colour]
        self.n_colours = n - (n % 2 == 0)
        decode = self._decode_16 if depth == 16 else self._decode
        self.pages = [decode(pillow, colour).reshape(height, width, n)]

    def _decode(self, pillow, colour, depth=8, low=False):
        """The bytes of the pixels, as if they were of another kind."""
        header = struct.pack(_HEADER, *self.header[:2], depth, colour, *self.header[4:])
        data = [chunk for chunk in self.chunks if chunk[0] == b"IDAT"]
        image = pillow.open(io.BytesIO(_png([(b"IHDR", header), *data, (b"IEND", b"")])))
        if low:
            # Pillow keeps one of two bytes, the one that comes second where this is the order.
            image.tile = [(*tile[:3], f"{image.mode};16L") for tile in image.tile]
        return np.asarray(image)

    def _decode_16(self, pillow, colour):
        """Pixels of 16 bits, which Pillow does not have in colour."""
        if colour in (0, 4):
            # One sample of 16 bits lies in the file as two of 8 do.
            return self._decode(pillow, {0: 4, 4: 6}[colour]).view(">u2").astype(np.uint16)
        high, low = (self._decode(pillow, colour, 16, low) for low in (False, True))
        return high.astype(np.uint16) << 8 | low

    def _encode(self, pages):
        data = (b"IDAT", _filtered(pages[0]))
        chunks = []
        for kind, content in self.chunks:
            if kind == b"IHDR":
                # Not interlaced.
                chunks.append((kind, content[:-1] + b"\0"))
            elif kind != b"IDAT":
                chunks.append((kind, content))
            elif data not in chunks:
                chunks.append(data)
        return _png(chunks)


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


def _filtered(pixels):
    """Compressed pixels, each byte as the difference from Paeth's guess."""
    step = pixels.shape[2] * pixels.itemsize
    lines = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(len(pixels), -1).view(np.uint8)
    packer, parts = zlib.compressobj(), []
    above = np.zeros(lines.shape[1] + step, np.int16)
    for line in lines:
        here = np.concatenate([np.zeros(step, np.int16), line])
        left, corner, up = here[:-step], above[:-step], above[step:]
        by_left, by_up, by_corner = (
            abs(up - corner),
            abs(left - corner),
            abs(left + up - 2 * corner),
        )
        guess = np.where(by_up <= by_corner, up, corner)
        guess = np.where((by_left <= by_up) & (by_left <= by_corner), left, guess)
        parts.append(packer.compress(b"\4" + (line - guess).astype(np.uint8).tobytes()))
        above = here
    return b"".join([*parts, packer.flush()])


# JPEG


class JPEG(ImageFile):
    """JPEG in grey or YCbCr; the segments of applications, its tables and sampling are kept.

    Of several pictures, as cameras and telephones store them, it is the first.
    """

    needs = ("PIL.Image", "PIL.JpegImagePlugin")

    def __init__(self, content, pillow, plugin):
        self.pillow, self.content = pillow, content
        image = pillow.open(io.BytesIO(content))
        if image.mode not in ("L", "RGB"):
            raise ValueError(f"its colours are {image.mode}, those of print; {_CONVERT}")
        self.options = {
            "qtables": image.quantization,
            "subsampling": plugin.get_sampling(image),
            "progressive": bool(image.info.get("progressive")),
        }
        pixels = np.asarray(image)
        self.n_colours = 1 if pixels.ndim == 2 else 3
        self.pages = [pixels.reshape(*pixels.shape[:2], -1)]

    def _encode(self, pages):
        buffer = io.BytesIO()
        self.pillow.fromarray(pages[0].squeeze(2) if self.n_colours == 1 else pages[0]).save(
            buffer, "JPEG", **self.options
        )
        kept = [data for marker, data in _segments(self.content) if _is_kept(marker, data)]
        made = [
            data for marker, data in _segments(buffer.getvalue()) if marker not in _APPLICATIONS
        ]
        return b"".join([b"\xff\xd8", *kept, *made])


_APPLICATIONS = range(0xE0, 0xF0)


def _is_kept(marker, data):
    """Whether a segment says nothing about how the pixels are stored."""
    # Adobe's, which tells the colours as they were, and the list of other pictures.
    is_other = marker == 0xEE or data[4:8] == b"MPF\0"
    return marker == 0xFE or (marker in _APPLICATIONS and not is_other)


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


# TIFF

# The tag that says how a viewer turns the pixels; 6 and 8, quarters of a turn, undo each other.
_ORIENTATION = 0x0112


class TIFF(ImageFile):
    """TIFF with pages of one kind; all tags but those of the pixels' places are kept."""

    needs = ("PIL.Image", "PIL.ImageOps", "tifffile")

    def __init__(self, content, pillow, operations, tifffile):
        self.content, self.tifffile = content, tifffile
        with tifffile.TiffFile(io.BytesIO(content)) as tiff:
            pages = list(tiff.pages)
            n_colours = {_check_page(page) for page in pages}
            is_stack = tiff.is_imagej or tiff.is_shaped
            n_values = sum(series.size for series in tiff.series) if is_stack else 0
            if len(n_colours) != 1 or n_values > sum(page.size for page in pages):
                raise ValueError(
                    "it has no pages, pages in grey and in colour, or a stack behind its first "
                    "page; save it as a TIFF file with plain pages"
                )
            (self.n_colours,) = n_colours
            self.pages = [
                _page_pixels(page, i, content, pillow, operations) for i, page in enumerate(pages)
            ]

    def _encode(self, pages):
        buffer = io.BytesIO(self.content)
        with self.tifffile.TiffFile(buffer) as tiff:
            for page, pixels in zip(list(tiff.pages), pages, strict=True):
                _replace_page(buffer, page, pixels)
        return buffer.getvalue()


def _check_page(page):
    """Number of samples that are not alpha."""
    if page.photometric not in (0, 1, 2):
        name = getattr(page.photometric, "name", page.photometric)
        raise ValueError(f"its colours are {name}; {_CONVERT}")
    dtype, bits = page.dtype, page.bitspersample
    if page.fillorder != 1 or dtype is None or bits != 8 * dtype.itemsize or not _is_known(dtype):
        raise ValueError(
            f"its pixels are {dtype} of {bits} bits; expected uint8, uint16, or floats: {_CONVERT}"
        )
    if page.axes not in ("YX", "YXS", "SYX") or page.subifds:
        raise ValueError("it holds volumes or smaller copies; save its pages as plain TIFF pages")
    if page.photometric == 2:
        return 3
    # Samples that are not alpha are channels, as of a microscope.
    return page.samplesperpixel - sum(kind in (1, 2) for kind in page.extrasamples)


def _is_known(dtype):
    return dtype.kind == "f" or dtype in (np.uint8, np.uint16)


def _page_pixels(page, i, content, pillow, operations):
    """Pixels of a page, ``(height, width, n_samples)``."""
    try:
        pixels = page.asarray()
    except (ValueError, ImportError) as error:
        if isinstance(error, ValueError) and "imagecodecs" not in str(error):
            raise
        # Without that library, Pillow reads many, in its few kinds of pixels.
        pixels = _unpacked(page, i, content, pillow, operations)
        if pixels is None:
            raise ValueError(f"{error}: pip install imagecodecs") from error
    if page.axes == "SYX":
        pixels = np.moveaxis(pixels, 0, 2)
    return pixels.reshape(*pixels.shape[:2], -1)


def _unpacked(page, i, content, pillow, operations):
    """Pixels of a page as Pillow unpacks them; None where it does not know their kind."""
    try:
        image = pillow.open(io.BytesIO(content))
    except pillow.UnidentifiedImageError:
        return None
    image.seek(i)
    orientation = image.getexif().get(_ORIENTATION, 1)
    image.load()
    # Pillow turned it upright; turned back, because the file keeps its orientation.
    image.getexif()[_ORIENTATION] = {6: 8, 8: 6}.get(orientation, orientation)
    pixels = np.asarray(operations.exif_transpose(image))
    pixels = pixels.astype(pixels.dtype.newbyteorder("="))
    is_same = (pixels.shape, pixels.dtype) == (page.shape, page.dtype)
    return pixels if is_same and page.photometric != 0 else None


def _replace_page(file, page, pixels):
    """Write the pixels of a page over the old ones, or to the end of the file."""
    is_packed, is_difference = page.compression != 1, page.predictor == 2
    dtype = pixels.dtype.newbyteorder(page.parent.byteorder)
    places = [*page.dataoffsets], [*page.databytecounts]
    offsets, counts = [], []
    for part, (offset, count) in zip(_parts(page, pixels), zip(*places, strict=True), strict=True):
        if is_packed and is_difference:
            part = part.copy()
            part[:, 1:] -= part[:, :-1].copy()
        data = part.astype(dtype).tobytes()
        data = zlib.compress(data) if is_packed else data
        if len(data) > count or offset in offsets:
            end = file.seek(0, os.SEEK_END)
            offset = end + file.write(b"\0" * (end % 2))
        file.seek(offset)
        file.write(data)
        offsets.append(offset)
        counts.append(len(data))
    tags, wide = page.tags, 16 if page.parent.is_bigtiff else 4
    if is_packed:
        tags["Compression"].overwrite(8)
        if "Predictor" in tags:
            tags["Predictor"].overwrite(2 if is_difference else 1)
    # Of pixels that are not packed, too: a file may have left out what is 0, or have wrong sizes.
    if (offsets, counts) != places:
        kind = "Tile" if page.is_tiled else "Strip"
        tags[f"{kind}Offsets"].overwrite(offsets, dtype=wide)
        tags[f"{kind}ByteCounts"].overwrite(counts, dtype=wide)


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


_KINDS: dict[bytes, type] = {
    _PNG_START: PNG,
    b"\xff\xd8\xff": JPEG,
    b"II*\0": TIFF,
    b"MM\0*": TIFF,
    b"II+\0": TIFF,
    b"MM\0+": TIFF,
}
