"""Every error a person may meet: one tree, each class with its exit code and its advice.

CloudLLMError                     1
├── UsageError                    2  an option, argument or command makes no sense
├── ConfigurationError            2  a setting, variable or file is wrong
│   ├── UnknownProvider
│   ├── UnknownModel
│   └── PluginError                  a plugin could not be loaded or used
├── AuthenticationError           3  the provider refused the key
│   └── MissingKey                   no key was found
├── ProviderError                 4  the provider, or the way to it, failed
│   ├── NetworkError                 nothing answered: refused, unresolved, reset, TLS
│   ├── DeadlineExceeded             one of our deadlines passed
│   ├── RateLimited
│   ├── RequestRejected              the provider will not take this request
│   ├── ModelNotFound
│   ├── ServerError                  the provider says the fault is its own
│   └── InvalidResponse              what came is not an answer: HTML, nothing, garbage, a redirect
├── PartialReply                  5  the stream was cut after it had begun
├── ContextTooLong                6  the request does not fit the model
├── StoreError                    1  the file in which things are kept cannot be used
│   └── StoreDamaged                 it was damaged, and has been set aside, or was emptied
└── Refused                       7  a budget or a hook said no
    └── BudgetExceeded               the call could cost more than is left
"""

from __future__ import annotations

from typing import ClassVar


class CloudLLMError(Exception):
    """Base of all; `str()` is one line for a person, `advice` says what to do next.

    `status` is the HTTP status and `request_id` the provider's own name for the request, where one
    has answered with them.
    """

    exit_code: ClassVar[int] = 1
    default_advice: ClassVar[str] = ""

    def __init__(self, message: str, *, advice: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.advice = self.default_advice if advice is None else advice
        self.status: int | None = None
        self.request_id: str | None = None

    def __str__(self) -> str:
        if not self.advice:
            return self.message
        ended = self.message.endswith(("?", "!", "…"))
        return f"{self.message if ended else self.message.rstrip('.') + '.'} {self.advice}"


class UsageError(CloudLLMError):
    """An option, argument or command makes no sense."""

    exit_code = 2


class ConfigurationError(CloudLLMError):
    """A setting, variable or file is wrong; the message says which and where."""

    exit_code = 2


class UnknownProvider(ConfigurationError):
    """No provider of that name is installed or configured."""


class UnknownModel(ConfigurationError):
    """The provider knows for certain, before any request, that it has no such model."""


class PluginError(ConfigurationError):
    """A plugin could not be loaded or used; the message names it and its distribution."""


class AuthenticationError(CloudLLMError):
    """The provider refused the key."""

    exit_code = 3


class MissingKey(AuthenticationError):
    """No key was found; the message names the variable, where to get one, how to do without."""


class ProviderError(CloudLLMError):
    """The provider, or the way to it, failed.

    tries       how often the same request may be sent in all where this comes of it: 1 where a second
                try can't mend it, 3 or more where only the `RetryPolicy` sets a limit
    accepted    the provider took the request on before it failed, so it may charge for it
    """

    exit_code = 4
    default_tries: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        advice: str | None = None,
        status: int | None = None,
        tries: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, advice=advice)
        self.status = status
        self.tries = self.default_tries if tries is None else tries
        self.request_id = request_id
        self.accepted = False


class NetworkError(ProviderError):
    """Nothing answered: connection refused or reset, name not resolved, TLS failed."""

    default_tries = 3


class DeadlineExceeded(ProviderError):
    """One of our deadlines passed: connect, first token, gap or total."""

    default_tries = 2


class RateLimited(ProviderError):
    """The provider asks to slow down; `retry_after` is in seconds, if it said so."""

    default_advice = "Wait a little, then try again"
    default_tries = 3

    def __init__(
        self,
        message: str,
        *,
        advice: str | None = None,
        status: int | None = 429,
        tries: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, advice=advice, status=status, tries=tries, request_id=request_id)
        self.retry_after = retry_after


class RequestRejected(ProviderError):
    """The provider will not take this request, however often it is sent."""


class ModelNotFound(ProviderError):
    """The provider has no such model, or this key may not use it."""


class ServerError(ProviderError):
    """The provider says that the fault is its own; `retry_after` is in seconds, if it said so."""

    default_advice = "Try again in a moment"
    default_tries = 3

    def __init__(
        self,
        message: str,
        *,
        advice: str | None = None,
        status: int | None = None,
        tries: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, advice=advice, status=status, tries=tries, request_id=request_id)
        self.retry_after = retry_after


class InvalidResponse(ProviderError):
    """What came is not an answer: HTML, an empty stream, garbage, a redirect."""


class PartialReply(CloudLLMError):
    """The stream was cut after it had begun; the text received is kept and marked partial."""

    exit_code = 5


class ContextTooLong(CloudLLMError):
    """The request does not fit the model; `limit` is the model's, in tokens, if it is known."""

    exit_code = 6

    def __init__(
        self, message: str, *, advice: str | None = None, limit: int | None = None
    ) -> None:
        super().__init__(message, advice=advice)
        self.limit = limit


class StoreError(CloudLLMError):
    """The file in which things are kept cannot be opened, read or written."""


class StoreDamaged(StoreError):
    """The file was damaged and has been set aside, or was empty; the next use has a new one."""


class Refused(CloudLLMError):
    """A budget or a hook said no; nothing was sent."""

    exit_code = 7


class BudgetExceeded(Refused):
    """The call could cost more than is left of a budget.

    `model` is the model id, `projected_nano` the most it could cost, in billionths of a US dollar;
    `None` if its price is unknown.
    """

    def __init__(
        self,
        message: str,
        *,
        advice: str | None = None,
        model: str = "",
        projected_nano: int | None = None,
    ) -> None:
        super().__init__(message, advice=advice)
        self.model = model
        self.projected_nano = projected_nano
