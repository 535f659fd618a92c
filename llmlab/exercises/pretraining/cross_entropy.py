"""Exercise pretraining.cross_entropy: the loss that trains every model of the book."""

from __future__ import annotations

import numpy as np

from ..grading.definition import Exercise, Mistake, changed
from ..grading.expectations import as_array, expect_close, expect_number

SOLUTION = """
def cross_entropy(logits, targets):
    counted = targets != -100
    logits, targets = logits[counted], targets[counted]
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=-1))
    return (log_sums - shifted[np.arange(len(targets)), targets]).mean()
"""


def loss_is_one_number(answer):
    """The loss of a whole batch is one number."""
    logits = np.random.default_rng(0).normal(size=(3, 4))
    expect_number(answer(logits, np.array([0, 3, 1])))


def loss_by_hand(answer):
    """Two tokens with probabilities 1/4 and 1/2; then a model that knows nothing."""
    logits = np.log([[1.0, 3.0], [1.0, 1.0]])
    expected = (np.log(4) + np.log(2)) / 2
    sentence = "Targets with probabilities 1/4 and 1/2 cost (log 4 + log 2) / 2 = 1.04 nats."
    expect_close(answer(logits, np.array([0, 1])), expected, sentence)
    sentence = "Equal logits for 5 tokens cost log 5 = 1.609 nats."
    expect_close(answer(np.zeros((3, 5)), np.array([4, 0, 2])), np.log(5), sentence)


def ignored_targets_do_not_count(answer):
    """A target of -100 counts neither in the sum nor in the number of tokens."""
    logits = np.log([[1.0, 3.0], [1.0, 1.0], [5.0, 1.0]])
    sentence = "A target of -100 must count neither in the sum nor in the number of tokens."
    expect_close(answer(logits, np.array([0, -100, -100])), np.log(4), sentence)


def only_differences_of_logits_count(answer):
    """Random logits agree with plain logarithms, and adding a constant changes nothing."""
    random = np.random.default_rng(1)
    logits, targets = random.normal(size=(8, 6)), random.integers(0, 6, size=8)
    rows = [
        np.log(sum(np.exp(v) for v in row)) - row[t] for row, t in zip(logits, targets, strict=True)
    ]
    loss = as_array(answer(logits, targets))
    expect_close(loss, sum(rows) / 8, "On random logits your loss disagrees with plain logarithms.")
    expect_close(answer(logits + 3, targets), loss, "Adding 3 to all logits must change nothing.")


def huge_logits_do_not_overflow(answer):
    """Logits in the thousands overflow nowhere."""
    logits = np.array([[1000.0, 1000.0], [-2000.0, -1000.0]])
    sentence = "Logits of ±1000 must not overflow: these two targets cost log 2 and 1000 nats."
    expect_close(answer(logits, np.array([0, 0])), (np.log(2) + 1000) / 2, sentence)


def inputs(random):
    """T and V differ; targets ignored anywhere; logits far from 0 and far apart, rows unlike."""
    for T, V in ((3, 7), (8, 4), (1, 6), (5, 2), (12, 50), (300, 9)):
        for spread, far, share in ((1, 0, 0), (2, 0, 0.4), (1, 3000, 0.3), (900, 0, 0.3)):
            logits = spread * random.normal(size=(T, V)) + far * random.normal(size=(T, 1))
            targets = random.integers(0, V, T)
            targets[1:][random.random(T - 1) < share] = -100
            order = random.permutation(T)
            yield logits[order], targets[order]


