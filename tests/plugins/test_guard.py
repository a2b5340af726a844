"""The bundled plugin guard: a secret does not leave, what only looks like one does."""

from __future__ import annotations

import random
import string
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace

import pytest

from cloudllm import LLMSession, Message, PluginHooks, Plugins, Refused, Request, Role, TurnInfo
from cloudllm_plugins.guard import cloudllm_request
from tests.core.test_session import ACME, Script

TURN = TurnInfo(session="s", number=1, model="acme/one")
LETTERS = string.ascii_letters + string.digits


def made_up(length: int, alphabet: str = LETTERS) -> str:
    return "".join(random.Random(length).choices(alphabet, k=length))


def pem(kind: str = "", *, newline: str = "\n", header: str = "") -> str:
    lines = [f"-----BEGIN {kind}PRIVATE KEY-----", *header.splitlines(), made_up(64), made_up(40)]
    return newline.join([*lines, f"-----END {kind}PRIVATE KEY-----"])


SECRETS: Mapping[str, tuple[str, str]] = {
    "pkcs8": (pem(), "a private key"),
    "rsa": (pem("RSA "), "a private key"),
    "openssh": (pem("OPENSSH "), "a private key"),
    "encrypted": (pem("RSA ", header="Proc-Type: 4,ENCRYPTED\nDEK-Info: x,y\n"), "a private key"),
    "windows": (pem("EC ", newline="\r\n"), "a private key"),
    "json": (f'{{"private_key": "{pem(newline=chr(92) + "n")}"}}', "a private key"),
    "pgp": (pem("PGP ").replace("KEY-", "KEY BLOCK-"), "a private key"),
    "aws id": (f"AKIA{made_up(16, string.ascii_uppercase + '234567')}", "an AWS access key id"),
    "aws": (f"aws_secret_access_key = {made_up(40)}", "an AWS secret access key"),
    "aws json": (f'"SecretAccessKey" "AWSSecretAccessKey": "{made_up(40)}"', "an AWS secret"),
    "github": (f"ghp_{made_up(36)}", "a GitHub token"),
    "github fine": (f"github_pat_{made_up(22)}_{made_up(59)}", "a GitHub token"),
    "slack": (f"xoxb-{made_up(12, string.digits)}-{made_up(24)}", "a Slack token"),
    "anthropic": (f"sk-ant-api03-{made_up(93)}-{made_up(4)}AA", "an Anthropic key"),
    "openai": (f"sk-{made_up(48)}", "an OpenAI-style key"),
    "openai project": (f"OPENAI_API_KEY=sk-proj-{made_up(60)}", "an OpenAI-style key"),
    "openrouter": (f"sk-or-v1-{made_up(64, '0123456789abcdef')}", "an OpenAI-style key"),
}
HARMLESS = {
    "a question": "What does -----BEGIN PRIVATE KEY----- mean, and where does sk- come from?",
    "cut": "-----BEGIN RSA PRIVATE KEY-----\n…\n-----END RSA PRIVATE KEY-----",
    "public": pem().replace("PRIVATE", "PUBLIC"),
    "certificate": pem().replace("PRIVATE KEY", "CERTIFICATE"),
    "placeholders": "sk-" + "x" * 48 + " ghp_" + "X" * 36 + " AKIA" + "X" * 16,
    "of aws's manual": "AKIAIOSFODNN7EXAMPLE",
    "a class": "sk-button-primary sk-folding-cube-with-a-very-long-name-indeed-it-is",
    "a hash": made_up(40, "0123456789abcdef"),
    "a variable": "aws_secret_access_key = os.environ['AWS_SECRET_ACCESS_KEY']",
    "nothing": "",
}


def request(*messages: tuple[Role, str]) -> Request:
    return Request(messages=tuple(Message(role, text) for role, text in messages))


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_refused_with_its_kind_and_line_and_never_shown(name: str) -> None:
    secret, kind = SECRETS[name]
    text = f"Please read this:\n\n  {secret}\nThank you."
    with pytest.raises(Refused) as caught:
        cloudllm_request(request((Role.USER, text)), TURN)
    message = str(caught.value)
    assert f"line 3 of the message holds {kind}" in message
    assert 'plugins.deny = ["guard"]' in message
    assert "\n" not in message
    assert not any(secret[n : n + 12] in message for n in range(len(secret) - 12))


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_no_secret_goes_out(name: str) -> None:
    assert cloudllm_request(request((Role.USER, HARMLESS[name])), TURN) is None


def test_only_what_the_newest_user_message_brings_is_looked_at() -> None:
    old = request(
        (Role.SYSTEM, SECRETS["aws"][0]),
        (Role.USER, SECRETS["rsa"][0]),
        (Role.ASSISTANT, SECRETS["github"][0]),
        (Role.USER, "And now?"),
    )
    assert cloudllm_request(old, TURN) is None
    tools = replace(old, messages=(*old.messages, Message(Role.TOOL, SECRETS["slack"][0])))
    assert cloudllm_request(tools, TURN) is None


def test_a_long_message_is_searched_in_no_time() -> None:
    hard = ("-----BEGIN PRIVATE KEY-----" + "A: \n" * 50 + "sk-ab" * 30 + "AKIA" * 30) * 200
    assert cloudllm_request(request((Role.USER, hard)), TURN) is None


async def test_G3_a_session_with_the_installed_plugins_refuses_and_forgets() -> None:
    session = LLMSession(ACME, gateway=(script := Script()), hooks=PluginHooks(Plugins()))
    with pytest.raises(Refused, match="holds a private key") as caught:
        await session.send_message(Role.USER, SECRETS["rsa"][0])
    assert caught.value.exit_code == 7
    assert (session.history, script.calls) == ((), [])
    await session.send_message(Role.USER, "Hi")
    assert len(script.calls) == 1


async def test_denying_the_plugin_sends_it_anyway() -> None:
    hooks = PluginHooks(Plugins(deny=["guard"]))
    session = LLMSession(ACME, gateway=(script := Script()), hooks=hooks)
    await session.send_message(Role.USER, SECRETS["rsa"][0])
    assert script.sent[-1].content == SECRETS["rsa"][0]


def test_ask_exits_with_7_and_says_one_line() -> None:
    command = [sys.executable, "-m", "cloudllm", "ask", "-m", "echo/echo"]
    done = subprocess.run(
        command, input=SECRETS["rsa"][0], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (7, "")
    assert "guard: nothing was sent, since line 1 of the message holds a private key" in done.stderr
    assert len(done.stderr.splitlines()) == 1
