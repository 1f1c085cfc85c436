"""Files that are written whole or not at all."""

import os
import re
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

try:
    import fcntl
except ImportError:  # Windows, where leftovers stay.
    fcntl = None  # type: ignore[assignment]

# As much of a name as leaves room for more in that of another file, and what makes it ours.
_TEMPORARY = re.compile(r"\..{1,50}\.[0-9a-f]{32}\.skdae-tmp", re.DOTALL)


def refuse_special(path):
    """Raise an OSError where something else than a file stands; a pipe would be waited for."""
    if os.path.exists(path) and not os.path.isfile(path):
        kind = "a folder" if os.path.isdir(path) else "a device or a pipe"
        raise OSError(f"{path} is {kind}; pass the path of a file.")


def check_place(path):
    """The path of the file itself, behind links; an OSError where none can be written."""
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to write {path.name} into.")
    refuse_special(path)
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(
            f"The folder {path.parent} may not be written to; pass another place for {path.name}."
        )
    return path


@contextmanager
def atomic_write(path):
    """A binary file that takes the place of `path` once all of it is on the disk, not before.

    It has the permissions of the file that it replaces. What a process that was killed has left of
    its writing into the same folder is deleted.

    Parameters
    ----------
    path : str or os.PathLike
        Where a link stands, the file behind it is replaced.

    Yields
    ------
    file : binary file, open for writing
    """
    path = check_place(path)
    _remove_leftovers(path.parent)
    file = _open_temporary(path)
    try:
        with file:
            if path.exists():
                _copy_permissions(path, file.name)
            yield file
            file.flush()
            os.fsync(file.fileno())
            if fcntl is None:
                file.close()
            # Locked until it has its name.
            os.replace(file.name, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(file.name)
    # The new name is on the disk with its folder; not every system lets a folder be opened.
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _open_temporary(path):
    """A temporary file in the folder of `path`; only a rename within one disk is atomic."""
    while True:
        temporary = path.with_name(f".{path.name[:50]}.{uuid4().hex}.skdae-tmp")
        try:
            file = open(temporary, "xb")  # noqa: SIM115
        except OSError as error:
            # The name that the user knows.
            error.filename = str(path)
            raise
        # Not every disk has locks.
        with suppress(OSError):
            if not _lock(file):
                # Another process took it for a leftover in the moment before.
                file.close()
                continue
        return file


def _lock(file):
    """Lock a file as long as it is open; False where another has done so, or has deleted it."""
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return os.path.exists(file.name)


def _remove_leftovers(folder):
    """Delete the temporary files in a folder whose process does not live any more."""
    if fcntl is None:
        return
    with suppress(OSError):
        for entry in os.scandir(folder):
            if _TEMPORARY.fullmatch(entry.name):
                with suppress(OSError), open(entry.path, "rb") as file:
                    if _lock(file):
                        os.unlink(entry.path)


def _copy_permissions(path, to):
    """Give a file the mode of another, and its owner and group where one may."""
    status = path.stat()
    for ids in ((-1, status.st_gid), (status.st_uid, -1)):
        with suppress(OSError, AttributeError):
            os.chown(to, *ids)
    shutil.copymode(path, to)
