"""One training at a time in a folder; what kills left there is swept away, and nothing else."""

import os
import subprocess
import sys
import threading

import pytest

from llmlab.training import CheckpointError, causal_loss, load_weights, resume, train
from llmlab.training.lock import LOCK_NAME, locked

QUIET = {"progress": False}
HOLDER = """
import sys
from pathlib import Path
from llmlab.training.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of a folder."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_training_is_refused_and_leaves_all_alone(
    holder, bigram, batches, make_config, tmp_path
):
    (tmp_path / ".run.jsonl-abcdefgh").write_bytes(b'{"format": 1')  # being written just now
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(CheckpointError, match=f"another process is training in {tmp_path}: wait"):
        train(bigram, batches, causal_loss, make_config(2), folder=tmp_path, **QUIET)
    assert sorted(os.listdir(tmp_path)) == before


def test_a_lock_dies_with_its_process(holder, bigram, batches, make_config, tmp_path):
    holder.kill()
    holder.wait()
    assert (tmp_path / LOCK_NAME).exists()
    train(bigram, batches, causal_loss, make_config(2), folder=tmp_path, **QUIET)
    assert sorted(os.listdir(tmp_path)) == ["run.jsonl", "step-000002"]


def test_resuming_beside_a_training_is_refused(bigram, make_bigram, batches, make_config, tmp_path):
    problems = []

    def resume_meanwhile():
        with pytest.raises(CheckpointError) as raised:
            resume(tmp_path, batches, causal_loss, model=make_bigram(), **QUIET)
        problems.append(str(raised.value))

    def look(model, line):
        thread = threading.Thread(target=resume_meanwhile)
        thread.start()
        thread.join()
        load_weights(make_bigram(), tmp_path)  # reading is free

    options = {"folder": tmp_path, "callbacks": [look]}
    train(bigram, batches, causal_loss, make_config(2), **options, **QUIET)
    assert len(problems) == 2
    assert all("another process is training in" in problem for problem in problems)


def test_the_holder_may_lock_again(tmp_path):
    with locked(tmp_path):
        with locked(tmp_path):
            assert (tmp_path / LOCK_NAME).exists()
        assert (tmp_path / LOCK_NAME).exists()
    assert os.listdir(tmp_path) == []


def test_what_kills_left_is_swept_and_nothing_else(
    bigram, make_bigram, batches, make_config, tmp_path
):
    mine = {
        ".run.jsonl-notmine1": b"a diary",
        ".run.jsonl-backup": b'{"format": 1}',  # no name that we give
        "run.jsonl-abcdefgh": b'{"format": 1}',
        ".writing-abc": b"",
    }
    train(bigram, batches, causal_loss, make_config(2), folder=tmp_path, **QUIET)
    for name, content in mine.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / ".run.jsonl-abcdefgh").write_bytes(b'{"format": 1, "na')
    (tmp_path / ".run.jsonl-ijklmnop").write_bytes(b"")
    (tmp_path / ".writing-qrstuvwx").mkdir()
    (tmp_path / ".writing-qrstuvwx" / "model.safetensors").write_bytes(b"half")
    resume(tmp_path, batches, causal_loss, model=make_bigram(), **QUIET)
    assert sorted(os.listdir(tmp_path)) == sorted([*mine, "run.jsonl", "step-000002"])


def test_somebody_elses_record_is_not_written_over(bigram, batches, make_config, tmp_path):
    (tmp_path / "run.jsonl").write_text('{"lap": 1, "seconds": 61}\n')
    with pytest.raises(CheckpointError, match=r"must hold no run\.jsonl but that of a run"):
        train(bigram, batches, causal_loss, make_config(2), folder=tmp_path, **QUIET)
    assert os.listdir(tmp_path) == ["run.jsonl"]
    assert (tmp_path / "run.jsonl").read_text() == '{"lap": 1, "seconds": 61}\n'
