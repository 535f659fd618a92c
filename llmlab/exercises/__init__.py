"""Exercises: one definition serves the notebooks, the site and the command line.

>>> from llmlab.exercises import check
>>> check("attention.softmax", softmax)

One module a chapter (:mod:`.attention`, :mod:`.transformer`, :mod:`.pretraining`) holds the
definitions. Importing this package needs numpy alone, because it also runs in the page.
"""

from __future__ import annotations

import difflib
from typing import Any

from . import attention, grader, pretraining, transformer
from .definition import Exercise, Mistake
from .verdict import Verdict

__all__ = [
    "Exercise",
    "Mistake",
    "Prompt",
    "Verdict",
    "all_exercises",
    "check",
    "exercise",
    "grade_source",
    "prompt",
]

_EXERCISES = {
    definition.id: definition
    for chapter in (attention, transformer, pretraining)
    for definition in chapter.EXERCISES
}


class Prompt(str):
    """An exercise's prompt: text that a notebook renders as markdown."""

    def _repr_markdown_(self) -> str:
        return str(self)


def all_exercises() -> tuple[Exercise, ...]:
    """Every exercise, in the order of the book."""
    return tuple(_EXERCISES.values())


def exercise(id: str) -> Exercise:
    """Return the exercise called ``id``, such as ``"attention.softmax"``.

    Raises ValueError, naming the nearest ids, if there is none.
    """
    if not isinstance(id, str):
        raise TypeError(
            f"id must be an exercise's name such as 'attention.softmax': got {type(id).__name__}."
        )
    if id not in _EXERCISES:
        by_ending = [name for name in _EXERCISES if name.endswith("." + id.split(".")[-1])]
        near = by_ending or difflib.get_close_matches(id, _EXERCISES, n=3, cutoff=0.0)
        names = ", ".join(repr(name) for name in near)
        raise ValueError(f"id must name an exercise: got {id!r}; the nearest: {names}.")
    return _EXERCISES[id]


def check(id: str, answer: Any) -> Verdict:
    """Grade ``answer``, the learner's function for exercise ``id``, and return the verdict.

    Never raises because of the learner; an untouched starter is "not attempted".
    """
    return grader.grade(exercise(id), answer)


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
