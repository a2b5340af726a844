"""Reads text bodies along, and passes them on in the words that litellm's parsers understand.

Two things they get wrong, on every route but those of the OpenAI SDK: a line ends for them at U+2028
and its kin too, and any line that holds `[DONE]` is the end. Of an event on many lines they see the
first, and the SDK sees none without a blank line after it. A broken or cut line they pass over in
silence; here it is an error.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable

from cloudllm.errors import InvalidResponse
from cloudllm.events import StreamEvent
from cloudllm.gateway.bound import too_long
from cloudllm.gateway.ends import Ending, LateError
from cloudllm.gateway.salvage import deltas_in

AROUND = 1 << 16  # bytes that an event may have beside its text
_NOT_LINE_ENDS = {b"\xc2\x85": rb"\u0085", b"\xe2\x80\xa8": rb"\u2028", b"\xe2\x80\xa9": rb"\u2029"}
_DONE = b"[DONE]"
_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")


class Lines:
    """Server-sent events, a JSON object per line, or one that takes many lines."""

    def __init__(self, ending: Ending, content_type: str, limit: int) -> None:
        self.done = False
        self._ending = ending
        self._limit = limit
        self._text = content_type.startswith("text/")
        self._stream = content_type.startswith("text/event-stream")
        self._stray = False  # whether a line was no line of an event
        self._line: Callable[[bytes], None] = self._first_line
        self._failure: Exception | None = None
        self._held = bytearray()
        self._half = b""  # of a CRLF
        self._object = bytearray()  # as much of one as has come, from the lines that carry it
        self._broken: ValueError | None = None
        self._name = b""  # the line that names the event to come
        self._out: list[bytes] = []
        self._salvaged: list[StreamEvent] = []

    def feed(self, data: bytes) -> bytes:
        """Whole lines only: nobody can use half of one."""
        if self._text and (self._half or b"\r" in data):
            data = self._with_newlines(data)
        block, mark, rest = data.rpartition(b"\n")
        if not mark:
            self._held += rest
            self._bound(self._held)
            return b""
        block = bytes(self._held) + block
        self._held = bytearray(rest)
        return self._pass(block.split(b"\n"))

    def rest(self) -> bytes:
        """The last line, if nothing ends it: a JSON object, or an event that may have been cut."""
        last, self._held = bytes(self._held), bytearray()
        if self._line == self._first_line:
            last = last.removeprefix(codecs.BOM_UTF8)
            self._line = self._kind_of(last)
        if self._line == self._event_line:
            return self._last_event(last)
        if self._line == self._json_line and self._ending.known and self._see(last.strip()):
            self._ending.add(deltas_in(last))
            return b""
        ready = self._pass([last])[:-1] if last else b""
        self._see(bytes(self._object))
        return ready

    def check(self) -> None:
        """Raise what is wrong with the line after those that were passed on."""
        if self._failure is not None:
            self._ending.add(self._salvaged)
            raise self._failure

    def _with_newlines(self, data: bytes) -> bytes:
        """Events may end their lines with CRLF or CR, too; neither stands in JSON's strings."""
        data = self._half + data
        self._half = b"\r" if data.endswith(b"\r") else b""  # its LF may be still to come
        data = data.removesuffix(self._half) if self._half else data
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _pass(self, lines: list[bytes]) -> bytes:
        for line in lines:
            self._line(line)
            self._failure = self._failure or self._ending.error
            if self._failure is not None:
                break
        out, self._out = self._out, []
        return _mended(b"".join(out))

    def _first_line(self, line: bytes) -> None:
        if line.strip():
            line = line.removeprefix(codecs.BOM_UTF8)
            self._line = self._kind_of(line)
            self._line(line)

    def _kind_of(self, line: bytes) -> Callable[[bytes], None]:
        """How to read this line and those after it, whatever the header says."""
        if line.startswith(_FIELDS) or (self._text and not line.startswith(b"{")):
            return self._event_line
        return self._json_line

    def _event_line(self, line: bytes) -> None:
        if self.done:  # nothing follows it
            return
        if line.startswith(b"data:"):
            self._data(line[5:].strip())
        elif line.startswith(b"event:"):
            self._name = line.rstrip() + b"\n"
        elif not line.strip():
            if self._broken is not None:
                self._event(bytes(self._object))
                self._failure = self._broken
            self._name = b""
        elif not line.startswith(_FIELDS):
            self._stray = True

    def _data(self, text: bytes) -> None:
        """An event, whole as soon as its object is, or a line of it, to be read at its end."""
        if self._broken is None:
            self._event(text)
        else:
            self._object += text
            self._bound(self._object)

    def _event(self, text: bytes) -> None:
        """Pass it on if it is whole; nobody sends anything but objects."""
        self._broken = self._see(text)
        self._object = bytearray(text if self._broken else b"")
        self.done = text == _DONE
        if self._name.removeprefix(b"event:").strip() == b"error":
            self._error(text)
        if self._broken or self._ending.error:
            return
        if self.done or text.startswith(b"{"):
            self._out += (self._name, b"data: ", text, b"\n\n")
            self._name = b""

    def _error(self, text: bytes) -> None:
        """Take note of an event that says in its name, but perhaps not in its data, what it is."""
        if not text.startswith(b"{"):
            self._ending.error = LateError(text.decode(errors="replace"))
        elif self._broken is None and self._ending.error is None:
            self._ending.error = LateError(json.loads(text))

    def _last_event(self, line: bytes) -> bytes:
        """What the end of the body ended: an event if it is whole, else what its text shows."""
        if line.startswith(b"data:"):
            self._object += line[5:].strip()
        if self._object and not self.done:
            self._event(bytes(self._object))
            if self._broken is not None:
                self._ending.add(deltas_in(bytes(self._object)))
        elif line:
            self._event_line(line)
        if self._stray and self._stream and not self._ending.known:
            self._failure = _no_stream()
        return self._pass([])

    def _json_line(self, line: bytes) -> None:
        if self._see(line.strip()) is not None:
            self._line = self._more_json
            self._more_json(line)
        elif self._ending.error is None:
            self._out += (line, b"\n")

    def _more_json(self, line: bytes) -> None:
        self._out += (line, b"\n")
        self._object += line
        self._bound(self._object)

    def _bound(self, held: bytearray) -> None:
        if len(held) > self._limit + AROUND:
            self._failure = too_long(self._limit)
            self._salvaged = deltas_in(bytes(held).removeprefix(b"data:"))

    def _see(self, text: bytes) -> ValueError | None:
        """Take note of an object; returns what is wrong with it, which more of it may mend."""
        if text.startswith(b"{"):
            try:
                event = json.loads(text)
            except (ValueError, RecursionError):  # also a number too long, or too many levels
                return json.JSONDecodeError("no JSON", "", 0)
            self._ending.see(event)
        return None


def _no_stream() -> InvalidResponse:
    return InvalidResponse(
        "something came that is no stream of events, though it says that it is one",
        advice="Check that api_base is the address of an API",
    )


def _mended(block: bytes) -> bytes:
    """The same JSON in other words: escaped where a parser would stumble."""
    for raw, escaped in _NOT_LINE_ENDS.items():
        if raw in block:
            block = block.replace(raw, escaped)
    if _DONE in block:
        lines = block.split(b"\n")
        done = rb"\u005bDONE]"
        block = b"\n".join(line.replace(_DONE, done) if b"{" in line else line for line in lines)
    return block
