"""Images to learn and to compare on, read from files of the user's or from OpenML."""

from .files import ImageFiles
from .images import fetch_images, load_digits_images

__all__ = ["ImageFiles", "fetch_images", "load_digits_images"]
