"""Where providers that are wrong are kept, each beside the items that should say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudllm import Provider
from tests.core.testing.specimens import DECLARATION, HttpBackend, ParrotProvider, with_backend

Mutant = tuple[Provider, set[str]]
MUTANTS: dict[str, Callable[[], Mutant]] = {}


def declares(*items: str, **fields: Any) -> Callable[[], Mutant]:
    """Acme AI, declared otherwise."""
    return lambda: (Provider(**{"litellm_route": "openai", **DECLARATION, **fields}), set(items))


def parrot(*items: str, **fields: Any) -> Callable[[], Mutant]:
    """The parrot, declared otherwise, which takes less time to try."""
    declared = {"name": "parrot", "label": "Parrot", "default_model": "grey", **fields}
    return lambda: (ParrotProvider(**declared), set(items))


def client(*items: str) -> Callable[[type[Provider]], type[Provider]]:
    """Acme AI with a `client()` of its own."""

    def add(kind: type[Provider]) -> type[Provider]:
        MUTANTS[kind.__name__] = lambda: (
            kind(**{"litellm_route": "openai", **DECLARATION}),
            set(items),
        )
        return kind

    return add


def backend(*items: str) -> Callable[[type[HttpBackend]], type[HttpBackend]]:
    """Acme AI by a backend that speaks HTTP."""

    def add(kind: type[HttpBackend]) -> type[HttpBackend]:
        MUTANTS[kind.__name__] = lambda: (with_backend(kind), set(items))
        return kind

    return add


def in_process(*items: str) -> Callable[[type[Any]], type[Any]]:
    """The parrot, by a backend of its own."""

    def add(kind: type[Any]) -> type[Any]:
        made = ParrotProvider(name="parrot", label="Parrot", default_model="grey", kind=kind)
        MUTANTS[kind.__name__] = lambda: (made, set(items))
        return kind

    return add
