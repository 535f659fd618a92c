from __future__ import annotations

import html
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest

import llmlab
from llmlab.display import chapter_cost, gpu_cost, settle
from llmlab.display.cards import claims
from llmlab.training import recorded_figures

ROOT = Path(__file__).parents[3]


@pytest.fixture
def shown(monkeypatch):
    found = []
    monkeypatch.setattr(claims, "_display", lambda markup, text: found.append((markup, text)))
    return found


def _record(markup: str) -> dict:
    return json.loads(html.unescape(re.search(r'data-claim="([^"]*)"', markup)[1]))


def test_a_card_holds_claim_verdict_measured_and_bound(shown):
    measured = {"entropy (nats)": np.float32(3.6912), "heads": 4, "parameters": 123_456.0}
    settle("T-08", measured, "between 3.6 and 3.8", True, "Worst of 3 seeds.")
    markup, text = shown[0]
    assert 'id="claim-T-08"' in markup
    assert text == "T-08: holds"
    record = _record(markup)
    assert record["measured"] == {
        "entropy (nats)": "3.691",
        "heads": "4",
        "parameters": "123,456",
    }
    assert record["accept"] == "between 3.6 and 3.8"
    assert record["holds"] is True
    assert record["sources"] == ["vaswani2017attention"]


def test_a_claim_that_does_not_hold_is_shown_and_then_raised(shown):
    with pytest.raises(AssertionError, match=r"T-04 .* measured slope = 1\.2; accepted"):
        settle("T-04", {"slope": 1.2}, "slope above 1.6", False)
    assert "does not hold" in shown[0][0]


def test_what_is_measured_cannot_break_the_page(shown):
    settle("T-01", {"<b>": '"&<script>'}, "a < b", True)
    assert "<script>" not in shown[0][0]
    assert _record(shown[0][0])["measured"] == {"<b>": '"&<script>'}


def test_incomplete_cards_are_refused(shown):
    with pytest.raises(ValueError, match=r"claims in cards/ledger/: got 'X-99'"):
        settle("X-99", {"a": 1}, "a", True)
    with pytest.raises(ValueError, match="at least one number for claim T-01"):
        settle("T-01", {}, "a", True)
    with pytest.raises(ValueError, match="state the bound for claim T-01"):
        settle("T-01", {"a": 1}, " ", True)


def test_claims_lie_in_their_section_and_cite_what_exists():
    known = set(re.findall(r"^@\w+\{([^,]+),", (ROOT / "book/references.bib").read_text(), re.M))
    sections = {path.stem: claims.ledger(path.stem) for path in claims.LEDGER.iterdir()}
    assert all(sections.values())
    for id_, claim in (item for section in sections.values() for item in section.items()):
        assert id_ in sections[id_.partition("-")[0]], id_
        assert claim["text"].endswith("."), id_
        assert claim["verdict"].strip(), id_
        assert set(claim["sources"]) <= known, id_


def test_the_cost_of_a_chapter_is_time_memory_and_device(shown, monkeypatch):
    for seconds, clock in ((42, "42 s"), (150, r"2\.5 minutes")):
        monkeypatch.setattr(llmlab, "started", time.monotonic() - seconds)
        chapter_cost()
        assert re.fullmatch(
            rf"This notebook took {clock} and \d+\.\d GB of memory at its peak, on .+\.",
            shown[-1][1],
        )


def test_what_a_gpu_does_is_told_or_how_to_measure_it(shown, monkeypatch):
    gpu_cost()
    if not recorded_figures("gpu"):
        assert "python benchmarks/gpu.py --minutes 8 measures one" in shown[-1][1]
    figures = {
        "preset": "h100",
        "parameters": 25_300_000,
        "steps": 1000,
        "seconds": 61.4,
        "validation bits a character": 1.987,
    }
    record = {"preset": {"machine": {"device": "a card"}, "figures": figures}}
    monkeypatch.setattr(claims, "recorded_figures", lambda folder: record)
    gpu_cost()
    assert shown[-1][1] == (
        "On a card the preset h100, a GPT of 25 million weights on the same plays, trains 1,000 "
        "steps in 61 s, to 1.99 bits a character on held-out text."
    )


@pytest.mark.parametrize(
    ("threads", "cores", "beside", "said"),
    [
        (2, 2, False, "on 2 CPU cores."),
        (1, 1, False, "on 1 CPU core."),
        (1, 2, False, "on 1 of 2 CPU cores."),
        (1, 2, True, "on 1 of 2 CPU cores, beside another chapter."),
    ],
)
def test_the_cost_of_a_chapter_says_on_what_it_ran(
    shown, monkeypatch, threads, cores, beside, said
):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.get_num_threads", lambda: threads)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)), raising=False)
    monkeypatch.delenv("LLMLAB_BESIDE", raising=False)
    if beside:
        monkeypatch.setenv("LLMLAB_BESIDE", "1")
    chapter_cost()
    assert shown[-1][1].endswith(said)
