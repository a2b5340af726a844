"""docs/configuration.md says what the settings model says, and its example works."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from cloudllm.looks import NAMES, flaw
from cloudllm.settings import Settings
from cloudllm.settings.fields import ProviderTable
from cloudllm.settings.model import expects, leaf_fields


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "generate", Path(__file__).with_name("generate.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = _generator()


@pytest.mark.parametrize("page", generate.PAGES)
def test_generated_pages_are_up_to_date(page: str) -> None:
    written = (generate.DOCS / page).read_text(encoding="utf-8")
    assert written == generate.rendered(page), "run python tests/docs/generate.py"


def test_every_setting_has_a_meaning_and_says_what_it_expects() -> None:
    for key, field in [*leaf_fields().items(), *ProviderTable.model_fields.items()]:
        assert field.description, key
        assert field.description.endswith("."), key
        assert expects(field).text, key


def test_the_example_is_a_valid_configuration(tmp_path: Path) -> None:
    page = (generate.DOCS / "configuration.md").read_text(encoding="utf-8")
    example = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert example is not None
    file = tmp_path / "config.toml"
    file.write_text(example[1], encoding="utf-8")
    settings = Settings.load(environ={}, config_file=file)
    assert settings.notices == ()
    assert settings.timeout.total is None
    assert settings.providers["work"]["api_key_env"] == "WORK_LLM_KEY"


def test_every_look_is_named_and_the_example_is_one_of_them() -> None:
    page = (generate.DOCS / "configuration.md").read_text(encoding="utf-8")
    section = page.split("## How replies look\n")[1].split("\n## ")[0]
    assert set(NAMES) <= set(re.findall(r"`([\w-]+)`", section))
    example = tomllib.loads(section.split("```toml\n")[1].split("```")[0])
    assert flaw(example["repl"]["colors"]) is None


def test_a_page_without_markers_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configuration.md").write_text("nothing here\n", encoding="utf-8")
    monkeypatch.setattr(generate, "DOCS", tmp_path)
    with pytest.raises(ValueError, match="marker"):
        generate.rendered("configuration.md")
