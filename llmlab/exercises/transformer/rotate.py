"""Exercise transformer.rotate: rotary positions."""

from __future__ import annotations

import numpy as np

from ..grading.definition import Exercise, Mistake, changed
from ..grading.expectations import as_array, expect_close, expect_shape

SOLUTION = """
def rotate(x, positions):
    K = x.shape[-1]
    angles = positions[:, None] / 10000 ** (np.arange(0, K, 2) / K)
    even, odd = x[:, 0::2], x[:, 1::2]
    out = np.zeros(x.shape)
    out[:, 0::2] = even * np.cos(angles) - odd * np.sin(angles)
    out[:, 1::2] = even * np.sin(angles) + odd * np.cos(angles)
    return out
"""


def rotation_keeps_the_shape(answer):
    """The result has the shape of the input."""
    x = np.random.default_rng(0).normal(size=(3, 6))
    expect_shape(answer(x, np.arange(3)), (3, 6), "rotating changes values, never the shape")


def position_zero_stands_still(answer):
    """At position 0 every angle is 0 and nothing changes."""
    x = np.array([[1.0, 2, 3, 4]])
    expect_close(answer(x, np.array([0])), x, "At position 0 nothing may change.")


def rotations_by_hand(answer):
    """One pair at position 1, then the second of two pairs at position 100."""
    expected = [[np.cos(1.0), np.sin(1.0)]]
    sentence = "At position 1 the first pair turns by one radian, from (1, 0) to (cos 1, sin 1)."
    expect_close(answer(np.array([[1.0, 0]]), np.array([1])), expected, sentence)
    got = answer(np.array([[1.0, 0, 0, 0]]), np.array([1]))
    sentence = "The first two entries are one pair, the next two another."
    expect_close(got, [[np.cos(1.0), np.sin(1.0), 0, 0]], sentence)
    got = answer(np.array([[0, 0, 1.0, 1]]), np.array([100]))
    expected = [[0, 0, np.cos(1.0) - np.sin(1.0), np.sin(1.0) + np.cos(1.0)]]
    expect_close(got, expected, "At width 4 the second pair turns by 1/100 a position.")


def lengths_stay(answer):
    """Rotating keeps the length of every vector."""
    x = np.random.default_rng(1).normal(size=(20, 8))
    out = expect_shape(answer(x, np.arange(20)), (20, 8)).astype(float)
    lengths = np.sqrt((x**2).sum(axis=1))
    sentence = "Rotating must keep the length of every vector."
    expect_close(np.sqrt((out**2).sum(axis=1)), lengths, sentence)


def only_the_distance_counts(answer):
    """A query at 9 and a key at 4 fit exactly as well as at 105 and 100."""
    random = np.random.default_rng(2)
    q, k = random.normal(size=(2, 1, 8))

    def fit(a, b):
        turned = [as_array(answer(x, np.array([t]))).astype(float) for x, t in ((q, a), (k, b))]
        return (turned[0] * turned[1]).sum()

    sentence = "The fit of a query and a key must depend only on how far apart they are."
    expect_close(fit(9, 4), fit(105, 100), sentence, tolerance=1e-4)


def inputs(random):
    """Several rows at positions in any order, some twice, some far out; T and K differ."""
    for T, K in ((3, 8), (5, 4), (7, 2), (1, 6), (12, 10), (2, 64)):
        yield random.normal(size=(T, K)), random.integers(0, 100, T)
        yield 50 * random.normal(size=(T, K)), random.permutation(T)


