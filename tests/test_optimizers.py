"""What skdae does to the optimizers of PyTorch."""

import numpy as np
import pytest
import torch
from torch import nn

from skdae import DenoisingAutoencoder
from skdae._training import net as engine
from skdae._training.optimizers import OPTIMIZERS

X = np.random.default_rng(0).random((8, 6)).astype(np.float32)


class Fading(nn.Module):
    """Has a weight of which all gradients but the first ones are 0, and one that is always used."""

    def __init__(self):
        super().__init__()
        self.fading, self.used = nn.Parameter(torch.ones(6, 6)), nn.Parameter(torch.ones(6))
        self.n_steps = 0

    def forward(self, x):
        """The images, scaled by all weights."""
        self.n_steps += self.training
        return x * self.used + (self.n_steps < 5) * (x @ self.fading)


def fit(optimizer):
    denoiser = DenoisingAutoencoder(
        Fading(),
        optimizer=optimizer,
        batch_size=1,
        max_epochs=130,
        lr=1e-3,
        weight_decay=0.0,
        lr_schedule=None,
        validation_fraction=None,
        random_state=0,
        device="cpu",
    )
    return denoiser.fit(X, X)


def moments(denoiser):
    states = [s for o in denoiser.net_.optimizers() for s in o.state.values()]
    return torch.cat([v.flatten() for s in states for v in s.values() if v is not None and v.ndim])


def n_denormal(values):
    return int(((values != 0) & (values.abs() < torch.finfo(values.dtype).tiny)).sum())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_moments_that_fade_do_not_stay_denormal(optimizer, monkeypatch):
    dropped = fit(optimizer)
    assert n_denormal(moments(dropped)) == 0
    monkeypatch.setattr(engine, "drop_denormals", lambda optimizers: None)
    kept = fit(optimizer)
    # Those of Muon fade more slowly, and RMSprop has no momentum.
    assert n_denormal(moments(kept)) > 0 or optimizer in ("muon", "rmsprop")
    for name in ("fading", "used"):
        expected, weight = (getattr(d.module_, name) for d in (kept, dropped))
        torch.testing.assert_close(weight, expected, rtol=0, atol=0)
