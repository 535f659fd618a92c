import pytest
import torch

from llmlab.training.precision import choose_precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def gpu(monkeypatch):
    """A machine with one GPU of a given compute capability."""

    def pretend(capability):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)

    return pretend


@pytest.mark.parametrize(
    ("capability", "name", "scaler"),
    [((7, 5), "fp16", True), ((8, 0), "bf16", False), ((9, 0), "bf16", False)],
)
def test_auto_fits_the_chip(gpu, capability, name, scaler):
    gpu(capability)
    precision = choose_precision("auto", GPU)
    assert (precision.name, precision.needs_scaler) == (name, scaler)


def test_auto_on_a_cpu_is_fp32():
    assert choose_precision("auto", CPU).name == "fp32"


def test_bf16_on_a_cpu_computes_in_bf16():
    with choose_precision("bf16", CPU).autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


def test_fp16_on_a_cpu_is_refused():
    with pytest.raises(ValueError, match="precision='fp16' needs a CUDA device"):
        choose_precision("fp16", CPU)


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="got precision='fp8'"):
        choose_precision("fp8", CPU)
