"""Exercise pretraining.mask_tokens: BERT's guessing game."""

from __future__ import annotations

import numpy as np

from ..grading.definition import Exercise, Mistake, changed
from ..grading.expectations import as_array, expect, expect_shape

SOLUTION = """
def mask_tokens(tokens, mask_id, vocab_size, generator, rate=0.15):
    selected = generator.random(tokens.shape) < rate
    targets = np.where(selected, tokens, -100)
    fate = generator.random(tokens.shape)
    strangers = generator.integers(0, vocab_size, tokens.shape)
    inputs = np.where(selected & (fate < 0.8), mask_id, tokens)
    inputs = np.where(selected & (fate >= 0.9), strangers, inputs)
    return inputs, targets
"""

VOCAB_SIZE, MASK_ID = 50, 50
COUNT = 40_000  # the bounds below are at least five standard errors wide at this size


def two_arrays_come_back(answer):
    """Inputs and targets, both of the shape of the tokens."""
    tokens = np.arange(40) % VOCAB_SIZE
    _play(answer, tokens)


def targets_are_the_originals(answer):
    """A target is the original token or -100, and what is not selected stays as it was."""
    tokens = _random_tokens(400)
    inputs, targets = _play(answer, tokens)
    ignored = targets == -100
    expect((ignored | (targets == tokens)).all(), "A target must be the original token, or -100.")
    expect(ignored.any(), "Every token is a target: those not selected must get the target -100.")
    expect((inputs[ignored] == tokens[ignored]).all(), "A token that is not selected must stay.")


def a_share_is_selected(answer):
    """About 15 % are selected, or whatever the rate says."""
    tokens = _random_tokens()
    for rate, given in ((0.15, ()), (0.15, (0.15,)), (0.4, (0.4,))):
        _, targets = _play(answer, tokens, 0, *given)
        share = (targets != -100).mean()
        expect(
            abs(share - rate) < 0.02,
            f"At rate={rate} you select {share:.1%} of the tokens, expected about {rate:.0%}.",
        )


def the_selected_split_80_10_10(answer):
    """Of the selected, about 80 % become the mask, 10 % a random token, 10 % stay."""
    tokens = _random_tokens()
    inputs, targets = _play(answer, tokens)
    masked, stranger, same = _fates(tokens, inputs, targets)
    sentence = (
        f"Of the selected tokens {masked:.0%} are masked, {stranger:.0%} random and {same:.0%} "
        "unchanged, expected about 80 %, 10 % and 10 %."
    )
    expect(abs(masked - 0.8) < 0.04 and abs(stranger - 0.1) < 0.03, sentence)
    drawn = inputs[(inputs != tokens) & (inputs != MASK_ID)]
    low, high = drawn.min(initial=VOCAB_SIZE), drawn.max(initial=0)
    expect(
        0 <= low < 5 and VOCAB_SIZE - 5 <= high < VOCAB_SIZE,
        f"The random tokens must come from the whole vocabulary, 0 to {VOCAB_SIZE - 1}: "
        f"yours run from {low} to {high}.",
    )


def the_generator_decides(answer):
    """The same generator gives the same game, another seed gives another."""
    tokens = _random_tokens(400)
    first, again, other = (_play(answer, tokens, seed=seed) for seed in (1, 1, 2))
    same = all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    expect(same, "The same seed gives different results: draw from the `generator` you are given.")
    differs = not np.array_equal(first[1], other[1])
    expect(differs, "Two seeds give the same selection: draw from the `generator` you are given.")


