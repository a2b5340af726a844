"""Conversations as JSON: nothing is lost, and whatever a file holds, what is wrong is said and where."""

from __future__ import annotations

import gc
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudllm import (
    Archive,
    ArchivedMessage,
    Cost,
    Message,
    Role,
    Status,
    ToolCall,
    Usage,
    UsageError,
)
from cloudllm.archivejson import (
    archive_of,
    archives_of,
    message_details,
    message_of,
)
from tests.core.archives import archives, messages

REPLY = Message(
    Role.ASSISTANT,
    "Hi",
    reasoning="hm",
    tool_calls=(ToolCall("1", "look", '{"at": "sea"}'),),
    pinned=True,
    status=Status.PARTIAL,
    model="acme/a",
    finish_reason="stop",
    usage=Usage(input_tokens=7, output_tokens=5, cached_tokens=2),
    error="cut",
    cost=Cost(nano=1_200_000, source="acme"),
)
ARCHIVE = Archive(
    id="k1",
    title="Greeting",
    created=1,
    updated=2,
    folder="/home/me",
    model="acme/a",
    system_prompt="Be brief.",
    origin="llm:1",
    messages=(
        ArchivedMessage(id="1", parent=None, message=Message(Role.USER, "Hello"), created=1),
        ArchivedMessage(id="2", parent="1", message=REPLY, created=2),
    ),
    head="2",
)
OBJECT: dict[str, Any] = {
    "id": "k1", "title": "Greeting", "created": 1, "updated": 2, "folder": "/home/me",
    "model": "acme/a", "system_prompt": "Be brief.", "origin": "llm:1", "head": "2",
    "messages": [
        {"id": "1", "parent": None, "created": 1, "role": "user", "content": "Hello"},
        {
            "id": "2", "parent": "1", "created": 2, "role": "assistant", "content": "Hi",
            "reasoning": "hm", "pinned": True, "model": "acme/a", "status": "partial",
            "tool_calls": [{"id": "1", "name": "look", "arguments": '{"at": "sea"}'}],
            "finish_reason": "stop", "error": "cut",
            "usage": {"input_tokens": 7, "output_tokens": 5, "cached_tokens": 2},
            "cost": {"nano": 1_200_000, "source": "acme"},
        },
    ],
}  # fmt: skip


def test_the_names_are_these() -> None:
    assert ARCHIVE.as_object() == OBJECT


