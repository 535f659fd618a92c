from __future__ import annotations

import inspect

import pytest
import torch
from torch import nn

from llmlab.data import ByteTokenizer, CharTokenizer
from llmlab.inference import (
    NextLogits,
    Sampling,
    generate,
    generate_tokens,
    stream,
    window_start,
)
from llmlab.models import (
    BERTConfig,
    GPTConfig,
    GRUConfig,
    build,
)
from llmlab.models.positions import POSITIONS

TOKENIZER = CharTokenizer.train("\n abcdefghij")
SAMPLINGS = [
    Sampling(temperature=0),
    Sampling(temperature=1.3, seed=5),
    Sampling(temperature=0.9, top_k=6, top_p=0.9),
    Sampling(repetition_penalty=1.5, no_repeat_ngram=3),
]


def gpt(context: int = 16, **changes) -> nn.Module:
    """A small untrained GPT whose weights are large enough for it to have opinions."""
    torch.manual_seed(0)
    sizes = {"vocab_size": TOKENIZER.vocab_size, "layers": 2, "heads": 2, "width": 16}
    model = build(GPTConfig(context=context, **sizes, **changes)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(8)
    return model


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_the_cache_changes_no_token(position: str, sampling: Sampling):
    model = gpt(position=position)
    # 40 tokens: two and a half contexts, so the window moves several times
    with_cache = generate(model, TOKENIZER, "abc", 40, sampling)
    assert with_cache == generate(model, TOKENIZER, "abc", 40, sampling, use_cache=False)
    assert len(with_cache) == 40


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_the_cache_changes_no_logit(position: str, norm: str):
    model = gpt(position=position, norm=norm)
    tokens = torch.randint(11, (3, 50), generator=torch.Generator().manual_seed(0))
    with_cache, without = NextLogits(model), NextLogits(model, use_cache=False)
    for time in (1, 2, 3, 9, 10, 16, 17, 18, 24, 25, 49, 50):
        logits = with_cache(tokens[:, :time])
        torch.testing.assert_close(logits, without(tokens[:, :time]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("position", POSITIONS)
def test_a_model_that_has_written_still_trains(position: str):
    tokens = torch.arange(10).view(1, 10)
    models = gpt(position=position), gpt(position=position)
    generate(models[0], TOKENIZER, "abc", 20)
    for model in models:
        model.train()(tokens).logsumexp(-1).mean().backward()
    for written, other in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(written.grad, other.grad)


def test_a_long_piece_may_follow_what_is_cached():
    model, tokens = gpt(position="rotary"), torch.arange(10).view(1, 10)
    cache = model.new_cache()
    with torch.no_grad():
        pieces = [model(tokens[:, a:b], cache=cache) for a, b in ((0, 3), (3, 4), (4, 10))]
        torch.testing.assert_close(torch.cat(pieces, 1), model(tokens), atol=1e-5, rtol=1e-5)
    assert cache.length == 10


def test_each_token_is_read_once_until_the_window_moves():
    model, read = gpt(context=16), []
    note = lambda _, given, __: read.append(given[0].shape[1])  # noqa: E731
    model.token_embedding.register_forward_hook(note)
    generate(model, TOKENIZER, "abcd", 30)
    # 4 for the prompt, then single tokens; at 17 tokens, 9 are left and read anew
    assert read == [4, *[1] * 12, 9, *[1] * 7, 9, *[1] * 7, 9]


def test_window_start():
    assert [window_start(n, 8) for n in (1, 8, 9, 12, 13, 100)] == [0, 0, 4, 4, 8, 92]
    assert [window_start(n, 1) for n in (1, 2, 3)] == [0, 1, 2]
    assert [window_start(n, 5) for n in (5, 6, 7, 8)] == [0, 2, 2, 4]
    assert window_start(1000, None) == 0


@pytest.mark.parametrize("context", [1, 2, 7, 16])
def test_windows_hold_between_half_a_context_and_a_whole(context: int):
    for seen in range(context, 5 * context):
        length = seen - window_start(seen, context)
        assert context / 2 <= length <= context


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_a_batch_gives_each_prompt_the_text_it_gives_alone(sampling: Sampling):
    model = gpt()
    prompts = ["a", "hij abc", "", "abcdefghij abcdefghij", "a"]
    together = generate(model, TOKENIZER, prompts, 25, sampling)
    assert together == [generate(model, TOKENIZER, p, 25, sampling) for p in prompts]


def test_seeds_make_the_text():
    model = gpt()
    first, again, other = (generate(model, TOKENIZER, "a", 20, Sampling(seed=s)) for s in (1, 1, 2))
    assert first == again
    assert first != other
    assert generate(model, TOKENIZER, ["a", "a"], 20, Sampling(seed=[1, 2])) == [first, other]


def test_generating_leaves_global_randomness_and_the_model_alone():
    model = gpt(dropout=0.5).train()
    model.blocks[0].eval()
    modes = [module.training for module in model.modules()]
    torch.manual_seed(3)
    before = torch.get_rng_state()
    text = generate(model, TOKENIZER, "a", 20)
    assert torch.equal(torch.get_rng_state(), before)
    assert [module.training for module in model.modules()] == modes
    assert text == generate(model.eval(), TOKENIZER, "a", 20)  # no dropout while it wrote


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_streamed_pieces_are_the_text(sampling: Sampling):
    model = gpt()
    pieces = list(stream(model, TOKENIZER, "abc", 30, sampling, stop="ij"))
    assert "".join(pieces) == generate(model, TOKENIZER, "abc", 30, sampling, stop="ij")
    assert len(pieces) > 1


def test_streaming_writes_only_what_is_asked_for():
    model, calls = gpt(), []
    model.token_embedding.register_forward_hook(lambda *_: calls.append(1))
    pieces = stream(model, TOKENIZER, "abc", 30)
    assert calls == []
    next(pieces)
    assert calls == [1]


def test_text_ends_before_the_first_stop_string():
    model = gpt()
    free = generate(model, TOKENIZER, "a", 60, Sampling(seed=1))
    stop = free[10:12]
    stopped = generate(model, TOKENIZER, "a", 60, Sampling(seed=1), stop=stop)
    assert stopped == free[: free.index(stop)]
    # in a batch the rows stop on their own
    pair = generate(model, TOKENIZER, ["a", "b"], 60, Sampling(seed=1), stop=[stop, "??"])
    assert pair[0] == stopped
    assert pair[1] == generate(model, TOKENIZER, "b", 60, Sampling(seed=1), stop=stop)


def test_bytes_become_whole_characters():
    tokenizer = ByteTokenizer()
    torch.manual_seed(0)
    model = build(GPTConfig(vocab_size=256, context=8, layers=1, heads=1, width=8))
    pieces = list(stream(model, tokenizer, "é", 50))
    ids = generate_tokens(model, torch.tensor([tokenizer.encode("é")]), 50)[0, 2:]
    assert "".join(pieces) == tokenizer.decode(ids.tolist())


def test_a_recurrent_model_writes_too():
    torch.manual_seed(0)
    model = build(GRUConfig(vocab_size=TOKENIZER.vocab_size, width=8))
    text = generate(model, TOKENIZER, ["a", "bcd"], 30)
    assert [len(t) for t in text] == [30, 30]
    assert text[1] == generate(model, TOKENIZER, "bcd", 30)


def test_a_model_without_doubt_repeats_what_it_learned():
    """Hand-worked: after token t comes t + 1, whatever the temperature makes of it."""

    class Successor(nn.Module):
        def __init__(self):
            super().__init__()
            self.config = type("Config", (), {"vocab_size": 12, "context": 4, "layers": 1})
            self.weight = nn.Parameter(torch.full((12, 12), -1e4))
            with torch.no_grad():
                self.weight[range(12), [(t + 1) % 12 for t in range(12)]] = 0

        def forward(self, tokens):
            assert tokens.shape[1] <= 4
            return self.weight[tokens]

    tokens = generate_tokens(Successor(), torch.tensor([[3], [10]]), 4)
    assert tokens.tolist() == [[3, 4, 5, 6, 7], [10, 11, 0, 1, 2]]


def test_no_ngram_is_written_twice():
    ids = generate_tokens(gpt(), torch.tensor([[1, 2]]), 60, Sampling(0, no_repeat_ngram=2))
    pairs = [tuple(pair) for pair in ids[0].unfold(0, 2, 1).tolist()]
    assert len(set(pairs)) == len(pairs)
    free = generate_tokens(gpt(), torch.tensor([[1, 2]]), 60, Sampling(0))
    assert len({tuple(pair) for pair in free[0].unfold(0, 2, 1).tolist()}) < len(pairs)


def test_nothing_to_write():
    model = gpt()
    assert generate(model, TOKENIZER, "a", 0) == ""
    assert generate(model, TOKENIZER, ["a", "abc"], 0) == ["", ""]
    assert generate(model, TOKENIZER, [], 5) == []
    assert list(stream(model, TOKENIZER, "a", 0)) == []
    assert torch.equal(generate_tokens(model, torch.tensor([[1, 2]]), 0), torch.tensor([[1, 2]]))


def test_an_empty_prompt_starts_from_a_newline():
    model = gpt()
    assert generate(model, TOKENIZER, "", 20) == generate(model, TOKENIZER, "\n", 20)


def test_an_empty_prompt_starts_from_the_first_token_where_there_is_no_newline():
    model, tokenizer = gpt(), CharTokenizer.train("abcdefghijkl")
    assert generate(model, tokenizer, "", 20) == generate(model, tokenizer, "a", 20)


def test_generated_tokens_can_be_trained_on():
    model = gpt()
    tokens = generate_tokens(model, torch.tensor([[1, 2]]), 6)
    model(tokens).sum().backward()
    assert model.token_embedding.weight.grad is not None


def test_the_three_ways_take_the_same_settings():
    names = [set(inspect.signature(f).parameters) for f in (generate, stream, generate_tokens)]
    assert names[0] == names[1]
    assert names[0] - names[2] == {"tokenizer", "prompt", "stop"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length": -1}, r"^length must be a whole number of tokens, 0 or more: got -1\.$"),
        ({"length": 2.5}, r"^length must be an integer: got length=2\.5\.$"),
        ({"stop": ""}, r"^stop must be strings of one character or more: got ''\.$"),
        ({"prompt": "xyz"}, r"'x' at position 0"),
        ({"tokenizer": ByteTokenizer()}, r"^tokenizer must be the model's: it has vocab_size=256"),
        (
            {"length": 10**14},
            r"^length must be at most 10,000,000 tokens: got 100,000,000,000,000\.$",
        ),
    ],
)
@pytest.mark.parametrize("write", [generate, stream])
def test_bad_values_are_named_before_anything_is_written(write, changes: dict, message: str):
    arguments = {"tokenizer": TOKENIZER, "prompt": "abc", "length": 5, **changes}
    with pytest.raises(ValueError, match=message):
        write(gpt(), **arguments)


def test_seeds_must_be_one_a_prompt():
    with pytest.raises(ValueError, match=r"^seed must be an integer, or one for each of 2 prompts"):
        generate(gpt(), TOKENIZER, ["a", "b"], 5, Sampling(seed=[1, 2, 3]))


def test_wrong_kinds_are_named():
    with pytest.raises(
        TypeError,
        match=r"^prompt must be a string or a sequence of strings: got prompt=\[1, 2\]\.$",
    ):
        generate(gpt(), TOKENIZER, [1, 2], 5)
    with pytest.raises(TypeError, match=r"^prompt must be a string: got"):
        stream(gpt(), TOKENIZER, ["a"], 5)
    with pytest.raises(ValueError, match=r"^tokens must be \(B, T\)"):
        generate_tokens(gpt(), torch.tensor([1, 2]), 5)
    with pytest.raises(ValueError, match=r"tokens must be from 0 to 11"):
        generate_tokens(gpt(), torch.tensor([[12]]), 5)


def test_bert_cannot_write():
    bert = build(BERTConfig(vocab_size=12, context=8, layers=1, heads=1, width=8))
    with pytest.raises(TypeError, match=r"^model must predict the next token: BERT fills in"):
        generate(bert, TOKENIZER, "a", 5)
