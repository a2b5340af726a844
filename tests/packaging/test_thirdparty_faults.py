"""G8 through installed distributions: one line names a faulty plugin, the program goes on, and
`plugins show` tells the whole story.
"""

from __future__ import annotations

import json
from subprocess import CompletedProcess
from typing import Any

import pytest

from cloudllm.testing import WireServer
from tests.packaging.conftest import Installed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_DISTRIBUTION = "cloudllm-faulty 0.3.0"
_IMPORTED = {
    "raises": "RuntimeError: the faulty plugin was imported",
    "exits": "SystemExit: goodbye from the faulty plugin",
    "hangs": "did not end within 1 s",
    "signature": "'weather'",
    "version": "version 99",
    "needs": "'acme_private_sdk', which is not installed. pip install acme_private_sdk",
    "nowhere": "'cloudllm_faulty.nowhere'",
}
_QUICK: dict[str, Any] = {"CLOUDLLM_PLUGINS__DEADLINE": "1"}


def naming(done: CompletedProcess[str], plugin: str) -> list[str]:
    """The lines of standard error about the plugin, but for the one that announces it."""
    lines = done.stderr.splitlines()
    return [line for line in lines if f"plugin {plugin} (" in line and "New plugin" not in line]


def told(installed: Installed, plugin: str) -> dict[str, Any]:
    """What `plugins show` tells of the plugin, as JSON."""
    command = ("cloudllm", "plugins", "show", plugin, "--json")
    done = installed.run(*command, plugins=[plugin], **_QUICK)
    assert done.returncode == 0, done.stderr
    (story,) = json.loads(done.stdout)
    return dict(story)


@pytest.mark.parametrize("plugin", _IMPORTED)
def test_G8_session_plugin_that_cannot_be_loaded_is_one_line(
    installed: Installed, plugin: str
) -> None:
    done = installed.run("cloudllm", "ask", "-m", "echo", "on", plugins=[plugin], **_QUICK)
    assert (done.returncode, "You said: on" in done.stdout) == (0, True), done.stderr
    (line,) = naming(done, plugin)
    assert _DISTRIBUTION in line
    assert _IMPORTED[plugin] in line
    assert "Traceback" not in done.stderr
    story = told(installed, plugin)
    for when in ("before", "now"):
        (failure,) = story[when]["failures"]
        assert _IMPORTED[plugin].split(". ")[0] in failure["line"]


@pytest.mark.parametrize("plugin", ["p-hangs", "p-needs", "p-nowhere", "p-raises", "p-exits",
                                    "p-signature", "p-version", "p-named", "p-misspelt"])  # fmt: skip
def test_G8_provider_that_cannot_be_loaded_is_one_line(installed: Installed, plugin: str) -> None:
    done = installed.run("cloudllm", "ask", "-m", f"{plugin}/x", "hi", plugins=[plugin], **_QUICK)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    (line,) = naming(done, plugin)
    assert _DISTRIBUTION in line
    assert _IMPORTED.get(plugin.removeprefix("p-"), "") in line
    assert "Traceback" not in done.stderr
    assert told(installed, plugin)["now"]["failures"]


@pytest.mark.parametrize("plugin", ["p-raises", "raises"])
def test_G8_show_tells_the_traceback(installed: Installed, plugin: str) -> None:
    done = installed.run("cloudllm", "plugins", "show", plugin, plugins=[plugin])
    assert done.returncode == 0, done.stderr
    for part in (_DISTRIBUTION, "FAILED", "Traceback (most recent call last)", "and said more"):
        assert part in done.stdout, part


def test_G8_show_survives_a_plugin_that_ends_the_process(installed: Installed) -> None:
    done = installed.run("cloudllm", "plugins", "show", "p-dies", plugins=["p-dies"])
    assert done.returncode == 0, done.stderr
    assert "it ended its process with exit code 0" in done.stdout


def test_G8_misspelt_hook_is_said_with_what_was_meant(installed: Installed) -> None:
    done = installed.run("cloudllm", "ask", "-m", "echo", "on", plugins=["misspelt"])
    assert (done.returncode, "You said: on" in done.stdout) == (0, True), done.stderr
    lines = naming(done, "misspelt")
    assert any("cloudllm_repli; did you mean cloudllm_reply?" in line for line in lines), lines


