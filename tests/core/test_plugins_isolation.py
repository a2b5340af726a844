"""G8: whatever a plugin does while it is imported and registered, one line names it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudllm.errors import PluginError
from cloudllm.plugins import PROVIDERS, SESSIONS, Plugins, loading

Install = Callable[..., str]

PROVIDER = """
from cloudllm import Provider, hookimpl

@hookimpl
def cloudllm_providers():
    return [Provider(name="acme", label="Test", litellm_route="openai")]
"""
LISTENER = """
from cloudllm import hookimpl

@hookimpl
def cloudllm_event(event, turn):
    pass
"""
GOOD = {PROVIDERS: PROVIDER, SESSIONS: LISTENER}

AT_IMPORT = [
    ("raise RuntimeError('boom')", "loading failed: RuntimeError: boom"),
    ("raise RuntimeError('a\\n\\x1b[2Jb')", "loading failed: RuntimeError: a ␛[2Jb"),
    ("raise SystemExit(3)", "loading failed: SystemExit: 3"),
    ("raise KeyboardInterrupt", "loading failed: KeyboardInterrupt"),
    ("raise GeneratorExit", "loading failed: GeneratorExit"),
    ("class E(Exception):\n def __str__(self): 1/0\nraise E", "loading failed: E"),
    ("class E(Exception):\n def __str__(self):\n  while 1: pass\nraise E", "did not end within"),
    ("from cloudllm import Refused; raise Refused('no')", "loading failed: Refused: no"),
    ("def broken(:", "loading failed: SyntaxError"),
    ("while True: pass", "loading did not end within 0.2 s"),
    ("import threading; threading.Event().wait()", "loading did not end within 0.2 s"),
    ("import no_such_package.at_all", "needs the package 'no_such_package', which is not installed."),
    ("from cloudllm import no_such_name", "loading failed: ImportError: cannot import name"),
    (None, "its entry point names the module 'plugin_"),
    ("cloudllm_api = 2", ("was written for version 2 of cloudllm's hooks; this cloudllm offers version 1."
     " Update cloudllm: pip install --upgrade cloudllm")),
    ("cloudllm_api = 0", "Update cloudllm-acme: pip install --upgrade cloudllm-acme"),
    ("cloudllm_api = 'one'", "cloudllm_api must be a whole number, not 'one'"),
]  # fmt: skip


def _failure(plugins: Plugins, group: str) -> str:
    """The one line that using the plugin gives."""
    said: list[str] = []
    plugins.listen(said.append)
    if group == PROVIDERS:
        with pytest.raises(PluginError) as caught:
            plugins.provider("acme")
        said.append(str(caught.value))
    else:
        plugins.load_sessions()
    (line,) = said
    return line


@pytest.mark.parametrize("group", [PROVIDERS, SESSIONS])
@pytest.mark.parametrize(("source", "words"), AT_IMPORT, ids=[words for _, words in AT_IMPORT])
def test_G8_at_import(source: str | None, words: str, group: str, install: Install) -> None:
    install("acme", source and f"{source}\n{GOOD[group]}", group=group)
    install("fine", LISTENER, group=SESSIONS)
    plugins = Plugins(deny=["cloudllm"], deadline=0.2)
    line = _failure(plugins, group)
    assert words in line
    assert line.startswith("plugin acme (cloudllm-acme 1.2)")
    assert line.isprintable()
    (plugin,) = (plugin for plugin in plugins.installed if plugin.name == "acme")
    assert plugins.story(plugin).failures[-1].line in line
    assert plugins.provider("openai").name == "openai"
    plugins.load_sessions()
    assert [each.name for each, _ in plugins.implementations("cloudllm_event")] == ["fine"]


@pytest.mark.parametrize("value", ["{module}:nothing_there", "not a module", ":", "{module}.sub"])
def test_G8_an_entry_point_that_leads_nowhere(value: str, install: Install) -> None:
    install("acme", PROVIDER, value=value)
    line = _failure(Plugins(), PROVIDERS)
    assert line.startswith("plugin acme (cloudllm-acme 1.2)")
    assert "entry point" in line or "nothing_there" in line
    assert line.isprintable()


@pytest.mark.parametrize(
    ("changed", "into", "words"),
    [
        ("providers()", "providers(config)", ("cloudllm_providers has no argument 'config'"
         " (its arguments: none)")),
        ("return [", "raise SystemExit(3) #", "cloudllm_providers failed: SystemExit: 3"),
        ("return [", "raise Exception('boom') #", "cloudllm_providers failed: Exception: boom"),
        ("return [", "while True: pass #", "cloudllm_providers did not end within 0.2 s"),
        ("return [", "return 7 #", "cloudllm_providers gave int, no list of providers"),
        ("return [", "return None #", "cloudllm_providers gave NoneType, no list of providers"),
        ('name="acme"', "name='other'", "offers no provider named 'acme' (it offers: other)"),
        ("def cloudllm_providers", "def cloudllm_provider",
         "there is no hook cloudllm_provider; did you mean cloudllm_providers?"),
        ("@hookimpl\ndef", "def",
         "cloudllm_providers lacks the decorator @hookimpl, so it is not called"),
        ("@hookimpl\ndef cloudllm_providers", "def cloudllm_provider",
         "there is no hook cloudllm_provider; did you mean cloudllm_providers?"),
        ("def", "async def", "cloudllm_providers is async; a hook is a plain function"),
        ("@hookimpl", "@hookimpl(wrapper=True)", "function is not a generator function"),
        (PROVIDER, "", "cloudllm_providers() offers no provider named 'acme' (it offers: none)"),
    ],
)  # fmt: skip
def test_G8_when_a_provider_is_registered(
    changed: str, into: str, words: str, install: Install
) -> None:
    install("acme", PROVIDER.replace(changed, into))
    plugins = Plugins(deadline=0.2)
    line = _failure(plugins, PROVIDERS)
    assert words in line
    assert line.startswith("plugin acme (cloudllm-acme 1.2)")
    assert line.isprintable()
    assert plugins.provider("openai").name == "openai"


@pytest.mark.parametrize(
    ("changed", "into", "words"),
    [
        ("event, turn", "evnt, turn",
         "cloudllm_event has no argument 'evnt'; did you mean event? (its arguments: event, turn)"),
        ("def cloudllm_event", "def cloudllm_events",
         "there is no hook cloudllm_events; did you mean cloudllm_event?"),
        ("def cloudllm_event", "def seen", "there is no hook seen (there are: cloudllm_"),
        ("def cloudllm_event", "def on_event", "there is no hook on_event; did you mean"),
        ("@hookimpl\ndef cloudllm_event", "def cloudllm_evnt",
         "there is no hook cloudllm_evnt; did you mean cloudllm_event?"),
        ("@hookimpl\ndef", "def", "cloudllm_event lacks the decorator @hookimpl"),
        ("    pass", "    yield", ""),
        ("@hookimpl", "@hookimpl(wrapper=True)\ndef cloudllm_reply(reply): yield\n@hookimpl",
         "cloudllm_reply is a wrapper, which cloudllm does not call"),
        ("def", "async def", "cloudllm_event is async"),
        ("def cloudllm_event(event, turn)", "def cloudllm_providers()",
         "cloudllm_providers is called only for an entry point in the group cloudllm.providers"),
    ],
)  # fmt: skip
def test_G8_when_a_plugin_of_the_chat_is_registered(
    changed: str, into: str, words: str, install: Install
) -> None:
    """A wrong signature costs the plugin everything, a name that is no hook's only that function."""
    rest = "\n@hookimpl\ndef cloudllm_request(request): pass\n\ndef cloudllm_helper(): pass\n"
    install("acme", LISTENER.replace(changed, into) + rest, group=SESSIONS)
    plugins = Plugins(deny=["cloudllm"], deadline=5)
    if not words:
        plugins.load_sessions()
        return
    line = _failure(plugins, SESSIONS)
    assert words in line
    assert line.startswith("plugin acme (cloudllm-acme 1.2)")
    works = [] if "no argument" in words else ["acme"]
    assert [each.name for each, _ in plugins.implementations("cloudllm_request")] == works
    (plugin,) = (plugin for plugin in plugins.installed if plugin.name == "acme")
    story = plugins.story(plugin)
    told = [*story.notes, *(failure.line for failure in story.failures)]
    assert any(words in each for each in told)


