"""What every readable form says of a conversation: who spoke, when, and how a reply ended."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from cloudllm import Archive, Message, Role, Status
from cloudllm_plugins.exporters.visible import one_line

_UNTITLED = "Conversation"
_END_OF_LINE = re.compile(r"\r\n?|\n")


def title(archive: Archive) -> str:
    """Its title on one line; never empty."""
    return one_line(archive.title) or _UNTITLED


def about(archive: Archive) -> str:
    """When and with which model, on one line."""
    return " · ".join(filter(None, (when(archive.created), one_line(archive.model))))


def when(milliseconds: int) -> str:
    """The time in UTC, such as "2026-11-28 21:04 UTC"; "" if it is unknown."""
    moment = moment_of(milliseconds)
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""


def moment_of(milliseconds: int) -> datetime | None:
    """The time; `None` if it is unknown, or is none of this era."""
    if not milliseconds:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def speaker(message: Message) -> str:
    """Who said it: a reply is its model's."""
    match message.role:
        case Role.USER:
            return "You"
        case Role.ASSISTANT:
            return one_line(message.model or "") or "Assistant"
        case role:
            return role.capitalize()


def lines_of(text: str) -> list[str]:
    """Its lines as Markdown counts them; `splitlines` takes away what else may part lines."""
    return _END_OF_LINE.split(text)


def ending(message: Message) -> str:
    """How a reply ended that is not whole; "" for all others."""
    if message.status is Status.COMPLETE:
        return ""
    words = "broken off" if message.status is Status.PARTIAL else "stopped"
    error = one_line(message.error or "")
    return f"{words}: {error}" if error else words
