"""What tells of long work: a bar, and a line that says how long a fit will take."""

import logging
import sys
import time
from contextlib import contextmanager
from contextvars import ContextVar

# Seconds of the first steps by which a fit is judged, and of one that is worth a line.
_JUDGED, _LONG = 3.0, 60.0

# Seconds from line to line where lines stand for a bar, as in a log.
_SECONDS_A_LINE: ContextVar[float | None] = ContextVar("seconds_a_line", default=None)


@contextmanager
def in_lines(seconds=60.0):
    """Inside of it, bars are printed as lines, so many seconds apart."""
    token = _SECONDS_A_LINE.set(seconds)
    try:
        yield
    finally:
        _SECONDS_A_LINE.reset(token)


class _Lines:
    """A stream with a new line for each state of a bar."""

    def __init__(self, stream):
        self.stream = stream

    def write(self, text):
        if text.strip():
            self.stream.write(f"{text.strip()}\n")

    def flush(self):
        self.stream.flush()


def progress_bar(total, **options):
    """A bar of tqdm, in a terminal or a notebook; what is shown with each step is up to it."""
    from tqdm.auto import tqdm

    seconds = _SECONDS_A_LINE.get()
    if seconds is not None:
        # What takes less time than a line says nothing.
        times = {"mininterval": seconds, "delay": seconds, "miniters": 1}
        options |= {"file": _Lines(sys.stderr), **times}
    return tqdm(total=total, **options)


class Pace:
    """Says once, by the first steps of a fit, how long it will take, if that is long."""

    def __init__(self, is_silent=False):
        self.is_silent, self.n_steps = is_silent, 0

    def step(self, n_steps):
        """Count a step of `n_steps`."""
        if self.is_silent:
            return
        now = time.monotonic()
        if self.n_steps == 0:
            # The first step also makes what the others find.
            self.began = now
        elif now - self.began >= _JUDGED:
            self.is_silent = True
            each = (now - self.began) / self.n_steps
            if each * n_steps > _LONG:
                _log(
                    f"This fit will take about {_in_words(each * n_steps)}: {n_steps} steps of "
                    f"{each:.2g} s. verbose=1 shows a bar."
                )
        self.n_steps += 1


def _in_words(seconds):
    """A time of minutes or hours."""
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} minute{'s' * (minutes > 1)}"
    return f"{minutes / 60:.1f} hours"


def _log(message):
    """A line in the log of skdae, or on the standard error where nobody has set up a log."""
    logger = logging.getLogger("skdae")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    if logger.hasHandlers():
        logger.info(message)
    elif logger.isEnabledFor(logging.INFO):
        print(message, file=sys.stderr)
