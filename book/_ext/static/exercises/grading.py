"""What the page's Python runs: the grader, with an interpreter that one answer cannot spoil.

Every check already has a namespace and a NumPy of its own. Here an answer that replaces a builtin
or a module is undone as well, because all the exercises of a page share one interpreter.
"""

from __future__ import annotations

import builtins
import json
import sys

from llmlab.exercises import grade_source

_BUILTINS, _MODULES = dict(vars(builtins)), dict(sys.modules)


def grade(id: str, source: str) -> str:
    """Grade ``source`` as :func:`llmlab.exercises.grade_source` does; the verdict as JSON."""
    try:
        return json.dumps(grade_source(id, source).to_dict())
    finally:
        space = vars(builtins)
        space.clear()
        space.update(_BUILTINS)
        sys.modules.update(_MODULES)
