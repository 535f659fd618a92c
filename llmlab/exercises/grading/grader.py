"""Grading: run the tests on an answer, and find the hint that its mistake earns.

The tests decide. A hint is found by behaviour, not by reading code: the answer and every typical
mistake are run on the inputs that the tests use, and if the answer does what a mistake does, it
earns that mistake's hint. Nothing here imports torch or IPython, so that the same file grades in
a notebook, in pytest, on the command line and in the page.
"""

from __future__ import annotations

import dataclasses
import functools
import linecache
from collections.abc import Callable
from typing import Any

import numpy as np

from .definition import Exercise, Test
from .hints import counterexample, matching_mistake, outcomes_of
from .reference import GraderError, random_inputs, reference_calls, tests_of
from .sandbox import (
    NEVER_ENDS,
    OUTPUT_LIMIT,
    LearnerError,
    NotAttempted,
    Watched,
    clean_state,
    explain,
    is_idle,
    quiet,
)
from .verdict import Verdict

_MODULE = "__exercise__"  # what the learner's source sees as its __name__


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
            name
            for name, value in namespace.items()
            if callable(value) and getattr(value, "__module__", "") == _MODULE
        )
        if not names:
            return verdict("not attempted", _invitation(exercise), output=watched.printed)
        found = ", ".join(f"`{name}`" for name in names)
        message = f"The tests look for a function named `{exercise.function}`; you define {found}."
        return verdict("failed", message, output=watched.printed)
    found = grade(exercise, namespace[exercise.function])
    return dataclasses.replace(found, output=(watched.printed + found.output)[:OUTPUT_LIMIT])


def attempted(answer: Any) -> bool:
    """Whether ``answer`` is more than an untouched starter."""
    return not (answer is Ellipsis or is_idle(answer))


def _grade(exercise: Exercise, answer: Any, verdict: Callable[..., Verdict]) -> Verdict:
    if not exercise.tests:
        raise GraderError("the exercise has no tests")
    if not attempted(answer):
        return verdict("not attempted", _invitation(exercise))
    if not callable(answer):
        return verdict(
            "failed",
            f"`check` needs the function itself: pass `{exercise.function}`, not its result "
            f"(got a value of type {type(answer).__name__}).",
        )
    reference_calls(exercise)  # the grader proves that it works before it judges anyone
    watched = Watched(answer, exercise.function)
    failed = functools.partial(_failed, exercise, answer, watched, verdict)
    for test in tests_of(exercise):
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
    if drawn := len(random_inputs(exercise)):
        message += f" On {drawn} random inputs you agree with the solution."
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
    outcomes = outcomes_of(exercise, answer)
    mistake = matching_mistake(exercise, outcomes, test.__name__)
    if line is None and exercise.fingerprint is None:
        sentence = " ".join(
            filter(None, [sentence, counterexample(exercise, outcomes, test.__name__)])
        )
    hint = mistake.hint if mistake else None
    return verdict("failed", sentence, test.__name__, hint, line, printed)


def _execute(source: str, exercise: Exercise, watched: Watched) -> dict[str, Any]:
    """Run ``source`` as a module and return the names it defines."""
    filename = f"<{exercise.id}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    preset = {"np": np, "check": lambda *_: None}
    namespace = {"__name__": _MODULE, **preset}
    try:
        with quiet(watched.output):
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


def _invitation(exercise: Exercise) -> str:
    return f"Write the body of `{exercise.function}`, then check again."


def _broken(error: Exception) -> str:
    return (
        "The grader could not do its work, and your answer is not scored: "
        f"{type(error).__name__}: {error}."
    )
