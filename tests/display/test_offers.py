"""Names of ``llmlab.display`` are found where a module lists them, without importing the others."""

import subprocess
import sys

import pytest

import llmlab.display as display


def test_every_offered_name_is_there():
    names = display._homes()
    assert {"AttentionMap", "Quiz", "show", "settle", "line_figure"} <= set(names)
    for name in names:
        assert getattr(display, name) is not None
        assert name in dir(display)


def test_a_new_folder_is_found_without_any_list(tmp_path, monkeypatch):
    folder = tmp_path / "widgets" / "dial"
    folder.mkdir(parents=True)
    (folder / "dial.py").write_text('__all__ = ["Dial", "turn"]\nraise RuntimeError("imported")\n')
    (folder / "__init__.py").write_text('"""A dial."""\n')
    monkeypatch.setattr(display, "__file__", str(tmp_path / "__init__.py"))
    display._homes.cache_clear()
    try:
        assert display._homes() == dict.fromkeys(
            ("Dial", "turn"), "llmlab.display.widgets.dial.dial"
        )
    finally:
        display._homes.cache_clear()


def test_a_name_that_nobody_offers_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        display.Nonsense  # noqa: B018


def test_the_package_alone_imports_neither_matplotlib_nor_anywidget():
    code = (
        "import sys, llmlab.display as d; dir(d); "
        "assert not {'matplotlib', 'anywidget', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
