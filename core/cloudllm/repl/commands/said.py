"""Commands on what has been said: /copy, /history, /save."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial

from cloudllm.errors import UsageError
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands.base import SlashCommand, Value, turn_number
from cloudllm.repl.filenames import FileNames
from cloudllm.repl.transcript import (
    CodeBlock,
    SpokenTurn,
    code_blocks,
    first_line,
    in_full,
    overview,
    turns,
)
from cloudllm.repl.wording import NEWEST, earlier_left_out
from cloudllm.threads import in_thread
from cloudllm.words import counted, quoted

_CODE = re.compile(r"code(?:\s*(\d{1,6}))?")
_FORCE = "--force"
_ALL = "all"
_files = FileNames()


async def _history(chat: Chat, argument: str) -> None:
    spoken = _turns(chat)
    if not spoken:
        raise UsageError("nothing has been said yet")
    columns = chat.screen.columns
    if argument == _ALL:
        chat.screen.output(overview(spoken, columns))
        return
    number = turn_number("/history", argument)
    if number is None:
        lines = [overview(spoken[-NEWEST:], columns)]
        if (earlier := len(spoken) - NEWEST) > 0:
            lines.insert(0, earlier_left_out(earlier, "turn", f"/history {_ALL}"))
        chat.screen.output("\n".join(lines))
    elif not 1 <= number <= len(spoken):
        raise UsageError(f"there is no turn {number}; {_there(len(spoken))}")
    else:
        chat.screen.output(in_full(spoken[number - 1]))


async def _numbers(chat: Chat, _typed: str) -> Iterable[Value]:
    return [(str(turn.number), first_line(turn.text)) for turn in _turns(chat)]


def _turns(chat: Chat) -> list[SpokenTurn]:
    """All turns, and what waits for its reply since an earlier chat."""
    unanswered = chat.shelf.journal.unanswered if chat.shelf is not None else ""
    return turns(chat.history, unanswered)


async def _copy(chat: Chat, argument: str) -> None:
    from cloudllm.repl import clipboard  # noqa: PLC0415 - rarely needed

    reply = _last_reply(chat)
    if not argument:
        what, text = "The last reply", reply
    else:
        blocks = await in_thread(partial(code_blocks, reply))
        what, text = _one_block(blocks, argument)
    if chat.screen.clipboard(text):
        way = "is handed to the terminal for its clipboard"
    else:
        way = f"is in the clipboard, by {await in_thread(partial(clipboard.hand_over, text))}"
    chat.screen.notice(f"{what} ({len(text):,} characters) {way}.")


def _last_reply(chat: Chat) -> str:
    reply = chat.last_reply
    if reply is None or not reply.content:
        raise UsageError("there is no reply to copy yet")
    return reply.content


def _one_block(blocks: Sequence[CodeBlock], argument: str) -> tuple[str, str]:
    """The code block that is asked for, and what to call it; its last line end is left out."""
    match = _CODE.fullmatch(argument)
    if match is None:
        raise UsageError(f"/copy takes nothing, or code N, not {quoted(argument)}")
    if not blocks:
        raise UsageError("the last reply has no code block", advice="/copy copies all of it")
    if match[1] is None and len(blocks) > 1:
        raise UsageError(
            f"the last reply has {len(blocks)} code blocks",
            advice="Say which, such as /copy code 1",
        )
    number = int(match[1] or 1)
    if not 1 <= number <= len(blocks):
        raise UsageError(f"the last reply has no code block {number}; {_there(len(blocks))}")
    return f"Code block {number}", blocks[number - 1].code.removesuffix("\n")


def _there(count: int) -> str:
    return f"there are {count}" if count > 1 else "there is one"


async def _blocks(chat: Chat, _typed: str) -> Iterable[Value]:
    reply = chat.last_reply
    if reply is None:
        return ()
    blocks = await in_thread(partial(code_blocks, reply.content))
    return [
        (f"code {number}", f"{block.language} {first_line(block.code)}".lstrip())
        for number, block in enumerate(blocks, start=1)
    ]


async def _save(chat: Chat, argument: str) -> None:
    from cloudllm.repl import exported  # noqa: PLC0415 - rarely needed

    name, force = _file(argument)
    history = chat.history
    if not history:
        raise UsageError("there is nothing to save yet")
    archive = await exported.archive(chat)
    plugins = chat.registry.plugins
    path = await in_thread(partial(exported.write, plugins, name, archive, force=force))
    messages = counted(len(history), "message")
    chat.screen.notice(f"Saved {messages} to {path}{exported.form(name)}.")


def _file(argument: str) -> tuple[str, bool]:
    """The name of a file, which may hold blanks and be quoted, and whether to write over it."""
    name = argument.removeprefix(f"{_FORCE} ").removesuffix(f" {_FORCE}").strip()
    if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
        return name[1:-1], name != argument
    if not name or name == _FORCE:
        raise UsageError("/save needs the name of a file", advice="Such as /save talk.md")
    return name, name != argument


async def _places(_chat: Chat, typed: str) -> Iterable[Value]:
    return await _files.anywhere(typed)


COMMANDS = (
    SlashCommand(
        "/copy",
        "copy the last reply, or a code block of it",
        _copy,
        argument="[code N]",
        complete=_blocks,
        aliases=("/cp",),
        example="/copy code 1",
    ),
    SlashCommand(
        "/history",
        "what has been said so far, or one turn in full",
        _history,
        argument="[TURN|all]",
        complete=_numbers,
        example="/history 2",
    ),
    SlashCommand(
        "/save",
        "write the conversation into a file, as its ending says",
        _save,
        argument="FILE [--force]",
        complete=_places,
        example="/save ~/talk.md --force",
    ),
)
