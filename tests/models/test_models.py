"""GPT, BERT and GRU as wholes: shapes, sizes, causality, caches, configs, bad input."""

import math
from dataclasses import asdict, replace

import pytest
import torch

from llmlab.models import (
    BERT,
    GPT,
    BERTConfig,
    Block,
    GPTConfig,
    GRUConfig,
    GRULanguageModel,
    PostNormBlock,
    build,
    config_from_dict,
    config_to_dict,
    padding_mask,
)

POSITIONS = ["learned", "sinusoidal", "rotary", "alibi", "none"]
GPT_SMALL = GPTConfig(vocab_size=23, context=12, layers=2, heads=4, width=16)
BERT_SMALL = BERTConfig(vocab_size=23, context=12, layers=2, heads=4, width=16)
GRU_SMALL = GRUConfig(vocab_size=23, width=16, layers=2)
CONFIGS = [
    *(replace(GPT_SMALL, position=name) for name in POSITIONS),
    replace(GPT_SMALL, norm="rms", feed_forward="swiglu", bias=False),
    replace(GPT_SMALL, feed_forward="relu2"),
    BERT_SMALL,
    GRU_SMALL,
]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def some_tokens(batch=3, time=12):
    return torch.randint(23, (batch, time), generator=torch.Generator().manual_seed(1))


def size(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_shapes_and_gradients(config):
    model = build(config)
    assert model.config is config
    assert model.features(some_tokens()).shape == (3, 12, 16)
    logits = model(some_tokens())
    assert logits.shape == (3, 12, 23)
    logits.square().mean().backward()
    unused = {"segment_embedding.weight"}  # segment 1 is; its row has a gradient of zero
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert name in unused or parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_new_model_is_undecided(config):
    logits = build(config)(some_tokens())
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), some_tokens(4, 9).flatten())
    assert loss.item() == pytest.approx(math.log(23), abs=0.35)


# --- What sees what --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config", [*(replace(GPT_SMALL, position=name) for name in POSITIONS), GRU_SMALL], ids=str
)
def test_no_position_sees_a_later_one(config):
    model = build(config).eval()
    tokens = some_tokens(1)
    before = model(tokens)
    for changed in range(12):
        other = tokens.clone()
        other[0, changed] = (other[0, changed] + 1) % 23
        after = model(other)
        assert torch.equal(after[:, :changed], before[:, :changed])
        moved = (after[:, changed:] - before[:, changed:]).abs().amax(-1)
        assert (moved > 0).all(), "every later position sees the change"


def test_every_position_of_bert_sees_every_other():
    model = BERT(BERT_SMALL).eval()
    tokens = some_tokens(1)
    before = model(tokens)
    for changed in range(12):
        other = tokens.clone()
        other[0, changed] = (other[0, changed] + 1) % 23
        assert ((model(other) - before).abs().amax(-1) > 0).all()


def test_bert_ignores_padding():
    model = BERT(BERT_SMALL).eval()
    tokens = some_tokens(2)
    padding = padding_mask([12, 7], 12)
    before = model(tokens, padding)
    torch.testing.assert_close(before[1:, :7], model(tokens[1:, :7]))
    tokens[1, 7:] = 0
    torch.testing.assert_close(model(tokens, padding)[1, :7], before[1, :7])
    assert torch.equal(model(tokens, padding[:, 0, 0]), model(tokens, padding))


@pytest.mark.parametrize("position", POSITIONS)
def test_only_without_positions_does_earlier_order_not_matter(position):
    model = GPT(replace(GPT_SMALL, layers=1, position=position)).eval()
    tokens = torch.tensor([[1, 2, 3, 4, 5]])
    shuffled = torch.tensor([[3, 1, 4, 2, 5]])
    difference = (model(tokens)[:, -1] - model(shuffled)[:, -1]).abs().max().item()
    assert (difference < 1e-6) == (position == "none")


# --- Cache and context -----------------------------------------------------------------------


class GrowingCache:
    length = 0

    def append(self, k, v):
        if self.length:
            k, v = torch.cat([self.k, k], -2), torch.cat([self.v, v], -2)
        self.k, self.v, self.length = k, v, k.shape[-2]
        return k, v


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("pieces", [[1] * 12, [5, 1, 6]])
def test_cached_equals_uncached(position, pieces):
    model = GPT(replace(GPT_SMALL, position=position)).eval()
    cache = [GrowingCache(), GrowingCache()]
    found = [model(piece, cache) for piece in some_tokens().split(pieces, dim=1)]
    torch.testing.assert_close(torch.cat(found, 1), model(some_tokens()), atol=1e-6, rtol=1e-5)


