"""Where the memory of training goes, by formula and measured; and what the cache takes.

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

from llmlab.checks import check_sizes
from llmlab.models import GPTConfig
from llmlab.models.feed_forward import hidden_width

_NUMBER = 4  # bytes of a float32


def memory_estimate(config: GPTConfig, batch_size: int, time: int | None = None) -> dict[str, int]:
    """Bytes that training a GPT takes, by part: weights, gradients, adam, activations.

    Activations are what the forward pass keeps for the backward pass of (B, T) tokens, T the
    context unless given: about (8D + 2F + H) numbers a token and layer, as PyTorch keeps them on a
    CPU. Compare Korthikanti et al. (2022), equation 2. While the backward pass runs, some more
    comes and goes.

    Raises:
        ValueError: if batch_size or time is below 1.
        TypeError: if the config is not a ``GPTConfig``.
    """
    _check(config, batch_size=batch_size, time=time)
    weights = _NUMBER * _parameters(config)
    time = time or config.context
    activations = _NUMBER * batch_size * time * _kept_per_token(config, time)
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
    own = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    kept: dict[int, torch.UntypedStorage] = {}  # keeps buffers alive: an address is used once

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten())
    return sum(storage.nbytes() for storage in kept.values())


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
            f"{_parameters(config):,} weights on {batch_size} × {config.context} tokens takes "
            f"about {needed / 1e9:.1f} GB; choose fewer layers, a smaller width or a smaller batch."
        )


def _parameters(config: GPTConfig) -> int:
    """``count_parameters`` of the model, without having to build it."""
    width, bias = config.width, int(config.bias)
    hidden = hidden_width(config.feed_forward, width)
    expanded = 2 * hidden if config.feed_forward == "swiglu" else hidden
    norm = width * (1 + bias) if config.norm == "layer" else width
    attention = 4 * width**2 + bias * 4 * width
    feed_forward = width * (expanded + hidden) + bias * (expanded + width)
    tables = config.vocab_size + (config.context if config.position == "learned" else 0)
    return tables * width + config.layers * (attention + feed_forward + 2 * norm) + norm


def _kept_per_token(config: GPTConfig, time: int) -> int:
    """Numbers that the forward pass keeps for each of ``time`` tokens."""
    width, heads, dropout = config.width, config.heads, config.dropout > 0
    norm = width + 2 if config.norm == "layer" else 2 * width + 1  # its input and statistics
    if config.position == "alibi" or dropout:
        # no fused kernel for these on a CPU: queries, keys, values, output, and the T weights
        attention = 4 * width + heads * time * (3 if dropout else 1)
    else:
        attention = 4 * width + heads  # one number a query stands for its row of weights
        if config.position == "rotary":
            attention += 3 * width  # turned copies, and the output put in order again
    hidden = hidden_width(config.feed_forward, width)
    feed_forward = (4 if config.feed_forward == "swiglu" else 2) * hidden
    read = 2 * width  # the normed vectors that attention and feed-forward read
    block = 2 * norm + read + attention + feed_forward + (2 * width if dropout else 0)
    ends = 2 + (width if dropout else 0)  # a token is 8 bytes, and the embedding may drop features
    return ends + config.layers * block + norm + width + config.vocab_size


def _check(config: GPTConfig, **sizes: int | None) -> None:
    if not isinstance(config, GPTConfig):
        raise TypeError(f"config must be a GPTConfig: got {type(config).__name__}.")
    check_sizes(**{name: size for name, size in sizes.items() if size is not None})
