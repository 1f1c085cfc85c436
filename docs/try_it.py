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
import torch
from torch import nn
from torch.export import Dim

from skdae._files.onnx import in_silence
from skdae.architectures import Pretrained
from skdae.architectures.blind import by_brightness

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
SMALLEST = 16  # sides of a picture
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
        for kind, n_channels in {"gray": 1, "color": 3}.items():
            for step, content in graphs(n_channels).items():
                _pack(folder, f"{kind}-{step}", content)
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


def graphs(n_channels):
    """By the step, the pretrained nets as ONNX graphs of half the size.

    A page takes a picture tile by tile, as Python does: it sees the level of the noise, makes it a
    function of the brightness, sees whether it is independent, and removes it. Images are `X`,
    `(1, height, width, n_channels)`, and the map is `level`, `(1, height, width, 1)`.
    """
    name = {1: "photographs-grey", 3: "photographs-colour"}[n_channels]
    module = Pretrained(name).build((64, 64, n_channels), (64, 64, n_channels)).eval()
    steps = {
        "level": (module.level, ["X"]),
        "pooled": (by_brightness, ["X", "level"]),
    }
    for step in ("is_independent", "remove_independent", "remove_correlated"):
        function = getattr(module, step)
        steps[step.removeprefix("remove_")] = (
            lambda X, level, function=function: function(torch.cat([X, level], 1)).float(),
            ["X", "level"],
        )
    return {
        step: graph(Step(module, function), names, n_channels)
        for step, (function, names) in steps.items()
    }


class Step(nn.Module):
    """A function of images, and of maps, whose channels come last."""

    def __init__(self, module, function):
        super().__init__()
        self.module = module
        self.function = function

    def forward(self, *arrays):
        """What the function makes of a batch."""
        return self.function(*(x.permute(0, 3, 1, 2) for x in arrays)).permute(0, 2, 3, 1)


def graph(step, names, n_channels):
    """A step as an ONNX graph for pictures of any size."""
    sides = {1: Dim("height", min=SMALLEST), 2: Dim("width", min=SMALLEST)}
    arrays = tuple(torch.rand(1, 64, 72, n_channels if name == "X" else 1) for name in names)
    with in_silence():
        program = torch.onnx.export(
            step.eval(),
            arrays,
            dynamo=True,
            input_names=names,
            output_names=["out"],
            dynamic_shapes=(tuple(sides for _ in names),),
            verbose=False,
        )
    model = program.model_proto
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
