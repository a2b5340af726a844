"""Commands on conversations as a whole: /fork, /rename, /resume, /sessions, /tree."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from cloudllm.errors import CloudLLMError, UsageError
from cloudllm.messages import Role
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands.base import SlashCommand, Value, no_argument, turn_number
from cloudllm.threads import in_thread
from cloudllm.words import quoted

if TYPE_CHECKING:
    from cloudllm.repl.shelf import Shelf

_OFFERED = 200
"""Conversations that are offered for completion."""

_FOUND = 20
"""Messages that a search shows."""

_ALL = "all"


async def _sessions(chat: Chat, argument: str) -> None:
    from cloudllm.repl.resuming import shelf_of  # noqa: PLC0415 - rarely needed

    shelf = shelf_of(chat)
    others = await (_search(chat, shelf, argument) if argument else _list(chat, shelf))
    chat.screen.notice(f"/resume NUMBER goes on with one{others}.")


async def _search(chat: Chat, shelf: Shelf, words: str) -> str:
    """Show the messages with these words; what is to be said of those that are not shown."""
    from cloudllm.repl import sessionlist  # noqa: PLC0415 - rarely needed

    found = await shelf.search(words, limit=_FOUND + 1)
    hits, columns = found[:_FOUND], chat.screen.columns
    shelf.number([hit.entry for hit in hits], [hit.message for hit in hits])
    if not found:
        raise UsageError(f"no message holds {quoted(words)}")
    lines = [sessionlist.hit_lines(at, hit, columns) for at, hit in enumerate(hits, start=1)]
    chat.screen.output("\n".join(lines))
    return "; there are older ones, and more words find fewer" if len(found) > _FOUND else ""


async def _list(chat: Chat, shelf: Shelf) -> str:
    """Show the conversations; what is to be said of those that are not shown."""
    from cloudllm.repl import choices, sessionlist  # noqa: PLC0415 - rarely needed

    entries = await shelf.entries()
    shelf.number(entries)
    if not entries:
        raise UsageError("there are no conversations yet")
    listed = [sessionlist.choice(entry) for entry in entries]
    chat.screen.output(choices.numbered(listed, chat.screen.columns))
    return "; /resume alone shows all" if len(entries) > choices.LISTED else ""


async def _resume(chat: Chat, argument: str) -> None:
    from cloudllm.repl import resuming  # noqa: PLC0415 - rarely needed

    if argument:
        entry = await resuming.find(chat, argument)
        found = resuming.shelf_of(chat).found(argument)
        await resuming.take_up(chat, entry)
        if found is not None:
            await _point(chat, found)
    else:
        await resuming.choose(chat)


async def _point(chat: Chat, message: int) -> None:
    """Say how to get to what was found, if it is not on the branch in use."""
    from cloudllm.repl.resuming import shelf_of  # noqa: PLC0415 - rarely needed

    tree = await shelf_of(chat).tree()
    for number, node in enumerate(tree.nodes, start=1):
        if node.id == message and not node.on_branch:
            chat.screen.notice(
                f"What was found is on a branch that was left; /tree {number} goes there."
            )


async def _titles(chat: Chat, _typed: str) -> Iterable[Value]:
    from cloudllm.repl import sessionlist  # noqa: PLC0415 - rarely needed

    if chat.shelf is None:
        return ()
    seen: set[str] = set()
    offered: list[Value] = []
    for entry in (await chat.shelf.entries())[:_OFFERED]:
        title = sessionlist.title(entry)
        is_own = title not in seen and title == entry.title
        about = sessionlist.summary(entry)
        offered.append((title, about) if is_own else (entry.key, f"{title} · {about}"))
        seen.add(title)
    return offered


async def _tree(chat: Chat, argument: str) -> None:
    from cloudllm.repl import resuming, treeview  # noqa: PLC0415 - rarely needed

    shelf = resuming.shelf_of(chat)
    tree = await shelf.tree()
    entry = tree.entry
    if argument in ("", _ALL):
        columns, everything = chat.screen.columns, argument == _ALL
        draw = partial(treeview.drawn, tree, columns, everything=everything)
        chat.screen.output(await in_thread(draw))
        chat.screen.notice("* is this chat's branch, > its end. /tree NUMBER goes to a message.")
        return
    number = _message_number(argument, len(tree.nodes))
    await shelf.journal.ask(lambda found: found.move(entry.id, tree.nodes[number - 1].id))
    await resuming.take_up(chat, entry)


def _message_number(argument: str, count: int) -> int:
    if argument.isascii() and argument.isdigit() and 1 <= int(argument[:9]) <= count:
        return int(argument)
    raise UsageError(
        f"/tree takes the number of a message, 1 to {count:,}, or {_ALL}, not {quoted(argument)}",
        advice="/tree alone numbers them",
    )


async def _places(chat: Chat, _typed: str) -> Iterable[Value]:
    from cloudllm.repl.treeview import mark  # noqa: PLC0415 - rarely needed

    if chat.shelf is None or chat.shelf.journal.key is None:
        return ()
    try:
        tree = await chat.shelf.tree()
    except CloudLLMError:  # it is said when the command runs
        return ()
    return [
        (str(number), f"{mark(node, tree.head)} {node.line}")
        for number, node in enumerate(tree.nodes, start=1)
    ]


async def _fork(chat: Chat, argument: str) -> None:
    from cloudllm.repl import resuming, sessionlist  # noqa: PLC0415 - rarely needed

    number = turn_number("/fork", argument)
    shelf = resuming.shelf_of(chat)
    entry = await shelf.current()
    copy = await shelf.fork(_end_of_turn(chat, shelf, number))
    await resuming.take_up(chat, copy)
    chat.screen.notice(
        f"This is a copy, and a conversation of its own; “{sessionlist.title(entry)}” stays as it"
        " was."
    )


def _end_of_turn(chat: Chat, shelf: Shelf, number: int | None) -> int | None:
    """How many messages of the history there are up to the end of a turn; `None`: all of them.

    Raises:
        UsageError: there is no such turn.
    """
    starts = [at for at, each in enumerate(chat.history) if each.role is Role.USER]
    count = len(starts) + bool(shelf.journal.unanswered)
    if number is None or number == count:
        return None
    if not 1 <= number <= count:
        raise UsageError(f"there is no turn {number}; there are {count}")
    return [*starts[1:], len(chat.history)][number - 1]


async def _rename(chat: Chat, argument: str) -> None:
    from cloudllm.repl.resuming import shelf_of  # noqa: PLC0415 - rarely needed

    shelf = shelf_of(chat)
    entry = await shelf.current()
    if not argument:
        raise UsageError("/rename needs a title", advice="Such as /rename My first program")
    renamed = await shelf.journal.ask(lambda found: found.rename(entry.id, argument))
    chat.screen.notice(f"This conversation is called “{renamed.title}” now.")


async def _title(chat: Chat, _typed: str) -> Iterable[Value]:
    if chat.shelf is None or chat.shelf.journal.key is None:
        return ()
    try:
        return [(await chat.shelf.current()).title]
    except CloudLLMError:  # it is said when the command runs
        return ()


async def _new(chat: Chat, argument: str) -> None:
    no_argument("/clear", argument)
    stays = "the system prompt stays"
    if chat.shelf is not None and chat.shelf.journal.key is not None:
        stays = "the one before is kept, and /sessions lists it"
        if chat.shelf.journal.cannot_save:
            stays = "the one before is not saved yet, and will be as soon as that can be done"
    chat.forget()
    chat.screen.notice(f"The conversation starts anew; {stays}.")


COMMANDS = (
    SlashCommand(
        "/clear",
        "begin a new conversation, keep the system prompt",
        _new,
        aliases=("/new",),
    ),
    SlashCommand(
        "/fork",
        "go on in a copy of all, or of the turns up to one",
        _fork,
        argument="[TURN]",
    ),
    SlashCommand(
        "/rename",
        "give the conversation a title",
        _rename,
        argument="TITLE",
        complete=_title,
        example="/rename My first program",
    ),
    SlashCommand(
        "/resume",
        "go on with an earlier conversation, or choose one",
        _resume,
        argument="[NAME]",
        complete=_titles,
        example="/resume 3",
    ),
    SlashCommand(
        "/sessions",
        "list the conversations, or find words in them",
        _sessions,
        argument="[WORDS]",
        example="/sessions borrow checker",
    ),
    SlashCommand(
        "/tree",
        "the messages with all branches, or go to one of them",
        _tree,
        argument="[NUMBER|all]",
        complete=_places,
        example="/tree 3",
    ),
)
