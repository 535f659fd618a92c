"""GPT as ``GPT2LMHeadModel``."""

from __future__ import annotations

import torch
from torch import nn

from llmlab.models.gpt import GPTConfig
from llmlab.models.hugging_face.exchange import Weights, inverse, rename, require, transformers

CLASS = "GPT2LMHeadModel"
BLOCKS = "transformer.h"
NAMES = {
    "token_embedding": "transformer.wte",
    "position_embedding": "transformer.wpe",
    "norm": "transformer.ln_f",
}
BLOCK = {
    "attention_norm": "ln_1",
    "attention.query_key_value": "attn.c_attn",
    "attention.output": "attn.c_proj",
    "feed_forward_norm": "ln_2",
    "feed_forward.expand": "mlp.c_fc",
    "feed_forward.output": "mlp.c_proj",
}
STACKED = "attention.query_key_value"  # GPT-2's one layer for three of ours
APART = [f"attention.{part}" for part in ("query", "key", "value")]
# How Hugging Face calls our activations; the last two are one function.
ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh"}


def new(config: GPTConfig) -> nn.Module:
    """Their model, newly initialised, of our config.

    Raises:
        ValueError: if GPT-2 does not have what it asks for.
    """
    require("Hugging Face's GPT-2", config, position=["learned"], norm=["layer"])
    require("Hugging Face's GPT-2", config, feed_forward=["gelu", "gelu_tanh"])
    package = transformers()
    theirs = {ours: theirs for theirs, ours in reversed(ACTIVATIONS.items())}
    return package.GPT2LMHeadModel(
        package.GPT2Config(
            vocab_size=config.vocab_size,
            n_positions=config.context,
            n_layer=config.layers,
            n_head=config.heads,
            n_embd=config.width,
            activation_function=theirs[config.feed_forward],
            resid_pdrop=config.dropout,
            embd_pdrop=config.dropout,
            attn_pdrop=config.dropout,
            bos_token_id=None,  # theirs by default: tokens of GPT-2's own vocabulary
            eos_token_id=None,
        )
    )


def config_from(config) -> GPTConfig:
    """Our config of theirs.

    Raises:
        ValueError: if it asks for something else.
    """
    require(
        "GPT",
        config,
        activation_function=list(ACTIVATIONS),
        n_inner=[None, 4 * config.n_embd],
        layer_norm_epsilon=[1e-5],
        scale_attn_weights=[True],
        scale_attn_by_inverse_layer_idx=[False],
        add_cross_attention=[False],
        tie_word_embeddings=[True],
        embd_pdrop=[config.resid_pdrop],
        attn_pdrop=[config.resid_pdrop],
    )
    return GPTConfig(
        vocab_size=config.vocab_size,
        context=config.n_positions,
        layers=config.n_layer,
        heads=config.n_head,
        width=config.n_embd,
        feed_forward=ACTIVATIONS[config.activation_function],
        dropout=config.resid_pdrop,
    )


def weights_to(ours: Weights) -> Weights:
    """Our weights by their names."""
    out = {}
    for name, weight in _stacked(ours).items():
        theirs = rename(name, NAMES, BLOCK, BLOCKS)
        out[theirs] = weight.T if _is_transposed(theirs) else weight
    out["lm_head.weight"] = ours["token_embedding.weight"]
    return out


def weights_from(theirs: Weights) -> Weights:
    """Their weights by our names."""
    out = {}
    names, block = inverse(NAMES), inverse(BLOCK)
    for name, weight in theirs.items():
        if name != "lm_head.weight":  # the token embedding once more
            ours = rename(name, names, block, "blocks")
            weight = weight.T if _is_transposed(name) else weight
            out |= _apart(ours, weight) if STACKED in ours else {ours: weight}
    return out


def _is_transposed(name: str) -> bool:
    """Hugging Face keeps GPT-2's linear layers as the original did: input × output."""
    return ".c_" in name and name.endswith("weight")


def _stacked(ours: Weights) -> Weights:
    """Queries, keys and values of each layer one below the other, under one name."""
    out = {}
    for name, weight in ours.items():
        if APART[0] in name:
            parts = [ours[name.replace(APART[0], part)] for part in APART]
            out[name.replace(APART[0], STACKED)] = torch.cat(parts)
        elif not any(part in name for part in APART):
            out[name] = weight
    return out


def _apart(name: str, stacked: torch.Tensor) -> Weights:
    thirds = zip(APART, stacked.chunk(3), strict=True)
    return {name.replace(STACKED, part): third for part, third in thirds}
