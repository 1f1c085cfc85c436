"""The house: what may import and call what, and what a fitted denoiser remembers."""

import ast
import inspect
import sys
from dataclasses import FrozenInstanceError
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

import skdae
from skdae import (
    DenoisingAutoencoder,
    Downsample,
    GaussianNoise,
    MedianFilter,
    Noise2VoidDenoiser,
    PretrainedDenoiser,
    load,
    psnr_scorer,
)
from skdae._training.fit_data import gather
from skdae.architectures import Conv, Dense, UNet

ROOT = Path(skdae.__file__).parent

# From the ground up. A file may import from floors below its own, and from its own folder.
FLOORS = [
    ["_checks", "_images", "_random"],
    ["_files"],
    ["base", "architectures", "datasets"],
    ["filters"],
    ["noise"],
    ["metrics"],
    ["_training"],
    ["denoisers"],
    ["model_selection"],
    ["plotting"],
    ["__init__", "__version__"],
    ["cli"],
    ["__main__"],
]
FLOOR = {name: i for i, names in enumerate(FLOORS) for name in names}


def imports(path):
    """Dotted names of what a file of skdae imports from skdae, at any depth."""
    package = path.relative_to(ROOT.parent).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            module = [*base, *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                yield [*module, alias.name] if len(module) == 1 else module


FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downward(path):
    here = path.relative_to(ROOT).with_suffix("").parts[0]
    for _, there, *_ in imports(path):
        assert there == here or FLOOR[there] < FLOOR[here], f"{here} imports {there}"


def test_skorch_is_imported_by_the_engine_alone():
    users = {
        path.relative_to(ROOT).parts[0]
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "skorch"
    }
    assert users == {"_training"}


def test_the_root_is_small():
    # A stub and its file are one.
    assert len({path.stem for path in ROOT.iterdir()} - {"__pycache__"}) <= 19


# Calls


class Journey:
    """The frames of skdae that are entered while a function runs.

    `functions` are those with a name, and `upward` the calls from a lower floor into a higher one
    that nothing below allows: neither was the function handed down, nor does the method stand in
    for one that a class on the caller's floor, or below, declares.
    """

    def __init__(self, function):
        self.functions, self.upward = set(), set()
        self.depth = self.calls = 0
        sys.setprofile(self._enter)
        try:
            function()
        finally:
            sys.setprofile(None)

    def __str__(self):
        files = {file for file, _ in self.functions}
        return (
            f"{len(self.functions):>5} functions {len(files):>3} files "
            f"{self.depth:>3} deep {self.calls:>6} calls"
        )

    def _enter(self, frame, event, argument):
        here = place(frame)
        if event != "call" or here is None:
            return
        # Through other libraries, too: the caller is the nearest frame of skdae.
        above = [frame]
        while above[-1].f_back is not None:
            above.append(above[-1].f_back)
        callers = [caller for caller in above[1:] if place(caller)]
        self.calls += 1
        self.depth = max(self.depth, len(callers) + 1)
        if not frame.f_code.co_name.startswith("<"):
            self.functions.add((here, frame.f_code.co_qualname))
        if callers and floor(place(callers[0])) < floor(here):
            caller = callers[0]
            if not (is_held(frame.f_code, caller) or is_declared_below(frame, caller)):
                names = (f"{place(f)}: {f.f_code.co_qualname}" for f in (caller, frame))
                self.upward.add(" calls ".join(names))


def place(frame):
    """File of a frame below the folder of skdae, or None."""
    path = frame.f_code.co_filename
    return path[len(str(ROOT)) + 1 :] if path.startswith(f"{ROOT}/") else None


def floor(file):
    return FLOOR[file.partition("/")[0].removesuffix(".py")]


def is_held(code, caller):
    """Whether the caller has a function, as a variable or as an attribute of its `self`."""
    held = caller.f_locals
    own = getattr(held.get("self"), "__dict__", {})
    return any(code in codes_of(value) for value in [*held.values(), *own.values()])


def codes_of(value):
    """The codes of a function, a method, a class or a partial of one of these, and of wrappers."""
    while isinstance(value, partial):
        value = value.func
    if isinstance(value, type):
        value = value.__init__
    inner = inspect.unwrap(value) if callable(value) else value
    return [function.__code__ for function in (value, inner) if hasattr(function, "__code__")]


def is_declared_below(callee, caller):
    """Whether a method stands in for one of a class that the caller may know."""
    name = callee.f_code.co_name
    held = callee.f_locals
    classes = held.get("cls", type(held.get("self"))).__mro__[:-1]
    return name != "__init__" and any(
        name in vars(cls) and floor_of_class(cls) <= floor(place(caller)) for cls in classes
    )


def floor_of_class(cls):
    """Floor of a class; those of other libraries lie below all."""
    package, _, file = cls.__module__.partition(".")
    return floor(file.replace(".", "/")) if package == "skdae" else -1


def journeys(folder):
    """By name, what users do, each as a function."""
    X = np.random.default_rng(0).random((40, 28, 28)).astype(np.float32)
    net = DenoisingAutoencoder("conv", noise=GaussianNoise(), max_epochs=1, random_state=0)
    fitted, pretrained = clone(net).fit(X), PretrainedDenoiser().fit(X)
    noise, median = GaussianNoise().fit(X), MedianFilter().fit(X)
    return {
        "DenoisingAutoencoder.fit": lambda: clone(net).fit(X),
        "DenoisingAutoencoder.predict": lambda: fitted.predict(X),
        "PretrainedDenoiser.predict": lambda: pretrained.predict(X),
        "GaussianNoise.transform": lambda: noise.transform(X),
        "MedianFilter.predict": lambda: median.predict(X),
        "psnr_scorer": lambda: psnr_scorer(fitted, X, X),
        "save": lambda: fitted.save(folder / "net"),
        "load": lambda: load(folder / "net"),
    }


def test_calls_point_downward(tmp_path):
    """``pytest -s`` shows how long the ways are."""
    upward = set()
    for name, function in journeys(tmp_path).items():
        function()
        journey = Journey(function)
        print(f"\n{name:<30}{journey}", end="")
        upward |= journey.upward
    assert upward == set()


def defined_in(file, text):
    """What a text defines, as if it stood in a file of skdae."""
    names = {"__name__": f"skdae.{file.removesuffix('.py').replace('/', '.')}"}
    exec(compile(text, ROOT / file, "exec"), names)
    return names


def test_a_call_upward_is_found():
    above = defined_in("denoisers/plan.py", "class Plan:\n    def crop(self): return 1")["Plan"]()
    below = defined_in(
        "_images/shapes.py", "def handed(crop): return crop()\ndef known(plan): plan.crop()"
    )
    handed, known = below["handed"], below["known"]
    assert Journey(lambda: handed(above.crop)).upward == set()
    assert Journey(lambda: handed(partial(type(above).crop, above))).upward == set()
    assert Journey(lambda: known(above)).upward == {
        "_images/shapes.py: known calls denoisers/plan.py: Plan.crop"
    }
    through_a_library = Journey(lambda: handed(lambda: [*map(known, [above])]))
    assert len(through_a_library.upward) == 1


# The plan

X = np.random.default_rng(0).random((12, 8, 8)).astype(np.float32)
dense = partial(DenoisingAutoencoder, Dense(hidden=(4,)), max_epochs=1, random_state=0)


def private(estimator):
    return {name for name in vars(estimator) if name.startswith("_")}


@pytest.mark.parametrize(
    "denoiser",
    [
        dense(noise=GaussianNoise()),
        dense(noise=Downsample(2)),
        Noise2VoidDenoiser(UNet((2, 4), residual=False), max_epochs=1),
    ],
    ids=lambda denoiser: type(denoiser).__name__,
)
def test_a_fitted_denoiser_remembers_the_plan_and_its_seed(denoiser):
    assert private(clone(denoiser).fit(X)) == {"_seed", "_n_fits"}


def test_a_plan_is_not_changed():
    plan = dense().fit(X, X)._plan
    with pytest.raises(FrozenInstanceError):
        plan.latent_dim = 3


def test_a_plan_comes_back_from_a_file(tmp_path):
    dae = DenoisingAutoencoder(Conv((2,)), noise=Downsample(2), max_epochs=1).fit(X)
    dae.save(tmp_path / "dae")
    assert repr(load(tmp_path / "dae")._plan) == repr(dae._plan)
    assert dae._plan.shape == (*X.shape[1:], 1)[:3]
    assert dae._plan.any_size


def test_a_fit_that_fails_had_not_begun():
    dae = dense(noise=GaussianNoise()).fit(X)
    before = dict(vars(dae))
    dae.set_params(lr=1e30)
    with pytest.raises(ValueError, match="diverged"):
        dae.fit(X)
    assert vars(dae) == {**before, "lr": 1e30}
    unfitted = dense(patch_size=4)
    with pytest.raises(ValueError, match="patch_size=4 needs a network"):
        unfitted.fit(X, X)
    assert set(vars(unfitted)) == set(unfitted.get_params(deep=False))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_the_same_images_twice_and_a_copy_of_them_mean_the_same(dtype, tmp_path):
    images = (255 * X).astype(dtype) if dtype == np.uint8 else X.astype(dtype)
    kept = tmp_path / "checkpoint"
    once = dense(checkpoint=kept).fit(images, images)
    # The file of one is that of the other: nothing is left to train.
    again = dense(checkpoint=kept).fit(images, images.copy())
    assert again.n_iter_ == 1
    np.testing.assert_array_equal(once.predict(images), again.predict(images))
    other = dense().fit(images, images.copy())
    np.testing.assert_array_equal(once.predict(images), other.predict(images))


def test_no_validation_is_zero_or_none():
    zero, none = (dense(validation_fraction=v).fit(X, X) for v in (0, None))
    assert "valid_loss" not in zero.history_[-1]
    np.testing.assert_array_equal(zero.predict(X), none.predict(X))


def test_numpy_integers_are_integers(tmp_path):
    params = {"max_epochs": 2, "batch_size": 4, "patience": 2, "tile_size": 32, "patch_size": 8}
    numbers = {name: np.int64(value) for name, value in params.items()}
    options = {"lr_schedule": "onecycle", "noise": GaussianNoise(), "random_state": 0}
    plain = DenoisingAutoencoder(Conv((2,)), **params, **options).fit(X)
    numpy = DenoisingAutoencoder(Conv((np.int64(2),)), **numbers, **options).fit(X)
    np.testing.assert_array_equal(plain.predict(X), numpy.predict(X))
    numpy.save(tmp_path / "dae")
    np.testing.assert_array_equal(load(tmp_path / "dae").predict(X), plain.predict(X))
    code = DenoisingAutoencoder("dense", latent_dim=np.int32(3), max_epochs=1).fit(X, X).encode(X)
    assert code.shape == (12, 3)


@pytest.mark.parametrize("has_targets", [False, True], ids=["alone", "with targets"])
def test_values_beyond_float32_are_refused_before_training(has_targets):
    big = 1e200 * X.astype(float)
    noise, y = (None, 0.9 * big) if has_targets else (GaussianNoise(), None)
    with pytest.raises(ValueError, match="too large for dtype"):
        dense(noise=noise).fit(big, y)


def test_clipping_is_judged_by_the_images_at_hand():
    dae = dense(noise=GaussianNoise(clip=(0, 1)))
    with pytest.warns(UserWarning, match="makes noisy images in"):
        dae.partial_fit(5 * X)
    # Warnings are errors here: images in [0, 1] are not those before them.
    dae.partial_fit(X)


def test_the_same_memory_is_held_once():
    for images in (X[..., None], [*X[..., None]]):
        assert gather(images, images[:], None).targets is images
    data = gather(X[..., None], X[..., None].copy(), None)
    assert data.targets is not data.images
    assert data.target_range == data.image_range
