"""What a wire format is to the scripted provider, and what several of them share."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from cloudllm.testing.script import Problem, Received, Reply

EVENT_STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Frames:
    """A streamed answer: what comes before the first chunk, one item per chunk, what ends it."""

    opening: bytes
    chunks: Sequence[bytes]
    closing: bytes

    def with_crlf(self) -> Frames:
        """The same with the other line ends; JSON on the wire holds none of its own."""
        opening, *chunks, closing = (
            part.replace(b"\n", b"\r\n") for part in (self.opening, *self.chunks, self.closing)
        )
        return Frames(opening, chunks, closing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request says, whatever its form: the system prompt is a message with that role."""

    model: str
    messages: tuple[tuple[str, str], ...]
    temperature: float | None = None
    max_output_tokens: int | None = None


class Wire(ABC):
    """One format: writes answers, and reads requests for those who compare.

    name           what it is called
    content_type   of a streamed answer
    silence        a sign of life without content, for the heartbeat; empty where there is none
    words          finish reasons: OpenAI's word to this format's
    always_limited whether a request must say how long the answer may be
    text           whether a streamed answer is text
    """

    name: ClassVar[str]
    content_type: ClassVar[str] = EVENT_STREAM
    silence: ClassVar[bytes] = b": still here\n\n"
    words: ClassVar[Mapping[str, str]] = {}
    always_limited: ClassVar[bool] = False
    text: ClassVar[bool] = True

    @abstractmethod
    def speaks(self, path: str) -> bool:
        """Whether a POST to `path` is a request in this format."""

    def streams(self, request: Received) -> bool:
        """Whether the request asks for a stream."""
        return bool(request.body.get("stream"))

    @abstractmethod
    def frames(self, reply: Reply, model: str) -> Frames:
        """The streamed answer."""

    @abstractmethod
    def whole(self, reply: Reply, model: str) -> Mapping[str, Any]:
        """The answer to a request that did not ask for a stream."""

    def problem(self, problem: Problem) -> Mapping[str, Any]:
        """The body of an error; this is the form that OpenAI and Anthropic share."""
        words = {"message": problem.message, "type": problem.kind, "code": problem.code}
        return {"type": "error", "error": {**words, "param": None}}

    def failure(self, problem: Problem) -> bytes:
        """An error inside a stream."""
        return sse(self.problem(problem))

    @abstractmethod
    def asked(self, request: Received) -> Asked:
        """What the request says."""

    def finish_word(self, reply: Reply) -> str | None:
        """The reply's finish reason in this format's words."""
        reason = reply.finish_reason
        return self.words.get(reason, reason) if reason else None


def pieces(text: str | Sequence[str]) -> Sequence[str]:
    """The chunks of a text: of a string its words, of a list its items."""
    return re.findall(r"\s*\S+\s*?", text) if isinstance(text, str) else text


def packed(payload: Mapping[str, Any], *, escaped: bool = False) -> str:
    """JSON on one line; lone surrogates are escaped in any case, as UTF-8 has none."""
    text = json.dumps(payload, separators=(",", ":"), ensure_ascii=escaped)
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return json.dumps(payload, separators=(",", ":"))
    return text


def sse(payload: Mapping[str, Any], *, event: str = "", escaped: bool = False) -> bytes:
    """A server-sent event."""
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {packed(payload, escaped=escaped)}\n\n".encode()


def text_of(content: object) -> str:
    """The text of a message's content: a string, or a list of parts that carry text."""
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        return "".join(
            str(part.get("text", "")) if isinstance(part, Mapping) else str(part)
            for part in content
        )
    return ""


def plain_messages(messages: object) -> tuple[tuple[str, str], ...]:
    """Role and text of messages in the form `{"role": …, "content": …}`."""
    if not isinstance(messages, Sequence):
        return ()
    return tuple(
        (str(message.get("role", "")), text_of(message.get("content")))
        for message in messages
        if isinstance(message, Mapping)
    )
