"""Images to learn and to compare on, read from a folder of the user's or from OpenML."""

from .images import fetch_images, load_digits_images

__all__ = ["fetch_images", "load_digits_images"]
