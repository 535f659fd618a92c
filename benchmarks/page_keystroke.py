"""How long the GPT in the page takes for one key, in each view of the built site.

    python book/build.py && python benchmarks/page_keystroke.py

Chromium opens chapter 03 and types. A key's time is what the page is busy with it: from the key to
the end of its input event, and from the frame that answers it until that frame is drawn; the wait
for the frame in between does not count. The letters typed never merge with one another, so every
one is a new token; in a text longer than the context it moves the window, and nothing that was
computed before holds any more. Give the folders of two built sites to compare them: they take
turns.
"""

from __future__ import annotations

import argparse
import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median, quantiles

from playwright.sync_api import Browser, Page, sync_playwright

SITE = Path(__file__).parents[1] / "_build" / "html"
CHAPTER = "notebooks/03_pretraining.html"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
VIEWS = {  # the heads that are switched off in a view: none, or the lowest
    "Write": (),
    "Look": (),
    "Step": (),
    "Heads": (),
    "Heads, one off": ("layer 0, head 1",),
}
TEXTS = {"short": "ROMEO:\n", "longer than the context": "ROMEO:\nO, " * 30}
KEYS = "QZXVJKQXZJVKXQZVKJQ"  # at most one new token each
PAUSE = 80  # milliseconds between two keys, four frames and more

WATCH = """() => {
  window.costs = [];
  const drawn = new MessageChannel();
  let pressed, handled, answered;
  addEventListener("keydown", () => {
    pressed = performance.now();
    requestAnimationFrame(() => {
      answered = performance.now();
      drawn.port1.postMessage(null);  // arrives when the frame is drawn
    });
  }, true);
  addEventListener("input", () => { handled = performance.now(); });
  drawn.port2.onmessage = () => costs.push(handled - pressed + performance.now() - answered);
}"""


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a built site and yield its address."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def open_chapter(browser: Browser, address: str) -> Page:
    """Open the chapter with its microscope in sight, and watch the keys."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address + CHAPTER)
    for widget in page.locator(".llmlab-widget").all():
        widget.scroll_into_view_if_needed()  # a widget starts when it comes near
    page.locator(".ll-scope").wait_for()
    page.evaluate(WATCH)
    return page


def milliseconds(page: Page, view: str, text: str) -> list[float]:
    """Type into one view and return what every key took."""
    page.get_by_role("tab", name=view.split(",")[0]).click()
    field = page.locator(".ll-scope textarea")
    field.fill(text)
    for head in VIEWS[view]:
        page.get_by_role("button", name=head).click()
    field.focus()
    page.keyboard.press("Control+End")
    page.wait_for_timeout(PAUSE)
    page.evaluate("costs.length = 0")
    page.keyboard.type(KEYS, delay=PAUSE)
    page.wait_for_timeout(PAUSE)
    if VIEWS[view]:
        page.get_by_role("button", name="Switch them on").click()
    return page.evaluate("costs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("sites", nargs="*", type=Path, default=[SITE], help="built sites")
    parser.add_argument("--rounds", type=int, default=3, help="how often every view is typed into")
    arguments = parser.parse_args()
    found = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        for _ in range(arguments.rounds):
            for site in arguments.sites:
                with served(site) as address:
                    page = open_chapter(browser, address)
                    for text in TEXTS:
                        for view in VIEWS:
                            costs = milliseconds(page, view, TEXTS[text])
                            found.setdefault((text, view, site), []).extend(costs)
                    page.close()
        browser.close()
    print("milliseconds a key: median (slowest tenth from)")
    for (text, view, site), costs in sorted(found.items()):
        print(
            f"{text:24} {view:15} {median(costs):6.1f} ({quantiles(costs, n=10)[-1]:.1f})  {site}"
        )


if __name__ == "__main__":
    main()
