"""Exercise pretraining.merge_pair: one step of byte-pair encoding."""

from __future__ import annotations

import itertools

import numpy as np

from ..grading.definition import Exercise, Mistake, changed
from ..grading.expectations import expect, expect_tokens

SOLUTION = """
def merge_pair(tokens, pair, new):
    merged, i = [], 0
    while i < len(tokens):
        if tuple(tokens[i : i + 2]) == pair:
            merged.append(new)
            i += 2
        else:
            merged.append(tokens[i])
            i += 1
    return merged
"""


def a_list_of_tokens_comes_back(answer):
    """The result is a flat list of token ids; with no such pair, the one you gave."""
    _expect_merge(
        answer,
        [4, 5, 6],
        (1, 2),
        9,
        [4, 5, 6],
        "This pair does not occur here, so nothing may change.",
    )


def two_merges_by_hand(answer):
    """A pair in the middle and one at the very end."""
    sentence = "The pair (1, 2) occurs twice here, the second time at the end."
    _expect_merge(answer, [3, 1, 2, 3, 1, 2], (1, 2), 9, [3, 9, 3, 9], sentence)
    sentence = "Only 1 followed by 2 is the pair (1, 2)."
    _expect_merge(answer, [2, 1, 1, 3, 2], (1, 2), 9, [2, 1, 1, 3, 2], sentence)


def repeated_letters_do_not_overlap(answer):
    """In 'aaa' the first two merge and the third stays; 'aaaa' becomes two pairs."""
    sentence = "A token that has been merged is used up: in aaa the first two merge, one a stays."
    _expect_merge(answer, [1, 1, 1], (1, 1), 9, [9, 1], sentence)
    _expect_merge(answer, [1, 1, 1, 1], (1, 1), 9, [9, 9], "Four of a kind are two pairs.")


def merging_loses_nothing(answer):
    """Unfolding every new token gives a random text back, and no pair is left over."""
    random = np.random.default_rng(0)
    tokens = [int(token) for token in random.integers(0, 3, size=60)]
    merged = expect_tokens(answer(list(tokens), (0, 1), 7))
    unfolded = [t for token in merged for t in ((0, 1) if token == 7 else (token,))]
    expect(unfolded == tokens, "Unfolding every new token must give the text back.")
    left = (0, 1) in itertools.pairwise(merged)
    expect(not left, "A pair is left over in your result.")


def very_short_texts(answer):
    """An empty text stays empty, and a single token has no neighbour."""
    _expect_merge(answer, [], (1, 2), 9, [], "An empty text stays empty.")
    _expect_merge(answer, [1], (1, 2), 9, [1], "A single token has no neighbour to merge with.")


def _expect_merge(answer, tokens, pair, new, expected, sentence):
    expect(expect_tokens(answer(tokens, pair, new)) == expected, sentence)


def inputs(random):
    """Few and many different tokens, short ids and long, pairs of twins, `new` known or not."""
    for count, ids in ((0, 2), (2, 2), (9, 2), (40, 3), (40, 2), (25, 5), (300, 4)):
        names = [0, 1, 12, 2, 121][:ids] if count % 2 else [7, 70, 707, 0, 77][:ids]
        tokens = [names[i] for i in random.integers(0, ids, count)]
        yield tokens, (names[0], names[1]), 256
        yield tokens, (names[1], names[1]), 1000
        yield tokens, (names[0], names[1]), names[0]
        yield tokens, (names[1], names[0]), names[0]
        yield tokens, (names[1], names[1]), names[1]


