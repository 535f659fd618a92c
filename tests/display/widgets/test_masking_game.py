"""The masking game: what the model is asked, and who scores."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from llmlab.display import MaskingGame
from tests.browser import eventually

LINES = ["Now is the winter of our discontent", "Made glorious summer by this sun of York"]
BLANKS = [[5, 21], [14]]


def guess(window: str, place: int) -> list[tuple[str, float]]:
    return [("a", 0.1), ("S", 0.6), (" ", 0.2), ("e", 0.05), ("o", 0.04)]


def test_the_model_sees_a_window_with_every_blank_hidden():
    asked = []

    def note(window, place):
        asked.append((window, place))
        return guess(window, place)

    game = MaskingGame(LINES, [[21, 5], [14]], note, context=16, name="BERT")
    assert asked == [("Now i_ the winte", 5), ("nter of _ur disc", 8), ("lorious _ummer b", 8)]
    assert [window[place] for window, place in asked] == ["_"] * 3
    first = game.blanks[0][0]
    assert (first["place"], first["from"], first["to"]) == (5, 0, 16)
    assert first["guesses"] == [["S", 0.6], ["␣", 0.2], ["a", 0.1], ["e", 0.05]]
    assert game.score() == (2, 3)  # two of the letters are an s; a capital counts
    assert game.sentence() == (
        "3 letters are hidden in 2 lines; BERT fills 2 of them at its first guess."
    )


@pytest.mark.parametrize(
    ("lines", "blanks", "answer", "message"),
    [
        ([], [], guess, "one list for each of at least one line: got 0 lists for 0 lines"),
        (LINES, BLANKS[:1], guess, "got 1 lists for 2 lines"),
        (["too short"], [[0]], guess, "at least context=16 characters"),
        (["a line with _ in it already"], [[0]], guess, "and no '_'"),
        (LINES[:1], [[]], guess, "different places, at least one"),
        (LINES[:1], [[5, 5]], guess, "different places"),
        (LINES[:1], [[3]], guess, "must be places of letters: got 3"),
        (LINES[:1], [[99]], guess, "must be places of letters: got 99"),
        (LINES[:1], [[5]], lambda window, place: [], "pairs of one character and a probability"),
        (LINES[:1], [[5]], lambda window, place: [("ab", 0.5)], "pairs of one character"),
        (LINES[:1], [[5]], lambda window, place: [("a", 1.5)], "pairs of one character"),
    ],
)
def test_bad_games_are_refused(lines, blanks, answer, message):
    with pytest.raises(ValueError, match=message):
        MaskingGame(lines, blanks, answer, context=16)


def test_a_whole_game_by_keyboard(mount):
    page = mount(MaskingGame(LINES, BLANKS, guess, context=16, name="BERT"))
    verdict, scores = page.locator(".ll-verdict"), page.locator(".ll-scores")
    line = page.locator(".ll-line")
    eventually(
        lambda: line.inner_text()[4:6], lambda found: "s" not in found
    )  # the answer is not in the page's text
    expect(page.locator("[data-seen]")).to_have_count(16)
    expect(page.locator(".ll-guess")).to_have_count(0)  # nor are the guesses
    page.locator("input").focus()
    page.keyboard.press("7")  # not a letter: no guess
    eventually(lambda: verdict.inner_text(), "")
    page.keyboard.press("s")
    eventually(lambda: verdict.inner_text(), "Right: the letter is “s”. BERT said “S”, with 60 %.")
    eventually(lambda: scores.inner_text(), "You 1, BERT 1, of 1 letter.")
    page.keyboard.press("x")  # the focus has moved to the next blank
    eventually(
        lambda: verdict.inner_text(), "Not “x”: the letter is “o”. BERT said “S”, with 60 %."
    )
    eventually(lambda: scores.inner_text(), "You 1, BERT 1, of 2 letters.")
    eventually(lambda: line.inner_text(), LINES[0])
    eventually(lambda: page.locator(".ll-guess code").all_inner_texts(), ["S", "␣", "a", "e"])
    page.keyboard.press("Enter")  # and now to "Next line"
    eventually(
        lambda: page.locator(".ll-top").inner_text(), lambda found: found.endswith("line 2 of 2")
    )
    page.get_by_role("button", name="I do not know").click()
    eventually(
        lambda: verdict.inner_text(), lambda found: found.startswith("Passed: the letter is “s”.")
    )
    eventually(lambda: scores.inner_text(), "Final score: you 1, BERT 2, of 3 letters.")
    page.keyboard.press("Enter")
    eventually(lambda: scores.inner_text(), "3 letters to guess.")
    eventually(
        lambda: page.locator(".ll-top").inner_text(), lambda found: found.endswith("line 1 of 2")
    )


def test_a_wrong_guess_of_the_model_scores_nothing(mount):
    page = mount(MaskingGame(LINES[:1], [[21]], guess, context=16, name="BERT"))
    page.locator("input").fill("O")
    eventually(
        lambda: page.locator(".ll-scores").inner_text(), "Final score: you 1, BERT 0, of 1 letter."
    )
