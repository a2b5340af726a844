"""Takes a conversation up again: the one that was asked for, chosen, or broken off by a crash."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from cloudllm.errors import CloudLLMError, StoreError, UsageError
from cloudllm.messages import Message, Status
from cloudllm.repl import sessionlist, wording
from cloudllm.repl.transcript import last_turn
from cloudllm.threads import in_thread

if TYPE_CHECKING:
    from cloudllm.repl.chat import Chat
    from cloudllm.repl.shelf import Shelf
    from cloudllm.store.conversations import Entry, Loaded

_PRIVATE = "a private chat keeps nothing on disk, and takes nothing up from there"
_GO_ON_HERE = "/continue goes on with it, /new begins a new conversation."


def listing(chat: Chat) -> str:
    """What lists the conversations where this chat is held: in it, or outside."""
    return "/sessions" if chat.person else "cloudllm sessions list"


def shelf_of(chat: Chat) -> Shelf:
    """The way to the conversations on disk; raises `UsageError` in a private chat."""
    if chat.shelf is None:
        raise UsageError(_PRIVATE, advice="Start one without --private and history.private")
    return chat.shelf


async def open_chat(chat: Chat, *, person: bool) -> None:
    """Begin as the command line says; without a `person` only what was asked for is taken up.

    Raises:
        UsageError: there is no such conversation.
        StoreError: what is on disk cannot be used.
    """
    opening = chat.opening
    if not opening.go_on and opening.resume is None:
        if person and chat.shelf is not None:
            await _take_up_broken(chat, chat.shelf)
        return
    shelf = shelf_of(chat)
    await shelf.recover()
    if opening.go_on:
        await _take_up_last(chat, shelf, told=person)
    elif opening.resume:
        await take_up(chat, await find(chat, opening.resume), told=person)
    else:
        await choose(chat)


async def find(chat: Chat, name: str) -> Entry:
    """The conversation of that name, or of a number in the list that was shown last.

    Raises:
        UsageError: there is none, or more than one.
    """
    return await shelf_of(chat).find(name, listing=listing(chat))


async def choose(chat: Chat) -> None:
    """Let the person choose a conversation, and take it up; nothing happens if they want none."""
    shelf = shelf_of(chat)
    entries = await shelf.entries()
    if not entries:
        raise UsageError("there are no conversations yet")
    shelf.number(entries)
    choices = [sessionlist.choice(entry) for entry in entries]
    at = await chat.screen.choose("Resume", choices, lambda at: shelf.ending(entries[at].id))
    if at is not None:
        await take_up(chat, entries[at])


async def take_up(chat: Chat, entry: Entry, *, told: bool = True) -> None:
    """Go on with a conversation, where it was left, and, if that is to be told, show where."""
    loaded = await shelf_of(chat).load(entry.id)
    await _go_on_with(chat, loaded)
    if not told:
        return
    show(chat, loaded)
    if loaded.unanswered:
        chat.screen.notice("Its last message has no reply; /retry sends it again.")
    elif offer := _offer(loaded):
        chat.screen.notice(offer)


async def _go_on_with(chat: Chat, loaded: Loaded) -> None:
    """Have the chat, and what it writes, go on with a conversation."""
    chat.hold(loaded)
    shelf_of(chat).journal.resume(loaded)
    await _adopt(chat, loaded.entry.model, loaded.system_prompt)


async def _adopt(chat: Chat, model: str, system_prompt: str) -> None:
    """Take on what a conversation was held with, unless the command line says otherwise.

    A model that cannot be had is named, and the chat stays with its own.
    """
    if model and "model" not in chat.given and model != chat.model:
        try:
            await _adopt_model(chat, model)
        except CloudLLMError as error:
            chat.screen.notice(f"{model} cannot be had, so {chat.model} goes on. {error}")
    if "system_prompt" not in chat.given and system_prompt != chat.settings.system_prompt:
        await chat.set("system_prompt", system_prompt)
    chat.adopted = {key: chat.flags.get(key) for key in ("model", "system_prompt")}


async def _adopt_model(chat: Chat, model: str) -> None:
    if chat.session is not None:
        await chat.use_model(model)
    else:
        await in_thread(partial(chat.registry.resolve, model))
        await chat.set("model", model)


def show(chat: Chat, loaded: Loaded, *, ending: bool = True) -> None:
    """Say which conversation this is, and show its last turn, and if told so how that ended.

    What waits for a reply is back in the editor.
    """
    entry = loaded.entry
    chat.screen.notice(f"{sessionlist.title(entry)} · {sessionlist.summary(entry)}")
    if earlier := wording.earlier_notice(loaded.messages):
        chat.screen.notice(earlier)
    if turn := last_turn(loaded.messages):
        chat.screen.recall(turn)
        for notice in _endings(turn[-1]) if ending else ():
            chat.screen.notice(notice)
    elif not loaded.unanswered:
        chat.screen.notice("All that was said in it was taken back; /tree leads back to it.")
    if loaded.unanswered:
        chat.screen.put_back(loaded.unanswered)


def _endings(last: Message) -> list[str]:
    """How a turn ended, if that is not with its end."""
    stopped = ["The reply was stopped."] if last.status is Status.CANCELLED else []
    return stopped or wording.ending_notices(last)


def _offer(loaded: Loaded) -> str | None:
    """What can be done about a last reply that is not whole."""
    return wording.offer(loaded.messages[-1]) if loaded.messages else None


async def _take_up_last(chat: Chat, shelf: Shelf, *, told: bool) -> None:
    entry = await shelf.last()
    if entry is None:
        way = "/resume" if chat.person else "--resume NAME"
        raise UsageError(
            "there is no conversation in this folder yet",
            advice=f"{way} takes up one of another folder",
        )
    await take_up(chat, entry, told=told)


async def _take_up_broken(chat: Chat, shelf: Shelf) -> None:
    """Take the last conversation of this folder up, if a crash has broken it off; name others."""
    try:
        recovered = await shelf.recover()
        last = await shelf.broken()  # also if another process has put it in order
        others = [each for each in recovered if last is None or each.id != last.id]
        loaded = await shelf.load(last.id) if last is not None else None
    except StoreError:  # the journal says so when there is something to write
        return
    if loaded is not None and chat.begun:  # the store was slow, and the person was not
        others = recovered
    elif loaded is not None:
        await _go_on_with(chat, loaded)
        show(chat, loaded, ending=False)
        was = "message had no reply" if loaded.unanswered else "reply was broken off"
        chat.screen.notice(f"The last {was}: {_go_on_how(loaded)}")
    _name(chat, others)


def _go_on_how(loaded: Loaded) -> str:
    if loaded.unanswered:
        return "it is back in the editor. /new begins a new conversation."
    if loaded.messages and not loaded.messages[-1].content:
        return "/retry asks again, /new begins a new conversation."
    return _GO_ON_HERE


def _name(chat: Chat, others: Sequence[Entry]) -> None:
    """Say which other conversations were broken off."""
    if not others:
        return
    first = f"“{sessionlist.title(others[0])}”"
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    chat.screen.notice(f"Broken off, too, and kept: {first}{more}; /sessions lists them.")
