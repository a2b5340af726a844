"""The grammar of what a person types: messages that end with a sentinel line, slash commands."""

from __future__ import annotations

from typing import Literal

from cloudllm.errors import ConfigurationError


class _Meant:
    """What a draft means: a text, equal to the same one of its own kind.

    No dataclass, whose making takes milliseconds that the first key would wait for.
    """

    __slots__ = ("text",)

    def __init__(self, text: str = "") -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.text == self.text

    def __hash__(self) -> int:
        return hash((type(self), self.text))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"


class Command(_Meant):
    """A slash command: one line that starts with `/`, without surrounding blanks."""

    __slots__ = ()


class UserText(_Meant):
    """A message for the model, exactly as it is meant."""

    __slots__ = ()


class Blank(_Meant):
    """A block was submitted with nothing but white space in it."""

    __slots__ = ()


class Grammar:
    r"""What drafts and lines mean, for one choice of the sentinel word.

    A line that is only the sentinel closes a message. With one backslash more it is a line of
    text (`\\end` means `\end`, `\\\end` means `\\end`). A draft of one line that starts with `/`
    is a command; `//` at the start of a draft means a literal slash. Lines end at `\n` only.

    With `submit="enter"` Enter submits wherever the cursor is; the sentinel still does too.

    Raises:
        ConfigurationError: the sentinel is blank, has several lines or starts with `/`.
    """

    def __init__(
        self, sentinel: str = "\\end", submit: Literal["sentinel", "enter"] = "sentinel"
    ) -> None:
        self.sentinel = sentinel.strip()
        self.submit = submit
        if not self.sentinel or "\n" in self.sentinel or self.sentinel.startswith("/"):
            raise ConfigurationError(
                f"repl.sentinel is {sentinel!r}, but it must be a word that does not start with '/'"
            )

    def closes(self, line: str) -> bool:
        """Whether this typed line is the sentinel; surrounding blanks do not count."""
        return line.strip() == self.sentinel

    def enter(self, text: str, cursor: int) -> str | None:
        """The draft that Enter submits with the cursor at this offset; `None` means a new line.

        The sentinel line and the newline before it are no part of the draft.
        """
        start = text.rfind("\n", 0, cursor) + 1
        if self.closes(text[start:cursor]) and not text[cursor:].strip():
            return text[: max(start - 1, 0)]
        return text if self.submit == "enter" or _is_command(text) else None

    def decode(self, draft: str) -> Command | UserText | None:
        """What a submitted draft, its sentinel line removed, means; `None` if it is blank."""
        if not draft.strip():
            return None
        if _is_command(draft):
            return Command(draft.strip())
        if draft.startswith("//"):
            draft = draft[1:]
        return UserText("\n".join(map(self.unescape, draft.split("\n"))))

    def encode(self, text: str) -> str:
        """The draft that `decode` turns into exactly this message, unless it is blank."""
        draft = "\n".join(map(self._escape, text.split("\n")))
        return f"/{draft}" if draft.startswith("/") else draft

    def pasted(self, paste: str, before: str, after: str) -> str:
        r"""What to insert for a bracketed paste between `before` and `after`, the buffer's text.

        The paste then means itself: its line ends become `\n`, and no line that it alone makes
        closes the message. A paste of one line that starts with a single `/` stays a command.
        """
        lines = paste.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        typed_head = before[before.rfind("\n") + 1 :].strip()
        typed_tail = after.partition("\n")[0].strip()
        last = len(lines) - 1
        text = "\n".join(
            line
            if (number == 0 and typed_head) or (number == last and typed_tail)
            else self._escape(line)
            for number, line in enumerate(lines)
        )
        return f"/{text}" if not before and text.startswith("//") else text

    def unescape(self, line: str) -> str:
        """The line of text that this typed line means."""
        if self._backslashes(line) < 1:
            return line
        backslash = line.index("\\")
        return line[:backslash] + line[backslash + 1 :]

    def _escape(self, line: str) -> str:
        if self._backslashes(line) < 0:
            return line
        word = line.lstrip()
        return f"{line[: len(line) - len(word)]}\\{word}"

    def _backslashes(self, line: str) -> int:
        """How many backslashes stand before the sentinel; -1 if the line has anything else."""
        word = line.strip()
        prefix = word.removesuffix(self.sentinel)
        return -1 if prefix == word or prefix.strip("\\") else len(prefix)


class BlockReader:
    """Reads the grammar from a file or pipe, where only a block's first line may be a command.

    Blank lines before the first line are part of a message but not of a command. A sentinel right
    after a command closes its block and says nothing more.
    """

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._lines: list[str] = []
        self._begun = False
        self._after_command = False

    @property
    def begun(self) -> bool:
        """Does a message wait for its next line, or its end?"""
        return self._begun

    def feed(self, line: str) -> Command | UserText | Blank | None:
        """Take one line without its newline; gives what it completes, if anything."""
        after_command, self._after_command = self._after_command, False
        if self._grammar.closes(line):
            return self.end() or (None if after_command else Blank())
        if not self._begun and _is_command(line):
            self._lines.clear()
            self._after_command = True
            return Command(line.strip())
        if not self._begun and line.startswith("//"):
            line = line[1:]
        self._begun = self._begun or bool(line.strip())
        self._lines.append(self._grammar.unescape(line))
        return None

    def end(self) -> UserText | None:
        """The input is over: gives the pending message, if there is more than white space."""
        message = UserText("\n".join(self._lines)) if self._begun else None
        self._lines.clear()
        self._begun = False
        return message


def _is_command(draft: str) -> bool:
    return draft.startswith("/") and not draft.startswith("//") and "\n" not in draft
