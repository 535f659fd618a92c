"""The first page names the chapters that exist, and marks the others as planned."""

from __future__ import annotations

import re
from pathlib import Path

BOOK = Path(__file__).parents[2] / "book"


def test_planned_chapters_are_those_that_do_not_exist() -> None:
    text = (BOOK / "index.md").read_text("utf-8")
    planned = re.search(r"These chapters are \*planned\*.*?\n\n", text, re.S)[0]
    there = {int(path.name[:2]) for path in BOOK.parent.glob("notebooks/[0-9]*.ipynb")}
    assert {int(number) for number in re.findall(r"(\d+) \w", planned)} == set(range(1, 23)) - there
    linked = {int(number) for number in re.findall(r"notebooks/(\d\d)_", text)}
    assert linked == there


def test_the_article_is_named_wherever_its_claims_are_introduced() -> None:
    for page in ("index.md", "how_to_use.md"):
        words = " ".join((BOOK / page).read_text("utf-8").split())
        assert "survey article on large language models, published on 22 December 2025" in words
