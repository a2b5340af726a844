"""The chat without a screen: pipes, files, `ask`; what goes to which stream."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudllm.testing import Reply, WireServer

Done = subprocess.CompletedProcess[bytes]
Run = Callable[..., Done]


def _variables(server: WireServer) -> dict[str, str]:
    return {**os.environ, "OPENAI_API_KEY": "sk-plain-canary", "OPENAI_BASE_URL": server.url}


@pytest.fixture
def cloudllm(server: WireServer) -> Run:
    """Runs cloudllm to its end, its OpenAI provider pointing at `server`."""

    def run(*arguments: str, typed: bytes = b"", **variables: str) -> Done:
        return subprocess.run(
            [sys.executable, "-m", "cloudllm", *arguments],
            input=typed,
            capture_output=True,
            env={**_variables(server), **variables},
            timeout=60,
            check=False,
        )

    return run


def test_a_pipe_holds_a_conversation(cloudllm: Run, server: WireServer) -> None:
    server.replies(Reply(text="first reply"), Reply(text="second reply\n"))
    done = cloudllm(typed=b"hello\nthere\n\\end\n/set temperature 1\nand again\n")
    assert done.stdout == b"first reply\nsecond reply\n"
    assert done.returncode == 0
    assert b"7 in" in done.stderr
    sent = server.requests[1].body["messages"]
    assert [message["content"] for message in sent[1:]] == [
        "hello\nthere", "first reply", "and again",
    ]  # fmt: skip


@pytest.mark.slow
def test_the_echo_provider_needs_no_key(cloudllm: Run) -> None:
    done = cloudllm("-m", "echo/echo", typed=b"hello\n\\end\n", OPENAI_API_KEY="")
    assert done.returncode == 0
    assert done.stdout.startswith(b"You said: hello")
    assert b"no language model" in done.stdout


@pytest.mark.slow
def test_only_a_blocks_first_line_may_be_a_command(cloudllm: Run, server: WireServer) -> None:
    done = cloudllm(typed=b"text\n/quit\n\\end\n//quit\n\\end\n/quit\nnot sent\n")
    assert done.returncode == 0
    contents = [request.body["messages"][-1]["content"] for request in server.requests]
    assert contents == ["text\n/quit", "/quit"]


def test_G3_a_failed_turn_ends_a_pipe_with_its_exit_code(cloudllm: Run, server: WireServer) -> None:
    server.replies(Reply.error(400, "out of order"))
    done = cloudllm(typed=b"one\n\\end\ntwo\n\\end\n")
    assert done.returncode == 4
    assert done.stdout == b""
    assert len(server.requests) == 1
    assert done.stderr.count(b"\ncloudllm: ") + done.stderr.startswith(b"cloudllm: ") == 1


@pytest.mark.parametrize(
    ("typed", "code", "words"),
    [
        (b"/hepl\n", 2, b"unknown command /hepl. Did you mean /help"),
        (b"/model opnai/x\n", 2, b"unknown provider 'opnai'. Did you mean openai"),
        (b"fine\nnot \xff fine\n", 2, b"standard input, line 2: byte 0xff is not UTF-8"),
        (b"\\end\n", 0, b"nothing to send"),
        (b"  \n\t\n", 0, b""),
        (b"", 0, b""),
    ],
)
def test_bad_input_is_one_clear_line(
    typed: bytes, code: int, words: bytes, cloudllm: Run, server: WireServer
) -> None:
    done = cloudllm(typed=typed)
    assert (done.returncode, done.stdout) == (code, b"")
    assert words in done.stderr
    assert b"Traceback" not in done.stderr
    assert not server.requests


@pytest.mark.slow
def test_a_cut_reply_is_printed_and_exits_with_5(cloudllm: Run, server: WireServer) -> None:
    server.replies(Reply(text=["half ", "a ", "reply"], cut_after=2))
    done = cloudllm("ask", "go")
    assert (done.returncode, done.stdout) == (5, b"half a \n")
    assert b"The reply was broken off" in done.stderr


@pytest.mark.slow
def test_G10_in_a_pipe_a_budget_ends_the_run_and_asks_nobody(
    cloudllm: Run, server: WireServer
) -> None:
    done = cloudllm("-o", "budget.day=0.01", typed=b"one\n\\end\none\n\\end\n")
    assert (done.returncode, done.stdout) == (7, b"")
    assert b"nobody knows the price" in done.stderr
    assert b"Send the same" not in done.stderr
    assert not server.requests


@pytest.mark.slow
def test_in_a_pipe_there_is_nobody_to_be_offered_anything(
    cloudllm: Run, server: WireServer
) -> None:
    server.replies(
        Reply.error(503, "busy"),
        Reply(reasoning="hm", text="to be", finish_reason="length"),
        Reply(text=["half ", "a ", "reply"], cut_after=2),
    )
    done = cloudllm(typed=b"one\n\\end\ntwo\n\\end\nthree\n\\end\n")
    assert (done.returncode, done.stdout) == (5, b"to be\nhalf a \n")
    for words in (b"next try 2 of 3 in", b"2 attempts", b"limit of its length", b"was broken off"):
        assert words in done.stderr
    for words in (b"/continue", b"/retry", b"hm"):
        assert words not in done.stderr
    assert len(server.requests) == 3


def test_ask_prints_the_reply_and_nothing_else(cloudllm: Run, server: WireServer) -> None:
    done = cloudllm("ask", "what", "is this?", typed=b"a file\nof text\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"Hello from the wire.\n", b"")
    sent = server.requests[0].body["messages"][-1]["content"]
    assert sent == "what is this?\n\na file\nof text"


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, 1, 2])
def test_shared_options_stand_before_or_after_the_command(
    place: int, cloudllm: Run, server: WireServer
) -> None:
    options = ("-m", "gpt-4.1-nano", "-s", "Be brief.", "-o", "temperature=0.5")
    arguments = ["ask", "hi"]
    arguments[place:place] = options
    assert cloudllm(*arguments).returncode == 0
    body = server.requests[0].body
    assert (body["model"], body["temperature"]) == ("gpt-4.1-nano", 0.5)
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("ask",), 2, b"nothing to ask"),
        (("-o", "temperature", "ask", "x"), 2, b"expected KEY=VALUE"),
        (("-o", "tmperature=1", "ask", "x"), 2, b"did you mean temperature"),
        (("-m", "opnai/x", "ask", "x"), 2, b"Did you mean openai"),
        (("-m", "echo/ecko", "ask", "x"), 2, b"echo has no model 'ecko'"),
        (("aks", "x"), 2, b"Did you mean ask?"),
        (
            ("-m", "opnai", "ask", "x"),
            2,
            b"'opnai' is no provider and no alias. Did you mean openai?",
        ),
        (("config", "get", "tmperature"), 2, b"did you mean temperature?"),
        (("--modle", "x"), 2, b"--model"),
        (("run", "/nowhere/to/be/found"), 2, b"No such file"),
    ],
)
def test_a_wrong_command_line_is_one_clear_line(
    arguments: tuple[str, ...], code: int, words: bytes, cloudllm: Run
) -> None:
    done = cloudllm(*arguments)
    assert (done.returncode, done.stdout) == (code, b"")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_run_reads_the_same_grammar_from_a_file(
    cloudllm: Run, server: WireServer, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text("/system Be brief.\nhello\n\\end\n\\\\end\n")
    done = cloudllm("run", str(script))
    assert done.returncode == 0
    contents = [request.body["messages"][-1]["content"] for request in server.requests]
    assert contents == ["hello", "\\end"]
    assert server.requests[0].body["messages"][0]["content"] == "Be brief."


def test_a_missing_key_names_variable_place_and_the_way_without(cloudllm: Run) -> None:
    done = cloudllm("ask", "x", OPENAI_API_KEY="", OPENAI_BASE_URL="")
    assert (done.returncode, done.stdout) == (3, b"")
    for words in (b"OPENAI_API_KEY", b"https://platform.openai.com/api-keys", b"echo/echo"):
        assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_wrong_key_exits_with_3_and_is_not_shown(cloudllm: Run, server: WireServer) -> None:
    server.replies(Reply(status=401, body='{"error": {"message": "no such key: {key}"}}'))
    done = cloudllm("ask", "x")
    assert (done.returncode, done.stdout) == (3, b"")
    assert b"sk-plain-canary" not in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.slow
def test_the_variable_of_the_rust_crate_is_accepted(cloudllm: Run, server: WireServer) -> None:
    assert cloudllm("ask", "x", OPENAI_API_KEY="", OPEN_AI_SECRET="sk-seed").returncode == 0
    assert server.requests[0].key == "sk-seed"


@pytest.mark.slow
def test_an_endpoint_of_toml_alone(cloudllm: Run, server: WireServer, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text(
        'model = "work/big"\n[providers.work]\nextends = "openai"\n'
        f'api_base = "{server.url}"\napi_key_env = "WORK_KEY"\n'
    )
    done = cloudllm("ask", "x", WORK_KEY="sk-work", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert done.returncode == 0, done.stderr
    assert server.requests[0].key == "sk-work"
    assert server.requests[0].body["model"] == "big"


@pytest.mark.slow
def test_G7_an_endpoint_with_its_own_address_does_not_inherit_the_key(
    cloudllm: Run, server: WireServer, home: Path
) -> None:
    home.mkdir()
    (home / "config.toml").write_text(
        f'[providers.work]\nextends = "openai"\napi_base = "{server.url}"\n'
    )
    assert cloudllm("-m", "work/big", "ask", "x").returncode == 0
    assert server.requests[0].key is None


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('extends = "opnai"', "config.toml:2: providers.work.extends: unknown provider 'opnai'"),
        ('extends = "work"', "leads back to 'work'"),
        ('api_base = "http://127.0.0.1:9"', 'add extends = "openai"'),
        ('extends = "openai"\napi_bse = "x"', "config.toml:3: providers.work.api_bse"),
    ],
)
def test_a_wrong_endpoint_is_named_with_its_line(
    table: str, words: str, cloudllm: Run, home: Path
) -> None:
    home.mkdir()
    (home / "config.toml").write_text(f"[providers.work]\n{table}\n")
    done = cloudllm("-m", "work/x", "ask", "x")
    assert done.returncode == 2
    assert words in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_reader_that_goes_away_gets_one_line(server: WireServer) -> None:
    server.default = Reply(text=["x" * 1000] * 200, delay=0.01)
    process = subprocess.Popen(
        [sys.executable, "-m", "cloudllm", "ask", "go"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_variables(server),
    )
    assert process.stdout
    assert process.stderr
    process.stdout.read(10)
    process.stdout.close()
    with process:
        errors = process.stderr.read()
    assert b"standard output was closed" in errors
    assert b"Traceback" not in errors
    assert process.returncode == 1


def test_closed_standard_output_is_one_line(server: WireServer) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m cloudllm ask go >&-'],
        capture_output=True,
        env=_variables(server),
        timeout=60,
        check=False,
    )
    assert b"standard output is closed" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not server.requests


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("ask",),
        pytest.param(("run", "-"), marks=pytest.mark.slow),
        pytest.param((), marks=pytest.mark.slow),
    ],
)
def test_G12_ctrl_c_in_a_pipe_ends_the_line_and_the_program(
    arguments: tuple[str, ...], server: WireServer
) -> None:
    server.default = Reply(text=["begun ", *["x"] * 300], delay=0.1)
    process = subprocess.Popen(
        [sys.executable, "-m", "cloudllm", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_variables(server),
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(b"go\n\\end\nand again\n")
    process.stdin.close()
    process.stdin = None
    assert process.stdout.read(5) == b"begun"
    process.send_signal(signal.SIGINT)
    shown, errors = process.communicate(timeout=10)
    assert process.returncode == 130
    assert shown.endswith(b"\n")
    assert errors.splitlines()[-1] == b"Stopped; what came is kept."
    assert errors.count(b"Stopped") == 1
    assert b"Traceback" not in errors
    assert server.wait_for_disconnects(1)


@pytest.mark.slow
def test_ctrl_c_before_a_reply_says_so(server: WireServer) -> None:
    server.default = Reply(text="late", first_delay=30)
    process = subprocess.Popen(
        [sys.executable, "-m", "cloudllm", "ask", "go"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_variables(server),
    )
    end = time.monotonic() + 20
    while not server.requests:
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    shown, errors = process.communicate(timeout=10)
    assert (process.returncode, shown, errors) == (130, b"", b"Stopped.\n")


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_is_not_asked_for_a_server_on_this_machine(variable: str, cloudllm: Run) -> None:
    done = cloudllm("ask", "hi", **{variable: "http://127.0.0.1:9"})
    assert (done.returncode, done.stdout) == (0, b"Hello from the wire.\n")


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("ask", "hi"), ()], ids=["ask", "pipe"])
def test_a_full_disk_behind_standard_output_is_one_line(
    arguments: tuple[str, ...], server: WireServer
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "cloudllm", "-m", "echo/echo", *arguments],
            input=b"hi\n",
            stdout=full,
            stderr=subprocess.PIPE,
            env=_variables(server),
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert b"standard output takes no more (No space left on device)" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.slow
def test_closed_standard_error_does_no_harm(server: WireServer) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m cloudllm ask go 2>&-'],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=_variables(server),
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"Hello from the wire.\n")


@pytest.mark.parametrize(
    "address", ["http://[bad", "not a url", "http://h:99999/v1", "ftp://h/v1", "https://u:pw@/v1"]
)
def test_what_is_no_address_is_one_line(address: str, cloudllm: Run) -> None:
    done = cloudllm("ask", "x", OPENAI_BASE_URL=address)
    assert done.returncode == 2
    assert b"is no address to reach a model at" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert b"pw" not in done.stderr


@pytest.mark.slow
def test_a_reply_at_its_limit_says_so(cloudllm: Run, server: WireServer) -> None:
    server.replies(Reply(text="to be continued", finish_reason="length"))
    done = cloudllm("ask", "x")
    assert (done.returncode, done.stdout) == (5, b"to be continued\n")
    assert (
        done.stderr
        == b"The reply stopped at the limit of its length (max_output_tokens, or the model's own).\n"
    )


@pytest.mark.slow
def test_the_env_file_counts_from_the_start(
    terminal: Any, server: WireServer, tmp_path: Path
) -> None:
    other_home = tmp_path / "other"
    env_file = tmp_path / "my.env"
    env_file.write_text(f"CLOUDLLM_REPL__SUBMIT=enter\nMOVED={other_home}\n")
    t = terminal("--env-file", str(env_file))
    t.wait("Enter sends")
    t.send("hello\r")
    t.wait("Hello from the wire")
