"""One optimizer update: forward, backward, clipping, precision. The loop decides when."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from llmlab.training.config import TrainConfig
from llmlab.training.optimizers import make_optimizers
from llmlab.training.precision import choose_device, choose_precision
from llmlab.training.schedules import learning_rate
from llmlab.training.seeds import seed_step

LossFunction = Callable[[nn.Module, Any], "tuple[Tensor, dict[str, Any]]"]


@dataclass
class StepResult:
    """What one update measured; tensors stay on the device until someone needs the number."""

    step: int
    learning_rate: float
    loss: Tensor
    gradient_norm: Tensor
    metrics: dict[str, Any]
    tokens: int


class Stepper:
    """Holds a model, its optimizers and its number format, and performs single updates.

    ``compute`` fills the gradients of one update and ``apply`` changes the weights, so that a
    caller can look at the loss in between. Everything random in a step depends on (seed, step).
    """

    def __init__(self, model: nn.Module, loss_fn: LossFunction, config: TrainConfig) -> None:
        self.config, self.loss_fn, self.model = config, loss_fn, model
        self.device = choose_device(config.device)
        self.precision = choose_precision(config.precision, self.device)
        model.to(self.device)
        self.optimizers = make_optimizers(model, config)
        self.groups = [group for each in self.optimizers for group in each.param_groups]
        self.parameters = [p for group in self.groups for p in group["params"]]
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision.needs_scaler)
        self._callable = None if config.compile else model

    def compute(self, step: int, micro_batches: Sequence[Any]) -> StepResult:
        """Fill the gradients of update ``step`` from one or more micro-batches, and clip them.

        Micro-batches are averaged by the ``weight`` among their metrics, equally if they have
        none: the gradient is that of one batch holding them all.
        """
        batches = [move(batch, self.device) for batch in micro_batches]
        if not self.model.training:
            self.model.train()
        if self._callable is None:
            self._callable = self._compiled(batches[0])
        rate = learning_rate(self.config, step)
        for group in self.groups:
            group["lr"] = rate
        seed_step(self.config.seed, step, self.device)
        loss, metrics = self._backward(batches)
        for optimizer in self.optimizers:
            self.scaler.unscale_(optimizer)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.config.clip or float("inf"))
        return StepResult(step, rate, loss, norm, metrics, sum(map(count_tokens, batches)))

    def apply(self) -> None:
        """Change the weights by the gradients that ``compute`` left."""
        for optimizer in self.optimizers:
            self.scaler.step(optimizer)
        self.scaler.update()
        self.clear()

    def clear(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def _backward(self, batches: list[Any]) -> tuple[Tensor, dict[str, Any]]:
        if len(batches) == 1:
            loss, metrics = self._forward(self._callable, batches[0])
            metrics.pop("weight", None)
            self.scaler.scale(loss).backward()
            return loss.detach(), metrics
        shares, losses, all_metrics = [], [], []
        reference = None
        for batch in batches:
            loss, metrics = self._forward(self._callable, batch)
            weight = torch.as_tensor(metrics.pop("weight", 1.0), device=self.device)
            # relative to the first, so that the scaled gradients of fp16 keep their size
            reference = weight.clamp(min=1) if reference is None else reference
            shares.append(weight / reference)
            self.scaler.scale(loss * shares[-1]).backward()
            losses.append(loss.detach())
            all_metrics.append(metrics)
        return self._average(torch.stack(shares), losses, all_metrics)

    def _average(
        self, shares: Tensor, losses: list[Tensor], all_metrics: list[dict[str, Any]]
    ) -> tuple[Tensor, dict[str, Any]]:
        total = shares.sum().clamp(min=torch.finfo(shares.dtype).tiny)
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter.grad.div_(total)
        metrics = {
            name: sum(s * m[name] for s, m in zip(shares, all_metrics, strict=True)) / total
            for name in all_metrics[0]
        }
        return (shares * torch.stack(losses)).sum() / total, metrics

    def _forward(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, Any]]:
        with self.precision.autocast():
            result = self.loss_fn(model, batch)
        if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)):
            raise TypeError(
                f"loss_fn must return (loss, metrics dictionary): got {type(result).__name__}."
            )
        loss, metrics = result
        if not isinstance(loss, Tensor) or loss.ndim != 0 or not loss.requires_grad:
            raise ValueError(
                "loss_fn must return a loss that is a scalar tensor computed from the model's "
                f"trainable parameters: got {_describe(loss)}."
            )
        return loss, dict(metrics)

    def _compiled(self, batch: Any) -> nn.Module:
        """Return the compiled model, or the model itself where compiling does not work."""
        compiled = torch.compile(self.model)
        try:
            loss, _ = self._forward(compiled, batch)
            loss.backward()
        except Exception as error:
            # no C++ compiler, no Triton, an unsupported operation: whatever it is, eager works
            first_line = str(error).strip().partition("\n")[0]
            reason = f"{type(error).__name__}: {first_line}"[:100]
            print(f"torch.compile did not work here ({reason}); going on.", file=sys.stderr)
            torch.compiler.reset()
            compiled = self.model
        self.clear()
        return compiled


def move(batch: Any, device: torch.device) -> Any:
    """Return a batch (tensor, tuple, list or dictionary of such) with its tensors on ``device``."""
    if isinstance(batch, Tensor):
        if batch.device.type == "cpu" and device.type == "cuda":
            return batch.pin_memory().to(device, non_blocking=True)
        return batch.to(device)
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(move(part, device) for part in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(move(part, device) for part in batch)
    if isinstance(batch, dict):
        return {name: move(part, device) for name, part in batch.items()}
    return batch


def count_tokens(batch: Any) -> int:
    """Return how many tokens a batch holds: the size of its first tensor of integers.

    A batch without one (images, say) counts its rows instead.
    """
    tensors = list(_tensors(batch))
    for tensor in tensors:
        if not tensor.is_floating_point() and not tensor.is_complex():
            return tensor.numel()
    return len(tensors[0]) if tensors and tensors[0].ndim else 0


def _tensors(batch: Any):
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, (tuple, list, dict)):
        for part in batch.values() if isinstance(batch, dict) else batch:
            yield from _tensors(part)


def _describe(loss: Any) -> str:
    if isinstance(loss, Tensor):
        return f"a tensor of shape {tuple(loss.shape)} with requires_grad={loss.requires_grad}"
    return type(loss).__name__
