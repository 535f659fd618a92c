"""The opening of the index: a model that a chapter trained, ready to write in the page.

The widget of the cell tagged ``opening`` moves to the index with all of its state, as the executed
notebook holds it. Around it stands what the model wrote when the chapter ran, for readers without
scripts; the widget's style hides it once it can show the same.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path

import nbformat

TAG = "opening"
VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
FORM = {
    "view": "write",
    "title": "Begin a text, and the model goes on",
    "facts": "",
    "description": "A GPT that goes on with the text you begin: see what it wrote in the chapter.",
}


def opening_page(executed: Mapping[str, Path]) -> str:
    """Return the widget of the first cell tagged ``opening``, in its form that writes.

    Raises:
        ValueError: the cell shows no widget.
    """
    for document, path in executed.items():
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if TAG in cell.metadata.get("tags", []):
                return _figure(document, *_widget(notebook, cell, document))
    return "\n"


def _widget(
    notebook: nbformat.NotebookNode, cell: nbformat.NotebookNode, document: str
) -> tuple[str, dict]:
    """Return the id of the cell's widget, and its record."""
    records = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    for output in cell.get("outputs", []):
        name = output.get("data", {}).get(VIEW, {}).get("model_id")
        if name in records:
            return name, records[name]
    raise ValueError(f"The cell tagged {TAG!r} in {document} must show a widget: it shows none.")


def _figure(document: str, name: str, record: dict) -> str:
    state = record["state"]
    written = html.escape(state["text"] + state["sample"]).replace("\n", "&#10;")
    page = {"version_major": 2, "version_minor": 0}
    page["state"] = {name: {**record, "state": {**state, **FORM}}}
    # one line: in Markdown a blank line would end the HTML
    return (
        f'<figure class="llmlab-opening"><pre tabindex="0">{written}</pre>'
        + _script(VIEW, {"model_id": name, "version_major": 2, "version_minor": 0})
        + _script(STATE, page)
        + f'<figcaption>This is the model that <a href="../{document}.html">this chapter</a> '
        f"trained when the site was built: {html.escape(state['facts'])} It has read nothing but "
        "plays.</figcaption></figure>\n"
    )


def _script(kind: str, content: dict) -> str:
    text = json.dumps(content).replace("</", "<\\/")
    return f'<script type="{kind}">{text}</script>'
