"""The models, and the parts they are made of.

Read in this order: ``attention``, ``masks``, ``positions``, ``norms``, ``feed_forward``,
``blocks``, then ``gpt``, ``bert``, ``gru`` and ``fast_gpt``; ``cache`` is for writing.
``hugging_face`` exchanges weights with Hugging Face's ``transformers``.
"""

from llmlab.kinds import check_calls
from llmlab.models.attention import (
    MultiHeadAttention,
    scaled_dot_product_attention,
)
from llmlab.models.bert import BERT, BERTConfig
from llmlab.models.blocks import Block, PostNormBlock
from llmlab.models.cache import KeyValueCache, LayerCache, WindowCache
from llmlab.models.embedding import TokenEmbedding
from llmlab.models.fast_gpt import FastGPT, FastGPTConfig, ShortConvolution
from llmlab.models.feed_forward import FeedForward, SwiGLU
from llmlab.models.gpt import GPT, GPTConfig
from llmlab.models.gru import GRUConfig, GRULanguageModel
from llmlab.models.masks import (
    CausalMask,
    WindowMask,
    causal_mask,
    padding_mask,
    window_mask,
)
from llmlab.models.norms import LayerNorm, RMSNorm, layer_norm, rms_norm
from llmlab.models.positions import (
    ALiBi,
    AttentionPosition,
    LearnedPositions,
    Rotary,
    SinusoidalPositions,
    alibi_bias,
    alibi_slopes,
    sinusoidal,
)
from llmlab.models.registry import (
    build,
    config_from_dict,
    config_to_dict,
    describe_model,
)

__all__ = [
    "BERT",
    "GPT",
    "ALiBi",
    "AttentionPosition",
    "BERTConfig",
    "Block",
    "CausalMask",
    "FastGPT",
    "FastGPTConfig",
    "FeedForward",
    "GPTConfig",
    "GRUConfig",
    "GRULanguageModel",
    "KeyValueCache",
    "LayerCache",
    "LayerNorm",
    "LearnedPositions",
    "MultiHeadAttention",
    "PostNormBlock",
    "RMSNorm",
    "Rotary",
    "ShortConvolution",
    "SinusoidalPositions",
    "SwiGLU",
    "TokenEmbedding",
    "WindowCache",
    "WindowMask",
    "alibi_bias",
    "alibi_slopes",
    "build",
    "causal_mask",
    "config_from_dict",
    "config_to_dict",
    "describe_model",
    "layer_norm",
    "padding_mask",
    "rms_norm",
    "scaled_dot_product_attention",
    "sinusoidal",
    "window_mask",
]

check_calls(globals())
