"""The ledger of claims: a page that the executed notebooks write."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from pathlib import Path

import nbformat

from llmlab.display.cards.claims import KINDS, VERDICTS

CARD = re.compile(
    r"""class=["'][^"']*\bllmlab-claim\b[^>]*?data-claim=(["'])(?P<json>.*?)\1""", re.S
)

ARTICLE = (
    "a survey article on large language models of 22 December 2025, revised on 15 January 2026"
)
INTRODUCTION = f"""# The ledger of claims

Each entry is a statement of one article, in our words: {ARTICLE}. Sign and colour give the verdict
on the article. Below stands what we measured, beside the bound that was written down beforehand,
and how it was measured: exactly, on one random seed, on three (then the number is that of the
worst), or in a stored record of a longer run.
"""
PAGE = "book/claims.html"


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
    """Return the Markdown of the ledger: a section for each chapter that settled a claim.

    ``static/ledger.js`` turns the summary at its head into filters.
    """
    lines = [INTRODUCTION]
    if claims:
        lines += [_summary(claims), f"<style>{VERDICTS}</style>\n"]
    for document, title in titles.items():
        settled = [claim for claim in claims if claim["document"] == document]
        if settled:
            lines += [f"## {title}\n", *map(_entry, settled)]
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


def with_ledger_links(page: str) -> str:
    """Return a chapter's page with the id of each card leading to its entry in the ledger."""
    link = rf'\1<a href="../{PAGE}#claim-\2">\2</a>\3'
    return re.sub(r'(<div class="head"><b>)([\w-]+)(</b>)', link, page)


def sample_card(executed: Mapping[str, Path], name: str) -> str:
    """Return the card of a claim as its chapter shows it; nothing if no chapter settled it."""
    outputs = (text for path in executed.values() for text in _html_outputs(path))
    return next((text for text in outputs if f'id="claim-{name}"' in text), "") + "\n"


def _summary(claims: list[dict]) -> str:
    """How many claims there are of each kind: what the filters of the page start from."""
    kinds = {kind: sum(claim["kind"] == kind.name for claim in claims) for kind in KINDS}
    counted = ", ".join(f"{kind.sign} {kind.name}: {count}" for kind, count in kinds.items())
    noun = "claim" if len(claims) == 1 else "claims"
    return f'<p class="llmlab-filters">{len(claims)} {noun}. {counted}.</p>\n'


def _entry(claim: dict) -> str:
    """A claim as HTML around one paragraph of Markdown: the verdict with its sources."""
    sign = next(kind.sign for kind in KINDS if kind.name == claim["kind"])
    sources = ",".join(claim.get("sources", []))
    cited = f" {{cite:p}}`{sources}`" if sources else ""
    name, document, kind = claim["id"], claim["document"], claim["kind"]
    rows = "".join(
        f"<dt>{html.escape(what)}</dt><dd>{html.escape(value)}</dd>"
        for what, value in claim["measured"].items()
    )
    how = f" <b>Measured:</b> {html.escape(claim['how'])}." if claim.get("how") else ""
    return f"""<div class="llmlab-entry" id="claim-{name}" data-kind="{kind}"><div>

**{name}** {_plain(claim["text"])}

<i aria-hidden="true">{sign}</i> {_plain(claim["verdict"])}{cited}

</div><div><dl>{rows}</dl>
<p><b>Bound:</b> {html.escape(claim["accept"])}.{how}
<a href="../{document}.html#claim-{name}">See {name} in its chapter</a></p></div></div>
"""


def _plain(text: str) -> str:
    """Escape what Markdown would read as a mark."""
    return re.sub(r"([\\`*_{}\[\]<>#|$~])", r"\\\1", " ".join(text.split()))
