"""What /set offers: the keys of the settings model, and the few words a setting may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from cloudllm.repl.chat import Chat
from cloudllm.repl.commands.base import Value
from cloudllm.settings.fields import ProviderTable
from cloudllm.settings.model import expects, leaf_fields
from cloudllm.settings.text import dotted, is_secret, toml_value

_PROVIDERS = "providers."
_SHOWN = 60  # characters of a text


def keys(chat: Chat, typed: str) -> Iterable[Value]:
    """Every key with its value; those of providers once they are thought of."""
    for name, value in chat.settings.items():
        yield name, toml_value(value[:_SHOWN] if isinstance(value, str) else value)
    if typed.startswith(_PROVIDERS):
        for provider in chat.registry.names():
            for last, field in ProviderTable.model_fields.items():
                key = ("providers", provider, last)
                if not is_secret(key):
                    yield dotted(key), field.description or ""


def words(key: str) -> Iterable[str]:
    """The words that a setting may be, if it is one of a few."""
    field = _field(key)
    return () if field is None else [*_words(field.annotation, expects(field).nothing)]


def expected(key: str) -> str:
    """What a setting accepts; "" if there is no such key."""
    field = _field(key)
    return "" if field is None else f"{expects(field).text}"


def _field(key: str) -> FieldInfo | None:
    parts = tuple(key.split("."))
    if f"{parts[0]}." == _PROVIDERS and not is_secret(parts):
        return ProviderTable.model_fields.get(parts[-1])
    return leaf_fields().get(parts)


def _words(kind: object, nothing: str) -> Iterator[str]:
    origin = get_origin(kind)
    if kind is bool:
        yield from ("true", "false")
    elif kind is type(None):
        yield nothing
    elif origin is Literal:
        yield from get_args(kind)
    elif origin is Annotated:
        yield from _words(get_args(kind)[0], nothing)
    elif origin in (Union, UnionType, list):
        for each in get_args(kind):
            yield from _words(each, nothing)
