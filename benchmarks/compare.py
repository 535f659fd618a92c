"""llmlab beside its peers, measured in turns in one run: a table of medians and ratios.

    python benchmarks/compare.py --record records/benchmarks/cpu.json
    python benchmarks/compare.py --text tinyshakespeare.txt --nanogpt CHECKOUT
    python benchmarks/compare.py --show records/benchmarks/cpu.json

A peer that is not installed is left out. ``--nanogpt`` is a checkout of karpathy/nanoGPT, whose
``train.py`` is run unchanged with its README's settings for a CPU; ``--text`` is its text. Without
them the race to its loss is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy
import torch
from torch.nn import functional as F

from llmlab.data import BPETokenizer, load_corpus
from llmlab.display.cards.tables import comparison_table
from llmlab.inference import Sampling, generate_tokens
from llmlab.inference.linear import SlicedLinear
from llmlab.models import GPT
from llmlab.models.hugging_face import from_hugging_face
from llmlab.training import TrainConfig
from llmlab.training.optimizers import make_optimizers

HERE = Path(__file__).parent
PROMPT, NEW = 32, 64  # tokens given and written, for each text of a batch
NANOGPT = [
    *("config/train_shakespeare_char.py", "--device=cpu", "--compile=False", "--eval_iters=20"),
    *("--log_interval=100", "--block_size=64", "--batch_size=12", "--n_layer=4", "--n_head=4"),
    *("--n_embd=128", "--max_iters=2000", "--lr_decay_iters=2000", "--dropout=0.0"),
]


@dataclass(frozen=True)
class Row:
    """One comparison: medians in seconds, and how many times as fast as the peer we are."""

    what: str
    peer: str
    ours: float
    theirs: float
    ratio: float
    note: str = ""


def in_turns(ours: Callable[[], object], theirs: Callable[[], object], runs: int) -> tuple:
    """Median seconds of both, and the median of theirs over ours, after one run not counted."""
    ours(), theirs()
    pairs = [(seconds(theirs), seconds(ours)) for _ in range(runs)]
    ratio = median(their / our for their, our in pairs)
    return median(our for _, our in pairs), median(their for their, _ in pairs), ratio


def seconds(work: Callable[[], object]) -> float:
    """The time that a function takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def gpt2() -> tuple[GPT, torch.nn.Module]:
    """Ours and transformers' model at the size of GPT-2 small, with the same random weights."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(attn_implementation="sdpa", resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)
    theirs = GPT2LMHeadModel(config)
    return from_hugging_face(theirs), theirs


def one_vector(runs: int) -> Iterator[Row]:
    """The head of GPT-2 small on the last token: a product that is bound by reading the weights."""
    x, weight = torch.randn(1, 768), torch.randn(50257, 768)
    with torch.no_grad():
        sliced = SlicedLinear(weight)
        figures = in_turns(lambda: sliced(x), lambda: F.linear(x, weight), 20 * runs)
    rates = "{:.0f} and {:.0f} GB/s".format(*(weight.nbytes / f / 1e9 for f in figures[:2]))
    note = f"the weights are read at {rates}"
    yield Row("one vector times 50,257 × 768 weights", "PyTorch", *figures, note)


def generation(runs: int) -> Iterator[Row]:
    """Greedy texts with the cache; both must write the same tokens."""
    ours, theirs = (model.eval() for model in gpt2())
    for batch in (1, 32):
        prompt = torch.randint(50257, (batch, PROMPT), generator=torch.Generator().manual_seed(0))
        options = {"max_new_tokens": NEW, "min_new_tokens": NEW, "do_sample": False}

        def we(prompt=prompt):
            return generate_tokens(ours, prompt, NEW, Sampling(temperature=0))

        def they(prompt=prompt, options=options):
            return theirs.generate(prompt, pad_token_id=0, eos_token_id=None, **options)

        same = (we() == they()).float().mean()
        figures = in_turns(we, they, runs)
        rates = "{:.0f} and {:.0f} tokens/s".format(*(batch * NEW / f for f in figures[:2]))
        note = f"{rates}; {same:.1%} of the tokens are the same"
        yield Row(f"write {NEW} tokens, batch {batch}", "transformers", *figures, note)


def training_step(runs: int) -> Iterator[Row]:
    """Forward, backward and AdamW of one batch, 2 × 256 tokens."""
    ours, theirs = (model.train() for model in gpt2())
    tokens = torch.randint(50257, (2, 257), generator=torch.Generator().manual_seed(0))
    their_optimizer = torch.optim.AdamW(theirs.parameters(), lr=1e-4, fused=True)
    (our_optimizer,) = make_optimizers(ours, TrainConfig(1, learning_rate=1e-4))

    def step(logits_of, optimizer) -> None:
        logits = logits_of(tokens[:, :-1].contiguous())
        F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()).backward()
        optimizer.step()
        optimizer.zero_grad()

    figures = in_turns(
        lambda: step(ours, our_optimizer),
        lambda: step(lambda tokens: theirs(tokens).logits, their_optimizer),
        runs,
    )
    yield Row("a training step of GPT-2 small", "transformers", *figures)


def tokenizing(runs: int) -> Iterator[Row]:
    """Learning 2,048 tokens from five million characters, and encoding them."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    text = load_corpus("shakespeare").text
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)

    def they() -> Tokenizer:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = byte_level
        alphabet = byte_level.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=2048, initial_alphabet=alphabet, show_progress=False
        )
        tokenizer.train_from_iterator([text], trainer)
        return tokenizer

    theirs, ours = they(), BPETokenizer.train(text, 2048)
    same = theirs.encode(text).ids == ours.encode(text)
    figures = in_turns(lambda: BPETokenizer.train(text, 2048), they, runs)
    yield Row("learn 2,048 BPE tokens", "tokenizers", *figures)

    def encode() -> list[int]:
        return BPETokenizer.from_dict(ours.to_dict()).encode(text)  # anew: it remembers words

    figures = in_turns(encode, lambda: theirs.encode(text), runs)
    yield Row("encode 5 M characters", "tokenizers", *figures, f"same ids: {same}")


