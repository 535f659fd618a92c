"""Exercise transformer.layer_norm: layer normalisation."""

from __future__ import annotations

import numpy as np

from ..grading.definition import Exercise, Mistake, changed
from ..grading.expectations import as_array, expect_close, expect_shape

SOLUTION = """
def layer_norm(x, gain, bias, eps=1e-5):
    mean = x.mean(axis=-1, keepdims=True)
    variance = x.var(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + eps) * gain + bias
"""


def norm_keeps_the_shape(answer):
    """The result has the shape of the input, whatever comes before the width."""
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    out = answer(x, np.ones(4), np.zeros(4))
    expect_shape(out, (2, 3, 4), "normalising changes values, never the shape")


def norm_by_hand(answer):
    """A token with mean 2 and variance 1, by hand."""
    x = np.array([[1.0, 3.0], [5.0, 9.0]])
    expected = [[-1.0, 1.0], [-1.0, 1.0]]
    sentence = "Subtract each token's mean, then divide by the root of its variance."
    expect_close(answer(x, np.ones(2), np.zeros(2)), expected, sentence, tolerance=1e-4)


def gain_then_bias_by_hand(answer):
    """The normalised token is multiplied by the gain, then the bias is added."""
    x, gain, bias = np.array([[1.0, 3.0]]), np.array([2.0, 3.0]), np.array([10.0, 20.0])
    expected = [[8.0, 23.0]]
    sentence = "Multiply the normalised token by the gain, then add the bias."
    expect_close(answer(x, gain, bias), expected, sentence, tolerance=1e-4)


def every_token_is_normalised(answer):
    """Each token of a random table has mean 0 and variance 1, however large or far from 0."""
    x = 5 + 3 * np.random.default_rng(1).normal(size=(6, 16))
    out = as_array(answer(x, np.ones(16), np.zeros(16))).astype(float)
    expect_close(out.mean(axis=-1), np.zeros(6), "Every token's mean must become 0.")
    expect_close(out.var(axis=-1), np.ones(6), "Every token's variance must become 1.", 1e-4)


def quiet_tokens_need_eps(answer):
    """A token with variance 0.000001 is divided by the root of variance plus eps."""
    x = np.array([[0.001, -0.001]])
    expected = x / np.sqrt(1.1e-5)
    sentence = "For a nearly constant token eps matters: divide by the root of variance + eps."
    expect_close(answer(x, np.ones(2), np.zeros(2)), expected, sentence)
    x, bias = np.full((1, 3), 7.0), np.array([1.0, 2, 3])
    sentence = "A constant token must become the bias, not nan."
    expect_close(answer(x, np.ones(3), bias, 1e-5), [bias], sentence)


def inputs(random):
    """Tokens in rows, stacks and alone; large, quiet and far from 0; an eps of every size."""
    for shape in ((5,), (3, 7), (2, 3, 4), (2, 5, 4, 3), (6, 1), (1, 9)):
        gain, bias = random.normal(size=(2, shape[-1]))
        for size, middle, eps in ((1, 0, 1e-5), (200, -30, 1e-3), (0.1, 4, 0.5), (2, 1, 1e-8)):
            yield middle + size * random.normal(size=shape), gain, bias, eps


