"""Exercise pretraining.gradient_step: from a loss to better logits."""

from __future__ import annotations

import numpy as np

from ..grading.definition import Exercise, Mistake, changed
from ..grading.expectations import expect_close, expect_shape

SOLUTION = """
def gradient_step(logits, targets, rate):
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    gradient = weights / weights.sum(axis=-1, keepdims=True)
    gradient[np.arange(len(targets)), targets] -= 1
    return logits - rate * gradient / len(targets)
"""


def step_keeps_the_shape(answer):
    """The new logits have the shape of the old ones."""
    logits = np.random.default_rng(0).normal(size=(3, 5))
    expect_shape(answer(logits, np.array([0, 4, 1]), 0.5), (3, 5), "a row for each prediction")


def step_by_hand(answer):
    """Among three tokens alike, the right one goes up by 2/3 of the rate, the others down 1/3."""
    sentence = "From logits 0, 0, 0 with target 1 and rate 1.5, a step leads to -0.5, 1, -0.5."
    expect_close(answer(np.zeros((1, 3)), np.array([1]), 1.5), [[-0.5, 1.0, -0.5]], sentence)
    sentence = "A rate of 0 must change nothing."
    expect_close(answer(np.array([[2.0, 1.0]]), np.array([0]), 0.0), [[2.0, 1.0]], sentence)


def step_is_along_the_gradient_of_the_mean(answer):
    """Two rows share the step: each has half the weight in the mean, and so half the gradient."""
    sentence = "The loss is a mean over 2 rows, so a row's gradient is half of what it is alone."
    logits = np.log([[1.0, 3.0], [1.0, 1.0]])  # probabilities (1/4, 3/4) and (1/2, 1/2)
    expected = logits - 0.8 * np.array([[-0.75, 0.75], [0.5, -0.5]]) / 2
    expect_close(answer(logits, np.array([0, 1]), 0.8), expected, sentence)


def step_agrees_with_nudging_each_logit(answer):
    """On random logits the step agrees with nudging each logit and reading the loss."""
    random = np.random.default_rng(1)
    logits, targets = random.normal(size=(4, 6)), random.integers(0, 6, size=4)

    def loss(x):
        return np.mean(np.log(np.exp(x).sum(1)) - x[np.arange(4), targets])

    slopes = np.zeros((4, 6))
    for place in np.ndindex(4, 6):
        nudge = np.zeros((4, 6))
        nudge[place] = 1e-4
        slopes[place] = (loss(logits + nudge) - loss(logits - nudge)) / 2e-4
    sentence = "On random logits your step disagrees with nudging each logit and reading the loss."
    expect_close(answer(logits, targets, 3.0), logits - 3.0 * slopes, sentence)


def huge_logits_do_not_overflow(answer):
    """Logits in the thousands overflow nowhere."""
    logits = np.array([[1000.0, 1000.0, -1000.0]])
    sentence = "Logits of ±1000 must not overflow: the first two are equally likely here."
    expect_close(answer(logits, np.array([0]), 1.0), [[1000.5, 999.5, -1000.0]], sentence, 1e-9)


def inputs(random):
    """T and V differ; rows near 0, far from it and far apart; steps short and long."""
    for T, V in ((3, 7), (8, 4), (1, 6), (5, 2), (12, 50)):
        for spread, far in ((1, 0), (3, 0), (1, 3000), (900, 0)):
            logits = spread * random.normal(size=(T, V)) + far * random.normal(size=(T, 1))
            yield logits, random.integers(0, V, T), random.uniform(0.1, 20)


