"""How often and when a request is sent again, before anything of its reply was seen."""

from __future__ import annotations

import random
from dataclasses import dataclass

from cloudllm.errors import AuthenticationError, CloudLLMError, ProviderError, RequestRejected

_LONGEST = 8.0
"""Seconds of a wait that the provider did not ask for."""

_JITTER = 0.25
"""The share by which a wait may be longer, so that many callers do not come back at once."""

_MENDED = 3
"""Tries from which on an error is one that trying again may mend, as often as the policy says."""

_THEIR_FAULT = 402, 404
"""HTTP statuses of refusals that another provider need not share: no credit, no such model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When to try again.

    attempts  how often a model is asked at most, the first time included
    seconds   how long the waits between the attempts may be in all
    first     seconds before the second attempt; each further wait is twice as long, up to 8
    """

    attempts: int = 3
    seconds: float = 60.0
    first: float = 0.5

    def attempts_for(self, error: CloudLLMError) -> int:
        """How often a model is asked in all, where this error comes of it."""
        if not isinstance(error, ProviderError):
            return 1
        return self.attempts if error.tries >= _MENDED else min(self.attempts, error.tries)

    def wait(self, error: CloudLLMError, made: int, waited: float) -> float | None:
        """Seconds until the next attempt after `made` of them; `None` if there is to be none.

        `waited` is what the waits before this one took. A time that the provider names is kept to,
        and is too long if it goes beyond `seconds`.
        """
        if made >= self.attempts_for(error):
            return None
        asked = getattr(error, "retry_after", None) or 0.0
        backoff = min(self.first * 2.0 ** (made - 1), _LONGEST)
        delay = max(asked, backoff * random.uniform(1.0, 1.0 + _JITTER))  # noqa: S311 - no secret
        return delay if waited + delay <= self.seconds else None


def another_model_may_do(error: CloudLLMError) -> bool:
    """May a model of the list of fallbacks answer where this one failed so?

    Not what every provider would refuse as well, and not what was refused on our side.
    """
    if isinstance(error, RequestRejected):
        return error.status in _THEIR_FAULT
    return isinstance(error, ProviderError | AuthenticationError)
