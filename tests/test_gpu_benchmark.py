"""The one command for a GPU, rehearsed on the CPU: every part, its records, and its page."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from llmlab_site.speed import gpu as page

from llmlab.display.cards.tables import precision_table, throughput_table
from llmlab.training import Run

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks" / "gpu.py"
PARTS = ["agreement", "precision", "throughput", "preset"]


@pytest.fixture(scope="module")
def gpu():
    """The script as a module."""
    sys.path.insert(0, str(SCRIPT.parent))
    import gpu

    yield gpu
    sys.path.remove(str(SCRIPT.parent))


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory) -> Path:
    """The folder of records that a tiny run of every part on the CPU leaves."""
    out = tmp_path_factory.mktemp("gpu")
    options = ["--device=cpu", "--tiny", "--minutes=5", f"--out={out}"]
    done = subprocess.run([sys.executable, SCRIPT, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split() for line in done.stdout.splitlines()[-4:]] == [
        [name, "measured"] for name in PARTS
    ]
    return out


@pytest.fixture(scope="module")
def records(rehearsal) -> dict[str, dict]:
    return {name: json.loads((rehearsal / f"{name}.json").read_text()) for name in PARTS}


def test_a_device_agrees_with_itself(records):
    figures = records["agreement"]["figures"]
    assert figures["difference of logit"] == figures["difference of loss"] == 0
    assert figures["largest gradient"] > 0


def test_every_format_of_a_cpu_is_trained(records):
    figures = records["precision"]["figures"]
    assert figures["bf16"]["loss"] == pytest.approx(figures["fp32"]["loss"], abs=0.01)
    assert figures["bf16"]["loss"] != figures["fp32"]["loss"]


def test_peers_take_turns_as_they_are_and_compiled(records):
    figures = records["throughput"]["figures"]
    for kind in ("eager", "compiled"):
        assert list(figures[kind]) == ["llmlab", "transformers"]
        assert all(row["tokens a second"] > 0 for row in figures[kind].values())


def test_the_preset_leaves_a_run_record_too(rehearsal, records):
    run = Run.load(rehearsal / "h100-0.jsonl")
    assert run.step == records["preset"]["figures"]["steps"]
    assert run.final("validation_loss") < run.column("validation_loss")[1][0]


def test_the_page_tells_what_each_record_holds(records):
    shown = page(records)
    assert throughput_table(records["throughput"]["figures"]) in shown
    assert precision_table(records["precision"]["figures"]) in shown
    assert f"torch {torch.__version__.partition('+')[0]}" in shown
    assert "The preset `h100` trains 0 million weights for 40 steps:" in shown


def test_the_page_shows_what_there_is(records):
    assert "was measured on a GPU yet" in page({})
    some = page({"agreement": records["agreement"]})
    assert "computes what the CPU computes" in some
    assert "|" not in some


def test_a_shorter_run_of_the_preset_says_so(records):
    record = json.loads(json.dumps(records["preset"]))
    record["figures"]["steps of the preset"] = 1000
    assert "40 steps, of 1,000 in the preset:" in page({"preset": record})


def test_tables_by_hand():
    eager = {"ours": {"tokens a second": 12345.6, "utilisation": 0.254}}
    assert throughput_table({"eager": eager}).splitlines()[2] == "| ours | 12,346 | 25% |  |  |"
    row = {"loss": 2.5, "milliseconds a step": 12.34, "peak bytes": 1.5e9}
    assert precision_table({"bf16": row}).splitlines()[2] == "| bf16 | 2.500 | 12.3 | 1.50 |"


def test_parts_without_the_time_they_need_are_left_out(gpu, tmp_path):
    asked = argparse.Namespace(minutes=0.01, tiny=False, device="cpu", out=tmp_path, nanogpt=None)
    outcomes = gpu.run_all(asked)
    assert list(outcomes) == PARTS
    assert all(outcome.startswith("left out: it needs") for outcome in outcomes.values())
    assert list(tmp_path.iterdir()) == []


def test_what_a_part_measured_before_it_failed_is_kept(gpu, tmp_path, monkeypatch):
    def measure(task):
        yield {"first": 1}
        raise RuntimeError("out of memory")

    monkeypatch.setattr(gpu, "parts", lambda: {"broken": SimpleNamespace(measure=measure)})
    with pytest.raises(RuntimeError, match="out of memory"):
        gpu.run_part("broken", gpu.Task(torch.device("cpu"), True, 10, tmp_path, None))
    assert json.loads((tmp_path / "broken.json").read_text())["figures"] == {"first": 1}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--device=cuda:99"], "device='cuda:99' is not on this machine"),
        (["--device=cpu", "--part=fast"], "--part must be one of agreement, precision, "),
    ],
)
def test_bad_options_get_one_sentence(options, sentence):
    done = subprocess.run([sys.executable, SCRIPT, *options], capture_output=True, text=True)
    assert done.returncode == 2
    assert sentence in done.stderr.splitlines()[-1]
