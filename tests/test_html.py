"""Estimators as notebooks show them."""

import pytest
from test_common import ESTIMATORS

from skdae.architectures import ARCHITECTURES

SHOWN = {type(estimator).__name__: estimator for estimator in ESTIMATORS}
SHOWN.update({architecture.__name__: architecture() for architecture in ARCHITECTURES.values()})


@pytest.mark.parametrize("name", SHOWN)
def test_diagram_names_the_estimator_and_links_nowhere(name):
    html = SHOWN[name]._repr_html_()
    assert name in html
    # There is no site yet that it could link to.
    assert "Documentation for" not in html
