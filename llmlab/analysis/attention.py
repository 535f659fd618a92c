"""Looking into a model's attention from outside: the weights it gives, and what a head is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn

from llmlab.models import MultiHeadAttention, causal_mask, scaled_dot_product_attention


@contextmanager
def record_attention(model: nn.Module) -> Iterator[list[torch.Tensor]]:
    """Within the block, keep the attention weights of every layer that the model computes.

    ``with record_attention(model) as maps: model(tokens)`` leaves in ``maps`` one detached tensor
    (B, H, T, S) a layer, those of the last call. Attention uses the readable version meanwhile, and
    no attention dropout.

    Raises:
        ValueError: if the model has no attention.
    """
    layers = attention_layers(model)
    maps: list[torch.Tensor] = []

    def keep(layer: int, weights: torch.Tensor) -> None:
        maps[layer : layer + 1] = [weights.detach()]  # appends at first, replaces afterwards

    before = [attention.kernel for attention in layers]
    try:
        for index, attention in enumerate(layers):
            attention.kernel = partial(_recording_kernel, partial(keep, index))
        yield maps
    finally:
        for attention, kernel in zip(layers, before, strict=True):
            attention.kernel = kernel


def _recording_kernel(
    keep: Callable[[torch.Tensor], None],
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    is_causal: bool = False,
    **_,
) -> torch.Tensor:
    """What ``torch.nn.functional.scaled_dot_product_attention`` computes, and its weights."""
    if is_causal:
        attn_mask = causal_mask(q.shape[-2], k.shape[-2], device=q.device)
    k, v = (part.repeat_interleave(q.shape[1] // part.shape[1], dim=1) for part in (k, v))
    out, weights = scaled_dot_product_attention(q, k, v, attn_mask)
    keep(weights)
    return out


@contextmanager
def ablate_head(model: nn.Module, layer: int, head: int) -> Iterator[None]:
    """Within the block, one head's output is zero. Blocks may be nested to silence several heads.

    Raises:
        ValueError: if the model has no such layer or head.
    """
    layers = attention_layers(model)
    if not 0 <= layer < len(layers):
        raise ValueError(f"layer must be from 0 to {len(layers) - 1}: got layer={layer}.")
    attention = layers[layer]
    if not 0 <= head < attention.heads:
        raise ValueError(f"head must be from 0 to {attention.heads - 1}: got head={head}.")

    def silence(output: nn.Module, inputs: tuple[torch.Tensor]) -> torch.Tensor:
        heads = inputs[0].unflatten(-1, (-1, attention.head_width))  # (B, T, H, K)
        kept = torch.arange(attention.heads, device=heads.device) != head
        return (heads * kept[:, None]).flatten(-2)

    hook = attention.output.register_forward_pre_hook(silence)
    try:
        yield
    finally:
        hook.remove()


def attention_layers(model: nn.Module) -> list[MultiHeadAttention]:
    """The attentions of a model, from the first layer to the last.

    Raises:
        ValueError: if there are none.
    """
    layers = [part for part in model.modules() if isinstance(part, MultiHeadAttention)]
    if not layers:
        raise ValueError(f"model must hold attention: got {type(model).__name__}, which has none.")
    return layers
