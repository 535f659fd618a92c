"""BERT as ``BertForMaskedLM``."""

from __future__ import annotations

from torch import nn

from llmlab.models.bert import EPSILON, SEGMENTS, BERTConfig
from llmlab.models.hugging_face.exchange import Weights, inverse, rename, require, transformers

CLASS = "BertForMaskedLM"
BLOCKS = "bert.encoder.layer"
NAMES = {
    "token_embedding": "bert.embeddings.word_embeddings",
    "position_embedding": "bert.embeddings.position_embeddings",
    "segment_embedding": "bert.embeddings.token_type_embeddings",
    "norm": "bert.embeddings.LayerNorm",
    "head.transform": "cls.predictions.transform.dense",
    "head.norm": "cls.predictions.transform.LayerNorm",
}
BLOCK = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "feed_forward.expand": "intermediate.dense",
    "feed_forward.output": "output.dense",
    "feed_forward_norm": "output.LayerNorm",
}


def new(config: BERTConfig) -> nn.Module:
    """Their model, newly initialised, of our config."""
    package = transformers()
    return package.BertForMaskedLM(
        package.BertConfig(
            vocab_size=config.vocab_size,
            max_position_embeddings=config.context,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            hidden_size=config.width,
            intermediate_size=4 * config.width,
            hidden_dropout_prob=config.dropout,
            attention_probs_dropout_prob=config.dropout,
            layer_norm_eps=EPSILON,
            type_vocab_size=SEGMENTS,
            pad_token_id=None,  # theirs by default is token 0, whose vector it would not train
        )
    )


def config_from(config) -> BERTConfig:
    """Our config of theirs.

    Raises:
        ValueError: if it asks for something else.
    """
    require(
        "BERT",
        config,
        hidden_act=["gelu"],
        intermediate_size=[4 * config.hidden_size],
        layer_norm_eps=[EPSILON],
        type_vocab_size=[SEGMENTS],
        is_decoder=[False],
        tie_word_embeddings=[True],
        attention_probs_dropout_prob=[config.hidden_dropout_prob],
    )
    return BERTConfig(
        vocab_size=config.vocab_size,
        context=config.max_position_embeddings,
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        width=config.hidden_size,
        dropout=config.hidden_dropout_prob,
    )


def weights_to(ours: Weights) -> Weights:
    """Our weights by their names."""
    out = {
        rename(name, NAMES, BLOCK, BLOCKS): weight
        for name, weight in ours.items()
        if name != "head.bias"
    }
    out["cls.predictions.bias"] = out["cls.predictions.decoder.bias"] = ours["head.bias"]
    out["cls.predictions.decoder.weight"] = ours["token_embedding.weight"]
    return out


def weights_from(theirs: Weights) -> Weights:
    """Their weights by our names."""
    names, block = inverse(NAMES), inverse(BLOCK)
    out = {
        rename(name, names, block, "blocks"): weight
        for name, weight in theirs.items()
        if "decoder" not in name and name != "cls.predictions.bias"
    }
    out["head.bias"] = theirs["cls.predictions.bias"]
    return out
