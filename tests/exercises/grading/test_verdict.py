"""How a verdict reads, printed and on a page."""

from __future__ import annotations

import json

import pytest

from llmlab.exercises import Verdict

STATUSES = ("passed", "failed", "not attempted", "grader error")


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_a_card_and_a_line(status):
    verdict = Verdict("attention.softmax", status, "Because.")
    card = verdict._repr_html_()
    assert card.startswith(
        f'<div class="llmlab-verdict llmlab-verdict-{status.replace(" ", "-")}" role="status"'
    )
    assert status.capitalize() in card
    assert status in str(verdict)
    assert verdict.passed is (status == "passed")


def test_the_card_takes_the_pages_colours():
    card = Verdict("attention.softmax", "failed", "No.", hint="Try.", output="x")._repr_html_()
    assert "currentColor" in card
    assert "#" not in card
    assert "rgb" not in card


def test_what_the_learner_wrote_is_escaped():
    verdict = Verdict("a.b", "failed", "Line 1, `x < <script>`, stops.", output="<b>&</b>")
    card = verdict._repr_html_()
    assert "<script>" not in card
    assert "x &lt; &lt;script&gt;</code>" in card
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in card


def test_a_printed_verdict_shows_hint_and_output():
    text = str(Verdict("a.b", "failed", "No.", hint="Try this.", output="seen\n"))
    assert text == "✗ a.b: failed. No.\n  Hint: Try this.\n  Your code printed:\nseen"


def test_a_verdict_is_json():
    verdict = Verdict("a.b", "failed", "No.", test="shape", hint="Try.", line=3)
    assert json.loads(json.dumps(verdict.to_dict())) == {
        "exercise": "a.b", "status": "failed", "message": "No.", "test": "shape",
        "hint": "Try.", "line": 3, "output": "", "passed": False,
    }  # fmt: skip
