"""Cases of files: bytes and contents changed at random."""

import io
import json
import sys
import tempfile
import tracemalloc
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline

import skdae
from skdae._files.arrays import read_arrays, write_arrays
from skdae._files.estimators import CLASSES
from skdae.datasets import fetch_images

from .draw import BAD, EITHER, choose, generator
from .oracle import attempt, expect


@cache
def folder():
    """Where files are written; gone with the process."""
    return tempfile.TemporaryDirectory(prefix="skdae-fuzz-")


@cache
def saved():
    """Bytes of saved estimators."""
    X = np.random.default_rng(0).random((6, 4, 4))
    rows, noise = X.reshape(6, 16), skdae.SaltPepper()
    options = {"max_epochs": 1, "batch_size": 4, "random_state": 0}
    nets = skdae.architectures
    conv = skdae.DenoisingAutoencoder(nets.Conv(filters=(2,)), noise=noise, **options)
    several = skdae.OneOf([skdae.GaussianNoise(), noise], random_state=0)
    models = [
        skdae.GaussianNoise((0.0, 0.5), random_state=np.random.RandomState(0)).fit(X),
        skdae.NoiseSequence([skdae.PoissonNoise(), skdae.Occlusion()]),
        several.fit(X),
        skdae.MedianFilter().fit(pd.DataFrame(rows, columns=[f"x{i}" for i in range(16)])),
        skdae.BilateralFilter().set_output(transform="pandas").fit(rows),
        make_pipeline(several, skdae.MeanFilter(), conv).fit(X, X),
        conv.fit(X),
        skdae.DenoisingAutoencoder(nets.Dense((3,), batch_norm=True), **options).fit(rows, rows),
        skdae.DenoisingAutoencoder(nets.Conv((2, 2)), latent_dim=2, **options).fit(X, X),
        skdae.DenoisingAutoencoder(nets.DnCNN(2, 2), tile_size=8, **options).fit(X, X),
        skdae.DenoisingAutoencoder(conv.architecture, noise=skdae.Downsample(2), **options).fit(X),
        skdae.Noise2VoidDenoiser(nets.UNet(filters=(2, 4)), **options).fit(X),
        skdae.Pix2PixDenoiser(conv.architecture, discriminator_filters=(2,), **options).fit(X, X),
        skdae.ReconstructionOutlierDetector(skdae.MeanFilter()).fit(X),
        skdae.ReconstructionOutlierDetector(conv).fit(X),
        skdae.SelfEnsembleDenoiser(conv).fit(X),
    ]
    path = Path(folder().name) / "model"
    contents = []
    for model in models:
        skdae.save(model, path)
        contents.append(path.read_bytes())
    return contents


def mutated(draw, content):
    """Bytes with a few changes, of which at least one counts."""
    out = bytearray(content)
    for _ in range(choose(draw, 1, 1, 1, 2, 8)):
        i = draw.randrange(len(out)) if out else 0
        kind = draw.randrange(8)
        if kind == 0 and out:
            out[i] ^= 1 << draw.randrange(8)
        elif kind == 1 and out:
            out[i] = draw.randrange(256)
        elif kind == 2:
            out = out[:i]
        elif kind == 3:
            out[i:i] = generator(draw).bytes(draw.randrange(1, 40))
        elif kind == 4:
            del out[i : i + draw.randrange(1, 40)]
        elif kind == 5:
            j = draw.randrange(len(out)) if out else 0
            out[i : i + 16] = out[j : j + 16]
        elif kind == 6:
            out[i : i + 64] = bytes(len(out[i : i + 64]))
        elif out:
            # Numbers of the length and of the header.
            i = min(i, 7) if draw.random() < 0.5 else i
            out[i] = choose(draw, 0, 1, 0x7F, 0x80, 0xFF, *b'[]{}",:0123456789')
    return bytes(out)


def damaged_model(draw):
    """A file with any other bytes is refused, by name, without its being run or believed."""
    content = choose(draw, *saved())
    broken = mutated(draw, content)
    path = Path(folder().name) / "damaged"
    path.write_bytes(broken)
    _loads(path, EITHER if broken == content else BAD)


def foreign_file(draw):
    """What others write is refused."""
    rng = generator(draw)
    buffer = io.BytesIO()
    kind = draw.randrange(5)
    if kind == 0:
        buffer.write(rng.bytes(draw.randrange(2000)))
    elif kind == 1:
        np.save(buffer, rng.random(draw.randrange(100)))
    elif kind == 2:
        np.savez(buffer, x=rng.random(draw.randrange(100)))
    elif kind == 3:
        text = json.dumps({"__metadata__": {"format": choose(draw, "pt", "skdae", "")}}).encode()
        buffer.write(len(text).to_bytes(8, "little") + text + rng.bytes(draw.randrange(20)))
    else:
        buffer.write(choose(draw, b"\x80\x04K\x01.", b"{}", b"<html>", b"PK\x03\x04") * 9)
    path = Path(folder().name) / "foreign"
    path.write_bytes(buffer.getvalue())
    _loads(path, BAD)


