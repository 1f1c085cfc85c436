"""What skdae brings along: pinned, permissively licensed, and silent on the network."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
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
    assert own.extras == {"baselines", "docs", "onnx"}


@pytest.fixture(scope="module")
def licences():
    spec = importlib.util.spec_from_file_location("licences", ROOT / "docs" / "licences.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_dependency_is_pinned(licences):
    assert set(licences.dependencies()) <= set(pins())
    assert "bm3d" not in {*licences.dependencies(), *pins()}


def test_every_licence_is_permissive(licences):
    for name, text in licences.licences().items():
        parts = re.split(r" AND | OR | WITH |, ", text)
        assert all(part.strip("()") in PERMISSIVE or part in PERMISSIVE for part in parts), name


def test_page_of_licences_is_what_the_packages_say(licences):
    rows = licences.PAGE.read_text(encoding="utf-8").splitlines()
    for name, text in licences.licences().items():
        assert f"| {name} | {text} |" in rows, "run python docs/licences.py"
