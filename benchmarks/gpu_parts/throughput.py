"""How many tokens a second train at the size of GPT-2 small, beside nanoGPT and transformers.

Every model takes the same steps (cross-entropy, backward, fused AdamW; on a GPU with autocast to
bfloat16) on the same batch, and the models take turns, first as they are and then compiled. Beside
the rate stands the share of the device's own rate for large products of matrices that goes into
the model (model FLOP utilisation, Chowdhery et al. 2022, appendix B), and for ours the peak of
memory beside what ``llmlab.analysis`` predicts.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import torch
from torch import nn
from torch.nn import functional as F

from llmlab.analysis import flop_formula, memory_estimate, peak_memory
from llmlab.models import GPT, GPTConfig

MINUTES = 3.0

SQUARE = {"cuda": 8192, "cpu": 2048}  # side of the matrices that tell the device's own rate
DTYPE = {"cuda": torch.bfloat16, "cpu": torch.float32}  # bfloat16 needs instructions
ROUNDS = 5

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # of tokens and targets (B, T)


def measure(task) -> Iterator[dict]:
    """The rates of every model that can be built here, as it is and compiled."""
    sizes = task.size(
        {"vocab_size": 50304, "context": 1024, "layers": 12, "heads": 12, "width": 768},
        {"vocab_size": 512, "context": 32, "layers": 2, "heads": 2, "width": 32},
    )
    config = GPTConfig(**sizes)
    shape = (task.size(16, 2), config.context)
    torch.manual_seed(0)
    tokens, targets = (torch.randint(config.vocab_size, shape, device=task.device) for _ in "ab")
    rate = product_rate(task.device)
    operations = 3 * flop_formula(config, config.context, shape[0])
    yield {"model": asdict(config), "batch": shape[0], "operations a second": rate}
    for kind, compiler in (("eager", None), ("compiled", task.size("inductor", "aot_eager"))):
        trainers = {}
        for name, make in contestants(config, task.nanogpt):
            trainers[name] = Trainer(make(), task.device, compiler)
            trainers[name].first_step(tokens, targets)
            if name == "llmlab" and not compiler:  # it is the first: nothing else is in memory
                yield _memory(config, shape[0], task.device)
        for _ in range(ROUNDS):
            for trainer in trainers.values():
                trainer.steps(task.size(10, 1), tokens, targets)
        yield {
            kind: {
                name: {
                    "tokens a second": tokens.numel() / trainer.seconds,
                    "utilisation": operations / trainer.seconds / rate,
                    "seconds to the first step": trainer.seconds_to_first,
                }
                for name, trainer in trainers.items()
            }
        }
        trainers.clear()


def _memory(config: GPTConfig, batch_size: int, device: torch.device) -> dict[str, int]:
    parts = memory_estimate(config, batch_size)
    del parts["holes"]  # those of main memory
    return {
        "peak bytes": peak_memory(device),
        "predicted bytes, activations in float32": sum(parts.values()),
        "predicted bytes, activations in bfloat16": sum(parts.values()) - parts["activations"] // 2,
    }


def ours(config: GPTConfig) -> tuple[nn.Module, Loss]:
    """llmlab's GPT."""
    model = GPT(config)
    return model, lambda tokens, targets: _cross_entropy(model(tokens), targets)


def transformers(config: GPTConfig) -> tuple[nn.Module, Loss]:
    """GPT2LMHeadModel with PyTorch's fused attention."""
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = {"n_layer": config.layers, "n_head": config.heads, "n_embd": config.width}
    dropout = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    sizes |= {"vocab_size": config.vocab_size, "n_positions": config.context}
    model = GPT2LMHeadModel(GPT2Config(attn_implementation="sdpa", **sizes, **dropout))
    return model, lambda tokens, targets: _cross_entropy(model(tokens).logits, targets)


def nanogpt(config: GPTConfig, checkout: Path) -> tuple[nn.Module, Loss]:
    """The model of a checkout of karpathy/nanoGPT, unchanged."""
    spec = importlib.util.spec_from_file_location("nanogpt", checkout / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sizes = {"n_layer": config.layers, "n_head": config.heads, "n_embd": config.width}
    sizes |= {"vocab_size": config.vocab_size, "block_size": config.context}
    model = module.GPT(module.GPTConfig(**sizes, bias=config.bias, dropout=0.0))
    return model, lambda tokens, targets: model(tokens, targets)[1]


def contestants(config: GPTConfig, checkout: Path | None) -> Iterator[tuple[str, Callable]]:
    """The models that can be built here."""
    yield "llmlab", lambda: ours(config)
    if find_spec("transformers"):
        yield "transformers", lambda: transformers(config)
    if checkout:
        yield "nanoGPT", lambda: nanogpt(config, checkout)


def _cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


class Trainer:
    """Takes steps with one model, and keeps the time of each round."""

    def __init__(
        self, made: tuple[nn.Module, Loss], device: torch.device, compiler: str | None
    ) -> None:
        model, loss = made
        model.to(device).train()
        self._device, self._on_gpu = device, device.type == "cuda"
        self._loss = torch.compile(loss, backend=compiler) if compiler else loss
        self._optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
        self._rounds: list[float] = []  # seconds a step
        self.seconds_to_first = 0.0

    @property
    def seconds(self) -> float:
        """The median time of a step."""
        return median(self._rounds)

    def first_step(self, tokens: torch.Tensor, targets: torch.Tensor) -> None:
        """Compile, allocate, and note how long that took; two more steps warm up."""
        self.steps(1, tokens, targets)
        self.seconds_to_first = self._rounds.pop()
        self.steps(2, tokens, targets)
        self._rounds.clear()

    def steps(self, number: int, tokens: torch.Tensor, targets: torch.Tensor) -> None:
        """Take some steps and note how long one took."""
        self._wait()
        start = time.perf_counter()
        for _ in range(number):
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._on_gpu):
                loss = self._loss(tokens, targets)
            loss.backward()
            self._optimizer.step()
            self._optimizer.zero_grad()
        self._wait()
        self._rounds.append((time.perf_counter() - start) / number)

    def _wait(self) -> None:
        if self._on_gpu:
            torch.cuda.synchronize()


def product_rate(device: torch.device) -> float:
    """Operations a second of a large product of matrices: what the device can do at most."""
    side = SQUARE[device.type]
    a, b = (torch.randn(side, side, device=device, dtype=DTYPE[device.type]) for _ in range(2))
    times = []
    for _ in range(10):
        start = time.perf_counter()
        c = a @ b
        c[0, 0].item()  # waits for the device
        times.append(time.perf_counter() - start)
    return 2 * side**3 / median(times)
