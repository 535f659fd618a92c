"""Looking at the attention of a model from outside: what each head attends to, and silencing one.

Nothing in a model knows of this. Its attentions have a kernel that can be swapped for one that
shows its weights, and PyTorch's hooks reach what passes between two layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from llmlab.models import MultiHeadAttention, causal_mask, scaled_dot_product_attention


def attention_layers(model: nn.Module) -> list[MultiHeadAttention]:
    """The attentions of a model, from the first layer to the last.

    Raises:
        ValueError: if there are none.
    """
    layers = [part for part in model.modules() if isinstance(part, MultiHeadAttention)]
    if not layers:
        raise ValueError(f"model must hold attention: got {type(model).__name__}, which has none.")
    return layers


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
    kernels = [attention.kernel for attention in layers]
    maps: list[torch.Tensor] = []
    try:
        for layer, attention in enumerate(layers):
            attention.kernel = _recording(maps, layer)
        yield maps
    finally:
        for attention, kernel in zip(layers, kernels, strict=True):
            attention.kernel = kernel


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
        heads = inputs[0].unflatten(-1, (attention.heads, -1))  # (B, T, H, K)
        kept = torch.arange(attention.heads, device=heads.device) != head
        return (heads * kept[:, None]).flatten(-2)

    hook = attention.output.register_forward_pre_hook(silence)
    try:
        yield
    finally:
        hook.remove()


def _recording(maps: list[torch.Tensor], layer: int) -> Callable[..., torch.Tensor]:
    """The readable attention, called as PyTorch's fused kernel is, that keeps its weights."""

    def kernel(q, k, v, mask=None, dropout=0.0, causal=False) -> torch.Tensor:
        if causal:
            mask = causal_mask(q.shape[-2], k.shape[-2], device=q.device)
        out, weights = scaled_dot_product_attention(q, k, v, mask)
        maps[layer : layer + 1] = [weights.detach()]  # appends at first, replaces afterwards
        return out

    return kernel
