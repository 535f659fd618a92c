"""Trainings that two processes share have the losses and the weights of one process."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from llmlab import cli
from llmlab.models import Block, FeedForward, MultiHeadAttention
from llmlab.training import Run, choose_parallel
from llmlab.training.checkpoint_folders import find_checkpoint
from llmlab.training.distributed.tensor import check_divisible
from llmlab.training.presets import cpu

SCRIPT = Path(__file__).with_name("several_processes.py")
ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(SCRIPT.parents[2]),
    "OMP_NUM_THREADS": "1",
    "PYTHONFAULTHANDLER": "1",  # a process that dies in native code says where
}
LONG = 1500  # steps
CHECKPOINTS = cpu().train.checkpoint_every
NAMES = ("plain", "accumulated", "modern", "muon", "uneven weights")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks its processes")


@pytest.fixture(scope="module")
def trainings():
    spec = importlib.util.spec_from_file_location("several_processes", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def alone(trainings):
    return {name: trainings.trained(name) for name in NAMES}


@pytest.fixture(scope="module")
def root(trainings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name in ("plain", "muon"):
        trainings.stopped(name, folder / f"{name} alone")
    return shared(2, folder)


def shared(processes: int, folder: Path) -> Path:
    """Run the script in so many processes; it leaves what it found in the folder."""
    done = bounded([sys.executable, str(SCRIPT), str(processes), str(folder)], seconds=240)
    assert done.returncode == 0, done.stderr
    return folder


def started(command: list[str]) -> subprocess.Popen:
    """A program in a session of its own, so that its processes can be ended with it."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **pipes, env=ENVIRONMENT, start_new_session=True)


def end(process: subprocess.Popen) -> tuple[str, str]:
    """End a program and all that it started; what they had printed."""
    children = (
        psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    )
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for child in children:  # torchrun gives its workers sessions of their own
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    return process.communicate(timeout=30)


def bounded(command: list[str], seconds: float) -> subprocess.CompletedProcess:
    """Run a program; if it is not done in time, end all its processes and show what they said."""
    process = started(command)
    try:
        printed = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        pytest.fail(f"not done after {seconds} s: {end(process)}")
    return subprocess.CompletedProcess(command, process.returncode, *printed)


@pytest.fixture(scope="module")
def two(root):
    return json.loads((root / "2.json").read_text())


def assert_same(found: dict, expected: dict) -> None:
    assert found["parameters"] == expected["parameters"]
    for column in ("loss", "gradient_norm", "accuracy", "tokens"):
        assert found[column] == pytest.approx(expected[column], abs=1e-5), column
    for name, weights in expected["weights"].items():
        difference = torch.tensor(found["weights"][name]) - torch.tensor(weights)
        assert difference.abs().max() < 1e-4, name


@pytest.mark.parametrize("way", ["ddp", "fsdp", "tensor"])
@pytest.mark.parametrize("name", NAMES)
def test_two_processes_train_as_one(two, alone, name, way):
    assert_same(two[f"{name}, {way}"], alone[name])


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    return json.loads((shared(4, tmp_path_factory.mktemp("four")) / "4.json").read_text())


@pytest.mark.parametrize("way", ["fsdp", "tensor"])
@pytest.mark.parametrize("name", ["plain", "muon"])
def test_so_do_four(four, alone, name, way):
    # 13 rows of the token table over four processes, and one head for each
    assert_same(four[f"{name}, {way}"], alone[name])


@pytest.mark.parametrize("name", ["plain", "muon"])
@pytest.mark.parametrize("change", ["fsdp then tensor", "alone then fsdp"])
def test_a_run_is_resumed_by_other_processes(two, alone, name, change):
    assert_same(two[f"{name}, {change}"], alone[name])


@pytest.mark.parametrize("name", ["plain", "muon"])
def test_one_process_resumes_what_two_began(root, trainings, alone, name):
    assert_same(trainings.resumed(name, root / f"{name} fsdp"), alone[name])


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"key_value_heads": 1}, "heads must be a multiple of 2, the number of processes"),
        ({"query_norm": torch.nn.RMSNorm(4)}, "query_norm must have no weights where processes"),
    ],
)
def test_an_attention_that_cannot_be_shared_is_refused(parts, sentence):
    attention, norms = MultiHeadAttention(16, 4, **parts), [torch.nn.Identity()] * 2
    block = Block(attention, FeedForward(16, 64, torch.relu), *norms)
    with pytest.raises(ValueError, match=f"^{sentence}"):
        check_divisible(block, 2)


