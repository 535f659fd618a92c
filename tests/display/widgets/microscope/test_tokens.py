"""The page's tokenizers against Python's, on text, on oddities, and on bytes that are no text."""

from __future__ import annotations

import random
import unicodedata

from llmlab.data import ByteTokenizer, CharTokenizer
from tests.browser import unchanging


def computed(page, script: str, argument=None):
    """What a script computes from its argument alone, whatever the page shows."""
    return unchanging(page.evaluate(script, argument), "it depends on the argument alone")


STRINGS = [
    "",
    " ",
    "\n\n\n a\n \t\r\n  b   ",
    "don't you'll I'VE we're 'tis ''s",
    "café Ünïcödé naïve Ромео 罗密欧 שלום नमस्ते",
    "🌹🤖👩‍👩‍👧‍👦 🇩🇪 e\u0301 \ufeffx\u200b y",
    "²½Ⅷ 12 345,678.90 x² ٣٤",
    "\x1c\x1d a\x85b\u00a0c\u2003d\u3000e \u180e f",
    "__init__(self): # -> 100 %\n\tpass",
    "\x00\x01\x7f\x80",
    "\ufffd \\xe2",
]


def made_up(count: int = 300) -> list[str]:
    """Random strings of what stands in texts, and of what hardly ever does."""
    rng = random.Random(5)
    letters = [
        "a",
        "th",
        "the",
        " ",
        "  ",
        "\n",
        "'",
        "'s",
        "1",
        "Ⅷ",
        "é",
        "🌹",
        "\u00a0",
        "\x85",
        "-",
    ]
    letters += [chr(rng.randrange(0x20, 0xD800)) for _ in range(200)]
    return ["".join(rng.choices(letters, k=rng.randrange(1, 60))) for _ in range(count)]


def test_texts_become_the_same_tokens_as_in_python(page, toy):
    texts = [*STRINGS, toy.play, *made_up()]
    found = computed(page, "(texts) => texts.map((text) => tokenizer.encode(text))", texts)
    assert found == [toy.tokenizer.encode(text) for text in texts]
    back = computed(page, "(all) => all.map((ids) => tokenizer.decode(ids))", found)
    assert back == texts


def test_every_kind_of_character_is_cut_as_in_python(page, toy):
    """Those of Unicode 3.2, so that no later version moves one to another class."""
    old = unicodedata.ucd_3_2_0
    there = [c for c in map(chr, range(0xD800)) if old.category(c) not in ("Cn", "Co")]
    there += [c for c in map(chr, range(0xE000, 0x30000)) if old.category(c) not in ("Cn", "Co")]
    same = [c for c in there[:3000] + there[3000::37] if old.category(c) == unicodedata.category(c)]
    assert len(same) > 4000
    texts = [f"a{c}1{c} {c}a {c}" for c in same]
    found = computed(page, "(texts) => texts.map((text) => tokenizer.encode(text))", texts)
    assert found == [toy.tokenizer.encode(text) for text in texts]


def test_tokens_become_the_same_text_even_where_they_are_no_text(page, toy):
    rng = random.Random(6)
    lists = [[rng.randrange(301) for _ in range(rng.randrange(1, 30))] for _ in range(300)]
    found = computed(page, "(all) => all.map((ids) => tokenizer.decode(ids))", lists)
    assert found == [toy.tokenizer.decode(one) for one in lists]
    assert any("\ufffd" in text for text in found)


def test_bytes_and_characters_are_read_too(page, toy):
    make = "([data, text]) => gpt.makeTokenizer(data).encode(text)"
    characters = CharTokenizer.train(toy.play + "🌹")
    for tokenizer, text in ((ByteTokenizer(), "café 🌹"), (characters, "ROMEO🌹")):
        assert computed(page, make, [tokenizer.to_dict(), text]) == tokenizer.encode(text)
    back = "([data, ids]) => gpt.makeTokenizer(data).decode(ids)"
    assert computed(page, back, [characters.to_dict(), characters.encode("O🌹")]) == "O🌹"
