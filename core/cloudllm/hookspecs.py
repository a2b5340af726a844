"""Every hook a plugin may implement, one documented function each."""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from cloudllm.archive import Exporter
from cloudllm.command import Command
from cloudllm.events import Event, TurnInfo
from cloudllm.messages import Message
from cloudllm.provider import Provider, Request
from cloudllm.strategy import ContextStrategy

PROJECT = "cloudllm"
API_VERSION = 1
"""The version of these hooks; a plugin that sets `cloudllm_api` to another is not loaded."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def cloudllm_providers() -> Sequence[Provider]:  # type: ignore[empty-body]
    """Return the providers this module offers.

    When: once, the first time a model of the provider is used; the module is imported then, not
    before. It is found through the entry-point group `cloudllm.providers`, whose entry points are
    named like the providers: a module with two providers has two entry points.

    Result: the list is filtered to the entry point's name; a list without it is the plugin's error.

    Who wins: a bundled name can't be taken. Of two third-party plugins with one name neither loads.

    An exception makes this provider unusable, is shown as one line, and harms nothing else.
    """


@hookspec
def cloudllm_commands() -> Sequence[Command]:  # type: ignore[empty-body]
    """Return slash commands for the chat.

    When: once, right after the plugin is loaded, in the chat only. Plugins of the entry-point group
    `cloudllm.plugins` are loaded after the first prompt; an unknown `/word` waits for them.

    Result: each command is listed by `/help` and completed like the chat's own.

    Who wins: the chat's own commands, by name or alias. A name that two plugins offer is left out
    for both, and said.

    An exception costs the plugin its commands, is shown as one line, and harms nothing else.
    """


@hookspec
def cloudllm_toolbar() -> Sequence[str]:  # type: ignore[empty-body]
    """Return short texts for the row under the editor.

    When: in the chat only, off the event loop: after the plugins are loaded, and after each turn or
    command, when this plugin's `cloudllm_event` and `cloudllm_reply` have dealt with it. Never at a
    key.

    Result: up to three texts of up to thirty characters; what is longer is cut, what is blank left
    out. They stay until the hook is called again, and go where the terminal is too narrow.

    Who wins: nobody; every plugin is called, by name.

    An exception costs the plugin its texts and is shown as one line; after three the hook is off for
    the rest of the session, and at once when it hangs past `plugins.deadline`.
    """


@hookspec
def cloudllm_context_strategies() -> Sequence[ContextStrategy]:  # type: ignore[empty-body]
    """Return ways to choose what goes out when a conversation outgrows the model.

    When: once, after the plugin is loaded, when a strategy that is not built in is wanted for the
    first time. The strategy named by `context.strategy` is called, off the event loop, before each
    request that does not fit as it is; also to show the plan, when nothing is sent or asked.

    Result: strategies. What one chooses is checked before anything is sent: it chooses whole turns,
    pinned ones and the newest message go out whatever it says, and a choice that does not fit is
    refused in the plugin's name.

    Who wins: `drop-oldest`, `none` and what ships with cloudllm. A name that two plugins offer is
    left out for both, and said.

    An exception in the hook costs the plugin its strategies, is shown as one line, and harms nothing
    else. One in a strategy, or not ending within `plugins.deadline`, stops this turn before anything
    is sent; while `ask` waits for a model, the time does not count.
    """


@hookspec
def cloudllm_request(request: Request, turn: TurnInfo) -> Request | None:
    """See, change or veto what is about to be sent.

    When: before each attempt to send a turn's request, off the event loop, after the context
    strategy has chosen the messages; and before a strategy has the model sum something up.

    request: all that goes out, the system prompt first. It is frozen: use `dataclasses.replace`.
    turn: which turn of which session it is, and the model it goes to.

    Result: a request to send instead, or `None` to leave it as it is. It must hold at least one
    message and end with the user's, or with a tool's result, or as it ended before: that may be an
    answer that the model is to go on with. If it is longer than the context limit, older turns make
    room and the plugin is asked once more; if that is not enough, the turn is refused in the
    plugin's name. The history keeps what the person wrote either way.

    Who wins: every plugin is asked, one after the other, by name; each sees the request as the one
    before it left it. `hookimpl(tryfirst=True)` and `trylast=True` move a plugin.

    An exception stops this turn before anything is sent: raise `Refused` to veto it in your own
    words. So does a hook that does not return within `plugins.deadline`. The text goes back to the
    editor; of what was vetoed with `Refused`, the input history keeps nothing on disk. This hook is
    never switched off by itself, since it may be a guard.
    """


@hookspec
def cloudllm_exporters() -> Sequence[Exporter]:  # type: ignore[empty-body]
    """Return forms in which conversations can be written to a file.

    When: once, after the plugin is loaded, when a conversation is to be exported for the first time.

    Result: exporters. `write` is called outside the event loop, with the conversations one by one;
    what it gives is written as UTF-8.

    Who wins: what ships with cloudllm. A name that two plugins offer is left out for both, and said.

    An exception in the hook costs the plugin its exporters, is shown as one line, and harms nothing
    else. One in `write`, or a piece that takes longer than `plugins.deadline`, ends that export with
    one line; a file of that name that was there before is untouched.
    """


@hookspec
def cloudllm_event(event: Event, turn: TurnInfo) -> None:
    """Observe a turn as it happens.

    When: for each event of a turn, in order, in a thread of the plugin's own, through a bounded
    queue: a slow plugin misses events (and is named) rather than delay the reply. A turn that fails
    before anything of its reply came ends without a `TurnFinished`.

    event: `Summarizing`, `Trimmed`, `RequestSent`, `Retrying`, `FellBack`, `Stalled`, `TextDelta`,
    `ReasoningDelta`, `ToolCallDelta`, `TurnFinished`.
    turn: which turn of which session it belongs to.

    Result: ignored.

    Who wins: nobody; every plugin is called.

    An exception is shown as one line; after three the hook is off for the rest of the session. When
    it hangs past `plugins.deadline`, `cloudllm_event` and `cloudllm_reply` of the plugin both are.
    """


@hookspec
def cloudllm_reply(reply: Message, turn: TurnInfo) -> None:
    """Learn of a reply that is now in the history.

    When: once for each turn that is committed, complete or not, after its last event, in the same
    thread and queue as `cloudllm_event`, from which it is never dropped. At their end `ask`, `run`
    and a chat in a pipe wait for it, two seconds at most; leaving a chat on a terminal does not.

    reply: the assistant's message with usage, finish reason and status.
    turn: which turn of which session it ended.

    Result: ignored.

    Who wins: nobody; every plugin is called.

    An exception is shown as one line; after three the hook is off for the rest of the session. When
    it hangs past `plugins.deadline`, `cloudllm_event` and `cloudllm_reply` of the plugin both are.
    """
