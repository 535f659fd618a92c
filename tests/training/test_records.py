import json

import numpy
import pytest

from llmlab.training import RecordError, Run, TrainConfig, recorded_runs
from llmlab.training.records import RecordWriter


@pytest.fixture
def run():
    lines = [
        {"step": 0, "tokens": 0, "seconds": 0.0, "validation_loss": 4.0},
        {"step": 1, "loss": 3.5, "tokens": 32, "seconds": 0.1},
        {"step": 2, "loss": 3.0, "tokens": 64, "seconds": 0.2, "validation_loss": 2.5},
    ]
    return Run(TrainConfig(steps=2, seed=4), {"model": "gpt"}, "toy", 120, lines=lines)


def test_a_column_has_values_where_it_was_recorded(run):
    steps, values = run.column("validation_loss")
    numpy.testing.assert_array_equal(steps, [0, 2])
    numpy.testing.assert_array_equal(values, [4.0, 2.5])
    assert run.final("loss") == 3.0


def test_an_unknown_column_names_those_there_are(run):
    with pytest.raises(
        KeyError,
        match="the run's columns, loss, seconds, step, tokens, validation_loss: got 'accuracy'",
    ):
        run.column("accuracy")


def test_a_record_survives_the_disk(run, tmp_path):
    run.interrupted = True
    run.save(tmp_path / "run.jsonl")
    assert Run.load(tmp_path / "run.jsonl") == run
    assert (tmp_path / "run.jsonl").stat().st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["run.jsonl"]


def test_every_line_is_json_that_a_browser_reads(run, tmp_path):
    run.lines[1]["gradient_norm"] = float("inf")
    run.save(tmp_path / "run.jsonl")
    texts = (tmp_path / "run.jsonl").read_text().splitlines()
    header, *lines = [json.loads(text, parse_constant=pytest.fail) for text in texts]
    assert header["train"]["seed"] == header["seed"] == 4
    assert lines[1]["gradient_norm"] is None
    assert Run.load(tmp_path / "run.jsonl").lines[1]["gradient_norm"] is None


def test_lines_are_on_the_disk_as_soon_as_they_are_written(run, tmp_path):
    path = tmp_path / "run.jsonl"
    writer = RecordWriter(path, run)
    writer.write([{"step": 3, "loss": 2.0}])
    assert Run.load(path).final("loss") == 2.0
    writer.write_interrupted()
    assert Run.load(path).interrupted
    writer.close()


def test_a_last_line_cut_off_by_a_kill_is_left_out(run, tmp_path):
    path = tmp_path / "run.jsonl"
    run.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    assert Run.load(path).lines == run.lines[:-1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no header line"),
        (b'{"step": 1}\n', "no header line"),
        (b'{"format": 1, "train": {"steps": 0}}\n', "its header is wrong"),
        (b'{"format": 1, "train": {"colour": 3}}\n', "its header is wrong"),
        (b'{"train": {"steps": 1}}\n', "has format None, and this version of llmlab reads 1"),
        (b'{"format": 9, "train": {"steps": 1}}\n', "has format 9, and this version"),
        (b"hello\n", "line 1 is not a JSON object"),
        (b"\xff\xfe\n", "could not read the record"),
    ],
)
def test_a_file_that_is_not_a_record_is_named(tmp_path, content, message):
    (tmp_path / "notes.txt").write_bytes(content)
    with pytest.raises(RecordError, match=message) as raised:
        Run.load(tmp_path / "notes.txt")
    assert "notes.txt" in str(raised.value)


def test_a_missing_record_is_named(tmp_path):
    with pytest.raises(RecordError, match=r"could not read the record .*none\.jsonl"):
        Run.load(tmp_path / "none.jsonl")


def test_a_record_that_cannot_be_written_leaves_nothing(run, tmp_path):
    with pytest.raises(RecordError, match="could not write the record"):
        run.save(tmp_path / "missing" / "run.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_every_record_of_the_book_is_found_by_folder_and_name(root):
    folders = {path.parent for path in (root / "records").glob("*/*.jsonl")}
    assert {"03_pretraining", "ladder"} <= {folder.name for folder in folders}
    for folder in folders:
        assert len(recorded_runs(folder.name)) == len(list(folder.glob("*.jsonl")))
    assert [run.seed for run in recorded_runs("03_pretraining", "gpt")] == [1, 2]
    assert [run.name for run in recorded_runs("03_pretraining", "bert-15")] == ["15 % hidden"] * 2


def test_records_that_do_not_exist_are_named():
    with pytest.raises(ValueError, match=r"folder must be .*, ladder\): got '03_pretrain'"):
        recorded_runs("03_pretrain")
    with pytest.raises(ValueError, match=r"name must be one of bert-15, .*: got 'bert-1'"):
        recorded_runs("03_pretraining", "bert-1")


def test_records_inside_an_installed_package_come_before_those_beside_it(
    run, tmp_path, monkeypatch
):
    package = tmp_path / "site-packages" / "llmlab"
    monkeypatch.setattr("llmlab.training.records.__file__", str(package / "training/records.py"))
    (tmp_path / "site-packages/records/beside").mkdir(parents=True)
    run.save(tmp_path / "site-packages/records/beside/toy-4.jsonl")
    assert recorded_runs("beside") == [run]
    (package / "records/inside").mkdir(parents=True)
    run.save(package / "records/inside/toy-4.jsonl")
    assert recorded_runs("inside", "toy") == [run]
    with pytest.raises(ValueError, match="folder must be"):
        recorded_runs("beside")
