"""Which message may follow which: user and model take turns, results follow their calls."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from cloudllm.errors import UsageError
from cloudllm.messages import Message, Role

# A look-up in an enumeration takes longer than all the rest of a check.
_SYSTEM, _USER, _ASSISTANT, _TOOL = Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.TOOL


def check_next(history: Sequence[Message], message: Message) -> None:
    """Raise `UsageError` if `message` can't follow `history`."""
    last = history[-1].role if history else None
    _check(last, _calls_without_result(history), message)


def check_all(messages: Iterable[Message]) -> None:
    """Raise `UsageError` if one of the messages, which it names, can't follow those before it."""
    last: Role | None = None
    waiting: dict[str | None, None] = {}  # the calls without results
    for number, message in enumerate(messages, 1):
        try:
            _check(last, waiting, message)
        except UsageError as error:
            raise UsageError(f"Message {number} can't stand there: {error.message}") from None
        last = message.role
        if last is _TOOL:
            del waiting[message.tool_call_id]
        elif message.tool_calls:
            waiting = {call.id: None for call in message.tool_calls}


def _check(last: Role | None, waiting: Collection[str | None], message: Message) -> None:
    """Raise `UsageError` if `message` can't follow one of that role while these calls wait."""
    if message.role is _SYSTEM:
        raise UsageError("The history holds no system prompt", advice="Set system_prompt instead")
    if message.role is _TOOL:
        if message.tool_call_id not in waiting:
            raise UsageError(f"No tool call waits for the result {message.tool_call_id!r}")
    elif waiting:
        raise UsageError(f"The tool calls {', '.join(map(repr, waiting))} have no results yet")
    elif message.role is _USER and last not in (None, _ASSISTANT):
        raise UsageError("The last message has no reply yet", advice="Retry it, or undo it")
    elif message.role is _ASSISTANT and last not in (_USER, _TOOL):
        raise UsageError("A reply needs a user message before it")


def _calls_without_result(history: Sequence[Message]) -> list[str]:
    """The ids of the calls that still wait for their results at the end of `history`."""
    answered: set[str | None] = set()
    for message in reversed(history):
        if message.role is not _TOOL:
            return [call.id for call in message.tool_calls if call.id not in answered]
        answered.add(message.tool_call_id)
    return []
