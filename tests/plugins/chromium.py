"""A headless Chromium for tests: opens a page, and tells everything that the page did."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Self

PROGRAM = shutil.which("chromium")

_PATIENCE = 60.0
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


@dataclass(slots=True)
class Seen:
    """What a page did: dialogs, requests beyond itself, complaints in the console, where it went."""

    dialogs: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)


class Chromium:
    """One browser with one page; a context manager. `folder` is where it keeps its own files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._session = ""
        self._answers: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._loaded = threading.Event()
        self._page = ""
        self.seen = Seen()

    def __enter__(self) -> Self:
        ours, theirs = os.pipe(), os.pipe()
        command = (str(PROGRAM), *_OPTIONS, f"--user-data-dir={self._folder}", "about:blank")
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{ours[0]} 4>&{theirs[1]}', "bash", *command],
            pass_fds=(ours[0], theirs[1]),
            env={"PATH": os.environ["PATH"], "HOME": str(self._folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(ours[0])
        os.close(theirs[1])
        self._write = ours[1]
        self._reader = threading.Thread(target=self._read, args=(theirs[0],), daemon=True)
        self._reader.start()
        (page,) = self.call("Target.createTarget", url="about:blank").values()
        attached = self.call("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join(_PATIENCE)
        os.close(self._write)

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """Have the browser do something; what it answers."""
        number = self._send(method, params)
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            try:
                answer = self._answers.get(timeout=1)
            except Empty:
                continue
            if answer["id"] == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
        raise TimeoutError(method)

    def open(self, page: Path, *, seconds: float = 1.0) -> Seen:
        """Open a page, and watch it for some time after it has loaded."""
        self.seen = Seen()
        self._page = page.as_uri()
        self._loaded.clear()
        self.call("Page.navigate", url=self._page)
        if not self._loaded.wait(_PATIENCE):
            raise TimeoutError(str(page))
        time.sleep(seconds)
        return self.seen

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript is in the page; it is no script of the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def look(self, *, width: int, dark: bool = False, phone: bool = False) -> None:
        """Give the page a width in pixels, and a scheme of colours."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=1,
            mobile=phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self) -> bytes:
        """The whole page as a PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=self._whole())
        return base64.b64decode(shot["data"])

    def _whole(self) -> dict[str, float]:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}

    def _send(self, method: str, params: dict[str, object]) -> int:
        self._number += 1
        order: dict[str, object] = {"id": self._number, "method": method, "params": params}
        if self._session:
            order["sessionId"] = self._session
        os.write(self._write, json.dumps(order).encode() + b"\0")
        return self._number

    def _read(self, source: int) -> None:
        with os.fdopen(source, "rb") as pipe:
            waiting = b""
            while data := os.read(pipe.fileno(), 1 << 16):
                *whole, waiting = (waiting + data).split(b"\0")
                for each in whole:
                    self._take(json.loads(each))

    def _take(self, told: dict[str, Any]) -> None:
        if "id" in told:
            self._answers.put(told)
            return
        params = told["params"]
        match told["method"]:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Page.javascriptDialogOpening":
                self.seen.dialogs.append(params["message"])
                self._send("Page.handleJavaScriptDialog", {"accept": True})
            case "Page.frameNavigated":
                self.seen.places.append(params["frame"]["url"])
            case "Network.requestWillBeSent" if params["request"]["url"] != self._page:
                self.seen.requests.append(params["request"]["url"])
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded":
                self.seen.complaints.append(json.dumps(params)[:300])
