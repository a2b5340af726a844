"""Every bundled provider meets every item of the kit, or declares the gap."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from cloudllm.testing import check_provider

_QUICK = {"echo", "local"}
_NAMES = sorted(
    point.name
    for point in entry_points(group="cloudllm.providers")
    if point.dist is not None and point.dist.name == "cloudllm"
)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in _QUICK else pytest.mark.slow) for name in _NAMES],
)
async def test_bundled_provider(name: str) -> None:
    verdicts = await check_provider(name)
    assert [verdict for verdict in verdicts if not verdict.passed] == []
    assert [verdict.item for verdict in verdicts if verdict.detail.startswith("gap closed")] == []


def test_all_are_tried() -> None:
    assert len(_NAMES) >= 18
    assert set(_NAMES) >= _QUICK
