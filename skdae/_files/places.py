"""Which files a command reads, and where it writes what it makes of them."""

import os
import re
from glob import glob, has_magic
from pathlib import Path

from .._images import warn_user
from .images import FORMATS, find_images, format_of


def input_files(names):
    """The files that are meant; wildcards are expanded where the shell has left them."""
    names = [found for name in names for found in _found(name)]
    if "-" in names and not os.path.lexists("-"):
        raise FileNotFoundError(
            "There is no file named '-': skdae reads files, not the standard input; pass the path "
            "of a file."
        )
    # Once where a file is named twice, as by itself and by its folder.
    paths, empty = {}, []
    for name in names:
        try:
            paths |= {os.path.abspath(path): path for path in find_images(name)}
        except ValueError as error:
            empty.append(error)
    if not paths:
        raise empty[0]
    # A folder without images does not stop the others.
    for reason in empty:
        warn_user(str(reason))
    return [*paths.values()]


def _found(name):
    """The names that a name stands for; of those that a pattern fits, images where there are."""
    if os.path.lexists(name):
        return [name]
    name = os.path.expanduser(name)
    patterns = _without_braces(name)
    if patterns == [name] and not has_magic(name):
        return [name]
    found = sorted({path for pattern in patterns for path in glob(pattern, recursive=True)})
    if not found:
        raise FileNotFoundError(f"There is no file {name}.")
    return [path for path in found if Path(path).suffix.lower() in FORMATS] or found


def _without_braces(pattern):
    """The patterns that one with braces, as of ``*.{jpg,png}``, stands for in a shell."""
    match = re.fullmatch(r"(.*?)\{([^{}]*,[^{}]*)\}(.*)", pattern)
    if match is None:
        return [pattern]
    before, words, after = match.groups()
    return [found for w in words.split(",") for found in _without_braces(before + w + after)]


def output_files(names, output, others):
    """Where to write the result of each input, by its path.

    Parameters
    ----------
    names : list of str
        Files, folders and patterns.
    output : str or None
        A file or a folder; None writes over the inputs.
    others : list of (str or None)
        Further files that are not to be written over.
    """
    paths = input_files(names)
    if output is None:
        # Not twice where a link to a file is an input, too.
        return {path: path for path in {os.path.realpath(path): path for path in paths}.values()}
    is_folder, output = output[-1:] in (os.sep, "/"), Path(output)
    is_file = not (is_folder or output.is_dir())
    # Of a pattern that fits one file, it is the suffix that tells.
    is_one = len(names) == len(paths) == 1 and not Path(names[0]).is_dir()
    is_typed = [*map(Path, names)] == paths
    if is_file and is_one and (is_typed or output.suffix.lower() in FORMATS):
        outputs = [output]
        _check_format(paths[0], output)
    else:
        if output.exists() and not output.is_dir():
            raise ValueError(f"{output} is a file; pass a folder to write several files into.")
        if is_file and output.suffix.lower() in FORMATS:
            raise ValueError(
                f"-o {output} is the name of a file, but the input is a folder or several files; "
                f"pass a folder, such as -o {output.with_suffix('')}{os.sep}."
            )
        output.mkdir(parents=True, exist_ok=True)
        outputs = [output / path.name for path in paths]
    inputs = [*paths, *(Path(name) for name in others if name is not None)]
    check_outputs(outputs, inputs, ", or --in-place to write over them")
    return dict(zip(paths, outputs, strict=True))


def _check_format(path, output):
    """Refuse a name that tells another format than the file will have."""
    if output.suffix.lower() == path.suffix.lower():
        return
    form = format_of(path) or FORMATS.get(path.suffix.lower())
    if form is None or FORMATS.get(output.suffix.lower()) != form:
        suffix = path.suffix or next((s for s, name in FORMATS.items() if name == form), "")
        raise ValueError(
            f"{output} must end in {suffix!r}, because a file keeps its format; for a folder, pass "
            f"-o {output}{os.sep}."
        )


def check_outputs(outputs, inputs, way_out=""):
    """Refuse to write one file twice, or over an input, however their paths are spelled."""
    known = {identity(path) for path in inputs}
    for path in outputs:
        if identity(path) in known:
            raise ValueError(f"{path} is one of the inputs; pass another -o{way_out}.")
    if len({identity(path) for path in outputs}) < len(outputs):
        raise ValueError(
            f"Several inputs would be written to the same file in {outputs[0].parent}."
        )


def identity(path):
    """What two paths share if they are one file, whether it is there or not."""
    path = os.path.realpath(path)
    try:
        status = os.stat(path)
    except OSError:
        folder, name = os.path.split(path)
        return (identity(folder), os.path.normcase(name)) if name else path
    return status.st_dev, status.st_ino