def test_G8_a_misspelt_hook_beside_a_good_one_is_only_a_notice(install: Install) -> None:
    install("acme", PROVIDER + "\n@hookimpl\ndef cloudllm_provider(): pass\n")
    plugins = Plugins()
    said: list[str] = []
    plugins.listen(said.append)
    assert plugins.provider("acme").label == "Test"
    assert said == [
        (
            "plugin acme (cloudllm-acme 1.2): there is no hook cloudllm_provider; did you mean"
            " cloudllm_providers?"
        )
    ]


def test_G8_slow_loading_is_said_once_with_its_time(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_SLOW", 0.05)
    install("acme", f"import time; time.sleep(0.1)\n{PROVIDER}")
    plugins = Plugins()
    said: list[str] = []
    plugins.listen(said.append)
    plugins.provider("acme")
    plugins.provider("acme")
    (line,) = said
    assert line.startswith("plugin acme (cloudllm-acme 1.2): loading took 0.")
    (plugin,) = (plugin for plugin in plugins.installed if plugin.name == "acme")
    assert (plugins.story(plugin).seconds or 0) > 0.1


def test_G8_a_python_loop_is_stopped_and_what_hung_is_not_waited_for_again(
    install: Install,
) -> None:
    install("acme", "while True: pass", distribution="looping")
    plugins = Plugins(deadline=0.2)
    first = _failure(plugins, PROVIDERS)
    deadline = time.monotonic() + 10
    while any("looping" in thread.name for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    began = time.monotonic()
    assert _failure(plugins, PROVIDERS) == first
    assert time.monotonic() - began < 0.2
    (plugin,) = (plugin for plugin in plugins.installed if plugin.name == "acme")
    assert "while True: pass" in plugins.story(plugin).failures[-1].traceback


def test_G8_without_a_deadline_nothing_is_cut_off(install: Install) -> None:
    install("acme", f"import time; time.sleep(0.1)\n{PROVIDER}")
    assert Plugins(deadline=None).provider("acme").label == "Test"


def test_a_library_leaves_the_streams_alone(
    install: Install, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whoever embeds cloudllm owns what is printed."""
    install("acme", f"import os; print('noise'); os.write(1, b'noise')\n{PROVIDER}")
    assert Plugins().provider("acme").label == "Test"
    assert capfd.readouterr().out.count("noise") == 2


def test_a_library_writes_no_file(install: Install, home: Path) -> None:
    install("acme", "raise RuntimeError")
    plugins = Plugins()
    _failure(plugins, PROVIDERS)
    plugins.announce_new()
    plugins.close()
    assert not home.exists()
