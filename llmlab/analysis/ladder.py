"""What the ladder of the fast preset measured: one rung a variant, from the runs of its seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, median

from llmlab.training import Run

WHOLE = "everything"  # the rung that the others are compared with


@dataclass(frozen=True)
class Rung:
    """What the seeds of one rung of the ladder gave.

    ``losses`` are in nats per character over the full validation split, ``milliseconds`` the median
    of a step, and ``seconds`` the median of a whole training, compilation included.
    """

    name: str
    losses: tuple[float, ...]
    milliseconds: float
    seconds: float

    @classmethod
    def of(cls, name: str, runs: Sequence[Run]) -> Rung:
        """Read the runs that share a name."""
        return cls(
            name,
            tuple(run.final("validation_loss") for run in runs),
            median(milliseconds_per_step(run) for run in runs),
            median(run.final("wall_seconds") for run in runs),
        )


def milliseconds_per_step(run: Run) -> float:
    """The median over the recorded intervals; what comes before the first of them, such as a
    compilation, does not count."""
    points = zip(*run.column("seconds"), strict=True)
    return median(
        1e3 * (until - since) / (last - first) for (first, since), (last, until) in pairwise(points)
    )


def rungs(runs: Iterable[Run]) -> list[Rung]:
    """The rungs of the ladder: the whole recipe first, then the others from the worst loss down."""
    named: dict[str, list[Run]] = {}
    for run in runs:
        named.setdefault(run.name, []).append(run)
    found = [Rung.of(name, seeds) for name, seeds in named.items()]
    return sorted(found, key=lambda rung: (rung.name != WHOLE, -mean(rung.losses)))
