"""Whatever ends or stops the program, the terminal is as it was before it."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudllm.testing import Reply, WireServer
from tests.repl.conftest import Terminal

pytestmark = pytest.mark.slow

Start = Callable[..., Terminal]
SEND = "\r\\end\r"
SIGNALS = [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP]

STOPPED = r"(?i)(stopped|suspended)(?s:.*)shell:$"

HANGS = """
import time
while True:
    try:
        time.sleep(60)
    except BaseException:
        pass
"""
"""A module that is never imported, and that no exception gets past."""


@pytest.fixture
def run(server: WireServer) -> Iterator[Start]:
    """Starts any command on a terminal, with cloudllm set up."""
    opened: list[Terminal] = []

    def start(command: list[str], **variables: str) -> Terminal:
        given = {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": server.url, **variables}
        opened.append(Terminal(command, {**os.environ, "TERM": "xterm-256color", **given}))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


@pytest.fixture
def broken(run: Start, tmp_path: Path) -> Start:
    """Starts a chat that finds this in the place of prompt_toolkit."""

    def start(source: str, command: tuple[str, ...] = ()) -> Terminal:
        site = tmp_path / "site"
        site.mkdir()
        (site / "prompt_toolkit.py").write_text(source)
        started = [*command, sys.executable, "-m", "cloudllm", "-m", "echo/echo"]
        return run(started, PYTHONPATH=str(site))

    return start


def assert_restored(t: Terminal) -> None:
    assert termios.tcgetattr(t.slave) == t.modes_before
    for on, off in ((b"?2004h", b"?2004l"), (b"?25l", b"?25h"), (b"?7l", b"?7h")):
        assert t.raw.rfind(on) <= t.raw.rfind(off)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("import a_module_that_is_not_there", 1),
        ("def broken(:", 1),
        ("raise SystemExit(3)", 3),
        ("raise KeyboardInterrupt", 130),
        ("class Odd(BaseException): pass\nraise Odd", 1),
    ],
    ids=["missing", "syntax", "exit", "interrupt", "odd"],
)
def test_G1_a_broken_module_leaves_the_terminal_as_it_was(
    source: str, code: int, broken: Start
) -> None:
    t = broken(source)
    assert t.leave() == code
    assert "Traceback" not in t.text()
    assert_restored(t)


@pytest.mark.parametrize("number", SIGNALS)
def test_G12_a_signal_during_the_imports_ends_the_program_at_once(
    number: signal.Signals, broken: Start
) -> None:
    t = broken(HANGS)
    t.wait("^>")
    t.send("rm -rf typed ahead\r")
    _until(lambda: _waiting(t) == 19)
    t.process.send_signal(number)
    assert t.leave(timeout=2) == 128 + number
    assert t.text() == ""
    assert_restored(t)


def test_G12_ctrl_c_during_the_imports_is_a_quiet_exit(broken: Start) -> None:
    t = broken(HANGS)
    t.wait("^>")
    t.send("\x03")
    assert t.leave(timeout=2) == 130
    assert t.text() == ""
    assert_restored(t)


def test_a_signal_while_a_reply_comes_in_ends_the_program(run: Start, server: WireServer) -> None:
    server.default = Reply(text=["begun ", *["x "] * 300], delay=0.1)
    t = run([sys.executable, "-m", "cloudllm"])
    t.wait("/help")
    t.send("go" + SEND)
    t.wait("begun")
    t.process.send_signal(signal.SIGTERM)
    assert t.leave(timeout=5) == 128 + signal.SIGTERM
    assert "begun" in t.text()
    assert_restored(t)


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGTERM])
def test_a_signal_in_plain_mode_leaves_no_key_unseen(number: signal.Signals, run: Start) -> None:
    t = run([sys.executable, "-m", "cloudllm", "--plain"])
    t.wait("on a line of its own sends")
    t.send("/setup key\n")
    t.wait("Paste the key")
    _until(lambda: not termios.tcgetattr(t.slave)[3] & termios.ECHO)
    t.process.send_signal(number)
    assert t.leave() == 128 + number
    assert_restored(t)


@pytest.mark.parametrize(
    ("raised", "code"),
    [("SystemExit(3)", 3), ("KeyboardInterrupt", 130), ("ValueError('no')", 0)],
)
def test_an_exception_in_the_application_leaves_the_terminal_as_it_was(
    raised: str, code: int, run: Start
) -> None:
    program = f"""
from cloudllm.__main__ import main
from cloudllm.repl.app import ChatApp
def fail(self):
    raise {raised}
