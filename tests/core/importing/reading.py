"""What the tests of importing share: files to read, and what came of them in short."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudllm.archive import Archive, ArchivedMessage
from cloudllm.errors import UsageError
from cloudllm.importing import read
from cloudllm.messages import Message, Role, Status, ToolCall, Usage

DATA = Path(__file__).with_name("data")


def written(path: Path, value: object) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def said(archive: Archive) -> list[tuple[str, str]]:
    """The branch in use."""
    return [(str(each.message.role), each.message.content) for each in archive.branch()]


def one(path: Path) -> Archive:
    (found,) = read(path)
    return found


def whole_and_error(path: Path) -> tuple[list[Archive], str]:
    """What can be read, and what is said of the rest."""
    found: list[Archive] = []
    with pytest.raises(UsageError) as caught:
        found.extend(read(path))  # it keeps what came before the error
    return found, str(caught.value)


def error_of(path: Path) -> str:
    found, error = whole_and_error(path)
    assert found == []
    return error


def node(
    key: str, parent: str | None, role: str = "user", parts: object = None, **more: Any
) -> dict[str, Any]:
    """A place in a mapping of ChatGPT's."""
    content = {"content_type": "text", "parts": [key] if parts is None else parts}
    message = {"id": key, "author": {"role": role}, "content": content, **more}
    return {"id": key, "parent": parent, "children": [], "message": message}


def chatgpt(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A conversation of ChatGPT's."""
    root: dict[str, Any] = {"id": "root", "parent": None, "children": [], "message": None}
    mapping = {"root": root, **{each["id"]: each for each in nodes}}
    return {"title": "A talk", "conversation_id": "c1", "mapping": mapping, **more}


def talk(key: str = "c1") -> dict[str, Any]:
    """The shortest conversation of ChatGPT's."""
    return chatgpt(node("hi", "root"), node("ho", "hi", "assistant"), conversation_id=key)


def own(name: str = "k1") -> Archive:
    """A conversation of ours with a branch, and with everything that a message can hold."""
    call = ToolCall("call 1", "look", '{"at": "☀"}')
    usage = Usage(input_tokens=3, output_tokens=5, cached_tokens=1, estimated=True)
    messages = (
        Message(Role.USER, "hi", pinned=True),
        Message(Role.ASSISTANT, "", tool_calls=(call,), model="a/b", usage=usage),
        Message(Role.TOOL, "sun", tool_call_id="call 1"),
        Message(Role.ASSISTANT, "half", reasoning="hm", status=Status.PARTIAL, error="reset"),
        Message(Role.USER, "hi again \ud800"),
    )
    parents = (None, "1", "2", "3", None)
    tree = tuple(
        ArchivedMessage(id=str(number), parent=parent, message=message, created=number * 1000)
        for number, (parent, message) in enumerate(zip(parents, messages, strict=True), 1)
    )
    return Archive(
        id=name, title="Ours", created=1, updated=2, folder="/f", model="a/b",
        system_prompt="Be kind", messages=tree, head="4",
    )  # fmt: skip
