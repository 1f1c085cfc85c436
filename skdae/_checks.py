"""Checks of parameters, in scikit-learn's words and with a hint at what was meant."""

from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from importlib import import_module
from inspect import isclass
from numbers import Integral, Real
from typing import Any, TypeVar

from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
    make_constraint,
    validate_parameter_constraints,
)


class Predicate(HasMethods):
    """A constraint given by a predicate and its description."""

    # In tables, scikit-learn takes its own kinds of constraints alone; this one has no methods.
    def __init__(self, judge, words):
        super().__init__([])
        self.judge, self.words = judge, words

    def is_satisfied_by(self, val):
        """Whether `val` is what the words say."""
        return self.judge(val)

    def __str__(self):
        return self.words


def tuple_of(kind, words):
    """Constraint on a tuple or list that holds at least one `kind`, and only such."""
    fits = make_constraint(kind).is_satisfied_by
    return Predicate(
        lambda v: isinstance(v, tuple | list) and len(v) > 0 and all(map(fits, v)), words
    )


POSITIVE_INT = Interval(Integral, 1, None, closed="left")
ODD = Predicate(
    lambda n: POSITIVE_INT.is_satisfied_by(n) and n % 2 == 1, "an odd int, such as 3 or 5"
)
ODD_WINDOW = Predicate(
    lambda n: ODD.is_satisfied_by(n) and n > 1, "an odd int of at least 3, such as 7"
)
WINDOW = Predicate(
    lambda v: isinstance(v, tuple | list) and 0 < len(v) < 4 and all(map(ODD.is_satisfied_by, v)),
    "a tuple of odd integers, one per axis, as in (1, 9) for height and width",
)
SIZES = tuple_of(POSITIVE_INT, "a tuple of positive integers, one per layer, as in (32, 64)")
#: The two parameters that tell what the axes of `X` are.
GEOMETRY: dict = {
    "image_shape": [tuple, list, None],
    "channel_axis": [StrOptions({"auto"}), Options(Integral, {-1}), None],
}
#: That of denoisers which tells what is missing; a NaN is one, too.
MISSING: dict = {"missing_values": [Real]}
FUNCTION = Predicate(lambda f: callable(f) and not isclass(f), "a callable that is not a class")


Method = TypeVar("Method", bound=Callable[..., Any])


def fit_context(skip_nested: bool) -> Callable[[Method], Method]:
    """Decorate a fit: parameters are checked before it, as in scikit-learn, and errors undo it."""

    def decorate(fit):
        @wraps(fit)
        def whole_or_not_at_all(self, *args, **kwargs):
            before = vars(self).copy()
            try:
                return fit(self, *args, **kwargs)
            except BaseException:
                vars(self).clear()
                vars(self).update(before)
                raise

        return _fit_context(prefer_skip_nested_validation=skip_nested)(whole_or_not_at_all)

    return decorate


class CheckedEstimator(BaseEstimator):
    """An estimator whose fit says what a misspelled parameter may have meant."""

    def _get_params_html(self, *args, **kwargs):
        """The table of a diagram; scikit-learn 1.9 shows descriptions to who has a link alone."""
        params = super()._get_params_html(*args, **kwargs)
        # There is no site yet: this page.
        params.doc_link = params.doc_link or "#"
        return params

    def _validate_params(self):
        params = self.get_params(deep=False)
        check_parameters(type(self).__name__, self._parameter_constraints, **params)


def check_parameters(caller, constraints, **params):
    """Refuse parameters that satisfy none of their constraints.

    Raises
    ------
    InvalidParameterError
        A ValueError and TypeError at once. It names the parameter, what it may be, what came, and
        the name that was probably meant.
    """
    for name, value in params.items():
        try:
            validate_parameter_constraints(constraints, {name: value}, caller)
        except InvalidParameterError as error:
            raise InvalidParameterError(f"{error}{_hint(value, constraints[name])}") from None


def _hint(value, constraints):
    """What to pass instead of a class or a misspelled name; nothing for other values."""
    if isclass(value) and FUNCTION in constraints:
        return f" Pass an object of it: {value.__name__}()."
    options = [c.options for c in constraints if isinstance(c, Options)]
    return did_you_mean(value, {name for names in options for name in names})


def did_you_mean(name, known):
    """A sentence with the known name that is most like `name`; nothing where none is."""
    known = {other.lower(): other for other in known}
    close = get_close_matches(str(name).lower(), known, 1)
    return f" Did you mean {known[close[0]]!r}?" if close else ""


def import_extra(module, extra, caller):
    """A module of an optional library; an ImportError names what brings it."""
    try:
        return import_module(module)
    except ImportError as error:
        libraries = {"skimage": "scikit-image", "pywt": "PyWavelets", "PIL": "Pillow"}
        library = libraries.get(module.partition(".")[0], module)
        raise ImportError(
            f"{caller} needs {library}, which cannot be imported here ({error}); "
            f"run pip install '.[{extra}]' in a copy of skdae's repository."
        ) from error
