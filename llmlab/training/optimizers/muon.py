"""Muon: move a matrix about equally in all its directions, however unequal its gradient is."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from llmlab.checks import check_fraction, check_numbers, check_positive, check_sizes
from llmlab.training.optimizers.parameters import checked_parameters

# Coefficients of x ↦ a x + b x³ + c x⁵, which lifts a singular value in (0, 1] towards 1.
# Jordan et al. 2024 ("Muon") made it as steep at zero as they could, and so it never settles at 1:
# the comment in their code speaks of values between 0.5 and 1.5.
QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """Replace the singular values of each matrix (B, M, N) by about 1, keeping its directions.

    Newton–Schulz: an odd polynomial of a matrix X is p(X Xᵀ) X; it acts on singular values alone
    and costs only products. The steps are taken on the Gram matrix X Xᵀ of the shorter side, and
    their product meets X once, so that a long matrix costs little more than a square one.

    After five steps, a singular value that was at least 0.0015 of the matrix's Frobenius norm lies
    between 0.68 and 1.21. A smaller one has grown up to 485-fold and can still be near 0, as the
    smallest of a square Gaussian matrix is: that direction hardly moves. A matrix of zeros stays.
    """
    check_sizes(steps=steps)
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices  # (B, M, N) with M ≤ N
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    gram = x @ x.mT  # (B, M, M)
    product = step = _polynomial(gram)
    for _ in range(steps - 1):
        gram = step @ gram @ step
        step = _polynomial(gram)
        product = step @ product
    return (product @ x).mT if tall else product @ x


def _polynomial(gram: Tensor) -> Tensor:
    """a + b G + c G² for each G of (B, M, M)."""
    a, b, c = QUINTIC
    found = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
    found.diagonal(dim1=-2, dim2=-1).add_(a)
    return found


class Muon(torch.optim.Optimizer):
    """Muon (Jordan et al. 2024), for matrices: the momentum, orthogonalised, is the step.

    With g the gradient, m ← μ m + (1 - μ) g, and the step is along (1 - μ) g + μ m (Nesterov)
    made orthogonal. Its entries are then scaled to the size of AdamW's typical step, 0.2 (Liu et
    al. 2025, "Muon is Scalable for LLM Training"), so that one learning rate and one decay serve
    both. Matrices of one shape are orthogonalised together, and a parameter (..., M, N) is a stack
    of them. A piece of a matrix has no directions of its own: a distributed tensor is gathered
    first, and of the step every process keeps its piece.

    Raises:
        ValueError: if a setting is out of range, there is nothing to move, or a parameter is
            neither a matrix nor a stack of them.
        TypeError: if ``params`` are not parameters, or groups of them.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        check_positive(lr=lr)
        check_numbers(weight_decay=weight_decay)
        check_fraction(momentum=momentum)
        params = checked_parameters(params)
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.ndim < 2:
                    shape = tuple(parameter.shape)
                    raise ValueError(f"params must be matrices for Muon: got shape {shape}.")

    @torch.no_grad()
    def step(self) -> None:
        """Move every matrix that has a gradient."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            of_shape: defaultdict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
            ahead = self._ahead(parameters, group["momentum"]) if parameters else []
            for parameter, matrices in zip(parameters, ahead, strict=True):
                of_shape[parameter.shape[-2:]].append((parameter, _whole(matrices)))
            for shape, pairs in of_shape.items():
                moved, matrices = map(list, zip(*pairs, strict=True))
                directions = _directions(moved, matrices)
                size = 0.2 * math.sqrt(max(shape))  # entries of an orthogonal matrix: 1/√max
                torch._foreach_mul_(moved, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(moved, directions, alpha=-group["lr"] * size)

    def _ahead(self, parameters: list[Tensor], momentum: float) -> list[Tensor]:
        """The momenta, brought up to date, and once more to where they will be (Nesterov)."""
        gradients = [p.grad for p in parameters]
        momenta = [self._momentum(p) for p in parameters]
        torch._foreach_lerp_(momenta, gradients, 1 - momentum)
        return torch._foreach_lerp(gradients, momenta, momentum)

    def _momentum(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        return state["momentum"]


def _directions(parameters: list[Tensor], whole: list[Tensor]) -> list[Tensor]:
    """The steps of parameters (..., M, N) of one shape of matrix, as their pieces where cut."""
    stacks = [matrices.view(-1, *matrices.shape[-2:]) for matrices in whole]
    found = orthogonalise(torch.cat(stacks)).split([len(stack) for stack in stacks])
    pairs = zip(parameters, found, strict=True)
    return [_piece(parameter, directions.view(parameter.shape)) for parameter, directions in pairs]


def _whole(tensor: Tensor) -> Tensor:
    """All of a tensor of which this process may hold a piece; all must ask in the same order."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def _piece(parameter: Tensor, whole: Tensor) -> Tensor:
    """Of a whole tensor, what lies where this process's piece of the parameter lies."""
    if not hasattr(parameter, "full_tensor"):
        return whole
    from torch.distributed.tensor import distribute_tensor

    mesh, placements = parameter.device_mesh, parameter.placements
    return distribute_tensor(whole, mesh, placements, src_data_rank=None)  # sends nothing
