"""Exercise pretraining.top_p: nucleus sampling."""

from __future__ import annotations

import numpy as np

from ..grading.definition import Exercise, Mistake, changed
from ..grading.expectations import as_array, expect, expect_close, expect_shape

SOLUTION = """
def top_p(probabilities, p):
    order = np.argsort(-probabilities)
    ranked = probabilities[order]
    kept = order[np.cumsum(ranked) - ranked < p]
    nucleus = np.zeros(len(probabilities))
    nucleus[kept] = probabilities[kept]
    return nucleus / nucleus.sum()
"""


def one_probability_per_token(answer):
    """The result has a probability for every token of the vocabulary."""
    out = answer(np.array([0.4, 0.3, 0.2, 0.1]), 0.6)
    expect_shape(out, (4,), "a probability for every token, 0 for those cut off")


def the_crossing_token_stays(answer):
    """Of 0.5, 0.3, 0.15 and 0.05, two tokens reach 0.6; they share out everything."""
    out = answer(np.array([0.5, 0.3, 0.15, 0.05]), 0.6)
    sentence = "0.5 alone does not reach 0.6, so 0.3 stays too, and the two are scaled to sum to 1."
    expect_close(out, [0.625, 0.375, 0, 0], sentence)


def tokens_keep_their_places(answer):
    """The same probabilities in another order: each stays at its own token."""
    out = answer(np.array([0.05, 0.5, 0.15, 0.3]), 0.6)
    expect_close(out, [0, 0.625, 0, 0.375], "Each probability must stay at its own token.")


def reaching_p_exactly_is_enough(answer):
    """0.5 + 0.25 reaches 0.75 exactly: the third token is not needed."""
    out = answer(np.array([0.5, 0.25, 0.1875, 0.0625]), 0.75)
    sentence = "0.5 + 0.25 is exactly 0.75, which is enough: two tokens stay."
    expect_close(out, [2 / 3, 1 / 3, 0, 0], sentence)


def equals_do_not_all_stay(answer):
    """Of four equal tokens two reach 0.5, whichever they are."""
    out = as_array(answer(np.full(4, 0.25), 0.5)).astype(float)
    sentence = "Of four tokens with 0.25 each, any two reach 0.5: keep the fewest that do."
    expect_close(np.sort(out), [0, 0, 0.5, 0.5], sentence)


def never_empty_never_less(answer):
    """A tiny p keeps the likeliest token, p = 1 keeps all, and ratios never change."""
    random = np.random.default_rng(5)
    weights = random.random(30)
    probabilities = weights / weights.sum()
    alone = np.zeros(30)
    alone[probabilities.argmax()] = 1
    expect_close(answer(probabilities, 1e-6), alone, "A tiny p must keep the likeliest token.")
    expect_close(answer(probabilities, 1.0), probabilities, "p = 1 must change nothing.")
    out = as_array(answer(probabilities, 0.5)).astype(float)
    kept = out > 0
    total, least = probabilities[kept].sum(), probabilities[kept].min(initial=1)
    expect(total >= 0.5, f"The tokens you keep hold {total:.3f} of the probability, not 0.5.")
    expect(total - least < 0.5, "You keep a token more than p = 0.5 needs.")
    expect_close(out.sum(), 1.0, "What stays must sum to 1.")


def inputs(random):
    """Flat and steep distributions over few and many tokens, and every p from tiny to 1."""
    for size in (1, 2, 5, 9, 40, 1000):
        for steepness in (0.3, 2, 12):
            weights = np.exp(steepness * random.normal(size=size))
            for p in 0.9 * random.random(3):
                yield weights / weights.sum(), float(p)
    yield weights / weights.sum(), 0.999
    yield weights / weights.sum(), 1e-9
    yield np.array([0.0, 0.25, 0, 0.75]), 1.0