EXERCISE = Exercise(
    id="pretraining.merge_pair",
    title="One merge of byte-pair encoding",
    difficulty=1,
    minutes=8,
    prompt=r"""
Byte-pair encoding grows a vocabulary one merge at a time: find the commonest pair of neighbours,
give it a token of its own, and replace it everywhere. You write the replacing. Go through `tokens`
(a list of ids) from left to right; wherever the two ids of `pair` (a tuple) stand side by side,
put `new` in their place. A token that has been merged is used up, so in $1, 1, 1$ with the pair
$(1, 1)$ only the first two merge.

Return a new list. `merge_pair([3, 1, 2, 3], (1, 2), 9)` gives `[3, 9, 3]`, and
`merge_pair([1, 1, 1], (1, 1), 9)` gives `[9, 1]`.
""",
    starter='''
def merge_pair(tokens, pair, new):
    """Replace every pair (a, b) in tokens by new, left to right -> list."""
    ...
''',
    solution=SOLUTION,
    tests=(
        a_list_of_tokens_comes_back,
        two_merges_by_hand,
        repeated_letters_do_not_overlap,
        merging_loses_nothing,
        very_short_texts,
    ),
    variants=(
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
    inputs=inputs,
    mistakes=(
        Mistake(
            "loses the last token",
            changed(SOLUTION, "i < len(tokens)", "i < len(tokens) - 1"),
            "a_list_of_tokens_comes_back",
            "Your loop stops one short, so a last token without a partner is lost. Keep it.",
        ),
        Mistake(
            "merges the first pair only",
            "def merge_pair(tokens, pair, new):\n"
            "    for i in range(len(tokens) - 1):\n"
            "        if tuple(tokens[i : i + 2]) == pair:\n"
            "            return tokens[:i] + [new] + tokens[i + 2 :]\n"
            "    return list(tokens)\n",
            "two_merges_by_hand",
            "Only the first pair is merged. Go on after it: replace the pair everywhere.",
        ),
        Mistake(
            "keeps the second token of the pair",
            changed(SOLUTION, "i += 2", "i += 1"),
            "two_merges_by_hand",
            "After a merge you step on by one, so the pair's second token is read again. The new "
            "token stands for both: step on by two.",
        ),
        Mistake(
            "ignores the order of the pair",
            changed(
                SOLUTION,
                "tuple(tokens[i : i + 2]) == pair",
                "sorted(tokens[i : i + 2]) == sorted(pair)",
            ),
            "two_merges_by_hand",
            "You also merge the pair the wrong way round. (1, 2) means 1 followed by 2.",
        ),
        Mistake(
            "replaces the tokens one by one",
            "def merge_pair(tokens, pair, new):\n"
            "    return [new if token in pair else token for token in tokens]\n",
            "two_merges_by_hand",
            "You replace each token that occurs in the pair. Only the two side by side become one "
            "new token.",
        ),
        Mistake(
            "merges overlapping pairs",
            "def merge_pair(tokens, pair, new):\n"
            "    merged, i = [], 0\n"
            "    while i < len(tokens):\n"
            "        if tuple(tokens[i : i + 2]) == pair:\n"
            "            merged.append(new)\n"
            "            i += 1 if tuple(tokens[i + 1 : i + 3]) == pair else 2\n"
            "        else:\n"
            "            merged.append(tokens[i])\n"
            "            i += 1\n"
            "    return merged\n",
            "repeated_letters_do_not_overlap",
            "In 'aaa' you merge the middle letter twice. Once merged, a token is used up: go on "
            "behind the pair.",
        ),
        Mistake(
            "works from right to left",
            "def merge_pair(tokens, pair, new):\n"
            "    merged, i = [], len(tokens)\n"
            "    while i > 0:\n"
            "        step = 2 if i > 1 and tuple(tokens[i - 2 : i]) == pair else 1\n"
            "        merged.insert(0, new if step == 2 else tokens[i - 1])\n"
            "        i -= step\n"
            "    return merged\n",
            "repeated_letters_do_not_overlap",
            "You merge from the right: 'aaa' becomes a, aa. Go from left to right, so that it "
            "becomes aa, a; every tokenizer must make the same choice.",
        ),
    ),
    hints=("A `while` loop lets you step on by 2 after a merge and by 1 otherwise.",),
)
