"""The key of a notebook changes with what the notebook can reach, and with nothing else."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from llmlab_site import dependencies
from llmlab_site.dependencies import closure, imported_modules, notebook_key


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    files = {
        "requirements.txt": "numpy==1.0\n",
        "llmlab/__init__.py": "",
        "llmlab/data/__init__.py": "from .corpora import load\n",
        "llmlab/data/corpora.py": "def load(): ...\n",
        "llmlab/models/__init__.py": "",
        "llmlab/models/gpt.py": "def build():\n    from llmlab.data import load\n",
        "llmlab/display/__init__.py": "from ..models import gpt\n",
        "llmlab/display/map.js": "export default {};\n",
        "llmlab/cli.py": "import llmlab.display\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def key(repository: Path, *sources: str) -> str:
    dependencies._part_hash.cache_clear()
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return notebook_key(notebook, repository, "01_first")


def test_imports_are_found_wherever_they_stand() -> None:
    source = "import a.b, c\ndef f():\n    from d import e\n    from . import g\n"
    assert imported_modules(source, "p.q") == {"a.b", "c", "d", "d.e", "p.q", "p.q.g"}


def test_relative_imports_climb() -> None:
    assert imported_modules("from ..x import y", "p.q") == {"p.x", "p.x.y"}


def test_source_that_does_not_parse_imports_nothing() -> None:
    assert imported_modules("this is not Python") == set()


def test_closure_follows_imports_inside_functions(repository: Path) -> None:
    assert closure({"llmlab.display"}, repository) == {"display", "models", "data"}
    assert closure({"llmlab.models.gpt"}, repository) == {"models", "data"}
    assert closure({"llmlab.cli"}, repository) == {"cli", "display", "models", "data"}
    assert closure({"numpy"}, repository) == set()


def test_key_changes_with_what_is_reached(repository: Path) -> None:
    before = key(repository, "from llmlab.models import gpt")
    (repository / "llmlab/data/corpora.py").write_text("def load(): return 1\n")
    assert key(repository, "from llmlab.models import gpt") != before


def test_key_changes_with_the_records_of_this_notebook_alone(repository: Path) -> None:
    before = key(repository, "import llmlab.data")
    for folder in ("01_first", "02_second"):
        (repository / "records" / folder).mkdir(parents=True)
    (repository / "records/02_second/run.jsonl").write_text("{}\n")
    assert key(repository, "import llmlab.data") == before
    (repository / "records/01_first/run.jsonl").write_text("{}\n")
    assert key(repository, "import llmlab.data") != before


def test_key_keeps_when_other_parts_change(repository: Path) -> None:
    before = key(repository, "from llmlab.models import gpt")
    (repository / "llmlab/display/map.js").write_text("export default {render() {}};\n")
    assert key(repository, "from llmlab.models import gpt") == before


def test_key_changes_with_a_widget_s_script_and_with_the_pins(repository: Path) -> None:
    first = key(repository, "import llmlab.display")
    (repository / "llmlab/display/map.js").write_text("export default {render() {}};\n")
    second = key(repository, "import llmlab.display")
    (repository / "requirements.txt").write_text("numpy==2.0\n")
    assert len({first, second, key(repository, "import llmlab.display")}) == 3


def test_key_changes_with_python(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(repository, "import llmlab.data")
    monkeypatch.setattr(dependencies.sys, "version", "3.99.0")
    assert key(repository, "import llmlab.data") != before


def test_magics_do_not_hide_imports(repository: Path) -> None:
    plain = key(repository, "import llmlab.data")
    assert key(repository, "%matplotlib inline\nimport llmlab.data") == plain
    assert key(repository, "import numpy") != plain
