import os
import signal
import threading
import time

import pytest
import torch

from llmlab.training import Run, causal_loss, latest_checkpoint, load_weights, resume, train
from llmlab.training.interrupts import Terminated, interrupts_held, termination_interrupts
from llmlab.training.loop import Loop
from llmlab.training.step import Stepper

ENDS = {signal.SIGTERM: 143, signal.SIGHUP: 129}  # what ends a program, and its status then


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)  # Python delivers it between two of its instructions


def same(model, other):
    return torch.equal(model.head.weight, other.head.weight)


@pytest.fixture
def three_steps(make_bigram, batches, make_config):
    """The model as three of six steps leave it."""
    model = make_bigram()
    seen = []

    def keep(model, line):
        if line["step"] == 3:
            seen.append({k: v.clone() for k, v in model.state_dict().items()})

    train(model, batches, causal_loss, make_config(6), callbacks=[keep], progress=False)
    model.load_state_dict(seen[0])
    return model


def test_ctrl_c_inside_a_step_leaves_the_last_whole_step(
    bigram, make_bigram, batches, make_config, three_steps, tmp_path
):
    calls = []

    def loss_fn(model, batch):
        calls.append(1)
        loss, metrics = causal_loss(model, batch)
        if len(calls) == 4:
            loss.backward()  # gradients of the step that will not be
            press_ctrl_c()
        return loss, metrics

    config = make_config(6)
    run = train(bigram, batches, loss_fn, config, folder=tmp_path, progress=False)
    assert run.interrupted
    assert run.step == 3
    assert same(bigram, three_steps)
    assert not bigram.training
    assert bigram.head.weight.grad is None
    assert latest_checkpoint(tmp_path).name == "step-000003"
    assert same(load_weights(make_bigram(seed=5), tmp_path), three_steps)
    assert Run.load(tmp_path / "run.jsonl").interrupted


def test_ctrl_c_while_the_weights_change_waits_until_they_have(
    bigram, batches, make_config, three_steps, monkeypatch
):
    apply, calls = Stepper.apply, []

    def interrupted_apply(stepper):
        calls.append(1)
        if len(calls) == 3:
            press_ctrl_c()
        apply(stepper)

    monkeypatch.setattr(Stepper, "apply", interrupted_apply)
    run = train(bigram, batches, causal_loss, make_config(6), progress=False)
    assert run.interrupted
    assert run.step == 3
    assert same(bigram, three_steps)


def test_ctrl_c_during_an_evaluation_keeps_the_lines(bigram, batches, make_config, tmp_path):
    def evaluate(model):
        if evaluate.calls == 1:
            press_ctrl_c()
        evaluate.calls += 1
        return {"validation_loss": 1.0}

    evaluate.calls = 0
    config = make_config(6, evaluate_every=2)
    options = {"evaluate": evaluate, "folder": tmp_path, "progress": False}
    run = train(bigram, batches, causal_loss, config, **options)
    assert run.interrupted
    assert [line["step"] for line in Run.load(tmp_path / "run.jsonl").lines] == [0, 1, 2]


@pytest.mark.parametrize("where", ["_collect", "_evaluate_into", "_publish"])
@pytest.mark.parametrize("after", [False, True])
def test_ctrl_c_between_a_step_and_its_line_costs_neither(
    bigram, batches, make_config, tmp_path, monkeypatch, where, after
):
    original, calls = getattr(Loop, where), []

    def interrupted(loop, *arguments):
        calls.append(1)
        if len(calls) == 3 and not after:
            press_ctrl_c()
        result = original(loop, *arguments)
        if len(calls) == 3 and after:
            press_ctrl_c()
        return result

    monkeypatch.setattr(Loop, where, interrupted)
    run = train(bigram, batches, causal_loss, make_config(6), folder=tmp_path, progress=False)
    assert run.interrupted
    assert latest_checkpoint(tmp_path).name == f"step-00000{run.step}"
    assert [line["step"] for line in Run.load(tmp_path / "run.jsonl").lines] == [1, 2, 3]


def test_ctrl_c_before_the_first_step(bigram, batches, make_config):
    def evaluate(model):
        raise KeyboardInterrupt

    run = train(bigram, batches, causal_loss, make_config(), evaluate=evaluate, progress=False)
    assert run.interrupted
    assert run.lines == []


def test_a_held_interrupt_comes_after_the_block():
    done = []

    def work():
        with interrupts_held():
            press_ctrl_c()
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == [1]
    with interrupts_held(forget=True):
        press_ctrl_c()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.fixture(autouse=True)
def signals_end_programs():
    """As they do by themselves; a shell that runs the tests apart may ignore some."""
    previous = {number: signal.signal(number, signal.SIG_DFL) for number in ENDS}
    yield
    for number, handler in previous.items():
        signal.signal(number, handler)


def ask_to_end(number=signal.SIGTERM):
    signal.raise_signal(number)


@pytest.mark.parametrize(("number", "status"), ENDS.items())
def test_sigterm_saves_as_ctrl_c_does_and_ends_the_program(
    bigram, make_bigram, batches, make_config, three_steps, tmp_path, number, status
):
    calls = []

    def loss_fn(model, batch):
        calls.append(1)
        if len(calls) == 4:
            ask_to_end(number)
        return causal_loss(model, batch)

    with pytest.raises(SystemExit) as ended:
        train(bigram, batches, loss_fn, make_config(6), folder=tmp_path, progress=False)
    assert ended.value.code == status
    assert same(load_weights(make_bigram(seed=5), tmp_path), three_steps)
    assert latest_checkpoint(tmp_path).name == "step-000003"
    assert Run.load(tmp_path / "run.jsonl").interrupted
    assert sorted(os.listdir(tmp_path)) == ["run.jsonl", "step-000003"]
    assert signal.getsignal(number) is signal.SIG_DFL


@pytest.mark.parametrize("name", ["apply", "gather", "optimizer_state"])
def test_sigterm_waits_for_what_must_not_be_cut(
    bigram, make_bigram, batches, make_config, tmp_path, monkeypatch, name
):
    original, calls = getattr(Stepper, name), []

    def signalled(stepper):
        calls.append(1)
        if len(calls) == 2:
            ask_to_end()
            ask_to_end()  # schedulers repeat themselves
        return original(stepper)

    monkeypatch.setattr(Stepper, name, signalled)
    config = make_config(6, checkpoint_every=2)
    with pytest.raises(SystemExit):
        train(bigram, batches, causal_loss, config, folder=tmp_path, progress=False)
    monkeypatch.undo()
    resumed, _ = resume(tmp_path, batches, causal_loss, model=make_bigram(), progress=False)
    plain = make_bigram()
    train(plain, batches, causal_loss, config, progress=False)
    assert same(resumed, plain)


def test_a_program_that_handles_sigterm_itself_keeps_its_way(bigram, batches, make_config):
    received = []
    previous = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        options = {"callbacks": [lambda model, line: ask_to_end()], "progress": False}
        run = train(bigram, batches, causal_loss, make_config(2), **options)
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert received == [signal.SIGTERM] * 2
    assert run.step == 2
    assert not run.interrupted


def test_what_is_held_of_two_signals_ends_the_program_if_one_says_so():
    def both():
        with termination_interrupts(), interrupts_held():
            press_ctrl_c()
            ask_to_end()

    with pytest.raises(Terminated):
        both()


def test_training_in_another_thread_works(bigram, batches, make_config):
    runs = []

    def work():
        runs.append(train(bigram, batches, causal_loss, make_config(2), progress=False))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert runs[0].step == 2
