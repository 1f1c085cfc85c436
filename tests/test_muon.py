"""The Muon optimizer against PyTorch's, which takes matrices alone, and against AdamW."""

import copy

import pytest
import torch
from torch import nn

from skdae._training.muon import Muon, orthogonalize

SHAPES = [(6, 40), (40, 6), (16, 16), (1, 9), (9, 1)]


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def steps(optimizer, parameters, n=3):
    """Some steps, with the same gradients for all optimizers."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(n):
        for p in parameters:
            p.grad = torch.randn(p.shape, generator=generator)
        optimizer.step()


@pytest.mark.parametrize("shape", SHAPES)
def test_singular_values_become_alike(shape):
    matrix = torch.randn(shape) * 1e3
    U, values, Vh = torch.linalg.svd(matrix, full_matrices=False)
    kept = values > values.norm() / 50
    found = torch.diag(U.T @ orthogonalize(matrix[None])[0] @ Vh.T)
    assert kept.any()
    assert found[kept].min() > 0.68
    assert found.max() < 1.21


def test_small_singular_values_stay_bounded():
    values = torch.logspace(-6, 0, 40)
    U, V = (torch.linalg.qr(torch.randn(40, 40)).Q for _ in range(2))
    found = torch.linalg.svdvals(orthogonalize((U @ torch.diag(values) @ V)[None])[0]).flip(0)
    assert (found < 41 * values / values.norm() + 1e-4).all()


def test_no_gradient_is_no_step():
    assert not orthogonalize(torch.zeros(1, 3, 5)).any()
    p = nn.Parameter(torch.ones(3, 5))
    Muon([p]).step()
    assert (p == 1).all()


@pytest.mark.parametrize("exponent", range(-44, -6, 4))
def test_vanishing_gradients_are_vanishing_steps(exponent):
    matrix = torch.randn(6, 40)
    small = orthogonalize(matrix[None] / matrix.norm() * 10.0**exponent)
    assert small.norm() <= 41 * 10.0 ** (exponent + 7)


def test_a_layer_without_gradients_comes_to_rest():
    p = nn.Parameter(torch.ones(8, 8))
    optimizer = Muon([p], weight_decay=0.0)
    steps(optimizer, [p])
    p.grad = torch.zeros_like(p)
    moved = []
    for _ in range(1500):
        before = p.detach().clone()
        optimizer.step()
        moved.append((p - before).detach().norm().item())
    assert moved[0] > 0
    assert max(moved[1000:]) == 0


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="PyTorch has Muon since 2.9")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", SHAPES)
def test_matrices_take_the_steps_of_pytorch(shape, dtype):
    ours = nn.Parameter(torch.randn(shape))
    theirs = nn.Parameter(ours.detach().clone())
    start = ours.detach().clone()
    steps(Muon([ours], lr=0.01, weight_decay=0.1, dtype=dtype), [ours])
    options = {"ns_steps": 3, "adjust_lr_fn": "match_rms_adamw"}
    steps(torch.optim.Muon([theirs], lr=0.01, weight_decay=0.1, **options), [theirs])
    # PyTorch's iteration has the 8 bits of bfloat16.
    assert (ours - theirs).norm() < 0.03 * (theirs - start).norm()


def test_filters_are_matrices_with_a_row_each():
    filters = nn.Parameter(torch.randn(4, 3, 3, 3).contiguous(memory_format=torch.channels_last))
    rows = nn.Parameter(filters.detach().flatten(1).clone())
    steps(Muon([filters]), [filters])
    steps(Muon([rows]), [rows])
    torch.testing.assert_close(filters.detach().flatten(1), rows.detach())


def test_a_copy_takes_the_same_steps():
    p = nn.Parameter(torch.randn(8, 8))
    optimizer = Muon([p], dtype=torch.bfloat16)
    copied = copy.deepcopy(optimizer)
    (q,) = copied.param_groups[0]["params"]
    steps(optimizer, [p])
    steps(copied, [q])
    assert (p == q).all()


def test_weights_of_one_shape_do_not_mix():
    together = [nn.Parameter(torch.randn(4, 3, 3, 3)) for _ in range(3)]
    together[1].data = together[1].data.contiguous(memory_format=torch.channels_last)
    apart = [nn.Parameter(p.detach().clone()) for p in together]
    optimizers = [Muon(together), *(Muon([p]) for p in apart)]
    for i, (p, q) in enumerate(zip(together, apart, strict=True)):
        p.grad = torch.randn(p.shape) * 10.0**i
        q.grad = p.grad.clone()
    for optimizer in optimizers:
        optimizer.step()
    for p, q in zip(together, apart, strict=True):
        torch.testing.assert_close(p, q)


def test_all_else_takes_the_steps_of_adamw():
    ours, theirs = nn.BatchNorm2d(5), nn.BatchNorm2d(5)
    steps(Muon(ours.parameters(), lr=0.1, weight_decay=0.5), list(ours.parameters()))
    steps(torch.optim.AdamW(theirs.parameters(), 0.1, weight_decay=0.5), list(theirs.parameters()))
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other)


def test_steps_are_as_large_as_those_of_adamw():
    net = nn.Conv2d(8, 16, 3)
    before = [p.detach().clone() for p in net.parameters()]
    steps(Muon(net.parameters(), lr=1.0, weight_decay=0.0), list(net.parameters()), n=1)
    for old, new in zip(before, net.parameters(), strict=True):
        rms = (new - old).square().mean().sqrt()
        # AdamW's first step is 1 everywhere, its later ones about 0.2.
        assert 0.1 < rms < 1.01


def test_gradients_outlive_the_step():
    net = nn.Linear(3, 2)
    steps(Muon(net.parameters()), list(net.parameters()))
    assert all(p.grad is not None for p in net.parameters())


def test_a_closure_is_called_with_gradients():
    net = nn.Linear(3, 2)
    optimizer = Muon(net.parameters())

    def closure():
        optimizer.zero_grad()
        loss = net(torch.ones(4, 3)).square().mean()
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(50)]
    assert losses[-1] < losses[0]
