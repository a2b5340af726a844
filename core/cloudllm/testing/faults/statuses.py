"""Refusals and failures that an HTTP status tells."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

from cloudllm.testing.faults.chat import TEXT, http, raw
from cloudllm.testing.faults.model import Fault
from cloudllm.testing.script import Received, Reply

_PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center></body></html>"
_LATIN_1 = '{"error": {"message": "\xe4rger"}}'.encode("latin-1")
_TERMINAL = "no \x1b]0;pwned\x07\x1b[2Jsuch \x9b31mthing\rspoof"


def _page(status: int, title: str) -> Reply:
    return Reply.html(_PAGE.format(title) + "<!-- filler -->" * 200, status)


def _plain(status: int, text: str) -> Reply:
    return Reply(status=status, body=text, content_type="text/plain")


def _json(status: int, payload: object) -> Reply:
    return Reply(status=status, body=json.dumps(payload))


def _echo(encode: Callable[[bytes], str]) -> Callable[[Received], Reply]:
    """A refusal that repeats the key in some form."""

    def answer(request: Received) -> Reply:
        return Reply.error(401, f"wrong key: {encode((request.key or '').encode())}")

    return answer


def _fails(
    name: str,
    what: str,
    answer: Reply,
    says: str = "",
    requests: int = 1,
    *,
    exits: int | None = None,
) -> Fault:
    return Fault(id=name, what=what, answer=answer, says=says, requests=requests, exits=exits)


def _heals(name: str, what: str, answer: Reply) -> Fault:
    return Fault(
        id=name,
        what=f"{what}, twice",
        answer=answer,
        heals_after=2,
        outcome="done",
        requests=3,
        text=TEXT,
        counted=True,
    )


def _echoes(name: str, what: str, encode: Callable[[bytes], str]) -> Fault:
    return Fault(
        id=f"401-echoes-key{name}",
        what=f"401 that repeats the key{what}",
        answer=_echo(encode),
        says="refused the key",
        exits=3,
    )


FAULTS = (
    _fails(
        "400-bad-param",
        "400: a parameter that the model has not",
        Reply.error(
            400,
            "Unsupported parameter: 'temperature' is not supported with this model.",
            code="unsupported_parameter",
        ),
        "temperature",
    ),
    _fails(
        "400-context",
        "400: more tokens than the model takes",
        Reply.error(
            400,
            "This model's maximum context length is 8192 tokens. However, your "
            "messages resulted in 9001 tokens.",
            code="context_length_exceeded",
        ),
        "8192",
        requests=2,
        exits=6,
    ),
    _fails("400-empty", "400 without a body", Reply(status=400, body=""), "400"),
    _fails(
        "400-ansi", "400 with control sequences for a terminal", Reply.error(400, _TERMINAL), "such"
    ),
    _fails(
        "400-many-lines",
        "400 with a text of many lines",
        Reply.error(400, "first\n\nsecond\r\nTraceback (most recent call last):\n  x"),
        "first",
    ),
    _fails("400-long", "400 with a text of 1 MiB", Reply.error(400, "blah " * 209_715), "blah"),
    _fails(
        "400-error-text",
        "400 whose error is a bare text",
        _json(400, {"error": "bad thing"}),
        "bad thing",
    ),
    _fails("400-error-null", "400 whose error is null", _json(400, {"error": None}), "400"),
    _fails(
        "400-error-list",
        "400 with errors in a list",
        _json(400, [{"error": {"message": "listed thing"}}]),
        "400",
    ),
    _fails(
        "400-message",
        "400 with a message and no error",
        _json(400, {"message": "bare thing"}),
        "bare thing",
    ),
    _fails(
        "400-latin-1",
        "400 with a body in Latin-1",
        raw(
            http(
                "400 X",
                "content-type: application/json",
                f"content-length: {len(_LATIN_1)}",
                body=_LATIN_1,
            )
        ),
        "400",
    ),
    _fails(
        "400-broken-json",
        "400 with half of its JSON",
        _plain(400, '{"error": {"message": "cut'),
        "400",
    ),
    _fails(
        "401-bad-key",
        "401: the key is wrong",
        Reply.error(
            401, "Incorrect API key provided: sk-te**********cret.", code="invalid_api_key"
        ),
        "refused the key",
        exits=3,
    ),
    _echoes("", "", bytes.decode),
    _echoes("-base64", " in base 64", lambda key: base64.b64encode(key).decode()),
    _echoes("-quoted", " as it stands in a URL", lambda key: quote(key, safe="")),
    _echoes("-authorization", " as the header had it", lambda key: f"Bearer {key.decode()}"),
    _echoes(
        "-basic",
        " as in basic authentication",
        lambda key: "Basic " + base64.b64encode(b"user:" + key).decode(),
    ),
    _echoes("-hex", " in hexadecimal digits", bytes.hex),
    _echoes("-json", " in JSON inside JSON", lambda key: json.dumps({"key": key.decode()})),
    _echoes("-often", " a thousand times", lambda key: key.decode() * 1000),
    _fails("402-credits", "402: no credit", Reply.error(402, "Insufficient Balance"), "no credit"),
    _fails(
        "403-region",
        "403: not in this region",
        Reply.error(
            403,
            "Country, region, or territory not supported",
            code="unsupported_country_region_territory",
        ),
        "region",
        exits=3,
    ),
    _fails(
        "404-model",
        "404: no such model",
        Reply.error(
            404, "The model does not exist or you do not have access to it.", code="model_not_found"
        ),
        "has no model",
    ),
    _fails("404-html", "404 with a web page", _page(404, "404 Not Found")),
    _fails("405-method", "405", _plain(405, "Method Not Allowed"), "405"),
    _heals("408-then-ok", "408: it took too long", Reply.error(408, "Request timed out")),
    _heals("409-then-ok", "409: a conflict", Reply.error(409, "Conflict, try again")),
    _fails(
        "410-gone",
        "410: the model was shut down",
        Reply.error(410, "This model was retired"),
        "retired",
    ),
    _fails(
        "413-too-large", "413 as plain text", _plain(413, "Request Entity Too Large"), "Too Large"
    ),
    _fails("415-media-type", "415", _plain(415, "Unsupported Media Type"), "415"),
    _fails(
        "422-detail",
        "422 with the detail of a validator",
        _json(
            422,
            {
                "detail": [
                    {"loc": ["body", "messages", 0], "msg": "value is not valid", "type": "enum"}
                ]
            },
        ),
        "422",
    ),
    _fails(
        "429-quota",
        "429: the quota is used up, so waiting is of no use",
        Reply.error(
            429,
            "You exceeded your current quota, please check your plan and billing details.",
            kind="insufficient_quota",
            code="insufficient_quota",
        ),
        "quota",
    ),
    _fails("429-forever", "429 for ever", Reply.error(429, "Rate limit reached"), "slow down", 3),
    _fails("429-html", "429 with a web page", _page(429, "Too Many Requests"), "slow down", 3),
    _fails("431-headers", "431", _plain(431, "Request Header Fields Too Large"), "431"),
    _fails(
        "451-law",
        "451: for legal reasons",
        Reply.error(451, "Unavailable for legal reasons"),
        "legal",
    ),
    _fails(
        "500-forever",
        "500 for ever",
        Reply.error(500, "The server had an error while processing your request."),
        "failed (500)",
        3,
    ),
    _fails(
        "500-html",
        "500 with a web page",
        _page(500, "500 Internal Server Error"),
        "failed (500)",
        3,
    ),
    _fails("500-empty", "500 without a body", Reply(status=500, body=""), "failed (500)", 3),
    _fails(
        "500-traceback",
        "500 with a traceback of its own",
        _plain(
            500, 'Traceback (most recent call last):\n  File "/srv/app.py", line 1\nKeyError: 1'
        ),
        "failed (500)",
        3,
    ),
    _heals("500-then-ok", "500", Reply.error(500, "The server had an error")),
    _heals("502-then-ok", "502 with a web page", _page(502, "502 Bad Gateway")),
    _fails(
        "502-html",
        "502 with a web page, for ever",
        _page(502, "502 Bad Gateway"),
        "failed (502)",
        3,
    ),
    _fails(
        "503-forever", "503 for ever", Reply.error(503, "Service unavailable"), "failed (503)", 3
    ),
    _heals("503-then-ok", "503 and nothing about when", Reply.error(503, "Service unavailable")),
    _fails("504-timeout", "504", _plain(504, "upstream request timeout"), "failed (504)", 3),
    _fails(
        "520-cdn",
        "520 of a CDN, with a web page",
        _page(520, "Web server returned an unknown error"),
        "failed (520)",
        3,
    ),
    _fails(
        "529-overloaded",
        "529: overloaded",
        _json(
            529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        ),
        "verloaded",
        3,
    ),
    _fails("204-nothing", "204", raw(http("204 No Content"))),
    _fails("205-reset", "205", raw(http("205 Reset Content", "content-length: 0"))),
    _fails("304-not-modified", "304", raw(http("304 Not Modified")), "redirect"),
    _fails(
        "101-switching",
        "101: another protocol, unasked",
        raw(http("101 Switching Protocols", "upgrade: h2c", "connection: upgrade"), cut="close"),
    ),
    _fails(
        "999-status",
        "a status beyond all classes",
        raw(http("999 Denied", "content-length: 0")),
        requests=3,
    ),
)
