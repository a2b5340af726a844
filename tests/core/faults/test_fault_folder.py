"""Faults from elsewhere: those of the folder that CLOUDLLM_FAULTS names, and their server.

The folder holds `faults.json` and `fault_server.py`. The server prints a line of JSON with its base
URLs, chooses a fault by the model's name, and knows further ones, which `--list` shows.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from cloudllm import gateway
from cloudllm.provider import Deadlines
from cloudllm.retry import RetryPolicy
from tests.core.faults.program import ask, check_shown
from tests.core.faults.trying import Tried, check_rules, turn

_FOLDER = os.environ.get("CLOUDLLM_FAULTS", "")
_DEADLINES = Deadlines(connect=2, first_token=6, gap=4)
_AT_ONCE = 4
_CODES = {"done": {0}, "partial": {5}, "error": {2, 3, 4, 6, 7}}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not _FOLDER, reason="CLOUDLLM_FAULTS names no folder"),
    pytest.mark.timeout(600),
]


def _listed() -> list[dict[str, Any]]:
    if not _FOLDER:
        return []
    listed: list[dict[str, Any]] = json.loads(Path(_FOLDER, "faults.json").read_text())["faults"]
    return listed


def _further() -> list[str]:
    """What the server knows beyond the list."""
    if not _FOLDER:
        return []
    command = [sys.executable, str(Path(_FOLDER, "fault_server.py")), "--list"]
    known = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return sorted({*known} - {case["id"] for case in _listed()})


@dataclass(frozen=True)
class Elsewhere:
    """The server: its addresses by name, and what it has seen."""

    bases: Mapping[str, str]

    def asked(self) -> Counter[str]:
        """How many requests came for each model."""
        url = self.bases["base"].removesuffix("/v1") + "/__log"
        with urllib.request.urlopen(url) as answer:
            return Counter(entry["model"] for entry in json.load(answer))


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    command = [sys.executable, str(Path(_FOLDER, "fault_server.py")), "--max-seconds", "1200"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said = json.loads(server.stdout.readline())
        try:
            yield Elsewhere({name: url for name, url in said.items() if isinstance(url, str)})
        finally:
            server.terminate()


@dataclass(frozen=True)
class Case:
    """Where and how a case is met; `known` is what its list says of it."""

    id: str
    base: str
    known: Mapping[str, Any] | None = None


def _cases() -> list[Case]:
    """Those that a session can meet by itself."""
    cases = []
    for known in _listed():
        how = str(known["select"]).split()
        if how[0] in {"model", "base"}:
            cases.append(Case(known["id"], how[1] if how[0] == "base" else "base", known))
    return cases + [Case(name, "base") for name in _further()]


_CASES = _cases()
_OTHERS = [known for known in _listed() if known["id"] not in {case.id for case in _CASES}]
_nonce = uuid4().hex[:8]
_tried: dict[str, Tried] = {}


@pytest.fixture
def tried(request: pytest.FixtureRequest, elsewhere: Elsewhere, home: Path) -> dict[str, Tried]:
    """What came of all that are to be tested; the first test waits for them."""
    if not _tried:
        specs = (getattr(item, "callspec", None) for item in request.session.items)
        wanted = [spec.params["case"] for spec in specs if spec and "case" in spec.params]
        _tried.update(asyncio.run(_all(elsewhere, wanted)))
        asked = elsewhere.asked()
        for name, one in _tried.items():
            one.asked = asked[f"fault-{name}~{_nonce}"]
    return _tried


async def _all(elsewhere: Elsewhere, cases: list[Case]) -> dict[str, Tried]:
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(case: Case) -> Tried:
        async with limit:
            return await _turn(elsewhere.bases[case.base], case.id)

    tried = await asyncio.gather(*map(one, cases))
    await gateway.close()
    return dict(zip((case.id for case in cases), tried, strict=True))


async def _turn(url: str, name: str) -> Tried:
    return await turn(url, f"fault-{name}~{_nonce}", deadlines=_DEADLINES, retry=RetryPolicy())


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.id)
def test_case(case: Case, tried: dict[str, Tried]) -> None:
    met = tried[case.id]
    check_rules(met)
    if case.known is None:
        return
    assert met.outcome in _allowed(case.known), met.line
    assert len(met.attempts) <= case.known["max_attempts"], met.attempts
    if case.base == "base":
        assert met.asked == len(met.attempts)
    if met.outcome == "done":
        assert met.asked == case.known["max_attempts"]


def _allowed(known: Mapping[str, Any]) -> set[str]:
    """The state of the list; or the whole reply, where its words allow that as well."""
    allowed = {known["turn_state"]}
    if re.search(r"\bor the reply\b|\breply, or\b", known["expected_user_visible"]):
        allowed.add("done")
    return allowed


async def test_further_addresses(elsewhere: Elsewhere) -> None:
    named = {case.base for case in _CASES}
    for name, url in elsewhere.bases.items():
        if name.endswith("_base") and name not in named:
            check_rules(await _turn(url, "ok"))
    await gateway.close()


@pytest.mark.parametrize("known", _OTHERS, ids=lambda known: known["id"])
def test_case_of_the_whole_program(
    known: Mapping[str, Any], elsewhere: Elsewhere, home: Path
) -> None:
    if known["group"] == "local":
        pytest.skip("it is about files of this machine, which tests of the store look after")
    environ = {}
    url = "http://cloudllm-no-such-host.invalid/v1"
    if set_ := re.match(r"env (\w+)=(\w+)", known["select"]):
        environ[set_[1]] = elsewhere.bases[set_[2]].removesuffix("/v1")
        url = url.replace("http:", "https:")
    ended = ask(url, f"fault-{known['id']}", home, environ)
    check_shown(ended, home)
    assert ended.code in _CODES[known["turn_state"]], ended.err
    retries = [line for line in ended.err.splitlines()[:-1] if "again" in line]
    assert len(retries) < known["max_attempts"]
