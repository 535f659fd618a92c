"""What can be dragged follows a finger while the page stays; beside it the page scrolls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

import llmlab.display
from llmlab.display import AttentionMap, LossCurves, PositionClocks, QueryKeyPlane
from tests.browser import eventually, frames

WIDGETS = Path(llmlab.display.__file__).parent / "widgets"
PHONE = 390
SNAPSHOT = "() => document.querySelector('.llmlab').innerHTML"
STEPS = 4


def plane() -> QueryKeyPlane:
    keys = [[1.4, 0.6], [-1.2, 1.2], [0.4, -1.6]]
    return QueryKeyPlane([1, 1.8], keys, np.eye(3)[:, :2], ["one", "two", "three"], width=64)


def clocks() -> PositionClocks:
    return PositionClocks(np.linspace(-1, 1, 8), np.ones(8), at=(40, 20))


DRAGGED = {"plane": (plane, 4), "clocks": (clocks, 11)}  # and how many grips each has


@pytest.fixture
def on_phone(mount):
    """Mount a widget on a phone's page that is long enough to scroll."""

    def open_page(widget) -> Page:
        page = mount(widget, width=PHONE)
        page.evaluate("document.body.style.padding = '300px 16px 3000px'")
        page.evaluate("scrollTo(0, 200)")
        frames(page)
        return page

    return open_page


def swipe(page: Page, x: float, y: float, right: float, down: float) -> None:
    """Put a finger down at a place of the window, move it, and lift it."""
    session = page.context.new_cdp_session(page)

    def send(kind: str, points: list[dict]) -> None:
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", [{"x": x, "y": y}])
    for step in range(1, STEPS + 1):
        share = step / STEPS
        send("touchMove", [{"x": x + right * share, "y": y + down * share}])
        frames(page, 1)
    send("touchEnd", [])
    frames(page)
    session.detach()


def middle(grip: Locator) -> tuple[float, float]:
    """A place of the window that belongs to the grip."""
    return tuple(
        grip.evaluate(
            """node => {
              const inside = (x, y) => node.contains(document.elementFromPoint(x, y));
              for (const part of [...node.children].reverse()) {
                const box = part.getBoundingClientRect();
                for (const share of [0.5, 0.2, 0.8, 0.1, 0.9]) {
                  for (const other of [0.5, 0.2, 0.8, 0.1, 0.9]) {
                    const [x, y] = [box.left + share * box.width, box.top + other * box.height];
                    if (inside(x, y)) return [x, y];
                  }
                }
              }
              throw new Error("the grip lies under others");
            }"""
        )
    )


@pytest.mark.parametrize("name", DRAGGED)
def test_a_finger_drags_every_grip_and_scrolls_nothing(on_phone, name):
    make, count = DRAGGED[name]
    page = on_phone(make())
    grips = page.locator("[data-drag]")
    expect(grips).to_have_count(count)
    for grip in grips.all():
        grip.evaluate("node => node.scrollIntoView({ block: 'center' })")
        frames(page)
        top, before = page.evaluate("scrollY"), page.evaluate(SNAPSHOT)
        swipe(page, *middle(grip), right=30, down=-60)
        swipe(page, *middle(grip), right=60, down=30)  # a hand on a dial moves only across
        eventually(lambda: page.evaluate(SNAPSHOT), lambda now, before=before: now != before)
        eventually(lambda: page.evaluate("scrollY"), top)


def test_an_arrow_goes_all_the_way_with_the_finger(on_phone):
    page = on_phone(plane())
    dot = page.locator(".ll-query .ll-dot")
    before = dot.bounding_box()
    swipe(page, *middle(page.locator(".ll-query")), right=0, down=80)
    eventually(lambda: round((dot.bounding_box()["y"] - before["y"]) / 5), 16)  # 80 pixels


@pytest.mark.parametrize("name", DRAGGED)
def test_a_finger_beside_the_grips_scrolls_the_page(on_phone, name):
    page = on_phone(DRAGGED[name][0]())
    top = page.evaluate("scrollY")
    box = page.locator(".llmlab .ll-top").bounding_box()
    swipe(page, box["x"] + 5, box["y"] + 5, right=0, down=-80)
    eventually(lambda: page.evaluate("scrollY"), lambda now: now > top + 40)


def test_a_finger_reads_along_a_plot_and_a_map(on_phone, make_run, make_maps):
    tokens = ["the", " cat", "sat", "on", "it"]
    for widget, part, read in (
        (LossCurves(make_run("a")), ".ll-plot", ".ll-cursor"),
        (AttentionMap(make_maps(), tokens), ".ll-map canvas", ".ll-cell"),
    ):
        page = on_phone(widget)
        box = page.locator(part).bounding_box()
        x, y = box["x"] + 0.4 * box["width"], box["y"] + 0.6 * box["height"]
        swipe(page, x, y, right=8, down=0)
        before = page.locator(read).first.evaluate("node => node.outerHTML")
        swipe(page, x, y, right=120, down=0)
        eventually(
            lambda page=page, read=read: page.locator(read).first.evaluate("n => n.outerHTML"),
            lambda now, before=before: now != before,
        )


def test_whatever_drags_does_so_through_the_shared_function():
    capturing = [
        path.name for path in WIDGETS.rglob("*.js") if "setPointerCapture" in path.read_text()
    ]
    assert capturing == ["common.js"]
