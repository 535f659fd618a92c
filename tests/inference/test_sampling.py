from __future__ import annotations

import math

import pytest
import torch

from llmlab.inference import Sampling, control_repetition, draw, next_token_probabilities
from llmlab.inference.sampling import choose

# Four tokens whose probabilities are 0.5, 0.3, 0.15 and 0.05.
LOGITS = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()


def probabilities(logits: torch.Tensor = LOGITS, **settings) -> list[float]:
    return next_token_probabilities(logits, Sampling(**settings)).tolist()


def test_nothing_asked_for_is_softmax():
    assert probabilities() == pytest.approx([0.5, 0.3, 0.15, 0.05])


def test_temperature_is_a_power_of_the_probabilities():
    # temperature 1/2 squares: 0.25, 0.09, 0.0225, 0.0025, which sum to 0.365
    expected = [0.25 / 0.365, 0.09 / 0.365, 0.0225 / 0.365, 0.0025 / 0.365]
    assert probabilities(temperature=0.5) == pytest.approx(expected)


def test_temperature_zero_is_greedy_and_the_limit_of_small_ones():
    assert probabilities(temperature=0) == [1, 0, 0, 0]
    assert probabilities(temperature=1e-30) == [1, 0, 0, 0]


def test_high_temperature_tends_to_uniform():
    assert probabilities(temperature=1e9) == pytest.approx([0.25] * 4)


def test_top_k_renormalises_what_it_keeps():
    assert probabilities(top_k=2) == pytest.approx([0.5 / 0.8, 0.3 / 0.8, 0, 0])
    assert probabilities(top_k=9) == pytest.approx([0.5, 0.3, 0.15, 0.05])


def test_top_k_keeps_exactly_k_of_equal_logits():
    assert probabilities(torch.zeros(5), top_k=2) == [0.5, 0.5, 0, 0, 0]


def test_top_p_keeps_the_fewest_that_reach_p():
    assert probabilities(top_p=0.79) == pytest.approx([0.5 / 0.8, 0.3 / 0.8, 0, 0])
    assert probabilities(top_p=0.81) == pytest.approx([0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0])
    assert probabilities(top_p=1e-9) == [1, 0, 0, 0]
    assert probabilities(top_p=1.0) == probabilities()


def test_top_p_is_measured_after_top_k():
    # top-k leaves 0.625 and 0.375; 0.6 is reached by the first alone
    assert probabilities(top_k=2, top_p=0.6) == [1, 0, 0, 0]
    assert probabilities(top_p=0.6)[1] > 0


def test_order_of_the_vocabulary_does_not_matter():
    shuffled = torch.tensor([2, 0, 3, 1])
    sampling = Sampling(temperature=0.7, top_k=3, top_p=0.9)
    plain = next_token_probabilities(LOGITS, sampling)
    assert torch.equal(next_token_probabilities(LOGITS[shuffled], sampling), plain[shuffled])


def test_a_batch_is_its_rows():
    logits = torch.randn(3, 2, 7, generator=torch.Generator().manual_seed(0))
    sampling = Sampling(0.8, 4, 0.9)
    together = next_token_probabilities(logits, sampling)
    assert together.shape == (3, 2, 7)
    assert torch.equal(together[1, 1], next_token_probabilities(logits[1, 1], sampling))
    assert together.sum(-1).flatten().tolist() == pytest.approx([1] * 6)


def test_huge_and_impossible_logits_survive():
    assert probabilities(torch.tensor([1e30, 0.0, -math.inf])) == [1, 0, 0]


def test_draw_inverts_the_cumulative_distribution():
    row = torch.tensor([0.0, 0.5, 0.0, 0.5, 0.0])
    points = [0.0, 0.499, 0.5, 0.999999999]
    assert draw(row.expand(4, 5), points).tolist() == [1, 1, 3, 3]


def test_draws_have_the_frequencies_asked_for():
    points = torch.rand(4000, generator=torch.Generator().manual_seed(0)).tolist()
    counts = draw(LOGITS.exp().expand(4000, 4), points).bincount(minlength=4) / 4000
    assert counts.tolist() == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.02)


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.7, top_k=3), Sampling(top_p=0.6)])
def test_choosing_is_drawing_from_the_probabilities(sampling: Sampling):
    points = [0.0, 0.4, 0.6, 0.99]
    expected = draw(next_token_probabilities(LOGITS.expand(4, 4), sampling), points)
    assert torch.equal(choose(LOGITS.expand(4, 4), sampling, points), expected)


