"""Exercise attention.attend: attention from start to end."""

from __future__ import annotations

import numpy as np

from ..grading.definition import Exercise, Mistake, changed
from ..grading.expectations import as_array, expect_close, expect_shape

SOLUTION = """
def attend(q, k, v, mask):
    scores = q @ k.T / np.sqrt(q.shape[-1])
    scores = np.where(mask, scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = weights / weights.sum(axis=-1, keepdims=True)
    return weights @ v
"""


def one_output_per_query(answer):
    """One output for each query, as wide as a value."""
    random = np.random.default_rng(0)
    q, k, v = random.normal(size=(3, 2)), random.normal(size=(4, 2)), random.normal(size=(4, 5))
    out = answer(q, k, v, np.ones((3, 4), dtype=bool))
    expect_shape(out, (3, 5), "one row for each query, as wide as a value")


def attend_by_hand(answer):
    """One query, two keys, weights of 3/4 and 1/4."""
    q = np.array([[2.0, 0, 0, 0]])
    k = np.array([[np.log(3.0), 0, 0, 0], [0, 0, 0, 0]])
    v = np.array([[4.0], [8.0]])
    out = answer(q, k, v, np.ones((1, 2), dtype=bool))
    expect_close(out, [[5.0]], "Weights of 3/4 and 1/4 on the values 4 and 8 give 5.")


def blocked_keys_are_shared_out(answer):
    """Blocked keys take no weight, and the others share all of it."""
    q, k = np.zeros((2, 2)), np.array([[1.0, 0], [0, 1]])
    v = np.array([[4.0], [6.0]])
    mask = np.array([[True, False], [True, True]])
    expect_close(answer(q, k, v, mask), [[4.0], [5.0]], "The first query may see the value 4 only.")


def order_of_the_keys_is_nothing(answer):
    """Shuffling keys together with their values changes nothing, on random tables."""
    random = np.random.default_rng(3)
    q, k, v = (random.normal(size=(5, 4)) for _ in range(3))
    mask = np.tril(np.ones((5, 5), dtype=bool))
    out = as_array(answer(q, k, v, mask)).astype(float)
    expect_close(out[0], v[0], "The first token sees itself alone: its output is its own value.")
    order = random.permutation(5)
    shuffled = answer(q, k[order], v[order], mask[:, order])
    expect_close(shuffled, out, "Shuffling keys together with their values changed the output.")


def attend_survives_thousands(answer):
    """Scores in the thousands overflow nowhere."""
    q, k = np.array([[1000.0]]), np.array([[2.0], [1.0]])
    out = answer(q, k, np.array([[3.0], [9.0]]), np.ones((1, 2), dtype=bool))
    expect_close(out, [[3.0]], "Scores of 2000 and 1000 must give all weight to the first value.")


def inputs(random):
    """T, S, K and D all differ; causal, random and full masks; scores far from 0 and apart."""
    shapes = ((2, 5, 3, 4), (7, 4, 6, 3), (1, 6, 2, 5), (5, 1, 8, 2), (9, 3, 1, 4), (4, 12, 5, 1))
    for T, S, K, D in shapes:
        for size, shift in ((1, 0), (1, -3000), (3e4, 0)):
            q, k, v = (random.normal(size=s) for s in ((T, K), (S, K), (S, D)))
            k[:, 0] += shift  # moves all scores of a row alike, and each row its own way
            mask = random.random((T, S)) < 0.5
            mask[np.arange(T), random.integers(0, S, T)] = True
            yield size * q, k, v, mask
            yield size * q, k, v, np.ones((T, S), dtype=bool)
    yield q, k[:4], v[:4], np.tril(np.ones((4, 4), dtype=bool))


