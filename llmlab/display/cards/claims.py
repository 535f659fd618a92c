"""Claim cards: what the article says, what we measured, and the bound that decides."""

from __future__ import annotations

import html
import json
import sys
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import llmlab
from llmlab.analysis import peak_memory
from llmlab.training import recorded_figures

__all__ = ["chapter_cost", "gpu_cost", "settle"]

WAYS = ("exact", "one seed", "three seeds", "record")  # how something was measured
LEDGER = Path(__file__).with_name("ledger")


class Kind(NamedTuple):
    """How a kind of verdict looks: never by its colour alone."""

    name: str  # the words with which the verdicts of this kind begin
    sign: str
    colour: str  # at least 3:1 on white and in the dark, told apart in every colour blindness


KINDS = (
    Kind("correct", "✓", "#1f78b4"),
    Kind("oversimplified", "≈", "#b58900"),
    Kind("wrong", "✗", "#c8372d"),
    Kind("a value judgement", "◇", "#7a7f87"),
)
VERDICTS = "".join(f'[data-kind="{kind.name}"]{{--verdict:{kind.colour}}}' for kind in KINDS)

SHEET = """
.llmlab-claim{border:1px solid rgba(128,128,128,.35);border-left:4px solid var(--verdict);
border-radius:6px;padding:.7rem 1rem .75rem;margin:.8rem 0;max-width:46rem;line-height:1.5}
.llmlab-claim p{margin:.15rem 0 .5rem}.llmlab-claim .head{font-size:.9em}
.llmlab-claim .head b{margin-right:.6em}.llmlab-claim .head i{font-style:normal;font-weight:700;
color:var(--verdict)}.llmlab-claim dl{display:grid;
grid-template-columns:minmax(0,max-content) minmax(0,1fr);
gap:.1rem 1.1rem;margin:0;font-variant-numeric:tabular-nums}
.llmlab-claim dt,.llmlab-claim dd{float:none;width:auto;margin:0;font-weight:inherit}
.llmlab-claim dd{font-weight:600}.llmlab-claim .end{border-top:1px solid rgba(128,128,128,.3);
padding-top:.4rem;margin:.5rem 0 0}
@media(max-width:480px){.llmlab-claim dl{grid-template-columns:1fr}
.llmlab-claim dd{margin-bottom:.3rem}}
@media print{.llmlab-claim{break-inside:avoid}}
"""


def verdict_kind(verdict: str) -> Kind:
    """The kind of a verdict such as "wrong as stated". Raises ValueError if it is of none."""
    for kind in KINDS:
        if verdict.startswith(kind.name):
            return kind
    names = ", ".join(kind.name for kind in KINDS)
    raise ValueError(f"verdict must begin with one of {names}: got {verdict!r}.")


@cache
def ledger(section: str) -> dict[str, dict]:
    """The claims of a section, such as "T": id to ``{"text", "verdict", "sources"}``.

    A section has a file of its own, so that a new claim lets no chapter run again that settles
    none of its section. It is empty where there is no such file.
    """
    path = LEDGER / f"{section}.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def settle(
    id: str,
    measured: Mapping[str, float | int | str],
    accept: str,
    holds: bool,
    note: str = "",
    *,
    how: str,
) -> None:
    """Show the card of claim ``id`` and raise AssertionError unless ``holds``.

    The colour and the sign of the card are those of the verdict on the article; that our own bound
    holds is said on a line of its own.

    ``measured`` maps what was measured, with its unit, to its value for the worst seed; ``accept``
    says in words the bound that decides; ``holds`` is the comparison of the two, made by the
    caller; ``note`` is a closing remark; ``how`` says how it was measured, and begins with
    "exact", "one seed", "three seeds" or "record" ("record of 2026-08-01, three seeds"). The card
    carries its data, from which the ledger of the book is made.
    """
    claim = ledger(str(id).partition("-")[0]).get(id)
    if claim is None:
        raise ValueError(f"id must be one of the claims in cards/ledger/: got {id!r}.")
    if not measured:
        raise ValueError(f"measured must hold at least one number for claim {id}: got none.")
    if not accept.strip():
        raise ValueError(f"accept must state the bound for claim {id} in words: got nothing.")
    if not how.startswith(WAYS):
        raise ValueError(f"how must begin with {', '.join(WAYS)} for claim {id}: got {how!r}.")
    values = {what: _number(value) for what, value in measured.items()}
    record = {
        "id": id,
        "text": claim["text"],
        "verdict": claim["verdict"],
        "kind": verdict_kind(claim["verdict"]).name,
        "sources": claim["sources"],
        "measured": values,
        "accept": accept,
        "holds": bool(holds),
        "note": note,
        "how": how,
    }
    _display(_card(record), f"{id}: {'holds' if holds else 'does not hold'}")
    if not holds:
        got = ", ".join(f"{what} = {value}" for what, value in values.items())
        raise AssertionError(f"{id} does not hold: measured {got}; accepted is {accept}.")


