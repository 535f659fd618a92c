"""Dragging a query and keys: the page's arithmetic against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from playwright.sync_api import expect

from llmlab.display import QueryKeyPlane
from tests.browser import eventually

NAMES = ["The", "cat", "dogs", "chased"]
KEYS = [[-1.0, 1.0], [2.0, 2.0], [2.0, -2.0], [0.0, -2.0]]
VALUES = [[0.5, 0.5], [1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]


def plane(**changes) -> QueryKeyPlane:
    given = {"query": [1.5, 1.0], "keys": KEYS, "values": VALUES, "names": NAMES, **changes}
    return QueryKeyPlane(**given)


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def test_the_answer_is_the_weighted_mean_of_the_values():
    widget = plane(keys=torch.tensor(KEYS))
    weights = softmax(np.array(KEYS) @ [1.5, 1.0])
    assert np.allclose(widget.weights(), weights)
    assert np.allclose(widget.answer(), weights @ VALUES)
    assert widget.entropy() == pytest.approx(-(weights * np.log(weights)).sum())
    assert widget.reach == 3
    assert "“cat” has the largest weight, 0.98" in widget.description


def test_scores_stand_for_those_of_a_wider_head():
    """Random scores of width K have the variance of the stretched plane's, and of no other."""
    width, random = 64, np.random.default_rng(0)
    wide = (random.normal(size=(4000, width)) * random.normal(size=(4000, width))).sum(1)
    query, keys = random.normal(size=2), random.normal(size=(4, 2))
    flat = (random.normal(size=(4000, 2)) * random.normal(size=(4000, 2))).sum(1)
    stretch = plane(query=query, keys=keys, width=width).scores() / (keys @ query)
    assert np.allclose(stretch, stretch[0])
    assert (flat * stretch[0]).var() / wide.var() == pytest.approx(1, abs=0.15)


def test_dividing_by_the_root_undoes_the_width():
    divided = [plane(width=width, scaled=True).entropy() for width in (2, 64, 1024)]
    raw = [plane(width=width).entropy() for width in (2, 64, 1024)]
    assert np.allclose(divided, divided[0])
    assert raw[0] > 2 * raw[1] > 2 * raw[2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keys": [[1.0, 2.0, 3.0]] * 4}, r"keys must have the shape \(4, 2\), in a plane"),
        ({"query": [1.0]}, r"query must have the shape \(2,\)"),
        ({"values": VALUES[:3]}, r"values must have the shape \(4, 2\).*got \(3, 2\)"),
        ({"query": [float("nan"), 1.0]}, "query must hold finite numbers"),
        ({"width": 48}, "width must be a power of two from 2 to 1024: got 48"),
        ({"features": ["noun"]}, "features must be two names"),
    ],
)
def test_bad_arrows_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        plane(**changes)


def read(page) -> tuple[np.ndarray, np.ndarray]:
    """The scores and weights in the page's table."""
    cells = page.locator("tbody tr").all_inner_texts()
    numbers = [[float(part.replace("−", "-")) for part in row.split()[1:]] for row in cells]
    return tuple(np.array(numbers).T)


def shows(scores: np.ndarray, weights: np.ndarray):
    """Whether a table holds these numbers, as far as it prints them."""
    return lambda found: (
        np.allclose(found[0], scores, atol=0.006) and np.allclose(found[1], weights, atol=0.0006)
    )


def drag(page, handle, to_x: float, to_y: float) -> None:
    """Drag one arrow's head to a place in the plane of reach 3."""
    box = page.locator(".ll-plane svg").bounding_box()
    unit = (box["width"] / 2 - 14) / 3
    dot = handle.locator(".ll-dot").bounding_box()
    page.mouse.move(dot["x"] + dot["width"] / 2, dot["y"] + dot["height"] / 2)
    page.mouse.down()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(middle[0] + to_x * unit, middle[1] - to_y * unit, steps=4)
    page.mouse.up()


def test_dragging_moves_scores_and_weights_as_numpy_says(mount):
    widget = plane()
    page = mount(widget)
    drag(page, page.locator(".ll-query"), 0.5, -1.5)
    drag(page, page.locator(".ll-key").nth(3), -2.0, 0.75)
    widget.arrows = eventually(
        lambda: page.evaluate("models[0].get('arrows')"),
        lambda found: (
            np.allclose(found[0], [0.5, -1.5], atol=0.051)
            and np.allclose(found[4], [-2.0, 0.75], atol=0.051)
        ),
    )
    query, *keys = np.array(widget.arrows)
    _, weights = eventually(lambda: read(page), shows(keys @ query, softmax(keys @ query)))
    assert not np.allclose(weights, softmax(keys @ query / np.sqrt(2)), atol=0.01)  # unscaled here
    eventually(lambda: page.locator(".ll-says").inner_text(), widget.sentence())


def test_a_click_in_the_plane_moves_the_query_and_no_key(mount):
    page = mount(plane())
    box = page.locator(".ll-plane svg").bounding_box()
    unit = (box["width"] / 2 - 14) / 3
    page.mouse.click(box["x"] + box["width"] / 2 - unit, box["y"] + box["height"] / 2 + 2 * unit)
    query, *_ = eventually(
        lambda: page.evaluate("models[0].get('arrows')"),
        lambda found: np.allclose(found[0], [-1, -2], atol=0.051) and found[1:] == KEYS,
    )
    page.locator(".ll-key .ll-dot").nth(1).click()  # a key is not a place for the query
    eventually(lambda: page.evaluate("models[0].get('arrows')[0]"), query)


def test_keys_move_an_arrow_and_the_page_says_so(mount):
    widget = plane(width=64)
    page = mount(widget)
    page.locator(".ll-query").focus()
    for key in ("ArrowLeft", "ArrowDown", "Shift+ArrowUp"):
        page.keyboard.press(key)
    eventually(lambda: page.evaluate("models[0].get('arrows')[0]"), [1.4, 1.4])
    eventually(
        lambda: page.locator(".ll-query").get_attribute("aria-valuetext"),
        lambda said: said.startswith(
            "first feature 1.40, second feature 1.40. Width 64, scores not divided"
        ),
    )
    for _ in range(10):
        page.keyboard.press("Shift+ArrowUp")
    eventually(
        lambda: page.evaluate("models[0].get('arrows')[0]"), [1.4, 3]
    )  # the edge of the plane
    page.get_by_role("button", name="Start again").click()
    eventually(lambda: page.evaluate("models[0].get('arrows')[0]"), [1.5, 1])


def test_width_and_root_change_the_weights_as_in_python(mount):
    widget = plane(width=2)
    page = mount(widget)
    page.get_by_label("width").fill("6")
    page.get_by_role("button", name="divide by √width").click()
    for scaled in (True, False):
        widget.width, widget.scaled = 64, scaled
        eventually(
            lambda: page.evaluate("[models[0].get('width'), models[0].get('scaled')]"), [64, scaled]
        )
        eventually(lambda: read(page), shows(widget.scores(), widget.weights()))
        eventually(lambda: page.locator(".ll-says").inner_text(), widget.sentence())
        page.get_by_role("button", name="divide by √width").click()


def test_a_plane_without_width_shows_no_knobs(mount):
    page = mount(plane())
    expect(page.locator(".ll-knobs")).to_have_count(0)
