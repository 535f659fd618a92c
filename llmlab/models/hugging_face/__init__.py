"""The same weights in Hugging Face's ``transformers``, there and back.

Two implementations written apart give the same logits: that is how this package checks its models,
and how a model trained here is used elsewhere. Only this folder knows the other side's names, in
one module for each model.
"""

from __future__ import annotations

from torch import nn

from llmlab.models.bert import BERT
from llmlab.models.gpt import GPT
from llmlab.models.hugging_face import bert, gpt2

_MODULES = {GPT: gpt2, BERT: bert}  # each with CLASS, new, weights_to, config_from, weights_from


def to_hugging_face(model: GPT | BERT) -> nn.Module:
    """A new ``GPT2LMHeadModel`` or ``BertForMaskedLM`` with copies of the model's weights.

    A GPT without biases gets zeros for them, which gives the same logits.

    Raises:
        TypeError: if the model is neither GPT nor BERT.
        ValueError: if it has a position, norm or feed-forward that GPT-2 does not have.
        ImportError: if ``transformers`` is not installed.
    """
    module = next((part for kind, part in _MODULES.items() if isinstance(model, kind)), None)
    if module is None:
        raise TypeError(f"model must be a GPT or a BERT: got {type(model).__name__}.")
    other = module.new(model.config)
    other.load_state_dict({**other.state_dict(), **module.weights_to(model.state_dict())})
    return other.to(next(model.parameters())).train(model.training)


def from_hugging_face(other: nn.Module) -> GPT | BERT:
    """A new GPT or BERT with copies of the weights of a ``GPT2LMHeadModel``, ``BertForMaskedLM``.

    Raises:
        TypeError: if it is neither of these two.
        ValueError: if its config asks for something that our models do not do.
    """
    kind = type(other).__name__
    for model_class, module in _MODULES.items():
        if kind == module.CLASS:
            model = model_class(module.config_from(other.config))
            model.load_state_dict(module.weights_from(other.state_dict()))
            return model.to(next(other.parameters())).train(other.training)
    raise TypeError(f"other must be a GPT2LMHeadModel or a BertForMaskedLM: got {kind}.")
