"""One optimizer update: forward, backward, clipping, precision. The loop decides when."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from llmlab.training.config import TrainConfig
from llmlab.training.distributed import SingleProcess
from llmlab.training.nested import count_tokens, move
from llmlab.training.optimizers import make_optimizers
from llmlab.training.precision import choose_precision
from llmlab.training.records import check_columns
from llmlab.training.schedules import learning_rate, schedule_factor
from llmlab.training.seeds import seed_step

LossFunction = Callable[[nn.Module, Any], tuple[Tensor, dict[str, Any]]]


class Batches(Protocol):
    """Indexed by step, such as RandomWindows or a list."""

    def __getitem__(self, number: int) -> Any: ...


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

    ``train`` is a loop around it; another loop, one that makes its batches from the model itself,
    uses it in the same way::

        stepper = Stepper(model, loss_fn, config)
        for step in range(config.steps):
            result = stepper.compute(step, [batch])
            stepper.apply()
        stepper.clear()

    ``compute`` fills the gradients of one update and ``apply`` changes the weights, so that a
    caller can look at the loss in between. Everything random in a step depends on (seed, step).

    Where several processes share the work (``parallel``), ``model`` is what this one trains of it
    and ``parameters`` are the pieces that its optimizers move. ``gather`` and ``optimizer_state``
    give the whole; each process must call them.
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: LossFunction,
        config: TrainConfig,
        parallel: SingleProcess | None = None,
    ) -> None:
        self.config, self.loss_fn, self.parallel = config, loss_fn, parallel or SingleProcess()
        self.device = self.parallel.device(config.device)
        self.precision = choose_precision(config.precision, self.device)
        self.model, self._called = self.parallel.place(model, self.device)
        # parts that rest, such as a frozen body without its dropout, while the rest is trained
        self._resting = [m for m in self.model.modules() if self.model.training and not m.training]
        self.optimizers = make_optimizers(self.model, config)
        self.groups = [group for each in self.optimizers for group in each.param_groups]
        self.parameters = [p for group in self.groups for p in group["params"]]
        self.scaler = self.parallel.scaler(self.device, self.precision.needs_scaler)
        self._callable = None if config.compile else self._called

    def compute(self, step: int, micro_batches: Sequence[Any]) -> StepResult:
        """Fill the gradients of update ``step`` from one or more micro-batches, and clip them.

        Micro-batches are averaged by the ``weight`` among their metrics, equally if they have
        none: the gradient is that of one batch holding them all.

        Raises ValueError if there is none.
        """
        if not micro_batches:
            raise ValueError("micro_batches must hold one batch or more: got none.")
        rows = [self.parallel.rows(batch) for batch in micro_batches]
        batches = [move(batch, self.device) for batch in rows]
        if not self.model.training:
            self._wake()
        if self._callable is None:
            self._callable = self._compiled(batches[0])
        factor = schedule_factor(self.config, step)
        for group in self.groups:
            group["lr"] = group["initial_lr"] * factor
        seed_step(self.config.seed, step, self.device, self.parallel.replica)
        loss, metrics = self._backward(batches)
        for optimizer in self.optimizers:
            self.scaler.unscale_(optimizer)
        norm = self.parallel.clip(self.parameters, self.config.clip or float("inf"))
        rate = learning_rate(self.config, step)
        return StepResult(step, rate, loss, norm, metrics, sum(map(count_tokens, micro_batches)))

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

    def gather(self) -> nn.Module:
        """The whole model, with the weights as the last update left them."""
        return self.parallel.gather()

    def optimizer_state(self) -> dict[str, Tensor]:
        """What the optimizers remember, whole, by ``<parameter name>/<state name>``.

        Of several processes, the main one alone gets the answer.
        """
        return self.parallel.optimizer_state(self.optimizers)

    def load_optimizer_state(self, tensors: dict[str, Tensor]) -> None:
        """Put back what ``optimizer_state`` returned, or as much of it as this process keeps."""
        self.parallel.load_optimizer_state(self.optimizers, tensors)

    def _wake(self) -> None:
        """Training mode, for all that was in it."""
        self.model.train()
        for module in self._resting:
            module.training = False

    def _backward(self, batches: list[Any]) -> tuple[Tensor, dict[str, Any]]:
        if len(batches) * self.parallel.replicas == 1:
            with self.parallel.micro_batch(last=True):
                loss, metrics = self._forward(self._callable, batches[0])
                metrics.pop("weight", None)
                self.scaler.scale(loss).backward()
            return loss.detach(), metrics
        shares, losses, all_metrics = [], [], []
        reference = None
        for number, batch in enumerate(batches, start=1):
            with self.parallel.micro_batch(last=number == len(batches)):
                loss, metrics = self._forward(self._callable, batch)
                weight = torch.as_tensor(metrics.pop("weight", 1.0), device=self.device)
                # relative to the first, so that the scaled gradients of fp16 keep their size
                if reference is None:
                    reference = self.parallel.mean(weight.float().clamp(min=1))
                shares.append(weight / reference)
                self.scaler.scale(loss * shares[-1]).backward()
            losses.append(loss.detach())
            all_metrics.append(metrics)
        return self._average(torch.stack(shares), losses, all_metrics)

    def _average(
        self, shares: Tensor, losses: list[Tensor], all_metrics: list[dict[str, Any]]
    ) -> tuple[Tensor, dict[str, Any]]:
        names = list(all_metrics[0])
        for metrics in all_metrics:
            if metrics.keys() != all_metrics[0].keys():
                raise ValueError(
                    "loss_fn must return the same metrics for every batch: got "
                    f"{', '.join(names) or 'none'}, then {', '.join(metrics) or 'none'}."
                )
        sums = [shares.sum(), (shares * torch.stack(losses)).sum()]
        for name in names:
            sums.append(sum(s * m[name] for s, m in zip(shares, all_metrics, strict=True)))
        total, loss, *metrics = self.parallel.mean(torch.stack(sums))
        total = total.clamp(min=torch.finfo(total.dtype).tiny)
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter.grad.div_(total)
        return loss / total, {n: m / total for n, m in zip(names, metrics, strict=True)}

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
        check_columns("loss_fn", metrics)
        return loss, dict(metrics)

    def _compiled(self, batch: Any) -> nn.Module:
        """Return the compiled model, or the model itself where compiling does not work."""
        compiled, reason = torch.compile(self._called), ""
        try:
            with self.parallel.micro_batch(last=True):
                loss, _ = self._forward(compiled, batch)
                loss.backward()
        except Exception as error:
            # no C++ compiler, no Triton, an unsupported operation: whatever it is, eager works
            first_line = str(error).strip().partition("\n")[0]
            reason = f"{type(error).__name__}: {first_line}"[:100]
        self.clear()
        if self.parallel.all(not reason):
            return compiled
        if reason and self.parallel.is_main_process:
            print(f"torch.compile did not work here ({reason}); going on.", file=sys.stderr)
        torch.compiler.reset()
        return self._called


def _describe(loss: Any) -> str:
    if isinstance(loss, Tensor):
        return f"a tensor of shape {tuple(loss.shape)} with requires_grad={loss.requires_grad}"
    return type(loss).__name__
