"""Reads Amazon's binary event stream along: lengths, a checksum, headers, JSON, a checksum."""

from __future__ import annotations

import json
import re

from cloudllm.gateway.ends import Ending
from cloudllm.gateway.lines import AROUND

_FRAME = 16  # bytes of a frame without headers and payload: two lengths and two checksums
_EXCEPTION = re.compile(rb":exception-type\x07..(\w+)", re.DOTALL)  # 7: a string, its length


class Frames:
    """Whole frames are passed on, and what is no frame at all."""

    done = False

    def __init__(self, ending: Ending, limit: int) -> None:
        self._ending = ending
        self._largest = limit + AROUND
        self._held = bytearray()  # of bytes each packet would copy all that came before it

    def feed(self, data: bytes) -> bytes:
        """Whole frames."""
        self._held += data
        end = 0
        while len(self._held) - end >= _FRAME:
            total = int.from_bytes(self._held[end : end + 4])
            if not _FRAME <= total <= self._largest:
                return self.rest()  # no such stream; what it is instead, litellm will say
            if len(self._held) - end < total:
                break
            self._see(bytes(self._held[end : end + total]))
            if self._ending.error is not None:
                break
            end += total
        whole = bytes(self._held[:end])
        del self._held[:end]
        return whole

    def rest(self) -> bytes:
        """What is no whole frame."""
        rest, self._held = bytes(self._held), bytearray()
        return rest

    def check(self) -> None:
        """Raise the error that the frame after those passed on carries."""
        if self._ending.error is not None:
            raise self._ending.error

    def _see(self, frame: bytes) -> None:
        start = 12 + int.from_bytes(frame[4:8])
        headers, payload = frame[12:start], frame[start:-4]
        event = json.loads(payload) if payload.startswith(b"{") else {}
        if kind := _EXCEPTION.search(headers):
            event = {"error": {"message": event.get("message"), "type": kind[1].decode()}}
        self._ending.see(event)