def test_G8_what_a_plugin_prints_reaches_neither_stream(installed: Installed) -> None:
    done = installed.run("cloudllm", "ask", "-m", "echo", "on", plugins=["prints"])
    assert done.returncode == 0, done.stderr
    assert "NOISE" not in done.stdout + done.stderr
    shown = installed.run("cloudllm", "plugins", "show", "prints", plugins=["prints"]).stdout
    assert "NOISE printed at import" in shown
    assert "NOISE written at import" in shown
    assert "\x1b" not in shown


def test_G8_failing_observers_are_off_after_three_failures(installed: Installed) -> None:
    text = "".join(f"{number}\n\\end\n" for number in range(6))
    command = ("cloudllm", "run", "-", "-m", "echo")
    done = installed.run(*command, text=text, plugins=["hooks-raise"])
    assert (done.returncode, done.stdout.count("You said:")) == (0, 6), done.stderr
    lines = naming(done, "hooks-raise")
    for hook in ("cloudllm_event", "cloudllm_reply"):
        about = [line for line in lines if hook in line]
        assert 1 <= len(about) <= 4, lines
        assert any("off" in line for line in about), lines


@pytest.mark.parametrize("plugin", ["hooks-exit", "hooks-hang", "commands-raise"])
def test_G8_hook_that_exits_hangs_or_raises_costs_one_line(
    installed: Installed, plugin: str
) -> None:
    command = ("cloudllm", "run", "-", "-m", "echo")
    done = installed.run(*command, text="/help\non\n\\end\n", plugins=[plugin], **_QUICK)
    assert (done.returncode, "You said: on" in done.stdout) == (0, True), done.stderr
    (line,) = naming(done, plugin)
    assert _DISTRIBUTION in line
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("plugin", ["guard-raises", "guard-hangs"])
def test_G8_failing_guard_stops_the_turn_and_nothing_is_sent(
    installed: Installed, acme: WireServer, plugin: str
) -> None:
    done = installed.run(
        *("cloudllm", "ask", "-m", "acme", "hi"),
        plugins=["acme", plugin],
        ACME_API_KEY="sk-acme",
        ACME_BASE_URL=acme.url,
        **_QUICK,
    )
    assert done.stdout == ""
    assert done.returncode not in (0, 1), done.stderr
    (line,) = naming(done, plugin)
    assert _DISTRIBUTION in line
    assert acme.requests == []


@pytest.mark.parametrize("command", ["c-raises", "c-exits", "c-nothing"])
def test_G8_command_that_cannot_be_imported_is_one_line(installed: Installed, command: str) -> None:
    done = installed.run("cloudllm", command, plugins=[command])
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    (line,) = done.stderr.splitlines()[-1:]
    assert command in line
    assert "Traceback" not in done.stderr
    assert installed.run("cloudllm", "--help", plugins=[command]).returncode == 0


def test_G8_faulty_plugins_harm_no_listing_and_no_other_provider(installed: Installed) -> None:
    listed = installed.run("cloudllm", "plugins", "list", plugins=None)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert listed.stdout.count(_DISTRIBUTION) == 31
    assert "the name echo is taken" in listed.stdout
    assert "conflict: cloudllm-twin-one 1.0.0 and cloudllm-twin-two 1.0.0" in listed.stdout


def test_denied_plugin_is_not_loaded_even_by_show(installed: Installed) -> None:
    done = installed.run(
        *("cloudllm", "plugins", "show", "raises"),
        plugins=["raises"],
        CLOUDLLM_PLUGINS__DENY='["cloudllm-faulty"]',
    )
    assert done.returncode == 0, done.stderr
    assert "denied by plugins.deny" in done.stdout
    assert "RuntimeError" not in done.stdout


def test_unknown_plugin_is_an_error_with_a_suggestion(installed: Installed) -> None:
    done = installed.run("cloudllm", "plugins", "show", "hook-raise")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean hooks-raise?" in done.stderr
