"""The Muon optimizer: momentum whose directions are made equally strong."""

from collections import defaultdict

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
    dtype : torch.dtype, default=torch.float32
        In which matrices are orthogonalized; `torch.bfloat16` takes half the time where the
        hardware has it, and changes a step by 1 to 2 %.

    References
    ----------
    .. [1] Jordan, K. et al. (2024). "Muon: An optimizer for hidden layers in neural networks".
       https://kellerjordan.github.io/posts/muon/
    .. [2] Liu, J. et al. (2025). "Muon is scalable for LLM training". arXiv:2502.16982.
    """

    def __init__(self, params, lr=1e-3, weight_decay=1e-4, dtype=torch.float32):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        self.dtype = dtype

    def __getstate__(self):
        return {**super().__getstate__(), "dtype": self.dtype}

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
            alike = defaultdict(list)
            for p in trained:
                if p.ndim > 1:
                    alike[p.shape, p.device].append(p)
            for params in alike.values():
                self._step_matrices(params, **rates)
        return loss

    def _step_matrices(self, params, lr, weight_decay):
        """A step of weights of one shape, which are orthogonalized together."""
        shape = (len(params), len(params[0]), params[0][0].numel())
        matrices = torch.empty(shape, dtype=self.dtype, device=params[0].device)
        for p, matrix in zip(params, matrices, strict=True):
            state = self.state[p]
            if not state:
                state["momentum"] = torch.zeros_like(p)
            momentum = state["momentum"].lerp_(p.grad, 1 - _MOMENTUM)
            # Nesterov's look ahead.
            _as_stored(matrix, p).copy_(p.grad.lerp(momentum, _MOMENTUM))
        updates = orthogonalize(matrices)
        scale = _ADAMW_RMS * max(shape[1:]) ** 0.5
        for p, update in zip(params, updates, strict=True):
            p.mul_(1 - lr * weight_decay).add_(_as_stored(update, p), alpha=-lr * scale)

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


def _as_stored(matrix, p):
    """A matrix as filters like `p`, with its columns in the order in which `p` lies in memory.

    The order of columns means nothing to `orthogonalize`, and this one walks straight through.
    """
    axes = [0, *sorted(range(1, p.ndim), key=p.stride, reverse=True)]
    return matrix.view([p.shape[axis] for axis in axes]).permute(
        [axes.index(i) for i in range(p.ndim)]
    )


def orthogonalize(matrices):
    """About the nearest matrices with orthonormal rows or columns, by a Newton-Schulz iteration.

    Parameters
    ----------
    matrices : Tensor of shape (n_matrices, n, m)
        Their products are computed in their dtype, `float32` or `bfloat16`.

    Returns
    -------
    orthogonal : Tensor of shape (n_matrices, n, m)
        Singular values above a fiftieth of the norm become 0.68 to 1.21; smaller ones grow to at
        most 41 times their share of the norm. Matrices of a norm below 1e-7 become smaller.
    """
    a, b, c = _COEFFICIENTS
    is_tall = matrices.shape[1] > matrices.shape[2]
    # X → (a + b G + c G²) X with G = X Xᵀ, gathered in one small square matrix.
    gram = matrices.mT @ matrices if is_tall else matrices @ matrices.mT
    norm = gram.diagonal(dim1=1, dim2=2).sum(1).sqrt().clamp(min=_SMALLEST_NORM)[:, None, None]
    gram = gram / norm / norm
    total = None
    for i in range(_ITERATIONS):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal(dim1=1, dim2=2).add_(a)
        total = factor if total is None else factor @ total
        if i < _ITERATIONS - 1:
            gram = factor @ (factor @ gram)
    total = total / norm
    return matrices @ total if is_tall else total @ matrices
