"""Words of an error: found in what came, and what it says of limits and of waiting."""

from __future__ import annotations

import ast
import json
import re
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

_PREFIX = re.compile(r"^(?:litellm\.)?\w*(?:Error|Exception|Timeout|Anthropic\w*)\s*(?::|-)\s*")
_BYTES = re.compile(r"""b'(?:[^'\\]|\\.)*'|b"(?:[^"\\]|\\.)*\"""")
_BOILERPLATE = re.compile(r"Handle with `litellm\.\w+`\.*")
_PAGE = re.compile(r"<(?:!doctype|html|head|body)\b.*", re.IGNORECASE | re.DOTALL)
_LIMITS = (
    re.compile(r"maximum context length (?:is|of) ([\d,]+)", re.IGNORECASE),
    re.compile(r"> ([\d,]+) maximum", re.IGNORECASE),
    re.compile(r"context (?:length|window|size)\D{0,40}?([\d,]{3,})", re.IGNORECASE),
)


def message(exc: BaseException, chain: Sequence[BaseException]) -> str:
    """The provider's own words: from a parsed body, from JSON in the text, or the bare text."""
    for cause in chain:
        body = getattr(cause, "body", None)
        words = _words(body) if isinstance(body, Mapping) else None
        if words:
            return words
    text = _BYTES.sub(_decoded, str(exc).partition("\nTraceback")[0])
    text = _BOILERPLATE.sub("", text)
    while (shorter := _PREFIX.sub("", text, count=1)) != text:
        text = shorter
    text = _words_in(text) or _PAGE.sub("(a web page)", text)
    return text.strip() or type(exc).__name__


def _decoded(found: re.Match[str]) -> str:
    """The text of a bytes literal, which is how litellm shows some bodies."""
    return bytes(ast.literal_eval(found[0])).decode(errors="replace")


def _words_in(text: str) -> str | None:
    """`error.message` of the JSON object in the text, if there is one."""
    start = text.find("{")
    if start < 0:
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(text[start:])
    except ValueError:
        return None
    return _words(value) if isinstance(value, Mapping) else None


def _words(body: Mapping[str, Any]) -> str | None:
    error = body.get("error", body)
    words = error.get("message") if isinstance(error, Mapping) else error
    return words if isinstance(words, str) and words.strip() else None


def retry_after(headers: Mapping[str, Any]) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `retry-after`, the latter in seconds or a date."""
    found = {str(name).lower(): str(value) for name, value in headers.items()}
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(found.get(name, "")) / scale)
        except ValueError:
            continue
    try:
        until = parsedate_to_datetime(found.get("retry-after", "")).timestamp()
        now = parsedate_to_datetime(found["date"]).timestamp() if "date" in found else time.time()
    except ValueError:
        return None
    return max(0.0, until - now)


def host_of(url: str) -> str:
    """`host:port` of a URL, the port also where the scheme implies it."""
    parts = urlsplit(url)
    try:
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        port = None
    return f"{parts.hostname}:{port}" if parts.hostname and port else parts.hostname or ""


def context_limit(text: str) -> int | None:
    """The model's limit in tokens, if the text names it."""
    for pattern in _LIMITS:
        found = pattern.search(text)
        if found:
            return int(found[1].replace(",", "")) if found[1].strip(",") else None
    return None
