"""A screen for programs: the events of a turn as JSON, one object per line on standard output."""

from __future__ import annotations

from collections.abc import Callable

from cloudllm import eventjson
from cloudllm.errors import CloudLLMError
from cloudllm.events import Event, TurnFinished
from cloudllm.messages import Attempt, Message
from cloudllm.repl.plainscreen import PlainScreen


class JsonScreen(PlainScreen):
    """Writes events; what is said to a person still goes to standard error.

    `attempts` gives what was tried for the turn.
    """

    def __init__(self, interrupted: int) -> None:
        super().__init__(talkative=False)
        self.attempts: Callable[[], tuple[Attempt, ...]] = tuple
        self._interrupted = interrupted
        self._ended = False

    def event(self, event: Event) -> None:
        """Write what a turn emitted."""
        self._ended = isinstance(event, TurnFinished)
        self._write(eventjson.line(eventjson.event_object(event)))

    def error(self, error: CloudLLMError) -> None:
        """Write what ended the turn; if nobody reads it, say it aside."""
        self.code = error.exit_code
        if self._ended or self.closed:
            super().error(error)
        else:
            self._end(eventjson.error_object(error, self.attempts()))

    def stopped(self, reply: Message | None) -> None:
        """Write that a person has stopped the turn."""
        if self._ended:
            return
        if reply is not None:
            self.event(TurnFinished(reply, self.attempts()))
        else:
            self._end(eventjson.interruption_object(self._interrupted, self.attempts()))

    def _end(self, last: dict[str, object]) -> None:
        self._ended = True
        try:
            self._write(eventjson.line(last))
        except CloudLLMError as error:
            super().error(error)
