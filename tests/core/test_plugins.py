"""Plugins: found by metadata, admitted by the settings, imported one by one when used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudllm.errors import PluginError, UnknownModel, UnknownProvider
from cloudllm.plugins import COMMANDS, PROVIDERS, SESSIONS, Plugins
from cloudllm.registry import Registry
from cloudllm.settings import Settings

Install = Callable[..., str]

GOOD = """
from cloudllm import Provider, hookimpl

@hookimpl
def cloudllm_providers():
    return [Provider(name={name!r}, label="Test", litellm_route="openai")]
"""
LISTENER = "from cloudllm import hookimpl\n@hookimpl\ndef cloudllm_event(event): pass\n"
GROUPS = (PROVIDERS, SESSIONS, COMMANDS)


def _of(plugins: Plugins, group: str) -> dict[str, list[str]]:
    """The distributions that offer each name of a group."""
    found = {PROVIDERS: plugins.providers, SESSIONS: plugins.sessions, COMMANDS: plugins.commands}
    return {name: [each.distribution for each in of] for name, of in found[group].items()}


def _states(plugins: Plugins, name: str) -> list[str]:
    return [plugins.state(plugin) for plugin in plugins.installed if plugin.name == name]


def test_bundled_providers_are_ordinary_entry_points() -> None:
    plugins = Plugins()
    assert {"anthropic", "echo", "local", "openai"} <= set(plugins.providers)
    for name in ("anthropic", "echo", "local", "openai"):
        assert plugins.provider(name).name == name


def test_listing_imports_no_plugin_and_using_one_imports_no_other() -> None:
    program = (
        "import sys; from cloudllm.plugins import Plugins; plugins = Plugins();"
        "assert 'openai' in plugins.providers; [str(plugin) for plugin in plugins.installed];"
        "assert not [m for m in sys.modules if m.startswith('cloudllm_providers')];"
        "plugins.provider('echo');"
        "print(sorted(m for m in sys.modules if m.startswith('cloudllm_providers.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['cloudllm_providers.echo']"


def test_an_unknown_provider_comes_with_a_suggestion() -> None:
    with pytest.raises(UnknownProvider, match=r"unknown provider 'opnai'\. Did you mean openai\?"):
        Plugins().provider("opnai")


def test_what_is_installed_is_known_by_metadata_alone(install: Install) -> None:
    install("acme", None, distribution="Cloudllm.Acme", version="0.1")
    install("acme", None, distribution="Cloudllm.Acme", version="0.1", group=SESSIONS)
    found = [plugin for plugin in Plugins().installed if plugin.name == "acme"]
    assert [plugin.group for plugin in found] == [SESSIONS, PROVIDERS]
    assert {str(plugin) for plugin in found} == {"acme (Cloudllm.Acme 0.1)"}
    assert [plugin.bundled for plugin in found] == [False, False]


def test_broken_metadata_harms_no_other_plugin(install: Install, tmp_path: Path) -> None:
    install("acme", None)
    site = tmp_path / "site"
    for number, text in enumerate((b"[cloudllm.providers]\nno equals sign\n", b"\xff cloudllm")):
        (site / f"bad{number}-1.dist-info").mkdir()
        (site / f"bad{number}-1.dist-info" / "entry_points.txt").write_bytes(text)
    (site / "nameless-1.dist-info").mkdir()
    (site / "nameless-1.dist-info" / "entry_points.txt").write_text("[cloudllm.cli]\nx = y")
    plugins = Plugins()
    assert _of(plugins, PROVIDERS)["acme"] == ["cloudllm-acme"]
    assert [str(plugin) for plugin in plugins.commands["x"]] == ["x (nameless)"]


def test_names_in_metadata_are_clean_and_short_wherever_they_are_shown(install: Install) -> None:
    install("ac\x1b[2Jme" + "e" * 200, None)
    (plugin,) = (plugin for plugin in Plugins().installed if plugin.name.startswith("ac"))
    assert str(plugin).isprintable()
    assert len(str(plugin)) < 150
    with pytest.raises(PluginError) as caught:
        Plugins().provider(plugin.name)
    assert str(caught.value).isprintable()


def test_a_bundled_name_cannot_be_taken(install: Install) -> None:
    install("openai", GOOD.format(name="openai"), distribution="evil-openai")
    plugins = Plugins()
    assert _of(plugins, PROVIDERS)["openai"] == ["cloudllm"]
    assert plugins.provider("openai").label == "OpenAI"
    assert _states(plugins, "openai") == ["", "the name openai is taken: it belongs to cloudllm"]


@pytest.mark.parametrize("group", GROUPS)
def test_of_two_plugins_with_one_name_neither_loads_until_one_is_denied(
    group: str, install: Install
) -> None:
    install("acme", GOOD.format(name="acme"), distribution="acme-one", group=group)
    install("acme", GOOD.format(name="acme"), distribution="acme-two", group=group)
    plugins = Plugins()
    conflict = "conflict: acme-one 1.2 and acme-two 1.2 offer it"
    assert _states(plugins, "acme") == [conflict, conflict]
    said: list[str] = []
    plugins.listen(said.append)
    try:
        {PROVIDERS: plugins.provider, COMMANDS: plugins.command}.get(group, len)("acme")
        plugins.load_sessions()
    except PluginError as error:
        said.append(str(error))
    assert ["acme-one 1.2 and acme-two 1.2 both offer it, so neither" in line for line in said] == [
        True
    ]
    for chosen in (Plugins(deny=["acme-two"]), Plugins(allow=["Acme_One"])):
        assert _of(chosen, group)["acme"] == ["acme-one"]


@pytest.mark.parametrize("group", GROUPS)
def test_third_party_plugins_of_every_group_can_be_switched_off(
    group: str, install: Install
) -> None:
    install("acme", GOOD.format(name="acme"), group=group)
    cases: list[tuple[Plugins, str]] = [
        (Plugins(), ""),
        (Plugins(allow=["cloudllm-acme"]), ""),
        (Plugins(allow=["Cloudllm.ACME"]), ""),
        (Plugins(allow=["acme"]), ""),
        (Plugins(enabled=False), "switched off by --no-plugins"),
        (Plugins(deny=["acme"]), "denied by plugins.deny"),
        (Plugins(allow=["acme"], deny=["cloudllm_acme"]), "denied by plugins.deny"),
        (Plugins(allow=[]), "not in plugins.allow"),
    ]
    for plugins, state in cases:
        assert _states(plugins, "acme") == [state]
        assert ("acme" in _of(plugins, group)) == (not state)


def test_bundled_providers_are_always_there_and_bundled_plugins_of_the_chat_may_be_denied() -> None:
    bundled = Plugins().sessions
    strict = Plugins(enabled=False, allow=[], deny=["cloudllm", "openai", *bundled])
    assert "openai" in strict.providers
    assert "local" in strict.commands
    assert strict.sessions == {}
    assert Plugins(enabled=False, allow=[]).sessions == bundled


def test_a_provider_that_is_switched_off_is_not_unknown(install: Install, tmp_path: Path) -> None:
    install("acme", GOOD.format(name="acme"))
    with pytest.raises(PluginError) as caught:
        Plugins(deny=["acme"]).provider("acme")
    words = "acme (cloudllm-acme 1.2) is installed, but not loaded: denied by plugins.deny"
    assert words in str(caught.value)
    file = tmp_path / "config.toml"
    file.write_text('[providers.work]\nextends = "acme"\n[providers.acme]\nlabel = "Mine"\n')
    settings = Settings.load(environ={}, config_file=file)
    registry = Registry(settings, plugins=Plugins(deny=["acme"]))
    for name in ("acme", "acme/m", "work/m"):
        with pytest.raises(PluginError) as caught:
            registry.client(name)
        assert words in str(caught.value)
    with pytest.raises(PluginError) as caught:
        Registry(plugins=Plugins(enabled=False)).client("acme")
    assert "switched off by --no-plugins" in str(caught.value)


def test_many_threads_import_a_module_once(install: Install, tmp_path: Path) -> None:
    log = tmp_path / "imports"
    source = f"import os, time; os.mkdir({str(log)!r}); time.sleep(0.05)\n"  # a second one fails
    install("acme", source + GOOD.format(name="acme"))
    plugins = Plugins()
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.append(plugins.provider("acme"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_one_module_may_offer_two_providers_and_hooks_of_the_chat(install: Install) -> None:
    source = LISTENER + GOOD.format(name="acme").replace(
        "return [", "return [Provider(name='beta', label='Beta', litellm_route='openai'), "
    )
    module = install("acme", source)
    install("beta", None, distribution="cloudllm-acme", module=module)
    install("acme", None, distribution="cloudllm-acme", module=module, group=SESSIONS)
    plugins = Plugins(deny=["cloudllm"])
    said: list[str] = []
    plugins.listen(said.append)
    assert (plugins.provider("acme").label, plugins.provider("beta").label) == ("Test", "Beta")
    plugins.load_sessions()
    assert [plugin.name for plugin, _ in plugins.implementations("cloudllm_event")] == ["acme"]
    assert said == []


def test_hooks_are_called_by_name_unless_they_want_to_be_first_or_last(install: Install) -> None:
    for name, options in [("b", ""), ("a", ""), ("d", "(tryfirst=True)"), ("c", "(trylast=True)")]:
        install(name, LISTENER.replace("@hookimpl", f"@hookimpl{options}"), group=SESSIONS)
    plugins = Plugins(deny=["cloudllm"])
    assert plugins.implementations("cloudllm_event") == []
    plugins.load_sessions()
    assert plugins.sessions_loaded
    order = [plugin.name for plugin, _ in plugins.implementations("cloudllm_event")]
    assert order == ["d", "a", "b", "c"]
    assert plugins.implementations("cloudllm_reply") == []


def test_an_implementation_gets_only_the_arguments_that_it_takes(install: Install) -> None:
    source = (
        "from cloudllm import hookimpl\nimport pathlib\n"
        "@hookimpl\ndef cloudllm_reply(*, turn): return turn\n"
        "@hookimpl(specname='cloudllm_event')\ndef mine(event): return event\n"
        "@hookimpl\ndef cloudllm_commands(): return []\n"
    )
    install("acme", source, group=SESSIONS)
    plugins = Plugins(deny=["cloudllm"])
    plugins.load_sessions()
    ((_, reply),) = plugins.implementations("cloudllm_reply")
    ((_, event),) = plugins.implementations("cloudllm_event")
    ((_, commands),) = plugins.implementations("cloudllm_commands")
    assert (reply(reply=1, turn=2), event(event=3, turn=4), commands()) == (2, 3, [])


def test_ctrl_c_ends_the_wait_for_a_plugin_at_once(install: Install, tmp_path: Path) -> None:
    """It arrives in the main thread; the plugin hangs in another."""
    begun = tmp_path / "begun"
    source = f"import os, threading; os.mkdir({str(begun)!r}); threading.Event().wait()"
    install("acme", source)

    def interrupt() -> None:
        while not begun.exists():
            threading.Event().wait(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        Plugins(deadline=None).provider("acme")


CLIENT = """
from cloudllm import Provider, hookimpl

