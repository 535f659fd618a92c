"""Grading: run the tests on an answer, and find the hint that its mistake earns.

The tests decide. A hint is found by behaviour, not by reading code: the answer and every typical
mistake are run on the inputs that the tests use, and if the answer does what a mistake does, it
earns that mistake's hint. Nothing here imports torch or IPython, so that the same file grades in
a notebook, in pytest, on the command line and in the page.
"""

from __future__ import annotations

import functools
import linecache
from collections.abc import Callable
from typing import Any

import numpy as np

from .definition import Exercise, Mistake, Test
from .expectations import TOLERANCE
from .sandbox import (
    NEVER_ENDS,
    Call,
    LearnerError,
    NotAttempted,
    Watched,
    clean_state,
    explain,
    is_idle,
    quiet,
)
from .verdict import Verdict

FINGERPRINT_TOLERANCE = 0.025  # statistics of random answers: several standard errors wide
LARGEST_SHOWN = 24  # numbers in a counterexample that a reader still takes in


class GraderError(Exception):
    """The grader itself cannot do its work; the learner is not to blame."""


def grade(exercise: Exercise, answer: Any) -> Verdict:
    """Grade ``answer``, the learner's function. Never raises because of the learner."""
    verdict = functools.partial(Verdict, exercise.id)
    try:
        with clean_state():
            return _grade(exercise, answer, verdict)
    except Exception as error:
        return verdict("grader error", _broken(error))


def grade_source(exercise: Exercise, source: str) -> Verdict:
    """Grade source text that defines the exercise's function; see :func:`grade`.

    The text runs in a fresh namespace with numpy as ``np``. A ``check(...)`` line in it does
    nothing. Line numbers in the verdict count from the first line of ``source``.
    """
    verdict = functools.partial(Verdict, exercise.id)
    watched = Watched(lambda: None, exercise.function)
    try:
        with clean_state():
            namespace = _execute(source, exercise, watched)
    except LearnerError as error:
        return verdict("failed", str(error), line=error.line, output=watched.printed)
    except NotAttempted:
        return verdict("not attempted", _invitation(exercise))
    except Exception as error:
        return verdict("grader error", _broken(error))
    if exercise.function not in namespace:
        names = sorted(
            name for name, value in namespace.items() if callable(value) and name != "check"
        )
        if not names:
            return verdict("not attempted", _invitation(exercise), output=watched.printed)
        found = ", ".join(f"`{name}`" for name in names)
        message = f"The tests look for a function named `{exercise.function}`; you define {found}."
        return verdict("failed", message, output=watched.printed)
    return grade(exercise, namespace[exercise.function])


def _grade(exercise: Exercise, answer: Any, verdict: Callable[..., Verdict]) -> Verdict:
    if not exercise.tests:
        raise GraderError("the exercise has no tests")
    if answer is Ellipsis or is_idle(answer):
        return verdict("not attempted", _invitation(exercise))
    if not callable(answer):
        return verdict(
            "failed",
            f"`check` needs the function itself: pass `{exercise.function}`, not its result "
            f"(got a value of type {type(answer).__name__}).",
        )
    _reference_calls(exercise)  # the grader proves that it works before it judges anyone
    watched = Watched(answer, exercise.function)
    failed = functools.partial(_failed, exercise, answer, watched, verdict)
    for test in exercise.tests:
        calls = len(watched.calls)
        try:
            test(watched)
        except NotAttempted:
            return verdict("not attempted", _invitation(exercise), output=watched.printed)
        except LearnerError as error:
            return failed(test, str(error), error.line)
        except AssertionError as error:
            return failed(test, str(error), None)
        if len(watched.calls) == calls:
            raise GraderError(f"the test {test.__name__} does not call the answer")
    count = len(exercise.tests)
    message = "The one test passes." if count == 1 else f"All {count} tests pass."
    if watched.mutates:
        message += (
            " One thing to know: your function changes the array or list it is given; "
            "a caller who still needs it would rather get a copy."
        )
    return verdict("passed", message, output=watched.printed)


def _failed(
    exercise: Exercise,
    answer: Any,
    watched: Watched,
    verdict: Callable[..., Verdict],
    test: Test,
    sentence: str,
    line: int | None,
) -> Verdict:
    printed = watched.printed
    if sentence.endswith(NEVER_ENDS):  # running it again would only hang again
        return verdict("failed", sentence, test.__name__, None, line, printed)
    outcomes = _outcomes(exercise, answer)
    mistake = _matching_mistake(exercise, outcomes, test.__name__)
    if line is None and exercise.fingerprint is None:
        sentence = " ".join(filter(None, [sentence, _counterexample(exercise, outcomes, test)]))
    hint = mistake.hint if mistake else None
    return verdict("failed", sentence, test.__name__, hint, line, printed)


