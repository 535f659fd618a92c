"""What the page on speed shows of stored records: the two tables, and the figure of the ladder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from llmlab.display.figures import PALETTE
from llmlab.display.style import figure_svg, new_figure
from llmlab.training import Run

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))

from report import Rung, comparison_table, ladder_table, rungs


def comparison(record: dict) -> str:
    """The comparison with peers as Markdown: the table, what to know of its rows, the machine."""
    notes = [f"- {row['what']}: {row['note']}" for row in record["rows"] if row["note"]]
    machine = dict(record["machine"])
    cpu = machine.pop("cpu")
    versions = ", ".join(f"{name} {number}" for name, number in machine.items())
    return "\n".join(
        [comparison_table(record), "", *notes, "", f"Measured on {cpu}, with {versions}.", ""]
    )


def ladder(runs: Sequence[Run]) -> str:
    """The ladder as Markdown: the figure, on one line as a blank one would end it; the table."""
    found = rungs(runs)
    drawing = " ".join(_figure(found).split("\n"))
    seeds = found[0].losses
    setting = (
        f"Losses in nats per character, the mean over {len(seeds)} seeds; those of the whole "
        f"recipe lie between {min(seeds):.3f} and {max(seeds):.3f}. "
        f"Measured on {runs[0].device}, with PyTorch {runs[0].torch.partition('+')[0]}."
    )
    return f'<div class="llmlab-figure">{drawing}</div>\n\n{ladder_table(found)}\n\n{setting}\n'


def _figure(found: Sequence[Rung]) -> str:
    figure, (losses, times) = new_figure(
        "column", 1.0 + 0.27 * len(found), columns=2, sharey=True, width_ratios=(3, 2)
    )
    for row, rung in enumerate(found):
        losses.plot(rung.losses, [row] * len(rung.losses), "o", color=PALETTE["blue"], alpha=0.75)
        times.barh(row, rung.seconds, height=0.6, color=PALETTE["blue"])
    losses.axvline(mean(found[0].losses), color=PALETTE["vermilion"], linestyle="--", linewidth=1.2)
    losses.set_yticks(range(len(found)), [rung.name for rung in found])
    losses.invert_yaxis()
    losses.set_xlabel("loss (nats)")
    times.set_xlabel("time (s)")
    return figure_svg(figure, _in_words(found))


def _in_words(found: Sequence[Rung]) -> str:
    worst = found[1]
    return (
        f"The loss and the time of {len(found)} variants of the recipe. The whole recipe reaches "
        f"{mean(found[0].losses):.3f} in {found[0].seconds:.0f} seconds; the highest loss, "
        f"{mean(worst.losses):.3f}, is that of “{worst.name}”. The table below has the means."
    )
