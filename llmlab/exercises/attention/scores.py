"""Exercise attention.scores: scaled dot products."""

from __future__ import annotations

import numpy as np

from ..grading.definition import Exercise, Mistake, changed
from ..grading.expectations import as_array, expect, expect_close, expect_shape

SOLUTION = """
def scores(q, k):
    K = q.shape[-1]
    return q @ k.T / np.sqrt(K)
"""


def one_row_per_query(answer):
    """One row for each query, one column for each key."""
    random = np.random.default_rng(0)
    q, k = random.normal(size=(3, 4)), random.normal(size=(5, 4))
    expect_shape(answer(q, k), (3, 5), "one row for each query, one column for each key")


def scores_by_hand(answer):
    """Two queries and three keys, worked by hand."""
    q = np.array([[2.0, 0, 0, 0], [1, 1, 1, 1]])
    k = np.array([[2.0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 4]])
    expected = [[2, 1, 0], [1, 2, 2]]
    expect_close(
        answer(q, k), expected, "Worked by hand, these queries and keys have different scores."
    )


def scores_do_not_grow_with_width(answer):
    """Queries and keys of variance 1 give scores of variance about 1, however wide they are."""
    random = np.random.default_rng(1)
    q, k = random.normal(size=(60, 256)), random.normal(size=(60, 256))
    spread = float(as_array(answer(q, k)).astype(float).std())
    expect(0.9 < spread < 1.1, f"At K = 256 your scores spread by {spread:.3g}, expected about 1.")


def every_score_is_a_dot_product(answer):
    """Every entry of a random table agrees with its own dot product."""
    random = np.random.default_rng(2)
    q, k = random.normal(size=(4, 3)), random.normal(size=(6, 3))
    expected = [[sum(a * b for a, b in zip(x, y, strict=True)) / 3**0.5 for y in k] for x in q]
    expect_close(answer(q, k), expected, "An entry is not its query times its key over the root.")


def inputs(random):
    """Tables in which T, S and K all differ; one query, one key, and wide vectors too."""
    for T, S, K in ((2, 5, 3), (7, 4, 6), (1, 6, 2), (5, 1, 8), (9, 3, 1), (3, 11, 200)):
        yield random.normal(size=(T, K)), random.normal(size=(S, K))
    yield 1e4 * random.normal(size=(4, 7)), 1e-3 + random.normal(size=(3, 7))


EXERCISE = Exercise(
    id="attention.scores",
    title="Score every key for every query",
    difficulty=1,
    minutes=5,
    prompt=r"""
You hold a query for each of $T$ tokens and a key for each of $S$ tokens, and want to know how
well each pair fits. A dot product says so, but it grows with the width: the dot product of two
random vectors with $K$ independent entries of mean 0 and variance 1 has variance $K$, so wide
vectors would shout. Divide by $\sqrt{K}$ and the variance stays near 1:

$$\text{score}_{ts} = \frac{q_t \cdot k_s}{\sqrt{K}}$$

Take `q` of shape $(T, K)$ and `k` of shape $(S, K)$; return all scores in one array of shape
$(T, S)$. For the query $(1, 1, 1, 1)$ and the key $(0, 0, 0, 4)$ the score is
$4 / \sqrt{4} = 2$.
""",
    starter='''
def scores(q, k):
    """Scaled dot products of queries q (T, K) with keys k (S, K) -> (T, S)."""
    ...
''',
    solution=SOLUTION,
    tests=(
        one_row_per_query,
        scores_by_hand,
        scores_do_not_grow_with_width,
        every_score_is_a_dot_product,
    ),
    variants=(
        "def scores(a, b):\n    return np.einsum('tk,sk->ts', a, b) * a.shape[1] ** -0.5",
        "def scores(q, k):\n"
        "    return [[float(np.dot(x, y)) / len(x) ** 0.5 for y in k] for x in q]",
        "import math\n\ndef scores(q, k):\n    return (q / math.sqrt(q.shape[1])) @ k.transpose()",
    ),
    inputs=inputs,
    harmless=(("K = q.shape[1]", "q has two axes: the last is number 1"),),
    mistakes=(
        Mistake(
            "transposes the table",
            changed(SOLUTION, "q @ k.T", "k @ q.T"),
            "one_row_per_query",
            "Your table lies on its side: a row belongs to a query, a column to a key. "
            "Swap the two sides of the product.",
        ),
        Mistake(
            "does not scale",
            changed(SOLUTION, " / np.sqrt(K)", ""),
            "scores_by_hand",
            "These are plain dot products. Divide them by the square root of the head width "
            "K, the number of entries in one query.",
        ),
        Mistake(
            "divides by K",
            changed(SOLUTION, "np.sqrt(K)", "K"),
            "scores_by_hand",
            "You divide by K itself. The variance of the dot product grows like K, so its "
            "spread grows like the square root: divide by `np.sqrt(K)`.",
        ),
        Mistake(
            "multiplies by the root",
            changed(SOLUTION, "/ np", "* np"),
            "scores_by_hand",
            "You multiply by the root of K, which makes wide heads shout louder still. "
            "Divide by it.",
        ),
        Mistake(
            "divides by the root of the number of queries",
            changed(SOLUTION, "q.shape[-1]", "q.shape[0]"),
            "scores_by_hand",
            "You divide by the root of the number of queries. The sum inside a dot product "
            "runs over the K entries of one query: that is the last axis of `q`.",
        ),
        Mistake(
            "divides by the root of the number of keys",
            changed(SOLUTION, "q.shape[-1]", "k.shape[0]"),
            "scores_by_hand",
            "You divide by the root of the number of keys. The sum inside a dot product "
            "runs over the K entries of one key: that is the last axis of `k`.",
        ),
    ),
    hints=(
        "One matrix product computes all T × S dot products.",
        "In `a @ b` the last axis of `a` meets the first axis of `b`: which of the two has "
        "to be transposed?",
    ),
)
