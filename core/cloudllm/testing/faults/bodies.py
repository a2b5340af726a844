"""Bodies that are not what was asked for: pages, JSON, nothing, and compressed ones."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator

from cloudllm.testing.faults.chat import (
    BEGUN,
    DONE,
    END,
    HALF,
    REST,
    ROLE,
    TEXT,
    completion,
    http,
    late_error,
    raw,
    streamed,
)
from cloudllm.testing.faults.model import Fault
from cloudllm.testing.script import Received, Reply

_GZIP = 31  # zlib's window bits for gzip's format
_MIB = 1 << 20
_WHOLE = json.dumps(completion())
_PORTAL = "<!doctype html><title>Sign in to Wi-Fi</title><h1>Captive portal</h1>"


def _encoded(encoding: str) -> dict[str, str]:
    return {"content-encoding": encoding}


def _zipped(*parts: bytes) -> list[bytes]:
    """Each part so that it can be read when it arrives."""
    packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
    flushed = [packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH) for part in parts]
    return [*flushed, packer.flush()]


def _bomb(_: Received) -> Reply:
    """512 MiB of one word in half a MiB."""

    def steps() -> Iterator[bytes]:
        packer = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
        yield packer.compress(b'data: {"choices":[{"index":0,"delta":{"content":"')
        block = b"A" * _MIB
        for _ in range(512):
            if packed := packer.compress(block):
                yield packed
        yield packer.compress(b'"}}]}\n\n') + packer.flush()

    return Reply(stream=steps(), headers=_encoded("gzip"))


def _wrong(name: str, what: str, answer: Reply, says: str = "", requests: int = 1) -> Fault:
    return Fault(id=name, what=what, answer=answer, says=says, requests=requests)


def _fine(name: str, what: str, answer: Reply, *, counted: bool = True) -> Fault:
    return Fault(id=name, what=what, answer=answer, outcome="done", text=TEXT, counted=counted)


def _cut(name: str, what: str, answer: Reply) -> Fault:
    return Fault(id=name, what=what, answer=answer, outcome="partial", text=BEGUN)


FAULTS = (
    _fine("json-instead-of-sse", "a whole answer in place of a stream", Reply(body=_WHOLE)),
    _fine(
        "sse-as-json",
        "a stream that calls itself JSON",
        streamed(ROLE, HALF, REST, END, headers={"content-type": "application/json"}),
    ),
    _wrong(
        "200-error-body",
        "an error with status 200",
        Reply.error(200, "upstream provider failed"),
        "upstream provider failed",
    ),
    _wrong(
        "200-error-429",
        "a rate limit with status 200",
        Reply.error(200, "Rate limit reached", code="rate_limit_exceeded"),
        "slow down",
        3,
    ),
    _wrong(
        "200-error-500",
        "a failure with status 200",
        Reply.error(200, "We failed", kind="server_error", code="server_error"),
        "We failed",
        3,
    ),
    _wrong("200-html", "a web page with status 200", Reply.html(_PORTAL), "text/html"),
    _wrong(
        "200-html-as-sse",
        "a web page that calls itself a stream",
        Reply(body=_PORTAL, content_type="text/event-stream"),
    ),
    _wrong(
        "200-text",
        "a line of text",
        Reply(body="It works!", content_type="text/plain"),
        "text/plain",
    ),
    _wrong("200-empty", "nothing", Reply(body="", content_type="text/event-stream"), "empty", 2),
    _wrong("200-empty-json", "nothing, as JSON", Reply(body="")),
    _wrong("200-empty-object", "an empty object", Reply(body="{}")),
    _wrong("200-null", "null", Reply(body="null")),
    _wrong("200-list", "a list", Reply(body="[]")),
    _wrong("200-only-done", "[DONE] alone", streamed(DONE), "empty", 2),
    _wrong("200-only-role", "a role, and the end", streamed(ROLE, DONE), "empty", 2),
    _wrong("200-image", "a picture", Reply(body="GIF89a", content_type="image/gif"), "image/gif"),
    _wrong(
        "truncated-json",
        "half of an answer that was to come in one piece",
        raw(
            http(
                "200 OK",
                "content-type: application/json",
                f"content-length: {len(_WHOLE)}",
                body=_WHOLE[:90].encode(),
            ),
            cut="close",
        ),
        requests=3,
    ),
    _fine(
        "gzip-sse",
        "a compressed stream",
        streamed(*_zipped(ROLE, HALF, REST, END), headers=_encoded("gzip")),
    ),
    _fine(
        "gzip-json",
        "a compressed answer in one piece",
        streamed(
            gzip.compress(_WHOLE.encode()),
            headers={**_encoded("gzip"), "content-type": "application/json"},
        ),
    ),
    _fine(
        "deflate-sse",
        "a stream compressed in the other way",
        streamed(zlib.compress(ROLE + HALF + REST + END), headers=_encoded("deflate")),
    ),
    _cut(
        "gzip-cut",
        "a compressed stream that ends too soon",
        streamed(*_zipped(ROLE, HALF, REST)[:2], headers=_encoded("gzip"), cut="close"),
    ),
    _cut(
        "gzip-broken",
        "a compressed stream with noise in its middle",
        streamed(*_zipped(ROLE, HALF, REST)[:2], 0.05, b"\xff" * 64, headers=_encoded("gzip")),
    ),
    _wrong(
        "gzip-claimed",
        "a stream that says it is compressed and is not",
        streamed(ROLE, HALF, REST, END, headers=_encoded("gzip")),
    ),
    _wrong(
        "unknown-encoding",
        "a stream compressed in a way that nobody knows",
        streamed(b"\x00\x01\x02" * 50, headers=_encoded("rot13")),
    ),
    _wrong(
        "error-only",
        "an error as the only event",
        streamed(late_error({"message": "No luck"}), DONE),
        "No luck",
    ),
    Fault(
        id="gzip-bomb",
        what="half a MiB that unpacks to 512 MiB",
        answer=_bomb,
        outcome="partial",
        says="MiB",
        seconds=20,
    ),
)
