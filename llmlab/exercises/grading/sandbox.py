"""Running a learner's function without letting it disturb, or fool, the grader.

Every call gets copies of its inputs, a captured and bounded standard output, and a numpy whose
functions are put back afterwards if the answer replaced them. Whatever the code raises, even
SystemExit, becomes a :class:`LearnerError` with the learner's own line in it.
"""

from __future__ import annotations

import contextlib
import copy
import dis
import functools
import io
import linecache
import math
import random
import traceback
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .expectations import kind_of

WRAPPERS = 20  # decorators and partials that are looked through, around an answer
OUTPUT_LIMIT = 2000  # characters of printed text kept, so that an endless print costs no memory

NOTHING = "Your function returns nothing: did you forget `return`?"
NEVER_ENDS = ": is there a loop that never ends?"

# Taken when the package is imported: the functions an answer might replace, as numpy made them.
_CLEAN = {module: dict(vars(module)) for module in (np, np.linalg, np.random, math)}

_PLAIN_WORDS = {
    NameError: "uses a name that nothing has defined",
    IndexError: "reaches past the end of an array or a list",
    ZeroDivisionError: "divides by zero",
    AttributeError: "asks for something that this value does not have",
    ImportError: "imports something that is not here",
    TypeError: "uses a value in a way its type does not allow",
    ValueError: "gets a value, or a shape, that does not fit",
    AssertionError: "makes an assertion that does not hold",
}


class LearnerError(Exception):
    """The learner's code raised: a sentence for them, and what identifies the error."""

    def __init__(self, sentence: str, line: int | None = None, signature: str = "") -> None:
        super().__init__(sentence)
        self.line = line
        self.signature = signature


class NotAttempted(Exception):
    """The answer is still the starter, or says that it is not implemented."""


class Call(NamedTuple):
    """One call of an answer: its inputs, and what it returned (frozen)."""

    args: tuple[Any, ...]
    result: Any


