"""Watch a chapter from its kernel's first moment, and the processes that it starts.

Python imports this module when it starts, because ``llmlab_site/execution.py`` puts this folder on
the path of a chapter's kernel, and child processes inherit that; only one that ignores
``PYTHONPATH`` (``python -I``) is not watched.
"""

import json
import os
import sys

from uses import watch

watch(os.environ["LLMLAB_USED"], json.loads(os.environ["LLMLAB_PLACES"]))

# Now leave no trace, and let Python find the module of this name that this one hides.
here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != here]
del sys.modules["uses"]
this = sys.modules.pop(__name__)
try:
    import sitecustomize  # noqa: F401
except ImportError:
    sys.modules[__name__] = this
