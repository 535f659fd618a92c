"""Trainings that two processes share have the losses and the weights of one process."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from llmlab.training import choose_parallel

SCRIPT = Path(__file__).with_name("several_processes.py")
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
    environment = os.environ | {"PYTHONPATH": str(SCRIPT.parents[2])}
    command = [sys.executable, str(SCRIPT), "2", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    return folder


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


@pytest.mark.parametrize("name", ["plain", "muon"])
@pytest.mark.parametrize("change", ["fsdp then tensor", "alone then fsdp"])
def test_a_run_is_resumed_by_other_processes(two, alone, name, change):
    assert_same(two[f"{name}, {change}"], alone[name])


@pytest.mark.parametrize("name", ["plain", "muon"])
def test_one_process_resumes_what_two_began(root, trainings, alone, name):
    assert_same(trainings.resumed(name, root / f"{name} fsdp"), alone[name])


def test_cutting_stacked_matrices_evenly_would_be_noticed(two, alone):
    differences = torch.tensor(two["naive"]["loss"]) - torch.tensor(alone["plain"]["loss"])
    assert differences.abs().max() > 1e-3


def test_a_way_that_is_not_there_or_not_possible_is_refused(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ValueError, match="parallel must be one of ddp, fsdp, tensor: got"):
        choose_parallel("pipeline")
    with pytest.raises(ValueError, match="needs several processes"):
        choose_parallel("fsdp")
