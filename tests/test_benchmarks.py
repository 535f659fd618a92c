"""The benchmarks: the arithmetic of their tables, and that README shows the stored ones."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

from llmlab.analysis.ladder import rungs
from llmlab.display.cards.tables import comparison_table, ladder_table
from llmlab.training import Run, TrainConfig, recorded_runs

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module", autouse=True)
def benchmarks():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield
    sys.path.remove(str(ROOT / "benchmarks"))


def run(name: str, seed: int, loss: float, seconds: list[float]) -> Run:
    """A run whose record keeps every tenth step."""
    lines = [{"step": 10 * n, "seconds": at} for n, at in enumerate(seconds, start=1)]
    lines[-1] |= {"validation_loss": loss, "wall_seconds": 1 + seconds[-1]}
    return Run(TrainConfig(40, seed=seed), name=name, lines=lines)


def test_a_row_by_hand():
    row = {"what": "walk", "peer": "a peer", "ours": 0.04, "theirs": 12.345, "ratio": 308.625}
    assert (
        comparison_table({"rows": [row]}).splitlines()[-1]
        == "| walk | 40 ms | a peer 12.3 s | 308.62 |"
    )


def test_in_turns_takes_medians_and_the_median_of_the_ratios(monkeypatch):
    import compare

    times = iter([8.0, 2.0, 6.0, 3.0, 10.0, 1.0])  # theirs, ours, theirs, ours, ...
    monkeypatch.setattr(compare, "seconds", lambda work: next(times))
    assert compare.in_turns(lambda: None, lambda: None, 3) == (2.0, 8.0, 4.0)


def test_the_ladder_by_hand():
    # 9 s to compile, then 10, 20 and 30 ms a step: the interval that compiled does not count
    whole = [
        run("everything", seed, loss, [9.0, 9.1, 9.3, 9.6]) for seed, loss in ((0, 1.8), (1, 1.9))
    ]
    worse = [run("less", 0, 2.0, [1.0, 2.0, 3.0, 4.0])]
    better = [run("more", 0, 1.75, [1.0, 2.0, 3.0, 4.0])]
    table = ladder_table(rungs([*better, *whole, *worse])).splitlines()
    assert table[2] == "| everything | 1.850 |  | 20 | 11 |"
    assert table[3] == "| less | 2.000 | +0.150 | 100 | 5 |"
    assert table[4] == "| more | 1.750 | −0.100 | 100 | 5 |"


def test_every_rung_of_the_ladder_is_on_record_with_the_same_seeds():
    import ladder

    found = {rung.name: len(rung.losses) for rung in rungs(recorded_runs("ladder"))}
    assert found == dict.fromkeys([*ladder.VARIANTS, ladder.START], found["everything"])


def test_the_readme_shows_the_stored_comparison():
    record = json.loads((ROOT / "records" / "benchmarks" / "cpu.json").read_text("utf-8"))
    assert comparison_table(record) in (ROOT / "README.md").read_text("utf-8")


def test_a_copied_chapter_has_code_and_a_title_of_its_own(tmp_path):
    from big_book import copy_chapter, list_chapters

    original = chapter_in(tmp_path, "01_attention.ipynb")
    parts = [{"caption": "Transformer", "chapters": [{"file": "notebooks/01_attention"}]}]
    parts.append({"caption": "Reference", "chapters": [{"file": "book/glossary"}]})
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump({"root": "book/index", "parts": parts}))
    for number in (4, 5):
        copy_chapter(original, number)
    list_chapters(tmp_path)
    names = ["01_attention", "04_attention_4", "05_attention_5"]
    books = [nbformat.read(tmp_path / "notebooks" / f"{name}.ipynb", 4) for name in names]
    for kind in ("code", "markdown"):
        firsts = [next(c.source for c in book.cells if c.cell_type == kind) for book in books]
        assert len(set(firsts)) == 3
    contents = yaml.safe_load((tmp_path / "_toc.yml").read_text())
    copies = [chapter["file"] for chapter in contents["parts"][-2]["chapters"]]
    assert copies == ["notebooks/04_attention_4", "notebooks/05_attention_5"]


def test_a_copied_chapter_settles_claims_of_its_own(tmp_path):
    from big_book import copy_chapter, copy_claims

    ledger = Path("llmlab", "display", "cards", "ledger")
    shutil.copytree(ROOT / ledger, tmp_path / ledger)
    chapter = copy_chapter(chapter_in(tmp_path, "01_attention.ipynb"), 4)
    copy_claims(chapter, 4, tmp_path)
    settled = re.findall(r'settle\(\s*\\?"(\w+-\d+)', code_of(chapter))
    known = json.loads((tmp_path / ledger / "T4.json").read_text())
    assert len(settled) > 5
    assert settled == list(known)
    assert known["T4-07"] == json.loads((ROOT / ledger / "T.json").read_text())["T-07"]


def chapter_in(folder: Path, name: str) -> Path:
    (folder / "notebooks").mkdir()
    return Path(shutil.copy2(ROOT / "notebooks" / name, folder / "notebooks"))


def code_of(chapter: Path) -> str:
    cells = nbformat.read(chapter, 4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "code")


def test_the_costs_of_a_big_book_stand_beside_their_targets():
    from big_book import table

    rows = table({"book": 18.44, "paragraph": 0.2, "test": None}, 22).splitlines()[2:]
    assert rows == [
        "| make book, from nothing | 20.0 min | 18.4 min |",
        "| make book after editing a paragraph | 15 s | 12 s |",
        "| make test, from nothing | 45.0 min | failed |",
    ]