def inputs(random):
    """Texts without a part of the vocabulary; the mask below, in and above it; several rates."""
    for vocab_size, mask_id, rate in ((50, 50, 0.4), (20, 3, 0.5), (30, 1000, 0.7)):
        tokens = random.integers(0, vocab_size // 2, COUNT)
        tokens[tokens == mask_id] = 0
        yield tokens, mask_id, vocab_size, rate


def fingerprint(answer, tokens, mask_id, vocab_size, rate):
    """Shares that tell games apart (an answer's own draws cannot be compared)."""
    game = {"mask_id": mask_id, "vocab_size": vocab_size}
    inputs, targets = _play(answer, tokens, 0, rate, **game)
    again = _play(answer, tokens, 0, rate, **game)
    chosen, half = targets != -100, len(tokens) // 2
    masked, stranger, same = _fates(tokens, inputs, targets, mask_id)
    drawn = inputs[(inputs != tokens) & (inputs != mask_id)]
    return {
        "the share selected": chosen.mean(),
        "the share selected in the first half": chosen[:half].mean(),
        "the share selected of small ids": chosen[tokens < vocab_size // 4].mean(),
        "the share of targets that are the token": (targets == tokens).mean(),
        "the share of targets that are the mask": (targets == mask_id).mean(),
        "the share of targets that are 0": (targets == 0).mean(),
        "the share of inputs changed": (inputs != tokens).mean(),
        "the share masked of the selected": masked,
        "the share masked in the first half": (inputs == mask_id)[:half].mean(),
        "the share of random tokens among the selected": stranger,
        "the share unchanged of the selected": same,
        "the smallest random token": drawn.min(initial=vocab_size),
        "the largest random token": drawn.max(initial=0),
        "the number of different random tokens": len(np.unique(drawn)),
        "the share of games that a seed repeats": float(np.array_equal(again, (inputs, targets))),
    }


def _random_tokens(count=COUNT):
    return np.random.default_rng(7).integers(0, VOCAB_SIZE, count)


def _play(answer, tokens, seed=0, *rate, mask_id=MASK_ID, vocab_size=VOCAB_SIZE):
    got = answer(tokens, mask_id, vocab_size, np.random.default_rng(seed), *rate)
    pair = isinstance(got, (tuple, list)) and len(got) == 2
    expect(pair, "Return two arrays: `return inputs, targets`.")
    inputs = expect_shape(got[0], tokens.shape, "one input for each token")
    targets = expect_shape(got[1], tokens.shape, "one target for each token")
    for name, array in (("inputs", inputs), ("targets", targets)):
        whole = array == np.round(array)
        expect(as_array(whole).all(), f"Your {name} must be whole numbers, token ids.")
    return inputs.astype(int), targets.astype(int)


def _fates(tokens, inputs, targets, mask_id=MASK_ID):
    """Shares of the selected that are masked, replaced by another token, and unchanged."""
    chosen = targets != -100
    count = max(1, chosen.sum())
    masked = (chosen & (inputs == mask_id)).sum() / count
    same = (chosen & (inputs == tokens)).sum() / count
    return masked, chosen.any() - masked - same, same


EXERCISE = Exercise(
    id="pretraining.mask_tokens",
    title="BERT's guessing game",
    difficulty=3,
    minutes=15,
    prompt=r"""
BERT learns by guessing hidden words. If every place that it must guess held `[MASK]`, the texts
that it meets later, which have no such token, would look different; so its authors mix. Select
each token with probability `rate`, by default 15 %. Of the selected,

- 80 % become `mask_id`,
- 10 % become a random token, any of $0, \ldots, V - 1$ with $V$ = `vocab_size`,
- 10 % stay as they are, and must be guessed all the same.

Take `tokens`, an array of shape $(T)$, and a numpy `generator`: draw with
`generator.random(shape)` and `generator.integers(low, high, shape)`, so that a seed repeats the
game. Return `inputs, targets`, both of shape $(T)$; the target is the original token where one was
selected and $-100$ elsewhere. If of $(7, 3, 5)$ only the 3 is selected and masked, the inputs are
$(7, \text{mask}, 5)$ and the targets $(-100, 3, -100)$.
""",
    starter='''
def mask_tokens(tokens, mask_id, vocab_size, generator, rate=0.15):
    """Hide tokens (T,) as BERT does -> inputs (T,), targets (T,)."""
    ...
''',
    solution=SOLUTION,
    tests=(
        two_arrays_come_back,
        targets_are_the_originals,
        a_share_is_selected,
        the_selected_split_80_10_10,
        the_generator_decides,
    ),
    variants=(
        "def mask_tokens(tokens, mask_id, vocab_size, generator, rate=0.15):\n"
        "    inputs, targets = tokens.copy(), np.full(len(tokens), -100)\n"
        "    for i, token in enumerate(tokens):\n"
        "        if generator.random() < rate:\n"
        "            targets[i], fate = token, generator.random()\n"
        "            if fate < 0.8:\n"
        "                inputs[i] = mask_id\n"
        "            elif fate < 0.9:\n"
        "                inputs[i] = generator.integers(vocab_size)\n"
        "    return inputs, targets",
        "def mask_tokens(tokens, mask_id, vocab_size, generator, rate=0.15):\n"
        "    chosen = generator.permutation(len(tokens))[: round(rate * len(tokens))]\n"
        "    a, b = int(0.8 * len(chosen)), int(0.9 * len(chosen))\n"
        "    inputs, targets = tokens.copy(), np.full_like(tokens, -100)\n"
        "    targets[chosen] = tokens[chosen]\n"
        "    inputs[chosen[:a]] = mask_id\n"
        "    inputs[chosen[a:b]] = generator.choice(vocab_size, b - a)\n"
        "    return [inputs, targets]",
    ),
    inputs=inputs,
    fingerprint=fingerprint,
    harmless=(
        (
            "selected = generator.random(tokens.shape) <= rate",
            "a draw is exactly the rate once in 10**16",
        ),
        (
            "inputs = np.where(selected & (fate <= 0.8), mask_id, tokens)",
            "a draw is exactly 0.8 once in 10**16",
        ),
        (
            "inputs = np.where(selected & (fate > 0.9), strangers, inputs)",
            "a draw is exactly 0.9 once in 10**16",
        ),
    ),
    mistakes=(
        Mistake(
            "makes every token a target",
            changed(SOLUTION, "targets = np.where(selected, tokens, -100)", "targets = tokens"),
            "targets_are_the_originals",
            "Every token is a target, also those the model can simply read. Where nothing was "
            "selected the target is -100.",
        ),
        Mistake(
            "marks ignored targets with zero",
            changed(SOLUTION, "tokens, -100)", "tokens, 0)"),
            "targets_are_the_originals",
            "You mark what does not count with 0, but 0 is a token. Use -100.",
        ),
        Mistake(
            "takes the hidden text for the target",
            changed(
                SOLUTION,
                "    return inputs",
                "    targets = np.where(selected, inputs, -100)\n    return inputs",
            ),
            "targets_are_the_originals",
            "Your targets are taken from the hidden text. The model must guess what stood there "
            "before.",
        ),
        Mistake(
            "swaps selected and not selected",
            changed(
                SOLUTION, "np.where(selected, tokens, -100)", "np.where(selected, -100, tokens)"
            ),
            "targets_are_the_originals",
            "The targets are the wrong way round: -100 stands where a token was selected.",
        ),
        Mistake(
            "ignores the rate",
            changed(SOLUTION, "< rate", "< 0.15"),
            "a_share_is_selected",
            "You always select 15 %. Use the argument `rate`.",
        ),
        Mistake(
            "always masks",
            changed(SOLUTION, " & (fate < 0.8)", "").replace(
                "    inputs = np.where(selected & (fate >= 0.9), strangers, inputs)\n", ""
            ),
            "the_selected_split_80_10_10",
            "Every selected token becomes the mask. Only 80 % of them do; 10 % become a random "
            "token and 10 % stay.",
        ),
        Mistake(
            "never leaves a token as it is",
            changed(SOLUTION, "fate >= 0.9", "fate >= 0.8"),
            "the_selected_split_80_10_10",
            "What is not masked always becomes a random token. Half of it, 10 % of the "
            "selected, stays as it is.",
        ),
        Mistake(
            "throws the dice twice",
            changed(SOLUTION, "(fate >= 0.9)", "(generator.random(tokens.shape) < 0.1)"),
            "the_selected_split_80_10_10",
            "You draw once for the mask and again for the random tokens, so some masks are "
            "overwritten. One draw decides the fate of a token: below 0.8, above 0.9, or between.",
        ),
        Mistake(
            "draws strangers from half the vocabulary",
            changed(SOLUTION, "integers(0, vocab_size,", "integers(0, vocab_size // 2,"),
            "the_selected_split_80_10_10",
            "Some tokens never come up as a random one. Draw from 0 up to `vocab_size`, which "
            "`integers` leaves out itself.",
        ),
        Mistake(
            "draws from numpy's own generator",
            SOLUTION.replace("generator.random(tokens.shape)", "np.random.random(tokens.shape)"),
            "the_generator_decides",
            "You draw from numpy's global generator, so a seed does not repeat the game. Draw "
            "everything from the `generator` you are given.",
        ),
    ),
    hints=(
        "One array of random numbers says which tokens are selected, a second their fate.",
        "`np.where(condition, a, b)` takes `a` where the condition holds and `b` elsewhere.",
    ),
)
