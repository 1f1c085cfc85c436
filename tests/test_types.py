"""Types reach the user: a script passes `mypy --strict`, and what matters in it is not Any."""

import subprocess
import sys
from pathlib import Path

import pytest

import skdae

SCRIPT = """
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

from skdae import (
    DenoisingAutoencoder,
    GaussianNoise,
    MedianFilter,
    ReconstructionOutlierDetector,
    denoising_scorer,
    load,
    psnr_scorer,
)
from skdae.architectures import UNet
from skdae.datasets import load_digits_images
from skdae.metrics import mean_squared_error
from skdae.noise import BaseNoise
from skdae.plotting import DenoisingDisplay


class Dark(BaseNoise):
    def __init__(self, share: float = 0.5) -> None:
        self.share = share

    def _corrupt(self, images: Any, rng: Any) -> Any:
        return self.share * images


class Brighter(MedianFilter):
    def predict(self, X: Any) -> NDArray[Any]:
        return 2 * super().predict(X)


assert_type(Dark(0.2).fit([[0.5]]), Dark)
assert_type(Brighter().fit([[0.5]]), Brighter)

X_clean, y = load_digits_images(return_X_y=True)
noise = GaussianNoise(std=0.2).fit(X_clean)
assert_type(noise, GaussianNoise)
assert_type(noise.transform(X_clean), NDArray[Any])
dae = DenoisingAutoencoder(UNet(filters=(8, 16)), noise=noise).fit(X_clean)
assert_type(dae, DenoisingAutoencoder)
assert_type(dae.partial_fit(X_clean).set_params(lr=1e-4), DenoisingAutoencoder)
assert_type(dae.predict(X_clean), NDArray[Any])
assert_type(dae.score(X_clean), float)
dae.save("dae")
assert_type(load("dae").predict(X_clean), NDArray[Any])
assert_type(MedianFilter(size=5).fit(X_clean).transform(X_clean), NDArray[Any])
assert_type(ReconstructionOutlierDetector().fit(X_clean).predict(X_clean), NDArray[np.int64])
assert_type(mean_squared_error(X_clean, X_clean), float)
assert_type(mean_squared_error(X_clean, X_clean, per_image=True), NDArray[np.float64])
assert_type(psnr_scorer(dae, X_clean), float)
assert_type(denoising_scorer("ssim", noise=noise)(dae, X_clean), float)
assert_type(DenoisingDisplay.from_estimator(dae, X_clean), DenoisingDisplay)
"""


@pytest.mark.slow
def test_a_user_script_is_typed(tmp_path):
    pytest.importorskip("mypy")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    # What skdae's own bodies leave untyped is no business of the user.
    options = ["--strict", "--follow-imports=silent", "--config-file=", f"--cache-dir={tmp_path}"]
    result = subprocess.run(
        [sys.executable, "-m", "mypy", *options, script],
        cwd=Path(skdae.__file__).parents[1],
        env={"MYPYPATH": ".", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.startswith("Success"), result.stdout