def test_a_part_without_a_cache_is_named():
    model = GPT(GPT_SMALL)
    model.blocks[1].attention = torch.nn.Identity()
    with pytest.raises(TypeError, match=r"^attention of layer 1 must have new_cache.*Identity"):
        model.new_cache()


@pytest.mark.parametrize("position", ["sinusoidal", "rotary", "alibi", "none"])
def test_weights_serve_a_longer_context(position):
    short = GPT(replace(GPT_SMALL, position=position)).eval()
    long = GPT(replace(GPT_SMALL, position=position, context=40)).eval()
    long.load_state_dict(short.state_dict())
    assert torch.equal(long(some_tokens()), short(some_tokens()))
    assert long(some_tokens(1, 40)).shape == (1, 40, 23)


# --- Sizes and initial weights ---------------------------------------------------------------


def test_gpt2_small_has_its_published_size():
    with torch.device("meta"):
        model = GPT(GPTConfig(50_257, 1024, 12, 12, 768))
    assert size(model) == 124_439_808


def test_gpt_size_by_hand():
    d, layers, vocabulary, context = 16, 2, 23, 12
    attention = 3 * d * d + 3 * d + d * d + d
    feed_forward = d * 4 * d + 4 * d + 4 * d * d + d
    block = attention + feed_forward + 2 * 2 * d
    embeddings = vocabulary * d + context * d
    assert size(GPT(GPT_SMALL)) == layers * block + embeddings + 2 * d
    plain = replace(GPT_SMALL, bias=False, position="none")
    assert size(GPT(plain)) == layers * (12 * d * d + 2 * d) + vocabulary * d + d


def test_bert_base_has_its_published_size():
    with torch.device("meta"):
        model = BERT(BERTConfig(30_522, 512, 12, 12, 768))
    assert size(model) == 109_514_298  # BertForMaskedLM's: 110 M with the pooler it leaves out


def test_gru_size_by_hand():
    gates = 3 * (16 * 16 + 16 * 16 + 16 + 16)
    assert size(GRULanguageModel(GRU_SMALL)) == 2 * gates + 23 * 16


def test_initial_weights_are_gpt2s():
    model = GPT(GPTConfig(500, 64, 8, 4, 128))
    block = model.blocks[3]
    assert model.token_embedding.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert model.position_embedding.weight.std().item() == pytest.approx(0.02, rel=0.05)
    for layer in (block.attention.query, block.attention.key, block.attention.value):
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
    for part in (block.attention, block.feed_forward):
        assert part.output.weight.std().item() == pytest.approx(0.02 / 4, rel=0.05)  # √(2·8) = 4
        assert part.output.bias.abs().max() == 0


def test_input_and_output_share_one_table():
    model = GPT(GPT_SMALL)
    logits = model.features(some_tokens()) @ model.token_embedding.weight.T
    torch.testing.assert_close(model(some_tokens()), logits)


# --- Blocks ----------------------------------------------------------------------------------


class Attend(torch.nn.Module):
    def forward(self, x, mask, cache):
        return 2 * x


class Feed(torch.nn.Module):
    def forward(self, x):
        return 10 * x


class AddOne(torch.nn.Module):
    def forward(self, x):
        return x + 1


def test_a_block_uses_the_parts_it_is_given():
    x = torch.ones(1, 1, 1)
    parts = (Attend(), Feed(), AddOne(), AddOne())
    # Pre-norm: 1 + 2(1 + 1) = 5, then 5 + 10(5 + 1) = 65.
    assert Block(*parts)(x).item() == 65
    # Post-norm: (1 + 2) + 1 = 4, then (4 + 40) + 1 = 45.
    assert PostNormBlock(*parts)(x).item() == 45


