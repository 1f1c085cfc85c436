"""Cases of files: bytes and contents changed at random."""

import io
import json
import sys
import tempfile
import tracemalloc
from functools import cache
from pathlib import Path

import numpy as np

import skdae
from skdae._files.arrays import read_arrays, write_arrays
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
    options = {"max_epochs": 1, "batch_size": 4, "random_state": 0}
    models = [
        skdae.GaussianNoise((0.0, 0.5), random_state=np.random.RandomState(0)).fit(X),
        skdae.NoiseSequence([skdae.PoissonNoise(), skdae.Occlusion()]),
        skdae.make_pipeline(skdae.MedianFilter(), skdae.MeanFilter()).fit(X)
        if hasattr(skdae, "make_pipeline")
        else skdae.MedianFilter().fit(X),
        skdae.DenoisingAutoencoder(
            skdae.architectures.Conv(filters=(2,)), noise=skdae.SaltPepper(), **options
        ).fit(X),
        skdae.ReconstructionOutlierDetector(skdae.MeanFilter()).fit(X),
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


def forged_model(draw):
    """A sound checksum over changed contents: loaded or refused, but nothing else."""
    path = Path(folder().name) / "forged"
    path.write_bytes(choose(draw, *saved()))
    arrays, content = read_arrays(path)
    tree = content["estimator"]
    for _ in range(choose(draw, 1, 1, 2, 4)):
        if arrays and draw.random() < 0.25:
            _forge_array(draw, arrays)
        else:
            tree = _forge(draw, tree)
    write_arrays(path, arrays, {**content, "estimator": tree})
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

    if not isinstance(tree, dict | list):
        return tree
    walk(tree)
    if not places:
        return choose(draw, *JUNK)
    node, key = places[draw.randrange(len(places))]
    kind = draw.randrange(4)
    if kind == 0:
        del node[key]
    elif kind == 1 and isinstance(node, dict):
        node[choose(draw, "x", "class", "state", "predict", "__class__", "tuple")] = node.pop(key)
    elif kind == 2:
        other, name = places[draw.randrange(len(places))]
        node[key] = json.loads(json.dumps(other[name])) if other is not node else node[key]
    else:
        node[key] = json.loads(json.dumps(choose(draw, *JUNK)))
    return tree


def _forge_array(draw, arrays):
    """Change one of the arrays."""
    name = choose(draw, *sorted(arrays))
    array = arrays[name]
    kind = draw.randrange(5)
    if kind == 0:
        del arrays[name]
    elif kind == 1:
        with np.errstate(all="ignore"):
            arrays[name] = array.astype(choose(draw, "f8", "f2", "u1", "i8", "?"))
    elif kind == 2:
        arrays[name] = array.reshape(-1)[: draw.randrange(array.size + 1)]
    elif kind == 3:
        arrays[name + "x"] = array
    else:
        arrays[name] = np.full_like(array, choose(draw, 0, 1, 100))


def _loads(path, verdict):
    """Loading imports nothing, takes little memory, and ends as the verdict says."""
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
    if model is not None:
        expect(hasattr(model, "get_params"), f"gave {type(model).__name__}")


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
