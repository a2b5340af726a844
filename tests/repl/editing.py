"""The editor without a terminal: types keys into it, and gives what then stands there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import pytest
from prompt_toolkit.application import Application, application
from prompt_toolkit.application.current import set_app
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.key_binding import KeyBindings, KeyPress, merge_key_bindings
from prompt_toolkit.key_binding.defaults import load_key_bindings
from prompt_toolkit.layout import HSplit, Layout
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.widgets import SearchToolbar

from cloudllm.repl.buffer import DraftBuffer
from cloudllm.repl.editor import editor_window
from cloudllm.repl.keys import ChatKeys
from cloudllm.repl.sentinel import Grammar

UP, DOWN, RIGHT, LEFT, END = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[F"
ESCAPE, CTRL_E, CTRL_R, UNDO, REDO = "\x1b", "\x05", "\x12", "\x1f", "\x18\x12"
BACKSPACE, UNFOLD, META_ENTER = "\x7f", "\x1bOQ", "\x1b\r"
_default_bindings = cache(load_key_bindings)  # for an app's making, most of the time goes into them
_F11, _F12 = "\x1b[23~", "\x1b[24~"


def pasted(text: str) -> str:
    return f"\x1b[200~{text}\x1b[201~"


@dataclass
class Typed:
    """What the keys have done: `draft` and `shown` are the editor's, `cursor` is in the draft."""

    submitted: list[str] = field(default_factory=list)
    draft: str = ""
    shown: list[str] = field(default_factory=list)
    cursor: int = 0
    buffer: DraftBuffer = field(default_factory=DraftBuffer)

    def submit(self, draft: str) -> None:
        self.submitted.append(draft)

    def expects(self, text: str) -> bool:
        return False

    def answer(self, text: str) -> None:
        raise AssertionError(text)

    has_queued = False

    def take_back(self) -> None:
        raise AssertionError

    def interrupt(self) -> None:
        self.buffer.reset()

    def leave(self) -> None:
        raise AssertionError


def typed(
    *keys: str,
    mode: Literal["emacs", "vi"] = "emacs",
    history: Sequence[str] = (),
    grammar: Grammar | None = None,
    hint: Callable[[str], str] = lambda _draft: "",
    burst: Sequence[KeyPress] = (),
) -> Typed:
    """Type keys, after a burst of others if there is one."""
    result = Typed()
    past = InMemoryHistory()
    for entry in history:
        past.append_string(entry)
    result.buffer = DraftBuffer(history=past, hint=hint)
    bindings = ChatKeys(grammar or Grammar(), result).bindings()
    asyncio.run(_run([*burst], keys, mode, bindings, result))
    return result


async def _run(
    burst: list[KeyPress], keys: Sequence[str], mode: str, bindings: KeyBindings, result: Typed
) -> None:
    done = KeyBindings()
    done.add("f11")(lambda event: event.key_processor.feed_multiple(burst, first=True))
    done.add("f12")(lambda event: event.app.exit())
    buffer = result.buffer
    search = SearchToolbar()
    window = editor_window(buffer, search.control)
    with create_pipe_input() as pipe:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(application, "load_key_bindings", _default_bindings)
            app: Application[None] = Application(
                layout=Layout(HSplit([window, search]), focused_element=window),
                key_bindings=merge_key_bindings([bindings, done]),
                input=pipe,
                output=DummyOutput(),
                editing_mode=EditingMode.VI if mode == "vi" else EditingMode.EMACS,
            )
        pipe.send_text(_F11 + "".join(keys) + _F12)
        await app.run_async(set_exception_handler=False)
    before, after = buffer.around
    result.draft, result.cursor = before + after, len(before)
    with set_app(app):
        content = window.content.create_content(80, 10)
        lines = [content.get_line(number) for number in range(content.line_count)]
    result.shown = ["".join(fragment[1] for fragment in line).removesuffix(" ") for line in lines]
