"""Finds the reason in what a server sends as an error, whole, cut, or of whatever form (pure)."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

NONE_GIVEN = "no reason given"

_PREFIX = re.compile(
    r"^\s*(?:(?:(?:litellm\.)?\w{0,60}(?:Error|Exception|Timeout|Anthropic\w{0,30})\s*+[:-]\s*+"
    r"|Error code: \d+(?: - |$))\s*+)+"
)
_ESCAPE = r"\\(?:x[0-9a-f]{2}|[\\'nrt])"
_BYTES = re.compile(rf"""\bb(?:'(?:[ -&(-\[\]-~]|{_ESCAPE})*'|"(?:[ !#-\[\]-~]|{_ESCAPE})*")""")
"""Bytes as Python shows them, and nothing that only looks so."""

_BOILERPLATE = re.compile(r"(?<![\s.])[\s.]*Handle with `litellm\.\w+`\.*")
_PAGE = re.compile(r"<(?:!doctype|html|head|body)\b.*", re.IGNORECASE | re.DOTALL)
_TRACEBACK = "Traceback (most recent call last)"
_FRAME = re.compile(r"^(?:event|id|retry):.*$|^data: ?", re.MULTILINE)  # of server-sent events
_NAMES = (
    "error_description", "error_message", "error", "errors", "message", "msg", "detail", "details",
    "reason", "title",
)  # fmt: skip
_DEEPEST = 5  # objects within objects, and texts that hold one
_MARKED = re.compile(
    r"""(["'])(?:message|msg|detail|error_description)\1\s*:\s*(?:"((?:[^"\\]|\\.)*+)("?)"""
    r"""|'((?:[^'\\]|\\.)*+)('?))|<message>([^<]+)(<?)""",
    re.IGNORECASE | re.DOTALL,
)
_CODE = re.compile(r"""(?:[{<]|\[(?![A-Za-z])|["'\w]+\s*:\s*[{\["])""")  # but [Errno 24] is none
_HEXADECIMAL = re.compile(r"\\x([0-9a-f]{2})")
_CUT_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{0,3}$")
_SHORTEST = 6  # characters at the end that may be the beginning of a secret


class Reason(NamedTuple):
    """Words of a server; `raw` if they are none, but what it sent instead; `cut` at their end."""

    text: str
    raw: bool = False
    cut: bool = False


def reason(exc: BaseException, chain: Sequence[BaseException]) -> Reason:
    """The server's own words: from a parsed body, or from the text of the exception."""
    for cause in chain:
        body = getattr(cause, "body", None)
        found = in_text(body) if isinstance(body, str) else Reason(_words(body) or "")
        if found.text:
            return _without_traceback(found)
    text = _BYTES.sub(_decoded, str(exc).partition("\nTraceback")[0])
    text = _PREFIX.sub("", _BOILERPLATE.sub("", text))
    return _without_traceback(in_text(text))


def in_text(text: str) -> Reason:
    """What this text gives as the reason; nothing if there is none in it."""
    text = _FRAME.sub("", text).strip()
    start = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    value = _parsed(text[max(start, 0) :])
    is_listing = start > 0 and not _holds_object(value)  # a sentence that names what is allowed
    if not is_listing and (words := _words(value)):
        return Reason(words)
    if text in {"None", "null", "{}", "[]", '""'}:
        return Reason("")
    if found := _MARKED.search(text):
        words = found[2] or found[6] or _in_double_quotes(found[4] or "")
        if words.strip():
            cut = not (found[3] or found[5] or found[7])
            return Reason(_unescaped(words), cut=cut)
    text = _PAGE.sub("(a web page)", text)
    return Reason(text, raw=bool(_CODE.match(text)) or not _is_prose(text))


def without_begun(text: str, secrets: Iterable[str]) -> str:
    """The text without the beginning of a secret in which it may have been cut."""
    for secret in secrets:
        for length in range(len(secret) - 1, _SHORTEST - 1, -1):
            if text.endswith(secret[:length]):
                return f"{text[:-length]}***"
    return text


def _without_traceback(found: Reason) -> Reason:
    before, traceback, _ = found.text.partition(_TRACEBACK)
    return found._replace(text=before.strip() or (traceback and "(a traceback)"))


def _decoded(found: re.Match[str]) -> str:
    """The text of a bytes literal, which is how litellm shows some bodies."""
    return bytes(ast.literal_eval(found[0])).decode(errors="replace")


def _parsed(text: str) -> object:
    """The JSON value that the text begins with; `None` if it has none."""
    try:
        return json.JSONDecoder(strict=False).raw_decode(text)[0]
    except (ValueError, RecursionError):
        return None


def _words(value: object, depth: int = 0) -> str | None:
    """The message in an object, under whichever name it stands there."""
    if depth > _DEEPEST:
        return None
    if isinstance(value, str):
        begins = value.lstrip().startswith(("{", "["))
        inner = _words(_parsed(value.strip()), depth + 1) if begins else None
        return inner or (value if value.strip() else None)
    if isinstance(value, Sequence):
        return next(filter(None, (_words(each, depth + 1) for each in value)), None)
    if not isinstance(value, Mapping):
        return None
    fields = {str(name).lower(): each for name, each in value.items()}
    found = next(filter(None, (_words(fields.get(name), depth + 1) for name in _NAMES)), None)
    return f"{place}: {found}" if found and (place := _place(fields.get("loc"))) else found


def _holds_object(value: object) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(isinstance(each, Mapping) for each in values)


def _place(steps: object) -> str:
    """Which field of the request a message is about, as FastAPI says it."""
    named = steps[1:] if isinstance(steps, list) else []
    return ".".join(str(step) for step in named if isinstance(step, str | int))


def _in_double_quotes(words: str) -> str:
    """The inside of a Python string in single quotes, as it would be in JSON."""
    return _HEXADECIMAL.sub(r"\\u00\1", words.replace("\\'", "'").replace('"', '\\"'))


def _unescaped(words: str) -> str:
    """A JSON string's text, also where it was cut within an escape."""
    for quoted in (words, _CUT_ESCAPE.sub("", words)):
        try:
            return str(json.loads(f'"{quoted}"', strict=False))
        except ValueError:
            continue
    return words


def _is_prose(text: str) -> bool:
    """Does it read as words, rather than as bytes that went wrong?"""
    return "\ufffd" not in text and all(c.isprintable() or c.isspace() for c in text)
