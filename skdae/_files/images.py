"""Image files, read into arrays and written again with other pixels and nothing else changed."""

import mimetypes
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt

from .._checks import import_extra
from .._images import gaps_in, warn_user
from .arrays import saying_why
from .atomic import refuse_special
from .pictures import read_bmp, read_jpeg, read_png, read_webp
from .tiff import read_tiff

#: The formats that are read and written, by the suffixes that files of a folder have.
FORMATS = {
    **dict.fromkeys((".png",), "PNG"),
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".bmp", ".dib"), "BMP"),
    **dict.fromkeys((".webp",), "WebP"),
}

# Of each format, how files begin, what reads them, and the libraries that this needs.
_KINDS = {
    b"\x89PNG\r\n\x1a\n": ("PNG", read_png, ["PIL.Image", "imagecodecs"]),
    b"\xff\xd8\xff": ("JPEG", read_jpeg, ["PIL.Image"]),
    b"BM": ("BMP", read_bmp, ["PIL.Image"]),
    b"RIFF": ("WebP", read_webp, ["PIL.Image"]),
    **dict.fromkeys(
        (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), ("TIFF", read_tiff, ["tifffile", "imagecodecs"])
    ),
}


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

    Warns
    -----
    UserWarning
        If a folder holds images of other formats, which are passed over.
    """
    paths = [paths] if isinstance(paths, str | os.PathLike) else paths
    return [file for path in map(Path, paths) for file in _images_in(path)]


def _images_in(path):
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.name[0] != "." and not file.is_dir())
    images = [file for file in files if file.suffix.lower() in FORMATS]
    if not images:
        raise ValueError(f"The folder {path} holds no image files: none is {', '.join(FORMATS)}.")
    others = [file.name for file in files if file not in images and _is_image(file)]
    if others:
        warn_user(
            f"the folder {path} holds {len(others)} image(s) of other formats, such as "
            f"{others[0]}, which are passed over: none is {', '.join(FORMATS)}."
        )
    return images


def _is_image(path):
    return (mimetypes.guess_type(path.name)[0] or "").startswith("image/")


def format_of(path):
    """The format of a file, by how it begins; None where it is none of ours."""
    refuse_special(path)
    with open(path, "rb") as file:
        start = file.read(8)
    return next((kind[0] for first, kind in _KINDS.items() if start.startswith(first)), None)


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
        If it is damaged, is not a PNG, JPEG, TIFF, BMP or WebP file, or holds what pixels in gray
        or RGB, of 8 to 16 bits or floats, cannot stand for.
    OSError
        If it cannot be read.
    ImportError
        If Pillow, tifffile or imagecodecs is missing.
    """
    refuse_special(path)
    content = Path(path).read_bytes()
    kind = next((kind for start, kind in _KINDS.items() if content.startswith(start)), None)
    with saying_why(f"{path} cannot be read: "):
        if kind is None:
            what = "not a PNG, JPEG or TIFF file, nor BMP or WebP; convert it to one"
            raise ValueError(f"it is {what if content else 'empty'}")
    _, read, needs = kind
    libraries = [import_extra(name, "images", "Reading image files") for name in needs]
    with saying_why(f"{path} cannot be read: "):
        try:
            return ImageFile(**read(content, *libraries))
        except Exception as error:
            raise _explained(error) from error


def _explained(error):
    """What a library says of a file, in words for those who have the file alone."""
    name = type(error).__name__
    if name == "DecompressionBombError":
        return ValueError(
            "it has more pixels than Pillow reads, twice PIL.Image.MAX_IMAGE_PIXELS; save it as "
            "TIFF, or raise that number in Python"
        )
    # A library, or the parsing of what is in front of its pixels, has found no end or no table.
    if name == "UnidentifiedImageError" or isinstance(error, LookupError | struct.error):
        return ValueError(
            "it is damaged, or of a kind that is not read; copy it again, or convert it"
        )
    # Pillow's word for what it cannot decode, and those of the codecs.
    is_word = isinstance(error, OSError) or type(error).__module__.startswith("imagecodecs")
    return ValueError(f"it is damaged ({error})") if is_word else error


