"""The text in an event that was cut: what came of it belongs to the reply."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from cloudllm.events import ReasoningDelta, StreamEvent, TextDelta
from cloudllm.gateway.ends import first

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[{}\[\],:]', re.DOTALL)
_CLOSES = {b"{": b"}", b"[": b"]"}
_HALF = re.compile(  # of an escape, or of a letter that takes two of them
    rb"(?<!\\)((?:\\\\)*)(?:\\u[0-9a-fA-F]{0,3}|\\u[dD][89abAB][0-9a-fA-F]{2}(?:\\u[0-9a-fA-F]{0,3})?)\Z"
)
_TAIL = 64  # bytes in which the half of an escape is looked for
_MOST_TOKENS, _DEEPEST = 100_000, 50  # an event of more is no event
_SHORTEST = 2  # bytes of a string that is whole
_Decoder = codecs.getincrementaldecoder("utf-8")  # it leaves the part of a letter at the end


def deltas_in(cut: bytes) -> list[StreamEvent]:
    """What the beginning of an event shows, in any format that providers speak."""
    completed = _completed(cut)
    if completed is None:
        return []
    try:
        event = json.loads(completed.decode(errors="replace"))
        return [delta for delta in _shown(event) if delta.text]
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError, IndexError):
        return []


def _completed(cut: bytes) -> bytes | None:
    """The beginning of an object as a whole one: up to its last text, and closed."""
    cut = cut[: -((len(cut) - len(cut.rstrip(b"\\"))) % 2) or None]
    closers: list[bytes] = []
    found: tuple[int, bytes] | None = None
    value = False  # whether a value comes now, rather than a key
    for match in islice(_TOKEN.finditer(cut), _MOST_TOKENS):
        token = match[0]
        if token in _CLOSES:
            closers.append(_CLOSES[token])
            value = token == b"["
            if len(closers) > _DEEPEST:
                return None
        elif token in b":,":
            value = token == b":" or closers[-1:] == [b"]"]
        elif not token.startswith(b'"'):
            del closers[-1:]
        elif value:
            found = (match.start(), _whole(token) + b"".join(reversed(closers)))
            value = False
    return cut[: found[0]] + found[1] if found else None


def _whole(text: bytes) -> bytes:
    """The string, closed; without an escape, or a letter, of which only a part came."""
    if len(text) >= _SHORTEST and text.endswith(b'"') and not _escaped_at_end(text):
        return text
    text = text[:-_TAIL] + _HALF.sub(rb"\1", text[-_TAIL:])
    return _Decoder("replace").decode(text).encode() + b'"'


def _escaped_at_end(text: bytes) -> bool:
    """Whether the quotation mark at the end is a part of the string."""
    before = text[:-1]
    return (len(before) - len(before.rstrip(b"\\"))) % 2 == 1


def _shown(event: Mapping[str, Any]) -> Iterator[TextDelta | ReasoningDelta]:
    kind = str(event.get("type") or "")
    if "choices" in event:
        choice = first(event["choices"]) or {}
        yield from _of_fields(choice.get("delta") or choice.get("message") or {})
    elif kind.startswith("response."):
        if kind.endswith("text.delta"):
            yield _delta(event.get("delta"), reasoning="reasoning" in kind)
    elif "candidates" in event:
        for part in event["candidates"][0]["content"]["parts"]:
            yield _delta(part.get("text"), reasoning=bool(part.get("thought")))
    else:  # Anthropic's, Ollama's and Bedrock's
        yield from _of_fields(event.get("message") or event.get("delta") or {})


def _of_fields(fields: Mapping[str, Any]) -> Iterator[TextDelta | ReasoningDelta]:
    for name in ("reasoning_content", "reasoning", "thinking"):
        if fields.get(name):
            yield _delta(fields[name], reasoning=True)
            break
    for name in ("content", "text", "refusal"):
        yield _delta(fields.get(name))


def _delta(text: object, *, reasoning: bool = False) -> TextDelta | ReasoningDelta:
    return (ReasoningDelta if reasoning else TextDelta)(text if isinstance(text, str) else "")
