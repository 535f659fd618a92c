from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from llmlab.analysis import evaluate, evaluation, validation
from llmlab.models import BERTConfig, GPTConfig, build

LN2 = math.log(2)


class Bigram(nn.Module):
    """Logits that depend on the current token alone: row t of a table."""

    def __init__(self, probabilities: list[list[float]], context: int | None = 4):
        super().__init__()
        self.table = nn.Parameter(torch.tensor(probabilities).log())
        self.config = SimpleNamespace(vocab_size=len(probabilities), context=context)
        self.seen: list[tuple[int, int]] = []

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        assert not self.training
        self.seen.append(tuple(tokens.shape))
        return self.table[tokens]


def uniform(vocabulary: int) -> Bigram:
    return Bigram([[1 / vocabulary] * vocabulary] * vocabulary)


def test_a_model_that_knows_nothing_has_loss_ln_v():
    result = evaluate(uniform(8), torch.arange(8).repeat(3))
    assert result.loss == pytest.approx(math.log(8), abs=1e-6)
    assert result.perplexity == pytest.approx(8, abs=1e-5)
    assert result.tokens == 23
    assert result.bits_per_character is result.bits_per_byte is None


def test_a_loss_worked_out_by_hand():
    # 0 -> 1 has probability 1/2, 1 -> 0 has 1/4; the text 0 1 0 1 meets 1/2, 1/4, 1/2
    model = Bigram([[0.5, 0.5], [0.25, 0.75]])
    result = evaluate(model, [0, 1, 0, 1])
    assert result.loss == pytest.approx((1 + 2 + 1) * LN2 / 3, abs=1e-6)


def test_bits_divide_the_information_of_all_tokens():
    # 3 bits a token, 6 tokens, that spell 9 characters in 12 bytes
    result = evaluate(uniform(8), [0] * 6, characters=9, bytes=12)
    assert result.bits_per_character == pytest.approx(3 * 6 / 9, abs=1e-5)
    assert result.bits_per_byte == pytest.approx(3 * 6 / 12, abs=1e-5)


def test_with_one_token_a_character_bits_are_the_loss():
    result = evaluate(uniform(5), [0, 1, 2, 3], characters=4)
    assert result.bits_per_character == pytest.approx(math.log2(5), abs=1e-6)


@pytest.mark.parametrize("count", [2, 5, 8, 9, 23])
@pytest.mark.parametrize(("context", "batch_size"), [(1, 1), (4, 2), (7, 3), (64, 32)])
def test_every_token_counts_once_whatever_the_windows(count, context, batch_size):
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(3, (count,), generator=generator)
    model = Bigram([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8]])
    by_hand = -sum(model.table[a, b].item() for a, b in itertools.pairwise(tokens))
    result = evaluate(model, tokens, context, batch_size)
    assert result.tokens == count - 1
    assert result.loss == pytest.approx(by_hand / (count - 1), abs=1e-6)


def test_windows_are_as_long_as_the_model_can_read():
    model = uniform(3)
    evaluate(model, [0] * 100)
    assert {time for _, time in model.seen} == {4}
    endless = Bigram([[0.5, 0.5]] * 2, context=None)
    evaluate(endless, [0] * 200)
    assert {time for _, time in endless.seen} == {64}


def test_impossible_text_has_infinite_perplexity():
    result = evaluate(Bigram([[1.0, 0.0], [0.0, 1.0]]), [0, 1])
    assert result.loss == result.perplexity == math.inf


def test_the_logits_of_one_call_are_bounded(monkeypatch):
    text, together, apart = [0, 1, 2, 1] * 30, uniform(3), uniform(3)
    expected = evaluate(together, text, batch_size=32)
    monkeypatch.setattr(evaluation, "_MOST_LOGITS", 2 * 4 * 3 + 5)
    found = evaluate(apart, text, batch_size=32)
    assert found.loss == pytest.approx(expected.loss, abs=1e-6)
    assert found.tokens == expected.tokens
    assert max(together.seen) == (30, 4)
    assert set(apart.seen) == {(2, 4)}


def test_each_part_of_the_model_is_left_in_its_mode():
    model = uniform(3).train()
    model.resting = nn.Sequential(nn.Dropout(), nn.Dropout()).eval()
    model.resting[1].train()
    modes = [module.training for module in model.modules()]
    evaluate(model, [0, 1, 2])
    assert [module.training for module in model.modules()] == modes == [True, False, False, True]


def test_a_real_model_agrees_with_its_own_logits():
    torch.manual_seed(0)
    model = build(GPTConfig(vocab_size=7, context=5, layers=1, heads=1, width=8)).eval()
    tokens = torch.tensor([3, 1, 4, 1, 5, 2])
    with torch.no_grad():
        logs = model(tokens[None, :-1]).log_softmax(-1)[0]
    by_hand = -logs[range(5), tokens[1:]].mean().item()
    assert evaluate(model, tokens).loss == pytest.approx(by_hand, abs=1e-6)


def test_validation_is_a_column_for_the_record():
    tokens = torch.arange(6).repeat(4) % 5
    assert validation(tokens)(uniform(5)) == {"validation_loss": pytest.approx(math.log(5))}


def test_validation_may_glance_at_the_beginning_only():
    model = Bigram([[0.5, 0.5], [0.25, 0.75]])
    tokens = [0, 1, 1, 1, 1, 1]
    assert validation(tokens, limit=2)(model)["validation_loss"] == pytest.approx(LN2)
    assert validation(tokens)(model)["validation_loss"] < 0.8 * LN2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tokens": [1]}, "tokens must hold at least 2"),
        (
            {"tokens": [1, 2], "characters": 0},
            r"^characters must be an integer of at least 1: got characters=0\.$",
        ),
        (
            {"tokens": [1, 2], "bytes": -3},
            r"^bytes must be an integer of at least 1: got bytes=-3\.$",
        ),
        ({"tokens": [1, 2], "batch_size": 0}, "batch_size must be an integer of at least 1"),
    ],
)
def test_bad_values_are_named(arguments: dict, message: str):
    with pytest.raises(ValueError, match=message):
        evaluate(uniform(3), **arguments)


def test_a_limit_too_small_is_named():
    with pytest.raises(ValueError, match=r"^limit must be None or 2 tokens or more: got 1\.$"):
        validation([1, 2, 3], limit=1)


def test_bert_does_not_predict_the_next_token():
    bert = build(BERTConfig(vocab_size=7, context=5, layers=1, heads=1, width=8))
    with pytest.raises(TypeError, match=r"^model must predict the next token: BERT fills in"):
        evaluate(bert, [1, 2, 3])
