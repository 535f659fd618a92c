"""Exercise attention.causal_mask: which keys a query may attend to."""

from __future__ import annotations

import numpy as np

from ..grading.definition import Exercise, Mistake, changed
from ..grading.expectations import as_array, expect, expect_close, expect_shape

SOLUTION = """
def causal_mask(T):
    return np.tril(np.ones((T, T), dtype=bool))
"""


def mask_is_square(answer):
    """The mask has a row and a column for each token."""
    expect_shape(answer(4), (4, 4), "one row for each query, one column for each key")


def mask_says_yes_or_no(answer):
    """Entries are True or False."""
    mask = as_array(answer(3))
    sentence = f"Every entry must be True or False: yours are {mask.dtype.name}."
    expect(mask.dtype == bool, sentence)


def mask_of_three_by_hand(answer):
    """Three tokens, written out."""
    expected = [[True, False, False], [True, True, False], [True, True, True]]
    expect_close(answer(3), expected, "This is not the mask of three tokens.")


def every_token_sees_its_whole_past(answer):
    """Token t sees t + 1 tokens, itself included, and the last sees all; one token sees itself."""
    mask = as_array(answer(7)).astype(float)
    expect_close(mask.sum(axis=1), np.arange(1, 8), "Token t must see t + 1 tokens.")
    expect_close(answer(1), [[True]], "A lone token must see itself.")


def inputs(random):
    """Short and long texts, each length once."""
    yield from ((int(T),) for T in random.permutation(40)[:12] + 1)
    yield (int(random.integers(250, 300)),)


EXERCISE = Exercise(
    id="attention.causal_mask",
    title="Hide the future",
    difficulty=1,
    minutes=4,
    prompt=r"""
A model that predicts the next token must not see it. So token $t$ may attend to itself and to
everything before it, and to nothing after it. Return that permission as an array of shape
$(T, T)$ of booleans: the entry in row $t$ (the query) and column $s$ (the key) is `True` when $t$
may attend to $s$. For $T = 2$ it is `[[True, False], [True, True]]`: the first token sees itself,
the second sees both.
""",
    starter='''
def causal_mask(T):
    """Which keys each query may attend to -> (T, T) booleans."""
    ...
''',
    solution=SOLUTION,
    tests=(
        mask_is_square,
        mask_says_yes_or_no,
        mask_of_three_by_hand,
        every_token_sees_its_whole_past,
    ),
    variants=(
        "def causal_mask(T):\n    t = np.arange(T)\n    return t[:, None] >= t",
        "def causal_mask(n):\n    return [[s <= t for s in range(n)] for t in range(n)]",
        "def causal_mask(T):\n    return ~np.triu(np.ones((T, T)), 1).astype(bool)",
    ),
    inputs=inputs,
    mistakes=(
        Mistake(
            "adds minus infinity",
            "def causal_mask(T):\n    return np.triu(np.full((T, T), -np.inf), k=1)\n",
            "mask_says_yes_or_no",
            "This is a mask to be added to the scores (0 and -inf). Here we keep the plain "
            "permission: True where the query may attend.",
        ),
        Mistake(
            "counts with ones and zeros",
            changed(SOLUTION, ", dtype=bool", ""),
            "mask_says_yes_or_no",
            "Right entries, wrong type: with the numbers 1.0 and 0.0, `~mask` and `x[mask]` do not "
            "work. Make them booleans, with `dtype=bool` or by a comparison.",
        ),
        Mistake(
            "is upside down",
            changed(SOLUTION, "np.tril(", "np.triu("),
            "mask_of_three_by_hand",
            "Your mask is upside down: every token sees the future and not the past. "
            "Row t must be True in the columns 0 to t.",
        ),
        Mistake(
            "marks what is blocked",
            changed(SOLUTION, "np.tril(np.ones", "~np.tril(np.ones"),
            "mask_of_three_by_hand",
            "You mark the keys to hide. Here True means 'may attend': turn it round.",
        ),
        Mistake(
            "hides the token from itself",
            changed(SOLUTION, "bool))", "bool), k=-1)"),
            "mask_of_three_by_hand",
            "No token sees itself here, and the first sees nothing at all. The diagonal "
            "belongs to the past: s = t is allowed.",
        ),
        Mistake(
            "shows the next token",
            changed(SOLUTION, "bool))", "bool), k=1)"),
            "mask_of_three_by_hand",
            "Every token sees one step ahead, which is exactly the token it has to predict. "
            "Stop at the diagonal.",
        ),
        Mistake(
            "hides nothing",
            "def causal_mask(T):\n    return np.ones((T, T), dtype=bool)\n",
            "mask_of_three_by_hand",
            "This mask lets every token see every other, the future too. Block the entries "
            "right of the diagonal.",
        ),
    ),
    hints=(
        "Compare two ranges: a column of query positions with a row of key positions.",
        "`np.tril` keeps the lower triangle of a table.",
    ),
)