class Watched:
    """A learner's function as the tests see it.

    Calling it copies the inputs, runs the function quietly, and returns a frozen copy of the
    result (arrays of numpy, whatever library made them). It remembers ``calls``, the text
    ``printed``, and whether the function changed its inputs (``mutates``).
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self.function = function
        self.name = name
        self.calls: list[Call] = []
        self.output = _Printed()
        self.mutates = False

    def __call__(self, *args: Any) -> Any:
        """Call the function on copies of ``args``; LearnerError or NotAttempted as it goes."""
        given = copy.deepcopy(args)
        try:
            with quiet(self.output):
                result = freeze(self.function(*given))
                self.mutates = self.mutates or not all(map(_untouched, args, given))
        except BaseException as error:
            raise explain(error, _filename(self.function), self.name) from error
        if result is Ellipsis:
            raise NotAttempted
        if result is None:
            raise LearnerError(NOTHING, signature=NOTHING)
        self.calls.append(Call(copy.deepcopy(args), result))
        return copy.deepcopy(result)

    @property
    def printed(self) -> str:
        """What the function printed, up to ``OUTPUT_LIMIT`` characters."""
        return self.output.getvalue()


@contextlib.contextmanager
def clean_state() -> Iterator[None]:
    """Grade with numpy as it was imported; put names and random state back as they were."""
    before = {module: dict(vars(module)) for module in _CLEAN}
    _put_back(_CLEAN)
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)
        _put_back(before)


@contextlib.contextmanager
def quiet(output: io.StringIO) -> Iterator[None]:
    """Run learner's code: print into ``output``, no warnings, numpy put back afterwards."""
    try:
        with (
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
            warnings.catch_warnings(),
            np.errstate(all="ignore"),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        _put_back(_CLEAN)


def freeze(value: Any) -> Any:
    """Copy a returned value: tensors and array subclasses become plain arrays, all the way down.

    The grader compares frozen values only, so neither a later change of a returned buffer nor
    a class with its own idea of equality can mislead it.
    """
    if hasattr(value, "detach"):  # a torch tensor, recognised without importing torch
        return np.array(value.detach().cpu().numpy())
    if isinstance(value, (np.ndarray, np.generic)):
        return copy.deepcopy(np.array(value))  # deep, for arrays of objects
    if isinstance(value, (list, tuple)):
        items = [freeze(item) for item in value]
        return items if isinstance(value, list) else tuple(items)
    try:
        return copy.deepcopy(value)
    except Exception:
        if isinstance(value, types.CoroutineType):
            value.close()  # else Python warns that nobody awaited it
        sentence = f"Your function returns {kind_of(value)}: return an array, a number or a list."
        raise LearnerError(sentence, signature=sentence) from None


def explain(error: BaseException, filename: str | None, name: str) -> Exception:
    """Turn what the learner's code raised into a sentence that names their own line."""
    if isinstance(error, LearnerError):
        return error
    if isinstance(error, NotImplementedError):
        return NotAttempted()
    line = None
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == filename:
            line = number
    text = linecache.getline(filename, line).strip() if filename and line else ""
    place = "Your code" if line is None else f"Line {line}" + (f", `{text}`," if text else "")
    kind, detail = type(error).__name__, _text(error)
    if isinstance(error, RecursionError):
        sentence = f"{place} calls itself without end."
    elif isinstance(error, KeyboardInterrupt):
        sentence = f"{place} was interrupted{NEVER_ENDS}"
    elif isinstance(error, SystemExit):
        sentence = f"{place} asks Python to exit: return a value instead."
    elif isinstance(error, TypeError) and line is None:
        sentence = f"The tests could not call your `{name}` with their arguments: {detail}."
    else:
        words = next((w for k, w in _PLAIN_WORDS.items() if isinstance(error, k)), "stops")
        sentence = f"{place} {words}. Python says {kind}: {detail}".rstrip(": ")
    return LearnerError(sentence, line, f"{kind}: {detail}")


def is_idle(function: Any) -> bool:
    """Whether the body does nothing but return None, as ``...`` and ``pass`` do."""
    code = _code(function)
    if code is None:
        return False
    idle = {"RESUME", "NOP", "CACHE", "COPY_FREE_VARS", "RETURN_VALUE"}
    return all(
        step.opname in idle or (step.opname.endswith("_CONST") and step.argval is None)
        for step in dis.get_instructions(code)
    )


class _Printed(io.StringIO):
    """Keeps the first ``OUTPUT_LIMIT`` characters and drops the rest."""

    def write(self, text: str) -> int:
        super().write(text[: max(0, OUTPUT_LIMIT - self.tell())])
        return len(text)

    def close(self) -> None:
        """Stay open: an answer may close what it prints to."""


def _put_back(names: dict[Any, dict[str, Any]]) -> None:
    """Restore what was replaced or deleted; leave what was added, such as new submodules."""
    for module, space in names.items():
        now = vars(module)
        for name, value in space.items():
            if now.get(name) is not value:
                setattr(module, name, value)


def _code(function: Any) -> types.CodeType | None:
    """The code object behind a function, method, partial or callable object, if it has one."""
    for _ in range(WRAPPERS):
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, np.vectorize):
            function = function.pyfunc
        else:
            function = getattr(function, "__dict__", {}).get("__wrapped__", function)
    if not isinstance(function, (types.FunctionType, types.MethodType, type)):
        function = getattr(type(function), "__call__", function)  # noqa: B004
    code = getattr(function, "__code__", None)
    return code if isinstance(code, types.CodeType) else None


def _filename(function: Any) -> str | None:
    return getattr(_code(function), "co_filename", None)


def _untouched(before: Any, after: Any) -> bool:
    if isinstance(before, np.ndarray):
        return before.dtype == after.dtype and before.tobytes() == after.tobytes()
    return repr(before) == repr(after) if isinstance(before, list) else True


def _text(error: BaseException) -> str:
    """First line of an exception's message; some exceptions cannot even say theirs."""
    try:
        return (str(error).strip().splitlines() or [""])[0].rstrip(".")
    except Exception:
        return ""