EXERCISE = Exercise(
    id="pretraining.gradient_step",
    title="One step of gradient descent",
    difficulty=2,
    minutes=10,
    prompt=r"""
A model has made $T$ predictions, and you know what came. Change its logits a little, so that the
loss falls: take one step of gradient descent.

You get `logits` of shape $(T, V)$, `targets` of shape $(T)$, and the learning rate `rate`. The loss
is the mean of $-\log p(\text{target})$ over the $T$ rows, $p$ being the softmax of a row. Its
gradient is $(p - y)/T$, where $y$ is 1 at the target and 0 elsewhere. Return the logits after the
step, of shape $(T, V)$: each has moved against its gradient, by `rate` times as much.

From $(0, 0, 0)$ with target 1 (counted from 0) and a rate of 1.5, the step leads to
$(-0.5, 1, -0.5)$. Logits of 1000 must not overflow.
""",
    starter='''
def gradient_step(logits, targets, rate):
    """Logits after one step down: (T, V), targets (T,) -> (T, V)."""
    ...
''',
    solution=SOLUTION,
    tests=(
        step_keeps_the_shape,
        step_by_hand,
        step_is_along_the_gradient_of_the_mean,
        step_agrees_with_nudging_each_logit,
        huge_logits_do_not_overflow,
    ),
    variants=(
        "def gradient_step(logits, targets, rate):\n"
        "    T, V = logits.shape\n"
        "    p = np.exp(logits - np.logaddexp.reduce(logits, axis=1)[:, None])\n"
        "    return logits + rate / T * (np.eye(V)[targets] - p)",
        "def gradient_step(logits, targets, rate):\n"
        "    new = []\n"
        "    for row, target in zip(logits, targets):\n"
        "        p = np.exp(row - row.max())\n"
        "        p = p / p.sum()\n"
        "        y = np.array([float(i == target) for i in range(len(row))])\n"
        "        new.append(row - rate * (p - y) / len(logits))\n"
        "    return np.array(new)",
    ),
    mistakes=(
        Mistake(
            "climbs",
            changed(SOLUTION, "logits - rate", "logits + rate"),
            "step_by_hand",
            "You step up the gradient, and the loss rises. Subtract it.",
        ),
        Mistake(
            "returns the gradient",
            changed(SOLUTION, "return logits - rate * gradient", "return gradient"),
            "step_by_hand",
            "You return the gradient. Return the logits after the step: the old ones minus the "
            "rate times the gradient.",
        ),
        Mistake(
            "leaves out the target",
            changed(SOLUTION, "    gradient[np.arange(len(targets)), targets] -= 1\n", ""),
            "step_by_hand",
            "Your step pushes every token down, the right one as well. The gradient is the "
            "probabilities minus 1 at the target.",
        ),
        Mistake(
            "lifts the target alone",
            "def gradient_step(logits, targets, rate):\n"
            "    y = np.eye(logits.shape[1])[targets]\n"
            "    return logits + rate * y / len(targets)\n",
            "step_by_hand",
            "You lift the target and leave the others where they are. Softmax ties them together: "
            "each of the others goes down by its probability.",
        ),
        Mistake(
            "subtracts 1 everywhere",
            changed(SOLUTION, "gradient[np.arange(len(targets)), targets] -= 1", "gradient -= 1"),
            "step_by_hand",
            "You subtract 1 from every probability of a row. Subtract it at the target alone.",
        ),
        Mistake(
            "forgets the rate",
            changed(SOLUTION, "rate * ", ""),
            "step_by_hand",
            "Your step does not depend on the learning rate. Multiply the gradient by it.",
        ),
        Mistake(
            "steps from the probabilities",
            changed(
                SOLUTION,
                "return logits -",
                "return weights / weights.sum(axis=-1, keepdims=True) -",
            ),
            "step_by_hand",
            "You start from the probabilities. It is the logits that move: return the old logits "
            "minus the rate times the gradient.",
        ),
        Mistake(
            "forgets that the loss is a mean",
            changed(SOLUTION, " / len(targets)", ""),
            "step_is_along_the_gradient_of_the_mean",
            "Your step is T times too long: the loss is a mean over the rows, so divide by their "
            "number.",
        ),
        Mistake(
            "divides by all logits",
            changed(SOLUTION, "len(targets)\n", "logits.size\n"),
            "step_by_hand",
            "You divide by the number of all logits. The mean runs over the rows, T of them.",
        ),
        Mistake(
            "normalises over the rows",
            SOLUTION.replace("axis=-1", "axis=0"),
            "step_by_hand",
            "Your softmax runs down the columns. Each row is one prediction: normalise over the "
            "vocabulary, the last axis.",
        ),
        Mistake(
            "does not subtract the largest",
            changed(SOLUTION, "logits - logits.max(axis=-1, keepdims=True)", "logits"),
            "huge_logits_do_not_overflow",
            "`np.exp(1000)` is infinity. Subtract each row's largest logit before you "
            "exponentiate; the softmax stays the same.",
        ),
    ),
    hints=(
        "First the softmax of each row, then 1 less at its target: that is the row's gradient, "
        "but for the mean.",
        "`gradient[np.arange(len(targets)), targets]` are the places of the targets.",
    ),
    inputs=inputs,
    harmless=(
        (
            "weights = np.exp(logits - logits.max(axis=1, keepdims=True))",
            "logits have two axes: the last is number 1",
        ),
        (
            "gradient = weights / weights.sum(axis=1, keepdims=True)",
            "logits have two axes: the last is number 1",
        ),
    ),
)
