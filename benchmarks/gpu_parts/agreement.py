"""Whether the device computes what the CPU computes: logits, gradients, and a short training.

Everything in float32, with TensorFloat-32 off, so that what differs is the order of sums.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import torch
from torch import nn
from torch.nn import functional as F

from llmlab.data import RandomWindows
from llmlab.models import GPTConfig, build
from llmlab.training import TrainConfig, causal_loss, train

MINUTES = 0.5


def measure(task) -> Iterator[dict]:
    """The largest differences between the two, beside the size of what is compared."""
    torch.set_float32_matmul_precision("highest")
    sizes = task.size(
        {"context": 128, "layers": 6, "heads": 6, "width": 384},
        {"context": 16, "layers": 2, "heads": 2, "width": 32},
    )
    parts = {"position": "rotary", "norm": "rms", "feed_forward": "swiglu"}
    config = GPTConfig(vocab_size=512, **sizes, **parts)
    tokens = torch.randint(512, (20_000,), generator=torch.Generator().manual_seed(0))
    batches = RandomWindows(tokens, config.context, 8)
    steps = task.size(50, 5)
    here, there = (_outcome(config, batches, steps, d) for d in ("cpu", str(task.device)))
    yield {
        "model": asdict(config),
        "steps": steps,
        **{f"largest {name}": float(here[name].abs().max()) for name in here},
        **{f"difference of {n}": float((here[n] - there[n]).abs().max()) for n in here},
    }


def _outcome(config: GPTConfig, batches, steps: int, device: str) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    model = build(config).to(device)
    tokens, targets = (part.to(device) for part in batches[0])
    logits = model(tokens)
    F.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters()]).cpu()
    model.zero_grad()
    return {
        "logit": logits.detach().cpu(),
        "gradient": gradient,
        "loss": torch.tensor(_losses(model, batches, steps, device)),
    }


def _losses(model: nn.Module, batches, steps: int, device: str) -> list[float]:
    settings = {"precision": "fp32", "warmup": 5, "device": device}
    run = train(model, batches, causal_loss, TrainConfig(steps, **settings), progress=False)
    return run.column("loss")[1].tolist()
