"""What an answer is held to: the definition's tests, then its solution on random inputs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .definition import Exercise, Test
from .expectations import expect, expect_same
from .sandbox import Call, Watched

SHARE_TOLERANCE = 0.025  # between shares of two random games: five standard errors, or more


class GraderError(Exception):
    """The grader itself cannot do its work; the learner is not to blame."""


def load(exercise: Exercise, source: str) -> Callable[..., Any]:
    """The function that a definition's own source defines (solution or mistake)."""
    namespace: dict[str, Any] = {"np": np}
    exec(compile(source, f"<{exercise.id} definition>", "exec", dont_inherit=True), namespace)
    return namespace[exercise.function]


@functools.lru_cache(maxsize=None)  # noqa: UP033
def random_inputs(exercise: Exercise) -> tuple[tuple[Any, ...], ...]:
    """The arguments that the definition's ``inputs`` generates, the same ones every time."""
    return tuple(exercise.inputs(np.random.default_rng(2017))) if exercise.inputs else ()


@functools.lru_cache(maxsize=None)  # noqa: UP033
def tests_of(exercise: Exercise) -> tuple[Test, ...]:
    """The tests of the definition, and the comparison with its solution on random inputs."""
    if not random_inputs(exercise):
        return exercise.tests
    compare = _same_values if exercise.fingerprint is None else _same_shares

    def agrees_on_random_inputs(answer: Callable[..., Any]) -> None:
        """On inputs drawn at random the answer gives what the solution gives."""
        for args, right in zip(random_inputs(exercise), _right(exercise), strict=True):
            compare(exercise, answer, args, right)

    return (*exercise.tests, agrees_on_random_inputs)


@functools.lru_cache(maxsize=None)  # noqa: UP033
def reference_calls(exercise: Exercise) -> tuple[tuple[str, Call], ...]:
    """Every call the tests make, by test name, with the reference solution's results."""
    found: list[tuple[str, Call]] = []
    for test in tests_of(exercise):
        reference = Watched(load(exercise, exercise.solution), exercise.function)
        try:
            test(reference)
        except Exception as error:
            raise GraderError(f"the reference solution fails {test.__name__}: {error}") from error
        found.extend((test.__name__, call) for call in reference.calls)
    return tuple(found)


@functools.lru_cache(maxsize=None)  # noqa: UP033
def _right(exercise: Exercise) -> tuple[Any, ...]:
    """What the solution gives on the random inputs: its results, or its shares if it draws."""
    answer = Watched(load(exercise, exercise.solution), exercise.function)
    if exercise.fingerprint is not None:
        answer = functools.partial(exercise.fingerprint, answer)
    return tuple(answer(*args) for args in random_inputs(exercise))


def _same_values(_: Exercise, answer: Callable[..., Any], args: tuple[Any, ...], right: Any):
    sentence = "On an input drawn at random your result differs from the solution's."
    expect_same(answer(*args), right, sentence)


def _same_shares(exercise: Exercise, answer: Callable[..., Any], args: Any, right: dict):
    for name, share in exercise.fingerprint(answer, *args).items():
        sentence = f"On random inputs {name} is {share:.3g}, expected about {right[name]:.3g}."
        expect(abs(share - right[name]) < SHARE_TOLERANCE, sentence)