EXERCISE = Exercise(
    id="pretraining.top_p",
    title="Top-p: cut off the tail",
    difficulty=2,
    minutes=12,
    prompt=r"""
Sample from a model's full distribution and now and then you draw nonsense, because thousands of
unlikely tokens together have a real chance. Top-p sampling keeps the *nucleus*: rank the tokens
from likeliest to least likely and keep the fewest whose probabilities add up to at least $p$. The
token that crosses the threshold stays; of equally likely ones, any may. The rest get 0, and what
stays is scaled to sum to 1.

Take `probabilities` of shape $(V)$, summing to 1, and $0 < p \le 1$; return shape $(V)$, every
token in its own place. From $(0.05, 0.5, 0.15, 0.3)$ with $p = 0.6$ the tokens with 0.5 and 0.3
stay: $(0, 0.625, 0, 0.375)$.
""",
    starter='''
def top_p(probabilities, p):
    """Keep the fewest likeliest tokens that reach p, rescaled: (V,) -> (V,)."""
    ...
''',
    solution=SOLUTION,
    tests=(
        one_probability_per_token,
        the_crossing_token_stays,
        tokens_keep_their_places,
        reaching_p_exactly_is_enough,
        equals_do_not_all_stay,
        never_empty_never_less,
    ),
    variants=(
        "def top_p(probabilities, p):\n"
        "    out, total = [0.0] * len(probabilities), 0.0\n"
        "    for i in sorted(range(len(probabilities)), key=lambda i: -probabilities[i]):\n"
        "        if total >= p:\n"
        "            break\n"
        "        out[i] = probabilities[i]\n"
        "        total += probabilities[i]\n"
        "    return [value / total for value in out]",
        "def top_p(probabilities, p):\n"
        "    order = np.argsort(probabilities)[::-1]\n"
        "    sums = np.cumsum(probabilities[order])\n"
        "    count = min(np.searchsorted(sums, p) + 1, len(order))\n"
        "    out = probabilities.copy()\n"
        "    out[order[count:]] = 0\n"
        "    return out / out.sum()",
    ),
    inputs=inputs,
    mistakes=(
        Mistake(
            "returns the nucleus alone",
            changed(SOLUTION, "return nucleus / nucleus.sum()", "return ranked[: len(kept)]"),
            "one_probability_per_token",
            "You return only the tokens that stay. Give every token of the vocabulary a "
            "probability, and 0 to those cut off.",
        ),
        Mistake(
            "drops the crossing token",
            changed(SOLUTION, "np.cumsum(ranked) - ranked < p", "np.cumsum(ranked) <= p"),
            "the_crossing_token_stays",
            "You keep the tokens whose running sum is still within p, and drop the one that "
            "crosses it. Ask for each token whether the sum *before* it is less than p.",
        ),
        Mistake(
            "does not scale",
            changed(SOLUTION, "return nucleus / nucleus.sum()", "return nucleus"),
            "the_crossing_token_stays",
            "The tail is gone, but what stays no longer sums to 1. Divide by its sum.",
        ),
        Mistake(
            "ranks from the least likely",
            changed(SOLUTION, "np.argsort(-probabilities)", "np.argsort(probabilities)"),
            "the_crossing_token_stays",
            "`np.argsort` ranks from small to large, so you keep the tail and cut the head off. "
            "Rank from the likeliest.",
        ),
        Mistake(
            "compares each probability with 1 - p",
            "def top_p(probabilities, p):\n"
            "    nucleus = np.where(probabilities >= 1 - p, probabilities, 0)\n"
            "    return nucleus / nucleus.sum()\n",
            "the_crossing_token_stays",
            "You compare single probabilities with a threshold. p is about their running sum, "
            "from the likeliest down.",
        ),
        Mistake(
            "does not rank",
            changed(SOLUTION, "np.argsort(-probabilities)", "np.arange(len(probabilities))"),
            "tokens_keep_their_places",
            "You add up in the order of the vocabulary. Rank the tokens by probability first.",
        ),
        Mistake(
            "leaves the tokens in ranked order",
            changed(
                SOLUTION,
                "nucleus[kept] = probabilities[kept]",
                "nucleus[: len(kept)] = probabilities[kept]",
            ),
            "tokens_keep_their_places",
            "Your result is in ranked order, so the probabilities belong to the wrong tokens. "
            "Use the order from `np.argsort` to put each back in its place.",
        ),
        Mistake(
            "keeps all that equal the last",
            "def top_p(probabilities, p):\n"
            "    ranked = np.sort(probabilities)[::-1]\n"
            "    least = ranked[np.cumsum(ranked) - ranked < p].min()\n"
            "    nucleus = np.where(probabilities >= least, probabilities, 0)\n"
            "    return nucleus / nucleus.sum()\n",
            "equals_do_not_all_stay",
            "You keep every token as likely as the last one needed. Among equals, keep only as "
            "many as p needs: choose by rank, not by probability.",
        ),
        Mistake(
            "keeps one too many when the sum is exact",
            changed(SOLUTION, "- ranked < p", "- ranked <= p"),
            "reaching_p_exactly_is_enough",
            "When the sum reaches p exactly you still take one token more. Keep a token only if "
            "the sum before it is less than p.",
        ),
    ),
    hints=(
        "`np.argsort(-probabilities)` ranks the tokens from the likeliest.",
        "A token stays if the running sum before it has not reached p.",
    ),
)
