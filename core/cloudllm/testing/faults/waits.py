"""What a server says of when to come back: in every form, against its own clock, and beside the point."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from email.utils import formatdate

from cloudllm.testing.faults.chat import TEXT, http
from cloudllm.testing.faults.model import Fault
from cloudllm.testing.script import Received, Reply

_BODY = json.dumps(
    {"error": {"message": "Rate limit reached", "type": "rate_limit_error"}}
).encode()
_DAY = 86_400.0
_SOON = 1.0  # a date is told in whole seconds
_LATER = 2.0  # so that some of it is left by our own clock


def _told(*headers: str, status: int = 429) -> Reply:
    """A refusal with these headers; the same one may come twice."""
    length = f"content-length: {len(_BODY)}"
    return Reply(
        raw=(http(f"{status} X", "content-type: application/json", length, *headers, body=_BODY),)
    )


def _dated(
    ahead: float, clock: float = 0.0, *, own_date: bool = True
) -> Callable[[Received], Reply]:
    """A date `ahead` seconds from now, by a clock that is wrong by so much."""

    def answer(_: Received) -> Reply:
        now = time.time() + clock
        date = [f"date: {formatdate(now, usegmt=True)}"] if own_date else []
        return _told(*date, f"retry-after: {formatdate(now + ahead, usegmt=True)}")

    return answer


def _weekday_form(_: Received) -> Reply:
    """The same in the older form that HTTP still allows."""
    now = time.gmtime(time.time() + _LATER)
    return _told(time.strftime("retry-after: %A, %d-%b-%y %H:%M:%S GMT", now))


def _heals(
    name: str, what: str, answer: Reply | Callable[[Received], Reply], *, seconds: float = 0.0
) -> Fault:
    return Fault(
        id=name,
        what=f"{what}; twice",
        answer=answer,
        heals_after=2,
        outcome="done",
        requests=3,
        text=TEXT,
        counted=True,
        seconds=seconds,
    )


def _too_long(name: str, what: str, answer: Reply | Callable[[Received], Reply]) -> Fault:
    return Fault(id=name, what=what, answer=answer, says="slow down")


FAULTS = (
    _heals("429-retry-after", "429, come back in 1 s", _told("retry-after: 1"), seconds=2),
    _heals("429-retry-after-ms", "429, come back in 50 ms", _told("retry-after-ms: 50")),
    _heals(
        "429-ms-first",
        "429, milliseconds beside far more seconds",
        _told("retry-after: 3600", "retry-after-ms: 50"),
    ),
    _heals("429-float", "429, come back in a fraction of a second", _told("retry-after: 0.05")),
    _heals("429-zero", "429, come back at once", _told("retry-after: 0")),
    _heals("429-negative", "429, come back five seconds ago", _told("retry-after: -5")),
    _heals("429-date", "429, come back at a time", _dated(_SOON), seconds=3),
    _heals("429-date-past", "429, come back a day ago", _dated(-_DAY)),
    _heals(
        "429-date-clock-skew",
        "429, come back at a time of a clock that is a day ahead",
        _dated(_SOON, _DAY),
        seconds=3,
    ),
    _heals(
        "429-date-clock-behind",
        "429, come back at a time of a clock that is a day behind",
        _dated(_SOON, -_DAY),
        seconds=3,
    ),
    _heals(
        "429-date-without-date",
        "429, come back at a time, by a clock that is not told",
        _dated(_LATER, own_date=False),
        seconds=3,
    ),
    _heals(
        "429-date-old-form", "429, come back at a time in the old form", _weekday_form, seconds=3
    ),
    _heals("429-junk", "429, come back soon", _told("retry-after: soon")),
    _heals("429-empty", "429, come back in nothing", _told("retry-after:")),
    _heals("429-nan", "429, come back in nan seconds", _told("retry-after: nan")),
    _heals(
        "429-date-junk",
        "429, come back on the 45th of May",
        _told("retry-after: Mon, 45 May 2026 99:00:00 GMT"),
    ),
    _heals(
        "429-two-headers",
        "429, two headers that agree",
        _told("retry-after: 0.05", "retry-after: 0.05"),
    ),
    _heals("429-no-header", "429 and nothing about when", Reply.error(429, "Rate limit reached")),
    _heals(
        "503-retry-after", "503, come back in 1 s", _told("retry-after: 1", status=503), seconds=2
    ),
    _heals(
        "500-retry-after",
        "500, come back in a fraction of a second",
        _told("retry-after: 0.05", status=500),
    ),
    _too_long("429-retry-after-3600", "429, come back in an hour", _told("retry-after: 3600")),
    _too_long("429-date-tomorrow", "429, come back tomorrow", _dated(_DAY)),
    _too_long("429-huge", "429, come back in 10^30 s", _told("retry-after: 1" + "0" * 30)),
    _too_long("429-infinite", "429, come back in inf seconds", _told("retry-after: inf")),
    Fault(
        id="400-retry-after",
        what="400, come back in 0 s, as if that could mend it",
        answer=_told("retry-after: 0", status=400),
        says="400",
    ),
    Fault(
        id="503-retry-after-3600",
        what="503, come back in an hour",
        answer=_told("retry-after: 3600", status=503),
        says="503",
    ),
)
