"""What half precision saves and costs: the same training in each format that the device has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from statistics import median

import numpy
import torch

from llmlab.analysis import peak_memory
from llmlab.data import RandomWindows
from llmlab.data.synthetic import synthetic_text
from llmlab.data.tokenizers import ByteTokenizer
from llmlab.models import GPTConfig, build
from llmlab.training import TrainConfig, causal_loss, train

MINUTES = 1.0


def measure(task) -> Iterator[dict]:
    """Loss, milliseconds a step and peak bytes of each format."""
    sizes = task.size(
        {"context": 256, "layers": 6, "heads": 6, "width": 384},
        {"context": 16, "layers": 2, "heads": 2, "width": 32},
    )
    config = GPTConfig(vocab_size=256, **sizes, position="rotary", norm="rms")
    text = synthetic_text(task.size(1_000_000, 10_000))
    batches = RandomWindows(ByteTokenizer().encode(text), config.context, task.size(64, 4))
    steps = task.size(200, 5)
    yield {"model": asdict(config), "batch": len(batches[0][0]), "steps": steps}
    for name in ("fp32", "bf16", "fp16") if task.device.type == "cuda" else ("fp32", "bf16"):
        yield {name: _train(config, batches, steps, name, task.device)}


def _train(config: GPTConfig, batches, steps: int, name: str, device: torch.device) -> dict:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    torch.manual_seed(0)
    settings = {"precision": name, "device": str(device)}
    run = train(build(config), batches, causal_loss, TrainConfig(steps, **settings), progress=False)
    times = numpy.diff(run.column("seconds")[1][steps // 4 :])  # the first steps warm up
    return {
        "loss": float(run.column("loss")[1][-10:].mean()),
        "milliseconds a step": 1e3 * median(times.tolist()),
        "peak bytes": peak_memory(device),
    }
