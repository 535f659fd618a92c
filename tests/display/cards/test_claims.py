from __future__ import annotations

import html
import json
import re
import time
from itertools import combinations
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
    settle("T-08", measured, "between 3.6 and 3.8", True, "Worst of 3 seeds.", how="three seeds")
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
    assert record["kind"] == "correct"
    assert record["sources"] == ["vaswani2017attention"]


def test_a_claim_that_does_not_hold_is_shown_and_then_raised(shown):
    with pytest.raises(AssertionError, match=r"T-04 .* measured slope = 1\.2; accepted"):
        settle("T-04", {"slope": 1.2}, "slope above 1.6", False, how="exact")
    assert "does not hold" in shown[0][0]


def test_what_is_measured_cannot_break_the_page(shown):
    settle("T-08", {"<b>": '"&<script>'}, "a < b", True, how="exact")
    assert "<script>" not in shown[0][0]
    assert _record(shown[0][0])["measured"] == {"<b>": '"&<script>'}


def test_incomplete_cards_are_refused(shown):
    with pytest.raises(ValueError, match=r"claims in cards/ledger/: got 'X-99'"):
        settle("X-99", {"a": 1}, "a", True, how="exact")
    with pytest.raises(ValueError, match="at least one number for claim T-08"):
        settle("T-08", {}, "a", True, how="exact")
    with pytest.raises(ValueError, match="state the bound for claim T-08"):
        settle("T-08", {"a": 1}, " ", True, how="exact")
    with pytest.raises(ValueError, match=r"how must begin with exact, .* for claim T-08: got ''"):
        settle("T-08", {"a": 1}, "a", True, how="")


def test_a_card_has_the_sign_and_colour_of_the_verdict_and_says_how_it_was_measured(shown):
    settle("T-04", {"slope": 2.0}, "work 2.00 ± 0.05: not constant", True, how="exact")
    markup = shown[0][0]
    assert 'data-kind="wrong"' in markup
    assert '<i aria-hidden="true">✗</i> Wrong as stated' in markup
    assert "✓" not in markup
    assert "<b>Our bound holds:</b> work 2.00 ± 0.05: not constant." in markup
    assert "<b>Measured:</b> exact." in markup
    assert _record(markup)["how"] == "exact"


@pytest.mark.parametrize("verdict", ["", "true", "partly correct"])
def test_a_verdict_of_no_kind_is_refused(verdict):
    with pytest.raises(ValueError, match="verdict must begin with one of correct, oversimplified"):
        claims.verdict_kind(verdict)


def test_kinds_are_told_apart_by_sign_and_in_every_colour_blindness():
    signs = {kind.sign for kind in claims.KINDS}
    assert len(signs) == len(claims.KINDS)
    for kind in claims.KINDS:
        luminance = _linear(kind.colour) @ [0.2126, 0.7152, 0.0722]
        assert 1.05 / (luminance + 0.05) >= 3, kind  # on white
        assert (luminance + 0.05) / (0.0065 + 0.05) >= 3, kind  # on #121212
    for sight in SIGHT.values():
        seen = [_lab(sight @ _linear(kind.colour)) for kind in claims.KINDS]
        assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) >= 15


# What is left of linear RGB without one kind of cone: Machado, Oliveira and Fernandes (2009).
SIGHT = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def _linear(colour: str) -> np.ndarray:
    value = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear sRGB, whose distances are about those that are seen."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    ratio = to_xyz @ np.clip(linear, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_claims_lie_in_their_section_and_cite_what_exists():
    known = set(re.findall(r"^@\w+\{([^,]+),", (ROOT / "book/references.bib").read_text(), re.M))
    sections = {path.stem: claims.ledger(path.stem) for path in claims.LEDGER.iterdir()}
    assert all(sections.values())
    for id_, claim in (item for section in sections.values() for item in section.items()):
        assert id_ in sections[id_.partition("-")[0]], id_
        assert claim["text"].endswith("."), id_
        assert claims.verdict_kind(claim["verdict"]), id_
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
