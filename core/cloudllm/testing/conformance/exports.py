"""Tries out a plugin's exporters: with no conversation, with odd ones, and with a long one."""

from __future__ import annotations

import time
from collections.abc import Iterator

from cloudllm.archive import Archive, ArchivedMessage, Exporter
from cloudllm.errors import CloudLLMError
from cloudllm.exporting import Exporters
from cloudllm.exporting.offers import HOOK
from cloudllm.messages import Message, Role, Status, ToolCall, Usage
from cloudllm.plugins import Plugins
from cloudllm.testing.conformance.model import Failed

_MANY = 500  # messages of a long conversation
_SLOW = 2.0  # seconds for them
_ODD = "\x00\x1b[2J日本👩\u200d👧\ud83d\u202e </script><!-- ``` ~~~ | $x$ & \\"
_MESSAGES = (
    Message(Role.USER, "What is in the harbour?"),
    Message(Role.ASSISTANT, "", tool_calls=(ToolCall("1", "look", '{"at": "harbour"}'),)),
    Message(Role.TOOL, "a ship", tool_call_id="1"),
    Message(Role.ASSISTANT, "A ship.", reasoning="hm", model="a/b", usage=Usage(input_tokens=9)),
    Message(Role.USER, _ODD, pinned=True),
    Message(Role.ASSISTANT, f"```{_ODD}", status=Status.PARTIAL, error=_ODD, model=_ODD),
    Message(Role.USER, "x" * 100_000),
    Message(Role.ASSISTANT, "", status=Status.CANCELLED, error="cancelled"),
)


def tried(plugins: Plugins, notices: list[str]) -> str:
    """Have each exporter of the one plugin write; gives their names. It blocks.

    Raises:
        Failed: an offer is no exporter, or one failed, was slow, or gave what is no text.
    """
    exporters = Exporters(plugins)
    before = len(notices)
    found = exporters.names()
    if notices[before:]:
        raise Failed(notices[before])
    for exporter in found.values():
        for archives in ([], _odd(), [_long()]):
            _write(exporters, exporter, iter(archives))
    if not found:
        raise Failed(f"{HOOK}() gave no exporter")
    return ", ".join(found)


def _write(exporters: Exporters, exporter: Exporter, archives: Iterator[Archive]) -> None:
    start = time.perf_counter()
    try:
        for _ in exporters.write(exporter, archives):
            if time.perf_counter() - start > _SLOW:
                name = f"exporter {exporter.name}"
                raise Failed(f"{name} takes more than {_SLOW:g} s for {_MANY} short messages")
    except CloudLLMError as error:
        raise Failed(error.message) from None


def _odd() -> list[Archive]:
    """One without anything, one with odd text everywhere, and one whose branch in use is short."""
    whole = _archive(_MESSAGES, id="kit", title=_ODD, folder=_ODD, model=_ODD, system_prompt=_ODD)
    return [Archive(), whole, Archive(messages=whole.messages, head="1")]


def _long() -> Archive:
    said = (
        Message((Role.USER, Role.ASSISTANT)[number % 2], f"message {number} " * 20)
        for number in range(_MANY)
    )
    return _archive(said, title="A long one", created=1)


def _archive(messages: Iterator[Message] | tuple[Message, ...], **fields: object) -> Archive:
    tree = tuple(
        ArchivedMessage(id=str(n), parent=str(n - 1) if n > 1 else None, message=message)
        for n, message in enumerate(messages, 1)
    )
    return Archive(messages=tree, head=tree[-1].id, **fields)  # type: ignore[arg-type] # by name
