"""Random cases end in a right result or a documented error; `make fuzz` tries far more of them."""

import random

import numpy as np
import pytest
from fuzz.cases import kinds
from fuzz.oracle import Finding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import skdae

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
KINDS = kinds()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(draw=st.randoms(use_true_random=False))
def test_random_case_ends_in_a_result_or_a_documented_error(kind, draw):
    KINDS[kind][0](draw)


def many(kind):
    for i in range(100):
        KINDS[kind][0](random.Random(i))


def crash(images):
    raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")


def write(images):
    images *= 0.5
    return images.copy()


@pytest.mark.parametrize(
    ("flaw", "message"),
    [
        (crash, "raised RuntimeError"),
        (lambda images: np.zeros((len(images), 1, 1, 1)), "turned images of shape"),
        (lambda images: np.float16(images), "gave float16|overflows"),
        (lambda images: images + np.random.random(), "two calls differ"),
        (write, "changed its input"),
        (lambda images: np.pad(images, -1), "the error is not its own"),
    ],
)
def test_planted_flaw_is_found(flaw, message, monkeypatch):
    monkeypatch.setattr(skdae.MeanFilter, "_filter", lambda self, images: flaw(images))
    with pytest.raises(Finding, match=message):
        many("filter:MeanFilter")


def test_input_that_is_wrongly_taken_is_found(monkeypatch):
    for name in ("skdae._images.lists.validate_images", "skdae.filters._base.validate_images"):
        monkeypatch.setattr(name, lambda self, X, **kwargs: np.zeros((2, 4)))
    with pytest.raises(Finding, match="took what must be refused|refused what is sound|gave"):
        many("filter:MeanFilter")
