"""Finding the hint a wrong answer earns, by what it does and not by how it is written.

The answer and every typical mistake are run on the inputs that the tests use. If the answer does
what a mistake does, it earns that mistake's hint; the smallest input on which it differs from the
reference solution becomes the counterexample it is shown.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .definition import Exercise, Mistake
from .expectations import TOLERANCE
from .sandbox import Call, LearnerError, NotAttempted, Watched

FINGERPRINT_TOLERANCE = 0.025  # statistics of random answers: several standard errors wide
LARGEST_SHOWN = 24  # numbers in a counterexample that a reader still takes in


class GraderError(Exception):
    """The grader itself cannot do its work; the learner is not to blame."""


def _load(exercise: Exercise, source: str) -> Callable[..., Any]:
    """The function that a definition's own source defines (solution or mistake)."""
    namespace: dict[str, Any] = {"np": np}
    exec(compile(source, f"<{exercise.id} definition>", "exec", dont_inherit=True), namespace)
    return namespace[exercise.function]


@functools.lru_cache(maxsize=None)  # noqa: UP033
def reference_calls(exercise: Exercise) -> tuple[tuple[str, Call], ...]:
    """Every call the tests make, by test name, with the reference solution's results."""
    found: list[tuple[str, Call]] = []
    for test in exercise.tests:
        reference = Watched(_load(exercise, exercise.solution), exercise.function)
        try:
            test(reference)
        except Exception as error:
            raise GraderError(f"the reference solution fails {test.__name__}: {error}") from error
        found.extend((test.__name__, call) for call in reference.calls)
    return tuple(found)


@functools.lru_cache(maxsize=None)  # noqa: UP033
def _mistake_outcomes(exercise: Exercise) -> tuple[Any, ...]:
    return tuple(outcomes_of(exercise, _load(exercise, m.source)) for m in exercise.mistakes)


def outcomes_of(exercise: Exercise, answer: Callable[..., Any]) -> list[Any]:
    """What ``answer`` does on the tests' inputs: a frozen value each, or a LearnerError.

    For an answer that draws random numbers, its fingerprint instead: one array of statistics.
    """
    watched = Watched(answer, exercise.function)
    if exercise.fingerprint is not None:
        return [_outcome(exercise.fingerprint, watched)]
    return [_outcome(watched, *call.args) for _, call in reference_calls(exercise)]


def _outcome(function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except (LearnerError, AssertionError) as error:
        return error
    except NotAttempted:
        return Ellipsis


def matching_mistake(exercise: Exercise, outcomes: list[Any], test: str) -> Mistake | None:
    """The mistake whose behaviour the outcomes show.

    First one that agrees on every input; else the only one that agrees on the inputs of the
    failed test, so that an answer with two mistakes earns the hint for the first of them.
    """
    tolerance = TOLERANCE if exercise.fingerprint is None else FINGERPRINT_TOLERANCE
    same = [
        [_same(mine, theirs, tolerance) for mine, theirs in zip(outcomes, mistaken, strict=True)]
        for mistaken in _mistake_outcomes(exercise)
    ]
    for mistake, agrees in zip(exercise.mistakes, same, strict=True):
        if all(agrees):
            return mistake
    if exercise.fingerprint is not None:
        return None
    tests = [name for name, _ in reference_calls(exercise)]
    candidates = [
        mistake
        for mistake, agrees in zip(exercise.mistakes, same, strict=True)
        if mistake.fails == test
        and all(agree for agree, name in zip(agrees, tests, strict=True) if name == test)
    ]
    return candidates[0] if len(candidates) == 1 else None


def _same(first: Any, second: Any, tolerance: float = TOLERANCE) -> bool:
    """Whether two outcomes are the same behaviour: equal values, or the same error."""
    if isinstance(first, LearnerError) and isinstance(second, LearnerError):
        return first.signature == second.signature
    try:
        a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    except Exception:
        return False
    return a.shape == b.shape and bool(
        np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
    )


def counterexample(exercise: Exercise, outcomes: list[Any], test: str) -> str:
    """The smallest input on which the answer is wrong, with what it returns and what is right.

    Inputs small enough to show come first, and among these the failed test's own.
    """
    wrong = []
    for (name, call), outcome in zip(reference_calls(exercise), outcomes, strict=True):
        if not isinstance(outcome, Exception) and not _same(outcome, call.result):
            size = sum(np.size(arg) for arg in call.args)
            order = (size > LARGEST_SHOWN, name != test, size, len(wrong))
            wrong.append((order, call, outcome))
    if not wrong:
        return ""
    _, call, got = min(wrong)  # the last number of the order settles every tie
    expected = np.asarray(call.result)
    try:
        got = np.asarray(got)
        numbers = got.astype(float)
    except Exception:
        return ""
    if got.shape != expected.shape and expected.ndim != 1:
        return ""  # the sentence about the shape says it
    if max(got.size, expected.size, *(np.size(arg) for arg in call.args)) <= LARGEST_SHOWN:
        given = ", ".join(_show(arg) for arg in call.args)
        return (
            f"For `{exercise.function}({given})` you return `{_show(got)}`, "
            f"expected `{_show(expected)}`."
        )
    if got.shape != expected.shape:
        return ""
    gap = np.abs(numbers - expected)
    at = np.unravel_index(np.argmax(np.where(np.isfinite(gap), gap, np.inf)), gap.shape)
    index = ", ".join(str(int(i)) for i in at)
    return f"At [{index}] you have {numbers[at]:.4g}, expected {float(expected[at]):.4g}."


def _show(value: Any) -> str:
    """A number, array or list in at most four digits, on one line, as one would type it."""
    if isinstance(value, tuple):
        return str(value)
    array = np.asarray(value)
    if array.dtype.kind == "f":
        exact = np.all(array == np.round(array))
        array = np.array([f"{x:.0f}" if exact else f"{x:.4g}" for x in array.ravel()]).reshape(
            array.shape
        )
    return str(array.tolist()).replace("'", "")
