"""Files that are written whole or not at all."""

import glob
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4


@contextmanager
def atomic_write(path):
    """A binary file that takes the place of `path` once all of it is on the disk, not before.

    Parameters
    ----------
    path : str or os.PathLike
        Where a link stands, the file behind it is replaced.

    Yields
    ------
    file : binary file, open for writing
    """
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to write {path.name} into.")
    # In the same folder, because only a rename within one file system is atomic.
    temporary = path.with_name(f".{_short(path)}.{uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    # The new name is on the disk with its folder; not every system lets a folder be opened.
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove_leftovers(path):
    """Delete what is left of writings of `path` whose process was killed.

    Parameters
    ----------
    path : str or os.PathLike
        To which nobody else is writing now.
    """
    path = Path(os.path.realpath(path))
    for leftover in path.parent.glob(f".{glob.escape(_short(path))}.{'[0-9a-f]' * 32}.tmp"):
        leftover.unlink(missing_ok=True)


def _short(path):
    """As much of a name as leaves room for more in that of another file."""
    return path.name[:50]
