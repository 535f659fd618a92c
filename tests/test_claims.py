"""What the executed notebooks settled: known, holding, and listed in the book's ledger."""

from __future__ import annotations

from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from llmlab_site import EXECUTED
from llmlab_site.ledger import collect_claims

from llmlab.display.cards.claims import LEDGER, ledger

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"


@pytest.fixture(scope="module")
def claims() -> list[dict]:
    if not (BUILD / "html" / "index.html").is_file():
        pytest.fail("There is no site to check: run make book first.", pytrace=False)
    executed = sorted((BUILD / EXECUTED).glob("notebooks/*.ipynb"))
    executed = {f"notebooks/{path.stem}": path for path in executed}
    return collect_claims(executed)  # raises if a claim does not hold


def test_every_chapter_settles_claims(claims: list[dict]) -> None:
    chapters = {f"notebooks/{path.stem}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {claim["document"] for claim in claims} == chapters


def test_claims_say_what_decides(claims: list[dict]) -> None:
    for claim in claims:
        assert claim["holds"] is True
        assert claim["measured"]
        assert claim["accept"]


def test_every_known_claim_is_settled(claims: list[dict]) -> None:
    known = {name for path in LEDGER.iterdir() for name in ledger(path.stem)}
    assert known == {claim["id"] for claim in claims}


def test_ledger_lists_every_settled_claim(claims: list[dict]) -> None:
    page = (BUILD / "html" / "book" / "claims.html").read_text("utf-8")
    entries = BeautifulSoup(page, "html.parser").select(".llmlab-entry")
    assert [entry["id"] for entry in entries] == [f"claim-{claim['id']}" for claim in claims]
