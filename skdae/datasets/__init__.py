"""Example data sets and image files."""

from .files import ImageFiles
from .images import fetch_images, load_digits_images

__all__ = ["ImageFiles", "fetch_images", "load_digits_images"]
