import math

import pytest
import torch
from torch.nn import functional as F

from llmlab.analysis import record_attention
from llmlab.models import (
    ALiBi,
    AttentionPosition,
    CausalMask,
    MultiHeadAttention,
    RMSNorm,
    Rotary,
    WindowMask,
    causal_mask,
    padding_mask,
    scaled_dot_product_attention,
    window_mask,
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


def test_window_mask():
    assert window_mask(2, 3).int().tolist() == [[1, 0, 0], [1, 1, 0], [0, 1, 1]]
    assert window_mask(2, 1, 4).int().tolist() == [[0, 0, 1, 1]]
    assert torch.equal(window_mask(9, 5), causal_mask(5))


def test_padding_mask():
    mask = padding_mask([1, 3], 3)
    assert mask.shape == (2, 1, 1, 3)
    assert mask.flatten(1).int().tolist() == [[1, 0, 0], [1, 1, 1]]


@pytest.mark.parametrize("lengths", [[0, 2], [2, 4], [], torch.tensor([[1], [2]])])
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
    own = CausalMask() if causal else None
    attention = MultiHeadAttention(12, 3, own, positions(3, 4)[position])
    x = random(2, 7, 12)
    fused = attention(x, masks(7)[mask])
    with record_attention(attention) as maps:
        readable = attention(x, masks(7)[mask])
    torch.testing.assert_close(fused, readable, atol=1e-6, rtol=1e-5)
    assert maps[0].shape == (2, 3, 7, 7)


@pytest.mark.parametrize("position", ["none", "rotary", "alibi"])
def test_gradients_of_fused_and_readable_agree(position, random):
    attention = MultiHeadAttention(12, 3, position=positions(3, 4)[position])
    x = random(2, 7, 12)
    found = []
    for recording in (False, True):
        attention.zero_grad()
        if recording:
            with record_attention(attention):
                attention(x).square().sum().backward()
        else:
            attention(x).square().sum().backward()
        found.append([parameter.grad for parameter in attention.parameters()])
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-4)


