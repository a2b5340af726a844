"""What a response says of its own end, format by format, however it is cut into packets."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cloudllm.errors import InvalidResponse
from cloudllm.gateway.body import Body, reader_for
from cloudllm.gateway.ends import Ending, LateError
from cloudllm.messages import Usage

SSE = "text/event-stream"
LIMIT = 1 << 17
FRAMES = "application/vnd.amazon.eventstream"


class Packets:
    """A response's stream."""

    def __init__(self, data: bytes, size: int) -> None:
        self.data = data
        self.size = size
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.data), self.size):
            yield self.data[start : start + self.size]

    async def aclose(self) -> None:
        self.closed = True


async def read(data: bytes, content_type: str = SSE, size: int = 7) -> tuple[bytes, Ending]:
    """What is passed on, and what was seen; an error is left in `Ending.failure`."""
    ending = Ending()
    passed = b""
    reader = reader_for(content_type, ending, LIMIT)
    with contextlib.suppress(LateError, ValueError, InvalidResponse):
        async for part in Body(Packets(data, size), reader, ending):
            passed += part
    return passed, ending


def events(*objects: Any) -> bytes:
    return "".join(f"data: {json.dumps(one)}\n\n" for one in objects).encode()


def see(*objects: Any) -> Ending:
    ending = Ending()
    for one in objects:
        ending.see(one)
    return ending


CHAT = {"choices": [{"finish_reason": "stop"}]}


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_what_would_end_a_line_is_escaped_and_stays_the_same_json(size: int) -> None:
    text = "a\u2028b\u2029c\u0085d [DONE] ä"
    line = json.dumps({"choices": [{"delta": {"content": text}}]}, ensure_ascii=False)
    data = f"data: {line}\n\ndata: [DONE]\n\n".encode()
    passed, ending = await read(data, size=size)
    first, done = passed.decode().split("\n\n")[:2]
    assert len(first.splitlines()) == 1
    assert "[DONE]" not in first
    assert json.loads(first.removeprefix("data: ")) == json.loads(line)
    assert done == "data: [DONE]"
    assert ending.known
    assert ending.over


async def test_an_event_of_many_lines_is_one_event() -> None:
    data = b'data: {"choices": [{"finish_reason":\r\ndata: "stop"}]}\r\n\r\n'
    passed, ending = await read(data)
    assert passed == b'data: {"choices": [{"finish_reason":"stop"}]}\n\n'
    assert ending.finish_reason == "stop"


async def test_what_is_no_event_is_left_out() -> None:
    data = b': first\n\nno event\n\nid: 7\nretry: 1\nevent: lost\n\ndata: {"a": ": b"}\n: more\n\n:'
    passed, _ = await read(data)
    assert passed == b'data: {"a": ": b"}\n\n'


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n", "\r\r", "\n", "\r"])
@pytest.mark.parametrize("begin", ["data:", "data: ", "\n\ndata: ", "event: message\ndata: "])
async def test_events_are_told_apart_with_blank_lines_and_without(begin: str, end: str) -> None:
    deltas = [json.dumps({"choices": [{"delta": {"content": word}}]}) for word in "abc"]
    data = "".join(f"{begin}{delta}{end}" for delta in deltas).rstrip() + f"{end}data:[DONE]"
    passed, ending = await read(data.encode())
    events = [part.rpartition("data: ")[2] for part in passed.decode().split("\n\n")]
    assert events == [*deltas, "[DONE]", ""]
    assert ending.over


@pytest.mark.parametrize("end", ["", "\n"])
async def test_a_stream_without_any_event_is_an_error_if_it_holds_something_else(end: str) -> None:
    _, ending = await read(f"<html>{end}".encode())
    assert isinstance(ending.failure, InvalidResponse)
    _, ending = await read(f": nothing{end}".encode())
    assert ending.failure is None


async def test_what_follows_the_end_is_ignored() -> None:
    passed, ending = await read(
        events(CHAT) + b"data: [DONE]\n\ndata: [DONE]\n\n" + events({"a": 1})
    )
    assert passed == events(CHAT) + b"data: [DONE]\n\n"
    assert ending.over


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("end", ["", "\n"])
async def test_a_whole_answer_is_understood_too(indent: int | None, end: str) -> None:
    body = (json.dumps({"id": "1", **CHAT}, indent=indent) + end).encode()
    passed, ending = await read(body, "application/json")
    assert passed == body
    assert ending.finish_reason == "stop"


