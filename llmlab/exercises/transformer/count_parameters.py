"""Exercise transformer.count_parameters: how large a GPT is."""

from __future__ import annotations

from ..grading.definition import Exercise, Mistake, changed
from ..grading.expectations import expect, expect_number

SOLUTION = """
def count_parameters(V, T, L, D):
    embeddings = V * D + T * D
    attention = 4 * D * D
    feed_forward = 2 * D * 4 * D
    return embeddings + L * (attention + feed_forward)
"""


def count_is_one_number(answer):
    """The count is one whole number."""
    count = expect_number(answer(10, 4, 2, 3))
    expect(count.is_integer(), f"A count is a whole number: you return {count}.")


def tiny_model_by_hand(answer):
    """A vocabulary of 10, 4 positions, 2 layers, width 3: 30 + 12 + 2 · 108 = 258."""
    _expect_count(answer(10, 4, 2, 3), 258, "30 + 12 + 2 · (36 + 72) weights")


def gpt2_by_hand(answer):
    """The smallest GPT-2: 124,318,464 weights."""
    _expect_count(answer(50257, 1024, 12, 768), 124_318_464, "the weights of the smallest GPT-2")


def one_more_layer_or_token(answer):
    """One more layer adds 12 D² weights, one more vocabulary entry D."""
    base = expect_number(answer(100, 16, 3, 8))
    _expect_count(expect_number(answer(100, 16, 4, 8)) - base, 768, "what one more layer adds")
    _expect_count(
        expect_number(answer(101, 16, 3, 8)) - base, 8, "what one more vocabulary entry adds"
    )
    _expect_count(answer(100, 16, 0, 8), 928, "a model without layers, embeddings alone")


def _expect_count(got, expected, what):
    expect(expect_number(got) == expected, f"It should be {expected:,}: {what}.")


def inputs(random):
    """Sizes of toys and of models with billions of weights, all four different."""
    for largest in (12, 12, 100, 100, 5000, 5000):
        V, T, D = (int(size) for size in 1 + random.permutation(largest)[:3])
        yield V, T, int(random.integers(1, 12)), D
    yield 128_256, 8192, 80, 8192


EXERCISE = Exercise(
    id="transformer.count_parameters",
    title="Count a GPT's parameters",
    difficulty=2,
    minutes=10,
    prompt=r"""
"124 million parameters" stops being a slogan once you can add it up. Count the weights of a GPT
with a vocabulary of $V$ tokens, $T$ learned positions, $L$ layers and width $D$:

- each vocabulary entry and each position is a vector of $D$ numbers; the output layer shares the
  vocabulary's vectors, so it adds none;
- the attention of one layer has four $D \times D$ matrices: queries, keys, values, and the output
  projection (the number of heads does not matter, they only cut the width);
- the feed-forward part of one layer has two matrices, from $D$ to $4D$ and back.

Leave out biases and norms: together they are less than a thousandth of a large model. Return one
whole number. For $V = 10$, $T = 4$, $L = 2$, $D = 3$: $30 + 12 + 2 \cdot (36 + 72) = 258$.
""",
    starter='''
def count_parameters(V, T, L, D):
    """Weights of a GPT: vocabulary V, positions T, layers L, width D -> one whole number."""
    ...
''',
    solution=SOLUTION,
    tests=(
        count_is_one_number,
        tiny_model_by_hand,
        gpt2_by_hand,
        one_more_layer_or_token,
    ),
    variants=(
        "def count_parameters(V, T, L, D):\n    return (V + T) * D + 12 * L * D**2",
        "def count_parameters(vocabulary, positions, layers, width):\n"
        "    total = (vocabulary + positions) * width\n"
        "    for _ in range(layers):\n"
        "        total += 3 * width * width + width * width\n"
        "        total += width * (4 * width) + (4 * width) * width\n"
        "    return float(total)",
    ),
    inputs=inputs,
    mistakes=(
        Mistake(
            "forgets the embeddings",
            changed(SOLUTION, "return embeddings + ", "return "),
            "tiny_model_by_hand",
            "You count the layers alone. The vocabulary is a table of V × D weights, and the "
            "positions one of T × D.",
        ),
        Mistake(
            "forgets the positions",
            changed(SOLUTION, " + T * D", ""),
            "tiny_model_by_hand",
            "The learned positions are missing: T vectors of D numbers.",
        ),
        Mistake(
            "counts the output layer again",
            changed(SOLUTION, "V * D", "2 * V * D"),
            "tiny_model_by_hand",
            "You count V × D twice. The output layer shares its weights with the vocabulary's "
            "table.",
        ),
        Mistake(
            "forgets the output projection",
            changed(SOLUTION, "attention = 4", "attention = 3"),
            "tiny_model_by_hand",
            "Attention has a fourth matrix: after the heads are put side by side, the output "
            "projection mixes them.",
        ),
        Mistake(
            "counts one feed-forward matrix",
            changed(SOLUTION, "2 * D * 4 * D", "D * 4 * D"),
            "tiny_model_by_hand",
            "The feed-forward part goes from D to 4D and back again: two matrices of 4 D² weights.",
        ),
        Mistake(
            "does not widen the feed-forward part",
            changed(SOLUTION, "2 * D * 4 * D", "2 * D * D"),
            "tiny_model_by_hand",
            "The feed-forward part is four times as wide as the model: its matrices are D × 4D "
            "and 4D × D.",
        ),
        Mistake(
            "counts one layer",
            changed(SOLUTION, "L * (", "("),
            "tiny_model_by_hand",
            "You count a single layer: multiply what a layer holds by L.",
        ),
        Mistake(
            "multiplies the embeddings by the layers",
            "def count_parameters(V, T, L, D):\n    return L * (V * D + T * D + 12 * D * D)\n",
            "tiny_model_by_hand",
            "The embeddings stand at the bottom once; only the layers are repeated L times.",
        ),
    ),
    hints=("One layer has 4 D² weights in attention and 8 D² in its feed-forward part.",),
)
