"""What the command ``skdae`` says, beside its results."""

import sys
import time
import warnings
from contextlib import contextmanager


def each(paths, work, done=None):
    """Do work for each file; one that fails is told, and the others are done.

    Work returns why a file was left alone, or None. Of several, a summary says what was done.
    """
    from tqdm import tqdm

    began, n_failed, left = time.monotonic(), 0, {}
    # A bar on a terminal alone.
    for path in tqdm(paths, unit="file", disable=None):
        try:
            with told(path):
                left[path] = work(path)
        except BrokenPipeError:
            raise
        except Exception as error:
            n_failed += 1
            left[path] = say(error, path)
    left = {path: why for path, why in left.items() if why}
    if done and len(paths) > 1:
        seconds = time.monotonic() - began
        say(f"{len(paths) - len(left)} of {len(paths)} files {done} in {seconds:.1f} s")
        for path, why in left.items():
            say(f"left alone: {why}", path)
    return int(n_failed > 0)


@contextmanager
def told(path=None):
    """Print warnings as messages, not as lines of code."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        # The command's name of a parameter.
        warnings.showwarning = lambda message, *where: say(
            f"warning: {message}".replace(" missing_values=", " --missing-values="), path
        )
        yield


def say(what, path=None):
    """Write a message to the standard error, beside the bar; it names the file. Returns it."""
    from tqdm import tqdm

    text = str(what) or repr(what)
    if isinstance(what, OSError) and what.strerror:
        # Without Python's number of the error.
        text = what.strerror + (f": {what.filename!r}" if what.filename is not None else "")
    if path is not None and str(path) not in text:
        text = f"{path}: {text}"
    tqdm.write(f"skdae: {text}", file=sys.stderr)
    return text


def print_table(title, values):
    """Print names and values below a title."""
    print(f"{title}:")
    for name, value in values.items():
        print(f"  {name}: {value}")