def chapter_cost() -> None:
    """Show what the chapter took so far: seconds since the first import, memory, and device.

    On a CPU it says on how many of the cores, and whether another chapter ran beside this one,
    which the build of the site tells in the environment (``LLMLAB_BESIDE``).
    """
    seconds = time.monotonic() - llmlab.started
    clock = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} minutes"
    memory = f"{peak_memory() / 2**30:.1f} GB of memory at its peak"
    text = f"This notebook took {clock} and {memory}, on {_device()}."
    _remark(text)


def gpu_cost() -> None:
    """Show what a GPU makes of the preset ``h100``, or the command that measures it."""
    measured = recorded_figures("gpu").get("preset")
    if measured is None:
        text = (
            "Nothing here was measured on a GPU yet: python benchmarks/gpu.py --minutes 8 measures "
            "one, and the next build of the book shows it here."
        )
    else:
        figures = measured["figures"]
        text = (
            f"On {measured['machine']['device']} the preset {figures['preset']}, a GPT of "
            f"{figures['parameters'] / 1e6:.0f} million weights on the same plays, trains "
            f"{figures['steps']:,} steps in {figures['seconds']:.0f} s, to "
            f"{figures['validation bits a character']:.2f} bits a character on held-out text."
        )
    _remark(text)


def _remark(text: str) -> None:
    style = "font-size:.9em;opacity:.85"
    _display(f'<p class="llmlab-cost" style="{style}">{html.escape(text)}</p>', text)


def _card(record: dict) -> str:
    quoted = html.escape(json.dumps(record, ensure_ascii=False), quote=True)
    rows = "".join(
        f"<dt>{html.escape(what)}</dt><dd>{html.escape(value)}</dd>"
        for what, value in record["measured"].items()
    )
    kind = verdict_kind(record["verdict"])
    verdict = record["verdict"][0].upper() + record["verdict"][1:]
    word = "holds" if record["holds"] else "does not hold"
    how = f"<br><b>Measured:</b> {html.escape(record['how'])}."
    note = f"<br>{html.escape(record['note'])}" if record["note"] else ""
    return (
        f"<style>{VERDICTS}{SHEET}</style>"
        f'<div class="llmlab-claim" id="claim-{record["id"]}" role="group"'
        f' aria-label="Claim {record["id"]}" data-kind="{kind.name}" data-claim="{quoted}">'
        f'<div class="head"><b>{record["id"]}</b>'
        f'<i aria-hidden="true">{kind.sign}</i> {html.escape(verdict)}</div>'
        f"<p>The article: {html.escape(record['text'])}</p><dl>{rows}</dl>"
        f'<p class="end"><b>Our bound {word}:</b> {html.escape(record["accept"])}.{how}{note}</p>'
        "</div>"
    )


def _number(value: float | int | str) -> str:
    """A value as the card prints it: four significant digits, thousands kept whole."""
    if isinstance(value, str):
        return value
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _display(markup: str, text: str) -> None:
    from IPython.display import display

    display({"text/html": markup, "text/plain": text}, raw=True)


def _device() -> str:
    import os

    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        used = torch.cuda.max_memory_allocated() / 2**30
        return f"{torch.cuda.get_device_name()} ({used:.1f} GB of its memory used)"
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    used = min(torch.get_num_threads(), allowed) if torch is not None else allowed
    share = "" if used == allowed else f"{used} of "
    company = ", beside another chapter" if "LLMLAB_BESIDE" in os.environ else ""
    return f"{share}{allowed} CPU {'core' if allowed == 1 else 'cores'}{company}"
