from __future__ import annotations

import pytest
import torch

from llmlab.data import IGNORE, MaskedWindows, RandomWindows, SequentialWindows, mask_tokens, pack

TOKENS = list(range(100))


def test_random_windows_ask_for_the_next_token():
    inputs, targets = RandomWindows(TOKENS, context=8, batch_size=4)[0]
    assert inputs.shape == targets.shape == (4, 8)
    assert inputs.dtype == targets.dtype == torch.int64
    # The tokens count upwards, so the next token is always one more.
    assert torch.equal(targets, inputs + 1)
    assert torch.equal(inputs[:, 1:], targets[:, :-1])


def test_a_step_can_be_rebuilt_and_no_two_are_alike():
    batches = RandomWindows(TOKENS, 8, 4, seed=1)
    again = RandomWindows(torch.tensor(TOKENS, dtype=torch.int16), 8, 4, seed=1)
    later = batches[7].inputs
    assert torch.equal(batches[7].inputs, later)
    assert torch.equal(again[7].inputs, later)
    assert not torch.equal(batches[8].inputs, later)
    assert not torch.equal(RandomWindows(TOKENS, 8, 4, seed=2)[7].inputs, later)


def test_every_window_can_be_drawn():
    batches = RandomWindows(range(10), context=6, batch_size=50)
    starts = {int(row[0]) for step in range(5) for row in batches[step].inputs}
    assert starts == {0, 1, 2, 3}
    assert batches[0].targets.max() <= 9


def test_drawing_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    _ = RandomWindows(TOKENS, 8, 4)[0], MaskedWindows(TOKENS, 8, 4, 100, 100)[0]
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("context", [1, 3, 9, 16, 99, 200])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_sequential_windows_predict_every_token_after_the_first_once(context, batch_size):
    batches = SequentialWindows(TOKENS, context, batch_size)
    seen = list(batches)
    assert len(seen) == len(batches)
    inputs = torch.cat([batch.inputs for batch in seen])
    targets = torch.cat([batch.targets for batch in seen])
    asked = targets != IGNORE
    assert targets[asked].tolist() == TOKENS[1:]
    assert torch.equal(inputs[asked] + 1, targets[asked])
    assert all(batch.inputs.shape[0] <= batch_size for batch in seen)
    assert inputs.shape[1] == context


def test_sequential_windows_by_hand():
    (batch,) = SequentialWindows([5, 6, 7, 8], context=2, batch_size=2)
    assert batch.inputs.tolist() == [[5, 6], [7, 0]]
    assert batch.targets.tolist() == [[6, 7], [8, IGNORE]]


def test_masking_is_80_10_10_of_15_percent():
    vocabulary, mask_id = 1000, 1000
    tokens = torch.randint(vocabulary, (200, 500), generator=torch.Generator().manual_seed(0))
    inputs, targets = mask_tokens(tokens, mask_id, vocabulary, torch.Generator().manual_seed(1))
    chosen = targets != IGNORE
    assert torch.equal(targets[chosen], tokens[chosen])
    assert torch.equal(inputs[~chosen], tokens[~chosen])
    share = chosen.float().mean().item()
    masked = (inputs[chosen] == mask_id).float().mean().item()
    kept = (inputs[chosen] == tokens[chosen]).float().mean().item()
    # 100,000 tokens: standard errors are about 0.001, 0.003 and 0.0025.
    assert abs(share - 0.15) < 0.006
    assert abs(masked - 0.8) < 0.015
    assert abs(kept - 0.1) < 0.012
    assert not (tokens == mask_id).any()


def test_random_replacements_are_words_but_never_the_mask():
    tokens = torch.full((100, 100), 3)
    for mask_id in (0, 2, 4, 5):  # inside the vocabulary of 5, and just beyond it
        inputs, _ = mask_tokens(tokens, mask_id, 5, torch.Generator().manual_seed(0), rate=1.0)
        others = set(inputs[inputs != mask_id].tolist())
        assert others == set(range(5)) - {mask_id}
        assert abs((inputs == mask_id).float().mean().item() - 0.8) < 0.02


def test_at_least_one_token_is_asked_for():
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        batch = mask_tokens(torch.zeros(1, 4, dtype=torch.long), 9, 9, generator, rate=1e-6)
        assert (batch.targets != IGNORE).sum() == 1


def test_masked_windows_can_be_rebuilt_and_use_the_whole_row():
    batches = MaskedWindows(TOKENS, 100, 2, vocab_size=100, mask_id=100, rate=0.5)
    batch = batches[3]
    assert batch.inputs.shape == batch.targets.shape == (2, 100)
    asked = batch.targets != IGNORE
    assert torch.equal(batch.targets[asked], torch.arange(100).repeat(2, 1)[asked])
    assert all(torch.equal(a, b) for a, b in zip(batch, batches[3], strict=True))


def test_pack_lays_documents_end_to_end():
    rows = pack([[1, 2, 3], [], [4]], context=3, separator=9)
    assert rows.tolist() == [[1, 2, 3], [9, 9, 4], [9, 9, 9]]
    assert pack([[1, 2]], 3, 9).tolist() == [[1, 2, 9]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: RandomWindows(TOKENS, 0, 1),
            "context must be an integer of at least 1: got context=0.",
        ),
        (
            lambda: RandomWindows(TOKENS, 4, 0),
            "batch_size must be an integer of at least 1: got batch_size=0.",
        ),
        (
            lambda: RandomWindows([1, 2, 3], 3, 1),
            r"tokens must hold at least 4 \(context \+ 1\): got 3.",
        ),
        (
            lambda: MaskedWindows([1], 3, 1, 9, 9),
            r"tokens must hold at least 3 \(context\): got 1.",
        ),
        (
            lambda: MaskedWindows(TOKENS, 4, 1, 100, 100, rate=0.0),
            "rate must be above 0 .* got 0.0.",
        ),
        (lambda: MaskedWindows(TOKENS, 4, 1, 100, 100, rate=1.5), "rate must be .* got 1.5."),
        (lambda: MaskedWindows(TOKENS, 4, 1, 1, 1), "vocab_size must be 2 or more .* got 1."),
        (
            lambda: MaskedWindows(TOKENS, 4, 1, 100, -1),
            "mask_id must be an integer of at least 0: got mask_id=-1.",
        ),
        (lambda: SequentialWindows([1], 3, 1), "tokens must hold at least 2 .* got 1."),
        (lambda: SequentialWindows([], 3, 1), "tokens must hold at least 2 .* got 0."),
        (
            lambda: SequentialWindows(torch.zeros(2, 2), 3, 1),
            r"one row \(N,\): got shape \(2, 2\).",
        ),
        (lambda: pack([], 3, 0), "documents must hold at least one"),
        (lambda: pack([[1]], 0, 0), "context must be an integer of at least 1"),
    ],
)
def test_bad_sizes(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_tokens_must_be_integers():
    with pytest.raises(TypeError, match=r"tokens must be integers: got torch\.float32\."):
        RandomWindows(torch.rand(10), 3, 1)


def test_step_must_not_be_negative():
    with pytest.raises(IndexError, match=r"step must be 0 or more: got -1\."):
        RandomWindows(TOKENS, 3, 1)[-1]