EXERCISE = Exercise(
    id="transformer.rotate",
    title="Rotary positions",
    difficulty=3,
    minutes=15,
    prompt=r"""
Instead of adding a position to a token, you can turn its queries and keys by an angle that grows
with the position. Then a dot product of a turned query and a turned key depends only on how far
apart they are. Take neighbouring entries as the coordinates of a point, $(x_{2i}, x_{2i+1})$, and
turn the point at position $t$ by the angle $\theta = t / 10000^{2i/K}$:

$$\begin{aligned} x'_{2i} &= x_{2i}\cos\theta - x_{2i+1}\sin\theta \\
x'_{2i+1} &= x_{2i}\sin\theta + x_{2i+1}\cos\theta \end{aligned}$$

Take `x` of shape $(T, K)$ with even $K$ and `positions` of shape $(T)$, the position of each row;
return $(T, K)$. At position 1 the vector $(1, 0)$ becomes $(\cos 1, \sin 1) = (0.54, 0.84)$. (The
package, like Hugging Face's port of Llama, takes entries $i$ and $i + K/2$ as a pair: the same
turn, with the entries in another order.)
""",
    starter='''
def rotate(x, positions):
    """Rotary positions of Su et al. (2021): turn pairs of x (T, K) by positions (T,) -> (T, K)."""
    ...
''',
    solution=SOLUTION,
    tests=(
        rotation_keeps_the_shape,
        position_zero_stands_still,
        rotations_by_hand,
        lengths_stay,
        only_the_distance_counts,
    ),
    variants=(
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
    inputs=inputs,
    harmless=(
        ("out = np.ones(x.shape)", "every entry is overwritten"),
        ("K = x.shape[1]", "x has two axes: the last is number 1"),
    ),
    mistakes=(
        Mistake(
            "counts positions from one",
            changed(SOLUTION, "positions[:, None]", "(positions[:, None] + 1)"),
            "position_zero_stands_still",
            "You turn position 0 as well. Use the positions as they are given.",
        ),
        Mistake(
            "returns the pairs in halves",
            SOLUTION.replace("out[:, 0::2]", "out[:, : K // 2]").replace(
                "out[:, 1::2]", "out[:, K // 2 :]"
            ),
            "position_zero_stands_still",
            "You read neighbouring pairs but write the results into halves. Put each turned "
            "point back where it came from: columns `0::2` and `1::2`.",
        ),
        Mistake(
            "pairs the two halves",
            SOLUTION.replace("[:, 0::2]", "[:, : K // 2]").replace("[:, 1::2]", "[:, K // 2 :]"),
            "rotations_by_hand",
            "You pair entry i with entry i + K/2, as some models do. Here a pair is two "
            "neighbours: `x[:, 0::2]` with `x[:, 1::2]`.",
        ),
        Mistake(
            "turns the other way",
            changed(SOLUTION, "angles = positions", "angles = -positions"),
            "rotations_by_hand",
            "You turn clockwise. The minus belongs to the first line: "
            "x cos θ - y sin θ, then x sin θ + y cos θ.",
        ),
        Mistake(
            "forgets the minus",
            changed(SOLUTION, " - odd", " + odd"),
            "rotations_by_hand",
            "Without the minus in the first line this is no rotation, and lengths change.",
        ),
        Mistake(
            "overwrites the pair it still needs",
            "def rotate(x, positions):\n"
            "    K = x.shape[-1]\n"
            "    angles = positions[:, None] / 10000 ** (np.arange(0, K, 2) / K)\n"
            "    x = x.copy()\n"
            "    x[:, 0::2] = x[:, 0::2] * np.cos(angles) - x[:, 1::2] * np.sin(angles)\n"
            "    x[:, 1::2] = x[:, 0::2] * np.sin(angles) + x[:, 1::2] * np.cos(angles)\n"
            "    return x\n",
            "rotations_by_hand",
            "Your second line uses even entries that the first line has already turned. Write "
            "the results into a new array.",
        ),
        Mistake(
            "turns all pairs alike",
            changed(SOLUTION, " / 10000 ** (np.arange(0, K, 2) / K)", ""),
            "rotations_by_hand",
            "All your pairs turn at one speed. Pair i turns 10000 to the power 2i/K times slower "
            "than the first.",
        ),
        Mistake(
            "forgets the two in the exponent",
            changed(SOLUTION, "np.arange(0, K, 2)", "np.arange(K // 2)"),
            "rotations_by_hand",
            "The second pair turns too fast: the exponent is 2i / K, where i numbers the pairs "
            "0, 1, 2, …",
        ),
    ),
    hints=(
        "The angles are a table of shape (T, K / 2), one for each position and pair.",
        "A complex number turns by θ when you multiply it by `np.exp(1j * θ)`.",
    ),
)