JUNK = (None, True, -1, 0, 1, 10**9, 10**30, 1.5, "", "x", "eval", [], {}, [1, 2], {"tuple": []})
JUNK += ({"array": "x"}, {"object": {}}, {"scalar": ["float32", 1]}, {"float": "nan"}, {"dict": {}})
NAMES = ("x", "class", "state", "predict", "__class__", "tuple", "net_", "seed_", "_plan", "std")


def forged_model(draw):
    """A sound checksum over changed contents: refused, or loaded without harm."""
    path = Path(folder().name) / "forged"
    path.write_bytes(choose(draw, *saved()))
    arrays, content = read_arrays(path)
    tree = content["estimator"]
    for _ in range(choose(draw, 1, 1, 2, 4)):
        if arrays and draw.random() < 0.25:
            _forge_array(draw, arrays)
        else:
            tree = _forge(draw, tree)
    try:
        write_arrays(path, arrays, {**content, "estimator": tree})
    except ValueError as error:
        expect("too many for its size" in str(error), str(error))
        return
    _loads(path, EITHER)


def _forge(draw, tree):
    """A tree with one place changed."""
    places = []

    def walk(node):
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in items:
            places.append((node, key))
            if isinstance(value, dict | list):
                walk(value)

    if isinstance(tree, dict | list):
        walk(tree)
    if not places:
        return choose(draw, *JUNK)
    node, key = places[draw.randrange(len(places))]
    value, kind = node[key], draw.randrange(8)
    if kind == 0:
        del node[key]
    elif kind == 1 and isinstance(node, dict):
        node[choose(draw, *NAMES)] = node.pop(key)
    elif kind in (2, 3):
        # The value of another place, of the same type where there is one.
        alike = [(n, k) for n, k in places if type(n[k]) is type(value) and n is not node]
        other, name = choose(draw, *(alike if alike and kind == 3 else places))
        node[key] = json.loads(json.dumps(other[name]))
    elif kind == 4 and isinstance(value, int | float):
        node[key] = choose(draw, value + 1, value - 1, -value, 2 * value, value * 1e3, int(value))
    elif kind == 5 and isinstance(value, list):
        node[key] = choose(draw, value[::-1], value[1:], value * 2, value * 1000, [value])
    elif kind == 6 and isinstance(value, str):
        node[key] = choose(draw, *sorted(CLASSES), value + "x", value[:-1])
    else:
        node[key] = json.loads(json.dumps(choose(draw, *JUNK)))
    return tree


def _forge_array(draw, arrays):
    """Change one of the arrays."""
    name = choose(draw, *sorted(arrays))
    array = arrays[name]
    kind = draw.randrange(6)
    if kind == 0:
        del arrays[name]
    elif kind == 1:
        with np.errstate(all="ignore"):
            arrays[name] = array.astype(choose(draw, "f8", "f2", "u1", "i8", "?"))
    elif kind == 2:
        arrays[name] = array.reshape(-1)[: draw.randrange(array.size + 1)]
    elif kind == 3:
        arrays[name + "x"] = array
    elif kind == 4:
        arrays[name] = array.reshape(-1, *array.shape[::-1]) if array.ndim else array[None]
    else:
        values = (0, 1, 100, -1, 1e38, np.nan, np.inf) if array.dtype.kind == "f" else (0, 1, 100)
        with np.errstate(all="ignore"):
            arrays[name] = np.full_like(array, choose(draw, *values))


def _loads(path, verdict):
    """What is loaded: importing nothing, taking little memory, ending as the verdict says."""
    modules = set(sys.modules)
    tracemalloc.start()
    try:
        model = attempt(skdae.load, str(path), verdict=verdict, naming=str(path), only=ValueError)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    expect(peak < 2**24, f"took {peak} bytes")
    strange = {name for name in set(sys.modules) - modules if name.startswith("antigravity")}
    expect(not strange, f"imported {strange}")
    expect(model is None or hasattr(model, "get_params"), f"gave {type(model).__name__}")
    return model


@cache
def _npz(name):
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    if name == "mnist":
        parts = {f"x_{p}": rng.integers(0, 256, (3, 28, 28), np.uint8) for p in ("train", "test")}
        parts |= {f"y_{p}": rng.integers(0, 10, 3) for p in ("train", "test")}
    else:
        parts = {f"{i}": rng.integers(0, 256, (4, 5), np.uint8) for i in range(3)}
    choose_savez = np.savez_compressed if name == "mnist" else np.savez
    choose_savez(buffer, **parts)
    return buffer.getvalue()


def data_file(draw):
    """A damaged file of images is refused by name, or holds what it should."""
    name = choose(draw, "mnist", "set12")
    path = Path(folder().name) / f"{name}.npz"
    path.write_bytes(mutated(draw, _npz(name)))
    data = attempt(
        fetch_images,
        name,
        data_home=folder().name,
        download_if_missing=False,
        verdict=EITHER,
        naming=str(path),
    )
    if data is not None:
        arrays = [data.X_train, data.X_test] if name == "mnist" else data.images
        expect(all(array.dtype == np.uint8 for array in arrays), "images of another dtype")


FILE_KINDS = {
    "file: damaged model": (damaged_model, 12),
    "file: forged model": (forged_model, 12),
    "file: foreign": (foreign_file, 3),
    "file: data set": (data_file, 4),
}
