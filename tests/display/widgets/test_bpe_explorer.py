"""Merges in the page against the Python tokenizer."""

from __future__ import annotations

from itertools import pairwise

import pytest
from playwright.sync_api import expect

from llmlab.data import BPETokenizer, ByteTokenizer
from llmlab.data.bpe import merge_pair
from llmlab.display import BPEExplorer
from tests.browser import eventually

LINE = "O Romeo, Romeo! wherefore art thou Romeo?"
LEARN = (
    "the then there other others rather gather whether the theme of thee; I'm we'll don't "
    "Romeo, Romeo, wherefore art thou Romeo? deny thy father, and refuse thy name. 1597 15 97\n\n"
    "ROMEO: Is the day so young? BENVOLIO: But new struck nine. the the the then then café Ромео "
) * 3
TEXTS = [
    LINE,
    "there's the other; we'll gather, o' course — I'd say: don't!",
    "  two  spaces,\ttabs\n\n and  lines \n",
    "café naïve Ромео 東京 🌹👩‍👩‍👧 e\u0301 ⅷ ½ ² ٣",
    "no-break\u00a0space, next\u0085line, \ufeffmark, \u2003em, \x1cseparator, under_score",
    "1597 15971597 x1y2 3.14",
    "thethethethe ROMEOROMEO 'tis ’tis 'S 'll",
    "a fond song of the earth",  # r-t against t-h, o-n against n-d and n-g: the older pair wins
    " ",
    "\n",
]


@pytest.fixture(scope="module")
def tokenizer() -> BPETokenizer:
    return BPETokenizer.train(LEARN, 256 + 60)


def test_pieces_follow_the_step(tokenizer):
    widget = BPEExplorer(tokenizer, LINE)
    assert widget.pieces() == tokenizer.tokens(LINE)
    widget.step = 0
    assert widget.pieces() == list(LINE)
    assert widget.sentence() == (
        "After 0 of 60 merges: 41 characters in 41 tokens; at 8.00 bits a token they take 328 bits,"
        " 8.00 a character."
    )


def test_bad_texts_and_tokenizers_are_refused(tokenizer):
    with pytest.raises(TypeError, match="tokenizer must be a BPETokenizer: got ByteTokenizer"):
        BPEExplorer(ByteTokenizer(), LINE)
    for text in ("", "x" * 401):
        with pytest.raises(ValueError, match="text must have 1 to 400 characters: got"):
            BPEExplorer(tokenizer, text)
    with pytest.raises(ValueError, match="step must be between 0 and 60: got 61"):
        BPEExplorer(tokenizer, LINE, step=61)


def pieces(page) -> list[str]:
    return page.locator(".ll-piece").all_text_contents()


def seen(tokens: list[str]) -> list[str]:
    signs = {"\n": "↵", "\t": "⇥", "\r": "␍", " ": "␣"}
    return ["".join(signs.get(letter, letter) for letter in token) for token in tokens]


def test_the_page_cuts_every_text_as_python_does(tokenizer, mount):
    widget = BPEExplorer(tokenizer, LINE)
    page = mount(widget)
    for text in TEXTS:
        widget.text = text
        page.evaluate("text => models[0].set('text', text)", text)
        for step in (0, 1, 7, 23, 60):
            widget.step = step
            page.evaluate("step => models[0].set('step', step)", step)
            eventually(lambda: pieces(page), seen(widget.pieces()))
            eventually(lambda: page.locator(".ll-says").inner_text(), widget.sentence())


def test_the_texts_would_notice_merges_in_reading_order(tokenizer):
    """A page that merged from left to right, instead of by age, would cut these texts otherwise."""
    ids = {pair: 256 + rank for rank, pair in enumerate(map(tuple, tokenizer.to_dict()["merges"]))}

    def hasty(word: str) -> list[int]:
        found = BPETokenizer([]).encode(word)
        while pair := next((p for p in pairwise(found) if p in ids), None):
            found = merge_pair(found, pair, ids[pair])
        return found

    words = [word for text in TEXTS for word in text.split()]
    assert any(hasty(word) != tokenizer.encode(word) for word in words)


def test_typing_stepping_and_highlighting(tokenizer, mount):
    page = mount(BPEExplorer(tokenizer, LINE))
    page.locator("textarea").fill("the other")
    eventually(lambda: pieces(page), seen(tokenizer.tokens("the other")))
    page.get_by_role("button", name="no merge: bytes").click()
    eventually(lambda: pieces(page), seen(list("the other")))
    eventually(
        lambda: page.locator(".ll-merge").inner_text(), "No merge yet: every piece is one byte."
    )
    counts, step, following = [9], 0, page.get_by_role("button", name="next merge")
    while step < 60:
        following.click()
        step = eventually(lambda: page.evaluate("models[0].get('step')"), lambda now: now > step)
        if step < 60:
            token = tokenizer.decode([255 + step])
            new = page.locator(".ll-piece[data-new]")
            eventually(lambda: set(new.all_text_contents()), set(seen([token])))
            eventually(
                lambda: page.locator(".ll-merge").inner_text(), lambda found: "joined here" in found
            )
            fewer = eventually(lambda: len(pieces(page)), lambda now: now <= counts[-1])
            counts.append(fewer)
    expect(following).to_be_disabled()
    eventually(lambda: len(pieces(page)), len(tokenizer.encode("the other")))
    page.get_by_role("button", name="back").click()
    eventually(lambda: page.locator(".ll-piece[data-new]").count(), lambda found: found > 0)


def test_the_slider_makes_one_merge_a_key(tokenizer, mount):
    page = mount(BPEExplorer(tokenizer, LINE, step=10))
    page.locator("input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    eventually(lambda: page.evaluate("models[0].get('step')"), 11)
    left, right = tokenizer.merges[10]
    joined = f"{seen([left.decode()])[0]} + {seen([right.decode()])[0]}"
    eventually(
        lambda: page.locator(".ll-merge").inner_text(),
        lambda said: said.startswith(f"Merge 11: {joined} →"),
    )


def test_an_empty_text_is_said(tokenizer, mount):
    page = mount(BPEExplorer(tokenizer, LINE))
    page.locator("textarea").fill("")
    eventually(lambda: page.locator(".ll-says").inner_text(), "The text is empty: type something.")
    eventually(lambda: page.evaluate("models[0].get('step')"), 60)


def test_typing_does_not_reach_the_notebook(tokenizer, mount):
    page = mount(BPEExplorer(tokenizer, LINE))
    page.evaluate("document.addEventListener('keydown', (e) => { window.heard = e.key; })")
    page.locator("textarea").press("d")
    eventually(lambda: page.evaluate("window.heard"), lambda found: found is None)
