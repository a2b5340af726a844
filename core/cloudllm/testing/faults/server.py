"""The fault server: the scripted provider, with the faults behind the names of its models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace

from cloudllm.testing.faults.model import Fault, fault_id
from cloudllm.testing.faults.places import Places
from cloudllm.testing.faults.table import FAULTS
from cloudllm.testing.script import Received, Reply
from cloudllm.testing.server import WireServer
from cloudllm.testing.wires import wire_of


class FaultServer(WireServer):
    """A `WireServer` whose models misbehave, each in its own way.

        with FaultServer() as server:
            for fault in server.faults.values():
                ...                       # ask the model fault.model at server.url_of(fault)

    faults  what it can do, by id; give it your own, or more than those that come with it
    other   a healthy server that redirects lead to, so that whoever follows one is seen

    The streams are OpenAI's chat completions; what is below them is the same for every format.
    """

    def __init__(self, faults: Iterable[Fault] = FAULTS, *, port: int = 0) -> None:
        super().__init__(port=port)
        self.faults: Mapping[str, Fault] = {fault.id: fault for fault in faults}
        self.models = [fault.model for fault in self.faults.values()]
        self.other = WireServer()
        self._asked: Counter[str] = Counter()
        self._stack = ExitStack()
        self._places: Places
        self.default = self._misbehave

    def start(self) -> None:
        """Listen; returns when connections are accepted."""
        super().start()
        self._stack.enter_context(self.other)
        self._places = Places(self._stack, self.address[1])

    def stop(self) -> None:
        """Close the listeners and every connection."""
        self._stack.close()
        super().stop()

    def forget(self) -> None:
        """Forget what was scripted, received and counted; the faults stay."""
        super().forget()
        self.other.forget()
        self._asked.clear()
        self.default = self._misbehave

    def url_of(self, fault: Fault) -> str:
        """The `api_base` to find it at; raises `LookupError` where this machine can't have it."""
        return self._places.url(fault.place)

    def environment_of(self, fault: Fault) -> dict[str, str]:
        """The variables with which a program has to run so that it meets the fault."""
        return self._places.environment(fault.place)

    def asked(self, model: str) -> int:
        """How many requests for this model came."""
        return self._asked[model]

    def _misbehave(self, request: Received) -> Reply:
        wire = wire_of(request.path)
        model = wire.asked(request).model if wire else ""
        fault = self.faults.get(fault_id(model))
        if fault is None:
            return Reply.error(404, f"there is no fault {model!r} here", code="model_not_found")
        self._asked[model] += 1
        if fault.heals_after is not None and self._asked[model] > fault.heals_after:
            return Reply(text=fault.text)
        answer = fault.answer
        return self._aimed(answer(request) if callable(answer) else answer)

    def _aimed(self, reply: Reply) -> Reply:
        """Have redirects lead to `other`, by another name of this machine."""
        if "location" not in reply.headers:
            return reply
        base = f"http://localhost:{self.other.address[1]}/v1"
        location = reply.headers["location"].replace("{other}", base)
        return replace(reply, headers={**reply.headers, "location": location})