EXERCISE = Exercise(
    id="attention.attend",
    title="Attention, start to end",
    difficulty=2,
    minutes=10,
    prompt=r"""
Now put the pieces together. Each query scores every key, blocked keys drop out, softmax turns
the scores into weights, and the output is the weighted mean of the values:

$$\text{out} = \text{softmax}\!\left(\frac{QK^\top}{\sqrt{K}} \text{ where allowed, else } -\infty
\right) V$$

Take `q` $(T, K)$, `k` $(S, K)$, `v` $(S, D)$ and `mask` $(T, S)$, whose entries are `True` where
the query may attend (every row has at least one `True`). Return $(T, D)$. With weights 3/4 and
1/4 on the values 4 and 8 the output is 5. Write your own softmax here, and keep it safe for large
scores.
""",
    starter='''
def attend(q, k, v, mask):
    """q (T, K), k (S, K), v (S, D), mask (T, S), True: may attend -> (T, D)."""
    ...
''',
    solution=SOLUTION,
    tests=(
        one_output_per_query,
        attend_by_hand,
        blocked_keys_are_shared_out,
        order_of_the_keys_is_nothing,
        attend_survives_thousands,
    ),
    variants=(
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
    inputs=inputs,
    harmless=(
        ("scores = q @ k.T / np.sqrt(q.shape[1])", "q has two axes: the last is number 1"),
        (
            "weights = np.exp(scores - scores.max(axis=1, keepdims=True))",
            "scores have two axes: the last is number 1",
        ),
        (
            "weights = weights / weights.sum(axis=1, keepdims=True)",
            "weights have two axes: the last is number 1",
        ),
    ),
    mistakes=(
        Mistake(
            "returns the weights",
            changed(SOLUTION, "return weights @ v", "return weights"),
            "one_output_per_query",
            "You return the attention weights. One step is left: the weighted mean of the "
            "values, `weights @ v`.",
        ),
        Mistake(
            "does not scale",
            changed(SOLUTION, " / np.sqrt(q.shape[-1])", ""),
            "attend_by_hand",
            "The weights are too sharp: divide the scores by the square root of the width "
            "of a query before the softmax.",
        ),
        Mistake(
            "normalises over the queries",
            SOLUTION.replace("axis=-1", "axis=0"),
            "attend_by_hand",
            "Your softmax runs down the columns, over the queries. Each query shares out "
            "its attention over the keys: use the last axis.",
        ),
        Mistake(
            "ignores the mask",
            changed(SOLUTION, "np.where(mask, scores, -np.inf)", "scores"),
            "blocked_keys_are_shared_out",
            "The mask changes nothing in your function. Where it is False, set the score to "
            "minus infinity before the softmax.",
        ),
        Mistake(
            "turns the mask round",
            changed(SOLUTION, "np.where(mask,", "np.where(~mask,"),
            "attend_by_hand",
            "You hide what may be seen: True in the mask means 'may attend'.",
        ),
        Mistake(
            "multiplies the scores by the mask",
            changed(SOLUTION, "np.where(mask, scores, -np.inf)", "scores * mask"),
            "blocked_keys_are_shared_out",
            "A blocked key gets the score 0, and e to the 0 is 1: it still takes part. Its "
            "score must be minus infinity.",
        ),
        Mistake(
            "masks after the softmax",
            changed(
                changed(SOLUTION, "np.where(mask, scores, -np.inf)", "scores"),
                "return weights @ v",
                "return np.where(mask, weights, 0) @ v",
            ),
            "blocked_keys_are_shared_out",
            "You mask after the softmax: the weight of blocked keys is thrown away and the "
            "rest no longer sums to 1. Mask the scores, before the softmax.",
        ),
        Mistake(
            "does not subtract the largest",
            changed(SOLUTION, " - scores.max(axis=-1, keepdims=True)", ""),
            "attend_survives_thousands",
            "Large scores overflow in `np.exp`. Subtract each row's largest score first; "
            "the weights stay the same.",
        ),
    ),
    hints=(
        "Four steps: scores, mask, softmax, weighted mean.",
        "`np.where(mask, scores, -np.inf)` keeps the allowed scores.",
    ),
)
