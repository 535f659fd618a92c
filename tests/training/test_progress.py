import io
import sys
from types import SimpleNamespace

import pytest

from llmlab.training import progress as module
from llmlab.training.progress import Progress, clock, describe

LINES = [
    {"step": 1, "loss": 4.0, "tokens": 1000, "seconds": 1.0},
    {"step": 11, "loss": 2.0, "tokens": 11000, "seconds": 6.0, "validation_loss": 2.25},
]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def time_flies(monkeypatch):
    """Each look at the clock finds a minute gone."""
    now = iter(range(0, 10**6, 60))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(now))


def test_speed_and_time_left_by_hand():
    # 10,000 tokens and 10 steps in 5 seconds; 90 steps left take 45
    text = describe(LINES[1], 101, LINES[0], "validation loss 2.250")
    assert text == (
        "step 11/101 · loss 2.000 · validation loss 2.250 · 2,000 tokens/s · 45.0 s left"
    )


def test_the_first_line_has_no_speed_yet():
    assert describe(LINES[0], 101, LINES[0], "") == "step 1/101 · loss 4.000"


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.21, "4.2 s"), (187, "3:07"), (3600 + 153, "1:02:33")]
)
def test_durations_as_people_say_them(seconds, text):
    assert clock(seconds) == text


def test_a_terminal_line_overwrites_itself(time_flies):
    stream = Terminal()
    progress = Progress(11, stream=stream)
    for line in LINES:
        progress.update(line)
    progress.close(LINES[1])
    shown = stream.getvalue().split("\r")[1:]
    assert len(shown) == 3
    assert shown[0] == "step 1/11 · loss 4.000"
    assert shown[2].rstrip() == (
        "11 steps in 6.0 s · loss 2.000 · validation loss 2.250 · 2,000 tokens/s"
    )
    assert stream.getvalue().count("\n") == 1
    assert all(len(part) >= 22 for part in shown)  # a shorter line erases the longer one before


def test_a_terminal_is_not_flooded():
    stream = Terminal()
    progress = Progress(10_000, stream=stream)
    for _ in range(1000):
        progress.update(LINES[0])
    assert stream.getvalue().count("\r") < 100


def test_a_pipe_gets_whole_lines(time_flies):
    stream = io.StringIO()
    progress = Progress(11, stream=stream)
    for line in LINES:
        progress.update(line)
    progress.close(LINES[1], "interrupted after")
    assert "\r" not in stream.getvalue()
    assert stream.getvalue().splitlines()[-1].startswith("interrupted after 11 steps in 6.0 s")


def test_silence_on_request(time_flies):
    stream = Terminal()
    progress = Progress(11, enabled=False, stream=stream)
    progress.update(LINES[1])
    progress.close(LINES[1])
    assert stream.getvalue() == ""


def test_a_notebook_keeps_one_output(monkeypatch, time_flies, capsys):
    updates = []
    handle = SimpleNamespace(update=lambda data, raw: updates.append(data["text/plain"]))
    fake = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", fake)
    monkeypatch.setitem(
        sys.modules, "IPython.display", SimpleNamespace(display=lambda *_, **__: handle)
    )
    progress = Progress(11)
    for line in LINES:
        progress.update(line)
    progress.close(LINES[1])
    assert updates[-1].startswith("11 steps in 6.0 s")
    assert len(updates) == 3
    assert capsys.readouterr() == ("", "")
