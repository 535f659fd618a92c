import math

import pytest
import torch
from torch.nn import functional as F

from llmlab.analysis import record_attention
from llmlab.models import (
    ALiBi,
    MultiHeadAttention,
    NormedQueriesKeys,
    Rotary,
    causal_mask,
    padding_mask,
    scaled_dot_product_attention,
)


@pytest.fixture
def random():
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=generator)


class GrowingCache:
    """The least that a cache must do."""

    def __init__(self):
        self.length = 0

    def append(self, k, v):
        if self.length:
            k, v = torch.cat([self.k, k], -2), torch.cat([self.v, v], -2)
        self.k, self.v, self.length = k, v, k.shape[-2]
        return k, v


# --- The readable version --------------------------------------------------------------------


def test_attention_worked_by_hand():
    q = torch.tensor([[2.0, 0.0, 0.0, 0.0]])  # √K = 2
    k = torch.tensor([[math.log(3.0), 0.0, 0.0, 0.0], [0.0, 9.0, 9.0, 9.0]])
    v = torch.tensor([[4.0, 0.0, 8.0, 1.0], [0.0, 4.0, 8.0, 5.0]])
    # Scores: 2·ln 3 / 2 = ln 3, and 0. Weights: 3/(3+1), 1/(3+1).
    out, weights = scaled_dot_product_attention(q, k, v)
    torch.testing.assert_close(weights, torch.tensor([[0.75, 0.25]]))
    torch.testing.assert_close(out, torch.tensor([[3.0, 1.0, 8.0, 2.0]]))


def test_a_mask_leaves_the_rest_to_share():
    q, k = torch.zeros(2, 4), torch.ones(3, 4)
    v = torch.tensor([[3.0], [6.0], [90.0]])
    mask = torch.tensor([[True, True, False], [False, True, False]])
    out, weights = scaled_dot_product_attention(q, k, v, mask)
    assert weights.tolist() == [[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]]
    assert out.tolist() == [[4.5], [6.0]]


def test_numbers_as_a_mask_are_added_to_the_scores():
    v = torch.tensor([[1.0], [5.0]])
    bias = torch.tensor([[math.log(3.0), 0.0]])
    out, weights = scaled_dot_product_attention(torch.zeros(1, 4), torch.ones(2, 4), v, bias)
    torch.testing.assert_close(weights, torch.tensor([[0.75, 0.25]]))
    torch.testing.assert_close(out, torch.tensor([[2.0]]))


def test_a_query_with_nothing_to_attend_to_gives_zero_and_clean_gradients(random):
    q, k, v = (random(3, 4).requires_grad_() for _ in range(3))
    mask = torch.tensor([[True, False, True], [False, False, False], [True, True, True]])
    out, weights = scaled_dot_product_attention(q, k, v, mask)
    assert torch.equal(out[1], torch.zeros(4))
    assert torch.equal(weights[1], torch.zeros(3))
    out.sum().backward()
    assert all(part.grad.isfinite().all() for part in (q, k, v))
    assert torch.equal(q.grad[1], torch.zeros(4))


def masks(time):
    generator = torch.Generator().manual_seed(3)
    arbitrary = torch.rand(2, 3, time, time, generator=generator) < 0.4
    arbitrary[1, 2, 3] = False  # one query sees nothing
    return {
        "none": None,
        "causal": causal_mask(time),
        "padding": padding_mask([time, 2], time),
        "both": causal_mask(time) & padding_mask([time, 2], time),
        "arbitrary": arbitrary,
        "numbers": torch.randn(3, time, time, generator=generator),
        "numbers with holes": torch.zeros(2, 3, time, time).masked_fill(~arbitrary, -math.inf),
    }


@pytest.mark.parametrize("name", masks(7))
def test_readable_agrees_with_pytorch(name, random):
    q, k, v = random(2, 3, 7, 8), random(2, 3, 7, 8), random(2, 3, 7, 8)
    mask = masks(7)[name]
    out, weights = scaled_dot_product_attention(q, k, v, mask)
    fused = F.scaled_dot_product_attention(q, k, v, mask)
    torch.testing.assert_close(out, fused, atol=1e-6, rtol=1e-5)
    total = weights.sum(-1)
    assert ((total - 1).abs() < 1e-6).logical_or(total == 0).all()