async def test_objects_on_lines_are_understood() -> None:
    done = {"done": True, "done_reason": "length", "prompt_eval_count": 3, "eval_count": 4}
    body = "\n".join(json.dumps(one) for one in ({"done": False}, done)).encode()
    _, ending = await read(body, "application/x-ndjson")
    assert ending.finish_reason == "length"
    assert ending.usage == Usage(input_tokens=3, output_tokens=4)


async def test_a_broken_event_is_an_error_and_a_cut_one_is_none() -> None:
    whole = events(CHAT)
    passed, ending = await read(whole + b'data: {"choices": [{"del')
    assert passed.startswith(whole)
    assert ending.over
    _, ending = await read(whole + b'data: {"choices": [{"del\n\n')
    assert isinstance(ending.failure, ValueError)
    assert not ending.over


@pytest.mark.parametrize("size", [3, 10_000])
async def test_what_came_before_an_error_is_passed_on(size: int) -> None:
    good = events({"choices": []})
    data = good + events({"error": {"message": "Oh no", "code": 503}}) + events(CHAT)
    passed, ending = await read(data, size=size)
    assert passed == good
    assert isinstance(ending.failure, LateError)
    assert str(ending.failure) == "Oh no"
    assert ending.failure.status_code == 503
    assert not ending.over


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"type": "overloaded_error", "message": "x"}, 529),
        ({"code": "rate_limit_exceeded"}, 429),
        ({"code": "502"}, 502),
        ({"code": 7, "type": "odd"}, None),
        ("a plain text", None),
    ],
)
def test_status_of_a_late_error(error: object, status: int | None) -> None:
    late = see({"error": error}).error
    assert late is not None
    assert getattr(late, "status_code", None) == status


def frame(payload: bytes, **headers: str) -> bytes:
    """As Amazon sends it; nobody here checks the checksums."""
    packed = b"".join(
        bytes([len(name) + 1])
        + f":{name.replace('_', '-')}".encode()
        + b"\x07"
        + len(value).to_bytes(2)
        + value.encode()
        for name, value in headers.items()
    )
    total = 16 + len(packed) + len(payload)
    return total.to_bytes(4) + len(packed).to_bytes(4) + bytes(4) + packed + payload + bytes(4)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"message": "boom"}', "boom"),
        (b'{"error": {"message": "boom"}}', "boom"),
        (b"boom \xff", "boom \ufffd"),
        (b'{"message":\ndata: "boom"}', "boom"),
        (b'{"detail": 1}', "the provider gave no reason"),
    ],
)
async def test_an_event_that_is_called_an_error_is_one(data: bytes, words: str) -> None:
    good = events({"choices": [{"index": 0, "delta": {"content": "a"}}]})
    passed, ending = await read(good + b"event: error\ndata: " + data + b"\n\n")
    assert passed == good
    assert isinstance(ending.failure, LateError)
    assert str(ending.failure) == words


@pytest.mark.parametrize("size", [5, 10_000])
async def test_frames(size: int) -> None:
    stop = frame(b'{"stopReason":"max_tokens"}', event_type="messageStop")
    counts = b'{"metrics":{},"usage":{"inputTokens":3,"outputTokens":4,"cacheReadInputTokens":2}}'
    data = stop + frame(counts, event_type="metadata")
    passed, ending = await read(data, FRAMES, size)
    assert passed == data
    assert ending.finish_reason == "length"
    assert ending.usage == Usage(input_tokens=5, output_tokens=4, cached_tokens=2)


async def test_a_frame_with_an_exception() -> None:
    good = frame(b'{"contentBlockIndex":0,"delta":{"text":"a"}}', event_type="contentBlockDelta")
    bad = frame(b'{"message":"Too fast"}', exception_type="throttlingException")
    passed, ending = await read(good + bad, FRAMES)
    assert passed == good
    assert isinstance(ending.failure, LateError)
    assert str(ending.failure) == "Too fast"
    assert ending.failure.status_code == 429


