"""The tables that the README and the book show, made from stored records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, median

from llmlab.training import Run

WHOLE = "everything"  # the rung that the others are compared with


def comparison_table(record: dict) -> str:
    """A record of ``compare.py`` as Markdown."""
    lines = ["| what | llmlab | peer | times as fast |", "|---|---|---|---|"]
    for row in record["rows"]:
        peer = f"{row['peer']} {_time(row['theirs'])}"
        lines.append(f"| {row['what']} | {_time(row['ours'])} | {peer} | {row['ratio']:.2f} |")
    return "\n".join(lines)


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


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


def ladder_table(found: Sequence[Rung]) -> str:
    """The rungs as Markdown, with what each loses against the whole recipe."""
    whole = mean(found[0].losses)
    lines = [
        "| change | loss (nats) | lost | ms a step | s in all |",
        "|---|---|---|---|---|",
    ]
    for rung in found:
        loss = mean(rung.losses)
        lost = "" if rung.name == WHOLE else f"{loss - whole:+.3f}".replace("-", "−")
        lines.append(
            f"| {rung.name} | {loss:.3f} | {lost} | {rung.milliseconds:.0f} | {rung.seconds:.0f} |"
        )
    return "\n".join(lines)
