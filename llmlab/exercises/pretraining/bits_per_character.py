"""Exercise pretraining.bits_per_character: comparing models with different tokens."""

from __future__ import annotations

import numpy as np

from ..grading.definition import Exercise, Mistake, changed
from ..grading.expectations import expect_close, expect_number

SOLUTION = """
def bits_per_character(loss, tokens, characters):
    nats = loss * tokens
    bits = nats / np.log(2)
    return bits / characters
"""


def rate_is_one_number(answer):
    """The rate is one number."""
    expect_number(answer(1.5, 10, 25))


def rate_by_hand(answer):
    """Four tokens of log 8 nats (3 bits) each, for 16 characters: 12 / 16 bits."""
    sentence = "Four tokens of log 8 nats, 3 bits each, for 16 characters are 12/16 bits each."
    expect_close(answer(np.log(8), 4, 16), 0.75, sentence)


def a_byte_of_noise_costs_eight_bits(answer):
    """A model that knows nothing of 256 bytes pays 8 bits for each."""
    sentence = "Guessing among 256 bytes costs 8 bits for each."
    expect_close(answer(np.log(256), 1000, 1000), 8.0, sentence)


def longer_tokens_change_nothing(answer):
    """Half as many tokens at twice the loss is the same knowledge of the text."""
    first, second = expect_number(answer(1.2, 600, 900)), expect_number(answer(2.4, 300, 900))
    expect_close(first, second, "Half as many tokens at twice the loss must give the same rate.")
    expect_close(answer(0.0, 600, 900), 0.0, "A loss of 0 costs no bits.")
    expect_close(first, 1.2 * 600 / 900 * 1.4426950409, "A nat is 1.4427 bits.")


def inputs(random):
    """Losses from near 0 to that of a hopeless model; more tokens than characters, and fewer."""
    for size in (0.01, 1, 5, 30):
        for _ in range(2):
            tokens, characters = random.permutation(3000)[:2] + 1
            yield size * float(random.random()), int(tokens), int(characters)


EXERCISE = Exercise(
    id="pretraining.bits_per_character",
    title="Bits per character",
    difficulty=1,
    minutes=6,
    prompt=r"""
Your friend's model has a loss of 3.2 nats a token, yours 1.5. Who knows the text better? You cannot
say yet: if their tokens are words and yours are letters, theirs have more to guess each time. Put
both on one scale: the bits they need for a character of the text.

You get `loss`, the mean in nats for one token, the number of `tokens`, and the number of
`characters` in the same text. A nat is $1 / \ln 2$ bits. Return one number. For $\ln 8$ nats a
token (3 bits), 4 tokens and 16 characters: $3 \cdot 4 / 16 = 0.75$ bits per character.
""",
    starter='''
def bits_per_character(loss, tokens, characters):
    """Bits per character, from the mean loss (nats a token) -> number."""
    ...
''',
    solution=SOLUTION,
    tests=(
        rate_is_one_number,
        rate_by_hand,
        a_byte_of_noise_costs_eight_bits,
        longer_tokens_change_nothing,
    ),
    variants=(
        "import math\n\n"
        "def bits_per_character(loss, tokens, characters):\n"
        "    return loss * math.log2(math.e) * tokens / characters",
        "def bits_per_character(loss, tokens, characters):\n"
        "    return np.log2(np.exp(loss)) * (tokens / characters)",
    ),
    inputs=inputs,
    mistakes=(
        Mistake(
            "stays in nats",
            changed(SOLUTION, " / np.log(2)", ""),
            "rate_by_hand",
            "These are nats per character. A bit is smaller than a nat: divide by ln 2, "
            "`np.log(2)`.",
        ),
        Mistake(
            "multiplies by ln 2",
            changed(SOLUTION, "/ np.log(2)", "* np.log(2)"),
            "rate_by_hand",
            "You multiply by ln 2, which turns bits into nats. The other way round, divide: a nat "
            "is 1.44 bits.",
        ),
        Mistake(
            "forgets the characters",
            "def bits_per_character(loss, tokens, characters):\n    return loss / np.log(2)\n",
            "rate_by_hand",
            "These are bits per token. Multiply by the number of tokens and divide by the number "
            "of characters.",
        ),
        Mistake(
            "turns the ratio round",
            "def bits_per_character(loss, tokens, characters):\n"
            "    return loss / np.log(2) * characters / tokens\n",
            "rate_by_hand",
            "Your ratio is upside down: all tokens together cost loss × tokens, and that is "
            "shared among the characters.",
        ),
        Mistake(
            "returns the bits of the whole text",
            changed(SOLUTION, "return bits / characters", "return bits"),
            "rate_by_hand",
            "These are the bits of the whole text. Divide by its number of characters.",
        ),
        Mistake(
            "uses the logarithm to base ten",
            changed(SOLUTION, "np.log(2)", "np.log10(2)"),
            "rate_by_hand",
            "`np.log10` is the logarithm to base ten; a nat comes from the natural one, `np.log`.",
        ),
        Mistake(
            "takes the logarithm of the loss",
            changed(SOLUTION, "nats / np.log(2)", "np.log2(loss) * tokens"),
            "rate_by_hand",
            "The loss is already a logarithm; do not take another. To change its unit, divide it "
            "by `np.log(2)`.",
        ),
    ),
    hints=("First the nats of the whole text, then its bits, then the bits of one character.",),
)
