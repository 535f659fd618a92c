"""Exercise attention.split_heads: the width cut into heads."""

from __future__ import annotations

import numpy as np

from ..grading.definition import Exercise, Mistake, changed
from ..grading.expectations import expect_close, expect_shape

SOLUTION = """
def split_heads(x, H):
    T, D = x.shape
    return x.reshape(T, H, D // H).transpose(1, 0, 2)
"""


def heads_come_first(answer):
    """Heads first, then time, then the head's own width."""
    x = np.arange(24.0).reshape(4, 6)
    expect_shape(answer(x, 3), (3, 4, 2), "heads first, then time, then the head width")


def two_heads_by_hand(answer):
    """Two tokens of width four in two heads, written out."""
    x = np.arange(8.0).reshape(2, 4)
    expected = [[[0, 1], [4, 5]], [[2, 3], [6, 7]]]
    expect_close(answer(x, 2), expected, "Head 0 must hold the first half of every token.")


def heads_side_by_side_give_x(answer):
    """Putting the heads side by side again gives the input."""
    x = np.random.default_rng(4).normal(size=(5, 12))
    heads = expect_shape(answer(x, 4), (4, 5, 3))
    expect_close(np.concatenate(list(heads), axis=-1), x, "Side by side, your heads are not x.")


def one_head_or_many(answer):
    """One head is the whole input; as many heads as the width leave one number each."""
    x = np.arange(6.0).reshape(2, 3)
    expect_close(answer(x, 1), [x], "One head must be the whole input.")
    expect_close(answer(x, 3), x.T[:, :, None], "Three heads of width 1 must be x's columns.")


def inputs(random):
    """T, H and K all differ, with more heads than tokens and the reverse; the ends too."""
    for T, H, K in ((5, 2, 3), (3, 4, 2), (2, 3, 5), (7, 1, 4), (4, 6, 1), (1, 2, 3), (30, 5, 8)):
        yield random.normal(size=(T, H * K)), H


EXERCISE = Exercise(
    id="attention.split_heads",
    title="Split the width into heads",
    difficulty=2,
    minutes=8,
    prompt=r"""
Eight heads do not cost eight times as much, because each works on its own slice of the width: with
width $D$ and $H$ heads, head $h$ takes the entries from $hK$ up to $(h+1)K$ of every token, where
$K = D / H$. Take `x` of shape $(T, D)$ and return an array of shape $(H, T, K)$, heads first, so
that one batched product serves all heads. For two tokens $(0, 1, 2, 3)$ and $(4, 5, 6, 7)$ and
$H = 2$, head 0 is $((0, 1), (4, 5))$ and head 1 is $((2, 3), (6, 7))$. You may rely on $H$
dividing $D$.
""",
    starter='''
def split_heads(x, H):
    """Slice the width of x (T, D) into heads -> (H, T, K) with K = D / H."""
    ...
''',
    solution=SOLUTION,
    tests=(
        heads_come_first,
        two_heads_by_hand,
        heads_side_by_side_give_x,
        one_head_or_many,
    ),
    variants=(
        "def split_heads(x, H):\n    return np.stack(np.split(x, H, axis=1))",
        "def split_heads(x, H):\n"
        "    K = x.shape[1] // H\n"
        "    return [x[:, h * K : (h + 1) * K] for h in range(H)]",
        "def split_heads(x, H):\n    return np.moveaxis(x.reshape(len(x), H, -1), 1, 0)",
    ),
    inputs=inputs,
    mistakes=(
        Mistake(
            "leaves time first",
            changed(SOLUTION, ".transpose(1, 0, 2)", ""),
            "heads_come_first",
            "The slices are right, but time still comes first. Swap the first two axes with "
            "`transpose(1, 0, 2)`.",
        ),
        Mistake(
            "puts the head width before time",
            changed(SOLUTION, "(1, 0, 2)", "(1, 2, 0)"),
            "heads_come_first",
            "The last two axes are swapped: within a head, time comes before the head width.",
        ),
        Mistake(
            "takes H for the width of a head",
            changed(SOLUTION, "H, D // H", "D // H, H"),
            "heads_come_first",
            "You make D / H heads of width H. `H` is the number of heads; each is D / H wide.",
        ),
        Mistake(
            "reshapes without transposing",
            "def split_heads(x, H):\n    T, D = x.shape\n    return x.reshape(H, T, D // H)\n",
            "two_heads_by_hand",
            "The shape is right but the numbers are shuffled: `reshape` reads the array row by "
            "row, so head 0 got the first tokens instead of the first entries of every token. "
            "Reshape to (T, H, K) first, then swap axes.",
        ),
        Mistake(
            "takes every H-th entry",
            "def split_heads(x, H):\n"
            "    T, D = x.shape\n"
            "    return x.reshape(T, D // H, H).transpose(2, 0, 1)\n",
            "two_heads_by_hand",
            "Head 0 gets every H-th entry. A head is a slice of neighbours: reshape to "
            "(T, H, K), with the head before its width.",
        ),
    ),
    hints=("Reshape to (T, H, K) first: that only cuts each row into pieces.",),
)
