"""docs/plugins.md: every hook and every entry-point group has its section, and its examples run."""

from __future__ import annotations

import importlib.util
import inspect
import re
import tomllib
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pluggy
import pytest

from cloudllm import API_VERSION, Command, Message, Role, TurnInfo, hookspecs

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
_HOOKS = {
    name: function
    for name, function in vars(hookspecs).items()
    if name.startswith("cloudllm_") and inspect.isfunction(function)
}
_ENTRY_POINTS = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
_GROUPS = ("cloudllm.providers", "cloudllm.plugins", "cloudllm.cli")


def section(title: str) -> str:
    """What stands under the heading `title`."""
    found = re.search(
        rf"^### `{re.escape(title)}`\n(.*?)(?=^##|\Z)", _PAGE, re.DOTALL | re.MULTILINE
    )
    assert found is not None, f"docs/plugins.md has no section on {title}"
    return found[1]


def test_hooks_are_the_eight_and_no_other() -> None:
    names = {"providers", "commands", "toolbar", "context_strategies", "request", "exporters"}
    assert set(_HOOKS) == {f"cloudllm_{name}" for name in names | {"event", "reply"}}


@pytest.mark.parametrize("hook", _HOOKS)
def test_hook_has_its_section(hook: str) -> None:
    text = section(hook)
    for question in ("**When:**", "**Result:**", "**Who wins:**", "**An exception**"):
        assert question in text, question
    for parameter in inspect.signature(_HOOKS[hook]).parameters:
        assert f"\n- `{parameter}`: " in text, parameter


@pytest.mark.parametrize("group", _GROUPS)
def test_entry_point_group_has_its_section(group: str) -> None:
    assert section(group).strip()


def test_bundled_plugins_use_documented_groups_and_no_other() -> None:
    assert set(_ENTRY_POINTS) <= {*_GROUPS, "pytest11"}


@pytest.mark.parametrize("hook", _HOOKS)
def test_hook_is_used_by_a_bundled_plugin(hook: str) -> None:
    values = [_ENTRY_POINTS[group].values() for group in ("cloudllm.providers", "cloudllm.plugins")]
    modules = [import_module(name) for names in values for name in names]
    assert any(hasattr(module, hook) for module in modules)


def test_the_example_counts_words(tmp_path: Path) -> None:
    manager, module = _manager(), _example(0, tmp_path)
    manager.register(module)
    manager.check_pending()
    reply = Message(Role.ASSISTANT, "three short words")
    manager.hook.cloudllm_reply(reply=reply, turn=TurnInfo(session="s", number=1, model="a/b"))
    ((command,),) = manager.hook.cloudllm_commands()
    assert isinstance(command, Command)

    class Chat:
        model = "acme/acme-1"

    assert command.run(Chat(), "") == "3 words, last from acme/acme-1"  # type: ignore[arg-type]


def test_the_version_shown_is_the_current_one(tmp_path: Path) -> None:
    assert _example(1, tmp_path).cloudllm_api == API_VERSION


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def _example(number: int, folder: Path) -> ModuleType:
    """The page's Python block of that number, as a module."""
    file = folder / f"example_{number}.py"
    file.write_text(re.findall(r"^```python\n(.*?)^```$", _PAGE, re.DOTALL | re.MULTILINE)[number])
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
