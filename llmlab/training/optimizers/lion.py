"""Lion: every weight moves by the same amount, only the sign is learned from gradients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from llmlab.checks import check_fraction, check_numbers, check_positive
from llmlab.training.optimizers.parameters import checked_parameters


class Lion(torch.optim.Optimizer):
    """Lion (Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", program 1).

    With g the gradient and m the one momentum it keeps, a step is

        w ← w - rate · (sign(β₁ m + (1 - β₁) g) + decay · w),    then    m ← β₂ m + (1 - β₂) g.

    It remembers half as much as AdamW. A sign is larger than AdamW's typical step, so the paper
    takes a learning rate 3 to 10 times smaller and a decay as much larger.

    Raises:
        ValueError: if a setting is out of range, or there is nothing to move.
        TypeError: if ``params`` are not parameters, or groups of them.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        check_positive(lr=lr)
        check_numbers(weight_decay=weight_decay)
        check_fraction(**{f"betas[{i}]": beta for i, beta in enumerate(betas)})
        params = checked_parameters(params)
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            gradients = [p.grad for p in parameters]
            momenta = [self._momentum(p) for p in parameters]
            first, second = group["betas"]
            signs = torch._foreach_lerp(momenta, gradients, 1 - first)
            torch._foreach_sign_(signs)
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_add_(parameters, signs, alpha=-group["lr"])
            torch._foreach_lerp_(momenta, gradients, 1 - second)

    def _momentum(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        return state["momentum"]
