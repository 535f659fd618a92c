"""What commands print can be printed anywhere, read back, pasted into a shell and parsed."""

from __future__ import annotations

import io
import json
import math
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from llmlab import cli
from llmlab.commands import reporting
from llmlab.commands.reporting import command_line, print_anything, print_json, sentence
from llmlab.exercises import Verdict, all_exercises

SOFTMAX = "def softmax(x):\n    e = np.exp(x - x.max(-1, keepdims=True))\n"
SOFTMAX += "    return e / e.sum(-1, keepdims=True)  # ≥ 0 ✓\n"


class Console(io.TextIOWrapper):
    """A terminal, or a file that the shell writes, in some encoding."""

    def __init__(self, encoding: str, terminal: bool):
        super().__init__(io.BytesIO(), encoding=encoding, newline="\n")
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def shown(self) -> bytes:
        self.flush()
        return self.buffer.getvalue()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437", "latin-1", "utf-8"])
def test_a_terminal_shows_what_it_can(encoding: str, monkeypatch):
    console = Console(encoding, terminal=True)
    monkeypatch.setattr(sys, "stdout", console)
    assert cli.main(["exercises", "show", "attention.softmax"]) == 0
    shown = console.shown().decode(encoding)
    assert ("●" in shown) == (encoding == "utf-8")
    assert ("\\u25cf" in shown) == (encoding != "utf-8")


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437", "utf-16", "utf-8"])
def test_what_is_written_to_a_file_is_read_back(encoding: str, tmp_path, monkeypatch):
    def written(*argv: str) -> bytes:
        monkeypatch.setattr(sys, "stdout", file := Console(encoding, terminal=False))
        cli.main(["exercises", *argv])
        return file.shown()

    for exercise in all_exercises():
        text = written("show", exercise.id).decode()
        assert exercise.prompt in text.replace("\n# ", "\n").replace("\n#", "\n")
        assert text.endswith(f"{exercise.starter}\n")
    (tmp_path / "answer.py").write_text(text, encoding="utf-8")
    verdict = written("check", exercise.id, str(tmp_path / "answer.py")).decode()
    assert verdict.startswith(f"○ {exercise.id}: not attempted")


@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "cp1252"}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}]
)
def test_the_shell_writes_a_whole_file(environment: dict[str, str], tmp_path):
    command = [sys.executable, "-m", "llmlab", "exercises", "show", "attention.softmax"]
    with open(tmp_path / "a.py", "wb") as file:
        subprocess.run(command, stdout=file, env=os.environ | environment, check=True)
    assert "Difficulty 1 of 3 ●○○ · about" in (tmp_path / "a.py").read_text("utf-8")


def test_standard_output_may_be_a_notebooks_or_missing(monkeypatch):
    for stream in (io.StringIO(), None):
        monkeypatch.setattr(sys, "stdout", stream)
        print_anything()


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", ""),
        ("latin-1", "# -*- coding: latin-1 -*-\n"),
    ],
)
def test_answers_are_read_as_python_reads_them(encoding: str, mark: str, tmp_path, capsys):
    answer = tmp_path / "answer.py"
    text = mark + SOFTMAX.replace("≥ 0 ✓", "é")
    answer.write_bytes(text.encode(encoding))
    assert cli.main(["exercises", "check", "attention.softmax", str(answer)]) == 0
    assert "passed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content", [SOFTMAX.encode("utf-16")[:-1], b"x = '\xff'\n" * 400, b"# coding: klingon\n"]
)
def test_answers_that_are_no_text_are_named(content: bytes, tmp_path, capsys):
    answer = tmp_path / "answer.py"
    answer.write_bytes(content)
    assert cli.main(["exercises", "check", "attention.softmax", str(answer)]) == 2
    assert f"FILE must be UTF-8 text, as Python is: {answer} is not (" in capsys.readouterr().err


def test_json_is_ascii_and_knows_no_infinity(capsys):
    print_json({"a": [math.inf, -math.inf, math.nan, 1.5], "b": {"c": (math.nan, "é\udcff")}})
    shown = capsys.readouterr().out
    assert shown.isascii()

    def refuse(constant: str):
        pytest.fail(f"{constant} is not JSON")

    read = json.loads(shown, parse_constant=refuse)
    assert read == {"a": [None, None, None, 1.5], "b": {"c": [None, "é\udcff"]}}


def test_a_verdict_with_every_character_is_json(monkeypatch, tmp_path, capsys):
    answer = tmp_path / "answer.py"
    answer.write_text(SOFTMAX, encoding="utf-8")
    verdict = Verdict("attention.softmax", "failed", "½ ✗ 日本", output="\ud800")
    monkeypatch.setattr("llmlab.exercises.check_source", lambda id, source: verdict)
    argv = ["exercises", "check", "--json", "attention.softmax", str(answer)]
    assert cli.main(argv) == 1
    assert json.loads(capsys.readouterr().out)["message"] == "½ ✗ 日本"
    assert cli.main([word for word in argv if word != "--json"]) == 1
    assert "\\ud800" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["my run", "it's", 'a "b"', "-run", "$HOME;ls", "a\\b", "ü", "*"])
def test_commands_can_be_pasted_into_a_shell(name: str):
    text = command_line("llmlab", "info", Path(name))
    read = shlex.split(text)
    assert read[:2] == ["llmlab", "info"]
    assert Path(read[2]) == Path(name)
    assert not read[2].startswith("-")


def test_commands_for_windows_are_quoted_as_it_quotes(monkeypatch):
    monkeypatch.setattr(reporting.os, "name", "nt")
    assert command_line("llmlab", "info", "my run") == 'llmlab info "my run"'


def test_a_sentence_keeps_the_spaces_of_paths():
    assert sentence(ValueError("use my  run\n  instead.")) == "use my  run instead."
