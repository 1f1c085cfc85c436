"""The order of thumbnails in a row of the gallery."""


def pretrained_first(path):
    """What needs no training before all else, which keeps the order of its numbers."""
    return "pretrained" not in path, path
