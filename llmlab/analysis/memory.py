"""Where the memory of training goes, and what the cache takes: worked out, and measured.

All in bytes, for 4-byte numbers: half precision halves the activations, while weights, gradients
and Adam's state stay as they are under automatic mixed precision.

What is worked out, PyTorch works out itself: a model is built and run on fake tensors, which have a
shape and no numbers, and what it would keep is added up. So any model is counted, of any size.
"""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from llmlab.analysis.peak import count_training
from llmlab.checks import check_device, check_sizes
from llmlab.models import build

# Of what comes and goes in a step: glibc 2.36 on x86-64, six models of 1 to 60 million weights.
_HOLES = 0.37


def memory_estimate(config, batch_size: int, time: int | None = None) -> dict[str, int]:
    """Bytes that training a model takes at the fullest moment of a step; the parts add up to it.

    - "weights" and "adam", the running means of the gradient and of its square;
    - "activations": what the forward pass keeps for the backward pass of (B, T) tokens, T the
      context unless given, as PyTorch keeps them on a CPU: of a GPT about (8D + 2F + H) numbers a
      token and layer. Compare Korthikanti et al. (2022), equation 2;
    - "passing": what comes and goes, such as gradients and the logits' many forms;
    - "holes": what main memory holds between buffers. On Linux these are what freed buffers leave
      in the heap of the C library; the figure is the mean of measured trainings, which took from
      a twentieth to two thirds of what comes and goes.

    Raises:
        ValueError: if batch_size or time is below 1, or time is missing for a model of any context.
        TypeError: if it is not a model's config.
    """
    with FakeTensorMode():
        model, tokens = _model_and_tokens(config, batch_size, time)
        weights = sum(parameter.nbytes for parameter in model.parameters())
        activations = count_activations(model.train(), tokens)
        buffers = count_training(model, tokens)
    lasting = 3 * weights
    return {
        "weights": weights,
        "adam": 2 * weights,
        "activations": activations,
        "passing": buffers.most - lasting - activations,
        "holes": round(_HOLES * max(0, buffers.most_in_heap - lasting)),
    }


def cache_memory(config, batch_size: int = 1, time: int | None = None) -> int:
    """Bytes of keys and values, 2 G K a token and layer, that generating (B, T) tokens keeps.

    T is the context unless given. Raises as ``memory_estimate`` does, and TypeError for a model
    without a cache.
    """
    with FakeTensorMode(), torch.no_grad():
        model, tokens = _model_and_tokens(config, batch_size, time)
        if not hasattr(model, "new_cache"):
            raise TypeError(f"config must be of a model with a cache: got {type(config).__name__}.")
        cache = model.new_cache()
        model(tokens, cache=cache)
    return cache.nbytes


def count_activations(model: nn.Module, tokens: torch.Tensor) -> int:
    """Bytes that PyTorch keeps between the forward and the backward pass of tokens (B, T).

    Every buffer that autograd saves is counted once, the model's own weights left out. The loss is
    the cross-entropy of a language model.
    """
    own = {t.untyped_storage()._cdata for t in (*model.parameters(), *model.buffers())}
    kept: dict[int, torch.UntypedStorage] = {}  # keeps buffers alive: an address is used once

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:  # of the storage: fake tensors have no address of their own
            kept[storage._cdata] = storage
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten())
    return sum(storage.nbytes() for storage in kept.values())


def peak_memory(device: str | torch.device = "cpu") -> int:
    """The most bytes that this process has used so far, in main memory or on a GPU."""
    check_device(device)
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
    check_device(device)
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available


def check_memory(config, batch_size: int, device: torch.device) -> None:
    """Refuse, before it is built, a model that cannot be trained in the memory there is.

    Raises:
        ValueError: if it needs more than is free.
    """
    with FakeTensorMode():
        weights = sum(parameter.numel() for parameter in build(config).parameters())
    free, lasting = free_memory(device), 3 * 4 * weights  # float32, and Adam's two means
    # what is far too large is refused without running it, even on fake tensors
    needed = lasting if lasting > free else _needed(config, batch_size, device)
    if needed > free:
        raise ValueError(
            f"the model must fit into the {free / 1e9:.1f} GB that are free on {device}: training "
            f"{weights:,} weights on {batch_size} × {config.context} tokens takes "
            f"{'more than' if needed == lasting else 'about'} {needed / 1e9:.1f} GB; choose fewer "
            "layers, a smaller width or a smaller batch."
        )


def _needed(config, batch_size: int, device: torch.device) -> int:
    parts = memory_estimate(config, batch_size)
    if device.type == "cuda":
        parts["activations"] //= 2  # at least: half precision
        del parts["holes"]  # PyTorch itself divides the memory of a GPU
    return sum(parts.values())


def _model_and_tokens(config, batch_size: int, time: int | None) -> tuple[nn.Module, torch.Tensor]:
    time = getattr(config, "context", None) if time is None else time
    if time is None:
        raise ValueError(f"time must be given for {type(config).__name__}, which has no context.")
    check_sizes(batch_size=batch_size, time=time)
    return build(config), torch.zeros(batch_size, time, dtype=torch.long)