# --- Configs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_configs_go_through_dictionaries(config):
    values = config_to_dict(config)
    assert values["model"] in ("gpt", "bert", "gru")
    assert config_from_dict(values) == config


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"model": "lstm"}, "must be one of gpt, bert, fast_gpt, gru: got 'lstm'"),
        ({}, "must be one of gpt, bert, fast_gpt, gru: got None"),
        ({"model": "gru", "vocab_size": 5, "width": 4, "depth": 2}, "has the fields .*: got depth"),
        ({"model": "gru", "width": 4}, "must have vocab_size: got"),
        ({"model": "gpt", **asdict(GPT_SMALL), "heads": 3}, "heads must divide width"),
    ],
)
def test_bad_dictionaries(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        config_from_dict(values)


def test_build_wants_a_config():
    accepted = "config must be one of GPTConfig, BERTConfig, FastGPTConfig, GRUConfig: got dict"
    with pytest.raises(TypeError, match=accepted):
        build({"model": "gpt"})
    with pytest.raises(TypeError, match="got int"):
        config_to_dict(3)


# --- Bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [GPT_SMALL, BERT_SMALL], ids=str)
def test_bad_configs(config):
    with pytest.raises(ValueError, match="heads must divide width: got heads=3, width=16"):
        replace(config, heads=3)
    for name in ("vocab_size", "context", "layers", "heads", "width"):
        for value in (0, -4):
            with pytest.raises(ValueError, match=f"{name} must be an integer of at least 1: got"):
                replace(config, **{name: value})
        for value in (2.0, True, "8"):
            with pytest.raises(ValueError, match=f"{name} must be an integer: got {name}="):
                replace(config, **{name: value})
    for value in (-0.1, 1.0):
        with pytest.raises(ValueError, match="dropout must be from 0 to below 1: got dropout="):
            replace(config, dropout=value)


def test_bad_gru_configs():
    with pytest.raises(ValueError, match="layers must be an integer of at least 1: got layers=0"):
        replace(GRU_SMALL, layers=0)
    with pytest.raises(ValueError, match="dropout must be from 0 to below 1"):
        replace(GRU_SMALL, dropout=1.5)


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("position", "learned, sinusoidal, rotary, alibi, none"),
        ("norm", "layer, rms"),
        ("feed_forward", "gelu, gelu_tanh, relu2, swiglu"),
    ],
)
def test_unknown_parts_name_the_known(name, accepted):
    with pytest.raises(ValueError, match=f"{name} must be one of {accepted}: got {name}='other'"):
        replace(GPT_SMALL, **{name: "other"})


def test_odd_head_width_for_rotary():
    config = replace(GPT_SMALL, width=12, position="rotary")
    with pytest.raises(ValueError, match="even for rotary positions: got head_width=3"):
        GPT(config)


@pytest.mark.parametrize("config", [GPT_SMALL, BERT_SMALL], ids=str)
def test_tokens_longer_than_the_context(config):
    with pytest.raises(ValueError, match="tokens must be at most context=12 long: got 13"):
        build(config)(some_tokens(1, 13))


@pytest.mark.parametrize("position", POSITIONS)
def test_cached_tokens_longer_than_the_context(position):
    model = GPT(replace(GPT_SMALL, position=position))
    cache = [GrowingCache(), GrowingCache()]
    model(some_tokens(1, 10), cache)
    with pytest.raises(ValueError, match="at most context=12 long: got 3 after 10 cached"):
        model(some_tokens(1, 3), cache)
    assert cache[0].length == 10, "a refused call leaves the cache as it was"


def test_a_cache_of_another_depth():
    with pytest.raises(ValueError, match="cache must have one entry for each of 2 layers: got 3"):
        GPT(GPT_SMALL)(some_tokens(), [GrowingCache()] * 3)


@pytest.mark.parametrize("config", [GPT_SMALL, BERT_SMALL, GRU_SMALL], ids=str)
@pytest.mark.parametrize("wrong", [23, -1, -100])
def test_tokens_out_of_range(config, wrong):
    tokens = some_tokens()
    tokens[1, 3] = wrong
    with pytest.raises(ValueError, match=f"tokens must be from 0 to 22, .*: got {wrong}"):
        build(config)(tokens)


@pytest.mark.parametrize("config", [GPT_SMALL, BERT_SMALL, GRU_SMALL], ids=str)
def test_tokens_of_another_kind(config):
    model = build(config)
    with pytest.raises(TypeError, match=r"tokens must be int64 or int32: got torch.float32"):
        model(torch.zeros(1, 3))
    for shape in ((3,), (1, 0), (1, 2, 3)):
        with pytest.raises(ValueError, match=r"tokens must be \(B, T\).*: got shape"):
            model(torch.zeros(shape, dtype=torch.long))


def test_bad_padding():
    model = BERT(BERT_SMALL)
    with pytest.raises(TypeError, match=r"padding must be boolean.*: got torch.int64"):
        model(some_tokens(2), torch.ones(2, 12, dtype=torch.long))
    with pytest.raises(ValueError, match=r"padding must be \(B, T\) = \(2, 12\)"):
        model(some_tokens(2), torch.ones(2, 11, dtype=torch.bool))


# --- Compiled --------------------------------------------------------------------------------


def test_a_gpt_compiles_in_one_piece():
    model = GPT(replace(GPT_SMALL, layers=1, position="rotary", norm="rms"))
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(some_tokens()), model(some_tokens()))
