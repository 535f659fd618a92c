import math

import pytest
import torch
from torch.nn import functional as F

from llmlab.analysis import record_attention
from llmlab.inference import Sampling, generate_tokens
from llmlab.models import (
    FastGPT,
    FastGPTConfig,
    ShortConvolution,
    build,
    config_from_dict,
    config_to_dict,
)

CONFIG = FastGPTConfig(vocab_size=11, context=12, layers=2, heads=2, width=8)


def tokens(batch: int = 2, time: int = 12) -> torch.Tensor:
    return torch.randint(11, (batch, time), generator=torch.Generator().manual_seed(0))


def awake() -> FastGPT:
    """A model whose zeros have become numbers."""
    torch.manual_seed(0)
    model = FastGPT(CONFIG)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model


def test_before_training_every_token_is_equally_likely():
    model = FastGPT(CONFIG)
    logits = model(tokens())
    assert logits.shape == (2, 12, 11)
    loss = F.cross_entropy(logits.flatten(0, 1), tokens().flatten())
    assert loss.item() == pytest.approx(math.log(11))


def test_a_token_changes_nothing_before_it_and_everything_after():
    model, text = awake(), tokens(1)
    changed = text.clone()
    changed[0, 5] = (changed[0, 5] + 1) % 11
    moved = (model(text) - model(changed)).abs().amax(-1)[0]
    assert moved[:5].max() == 0
    assert moved[5:].min() > 0


def test_no_logit_leaves_the_cap():
    model = awake()
    with torch.no_grad():
        model.head.weight.mul_(1000)
    assert 14 < model(tokens()).abs().max() <= 15


def test_no_score_exceeds_the_root_of_a_heads_width():
    model = awake()
    with record_attention(model) as maps, torch.no_grad():
        model(tokens())
    spans = []
    for weights in maps:  # (B, H, T, T): scores lie within ±√K, so logs of weights within 2 √K
        logs = weights.log()  # never above 0, and minus infinity ahead of the query
        spans.append((logs.amax(-1) - logs.masked_fill(weights == 0, 0).amin(-1)).max().item())
    assert 1 < max(spans) <= 2 * math.sqrt(CONFIG.width // CONFIG.heads) + 1e-4


def test_the_short_convolution_agrees_with_arithmetic_by_hand():
    convolution = ShortConvolution(width=1, lookback=2)
    x = torch.tensor([[[1.0], [10.0], [100.0], [1000.0]]])
    assert torch.equal(convolution(x), x)  # shares start at zero
    with torch.no_grad():
        convolution.shares.copy_(torch.tensor([[0.5], [0.1]]))
    # 100 + 0.5 · 10 + 0.1 · 1 = 105.1; 1000 + 0.5 · 100 + 0.1 · 10 = 1051
    expected = torch.tensor([1.0, 10.5, 105.1, 1051.0])
    assert torch.allclose(convolution(x).flatten(), expected)


def test_no_score_can_run_away():
    model = awake()
    with record_attention(model) as maps:
        model(tokens())
    for block in model.blocks:
        block.attention.query.weight.data.mul_(100)
        block.attention.key.weight.data.mul_(100)
    with record_attention(model) as louder:
        model(tokens())
    torch.testing.assert_close(maps, louder, atol=1e-5, rtol=1e-4)


def test_it_writes_without_a_cache():
    model = awake()
    first = generate_tokens(model, tokens(2, 3), 20, Sampling(temperature=0))
    assert first.shape == (2, 23)
    assert torch.equal(first[:, 3], model(tokens(2, 3))[:, -1].argmax(-1))


def test_its_config_survives_a_dictionary():
    assert config_from_dict(config_to_dict(CONFIG)) == CONFIG
    assert isinstance(build(CONFIG), FastGPT)


@pytest.mark.parametrize(("name", "value"), [("lookback", 0), ("heads", 3), ("layers", -1)])
def test_a_bad_size_is_named(name, value):
    with pytest.raises(ValueError, match=name):
        FastGPTConfig(
            **{"vocab_size": 5, "context": 4, "layers": 1, "heads": 2, "width": 8, name: value}
        )


def test_more_tokens_than_the_context_are_refused():
    with pytest.raises(ValueError, match="context=12"):
        FastGPT(CONFIG)(tokens(1, 13))
