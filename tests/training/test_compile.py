import torch

from llmlab.training import causal_loss, train


class NoCompiler(torch.nn.Module):
    """What torch.compile returns on a machine without a C++ compiler: it fails when called."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, *arguments):
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\nlong explanation")


def test_without_a_compiler_training_goes_on_after_one_line(
    make_bigram, batches, make_config, monkeypatch, capsys
):
    plain, fallen = make_bigram(dropout=0.3), make_bigram(dropout=0.3)
    train(plain, batches, causal_loss, make_config(), progress=False)
    monkeypatch.setattr(torch, "compile", NoCompiler)
    train(fallen, batches, causal_loss, make_config(compile=True), progress=False)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "torch.compile did not work here" in said
    assert "No working C++ compiler found" in said
    assert torch.equal(plain.head.weight, fallen.head.weight)


def test_the_compiled_model_is_the_one_that_trains(bigram, batches, make_config, monkeypatch):
    used = []

    class Compiled(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, tokens):
            used.append(1)
            return self.model(tokens)

    monkeypatch.setattr(torch, "compile", Compiled)
    train(bigram, batches, causal_loss, make_config(3, compile=True), progress=False)
    assert len(used) == 1 + 3  # a trial, then the steps