EXERCISE = Exercise(
    id="transformer.layer_norm",
    title="Layer normalisation",
    difficulty=1,
    minutes=8,
    prompt=r"""
Add the outputs of a dozen layers and the numbers drift; training then needs tiny steps. Layer
normalisation pulls every token back: subtract the mean $\mu$ of its $D$ entries, divide by their
spread, and let the model rescale the result with a gain $g$ and a bias $b$ that it learns:

$$y = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} \cdot g + b, \qquad
\sigma^2 = \frac{1}{D} \sum_i (x_i - \mu)^2$$

Take `x` of shape $(\ldots, D)$, `gain` and `bias` of shape $(D)$ and `eps`; return the shape of
`x`. Every token is normalised on its own, over the last axis. The token $(1, 3)$ has mean 2 and
variance 1, so it becomes $(-1, 1)$; with gain $(2, 3)$ and bias $(10, 20)$ it becomes $(8, 23)$.
""",
    starter='''
def layer_norm(x, gain, bias, eps=1e-5):
    """Normalise each token of x (..., D), then apply gain (D,) and bias (D,) -> (..., D)."""
    ...
''',
    solution=SOLUTION,
    tests=(
        norm_keeps_the_shape,
        norm_by_hand,
        gain_then_bias_by_hand,
        every_token_is_normalised,
        quiet_tokens_need_eps,
    ),
    variants=(
        "def layer_norm(x, g, b, eps=1e-5):\n"
        "    centred = x - x.mean(-1)[..., None]\n"
        "    return b + g * centred * ((centred**2).mean(-1)[..., None] + eps) ** -0.5",
        "def layer_norm(x, gain, bias, eps=1e-5):\n"
        "    D = x.shape[-1]\n"
        "    mean = np.sum(x, axis=-1, keepdims=True) / D\n"
        "    square = np.sum((x - mean) * (x - mean), axis=-1, keepdims=True) / D\n"
        "    return np.divide(x - mean, np.sqrt(square + eps)) * gain + bias",
    ),
    inputs=inputs,
    mistakes=(
        Mistake(
            "divides by D - 1",
            changed(SOLUTION, "keepdims=True)\n    return", "keepdims=True, ddof=1)\n    return"),
            "norm_by_hand",
            "Your variance divides by D - 1. That corrects an estimate from a sample; here the D "
            "entries are all there is, so divide by D (`ddof=0`).",
        ),
        Mistake(
            "divides by the variance",
            changed(SOLUTION, "np.sqrt(variance + eps)", "(variance + eps)"),
            "norm_by_hand",
            "You divide by the variance. Its square root, the standard deviation, has the same "
            "unit as x.",
        ),
        Mistake(
            "does not subtract the mean",
            changed(SOLUTION, "(x - mean)", "x"),
            "norm_by_hand",
            "The mean is still in your result: subtract it before you divide.",
        ),
        Mistake(
            "normalises over the tokens",
            SOLUTION.replace("axis=-1", "axis=0"),
            "norm_by_hand",
            "You take mean and variance down the columns, over tokens. Layer normalisation "
            "treats every token on its own: use the last axis.",
        ),
        Mistake(
            "normalises the whole array",
            SOLUTION.replace("axis=-1, keepdims=True", ""),
            "norm_by_hand",
            "You take one mean and one variance of the whole array. Every token has its own: "
            "`axis=-1, keepdims=True`.",
        ),
        Mistake(
            "forgets gain and bias",
            changed(SOLUTION, " * gain + bias", ""),
            "gain_then_bias_by_hand",
            "Gain and bias play no part in your result: multiply by the gain, then add the bias.",
        ),
        Mistake(
            "adds the bias before the gain",
            changed(
                changed(SOLUTION, "return (x", "return ((x"), " * gain + bias", " + bias) * gain"
            ),
            "gain_then_bias_by_hand",
            "You add the bias first, so the gain multiplies it too. Gain first, then bias.",
        ),
        Mistake(
            "adds eps outside the root",
            changed(SOLUTION, "np.sqrt(variance + eps)", "(np.sqrt(variance) + eps)"),
            "quiet_tokens_need_eps",
            "You add eps to the standard deviation. It belongs under the root, beside the "
            "variance: `np.sqrt(variance + eps)`.",
        ),
        Mistake(
            "forgets eps",
            changed(SOLUTION, "variance + eps", "variance"),
            "quiet_tokens_need_eps",
            "A constant token has variance 0, and you divide by it. Add eps to the variance.",
        ),
    ),
    hints=("`x.mean(axis=-1, keepdims=True)` keeps the axis, so that it can be subtracted.",),
)
