"""Exercises: one definition serves the notebooks, the site and the command line.

>>> from llmlab.exercises import check
>>> check("attention.softmax", softmax)

One folder a chapter, with a module for each exercise: ``attention.softmax`` is defined in
``attention/softmax.py``, and found there; there is no list. Importing this package needs numpy
alone, because it also runs in the page.
"""

from __future__ import annotations

import difflib
import functools
import pkgutil
from importlib import import_module
from typing import Any

from .grading import grader
from .grading.definition import Exercise, Mistake
from .grading.verdict import Verdict

__all__ = [
    "Exercise",
    "Mistake",
    "Prompt",
    "Verdict",
    "all_exercises",
    "check",
    "check_source",
    "exercise",
    "grade_source",
    "prompt",
]


@functools.cache
def _ids() -> tuple[str, ...]:
    """Every exercise's id, chapter by chapter; no definition is read for that."""
    folders = [found.name for found in pkgutil.iter_modules(__path__) if found.ispkg]
    chapters = {name: import_module(f".{name}", __name__) for name in folders if name != "grading"}
    ordered = sorted(chapters, key=lambda name: chapters[name].CHAPTER)
    return tuple(
        f"{name}.{found.name}"
        for name in ordered
        for found in pkgutil.iter_modules(chapters[name].__path__)
    )


class Prompt(str):
    """An exercise's prompt: text that a notebook renders as markdown."""

    def _repr_markdown_(self) -> str:
        return str(self)


def all_exercises() -> tuple[Exercise, ...]:
    """Every exercise, chapter by chapter, the easier ones first."""
    found = [exercise(id) for id in _ids()]
    chapters = list(dict.fromkeys(one.chapter for one in found))
    return tuple(sorted(found, key=lambda one: (chapters.index(one.chapter), one.difficulty)))


def exercise(id: str) -> Exercise:
    """Return the exercise called ``id``, such as ``"attention.softmax"``.

    Raises ValueError, naming the nearest ids, if there is none.
    """
    if not isinstance(id, str):
        raise TypeError(
            f"id must be an exercise's name such as 'attention.softmax': got {type(id).__name__}."
        )
    if id not in _ids():
        by_ending = [name for name in _ids() if name.endswith("." + id.split(".")[-1])]
        near = by_ending or difflib.get_close_matches(id, _ids(), n=3, cutoff=0.0)
        names = ", ".join(repr(name) for name in near)
        raise ValueError(f"id must name an exercise: got {id!r}; the nearest: {names}.")
    return import_module(f".{id}", __name__).EXERCISE


def check(id: str, answer: Any) -> Verdict:
    """Grade ``answer``, the learner's function for exercise ``id``, and return the verdict.

    Never raises because of the learner; an untouched starter is "not attempted". The answer runs
    in a process of its own for ten seconds at most.
    """
    from .grading.isolation import grade_function  # the page has no processes

    definition = exercise(id)
    if not grader.attempted(answer):
        return grader.grade(definition, answer)
    return grade_function(id, functools.partial(grader.grade, definition, answer))


def check_source(id: str, source: str) -> Verdict:
    """Grade source text as :func:`grade_source` does, in a new process for ten seconds at most."""
    from .grading.isolation import grade_text

    return grade_text(exercise(id).id, grade_source, source)


def grade_source(id: str, source: str) -> Verdict:
    """Grade source text that defines the function of exercise ``id``; the same as :func:`check`.

    The text runs in a fresh namespace with numpy as ``np``.
    """
    definition = exercise(id)
    if not isinstance(source, str):
        raise TypeError(f"source must be the text of a program: got {type(source).__name__}.")
    return grader.grade_source(definition, source)


def prompt(id: str) -> Prompt:
    """Return the prompt of exercise ``id``; a notebook renders it."""
    return Prompt(exercise(id).prompt_markdown())
