"""What the build writes from executed notebooks: the ledger, and the slim widget state."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path

import nbformat
import pytest
from llmlab_site.catalogue import WIDGETS, catalogue
from llmlab_site.ledger import (
    chapter_title,
    collect_claims,
    ledger_page,
    sample_card,
    with_ledger_links,
)
from llmlab_site.widget_state import LARGEST, externalise

CLAIM = {
    "id": "T-08",
    "text": "Scores are *divided* by √K | always.",
    "verdict": "correct, but the mask is left out",
    "kind": "correct",
    "sources": ["vaswani2017attention"],
    "measured": {"entropy (nats)": "3.6"},
    "accept": "3.6 to 3.8",
    "holds": True,
    "note": "",
    "how": "three seeds",
}


def executed(tmp_path: Path, markup: str) -> dict[str, Path]:
    notebook = nbformat.v4.new_notebook()
    output = nbformat.v4.new_output("display_data", {"text/html": markup, "text/plain": "said"})
    cell = nbformat.v4.new_code_cell("settle()", outputs=[output])
    notebook.cells = [nbformat.v4.new_markdown_cell("Intro\n\n# A title\n"), cell]
    path = tmp_path / "base.ipynb"
    nbformat.write(notebook, path)
    return {"notebooks/01_a": path}


def card(claim: dict) -> str:
    data = html.escape(json.dumps(claim), quote=True)
    return f'<style>a{{}}</style><div class="llmlab-claim" id="claim-x" data-claim="{data}">x</div>'


def test_claims_are_collected_from_cards(tmp_path: Path) -> None:
    claims = collect_claims(executed(tmp_path, card(CLAIM)))
    assert claims == [{**CLAIM, "document": "notebooks/01_a"}]


def test_a_claim_that_does_not_hold_stops_the_build(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="T-08 does not hold in notebooks/01_a"):
        collect_claims(executed(tmp_path, card({**CLAIM, "holds": False})))


def test_an_unreadable_card_is_named(tmp_path: Path) -> None:
    broken = '<div class="llmlab-claim" data-claim="{oops">x</div>'
    with pytest.raises(ValueError, match="claim card in notebooks/01_a"):
        collect_claims(executed(tmp_path, broken))


def test_ledger_links_to_the_cell_and_escapes_marks(tmp_path: Path) -> None:
    claims = collect_claims(executed(tmp_path, card(CLAIM)))
    page = ledger_page(claims, {"notebooks/01_a": "A title"})
    assert "## A title" in page
    assert "../notebooks/01_a.html#claim-T-08" in page
    assert r"Scores are \*divided\* by √K \| always." in page
    assert "{cite:p}`vaswani2017attention`" in page
    assert 'id="claim-T-08" data-kind="correct"' in page
    assert '<i aria-hidden="true">✓</i> correct, but the mask is left out' in page
    assert "<dt>entropy (nats)</dt><dd>3.6</dd>" in page
    assert "<b>Measured:</b> three seeds." in page
    assert "1 claim. ✓ correct: 1, ≈ oversimplified: 0, ✗ wrong: 0," in page


def test_cards_lead_to_their_entries_once() -> None:
    head = '<div class="head"><b>T-08</b><i>✓</i></div>'
    linked = with_ledger_links(head)
    assert '<b><a href="../book/claims.html#claim-T-08">T-08</a></b>' in linked
    assert with_ledger_links(linked) == linked


def test_a_card_can_be_shown_on_another_page(tmp_path: Path) -> None:
    here = executed(tmp_path, card(CLAIM))
    assert sample_card(here, "x") == card(CLAIM) + "\n"
    assert sample_card(here, "T-09") == "\n"


def test_ledger_without_claims_says_so() -> None:
    assert "No chapter has settled a claim yet." in ledger_page([], {"notebooks/01_a": "A title"})


def test_chapter_title_is_the_first_heading(tmp_path: Path) -> None:
    (path,) = executed(tmp_path, "").values()
    assert chapter_title(path) == "A title"


def test_catalogue_lists_exercises_and_the_questions_of_quizzes(tmp_path: Path) -> None:
    executed_here = executed(tmp_path, "")
    titles = {"notebooks/01_a": "A title"}
    assert catalogue(executed_here, titles) == [], "a chapter with nothing to do is left out"
    (path,) = executed_here.values()
    notebook = nbformat.read(path, as_version=4)
    source = 'def softmax(x):\n    ...\n\ncheck("attention.softmax", softmax)'
    for tags in ([], ["exercise"]):
        notebook.cells.append(nbformat.v4.new_code_cell(source, metadata={"tags": tags}))
    quiz = {
        "_anywidget_id": "llmlab.display.widgets.quiz.quiz.Quiz",
        "name": "quiz-1",
        "questions": [{}, {}],
    }
    models = {"a": {"state": quiz}, "b": {"state": {"_anywidget_id": "other", "name": "x"}}}
    notebook.metadata["widgets"] = {WIDGETS: {"state": models}}
    nbformat.write(notebook, path)
    assert catalogue(executed_here, titles) == [
        {
            "document": "notebooks/01_a",
            "title": "A title",
            "exercises": ["attention.softmax"],
            "quizzes": [{"name": "quiz-1", "questions": 2}],
        }
    ]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    data = base64.b64encode(bytes(4 * LARGEST)).decode()
    state = {"_esm": "export default {}", "_css": "", "small": 1, "long": ["</script>"] * LARGEST}
    buffers = [{"data": data, "encoding": "base64", "path": ["values"]}]
    models = {name: {"state": dict(state), "buffers": buffers} for name in ("a", "b")}
    text = json.dumps({"state": models}).replace("</", "<\\/")
    script = f'<script type="application/vnd.jupyter.widget-state+json">{text}</script>'
    (tmp_path / "page.html").write_text(f"<html>{script}</html>")
    (tmp_path / "plain.html").write_text("<html></html>")
    return tmp_path


def page_state(site: Path) -> dict:
    text = (site / "page.html").read_text()
    return json.loads(text.split(">", 2)[2].split("</script>")[0])["state"]


def test_large_values_move_to_files_that_widgets_share(site: Path) -> None:
    assert externalise(site) == 1
    folder = site / "_static" / "widgets"
    assert sorted(path.suffix for path in folder.iterdir()) == [".bin", ".js", ".json"]
    one, other = page_state(site).values()
    assert one == other
    assert one["state"]["small"] == 1
    assert (folder / one["state"]["_esm"]["$file"]).read_text() == "export default {}"
    assert json.loads((folder / one["state"]["long"]["$file"]).read_text())[0] == "</script>"
    assert (folder / one["buffers"][0]["data"]["$file"]).read_bytes() == bytes(4 * LARGEST)


def test_a_second_pass_changes_nothing(site: Path) -> None:
    externalise(site)
    before = (site / "page.html").read_text()
    assert externalise(site) == 0
    assert (site / "page.html").read_text() == before


def test_files_nobody_needs_are_removed(site: Path) -> None:
    externalise(site)
    stale = site / "_static" / "widgets" / "0123.js"
    stale.write_text("old")
    externalise(site)
    assert not stale.exists()
