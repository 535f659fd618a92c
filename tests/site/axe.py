"""What axe, the checker of accessibility, objects to on a page."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.browser import eventually

from .conftest import ROOT

AXE = ROOT / "book" / "_ext" / "node_modules" / "axe-core" / "axe.min.js"
# axe lists every place of what it objects to, and need not list those that pass.
RUN = """async ([part, rules]) => (await axe.run(part, {
    resultTypes: ["violations"], ...(rules && { runOnly: rules }),
})).violations"""
COLOURS = ["color-contrast", "link-in-text-block"]  # the rules that a theme can break


def expect_accessible(page: Page, part: str = "html", rules: list[str] | None = None) -> None:
    """Wait until axe objects to nothing in a part of the page, by all rules or those of rules."""
    if not page.evaluate("Boolean(window.axe)"):
        page.add_script_tag(path=str(AXE))
    eventually(lambda: violations(page, part, rules), [])


def violations(page: Page, part: str, rules: list[str] | None) -> list[str]:
    return [
        f"{found['id']} ({found['impact']}): {node['target']} {node['html'][:120]}"
        for found in page.evaluate(RUN, [part, rules])
        for node in found["nodes"]
    ]