def n_pages(path):
    """Number of images in a file; 1 where it cannot be told."""
    if format_of(path) != "TIFF":
        return 1
    tifffile = import_extra("tifffile", "images", "Reading image files")
    try:
        with tifffile.TiffFile(path) as tiff:
            return max(1, len(tiff.pages))
    except tifffile.TiffFileError:
        # Reading it will say what is wrong.
        return 1


@dataclass
class ImageFile:
    """An image file in memory.

    Parameters
    ----------
    pages : list of ndarray of shape (height, width, n_samples)
    alpha : tuple of int
        Which of the samples are alpha.
    encode : callable
        Makes the content of a file from other pages.
    is_rgb : bool
        Whether the first three samples are red, green and blue.
    bits : list of int or None
        Bits of the values of each page; None where they fill their dtype.
    nodata : list of tuple of float, or None
        What stands for missing values in each page.
    """

    pages: list[np.ndarray]
    alpha: tuple[int, ...]
    encode: Callable[[list[np.ndarray]], bytes]
    is_rgb: bool = True
    bits: list[int] | None = None
    nodata: list[tuple[float, ...]] | None = None

    @property
    def _colors(self):
        return [i for i in range(self.pages[0].shape[2]) if i not in self.alpha]

    @cached_property
    def images(self):
        """The pages without alpha, ``(height, width)`` or ``(height, width, n_channels)``.

        What is transparent has the colors of the nearest pixel that is not. Pages where values
        are missing, as a file says, are masked arrays.
        """
        images = []
        for page, missing in zip(self.pages, self._missing, strict=True):
            image = _filled(page[..., self._colors], self._hidden(page))
            images.append(image if missing is None else np.ma.masked_array(image, missing))
        return self._plain(images)

    @cached_property
    def masked(self):
        """The same, as masked arrays where pixels are transparent or missing."""
        images = []
        for page, gaps in zip(self.pages, self._gaps, strict=True):
            image = page[..., self._colors]
            images.append(np.ma.masked_array(image, gaps) if gaps.any() else image)
        return self._plain(images)

    def _plain(self, images):
        return [image[..., 0] if len(self._colors) == 1 else image for image in images]

    @property
    def _missing(self):
        """Of each page, which values are missing, or None."""
        for page, values in zip(self.pages, self.nodata or [()] * len(self.pages), strict=True):
            found = [gaps_in(page[..., self._colors], value) for value in values]
            gaps = [gap for gap in found if gap is not None]
            yield np.logical_or.reduce(gaps) if gaps else None

    @property
    def _gaps(self):
        """Of each page, which values are transparent or missing, NaN among them."""
        for page, missing in zip(self.pages, self._missing, strict=True):
            colors = page[..., self._colors]
            gaps = gaps_in(colors) if missing is None else missing
            hidden = np.broadcast_to(self._hidden(page)[..., None], colors.shape)
            yield hidden if gaps is None else hidden | gaps

    def _hidden(self, page):
        """Which pixels are transparent, whatever their colors are."""
        return (page[..., self.alpha] == 0).any(axis=-1)

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
        bits = self.bits or [8 * page.itemsize for page in pages]
        for page, image, gaps, n in zip(pages, images, self._gaps, bits, strict=True):
            shape = self._plain([page[..., self._colors]])[0].shape
            if image.shape != shape:
                raise ValueError(
                    f"the denoiser turned an image of shape {shape} into {image.shape}; a "
                    "file keeps its size, so pass a denoiser that does."
                )
            before = page[..., self._colors]
            # What is missing may be no number that is rounded.
            known = np.where(gaps, 0, np.ma.getdata(image).reshape(before.shape))
            page[..., self._colors] = np.where(gaps, before, _stored(known, page.dtype, n))
        return self.encode(pages)


def _filled(image, hidden):
    """An image whose hidden pixels are those that are nearest to them."""
    if not hidden.any() or hidden.all():
        return image
    nearest = distance_transform_edt(hidden, return_distances=False, return_indices=True)
    return image[tuple(nearest)]


def _stored(image, dtype, bits):
    """Values as a file holds them."""
    if dtype.kind == "f":
        return image.astype(dtype)
    values = np.rint(image * (255 if dtype == np.uint8 else 1))
    return values.clip(np.iinfo(dtype).min, min(np.iinfo(dtype).max, 2**bits - 1)).astype(dtype)
