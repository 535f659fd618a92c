"""Trainings that several processes share; each runs the whole list, and the first writes JSON.

Run by test_distributed.py, and imported by it for the same trainings in one process.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch._dynamo  # the first optimizer imports it: here once, not in every fork

from llmlab.data import MaskedWindows, RandomWindows
from llmlab.models import BERTConfig, FastGPTConfig, GPTConfig, build
from llmlab.training import (
    Run,
    TrainConfig,
    causal_loss,
    choose_parallel,
    masked_loss,
    resume,
    set_seed,
    train,
)
from llmlab.training.distributed import sharded  # noqa: F401

STEPS = 8
VOCABULARY = 13  # no two processes can halve its rows
SIZES = {"context": 8, "layers": 2, "heads": 4, "width": 16}
GPT = GPTConfig(VOCABULARY, **SIZES)
MODERN = GPTConfig(
    VOCABULARY, **SIZES, position="alibi", norm="rms", feed_forward="swiglu", bias=False
)
FAST = FastGPTConfig(VOCABULARY, **SIZES, lookback=3)
MASKED = BERTConfig(VOCABULARY + 1, **SIZES)

# name: model, settings. The gradient norms are above 1 at first, so clip=0.5 is active.
TRAININGS = {
    "plain": (GPT, {"clip": 0.5, "weight_decay": 0.1}),
    "accumulated": (GPT, {"clip": 0.5, "accumulate": 2}),
    "modern": (MODERN, {"clip": 0.5, "optimizer": "lion", "learning_rate": 1e-3}),
    "muon": (FAST, {"clip": 0.5, "optimizer": "muon", "weight_decay": 0.1}),
    "uneven weights": (MASKED, {"clip": 0.5, "accumulate": 2}),
}


# Not compared with one process: the gradient of a key's bias is zero but for rounding, and Lion
# takes its sign.
STRESS = {"bert with lion": (MASKED, {"clip": 0.5, "accumulate": 2, "optimizer": "lion"})}


def batches(model) -> RandomWindows | MaskedWindows:
    tokens = torch.arange(400).pow(2) % 97 % VOCABULARY
    if isinstance(model, BERTConfig):
        return MaskedWindows(tokens, 8, 4, vocab_size=VOCABULARY, mask_id=VOCABULARY)
    return RandomWindows(tokens, context=8, batch_size=4)


def loss_of(model):
    return masked_loss if isinstance(model, BERTConfig) else causal_loss


def evaluate(model) -> dict[str, float]:
    return {"validation_loss": float(causal_loss(model, batches(model.config)[10**6])[0])}


def trained(name: str, parallel=None, checkpoint_every: int = 0, **options) -> dict:
    """The columns and the final weights of a training."""
    config, settings = (TRAININGS | STRESS)[name]
    settings = {"warmup": 2, "learning_rate": 0.01, "device": "cpu"} | settings
    settings["checkpoint_every"] = checkpoint_every
    set_seed(0)
    model = build(config)
    run = train(
        model,
        batches(config),
        loss_of(config),
        TrainConfig(STEPS, **settings),
        parallel=parallel,
        progress=False,
        **options,
    )
    return outcome(model, run)


def outcome(model, run: Run) -> dict:
    columns = [c for c in ("loss", "gradient_norm", "accuracy", "tokens") if run.lines]
    lines = [line for line in run.lines if line["step"] > 0]
    weights = {key: value.tolist() for key, value in model.state_dict().items()}
    found = {column: [line[column] for line in lines] for column in columns}
    return found | {"weights": weights, "parameters": run.parameters}


def stop_after(step: int):
    """A callback that interrupts every process after that step."""

    def stop(model, line) -> None:
        if line["step"] == step:
            raise KeyboardInterrupt

    return stop


def stopped(name: str, folder: Path, parallel=None) -> dict:
    return trained(name, parallel, folder=folder, callbacks=[stop_after(4)], evaluate=evaluate)


def resumed(name: str, folder: Path, parallel=None) -> dict:
    config = TRAININGS[name][0]
    model, run = resume(
        folder, batches(config), loss_of(config), evaluate=evaluate, progress=False,
        parallel=parallel,
    )  # fmt: skip
    return outcome(model, run)


def main_with_two(root: Path) -> dict:
    results = {
        f"{name}, {way}": trained(name, choose_parallel(way))
        for name in TRAININGS
        for way in ("ddp", "fsdp", "tensor")
    }
    for name in ("plain", "muon"):
        fsdp, copy = root / f"{name} fsdp", root / f"{name} copy"
        stopped(name, fsdp, choose_parallel("fsdp"))
        if choose_parallel().is_main_process:
            shutil.copytree(fsdp, copy)
        choose_parallel().all(True)
        results[f"{name}, fsdp then tensor"] = resumed(name, copy, choose_parallel("tensor"))
        results[f"{name}, alone then fsdp"] = resumed(
            name, root / f"{name} alone", choose_parallel("fsdp")
        )
    return results


def main_with_four(root: Path) -> dict:
    return {
        f"{name}, {way}": trained(name, choose_parallel(way))
        for name in ("plain", "muon")
        for way in ("fsdp", "tensor")
    }


def in_processes(number: int, work: Callable[[], None], seconds: float = 200) -> None:
    """Fork, as torchrun would start them: PyTorch is imported once, and has computed nothing.

    If one fails, or they are not done in time, all are ended.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(number)}
    running = {fork(rank, work) for rank in range(number)}
    failed, late = {}, time.monotonic() + seconds
    while running and not failed and time.monotonic() < late:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child == 0:
            time.sleep(0.02)
            continue
        running.discard(child)
        if status:
            failed[child] = os.waitstatus_to_exitcode(status)
    for child in running:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert not failed, f"status of processes: {failed}"
    assert not running, f"not done after {seconds} seconds"


def fork(rank: int, work: Callable[[], None]) -> int:
    """The process that does the work as number ``rank``."""
    if child := os.fork():
        return child
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def share(processes: int, root: Path) -> None:
    found = {2: main_with_two, 4: main_with_four}[processes](root)
    parallel = choose_parallel()
    if parallel.is_main_process:
        (root / f"{processes}.json").write_text(json.dumps(found))
    parallel.close()


if __name__ == "__main__":
    torch.set_num_threads(1)
    in_processes(int(sys.argv[1]), partial(share, int(sys.argv[1]), Path(sys.argv[2])))
