"""A listing is the text of the file."""

from __future__ import annotations

from pathlib import Path

import pytest

import llmlab.models.blocks
from llmlab.display import show_source
from llmlab.models import Block


def test_a_listing_is_the_file_word_for_word(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    show_source(Block)
    [data] = shown
    file = Path(llmlab.models.blocks.__file__).read_text("utf-8")
    assert data["text/plain"].startswith("class Block(nn.Module):\n")
    assert data["text/plain"] + "\n\n\nclass PostNormBlock" in file
    assert data["text/markdown"] == f"```python\n{data['text/plain']}\n```"


def test_what_has_no_source_is_refused():
    with pytest.raises(TypeError):
        show_source(len)
