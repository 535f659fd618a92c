"""Exercise attention.softmax: softmax over the last axis, without overflow."""

from __future__ import annotations

import numpy as np

from ..grading.definition import Exercise, Mistake, changed
from ..grading.expectations import as_array, expect_close, expect_shape

SOLUTION = """
def softmax(x):
    weights = np.exp(x - x.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)
"""


def softmax_keeps_the_shape(answer):
    """The result has the shape of the input, whatever comes before the last axis."""
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    expect_shape(answer(x), (2, 3, 4), "softmax changes values, never the shape")


def softmax_by_hand(answer):
    """Logarithms of 1, 2 and 5 become the shares 1/8, 2/8 and 5/8."""
    x = np.log([1.0, 2.0, 5.0])
    expect_close(
        answer(x),
        [0.125, 0.25, 0.625],
        "The logarithms of 1, 2 and 5 must become the shares 1/8, 2/8 and 5/8.",
    )


def each_row_on_its_own(answer):
    """Each row is a distribution of its own."""
    x = np.log([[1.0, 3.0], [1.0, 1.0]])
    expected = [[0.25, 0.75], [0.5, 0.5]]
    expect_close(answer(x), expected, "Each row must be shared out on its own.")
    x = np.random.default_rng(1).normal(size=(5, 6))
    weights = as_array(answer(x)).astype(float)
    expect_close(weights.sum(axis=-1), np.ones(5), "The rows of a random table must sum to 1.")
    expect_close(answer(x + 7.0), weights, "Adding 7 to every score must change nothing.")


def softmax_survives_thousands(answer):
    """Scores in the thousands, in rows of very different size, overflow nowhere."""
    x = np.array([[1000.0, 1000.0], [-1000.0, -1000.0]])
    expect_close(answer(x), np.full((2, 2), 0.5), "Scores of ±1000 must not overflow.")


def blocked_scores_weigh_nothing(answer):
    """A score of minus infinity, a blocked key, gets weight exactly 0."""
    x = np.array([0.0, -np.inf, 0.0])
    expect_close(answer(x), [0.5, 0, 0.5], "A score of -inf must get the weight 0.")


def inputs(random):
    """Rows, tables and stacks of scores; long, far apart, and partly blocked ones."""
    for shape in ((5,), (3, 7), (2, 3, 4), (3, 2, 5, 4), (4, 1), (1, 3)):
        yield (random.normal(size=shape),)
        yield (3000 * random.normal(size=(*shape[:-1], 1)) + random.normal(size=shape),)
    yield (300 * random.normal(size=(6, 5)),)
    yield (random.normal(size=(2, 2000)),)
    blocked = random.normal(size=(4, 6))
    blocked[:, 1:][random.random((4, 5)) < 0.5] = -np.inf
    yield (blocked,)
    yield (blocked - 2000,)


EXERCISE = Exercise(
    id="attention.softmax",
    title="Softmax that does not overflow",
    difficulty=1,
    minutes=6,
    prompt=r"""
Scores become attention weights by softmax: exponentiate, then divide by the sum, so that every
row is positive and sums to 1.

$$\text{softmax}(x)_i = \frac{e^{x_i}}{\sum_j e^{x_j}}$$

Write it for `x` of any shape $(\ldots, S)$, over the last axis; return the same shape. For
$x = (\log 1, \log 2, \log 5)$ you get $(1/8, 2/8, 5/8)$. One trap: $e^{1000}$ is more than a float
can hold. Softmax does not change when you subtract the same number from a whole row, so first
subtract the row's largest entry. A score of $-\infty$ must get weight 0.
""",
    starter='''
def softmax(x):
    """Softmax of x (..., S) over its last axis -> (..., S)."""
    ...
''',
    solution=SOLUTION,
    tests=(
        softmax_keeps_the_shape,
        softmax_by_hand,
        each_row_on_its_own,
        softmax_survives_thousands,
        blocked_scores_weigh_nothing,
    ),
    variants=(
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
    inputs=inputs,
    mistakes=(
        Mistake(
            "forgets keepdims",
            SOLUTION.replace(", keepdims=True", ""),
            "softmax_keeps_the_shape",
            "Taking a maximum or a sum drops the last axis, and the rest no longer lines up. "
            "Pass `keepdims=True` so that it stays, with length 1.",
        ),
        Mistake(
            "forgets the exponential",
            "def softmax(x):\n    return x / x.sum(axis=-1, keepdims=True)\n",
            "softmax_by_hand",
            "You share the scores out as they are. Exponentiate first: it makes every entry "
            "positive and turns differences into ratios.",
        ),
        Mistake(
            "divides by the largest",
            changed(SOLUTION, "weights.sum(", "weights.max("),
            "softmax_by_hand",
            "Your largest weight is 1: you divide by the largest entry. Divide by the sum.",
        ),
        Mistake(
            "works in base two",
            changed(SOLUTION, "np.exp(", "np.exp2("),
            "softmax_by_hand",
            "These are powers of 2; softmax uses powers of e, `np.exp`.",
        ),
        Mistake(
            "sums over the first axis",
            SOLUTION.replace("axis=-1", "axis=0"),
            "each_row_on_its_own",
            "Your columns sum to 1 instead of your rows: you work along axis 0. A row holds "
            "one query's scores, so work along the last axis, `axis=-1`.",
        ),
        Mistake(
            "sums over everything",
            changed(SOLUTION, "weights.sum(axis=-1, keepdims=True)", "weights.sum()"),
            "each_row_on_its_own",
            "You divide by the sum of the whole array. Every row needs its own sum: "
            "`axis=-1, keepdims=True`.",
        ),
        Mistake(
            "does not subtract the largest",
            changed(SOLUTION, " - x.max(axis=-1, keepdims=True)", ""),
            "softmax_survives_thousands",
            "`np.exp(1000)` is infinity, and infinity over infinity is nan. Subtract each "
            "row's largest entry before you exponentiate.",
        ),
        Mistake(
            "subtracts one maximum for all rows",
            changed(SOLUTION, "x.max(axis=-1, keepdims=True)", "x.max()"),
            "softmax_survives_thousands",
            "You subtract the largest entry of the whole array. A row far below it becomes "
            "all zeros, and 0 / 0 is nan: subtract each row's own largest entry.",
        ),
    ),
    hints=("`x.max(axis=-1, keepdims=True)` is the largest entry of each row, ready to subtract.",),
)
