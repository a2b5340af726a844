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
_STRATEGY = """
def choose(view):
    keep, left = [], view.room
    for turn in reversed(view.turns):
        left -= turn.tokens
        if left < 0:
            break
        keep.append(turn.number)
    return ContextChoice(keep=keep)

@hookimpl
def cloudllm_context_strategies():
    return [ContextStrategy(name="newest", description="only the newest", choose=choose)]
"""
_REQUEST = """
@hookimpl
def cloudllm_request(request, turn):
    if "forbidden" in request.messages[-1].content:
        raise Refused("no")
    last = replace(request.messages[-1], content=request.messages[-1].content + "!")
    return replace(request, messages=(*request.messages[:-1], last))
"""
_EXPORTER = """
def write(archives):
    for archive in archives:
        for each in archive.branch():
            yield each.message.content

@hookimpl
def cloudllm_exporters():
    return [Exporter(name="bare", suffix=".txt", description="text alone", write=write)]
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
_TOOLBAR = """
@hookimpl
def cloudllm_toolbar():
    return [f"{sum(tokens)} tokens"]
"""
_RIGHT = _COMMANDS + _REQUEST + _EVENT + _REPLY + _TOOLBAR


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
    verdicts = await check_plugin(load(_RIGHT + _STRATEGY + _EXPORTER))
    assert [verdict.item for verdict in verdicts] == [item.name for item in PLUGIN_ITEMS]
    assert {verdict.subject for verdict in verdicts} == {"plugin kit_plugin"}
    results = {verdict.item: (verdict.result, verdict.detail) for verdict in verdicts}
    assert results.pop("imports")[0] == "not applicable"
    assert results.pop("context-strategies") == ("ok", "newest")
    assert results.pop("exporters") == ("ok", "bare")
    assert results.pop("request-hook") == ("ok", "it changes the newest message")
    assert set(results.values()) == {("ok", "")}


@pytest.mark.parametrize("name", ["exporters", "guard", "speed", "summarize"])
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
        (_RIGHT.replace('[f"{sum(tokens)} tokens"]', '"text"'), "toolbar", "gave 'text', no list"),
        (_RIGHT.replace("{sum(tokens)}", "{'x' * 40}"), "toolbar", "no line of up to 30 characters"),
        (_RIGHT.replace('tokens"]', 'tokens"] * 4'), "toolbar", "it gave 4 texts"),
        (_RIGHT.replace("    return [f", "    1 / 0\n    return [f"), "toolbar", "ZeroDivisionError"),
        (_RIGHT.replace("    return [f", "    time.sleep(0.25)\n    return [f"), "toolbar", "ms, after each turn"),
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
        (_STRATEGY.replace('name="newest"', 'name="The newest"'), "context-strategies", "no lower-case word"),
        (_STRATEGY.replace("return [ContextStrategy(", "return [] and [ContextStrategy("), "context-strategies", "gave no strategy"),
        (_STRATEGY.replace("if left < 0", "if left < -view.room"), "context-strategies", "chose what needs about"),
        (_STRATEGY.replace("keep.append(turn.number)", "keep.append(turn.number + 1)"), "context-strategies", "keeps turn "),
        (_STRATEGY.replace("keep.append(turn.number)", "keep.append(turn)"), "context-strategies", "no number but ContextTurn"),
        (_STRATEGY.replace("(keep=keep)", "(keep=keep, summary=view.ask('?', max_output_tokens=1))"), "context-strategies", "chose what needs"),
        (_STRATEGY.replace("(keep=keep)", "(keep=[], summary=view.ask('?', max_output_tokens=1)[:9])"), "context-strategies", "does not answer"),
        (_STRATEGY.replace("    keep, left", "    view.ask('?', max_output_tokens=10**6)\n    keep, left"), "context-strategies", "asks with 1,000,00"),
        (_STRATEGY.replace("    keep, left", "    [view.ask('?', max_output_tokens=1) for _ in '?' * 50]\n    keep, left"), "context-strategies", "asks 50 times"),
        (_STRATEGY.replace("    keep, left", "    time.sleep(0.6)\n    keep, left"), "context-strategies", "s of its own"),
        (_STRATEGY.replace("    return ContextChoice(", "    1 / 0\n    return ContextChoice("), "context-strategies", "ZeroDivisionError"),
        (_EXPORTER.replace('".txt"', '"txt"'), "exporters", "the suffix of bare must be like .md"),
        (_EXPORTER.replace("return [Exporter(", "return [] and [Exporter("), "exporters", "gave no exporter"),
        (_EXPORTER.replace("each.message.content", "each.message.content[0]"), "exporters", "IndexError"),
        (_EXPORTER.replace("each.message.content", "str(each.message.content.encode())"), "exporters", "UnicodeEncodeError"),
        (_EXPORTER.replace("each.message.content", "each.message"), "exporters", "gave Message, which is no text"),
        (_EXPORTER.replace("yield each", "time.sleep(0.01); yield each"), "exporters", "for 500 short messages"),
        (_EXPORTER.replace("in archives", "in [next(archives)]"), "exporters", "StopIteration"),
    ],
)  # fmt: skip
async def test_wrong_plugin_fails_by_its_item(
    load: Load, source: str, item: str, detail: str
) -> None:
    verdicts = await check_plugin(load(source))
    failed = {verdict.item: verdict.detail for verdict in verdicts if not verdict.passed}
    assert failed.keys() == {item}
    assert detail in failed[item]
