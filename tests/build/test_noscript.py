"""A page without scripts says in a sentence what each widget shows."""

from __future__ import annotations

import json

from llmlab_site.noscript import with_sentences
from llmlab_site.widget_state import externalise

NEEDS = "An interactive figure, which needs JavaScript."


def page(**states: dict) -> str:
    views = "".join(
        '<p>before</p><script type="application/vnd.jupyter.widget-view+json">'
        + json.dumps({"version_major": 2, "model_id": name})
        + "</script>"
        for name in (*states, "unknown")
    )
    models = {name: {"model_module": "anywidget", "state": state} for name, state in states.items()}
    state = json.dumps({"state": models}).replace("</", "<\\/")
    script = f'<script type="application/vnd.jupyter.widget-state+json">{state}</script>'
    return f"<html>{views}{script}</html>"


def said(text: str) -> list[str]:
    parts = text.split('<noscript><p class="llmlab-noscript">')[1:]
    return [part.split("</p></noscript>")[0].removeprefix(NEEDS) for part in parts]


def test_each_widget_is_followed_by_its_own_words() -> None:
    text = with_sentences(
        page(
            a={"description": "A map of <T> & </script>.", "title": "not this"},
            b={"title": "Check yourself"},
            c={},
        )
    )
    assert said(text) == [
        " A map of &lt;T&gt; &amp; &lt;/script&gt;.",
        " Check yourself",
        " ",
    ]
    view, after = text.split("</script>", 1)
    assert '"model_id": "a"' in view
    assert after.startswith("\n<noscript>")


def test_a_quiz_is_readable_and_its_answers_are_folded() -> None:
    choices = [
        {"text": "`a < b`", "correct": True, "why": "*Less* & less."},
        {"text": "2 * 3 * 4", "correct": False, "why": "No."},
    ]
    typed = {"prompt": "How many?", "kind": "number", "choices": [{**choices[1], "text": "3"}]}
    questions = [{"prompt": "What is `x`?", "kind": "single", "choices": choices}, typed]
    text = with_sentences(page(a={"questions": questions, "description": "A quiz: 2 questions."}))
    after = text.split("<noscript>")[1].split("</noscript>")[0]
    assert after == (
        '<p class="llmlab-noscript">A quiz: 2 questions. Checking an answer needs JavaScript, '
        "reading it does not.</p><ol>"
        "<li><p>What is <code>x</code>?</p>"
        "<ul><li><code>a &lt; b</code></li><li>2 * 3 * 4</li></ul>"
        "<details><summary>The answer, and why</summary>"
        "<p><code>a &lt; b</code>: <b>Right.</b> <em>Less</em> &amp; less.</p>"
        "<p>2 * 3 * 4: <b>Wrong.</b> No.</p></details></li>"
        "<li><p>How many?</p><details><summary>The answer, and why</summary>"
        "<p>3: <b>Wrong.</b> No.</p></details></li></ol>"
    )


def test_a_second_pass_adds_nothing() -> None:
    once = with_sentences(page(a={"description": "Words."}))
    assert with_sentences(once) == once


def test_pages_without_widgets_stay_as_they_are() -> None:
    assert with_sentences("<html><p>text</p></html>") == "<html><p>text</p></html>"


def test_the_words_stay_when_the_state_is_slimmed(tmp_path) -> None:
    path = tmp_path / "page.html"
    path.write_text(with_sentences(page(a={"description": "Words.", "_esm": "export {}"})))
    externalise(tmp_path)
    slim = path.read_text()
    assert said(slim) == [" Words."]
    assert with_sentences(slim) == slim
