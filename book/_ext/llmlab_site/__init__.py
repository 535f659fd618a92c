"""The book's own Sphinx extension: a site that serves everything itself.

It vendors fonts and the widgets' loader, drops what the default build would load from other hosts,
draws the formulas, brings the exercises to life, and reads a chapter again when its notebook was
executed again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx_thebe import init_thebe_core

from .assets import EXTENSION, copy_assets
from .catalogue import CATALOGUE
from .exercises import add_exercises
from .formulas import with_formulas
from .ledger import PAGE, with_ledger_links
from .noscript import with_sentences
from .repository import colab_buttons
from .widget_state import externalise

EXECUTED = "executed"  # the folder in _build where book/build.py lays out executed chapters


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("config-inited", add_colab_buttons)
    app.connect("builder-inited", drop_thebe)
    app.connect("builder-inited", add_static_files)
    app.connect("env-get-outdated", changed_notebooks)
    app.connect("source-read", read_executed)
    app.connect("html-page-context", add_ledger_script)
    app.connect("build-finished", finish)
    app.add_css_file("llmlab.css", priority=900)
    app.add_css_file("exercises/exercises.css", priority=900)
    app.add_js_file("opened_as_file.js", priority=900)
    for script in ("mount.js", "scrolling.js", "exercises/enhance.js"):
        app.add_js_file(script, type="module", priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def add_colab_buttons(app: Sphinx, config: Config) -> None:
    """Give the chapters a Colab button if the environment says where the repository is."""
    config.html_theme_options = {**config.html_theme_options, **colab_buttons(os.environ)}


def drop_thebe(app: Sphinx) -> None:
    """Keep sphinx-thebe from adding its scripts, which come from another host."""
    for listeners in list(app.events.listeners.values()):
        for listener in listeners:
            if listener.handler is init_thebe_core:
                app.disconnect(listener.id)


def add_static_files(app: Sphinx) -> None:
    """Copy our styles and scripts, and the vendored assets, into the site."""
    static = Path(app.outdir) / "_static"
    static.mkdir(parents=True, exist_ok=True)
    for path in (EXTENSION / "static").glob("*.*"):
        shutil.copy2(path, static / path.name)
    copy_assets(static)
    generated = Path(app.srcdir) / CATALOGUE
    add_exercises(static, json.loads(generated.read_text("utf-8")) if generated.is_file() else [])


def add_ledger_script(app: Sphinx, page: str, *_: Any) -> None:
    """Give the ledger of claims, and no other page, its filters."""
    if page == PAGE.removesuffix(".html"):
        app.add_js_file("ledger.js", type="module", priority=900)


def changed_notebooks(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Name the chapters whose outputs are newer than the ones Sphinx read last time."""
    now = {name: path.read_text("utf-8") for name, path in executed_chapters(app).items()}
    now = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in now.items()}
    before = getattr(env, "llmlab_executed", {})
    env.llmlab_executed = now
    return [name for name, key in now.items() if before.get(name) != key and name in env.found_docs]


def executed_chapters(app: Sphinx) -> dict[str, Path]:
    """The executed form of each chapter that has one, by its document."""
    folder = Path(app.srcdir) / "_build" / EXECUTED
    found = sorted(folder.glob("notebooks/*.ipynb"))
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in found}


def read_executed(app: Sphinx, document: str, source: list[str]) -> None:
    """Let Sphinx read the executed form of a chapter in the place of the one in the repository."""
    path = executed_chapters(app).get(document)
    if path:
        source[0] = path.read_text("utf-8")


def finish(app: Sphinx, error: Exception | None) -> None:
    """Correct and slim the pages once all of them are written."""
    if error is None and app.builder.format == "html":
        paths = sorted(Path(app.outdir).rglob("*.html"))
        texts = [path.read_text("utf-8") for path in paths]
        for path, text, corrected in zip(paths, texts, corrected_pages(texts), strict=True):
            if corrected != text:
                path.write_text(corrected, "utf-8")
        externalise(Path(app.outdir))


def corrected_pages(pages: list[str]) -> list[str]:
    """Return pages as readers shall get them; what was corrected before stays as it is."""
    corrections = (with_correct_roles, with_ledger_links, with_sentences, without_icon_script)
    for correct in corrections:
        pages = [correct(page) for page in pages]
    return with_formulas(pages)


def without_icon_script(page: str) -> str:
    """Drop the script that turns the theme's icons into SVG: half a megabyte on every page.

    The theme's style sheet draws the same icons from a font. The script would also rewrite the
    icons of Jupyter's own widgets, some of which stop working then.
    """
    return re.sub(r"<script[^>]*/fontawesome\.js[^>]*></script>\s*", "", page)


def with_correct_roles(page: str) -> str:
    """Correct what our dependencies tell screen readers, where axe objects to it."""
    page = page.replace(' role="doc-biblioentry"', ' role="listitem"')  # its parent is a list
    return page.replace('<summary aria-label="Toggle hidden content">', "<summary>")
