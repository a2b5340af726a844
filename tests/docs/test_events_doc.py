"""docs/events.md: every event has its section, and every field of it its line; there are no others."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from cloudllm import Attempt, CloudLLMError, Cost, Message, Outcome, Role, TurnFinished, Usage
from cloudllm.eventjson import TYPES, error_object, event_object

_PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
_FINISHED = event_object(
    TurnFinished(
        Message(Role.ASSISTANT, "", usage=Usage(), cost=Cost()),
        (Attempt(number=1, model="", outcome=Outcome.COMPLETE),),
    )
)


def documented(title: str) -> list[str]:
    """The fields in the table of the section under this heading."""
    found = re.search(rf"^##+ {re.escape(title)}\n(.*?)(?=^##|\Z)", _PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None, f"docs/events.md has no section {title}"
    return re.findall(r"^\| `(\w+)` \| \S.* \|$", found[1], re.MULTILINE)


@pytest.mark.parametrize("event", TYPES)
def test_event_has_its_section_and_every_field_its_line(event: type) -> None:
    title = f"`{TYPES[event]}`"
    assert documented(title) == [each.name for each in fields(event)]
    assert f"### {title}\n\n`{event.__name__}`: " in _PAGE


def test_error_has_every_field() -> None:
    assert documented("`error`") == list(error_object(CloudLLMError("")))[1:]


@pytest.mark.parametrize(
    ("title", "example"),
    [
        ("The reply", _FINISHED["reply"]),
        ("The usage", _FINISHED["reply"]["usage"]),  # type: ignore[index]
        ("The cost", _FINISHED["reply"]["cost"]),  # type: ignore[index]
        ("An attempt", _FINISHED["attempts"][0]),  # type: ignore[index]
    ],
)
def test_what_events_hold_has_every_field(title: str, example: dict[str, object]) -> None:
    assert documented(title) == list(example)


def test_there_is_no_section_on_an_event_that_is_none() -> None:
    titles = re.findall(r"^### `(\w+)`$", _PAGE, re.MULTILINE)
    assert titles == [*TYPES.values(), "error"]
