"""What the scripted provider is told to say, and what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from cloudllm.messages import Usage

JSON = "application/json"

Steps = Iterable[bytes | float]
"""What is sent, piece by piece; a number is a pause in seconds, `math.inf` one until the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error as a service words it; each wire gives it its own form. `status` is HTTP's."""

    message: str
    kind: str = "scripted_error"
    code: str | None = None
    status: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    r"""What one request gets; the fields below the first group make it misbehave.

    text           the answer: a string is sent word by word, a list chunk by chunk as it stands
    reasoning      sent before the text, cut up in the same way
    first_delay    seconds before the first chunk (after the headers)
    delay          seconds between chunks; with 0 they are sent in bursts
    usage          what is reported; `None` reports nothing
    finish_reason  in OpenAI's words; `None` ends the stream without any

    status         the HTTP status
    headers        sent in addition
    problem        sent instead of an answer, in the form of the wire
    body           sent instead of an answer, as it stands
    content_type   of `body`
    stream         sent as the body of a streamed answer, as it stands, a chunk for each step
    raw            sent instead of everything, status line and headers included; afterwards the
                   connection stays open, unless `cut` says otherwise
    cut_after      stop after that many chunks; 0 is after the headers, -1 before them
    cut            how: "end" finishes the body cleanly, "close" closes the socket, "reset" resets it;
                   what `stream` and `raw` end with, too
    fail_after     send an error inside the stream after that many chunks, and end it
    stall_after    go silent after that many chunks (as `cut_after`) until the caller hangs up
    heartbeat      seconds between the signs of life without content that are sent during every
                   wait, where the wire has such; `None` sends none
    fragment       bytes of the text's chunks per write, so that characters and lines are cut up
    escaped        send what is not ASCII as `\uXXXX`, as many services do
    joined         the last chunk of text carries the finish reason too, where the wire allows it
    crlf           lines end with CRLF

    `{key}` in `body` or in the problem's message becomes the key that the caller sent.
    """

    text: str | Sequence[str] = "Hello from the wire."
    reasoning: str | Sequence[str] = ()
    first_delay: float = 0.0
    delay: float = 0.0
    usage: Usage | None = field(default_factory=lambda: Usage(input_tokens=7, output_tokens=5))
    finish_reason: str | None = "stop"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    problem: Problem | None = None
    body: str | None = None
    content_type: str = JSON
    stream: Steps | None = None
    raw: Steps | None = None
    cut_after: int | None = None
    cut: Literal["end", "close", "reset"] = "end"
    fail_after: int | None = None
    stall_after: int | None = None
    heartbeat: float | None = None
    fragment: int | None = None
    escaped: bool = False
    joined: bool = False
    crlf: bool = False

    @classmethod
    def error(
        cls,
        status: int,
        message: str = "scripted failure",
        *,
        kind: str = "scripted_error",
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """An error, in the form of the wire that asks."""
        problem = Problem(message=message, kind=kind, code=code, status=status)
        return cls(status=status, problem=problem, headers=headers or {})

    @classmethod
    def redirect(cls, location: str, status: int = 307) -> Self:
        """A redirect to `location`."""
        return cls(status=status, body="", headers={"location": location})

    @classmethod
    def html(cls, page: str = "<!doctype html><title>Sign in</title>", status: int = 200) -> Self:
        """A web page where an answer should be, as captive portals and wrong addresses send it."""
        return cls(status=status, body=page, content_type="text/html; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came; header names are in lower case, `body` is the parsed JSON."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    query: str = ""

    @property
    def key(self) -> str | None:
        """The key it carried, in whichever header providers use for it."""
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        named = (self.headers.get(name) for name in ("x-api-key", "x-goog-api-key", "api-key"))
        return bearer or next(filter(None, named), None)


Script = Reply | Callable[[Received], Reply]
