"""Hostile text by every road into a real terminal: what goes out is text and our own (G6)."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cloudllm.testing import Reply, WireServer
from tests.chatplugins import write_plugin
from tests.repl.conftest import Terminal
from tests.repl.hostile import CORPUS, EVIL, FLAT, MARKDOWN, SHORT, leaks, missing

pytestmark = pytest.mark.slow

SEND = "\r\\end\r"

PLUGIN = f"""
EVIL = {EVIL!r}

def tell(chat, argument):
    chat.say("told " + EVIL)
    print("printed " + EVIL)
    os.write(1, ("written " + EVIL).encode())
    return "returned " + EVIL

def fail(chat, argument):
    raise ValueError("raised " + EVIL)

@hookimpl
def cloudllm_commands():
    return [
        Command(name="/evil-tell", summary="does " + EVIL, argument="[A" + EVIL + "]", run=tell,
                complete=lambda: ["p\\u0430lain"]),
        Command(name="/evil-fail", summary="fails", run=fail),
        Command(name="/evil" + EVIL, summary="badly named", run=fail),
    ]

@hookimpl
def cloudllm_toolbar():
    return [{SHORT!r}]
"""


@dataclass
class Road:
    """A chat on a terminal, its provider, and how much of the bytes has been looked at."""

    terminal: Terminal
    server: WireServer
    seen: int = field(default=0)

    def ask(self, reply: Reply, pattern: str = r"tokens · .* s$") -> str:
        """Have this reply shown; gives what came on the screen."""
        self.server.replies(reply)
        before = self._count(pattern)
        self.terminal.send("go" + SEND)
        end = time.monotonic() + 60
        while self._count(pattern) == before:
            assert time.monotonic() < end, self.terminal.text()
            self.terminal.settle(0.05)
        self.terminal.settle(0.1)
        text = self.terminal.text()
        *_, last = re.finditer(pattern, text, re.MULTILINE)
        return text[text.rindex("> go", 0, last.start()) :]

    def _count(self, pattern: str) -> int:
        return len(re.findall(pattern, self.terminal.text(), re.MULTILINE))

    def clear(self) -> None:
        """Empty the editor; Ctrl-C on an empty one would leave, the second time."""
        self.terminal.send("x\x03")
        self.terminal.settle(0.1)

    def check(self) -> None:
        self.terminal.settle(0.1)
        raw, self.seen = self.terminal.raw[self.seen :], len(self.terminal.raw)
        assert leaks(raw) == []


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    folder = tmp_path_factory.mktemp("roads")
    write_plugin(folder / "site", "evil", PLUGIN)
    files = folder / "files"
    files.mkdir()
    for name in ("xplain", "x\u0301\u0301mark", f"x{SHORT}", b"x\xff\x1b[31337m"):
        (files / os.fsdecode(name)).touch()
    with WireServer() as server:
        variables = {
            **os.environ,
            "TERM": "xterm-256color",
            "CLOUDLLM_HOME": str(folder / "home"),
            "PYTHONPATH": str(folder / "site"),
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": server.url,
        }
        command = f'cd "{files}" && exec "{sys.executable}" -m cloudllm'
        terminal = Terminal(["sh", "-c", command], variables, 50, 120)
        terminal.wait("/help")
        yield Road(terminal, server)
        terminal.close()


def test_G6_replies(chat: Road) -> None:
    cases = [f"begin-{c['id']}\n\n{c['text']}\n\nend-{c['id']}\n\n" for c in (*CORPUS, *MARKDOWN)]
    shown = re.sub(r"\s", "", chat.ask(Reply(text=cases, escaped=True)))
    chat.check()
    lost = [case["id"] for case in (*CORPUS, *MARKDOWN) if f"end-{case['id']}" not in shown]
    assert lost == []
    assert missing(chat.ask(Reply(text=list(EVIL), escaped=True)), EVIL) == []
    chat.check()


def test_G6_reasoning(chat: Road) -> None:
    shown = chat.ask(Reply(reasoning=list(EVIL), text="done", escaped=True))
    assert missing(shown, EVIL) == []
    chat.check()


def test_G6_errors_of_a_server(chat: Road) -> None:
    shown = chat.ask(Reply.error(400, EVIL), "^Error: ")
    assert missing(shown, EVIL[:60]) == []
    chat.clear()
    chat.ask(Reply.html(f"<title>{EVIL}</title>"), "^Error: ")
    chat.clear()
    chat.ask(Reply(text=["half ", EVIL], fail_after=1), "was broken off|^Error: ")
    chat.clear()
    chat.check()


def test_G6_the_name_of_a_tool(chat: Road) -> None:
    chunk = (
        '{"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
        '"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"c","type":"function","function":'
        '{"name":"to\\u001b]0;pwned\\u0007ol\\u202e","arguments":"{\\"a\\":\\"\\u001b[31337m\\"}"}}]},'
        '"finish_reason":"tool_calls"}]}'
    )
    stream = [f"data: {chunk}\n\ndata: [DONE]\n\n".encode()]
    chat.ask(Reply(stream=stream, content_type="text/event-stream"), "empty reply|^Error|tool")
    chat.clear()
    chat.check()


def test_G6_what_plugins_say_print_and_raise(chat: Road) -> None:
    t = chat.terminal
    t.send("/evil-tell\r")
    t.wait("returned ")
    t.send("/evil-fail\r")
    t.wait("evil-fail failed|raised")
    t.send("/help\r")
    t.wait(r"does\s+Aa")
    t.send("/help /evil-tell\r")
    t.settle()
    t.send("/evil-te\t")
    t.settle()
    chat.clear()
    chat.check()
    for begin in ("told ", "printed ", "returned "):
        at = t.text().rindex(begin)
        assert missing(t.text()[at : at + 700], EVIL[:60]) == []


def test_G6_what_the_person_pastes_and_what_waits(chat: Road) -> None:
    t = chat.terminal
    t.paste(EVIL)
    t.settle()
    chat.check()
    assert missing(t.text(), EVIL) == []
    chat.server.replies(Reply(text=["slow ", "x"], stall_after=1))
    t.send(SEND)
    t.wait("^slow")
    t.paste(EVIL)
    t.send(SEND)
    t.wait("queued 1")
    t.send("\x1b[A")
    t.wait_gone("queued 1")
    t.send("\x03")
    t.wait("^Stopped")
    chat.clear()
    t.send("\x12")
    t.settle()
    t.paste(FLAT)
    t.wait(r"I-search.*Cc<U\+202E>Dd")
    t.send("\x07")
    t.settle()
    chat.check()


@pytest.mark.parametrize(
    "command", ["/model", "/model openai/", "/save /no/", "/set ", "/", "/pin "]
)
def test_G6_what_a_command_is_given(chat: Road, command: str) -> None:
    chat.terminal.paste(f"{command}{FLAT}")
    chat.terminal.send("\x1b\r")
    chat.terminal.settle()
    chat.clear()
    chat.check()


def test_G6_what_commands_tell_of_hostile_things(chat: Road) -> None:
    t = chat.terminal
    t.paste(f"/system {FLAT}")
    t.send("\r")
    for command in ("system", "info", "history", "why", "context", "tokens", "usage model", "set"):
        t.send(f"/{command}\r")
        t.settle()
    t.send("/model openai/gpt-4.1-nano\r")
    t.wait("next message goes to openai/gpt-4.1-nano")
    chat.check()


def test_G6_names_of_files(chat: Road) -> None:
    t = chat.terminal
    t.send("look at @x")
    t.wait("xplain")
    t.send("\t\t\t\t")
    t.settle()
    chat.clear()
    t.send("/save x\t\t\t")
    t.settle()
    chat.clear()
    chat.check()


def _program(arguments: list[str], server: WireServer, folder: Path, **variables: str) -> Terminal:
    given = {
        **os.environ,
        "TERM": "xterm-256color",
        "CLOUDLLM_HOME": str(folder / "home"),
        "PYTHONPATH": str(folder / "site"),
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": server.url,
        **variables,
    }
    return Terminal([sys.executable, "-m", "cloudllm", *arguments], given, 50, 200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder in which everything is hostile that can be."""
    folder = tmp_path_factory.mktemp("hostile")
    write_plugin(folder / "site", "evil", PLUGIN, distribution="cloudllm-evil")
    metadata = next((folder / "site").glob("*.dist-info")) / "METADATA"
    metadata.write_text(f"Metadata-Version: 2.1\nName: cloudllm-evil\nVersion: 1{SHORT}\n")
    (folder / "home").mkdir()
    shown = "".join(f"\\u{ord(c):04x}" if ord(c) < 0xFFFF else "" for c in SHORT)
    (folder / "home" / "config.toml").write_text(
        f'system_prompt = "{shown}"\n'
        f'[providers.work]\nextends = "openai"\napi_base = "http://127.0.0.1:9/v1"\n'
    )
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ["models", "--live", "-p", "openai"],
        ["providers"],
        ["plugins", "list"],
        ["plugins", "show", "evil"],
        ["config", "show", "--origin"],
        ["config", "check"],
        ["config", "set", SHORT, SHORT],
        ["usage", "--by", "model"],
        ["usage", "--since", EVIL],
        ["ask", "go"],
        ["ask", "--json", "go"],
        ["-m", f"openai/{SHORT}", "ask", "go"],
        ["-m", EVIL, "ask", "go"],
        ["run", f"/no/such/{SHORT}"],
        [EVIL],
        ["--help"],
    ],
    ids=lambda arguments: re.sub(r"[^a-z -]", "", " ".join(arguments))[:30],
)
def test_G6_what_the_subcommands_print(
    arguments: list[str], server: WireServer, folder: Path
) -> None:
    server.models = ["gpt-4.1-nano", f"gpt-{SHORT}", EVIL, "gpt-%1b]0;pwned%07"]
    server.default = Reply(text=list(EVIL), reasoning=EVIL, escaped=True)
    t = _program(arguments, server, folder)
    t.leave(timeout=30)
    assert leaks(t.raw) == []
    assert "Traceback" not in t.text()
    assert t.text()
    t.close()


def test_G6_plain_mode(server: WireServer, folder: Path) -> None:
    server.default = Reply(text=list(EVIL), reasoning=EVIL, escaped=True)
    t = _program(["--plain"], server, folder)
    t.wait("on a line of its own sends")
    t.send("go\n\\end\n")
    t.wait("12 tokens")
    server.replies(Reply.error(400, EVIL))
    t.send("go\n\\end\n/evil-tell\n/evil-fail\n/system\n/set\n/model\n/help\n/info\n")
    t.wait("(?s)raised.*/quit")
    t.send("\x04")
    t.leave()
    assert b"\x1b" not in t.raw
    assert leaks(t.raw) == []
    assert missing(t.text(), EVIL) == []
    t.close()
