"""Takes the pictures of docs/images from the real program: `python -m tests.docs.screenshots`.

What differs from one run to the next (seconds, rates, the spinner) is drawn as fixed figures.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyte

from cloudllm.testing import Reply, WireServer
from tests.docs.picture import DARK, LIGHT, Palette, Screen, svg
from tests.repl.conftest import Terminal

IMAGES = Path(__file__).parents[2] / "docs" / "images"
_QUESTION = "What is ownership in Rust?"
_ANSWER = """\
## Ownership

Every value has *one* owner. When the owner goes **out of scope**, the value is
dropped; passing it to a function *moves* it.

| how | reads | writes | owner afterwards |
|---|:-:|:-:|---|
| `value` | yes | yes | the function |
| `&value` | yes | no | you |
| `&mut value` | yes | yes | you |

```rust
fn longest<'a>(a: &'a str, b: &'a str) -> &'a str {
    // what is borrowed is given back
    if a.len() > b.len() { a } else { b }
}
```
"""
_FIGURES = tuple(
    (re.compile(pattern), fixed)
    for pattern, fixed in (
        ("[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", "⠹"),
        (r"(?<=the reply… )\d+\.\d s( · ~?\d+ tokens?/s)?", "1.4 s · ~52 tokens/s"),
        (r"\d+\.\d s\b", "1.4 s"),
        (r"\d+ tokens?/s", "52 tokens/s"),
    )
)
"""What a clock says, and what is drawn for it."""

_WINDOW = r" · \d+/\d+k \d+%"
"""In the status row, once the size of the model's window is known."""


class Camera(Terminal):
    """The program on a terminal whose screen can be drawn."""

    def __init__(self, arguments: tuple[str, ...], environ: dict[str, str], rows: int) -> None:
        command = [sys.executable, "-m", "cloudllm", *arguments]
        super().__init__(command, {**os.environ, **environ}, rows)
        self.screen = Screen(80, rows)
        self._stream = pyte.ByteStream(self.screen)

    def linger(self, seconds: float) -> None:
        """Read for that long: what is animated never settles."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._read(0.02)

    def say(self, message: str) -> None:
        """Type a message and send it."""
        self.send(f"{message}\r\\end\r")


Play = Callable[[Camera, WireServer], None]


class Shot(NamedTuple):
    """One picture: its title, what happens before it is taken, and how the program is started."""

    name: str
    title: str
    play: Play
    palette: Palette = DARK
    rows: int = 24
    arguments: tuple[str, ...] = ()
    key: str = "sk-not-a-real-one"

    def __str__(self) -> str:
        return self.name


def _streaming(camera: Camera, server: WireServer) -> None:
    pieces = re.findall(r"\S*\s*", _ANSWER)
    server.default = Reply(text=pieces, stall_after=len(pieces) - 3)
    camera.wait(r"^>")
    camera.say(_QUESTION)
    camera.wait(r"a\.len\(\) > b\.len\(\)")
    camera.wait(_WINDOW)


def _queue(camera: Camera, server: WireServer) -> None:
    _streaming(camera, server)
    camera.say("And what is a lifetime?")
    camera.wait("lifetime")
    camera.send("Show me an example that does not comp")
    camera.wait("does not comp")


def _completion(camera: Camera, server: WireServer) -> None:
    server.default = Reply(text="Ask away.")
    camera.wait(r"^>")
    camera.say("Hello")
    camera.wait("Ask away")
    camera.wait(r"tokens|\$")
    camera.send("/co")
    camera.wait("/context")
    camera.wait("/continue")
    camera.wait(_WINDOW)


def _onboarding(camera: Camera, _server: WireServer) -> None:
    camera.wait(r"^>")
    camera.wait(r"^ +1  ")


def _error(camera: Camera, server: WireServer) -> None:
    problem = "No such model for this key."
    server.default = Reply.error(400, problem, headers={"x-request-id": "req_5e1a77c0"})
    camera.wait(r"^>")
    camera.say(_QUESTION)
    camera.wait("Error: ")
    camera.send("\x03/why\r")
    camera.wait("req_5e1a77c0")
    camera.wait(_WINDOW)


def _plain(camera: Camera, server: WireServer) -> None:
    server.default = Reply(text=_ANSWER)
    camera.wait(r"^>")
    camera.say(_QUESTION)
    camera.wait(r" s\n>")


SHOTS = (
    Shot("reply-dark", "A reply is streamed as Markdown", _streaming),
    Shot("reply-light", "The same reply on a light background", _streaming, LIGHT),
    Shot("queue-dark", "The next messages are written meanwhile", _queue),
    Shot("queue-light", "The same on a light background", _queue, LIGHT),
    Shot("completion", "Commands complete as they are typed", _completion, rows=16),
    Shot("onboarding", "A first start without a key", _onboarding, rows=14, key=""),
    Shot("error", "An error, and what /why tells of it", _error, rows=16),
    Shot("plain", "Plain mode", _plain, arguments=("--plain",)),
)


def take(shot: Shot, home: Path) -> str:
    """Play it in a fresh home; gives the picture."""
    with WireServer() as server:
        environ = {
            "CLOUDLLM_HOME": str(home),
            "HOME": str(home),
            **({"OPENAI_API_KEY": shot.key, "OPENAI_BASE_URL": server.url} if shot.key else {}),
            "CLOUDLLM_REPL__THEME": "light" if shot.palette is LIGHT else "dark",
        }
        camera = Camera(shot.arguments, environ, shot.rows)
        try:
            shot.play(camera, server)
            camera.linger(0.3)
            steady(camera.screen)
            return svg(camera.screen, shot.palette, shot.title)
        finally:
            camera.close()


def steady(screen: pyte.Screen) -> None:
    """Fix the figures that come from a clock; what stands after them moves along."""
    for number in range(screen.lines):
        row = [screen.buffer[number][column] for column in range(screen.columns)]
        for pattern, fixed in _FIGURES:
            text = "".join(cell.data or "\0" for cell in row)
            for found in reversed(list(pattern.finditer(text))):
                begin, end = found.span()
                row[begin:end] = [row[begin]._replace(data=character) for character in fixed]
        blank = row[-1]._replace(data=" ")
        for column in range(screen.columns):
            screen.buffer[number][column] = row[column] if column < len(row) else blank


def main() -> None:
    """Take them all."""
    for shot in SHOTS:
        with tempfile.TemporaryDirectory() as home:
            (IMAGES / f"{shot.name}.svg").write_text(take(shot, Path(home)), encoding="utf-8")
        print(shot.name)


if __name__ == "__main__":
    main()
