"""ES modules are joined into one: what is imported comes first, and once."""

import re

import pytest

from llmlab.display import sources


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "HERE", tmp_path)
    sources.module.cache_clear()
    yield tmp_path
    sources.module.cache_clear()


def test_what_is_imported_comes_first_and_once(folder):
    (folder / "shared").mkdir()
    (folder / "shared" / "base.js").write_text("export const base = 1;\n")
    (folder / "left.js").write_text(
        'import { base } from "./shared/base.js";\nexport const left = base;\n'
    )
    (folder / "right.js").write_text(
        'import { base } from "./shared/base.js";\nexport const right = base;\n'
    )
    (folder / "top.js").write_text(
        '// first a remark\nimport { left } from "./left.js";\n'
        'import { right } from "./right.js";\nexport default { left, right };\n'
    )
    joined = sources.module("top.js")
    assert re.findall(r"export (?:const )?(\w+)", joined) == ["base", "left", "right", "default"]
    assert "import" not in joined


def test_a_file_that_is_not_there_is_named(folder):
    (folder / "top.js").write_text('import { gone } from "./gone.js";\n')
    with pytest.raises(FileNotFoundError, match=r"gone\.js"):
        sources.module("top.js")


def test_no_widget_module_is_left_with_an_import():
    for path in sorted(sources.HERE.glob("widgets/*/*.js")):
        text = sources.module(path.relative_to(sources.HERE).as_posix())
        assert not re.search(r"^import\b", text, re.MULTILINE), path.name
