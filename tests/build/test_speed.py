"""What the page on speed shows is what the records hold."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from llmlab_site.speed import comparison, ladder

from llmlab.training import recorded_runs

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shown() -> str:
    return ladder(recorded_runs("ladder"))


def test_the_figure_is_one_line_of_html_with_words_for_it(shown):
    first, blank, *_ = shown.split("\n")
    assert first.startswith('<div class="llmlab-figure"><svg')
    assert first.endswith("</svg></div>")
    assert not blank
    label = re.search(r'aria-label="([^"]*)"', first)[1]
    lowest = re.search(r"\| everything \| (\S+) \|", shown)[1]
    assert f"The whole recipe reaches {lowest}" in label


def test_every_rung_is_named_in_figure_and_table(shown):
    for name in {run.name for run in recorded_runs("ladder")}:
        assert shown.count(name) >= 2


def test_the_comparison_says_on_what_it_was_measured():
    record = json.loads((ROOT / "records" / "benchmarks" / "cpu.json").read_text("utf-8"))
    shown = comparison(record)
    assert record["machine"]["cpu"] in shown
    assert f"torch {record['machine']['torch']}" in shown
    for row in record["rows"]:
        assert f"| {row['what']} |" in shown
        assert row["note"] in shown