def test_greedy_choice_takes_the_first_of_the_largest():
    logits = torch.tensor([[0.0, 2.0, 2.0, 1.0], [3.0, 2.0, 3.0, 3.0]])
    assert choose(logits, Sampling(temperature=0), [0.9, 0.9]).tolist() == [1, 0]
    assert next_token_probabilities(logits, Sampling(0)).argmax(-1).tolist() == [1, 0]


def test_repetition_penalty_weakens_what_was_written_whatever_its_sign():
    logits = torch.tensor([[2.0, -2.0, 2.0, -2.0]])
    controlled = control_repetition(
        logits, torch.tensor([[0, 1, 1]]), Sampling(repetition_penalty=2.0)
    )
    assert controlled.tolist() == [[1.0, -4.0, 2.0, -2.0]]


def test_no_repeat_ngram_bans_what_would_complete_one():
    text = torch.tensor([[0, 1, 2, 0, 1, 3, 0, 1]])  # after 0 1 came 2, then 3
    banned = control_repetition(torch.zeros(1, 5), text, Sampling(no_repeat_ngram=3))
    assert banned.tolist() == [[0, 0, -math.inf, -math.inf, 0]]
    assert (
        control_repetition(torch.zeros(1, 5), text, Sampling(no_repeat_ngram=9)).any().item() == 0
    )


def test_no_repeat_ngram_never_bans_everything():
    logits = torch.tensor([[1.0, 2.0]])
    text = torch.tensor([[0, 1]])
    assert torch.equal(control_repetition(logits, text, Sampling(no_repeat_ngram=1)), logits)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1}, r"^temperature must be a finite number, 0 .* or more: got -1\.$"),
        ({"temperature": math.nan}, "^temperature must be a number: got temperature=nan"),
        ({"temperature": math.inf}, "^temperature must be .* got inf"),
        ({"top_k": 0}, r"^top_k must be None or a whole number from 1: got 0\.$"),
        ({"top_k": 2.5}, "^top_k must be an integer or None: got top_k=2.5"),
        ({"top_p": 0}, r"^top_p must be None or above 0 and at most 1: got 0\.$"),
        ({"top_p": 1.1}, "^top_p must be .* got 1.1"),
        ({"seed": 1.5}, r"^seed must be an integer or a sequence of integers: got seed=1\.5\.$"),
        ({"seed": [1, "a"]}, r"^seed must be an integer or a sequence .* got seed=\[1, 'a'\]\.$"),
        ({"seed": 2**64}, r"^seed must be .* got seed=18446744073709551616\.$"),
        ({"seed": -1}, r"^seed must be .* got seed=-1\.$"),
    ],
)
def test_values_out_of_range_are_named(settings: dict, message: str):
    with pytest.raises(ValueError, match=message):
        Sampling(**settings)


@pytest.mark.parametrize(
    "settings", [{"repetition_penalty": 0}, {"repetition_penalty": -2}, {"no_repeat_ngram": 0}]
)
def test_repetition_settings_out_of_range_are_named(settings: dict):
    (name,) = settings
    with pytest.raises(ValueError, match=f"^{name} must be"):
        Sampling(**settings)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(
    "logits", [[0.0, math.nan], [math.inf, 0.0], [math.inf, math.inf], [-math.inf, -math.inf]]
)
def test_broken_logits_are_refused(logits: list[float], temperature: float):
    rows = torch.tensor([[1.0, 2.0], logits])
    message = rf"^logits must have a finite number as their largest: got {max(logits)}"
    with pytest.raises(ValueError, match=message.replace("got 0.0", "got nan")):
        choose(rows, Sampling(temperature=temperature), [0.9, 0.9])


def test_tokens_that_are_banned_do_no_harm():
    rows = torch.tensor([[-math.inf, 2.0, -math.inf]])
    assert choose(rows, Sampling(), [0.999]).tolist() == [1]


@pytest.mark.parametrize("row", [[0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0]])
def test_nothing_is_drawn_from_what_is_no_distribution(row: list[float]):
    with pytest.raises(ValueError, match=r"^probabilities must add up to a finite number above 0"):
        draw(torch.tensor([[0.5, 0.5], row]), [0.5, 0.5])
