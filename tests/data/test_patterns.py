from __future__ import annotations

import random
import re
import sys
import unicodedata

import pytest
import regex

from llmlab.data import synthetic_corpus
from llmlab.data.patterns import word_pattern

PUBLISHED = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "cl100k": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
}


def test_words_of_a_sentence():
    words = word_pattern("gpt2").findall("We'll see:  3 naïve_x's\n\n  Ⅷ²½ ok ")
    assert words == [
        "We", "'ll", " see", ":", " ", " 3", " naïve", "_", "x", "'s", "\n\n ", " Ⅷ²½", " ok", " ",
    ]  # fmt: skip


def test_letters_and_numbers_are_unicode_categories():
    """Every character goes to the class its Unicode category says."""
    pattern = word_pattern("gpt2").pattern
    letters, numbers = re.findall(r" \?(\[.*?\])\+", pattern, re.DOTALL)[:2]
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    for found, kind in ((letters, "L"), (numbers, "N")):
        expected = [c for c in everything if unicodedata.category(c)[0] == kind]
        assert re.findall(found, everything) == expected


@pytest.mark.parametrize("name", PUBLISHED)
def test_agrees_with_the_published_pattern(name):
    published, ours = regex.compile(PUBLISHED[name]), word_pattern(name)
    rng = random.Random(0)
    # Characters this Python knows: newer ones may be letters to one side only.
    known = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Cs")]
    frequent = list("aZé漢9½_-'sSlL \t\n\r\x0b\x1c\x1f\x85\u00a0\u2028\u3000\u200b")
    texts = [synthetic_corpus(20_000).text]
    for _ in range(3_000):
        texts.append(
            "".join(rng.choice(rng.choice((known, frequent, frequent))) for _ in range(20))
        )
    for text in texts:
        words = ours.findall(text)
        assert "".join(words) == text
        assert words == published.findall(text)


def test_unknown_pattern():
    with pytest.raises(ValueError, match="name must be one of gpt2, cl100k: got 'gpt5'"):
        word_pattern("gpt5")