def race(text: Path, nanogpt: Path, seeds: int) -> Iterator[Row]:
    """To the loss of nanoGPT's recipe for a CPU, as whole processes, start-up included."""
    with tempfile.TemporaryDirectory() as folder:
        theirs, their_loss = run_nanogpt(text, nanogpt, Path(folder))
    times, losses = [], []
    for seed in range(seeds):
        script = [sys.executable, str(HERE / "nanogpt_recipe.py"), "--text", str(text)]
        start = time.perf_counter()
        printed = checked([*script, "--preset=shakespeare-char-fast", f"--seed={seed}"])
        times.append(time.perf_counter() - start)
        losses.append(json.loads(printed.splitlines()[-1])["validation_loss"])
    ours = median(times)
    note = f"loss {min(losses):.3f} to {max(losses):.3f} over {seeds} seeds; theirs {their_loss}"
    yield Row("learn tiny Shakespeare", "nanoGPT", ours, theirs, theirs / ours, note)


def run_nanogpt(text: Path, nanogpt: Path, folder: Path) -> tuple[float, str]:
    """Seconds of its unchanged train.py, and the validation loss that it estimates at the end."""
    characters = text.read_text(encoding="utf-8")
    letters = sorted(set(characters))
    ids = numpy.array([letters.index(c) for c in characters], dtype=numpy.uint16)
    data = folder / "data" / "shakespeare_char"
    data.mkdir(parents=True)
    first = int(0.9 * len(ids))
    ids[:first].tofile(data / "train.bin")
    ids[first:].tofile(data / "val.bin")
    (data / "meta.pkl").write_bytes(pickle.dumps({"vocab_size": len(letters)}))
    for name in ("train.py", "model.py", "configurator.py", "config"):
        (folder / name).symlink_to(nanogpt.resolve() / name)
    start = time.perf_counter()
    printed = checked([sys.executable, "train.py", *NANOGPT], cwd=folder)
    took = time.perf_counter() - start
    return took, re.findall(r"val loss (\d+\.\d+)", printed)[-1]


def checked(command: list[str], **options) -> str:
    """What a command prints; its complaints, if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def machine() -> dict[str, str]:
    """What the figures were measured on and with."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        cpu = re.search(r"model name\s*: (.*)", info.read_text())[1]
    packages = [name for name in ("torch", "transformers", "tokenizers") if find_spec(name)]
    return {
        "cpu": f"{cpu}, {torch.get_num_threads()} threads of {os.cpu_count()} cores",
        "python": platform.python_version(),
        **{name: version(name).partition("+")[0] for name in packages},
    }


def measure(arguments: argparse.Namespace) -> dict:
    """Everything that can be measured here."""
    rows: list[Row] = []
    if find_spec("tokenizers"):
        rows += tokenizing(arguments.runs)
    rows += one_vector(arguments.runs)
    if find_spec("transformers"):
        rows += training_step(arguments.runs)
        rows += generation(arguments.runs)
    if arguments.text and arguments.nanogpt:
        rows += race(arguments.text, arguments.nanogpt, arguments.seeds)
    return {"machine": machine(), "rows": [asdict(row) for row in rows]}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text", type=Path, help="tiny Shakespeare, one text file")
    parser.add_argument("--nanogpt", type=Path, help="a checkout of nanoGPT")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each (default 5)")
    parser.add_argument("--seeds", type=int, default=5, help="of the race (default 5)")
    parser.add_argument("--record", type=Path, help="write the figures here, as JSON")
    parser.add_argument("--show", type=Path, help="print a record's table, and measure nothing")
    arguments = parser.parse_args()
    if arguments.show:
        record = json.loads(arguments.show.read_text(encoding="utf-8"))
    else:
        record = measure(arguments)
    if arguments.record:
        arguments.record.parent.mkdir(parents=True, exist_ok=True)
        arguments.record.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(comparison_table(record))
    print("\n".join(f"{row['what']}: {row['note']}" for row in record["rows"] if row["note"]))
    print(json.dumps(record["machine"]))


if __name__ == "__main__":
    main()
