"""Which message may follow which: user and model take turns, results follow their calls."""

from __future__ import annotations

from collections.abc import Sequence

from cloudllm.errors import UsageError
from cloudllm.messages import Message, Role


def check_next(history: Sequence[Message], message: Message) -> None:
    """Raise `UsageError` if `message` can't follow `history`."""
    last = history[-1].role if history else None
    waiting = _calls_without_result(history)
    if message.role is Role.SYSTEM:
        raise UsageError("The history holds no system prompt", advice="Set system_prompt instead")
    if message.role is Role.TOOL:
        if message.tool_call_id not in waiting:
            raise UsageError(f"No tool call waits for the result {message.tool_call_id!r}")
    elif waiting:
        raise UsageError(f"The tool calls {', '.join(map(repr, waiting))} have no results yet")
    elif message.role is Role.USER and last not in (None, Role.ASSISTANT):
        raise UsageError("The last message has no reply yet", advice="Retry it, or undo it")
    elif message.role is Role.ASSISTANT and last not in (Role.USER, Role.TOOL):
        raise UsageError("A reply needs a user message before it")


def _calls_without_result(history: Sequence[Message]) -> list[str]:
    """The ids of the calls that still wait for their results at the end of `history`."""
    answered: set[str | None] = set()
    for message in reversed(history):
        if message.role is not Role.TOOL:
            return [call.id for call in message.tool_calls if call.id not in answered]
        answered.add(message.tool_call_id)
    return []
