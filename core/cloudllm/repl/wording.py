"""What every front end says in the same words."""

from __future__ import annotations

from collections.abc import Sequence

from cloudllm.events import FellBack, Retrying, Stalled, Summarizing, Trimmed
from cloudllm.messages import Attempt, Cost, Message, Role, Status, Usage
from cloudllm.words import counted

STOPPED_AT_LENGTH = ("length", "max_tokens")
"""Finish reasons of a reply that is whole but for its end."""

_STATES = {
    Status.PARTIAL: "broken off",
    Status.CANCELLED: "stopped",
    "streaming": "still coming in",
}
NEWEST = 50
"""Items of a long list that are shown; more would drive these off the scrollback of some terminals."""

EMPTY = "(an empty reply)"
WAITING_ON = "Waiting on, whatever the deadlines say; Ctrl-C stops."


def state(status: str) -> str:
    """What is to be known of a message in a list; "" if it is whole."""
    return _STATES.get(status, "")


def described(usage: Usage | None) -> str:
    """Tokens in one line; `~` marks an estimate, since the provider reported nothing."""
    if usage is None:
        return "tokens unknown"
    about = "~" if usage.estimated else ""
    parts = [f"{about}{usage.input_tokens:,} in", f"{about}{usage.output_tokens:,} out"]
    if usage.cached_tokens:
        parts.insert(1, f"{usage.cached_tokens:,} cached")
    if usage.reasoning_tokens:
        parts.append(f"{usage.reasoning_tokens:,} reasoning")
    return " · ".join([*parts, f"{about}{usage.total_tokens:,} tokens"])


def priced(cost: Cost | None) -> str:
    """A cost in one line: `~` marks an estimate, and an unknown price is never nothing."""
    from cloudllm.pricing import FREE, shown  # noqa: PLC0415 - after the first prompt

    if cost is None or (cost.unknown and not cost.nano):
        return "cost unknown"
    return FREE if cost.source == FREE else shown(cost)


def closing(reply: Message, attempts: Sequence[Attempt], seconds: float) -> str:
    """The line after a reply: tokens, cost, time, and how many attempts it took if not one."""
    parts = [described(reply.usage), priced(reply.cost), f"{seconds:.1f} s"]
    if len(attempts) > 1:
        parts.append(f"{len(attempts)} attempts")
    return " · ".join(parts)


def earlier_left_out(count: int, noun: str, command: str) -> str:
    """The line above the newest of a long list, of which so many are not shown."""
    return f"… {counted(count, f'earlier {noun}')}; {command} lists them, too"


def earlier_notice(history: Sequence[Message]) -> str | None:
    """That there is more than the last turn, where that alone is shown."""
    earlier = sum(message.role is Role.USER for message in history) - 1
    if earlier < 1:
        return None
    if earlier == 1:
        return "1 earlier turn; /history shows it."
    return f"{earlier:,} earlier turns; /history shows them."


def ending_notices(reply: Message) -> list[str]:
    """What is to be said of how a reply ended, unless it simply ended."""
    if reply.status is Status.PARTIAL:
        why = f": {reply.error}" if reply.error else ""
        return [f"The reply was broken off{why.rstrip('.')}."]
    if reply.finish_reason in STOPPED_AT_LENGTH:
        return [
            "The reply stopped at the limit of its length (max_output_tokens, or the model's own)."
        ]
    if reply.finish_reason == "content_filter":
        return ["The provider's content filter stopped the reply."]
    return []


def offer(reply: Message) -> str | None:
    """What a person can do about a reply that is not whole."""
    at_length = reply.status is Status.COMPLETE and reply.finish_reason in STOPPED_AT_LENGTH
    if reply.status is Status.COMPLETE and not at_length:
        return None
    if not reply.content or reply.tool_calls:
        return "/retry asks again."
    return "/continue goes on." if at_length else "/continue goes on with it, /retry asks again."


def stopped_notice(reply: Message | None) -> str:
    """That a person stopped a turn, and what became of the reply, if there is any."""
    if reply is None:
        return "Stopped."
    offered = offer(reply)
    if offered is None:  # it was over, and not yet said to be
        return "Stopped; the reply is whole, and kept."
    return f"Stopped; what came is kept: {offered}"


def trimmed_notice(event: Trimmed) -> str:
    """That older messages were left out."""
    noun = "message" if event.messages == 1 else "messages"
    stand = "a summary stands for them" if event.summarized else "the history keeps them"
    return (
        f"{event.messages} older {noun} (~{event.tokens:,} tokens) left out of this request so that"
        f" it fits; {stand}."
    )


def summarizing_notice(event: Summarizing) -> str:
    """That a model sums up what will be left out."""
    return f"Summing up older messages… {event.model}"


def retrying_notice(event: Retrying) -> str:
    """That the request is sent again, why and when."""
    return (
        f"{event.reason.rstrip('.')}; next try {event.attempt} of {event.attempts}"
        f" in {event.seconds:.1f} s (Ctrl-C stops)"
    )


def fell_back_notice(event: FellBack) -> str:
    """That another model goes on."""
    return f"{event.reason.rstrip('.')}. Going on with {event.model} instead of {event.failed}."


def stalled_notice(event: Stalled, *, asks: bool, answer: str = "Enter or /wait") -> str:
    """That nothing comes, and for how much longer it is waited; `asks` a person who can answer."""
    line = f"No text for {event.seconds:.0f} s"
    if event.limit is not None:
        line += f", gives up at {event.limit:g} s"
        line += f": {answer} waits on" if asks else ""
    return f"{line}, Ctrl-C stops" if asks else line
