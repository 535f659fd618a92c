"""The settings of one training run, checked when they are made."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from llmlab.checks import (
    check_choice,
    check_integers,
    check_numbers,
    check_positive,
    check_seed,
    check_sizes,
)

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
OPTIMIZERS = ("adamw", "lion", "muon")
GROUP_SETTINGS = ("learning_rate", "weight_decay", "optimizer")
SCHEDULES = ("constant", "cosine", "linear", "trapezoid")


@dataclass(frozen=True)
class TrainConfig:
    """How to train, whatever is trained.

    ``steps`` counts optimizer updates; each consumes ``accumulate`` batches. ``learning_rate`` is
    the peak, reached after ``warmup`` steps: unless given 20, or a tenth of a run of fewer than
    200. ``schedule`` shapes what follows and falls to ``final_fraction`` of the peak, a trapezoid
    over the last ``cooldown`` of what follows.
    ``optimizer`` is "adamw", "lion", or "muon", which moves matrices between hidden vectors and
    leaves all else to AdamW. ``groups`` gives parameters whose names match a pattern settings of
    their own: ``{"*.value.weight": {"learning_rate": 1e-4, "weight_decay": 0.0}}``; of several
    patterns (in the way of file names, ``fnmatch``) the first that matches decides.
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
    warmup: int | None = None
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
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # JSON turns tuples into lists; a config read back must equal the one written.
        object.__setattr__(self, "betas", tuple(self.betas))
        check_sizes(steps=self.steps, accumulate=self.accumulate)
        if self.warmup is None:
            object.__setattr__(self, "warmup", min(20, self.steps // 10))
        check_integers(
            0,
            warmup=self.warmup,
            evaluate_every=self.evaluate_every,
            checkpoint_every=self.checkpoint_every,
        )
        if self.warmup > self.steps:
            raise ValueError(
                f"warmup must end within the run of {self.steps} steps: got warmup={self.warmup}."
            )
        check_seed(self.seed)
        check_positive(learning_rate=self.learning_rate)
        check_numbers(weight_decay=self.weight_decay, clip=self.clip)
        if not 0 <= self.final_fraction <= 1:
            raise ValueError(
                f"final_fraction must lie between 0 and 1: got {self.final_fraction!r}."
            )
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas must be two numbers in [0, 1): got betas={self.betas!r}.")
        if not 0 < self.cooldown <= 1:
            raise ValueError(f"cooldown must lie above 0 and up to 1: got {self.cooldown!r}.")
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("schedule", self.schedule, SCHEDULES)
        check_choice("precision", self.precision, PRECISIONS)

        for pattern, settings in self.groups.items():
            _check_group(pattern, settings)

    def settings_of(self, name: str) -> dict[str, Any]:
        """What ``groups`` says of the parameter of this name; nothing if no pattern matches."""
        matching = (s for pattern, s in self.groups.items() if fnmatchcase(name, pattern))
        return next(matching, {})

    def to_dict(self) -> dict:
        """Return the settings as a dictionary that JSON can hold."""
        return asdict(self) | {"betas": list(self.betas)}


def _check_group(pattern: str, settings: dict[str, Any]) -> None:
    if not isinstance(settings, dict):
        raise ValueError(
            f"groups must give each pattern a dictionary: got {settings!r} for {pattern!r}."
        )
    unknown = sorted(set(settings) - set(GROUP_SETTINGS))
    if unknown:
        raise ValueError(
            f"groups may set {', '.join(GROUP_SETTINGS)}: got {', '.join(unknown)} for {pattern!r}."
        )
    for name in ("learning_rate", "weight_decay"):
        if name in settings:
            check_numbers(**{name: settings[name]})
    if "optimizer" in settings:
        check_choice("optimizer", settings["optimizer"], OPTIMIZERS)