def test_permuting_the_keys_changes_nothing(random):
    q, k, v = random(5, 8), random(6, 8), random(6, 8)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    out, weights = scaled_dot_product_attention(q, k, v)
    shuffled, moved = scaled_dot_product_attention(q, k[order], v[order])
    torch.testing.assert_close(shuffled, out)
    torch.testing.assert_close(moved, weights[:, order])


def test_permuting_the_queries_permutes_the_output(random):
    q, k, v = random(5, 8), random(6, 8), random(6, 8)
    order = torch.tensor([3, 0, 1, 4, 2])
    out, _ = scaled_dot_product_attention(q, k, v)
    torch.testing.assert_close(scaled_dot_product_attention(q[order], k, v)[0], out[order])


def test_output_lies_between_the_values(random):
    v = random(6, 8)
    out, _ = scaled_dot_product_attention(5 * random(40, 8), random(6, 8), v)
    assert (out <= v.amax(0) + 1e-6).all()
    assert (out >= v.amin(0) - 1e-6).all()


# --- Masks -----------------------------------------------------------------------------------


def test_causal_mask():
    assert causal_mask(3).int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert causal_mask(2, 4).int().tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]


def test_padding_mask():
    mask = padding_mask([1, 3], 3)
    assert mask.shape == (2, 1, 1, 3)
    assert mask.flatten(1).int().tolist() == [[1, 0, 0], [1, 1, 1]]


@pytest.mark.parametrize("lengths", [[0, 2], [2, 4], [[1], [2]]])
def test_padding_mask_refuses_lengths_that_do_not_fit(lengths):
    with pytest.raises(ValueError, match="lengths must be one number a text, from 1 to time=3"):
        padding_mask(lengths, 3)


def test_causal_mask_refuses_no_time():
    with pytest.raises(ValueError, match="time must be an integer of at least 1: got time=0"):
        causal_mask(0)


# --- Multi-head ------------------------------------------------------------------------------


def positions(heads, head_width):
    return {"none": None, "rotary": Rotary(head_width, 32), "alibi": ALiBi(heads)}


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("position", ["none", "rotary", "alibi"])
@pytest.mark.parametrize("mask", ["none", "padding", "arbitrary"])
def test_fused_agrees_with_readable(causal, position, mask, random):
    attention = MultiHeadAttention(12, 3, causal, positions(3, 4)[position])
    x = random(2, 7, 12)
    fused = attention(x, masks(7)[mask])
    with record_attention(attention) as maps:
        readable = attention(x, masks(7)[mask])
    torch.testing.assert_close(fused, readable, atol=1e-6, rtol=1e-5)
    assert maps[0].shape == (2, 3, 7, 7)


@pytest.mark.parametrize("position", ["none", "rotary", "alibi"])
def test_gradients_of_fused_and_readable_agree(position, random):
    attention = MultiHeadAttention(12, 3, True, positions(3, 4)[position])
    x = random(2, 7, 12)
    found = []
    for recording in (False, True):
        attention.zero_grad()
        if recording:
            with record_attention(attention):
                attention(x).square().sum().backward()
        else:
            attention(x).square().sum().backward()
        found.append(attention.query.weight.grad)
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-4)


def test_multi_head_agrees_with_pytorch_module(random):
    ours = MultiHeadAttention(12, 3, causal=False)
    theirs = torch.nn.MultiheadAttention(12, 3, batch_first=True)
    parts = (ours.query, ours.key, ours.value)
    theirs.in_proj_weight.data = torch.cat([part.weight.data for part in parts])
    theirs.in_proj_bias.data = torch.cat([part.bias.data for part in parts])
    theirs.out_proj.load_state_dict(ours.output.state_dict())
    x = random(2, 5, 12)
    with record_attention(ours) as maps:
        out = ours(x)
    expected, weights = theirs(x, x, x, average_attn_weights=False)
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(maps[0], weights)


