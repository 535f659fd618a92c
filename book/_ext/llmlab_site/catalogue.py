"""What there is to do in each chapter: its exercises, and the questions of its quizzes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat

CATALOGUE = "book/_generated/catalogue.json"
CHECK = re.compile(r'^check\("([\w.]+)"', re.M)
WIDGETS = "application/vnd.jupyter.widget-state+json"
QUIZ = "llmlab.display.widgets.quiz.quiz.Quiz"


def catalogue(executed: Mapping[str, Path], titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """List the chapters that have something to do, in the order of the book.

    Args:
        executed: document name and executed file of each notebook, in the order of the book.
        titles: the title of each document.

    Returns:
        for each chapter its ``document``, ``title``, the ids of its ``exercises``, and the ``name``
        and number of ``questions`` of its ``quizzes``.
    """
    chapters = []
    for document, path in executed.items():
        notebook = nbformat.read(path, as_version=4)
        exercises, quizzes = _exercises(notebook), _quizzes(notebook)
        if exercises or quizzes:
            entry = {"document": document, "title": titles[document]}
            chapters.append({**entry, "exercises": exercises, "quizzes": quizzes})
    return chapters


def _exercises(notebook: nbformat.NotebookNode) -> list[str]:
    tagged = [cell for cell in notebook.cells if "exercise" in cell.metadata.get("tags", [])]
    return [id for cell in tagged for id in CHECK.findall(cell.source)]


def _quizzes(notebook: nbformat.NotebookNode) -> list[dict[str, Any]]:
    models = notebook.metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {}).values()
    states = [model["state"] for model in models]
    quizzes = [state for state in states if state.get("_anywidget_id") == QUIZ]
    return [{"name": quiz["name"], "questions": len(quiz["questions"])} for quiz in quizzes]
