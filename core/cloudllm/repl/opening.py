"""How a chat begins: with a conversation of its own, the last one, or one by name; kept or not."""

from __future__ import annotations

from typing import NamedTuple

from cloudllm.errors import UsageError


class Opening(NamedTuple):
    """What the command line says of the conversation with which a chat begins.

    private  nothing of the chat is written to the disk
    go_on    with the last conversation of the folder in which the program was started
    resume   with the one that has this name; "" lets the person choose, `None` begins a new one
    """

    private: bool = False
    go_on: bool = False
    resume: str | None = None

    def named(self) -> Opening:
        """The same, for where nobody can choose; raises `UsageError` if somebody would have to."""
        if self.resume == "":
            raise UsageError(
                "--resume needs the name of a conversation here",
                advice="cloudllm sessions list shows them; --continue takes the last one",
            )
        return self
