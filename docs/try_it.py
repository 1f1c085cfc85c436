"""What the page *Try it* runs: ONNX Runtime Web, and the pretrained nets as ONNX graphs.

`make docs` calls `build`. The runtime is an npm package, fetched at a version and a hash, and never
committed; without npm or network, the site is built without the page.
"""

import base64
import gzip
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

PACKAGE = "onnxruntime-web@1.30.0"
INTEGRITY = (
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3j"
    "L02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
RUNTIME = {
    "runtime": "ort.wasm.min.js",
    "loader": "ort-wasm-simd-threaded.mjs",
    "wasm": "ort-wasm-simd-threaded.wasm",
}
EXAMPLE = Path(__file__).parent / "images" / "photograph_noisy.jpg"


def build(folder):
    """Write the files of the page; whether npm, the network and the exporter let it.

    Parameters
    ----------
    folder : Path
    """
    if missing := [name for name in ("onnx", "onnxscript") if find_spec(name) is None]:
        return _left_out(f"{' and '.join(missing)} are not installed")
    if shutil.which("npm") is None:
        return _left_out("npm is not installed")
    with tempfile.TemporaryDirectory() as place:
        try:
            package = fetch(Path(place))
        except subprocess.CalledProcessError as error:
            return _left_out(f"npm does not reach {PACKAGE}: {error.stderr.strip()}")
        folder.mkdir(parents=True, exist_ok=True)
        for name, file in RUNTIME.items():
            _pack(folder, name, (package / "dist" / file).read_bytes())
        for name, shape in {"grey": (64, 64), "color": (64, 64, 3)}.items():
            _pack(folder, name, graph(Path(place) / name, shape))
    _pack(folder, "example", EXAMPLE.read_bytes())
    return True


def _left_out(why):
    print(f"The page Try it is left out: {why}.")
    return False


def fetch(folder, package=PACKAGE, integrity=INTEGRITY):
    """The folder of a package of npm, if it has the hash that it should have."""
    command = ["npm", "pack", package, "--json", "--prefer-offline", "--fetch-retries=1"]
    printed = subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True, timeout=300
    ).stdout
    (archive,) = folder.glob("*.tgz")
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != integrity:
        raise RuntimeError(f"{package} has the hash sha512-{digest}, not {integrity}: {printed}")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return folder / "package"


def graph(path, shape):
    """The pretrained nets for images of a shape, as an ONNX graph of half the size."""
    import onnx

    from skdae import PretrainedDenoiser

    images = np.random.default_rng(0).random((1, *shape), dtype=np.float32)
    PretrainedDenoiser(precision="float32").fit(images).to_onnx(path)
    model = onnx.load(path)
    _halve(model.graph)
    return model.SerializeToString()


def _halve(graph):
    """Keep weights in half precision, where that holds them exactly, as in the files of skdae."""
    from onnx import TensorProto, helper, numpy_helper

    for weights in list(graph.initializer):
        values = numpy_helper.to_array(weights)
        if values.dtype != np.float32 or values.size < 16:
            continue
        half = values.astype(np.float16)
        if (half == values).all():
            name = weights.name
            weights.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
            cast = helper.make_node("Cast", [weights.name], [name], to=TensorProto.FLOAT)
            graph.node.insert(0, cast)


def _pack(folder, name, content):
    """A script with a file in it, which a page can load from a disk, too, where it cannot fetch."""
    text = base64.b64encode(gzip.compress(content, mtime=0)).decode()
    script = f"tryIt.receive({json.dumps(name)}, {json.dumps(text)});\n"
    (folder / f"{name}.js").write_text(script, encoding="utf-8")
