"""Named recipes: functions that return a model's size and how to train it.

A preset says everything that ``llmlab train`` needs: corpus, tokenizer, model, batches, schedule.
Replace what you want to change: ``dataclasses.replace(cpu(), batch_size=8)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from llmlab.models import FastGPTConfig, GPTConfig, config_from_dict
from llmlab.training.config import TrainConfig

__all__ = [
    "PRESETS",
    "Preset",
    "cpu",
    "h100",
    "preset",
    "shakespeare_char_cpu",
    "shakespeare_char_fast",
    "t4",
]


# At the same cost on a CPU these parts reached 2.43 bits a character where GPT-2's own (learned
# positions, LayerNorm, GELU) reached 2.63: `cpu`, 1,000 steps, batch 12, one seed.
_PARTS = {"position": "rotary", "norm": "rms", "feed_forward": "relu2", "bias": False}


@dataclass(frozen=True)
class Preset:
    """A recipe for a GPT, or for the kind of GPT that ``architecture`` names.

    ``tokenizer`` is char, byte or bpe and ``vocab_size`` what a bpe tokenizer learns (None for the
    others, whose vocabulary follows from the text). ``model`` holds the fields of the model's
    config other than the vocabulary and the context.
    """

    name: str
    corpus: str
    tokenizer: str
    vocab_size: int | None
    context: int
    batch_size: int
    train: TrainConfig
    model: dict[str, Any] = field(default_factory=dict)
    architecture: str = "gpt"

    def model_config(self, vocab_size: int) -> GPTConfig | FastGPTConfig:
        """Return the model's configuration for the vocabulary of a trained tokenizer."""
        sizes = {"vocab_size": vocab_size, "context": self.context}
        return config_from_dict({"model": self.architecture, **sizes, **self.model})


def cpu() -> Preset:
    """Two cores, at most 90 seconds: Shakespeare with words and speakers, if not yet sense."""
    return Preset(
        name="cpu",
        corpus="shakespeare",
        tokenizer="bpe",
        vocab_size=512,
        context=64,
        batch_size=12,
        model={"layers": 4, "heads": 4, "width": 128, **_PARTS},
        train=TrainConfig(
            steps=900,
            learning_rate=3e-3,
            warmup=50,
            betas=(0.9, 0.99),
            evaluate_every=300,
            checkpoint_every=100,
        ),
    )


def t4() -> Preset:
    """One T4 with 16 GB, such as Colab's free one: about 11 million parameters."""
    return Preset(
        name="t4",
        corpus="shakespeare",
        tokenizer="bpe",
        vocab_size=2048,
        context=256,
        batch_size=64,
        model={"layers": 6, "heads": 6, "width": 384, "dropout": 0.2, **_PARTS},
        train=TrainConfig(
            steps=3000,
            learning_rate=1e-3,
            warmup=100,
            betas=(0.9, 0.99),
            evaluate_every=250,
            checkpoint_every=500,
        ),
    )


def h100() -> Preset:
    """One H100: about 25 million parameters, as many as five million characters can use."""
    return Preset(
        name="h100",
        corpus="shakespeare",
        tokenizer="bpe",
        vocab_size=2048,
        context=256,
        batch_size=256,
        model={"layers": 8, "heads": 8, "width": 512, "dropout": 0.2, **_PARTS},
        train=TrainConfig(
            steps=1000,
            learning_rate=1e-3,
            warmup=100,
            betas=(0.9, 0.99),
            compile=True,
            evaluate_every=250,
            checkpoint_every=500,
        ),
    )


def shakespeare_char_cpu() -> Preset:
    """nanoGPT's published recipe for a CPU, for comparisons with its validation loss of 1.88.

    Source: the README of karpathy/nanoGPT, "I only have a macbook", and its configuration
    ``train_shakespeare_char``. Its text is the 1.1 M characters of tiny Shakespeare, split by
    position 90 to 10; give that file as the corpus to compare.
    """
    return Preset(
        name="shakespeare-char-cpu",
        corpus="shakespeare",
        tokenizer="char",
        vocab_size=None,
        context=64,
        batch_size=12,
        model={"layers": 4, "heads": 4, "width": 128, "bias": False},
        train=TrainConfig(
            steps=2000,
            learning_rate=1e-3,
            final_fraction=0.1,
            warmup=100,
            betas=(0.9, 0.99),
            device="cpu",
        ),
    )


def shakespeare_char_fast() -> Preset:
    """The loss of nanoGPT's recipe for a CPU, in a fraction of its time: a FastGPT and Muon.

    What each part of it brings is measured by ``benchmarks/ladder.py``.
    """
    return Preset(
        name="shakespeare-char-fast",
        corpus="shakespeare",
        tokenizer="char",
        vocab_size=None,
        context=64,
        batch_size=12,
        architecture="fast_gpt",
        model={"layers": 1, "heads": 2, "width": 128, "lookback": 8},
        train=TrainConfig(
            steps=320,
            optimizer="muon",
            learning_rate=0.014,
            schedule="trapezoid",
            cooldown=0.8,
            warmup=0,
            weight_decay=0.0,
            betas=(0.8, 0.95),
            clip=0.0,
            device="cpu",
        ),
    )


_MAKERS = (cpu, t4, h100, shakespeare_char_cpu, shakespeare_char_fast)
PRESETS = {make.__name__.replace("_", "-"): make for make in _MAKERS}


def preset(name: str) -> Preset:
    """Return a preset by its name. Raises ValueError, naming those there are."""
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}: got preset={name!r}.")
    return PRESETS[name]()
