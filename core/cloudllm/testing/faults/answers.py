"""Answers that are well, or odd in ways that are allowed: each must be taken whole."""

from __future__ import annotations

from cloudllm.testing.faults.chat import (
    DONE,
    END,
    HALF,
    REST,
    ROLE,
    STOP,
    TEXT,
    USAGE,
    WORDS,
    answered,
    chunk,
    http,
    in_chunks,
    raw,
    said,
    streamed,
    thought,
)
from cloudllm.testing.faults.model import Fault
from cloudllm.testing.script import Reply

_SLOW = tuple(f"tok{number} " for number in range(100))
_UNICODE = "naïve 日本語 👩‍💻 a\u2028b\u0085c"
_CONTROLS = (
    "safe \x1b]52;c;ZXZpbA==\x07\x1b]0;pwned\x07\x1b[2J\x9b31m\x9d0;x\x9c\r\x1b[Kspoof\x00 end"
)
_PLAIN_SSE = http("200 OK", "content-type: text/event-stream", "transfer-encoding: chunked")


def _fine(name: str, what: str, answer: Reply, text: str = TEXT, *, counted: bool = True) -> Fault:
    return Fault(id=name, what=what, answer=answer, outcome="done", text=text, counted=counted)


FAULTS = (
    _fine("ok", "a healthy reply", Reply(text=WORDS)),
    Fault(
        id="ok-slow",
        what="a healthy reply of 100 words, one every 0.1 s",
        answer=Reply(text=_SLOW, delay=0.1),
        outcome="done",
        text="".join(_SLOW),
        counted=True,
        seconds=10,
    ),
    Fault(
        id="slow-tokens",
        what="a word every 1.5 s",
        answer=Reply(text=WORDS, delay=1.5),
        outcome="done",
        text=TEXT,
        counted=True,
        seconds=6,
    ),
    _fine(
        "late-first-token",
        "comments for a while, then a reply",
        Reply(text=WORDS, first_delay=0.3, heartbeat=0.02),
    ),
    _fine(
        "finish-no-done",
        "no [DONE] after the finish reason",
        streamed(ROLE, HALF, REST, STOP, USAGE),
    ),
    _fine(
        "finish-with-text", "the finish reason beside the last word", Reply(text=WORDS, joined=True)
    ),
    Fault(
        id="finish-length",
        what="the longest answer is reached",
        answer=Reply(text=WORDS, finish_reason="length"),
        outcome="done",
        text=TEXT,
        counted=True,
        exits=5,
    ),
    _fine(
        "finish-filter",
        "a filter stops the answer",
        Reply(text=WORDS, finish_reason="content_filter"),
    ),
    _fine(
        "finish-unknown-word",
        "a finish reason that nobody has heard of",
        Reply(text=WORDS, finish_reason="ran_out_of_steam"),
    ),
    _fine("dup-finish", "the finish reason twice", streamed(ROLE, HALF, REST, STOP, END)),
    _fine(
        "dup-done",
        "[DONE] twice, and a chunk after it",
        streamed(ROLE, HALF, REST, END, DONE, said("GHOST")),
    ),
    _fine(
        "garbage-after-done",
        "noise after [DONE]",
        streamed(ROLE, HALF, REST, END, b"\x00\xff not an event\n\n"),
    ),
    _fine("empty-reply", "a finish reason without any text", streamed(ROLE, END), ""),
    _fine("no-role", "no chunk with the role comes first", streamed(HALF, REST, END)),
    _fine(
        "empty-choices",
        "a chunk without choices comes first",
        streamed(chunk({}, choices=[], prompt_filter_results=[]), ROLE, HALF, REST, END),
    ),
    _fine(
        "null-content",
        "null between the words",
        streamed(
            ROLE, *(part for word in WORDS for part in (chunk({"content": None}), said(word))), END
        ),
    ),
    _fine(
        "null-error",
        "every chunk says that its error is null",
        streamed(ROLE, *(chunk({"content": word}, error=None) for word in WORDS), END),
    ),
    _fine(
        "empty-deltas",
        "empty deltas between the words",
        answered(chunk({}), chunk({"content": ""}), chunk({})),
    ),
    _fine(
        "two-choices",
        "another answer beside ours",
        answered(chunk({}, choices=[{"index": 1, "delta": {"content": "GHOST"}}])),
    ),
    _fine(
        "other-model",
        "chunks that name another model",
        answered(chunk({}, model="gpt-0-of-theirs")),
    ),
    _fine(
        "unknown-fields",
        "fields that nobody knows",
        answered(chunk({"mood": ["fine"]}, system_fingerprint={"a": 1}, zeta=[None])),
    ),
    _fine(
        "event-fields",
        "names, ids, retry times and comments of events",
        answered(b": note\n\nid: 7\nretry: 10\nevent: message\n" + chunk({}), b":\n\n"),
    ),
    _fine("crlf-multiline", "lines end with CRLF", Reply(text=WORDS, crlf=True)),
    _fine(
        "no-blank-after-colon",
        "no blank after `data:`",
        streamed((ROLE + HALF + REST + END).replace(b"data: ", b"data:")),
    ),
    _fine(
        "two-data-lines",
        "an event whose JSON takes two lines",
        answered(chunk({}).replace(b', "model"', b',\ndata: "model"')),
    ),
    _fine("many-blank-lines", "more blank lines than needed", answered(b"\n\n\n\n\n")),
    _fine(
        "bom",
        "a byte order mark before the first event",
        streamed(b"\xef\xbb\xbf", HALF, REST, END),
    ),
    _fine(
        "split-utf8",
        "every byte in a packet of its own",
        Reply(text=[_UNICODE], fragment=1),
        _UNICODE,
    ),
    _fine(
        "escaped",
        "everything escaped that is not ASCII",
        Reply(text=[_UNICODE], escaped=True),
        _UNICODE,
    ),
    _fine(
        "lone-surrogate", "half of a surrogate pair", Reply(text=["a", "\ud83d", "b"]), "a\ud83db"
    ),
    _fine(
        "done-in-text",
        "the text itself says [DONE]",
        Reply(text=["data: [DONE]\n\n", "on"]),
        "data: [DONE]\n\non",
    ),
    _fine(
        "html-in-text",
        "the text is a web page",
        Reply(text=["<!doctype html>", "<p>"]),
        "<!doctype html><p>",
    ),
    _fine(
        "json-in-text",
        "the text is an error in JSON",
        Reply(text=['{"error": ', '"no"}']),
        '{"error": "no"}',
    ),
    _fine(
        "ansi-injection",
        "control sequences for a terminal in the text",
        Reply(text=[_CONTROLS]),
        _CONTROLS,
    ),
    _fine("no-usage", "no usage", Reply(text=WORDS, usage=None), counted=False),
    _fine(
        "usage-every-chunk",
        "usage so far in every chunk",
        streamed(
            ROLE,
            *(
                chunk(
                    {"content": word},
                    usage={
                        "prompt_tokens": 7,
                        "completion_tokens": number,
                        "total_tokens": 7 + number,
                    },
                )
                for number, word in enumerate(WORDS, 1)
            ),
            END,
        ),
    ),
    _fine(
        "usage-with-finish",
        "usage beside the finish reason",
        streamed(
            ROLE,
            HALF,
            REST,
            chunk(
                {},
                "stop",
                usage={
                    "prompt_tokens": 7,
                    "completion_tokens": 5,
                    "total_tokens": 12,
                },
            ),
            DONE,
        ),
    ),
    _fine("refusal", "the text comes as a refusal", streamed(ROLE, chunk({"refusal": TEXT}), END)),
    _fine(
        "content-list",
        "the text comes in lists of parts",
        streamed(
            ROLE, *(chunk({"content": [{"type": "text", "text": word}]}) for word in WORDS), END
        ),
    ),
    Fault(
        id="reasoning",
        what="reasoning before the text",
        answer=streamed(ROLE, thought("Hm, ", "so."), HALF, REST, END),
        outcome="done",
        text=TEXT,
        reasoning="Hm, so.",
        counted=True,
    ),
    Fault(
        id="reasoning-only",
        what="reasoning, and then no text",
        answer=streamed(ROLE, thought("Hm, ", "so."), END),
        outcome="done",
        reasoning="Hm, so.",
        counted=True,
    ),
    _fine(
        "wrong-ctype",
        "a stream that calls itself plain text",
        streamed(ROLE, HALF, REST, END, headers={"content-type": "text/plain"}),
    ),
    _fine(
        "no-ctype",
        "a stream that does not say what it is",
        raw(http("200 OK", "transfer-encoding: chunked"), in_chunks(ROLE + HALF + REST + END)),
    ),
    _fine(
        "status-without-reason",
        "a status line that ends at its number",
        raw(_PLAIN_SSE.replace(b" OK", b" "), in_chunks(ROLE + HALF + REST + END)),
    ),
    _fine(
        "chunk-extensions",
        "chunks with extensions, and trailers behind them",
        raw(
            _PLAIN_SSE,
            in_chunks(ROLE + HALF + REST + END)
            .replace(b"\r\n", b";mood=fine\r\n", 1)
            .replace(b"\r\n0\r\n\r\n", b"\r\n0\r\nx-trailer: 1\r\n\r\n"),
        ),
    ),
    _fine(
        "early-hints",
        "interim responses before the response",
        raw(
            http("100 Continue"),
            http("103 Early Hints", "link: </x>"),
            _PLAIN_SSE,
            in_chunks(ROLE + HALF + REST + END),
        ),
    ),
    _fine("partial-content", "the status is 206", streamed(ROLE, HALF, REST, END, status=206)),
    _fine("created", "the status is 201", streamed(ROLE, HALF, REST, END, status=201)),
    _fine(
        "http10-close-delimited",
        "HTTP/1.0, whose body ends with the connection",
        raw(
            http("200 OK", "content-type: text/event-stream", version="HTTP/1.0"),
            ROLE,
            HALF,
            REST,
            END,
            cut="close",
        ),
    ),
    _fine(
        "event-per-packet",
        "an event cut up into packets at every colon",
        streamed(
            *(part + b":" for part in (ROLE + HALF).split(b":")[:-1]),
            (ROLE + HALF).split(b":")[-1],
            REST,
            END,
        ),
    ),
    _fine("long-comment", "a comment of 256 KiB", answered(b": " + b"x" * 262_144 + b"\n\n")),
    Fault(
        id="huge-chunk",
        what="a single word of 10 MiB",
        answer=lambda _: Reply(text=["A" * (10 << 20)]),
        outcome="done",
        counted=True,
        seconds=4,
    ),
    Fault(
        id="many-tiny",
        what="5,000 words of a letter, as fast as they can be read",
        answer=lambda _: Reply(text=["x"] * 5_000),
        outcome="done",
        text="x" * 5_000,
        counted=True,
        seconds=5,
    ),
    Fault(
        id="most-tiny",
        what="100,000 words of a letter, as fast as they can be read",
        answer=lambda _: Reply(text=["x"] * 100_000),
        outcome="done",
        counted=True,
        seconds=60,
    ),
)
