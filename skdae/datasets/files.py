"""Image files as a sequence of arrays."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self, overload

import numpy as np

from .._files.images import find_images, n_pages, read_image


class ImageFiles(Sequence):
    """Image files as a sequence of arrays that are read when they are used.

    Denoisers, noise models, metrics and displays accept it in place of a list of images. It needs
    the extra ``images``.

    Parameters
    ----------
    paths : str, path, or iterable of them
        A folder, whose PNG, JPEG, TIFF, BMP and WebP files are taken in the order of their names; a
        file; or several of both.

    Attributes
    ----------
    paths : list of Path
        The file of each image.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a folder holds no image files; when an image is used, if its file is damaged, or is not
        one with 8 to 16 bits or floats in gray or RGB.

    Warns
    -----
    UserWarning
        If a folder holds images of other formats, which are passed over.

    See Also
    --------
    fetch_images : Reads arrays from one npz file.

    Notes
    -----
    An image is ``(height, width)`` or ``(height, width, n_channels)``, with the values and the
    dtype of the file: `uint8`, which denoisers take as ``value / 255``, `int8`, `uint16`, `int16`,
    or floats. Alpha is left out, and where it is 0, an image has the colors of the nearest pixel
    that is visible. Pixels that a TIFF file names as missing, as GDAL does, are masked. Other
    bands, such as near infrared, are channels. Each page of a TIFF file is a separate image. The
    one file that was read last is kept.

    The `fit` of a network reads them in parts where they do not fit into memory. `predict` and
    filters read all images; where these do not fit, proceed in parts: ``for image in files:
    denoiser.predict([image])``.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from PIL import Image
    >>> from skdae import MedianFilter
    >>> from skdae.datasets import ImageFiles
    >>> folder = tempfile.TemporaryDirectory()
    >>> for i, side in enumerate([16, 20]):
    ...     pixels = np.full((side, 24, 3), 100 * i, np.uint8)
    ...     Image.fromarray(pixels).save(Path(folder.name, f"{i}.png"))
    >>> images = ImageFiles(folder.name)
    >>> images
    ImageFiles(2 images of 2 files)
    >>> images[1].shape
    (20, 24, 3)
    >>> [X.shape for X in MedianFilter().fit(images).predict(images)]
    [(16, 24, 3), (20, 24, 3)]
    >>> folder.cleanup()
    """

    def __init__(self, paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]):
        files = find_images(paths)
        missing = [str(path) for path in files if not path.exists()]
        if missing:
            raise FileNotFoundError(f"There is no {', '.join(missing[:3])}.")
        self._places = [(path, i) for path in files for i in range(n_pages(path))]
        self._last: tuple[Path | None, list[np.ndarray]] = (None, [])

    @property
    def paths(self) -> list[Path]:
        """The file of each image."""
        return [path for path, _ in self._places]

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index):
        if isinstance(index, slice):
            part = object.__new__(type(self))
            part._places, part._last = self._places[index], (None, [])
            return part
        path, i = self._places[index]
        last, images = self._last
        if path != last:
            images = read_image(path).images
            self._last = path, images
        # The caller's own, however it is written to.
        return images[i].copy()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} images of {len(set(self.paths))} files)"
