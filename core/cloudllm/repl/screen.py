"""What the chat shows on a terminal, and what it asks there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cloudllm.errors import CloudLLMError, MissingKey
from cloudllm.repl.app import ChatApp
from cloudllm.repl.ends import ends
from cloudllm.repl.lines import hung, rows
from cloudllm.repl.render.sanitize import clean
from cloudllm.repl.secrets import without_secret
from cloudllm.repl.sentinel import Command, Grammar, UserText
from cloudllm.repl.style import BOLD, DIM, RED, styled

if TYPE_CHECKING:
    from cloudllm.repl.choices import Choice, Peek

_HELP_WITH_KEY = "/setup helps: it takes a key, or begins without one."


class TerminalScreen:
    """All of a `Screen` but the turns; it writes rows above the editor, and into the editor."""

    has_editor = True
    _app: ChatApp
    _grammar: Grammar
    _error_look = RED

    @property
    def columns(self) -> int:
        """The width of the terminal."""
        return self._app.columns

    def output(self, text: str) -> None:
        """Show what a command answers."""
        lines = clean(text).expandtabs().split("\n")
        columns = self._app.columns
        self._commit(*(row for line in lines for row in hung(line, columns)), "")

    def notice(self, text: str) -> None:
        """Show one line aside."""
        self._commit(*rows(text, DIM, self._app.columns))

    def error(self, error: CloudLLMError) -> None:
        """Show what went wrong, in one line."""
        self._commit(*rows(f"Error: {error}", self._error_look, self._app.columns))
        if isinstance(error, MissingKey):
            self.notice(_HELP_WITH_KEY)

    def put_back(self, text: str) -> None:
        """Give a message back for editing."""
        self._app.put_back(self._grammar.encode(text))

    def edit(self, text: str) -> None:
        """Give a message back for editing, because the person asked for it."""
        self.put_back(text)

    def clipboard(self, text: str) -> bool:
        """Give a text to the terminal for its clipboard, unless it is too long for one."""
        return self._app.copy(text)

    async def ask(self, question: str, *, secret: bool = False) -> str:
        """Ask something; the next submission is the answer, and Ctrl-C withdraws the question."""
        self._commit(*rows(question, BOLD, self._app.columns))
        answer = await self._app.questions.ask(secret=secret)
        self._commit("> ***" if secret else f"> {clean(answer, one_line=True)}")
        return answer

    async def choose(self, what: str, choices: Sequence[Choice], peek: Peek) -> int | None:
        """Let the person choose in the picker."""
        return await self._app.choose(what, choices, peek)

    def offer(self, choices: Mapping[str, str], secrets: Mapping[str, str]) -> bool:
        """Let Enter alone choose one of these commands, unless something else is being written."""
        if self._app.editor.text:
            return False
        self._app.questions.offer(choices, secrets)
        return True

    def _echo(self, submission: Command | UserText) -> None:
        head, left_out, tail = ends(without_secret(submission.text))
        self._commit(*_echoed(head, "> "))
        if left_out:
            self._commit(styled(f"  … {left_out}", DIM), *_echoed(tail, "  "))

    def _commit(self, *rows: str) -> None:
        self._app.commit(rows)


def _echoed(text: str, mark: str) -> list[str]:
    lines = clean(text).expandtabs().split("\n")
    return [f"{'  ' if number else mark}{line}" for number, line in enumerate(lines)]
