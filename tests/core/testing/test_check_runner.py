"""Checks in a process of their own: what can be checked, and what a plugin can do to that process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudllm import UsageError
from cloudllm.testing import Verdict, run_check
from cloudllm.testing.check import main

_PROVIDER = """
from cloudllm import Provider, hookimpl

@hookimpl
def cloudllm_providers():
    return [Provider(name="acme", label="Acme", litellm_route="openai",
                     api_base="https://api.acme.example/v1", key_env=("ACME_API_KEY",),
                     key_url="https://acme.example/keys", default_model="acme-1")]
"""
_SHOUT = """
from cloudllm import hookimpl

@hookimpl
def cloudllm_reply(reply, turn):
    pass
"""
_IMPORT = ["imports"]
_THREAD = """
import threading
threading.Thread(target=threading.Event().wait, name="mine", daemon=True).start()
"""
_CONNECTION = """
import socket
try:
    socket.create_connection(("telemetry.example", 443))
except OSError:
    pass
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a plugin into one file."""

    def file(source: str) -> Path:
        path = tmp_path / "acme_plugin.py"
        path.write_text(textwrap.dedent(source))
        return path

    return file


def _only(target: str | Path, items: list[str] | None = None, silence: float = 20.0) -> Verdict:
    verdicts = list(run_check(target, items=items or _IMPORT, silence=silence))
    assert len(verdicts) == 1, verdicts
    return verdicts[0]


def test_file_passes(write: Write) -> None:
    started: list[tuple[str, str]] = []
    verdicts = list(
        run_check(
            write(_PROVIDER),
            items=["imports", "registers", "declares-name", "client-made"],
            started=lambda subject, item: started.append((subject, item)),
        )
    )
    assert [(verdict.item, verdict.result) for verdict in verdicts] == [
        ("imports", "ok"), ("registers", "ok"), ("declares-name", "ok"), ("client-made", "ok"),
    ]  # fmt: skip
    assert {verdict.subject for verdict in verdicts} == {"provider acme"}
    assert verdicts[0].detail.endswith(" MB")
    assert ("provider acme", "client-made") in started


@pytest.mark.parametrize(
    ("source", "detail"),
    [
        ("print('hello')", "the import printed 'hello'"),
        pytest.param(
            "import os; os.write(1, b'raw')", "the import printed 'raw'", marks=pytest.mark.slow
        ),
        pytest.param(
            "import no_such_module_here",
            "the import raised ModuleNotFoundError",
            marks=pytest.mark.slow,
        ),
        pytest.param("this is no Python", "the import raised SyntaxError", marks=pytest.mark.slow),
        pytest.param(
            "raise SystemExit(3)", "the import raised SystemExit: 3", marks=pytest.mark.slow
        ),
        pytest.param(_THREAD, "the import left a thread running: mine", marks=pytest.mark.slow),
        (
            "import subprocess, sys; subprocess.run([sys.executable, '-c', ''])",
            "the import started a process",
        ),
        pytest.param(
            _CONNECTION, "the import tried to reach telemetry.example", marks=pytest.mark.slow
        ),
        pytest.param(
            "import os; os.environ['ACME'] = '1'",
            "the import changed the variable ACME",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "import logging; logging.basicConfig()",
            "the import changed logging",
            marks=pytest.mark.slow,
        ),
        pytest.param("import litellm", "it imports litellm", marks=pytest.mark.slow),
        ("import os; os._exit(7)", "its process ended with exit code 7 while this ran"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
            "its process was ended by SIGSEGV while this ran",
        ),
        pytest.param("import time; time.sleep(2.1)", "the import took 2.", marks=pytest.mark.slow),
    ],
)
def test_import(write: Write, source: str, detail: str) -> None:
    verdict = _only(write(f"{source}\n{_PROVIDER}"))
    assert verdict.result == "failed"
    assert verdict.detail.startswith(detail)


@pytest.mark.slow
def test_import_that_hangs(write: Write) -> None:
    verdict = _only(write("import time; time.sleep(600)"), silence=1.2)
    assert verdict.detail == "it hung for 1 s, so its process was killed"
    assert (verdict.subject, verdict.item) == ("provider acme_plugin", "imports")


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (("@hookimpl", ""), "lacks the decorator @hookimpl"),
        (("import Provider", "import no_such_name, Provider"), "cannot import name"),
        (("from cloudllm", "cloudllm_api = 2\nfrom cloudllm"), "version 2"),
        (("return [", "raise SystemExit\n    ["), "SystemExit"),
        (("return [", "return None and ["), "gave NoneType"),
        (("return [", "raise ValueError('no')\n    ["), "ValueError: no"),
        pytest.param(
            ("return [", "import time; time.sleep(600)\n    ["),
            "did not end within 10 s",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_registers(write: Write, change: tuple[str, str], detail: str) -> None:
    verdicts = list(run_check(write(_PROVIDER.replace(*change)), items=["registers", "usage"]))
    failed = [verdict for verdict in verdicts if not verdict.passed]
    assert len(failed) == 1
    assert detail in failed[0].detail


def test_crash_in_a_call_is_told_with_its_item(write: Write) -> None:
    source = _PROVIDER.replace("Provider(", "Acme(") + textwrap.dedent(
        """
        import os
        from dataclasses import replace

        class Backend:
            async def stream(self, request):
                print("about to go")
                os._exit(9)
                yield

        class Acme(Provider):
            def client(self, model, settings):
                return replace(super().client(model, settings), backend=Backend())
        """
    )
    *before, last = run_check(write(source), items=["declares-name", "stream-events", "usage"])
    assert [verdict.result for verdict in before] == ["ok"]
    assert (last.item, last.result) == ("stream-events", "failed")
    assert last.detail == "its process ended with exit code 9 while this ran"


def test_what_is_printed_forges_no_verdict(write: Write) -> None:
    line = '{"subject": "provider acme", "item": "usage", "result": "ok"}'
    forged = f"print('{line}')\nimport sys; print('{line}', file=sys.stderr)\n"
    verdict = _only(write(forged + _PROVIDER))
    assert (verdict.item, verdict.result) == ("imports", "failed")


def test_child_gets_no_key_and_a_home_of_its_own(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-mine")
    monkeypatch.setenv("GITHUB_TOKEN", "mine")
    source = f"""
        import os
        assert not {{"SOME_API_KEY", "GITHUB_TOKEN"}} & set(os.environ)
        assert os.environ["CLOUDLLM_HOME"] != {os.environ["CLOUDLLM_HOME"]!r}
    """
    assert _only(write(textwrap.dedent(source) + _PROVIDER)).passed


def test_project_need_not_be_installed(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "cloudllm_acme.py").write_text(_PROVIDER)
    (tmp_path / "src" / "cloudllm_shout.py").write_text(_SHOUT)
    (tmp_path / "pyproject.toml").write_text(
        textwrap.dedent(
            """
            [project]
            name = "cloudllm-acme"
            version = "1.2"
            [project.entry-points."cloudllm.providers"]
            acme = "cloudllm_acme"
            [project.entry-points."cloudllm.plugins"]
            shout = "cloudllm_shout"
            """
        )
    )
    verdicts = list(run_check(tmp_path, items=["imports", "registers", "reply-hook"]))
    assert [(verdict.subject, verdict.item, verdict.result) for verdict in verdicts] == [
        ("provider acme", "imports", "ok"),
        ("provider acme", "registers", "ok"),
        ("plugin shout", "imports", "ok"),
        ("plugin shout", "reply-hook", "ok"),
    ]


def test_file_of_a_package_is_imported_with_it(tmp_path: Path) -> None:
    package = tmp_path / "cloudllm_acme"
    package.mkdir()
    (package / "__init__.py").write_text("from cloudllm_acme.offers import *")
    (package / "offers.py").write_text(_PROVIDER)
    assert _only(package / "__init__.py", ["registers"]).subject == "provider acme"


def test_file_does_not_collide_with_an_installed_plugin(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "site" / "cloudllm_acme-1.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: cloudllm-acme\nVersion: 1\n")
    (installed / "entry_points.txt").write_text("[cloudllm.providers]\nacme = nowhere\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    assert next(iter(run_check("acme", items=_IMPORT))).result == "failed"
    assert _only(write(_PROVIDER), ["registers"]).passed


def test_file_is_named_as_a_file_and_not_as_a_distribution(write: Write) -> None:
    source = _PROVIDER.replace("return [", "raise ValueError('no')\n    [")
    failed = [verdict for verdict in run_check(write(source)) if not verdict.passed]
    assert [(verdict.item, verdict.detail) for verdict in failed] == [
        (
            "registers",
            "plugin acme-plugin (acme_plugin.py): cloudllm_providers failed: ValueError: no",
        )
    ]


def test_installed_plugin_by_name() -> None:
    verdict = _only("speed", ["reply-hook"])
    assert (verdict.subject, verdict.result) == ("plugin speed", "ok")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("opnai", "no such plugin is installed, .* Did you mean openai?"),
        ("no/such/folder", "no such plugin is installed, and there is no such folder"),
        (".", "has no pyproject.toml"),
    ],
)
def test_nothing_to_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        list(run_check(target))


def test_file_without_hooks_and_unknown_item(write: Write) -> None:
    with pytest.raises(UsageError, match="implements no hook"):
        list(run_check(write("x = 1")))
    with pytest.raises(UsageError, match="no item 'nothing'"):
        list(run_check(write(_PROVIDER), items=["nothing"]))


def test_closing_ends_the_child_and_what_it_started(write: Write, tmp_path: Path) -> None:
    source = f"""
        import subprocess, sys
        from pathlib import Path
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path({str(tmp_path / "pid")!r}).write_text(str(child.pid))
    """
    verdicts = run_check(write(textwrap.dedent(source) + _PROVIDER), items=["imports", "unicode"])
    next(verdicts)
    verdicts.close()  # type: ignore[attr-defined] # it is a generator
    pid = int((tmp_path / "pid").read_text())
    end = time.monotonic() + 5
    while _alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except OSError:
        return False


def test_program_ends_with_what_it_found(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["speed", "--item", "reply-hook"]) == 0
    assert main([str(write("1 / 0")), "--item", "imports"]) == 1
    assert main(["opnai"]) == 2
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "plugin speed: reply-hook: ok",
        "provider acme_plugin: imports: failed: the import raised ZeroDivisionError: division by zero",
    ]
    assert err.startswith("error: opnai: no such plugin")


def test_module_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cloudllm.testing.check", "--help"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "--fd" not in done.stdout
