"""Which device to compute on."""

from __future__ import annotations

import torch


def choose_device(name: str = "auto") -> torch.device:
    """Turn ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:1"`` into a device that is there.

    ``auto`` is CUDA where available, else the CPU. Apple's MPS is never chosen: its results have
    differed from the CPU's without an error.

    Raises ValueError for another name, or for CUDA on a machine without it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name != "cpu" and name.partition(":")[0] != "cuda":
        raise ValueError(f"device must be auto, cpu, cuda or cuda:<number>: got device={name!r}.")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(
            f"device must be auto, cpu, cuda or cuda:<number>: got device={name!r}."
        ) from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device={name!r} is not on this machine, which has {torch.cuda.device_count()} "
            "CUDA devices; use device='auto'."
        )
    return device
