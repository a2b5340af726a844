"""Foreign values taken for what they should be: text, an object, a number of tokens, a time."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from typing import Any

from cloudllm.errors import UsageError

_LAST = 253_402_300_800_000  # the year 10000, in milliseconds since 1970
_MOST_TOKENS = 2**53
_FENCES = re.compile(r"^`{3,}", re.MULTILINE)


def text(value: object) -> str:
    """A string as it is, nothing as "", anything else as JSON, so that it is not lost."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return json.dumps(value, ensure_ascii=False)


def fields(value: object, what: str) -> dict[str, Any]:
    """An object of JSON.

    Raises:
        UsageError: it is something else; `what` begins the message.
    """
    if isinstance(value, dict):
        return value
    raise UsageError(f"{what} is no object")


def known(value: object) -> dict[str, Any]:
    """The same of what may be missing, or be something else without harm."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """An array of JSON; one value that should be an array as its only item."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def tokens(value: object) -> int | None:
    """A number of tokens, also when it is a string; `None` if it is none."""
    number = _number(value)
    return None if number is None or not 0 <= number < _MOST_TOKENS else int(number)


def milliseconds(value: object) -> int:
    """Milliseconds since 1970 of seconds since then or of a date with a time; 0 if it is neither.

    A date without a time zone is in UTC.
    """
    number = _number(value)
    if number is None and isinstance(value, str):
        number = _timestamp(value)
    # Looked at first: of a float near the largest, a thousand times as much is no number.
    return int(number * 1000) if number is not None and 0 < number < _LAST / 1000 else 0


def mark(kind: str, name: str = "") -> str:
    """What stands in a text for something that is no text, such as `[image: cat.png]`."""
    return f"[{kind}: {name}]" if name else f"[{kind}]"


def note(label: str, words: str) -> str:
    """A text that is by somebody else than its message, or for somebody else, as `label` says."""
    return f"[{label}]\n{words}" if words else f"[{label}]"


def fenced(code: str, language: str = "") -> str:
    """Code as Markdown, in a fence longer than any in it."""
    longest = max((len(fence) for fence in _FENCES.findall(code)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{code}\n{fence}"


def blocks(*texts: str) -> str:
    """The texts that are not empty, a blank line between them."""
    return "\n\n".join(filter(None, texts))


def _number(value: object) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int) and abs(value) > _LAST:
        return None
    return value if math.isfinite(value) else None


def _timestamp(value: str) -> float | None:
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
