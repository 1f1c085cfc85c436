"""Warnings at the line of the user, and who is calling."""

import inspect
import warnings

# Between the user's line and the place in skdae that warns.
_BETWEEN = {"skdae", "sklearn", "joblib", "skorch", "torch", "numpy", "contextlib"}


def warn_user(message, category=UserWarning):
    """Warn at the user's own line, however deep the reason was found."""
    frame, level = inspect.currentframe(), 1
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def is_inside_of_a_library():
    """Whether a search, a cross-validation or another meta-estimator, not the user, is calling."""
    through = {"sklearn.base", "sklearn.pipeline"}
    names = {frame.f_globals.get("__name__", "") for frame in callers()} - through
    return any(name.partition(".")[0] in {"sklearn", "joblib"} for name in names)


def verbose_of_search():
    """`verbose` of the search or cross-validation that is calling; 0 where none is."""
    for frame in callers():
        if frame.f_globals.get("__name__", "").startswith("sklearn.model_selection"):
            # Of one candidate, or of the fit of the best one.
            named = frame.f_locals
            verbose = named.get("verbose", getattr(named.get("self"), "verbose", None))
            if verbose is not None:
                return verbose
    return 0


def callers():
    """The frames from the one that asks outwards."""
    frame = inspect.currentframe()
    while frame := frame.f_back:
        yield frame
