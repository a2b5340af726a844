"""Commands on turns: /continue, /edit, /pin, /retry, /undo, /unpin, /wait."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from cloudllm.errors import UsageError
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands.base import SlashCommand, Value, no_argument, turn_number
from cloudllm.repl.transcript import first_line, turns


async def _retry(chat: Chat, argument: str) -> None:
    no_argument("/retry", argument)
    await chat.retry()


async def _continue(chat: Chat, argument: str) -> None:
    no_argument("/continue", argument)
    await chat.go_on()


async def _undo(chat: Chat, argument: str) -> None:
    no_argument("/undo", argument)
    text = await _taken_back(chat, "undo")
    chat.screen.notice(_taken_back_notice(chat))
    chat.screen.put_back(text)


async def _edit(chat: Chat, argument: str) -> None:
    no_argument("/edit", argument)
    text = await _taken_back(chat, "edit")
    chat.screen.notice(f"{_taken_back_notice(chat)} This was your message, to be sent again:")
    chat.screen.edit(text)


async def _taken_back(chat: Chat, what: str) -> str:
    """The user's text of the last turn, which is then no more."""
    text = (await chat.connect()).undo() if chat.history else None
    if text is None:
        raise UsageError(f"there is nothing to {what} yet")
    return text


def _taken_back_notice(chat: Chat) -> str:
    """That the last turn is no more, and the way back to it, if it is kept."""
    is_kept = chat.shelf is not None and chat.shelf.journal.key is not None
    return f"The last turn is taken back{'; /tree leads back to it' if is_kept else ''}."


async def _wait(chat: Chat, argument: str) -> None:
    """Reached only when no reply is coming in; see `TerminalChat.submit` and `PlainChat`."""
    no_argument("/wait", argument)
    chat.screen.notice("No reply is coming in, so there is nothing to wait for.")


async def _pin(chat: Chat, argument: str, *, pinned: bool) -> None:
    name = "/pin" if pinned else "/unpin"
    number = turn_number(name, argument)
    if not chat.history:
        raise UsageError("there is no turn yet")
    (await chat.connect()).pin(number, pinned=pinned)
    turn = "The last turn" if number is None else f"Turn {number}"
    means = "is pinned: it always goes out" if pinned else "is no longer pinned"
    chat.screen.notice(f"{turn} {means}.")


async def _turns(chat: Chat, _typed: str, *, pinned: bool) -> Iterable[Value]:
    """The numbers of the turns that are pinned, or that are not."""
    return [
        (str(turn.number), first_line(turn.text))
        for turn in turns(chat.history)
        if turn.pinned is pinned
    ]


COMMANDS = (
    SlashCommand("/continue", "go on with a reply that was cut, stopped or too long", _continue),
    SlashCommand(
        "/edit",
        "change the last message, to send it again",
        _edit,
        aliases=("/e",),
    ),
    SlashCommand(
        "/retry", "send again what failed, or ask for a new reply", _retry, aliases=("/r",)
    ),
    SlashCommand("/undo", "take the last turn back; its text returns to the editor", _undo),
    SlashCommand("/wait", "wait on for the reply under way, past its deadlines", _wait),
    SlashCommand(
        "/pin",
        "keep a turn, or the last one, from being left out",
        partial(_pin, pinned=True),
        argument="[TURN]",
        complete=partial(_turns, pinned=False),
        example="/pin 1",
    ),
    SlashCommand(
        "/unpin",
        "let a turn, or the last one, be left out again",
        partial(_pin, pinned=False),
        argument="[TURN]",
        complete=partial(_turns, pinned=True),
    ),
)
