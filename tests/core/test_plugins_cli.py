"""`cloudllm plugins`: the list, one plugin's story, a new project, and the kit's verdicts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudllm.cli import plugin_text
from cloudllm.cli.probe import Found
from cloudllm.plugins import Failure, Plugins, Story
from cloudllm.testing.conformance import Verdict

Install = Callable[..., str]

PROVIDER = """
from cloudllm import Provider, hookimpl

cloudllm_api = 1

@hookimpl
def cloudllm_providers():
    return [Provider(name="acme", label="Acme", api_base="https://api.acme.example/v1",
                     litellm_route="openai", key_env=("ACME_API_KEY",), default_model="acme-1")]
"""
WORDS = """
import os
from cloudllm import Command, hookimpl

os.write(1, b"written\\x1b[2J at import\\n")

@hookimpl
def cloudllm_commands():
    return [Command(name="/words", summary="count them", run=print, argument="[TEXT]")]

@hookimpl
def cloudllm_reply(reply):
    pass
"""


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of `install`, on the path of the programs under test."""
    folder = tmp_path / "site"
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def cloudllm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `cloudllm ARGUMENTS` with nothing on standard input."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "cloudllm", *arguments],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def shown(name: str, *arguments: str) -> list[dict[str, Any]]:
    """What `plugins show NAME --json` says."""
    done = cloudllm("plugins", "show", name, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def test_list_shows_third_party_plugins_first_and_imports_none(install: Install) -> None:
    install("acme", "raise SystemExit('imported')")
    install("words", "raise SystemExit('imported')", group="cloudllm.plugins")
    done = cloudllm("plugins", "list")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["NAME", "KIND", "DISTRIBUTION"],
        ["acme", "provider", "cloudllm-acme", "1.2"],
        ["words", "session", "cloudllm-words", "1.2"],
    ]
    assert any(line.split()[:2] == ["openai", "provider"] for line in lines[3:])
    assert max(map(len, lines)) <= 80
    assert lines[1].index("provider") == lines[2].index("session") == lines[0].index("KIND")


def test_list_says_why_a_plugin_is_not_loaded(install: Install) -> None:
    install("acme", "", distribution="acme-one")
    install("acme", "", distribution="acme-two")
    install("words", "", group="cloudllm.plugins")
    install("openai", "", distribution="taker")
    done = cloudllm("plugins", "list", "-o", 'plugins.deny=["words"]')
    assert (done.returncode, done.stderr) == (0, "")
    text = " ".join(done.stdout.split())
    assert "not loaded: conflict: acme-one 1.2 and acme-two 1.2 offer it" in text
    assert "not loaded: denied by plugins.deny" in text
    assert "not loaded: the name openai is taken" in text
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_list_as_json(install: Install) -> None:
    module = install("acme", "")
    first, *others = json.loads(cloudllm("plugins", "list", "--json").stdout)
    assert first == {
        "name": "acme",
        "kind": "provider",
        "distribution": "cloudllm-acme",
        "version": "1.2",
        "bundled": False,
        "entry_point": module,
        "state": "",
    }
    assert all(each["bundled"] for each in others)


def test_list_with_no_plugins_says_that_they_are_switched_off(install: Install) -> None:
    install("acme", "")
    assert "switched off by --no-plugins" in cloudllm("--no-plugins", "plugins", "list").stdout


def test_show_tells_what_a_provider_declares(install: Install, site: Path) -> None:
    install("acme", PROVIDER, module="cloudllm_acme")
    (site / "cloudllm_acme-1.2.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: cloudllm-acme\nVersion: 1.2\n"
        "Summary: Acme AI.\nProject-URL: Homepage, https://acme.example\n"
    )
    done = cloudllm("plugins", "show", "acme")
    assert (done.returncode, done.stderr) == (0, "")
    text = " ".join(done.stdout.split())
    for part in (
        "acme: a provider, from cloudllm-acme 1.2",
        "Acme AI.",
        "https://acme.example",
        "cloudllm.providers: acme = cloudllm_acme",
        "1 (this cloudllm offers 1)",
        "hooks cloudllm_providers",
        "provider acme (Acme)",
        "default model acme-1",
        "key from ACME_API_KEY",
    ):
        assert part in text, part


def test_show_tells_the_hooks_and_commands_of_a_chats_plugin(install: Install) -> None:
    install("words", WORDS, group="cloudllm.plugins")
    (story,) = shown("words")
    assert story["now"]["hooks"] == ["cloudllm_commands", "cloudllm_reply"]
    assert story["offers"] == ["/words [TEXT]: count them"]
    assert story["now"]["failures"] == []
    assert story["now"]["seconds"] >= 0
    assert story["api"] is None


def test_show_tells_what_was_printed_and_lets_none_of_it_through(install: Install) -> None:
    install("words", WORDS, group="cloudllm.plugins")
    done = cloudllm("plugins", "show", "words")
    assert "    | written␛[2J at import" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert shown("words")[0]["output"] == "written\x1b[2J at import\n"


