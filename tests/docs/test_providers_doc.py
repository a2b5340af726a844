"""docs/providers.md: its blocks are sound, and its prose leaves nobody out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cloudllm import Provider
from cloudllm.keys import bundled
from cloudllm.plugins import Plugins
from cloudllm.registry import Registry
from cloudllm.settings import Settings

_PAGE = (Path(__file__).parents[2] / "docs" / "providers.md").read_text(encoding="utf-8")
_BLOCKS = re.findall(r"```toml\n(.*?)```", _PAGE, re.DOTALL)


@pytest.mark.parametrize("block", _BLOCKS)
def test_each_block_is_a_configuration_that_works(block: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(block, encoding="utf-8")
    settings = Settings.load(environ={}, config_file=file)
    registry = Registry(settings, environ={})
    for name in settings.providers:
        if name != "acme":  # stands for a third party's
            registry.check(name)


def test_every_bundled_provider_has_its_row() -> None:
    for provider in bundled(Plugins()):
        assert f"| `{provider.name}` |" in _PAGE


def test_every_provider_with_more_to_say_is_explained() -> None:
    prose = _PAGE.partition("end of the generated")[2]
    for provider in bundled(Plugins()):
        if type(provider) is not Provider or provider.key_optional:
            assert re.search(rf"[`*]{provider.name}[`*]", prose), provider.name
