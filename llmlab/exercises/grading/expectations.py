"""What the tests of exercises say: small checks that fail with a sentence for the learner.

They raise AssertionError themselves (a bare ``assert`` would vanish under ``python -O``) and
take whatever a learner may return: numpy arrays, numbers, lists, strings, objects.
"""

from __future__ import annotations

import operator
import types
from typing import Any

import numpy as np

TOLERANCE = 1e-5

_UNFINISHED = {
    str: "text",
    types.GeneratorType: "a generator (`yield` makes one)",
    types.CoroutineType: "a coroutine (`async def` makes one)",
    types.AsyncGeneratorType: "an asynchronous generator",
    types.ModuleType: "a module",
    types.FunctionType: "a function",
}


def expect(condition: Any, sentence: str) -> None:
    """Raise AssertionError with ``sentence`` unless ``condition`` holds."""
    if not bool(condition):
        raise AssertionError(sentence)


def as_array(got: Any, wanted: str = "an array of real numbers") -> np.ndarray:
    """Return ``got`` as an array of booleans or real numbers; AssertionError if it is not one."""
    try:
        array = np.asarray(got)
    except Exception as error:
        raise AssertionError(
            "Your function returns rows of different lengths: return a rectangular array."
        ) from error
    if array.dtype.kind not in "biuf":
        raise AssertionError(f"Your function returns {kind_of(got)}: return {wanted}.")
    return array


def expect_shape(got: Any, shape: tuple[int, ...], reading: str = "") -> np.ndarray:
    """Check the shape of ``got``; ``reading`` says in words what the axes are."""
    array = as_array(got) if shape else as_array(got, "a real number")
    ending = f": {reading}." if reading else "."
    expect(
        array.shape == tuple(shape),
        f"Your result has shape {array.shape}, expected {tuple(shape)}{ending}",
    )
    return array


def expect_close(got: Any, expected: Any, sentence: str, tolerance: float = TOLERANCE) -> None:
    """Check shape and values of ``got``, within an absolute and relative ``tolerance``."""
    expected = np.asarray(expected, dtype=float)
    array = expect_shape(got, expected.shape).astype(float)
    if np.isnan(array).any() and not np.isnan(expected).any():
        raise AssertionError(f"{sentence} Your result contains nan (not a number).")
    expect(np.allclose(array, expected, rtol=tolerance, atol=tolerance, equal_nan=True), sentence)


def expect_same(got: Any, expected: Any, sentence: str) -> None:
    """Check that ``got`` is ``expected``: booleans and whole numbers exactly, others closely."""
    expected = np.asarray(expected)
    array = expect_shape(got, expected.shape)
    if expected.dtype.kind == "f":
        expect_close(array, expected, sentence)
    else:
        alike = (array.dtype == bool) == (expected.dtype == bool)
        expect(alike and np.array_equal(array, expected), sentence)


def expect_number(got: Any) -> float:
    """Check that ``got`` is one real number, not an array of them, and return it as a float."""
    array = as_array(got)
    expect(
        array.shape == (),
        f"Your function returns an array of shape {array.shape}: return one number.",
    )
    return float(array)


def expect_tokens(got: Any) -> list[int]:
    """Check that ``got`` is a flat sequence of whole numbers and return it as a list."""
    try:
        return [operator.index(token) for token in got]
    except Exception as error:
        raise AssertionError(
            f"Your function returns {kind_of(got)}: return a flat list of token ids (integers)."
        ) from error


def kind_of(value: Any) -> str:
    """Say what ``value`` is, in words a learner knows."""
    if isinstance(value, np.ndarray):
        return f"an array of {'text' if value.dtype.kind in 'US' else value.dtype.name}"
    if isinstance(value, (list, tuple)) and value:
        return f"a {type(value).__name__} of {type(value[0]).__name__}"
    for type_, words in _UNFINISHED.items():
        if isinstance(value, type_):
            return words
    return f"a value of type {type(value).__name__}"
