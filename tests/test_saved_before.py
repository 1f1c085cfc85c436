"""Files that an earlier version saved load, and predict what they did there.

They were written at commit 73ee56b, before one geometry took the place of images of height 1.
"""

from pathlib import Path

import numpy as np
import pytest

from skdae import DenoisingAutoencoder, GaussianNoise, MedianFilter, load

FOLDER = Path(__file__).parent / "data" / "saved_by_73ee56b"
PREDICTIONS = np.load(FOLDER / "predictions.npz")
NAMES = sorted(path.stem for path in FOLDER.glob("*.safetensors") if path.stem != "stack")


@pytest.mark.parametrize("name", NAMES)
def test_what_was_saved_before_predicts_the_same(name, tmp_path):
    denoiser, X = load(FOLDER / f"{name}.safetensors"), PREDICTIONS[f"{name}/X"]
    # Processors differ in the last bits of a sum.
    np.testing.assert_allclose(denoiser.predict(X), PREDICTIONS[f"{name}/out"], rtol=0, atol=1e-6)
    denoiser.save(tmp_path / "again")
    np.testing.assert_array_equal(load(tmp_path / "again").predict(X), denoiser.predict(X))


def test_there_are_filters_and_nets_of_all_kinds():
    assert len(NAMES) == 7
    kinds = {type(load(FOLDER / f"{name}.safetensors")) for name in NAMES}
    assert kinds == {DenoisingAutoencoder, MedianFilter}


def test_a_net_that_was_trained_before_goes_on():
    net = load(FOLDER / "conv_signals.safetensors").set_params(warm_start=True, max_epochs=1)
    X = PREDICTIONS["conv_signals/X"]
    assert net.fit(X).predict(X).shape == X.shape
    assert len(net.history_) == 2
    assert isinstance(net.noise_, GaussianNoise)


def test_a_net_that_saw_the_slices_beside_each_is_refused_with_a_way_out():
    with pytest.raises(ValueError, match="stacks are volumes.*channel_axis=None"):
        load(FOLDER / "stack.safetensors")
