"""Plugins as pip would install them, without the time that pip takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Puts a distribution with one plugin on the path; gives the name of its module.

    Without a `source` the module is missing; `value` replaces what the entry point names.
    """
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(str(site))

    def install(
        name: str,
        source: str | None,
        *,
        distribution: str = "",
        version: str = "1.2",
        group: str = "cloudllm.providers",
        value: str = "",
        module: str = "",
    ) -> str:
        distribution = distribution or f"cloudllm-{name}"
        module = module or f"plugin_{uuid4().hex}"  # modules are cached by name
        folder = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n\nName: not this\n"
        )
        with (folder / "entry_points.txt").open("a") as points:
            points.write(f"[{group}]\n{name} = {value.format(module=module) or module}\n")
        if source is not None:
            (site / f"{module}.py").write_text(source)
        return module

    return install