def test_show_names_all_plugins_of_one_name_and_of_a_distribution(install: Install) -> None:
    install("acme", PROVIDER, distribution="acme-one")
    install("acme", PROVIDER, distribution="acme-two")
    assert [each["distribution"] for each in shown("acme")] == ["acme-one", "acme-two"]
    assert [each["distribution"] for each in shown("acme-two")] == ["acme-two"]


def test_show_does_not_load_what_is_denied(install: Install) -> None:
    install("acme", "raise RuntimeError('imported')")
    (story,) = shown("acme", "-o", 'plugins.deny=["acme"]')
    assert story["state"] == "denied by plugins.deny"
    assert story["now"]["failures"] == []


def test_show_tells_the_failure_of_now_and_those_recorded_in_a_chat(install: Install) -> None:
    install("acme", "raise RuntimeError('no today')")
    assert cloudllm("ask", "-m", "acme/x", "hi").returncode == 2
    done = cloudllm("plugins", "show", "acme")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("RuntimeError: no today") == 2  # the line and the traceback, once
    assert done.stdout.count("Traceback") == 1
    assert "FAILED" in done.stdout
    assert "UTC, 2 times since 20" in " ".join(done.stdout.split())
    for _ in range(2):  # showing it adds nothing to what is recorded
        (story,) = shown("acme")
        assert len(story["before"]["failures"]) == len(story["now"]["failures"]) == 1


def test_show_tells_each_failure_of_a_hook_once() -> None:
    line = "plugin words (w 1): cloudllm_event failed: KeyError: 3"
    failures = tuple(
        Failure(when=f"2026-01-0{day}T10:00:00.000+00:00", line=line, traceback="Traceback: that")
        for day in (1, 2, 3)
    )
    notes = ("cloudllm_event failed: KeyError: 3.", "slow", "slow")
    plugin = next(each for each in Plugins().installed if each.name == "speed")
    told = plugin_text.Told(plugin, "", Story(failures=failures, notes=notes), Found(ending="gone"))
    text = " ".join("\n".join(told.lines()).split())
    assert text.count("KeyError") == text.count("Traceback") == text.count("slow") == 1
    assert "failed before 2026-01-03 10:00:00 UTC, 3 times since 2026-01-01 10:00:00 UTC" in text


def test_show_of_one_of_several_plugins_of_a_distribution(install: Install) -> None:
    """Its name may be the distribution's."""
    install("acme", WORDS, distribution="acme", group="cloudllm.plugins")
    install("acme-log", WORDS, distribution="acme", group="cloudllm.plugins")
    for name in ("acme", "acme-log"):
        story = next(each for each in shown(name) if each["name"] == name)
        assert story["now"]["hooks"] == ["cloudllm_commands", "cloudllm_reply"]


@pytest.mark.parametrize(
    ("source", "ending"),
    [
        ("import os; os._exit(7)", "it ended its process with exit code 7"),
        ("import os; os._exit(0)", "it ended its process with exit code 0"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "by SIGSEGV"),
    ],
)
def test_show_survives_a_plugin_that_ends_its_process(
    install: Install, source: str, ending: str
) -> None:
    install("acme", source)
    (story,) = shown("acme")
    assert ending in story["ending"]


def test_show_survives_a_plugin_that_hangs(install: Install) -> None:
    install("acme", "import threading; threading.Event().wait()")
    (story,) = shown("acme", "-o", "plugins.deadline=0.2")
    assert "did not end within 0.2 s" in story["now"]["failures"][0]["line"]


@pytest.mark.parametrize("name", ["acmee", "cloudllm-acmee"])
def test_show_of_an_unknown_name_suggests_one(install: Install, name: str) -> None:
    install("acme", PROVIDER)
    done = cloudllm("plugins", "show", name)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"did you mean {name[:-1]}?" in done.stderr


