"""The index opens with the widget of a chapter, and with its words where there are no scripts."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from llmlab_site.opening import STATE, VIEW, opening_page
from llmlab_site.widget_state import LARGEST, externalise
from markdown_it import MarkdownIt

WEIGHTS = base64.b64encode(bytes(4 * LARGEST)).decode()
RECORD = {
    "model_module": "anywidget",
    "state": {
        "_esm": "export default {}; // </script>",
        "text": "ROMEO:\nO, ",
        "sample": "<she>\n\n\nJULIET & all",
        "facts": "9 parameters, trained for a day.",
        "title": "here",
        "view": "all",
    },
    "buffers": [{"data": WEIGHTS, "encoding": "base64", "path": ["weights"]}],
}


def executed(tmp_path: Path, output: dict | None, tag: str = "opening") -> dict[str, Path]:
    records = {"other": {"model_module": "anywidget", "state": {}}, "gpt": RECORD}
    state = {STATE: {"state": records, "version_major": 2, "version_minor": 0}}
    notebook = nbformat.v4.new_notebook(metadata={"widgets": state})
    outputs = [nbformat.v4.new_output("display_data", output)] if output else []
    cell = nbformat.v4.new_code_cell("show()", outputs=outputs, metadata={"tags": [tag]})
    notebook.cells = [nbformat.v4.new_code_cell("1"), cell]
    path = tmp_path / "base.ipynb"
    nbformat.write(notebook, path)
    return {"notebooks/01_a": path}


def shown(name: str) -> dict:
    return {VIEW: {"model_id": name, "version_major": 2}, "text/plain": "a widget"}


def page(tmp_path: Path) -> BeautifulSoup:
    """The index as Sphinx would write it: Markdown must leave the opening alone."""
    text = opening_page(executed(tmp_path, shown("gpt")))
    return BeautifulSoup(MarkdownIt().render(f"A line.\n\n{text}\nAnother."), "html.parser")


def test_the_widget_moves_with_its_state_alone(tmp_path: Path) -> None:
    figure = page(tmp_path).find("figure")
    assert json.loads(figure.find("script", type=VIEW).string)["model_id"] == "gpt"
    records = json.loads(figure.find("script", type=STATE).string)["state"]
    assert list(records) == ["gpt"]
    assert records["gpt"]["buffers"] == RECORD["buffers"]
    state = records["gpt"]["state"]
    assert state["view"] == "write"
    assert state["facts"] == ""  # the caption has them
    assert (state["text"], state["_esm"]) == (RECORD["state"]["text"], RECORD["state"]["_esm"])


def test_without_scripts_one_reads_what_was_written_and_what_it_cost(tmp_path: Path) -> None:
    found = page(tmp_path)
    assert found.pre.get_text() == "ROMEO:\nO, <she>\n\n\nJULIET & all"
    assert "9 parameters, trained for a day." in found.figcaption.get_text()
    assert found.figcaption.a["href"] == "../notebooks/01_a.html"
    assert found.find_all("p")[-1].get_text() == "Another."


def test_index_and_chapter_share_one_file_of_weights(tmp_path: Path) -> None:
    text = opening_page(executed(tmp_path, shown("gpt")))
    for name in ("index", "chapter"):
        (tmp_path / f"{name}.html").write_text(f"<html>{text}</html>")
    assert externalise(tmp_path) == 2
    assert len(list((tmp_path / "_static" / "widgets").glob("*.bin"))) == 1
    assert WEIGHTS not in (tmp_path / "index.html").read_text()


def test_a_book_without_an_opening_opens_with_nothing(tmp_path: Path) -> None:
    assert opening_page(executed(tmp_path, shown("gpt"), tag="definitions")).strip() == ""
    assert opening_page({}).strip() == ""


@pytest.mark.parametrize("output", [None, {"text/plain": "said"}, shown("lost")])
def test_an_opening_without_a_widget_stops_the_build(tmp_path: Path, output: dict | None) -> None:
    with pytest.raises(ValueError, match="'opening' in notebooks/01_a must show a widget"):
        opening_page(executed(tmp_path, output))