class Bad(Provider):
    def __init__(self):
        super().__init__(name="acme", label="Bad", litellm_route="openai", default_model="m",
                         api_base="https://api.acme.example/v1")

    def client(self, model, settings):
        {body}

@hookimpl
def cloudllm_providers():
    return [Bad()]
"""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('boom')", "making a client failed: ValueError: boom"),
        ("raise SystemExit(77)", "making a client failed: SystemExit: 77"),
        ("raise KeyboardInterrupt", "making a client failed: KeyboardInterrupt"),
        ("next(iter(()))", "making a client failed: StopIteration"),
        ("import no_such_package", "needs the package 'no_such_package'"),
        ("return 'a client'", "client() gave str, no Client"),
    ],
)
def test_G8_a_provider_that_fails_to_make_a_client_is_one_line(
    body: str, words: str, install: Install
) -> None:
    install("acme", CLIENT.format(body=body))
    with pytest.raises(PluginError) as caught:
        Registry().client("acme/m")
    assert words in str(caught.value)
    assert "acme (cloudllm-acme 1.2)" in str(caught.value)


def test_a_provider_that_starts_a_server_may_take_longer_to_make_a_client(install: Install) -> None:
    slow = "import time; time.sleep(0.3); return super().client(model, settings)"
    install("acme", CLIENT.format(body=slow))
    with pytest.raises(PluginError, match=r"making a client did not end within 0\.1 s"):
        Registry(plugins=Plugins(deadline=0.1)).client("acme/m")
    source = CLIENT.format(body=slow).replace("default_model", "client_deadline=20, default_model")
    install("patient", source.replace("acme", "patient"))
    assert Registry(plugins=Plugins(deadline=0.1)).client("patient/m").id == "patient/m"


def test_a_subclass_may_have_its_own_init_and_its_own_errors(install: Install) -> None:
    install("acme", CLIENT.format(body="return super().client(model, settings)"))
    assert Registry().client("acme").id == "acme/m"
    install("strict", CLIENT.replace("acme", "strict").format(
        body="from cloudllm import UnknownModel; raise UnknownModel('no such model')"))  # fmt: skip
    with pytest.raises(UnknownModel, match=r"^no such model$"):
        Registry().client("strict/x")


def test_G7_a_key_is_in_nothing_that_is_told_of_a_plugin(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the key that a provider was given nor one of another service, from a variable."""
    monkeypatch.setenv("OTHER_API_KEY", "sk-other-canary")
    body = (
        "import os; key = settings.api_key.get_secret_value(); "
        "raise {error}(f'refused: {{key}} {{os.environ[\"OTHER_API_KEY\"]}}')"
    )
    file = tmp_path / "plugins.json"
    for error in ("ValueError", "__import__('cloudllm').ServerError"):
        install(f"acme{len(error)}", CLIENT.replace("acme", f"acme{len(error)}").format(
            body=body.format(error=error)))  # fmt: skip
        plugins = Plugins(state_file=file)
        with pytest.raises(Exception, match="refused") as caught:
            Registry(plugins=plugins).client(f"acme{len(error)}/m", api_key="sk-acme-canary")
        shown = f"{caught.value!r} {caught.value.args} {caught.getrepr(style='long')}"
        plugin = plugins.plugin_of(f"acme{len(error)}")
        assert plugin is not None
        assert "canary" not in shown.replace('api_key="sk-acme-canary"', "").replace(
            '-canary")', ""
        )
        assert "canary" not in repr(plugins.story(plugin))
        assert "canary" not in file.read_text()