def test_the_page_describes_every_name_and_its_example_can_be_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "conversations.md").read_text(encoding="utf-8")
    names = {*OBJECT, *OBJECT["messages"][1], *Message.__slots__, *Usage.__slots__}
    names |= {*ToolCall.__slots__, *Cost.__slots__}
    assert [name for name in names if not re.search(rf"[`\"]{name}[`\"]", page)] == []
    (example,) = re.findall(r"^```json\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    (archive,) = archives_of(json.loads(example))
    assert [each.message.role for each in archive.branch()] == [Role.USER, Role.ASSISTANT]


@settings(max_examples=20, deadline=None)
@given(archives())
def test_nothing_is_lost_on_the_way_to_json_and_back(archive: Archive) -> None:
    assert archive_of(json.loads(json.dumps(archive.as_object())), "it") == archive


@settings(max_examples=30, deadline=None)
@given(messages)
def test_a_row_of_the_store_loses_nothing(message: Message) -> None:
    details = message_details(message)
    assert details.isascii()
    assert from_row(message, details) == message


def from_row(message: Message, details: str) -> Message:
    return message_of(
        role=str(message.role),
        content=message.content,
        reasoning=message.reasoning,
        status=str(message.status),
        pinned=message.pinned,
        model=message.model,
        details=details,
    )


def test_a_plain_message_has_no_details() -> None:
    assert message_details(Message(Role.USER, "Hello", pinned=True)) == "{}"


def test_what_is_made_from_a_row_is_a_message_like_any_other() -> None:
    made = from_row(REPLY, message_details(REPLY))
    assert (hash(made), repr(made)) == (hash(REPLY), repr(REPLY))
    with pytest.raises(AttributeError):
        made.content = "other"  # type: ignore[misc]


def test_names_of_a_later_version_are_passed_over() -> None:
    assert from_row(REPLY, '{"colour": 1, "usage": {"colour": 2}}').usage == Usage()


@pytest.mark.parametrize("details", ["", "null", "[]", "{", '{"usage": 5}', '{"tool_calls": [{}]}'])
def test_a_row_that_holds_something_else_is_refused(details: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_row(REPLY, details)


@pytest.mark.parametrize("change", [{"role": "judge"}, {"status": "streaming"}])
def test_a_row_with_an_unknown_word_is_refused(change: dict[str, str]) -> None:
    row: dict[str, Any] = {
        "role": "user", "content": "", "reasoning": "", "status": "complete", "pinned": False,
        "model": None, "details": "{}",
    }  # fmt: skip
    with pytest.raises(ValueError, match="no message"):
        message_of(**(row | change))


@pytest.mark.benchmark
def test_rows_are_made_messages_in_two_thirds_of_the_usual_time() -> None:
    reply = replace(REPLY, tool_calls=())
    details = message_details(reply)
    rows = [
        {
            "role": str(each.role), "content": each.content, "reasoning": "", "status": "complete",
            "pinned": False, "model": each.model, "details": known,
        }
        for each, known in ((Message(Role.USER, "Hello"), "{}"), (reply, details))
    ] * 500  # fmt: skip
    ours, usual = [], []
    gc.disable()
    try:
        for _ in range(9):
            usual.append(timed(usual_way, rows))
            ours.append(timed(message_of, rows))
    finally:
        gc.enable()
    assert min(ours) <= min(usual) * 2 / 3


def timed(make: Callable[..., Message], rows: list[dict[str, Any]]) -> float:
    start = time.process_time()
    for row in rows:
        make(**row)
    return time.process_time() - start


def usual_way(*, role: str, status: str, details: str, **row: Any) -> Message:
    found = json.loads(details)
    for name, kind in (("usage", Usage), ("cost", Cost)):
        if name in found:
            found[name] = kind(**found[name])
    return Message(Role(role), status=Status(status), **row, **found)


def changed(path: str, value: object) -> dict[str, Any]:
    """The example with another value at a place; `...` takes it out."""
    made: Any = json.loads(json.dumps(OBJECT))
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    at = made
    for step in way:
        at = at[step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return dict(made)


WRONG: list[tuple[str, object, str]] = [
    ("title", 5, "title: must be text, not a number"),
    ("title", None, "title: must be text, not null"),
    ("created", "x", "created: must be a whole number, not text"),
    ("created", True, "created: must be a whole number, not true or false"),
    ("created", 1.5, "created: must be a whole number, not a fraction"),
    ("created", 2**63, "created: the number is too large"),
    ("head", ..., "head: is missing"),
    ("head", "9", "head: no message has the id '9'"),
    ("head", 2, "head: must be text or null, not a number"),
    ("messages", ..., "messages: is missing"),
    ("messages", {}, "messages: must be a list, not an object"),
    ("messages.1", [], "messages[1]: must be an object, not a list"),
    ("messages.1.id", ..., "messages[1].id: is missing"),
    ("messages.1.id", "1", "messages[1].id: another message has the id '1'"),
    ("messages.1.parent", ..., "messages[1].parent: is missing"),
    ("messages.1.parent", "2", "messages[1].parent: no message before it has the id '2'"),
    ("messages.0.parent", "2", "messages[0].parent: no message before it has the id '2'"),
    ("messages.1.role", "judge", "messages[1].role: must be one of user, assistant, tool, not"),
    ("messages.1.role", "system", "messages[1].role: must be one of user, assistant, tool, not"),
    ("messages.1.content", None, "messages[1].content: must be text, not null"),
    ("messages.1.status", "ok", "messages[1].status: must be one of complete, partial, canc"),
    ("messages.1.pinned", 1, "messages[1].pinned: must be true or false, not a number"),
    ("messages.1.model", [], "messages[1].model: must be text or null, not a list"),
    ("messages.1.usage", 7, "messages[1].usage: must be an object, not a number"),
    ("messages.1.usage.input_tokens", "7", "messages[1].usage.input_tokens: must be a whole"),
    ("messages.1.cost.source", None, "messages[1].cost.source: must be text, not null"),
    ("messages.1.tool_calls", "x", "messages[1].tool_calls: must be a list, not text"),
    ("messages.1.tool_calls.0.name", ..., "messages[1].tool_calls[0].name: is missing"),
]


@pytest.mark.parametrize(("path", "value", "words"), WRONG)
def test_what_is_wrong_is_said_with_its_place(path: str, value: object, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        archive_of(changed(path, value), "conversations[3]")
    assert str(caught.value).startswith(f"conversations[3].{words}")
    assert "\n" not in str(caught.value)


def test_what_is_not_known_may_be_left_out_and_unknown_names_are_no_matter() -> None:
    short = {"head": "1", "messages": [{"id": "1", "parent": None, "role": "user", "content": "a"}]}
    archive = archive_of({**short, "colour": "red"}, "it")
    assert archive.branch()[0].message == Message(Role.USER, "a")
    assert archive == archive_of(archive.as_object(), "it")


def document(*conversations: object, **changes: object) -> dict[str, object]:
    return {"format": "cloudllm", "version": 1, "conversations": list(conversations), **changes}


def test_a_document_holds_any_number_of_conversations() -> None:
    assert list(archives_of(document(OBJECT, OBJECT))) == [ARCHIVE, ARCHIVE]
    assert list(archives_of(document())) == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "it must be an object, not a list"),
        ({}, "format: is missing"),
        (document(format="llm"), "format: must be 'cloudllm'"),
        (document(version=2), "version: this cloudllm reads version 1, not 2. Update cloudllm"),
        (document(version=0), "version: this cloudllm reads version 1, not 0"),
        (document(conversations=5), "conversations: must be a list, not a number"),
        (document(OBJECT, 5), "conversations[1]: must be an object, not a number"),
    ],
)
def test_a_document_that_is_none_is_refused(value: object, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        list(archives_of(value))
    assert str(caught.value).startswith(words)
    with pytest.raises(UsageError, match=r"^file\.json: \w"):
        list(archives_of(value, "file.json: "))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([path for path, _, _ in WRONG]), _json)
def test_whatever_stands_anywhere_it_is_read_or_refused(path: str, value: object) -> None:
    try:
        archive = archive_of(changed(path, value), "it")
    except UsageError:
        return
    assert archive_of(archive.as_object(), "it") == archive
