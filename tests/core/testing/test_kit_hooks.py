"""Session plugins under the kit: right ones pass, and each wrong one fails by its item."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from cloudllm import PluginError
from cloudllm.testing import check_plugin
from cloudllm.testing.conformance import PLUGIN_ITEMS

Load = Callable[[str], ModuleType]

_HEAD = """
import time
from dataclasses import replace
from cloudllm import *
from cloudllm import Command, Refused, Request, hookimpl
"""
_COMMANDS = """
@hookimpl
def cloudllm_commands():
    return [Command(name="/shout", summary="say it louder", run=lambda chat, text: text.upper())]
"""
_REQUEST = """
@hookimpl
def cloudllm_request(request, turn):
    if "forbidden" in request.messages[-1].content:
        raise Refused("no")
    last = replace(request.messages[-1], content=request.messages[-1].content + "!")
    return replace(request, messages=(*request.messages[:-1], last))
"""
_EVENT = """
@hookimpl
def cloudllm_event(event, turn):
    seen.append((type(event).__name__, turn.number))

seen = []
"""
_REPLY = """
@hookimpl
def cloudllm_reply(reply):
    tokens.append(reply.usage.output_tokens if reply.usage else 0)

tokens = []
"""
_RIGHT = _COMMANDS + _REQUEST + _EVENT + _REPLY


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Imports a plugin's source as a module."""
    monkeypatch.syspath_prepend(tmp_path)

    def made(source: str) -> ModuleType:
        monkeypatch.delitem(sys.modules, "kit_plugin", raising=False)
        (tmp_path / "kit_plugin.py").write_text(_HEAD + source)
        importlib.invalidate_caches()
        return importlib.import_module("kit_plugin")

    return made


async def test_right_plugin_passes(load: Load) -> None:
    verdicts = await check_plugin(load(_RIGHT))
    assert [verdict.item for verdict in verdicts] == [item.name for item in PLUGIN_ITEMS]
    assert {verdict.subject for verdict in verdicts} == {"plugin kit_plugin"}
    results = {verdict.item: (verdict.result, verdict.detail) for verdict in verdicts}
    assert results.pop("imports")[0] == "not applicable"
    assert results.pop("request-hook") == ("ok", "it changes the newest message")
    assert set(results.values()) == {("ok", "")}


@pytest.mark.parametrize("name", ["guard", "speed"])
async def test_bundled_plugin_passes(name: str) -> None:
    verdicts = await check_plugin(name)
    assert [verdict for verdict in verdicts if not verdict.passed] == []
    assert verdicts[0].detail.endswith(" MB")  # what its import costs


async def test_plugin_that_is_not_installed() -> None:
    with pytest.raises(PluginError, match="no plugin 'shout' for the chat is installed"):
        await check_plugin("shout")


@pytest.mark.parametrize(
    ("source", "item", "detail"),
    [
        ("cloudllm_api = 2" + _RIGHT, "api-version", "cloudllm_api is 2"),
        (_RIGHT.replace("cloudllm_event", "cloudllm_evnt"), "hooks-known", "no hook cloudllm_evnt"),
        (_RIGHT.replace("(event, turn)", "(evnt, turn)"), "hooks-known", "no argument 'evnt'"),
        (
            _RIGHT.replace("@hookimpl\ndef cloudllm_reply", "def cloudllm_reply"),
            "hooks-known",
            "cloudllm_reply lacks the decorator",
        ),
        ("x = 1", "hooks-known", "it implements no hook of a chat"),
        (_RIGHT.replace("return [Command", "return [Refused"), "commands", "failed: TypeError"),
        (_RIGHT.replace("return [Command", "return ['/a'] or [Command"), "commands", "str, no Command"),
        (_RIGHT.replace('"/shout"', '"shout"'), "commands", "name 'shout' must be /"),
        (_RIGHT.replace("louder", "louder."), "commands", "ends with a full stop"),
        (_RIGHT.replace("run=", "complete=lambda: 1 / 0, run="), "commands", "ZeroDivisionError"),
        (_RIGHT.replace("return replace(request, m", "return str(request) or (0, m").replace("(0, messages=(*request.messages[:-1], last))", "0"), "request-hook", "not a Request or None"),
        (_RIGHT.replace("    last =", "    time.sleep(0.6)\n    last ="), "request-hook", "it took 0.6 s"),
        (_RIGHT.replace('raise Refused("no")', "pass\n    1 / 0"), "request-hook", "ZeroDivisionError"),
        (_RIGHT.replace("seen.append((", "event.text; seen.append(("), "event-hook", "AttributeError"),
        (_RIGHT.replace("seen.append((", "time.sleep(0.03); seen.append(("), "event-hook", "takes 3"),
        (_RIGHT.replace(" if reply.usage else 0", ""), "reply-hook", "NoneType"),
        (_RIGHT.replace("tokens.append(", "raise SystemExit; tokens.append("), "reply-hook", "SystemExit"),
        (_RIGHT.replace("tokens.append(", "print(reply.content); tokens.append("), "quiet", "it printed"),
        (
            _RIGHT.replace("    tokens.append(", "    import socket\n    try: socket.create_connection(('kit.example', 1))\n    except OSError: pass\n    tokens.append("),
            "quiet",
            "it tried to reach kit.example",
        ),
    ],
)  # fmt: skip
async def test_wrong_plugin_fails_by_its_item(
    load: Load, source: str, item: str, detail: str
) -> None:
    verdicts = await check_plugin(load(source))
    failed = {verdict.item: verdict.detail for verdict in verdicts if not verdict.passed}
    assert failed.keys() == {item}
    assert detail in failed[item]