def test_G7_show_tells_no_secret(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", "sk-a-very-secret-key")
    leak = "import os; key = os.environ['ACME_API_KEY']; print(key)\n"
    install("acme", leak + "raise RuntimeError(f'the key {key} was refused')")
    install("words", leak + "import sys; sys.stdout.flush(); os._exit(3)", group="cloudllm.plugins")
    for name in ("acme", "words"):
        done = cloudllm("plugins", "show", name)
        assert done.returncode == 0, done.stderr
        assert "very-secret" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("Acme", "can't be a provider's name"),
        ("../acme", "can't be a provider's name"),
        ("a b", "can't be a provider's name"),
        ("-acme", "o such option"),
        ("acme--ai", "can't be a provider's name"),
        ("a" * 41, "can't be a provider's name"),
        ("openai", "there is a plugin named openai already"),
        ("providers", "a Python module named cloudllm_providers is installed already"),
        ("cloudllm-acme", "Leave out cloudllm-: cloudllm plugins new acme"),
    ],
)
def test_new_refuses_a_name(
    name: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = cloudllm("plugins", "new", name)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
    assert not list(tmp_path.glob("cloudllm-a*"))


def test_new_refuses_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    for path in (tmp_path, tmp_path / "mine"):
        done = cloudllm("plugins", "new", "acme", "--path", str(path))
        assert (done.returncode, done.stdout) == (2, "")
        assert "is there already" in done.stderr
    assert (tmp_path / "mine").read_text() == "precious"


def test_new_says_in_one_line_that_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = cloudllm("plugins", "new", "acme", "--path", str(tmp_path / "file" / "acme"))
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_new_project_bears_the_name_in_all_spellings_and_says_what_is_next(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    done = cloudllm("plugins", "new", "my-ai2", "--path", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 4
    text = "".join(file.read_text() for file in folder.rglob("*") if file.is_file())
    assert "acme" not in text.lower()
    for spelling in ('name="my-ai2"', 'label="My Ai2"', "MY_AI2_API_KEY", "cloudllm_my_ai2"):
        assert spelling in text, spelling


@pytest.mark.parametrize("name", ["acme", "my-ai2", "a" * 40])
def test_new_project_satisfies_linter_and_formatter(name: str, tmp_path: Path) -> None:
    assert cloudllm("plugins", "new", name, "--path", str(tmp_path / "new")).returncode == 0
    for command in (["ruff", "check"], ["ruff", "format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", *command, "--isolated", "--no-cache", "--line-length=100"],
            check=False,
            cwd=tmp_path / "new",
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout


def test_check_prints_a_verdict_for_each_item_and_sums_them_up(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert cloudllm("plugins", "new", "acme", "--path", str(folder)).returncode == 0
    items = ("--item", "imports", "--item", "registers", "--item", "does-not-block")
    done = cloudllm("plugins", "check", str(folder), *items)
    assert (done.returncode, done.stderr) == (0, "")
    subject, imports, registers, blocks, summary = done.stdout.splitlines()
    assert subject == "provider acme"
    assert imports.split()[:2] == ["ok", "imports"]
    assert imports.endswith(" MB")
    assert " ms, " in imports
    assert registers.split() == ["ok", "registers"]
    assert blocks.startswith("  not applicable  does-not-block ")
    assert summary.startswith("2 ok, 1 not applicable, in ")


def test_check_of_what_fails_says_what_must_hold_and_ends_with_1(tmp_path: Path) -> None:
    file = tmp_path / "words.py"
    file.write_text(WORDS.replace("def cloudllm_reply", "def cloudllm_repli"))
    done = cloudllm("plugins", "check", str(file), "--item", "hooks-known", "--item", "reply-hook")
    assert (done.returncode, done.stderr) == (1, "")
    text = " ".join(done.stdout.split())
    assert "FAILED hooks-known" in text
    assert "did you mean cloudllm_reply?" in text
    assert "what must hold:" in text
    assert "1 failed, 1 not applicable, in " in text
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_check_leaves_out_what_depends_on_a_failure_and_repeats_that_one(tmp_path: Path) -> None:
    file = tmp_path / "acme.py"
    file.write_text("from cloudllm import hookimpl\n\n@hookimpl\ndef cloudllm_providers(): 1 / 0\n")
    done = cloudllm("plugins", "check", str(file))
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert len(lines) < 12
    assert " ".join(lines[-2].split()).startswith("not applicable ")
    assert lines[-2].endswith(" more, which depend on an item that is not met")
    assert lines[-1].startswith("1 ok, 1 failed, ")
    verdicts = [Verdict(item=f"item-{number}", result="failed") for number in range(20)]
    assert next(iter(plugin_text.failures(verdicts))).startswith("FAILED: item-0, item-1, ")


def test_check_survives_a_plugin_that_ends_its_process(install: Install) -> None:
    install("acme", "import os; os._exit(0)")
    done = cloudllm("plugins", "check", "acme", "--item", "imports")
    assert (done.returncode, done.stderr) == (1, "")
    assert "FAILED" in done.stdout
    assert "exit code 0" in " ".join(done.stdout.split())


def test_check_as_json(install: Install) -> None:
    install("words", WORDS, group="cloudllm.plugins")
    done = cloudllm("plugins", "check", "words", "--json", "--item", "commands")
    assert done.returncode == 0, done.stderr
    (verdict,) = json.loads(done.stdout)
    said = verdict["subject"], verdict["item"], verdict["result"]
    assert said == ("plugin words", "commands", "ok")


@pytest.mark.parametrize("arguments", [["nothing-like-it"], ["echo", "--item", "nothing-like-it"]])
def test_check_of_nothing_is_a_usage_error(arguments: list[str]) -> None:
    done = cloudllm("plugins", "check", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing-like-it" in done.stderr
    assert "Traceback" not in done.stderr


def test_known_gap_is_shown_with_its_date_and_reason_and_fails_nothing() -> None:
    gap = Verdict(
        item="usage",
        result="known gap",
        detail="since 2026-05-01: it reports none",
        subject="provider acme",
    )
    assert list(plugin_text.verdict(gap, "provider acme")) == [
        "  known gap       usage                 since 2026-05-01: it reports none"
    ]
    assert plugin_text.summary([gap]) == "1 known gap, in 0.0 s"
