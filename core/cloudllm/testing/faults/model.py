"""One fault: what a server does wrong, and what must come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cloudllm.testing.script import Reply, Script

Outcome = Literal["done", "partial", "error"]
Place = Literal[
    "here", "refused", "unresolved", "full", "deaf", "hasty", "plain", "no-cipher", "stranger",
    "proxy", "afar",
]  # fmt: skip

_EXIT_CODES = {"done": 0, "partial": 5, "error": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault as data; its model is `fault-ID`, and `fault-ID~anything` counts for itself.

    id           its name
    what         what the server does, in a line
    answer       what it answers; unlike the table's other fields, this is not for a person to read
    heals_after  that many requests for one model fail, then there is a reply; `None`: all fail
    place        where: "here" is the server itself; see `Places` for the others

    What must come of a turn with it, tried three times at most:

    outcome      "done", "partial" or "error": with a whole reply, a part of one, or none
    requests     how often it is asked, exactly; once, if anything of the reply was visible
    text         the text of the reply; empty, too, where it is longer than a table should hold
    reasoning    its reasoning
    says         a part of the line that a person sees, be it an error or a notice
    exits        the exit code, where that does not follow from the outcome
    counted      a whole reply with usage from the server, so that nothing had to be estimated

    How to try it:

    by_deadline  only a deadline of ours ends it, so have short ones
    seconds      it takes so long or, if that is more than a few, so much
    """

    id: str
    what: str
    answer: Script = field(default_factory=Reply)
    heals_after: int | None = None
    place: Place = "here"
    outcome: Outcome = "error"
    requests: int = 1
    text: str = ""
    reasoning: str = ""
    says: str = ""
    exits: int | None = None
    counted: bool = False
    by_deadline: bool = False
    seconds: float = 0.0

    @property
    def model(self) -> str:
        """The name of the model that has it."""
        return f"fault-{self.id}"

    @property
    def exit_code(self) -> int:
        """What `cloudllm ask` exits with."""
        return _EXIT_CODES[self.outcome] if self.exits is None else self.exits


def fault_id(model: str) -> str:
    """The fault that a model's name asks for, whatever stands before the name or after `~`."""
    return model.rpartition("/")[2].removeprefix("fault-").partition("~")[0]
