"""Exercise transformer.sinusoidal: positions as sines and cosines."""

from __future__ import annotations

import numpy as np

from ..grading.definition import Exercise, Mistake, changed
from ..grading.expectations import as_array, expect_close, expect_shape

SOLUTION = """
def sinusoidal(T, D):
    positions = np.arange(T)[:, None]
    angles = positions / 10000 ** (np.arange(0, D, 2) / D)
    table = np.zeros((T, D))
    table[:, 0::2] = np.sin(angles)
    table[:, 1::2] = np.cos(angles)
    return table
"""


def one_row_per_position(answer):
    """One row for each position, as wide as the model."""
    expect_shape(answer(5, 8), (5, 8), "one row for each position, as wide as the model")


def position_zero_by_hand(answer):
    """At position 0 every sine is 0 and every cosine is 1, in turn."""
    row = expect_shape(answer(3, 6), (3, 6))[0]
    expect_close(row, [0, 1, 0, 1, 0, 1], "At position 0 sines (0) and cosines (1) must alternate.")


def positions_by_hand(answer):
    """Three positions of width four, by hand."""
    one = [np.sin(1.0), np.cos(1.0), np.sin(0.01), np.cos(0.01)]
    two = [np.sin(2.0), np.cos(2.0), np.sin(0.02), np.cos(0.02)]
    expected = [[0, 1, 0, 1], one, two]
    expect_close(answer(3, 4), expected, "At width 4 the second pair turns 100 times slower.")


def a_step_is_a_rotation(answer):
    """Moving on by one position turns every pair by its own fixed angle."""
    table = expect_shape(answer(40, 10), (40, 10)).astype(float)
    hands = table[:, 1::2] + 1j * table[:, 0::2]
    angles = 10000.0 ** (-np.arange(5) / 5)
    turned = hands[:-1] * np.exp(1j * angles)
    sentence = "From one position to the next, pair i must turn by 10000 to the power -2i/D."
    expect_close(hands[1:].real, turned.real, sentence, tolerance=1e-4)
    expect_close(hands[1:].imag, turned.imag, sentence, tolerance=1e-4)
    lengths = np.sqrt((as_array(table) ** 2).sum(axis=1))
    expect_close(lengths, np.full(40, np.sqrt(5)), "Every row must have the length root D/2.")


def inputs(random):
    """T and D differ, in either order; one position, one pair, long texts and wide models."""
    for T, D in ((3, 8), (9, 4), (1, 6), (5, 2), (200, 12), (4, 128)):
        yield T + int(random.integers(0, 2)), D


EXERCISE = Exercise(
    id="transformer.sinusoidal",
    title="Positions as clock hands",
    difficulty=2,
    minutes=10,
    prompt=r"""
Attention alone does not know the order of its tokens, so the first transformer adds a pattern to
each position. Think of $D/2$ clock hands, each slower than the one before; at position $t$ you
write down the sine and the cosine of each hand, side by side:

$$P_{t,\,2i} = \sin\frac{t}{10000^{2i/D}} \qquad P_{t,\,2i+1} = \cos\frac{t}{10000^{2i/D}}$$

Given `T` positions and an even width `D`, return the table of shape $(T, D)$. Row 0 is
$(0, 1, 0, 1, \ldots)$. For $D = 4$, row 1 is $(\sin 1, \cos 1, \sin 0.01, \cos 0.01)$, because the
second hand turns $10000^{2/4} = 100$ times slower.
""",
    starter='''
def sinusoidal(T, D):
    """Sine and cosine positions of Vaswani et al. (2017), section 3.5 -> (T, D)."""
    ...
''',
    solution=SOLUTION,
    tests=(
        one_row_per_position,
        position_zero_by_hand,
        positions_by_hand,
        a_step_is_a_rotation,
    ),
    variants=(
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
    inputs=inputs,
    harmless=(("table = np.ones((T, D))", "every entry is overwritten"),),
    mistakes=(
        Mistake(
            "puts sines and cosines in halves",
            changed(changed(SOLUTION, "[:, 0::2]", "[:, : D // 2]"), "[:, 1::2]", "[:, D // 2 :]"),
            "position_zero_by_hand",
            "Your sines stand in the left half and your cosines in the right. Here they "
            "alternate: sines in the even columns `0::2`, cosines in the odd ones `1::2`.",
        ),
        Mistake(
            "swaps sine and cosine",
            changed(changed(SOLUTION, "0::2]", "1::2]"), "1::2] = np.cos", "0::2] = np.cos"),
            "position_zero_by_hand",
            "Sine and cosine are swapped: even columns hold the sine.",
        ),
        Mistake(
            "counts positions from one",
            changed(SOLUTION, "np.arange(T)", "np.arange(1, T + 1)"),
            "position_zero_by_hand",
            "Your first row is position 1. Positions count from 0.",
        ),
        Mistake(
            "forgets the two in the exponent",
            changed(SOLUTION, "np.arange(0, D, 2) / D", "np.arange(D // 2) / D"),
            "positions_by_hand",
            "Your hands slow down half as fast as they should: the exponent is 2i / D, where i "
            "numbers the pairs 0, 1, 2, …",
        ),
        Mistake(
            "gives every column its own hand",
            "def sinusoidal(T, D):\n"
            "    angles = np.arange(T)[:, None] / 10000 ** (np.arange(D) / D)\n"
            "    return np.where(np.arange(D) % 2 == 0, np.sin(angles), np.cos(angles))\n",
            "positions_by_hand",
            "Each column has a frequency of its own. A sine and the cosine beside it belong to "
            "one hand and share their angle.",
        ),
        Mistake(
            "multiplies instead of dividing",
            changed(SOLUTION, "positions / 10000", "positions * 10000"),
            "positions_by_hand",
            "Your later hands turn faster instead of slower: divide the position by the power "
            "of 10000.",
        ),
        Mistake(
            "gives all hands one speed",
            changed(SOLUTION, " / 10000 ** (np.arange(0, D, 2) / D)", " * np.ones(D // 2)"),
            "positions_by_hand",
            "All your hands turn at one speed, so positions repeat after about six steps. Pair i "
            "turns 10000 to the power 2i/D times slower than the first.",
        ),
    ),
    hints=(
        "A column of positions divided by a row of D / 2 powers is a table of angles.",
        "`table[:, 0::2]` is every even column.",
    ),
)
