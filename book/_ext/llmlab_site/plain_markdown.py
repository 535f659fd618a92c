"""MyST as plain Markdown, for readers that know no MyST: citations, links and admonitions.

What it does not know it names in an error, so that nothing is published half translated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pybtex.database import Entry, parse_file
from pybtex.richtext import Text

ADMONITIONS = ("caution", "danger", "hint", "important", "note", "seealso", "tip", "warning")

FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,}|:{3,})(?:\{(?P<name>[\w-]+)\})?(?P<rest>.*)")
ROLE = re.compile(r"\{([\w:-]+)\}`([^`]+)`")
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")


class Work(NamedTuple):
    """A cited work: who, when, and where to read it, if that is known."""

    authors: str
    year: str
    address: str


def read_bibliography(path: Path) -> dict[str, Work]:
    """Return the works of a BibTeX file by their keys."""
    return {
        key: Work(_authors(entry), entry.fields["year"], entry.fields.get("url", ""))
        for key, entry in parse_file(path).entries.items()
    }


def plain_markdown(
    source: str, works: Mapping[str, Work], link: Callable[[str], str | None]
) -> str:
    """Translate the MyST of one Markdown cell; code blocks stay as they are.

    Args:
        source: the cell's text.
        works: what ``{cite}`` may name, by key.
        link: given a relative link, returns its new target, or None to keep only the words.

    Raises:
        ValueError: a role, a directive or a key that is not known.
    """
    pieces = []
    for block in _blocks(source):
        if block.directive:
            body = plain_markdown(block.body, works, link)
            pieces.append(_admonition(block.directive, block.title, body))
        elif block.fence:
            pieces.append(block.text)
        else:  # links first: citations write links of their own
            text = LINK.sub(lambda found: _relinked(found, link), block.text)
            pieces.append(ROLE.sub(lambda found: _cited(found, works), text))
    return "\n".join(pieces)


class _Block(NamedTuple):
    """Lines of prose, or a fenced block: of code, or with the name of a directive."""

    text: str
    fence: str = ""
    directive: str = ""
    title: str = ""
    body: str = ""


def _blocks(source: str) -> Iterator[_Block]:
    prose: list[str] = []
    lines = iter(source.split("\n"))
    for line in lines:
        opening = FENCE.fullmatch(line)
        if not opening:
            prose.append(line)
            continue
        if prose:
            yield _Block("\n".join(prose))
            prose = []
        body, closing = _until_closed(lines, opening["fence"])
        text = "\n".join([line, *body, closing])
        name, title = opening["name"] or "", opening["rest"].strip()
        yield _Block(text, opening["fence"], name, title, "\n".join(body))
    if prose:
        yield _Block("\n".join(prose))


def _until_closed(lines: Iterator[str], fence: str) -> tuple[list[str], str]:
    """Take the lines of a block, and the line that closes it, from ``lines``."""
    body = []
    for line in lines:
        mark = line.strip()
        if mark == fence[0] * max(len(mark), len(fence)):
            return body, line
        body.append(line)
    raise ValueError(f"a block opens with {fence} and is never closed")


def _admonition(name: str, title: str, body: str) -> str:
    """Write an admonition as a quotation under its name, or under its title if it has one."""
    if name not in (*ADMONITIONS, "admonition"):
        raise ValueError(f"a directive must be one of {', '.join(ADMONITIONS)}: got {name!r}")
    lines = [f"**{title or name.capitalize()}**", "", *body.strip().split("\n")]
    return "\n".join(f"> {line}".rstrip() for line in lines)


def _cited(found: re.Match, works: Mapping[str, Work]) -> str:
    role, keys = found[1], [key.strip() for key in found[2].split(",")]
    if role not in ("cite", "cite:p", "cite:t"):
        raise ValueError(f"a role must be cite, cite:p or cite:t: got {found[0]}")
    unknown = [key for key in keys if key not in works]
    if unknown:
        raise ValueError(f"a citation must name a work of the bibliography: got {unknown[0]!r}")
    cited = [works[key] for key in keys]
    if role == "cite:t":
        return " and ".join(_linked(f"{work.authors} ({work.year})", work) for work in cited)
    return f"({'; '.join(_linked(f'{work.authors}, {work.year}', work) for work in cited)})"


def _linked(text: str, work: Work) -> str:
    return f"[{text}]({work.address})" if work.address else text


def _relinked(found: re.Match, link: Callable[[str], str | None]) -> str:
    text, target = found.groups()
    if re.match(r"[a-z][a-z0-9+.-]*:|#", target):  # an address, or a place in this notebook
        return found[0]
    new = link(target)
    return f"[{text}]({new})" if new else text


def _authors(entry: Entry) -> str:
    """Name the authors as running text does: one, two, or the first and others."""
    names = [
        str(Text(" ").join([*person.rich_prelast_names, *person.rich_last_names]))
        for person in entry.persons["author"]
    ]
    return f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
