"""Quizzes: questions whose every answer is explained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import traitlets

from llmlab.display.sources import module, styles
from llmlab.display.widgets.shared.widget import Widget

__all__ = ["Choice", "Question", "Quiz"]

KINDS = ("single", "multiple", "number")


@dataclass(frozen=True)
class Choice:
    """One possible answer, whether it is right, and why (read when it is chosen)."""

    text: str
    correct: bool
    why: str


@dataclass(frozen=True)
class Question:
    """A question with its choices.

    "single" has one right choice, "multiple" one or more. For "number" the reader types: the text
    of the one right choice is the number, met within ``tolerance`` (absolute), and the others are
    likely mistakes with what to say to them. ``prompt``, ``text`` and ``why`` may hold `code` in
    backticks and *emphasis*. Raises ValueError if the choices do not make such a question.
    """

    prompt: str
    choices: Sequence[Choice]
    kind: str = "single"
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        about = f"of the question {self.prompt[:40]!r}"
        if not self.prompt.strip():
            raise ValueError("prompt must not be empty.")
        if self.kind not in KINDS:
            raise ValueError(f"kind {about} must be one of {', '.join(KINDS)}: got {self.kind!r}.")
        right = sum(choice.correct for choice in self.choices)
        if self.kind == "multiple" and right < 1:
            raise ValueError(f"choices {about} must hold at least one right choice: got none.")
        if self.kind != "multiple" and right != 1:
            raise ValueError(f"choices {about} must hold one right choice: got {right}.")
        if self.kind != "number" and len(self.choices) < 2:
            raise ValueError(f"choices {about} must be at least two: got {len(self.choices)}.")
        for choice in self.choices:
            if not choice.why.strip():
                raise ValueError(f"why of choice {choice.text!r} {about} must not be empty.")
            if self.kind == "number":
                _check_number(choice.text, about)
        if self.tolerance < 0:
            raise ValueError(f"tolerance {about} must not be negative: got {self.tolerance}.")


class Quiz(Widget):
    """Questions in the page: choose, check, read why, try again. All of it runs in the browser.

    Choices are shuffled, always in the same way: where they stand says nothing of which is right.
    What the reader answers is kept there too, under ``name``, a hash of all the words.
    """

    _esm = module("widgets/quiz/quiz.js")
    _css = styles("widgets/shared/theme.css", "widgets/quiz/quiz.css")

    name = traitlets.Unicode().tag(sync=True)  # stem of the ids in the page, key of what is kept
    questions = traitlets.List(traitlets.Dict()).tag(sync=True)

    def __init__(self, questions: Sequence[Question], *, title: str = "Check yourself"):
        if not questions:
            raise ValueError("questions must hold at least one question: got none.")
        entries = [
            {
                "prompt": question.prompt,
                "kind": question.kind,
                "tolerance": question.tolerance,
                "choices": [vars(choice) for choice in _shuffled(question)],
            }
            for question in questions
        ]
        words = [[entry["prompt"], *(c["text"] for c in entry["choices"])] for entry in entries]
        name = "quiz-" + _digest(json.dumps(words))[:8]
        noun = "question" if len(entries) == 1 else "questions"
        description = f"A quiz: {len(entries)} {noun}, every answer explained."
        super().__init__(name=name, title=title, description=description, questions=entries)


def _shuffled(question: Question) -> list[Choice]:
    """The choices in an order that their words decide, and not the place their author gave them."""
    return sorted(question.choices, key=lambda choice: _digest(question.prompt + choice.text))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _check_number(text: str, about: str) -> None:
    try:
        float(text)
    except ValueError:
        raise ValueError(f"choices {about} must be numbers such as '0.5': got {text!r}.") from None
