"""Counting parameters and floating-point operations: by hand, and with PyTorch's own counters.

A multiplication and an addition are two operations, so multiplying (m, k) by (k, n) costs 2mkn.
Only matrix products are counted, as ``torch.utils.flop_counter`` does; all else is a few percent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from llmlab.checks import check_sizes
from llmlab.models import BERTConfig, GPTConfig
from llmlab.models.feed_forward import hidden_width


def count_parameters(model: nn.Module, embeddings: bool = True) -> int:
    """Number of weights, those shared by two layers counted once.

    Without embeddings, every table of token, position or segment vectors is left out, which gives
    the N of Kaplan et al. (2020); a tied output layer goes with its table.
    """
    tables = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    return sum(p.numel() for p in model.parameters() if embeddings or id(p) not in tables)


def parameter_formula(config: GPTConfig | BERTConfig) -> int:
    """12 L D² + V D: what the large matrices of a transformer hold.

    A block has 4 D² in attention (queries, keys, values, output) and 8 D² in the feed-forward layer
    (D to 4D and back); the token table has V D. Positions, norms and biases are left out.
    """
    return 12 * config.layers * config.width**2 + config.vocab_size * config.width


def parameter_table(model: nn.Module) -> dict[str, int]:
    """Number of weights by part, in the order of the model; they sum to ``count_parameters``.

    Attention, feed-forward and norms are summed over the blocks; everything else stands under the
    name that the model gives it, such as ``"token embedding"``.
    """
    table: defaultdict[str, int] = defaultdict(int)
    for name, parameter in model.named_parameters():
        table[_part(name.split(".")[:-1])] += parameter.numel()
    return dict(table)


def count_flops(function: Callable[..., object], *inputs: object) -> int:
    """Operations of ``function(*inputs)``, such as a model on tokens (B, T), as it runs."""
    fused_on_cpu = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    # PyTorch's table lacks its own CPU kernel, whose attention would otherwise count as nothing.
    counter = FlopCounterMode(display=False, custom_mapping={fused_on_cpu: _attention_flops})
    with torch.enable_grad(), counter:  # the counter trips over views of weights without it
        function(*inputs)
    return counter.get_total_flops()


def flop_formula(config: GPTConfig | BERTConfig, time: int, batch_size: int = 1) -> int:
    """Operations of one forward pass over (B, T) tokens, worked out from the config.

    A token meets each weight of a matrix once, which costs two operations, and in each block its
    query meets T keys and T values of D numbers. A causal mask does not lower the count: the
    masked half is counted although a fused kernel skips it. A backward pass costs twice as much.

    Raises:
        ValueError: if time or batch_size is below 1.
        TypeError: if the config is not a transformer's.
    """
    check_sizes(time=time, batch_size=batch_size)
    if not isinstance(config, (GPTConfig, BERTConfig)):
        raise TypeError(f"config must be a GPTConfig or a BERTConfig: got {type(config).__name__}.")
    width = config.width
    kind = getattr(config, "feed_forward", "gelu")
    matrices = 3 if kind == "swiglu" else 2
    block = 4 * width**2 + matrices * width * hidden_width(kind, width)
    head = config.vocab_size * width
    if isinstance(config, BERTConfig):
        head += width**2  # the transform of the masked-token head
    attention = 4 * time * width
    per_token = config.layers * (2 * block + attention) + 2 * head
    return batch_size * time * per_token


def _attention_flops(query, key, value, *args, out_shape=None, **kwargs) -> int:
    return sdpa_flop_count(query, key, value)


def _part(path: list[str]) -> str:
    for part in ("attention", "feed_forward"):
        if part in path:
            return part.replace("_", "-")
    if path and "norm" in path[-1] and path[0] != "head":
        return "norms"
    return (path[0] if path else "other").replace("_", " ")
