"""The contract of every exercise, through check() and through grade_source()."""

from __future__ import annotations

import ast
import inspect
import linecache

import nbformat
import numpy as np
import pytest

from llmlab.exercises import all_exercises, check, exercise, grade_source
from llmlab.exercises.definition import Exercise, Mistake, changed

EXERCISES = {definition.id: definition for definition in all_exercises()}
MISTAKES = [(e.id, m) for e in EXERCISES.values() for m in e.mistakes]

# Correct answers written differently from the solution, at least two for each exercise.
VARIANTS = {
    "attention.scores": (
        "def scores(a, b):\n    return np.einsum('tk,sk->ts', a, b) * a.shape[1] ** -0.5",
        "def scores(q, k):\n"
        "    return [[float(np.dot(x, y)) / len(x) ** 0.5 for y in k] for x in q]",
        "import math\n\ndef scores(q, k):\n    return (q / math.sqrt(q.shape[1])) @ k.transpose()",
    ),
    "attention.softmax": (
        "def softmax(x):\n"
        "    x = x - np.max(x, -1)[..., None]\n"
        "    return np.exp(x - np.log(np.sum(np.exp(x), -1, keepdims=True)))",
        "def softmax(x):\n"
        "    def one(row):\n"
        "        e = np.exp(row - row.max())\n"
        "        return e / e.sum()\n"
        "    return np.apply_along_axis(one, -1, x)",
        "def softmax(x):\n"
        "    x -= x.max(axis=-1, keepdims=True)\n"
        "    np.exp(x, out=x)\n"
        "    x /= x.sum(axis=-1, keepdims=True)\n"
        "    return x",
    ),
    "attention.causal_mask": (
        "def causal_mask(T):\n    t = np.arange(T)\n    return t[:, None] >= t",
        "def causal_mask(n):\n    return [[s <= t for s in range(n)] for t in range(n)]",
        "def causal_mask(T):\n    return np.tril(np.ones((T, T)))",
    ),
    "attention.attend": (
        "def attend(q, k, v, mask):\n"
        "    s = np.einsum('tk,sk->ts', q, k) / q.shape[1] ** 0.5 + np.where(mask, 0, -1e9)\n"
        "    w = np.exp(s - s.max(1)[:, None])\n"
        "    return (w @ v) / w.sum(1)[:, None]",
        "def attend(q, k, v, mask):\n"
        "    out = []\n"
        "    for query, allowed in zip(q, mask):\n"
        "        s = k[allowed] @ query / np.sqrt(len(query))\n"
        "        w = np.exp(s - s.max())\n"
        "        out.append(w @ v[allowed] / w.sum())\n"
        "    return np.stack(out)",
    ),
    "attention.split_heads": (
        "def split_heads(x, H):\n    return np.stack(np.split(x, H, axis=1))",
        "def split_heads(x, H):\n"
        "    K = x.shape[1] // H\n"
        "    return [x[:, h * K : (h + 1) * K] for h in range(H)]",
        "def split_heads(x, H):\n    return np.moveaxis(x.reshape(len(x), H, -1), 1, 0)",
    ),
    "transformer.sinusoidal": (
        "def sinusoidal(T, D):\n"
        "    a = np.outer(np.arange(T), np.exp(-np.log(10000) * np.arange(0, D, 2) / D))\n"
        "    return np.stack([np.sin(a), np.cos(a)], axis=-1).reshape(T, D)",
        "import math\n\n"
        "def sinusoidal(T, D):\n"
        "    def entry(t, j):\n"
        "        angle = t / 10000 ** ((j - j % 2) / D)\n"
        "        return math.cos(angle) if j % 2 else math.sin(angle)\n"
        "    return [[entry(t, j) for j in range(D)] for t in range(T)]",
    ),
    "transformer.rotate": (
        "def rotate(x, positions):\n"
        "    a = np.outer(positions, 10000.0 ** (-np.arange(0, x.shape[1], 2) / x.shape[1]))\n"
        "    z = (x[:, ::2] + 1j * x[:, 1::2]) * np.exp(1j * a)\n"
        "    return np.stack([z.real, z.imag], -1).reshape(x.shape)",
        "def rotate(x, positions):\n"
        "    out = x.copy()\n"
        "    for row, t in enumerate(positions):\n"
        "        for i in range(0, x.shape[1], 2):\n"
        "            a = t / 10000 ** (i / x.shape[1])\n"
        "            turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])\n"
        "            out[row, i : i + 2] = turn @ x[row, i : i + 2]\n"
        "    return out",
    ),
    "transformer.layer_norm": (
        "def layer_norm(x, g, b, eps=1e-5):\n"
        "    centred = x - x.mean(-1)[..., None]\n"
        "    return b + g * centred * ((centred**2).mean(-1)[..., None] + eps) ** -0.5",
        "def layer_norm(x, gain, bias, eps=1e-5):\n"
        "    D = x.shape[-1]\n"
        "    mean = np.sum(x, axis=-1, keepdims=True) / D\n"
        "    square = np.sum((x - mean) * (x - mean), axis=-1, keepdims=True) / D\n"
        "    return np.divide(x - mean, np.sqrt(square + eps)) * gain + bias",
    ),
    "transformer.count_parameters": (
        "def count_parameters(V, T, L, D):\n    return (V + T) * D + 12 * L * D**2",
        "def count_parameters(vocabulary, positions, layers, width):\n"
        "    total = (vocabulary + positions) * width\n"
        "    for _ in range(layers):\n"
        "        total += 3 * width * width + width * width\n"
        "        total += width * (4 * width) + (4 * width) * width\n"
        "    return float(total)",
    ),
    "pretraining.merge_pair": (
        "def merge_pair(tokens, pair, new):\n"
        "    out = []\n"
        "    for token in tokens:\n"
        "        out.append((token,))\n"
        "        if len(out) > 1 and out[-2] + out[-1] == pair:\n"
        "            out[-2:] = [(new, None)]\n"
        "    return [token[0] for token in out]",
        "def merge_pair(tokens, pair, new):\n"
        "    rest, out = list(tokens), []\n"
        "    while rest:\n"
        "        head = rest.pop(0)\n"
        "        if rest and (head, rest[0]) == pair:\n"
        "            rest.pop(0)\n"
        "            head = new\n"
        "        out.append(head)\n"
        "    return np.array(out, dtype=int)",
    ),
    "pretraining.cross_entropy": (
        "def cross_entropy(logits, targets):\n"
        "    losses = []\n"
        "    for row, target in zip(logits, targets):\n"
        "        if target == -100:\n"
        "            continue\n"
        "        losses.append(row.max() + np.log(np.exp(row - row.max()).sum()) - row[target])\n"
        "    return sum(losses) / len(losses)",
        "def cross_entropy(logits, targets):\n"
        "    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]\n"
        "    keep = np.flatnonzero(targets >= 0)\n"
        "    return -np.average(log_p[keep, targets[keep]])",
    ),
    "pretraining.mask_tokens": (
        "def mask_tokens(tokens, mask_id, vocab_size, generator, rate=0.15):\n"
        "    inputs, targets = tokens.copy(), np.full(len(tokens), -100)\n"
        "    for i, token in enumerate(tokens):\n"
        "        if generator.random() < rate:\n"
        "            targets[i], fate = token, generator.random()\n"
        "            if fate < 0.8:\n"
        "                inputs[i] = mask_id\n"
        "            elif fate < 0.9:\n"
        "                inputs[i] = generator.integers(vocab_size)\n"
        "    return inputs, targets",
        "def mask_tokens(tokens, mask_id, vocab_size, generator, rate=0.15):\n"
        "    chosen = generator.permutation(len(tokens))[: round(rate * len(tokens))]\n"
        "    a, b = int(0.8 * len(chosen)), int(0.9 * len(chosen))\n"
        "    inputs, targets = tokens.copy(), np.full_like(tokens, -100)\n"
        "    targets[chosen] = tokens[chosen]\n"
        "    inputs[chosen[:a]] = mask_id\n"
        "    inputs[chosen[a:b]] = generator.choice(vocab_size, b - a)\n"
        "    return [inputs, targets]",
    ),
    "pretraining.top_p": (
        "def top_p(probabilities, p):\n"
        "    out, total = [0.0] * len(probabilities), 0.0\n"
        "    for i in sorted(range(len(probabilities)), key=lambda i: -probabilities[i]):\n"
        "        if total >= p:\n"
        "            break\n"
        "        out[i] = probabilities[i]\n"
        "        total += probabilities[i]\n"
        "    return [value / total for value in out]",
        "def top_p(probabilities, p):\n"
        "    ranked = np.sort(probabilities)[::-1]\n"
        "    count = min(np.searchsorted(np.cumsum(ranked), p) + 1, len(ranked))\n"
        "    out = np.where(probabilities >= ranked[count - 1], probabilities, 0)\n"
        "    return out / out.sum()",
    ),
    "pretraining.bits_per_character": (
        "import math\n\n"
        "def bits_per_character(loss, tokens, characters):\n"
        "    return loss * math.log2(math.e) * tokens / characters",
        "def bits_per_character(loss, tokens, characters):\n"
        "    return np.log2(np.exp(loss)) * (tokens / characters)",
    ),
}


def define(source: str, name: str):
    """The function that ``source`` defines, as a notebook's cell would make it."""
    namespace = {"np": np}
    linecache.cache["<cell>"] = (len(source), None, source.splitlines(True), "<cell>")
    exec(compile(source, "<cell>", "exec"), namespace)
    return namespace[name]


def verdicts(id: str, source: str):
    """The verdict on ``source`` by both ways of grading, which must be the same."""
    by_function = check(id, define(source, EXERCISES[id].function))
    assert by_function == grade_source(id, source)
    return by_function


def test_the_fourteen_exercises_of_three_chapters():
    assert [id.split(".")[0] for id in EXERCISES] == (
        ["attention"] * 5 + ["transformer"] * 4 + ["pretraining"] * 5
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


@pytest.mark.parametrize(
    ("id", "source"), [(id, source) for id, sources in VARIANTS.items() for source in sources]
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
def test_every_definition_is_complete(id):
    definition = EXERCISES[id]
    assert 3 <= len(definition.tests) <= 6
    assert len(definition.mistakes) >= 4
    assert len(VARIANTS[id]) >= 2
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
