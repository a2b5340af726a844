"""Words of an error: what it says of limits and of waiting, and whom it names."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from cloudllm.words import one_line, redact_all

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|inf(?:inity)?)", re.IGNORECASE)
_LONGEST = 10 * 365 * 86_400.0  # seconds of a wait; beyond that no calendar reaches
_LONGEST_ID = 100
_IDS = (
    "x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "x-ms-request-id",
    "x-goog-request-id", "x-amz-request-id", "cf-ray",
)  # fmt: skip
_LIMITS = (
    re.compile(r"maximum context length (?:is|of) ([\d,]+)", re.IGNORECASE),
    re.compile(r"> ([\d,]+) maximum", re.IGNORECASE),
    re.compile(r"context (?:length|window|size)\D{0,40}?([\d,]{3,})", re.IGNORECASE),
)


def retry_after(headers: Mapping[str, Any]) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `retry-after`, the latter in seconds or a date.

    A date counts from that of the response, so a clock that is wrong does no harm. What is past is
    0, what can't be read is nothing.
    """
    found = {str(name).lower(): str(value).strip() for name, value in headers.items()}
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        if _NUMBER.fullmatch(found.get(name, "")):
            return min(max(0.0, float(found[name]) / scale), _LONGEST)
    until = _date(found.get("retry-after", ""))
    if until is None:
        return None
    now = _date(found.get("date", ""))
    return min(max(0.0, until - (time.time() if now is None else now)), _LONGEST)


def _date(text: str) -> float | None:
    try:
        parsed = parsedate_to_datetime(text)
        return parsed.replace(tzinfo=parsed.tzinfo or UTC).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def clock_time(seconds: float) -> str:
    """The local time of day that is so many seconds away, with the day if that is another one."""
    now = datetime.now().astimezone()
    then = now + timedelta(seconds=seconds)
    return f"{then:%H:%M}" if then.date() == now.date() else f"{then:%Y-%m-%d %H:%M}"


def request_id(headers: Mapping[str, Any], secrets: Iterable[str] = ()) -> str | None:
    """The provider's own name for the request, if it gave one: printable, short, no secret in it."""
    found = {str(name).lower(): str(value) for name, value in headers.items()}
    hidden = [*secrets]
    # A secret is looked for first: half of one that is cut would not be found.
    names = (one_line(redact_all(found.get(name, ""), hidden), _LONGEST_ID) for name in _IDS)
    return next(filter(None, names), None)


def proxy(url: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """The variable that names the proxy on the way to `url`, and its `host:port`."""
    scheme = urlsplit(url).scheme
    for name in (f"{scheme}_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            if value := environ.get(variable):
                address = value if "://" in value else f"http://{value}"
                return variable, host_of(address)
    return f"{scheme}_proxy".upper(), ""


def host_of(url: str) -> str:
    """`host:port` of a URL, the port also where the scheme implies it."""
    try:
        parts = urlsplit(url)
    except ValueError:  # a broken IPv6 address
        return ""
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
