"""The contract of every exercise, as a function and as source text."""

from __future__ import annotations

import ast
import inspect
import linecache

import nbformat
import numpy as np
import pytest

from llmlab.exercises import all_exercises, exercise, grade_source
from llmlab.exercises.grading.definition import Exercise, Mistake, changed
from llmlab.exercises.grading.grader import grade
from llmlab.exercises.grading.reference import random_inputs

from .mutants import guarded, mutants

EXERCISES = {definition.id: definition for definition in all_exercises()}
MISTAKES = [(e.id, m) for e in EXERCISES.values() for m in e.mistakes]


def define(source: str, name: str):
    """The function that ``source`` defines, as a notebook's cell would make it."""
    namespace = {"np": np}
    linecache.cache["<cell>"] = (len(source), None, source.splitlines(True), "<cell>")
    exec(compile(source, "<cell>", "exec"), namespace)
    return namespace[name]


def verdicts(id: str, source: str):
    """The verdict on ``source`` by both ways of grading, which must be the same."""
    by_function = grade(EXERCISES[id], define(source, EXERCISES[id].function))
    assert by_function == grade_source(id, source)
    return by_function


def test_the_fifteen_exercises_of_three_chapters():
    assert [id.split(".")[0] for id in EXERCISES] == (
        ["attention"] * 5 + ["transformer"] * 4 + ["pretraining"] * 6
    )


@pytest.mark.parametrize("id", EXERCISES)
def test_starter_is_not_attempted(id):
    starter = EXERCISES[id].starter
    assert verdicts(id, starter).status == "not attempted"
    for body in ("pass", "return ...", "raise NotImplementedError", "raise NotImplementedError()"):
        assert verdicts(id, changed(starter, "    ...", f"    {body}")).status == "not attempted"


@pytest.mark.parametrize("id", EXERCISES)
def test_solution_passes(id):
    verdict = verdicts(id, EXERCISES[id].solution)
    assert verdict.passed, str(verdict)
    assert len(EXERCISES[id].solution.splitlines()) <= 12


@pytest.mark.parametrize("id", EXERCISES)
def test_correct_answers_are_written_in_other_ways_too(id):
    definition = EXERCISES[id]
    assert len(definition.variants) >= 2
    assert definition.solution not in definition.variants


@pytest.mark.parametrize(
    ("id", "source"), [(id, source) for id, one in EXERCISES.items() for source in one.variants]
)
def test_other_correct_answers_pass(id, source):
    verdict = verdicts(id, source)
    assert verdict.passed, str(verdict)


@pytest.mark.parametrize(
    ("id", "mistake"), MISTAKES, ids=[f"{id}: {mistake.name}" for id, mistake in MISTAKES]
)
def test_mistakes_fail_their_test_and_earn_their_hint(id, mistake):
    verdict = verdicts(id, mistake.source)
    assert (verdict.status, verdict.test) == ("failed", mistake.fails), str(verdict)
    assert verdict.hint == mistake.hint


@pytest.mark.parametrize("id", EXERCISES)
def test_every_definition_draws_random_inputs(id):
    """Several, which the generator alone decides."""
    definition = EXERCISES[id]
    assert definition.inputs, f"{id} has no `inputs`: a generator of random arguments."
    assert len(random_inputs(definition)) >= (3 if definition.fingerprint else 6)
    drawn = [list(definition.inputs(np.random.default_rng(3))) for _ in range(2)]
    assert repr(drawn[0]) == repr(drawn[1])
    assert repr(drawn[0]) != repr(list(definition.inputs(np.random.default_rng(4))))


@pytest.mark.parametrize("id", [id for id in EXERCISES if not EXERCISES[id].fingerprint])
def test_random_inputs_do_not_look_alike(id):
    """Some array has several rows and axes that all differ, and so do the sizes of the inputs."""
    arrays = [np.asarray(arg) for args in random_inputs(EXERCISES[id]) for arg in args]
    tables = [array.shape for array in arrays if array.ndim > 1]
    uneven = [shape for shape in tables if min(shape) > 1 and len(set(shape)) == len(shape)]
    assert uneven or not tables
    assert len({array.shape for array in arrays}) > 5 or not any(array.ndim for array in arrays)


