"""In which number format to compute."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from llmlab.training.config import PRECISIONS

# Ampere (2020) is the first NVIDIA generation with bf16 units. torch.cuda.is_bf16_supported also
# says yes to chips that only emulate it, where fp16 with a scaler is several times faster.
_FIRST_WITH_BF16 = (8, 0)


@dataclass(frozen=True)
class Precision:
    """A number format on a device: ``name`` is fp32, bf16 or fp16."""

    name: str
    device: torch.device

    def autocast(self) -> AbstractContextManager:
        """Return the context in which to run the forward pass."""
        if self.name == "fp32":
            return nullcontext()
        dtype = torch.bfloat16 if self.name == "bf16" else torch.float16
        return torch.autocast(self.device.type, dtype=dtype)

    @property
    def needs_scaler(self) -> bool:
        """Whether gradients must be scaled up so that they survive (Micikevicius et al. 2018)."""
        return self.name == "fp16"


def choose_precision(name: str, device: torch.device) -> Precision:
    """Resolve ``"auto"`` and check a format asked for by name.

    ``auto`` is bf16 on a GPU that computes it natively, fp16 on an older GPU such as a T4, and
    fp32 on a CPU, where half precision is rarely faster at the sizes of this book.

    Raises ValueError for an unknown name and for fp16 on a CPU.
    """
    if name not in PRECISIONS:
        raise ValueError(
            f"precision must be one of {', '.join(PRECISIONS)}: got precision={name!r}."
        )
    if name == "fp16" and device.type == "cpu":
        raise ValueError("precision='fp16' needs a CUDA device; on a CPU use 'fp32' or 'bf16'.")
    if name == "auto":
        name = _best_on(device)
    return Precision(name, device)


def _best_on(device: torch.device) -> str:
    if device.type == "cpu":
        return "fp32"
    return "bf16" if torch.cuda.get_device_capability(device) >= _FIRST_WITH_BF16 else "fp16"
