"""What a book of twenty-two chapters costs: the chapters there are, copied under new names.

    python benchmarks/big_book.py FOLDER                  # every measurement: about two hours
    python benchmarks/big_book.py FOLDER book paragraph   # some of them, in this order

FOLDER gets a copy of this working tree with more chapters, and a cache folder of its own, which at
first holds no execution, and no key of a test that passed. A copied chapter has a comment of its
own in its code, and claims of its own: it has to run. Packages are installed already, the texts
that chapters read and the browser are there. What a measurement prints is in
FOLDER/<measurement>.log.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from llmlab.files import cache_folder

ROOT = Path(__file__).resolve().parents[1]
BOOK, TEST = ["book/build.py"], ["tests/run.py"]
MEASUREMENTS = {  # name: (what, the most minutes that it may take)
    "book": ("make book, from nothing", 20.0),
    "paragraph": ("make book after editing a paragraph", 0.25),
    "test": ("make test, from nothing", 45.0),
    "chapter": ("make test after editing a chapter", 12.0),
    "clone": ("make test after editing a chapter, in a fresh clone", 12.0),
}


def main() -> int:
    """Make the book, measure, and return 1 if a command failed or took too long."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="where the book is made; it must not exist yet")
    parser.add_argument("measurements", nargs="*", metavar="|".join(MEASUREMENTS))
    parser.add_argument("--chapters", type=int, default=22)
    options = parser.parse_args()
    if options.folder.exists():
        parser.error(f"folder must not exist yet: got {options.folder}.")
    wanted = options.measurements or list(MEASUREMENTS)
    if unknown := set(wanted) - set(MEASUREMENTS):
        parser.error(f"measurements must be of {', '.join(MEASUREMENTS)}: got {min(unknown)}.")
    book = BigBook(options.folder.resolve(), options.chapters)
    minutes = {name: getattr(book, name)() for name in wanted}
    print(table(minutes, options.chapters))
    return int(any(took is None or took > MEASUREMENTS[name][1] for name, took in minutes.items()))


