"""The device that is chosen, and those that are refused."""

import pytest
import torch

from llmlab.device import choose_device

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def gpu(monkeypatch):
    """A machine with one GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)


def test_auto_is_the_cpu_without_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU


def test_auto_is_cuda_where_there_is_one(gpu):
    assert choose_device("auto") == GPU
    assert choose_device("cuda:0") == torch.device("cuda:0")


@pytest.mark.parametrize("name", ["mps", "tpu", "cuda:x", "cudax", ""])
def test_other_devices_are_refused(name):
    with pytest.raises(ValueError, match="device must be auto, cpu, cuda or cuda:<number>"):
        choose_device(name)


def test_a_device_that_is_not_there_is_refused(gpu):
    with pytest.raises(ValueError, match="'cuda:3' is not on this machine, which has 1 CUDA"):
        choose_device("cuda:3")
