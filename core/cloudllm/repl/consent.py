"""A budget's refusal as a question: to send the same again says yes, anything else says no."""

from __future__ import annotations

from cloudllm.errors import BudgetExceeded
from cloudllm.repl.sentinel import Command, UserText

_ASK = "Send the same again to go ahead with it this once; anything else withdraws it"

_RETRY = Command("/retry")
"""Sends the message that was refused again, so it is the same."""


class Consent:
    """The question that is open, if one is."""

    def __init__(self) -> None:
        self._open: tuple[Command | UserText, BudgetExceeded] | None = None

    @property
    def is_open(self) -> bool:
        """Is there a question that waits for its answer?"""
        return self._open is not None

    def answer(self, submission: Command | UserText) -> BudgetExceeded | None:
        """What a person agrees to by sending this; either way the question is no longer open."""
        asked, self._open = self._open, None
        if asked is None:
            return None
        again = submission == _RETRY and isinstance(asked[0], UserText)
        return asked[1] if again or asked[0] == submission else None

    def withdraw(self) -> None:
        """Close the question, if one is open, without an answer."""
        self._open = None

    def ask(self, submission: Command | UserText, error: BudgetExceeded) -> BudgetExceeded:
        """The refusal of what was sent, as a question where there is something to agree to."""
        if error.projected_nano is None:
            return error
        self._open = submission, error
        return BudgetExceeded(
            error.message, advice=_ASK, model=error.model, projected_nano=error.projected_nano
        )
