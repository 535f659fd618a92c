"""A repository of its own for tests that execute chapters, with a cache folder of its own."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from llmlab_site.execution import execute_notebooks
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


class Repository:
    """A repository with a package ``llmlab`` that is empty at first, and no chapter."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.cache = root.with_name(f"{root.name}-cache")
        monkeypatch.setenv("LLMLAB_CACHE", str(self.cache))
        monkeypatch.setenv("PYTHONPATH", str(root))  # this package instead of the installed one
        self.write("requirements.txt", "numpy==1.0\n")
        self.write("llmlab/__init__.py", "")

    def write(self, name: str, text: str) -> Path:
        """Write a file, with the folders that it needs."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def chapter(self, *sources: str, name: str = "01_a", prose: str = "# A") -> Path:
        """Write a chapter of one Markdown cell and these code cells."""
        cells = [new_markdown_cell(prose, id="prose")]
        cells += [new_code_cell(source, id=f"code-{i}") for i, source in enumerate(sources)]
        path = self.root / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(new_notebook(metadata=KERNEL, cells=cells), path)
        return path

    def execute(self, *paths: Path, fresh: bool = False) -> list[str]:
        """Execute chapters and return what the last cell of each printed."""
        executed = execute_notebooks(paths, self.root, self.root / "_build" / "executed", fresh)
        last = [nbformat.read(path, as_version=4).cells[-1] for path in executed.values()]
        return ["".join(output.get("text", "") for output in cell.outputs) for cell in last]
