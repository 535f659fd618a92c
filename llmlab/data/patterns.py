r"""How byte-level BPE cuts text into words before it merges anything, with the standard ``re``.

GPT-2's published pattern needs ``\p{L}`` (letters) and ``\p{N}`` (numbers), which ``re`` lacks.
They are rebuilt here from what it has, exactly (for the Unicode version of the running Python):

``L``
    ``[^\W\d_]`` less the numbers that are not decimal digits (``²``, ``½``, ``Ⅷ``)
``N``
    ``\d`` and those numbers
``S``
    ``\s`` less the four separators U+001C to U+001F, which only Python counts as white space
``O``
    everything else

GPT-2 then reads ``'(?:[sdmt]|ll|ve|re)| ?L+| ?N+| ?O+|S+(?![^S])|S+``: a word takes the space
before it along, and of several spaces the last goes with the word that follows. Every character
of a text belongs to exactly one word, so joining the words gives the text back.
"""

from __future__ import annotations

import re
import sys
from functools import cache

__all__ = ["word_pattern"]

_PATTERNS = {
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?{L}+| ?{N}+| ?{O}+|{S}+(?!{T})|{S}+",
    # Possessive quantifiers of the original are plain here: what follows them never overlaps.
    "cl100k": r"'(?i:[sdmt]|ll|ve|re)|{X}?{L}+|{N}{{1,3}}| ?{O}+[\r\n]*|"
    r"{S}*[\r\n]|{S}+(?!{T})|{S}+",
}


@cache
def word_pattern(name: str) -> re.Pattern[str]:
    """The compiled pattern ``"gpt2"`` or ``"cl100k"``; ``findall`` cuts a text into words.

    Raises:
        ValueError: another name.
    """
    if name not in _PATTERNS:
        raise ValueError(f"name must be one of {', '.join(_PATTERNS)}: got {name!r}.")
    numbers = _numbers_beyond_digits()
    classes = {
        "L": rf"[^\W\d_{numbers}]",
        "N": rf"[\d{numbers}]",
        "S": r"[^\S\x1c-\x1f]",
        "T": r"[\S\x1c-\x1f]",  # not S
        "O": r"(?:[^\w\s]|[_\x1c-\x1f])",
        "X": r"(?:[^\w\r\n]|_)",  # neither letter, number nor line end
    }
    return re.compile(_PATTERNS[name].format(**classes))


def _numbers_beyond_digits() -> str:
    r"""Numbers that ``\w`` matches and ``\d`` does not, and that are no letters, as ranges."""
    codes = [
        code
        for code in range(0x80, sys.maxunicode + 1)
        if (c := chr(code)).isnumeric() and not c.isdecimal() and not c.isalpha()
    ]
    starts = [code for code, before in zip(codes, [-1, *codes], strict=False) if code != before + 1]
    ends = [code for code, after in zip(codes, [*codes[1:], -1], strict=True) if code != after - 1]
    return "".join(f"{chr(a)}-{chr(b)}" for a, b in zip(starts, ends, strict=True))
