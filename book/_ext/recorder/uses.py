"""Note which files of ours a chapter uses.

Each use is one JSON line in a log: ``[how, path, hash]`` with how "run" (a module was executed),
"read" (a file was opened) or "list" (a folder was listed). The hash is of the content at that
moment, null where there was nothing. ``llmlab_site/dependencies.py`` decides which uses count.

Files that native code opens are not seen.
"""

import hashlib
import json
import os
import sys

SKIPPED = {"_build", "node_modules", "__pycache__"}  # and whatever is hidden, such as .git
WRITING = os.O_WRONLY | os.O_RDWR


def watch(log, places):
    """Append every use of a file below ``places``, a mapping of prefix to folder, to ``log``."""
    roots = [(prefix, os.path.realpath(root) + os.sep) for prefix, root in places.items()]
    packages = os.path.realpath(sys.prefix) + os.sep  # a virtual environment inside the repository
    noted = set()

    def note(how, path):
        if not isinstance(path, (str, bytes, os.PathLike)):
            return  # an open file's number
        full = os.path.realpath(os.fsdecode(path))
        if (how, full) in noted or full.startswith(packages):
            return
        for prefix, root in roots:
            parts = full[len(root) :].split(os.sep)
            if not full.startswith(root) or any(p[:1] == "." or p in SKIPPED for p in parts):
                continue
            noted.add((how, full))  # before it is opened here, which would note it again
            found = hash_of(full)
            if found is None:
                noted.discard((how, full))  # it may be there next time
            line = json.dumps([how, prefix + "/".join(parts), found]) + "\n"
            handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.write(handle, line.encode())
            os.close(handle)

    def hook(event, arguments):
        if event == "open":
            path, mode, flags = arguments
            writes = flags & WRITING if mode is None else set(mode) & set("wax+")
            if not writes and path != log:
                note("read", path)
        elif event == "exec":
            name = getattr(arguments[0], "co_filename", "")
            if name.endswith(".py"):
                note("run", name)
        elif event in ("os.listdir", "os.scandir") and not imports(sys._getframe(1)):
            note("list", arguments[0] if arguments[0] is not None else ".")

    sys.addaudithook(hook)


def imports(frame):
    """Tell whether Python itself is at work: it lists the folders that it searches for a module."""
    return frame.f_code.co_filename.startswith("<frozen importlib")


def hash_of(path):
    """The hash of a file's content or a folder's names, or None if there is no such thing."""
    try:
        if os.path.isdir(path):
            names = sorted(n for n in os.listdir(path) if n[0] != "." and n not in SKIPPED)
            return hashlib.sha256("\0".join(names).encode()).hexdigest()
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None
