"""The settings of one training run, checked when they are made."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
OPTIMIZERS = ("adamw", "lion", "muon")
SCHEDULES = ("constant", "cosine", "linear", "trapezoid")


@dataclass(frozen=True)
class TrainConfig:
    """How to train, whatever is trained.

    ``steps`` counts optimizer updates; each consumes ``accumulate`` batches. ``learning_rate`` is
    the peak, reached after ``warmup`` steps; ``schedule`` shapes what follows and falls to
    ``final_fraction`` of the peak, a trapezoid over the last ``cooldown`` of what follows.
    ``optimizer`` is "adamw", "lion", or "muon", which leaves to AdamW what is no hidden matrix.
    ``clip`` bounds the global gradient norm (0 switches clipping off; the norm is recorded).
    ``evaluate_every`` and ``checkpoint_every`` count steps; 0 means only at the beginning and at
    the end.

    Raises ValueError for a value out of range.
    """

    steps: int
    learning_rate: float = 1e-3
    optimizer: str = "adamw"
    schedule: str = "cosine"
    cooldown: float = 0.2
    warmup: int = 20
    final_fraction: float = 0.0
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0
    accumulate: int = 1
    precision: str = "auto"
    compile: bool = False
    device: str = "auto"
    seed: int = 0
    evaluate_every: int = 0
    checkpoint_every: int = 0

    def __post_init__(self) -> None:
        # JSON turns tuples into lists; a config read back must equal the one written.
        object.__setattr__(self, "betas", tuple(self.betas))
        for name, least in _LEAST_INTEGERS.items():
            _require_integer(name, getattr(self, name), least)
        for name in ("learning_rate", "weight_decay", "clip"):
            _require_number(name, getattr(self, name))
        if self.learning_rate == 0:
            raise ValueError("learning_rate must be a number above 0: got learning_rate=0.")
        if not 0 <= self.final_fraction <= 1:
            raise ValueError(
                f"final_fraction must lie between 0 and 1: got {self.final_fraction!r}."
            )
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas must be two numbers in [0, 1): got betas={self.betas!r}.")
        if not 0 < self.cooldown <= 1:
            raise ValueError(f"cooldown must lie above 0 and up to 1: got {self.cooldown!r}.")
        _require_choice("optimizer", self.optimizer, OPTIMIZERS)
        _require_choice("schedule", self.schedule, SCHEDULES)
        _require_choice("precision", self.precision, PRECISIONS)

    def to_dict(self) -> dict:
        """Return the settings as a dictionary that JSON can hold."""
        return asdict(self) | {"betas": list(self.betas)}


_LEAST_INTEGERS = {
    "steps": 1,
    "warmup": 0,
    "accumulate": 1,
    "seed": 0,
    "evaluate_every": 0,
    "checkpoint_every": 0,
}


def _require_integer(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}: got {name}={value!r}.")


def _require_number(name: str, value: object) -> None:
    good = isinstance(value, (int, float)) and math.isfinite(value) and value >= 0
    if isinstance(value, bool) or not good:
        raise ValueError(f"{name} must be a finite number of at least 0: got {name}={value!r}.")


def _require_choice(name: str, value: object, accepted: tuple[str, ...]) -> None:
    if value not in accepted:
        raise ValueError(f"{name} must be one of {', '.join(accepted)}: got {name}={value!r}.")
