"""A refactoring must reproduce this loss curve.

``golden.json`` is written by ``python tests/training/test_golden.py`` and changes only when the
arithmetic of training is meant to change; say why in that commit.
"""

import json
from pathlib import Path

import pytest

from llmlab.data import BPETokenizer, RandomWindows, synthetic_corpus
from llmlab.models import GPT, GPTConfig
from llmlab.training import TrainConfig, causal_loss, set_seed, train

GOLDEN = Path(__file__).with_name("golden.json")


def curve() -> dict[str, list[float]]:
    text = synthetic_corpus(characters=20_000, seed=0).text
    tokenizer = BPETokenizer.train(text, 300)
    batches = RandomWindows(tokenizer.encode(text), context=16, batch_size=8, seed=0)
    set_seed(0)
    config = GPTConfig(tokenizer.vocab_size, context=16, layers=2, heads=2, width=32)
    settings = TrainConfig(30, learning_rate=5e-3, warmup=5, precision="fp32", device="cpu")
    run = train(GPT(config), batches, causal_loss, settings, progress=False)
    return {name: run.column(name)[1].tolist() for name in ("loss", "gradient_norm")}


def test_the_loss_curve_is_the_golden_one():
    golden, found = json.loads(GOLDEN.read_text()), curve()
    for name in golden:
        assert found[name] == pytest.approx(golden[name], abs=1e-4), name


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(curve(), indent=1) + "\n")
