"""Estimators as notebooks show them."""

import html
import inspect
import re

import pytest
import sklearn
from sklearn.pipeline import make_pipeline
from sklearn.utils.fixes import parse_version
from test_common import ESTIMATORS

from skdae.architectures import ARCHITECTURES

SHOWN = {type(estimator).__name__: estimator for estimator in ESTIMATORS}
SHOWN.update({architecture.__name__: architecture() for architecture in ARCHITECTURES.values()})


@pytest.mark.parametrize("name", SHOWN)
def test_diagram_names_the_estimator_and_links_nowhere(name):
    shown = SHOWN[name]._repr_html_()
    assert name in shown
    # There is no site yet that it could link to.
    assert "Documentation for" not in shown
    assert set(re.findall(r'href="(.)', shown)) <= {"#"}


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"), reason="shows no descriptions"
)
@pytest.mark.parametrize("name", SHOWN)
def test_diagram_describes_the_parameters(name):
    estimator = SHOWN[name]
    documented = inspect.getdoc(type(estimator)).partition("Parameters\n---")[2]
    places = [estimator, *([make_pipeline(estimator)] if hasattr(estimator, "fit") else [])]
    for shown in (place._repr_html_() for place in places):
        text = html.unescape(shown).replace("<br>", "\n")
        for parameter in estimator.get_params(deep=False):
            if f"\n{parameter} : " not in documented:
                continue
            # The first line below the name.
            line = documented.partition(f"\n{parameter} : ")[2].split("\n")[1].strip()
            assert line in text
