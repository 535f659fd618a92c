"""What the page on speed shows of stored records: tables, and the figure of the ladder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

from llmlab.analysis.ladder import Rung, rungs
from llmlab.display import PALETTE, figure_svg, new_figure
from llmlab.display.cards.tables import (
    comparison_table,
    ladder_table,
    precision_table,
    throughput_table,
)
from llmlab.training import Run


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


def gpu(records: Mapping[str, dict]) -> str:
    """What ``benchmarks/gpu.py`` stored, as Markdown; without records, that there are none."""
    if not records:
        return "Nothing on this page was measured on a GPU yet. One command does it:\n"
    tells = {
        "throughput": _throughput,
        "precision": _precision,
        "agreement": _agreement,
        "preset": _preset,
    }
    texts = [tells[name](records[name]["figures"]) for name in tells if name in records]
    machines = {_machine(record["machine"]) for record in records.values()}
    measured = f"Measured on {' and '.join(sorted(machines))}, by one command:"
    return "\n\n".join([*texts, measured]) + "\n"


def _machine(machine: dict[str, str]) -> str:
    versions = (f"{name} {number}" for name, number in machine.items() if name != "device")
    return f"{machine['device']} ({', '.join(versions)})"


def _throughput(figures: dict) -> str:
    model, gigabytes = figures["model"], figures["peak bytes"] / 1e9
    predicted = figures["predicted bytes, activations in bfloat16"] / 1e9
    return (
        f"Training steps of {figures['batch']} × {model['context']} tokens at the size of GPT-2 "
        "small, every model in turn on the same batch:\n\n"
        f"{throughput_table(figures)}\n\n"
        "The card's rate is that of one large product of matrices, "
        f"{figures['operations a second'] / 1e12:.0f} trillion operations a second. Uncompiled, "
        f"`llmlab` takes {gigabytes:.1f} GB of memory at its peak; our formula says "
        f"{predicted:.1f} GB."
    )


def _precision(figures: dict) -> str:
    return (
        f"The same {figures['steps']} steps of one small model in each number format, with the "
        f"mean loss of the last ten:\n\n{precision_table(figures)}"
    )


def _agreement(figures: dict) -> str:
    return (
        "In float32 the card computes what the CPU computes: logits differ by at most "
        f"{figures['difference of logit']:.1g} (the largest is {figures['largest logit']:.2g}), "
        f"gradients by {figures['difference of gradient']:.1g} (the largest is "
        f"{figures['largest gradient']:.2g}), and the losses of {figures['steps']} steps by "
        f"{figures['difference of loss']:.1g} nats."
    )


def _preset(figures: dict) -> str:
    part = figures["steps"] < figures["steps of the preset"]
    fewer = f", of {figures['steps of the preset']:,} in the preset" if part else ""
    sizes = {name: figures[name] / 1e6 for name in ("parameters", "tokens")}
    return (
        f"The preset `{figures['preset']}` trains {sizes['parameters']:.0f} million weights for "
        f"{figures['steps']:,} steps{fewer}: {sizes['tokens']:.0f} million tokens in "
        f"{figures['seconds']:.0f} seconds, to {figures['validation loss']:.3f} nats a token or "
        f"{figures['validation bits a character']:.3f} bits a character on all of the held-out "
        f"text, with {figures['peak bytes'] / 1e9:.1f} GB of memory at its peak."
    )


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
