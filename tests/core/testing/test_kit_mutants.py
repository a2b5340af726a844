"""Every provider that is wrong fails by the item that is meant for it, and by no other."""

from __future__ import annotations

import pytest

from cloudllm.testing import check_provider
from cloudllm.testing.conformance import ITEMS
from tests.core.testing import (
    mutants_calls,
    mutants_declared,
    mutants_inside,
    mutants_kept,
    mutants_text,
)
from tests.core.testing.mutants import MUTANTS

_MODULES = (mutants_calls, mutants_declared, mutants_inside, mutants_kept, mutants_text)
"""Importing them fills the list."""

_COSTLY = {"sessions-at-once", "deadlines", "does-not-block", "no-leaks"}
"""Items that take half a second each; they are run where they are the ones that should fail."""

_QUICK = {name for name, mutant in MUTANTS.items() if not mutant()[0].api_base}
_QUICK |= {"OwnAddress", "NoClient", "Raises", "AnotherName", "OwnPlace", "WrongPath", "no road"}
_QUICK -= {"AllAtOnce", "Endless", "SleepsByName", "Stubborn"}  # whose end is waited for


def test_there_are_many() -> None:
    assert len(MUTANTS) > 120
    meant = set().union(*(mutant()[1] for mutant in MUTANTS.values()))
    names = {item.name for item in ITEMS}
    assert meant <= names
    # They look at a module, and these have none of their own.
    assert names - meant == {"imports", "registers"}


async def _failed(name: str) -> tuple[set[str], set[str]]:
    """The items that failed, and those that should have."""
    provider, expected = MUTANTS[name]()
    items = [item.name for item in ITEMS if item.name not in _COSTLY - expected]
    verdicts = await check_provider(provider, items=items)
    return {verdict.item for verdict in verdicts if not verdict.passed}, expected


@pytest.mark.parametrize("name", sorted(_QUICK))
async def test_mutant(name: str) -> None:
    found, expected = await _failed(name)
    assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MUTANTS.keys() - _QUICK))
async def test_mutant_that_takes_its_time(name: str) -> None:
    found, expected = await _failed(name)
    assert found == expected
