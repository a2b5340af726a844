"""/help: the commands, and the keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cloudllm.repl.chat import Chat
from cloudllm.repl.commands.base import SlashCommand, Value

_SLASH = "// at the start is a text with a slash. A name may be cut short: /mod is /model."
_KEYS = """\
Ctrl-C stops a reply, or clears the editor; Ctrl-D on an empty line leaves.
Up on an empty line takes back the message that waits, or else what was sent.
Ctrl-R searches the history; Right takes a suggestion; Ctrl-_ undoes.
Tab completes; @ begins the name of a file.
F2, or Ctrl-X f, unfolds a long paste; Ctrl-X Ctrl-E opens your own editor.
Ctrl-L draws the screen anew; Ctrl-Z suspends the program."""


async def _help(chat: Chat, argument: str) -> None:
    from cloudllm.repl.commands.names import find, known  # noqa: PLC0415 - it imports this module

    if argument:
        lines = _about(await find(chat, "/" + argument.lstrip("/")))
    else:
        await chat.load_plugins()
        lines = [*_table(known(chat).values()), "", *_typing(chat)]
    chat.screen.output("\n".join(lines))


def _table(commands: Iterable[SlashCommand]) -> Iterator[str]:
    rows = [(command.usage, command) for command in commands]
    width = max(len(usage) for usage, _ in rows)
    for usage, command in rows:
        also = f" ({', '.join(command.aliases)})" if command.aliases else ""
        yield f"{usage:<{width}}  {command.summary}{also}"


def _typing(chat: Chat) -> Iterator[str]:
    """What sends and what does not, as the settings have it, and the other keys there are."""
    sentinel = chat.settings.repl.sentinel
    if not chat.screen.has_editor:
        yield f"{sentinel} on a line of its own sends; \\{sentinel} is a line of text."
    elif chat.settings.repl.submit == "enter":
        yield f"Enter sends, and so does {sentinel} on a line of its own;"
        yield "Alt-Enter and Ctrl-J make a line."
    else:
        yield f"{sentinel} on a line of its own sends, and so does Alt-Enter;"
        yield f"Enter and Ctrl-J make a line. \\{sentinel} is a line of text."
    yield _SLASH
    yield _KEYS if chat.screen.has_editor else "Ctrl-C stops a reply; Ctrl-D leaves."


def _about(command: SlashCommand) -> list[str]:
    lines = [f"{command.usage}  {command.summary}"]
    if command.aliases:
        lines.append(f"also     {' '.join(command.aliases)}")
    if command.example:
        lines.append(f"example  {command.example}")
    return lines


async def _names(chat: Chat, _typed: str) -> Iterable[Value]:
    from cloudllm.repl.commands.names import known  # noqa: PLC0415 - see above

    return [(name.removeprefix("/"), command.summary) for name, command in known(chat).items()]


COMMANDS = (
    SlashCommand(
        "/help",
        "list the commands and the keys, or tell of one",
        _help,
        argument="[COMMAND]",
        complete=_names,
        aliases=("/h", "/?"),
        example="/help set",
    ),
)