async def test_what_is_no_stream_of_frames_is_passed_on() -> None:
    data = b"<html>not a frame at all</html>"
    assert (await read(data, FRAMES))[0] == data


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ([{"type": "message_delta", "delta": {"stop_reason": "end_turn"}}], "stop"),
        ([{"type": "message_delta", "delta": {"stop_reason": "refusal"}}], "content_filter"),
        ([{"candidates": [{"finishReason": "MAX_TOKENS"}]}], "length"),
        ([{"promptFeedback": {"blockReason": "SAFETY"}}], "content_filter"),
        ([{"candidates": [{"finishReason": "LANGUAGE"}]}], "language"),
        ([{"type": "response.completed", "response": {"status": "completed"}}], "stop"),
        ([{"type": "response.created", "response": {"status": "in_progress"}}], None),
        (
            [{"object": "response", "status": "incomplete",
              "incomplete_details": {"reason": "max_output_tokens"}}],
            "length",
        ),
        ([{"choices": [{"finish_reason": "eos"}]}], "stop"),
        ([CHAT, {"choices": [], "usage": None}], "stop"),
        ([{"done": True}], "stop"),
        ([{"done": False}], None),
        ([{"hello": "there"}], None),
    ],
)  # fmt: skip
def test_finish_reason(seen: list[dict[str, Any]], reason: str | None) -> None:
    assert see(*seen).finish_reason == reason


@pytest.mark.parametrize(
    ("seen", "usage"),
    [
        (
            {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2,
             "total_tokens": 41, "completion_tokens_details": {"reasoning_tokens": 30}}},
            Usage(input_tokens=9, output_tokens=32, reasoning_tokens=30),
        ),
        (
            {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 32,
             "total_tokens": 41, "completion_tokens_details": {"reasoning_tokens": 30}}},
            Usage(input_tokens=9, output_tokens=32, reasoning_tokens=30),
        ),
        (
            {"type": "message_start", "message": {"usage": {"input_tokens": 1, "output_tokens": 2,
             "cache_read_input_tokens": 7, "cache_creation_input_tokens": 2}}},
            Usage(input_tokens=10, output_tokens=2, cached_tokens=7, stored_tokens=2),
        ),
        (
            {"usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2,
             "thoughtsTokenCount": 3}},
            Usage(input_tokens=5, output_tokens=5, reasoning_tokens=3),
        ),
        ({"choices": [], "usage": {"prompt_tokens": 9}}, None),
        ({"done": True, "eval_count": 9}, None),
        ({"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0}}, None),
    ],
)  # fmt: skip
def test_G10_usage_is_what_was_reported(seen: dict[str, Any], usage: Usage | None) -> None:
    assert see(seen).usage == usage


@pytest.mark.parametrize(
    "event",
    [
        {"choices": [None]},
        {"choices": [{}], "usage": "x"},
        {"candidates": [1]},
        {"done": True, "message": 1, "choices": 5},
        {"type": "message", "content": [1]},
    ],
)
async def test_an_event_of_a_form_that_cannot_be_is_no_answer(event: dict[str, Any]) -> None:
    _, ending = await read(events(event))
    assert isinstance(ending.failure, json.JSONDecodeError)


@pytest.mark.parametrize("text", ["[" * 10, '{"a":' * 100_000, '{"a": ' + "9" * 5000 + "}"])
async def test_json_that_python_refuses_is_an_error_only_if_an_object_was_meant(text: str) -> None:
    _, ending = await read(f"data: {text}\n\n".encode(), size=1 << 20)
    assert (ending.failure is None) == text.startswith("[")


@pytest.mark.parametrize("code", ["²", "9" * 5000, "0x1"])
def test_a_code_that_is_no_status_is_none(code: str) -> None:
    assert LateError({"code": code}).status_code is None


async def test_a_byte_order_mark_is_taken_off() -> None:
    for body in (events(CHAT), events(CHAT).rstrip(), json.dumps(CHAT).encode()):
        passed, ending = await read(b"\xef\xbb\xbf" + body)
        assert passed.rstrip() == body.rstrip()
        assert ending.finish_reason == "stop"


@pytest.mark.parametrize("begin", [b"data: {", b"{", b'data: {"a":\ndata: "b"\n'])
async def test_an_event_without_end_is_not_kept(begin: bytes) -> None:
    line = begin.rpartition(b"\n")[0] + b"\n" if b"\n" in begin else b""
    data = begin + (line or b"x") * (8 * LIMIT // len(line or b"x"))
    _, ending = await read(data, size=1 << 14)
    assert "max_reply_bytes" in str(ending.failure)
    assert not ending.over


def test_the_first_answer_is_the_one() -> None:
    both = {"choices": [{"index": 1, "finish_reason": "length"}, {"index": 0}]}
    assert see(both).finish_reason is None
