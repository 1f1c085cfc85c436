"""Estimators as notebooks show them."""

import re

import pytest
from sklearn.pipeline import make_pipeline
from test_common import ESTIMATORS
from test_docs import listed_names

from skdae import DenoisingAutoencoder, GaussianNoise
from skdae.architectures import ARCHITECTURES
from skdae.noise import BaseNoise

SHOWN = {type(estimator).__name__: estimator for estimator in ESTIMATORS}
SHOWN.update({architecture.__name__: architecture() for architecture in ARCHITECTURES.values()})


@pytest.mark.parametrize("name", SHOWN)
def test_diagram_links_to_the_page_of_the_api_reference(name, monkeypatch):
    monkeypatch.setenv("SKDAE_DOCS", "https://docs.example/skdae/")
    html = SHOWN[name]._repr_html_()
    pages = re.findall(r'href="https://docs.example/skdae/api/([\w.]+)\.html"', html)
    assert pages[0].endswith(f".{name}")
    # Those of its parts, such as the noise of an autoencoder, come after it.
    assert set(pages) <= listed_names()


def test_steps_of_a_pipeline_link_to_their_pages(monkeypatch):
    monkeypatch.setenv("SKDAE_DOCS", "..")
    html = make_pipeline(GaussianNoise(), DenoisingAutoencoder())._repr_html_()
    assert 'href="../api/skdae.noise.GaussianNoise.html"' in html
    assert 'href="../api/skdae.DenoisingAutoencoder.html"' in html


def test_without_an_address_nothing_links_anywhere(monkeypatch):
    monkeypatch.delenv("SKDAE_DOCS", raising=False)
    assert "Documentation for" not in DenoisingAutoencoder()._repr_html_()
    assert "Documentation for" not in GaussianNoise()._repr_html_()


def test_a_noise_of_the_user_has_no_page(monkeypatch):
    monkeypatch.setenv("SKDAE_DOCS", "https://docs.example")

    class Mine(BaseNoise):
        def __init__(self, std=0.1):
            self.std = std

    assert "docs.example" not in Mine()._repr_html_()
