import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from llmlab.training import CheckpointError, Run, causal_loss, resume, train

KILLED_RUN = Path(__file__).with_name("killed_run.py")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forks")
def test_a_run_killed_at_any_moment_ends_bit_identical_to_one_that_was_not(tmp_path):
    command = [sys.executable, str(KILLED_RUN), str(tmp_path / "runs")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert len(results) == 21
    for moment, result in results.items():
        assert result == {"killed": True, "equal": True}, moment


def test_an_interrupted_run_goes_on(make_bigram, batches, make_config, tmp_path):
    def interrupt(model, line):
        if line["step"] == 3:
            raise KeyboardInterrupt

    plain, stopped = make_bigram(dropout=0.3), make_bigram(dropout=0.3)
    whole = train(plain, batches, causal_loss, make_config(6), progress=False)
    options = {"folder": tmp_path, "progress": False}
    train(stopped, batches, causal_loss, make_config(6), callbacks=[interrupt], **options)
    fresh = make_bigram(seed=9, dropout=0.3)
    model, run = resume(tmp_path, batches, causal_loss, model=fresh, progress=False)
    assert model is fresh
    assert not run.interrupted
    assert not Run.load(tmp_path / "run.jsonl").interrupted
    assert run.column("loss")[1].tolist() == whole.column("loss")[1].tolist()
    assert torch.equal(model.head.weight, plain.head.weight)


def test_a_finished_run_is_returned_as_it_is(bigram, make_bigram, batches, make_config, tmp_path):
    run = train(bigram, batches, causal_loss, make_config(3), folder=tmp_path, progress=False)
    model, again = resume(tmp_path, batches, causal_loss, model=make_bigram(1), progress=False)
    assert again.lines == run.lines
    assert torch.equal(model.head.weight, bigram.head.weight)


def test_the_device_may_change(bigram, make_bigram, batches, make_config, tmp_path):
    config = make_config(3, device="auto")
    train(bigram, batches, causal_loss, config, folder=tmp_path, progress=False)
    options = {"model": make_bigram(), "progress": False}
    _, run = resume(tmp_path, batches, causal_loss, device="cpu", **options)
    assert run.config.device == "cpu"
    with pytest.raises(ValueError, match="got device='tpu'"):
        resume(tmp_path, batches, causal_loss, device="tpu", **options)


def test_nothing_to_resume_is_said(batches, tmp_path):
    with pytest.raises(CheckpointError, match="has no checkpoint"):
        resume(tmp_path, batches, causal_loss)
