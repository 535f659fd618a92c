"""Build the website: web assets, executed chapters, the ledger of claims, the pages.

Run it from anywhere as ``python book/build.py``. It may be interrupted at any time: what was
finished is kept, and the next run continues. Without changes it executes nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

from llmlab_site import EXECUTED  # noqa: E402
from llmlab_site.assets import AssetsFailed, install_assets  # noqa: E402
from llmlab_site.catalogue import CATALOGUE, catalogue  # noqa: E402
from llmlab_site.execution import (  # noqa: E402
    FRESH,
    NotebookFailed,
    execute_notebooks,
    write_if_changed,
)
from llmlab_site.exercises import DISPLAY  # noqa: E402
from llmlab_site.ledger import chapter_title, collect_claims, ledger_page, sample_card  # noqa: E402
from llmlab_site.opening import opening_page  # noqa: E402
from llmlab_site.pyodide import PYODIDE, NumpyMissing, install_numpy  # noqa: E402
from llmlab_site.repository import colab_buttons, copy_command  # noqa: E402
from llmlab_site.speed import comparison, gpu, ladder  # noqa: E402

from llmlab.training import recorded_figures, recorded_runs  # noqa: E402

BUILD = ROOT / "_build"
HTML = BUILD / "html"


def main() -> int:
    """Build the site and return the exit status."""
    start = time.monotonic()
    try:
        colab_buttons(os.environ)  # an address that is no good stops the build before it starts
        with stage("web assets"):
            if not install_assets():
                print("  unchanged")
            prepare_python()
        with stage("notebooks"):
            chapters = chapter_paths()
            executed = execute_notebooks(
                chapters, ROOT, BUILD / EXECUTED, bool(os.environ.get(FRESH))
            )
        with stage("claims"):
            write_generated_pages(chapters, executed)
        with stage("pages"):
            status = build_pages(executed)
    except (AssetsFailed, NotebookFailed, ValueError, FileNotFoundError) as error:
        print(f"\nThe book was not built. {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. What was finished is kept; run it again to go on.", file=sys.stderr)
        return 130
    if status:
        print("\nThe book was not built: Sphinx reported the problems above.", file=sys.stderr)
        return 1
    print(f"\nThe book is built in {time.monotonic() - start:.0f} s: {HTML / 'index.html'}")
    print("Look at it with: make serve")
    return 0


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Print the name of a stage, and its time when it is done."""
    start = time.monotonic()
    print(f"{name} ...", flush=True)
    yield
    print(f"{name}: {time.monotonic() - start:.1f} s", flush=True)


def prepare_python() -> None:
    """Fetch what the page needs to grade exercises; the site is built without it, too."""
    try:
        install_numpy()
    except NumpyMissing as problem:
        print(f"  the pages will not check exercises: {problem}")


def chapter_paths() -> list[Path]:
    """Return the notebooks that ``_toc.yml`` lists, in the order of the book.

    Raises:
        FileNotFoundError: one of them does not exist.
    """
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    entries = [*toc.get("chapters", []), *(e for part in toc["parts"] for e in part["chapters"])]
    names = [entry["file"] for entry in entries if entry["file"].startswith("notebooks/")]
    paths = [ROOT / f"{name}.ipynb" for name in names]
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"_toc.yml lists {path.relative_to(ROOT)}, which is not there.")
    return paths


def write_generated_pages(chapters: list[Path], executed: dict[str, Path]) -> None:
    """Write the pages, and parts of pages, that executed chapters and stored records give."""
    claims = collect_claims(executed)
    titles = {name: chapter_title(path) for name, path in zip(executed, chapters, strict=True)}
    write_if_changed(ROOT / "book" / "claims.md", ledger_page(claims, titles))
    generated = ROOT / "book" / "_generated"
    write_if_changed(generated / "opening.md", opening_page(executed))
    write_if_changed(generated / "copy.md", copy_command(os.environ))
    write_if_changed(generated / "card.md", sample_card(executed, "T-08"))
    peers = json.loads((ROOT / "records" / "benchmarks" / "cpu.json").read_text("utf-8"))
    write_if_changed(generated / "comparison.md", comparison(peers))
    write_if_changed(generated / "ladder.md", ladder(recorded_runs("ladder")))
    write_if_changed(generated / "gpu.md", gpu(recorded_figures("gpu")))
    write_if_changed(ROOT / CATALOGUE, json.dumps(catalogue(executed, titles), indent=1))
    print(f"  {len(claims)} settled")


def build_pages(executed: dict[str, Path]) -> int:
    """Run jupyter-book with warnings as errors and return its exit status.

    Sphinx rewrites only the pages whose source changed; when what every page shows changed (its
    navigation, its theme), the whole site is written anew.
    """
    stamp = BUILD / ".pages"
    shared = shared_hash(executed)
    if not stamp.is_file() or stamp.read_text() != shared:
        shutil.rmtree(HTML, ignore_errors=True)
        shutil.rmtree(BUILD / ".doctrees", ignore_errors=True)
    stamp.unlink(missing_ok=True)
    program = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "build", str(ROOT)]
    result = subprocess.run(
        [*command, "--warningiserror", "--keep-going", "--quiet"],
        env={**os.environ, "PYTHONWARNINGS": "ignore"},  # of Sphinx's dependencies, not of the book
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if result.returncode:
        print(result.stdout)
        return result.returncode
    stamp.write_text(shared)
    return 0


def shared_hash(executed: dict[str, Path]) -> str:
    """Hash what shows on every page: configuration, contents, titles, buttons, the extension."""
    extension = ROOT / "book" / "_ext"
    paths = [ROOT / "_config.yml", ROOT / "_toc.yml", ROOT / "requirements.txt"]
    paths += [extension / "package-lock.json", *sorted(extension.glob("llmlab_site/*.*"))]
    paths += sorted(path for path in extension.glob("[st]*/**/*") if path.is_file())
    paths += sorted((ROOT / "llmlab" / "exercises").rglob("*.py"))
    paths += [ROOT / "llmlab" / "display" / name for name in DISPLAY]
    paths += [ROOT / CATALOGUE, *PYODIDE.glob("*.whl")]
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + path.read_bytes())
    digest.update(json.dumps(colab_buttons(os.environ)).encode())
    for name in executed:
        digest.update(chapter_title(ROOT / f"{name}.ipynb").encode())
    for page in sorted((ROOT / "book").glob("*.md")):
        digest.update(page.read_text("utf-8").split("\n", 1)[0].encode())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
