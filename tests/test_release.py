"""What a user installs: the wheel, in an environment that has nothing of this checkout."""

import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email import message_from_string
from pathlib import Path, PurePosixPath

import pytest

import skdae

pytest.importorskip("hatchling")

ROOT = Path(__file__).parents[1]

# In a folder without skdae's sources: a photograph through the net in the wheel.
USE = """
import sys
import numpy as np, skdae
from skdae import GaussianNoise, PretrainedDenoiser, load
assert skdae.__file__.startswith(sys.prefix), skdae.__file__
assert skdae.__version__ == sys.argv[1]
X = np.full((1, 64, 64, 3), 0.5)
noisy = GaussianNoise(0.1, random_state=0).fit_transform(X)
denoiser = PretrainedDenoiser().fit(noisy)
denoiser.save("denoiser")
assert abs(load("denoiser").predict(noisy) - X).mean() < 0.2 * abs(noisy - X).mean()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, timeout=300)
    (path,) = folder.iterdir()
    return path


def test_the_wheel_holds_the_package_and_its_weights_alone(wheel):
    assert wheel.name == f"skdae-{skdae.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = {PurePosixPath(info.filename) for info in archive.infolist()}
    info = f"skdae-{skdae.__version__}.dist-info"
    assert {name.parts[0] for name in names} == {"skdae", info}
    package = {name.relative_to("skdae") for name in names if name.parts[0] == "skdae"}
    sources = {
        PurePosixPath(path.relative_to(ROOT / "skdae"))
        for path in (ROOT / "skdae").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert package == sources
    assert {name.suffix for name in package} == {".py", ".pyi", ".typed", ".safetensors", ".md"}
    weights = {name.name for name in package if name.suffix == ".safetensors"}
    assert weights == {"photographs-colour.safetensors", "photographs-grey.safetensors"}
    # The weights take 8 MB, all else less than a tenth of that.
    assert wheel.stat().st_size < 8.4e6


def test_what_an_index_shows_leads_to_no_file(wheel):
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"skdae-{skdae.__version__}.dist-info/METADATA").decode()
    text = message_from_string(metadata).get_payload()
    targets = re.findall(r"""\]\(([^)]*)\)|(?:src|srcset|href)=["']([^"']*)""", text)
    assert {"".join(target) for target in targets} == {"https://github.com/skorch-dev/skorch"}
    assert message_from_string(metadata)["Description-Content-Type"] == "text/markdown"
    # Its words and its code are those of the README.
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall("```.*?```", text, re.DOTALL) == re.findall("```.*?```", readme, re.DOTALL)
    assert "works offline: Start · User guide ·" in " ".join(text.split())
    assert "*A photograph of an orange dahlia, covered with colored noise*" in text
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# skdae",
        *(line for line in readme.splitlines() if line.startswith("#")),
    ]


@pytest.mark.slow
def test_the_wheel_works_in_an_environment_of_its_own(wheel, tmp_path):
    venv.create(tmp_path / "env", with_pip=False)
    scripts = tmp_path / "env" / ("Scripts" if sys.platform == "win32" else "bin")
    # skdae goes into the environment; what it depends on is that of the tests.
    python = scripts / "python"
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*command, "--no-deps", "--no-index", str(wheel)], check=True, timeout=300)
    libraries = Path(sysconfig.get_path("purelib"))
    for path in libraries.iterdir():
        if not path.name.startswith(("skdae", "_skdae", "__editable__")) and path.suffix != ".pth":
            (site / path.name).exists() or (site / path.name).symlink_to(path)
    run = {"cwd": tmp_path, "check": True, "timeout": 300, "capture_output": True, "text": True}
    subprocess.run([str(python), "-W", "ignore", "-c", USE, skdae.__version__], **run)
    said = subprocess.run([str(scripts / "skdae"), "--help"], **run).stdout
    assert "denoise" in said
