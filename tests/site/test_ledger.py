"""The ledger of claims: filters, and the way from a card to its entry and back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import eventually

from .axe import expect_accessible
from .conftest import Visit

Open = Callable[..., Visit]
LEDGER = "book/claims.html"
KINDS = "nodes => [...new Set(nodes.map((node) => node.dataset.kind))]"


@pytest.mark.parametrize("size", ["wide", "phone"])
def test_entries_are_chosen_by_verdict_and_chapter(visit: Open, size: str) -> None:
    page = visit(LEDGER, size).page
    entries, shown = page.locator(".llmlab-entry"), page.locator(".llmlab-entry:visible")
    everything = eventually(entries.count, bool)
    expect(page.get_by_role("status")).to_have_text(f"{everything} of {everything} claims")
    verdicts = page.get_by_label("Verdict").locator("option").all_inner_texts()
    name = next(text for text in verdicts if "oversimplified" in text)
    page.get_by_label("Verdict").select_option(name)
    eventually(lambda: shown.evaluate_all(KINDS), ["oversimplified"])
    count = int(name.split("(")[1].rstrip(")"))
    expect(shown).to_have_count(count)
    expect(page.get_by_role("status")).to_have_text(f"{count} of {everything} claims")
    page.get_by_label("Chapter").select_option(index=1)
    expect(page.locator("article h2:visible")).to_have_count(1)
    expect_accessible(page, "article")
    page.get_by_label("Verdict").select_option(index=0)
    page.get_by_label("Chapter").select_option(index=0)
    expect(shown).to_have_count(everything)


def test_a_card_leads_to_its_entry_and_back(visit: Open) -> None:
    page = visit("notebooks/01_attention.html").page
    page.locator("#claim-T-08 .head a").click()
    page.wait_for_url("**/book/claims.html#claim-T-08")
    entry = page.locator("#claim-T-08")
    expect(entry).to_be_in_viewport()
    entry.get_by_role("link", name="See T-08 in its chapter").click()
    page.wait_for_url("**/notebooks/01_attention.html#claim-T-08")
    expect(page.locator("#claim-T-08")).to_be_in_viewport()


def test_numbers_have_room(visit: Open) -> None:
    page = visit(LEDGER).page
    entry = page.locator(".llmlab-entry").first
    eventually(lambda: entry.bounding_box()["width"], lambda width: width > 600)


def test_all_entries_show_without_scripts(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + LEDGER)
    eventually(page.locator(".llmlab-entry").count, lambda count: count > 20)
    expect(page.locator(".llmlab-filters")).to_contain_text("✗ wrong: ")
    context.close()
