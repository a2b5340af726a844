"""How a reply ended, in the provider's own words: its finish reason, usage and late error.

litellm invents the first two where they are missing, and hides some that came. So each event of a
response is read here as well, in the formats that providers speak:

    OpenAI's chat completions and responses, Anthropic's messages, Gemini's generateContent,
    Ollama's chat, and the converse stream of Bedrock.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cloudllm.events import ReasoningDelta, StreamEvent, TextDelta
from cloudllm.messages import Usage

_WORDS = {
    "end_turn": "stop", "stop_sequence": "stop", "eos": "stop", "eos_token": "stop",
    "completed": "stop", "max_tokens": "length", "max_output_tokens": "length",
    "model_length": "length", "model_context_window_exceeded": "length",
    "tool_use": "tool_calls", "refusal": "content_filter", "safety": "content_filter",
    "recitation": "content_filter", "blocklist": "content_filter", "spii": "content_filter",
    "prohibited_content": "content_filter", "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
}  # fmt: skip
_STATUS = {
    "invalid_request_error": 400, "authentication_error": 401, "billing_error": 402,
    "permission_error": 403, "not_found_error": 404, "request_too_large": 413,
    "rate_limit_error": 429, "rate_limit_exceeded": 429, "insufficient_quota": 429,
    "api_error": 500, "server_error": 500, "internal_server_error": 500,
    "timeout_error": 504, "overloaded_error": 529,
    "validationexception": 400, "modeltimeoutexception": 408, "throttlingexception": 429,
    "modelstreamerrorexception": 500, "internalserverexception": 500,
    "serviceunavailableexception": 503,
}  # fmt: skip
_DIGITS = 3  # of an HTTP status
_NEVER = 10**9  # tokens of a call; who reports so many reports nothing
_DROPPED: Mapping[str, type[TextDelta | ReasoningDelta]] = {
    "response.refusal.delta": TextDelta, "response.reasoning_text.delta": ReasoningDelta,
}  # fmt: skip


class Ending:
    """What the events of one response say of its end.

    `finish_reason` is in OpenAI's words where they fit, else in the provider's, in lower case;
    `None` until it came. `known` tells whether any event had a form that is known here. The body is
    `over` when it was read to its end; if it broke instead, `failure` says how. `whole` is the text
    of an answer that came in one piece, which litellm's streams do not show.
    """

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self.error: Exception | None = None
        self.whole = ""
        self.known = False
        self.over = False
        self.failure: Exception | None = None
        self._counts: dict[str, int] = {}
        self._dropped: list[StreamEvent] = []

    def add(self, deltas: Sequence[StreamEvent]) -> None:
        """Take note of what came in an event that was cut, which is never passed on."""
        self.known = self.known or bool(deltas)
        self._dropped += deltas

    def take(self) -> list[StreamEvent]:
        """What came since the last call that litellm drops on its way."""
        taken, self._dropped = self._dropped, []
        return taken

    @property
    def usage(self) -> Usage | None:
        """What was reported: of several reports the highest numbers, since each adds to the last.

        `None` if input or output is missing, or if they are all zero, as no call can be.
        """
        given, written = self._counts.get("input"), self._counts.get("output")
        if given is None or written is None or not given + written:
            return None
        return Usage(
            input_tokens=given + self._counts.get("stored", 0) + self._counts.get("read", 0),
            output_tokens=written,
            cached_tokens=self._counts.get("cached", self._counts.get("read")),
            stored_tokens=self._counts.get("stored"),
            reasoning_tokens=self._counts.get("reasoning"),
        )

    def see(self, event: Mapping[str, Any]) -> None:
        """Take note of one event; in a form that cannot be, it is an error."""
        try:
            self._see(event)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as exc:
            self.error = json.JSONDecodeError(f"an event that cannot be: {exc!r:.80}", "", 0)

    def _see(self, event: Mapping[str, Any]) -> None:
        kind = event.get("type")
        if event.get("error") or kind == "error":
            self.error = LateError(event.get("error") or event)
            return
        if "choices" in event:
            self._chat(event)
        elif isinstance(kind, str) and kind.startswith("response."):
            self._responses(event.get("response"))
            self._drop(kind, event.get("delta"))
        elif event.get("object") == "response":
            self._responses(event)
        elif isinstance(kind, str) and kind.startswith(("message", "content_block")):
            self._anthropic(event)
        elif not event.keys().isdisjoint(("candidates", "promptFeedback", "usageMetadata")):
            self._gemini(event)
        elif "done" in event:
            self._ollama(event)
        elif not event.keys().isdisjoint(("contentBlockIndex", "stopReason", "metrics")):
            self._converse(event)

    def _chat(self, event: Mapping[str, Any]) -> None:
        self.known = True
        choice = first(event["choices"] or ())
        if choice:
            self._finish(choice.get("finish_reason"))
            message = choice.get("message") or {}
            self._whole(message.get("content") or message.get("refusal") or choice.get("text"))
        usage = event.get("usage")
        if not usage:
            return
        given, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
        reasoning = _part(usage, "completion_tokens_details", "reasoning_tokens")
        total = usage.get("total_tokens")
        if reasoning and _all_ints(given, written, total) and total == given + written + reasoning:
            written += reasoning  # as xAI reports it: beside the answer instead of inside
        cached = _part(usage, "prompt_tokens_details", "cached_tokens")
        self._count(input=given, output=written, cached=cached, reasoning=reasoning)

    def _responses(self, response: Mapping[str, Any] | None) -> None:
        self.known = True
        if response is None or response.get("status") in {None, "in_progress", "queued"}:
            return
        if response.get("error"):
            self.error = LateError(response["error"])
            return
        self._whole([part for item in response.get("output") or () for part in _parts(item)])
        cause = _part(response, "incomplete_details", "reason")
        self._finish(cause or response["status"])
        usage = response.get("usage") or {}
        self._count(
            input=usage.get("input_tokens"),
            output=usage.get("output_tokens"),
            cached=_part(usage, "input_tokens_details", "cached_tokens"),
            reasoning=_part(usage, "output_tokens_details", "reasoning_tokens"),
        )

    def _anthropic(self, event: Mapping[str, Any]) -> None:
        self.known = True
        message = event.get("message") or event  # the first event's, the last event's, or a whole
        self._finish(_part(message, "delta", "stop_reason") or message.get("stop_reason"))
        self._whole(message.get("content"))
        usage = message.get("usage") or {}
        self._count(
            input=usage.get("input_tokens"),
            output=usage.get("output_tokens"),
            stored=usage.get("cache_creation_input_tokens"),
            read=usage.get("cache_read_input_tokens"),
        )

    def _gemini(self, event: Mapping[str, Any]) -> None:
        self.known = True
        candidates = event.get("candidates") or [{}]
        self._finish(candidates[0].get("finishReason"))
        if _part(event, "promptFeedback", "blockReason"):
            self._finish("content_filter")
        usage = event.get("usageMetadata") or {}
        written, thought = usage.get("candidatesTokenCount"), usage.get("thoughtsTokenCount")
        if isinstance(thought, int):
            written = (written or 0) + thought
        self._count(
            input=usage.get("promptTokenCount"),
            output=written,
            cached=usage.get("cachedContentTokenCount"),
            reasoning=thought,
        )

    def _ollama(self, event: Mapping[str, Any]) -> None:
        self.known = True
        if event["done"]:
            self._finish(event.get("done_reason") or "stop")  # old servers give no reason
            self._count(input=event.get("prompt_eval_count"), output=event.get("eval_count"))

    def _converse(self, event: Mapping[str, Any]) -> None:
        self.known = True
        self._finish(event.get("stopReason"))
        usage = event.get("usage") or {}
        self._count(
            input=usage.get("inputTokens"),
            output=usage.get("outputTokens"),
            stored=usage.get("cacheWriteInputTokens"),
            read=usage.get("cacheReadInputTokens"),
        )

    def _drop(self, kind: str, delta: object) -> None:
        if isinstance(delta, str) and delta and kind in _DROPPED:
            self._dropped.append(_DROPPED[kind](delta))

    def _whole(self, content: object) -> None:
        """Keep the text, or that of the parts."""
        parts = content if isinstance(content, list) else [{"text": content}]
        texts = (part.get("text") or part.get("refusal") for part in parts)
        self.whole = "".join(text for text in texts if isinstance(text, str)) or self.whole

    def _finish(self, word: object) -> None:
        if isinstance(word, str) and word:
            self.finish_reason = _WORDS.get(word.lower(), word.lower())

    def _count(self, **numbers: object) -> None:
        for name, number in numbers.items():
            if type(number) is int and 0 <= number < _NEVER:
                self._counts[name] = max(number, self._counts.get(name, 0))


class LateError(Exception):
    """An error inside a response whose status said that all was well."""

    def __init__(self, error: object) -> None:
        fields = error if isinstance(error, Mapping) else {"message": error}
        self.status_code = next(_statuses(fields), None)
        self.code = fields.get("code")
        self.body = fields
        super().__init__(str(fields.get("message") or "the provider gave no reason"))


def _statuses(fields: Mapping[str, Any]) -> Iterator[int]:
    """The HTTP status that would have said the same."""
    for name in ("code", "status_code", "type", "status"):
        value = fields.get(name)
        if isinstance(value, int) and value in range(400, 600):
            yield value
        elif isinstance(value, str) and (_is_status(value) or value.lower() in _STATUS):
            yield _STATUS.get(value.lower()) or int(value)


def _is_status(text: str) -> bool:
    return len(text) == _DIGITS and text.isdecimal()


def first(choices: Sequence[Any]) -> Any:  # noqa: ANN401 - JSON, or an object of a library
    """The first of the answers that were asked for; a conversation has room for one."""
    for choice in choices:
        index = choice.get("index") if isinstance(choice, Mapping) else choice.index
        if index in (0, None):
            return choice
    return None


def _parts(item: Mapping[str, Any]) -> Sequence[Any]:
    """The parts of a message among the items of a response, which holds others too."""
    return item.get("content") or () if item.get("type") == "message" else ()


def _part(of: Mapping[str, Any], name: str, inner: str) -> Any:  # noqa: ANN401 - JSON
    part = of.get(name)
    return part.get(inner) if isinstance(part, Mapping) else None


def _all_ints(*numbers: object) -> bool:
    return all(isinstance(number, int) for number in numbers)