@pytest.mark.parametrize("id", EXERCISES)
def test_no_mutant_of_the_solution_passes(id):
    """But for the changes that the definition calls harmless, each of which must be one."""
    definition = EXERCISES[id]
    passed = {
        line
        for line, source in mutants(definition.solution)
        if grade_source(id, guarded(source)).status != "failed"
    }
    assert passed == dict(definition.harmless).keys()
    assert all(len(reason) > 20 for _, reason in definition.harmless)


def test_mutants_drop_swap_shift_change_and_flip():
    source = "def f(x, n):\n    y = x[1] - n\n    return np.where(y < 0, y.sum(axis=-1), n * 2.0)\n"
    lines = [line for line, _ in mutants(source)]
    for wanted in (
        "pass",
        "y = x[1]",
        "y = x[1] + n",
        "y = x[2] - n",
        "return np.where(y <= 0, y.sum(axis=-1), n * 2.0)",
        "return np.where(y < 0, y.sum(axis=1), n * 2.0)",
        "return np.where(y < 0, n * 2.0, y.sum(axis=-1))",
        "return np.where(y < 0, y.sum(), n * 2.0)",
        "return np.where(y < 0, y, n * 2.0)",
        "return np.where(y < 0, y.sum(axis=-1), n * 3.0)",
    ):
        assert wanted in lines
    assert len(set(lines)) == len(lines)


@pytest.mark.parametrize("id", EXERCISES)
def test_every_definition_is_complete(id):
    definition = EXERCISES[id]
    assert 3 <= len(definition.tests) <= 6
    assert len(definition.mistakes) >= 4
    assert len(EXERCISES[id].variants) >= 2
    assert len({mistake.hint for mistake in definition.mistakes}) == len(definition.mistakes)
    assert definition.hints
    assert not definition.torch
    assert all(inspect.getdoc(test) for test in definition.tests)
    assert definition.prompt.count("$") % 2 == 0
    for source in (definition.starter, definition.solution):
        (function,) = ast.parse(source).body
        assert function.name == definition.function
    arguments = [ast.parse(s).body[0].args for s in (definition.starter, definition.solution)]
    assert ast.dump(arguments[0]) == ast.dump(arguments[1])


@pytest.mark.parametrize("id", EXERCISES)
def test_cells(id):
    prompt, starter, solution = exercise(id).cells()
    definition = EXERCISES[id]
    assert prompt["cell_type"] == solution["cell_type"] == "markdown"
    assert prompt["source"].startswith(f"### Exercise: {definition.title}\n\nDifficulty ")
    assert definition.prompt in prompt["source"]
    assert starter["metadata"]["tags"] == ["exercise"]
    assert starter["source"] == (definition.starter + f'\n\ncheck("{id}", {definition.function})')
    assert solution["source"].startswith("<details><summary>Solution</summary>\n\n```python\n")
    assert definition.solution in solution["source"]


def test_cells_are_a_valid_notebook():
    cells = [cell for definition in all_exercises() for cell in definition.cells()]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    nbformat.validate(nbformat.from_dict(notebook))


def _definition(**fields):
    defaults = {
        "id": "chapter.double", "title": "Double", "difficulty": 1, "minutes": 1, "prompt": "",
        "starter": "def double(x): ...", "solution": "def double(x):\n    return 2 * x",
        "tests": (), "mistakes": (),
    }  # fmt: skip
    return Exercise(**{**defaults, **fields})


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"id": "double"}, "id must look like"),
        ({"difficulty": 4}, "difficulty must be 1, 2 or 3: got 4"),
        ({"mistakes": (Mistake("m", "", "no_such_test", ""),)}, "must fail a test"),
        ({"tests": (len, len)}, "different names"),
    ],
)
def test_bad_definitions_are_refused(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        _definition(**fields)


def test_an_edit_that_changes_nothing_is_refused():
    with pytest.raises(ValueError, match="must occur in source"):
        changed("a + b", "a - b", "b")
