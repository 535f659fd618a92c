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
from .reference import SHARE_TOLERANCE, load, random_inputs, reference_calls, tests_of
from .sandbox import LearnerError, NotAttempted, Watched

LARGEST_SHOWN = 24  # numbers in a counterexample that a reader still takes in


@functools.lru_cache(maxsize=None)  # noqa: UP033
def _mistake_outcomes(exercise: Exercise) -> tuple[Any, ...]:
    return tuple(outcomes_of(exercise, load(exercise, m.source)) for m in exercise.mistakes)


def outcomes_of(exercise: Exercise, answer: Callable[..., Any]) -> list[Any]:
    """What ``answer`` does on the inputs: a frozen value each, or a LearnerError.

    The inputs are those of the tests and the random ones. For an answer that draws random
    numbers, its shares on each random input instead: its draws cannot be compared.
    """
    watched = Watched(answer, exercise.function)
    if exercise.fingerprint is None:
        return [_outcome(watched, *call.args) for _, call in reference_calls(exercise)]
    shares = (_outcome(exercise.fingerprint, watched, *args) for args in random_inputs(exercise))
    return [list(found.values()) if isinstance(found, dict) else found for found in shares]


def _outcome(function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except (LearnerError, AssertionError) as error:
        return error
    except NotAttempted:
        return Ellipsis


def matching_mistake(exercise: Exercise, outcomes: list[Any], test: str) -> Mistake | None:
    """The mistake whose behaviour the outcomes show.

    First one that agrees on every input. Else the only one that agrees on the inputs of the
    failed test and on a random input where it is wrong, so that an answer with two mistakes
    earns the hint for the first of them, and none that merely looks like one on a small input.
    """
    tolerance = TOLERANCE if exercise.fingerprint is None else SHARE_TOLERANCE
    same = [
        [_same(mine, theirs, tolerance) for mine, theirs in zip(outcomes, mistaken, strict=True)]
        for mistaken in _mistake_outcomes(exercise)
    ]
    for mistake, agrees in zip(exercise.mistakes, same, strict=True):
        if all(agrees):
            return mistake
    if exercise.fingerprint is not None:
        return None
    calls = reference_calls(exercise)
    drawn = tests_of(exercise)[-1].__name__
    candidates = [
        mistake
        for mistake, agrees in zip(exercise.mistakes, same, strict=True)
        if mistake.fails == test
        and all(agree for agree, (name, _) in zip(agrees, calls, strict=True) if name == test)
        and any(
            agree and name == drawn and _wrong_number(outcome, call.result)
            for agree, outcome, (name, call) in zip(agrees, outcomes, calls, strict=True)
        )
    ]
    return candidates[0] if len(candidates) == 1 else None


def _wrong_number(outcome: Any, right: Any) -> bool:
    """Whether an outcome is made of finite numbers and wrong: nan and errors prove nothing."""
    if isinstance(outcome, Exception) or _same(outcome, right):
        return False
    return bool(np.isfinite(np.asarray(outcome, dtype=float)).all())


def _same(first: Any, second: Any, tolerance: float = TOLERANCE) -> bool:
    """Whether two outcomes are the same behaviour: equal values, or the same error."""
    if isinstance(first, LearnerError) and isinstance(second, LearnerError):
        return first.signature == second.signature
    try:
        a, b = np.asarray(first), np.asarray(second)
        if (a.dtype == bool) != (b.dtype == bool):
            return False
        a, b = a.astype(float), b.astype(float)
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
        given = ", ".join(map(_show, call.args))
        mine, right = _shown_apart(got, expected)
        return f"For `{exercise.function}({given})` you return `{mine}`, expected `{right}`."
    if got.shape != expected.shape:
        return ""
    gap = np.abs(numbers - expected)
    at = np.unravel_index(np.argmax(np.where(np.isfinite(gap), gap, np.inf)), gap.shape)
    index = ", ".join(str(int(i)) for i in at)
    mine, right = _shown_apart(got[at], expected[at])
    return f"At [{index}] you have {mine}, expected {right}."


def _shown_apart(first: Any, second: Any) -> tuple[str, str]:
    """Both values in as few digits as tell them apart, four at least."""
    for digits in (4, 8, 17):
        shown = _show(first, digits), _show(second, digits)
        if shown[0] != shown[1]:
            break
    return shown


def _show(value: Any, digits: int = 4) -> str:
    """A number, array or list, on one line, as one would type it."""
    if isinstance(value, tuple):
        return str(value)
    array = np.asarray(value)
    if array.dtype.kind == "f":
        exact = np.all(array == np.round(array)) and np.all(np.abs(array) < 1e6)
        form = ".0f" if exact else f".{digits}g"
        array = np.array([f"{x:{form}}" for x in array.ravel()]).reshape(array.shape)
    return str(array.tolist()).replace("'", "")
