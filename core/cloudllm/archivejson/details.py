"""What the store keeps of a message beside its text, as short JSON; and the message again, fast.

A frozen dataclass takes most of its time to set its fields by the safe way. Of 20,000 messages,
which are read before the prompt of a long conversation is usable, that would be 0.1 s; so the
fields are put in their slots directly. A test compares the two ways.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from cloudllm.archive import facts
from cloudllm.messages import Cost, Message, Role, Status, ToolCall, Usage

Kind = TypeVar("Kind")

_NOTHING = "{}"
_ROLES = {each.value: each for each in Role}  # five times as fast as the enum's own look-up
_STATUSES = {each.value: each for each in Status}
_parse = json.JSONDecoder().raw_decode


def message_details(message: Message, exact: Mapping[str, str] | None = None) -> str:
    """What is known of a message beside its text, as short JSON; "{}" is nothing.

    It is ASCII, so half a character (a lone surrogate) is no trouble to anybody. `exact` holds those
    of its texts, by their names, that stand elsewhere in another form.
    """
    details = facts(message)
    if exact:
        details["exact"] = exact
    return json.dumps(details, separators=(",", ":")) if details else _NOTHING


def message_of(
    *,
    role: str,
    content: str,
    reasoning: str,
    status: str,
    pinned: bool,
    model: str | None,
    details: str,
) -> Message:
    """The message of a row, with `details` as `message_details` gave them.

    Raises:
        ValueError: it is not what `message_details` gives, or there is no such role or status.
    """
    try:
        made = _new(Message)
        _role(made, _ROLES[role])
        _content(made, content)
        _reasoning(made, reasoning)
        _pinned(made, pinned)
        _status(made, _STATUSES[status])
        _model(made, model)
        _fill(made, _EMPTY if details == _NOTHING else _parse(details)[0])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no message: {error!r}") from error
    return made


_EMPTY: dict[str, Any] = {}


def _setters(kind: type) -> list[Any]:
    return [getattr(kind, name).__set__ for name in kind.__slots__]  # type: ignore[attr-defined]


(
    _role,
    _content,
    _reasoning,
    _tool_calls,
    _tool_call_id,
    _pinned,
    _status,
    _model,
    _finish_reason,
    _usage,
    _error,
    _cost,
) = _setters(Message)
_input, _output, _cached, _stored, _thought, _usage_estimated = _setters(Usage)
_nano, _cost_estimated, _unknown, _source = _setters(Cost)


def _new(kind: type[Kind]) -> Kind:
    return object.__new__(kind)


def _fill(made: Message, details: dict[str, Any]) -> None:
    get = details.get
    calls, usage, cost, exact = get("tool_calls"), get("usage"), get("cost"), get("exact")
    _tool_calls(made, () if calls is None else tuple(ToolCall(**call) for call in calls))
    _tool_call_id(made, get("tool_call_id"))
    _finish_reason(made, get("finish_reason"))
    _usage(made, None if usage is None else _usage_of(usage))
    _error(made, get("error"))
    _cost(made, None if cost is None else _cost_of(cost))
    if exact is not None:
        _content(made, exact.get("content", made.content))
        _reasoning(made, exact.get("reasoning", made.reasoning))
        _model(made, exact.get("model", made.model))


def _usage_of(found: dict[str, Any]) -> Usage:
    made, get = _new(Usage), found.get
    _input(made, get("input_tokens", 0))
    _output(made, get("output_tokens", 0))
    _cached(made, get("cached_tokens"))
    _stored(made, get("stored_tokens"))
    _thought(made, get("reasoning_tokens"))
    _usage_estimated(made, get("estimated", False))
    return made


def _cost_of(found: dict[str, Any]) -> Cost:
    made, get = _new(Cost), found.get
    _nano(made, get("nano", 0))
    _cost_estimated(made, get("estimated", False))
    _unknown(made, get("unknown", 0))
    _source(made, get("source", ""))
    return made
