"""What an exercise is: one definition that serves notebooks, the site and the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

Answer = Callable[..., Any]
Test = Callable[[Answer], None]
Inputs = Callable[[np.random.Generator], Iterable[tuple[Any, ...]]]


def changed(source: str, old: str, new: str) -> str:
    """Return ``source`` with its first ``old`` replaced by ``new``.

    Mistakes are written as edits of the solution, so that the reader sees only what differs.
    Raises ValueError if ``old`` is not in ``source``.
    """
    if old not in source:
        raise ValueError(f"old must occur in source: got {old!r}.")
    return source.replace(old, new, 1)


@dataclass(frozen=True)
class Mistake:
    """A typical wrong answer: its source, the first test it fails, and the hint it earns."""

    name: str
    source: str
    fails: str
    hint: str


@dataclass(frozen=True)
class Exercise:
    """One exercise: what the learner reads, what they start from, and how it is graded.

    ``tests`` are functions ``test(answer)`` that raise AssertionError with a sentence for the
    learner; their names are used by ``Mistake.fails``. ``variants`` are right answers written in
    other ways than the solution. ``inputs(generator)`` yields arguments drawn at random, on which
    every answer that passes the tests is compared with the solution, value by value: several
    rows, no two axes alike, long and extreme ones. ``fingerprint`` is only for answers that draw
    random numbers themselves: ``fingerprint(answer, *inputs)`` returns shares by name, which are
    compared instead of outputs. ``harmless`` names changes of the solution that are right all
    the same, each with the reason; every other change must fail (see the tests). ``torch`` marks
    exercises whose tests need torch and therefore cannot be graded in the page.
    """

    id: str
    title: str
    difficulty: int
    minutes: int
    prompt: str
    starter: str
    solution: str
    tests: tuple[Test, ...]
    mistakes: tuple[Mistake, ...]
    variants: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    inputs: Inputs | None = None
    fingerprint: Callable[..., dict[str, float]] | None = None
    harmless: tuple[tuple[str, str], ...] = ()
    torch: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z_]+\.[a-z_]+", self.id):
            raise ValueError(f"id must look like 'chapter.function': got {self.id!r}.")
        if self.difficulty not in (1, 2, 3):
            raise ValueError(f"difficulty must be 1, 2 or 3: got {self.difficulty!r}.")
        names = [test.__name__ for test in self.tests]
        if len(set(names)) < len(names):
            raise ValueError(f"the tests of {self.id} must have different names: got {names}.")
        for mistake in self.mistakes:
            if mistake.fails not in names:
                raise ValueError(
                    f"a mistake must fail a test of {self.id}, one of {names}: "
                    f"got {mistake.fails!r}."
                )
        for field in ("prompt", "starter", "solution"):
            object.__setattr__(self, field, getattr(self, field).strip())

    @property
    def function(self) -> str:
        """Name of the function the learner writes."""
        return self.id.split(".")[1]

    @property
    def chapter(self) -> str:
        """Name of the chapter's module, such as ``"attention"``."""
        return self.id.split(".")[0]

    def prompt_markdown(self) -> str:
        """Title, difficulty, minutes and prompt, as the notebook shows them."""
        dots = "●" * self.difficulty + "○" * (3 - self.difficulty)
        unit = "minute" if self.minutes == 1 else "minutes"
        return (
            f"### Exercise: {self.title}\n\n"
            f"Difficulty {self.difficulty} of 3 {dots} · about {self.minutes} {unit}\n\n"
            f"{self.prompt}"
        )

    def starter_code(self) -> str:
        """The starter cell: the function to complete, and the line that checks it."""
        return f'{self.starter}\n\ncheck("{self.id}", {self.function})'

    def solution_markdown(self) -> str:
        """The solution, folded."""
        return (
            f"<details><summary>Solution</summary>\n\n```python\n{self.solution}\n```\n\n</details>"
        )

    def cells(self) -> list[dict[str, Any]]:
        """The exercise as three notebook cells (nbformat 4.5): prompt, starter, solution.

        Paste them into a chapter as they are: a test holds the notebooks to these texts. The
        notebook imports ``numpy as np`` and ``check`` before.
        """
        name = self.id.replace(".", "-").replace("_", "-")

        def markdown(part: str, source: str) -> dict[str, Any]:
            return {
                "cell_type": "markdown",
                "id": f"{part}-{name}",
                "metadata": {},
                "source": source,
            }

        starter = {
            "cell_type": "code",
            "id": f"exercise-{name}",
            "metadata": {"tags": ["exercise"]},
            "execution_count": None,
            "outputs": [],
            "source": self.starter_code(),
        }
        return [
            markdown("prompt", self.prompt_markdown()),
            starter,
            markdown("solution", self.solution_markdown()),
        ]
