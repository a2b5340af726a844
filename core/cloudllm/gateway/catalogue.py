"""What litellm's shipped metadata says of models, read without importing litellm."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cloudllm.provider import LongPrice, ModelInfo, Provider

_FILE = "model_prices_and_context_window_backup.json"
_MODES = ("chat", "responses")
_TEMPLATES = "ft:"  # what a fine-tuned model costs; no model bears the name
_NO_MODEL = "code_interpreter_cost_per_session"  # the price of something else, among the models
_USED = frozenset(
    {
        "mode", "max_input_tokens", "max_output_tokens", "input_cost_per_token",
        "output_cost_per_token", "supports_reasoning", "supports_vision",
        "supports_function_calling", "supports_assistant_prefill", "deprecation_date",
        "cache_read_input_token_cost", "cache_creation_input_token_cost", _NO_MODEL,
    }
)  # fmt: skip
_PRICES = {
    "input_price": "input_cost_per_token",
    "output_price": "output_cost_per_token",
    "cached_price": "cache_read_input_token_cost",
    "stored_price": "cache_creation_input_token_cost",
}
_LONG = "k_tokens"  # how the names of prices for long calls end: …_above_200k_tokens
_ABOVE = re.compile(rf"({'|'.join(_PRICES.values())})_above_(\d+){_LONG}")
_THOUSAND, _MILLION = 1_000, 1_000_000
_BLANKS = re.compile(r"[ \t\r\n]*")

_Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The models' entries by service, under litellm's names; `problem` says why there are none."""

    entries: Mapping[str, Mapping[str, _Entry]]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """One service's models that chat, and the names of those that do something else."""

    models: Mapping[str, ModelInfo] = field(default_factory=dict)
    others: frozenset[str] = frozenset()


def read() -> Catalogue:
    """Read the file, once, in some 25 ms; one that is missing or changed makes it empty."""
    with _lock:  # a cache alone lets two threads read it at the same time
        return _read()


_lock = threading.Lock()


@cache
def _read() -> Catalogue:
    try:
        return Catalogue(_by_service(_parsed(_path().read_text("utf-8"))))
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        problem = f"litellm's data on models cannot be read: {reason}; reinstall litellm"
    # Whatever JSON, or a form that we do not know, can raise.
    except (ValueError, RecursionError, AttributeError, TypeError, IndexError):
        problem = "litellm's data on models has a form that is not known here; update cloudllm"
    return Catalogue({}, problem)


@cache
def service(name: str) -> Service:
    """The part of one service, by litellm's name for it; empty if there is none."""
    found = read().entries.get(name, {})
    own = [key for key in found if key.startswith(f"{name}/")]
    # Where most bear the service's name, the others are duplicates and classes of prices.
    listed = own if len(own) * 2 > len(found) else found
    named = {
        key.removeprefix(f"{name}/"): found[key]
        for key in sorted(listed)
        if not key.startswith(_TEMPLATES) and _NO_MODEL not in found[key]
    }
    chat = {key: _info(key, entry) for key, entry in named.items() if entry.get("mode") in _MODES}
    return Service(chat, frozenset(named.keys() - chat.keys()))


def offered(provider: Provider) -> list[ModelInfo]:
    """The models known offline: the provider's own first, then litellm's of its service."""
    known = service(provider.metadata_name).models
    own = {info.name: filled(info, known.get(info.name)) for info in provider.models}
    return [*own.values(), *(info for name, info in known.items() if name not in own)]


def filled(info: ModelInfo, known: ModelInfo | None) -> ModelInfo:
    """`info`, and what is known where it says nothing; prices go with each other."""
    if known is None:
        return info
    missing = [each.name for each in fields(info) if getattr(info, each.name) is None]
    if any(getattr(info, name) not in (None, getattr(known, name)) for name in _PRICES):
        missing = [name for name in missing if name not in (*_PRICES, "long_prices")]
    return replace(info, **{name: getattr(known, name) for name in missing})


