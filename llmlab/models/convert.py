"""The same weights in Hugging Face's ``transformers``, there and back.

Two implementations written apart give the same logits: that is how this package checks its models,
and how a model trained here is used elsewhere. Only this module knows the other side's names.
"""

from __future__ import annotations

import torch
from torch import nn

from llmlab.models.bert import BERT, EPSILON, SEGMENTS, BERTConfig
from llmlab.models.gpt import GPT, GPTConfig

# How Hugging Face calls our activations; the last two are one function.
ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh"}


def to_hugging_face(model: GPT | BERT) -> nn.Module:
    """A new ``GPT2LMHeadModel`` or ``BertForMaskedLM`` with copies of the model's weights.

    A GPT without biases gets zeros for them, which gives the same logits.

    Raises:
        TypeError: if the model is neither GPT nor BERT.
        ValueError: if it has a position, norm or feed-forward that GPT-2 does not have.
        ImportError: if ``transformers`` is not installed.
    """
    if isinstance(model, GPT):
        other = _new_gpt2(model.config)
        weights = _gpt_to_theirs(model.state_dict())
    elif isinstance(model, BERT):
        other = _new_bert(model.config)
        weights = _bert_to_theirs(model.state_dict())
    else:
        raise TypeError(f"model must be a GPT or a BERT: got {type(model).__name__}.")
    other.load_state_dict({**other.state_dict(), **weights})
    return other.to(next(model.parameters())).train(model.training)


def from_hugging_face(other: nn.Module) -> GPT | BERT:
    """A new GPT or BERT with copies of the weights of a ``GPT2LMHeadModel``, ``BertForMaskedLM``.

    Raises:
        TypeError: if it is neither of these two.
        ValueError: if its config asks for something that our models do not do.
    """
    kind = type(other).__name__
    if kind == "GPT2LMHeadModel":
        model: GPT | BERT = GPT(_gpt_config(other.config))
        weights = _gpt_to_ours(other.state_dict())
    elif kind == "BertForMaskedLM":
        model = BERT(_bert_config(other.config))
        weights = _bert_to_ours(other.state_dict())
    else:
        raise TypeError(f"other must be a GPT2LMHeadModel or a BertForMaskedLM: got {kind}.")
    model.load_state_dict(weights)
    return model.to(next(other.parameters())).train(other.training)


# --- Configs ---------------------------------------------------------------------------------


def _new_gpt2(config: GPTConfig) -> nn.Module:
    _require("Hugging Face's GPT-2", config, position=["learned"], norm=["layer"])
    _require("Hugging Face's GPT-2", config, feed_forward=["gelu", "gelu_tanh"])
    transformers = _transformers()
    theirs = {ours: theirs for theirs, ours in reversed(ACTIVATIONS.items())}
    return transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
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


