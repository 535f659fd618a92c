"""Two browsers behind one handful of methods: Firefox by WebDriver BiDi, WebKit by WebDriver.

Neither needs a package of its own: Firefox speaks BiDi over a web socket, for which tornado is
here, and WebKitGTK comes with a driver that speaks HTTP. WebKit draws on a virtual screen.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

PATIENCE = 60  # seconds for a command
MINI_BROWSERS = ("webkit2gtk-4.*/MiniBrowser", "*/webkit2gtk-4.*/MiniBrowser")
Point = tuple[float, float]


class Engine:
    """What both can do. ``run`` takes the body of a function, and awaits what it returns."""

    name: str

    def open(self, address: str) -> None:
        """Go to a page, and wait until it has loaded."""
        raise NotImplementedError

    def run(self, body: str, *arguments: Any) -> Any:
        """Run the body of an asynchronous function in the page; what it returns, as JSON."""
        raise NotImplementedError

    def screenshot(self) -> bytes:
        """The visible part of the page, as PNG."""
        raise NotImplementedError

    def drag(self, start: Point, end: Point) -> None:
        """Touch the page at one point, move to the other, and let go."""
        raise NotImplementedError

    def type(self, text: str) -> None:
        """Press keys where the focus is: first control and A together, then those of a text."""
        raise NotImplementedError

    def close(self) -> None:
        """End the browser."""
        raise NotImplementedError


def touches(start: Point, end: Point) -> list[dict[str, Any]]:
    """The actions of one finger, in the words of WebDriver."""
    moves = [tuple(a + (b - a) * n / 5 for a, b in zip(start, end, strict=True)) for n in range(6)]
    steps = [{"type": "pointerMove", "x": round(x), "y": round(y)} for x, y in moves]
    steps = [steps[0], {"type": "pointerDown", "button": 0}, *steps[1:]]
    steps.append({"type": "pointerUp", "button": 0})
    finger = {"type": "pointer", "id": "finger", "parameters": {"pointerType": "touch"}}
    return [finger | {"actions": steps}]


def keys(text: str) -> list[dict[str, Any]]:
    """The actions of a keyboard that replaces what is there, in the words of WebDriver."""
    control, enter = "\ue009", "\ue007"
    steps = [("keyDown", control), ("keyDown", "a"), ("keyUp", "a"), ("keyUp", control)]
    for letter in text.replace("\n", enter):
        steps += [("keyDown", letter), ("keyUp", letter)]
    actions = [{"type": kind, "value": value} for kind, value in steps]
    return [{"type": "key", "id": "keyboard", "actions": actions}]


class Firefox(Engine):
    """Firefox, headless."""

    name = "firefox"

    @staticmethod
    def find() -> str | None:
        """The path of an installed Firefox."""
        mac = "/Applications/Firefox.app/Contents/MacOS/firefox"
        return shutil.which("firefox-esr") or shutil.which("firefox") or shutil.which(mac)

    def __init__(self, path: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="firefox-", ignore_cleanup_errors=True)
        command = [path, "--headless", "--no-remote", "--profile", self._folder.name]
        self._process = subprocess.Popen(
            [*command, "--remote-debugging-port=0", "--width=1100", "--height=900"],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        address = self._address()
        self._loop = asyncio.new_event_loop()
        self._socket = self._wait(_connect(f"{address}/session"))
        self._number = 0
        self._send("session.new", capabilities={})
        contexts = self._send("browsingContext.getTree")["contexts"]
        self._context = contexts[0]["context"]

    def _address(self) -> str:
        """Where Firefox listens, which it says among other things; all of it has to be read."""
        said: queue.Queue[str] = queue.Queue()

        def listen() -> None:
            for line in self._process.stderr:
                if found := re.search(r"ws://\S+", line):
                    said.put(found[0])

        threading.Thread(target=listen, daemon=True).start()
        try:
            return said.get(timeout=PATIENCE)
        except queue.Empty:
            _end(self._process)
            raise RuntimeError(f"Firefox did not listen within {PATIENCE} s.") from None

    def _wait(self, work: Any) -> Any:
        return self._loop.run_until_complete(asyncio.wait_for(work, PATIENCE))

    def _send(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        answer = self._wait(self._exchange(message))
        if answer["type"] == "error":
            raise RuntimeError(f"{method}: {answer['message']}")
        return answer["result"]

    async def _exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        await self._socket.write_message(json.dumps(message))
        while True:
            answer = json.loads(await self._socket.read_message())
            if answer.get("id") == message["id"]:  # anything else is news that nobody asked for
                return answer

    def open(self, address: str) -> None:
        """Go to a page, and wait until it has loaded."""
        self._send("browsingContext.navigate", context=self._context, url=address, wait="complete")

    def run(self, body: str, *arguments: Any) -> Any:
        """Run the body of an asynchronous function in the page; what it returns, as JSON."""
        given = [{"type": "string", "value": json.dumps(argument)} for argument in arguments]
        function = f"async (...texts) => JSON.stringify((await (async (...given) => {{{body}}})("
        function += "...texts.map((text) => JSON.parse(text)))) ?? null)"
        answer = self._send(
            "script.callFunction",
            functionDeclaration=function,
            arguments=given,
            awaitPromise=True,
            target={"context": self._context},
        )
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    def screenshot(self) -> bytes:
        """The visible part of the page, as PNG."""
        answer = self._send("browsingContext.captureScreenshot", context=self._context)
        return base64.b64decode(answer["data"])

    def drag(self, start: Point, end: Point) -> None:
        """Touch the page at one point, move to the other, and let go."""
        self._send("input.performActions", context=self._context, actions=touches(start, end))

    def type(self, text: str) -> None:
        """Press keys where the focus is: first control and A together, then those of a text."""
        self._send("input.performActions", context=self._context, actions=keys(text))

    def close(self) -> None:
        """End the browser."""
        self._socket.close()
        _end(self._process)
        self._loop.close()
        self._folder.cleanup()


async def _connect(address: str) -> Any:
    from tornado.websocket import websocket_connect

    return await websocket_connect(address, max_message_size=1 << 28)


class WebKit(Engine):
    """WebKitGTK's small browser on a virtual screen."""

    name = "webkit"

    @staticmethod
    def find() -> str | None:
        """The path of an installed WebKitGTK browser, if its driver and a screen are there too."""
        if not (shutil.which("WebKitWebDriver") and shutil.which("xvfb-run")):
            return None
        found = [path for places in MINI_BROWSERS for path in Path("/usr/lib").glob(places)]
        return str(found[0]) if found else None

    def __init__(self, path: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._process = subprocess.Popen(
            ["xvfb-run", "-a", "WebKitWebDriver", f"--port={port}"],
            env=os.environ
            | {
                "WEBKIT_DISABLE_COMPOSITING_MODE": "1",
                "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",  # it cannot start as root else
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._address = f"http://127.0.0.1:{port}/session"
        options = {"binary": path, "args": ["--automation"]}
        wanted = {"alwaysMatch": {"webkitgtk:browserOptions": options}}
        session = self._first({"capabilities": wanted})
        self._address += f"/{session['sessionId']}"
        self._send("timeouts", script=1000 * PATIENCE, pageLoad=1000 * PATIENCE)

    def _first(self, message: dict[str, Any]) -> dict[str, Any]:
        """Begin a session, as soon as the driver listens."""
        late = time.monotonic() + PATIENCE
        while True:
            try:
                return self._post("", message)
            except urllib.error.URLError:
                if time.monotonic() > late:
                    raise
                time.sleep(0.1)

    def _post(self, command: str, message: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            f"{self._address}/{command}".rstrip("/"),
            json.dumps(message).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{command}: {json.load(error)['value']['message']}") from error

    def _send(self, command: str, **message: Any) -> Any:
        return self._post(command, message)

    def open(self, address: str) -> None:
        """Go to a page, and wait until it has loaded."""
        self._send("url", url=address)

    def run(self, body: str, *arguments: Any) -> Any:
        """Run the body of an asynchronous function in the page; what it returns, as JSON."""
        script = (
            "const done = arguments[arguments.length - 1];"
            "const given = [...arguments].slice(0, -1).map((text) => JSON.parse(text));"
            f"(async (...given) => {{{body}}})(...given).then("
            "(found) => done(JSON.stringify({ found: found ?? null })),"
            "(error) => done(JSON.stringify({ error: String(error) })));"
        )
        texts = [json.dumps(argument) for argument in arguments]
        answer = json.loads(self._send("execute/async", script=script, args=texts))
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["found"]

    def screenshot(self) -> bytes:
        """The visible part of the page, as PNG.

        The driver waits for the page to be painted anew, so something in it must move.
        """
        self.run(
            "if (document.getElementById('moving')) return;"
            "const node = document.body.appendChild(document.createElement('i'));"
            "node.id = 'moving';"
            "node.style = 'position:fixed;right:0;bottom:0;width:1px;height:1px;background:gray';"
            "node.animate([{ opacity: 0.4 }, { opacity: 0.6 }], { duration: 80, iterations: 1e9 });"
        )
        with urllib.request.urlopen(f"{self._address}/screenshot", timeout=PATIENCE) as answer:
            return base64.b64decode(json.load(answer)["value"])

    def drag(self, start: Point, end: Point) -> None:
        """Press the mouse at one point, move to the other, and let go: the driver has no finger."""
        (finger,) = touches(start, end)
        self._send("actions", actions=[finger | {"parameters": {"pointerType": "mouse"}}])

    def type(self, text: str) -> None:
        """Press keys where the focus is: first control and A together, then those of a text."""
        self._send("actions", actions=keys(text))

    def close(self) -> None:
        """End the browser."""
        request = urllib.request.Request(self._address, method="DELETE")
        with contextlib.suppress(OSError):
            urllib.request.urlopen(request, timeout=10).close()
        _end(self._process)


ENGINES = {engine.name: engine for engine in (Firefox, WebKit)}


def _end(process: subprocess.Popen) -> None:
    """End a browser and what it started; it may have ended by itself."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
            return
