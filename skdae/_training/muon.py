"""The Muon optimizer: momentum whose directions are made equally strong."""

import torch
from torch.optim.adamw import adamw

# Of the quintic iteration, so that small singular values rise fast. Source: see `Muon`.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 3

# Gradients of a smaller norm move less, so that those of a layer whose units are dead fade away.
_SMALLEST_NORM = 1e-7

_MOMENTUM = 0.95
_ADAMW = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "amsgrad": False, "maximize": False}

# Root mean square of the entries of an update of AdamW, so that both have the same learning rates.
_ADAMW_RMS = 0.2


class Muon(torch.optim.Optimizer):
    """Muon for matrices and filters, AdamW for all else.

    A filter bank counts as a matrix with one row per filter. Its momentum is replaced by about the
    nearest matrix with orthonormal rows or columns [1]_, scaled so that the learning rates of AdamW
    fit [2]_. PyTorch's own Muon takes neither filters nor vectors.

    Parameters
    ----------
    params : iterable
        Parameters, or groups of them.
    lr : float, default=1e-3
    weight_decay : float, default=1e-4

    References
    ----------
    .. [1] Jordan, K. et al. (2024). "Muon: An optimizer for hidden layers in neural networks".
       https://kellerjordan.github.io/posts/muon/
    .. [2] Liu, J. et al. (2025). "Muon is scalable for LLM training". arXiv:2502.16982.
    """

    def __init__(self, params, lr=1e-3, weight_decay=1e-4):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        """One step; see `torch.optim.Optimizer.step`."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            trained = [p for p in group["params"] if p.grad is not None]
            rates = {"lr": group["lr"], "weight_decay": group["weight_decay"]}
            self._step_others([p for p in trained if p.ndim < 2], **rates)
            for p in trained:
                if p.ndim > 1:
                    self._step_matrix(p, **rates)
        return loss

    def _step_matrix(self, p, lr, weight_decay):
        state = self.state[p]
        if not state:
            state["momentum"] = torch.zeros_like(p)
        momentum = state["momentum"].lerp_(p.grad, 1 - _MOMENTUM)
        # Nesterov's look ahead.
        update = orthogonalize(p.grad.lerp(momentum, _MOMENTUM).flatten(1))
        scale = _ADAMW_RMS * max(update.shape) ** 0.5
        p.mul_(1 - lr * weight_decay).add_(update.view(p.shape), alpha=-lr * scale)

    def _step_others(self, params, **rates):
        states = [self.state[p] for p in params]
        for p, state in zip(params, states, strict=True):
            if not state:
                state["step"] = torch.zeros(())
                state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
        gradients = [p.grad for p in params]
        means, squares, steps = (
            [state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step")
        )
        adamw(params, gradients, means, squares, [], steps, foreach=True, **rates, **_ADAMW)


def orthogonalize(matrix):
    """About the nearest matrix with orthonormal rows or columns, by a Newton-Schulz iteration.

    Parameters
    ----------
    matrix : Tensor of shape (n, m)

    Returns
    -------
    orthogonal : Tensor of shape (n, m)
        Singular values above a fiftieth of the norm become 0.68 to 1.21; smaller ones grow to at
        most 41 times their share of the norm. Matrices of a norm below 1e-7 become smaller.
    """
    a, b, c = _COEFFICIENTS
    is_tall = len(matrix) > matrix.shape[1]
    wide = matrix.mT if is_tall else matrix
    wide = wide / wide.norm().clamp(min=_SMALLEST_NORM)
    # X → (a + b G + c G²) X with G = X Xᵀ, gathered in one small square matrix.
    gram = wide @ wide.mT
    total = None
    for i in range(_ITERATIONS):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        total = factor if total is None else factor @ total
        if i < _ITERATIONS - 1:
            gram = factor @ (factor @ gram)
    wide = total @ wide
    return wide.mT if is_tall else wide