class BigBook:
    """A book of many chapters in a folder, and what it takes to build and to test it."""

    def __init__(self, folder: Path, chapters: int) -> None:
        self.folder, self.chapters = folder, chapters
        self.cache = folder / "cache"
        self.cache.mkdir(parents=True)
        for path in cache_folder().iterdir():
            if path.is_file():
                shutil.copy2(path, self.cache)
        self.tree = self._make("book")

    def book(self) -> float | None:
        """Build the site where nothing was built and nothing executed."""
        self._forget()
        return self._run("book", BOOK)

    def paragraph(self) -> float | None:
        """Build a site that was built, after a sentence of a chapter has changed."""
        self._run("before-paragraph", BOOK)
        self._edit("markdown", "One more sentence.")
        return self._run("paragraph", BOOK)

    def test(self) -> float | None:
        """Run every check where nothing was built, executed or tested."""
        self._forget()
        return self._run("test", TEST)

    def chapter(self) -> float | None:
        """Run every check where all was checked, after a cell of a chapter has changed."""
        self._edit("code", "# one more comment")
        return self._run("chapter", TEST)

    def clone(self) -> float | None:
        """The same in a tree where nothing was built, on a machine that executed the rest."""
        self.tree = self._make("clone")
        self._edit("code", "# another comment")
        return self._run("clone", TEST)

    def _make(self, name: str) -> Path:
        """Copy this working tree, and the chapters in it until there are enough."""
        tree = self.folder / name
        listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others"]
        names = subprocess.check_output([*listing, "--exclude-standard"], text=True).split("\0")
        for file in filter(None, names):
            if (ROOT / file).is_file():
                (tree / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / file, tree / file)
        originals = sorted((tree / "notebooks").glob("*.ipynb"))
        for number in range(len(originals) + 1, self.chapters + 1):
            copy_claims(
                copy_chapter(originals[(number - 1) % len(originals)], number), number, tree
            )
        list_chapters(tree)
        name_chapters(tree)
        git = ["git", "-C", str(tree), "-c", "user.name=big", "-c", "user.email=big@localhost"]
        for command in (["init", "-q"], ["add", "--all"], ["commit", "-q", "-m", "A big book"]):
            subprocess.run([*git, *command], check=True)
        return tree

    def _forget(self) -> None:
        shutil.rmtree(self.tree / "_build", ignore_errors=True)
        for kept in ("executions", "passed"):
            shutil.rmtree(self.cache / kept, ignore_errors=True)

    def _edit(self, kind: str, line: str) -> None:
        """Add a line to the last cell of a kind in the last chapter."""
        path = max((self.tree / "notebooks").glob("*.ipynb"))
        notebook = json.loads(path.read_text("utf-8"))
        cell = [cell for cell in notebook["cells"] if cell["cell_type"] == kind][-1]
        cell["source"] = text(cell) + f"\n\n{line}"
        write(path, notebook)

    def _run(self, name: str, command: list[str]) -> float | None:
        """Run a program of the tree and return the minutes it took, or None if it failed."""
        print(f"{name} ...", flush=True)
        # this tree's package, not the one that is installed for the tree it was copied from
        environment = {"PYTHONPATH": str(self.tree), "LLMLAB_CACHE": str(self.cache)}
        start = time.monotonic()
        with (self.folder / f"{name}.log").open("w") as log:
            status = subprocess.run(
                [sys.executable, *command],
                cwd=self.tree,
                env={**os.environ, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            ).returncode
        minutes = (time.monotonic() - start) / 60
        print(f"{name}: {minutes:.1f} minutes, exit status {status}", flush=True)
        return None if status else minutes


def copy_chapter(original: Path, number: int) -> Path:
    """Copy a chapter under another number, with a title and a line of code of its own."""
    notebook = json.loads(original.read_text("utf-8"))
    slug = original.stem.split("_", 1)[1]
    for kind, change in (
        ("code", lambda source: f"# chapter {number}\n{source}"),
        ("markdown", lambda source: source.replace("# ", f"# {number}, like ", 1)),
    ):
        cell = next(cell for cell in notebook["cells"] if cell["cell_type"] == kind)
        cell["source"] = change(text(cell))
    path = original.with_name(f"{number:02}_{slug}_{number}.ipynb")
    write(path, notebook)
    return path


def copy_claims(chapter: Path, number: int, tree: Path) -> None:
    """Let a copy settle claims of its own, T4-07 for T-07: a claim has one place in a book."""
    notebook = json.loads(chapter.read_text("utf-8"))
    settled = re.compile(r'settle\(\s*"(([A-Z])-(\d+))"')
    ledger = tree / "llmlab" / "display" / "cards" / "ledger"
    for cell in notebook["cells"]:
        for call, id, section, rest in [(m[0], *m.groups()) for m in settled.finditer(text(cell))]:
            own = f"{section}{number}-{rest}"
            cell["source"] = text(cell).replace(call, call.replace(id, own))
            claim = json.loads((ledger / f"{section}.json").read_text("utf-8"))[id]
            place = ledger / f"{section}{number}.json"
            claims = json.loads(place.read_text("utf-8")) if place.is_file() else {}
            write(place, {**claims, own: claim})
    write(chapter, notebook)


def list_chapters(tree: Path) -> None:
    """Put the chapters that the table of contents lacks into a part of their own."""
    path = tree / "_toc.yml"
    contents: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    listed = {each["file"] for part in contents["parts"] for each in part["chapters"]}
    chapters = [f"notebooks/{path.stem}" for path in sorted(tree.glob("notebooks/*.ipynb"))]
    more = [{"file": name} for name in chapters if name not in listed]
    contents["parts"].insert(-1, {"caption": "Copies", "chapters": more})
    path.write_text(yaml.safe_dump(contents, sort_keys=False, allow_unicode=True), "utf-8")


def name_chapters(tree: Path) -> None:
    """Link every copy from the first page, where no chapter is planned any more."""
    path = tree / "book" / "index.md"
    page = path.read_text("utf-8")
    names = [chapter.name for chapter in sorted(tree.glob("notebooks/*.ipynb"))]
    links = "\n".join(f"- [{name}](../notebooks/{name})" for name in names if name not in page)
    planned = r"(These chapters are \*planned\*).*?\n\n"
    path.write_text(re.sub(planned, rf"\1: none.\n\n{links}\n\n", page, flags=re.S), "utf-8")


def write(path: Path, content: dict[str, Any]) -> None:
    """Write JSON as notebooks have it."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def text(cell: dict[str, Any]) -> str:
    """The source of a cell, which a notebook may hold in lines."""
    return "".join(cell["source"])


def table(minutes: dict[str, float | None], chapters: int) -> str:
    """The measured times beside the targets, in Markdown."""
    lines = [
        f"| {chapters} chapters, {os.cpu_count()} cores | at most | measured |",
        "|---|---|---|",
    ]
    for name, took in minutes.items():
        what, most = MEASUREMENTS[name]
        measured = "failed" if took is None else clock(took)
        lines.append(f"| {what} | {clock(most)} | {measured} |")
    return "\n".join(lines)


def clock(minutes: float) -> str:
    """Minutes, or seconds where they say more."""
    return f"{60 * minutes:.0f} s" if minutes < 2 else f"{minutes:.1f} min"


if __name__ == "__main__":
    sys.exit(main())
