"""Reads the lists of models that services send: the customary shapes, leniently."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

_LISTS = ("data", "models")
_NAMES = ("id", "name", "model")
_CONTEXT = (
    "context_length",  # OpenRouter, Together
    "context_window",  # Groq
    "max_context_length",  # Mistral, LM Studio
    "max_model_len",  # vLLM
    "inputTokenLimit",  # Gemini
    "max_input_tokens",
)
_OUTPUT = ("max_completion_tokens", "outputTokenLimit", "max_output_tokens")
_OTHER_KINDS = ("embedding", "embeddings", "image", "audio", "video", "rerank", "moderation")
_MOST_TOKENS = 10**9
_MILLION = 1_000_000

Facts = Mapping[str, Any]
"""What is known of one model, by the names of `ModelInfo`'s fields."""


def facts(payload: object) -> Iterator[Facts]:
    """What the list says of each model that can chat, in its own order.

    `{"data": [{"id": …}]}`, `{"models": [{"name": …}]}` and a bare list are read; an entry without
    a name yields an empty one.

    Raises:
        ValueError: there is no list in it.
    """
    for entry in _entries(payload):
        if isinstance(entry, Mapping):
            if _chats(entry):
                yield _read(entry)
        else:
            yield {"name": entry if isinstance(entry, str) else ""}


def _entries(payload: object) -> list[object]:
    lists = [payload]
    if isinstance(payload, Mapping):
        lists = [payload.get(key) for key in _LISTS]
    for found in lists:
        if isinstance(found, list):
            return found
    raise ValueError("no list of models")


def _chats(entry: Mapping[str, Any]) -> bool:
    """Is it, as far as the entry says, a model to talk to?"""
    methods = entry.get("supportedGenerationMethods")  # Gemini
    if isinstance(methods, list) and "generateContent" not in methods:
        return False
    chats = _table(entry, "capabilities").get("completion_chat")  # Mistral
    return chats is not False and entry.get("type") not in _OTHER_KINDS  # Together, LM Studio


def _read(entry: Mapping[str, Any]) -> Facts:
    names = (entry.get(key) for key in _NAMES)
    name = next((name for name in names if isinstance(name, str)), "")
    best, meta = _table(entry, "top_provider"), _table(entry, "meta")  # OpenRouter, llama.cpp
    return {
        "name": name.removeprefix("models/"),  # Gemini
        "context_limit": _first(entry, _CONTEXT) or _first(meta, ("n_ctx_train",)),
        "output_limit": _first(best, _OUTPUT) or _first(entry, _OUTPUT),
        "retires": _day(entry.get("deprecation")),  # Mistral
        **_prices(_table(entry, "pricing")),
        **_abilities(entry),
    }


def _prices(pricing: Mapping[str, Any]) -> Facts:
    """OpenRouter's `prompt` is for one token, Together's `input` for a million."""
    names, tokens = ("input", "output"), 1
    if "prompt" in pricing:
        names, tokens = ("prompt", "completion"), _MILLION
    prices = [_price(pricing.get(name), tokens) for name in names]
    return {"input_price": prices[0], "output_price": prices[1]}


def _abilities(entry: Mapping[str, Any]) -> Facts:
    found: dict[str, bool | None] = {}
    capabilities = _table(entry, "capabilities")  # Mistral
    for ours, theirs in (("tools", "function_calling"), ("vision", "vision")):
        found[ours] = (
            capabilities.get(theirs) if capabilities.get(theirs) in (True, False) else None
        )
    parameters = entry.get("supported_parameters")  # OpenRouter
    if isinstance(parameters, list):
        found |= {"tools": "tools" in parameters, "reasoning": "reasoning" in parameters}
    inputs = _table(entry, "architecture").get("input_modalities")
    if isinstance(inputs, list):
        found["vision"] = "image" in inputs
    return found


def _table(entry: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = entry.get(key)
    return value if isinstance(value, Mapping) else {}


def _first(entry: Mapping[str, Any], keys: tuple[str, ...]) -> int | None:
    """The first number of tokens under one of the keys."""
    for key in keys:
        value = entry.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MOST_TOKENS:
            return value
    return None


def _price(value: object, tokens: int) -> float | None:
    """US dollars per million tokens, of a number or text that is for one token or a million."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        price = round(float(value) * tokens, 6)
    except (ValueError, OverflowError):
        return None
    return price if math.isfinite(price) and price >= 0 else None


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None
