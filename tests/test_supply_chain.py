"""What skdae brings along: pinned, permissively licensed, and silent on the network."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
PERMISSIVE = {
    *("0BSD", "BSD", "BSD License", "BSD-2-Clause", "BSD-3-Clause", "3-Clause BSD License"),
    *("Apache Software License", "Apache-2.0", "LLVM-exception", "BSL-1.0", "CC0-1.0", "Zlib"),
    *("MIT", "MIT License", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Python Software Foundation License"),
}

QUIET = """
import sys

calls = []
def hook(event, args):
    if event.startswith("socket.") or event == "urllib.Request":
        calls.append((event, args))
sys.addaudithook(hook)

import warnings
import numpy as np
import skdae
from skdae import datasets, filters, metrics, model_selection, noise, plotting

warnings.simplefilter("ignore")
X = np.random.default_rng(0).random((8, 8, 8))
dae = skdae.DenoisingAutoencoder("conv", noise=skdae.GaussianNoise(), max_epochs=1).fit(X)
dae.save(sys.argv[1])
skdae.load(sys.argv[1]).predict(X)
skdae.WaveletFilter().fit_transform(X)
datasets.load_digits_images()
try:
    datasets.fetch_images("mnist", data_home="nowhere", download_if_missing=False)
except FileNotFoundError:
    pass
assert not calls, calls
import socket
socket.socket().close()
assert calls, "the hook hears nothing"
"""


@pytest.mark.slow
def test_import_fit_and_load_open_no_socket(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", QUIET, str(tmp_path / "dae")]
    subprocess.run(command, env=environment, cwd=tmp_path, check=True, timeout=200)


def pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


REQUIREMENTS = [*map(Requirement, chain(PROJECT["dependencies"], *EXTRAS.values()))]


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_every_requirement_is_pinned_within_its_range(requirement):
    if requirement.name == "skdae":
        assert set(requirement.extras) <= set(EXTRAS)
    else:
        assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_developers_get_every_extra_that_tests_use():
    (own,) = [r for r in map(Requirement, EXTRAS["dev"]) if r.name == "skdae"]
    assert own.extras == {"baselines", "docs", "images", "onnx", "pandas", "scale"}


# CUDA and Triton, which torch brings on Linux with a GPU: proprietary, and not skdae's to choose.
OF_TORCH = re.compile(r"(nvidia|cuda|triton)")


def dependencies():
    """Names of all distributions that skdae needs, with those that they need."""
    extras = ("", "baselines", "images", "onnx", "pandas", "scale")
    todo, seen = [("skdae", extra) for extra in extras], set()
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for text in distribution(name).requires or ():
            need = Requirement(text)
            wanted = need.marker is None or need.marker.evaluate({"extra": extra})
            if wanted and not OF_TORCH.match(canonicalize_name(need.name)):
                todo += [(canonicalize_name(need.name), extra) for extra in ("", *need.extras)]
    return sorted({name for name, _ in seen} - {"skdae"})


def licence(name):
    """What a distribution says about its licence, in a few words."""
    metadata = distribution(name).metadata
    classified = [c.split(" :: ")[-1] for c in metadata.get_all("Classifier", []) if "License" in c]
    specific = ", ".join(c for c in classified if c != "OSI Approved")
    # Some give the whole text here.
    text = (metadata.get("License") or "").strip().partition("\n")[0]
    return metadata.get("License-Expression") or specific or text or "unknown"


def test_every_dependency_is_pinned():
    assert set(dependencies()) <= set(pins())
    assert "bm3d" not in {*dependencies(), *pins()}


def test_every_licence_is_permissive():
    for name in dependencies():
        parts = re.split(r" AND | OR | WITH |, ", licence(name))
        assert all(part.strip("()") in PERMISSIVE or part in PERMISSIVE for part in parts), name
