"""A sentence for every widget, where no script runs.

A widget is a script element with the id of its model: a page without scripts shows nothing there.
After each one goes a ``<noscript>`` with what the widget says of itself: its ``description``, or
else its ``title``.
"""

from __future__ import annotations

import html
import json
import re

from .widget_state import STATE

VIEW = re.compile(
    r'<script type="application/vnd\.jupyter\.widget-view\+json">([^<]*)</script>(?!\s*<noscript>)',
)


def with_sentences(page: str) -> str:
    """Return the page with a sentence after each widget that has none yet."""
    found = STATE.search(page)
    if found is None:
        return page
    models = json.loads(found[2])["state"]

    def add(view: re.Match[str]) -> str:
        model = models.get(json.loads(view[1])["model_id"])
        return view[0] if model is None else view[0] + _sentence(model.get("state", {}))

    return VIEW.sub(add, page)


def _sentence(state: dict) -> str:
    words = html.escape(state.get("description") or state.get("title") or "")
    needs = "An interactive figure, which needs JavaScript."
    return f'\n<noscript><p class="llmlab-noscript">{needs} {words}</p></noscript>'