@pytest.mark.parametrize("position", ["none", "rotary", "alibi"])
@pytest.mark.parametrize("pieces", [[9], [1] * 9, [4, 5], [3, 1, 5]])
def test_cached_equals_uncached(position, pieces, random):
    attention = MultiHeadAttention(12, 3, True, positions(3, 4)[position])
    x = random(2, 9, 12)
    cache = GrowingCache()
    outs = [attention(piece, cache=cache) for piece in x.split(pieces, dim=1)]
    torch.testing.assert_close(torch.cat(outs, 1), attention(x), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("mask", ["padding", "arbitrary"])
@pytest.mark.parametrize("position", ["none", "rotary", "alibi"])
def test_a_mask_comes_on_top_of_the_causal_one(mask, position, random):
    attention = MultiHeadAttention(12, 3, True, positions(3, 4)[position])
    x, given = random(2, 7, 12), masks(7)[mask]
    with record_attention(attention) as maps:
        attention(x, given)
    assert torch.equal(maps[0] > 0, (given & causal_mask(7)).expand(2, 3, 7, 7))


def test_a_mask_covers_the_cached_keys(random):
    attention = MultiHeadAttention(12, 3)
    x, mask = random(2, 7, 12), padding_mask([7, 5], 7)
    cache = GrowingCache()
    first = attention(x[:, :6], mask[..., :6], cache)
    both = torch.cat([first, attention(x[:, 6:], mask, cache)], 1)
    torch.testing.assert_close(both, attention(x, mask), atol=1e-6, rtol=1e-5)


def test_padded_keys_do_not_matter(random):
    attention = MultiHeadAttention(12, 3, causal=False)
    x = random(2, 6, 12)
    mask = padding_mask([6, 4], 6)
    before = attention(x, mask)
    x[1, 4:] = 100.0
    torch.testing.assert_close(attention(x, mask)[1, :4], before[1, :4])


def test_dropout_acts_in_training_only(random):
    attention = MultiHeadAttention(12, 3, dropout=0.5)
    x = random(2, 6, 12)
    torch.manual_seed(0)
    assert not torch.equal(attention(x), attention(x))
    attention.eval()
    assert torch.equal(attention(x), attention(x))


# --- Other shapes ----------------------------------------------------------------------------


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("position", ["none", "rotary", "alibi"])
def test_grouped_queries_are_heads_with_equal_keys_and_values(groups, position, random):
    scheme = positions(4, 4)[position]
    grouped = MultiHeadAttention(16, 4, True, scheme, key_value_heads=groups)
    reference = with_repeated_keys_of(grouped, MultiHeadAttention(16, 4, True, scheme))
    x = random(2, 7, 16)
    torch.testing.assert_close(grouped(x), reference(x), atol=1e-6, rtol=1e-5)
    with record_attention(grouped) as maps, record_attention(reference) as expected:
        torch.testing.assert_close(grouped(x), reference(x), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(maps[0], expected[0])


def with_repeated_keys_of(grouped, full) -> MultiHeadAttention:
    """The full attention, each of whose keys and values is the copy of its group's."""
    times = grouped.heads // grouped.key_value_heads
    full.query.load_state_dict(grouped.query.state_dict())
    full.output.load_state_dict(grouped.output.state_dict())
    for ours, theirs in ((full.key, grouped.key), (full.value, grouped.value)):
        for kind in ("weight", "bias"):
            rows = getattr(theirs, kind).data.unflatten(0, (grouped.key_value_heads, -1))
            getattr(ours, kind).data = rows.repeat_interleave(times, dim=0).flatten(0, 1)
    return full


def test_gradients_of_a_shared_key_are_the_sum_over_its_heads(random):
    grouped = MultiHeadAttention(12, 4, key_value_heads=2)
    full = with_repeated_keys_of(grouped, MultiHeadAttention(12, 4))
    x = random(2, 7, 12)
    for attention in (grouped, full):
        attention(x).square().sum().backward()
    summed = full.key.weight.grad.unflatten(0, (2, 2, 3)).sum(1).flatten(0, 1)
    torch.testing.assert_close(grouped.key.weight.grad, summed, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("options", [{"key_value_heads": 1}, {"window": 3}, {"head_width": 8}])
@pytest.mark.parametrize("position", ["none", "rotary", "alibi"])
@pytest.mark.parametrize("pieces", [[9], [1] * 9, [4, 5], [3, 1, 5]])
def test_every_shape_writes_with_its_own_cache(options, position, pieces, random):
    scheme = positions(3, options.get("head_width", 4))[position]
    attention = MultiHeadAttention(12, 3, True, scheme, **options)
    x, cache = random(2, 9, 12), attention.new_cache()
    outs = [attention(piece, cache=cache) for piece in x.split(pieces, dim=1)]
    torch.testing.assert_close(torch.cat(outs, 1), attention(x), atol=1e-6, rtol=1e-5)
    assert cache.length == 9


@pytest.mark.parametrize("position", ["none", "rotary", "alibi"])
def test_a_window_is_a_mask_over_full_attention(position, random):
    scheme = positions(3, 4)[position]
    full, narrow = (MultiHeadAttention(12, 3, True, scheme, window=w) for w in (None, 3))
    narrow.load_state_dict(full.state_dict())
    distance = torch.arange(7)[:, None] - torch.arange(7)
    x = random(2, 7, 12)
    torch.testing.assert_close(narrow(x), full(x, distance < 3), atol=1e-6, rtol=1e-5)
    with record_attention(narrow) as maps:
        narrow(x)
    assert torch.equal(maps[0][0, 0] > 0, (distance >= 0) & (distance < 3))


def test_a_windows_cache_does_not_grow(random):
    attention = MultiHeadAttention(12, 3, window=4)
    cache = attention.new_cache(capacity=100)
    sizes = []
    for token in random(1, 20, 12).split(1, dim=1):
        attention(token, cache=cache)
        sizes.append(cache.nbytes)
    assert sizes[-1] == max(sizes) == 2 * 3 * 12 * 4  # keys and values, tokens, width, bytes


def test_heads_may_be_wider_than_their_share(random):
    attention = MultiHeadAttention(12, 3, head_width=8, causal=False)
    x = random(2, 5, 12)
    q, k, v = (
        layer(x).view(2, 5, 3, 8).transpose(1, 2)
        for layer in (attention.query, attention.key, attention.value)
    )
    out = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(2, 5, 24)
    torch.testing.assert_close(attention(x), attention.output(out))


def test_normed_queries_and_keys_by_hand():
    norm = torch.nn.RMSNorm(2, eps=0.0)
    norm.weight.data = torch.tensor([1.0, 3.0])
    position = NormedQueriesKeys(ALiBi(1), torch.nn.Identity(), norm)
    q = torch.tensor([[[[3.0, 4.0]]]])
    turned_q, turned_k = position.rotate(q, q, start=0)
    assert torch.equal(turned_q, q)
    length = math.sqrt(12.5)  # the root mean square of 3 and 4
    torch.testing.assert_close(turned_k, torch.tensor([[[[3 / length, 12 / length]]]]))
    assert torch.equal(position.bias(2, 2), ALiBi(1).bias(2, 2))


# --- Bad input -------------------------------------------------------------------------------


def test_heads_must_divide_width():
    with pytest.raises(ValueError, match="heads must divide width: got heads=3, width=64"):
        MultiHeadAttention(64, 3)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"key_value_heads": 3},
            "key_value_heads must divide heads: got key_value_heads=3, heads=4",
        ),
        ({"key_value_heads": 0}, "key_value_heads must be an integer of at least 1"),
        ({"head_width": 0}, "head_width must be an integer of at least 1: got head_width=0"),
        ({"window": 0}, "window must be an integer of at least 1: got window=0"),
        ({"window": 2, "causal": False}, "window must be None without causal: got window=2"),
    ],
)
def test_shapes_that_do_not_fit(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        MultiHeadAttention(8, 4, **options)


def test_mask_must_be_boolean():
    with pytest.raises(TypeError, match=r"mask must be boolean.*got torch.float32"):
        MultiHeadAttention(8, 2)(torch.zeros(1, 3, 8), torch.ones(3, 3))


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 3), (3,), (3, 1, 3, 3)])
def test_mask_must_fit(shape):
    with pytest.raises(ValueError, match=r"mask must be \(T, S\) or broadcastable"):
        MultiHeadAttention(8, 2)(torch.zeros(2, 3, 8), torch.ones(shape, dtype=torch.bool))
