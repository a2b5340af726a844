"""Questions that are answered at the editor, and an offer from which Enter alone chooses."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from prompt_toolkit.application import get_app
from prompt_toolkit.clipboard import InMemoryClipboard
from prompt_toolkit.key_binding.emacs_state import EmacsState

from cloudllm.repl.buffer import DraftBuffer


class Questions:
    """The question that is open, if one is; and the offer, whose choices Enter alone takes."""

    def __init__(self, editor: DraftBuffer) -> None:
        self._editor = editor
        self._answer: asyncio.Future[str] | None = None
        self._early: str | None = None
        self._memory: _Memory | None = None
        self._choices: Mapping[str, str] = {}
        self._secrets: Mapping[str, str] = {}
        self._pasted = False  # a secret stands in the editor that nobody has asked for yet
        editor.on_text_changed += lambda _editor: self._look()

    def offer(self, choices: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        """Let each text of `choices`, typed alone, stand for its command, and "" for none.

        What begins as one of `secrets` is not shown, and answers the question of its command.
        """
        self._choices, self._secrets = {**choices, "": ""}, secrets

    def chosen(self, text: str) -> str:
        """The command that was chosen by this text, "" for none; the offer is over."""
        command = self._asking(text)
        if command:
            self._early = text
        command = command or self._choices.get(text.strip(), "")
        self.end_offer()
        return command

    def end_offer(self) -> None:
        """Offer nothing any more."""
        self._choices = self._secrets = {}

    @property
    def is_open(self) -> bool:
        """Does a question wait for its answer?"""
        return self._answer is not None

    def expects(self, text: str) -> bool:
        """Does Enter alone give this text as an answer, or choose by it?"""
        return self.is_open or self._editor.hidden or text.strip() in self._choices

    def hide(self) -> None:
        """Hide what is typed from now on: the question comes that it answers, if nothing has."""
        if self._early is None:
            self._editor.reset()
            self._hide()

    async def ask(self, *, secret: bool) -> str:
        """Wait for the answer; what stands in the editor waits meanwhile."""
        self._pasted = False
        if not secret:
            self.close()  # what was typed ahead, hidden, is for another question
        if self._early is not None:
            answer, self._early = self._early, None
            return answer
        if not self._editor.hidden:
            self._editor.lay_aside()
            if secret:
                self._hide()
        self._answer = asyncio.get_running_loop().create_future()
        try:
            return await self._answer
        except asyncio.CancelledError:
            self._editor.reset()  # what was typed of the answer
            raise
        finally:
            self.close()
            self._editor.take_up()

    def take(self, text: str) -> bool:
        """Take the text as the answer; was it one?"""
        if self._answer is not None:
            if not self._answer.done():  # or else it was withdrawn just now
                self._answer.set_result(text)
        elif self._editor.hidden:  # typed before the question was there
            self._early = text
        else:
            return False
        self._show()
        self._answer = None
        return True

    def close(self) -> None:
        """Nothing is asked any more, answered or not."""
        self._answer = self._early = None
        self._show()

    def _asking(self, text: str) -> str:
        """The command that asks for a secret which begins so."""
        begun = text.lstrip()
        found = (command for start, command in self._secrets.items() if begun.startswith(start))
        return next(found, "")

    def _look(self) -> None:
        """Hide a secret that comes before it is asked for, as long as anything of it is there."""
        if self._pasted and not self._editor.text:
            self._pasted = False
            self._show()
        elif not self._editor.hidden and not self.is_open and self._asking(self._editor.text):
            self._pasted = True
            self._hide()

    def _hide(self) -> None:
        self._editor.hidden = True
        self._memory = self._memory or _Memory()

    def _show(self) -> None:
        self._pasted = False
        if self._editor.hidden:
            self._editor.reset()
            self._editor.hidden = False
        if self._memory is not None:
            self._memory.restore()
            self._memory = None


class _Memory:
    """What the app knows of texts that were cut and keys that were recorded, as it is now."""

    def __init__(self) -> None:
        app = self._app = get_app()
        self._before = app.clipboard, app.emacs_state, dict(app.vi_state.named_registers)
        app.clipboard, app.emacs_state = InMemoryClipboard(), EmacsState()

    def restore(self) -> None:
        """Forget all that came since: it may be a part of a secret."""
        app, vi = self._app, self._app.vi_state
        app.clipboard, app.emacs_state, vi.named_registers = self._before
        vi.recording_register, vi.current_recording = None, ""
