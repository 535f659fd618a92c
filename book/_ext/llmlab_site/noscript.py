"""Words for every widget, where no script runs.

A widget is a script element with the id of its model: a page without scripts shows nothing there.
After each one goes a ``<noscript>`` with what the widget says of itself: its ``description``, or
else its ``title``. A quiz can be read without
scripts: its questions follow, with the answers folded away.
"""

from __future__ import annotations

import html
import json
import re

from .widget_state import STATE

VIEW = re.compile(
    r'<script type="application/vnd\.jupyter\.widget-view\+json">([^<]*)</script>(?!\s*<noscript>)',
)
MARKS = re.compile(r"`([^`]+)`|\*([^*\s][^*]*)\*")


def with_sentences(page: str) -> str:
    """Return the page with words after each widget that has none yet."""
    found = STATE.search(page)
    if found is None:
        return page
    models = json.loads(found[2])["state"]

    def add(view: re.Match[str]) -> str:
        model = models.get(json.loads(view[1])["model_id"])
        return view[0] if model is None else view[0] + _noscript(model.get("state", {}))

    return VIEW.sub(add, page)


def _noscript(state: dict) -> str:
    words = html.escape(state.get("description") or state.get("title") or "")
    questions = state.get("questions", [])
    if not questions:
        content = _paragraph(f"An interactive figure, which needs JavaScript. {words}")
    else:
        content = _paragraph(f"{words} Checking an answer needs JavaScript, reading it does not.")
        content += f"<ol>{''.join(map(_question, questions))}</ol>"
    return f"\n<noscript>{content}</noscript>"


def _paragraph(words: str) -> str:
    return f'<p class="llmlab-noscript">{words}</p>'


def _question(question: dict) -> str:
    choices = [] if question["kind"] == "number" else question["choices"]
    listed = "".join(f"<li>{_rich(choice['text'])}</li>" for choice in choices)
    return (
        f"<li><p>{_rich(question['prompt'])}</p>"
        + (f"<ul>{listed}</ul>" if listed else "")
        + "<details><summary>The answer, and why</summary>"
        + "".join(map(_answer, question["choices"]))
        + "</details></li>"
    )


def _answer(choice: dict) -> str:
    verdict = "Right" if choice["correct"] else "Wrong"
    return f"<p>{_rich(choice['text'])}: <b>{verdict}.</b> {_rich(choice['why'])}</p>"


def _rich(text: str) -> str:
    """Return text with `code` and *emphasis* as HTML, the way quiz.js reads them."""
    return MARKS.sub(_mark, html.escape(text, quote=False))


def _mark(found: re.Match[str]) -> str:
    code, emphasis = found.groups()
    return f"<code>{code}</code>" if code else f"<em>{emphasis}</em>"
