"""Makes pytest tests of the conformance kit, one for each item.

    test_acme = provider_tests("acme")

gives `test_acme[imports]`, `test_acme[unicode]` and so on. An item that is not met fails with one
line; one that does not apply is skipped, and a known gap is an expected failure, with their
reasons. The kit runs once, when the first of them does, and takes a few seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from functools import cache
from types import ModuleType
from typing import Any

import pytest

from cloudllm.provider import Provider
from cloudllm.testing.conformance import ITEMS, PLUGIN_ITEMS, check_plugin, check_provider
from cloudllm.testing.conformance.model import Item, Verdict

Test = Callable[[str], None]


def provider_tests(provider: str | Provider | Callable[[], Provider]) -> Test:
    """Tests of a provider: installed, by name; a declaration; or a function that makes one."""

    def check() -> Coroutine[Any, Any, list[Verdict]]:
        if isinstance(provider, str | Provider):
            return check_provider(provider)
        return check_provider(provider())

    return _tests(ITEMS, check)


def plugin_tests(plugin: str | ModuleType) -> Test:
    """Tests of a plugin for the chat: installed, by name; or its module."""
    return _tests(PLUGIN_ITEMS, lambda: check_plugin(plugin))


def _tests(items: Iterable[Item], check: Callable[[], Coroutine[Any, Any, list[Verdict]]]) -> Test:
    @cache
    def verdicts() -> dict[str, Verdict]:
        return {verdict.item: verdict for verdict in asyncio.run(check())}

    @pytest.mark.parametrize("item", [item.name for item in items])
    def test(item: str) -> None:
        verdict = verdicts()[item]
        if verdict.result == "failed":
            pytest.fail(verdict.detail, pytrace=False)
        if verdict.result == "not applicable":
            pytest.skip(verdict.detail)
        if verdict.result == "known gap":
            pytest.xfail(verdict.detail)

    return test