def _execute(source: str, exercise: Exercise, watched: Watched) -> dict[str, Any]:
    """Run ``source`` as a module and return the names it defines."""
    filename = f"<{exercise.id}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    preset = {"np": np, "check": lambda *_: None}
    namespace = {"__name__": "__exercise__", **preset}
    try:
        code = compile(source, filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        detail = getattr(error, "msg", None) or str(error)
        text = (getattr(error, "text", None) or "").strip()
        place = f"Line {line}" if line else "Your code"
        shown = f", `{text}`," if text else ""
        raise LearnerError(f"{place}{shown} is not valid Python: {detail}.", line) from error
    try:
        with quiet(watched.output):
            exec(code, namespace)
    except BaseException as error:
        raise explain(error, filename, exercise.function) from error
    return {
        name: value
        for name, value in namespace.items()
        if not name.startswith("__") and preset.get(name) is not value
    }


def _load(exercise: Exercise, source: str) -> Callable[..., Any]:
    """The function that a definition's own source defines (solution or mistake)."""
    namespace: dict[str, Any] = {"np": np}
    exec(compile(source, f"<{exercise.id} definition>", "exec", dont_inherit=True), namespace)
    return namespace[exercise.function]


@functools.lru_cache(maxsize=None)  # noqa: UP033
def _reference_calls(exercise: Exercise) -> tuple[tuple[str, Call], ...]:
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
    return tuple(_outcomes(exercise, _load(exercise, m.source)) for m in exercise.mistakes)


def _outcomes(exercise: Exercise, answer: Callable[..., Any]) -> list[Any]:
    """What ``answer`` does on the tests' inputs: a frozen value each, or a LearnerError.

    For an answer that draws random numbers, its fingerprint instead: one array of statistics.
    """
    watched = Watched(answer, exercise.function)
    if exercise.fingerprint is not None:
        return [_outcome(exercise.fingerprint, watched)]
    return [_outcome(watched, *call.args) for _, call in _reference_calls(exercise)]


def _outcome(function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except (LearnerError, AssertionError) as error:
        return error
    except NotAttempted:
        return Ellipsis


def _matching_mistake(exercise: Exercise, outcomes: list[Any], test: str) -> Mistake | None:
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
    tests = [name for name, _ in _reference_calls(exercise)]
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


def _counterexample(exercise: Exercise, outcomes: list[Any], test: Test) -> str:
    """The smallest input on which the answer is wrong, with what it returns and what is right.

    Inputs small enough to show come first, and among these the failed test's own.
    """
    wrong = []
    for (name, call), outcome in zip(_reference_calls(exercise), outcomes, strict=True):
        if not isinstance(outcome, Exception) and not _same(outcome, call.result):
            size = sum(np.size(arg) for arg in call.args)
            order = (size > LARGEST_SHOWN, name != test.__name__, size, len(wrong))
            wrong.append((order, call, outcome))
    if not wrong:
        return ""
    _, call, got = min(wrong)  # the last number of the order settles every tie
    expected = np.asarray(call.result)
    try:
        got = np.asarray(got, dtype=float)
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
    gap = np.abs(got - expected)
    at = np.unravel_index(np.argmax(np.where(np.isfinite(gap), gap, np.inf)), gap.shape)
    index = ", ".join(str(int(i)) for i in at)
    return f"At [{index}] you have {got[at]:.4g}, expected {float(expected[at]):.4g}."


def _show(value: Any) -> str:
    """A number, array or list in at most four digits, on one line, as one would type it."""
    array = np.asarray(value)
    if array.dtype.kind == "f":
        exact = np.all(array == np.round(array))
        array = np.array([f"{x:.0f}" if exact else f"{x:.4g}" for x in array.ravel()]).reshape(
            array.shape
        )
    return str(array.tolist()).replace("'", "")


def _invitation(exercise: Exercise) -> str:
    return f"Write the body of `{exercise.function}`, then check again."


def _broken(error: Exception) -> str:
    return (
        "The grader could not do its work, and your answer is not scored: "
        f"{type(error).__name__}: {error}."
    )
