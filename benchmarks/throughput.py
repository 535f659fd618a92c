"""How many tokens a second train at the size of GPT-2 small, beside nanoGPT and transformers.

    python benchmarks/throughput.py --device cuda --compile --nanogpt CHECKOUT
    python benchmarks/throughput.py --device cpu --layers 2 --batch-size 2 --context 256

Every model takes the same steps (cross-entropy, backward, fused AdamW; on a GPU with autocast to
bfloat16) on the same batch, and the models take turns. Printed beside the rate: the share of the
device's own rate for large products of matrices that goes into the model (model FLOP utilisation),
and for ours the peak of memory beside what ``llmlab.analysis`` predicts. Peers that are not there
are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import torch
from torch import nn
from torch.nn import functional as F

from llmlab.analysis import flop_formula, memory_estimate, peak_memory
from llmlab.models import GPT, GPTConfig

SQUARE = {"cuda": 8192, "cpu": 2048}  # side of the matrices that tell the device's own rate
DTYPE = {"cuda": torch.bfloat16, "cpu": torch.float32}  # bfloat16 needs instructions
ROUNDS = 5

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # of tokens and targets (B, T)


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


def _cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


class Trainer:
    """Takes steps with one model, and keeps the time of each round."""

    def __init__(self, made: tuple[nn.Module, Loss], device: torch.device, compiled: bool) -> None:
        model, loss = made
        model.to(device).train()
        self._device, self._on_gpu = device, device.type == "cuda"
        self._loss = torch.compile(loss) if compiled else loss
        self._optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
        self.rounds: list[float] = []  # seconds a step

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
        self.rounds.append((time.perf_counter() - start) / number)

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


def contestants(config: GPTConfig, checkout: Path | None) -> Iterator[tuple[str, Callable]]:
    """The models that can be built here."""
    yield "llmlab", lambda: ours(config)
    if find_spec("transformers"):
        yield "transformers", lambda: transformers(config)
    if checkout:
        yield "nanoGPT", lambda: nanogpt(config, checkout)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--compile", action="store_true", help="all of the models")
    parser.add_argument("--nanogpt", type=Path, help="a checkout of nanoGPT")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--steps", type=int, default=10, help="a round (default 10)")
    parser.add_argument("--record", type=Path, help="write the figures here, as JSON")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    config = GPTConfig(50304, arguments.context, arguments.layers, 12, 768, feed_forward="gelu")
    shape = (arguments.batch_size, arguments.context)
    torch.manual_seed(0)
    tokens, targets = (torch.randint(50257, shape, device=device) for _ in range(2))
    trainers, peak = {}, 0
    for name, make in contestants(config, arguments.nanogpt):
        trainers[name] = Trainer(make(), device, arguments.compile)
        trainers[name].steps(2, tokens, targets)  # compiles, and warms up
        trainers[name].rounds.clear()
        peak = peak or peak_memory(device)  # of ours: it is the first
    for _ in range(ROUNDS):
        for trainer in trainers.values():
            trainer.steps(arguments.steps, tokens, targets)
    operations = 3 * flop_formula(config, arguments.context, arguments.batch_size)
    rate = product_rate(device)
    parts = memory_estimate(config, arguments.batch_size)
    figures = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "torch": torch.__version__.partition("+")[0],
        "tokens a second": {n: tokens.numel() / median(t.rounds) for n, t in trainers.items()},
        "utilisation": {n: operations / median(t.rounds) / rate for n, t in trainers.items()},
        "operations a second of a product": rate,
        "peak bytes": peak,
        "predicted bytes, activations in float32": sum(parts.values()),
        "predicted bytes, activations in bfloat16": sum(parts.values()) - parts["activations"] // 2,
    }
    text = json.dumps(figures, indent=1)
    if arguments.record:
        arguments.record.parent.mkdir(parents=True, exist_ok=True)
        arguments.record.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
