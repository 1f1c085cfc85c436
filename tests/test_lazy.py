"""What is imported, and when: torch with the first net, nothing at all before the first name."""

import os
import subprocess
import sys
from importlib import import_module
from inspect import getmodule, isclass, isfunction
from pathlib import Path
from pkgutil import iter_modules

import pytest

import skdae
from skdae import DenoisingAutoencoder, NoiseSequence
from skdae._files.estimators import CLASSES

ROOT = Path(skdae.__file__).parents[1]

PRELUDE = """
import sys
import numpy as np
X = np.random.default_rng(0).random((4, 8, 8))
"""

WITHOUT_TORCH = {
    "filter": """
from skdae import MedianFilter, load, save
assert MedianFilter().fit(X).predict(X).shape == X.shape
assert MedianFilter().fit(X).score(X, X) <= 0
save(MedianFilter().fit(X), sys.argv[1])
assert load(sys.argv[1]).transform(X).shape == X.shape
""",
    "noise": """
from skdae import GaussianNoise, NoiseSequence, PoissonNoise, load
noise = NoiseSequence([GaussianNoise(0.1), PoissonNoise(30)], random_state=0).fit(X)
noise.save(sys.argv[1])
assert (load(sys.argv[1]).transform(X) == noise.transform(X)).all()
""",
    "metrics": """
from sklearn.pipeline import make_pipeline
from skdae import GaussianNoise, MeanFilter, denoising_scorer, j_invariant_scorer, psnr_scorer
from skdae import without_noise
from skdae.metrics import structural_similarity
pipe = make_pipeline(GaussianNoise(0.1), MeanFilter()).fit(X, X)
assert psnr_scorer(pipe, X, X) > 0
assert denoising_scorer("mse", noise=GaussianNoise(0.1))(MeanFilter().fit(X), X) < 0
assert j_invariant_scorer(MeanFilter().fit(X), X) < 0
assert without_noise(pipe).predict(X).shape == X.shape
structural_similarity(X, X)
""",
    "modules": "import skdae.datasets, skdae.plotting, skdae.model_selection, skdae.base",
    "names": "import skdae; assert 'DenoisingAutoencoder' in dir(skdae); dir(skdae.denoisers)",
}


def run(code, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("work", WITHOUT_TORCH)
def test_no_torch_before_the_first_net(work, tmp_path):
    check = "assert not {'torch', 'skorch'} & set(sys.modules)"
    run(f"{PRELUDE}{WITHOUT_TORCH[work]}\n{check}", tmp_path / "file")


@pytest.mark.parametrize(
    "use",
    ["import skdae", "from skdae.cli import main\ntry: main(['--help'])\nexcept SystemExit: 0"],
)
def test_import_and_help_import_no_library(use):
    run(f"{use}\nimport sys\nassert not {{'torch', 'numpy', 'sklearn', 'tqdm'}} & set(sys.modules)")


@pytest.mark.slow
def test_the_environment_is_left_as_it_was():
    # scikit-learn and torch write to it.
    run(
        "import os, skorch, sklearn.pipeline, skdae\nbefore = dict(os.environ)\n"
        "for name in skdae.__all__: getattr(skdae, name)\n"
        "assert os.environ == before"
    )
    run("import os\nbefore = dict(os.environ)\nimport skdae\nassert os.environ == before")


def test_star_brings_every_name():
    run("from skdae import *\nimport skdae\nassert set(skdae.__all__) <= set(globals())")


@pytest.mark.slow
def test_names_are_loaded_by_several_threads_at_once():
    run(
        "import skdae\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    things = list(pool.map(lambda name: getattr(skdae, name), 8 * skdae.__all__))\n"
        "n = len(skdae.__all__)\n"
        "assert all(thing is things[i % n] for i, thing in enumerate(things))"
    )


@pytest.mark.slow
def test_every_class_is_found_by_the_name_in_a_file(tmp_path):
    NoiseSequence([skdae.GaussianNoise()]).save(tmp_path / "noise")
    DenoisingAutoencoder(skdae.architectures.UNet()).save(tmp_path / "dae")
    for name in skdae.__all__:
        getattr(skdae, name)
    # Other tests define classes, or import private ones.
    places = {name: cls.__module__ for name, cls in CLASSES.items()}
    own = [n for n, place in places.items() if place.startswith("skdae.") and "._" not in place]
    assert {"DenoisingAutoencoder", "GaussianNoise", "MedianFilter", "UNet"} <= {*own}
    run(
        "import sys\nfrom skdae._files.estimators import _class_of, load\n"
        f"assert None not in map(_class_of, {own!r})\n"
        "assert _class_of('Path') is None"
    )
    for name in ("noise", "dae"):
        run("import sys, skdae\nprint(skdae.load(sys.argv[1]))", tmp_path / name)


@pytest.mark.parametrize("folder", ["denoisers", "filters", "noise"])
def test_stub_names_what_the_folder_defines(folder):
    package = import_module(f"skdae.{folder}")
    assert package.__all__ == sorted(package.__all__)
    modules = [
        import_module(f"{package.__name__}.{m.name}") for m in iter_modules(package.__path__)
    ]
    defined = {
        name
        for module in modules
        for name, thing in vars(module).items()
        if isclass(thing) and issubclass(thing, skdae._files.estimators.SaveMixin)
        if getmodule(thing) is module and not name.startswith("_")
    }
    named = {name for name in package.__all__ if not isfunction(getattr(package, name))}
    assert named <= defined
    # What others build on has no default of its own.
    assert defined - named <= {"MetaDenoiser", "LearnedDenoiser", "PlaneFilter"}


@pytest.mark.parametrize("folder", ["denoisers", "filters", "noise"])
def test_the_root_has_the_names_of_the_folder(folder):
    package = import_module(f"skdae.{folder}")
    for name in package.__all__:
        assert getattr(skdae, name) is getattr(package, name)
    assert {folder, *package.__all__} <= {*skdae.__all__, *dir(skdae)}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="NoSuchNoise"):
        _ = skdae.NoSuchNoise
