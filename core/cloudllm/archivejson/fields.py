"""An object out of a JSON file: each field is looked at when it is taken, and its place is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, TypeVar

from cloudllm.errors import UsageError

Choice = TypeVar("Choice", bound=Enum)

_BITS = 63
"""Of a number: more do not fit into the store."""


class _Missing(Enum):
    """Stands for a field that must be there."""

    MISSING = 0


_MISSING = _Missing.MISSING


class Fields:
    """The fields of the object `value`; every method raises `UsageError` for what is wrong."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise UsageError(_said(where, f"must be an object, not {_kind(value)}"))
        self._found: dict[str, Any] = value
        self._where = where

    def place(self, name: str) -> str:
        """How the place of a field is told, such as "conversations[3].title"."""
        return f"{self._where}{'' if _is_prefix(self._where) else '.'}{name}"

    def has(self, name: str) -> bool:
        """Is there such a field?"""
        return name in self._found

    def of(self, name: str) -> object:
        """Whatever it holds."""
        if name not in self._found:
            raise UsageError(f"{self.place(name)}: is missing")
        return self._found[name]

    def text(self, name: str, default: str | _Missing = _MISSING) -> str:
        """A text."""
        value = self._taken(name, default)
        if not isinstance(value, str):
            raise self._wrong(name, "text", value)
        return value

    def text_or_null(self, name: str, default: str | _Missing | None = _MISSING) -> str | None:
        """A text or null."""
        value = self._taken(name, default)
        if not isinstance(value, str | None):
            raise self._wrong(name, "text or null", value)
        return value

    def number(self, name: str, default: int | _Missing = _MISSING) -> int:
        """A whole number."""
        value = self._taken(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(name, "a whole number", value)
        if value.bit_length() > _BITS:
            raise UsageError(f"{self.place(name)}: the number is too large")
        return value

    def number_or_null(self, name: str) -> int | None:
        """A whole number; null or none at all is `None`."""
        return None if self._found.get(name) is None else self.number(name)

    def flag(self, name: str) -> bool:
        """True or false; none at all is false."""
        value = self._found.get(name, False)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false", value)
        return value

    def one_of(
        self, name: str, choices: Mapping[str, Choice], default: str | _Missing = _MISSING
    ) -> Choice:
        """What the text stands for."""
        value = self.text(name, default)
        if value not in choices:
            raise UsageError(
                f"{self.place(name)}: must be one of {', '.join(choices)}, not {value!r:.60}"
            )
        return choices[value]

    def items(self, name: str) -> Iterator[tuple[object, str]]:
        """What stands in a list, each with its place."""
        value = self.of(name)
        if not isinstance(value, list):
            raise self._wrong(name, "a list", value)
        place = self.place(name)
        return ((each, f"{place}[{number}]") for number, each in enumerate(value))

    def fields(self, name: str) -> Fields | None:
        """An object; null or none at all is `None`."""
        value = self._found.get(name)
        return None if value is None else Fields(value, self.place(name))

    def _taken(self, name: str, default: object) -> object:
        return self._found.get(name, default) if default is not _MISSING else self.of(name)

    def _wrong(self, name: str, wanted: str, value: object) -> UsageError:
        return UsageError(f"{self.place(name)}: must be {wanted}, not {_kind(value)}")


def _said(where: str, words: str) -> str:
    return f"{where}it {words}" if _is_prefix(where) else f"{where}: {words}"


def _is_prefix(where: str) -> bool:
    """Is it no place by itself, but what stands before one, as "file.json: " does?"""
    return not where or where[-1].isspace()


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number"}
    return "null" if value is None else kinds.get(type(value), "a fraction")