def _gpt_config(config) -> GPTConfig:
    _require(
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


def _new_bert(config: BERTConfig) -> nn.Module:
    transformers = _transformers()
    return transformers.BertForMaskedLM(
        transformers.BertConfig(
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


def _bert_config(config) -> BERTConfig:
    _require(
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


def _require(model: str, config, **accepted: list) -> None:
    for name, values in accepted.items():
        value = getattr(config, name)
        if value not in values:
            names = " or ".join(repr(v) for v in values)
            raise ValueError(f"{name} must be {names} for {model}: got {name}={value!r}.")


def _transformers():
    try:
        import transformers
    except ImportError as error:
        raise ImportError(
            "to_hugging_face needs the package transformers 4.45 or newer."
        ) from error
    return transformers


# --- Names -----------------------------------------------------------------------------------

Weights = dict[str, torch.Tensor]

GPT_NAMES = {
    "token_embedding": "transformer.wte",
    "position_embedding": "transformer.wpe",
    "norm": "transformer.ln_f",
}
GPT_BLOCK = {
    "attention_norm": "ln_1",
    "attention.output": "attn.c_proj",
    "feed_forward_norm": "ln_2",
    "feed_forward.expand": "mlp.c_fc",
    "feed_forward.output": "mlp.c_proj",
}
BERT_NAMES = {
    "token_embedding": "bert.embeddings.word_embeddings",
    "position_embedding": "bert.embeddings.position_embeddings",
    "segment_embedding": "bert.embeddings.token_type_embeddings",
    "norm": "bert.embeddings.LayerNorm",
    "head.transform": "cls.predictions.transform.dense",
    "head.norm": "cls.predictions.transform.LayerNorm",
}
BERT_BLOCK = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "feed_forward.expand": "intermediate.dense",
    "feed_forward.output": "output.dense",
    "feed_forward_norm": "output.LayerNorm",
}
QUERY_KEY_VALUE = ("query", "key", "value")  # which GPT-2 keeps in one matrix


def _gpt_to_theirs(ours: Weights) -> Weights:
    out = {}
    for name, weight in ours.items():
        if ".attention.query." in name:
            parts = [ours[name.replace("query", part)] for part in QUERY_KEY_VALUE]
            theirs, weight = _stacked_name(name), torch.cat(parts)
        elif ".attention.key." in name or ".attention.value." in name:
            continue
        else:
            theirs = _rename(name, GPT_NAMES, GPT_BLOCK, "transformer.h")
        out[theirs] = weight.T if _is_transposed(theirs) else weight
    out["lm_head.weight"] = ours["token_embedding.weight"]
    return out


def _gpt_to_ours(theirs: Weights) -> Weights:
    out = {}
    names, block = _inverse(GPT_NAMES), _inverse(GPT_BLOCK)
    for name, weight in theirs.items():
        weight = weight.T if _is_transposed(name) else weight
        if ".c_attn." in name:
            layer, kind = name.split(".")[2], name.split(".")[-1]
            for part, third in zip(QUERY_KEY_VALUE, weight.chunk(3), strict=True):
                out[f"blocks.{layer}.attention.{part}.{kind}"] = third
        elif name != "lm_head.weight":  # the token embedding once more
            out[_rename(name, names, block, "blocks")] = weight
    return out


def _stacked_name(ours: str) -> str:
    """Where GPT-2 keeps a layer's queries, keys and values."""
    _, layer, *_, kind = ours.split(".")
    return f"transformer.h.{layer}.attn.c_attn.{kind}"


def _is_transposed(name: str) -> bool:
    """Hugging Face keeps GPT-2's linear layers as the original did: input × output."""
    return ".c_" in name and name.endswith("weight")


def _bert_to_theirs(ours: Weights) -> Weights:
    out = {}
    for name, weight in ours.items():
        if name != "head.bias":
            out[_rename(name, BERT_NAMES, BERT_BLOCK, "bert.encoder.layer")] = weight
    out["cls.predictions.bias"] = out["cls.predictions.decoder.bias"] = ours["head.bias"]
    out["cls.predictions.decoder.weight"] = ours["token_embedding.weight"]
    return out


def _bert_to_ours(theirs: Weights) -> Weights:
    out = {"head.bias": theirs["cls.predictions.bias"]}
    names, block = _inverse(BERT_NAMES), _inverse(BERT_BLOCK)
    for name, weight in theirs.items():
        if "decoder" not in name and name != "cls.predictions.bias":
            out[_rename(name, names, block, "blocks")] = weight
    return out


def _rename(name: str, names: dict[str, str], block: dict[str, str], blocks: str) -> str:
    """``module.kind`` or ``….layer.module.kind`` with the module's and the blocks' new names."""
    module, kind = name.rsplit(".", 1)
    if module in names:
        return f"{names[module]}.{kind}"
    numbered = module.split(".")
    at = next(i for i, part in enumerate(numbered) if part.isdigit())
    return f"{blocks}.{numbered[at]}.{block['.'.join(numbered[at + 1 :])]}.{kind}"


def _inverse(names: dict[str, str]) -> dict[str, str]:
    return {theirs: ours for ours, theirs in names.items()}
