"""The glossary and the chapters lead to each other.

A chapter links a term where it explains it, ``[token](../book/glossary.md#term-token)``: a link
that Jupyter and Colab understand too. Here MyST learns the terms as targets of such links, and
each entry of the glossary is given a link back to the first chapter that has one.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

GLOSSARY = "book/glossary"

Uses = dict[str, dict[str, str]]  # the id of a term: document: the id of its first use there


def add_glossary(app: Sphinx) -> None:
    """Register with Sphinx."""
    app.connect("doctree-read", note_terms)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    app.connect("env-updated", lambda app, env: [GLOSSARY] if GLOSSARY in env.all_docs else [])
    app.connect("doctree-resolved", link_back)


def uses(env: BuildEnvironment) -> Uses:
    """Where the chapters link to the glossary."""
    if not hasattr(env, "llmlab_uses"):
        env.llmlab_uses = {}
    return env.llmlab_uses


def note_terms(app: Sphinx, doctree: nodes.document) -> None:
    """Make the glossary's terms targets of links, or mark where a chapter first links to each."""
    document = app.env.docname
    if document == GLOSSARY:
        slugs = app.env.metadata[document].setdefault("myst_slugs", {})
        for term in doctree.findall(nodes.term):
            slugs |= {name: (term.line, name, term.astext()) for name in term["ids"]}
        return
    for link in list(doctree.findall(pending_xref)):
        term = link.get("reftargetid") if link.get("reftarget") == GLOSSARY else None
        if term and document not in uses(app.env).setdefault(term, {}):
            place = f"use-of-{term}"
            uses(app.env)[term][document] = place
            link.parent.insert(link.parent.index(link), nodes.target("", "", ids=[place]))


def forget(app: Sphinx, env: BuildEnvironment, document: str) -> None:
    """Drop what is known of a document that is read again."""
    for places in uses(env).values():
        places.pop(document, None)


def merge(app: Sphinx, env: BuildEnvironment, documents: list[str], other: BuildEnvironment):
    """Take what another process has read."""
    for term, places in uses(other).items():
        uses(env).setdefault(term, {}).update(places)


def link_back(app: Sphinx, doctree: nodes.document, document: str) -> None:
    """Close each entry of the glossary with a link to where the book explains it."""
    if document != GLOSSARY:
        return
    for entry in doctree.findall(nodes.definition_list_item):
        names = [name for term in entry.findall(nodes.term) for name in term["ids"]]
        places = [place for name in names for place in uses(app.env).get(name, {}).items()]
        if not places:
            continue
        chapter, place = min(places)  # chapters are numbered
        title = nodes.inline("", app.env.titles[chapter].astext())
        link = make_refnode(app.builder, GLOSSARY, chapter, place, title)
        words = nodes.Text("Explained in "), link, nodes.Text(".")
        entry[-1] += nodes.paragraph("", "", *words, classes=["llmlab-explained"])
