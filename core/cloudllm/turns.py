"""Runs a session's turns, one at a time, and settles each: what is kept of it, and who is told."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Callable, Sequence

from cloudllm import continuation
from cloudllm.context import Conversation
from cloudllm.errors import CloudLLMError, UsageError
from cloudllm.events import Event, Stalled, TurnFinished, TurnInfo
from cloudllm.messages import Attempt, Message, Outcome, Status, Usage
from cloudllm.recording import Recording, Start
from cloudllm.relay import Relay
from cloudllm.sending import Sender
from cloudllm.terms import Means, Terms
from cloudllm.turn import Turn, current_task

_CANCELLED = "cancelled before it was complete"
_NO_FINISH_REASON = "the stream ended without a finish reason"
_OUTCOMES = {
    Status.COMPLETE: Outcome.COMPLETE,
    Status.PARTIAL: Outcome.PARTIAL,
    Status.CANCELLED: Outcome.CANCELLED,
}


class Turns:
    """The turns of one session; `terms` gives what holds for one that begins.

    attempts    what was tried for the last turn that is over
    unanswered  the message that can be sent again, because nothing came of its turn
    """

    def __init__(
        self, means: Means, conversation: Conversation, terms: Callable[[], Terms]
    ) -> None:
        self.attempts: tuple[Attempt, ...] = ()
        self.unanswered: Message | None = None
        self._means = means
        self._conversation = conversation
        self._terms = terms
        self._count = 0
        self._open: Turn | None = None

    def stream(self, begin: Callable[[], Start]) -> AsyncGenerator[Event, None]:
        """The events of a turn that begins when it is first asked for one."""
        turn = Turn(begin)
        stream = self._run(turn)
        turn.stream = weakref.ref(stream)
        return stream

    def replace(self, start: int, messages: Sequence[Message]) -> None:
        """Put these messages in the place of all from `start` on."""
        self._conversation.replace_from(start, messages)
        self.unanswered = None

    def wait_on(self) -> None:
        """Lift the deadlines of the turn under way."""
        if self._open is not None:
            self._open.patience.wait_on()
            self._open.relay.wait_on()

    def settle_dropped(self) -> None:
        """End a turn that nobody will read on, even before the loop has closed its stream."""
        if self._open is not None and self._open.is_dropped:
            self._abandon(self._open)

    def end_open(self) -> None:
        """End a turn that this very task has left open, so that the history may be changed."""
        if self._open is None:
            return
        if not self._open.is_abandoned_by(current_task()):
            raise UsageError("A reply is still coming in", advice="Stop it first")
        self._abandon(self._open)

    async def _run(self, turn: Turn) -> AsyncGenerator[Event, None]:
        """Run a turn and settle it, however it ends."""
        await self._enter(turn)
        try:
            turn.start = turn.begin()
            terms = self._terms()
            turn.client = terms.client
            turn.info = self._next(turn)
            turn.recording = Recording(terms.record)
            turn.relay = Relay(Sender(self._means, terms, turn).run, Stalled)
            try:
                while (event := await turn.relay.next()) is not None:
                    yield event
                    turn.reader = asyncio.current_task()
                    if self._open is not turn:
                        return
            finally:
                await turn.relay.close()
            finished = self._settle(turn, Status.PARTIAL, _NO_FINISH_REASON)
        except CloudLLMError as error:
            finished = self._settle(turn, Status.PARTIAL, " ".join(error.message.split()))
            if finished is None:
                raise
        except Exception as error:
            self._settle(turn, Status.PARTIAL, f"unexpected {type(error).__name__}")
            raise
        except BaseException:
            self._settle(turn, Status.CANCELLED, _CANCELLED)
            raise
        if finished is not None:
            await turn.recording.saved()
            yield finished

    def _next(self, turn: Turn) -> TurnInfo:
        self._count += 1
        return TurnInfo(session=self._means.session, number=self._count, model=turn.client.id)

    async def _enter(self, turn: Turn) -> None:
        """Wait until no other turn is open; end one that was left unfinished."""
        me, loop = asyncio.current_task(), asyncio.get_running_loop()
        turn.reader = me
        while (other := self._open) is not None:
            if other.is_abandoned_by(me):
                self._settle(other, Status.CANCELLED, _CANCELLED)
                await other.close()
            elif other.over.get_loop() is not loop:
                raise UsageError("A session can't be used from two running event loops at once")
            else:
                await other.wait()
        turn.over = loop.create_future()
        self._open = turn

    def _settle(self, turn: Turn, status: Status, error: str | None) -> TurnFinished | None:
        """End a turn, once: keep what there is to keep; gives its last event if a reply was kept.

        `status` and `error` are those of a reply that did not come to its own end.
        """
        if self._open is not turn:
            return None
        self._open = None
        turn.over.set_result(None)
        if not (turn.visible or turn.complete):
            self._give_up(turn, status)
            return None
        if turn.complete:
            status, error = Status.COMPLETE, None
        reply = turn.reply(status, error)
        turn.end_attempt(_OUTCOMES[status])
        self.attempts = tuple(turn.attempts)
        self._means.usage += reply.usage or Usage()
        if turn.start.continued is not None:
            reply = continuation.joined(turn.start.continued, reply)
        self._keep(turn, (*turn.start.head, reply))
        finished = TurnFinished(reply, self.attempts)
        hooks = self._means.hooks
        if hooks is not None:
            hooks.event(finished, turn.info)
            hooks.reply(reply, turn.info)
        return finished

    def _keep(self, turn: Turn, messages: Sequence[Message]) -> None:
        self.replace(turn.start.keep, messages)
        turn.recording.settle(turn.start.keep, messages)

    def _give_up(self, turn: Turn, status: Status) -> None:
        """Nothing came of the turn: the history stays, and its message can be sent again."""
        if status is Status.CANCELLED:
            turn.end_attempt(Outcome.CANCELLED)
        self.attempts = tuple(turn.attempts)
        if turn.start.head and turn.start.keep == len(self._conversation):
            self.unanswered = turn.start.head[0]
        turn.recording.settle(turn.start.keep)

    def _abandon(self, turn: Turn) -> None:
        self._settle(turn, Status.CANCELLED, _CANCELLED)
        turn.close_soon()