def exit(self):
    import asyncio
    asyncio.get_running_loop().call_soon(fail, self)
    asyncio.get_running_loop().call_later(0.2, leave, self)
leave, ChatApp.exit = ChatApp.exit, exit
main()
"""
    t = run([sys.executable, "-c", program])
    t.wait("/help")
    t.send("\x04")
    assert t.leave() == code
    assert_restored(t)


def _shell(run: Start, **variables: str) -> Terminal:
    t = run(["sh", "-i"], PS1="shell: ", **variables)
    t.wait("shell:")
    return t


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def _waiting(t: Terminal) -> int:
    """How many keys wait to be read by the program."""
    return int.from_bytes(fcntl.ioctl(t.slave, termios.FIONREAD, bytes(4)), sys.byteorder)


def _is_raw(t: Terminal) -> bool:
    return not termios.tcgetattr(t.slave)[3] & (termios.ECHO | termios.ICANON)


def _is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return True
    return state == "Z"  # nobody has asked for its exit code yet


def test_ctrl_z_at_the_prompt_gives_the_terminal_to_the_shell_until_fg(run: Start) -> None:
    t = _shell(run)
    t.send(f"{sys.executable} -m cloudllm -m echo/echo\n")
    t.wait("/help")
    t.send("a draft\x1a")
    t.wait(STOPPED)
    assert not _is_raw(t)
    assert t.raw.rfind(b"?2004h") < t.raw.rfind(b"?2004l")
    t.send("fg; echo left $?\n")
    t.wait(r"> a draft$")
    _until(lambda: _is_raw(t))
    t.send(" goes on" + SEND)
    t.wait("You said: a draft goes on")
    t.send("\x04")
    t.wait("left 0")


def test_ctrl_z_during_the_imports_keeps_what_was_typed(run: Start, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    gate = tmp_path / "gate"
    (site / "sitecustomize.py").write_text(f"""
import os, sys, time
class Gate:
    def find_spec(self, name, path=None, target=None):
        while name == "prompt_toolkit" and not os.path.exists({str(gate)!r}):
            time.sleep(0.01)
sys.meta_path.insert(0, Gate())
""")
    t = _shell(run, PYTHONPATH=str(site))
    t.send(f"{sys.executable} -m cloudllm -m echo/echo\n")
    t.wait("^>")
    _until(lambda: _is_raw(t))
    t.send("typed\x1a")
    t.wait(STOPPED)
    t.send("fg\n")
    t.wait(r"^>$")
    _until(lambda: _is_raw(t))
    t.send(" ahead" + SEND)
    gate.touch()
    t.wait("You said: typed ahead$")


def test_the_prompt_is_back_after_a_stop_that_nobody_told_of(run: Start) -> None:
    t = _shell(run)
    t.send(f"{sys.executable} -m cloudllm -m echo/echo\n")
    t.wait("/help")
    t.send("a draft")
    t.wait("a draft")
    os.kill(_child(t), signal.SIGSTOP)
    t.wait(STOPPED)
    termios.tcsetattr(t.slave, termios.TCSANOW, t.modes_before)
    t.send("fg\n")
    _until(lambda: _is_raw(t))
    t.send("!" + SEND)
    t.wait("You said: a draft!")


def test_a_stopped_chat_can_be_ended(run: Start) -> None:
    t = _shell(run)
    t.send(f"{sys.executable} -m cloudllm -m echo/echo\n")
    t.wait("/help")
    child = _child(t)
    t.send("\x1a")
    t.wait(STOPPED)
    t.send("kill %1; fg\n")
    _until(lambda: _is_gone(child))


def test_the_chat_ends_with_the_shell_that_started_it(run: Start) -> None:
    t = _shell(run)
    t.send(f"{sys.executable} -m cloudllm -m echo/echo\n")
    t.wait("/help")
    child = _child(t)
    t.process.kill()
    t.process.wait()
    _until(lambda: _is_gone(child))


def test_G5_a_terminal_that_is_closed_ends_the_chat_in_order(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cloudllm", "-m", "echo/echo"]
    t = Terminal(command, {**os.environ, "CLOUDLLM_HOME": str(tmp_path)})
    t.wait("/help")
    t.send("a draft")
    t.wait("a draft")
    os.close(t.slave)
    os.close(t.master)
    assert t.process.wait(10) in (0, 128 + signal.SIGHUP)
    (history,) = tmp_path.rglob("input-history")
    assert history.read_text().endswith("+a draft\n")


def _child(t: Terminal) -> int:
    """The program in the terminal's foreground."""
    return os.tcgetpgrp(t.master)
