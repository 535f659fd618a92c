"""Where the memory of training goes, worked out and measured; and what the cache takes.

All in bytes, for 4-byte numbers: half precision halves the activations, while weights, gradients
and Adam's state stay as they are under automatic mixed precision.
"""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from llmlab.checks import check_sizes
from llmlab.models import GPTConfig, build

_NUMBER = 4  # bytes of a float32


def memory_estimate(config: GPTConfig, batch_size: int, time: int | None = None) -> dict[str, int]:
    """Bytes that training a GPT takes, by part: weights, gradients, adam, activations.

    Activations are what the forward pass keeps for the backward pass of (B, T) tokens, T the
    context unless given. The model is run on tensors without contents, as PyTorch would run it on
    a CPU: that takes no memory, however large the model. While the backward pass runs, some more
    comes and goes.

    Raises:
        ValueError: if batch_size or time is below 1, or time is beyond the context.
        TypeError: if the config is not a ``GPTConfig``.
    """
    _check(config, batch_size=batch_size, time=time)
    with FakeTensorMode():
        model = build(config).train()
        tokens = torch.zeros(batch_size, time or config.context, dtype=torch.long)
        activations = count_activations(model, tokens)
    weights = sum(parameter.nbytes for parameter in model.parameters())
    return {
        "weights": weights,
        "gradients": weights,
        "adam": 2 * weights,  # the running means of the gradient and of its square
        "activations": activations,
    }


def cache_memory(config: GPTConfig, batch_size: int = 1, time: int | None = None) -> int:
    """Bytes of keys and values, 2 L D a token, that generating (B, T) tokens keeps.

    T is the context unless given. Raises as ``memory_estimate`` does.
    """
    _check(config, batch_size=batch_size, time=time)
    return _NUMBER * 2 * config.layers * config.width * batch_size * (time or config.context)


def count_activations(model: nn.Module, tokens: torch.Tensor) -> int:
    """Bytes that PyTorch keeps between the forward and the backward pass of tokens (B, T).

    Every buffer that autograd saves is counted once, the model's own weights left out. The loss is
    the cross-entropy of a language model.
    """
    own = {_storage(tensor) for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, torch.Tensor] = {}  # keeps buffers alive: an address is used once

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if _storage(tensor) not in own:
            kept[_storage(tensor)] = tensor
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten())
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def _storage(tensor: torch.Tensor) -> int:
    """Which buffer a tensor lies in, for tensors without contents too."""
    return tensor.untyped_storage()._cdata


def peak_memory(device: str | torch.device = "cpu") -> int:
    """The most bytes that this process has used so far, in main memory or on a GPU."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.is_file():  # Linux: getrusage would begin with the peak of the parent process
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def free_memory(device: str | torch.device = "cpu") -> int:
    """Bytes of main memory, or of a GPU's, that are free for new data now."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available


def check_memory(config: GPTConfig, batch_size: int, device: torch.device) -> None:
    """Refuse, before it is built, a model that cannot be trained in the memory there is.

    Raises:
        ValueError: if it needs more than is free.
    """
    parts = memory_estimate(config, batch_size)
    if device.type == "cuda":
        parts["activations"] //= 2  # at least: half precision
    free = free_memory(device)
    needed = sum(parts.values())
    if needed > free:
        raise ValueError(
            f"the model must fit into the {free / 1e9:.1f} GB that are free on {device}: training "
            f"{parts['weights'] // _NUMBER:,} weights on {batch_size} × {config.context} tokens "
            f"takes about {needed / 1e9:.1f} GB; choose fewer layers, a smaller width or a smaller "
            "batch."
        )


def _check(config: GPTConfig, **sizes: int | None) -> None:
    if not isinstance(config, GPTConfig):
        raise TypeError(f"config must be a GPTConfig: got {type(config).__name__}.")
    check_sizes(**{name: size for name, size in sizes.items() if size is not None})
