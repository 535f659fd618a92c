"""House rules that no single part can check for itself."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import tomllib

# A part may import from parts to its left, and from itself.
ORDER = ["data", "models", "training", "inference", "alignment", "analysis", "display"]
LAST = ("display", "exercises", "commands", "cli", "__main__")  # may import everything before

# Written in halves, so that this file does not hold them.
HOSTS = ["pypi" + ".org", "npmjs" + ".org", "pythonhosted" + ".org", "deb.debian" + ".org"]
HEAVY = ["torch", "matplotlib", "transformers", "anywidget", "IPython", "bertviz"]

# Slow to import, and wanted by a cell further down at most.
NEEDLESS = ["transformers", "bertviz", "boto3", "pandas", "scipy", "sympy", "matplotlib.pyplot"]
NEEDLESS += ["torch._dynamo", "torch._inductor"]


def tracked(root: Path) -> list[Path]:
    command = ["git", "-C", str(root), "ls-files", "-z"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [path for name in names.split("\0") if name and (path := root / name).is_file()]


def imported_modules(source: str, package: str) -> set[str]:
    """The dotted names that a module of ``package`` imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return names


def test_imports_are_found_wherever_they_stand_and_climb() -> None:
    source = "import a.b, c\ndef f():\n    from d import e\n    from . import g\n"
    assert imported_modules(source, "p.q") == {"a.b", "c", "d", "d.e", "p.q", "p.q.g"}
    assert imported_modules("from ..x import y", "p.q") == {"p.x", "p.x.y"}


def test_imports_never_point_backwards(root: Path) -> None:
    backwards = []
    for path in sorted((root / "llmlab").rglob("*.py")):
        part = path.relative_to(root / "llmlab").parts[0].removesuffix(".py")
        if part not in ORDER or part in LAST:
            continue
        package = ".".join(path.relative_to(root).parent.parts)
        for module in imported_modules(path.read_text("utf-8"), package):
            other = [*module.split("."), "", ""][1] if module.startswith("llmlab.") else ""
            allowed = ORDER[: ORDER.index(part) + 1]
            if other in {*ORDER, *LAST} and other not in allowed:
                backwards.append(f"{path.relative_to(root)} imports {module}")
    assert not backwards, "\n".join(backwards)


def test_importing_llmlab_is_light(root: Path) -> None:
    code = f"import sys, llmlab; print(sorted(set({HEAVY}) & set(sys.modules)))"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_chapters_open_without_what_they_may_never_need(root: Path) -> None:
    """All first cells in one process: each imports what its chapter needs."""
    program = ""
    for path in sorted(root.glob("notebooks/*.ipynb")):
        cells = json.loads(path.read_bytes())["cells"]
        first = next(cell for cell in cells if cell["cell_type"] == "code")
        program += "".join(first["source"]) + "\n"
    program += f"import sys; print(sorted(set({NEEDLESS}) & set(sys.modules)))"
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_exercises_need_numpy_alone(root: Path) -> None:
    code = f"import sys, llmlab.exercises; print(sorted(set({HEAVY}) & set(sys.modules)))"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_requirements_are_exact_pins(root: Path) -> None:
    lines = (root / "requirements.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    loose = [pin for pin in pins if not re.fullmatch(r"[\w.\-]+==[\w.]+( ; .+)?", pin)]
    assert not loose
    names = [pin.split("==")[0].lower() for pin in pins]
    assert len(names) == len(set(names))


def test_package_ranges_accept_the_pins(root: Path) -> None:
    from packaging.requirements import Requirement

    pins = dict(re.findall(r"^([\w.\-]+)==([\w.]+)", (root / "requirements.txt").read_text(), re.M))
    pins = {name.lower(): version for name, version in pins.items()}
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    for text in [*project["dependencies"], *(text for extra in extras for text in extra)]:
        wanted = Requirement(text)
        pin = pins.get(wanted.name.lower())  # what no check needs, as JupyterLab, is its own pin
        assert wanted.specifier.contains(pin) if pin else f"{wanted.name}==" in text, text


def test_nothing_names_a_registry_host(root: Path) -> None:
    named = []
    for path in tracked(root):
        if path.suffix in {".safetensors", ".png", ".woff2"}:
            continue
        text = path.read_text("utf-8", errors="replace")
        named += [f"{path.relative_to(root)}: {host}" for host in HOSTS if host in text]
    assert not named


def test_lock_file_has_no_addresses_of_packages(root: Path) -> None:
    lock = (root / "book" / "_ext" / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') > 5


def test_generated_files_are_not_tracked(root: Path) -> None:
    names = [path.relative_to(root).as_posix() for path in tracked(root)]
    generated = ("_build/", "book/_generated/", "runs/")
    assert not [name for name in names if name.startswith(generated) or name == "book/claims.md"]


def test_no_module_is_a_drawer(root: Path) -> None:
    drawers = {"utils.py", "util.py", "common.py", "helpers.py", "misc.py"}
    assert not [path for path in (root / "llmlab").rglob("*.py") if path.name in drawers]


def test_public_modules_say_what_they_are(root: Path) -> None:
    silent = [
        str(path.relative_to(root))
        for path in (root / "llmlab").rglob("*.py")
        if path.stat().st_size and not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert not silent
