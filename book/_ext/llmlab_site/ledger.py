"""The ledger of claims: a page that the executed notebooks write."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from pathlib import Path

import nbformat

CARD = re.compile(
    r"""class=["'][^"']*\bllmlab-claim\b[^>]*?data-claim=(["'])(?P<json>.*?)\1""", re.S
)

INTRODUCTION = """# The ledger of claims

Each row is a statement about language models that a widely read survey makes and that a chapter of
this book examined. *Verdict* is what became of it; *measured* stands beside the bound that was
written down beforehand, for the worst of three random seeds. Follow the chapter to the cell that
produced the number.
"""


def collect_claims(executed: Mapping[str, Path]) -> list[dict]:
    """Return the claims that the executed notebooks settled, each with its ``document``.

    Args:
        executed: document name and executed file of each notebook, in the order of the book.

    Raises:
        ValueError: a claim card holds no readable JSON, or a measurement does not hold.
    """
    claims = []
    for document, path in executed.items():
        for text in _html_outputs(path):
            for match in CARD.finditer(text):
                claims.append(_parse(match["json"], document))
    return claims


def ledger_page(claims: list[dict], titles: Mapping[str, str]) -> str:
    """Return the Markdown of the ledger: a table for each chapter that settled a claim."""
    lines = [INTRODUCTION]
    for document, title in titles.items():
        settled = [claim for claim in claims if claim["document"] == document]
        if settled:
            lines += [f"## {title}\n", _table(settled)]
    if not claims:
        lines.append("No chapter has settled a claim yet.\n")
    return "\n".join(lines)


def chapter_title(notebook: Path) -> str:
    """Return the first heading of a notebook, without its Markdown mark."""
    for cell in nbformat.read(notebook, as_version=4).cells:
        found = re.search(r"^# +(.+)$", cell.source, re.M) if cell.cell_type == "markdown" else None
        if found:
            return found[1].strip()
    return notebook.stem


def _html_outputs(path: Path) -> list[str]:
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]


def _parse(attribute: str, document: str) -> dict:
    try:
        claim = json.loads(html.unescape(attribute))
    except json.JSONDecodeError as error:
        raise ValueError(f"A claim card in {document} holds no readable JSON: {error}.") from error
    if not claim.get("holds"):
        raise ValueError(f"Claim {claim.get('id')} does not hold in {document}.")
    return {**claim, "document": document}


def _table(claims: list[dict]) -> str:
    head = "* - Claim\n  - Verdict\n  - Measured\n  - Cell"
    rows = "\n".join(_row(claim) for claim in claims)
    return f":::{{list-table}}\n:header-rows: 1\n:class: llmlab-ledger\n\n{head}\n{rows}\n:::\n"


def _row(claim: dict) -> str:
    sources = ",".join(claim.get("sources", []))
    cited = f" {{cite:p}}`{sources}`" if sources else ""
    name = claim["id"]
    address = f"../{claim['document']}.html#claim-{name}"
    measured = "<br>".join(f"{_plain(what)}: {value}" for what, value in claim["measured"].items())
    return "\n".join(
        [
            f"* - **{name}** {_plain(claim['text'])}",
            f"  - {_plain(claim['verdict'])}{cited}",
            f"  - {measured} <small>Bound: {_plain(claim['accept'])}</small>",
            f'  - <a href="{address}">see {name} measured</a>',
        ]
    )


def _plain(text: str) -> str:
    """Escape what Markdown would read as a mark."""
    return re.sub(r"([\\`*_{}\[\]<>#|$~])", r"\\\1", " ".join(text.split()))