def test_multi_head_agrees_with_pytorch_module(random):
    ours = MultiHeadAttention(12, 3, mask=None)
    theirs = torch.nn.MultiheadAttention(12, 3, batch_first=True)
    parts = ours.query, ours.key, ours.value
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
    attention = MultiHeadAttention(12, 3, position=positions(3, 4)[position])
    x = random(2, 9, 12)
    cache = GrowingCache()
    outs = [attention(piece, cache=cache) for piece in x.split(pieces, dim=1)]
    torch.testing.assert_close(torch.cat(outs, 1), attention(x), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("mask", ["padding", "arbitrary"])
@pytest.mark.parametrize("position", ["none", "rotary", "alibi"])
def test_a_mask_comes_on_top_of_the_causal_one(mask, position, random):
    attention = MultiHeadAttention(12, 3, position=positions(3, 4)[position])
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
    attention = MultiHeadAttention(12, 3, mask=None)
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


# --- Fewer key-value heads -------------------------------------------------------------------


def repeated(attention: MultiHeadAttention) -> MultiHeadAttention:
    """The multi-head attention whose heads of one group have the same keys and values."""
    groups, times = attention.key_value_heads, attention.heads // attention.key_value_heads
    parts = {"position": attention.position, "mask": attention.mask}
    full = MultiHeadAttention(attention.query.in_features, attention.heads, **parts)
    for name in ("query", "output"):
        getattr(full, name).load_state_dict(getattr(attention, name).state_dict())
    for name in ("key", "value"):
        for kind, rows in getattr(attention, name).named_parameters():
            by_group = rows.data.unflatten(0, (groups, -1))
            theirs = torch.cat([group for group in by_group for _ in range(times)])
            getattr(getattr(full, name), kind).data = theirs
    return full


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("position", ["none", "rotary", "alibi"])
@pytest.mark.parametrize("mask", ["none", "padding"])
def test_grouped_queries_are_heads_that_share_keys_and_values(groups, position, mask, random):
    grouped = MultiHeadAttention(16, 4, position=positions(4, 4)[position], key_value_heads=groups)
    full = repeated(grouped)
    assert grouped.key.weight.shape == grouped.value.weight.shape == (4 * groups, 16)
    x, mask = random(2, 7, 16), masks(7)[mask]
    out = grouped(x, mask)
    torch.testing.assert_close(out, full(x, mask), atol=1e-6, rtol=1e-5)
    with record_attention(grouped) as maps, record_attention(full) as expected:
        torch.testing.assert_close(grouped(x, mask), full(x, mask), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(maps[0], expected[0])


@pytest.mark.parametrize("groups", [1, 2])
def test_gradients_of_shared_keys_are_the_sum_over_the_heads_that_share_them(groups, random):
    grouped = MultiHeadAttention(16, 4, position=Rotary(4, 32), key_value_heads=groups)
    full, x, wanted = repeated(grouped), random(2, 7, 16), random(2, 7, 16)
    for attention in (grouped, full):
        (attention(x) * wanted).sum().backward()
    for name in ("query", "output"):
        found, expected = (getattr(a, name).weight.grad for a in (grouped, full))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    for name in ("key", "value"):
        for kind in ("weight", "bias"):
            found, each = (getattr(getattr(a, name), kind).grad for a in (grouped, full))
            expected = each.unflatten(0, (groups, 4 // groups, 4)).sum(1).flatten(0, 1)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("position", ["none", "rotary", "alibi"])
@pytest.mark.parametrize("pieces", [[1] * 9, [4, 5], [3, 1, 5]])
def test_grouped_queries_write_as_they_read_from_a_smaller_cache(position, pieces, random):
    grouped = MultiHeadAttention(16, 4, position=positions(4, 4)[position], key_value_heads=2)
    full, x = repeated(grouped), random(2, 9, 16)
    caches = [attention.new_cache(9) for attention in (grouped, full)]
    with torch.no_grad():
        outs = [grouped(piece, cache=caches[0]) for piece in x.split(pieces, dim=1)]
        theirs = [full(piece, cache=caches[1]) for piece in x.split(pieces, dim=1)]
    torch.testing.assert_close(torch.cat(outs, 1), torch.cat(theirs, 1), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(torch.cat(outs, 1), full(x), atol=1e-6, rtol=1e-5)
    assert 2 * caches[0].nbytes == caches[1].nbytes == 4 * 2 * 2 * 4 * 9 * 4


# --- Another head width ----------------------------------------------------------------------


@pytest.mark.parametrize("position", ["none", "rotary", "alibi"])
@pytest.mark.parametrize("pieces", [[1] * 9, [4, 5], [3, 1, 5]])
def test_another_head_width_writes_as_it_reads(position, pieces, random):
    attention = MultiHeadAttention(12, 3, position=positions(3, 8)[position], head_width=8)
    x, cache = random(2, 9, 12), attention.new_cache()
    outs = [attention(piece, cache=cache) for piece in x.split(pieces, dim=1)]
    torch.testing.assert_close(torch.cat(outs, 1), attention(x), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("head_width", [2, 5, 32])
def test_another_head_width_agrees_with_pytorchs_function(head_width, random):
    attention = MultiHeadAttention(12, 3, head_width=head_width, key_value_heads=1)
    x = random(2, 7, 12)
    heads = F.linear(x, attention.query.weight, attention.query.bias).unflatten(-1, (3, -1))
    k, v = (F.linear(x, p.weight, p.bias)[:, None] for p in (attention.key, attention.value))
    out = F.scaled_dot_product_attention(heads.transpose(1, 2), k, v, is_causal=True)
    assert heads.shape[-1] == head_width
    expected = F.linear(
        out.transpose(1, 2).flatten(2), attention.output.weight, attention.output.bias
    )
    torch.testing.assert_close(attention(x), expected, atol=1e-6, rtol=1e-5)


# --- A window --------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [1, 3, 7, 20])
@pytest.mark.parametrize("position", ["none", "rotary", "alibi"])
@pytest.mark.parametrize("mask", ["none", "padding"])
def test_a_window_is_full_attention_under_a_mask(window, position, mask, random):
    attention = MultiHeadAttention(12, 3, WindowMask(window), positions(3, 4)[position])
    x, given = random(2, 7, 12), masks(7)[mask]
    out = attention(x, given)
    attention.mask = None  # full attention
    only = window_mask(window, 7) if given is None else window_mask(window, 7) & given
    torch.testing.assert_close(out, attention(x, only), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("window", [1, 2, 4, 30])
@pytest.mark.parametrize("position", ["none", "rotary", "alibi"])
@pytest.mark.parametrize("pieces", [[1] * 11, [5, 6], [3, 1, 7], [1, 9, 1]])
def test_the_cache_of_a_window_keeps_no_more_than_the_window(window, position, pieces, random):
    attention = MultiHeadAttention(
        16, 4, WindowMask(window), positions(4, 4)[position], key_value_heads=2
    )
    x, cache = random(2, 11, 16), attention.new_cache(11)
    outs = []
    with torch.no_grad():
        for piece in x.split(pieces, dim=1):
            outs.append(attention(piece, cache=cache))
            kept = min(window - 1, cache.length)
            assert cache.nbytes == 4 * 2 * 2 * 2 * kept * 4  # keys, values; B, G, K; bytes
        torch.testing.assert_close(torch.cat(outs, 1), attention(x), atol=1e-6, rtol=1e-5)
    assert cache.length == 11


# --- Norms of queries and keys ---------------------------------------------------------------


class Noting(AttentionPosition):
    """A position scheme that does nothing but remember what it was given."""

    def rotate(self, q, k, start):
        self.q, self.k = q, k
        return q, k


def test_normed_queries_and_keys_by_hand():
    position, query_norm, key_norm = Noting(), RMSNorm(2, epsilon=0), RMSNorm(2, epsilon=0)
    query_norm.weight.data, key_norm.weight.data = torch.tensor([1.0, 2.0]), torch.ones(2)
    attention = MultiHeadAttention(
        4, 2, position=position, bias=False, query_norm=query_norm, key_norm=key_norm
    )
    for part in (attention.query, attention.key):
        part.weight.data = torch.eye(4)
    attention(torch.tensor([[[3.0, 4.0, -6.0, 8.0]]]))
    # (3, 4) / √((9 + 16) / 2) = (3, 4) √2 / 5 = (0.6, 0.8) √2, and (-6, 8) is twice as long
    expected = math.sqrt(2) * torch.tensor([[0.6, 0.8], [-0.6, 0.8]])
    torch.testing.assert_close(position.k[0, :, 0], expected)
    torch.testing.assert_close(position.q[0, :, 0], expected * torch.tensor([1.0, 2.0]))


def test_normed_scores_are_bounded_whatever_the_weights(random):
    norm, position = torch.nn.RMSNorm(8, elementwise_affine=False), Noting()
    attention = MultiHeadAttention(16, 2, position=position, query_norm=norm, key_norm=norm)
    attention(1e4 * random(1, 6, 16))
    assert torch.allclose(position.q.square().mean(-1), torch.ones(1, 2, 6), atol=1e-4)
    assert (position.q @ position.k.mT / math.sqrt(8)).abs().max() <= math.sqrt(8) + 1e-4


# --- Bad input -------------------------------------------------------------------------------


def test_heads_must_divide_width():
    with pytest.raises(ValueError, match="heads must divide width: got heads=3, width=64"):
        MultiHeadAttention(64, 3)


def test_mask_must_be_boolean():
    with pytest.raises(TypeError, match=r"mask must be boolean.*got torch.float32"):
        MultiHeadAttention(8, 2)(torch.zeros(1, 3, 8), torch.ones(3, 3))


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 3), (3,), (3, 1, 3, 3)])
def test_mask_must_fit(shape):
    with pytest.raises(ValueError, match=r"mask must be \(T, S\) or broadcastable"):
        MultiHeadAttention(8, 2)(torch.zeros(2, 3, 8), torch.ones(shape, dtype=torch.bool))


def test_key_value_heads_must_divide_heads():
    sentence = "key_value_heads must divide heads: got key_value_heads=3, heads=4"
    with pytest.raises(ValueError, match=sentence):
        MultiHeadAttention(16, 4, key_value_heads=3)


@pytest.mark.parametrize("name", ["key_value_heads", "head_width"])
def test_sizes_must_be_positive(name):
    with pytest.raises(ValueError, match=f"{name} must be an integer of at least 1: got {name}=0"):
        MultiHeadAttention(16, 4, **{name: 0})


def test_a_window_must_be_positive():
    with pytest.raises(ValueError, match="window must be an integer of at least 1: got window=0"):
        WindowMask(0)


def test_attention_to_later_tokens_has_no_cache():
    with pytest.raises(ValueError, match="mask must hide later tokens from a query with a cache"):
        MultiHeadAttention(16, 4, mask=None).new_cache()
