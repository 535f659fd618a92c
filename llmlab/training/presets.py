"""Named recipes: functions that return a model's size and how to train it.

A preset says everything that ``llmlab train`` needs: corpus, tokenizer, model, batches, schedule.
Replace what you want to change: ``dataclasses.replace(cpu(), batch_size=8)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmlab.training.config import TrainConfig

if TYPE_CHECKING:
    from llmlab.models import GPTConfig

__all__ = ["PRESETS", "Preset", "cpu", "h100", "preset", "shakespeare_char_cpu", "t4"]


# At the same cost on a CPU these parts reached 2.43 bits a character where GPT-2's own (learned
# positions, LayerNorm, GELU) reached 2.63: `cpu`, 1,000 steps, batch 12, one seed.
_PARTS = {"position": "rotary", "norm": "rms", "feed_forward": "relu2", "bias": False}


@dataclass(frozen=True)
class Preset:
    """A recipe for a GPT.

    ``tokenizer`` is char, byte or bpe and ``vocab_size`` what a bpe tokenizer learns (None for the
    others, whose vocabulary follows from the text). ``model`` holds the fields of
    :class:`~llmlab.models.GPTConfig` other than the vocabulary and the context.
    """

    name: str
    corpus: str
    tokenizer: str
    vocab_size: int | None
    context: int
    batch_size: int
    train: TrainConfig
    model: dict[str, Any] = field(default_factory=dict)

    def model_config(self, vocab_size: int) -> GPTConfig:
        """Return the model's configuration for the vocabulary of a trained tokenizer."""
        from llmlab.models import GPTConfig

        return GPTConfig(vocab_size=vocab_size, context=self.context, **self.model)


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
        name="shakespeare_char_cpu",
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


PRESETS = {make.__name__: make for make in (cpu, t4, h100, shakespeare_char_cpu)}


def preset(name: str) -> Preset:
    """Return a preset by its name. Raises ValueError, naming those there are."""
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}: got preset={name!r}.")
    return PRESETS[name]()
