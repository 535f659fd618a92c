"""Malformed calls of every public name, made from its signature: each is refused in one sentence.

A call that works is known for each public function and method. In it, one argument at a time is
replaced by values of every kind. What its annotation does not accept must be refused; what it does
accept may be refused as well, where it makes no sense; but in any case in a sentence of our own
that names an argument of the call, and never by an error from the depths of the computation.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy
import pytest
import torch

from llmlab import analysis, data, inference, models, training
from llmlab.kinds import kinds_of
from llmlab.training import optimizers

PACKAGES = (data, models, training, optimizers, inference, analysis)
NOT_CALLED = {
    "ArtifactError", "CheckpointError", "RecordError", "TokenizerError", "TrainingDiverged",
    "ARTIFACTS", "PRESETS", "IGNORE",
}  # fmt: skip
RESULTS = {"Batch", "Evaluation"}  # tuples with names, which Python makes

VALUES: list[Any] = [
    None, True, -1, 0, 5, 0.5, -0.5, math.nan, math.inf, "", "0.1", b"x", [], [1.5, 2.5], ["a"],
    [[1, 2], [3, 4]], (1, 2, 3), {}, {"a": 1}, object(), print, Path("nowhere"),
    numpy.float64(0.5), numpy.int64(3), numpy.ones((2, 3)), torch.ones(()), torch.ones(3),
    torch.ones(2, 3), torch.ones(0, 4), torch.full((2, 3), math.nan),
    torch.ones(2, 3, dtype=torch.long), torch.full((1, 4), -7), torch.ones(2, 3, dtype=torch.bool),
    torch.nn.Linear(2, 3), torch.nn.Identity(),
]  # fmt: skip

SIZES = {"vocab_size": 8, "context": 16, "layers": 2, "heads": 2, "width": 16}
TOKENS = list(range(8)) * 8


def gpt(**changes: Any) -> models.GPT:
    return models.GPT(models.GPTConfig(**{**SIZES, **changes}))


def half_frozen() -> models.GPT:
    model = gpt()
    model.blocks.requires_grad_(False)
    return model


def bert() -> models.BERT:
    return models.BERT(models.BERTConfig(**SIZES))


def tokens(batch: int = 2, time: int = 6) -> torch.Tensor:
    return torch.arange(batch * time).view(batch, time) % 8


def vectors(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def block(kind: type = models.Block) -> models.Block:
    norm = models.LayerNorm(16)
    return kind(models.MultiHeadAttention(16, 2), models.SwiGLU(16, 32), norm, norm)


def config(**changes: Any) -> training.TrainConfig:
    return training.TrainConfig(**{"steps": 2, "warmup": 1, "device": "cpu", **changes})


def batches() -> data.RandomWindows:
    return data.RandomWindows(TOKENS, 8, 2)


def stepper() -> training.Stepper:
    return training.Stepper(gpt(), training.causal_loss, config())


def run() -> training.Run:
    return training.Run(config(), lines=[{"step": 1, "loss": 2.0}])


def saved() -> Path:
    training.save_checkpoint("saved", gpt())
    return Path("saved")


def begun() -> Path:
    if not Path("begun").exists():
        training.train(
            gpt(), batches(), training.causal_loss, config(), folder="begun", progress=False
        )
    return Path("begun")


def written(save: Callable[[Path], None]) -> Path:
    save(Path("written"))
    return Path("written")


TEXT = "to be or not to be, that is the question"
KINDS_OF_TOKENIZERS = (
    "Tokenizer", "BPETokenizer", "ByteTokenizer", "CharTokenizer", "PretrainedTokenizer",
)  # fmt: skip
ADAPTED = {"step": 3, "optimizer": None, "training": None, "body": None}

OBJECTS: dict[str, Callable[[], Any]] = {
    "Corpus": lambda: data.Corpus("play", (data.Document("Act", TEXT * 9),)),
    "BPETrainer": lambda: data.BPETrainer(TEXT),
    "BPETokenizer": lambda: data.BPETokenizer.train(TEXT, 260),
    "ByteTokenizer": data.ByteTokenizer,
    "CharTokenizer": lambda: data.CharTokenizer.train(TEXT),
    "Tokenizer": data.ByteTokenizer,
    "PretrainedTokenizer": data.PretrainedTokenizer.gpt2,
    "GPT": gpt,
    "BERT": bert,
    "FastGPT": lambda: models.FastGPT(models.FastGPTConfig(**SIZES)),
    "GRULanguageModel": lambda: models.GRULanguageModel(models.GRUConfig(8, 16)),
    "ALiBi": lambda: models.ALiBi(2),
    "AttentionPosition": models.AttentionPosition,
    "Rotary": lambda: models.Rotary(8, 16),
    "Block": block,
    "PostNormBlock": lambda: block(models.PostNormBlock),
    "CausalMask": models.CausalMask,
    "WindowMask": lambda: models.WindowMask(3),
    "FeedForward": lambda: models.FeedForward(16, 32, torch.relu),
    "SwiGLU": lambda: models.SwiGLU(16, 32),
    "LayerCache": models.LayerCache,
    "WindowCache": lambda: models.WindowCache(3),
    "LayerNorm": lambda: models.LayerNorm(16),
    "RMSNorm": lambda: models.RMSNorm(16),
    "LearnedPositions": lambda: models.LearnedPositions(16, 16),
    "SinusoidalPositions": lambda: models.SinusoidalPositions(16, 16),
    "MultiHeadAttention": lambda: models.MultiHeadAttention(16, 2),
    "ShortConvolution": lambda: models.ShortConvolution(16, 2),
    "TokenEmbedding": lambda: models.TokenEmbedding(8, 16),
    "Body": lambda: training.Body,
    "Preset": lambda: training.preset("cpu"),
    "Run": run,
    "Stepper": stepper,
    "TrainConfig": config,
    "Sampling": inference.Sampling,
}

CALLS: dict[str, Callable[[], dict[str, Any]]] = {
    # data
    "Artifact": lambda: {
        "name": "a", "package": "b", "version": "1", "filename": "c", "sha256": "0" * 64,
        "megabytes": 0.1, "licence": "MIT", "credit": "me",
    },
    "BPETokenizer": lambda: {"merges": [(116, 111)]},
    "BPETokenizer.train": lambda: {"text": TEXT, "vocab_size": 260},
    "BPETokenizer.from_dict": lambda: {"data": OBJECTS["BPETokenizer"]().to_dict()},
    "BPETrainer": lambda: {"text": TEXT},
    "CharTokenizer": lambda: {"characters": ["a", "b"]},
    "CharTokenizer.train": lambda: {"text": TEXT},
    "CharTokenizer.from_dict": lambda: {"data": {"kind": "char", "characters": ["a"]}},
    "Tokenizer.from_dict": lambda: {"data": {"kind": "byte"}},
    "ByteTokenizer.from_dict": lambda: {"data": {"kind": "byte"}},
    "PretrainedTokenizer": lambda: {"name": "gpt2"},
    "PretrainedTokenizer.from_dict": lambda: {"data": OBJECTS["PretrainedTokenizer"]().to_dict()},
    **{
        f"{kind}.{name}": lambda argument=argument, value=value: {argument: value}
        for kind in KINDS_OF_TOKENIZERS
        for name, argument, value in (
            ("encode", "text", "to be"),
            ("decode", "ids", [5, 6]),
            ("tokens", "text", "to be"),
            ("save", "path", Path("tokenizer.json")),
        )
    },
    "Corpus": lambda: {
        "name": "play", "documents": (data.Document("Act", TEXT),), "licence": "MIT", "credit": "",
    },
    "Corpus.split": lambda: {"validation": 0.1, "by": "position"},
    "Document": lambda: {"title": "Act", "text": TEXT},
    "MaskedWindows": lambda: {
        "tokens": TOKENS, "context": 8, "batch_size": 2, "vocab_size": 8, "mask_id": 8,
        "rate": 0.2, "seed": 1,
    },
    "RandomWindows": lambda: {"tokens": TOKENS, "context": 8, "batch_size": 2, "seed": 1},
    "SequentialWindows": lambda: {"tokens": TOKENS, "context": 8, "batch_size": 2},
    "corpus_artifact": lambda: {"name": "shakespeare"},
    "fetch": lambda: {"name": next(iter(data.ARTIFACTS))},
    "load_corpus": lambda: {"name_or_path": "shakespeare"},
    "load_corpus_or_synthetic": lambda: {"name": "shakespeare"},
    "load_tokenizer": lambda: {"path": written(data.ByteTokenizer().save)},
    "mask_tokens": lambda: {
        "tokens": tokens(), "mask_id": 8, "vocab_size": 8, "generator": torch.Generator(),
        "rate": 0.5,
    },
    "merge_pair": lambda: {"ids": [1, 2, 1, 2], "pair": (1, 2), "new": 9},
    "pack": lambda: {"documents": [[1, 2], [3]], "context": 4, "separator": 0},
    "synthetic_corpus": lambda: {"characters": 1000, "seed": 0},
    # models
    "BERT": lambda: {"config": bert().config},
    "BERT.forward": lambda: {"tokens": tokens(), "padding": torch.ones(2, 6, dtype=torch.bool)},
    "BERT.features": lambda: {"tokens": tokens(), "padding": None},
    "BERT.embed": lambda: {"tokens": tokens()},
    "BERTConfig": lambda: {**SIZES, "dropout": 0.1},
    "GPT": lambda: {"config": gpt().config},
    "GPT.forward": lambda: {"tokens": tokens(), "cache": None},
    "GPT.features": lambda: {"tokens": tokens(), "cache": gpt().new_cache()},
    "GPT.embed": lambda: {"tokens": tokens(), "start": 2},
    "GPT.logits": lambda: {"features": vectors(2, 6, 16)},
    "GPT.new_cache": lambda: {"capacity": 4},
    "GPTConfig": lambda: {
        **SIZES, "position": "rotary", "norm": "rms", "feed_forward": "swiglu", "bias": False,
        "dropout": 0.1,
    },
    "FastGPT": lambda: {"config": OBJECTS["FastGPT"]().config},
    "FastGPT.forward": lambda: {"tokens": tokens()},
    "FastGPT.features": lambda: {"tokens": tokens()},
    "FastGPT.logits": lambda: {"features": vectors(2, 6, 16)},
    "FastGPTConfig": lambda: {**SIZES, "lookback": 2},
    "GRUConfig": lambda: {"vocab_size": 8, "width": 16, "layers": 2, "dropout": 0.1},
    "GRULanguageModel": lambda: {"config": models.GRUConfig(8, 16)},
    "GRULanguageModel.forward": lambda: {"tokens": tokens()},
    "GRULanguageModel.features": lambda: {"tokens": tokens()},
    "GRULanguageModel.logits": lambda: {"features": vectors(2, 6, 16)},
    "ALiBi": lambda: {"heads": 2},
    "ALiBi.bias": lambda: {"time": 3, "source": 5},
    "AttentionPosition.bias": lambda: {"time": 3, "source": 5},
    "Rotary": lambda: {"head_width": 8, "context": 16, "base": 100.0},
    "Rotary.forward": lambda: {"x": vectors(2, 6, 8), "start": 2},
    "Rotary.bias": lambda: {"time": 3, "source": 5},
    **{
        f"{kind}.rotate": lambda: {"q": vectors(1, 2, 6, 8), "k": vectors(1, 2, 6, 8), "start": 2}
        for kind in ("Rotary", "ALiBi", "AttentionPosition")
    },
    **{
        kind: lambda: {
            "attention": models.MultiHeadAttention(16, 2), "feed_forward": models.SwiGLU(16, 32),
            "attention_norm": models.RMSNorm(16), "feed_forward_norm": models.RMSNorm(16),
        }
        for kind in ("Block", "PostNormBlock")
    },
    **{
        f"{kind}.forward": lambda: {"x": vectors(2, 6, 16), "mask": None, "cache": None}
        for kind in ("Block", "PostNormBlock")
    },
    **{
        f"{kind}.{name}": lambda given=given: dict(given)
        for kind in ("CausalMask", "WindowMask")
        for name, given in (("is_causal", {"time": 3, "source": 5}), ("new_cache", {"capacity": 4}))
    },
    "WindowMask": lambda: {"window": 3},
    "FeedForward": lambda: {
        "width": 16, "hidden": 32, "activation": torch.relu, "bias": True, "dropout": 0.1,
    },
    "FeedForward.forward": lambda: {"x": vectors(2, 6, 16)},
    "SwiGLU": lambda: {"width": 16, "hidden": 32, "bias": True, "dropout": 0.1},
    "SwiGLU.forward": lambda: {"x": vectors(2, 6, 16)},
    "KeyValueCache": lambda: {"layers": [models.LayerCache()]},
    "LayerCache": lambda: {"capacity": 4},
    "WindowCache": lambda: {"window": 3},
    **{
        f"{kind}.append": lambda: {"keys": vectors(1, 2, 3, 8), "values": vectors(1, 2, 3, 8)}
        for kind in ("LayerCache", "WindowCache")
    },
    "LayerNorm": lambda: {"width": 16, "bias": True, "epsilon": 1e-5},
    "LayerNorm.forward": lambda: {"x": vectors(2, 6, 16)},
    "RMSNorm": lambda: {"width": 16, "epsilon": 1e-5},
    "RMSNorm.forward": lambda: {"x": vectors(2, 6, 16)},
    "LearnedPositions": lambda: {"context": 16, "width": 16},
    "LearnedPositions.forward": lambda: {"time": 4, "start": 2},
    "SinusoidalPositions": lambda: {"context": 16, "width": 16},
    "SinusoidalPositions.forward": lambda: {"time": 4, "start": 2},
    "MultiHeadAttention": lambda: {
        "width": 16, "heads": 4, "mask": None, "position": models.ALiBi(4), "bias": False,
        "dropout": 0.1, "key_value_heads": 2, "head_width": 8,
        "query_norm": models.RMSNorm(8), "key_norm": models.RMSNorm(8),
    },
    "MultiHeadAttention.forward": lambda: {
        "x": vectors(2, 6, 16), "mask": torch.ones(6, 6, dtype=torch.bool), "cache": None,
    },
    "MultiHeadAttention.new_cache": lambda: {"capacity": 4},
    "ShortConvolution": lambda: {"width": 16, "lookback": 2},
    "ShortConvolution.forward": lambda: {"x": vectors(2, 6, 16)},
    "TokenEmbedding": lambda: {"vocab_size": 8, "width": 16},
    "TokenEmbedding.forward": lambda: {"tokens": tokens()},
    "TokenEmbedding.logits": lambda: {"x": vectors(2, 6, 16)},
    "alibi_bias": lambda: {"heads": 2, "time": 3, "source": 5},
    "alibi_slopes": lambda: {"heads": 2},
    "build": lambda: {"config": gpt().config},
    "causal_mask": lambda: {"time": 3, "source": 5, "device": "cpu"},
    "config_from_dict": lambda: {"values": models.config_to_dict(gpt().config)},
    "config_to_dict": lambda: {"config": gpt().config},
    "describe_model": lambda: {"model": gpt()},
    "layer_norm": lambda: {
        "x": vectors(2, 6, 16), "weight": vectors(16), "bias": vectors(16), "epsilon": 1e-5,
    },
    "rms_norm": lambda: {"x": vectors(2, 6, 16), "weight": vectors(16), "epsilon": 1e-5},
    "padding_mask": lambda: {"lengths": [2, 3], "time": 4},
    "scaled_dot_product_attention": lambda: {
        "q": vectors(2, 3, 8), "k": vectors(2, 5, 8), "v": vectors(2, 5, 8),
        "mask": torch.ones(3, 5, dtype=torch.bool),
    },
    "sinusoidal": lambda: {"time": 4, "width": 8},
    "window_mask": lambda: {"window": 2, "time": 3, "source": 5, "device": "cpu"},
    # training
    "Body": lambda: {"name": "base", "sha256": "0" * 64},
    "Body.of": lambda: {"model": half_frozen(), "name": "base"},
    "Preset": lambda: {
        "name": "mine", "corpus": "shakespeare", "tokenizer": "char", "vocab_size": None,
        "context": 8, "batch_size": 2, "train": config(), "model": {}, "architecture": "gpt",
    },
    "Preset.model_config": lambda: {"vocab_size": 8},
    "Run": lambda: {
        "config": config(), "model": {}, "name": "mine", "parameters": 5, "device": "cpu",
        "version": "1", "torch": "2", "lines": [], "interrupted": False,
    },
    "Run.column": lambda: {"name": "loss"},
    "Run.final": lambda: {"name": "loss"},
    "Run.save": lambda: {"path": "run.jsonl"},
    "Run.load": lambda: {"path": written(run().save)},
    "StepResult": lambda: {
        "step": 1, "learning_rate": 0.1, "loss": torch.ones(()), "gradient_norm": torch.ones(()),
        "metrics": {}, "tokens": 5,
    },
    "Stepper": lambda: {
        "model": gpt(), "loss_fn": training.causal_loss, "config": config(), "parallel": None,
    },
    "Stepper.compute": lambda: {"step": 1, "micro_batches": [batches()[0]]},
    "Stepper.load_optimizer_state": lambda: {"tensors": stepper().optimizer_state()},
    "TrainConfig": lambda: {
        "steps": 5, "learning_rate": 0.1, "optimizer": "lion", "schedule": "trapezoid",
        "cooldown": 0.5, "warmup": 1, "final_fraction": 0.1, "weight_decay": 0.1,
        "betas": (0.9, 0.99), "clip": 1.0, "accumulate": 2, "precision": "fp32",
        "compile": False, "device": "cpu", "seed": 1, "evaluate_every": 1, "checkpoint_every": 1,
        "groups": {"*.weight": {"learning_rate": 0.1}},
    },
    "TrainConfig.settings_of": lambda: {"name": "blocks.0.attention.query.weight"},
    "causal_loss": lambda: {"model": gpt(), "batch": batches()[0]},
    "masked_loss": lambda: {"model": bert(), "batch": batches()[0]},
    "choose_parallel": lambda: {"name": None},
    "latest_checkpoint": lambda: {"folder": saved()},
    "load_model": lambda: {"folder": saved()},
    "load_weights": lambda: {"model": gpt(), "folder": saved()},
    "preset": lambda: {"name": "cpu"},
    "recorded_figures": lambda: {"folder": "ladder"},
    "recorded_runs": lambda: {"folder": "03_pretraining", "name": ""},
    "resume": lambda: {
        "folder": begun(), "batches": batches(), "loss_fn": training.causal_loss, "model": gpt(),
        "device": "cpu", "evaluate": None, "callbacks": (), "progress": False, "parallel": None,
    },
    "save_checkpoint": lambda: {"folder": "saved", "model": gpt(), **ADAPTED},
    "set_seed": lambda: {"seed": 1},
    "train": lambda: {
        "model": gpt(), "batches": batches(), "loss_fn": training.causal_loss, "config": config(),
        "evaluate": lambda model: {"validation_loss": 1.0}, "folder": "run", "callbacks": (),
        "progress": False, "name": "mine", "body": "", "parallel": None,
    },
    "Lion": lambda: {
        "params": [torch.nn.Parameter(vectors(4, 4))], "lr": 0.1, "betas": (0.9, 0.99),
        "weight_decay": 0.1,
    },
    "Muon": lambda: {
        "params": [torch.nn.Parameter(vectors(4, 4))], "lr": 0.1, "momentum": 0.9,
        "weight_decay": 0.1,
    },
    "hidden_matrices": lambda: {"model": gpt()},
    "make_optimizers": lambda: {"model": gpt(), "config": config()},
    "orthogonalise": lambda: {"matrices": vectors(2, 4, 4), "steps": 3},
    "trainable": lambda: {"model": gpt()},
    # inference
    "NextLogits": lambda: {"model": gpt(), "use_cache": True},
    "Sampling": lambda: {
        "temperature": 0.5, "top_k": 3, "top_p": 0.9, "repetition_penalty": 1.1,
        "no_repeat_ngram": 3, "seed": 1,
    },
    "Sampling.seeds": lambda: {"rows": 2},
    "control_repetition": lambda: {
        "logits": vectors(2, 8), "tokens": tokens(),
        "sampling": inference.Sampling(repetition_penalty=1.1, no_repeat_ngram=2),
    },
    "draw": lambda: {"probabilities": vectors(2, 8).softmax(-1), "uniforms": [0.1, 0.9]},
    **{
        name: lambda prompt=prompt: {
            "model": gpt(vocab_size=256), "tokenizer": data.ByteTokenizer(), "prompt": prompt,
            "length": 2, "sampling": inference.Sampling(), "stop": (), "use_cache": True,
        }
        for name, prompt in (("generate", ["to be", "or not"]), ("stream", "to be"))
    },
    "generate_tokens": lambda: {
        "model": gpt(), "tokens": tokens(), "length": 2, "sampling": inference.Sampling(),
        "use_cache": True,
    },
    "next_token_probabilities": lambda: {
        "logits": vectors(2, 8), "sampling": inference.Sampling(top_k=3),
    },
    "window_start": lambda: {"seen": 9, "context": 4},
    # analysis
    "ablate_head": lambda: {"model": gpt(), "layer": 1, "head": 1},
    "attention_layers": lambda: {"model": gpt()},
    "cache_memory": lambda: {"config": gpt().config, "batch_size": 2, "time": 8},
    "check_memory": lambda: {
        "config": gpt().config, "batch_size": 2, "device": torch.device("cpu"),
    },
    "count_activations": lambda: {"model": gpt(), "tokens": tokens()},
    "count_flops": lambda: {"function": lambda: vectors(4, 4) @ vectors(4, 4)},
    "count_parameters": lambda: {"model": gpt(), "embeddings": False},
    "evaluate": lambda: {
        "model": gpt(), "tokens": TOKENS, "context": 8, "batch_size": 2, "characters": 9,
        "bytes": 9,
    },
    "flop_formula": lambda: {"config": gpt().config, "time": 8, "batch_size": 2},
    "free_memory": lambda: {"device": "cpu"},
    "memory_estimate": lambda: {"config": gpt().config, "batch_size": 2, "time": 8},
    "parameter_formula": lambda: {"config": gpt().config},
    "parameter_table": lambda: {"model": gpt()},
    "peak_memory": lambda: {"device": "cpu"},
    "record_attention": lambda: {"model": gpt()},
    "validation": lambda: {"tokens": TOKENS, "context": 8, "batch_size": 2, "limit": 20},
}  # fmt: skip


def public_calls() -> Iterator[tuple[str, Callable]]:
    """Every public function, class and method that takes an argument, by name."""
    for package in PACKAGES:
        for name in package.__all__:
            part = getattr(package, name)
            if name in NOT_CALLED | RESULTS:
                continue
            yield name, part
            if isinstance(part, type):
                for method in dir(part):
                    found = inspect.getattr_static(part, method)
                    found = getattr(found, "__func__", found)
                    own = getattr(found, "__module__", "") or ""
                    public = not method.startswith("_") and own.startswith("llmlab.")
                    if public and isinstance(found, FunctionType):
                        yield f"{name}.{method}", getattr(part, method)


def parameters(function: Callable) -> list[str]:
    return [
        name
        for name, each in inspect.signature(function).parameters.items()
        if name != "self" and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]


PUBLIC = {name: function for name, function in public_calls() if parameters(function)}


def call(name: str, arguments: dict[str, Any]) -> Any:
    owner, _, method = name.partition(".")
    if method:
        return getattr(OBJECTS[owner](), method)(**arguments)
    part = PUBLIC[name]
    result = part(**arguments)
    if name in ("ablate_head", "record_attention"):
        with result:
            pass
    return list(result) if name == "stream" else result


@pytest.fixture(autouse=True)
def a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_good_call_of_every_public_name_is_known():
    assert set(CALLS) == set(PUBLIC)


@pytest.mark.parametrize("name", CALLS)
def test_a_good_call_is_accepted_and_has_every_argument(name):
    arguments = CALLS[name]()
    assert list(arguments) == parameters(PUBLIC[name])
    call(name, arguments)


@pytest.mark.parametrize("name", CALLS)
def test_a_malformed_call_is_refused_in_one_sentence(name, capsys):
    function = PUBLIC[name]
    kinds = kinds_of(function.__init__ if isinstance(function, type) else function)
    for argument in CALLS[name]():
        for value in VALUES:
            fits = kinds[argument].accepts(value)
            if fits and callable(value):
                continue  # a function or a model of one's own may raise what it likes
            arguments = CALLS[name]() | {argument: value}
            error = refusal(name, arguments)
            if error is None:
                assert fits, f"{argument}={value!r} was accepted."
            else:
                assert is_our_sentence(error, arguments), f"{argument}={value!r}: {error!r}"


def refusal(name: str, arguments: dict[str, Any]) -> Exception | None:
    try:
        call(name, arguments)
    except Exception as error:
        return error
    return None


def is_our_sentence(error: Exception, arguments: dict[str, Any]) -> bool:
    """One line that says what must be and what was got, or at least names an argument."""
    words = str(error.args[0]) if error.args else ""
    says = (" must " in words and "got " in words) or " cannot compute with " in words
    names = any(re.search(rf"\b{name}\b", words) for name in arguments) and words.endswith(".")
    kinds = (TypeError, ValueError, KeyError)
    return isinstance(error, kinds) and "\n" not in words and (says or names)
