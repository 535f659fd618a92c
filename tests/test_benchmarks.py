"""The comparisons with peers: the arithmetic of a row, and how it is shown."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def compare():
    spec = importlib.util.spec_from_file_location("compare", ROOT / "benchmarks" / "compare.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def test_a_row_by_hand(compare):
    row = {"what": "walk", "peer": "a peer", "ours": 2.0, "theirs": 5.0, "ratio": 2.4987}
    assert compare.table({"rows": [row]}).splitlines()[-1] == "| walk | 2 s | a peer 5 s | 2.50 |"


def test_in_turns_takes_medians_and_the_median_of_the_ratios(compare, monkeypatch):
    times = iter([8.0, 2.0, 6.0, 3.0, 10.0, 1.0])  # theirs, ours, theirs, ours, ...
    monkeypatch.setattr(compare, "seconds", lambda work: next(times))
    assert compare.in_turns(lambda: None, lambda: None, 3) == (2.0, 8.0, 4.0)
