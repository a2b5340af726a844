"""Has the model answer a context strategy, for as long as the strategy is waited for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from cloudllm.context import Ask
from cloudllm.errors import CloudLLMError
from cloudllm.words import kind_of

_TO_BE_WRITTEN = "(The model is asked for this summary before the request is sent.)"


class Asking:
    """An `Ask` for one plan; `paused` surrounds the time in which the strategy only waits.

    Without an `ask` of its own, nobody is asked: the plan is only to be shown.
    """

    def __init__(self, ask: Ask | None) -> None:
        self.over = False
        self.paused: Callable[[], AbstractContextManager[None]] = nullcontext
        self._ask = ask

    def __call__(self, prompt: str, *, max_output_tokens: int) -> str:
        """See `ContextView.ask`."""
        if not isinstance(prompt, str):
            raise TypeError(f"a prompt must be text, not {kind_of(prompt)}")
        if not isinstance(max_output_tokens, int) or max_output_tokens < 1:
            raise ValueError("max_output_tokens must be a number above 0")
        prompt.encode()  # half a character can't be sent
        if self.over:
            raise CloudLLMError("the turn is over, so no model is asked any more")
        if self._ask is None:
            return _TO_BE_WRITTEN
        with self.paused():
            return self._ask(prompt, max_output_tokens=max_output_tokens)