def _path() -> Path:
    found = find_spec("litellm")
    if found is None or found.origin is None:
        raise FileNotFoundError(2, "litellm is not installed")
    return Path(found.origin).with_name(_FILE)


def _parsed(text: str) -> Iterator[tuple[str, _Entry]]:
    """The members of the object, one by one.

    `json.loads` would parse all of them in one go, in which no other thread could echo a key.
    """
    parse = json.JSONDecoder().raw_decode
    at = _after(text, 0, "{")
    while text[at] != "}":
        key, end = parse(text, at)
        entry, end = parse(text, _after(text, end, ":"))
        yield key, entry
        at = _BLANKS.match(text, end).end()  # type: ignore[union-attr] # it matches anything
        at = at if text[at] == "}" else _after(text, at, ",")


def _after(text: str, at: int, sign: str) -> int:
    """Where the next value begins, past blanks and the sign."""
    at = _BLANKS.match(text, at).end()  # type: ignore[union-attr] # it matches anything
    if text[at] != sign:
        raise ValueError(f"no {sign!r}")
    return _BLANKS.match(text, at + 1).end()  # type: ignore[union-attr] # likewise


def _by_service(data: Iterable[tuple[str, _Entry]]) -> dict[str, dict[str, _Entry]]:
    """The entries by service, with no more of each than is used here."""
    found: dict[str, dict[str, _Entry]] = {}
    for key, entry in data:
        lean = {name: entry[name] for name in _USED & entry.keys()}
        lean |= {name: entry[name] for name in entry if name.endswith(_LONG)}
        found.setdefault(str(entry.get("litellm_provider")), {})[key] = lean
    for name in list(found):
        whole = name.partition("-")[0]  # vertex_ai-anthropic_models is a part of vertex_ai
        if whole != name and whole in found:
            # Its models may bear no name in front: gemini-2.5-pro.
            named = {
                f"{whole}/{key.removeprefix(f'{whole}/')}": found[name][key] for key in found[name]
            }
            found[whole] = named | found[whole]
    if not any(entry.get("mode") in _MODES for part in found.values() for entry in part.values()):
        raise ValueError("no model in it that chats")
    return found


def _info(name: str, entry: _Entry) -> ModelInfo:
    return ModelInfo(
        name=name,
        context_limit=_tokens(entry.get("max_input_tokens")),
        output_limit=_tokens(entry.get("max_output_tokens")),
        reasoning=_truth(entry.get("supports_reasoning")),
        vision=_truth(entry.get("supports_vision")),
        tools=_truth(entry.get("supports_function_calling")),
        **{ours: _price(entry.get(theirs)) for ours, theirs in _PRICES.items()},
        long_prices=_long_prices(entry),
        prefill=_truth(entry.get("supports_assistant_prefill")),
        retires=_day(entry.get("deprecation_date")),
    )


def _long_prices(entry: _Entry) -> tuple[LongPrice, ...] | None:
    """What calls with much input cost; a price that does not rise with it stays as it is."""
    thousands = {int(found[2]) for found in map(_ABOVE.fullmatch, entry) if found}
    return tuple(_long_price(entry, each) for each in sorted(thousands)) or None


def _long_price(entry: _Entry, thousands: int) -> LongPrice:
    prices = {
        ours: _price(entry.get(f"{theirs}_above_{thousands}{_LONG}"))
        for ours, theirs in _PRICES.items()
    }
    for name in ("input_price", "output_price"):
        if prices[name] is None:
            prices[name] = _price(entry.get(_PRICES[name]))
    return LongPrice(above=thousands * _THOUSAND, **prices)


def _tokens(value: object) -> int | None:
    number = _number(value)
    return int(number) if number else None


def _price(value: object) -> float | None:
    """US dollars per million tokens."""
    number = _number(value)
    return None if number is None else round(number * _MILLION, 6)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