def test_a_way_that_is_not_there_or_not_possible_is_refused(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ValueError, match="parallel must be one of ddp, fsdp, tensor: got"):
        choose_parallel("pipeline")
    with pytest.raises(ValueError, match="needs several processes"):
        choose_parallel("fsdp")


@pytest.fixture
def torchrun(tmp_path):
    """Runs ``llmlab train`` in two processes on a small text; returns what they printed."""
    text = tmp_path / "play.txt"
    text.write_text("All the world is a stage, and all the men and women players.\n" * 8)
    sizes = [
        "--tokenizer=char",
        "--layers=1",
        "--heads=3",
        "--width=18",
        "--context=16",
        "--steps=3",
    ]

    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    command += ["-m", "llmlab", "train", f"--corpus={text}", f"--out={tmp_path / 'run'}", *sizes]

    def run(*more: str) -> subprocess.CompletedProcess:
        return bounded([*command, *more], seconds=120)

    run.command = command
    return run


@pytest.fixture
def long_run(torchrun, tmp_path):
    """A training by torchrun, past its first checkpoint and far from its end."""
    process = started([*torchrun.command, "--batch-size=4", f"--steps={LONG}"])
    record, late = tmp_path / "run" / "run.jsonl", time.monotonic() + 60
    try:
        while not record.is_file() or Run.load(record).step < 110:
            assert process.poll() is None, end(process)
            assert time.monotonic() < late, f"the training does not begin: {end(process)}"
            time.sleep(0.1)
        yield process
    finally:
        end(process)


def workers(process: subprocess.Popen) -> list[int]:
    """The processes that torchrun has started."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_text() for pid in children}
    return [pid for pid, line in lines.items() if "llmlab" in line]


def goes_on(folder: Path) -> int:
    """Resume a run in this process, to its end, and return where it began."""
    began = int(find_checkpoint(folder).name.removeprefix("step-"))
    assert cli.main(["resume", str(folder)]) == 0
    run = Run.load(folder / "run.jsonl")
    assert not run.interrupted
    assert [line["step"] for line in run.lines if "loss" in line] == list(range(1, LONG + 1))
    return began


def test_torchrun_trains_and_one_process_goes_on_with_it(torchrun, tmp_path, capsys):
    done = torchrun("--parallel=fsdp", "--batch-size=4")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("It writes:") == 1  # one process speaks
    assert cli.main(["generate", str(tmp_path / "run"), "--prompt=All", "--length=5"]) == 0
    assert capsys.readouterr().out.startswith("All")
    assert "2 × cpu" in Run.load(tmp_path / "run" / "run.jsonl").device


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--parallel=fsdp", "--batch-size=5"], "--batch-size must be a multiple of 2"),
        (["--parallel=tensor", "--batch-size=4"], "heads must be a multiple of 2"),
    ],
)
def test_what_does_not_divide_is_one_sentence_and_leaves_nothing(
    torchrun, tmp_path, more, sentence
):
    done = torchrun(*more)
    assert done.returncode != 0
    assert done.stderr.count(sentence) == 1
    assert "Traceback (most recent call last)" not in done.stderr.partition(sentence)[0]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_training_that_is_told_to_stop_keeps_its_last_step(long_run, tmp_path, number):
    long_run.send_signal(number)
    _, complaints = long_run.communicate(timeout=60)
    run = Run.load(tmp_path / "run" / "run.jsonl")
    assert run.interrupted, complaints
    assert goes_on(tmp_path / "run") == run.step


def test_what_one_process_is_told_ends_all(long_run, tmp_path):
    _, second = workers(long_run)
    os.kill(second, signal.SIGTERM)
    _, complaints = long_run.communicate(timeout=60)
    assert Run.load(tmp_path / "run" / "run.jsonl").interrupted, complaints
    assert "exitcode  : 143" in complaints


def test_when_one_process_is_killed_the_other_ends_and_the_checkpoint_serves(long_run, tmp_path):
    first, second = workers(long_run)
    os.kill(second, signal.SIGKILL)
    long_run.communicate(timeout=60)
    assert long_run.returncode != 0
    assert not Path(f"/proc/{first}").exists()
    assert goes_on(tmp_path / "run") % CHECKPOINTS == 0
