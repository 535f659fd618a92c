"""Positions as clock hands: the page's product against llmlab's rotary and sinusoidal positions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from llmlab.display import PositionClocks
from llmlab.models import Rotary, sinusoidal
from tests.browser import eventually

Q, K = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))


def rotary_score(q: torch.Tensor, k: torch.Tensor, at: tuple[int, int]) -> float:
    turn = Rotary(len(q), 128)
    return float(turn(q[None], at[0])[0] @ turn(k[None], at[1])[0])


def test_tables_and_speeds_are_those_of_rotary():
    widget = PositionClocks(Q, K)
    turn = Rotary(8, 128)
    assert np.array_equal(np.frombuffer(widget.cos, "<f4").reshape(128, 4), turn.cos.numpy())
    assert np.allclose(widget.speeds, [1, 0.1, 0.01, 0.001])
    assert widget.score() == pytest.approx(rotary_score(Q, K, (7, 4)))
    assert widget.description.startswith("Two positions on 4 clocks: Query at 7, key at 4, dist")


def test_without_vectors_the_hands_are_the_sinusoids():
    table = sinusoidal(128, 8)
    widget = PositionClocks(width=8, at=(100, 3))
    assert widget.score() == pytest.approx(float(table[100] @ table[3]), abs=1e-5)
    assert widget.sentence().startswith("One word at 100, the other at 3, distance 97: product")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": Q}, "query and key must be given together"),
        ({"query": Q, "key": K[:6]}, r"one length, which is even: got shapes \(8,\) and \(6,\)"),
        ({"query": Q[:3], "key": K[:3]}, "one length, which is even"),
        ({"query": Q, "key": K / 0}, "must hold finite numbers"),
        ({"width": 7}, "width must be even, at least 2: got 7"),
        ({"at": (128, 0)}, r"at must be two positions between 0 and 127: got \[128, 0\]"),
        ({"context": 1, "at": (0, 0)}, "context must be at least 2"),
    ],
)
def test_bad_clocks_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        PositionClocks(**arguments)


def said(page, index: int = 0) -> float:
    """The product that the page says."""
    text = page.locator(".ll-says").nth(index).inner_text()
    return float(text.rstrip(".").split()[-1].replace("−", "-"))


def test_the_page_scores_random_vectors_as_rotary_does(mount):
    random = torch.Generator().manual_seed(1)
    pairs = [torch.randn(2, 16, generator=random) for _ in range(4)]
    page = mount(*(PositionClocks(q, k) for q, k in pairs))
    places = torch.randint(0, 128, (4, 6, 2), generator=random).tolist()
    neighbours = torch.arange(16).view(8, 2).T.flatten()  # the other way to pair the features
    wrong = 0
    for index, (q, k) in enumerate(pairs):
        for at in places[index]:
            page.evaluate("([i, at]) => models[i].set('at', at)", [index, at])
            wanted = pytest.approx(rotary_score(q, k, at), abs=0.0006)
            score = eventually(lambda: said(page, index), wanted)
            other = rotary_score(q[neighbours], k[neighbours], at)
            wrong += abs(score - other) > 0.01
    assert wrong > 20  # of 24: pairing neighbours would be noticed


def test_moving_both_keeps_the_score_and_moving_one_does_not(mount):
    page = mount(PositionClocks(Q, K))
    before = said(page)
    hands = "[...document.querySelectorAll('.ll-hand path')].map(n => n.getAttribute('d')).join()"
    drawn = page.evaluate(hands)
    page.locator(".ll-grip2").focus()
    for key in ("ArrowRight", "PageUp", "End", "ArrowLeft"):
        page.keyboard.press(key)
        eventually(lambda: said(page), pytest.approx(before, abs=0.0011))
    eventually(lambda: page.evaluate("models[0].get('at')"), [126, 123])
    eventually(lambda: page.evaluate(hands), lambda found: found != drawn)
    eventually(
        lambda: page.locator(".ll-moved").inner_text(),
        "Both moved by −1: every hand turned, no angle between them changed;"
        " the score changed by 0.000.",
    )
    page.locator(".ll-grip0").focus()
    page.keyboard.press("ArrowLeft")
    eventually(lambda: said(page), pytest.approx(rotary_score(Q, K, (125, 123)), abs=0.0006))
    eventually(lambda: abs(said(page) - before), lambda change: change > 0.1)
    eventually(
        lambda: page.locator(".ll-moved").inner_text(),
        lambda found: found.startswith("Query moved by −1; the score"),
    )


def test_marks_on_the_line_can_be_dragged(mount):
    page = mount(PositionClocks(Q, K, at=(40, 20)))

    def drag(which: int, pixels: float, at: list[int]) -> None:
        box = page.locator(f".ll-grip{which} .ll-mark").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + pixels, y, steps=3)
        page.mouse.up()
        eventually(lambda: page.evaluate("models[0].get('at')"), at)

    line = page.locator(".ll-track svg").bounding_box()["width"]
    one = (line - 32) / 127  # pixels of one position
    drag(0, 30 * one, [70, 20])
    drag(1, -10 * one, [70, 10])
    drag(2, 25 * one, [95, 35])
    drag(2, 500, [127, 67])  # both stop together at the end of the text


def test_winding_a_hand_turns_the_slower_ones_too(mount):
    page = mount(PositionClocks(width=8, at=(0, 0)))
    face = page.locator(".ll-dials svg").nth(1).bounding_box()  # a turn in 62.8 tokens
    x, y = face["x"] + face["width"] / 2, face["y"] + face["height"] / 2
    page.mouse.move(x, y - 40)
    page.mouse.down()
    for angle in np.linspace(0, np.pi, 9)[1:]:  # half a turn, clockwise
        page.mouse.move(x + 40 * np.sin(angle), y - 40 * np.cos(angle))
    page.mouse.up()
    here, _ = eventually(
        lambda: page.evaluate("models[0].get('at')"),
        lambda at: abs(at[0] - 31.4) < 1.5 and at[1] == 0,
    )
    table = sinusoidal(128, 8)
    eventually(lambda: said(page), pytest.approx(float(table[here] @ table[0]), abs=0.0011))
