"""Stored records as tables in Markdown, for README and the page on speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

from llmlab.analysis.ladder import WHOLE, Rung


def comparison_table(record: dict) -> str:
    """A record of ``compare.py`` as Markdown."""
    lines = ["| what | llmlab | peer | times as fast |", "|---|---|---|---|"]
    for row in record["rows"]:
        peer = f"{row['peer']} {_time(row['theirs'])}"
        lines.append(f"| {row['what']} | {_time(row['ours'])} | {peer} | {row['ratio']:.2f} |")
    return "\n".join(lines)


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


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


def throughput_table(figures: Mapping) -> str:
    """What ``benchmarks/gpu.py`` stored of its part ``throughput``, as Markdown."""
    lines = [
        "| model | tokens a second | of the card's rate | compiled | of the card's rate |",
        "|---|---|---|---|---|",
    ]
    for name, eager in figures["eager"].items():
        compiled = figures.get("compiled", {}).get(name)
        cells = [*_rate(eager), *(_rate(compiled) if compiled else ("", ""))]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _rate(measured: Mapping) -> tuple[str, str]:
    return f"{measured['tokens a second']:,.0f}", f"{measured['utilisation']:.0%}"


def precision_table(figures: Mapping) -> str:
    """What ``benchmarks/gpu.py`` stored of its part ``precision``, as Markdown."""
    lines = ["| format | loss (nats) | ms a step | peak memory (GB) |", "|---|---|---|---|"]
    for name in (name for name in ("fp32", "bf16", "fp16") if name in figures):
        row = figures[name]
        lines.append(
            f"| {name} | {row['loss']:.3f} | {row['milliseconds a step']:.1f} "
            f"| {row['peak bytes'] / 1e9:.2f} |"
        )
    return "\n".join(lines)
