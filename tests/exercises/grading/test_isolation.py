"""An answer cannot end the process that asks for its verdict, nor keep it for ever."""

from __future__ import annotations

import json
import os
import signal
import threading

import numpy as np
import pytest

from llmlab.cli import main
from llmlab.exercises import check, check_source, exercise, grade_source
from llmlab.exercises.grading import isolation

ID = "attention.softmax"
SOLUTION = exercise(ID).solution
ENDS = "import os\ndef softmax(x):\n    os._exit(0)"
LOOP = "def softmax(x):\n    while True: pass"
STUBBORN = """
def softmax(x):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
"""


@pytest.fixture
def hurried(monkeypatch):
    """Answers have half a second, and then all the time that a slow machine needs to explain."""
    monkeypatch.setattr(isolation, "PATIENCE", 60)
    monkeypatch.setattr(isolation.grade_function, "__defaults__", (0.5,))
    monkeypatch.setattr(isolation.grade_text, "__defaults__", (0.5,))


def define(source):
    namespace = {"np": np}
    exec(source, namespace)
    return namespace["softmax"]


@pytest.mark.parametrize("source", [SOLUTION, SOLUTION.replace("max", "min"), "x = 1", "def ("])
def test_the_verdict_is_the_same_elsewhere(source):
    assert check_source(ID, source) == grade_source(ID, source)


@pytest.mark.parametrize(
    "grade", [lambda source: check(ID, define(source)), lambda source: check_source(ID, source)]
)
def test_ending_python_is_a_failure(grade):
    verdict = grade(ENDS)
    assert verdict.status == "failed"
    assert "ends Python itself: return a value instead" in verdict.message


def test_a_loop_without_end_is_named(hurried):
    for verdict in (check(ID, define(LOOP)), check_source(ID, LOOP)):
        assert verdict.status == "failed"
        assert verdict.message.endswith("is there a loop that never ends?")
        assert verdict.message.startswith("Line 2")


def test_what_cannot_be_interrupted_is_ended(hurried, monkeypatch):
    monkeypatch.setattr(isolation, "PATIENCE", 0.5)
    for verdict in (check(ID, define(STUBBORN)), check_source(ID, STUBBORN)):
        assert verdict.status == "stopped"
        assert verdict.message.endswith("is there a loop that never ends?")
        assert str(verdict).startswith("■ attention.softmax: stopped.")


def test_a_loop_without_end_ends_where_no_process_can_be_copied(hurried, monkeypatch):
    monkeypatch.setattr(isolation, "FORKS", False)
    verdict = check(ID, define(LOOP))
    assert verdict.status == "failed"
    assert verdict.message.endswith("is there a loop that never ends?")
    monkeypatch.setattr(isolation.grade_function, "__defaults__", (60,))
    assert check(ID, define(SOLUTION)).passed


@pytest.mark.parametrize("starting", [0, 60])
def test_a_process_that_does_not_start_is_the_graders_fault(monkeypatch, starting):
    """It gives no sign in time, or ends before it gives one."""
    monkeypatch.setattr(isolation, "STARTING", starting)
    monkeypatch.setattr(isolation, "_send", lambda *_: starting or threading.Event().wait())
    verdict = check(ID, define(SOLUTION))
    assert verdict.status == "grader error"
    assert "not scored: its process did not start" in verdict.message


def test_one_interrupt_stops_a_check():
    def softmax(x):
        os.kill(os.getppid(), signal.SIGINT)
        threading.Event().wait()

    assert check(ID, softmax).message == "You stopped your code."


def test_nothing_of_an_answer_is_left():
    left = []
    assert check(ID, lambda x: left.append(x) or define(SOLUTION)(x)).passed
    assert not left


def test_the_first_check_adds_little():
    """It copies this process, or starts Python with numpy, and imports no torch."""
    program = "import sys\nassert 'torch' not in sys.modules\n" + SOLUTION
    assert check_source(ID, program).passed


@pytest.mark.parametrize(
    "body",
    [
        "raise SystemExit",
        "import os; os._exit(0)",
        "import sys; sys.__stdout__.close()\n    return x",
        "import os; os.close(1)\n    return x",
    ],
)
def test_the_command_fails_and_says_so(body, tmp_path, capfd):
    file = tmp_path / "answer.py"
    file.write_text(f"def softmax(x):\n    {body}\n", encoding="utf-8-sig")
    assert main(["exercises", "check", ID, str(file)]) == 1
    assert "✗ attention.softmax: failed." in capfd.readouterr().out
    assert main(["exercises", "check", ID, str(file), "--json"]) == 1
    assert json.loads(capfd.readouterr().out)["status"] == "failed"
