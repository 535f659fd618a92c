"""Kills a training at every moment worth fearing, resumes it, and compares; prints JSON.

Run by test_resume.py in a process of its own: each training is a fork of this one, which has
imported PyTorch but computed nothing, dies by SIGKILL, and is continued in another fork.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import torch
import torch._dynamo  # the first optimizer imports it: here once, not in every fork

from llmlab.data import RandomWindows
from llmlab.models import GPT, GPTConfig
from llmlab.training import Run, TrainConfig, causal_loss, load_model, resume, set_seed, train

STEPS = 7
CONFIG = TrainConfig(
    STEPS, warmup=2, evaluate_every=2, checkpoint_every=3, device="cpu", seed=1, accumulate=2
)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def batches() -> RandomWindows:
    return RandomWindows(torch.arange(300) % 11, context=8, batch_size=2, seed=1)


def evaluate(model) -> dict[str, float]:
    return {"validation_loss": float(causal_loss(model, batches()[10**6])[0])}


class LossThatDies:
    """The causal loss; call number ``last`` computes the loss and then kills the process."""

    def __init__(self, last: int) -> None:
        self.left = last

    def __call__(self, model, batch):
        result = causal_loss(model, batch)
        if self.left == 0:
            die()
        self.left -= 1
        return result


def begin(folder: Path, loss_fn=causal_loss) -> None:
    set_seed(1)
    model = GPT(GPTConfig(11, 8, layers=2, heads=2, width=16, dropout=0.2))
    train(model, batches(), loss_fn, CONFIG, evaluate=evaluate, folder=folder, progress=False)


def go_on(folder: Path, loss_fn=causal_loss) -> None:
    resume(folder, batches(), loss_fn, evaluate=evaluate, progress=False)


def dying_at_write(function: str, count: int):
    """Begin, and die instead of the given call of an operating-system function."""

    def run(folder: Path) -> None:
        original, left = getattr(os, function), [count]

        def deadly(*arguments, **options):
            if left[0] == 0:
                die()
            left[0] -= 1
            return original(*arguments, **options)

        setattr(os, function, deadly)
        begin(folder)

    return run


def in_a_fork(work, folder: Path) -> int:
    """Run ``work(folder)`` in a fork; return the signal that ended it, 0 if none."""
    child = os.fork()
    if child == 0:
        try:
            work(folder)
        except BaseException as error:
            print(f"{folder.name}: {error!r}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status)
    assert os.WEXITSTATUS(status) == 0, f"{folder} failed"
    return 0


def outcome(folder: Path) -> dict:
    """Everything a run leaves: every bit of the weights, every line but its seconds."""
    weights = {name: value.tolist() for name, value in load_model(folder).state_dict().items()}
    run = Run.load(folder / "run.jsonl")
    lines = [{k: v for k, v in line.items() if k != "seconds"} for line in run.lines]
    return {"weights": weights, "lines": lines, "files": sorted(os.listdir(folder))}


def main(root: Path) -> None:
    scenarios = {
        f"inside loss {call}": lambda folder, call=call: begin(folder, LossThatDies(call))
        for call in range(STEPS * CONFIG.accumulate)
    }
    for count in (1, 2, 3):  # the rename that publishes a checkpoint or the record
        scenarios[f"before rename {count}"] = dying_at_write("rename", count)
    for count in (9, 12, 14):  # somewhere inside the second and third checkpoint
        scenarios[f"before fsync {count}"] = dying_at_write("fsync", count)
    plain = root / "plain"
    assert in_a_fork(begin, plain) == 0
    expected, results = outcome(plain), {}
    for name, work in scenarios.items():
        folder = root / name.replace(" ", "-")
        killed = in_a_fork(work, folder) == signal.SIGKILL
        in_a_fork(go_on, folder)
        results[name] = {"killed": killed, "equal": outcome(folder) == expected}
    folder = root / "twice"
    in_a_fork(lambda folder: begin(folder, LossThatDies(8)), folder)
    in_a_fork(lambda folder: go_on(folder, LossThatDies(5)), folder)
    in_a_fork(go_on, folder)
    in_a_fork(go_on, folder)  # a finished run stays as it is
    results["twice"] = {"killed": True, "equal": outcome(folder) == expected}
    print(json.dumps(results))
    shutil.rmtree(root)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