EXERCISE = Exercise(
    id="pretraining.cross_entropy",
    title="The loss: surprise at the next token",
    difficulty=2,
    minutes=10,
    prompt=r"""
A model hands you logits; softmax turns them into probabilities. What does a prediction cost? The
surprise at what really came, $-\log p(\text{target})$, in nats: nothing for a sure and right
guess, $\log V$ for a model that knows nothing. The loss is the mean over the tokens.

Take `logits` of shape $(T, V)$ and `targets` of shape $(T)$, integers. A target of $-100$ marks a
position that does not count, neither in the sum nor in the number you divide by. Return one
number. If the targets have the probabilities 1/4 and 1/2, the loss is
$(\log 4 + \log 2)/2 = 1.04$. Logits of 1000 must not overflow: you may subtract a row's largest
logit from the whole row.
""",
    starter='''
def cross_entropy(logits, targets):
    """Mean loss, nats: logits (T, V), targets (T,), -100 = ignore."""
    ...
''',
    solution=SOLUTION,
    tests=(
        loss_is_one_number,
        loss_by_hand,
        ignored_targets_do_not_count,
        only_differences_of_logits_count,
        huge_logits_do_not_overflow,
    ),
    variants=(
        "def cross_entropy(logits, targets):\n"
        "    losses = []\n"
        "    for row, target in zip(logits, targets):\n"
        "        if target == -100:\n"
        "            continue\n"
        "        losses.append(row.max() + np.log(np.exp(row - row.max()).sum()) - row[target])\n"
        "    return sum(losses) / len(losses)",
        "def cross_entropy(logits, targets):\n"
        "    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]\n"
        "    keep = np.flatnonzero(targets >= 0)\n"
        "    return -np.average(log_p[keep, targets[keep]])",
    ),
    inputs=inputs,
    harmless=(
        (
            "shifted = logits - logits.max(axis=1, keepdims=True)",
            "logits have two axes: the last is number 1",
        ),
        (
            "log_sums = np.log(np.exp(shifted).sum(axis=1))",
            "logits have two axes: the last is number 1",
        ),
    ),
    mistakes=(
        Mistake(
            "does not average",
            changed(SOLUTION, ".mean()", ""),
            "loss_is_one_number",
            "You return a loss for each token. Take their mean.",
        ),
        Mistake(
            "sums instead of averaging",
            changed(SOLUTION, ".mean()", ".sum()"),
            "loss_by_hand",
            "You add the losses up, so longer texts look worse. Take the mean.",
        ),
        Mistake(
            "loses the minus",
            changed(SOLUTION, "return (", "return -("),
            "loss_by_hand",
            "Your loss is negative: a logarithm of a probability is below 0, so the surprise has "
            "a minus in front.",
        ),
        Mistake(
            "counts in bits",
            changed(SOLUTION, ".mean()", ".mean() / np.log(2)"),
            "loss_by_hand",
            "You count in bits, with log to base 2. The loss is in nats: use `np.log`.",
        ),
        Mistake(
            "returns the perplexity",
            changed(SOLUTION, "return (", "return np.exp(")
            .replace(".mean()", ".mean())")
            .replace("np.exp(log_sums -", "np.exp((log_sums -"),
            "loss_by_hand",
            "You return the perplexity, e to the power of the loss. Return the loss itself.",
        ),
        Mistake(
            "takes the logits for probabilities",
            "def cross_entropy(logits, targets):\n"
            "    counted = targets != -100\n"
            "    logits, targets = logits[counted], targets[counted]\n"
            "    return -np.log(logits[np.arange(len(targets)), targets]).mean()\n",
            "loss_by_hand",
            "You take the logarithm of a logit. Logits are not probabilities yet: they go "
            "through the softmax first.",
        ),
        Mistake(
            "forgets the softmax",
            "def cross_entropy(logits, targets):\n"
            "    counted = targets != -100\n"
            "    logits, targets = logits[counted], targets[counted]\n"
            "    return -logits[np.arange(len(targets)), targets].mean()\n",
            "loss_by_hand",
            "You use the target's logit alone. A logit means something only beside the others: "
            "subtract the log of the sum of all exponentials in its row.",
        ),
        Mistake(
            "normalises over the tokens",
            SOLUTION.replace("axis=-1, keepdims=True", "axis=0, keepdims=True")
            .replace("sum(axis=-1)", "sum(axis=0)")
            .replace("log_sums - ", "log_sums[targets] - "),
            "loss_by_hand",
            "Your softmax runs down the columns, over time. Each row of logits is one prediction: "
            "normalise over the vocabulary, the last axis.",
        ),
        Mistake(
            "uses -100 as an index",
            changed(
                changed(SOLUTION, "    counted = targets != -100\n", ""),
                "    logits, targets = logits[counted], targets[counted]\n",
                "",
            ),
            "ignored_targets_do_not_count",
            "A target of -100 is no token, it marks a position to leave out. Keep only the rows "
            "where `targets != -100`.",
        ),
        Mistake(
            "divides by all tokens",
            changed(SOLUTION, "    counted", "    total = len(targets)\n    counted").replace(
                ".mean()", ".sum() / total"
            ),
            "ignored_targets_do_not_count",
            "You leave out the ignored positions but still divide by the number of all tokens. "
            "Divide by the number that count.",
        ),
        Mistake(
            "does not subtract the largest",
            changed(SOLUTION, "logits - logits.max(axis=-1, keepdims=True)", "logits"),
            "huge_logits_do_not_overflow",
            "`np.exp(1000)` is infinity. Subtract each row's largest logit before you "
            "exponentiate; the loss stays the same.",
        ),
        Mistake(
            "takes the logarithm of a rounded zero",
            changed(
                SOLUTION,
                "return (log_sums - shifted[np.arange(len(targets)), targets]).mean()",
                "p = np.exp(shifted) / np.exp(log_sums)[:, None]\n"
                "    return -np.log(p[np.arange(len(targets)), targets]).mean()",
            ),
            "huge_logits_do_not_overflow",
            "A probability of e to the -1000 rounds to 0, and its logarithm is minus infinity. "
            "Stay in logarithms: the log of the row's sum minus the target's logit.",
        ),
    ),
    hints=(
        "-log softmax(x)[t] equals log(sum(exp(x))) - x[t].",
        "`logits[np.arange(len(targets)), targets]` picks each row's target.",
    ),
)
