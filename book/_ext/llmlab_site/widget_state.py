"""Take the bulk of the widgets out of the pages, into files that pages share.

A page embeds the state of its widgets as JSON. The source of a widget, repeated for each copy, and
the arrays that it draws would make the page several megabytes heavy. Each such value moves to
``_static/widgets/<hash>.<kind>`` and the state keeps ``{"$file": "<hash>.<kind>"}``; the loader
``mount.js`` fetches it when the widget comes into view.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

STATE = re.compile(
    r'(<script type="application/vnd\.jupyter\.widget-state\+json">)(.*?)(</script>)', re.S
)
REFERENCE = re.compile(r'"\$file": "([0-9a-f]{20}\.\w+)"')
LARGEST = 1500  # characters of JSON that may stay inside the page


def externalise(html_folder: Path) -> int:
    """Rewrite every page that embeds widgets and return how many pages it rewrote.

    Pages that were rewritten before are left as they are. Files that no page refers to any more
    are removed.
    """
    widgets = html_folder / "_static" / "widgets"
    rewritten, used = 0, set()
    for page in sorted(html_folder.rglob("*.html")):
        text = page.read_text("utf-8")
        if "vnd.jupyter.widget-state" not in text:
            continue
        new = STATE.sub(lambda match: match[1] + _slim(match[2], widgets) + match[3], text)
        used |= set(REFERENCE.findall(new))
        if new != text:
            page.write_text(new, "utf-8")
            rewritten += 1
    for path in widgets.glob("*"):
        if path.name not in used:
            path.unlink()
    return rewritten


def _slim(state_json: str, widgets: Path) -> str:
    """Return the state of a page without its large values."""
    page = json.loads(state_json)
    for model in page.get("state", {}).values():
        state = model.get("state", {})
        for name, value in state.items():
            if name == "_esm" and isinstance(value, str):
                state[name] = _store(value.encode(), "js", widgets)
            elif name == "_css" and isinstance(value, str) and len(value) > LARGEST:
                state[name] = _store(value.encode(), "css", widgets)
            elif not _is_reference(value):
                text = json.dumps(value, separators=(",", ":"))
                if len(text) > LARGEST:
                    state[name] = _store(text.encode(), "json", widgets)
        for buffer in model.get("buffers", []):
            if not _is_reference(buffer["data"]) and len(buffer["data"]) > LARGEST:
                buffer["data"] = _store(base64.b64decode(buffer["data"]), "bin", widgets)
    # "</" would end the script element early
    return json.dumps(page).replace("</", "<\\/")


def _is_reference(value: object) -> bool:
    return isinstance(value, dict) and "$file" in value


def _store(content: bytes, kind: str, widgets: Path) -> dict[str, str]:
    name = f"{hashlib.sha256(content).hexdigest()[:20]}.{kind}"
    path = widgets / name
    if not path.exists():
        widgets.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return {"$file": name}
