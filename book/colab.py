"""Write the Colab edition of the book: the chapters with outputs, for a branch of their own.

    python book/colab.py --repository https://github.com/OWNER/NAME --commit HASH --out FOLDER

The book has to be built: the outputs come from its cache. Each notebook installs ``llmlab`` from
the repository at that commit, which must be there when somebody runs it.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import nbformat
from build import ROOT, chapter_paths
from llmlab_site.edition import FOLDER, Edition
from llmlab_site.execution import NotebookFailed, executed_notebook
from llmlab_site.ledger import chapter_title
from llmlab_site.plain_markdown import read_bibliography
from llmlab_site.repository import REPOSITORY, SITE, colab_address

README = """# LLM Lab, the Colab edition

Written by `book/colab.py` from commit {commit}; changes made here are lost with the next edition.

{chapters}
"""


def main(arguments: list[str] | None = None) -> int:
    """Write the edition and return the exit status."""
    options = parse(arguments)
    try:
        edition = Edition(options.repository, options.commit, options.site)
        files = edition_files(edition)
    except (NotebookFailed, ValueError, FileNotFoundError) as error:
        print(f"The Colab edition was not written. {error}", file=sys.stderr)
        return 1
    for name, text in files.items():
        path = options.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    print(f"The Colab edition of {options.commit[:7]} is in {options.out}: {len(files)} files.")
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line; the addresses may come from the environment."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    option = parser.add_argument
    where = os.environ.get(REPOSITORY)
    option("--repository", default=where, required=not where, help=f"or ${REPOSITORY}")
    option("--commit", required=True, help="the full hash of a commit in that repository")
    option("--out", required=True, type=Path, help="the folder to write into")
    option("--site", default=os.environ.get(SITE, ""), help=f"the website's address, or ${SITE}")
    return parser.parse_args(arguments)


def edition_files(edition: Edition) -> dict[str, str]:
    """Return every file of the edition: its path and its text.

    Raises:
        NotebookFailed: the book is not built as it stands.
        ValueError: a chapter cannot be translated.
    """
    works = read_bibliography(ROOT / "book" / "references.bib")
    files, lines = {}, []
    for path in chapter_paths():
        executed = executed_notebook(path, ROOT)
        name = f"{FOLDER}/{path.name}"
        files[name] = nbformat.writes(edition.notebook(executed, path.stem, works)) + "\n"
        address = colab_address(edition.repository, name) or name
        lines.append(f"- [{chapter_title(path)}]({address})")
    files["README.md"] = README.format(commit=edition.commit, chapters="\n".join(lines))
    return files


if __name__ == "__main__":
    sys.exit(main())
