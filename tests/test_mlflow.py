"""mlflow's default format, that of skops, takes denoisers as the page on deploying says."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdae import (
    ConformalDenoiser,
    DenoisingAutoencoder,
    GaussianNoise,
    MedianFilter,
    Noise2VoidDenoiser,
    SelfEnsembleDenoiser,
    VarianceStabilized,
)

skops = pytest.importorskip("skops.io")

PAGE = Path(__file__).parents[1] / "docs" / "guide" / "deploying.rst"
SECTION = PAGE.read_text(encoding="utf-8").partition("\nmlflow\n---")[2].partition("\n---")[0]
BLOCK = "\n".join(re.findall(r"^(?:>>>|\.\.\.) (.*)$", SECTION, re.MULTILINE))
X = np.random.default_rng(0).random((30, 8, 8))
SMALL = {"max_epochs": 1, "random_state": 0}
NET = DenoisingAutoencoder("dense", noise=GaussianNoise(0.1, random_state=0), **SMALL)

DENOISERS = {
    "filter": MedianFilter(),
    "net": NET,
    "unet": DenoisingAutoencoder("unet", **SMALL),
    "self-supervised": Noise2VoidDenoiser(**SMALL),
    "poses": SelfEnsembleDenoiser(NET),
    "stabilized": VarianceStabilized(MedianFilter(), GaussianNoise(0.1)),
    "conformal": ConformalDenoiser(MedianFilter()),
    "pipeline": make_pipeline(StandardScaler(), NET),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", DENOISERS)
def test_the_block_of_the_page_logs_a_denoiser(name, monkeypatch):
    images = X.reshape(30, -1) if name == "pipeline" else X
    denoiser = DENOISERS[name].fit(images, images)
    logged = {}

    def log_model(sk_model, *, name, skops_trusted_types=None):
        """As mlflow: a model that cannot be loaded is refused."""
        logged[name] = skops.loads(skops.dumps(sk_model), trusted=skops_trusted_types)

    mlflow = SimpleNamespace(sklearn=SimpleNamespace(log_model=log_model))
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    with pytest.raises(TypeError, match=r"[Uu]ntrusted types"):
        log_model(denoiser, name="refused")
    exec(BLOCK, {"denoiser": denoiser})
    np.testing.assert_array_equal(logged["denoiser"].predict(images), denoiser.predict(images))
