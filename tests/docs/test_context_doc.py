"""docs/context.md: its table names the strategies there are, and its example passes the kit."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

from cloudllm.strategies import BUILT_IN
from cloudllm.testing import check_plugin
from cloudllm_plugins.summarize import cloudllm_context_strategies

_PAGE = (Path(__file__).parents[2] / "docs" / "context.md").read_text(encoding="utf-8")


def test_the_table_names_every_strategy_that_ships_with_cloudllm() -> None:
    named = set(re.findall(r"^\| `([a-z-]+)` \|", _PAGE, re.MULTILINE))
    assert named == {*BUILT_IN, *(each.name for each in cloudllm_context_strategies())}


async def test_the_example_is_a_sound_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = re.search(
        r'^```python\n(""".*: (\w+)\.py"""\n.*?)^```$', _PAGE, re.DOTALL | re.MULTILINE
    )
    assert found is not None
    source, name = found.groups()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / f"{name}.py").write_text(source)
    verdicts = await check_plugin(importlib.import_module(name))
    assert [verdict for verdict in verdicts if not verdict.passed] == []
    assert ("context-strategies", "task-first") in [(each.item, each.detail) for each in verdicts]
