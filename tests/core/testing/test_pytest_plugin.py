"""The pytest plugin, in runs of pytest of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cloudllm.testing.conformance import ITEMS

pytest_plugins = "pytester"

_HEAD = """
from datetime import date
from cloudllm import KnownGap, Provider
from cloudllm.testing import provider_tests

def acme(**fields):
    declared = {"name": "acme", "label": "Acme", "litellm_route": "openai", "default_model": "m",
                "api_base": "https://acme.example/v1", "key_env": ("ACME_KEY",),
                "key_url": "https://acme.example", **fields}
    return Provider(**declared)
"""


def _run(pytester: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(_HEAD + source)
    return pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", "-p", "no:asyncio", "-Werror", *options
    )


@pytest.mark.slow
def test_a_test_for_each_item(pytester: pytest.Pytester) -> None:
    done = _run(pytester, "test_acme = provider_tests(acme)")
    found = done.parseoutcomes()
    assert found.keys() == {"passed", "skipped"}
    assert found["passed"] > 50


def test_what_is_wrong_fails_in_one_line(pytester: pytest.Pytester) -> None:
    gap = 'known_gaps=(KnownGap(item="declares-hosts", reason="old", since=date(2026, 1, 1)),)'
    wrong = f'label="", api_base="http://acme.example/v1", {gap}'
    done = _run(
        pytester,
        f"test_acme = provider_tests(lambda: acme({wrong}))",
        *("-k", "declares-name or declares-hosts or imports", "-rsxf"),
    )
    others = len(ITEMS) - 3
    assert done.parseoutcomes() == {"failed": 1, "skipped": 1, "xfailed": 1, "deselected": others}
    done.stdout.fnmatch_lines(
        [
            "the label '' must be a line of text",
            "SKIPPED*it was given as an object*",
            "XFAIL*declares-hosts*since 2026-01-01: old*must be https*",
            "FAILED*test_acme*declares-name*",
        ]
    )


@pytest.mark.slow
def test_session_plugin_and_fixture(pytester: pytest.Pytester) -> None:
    source = """
from urllib.request import urlopen
from cloudllm.testing import Reply, plugin_tests

test_speed = plugin_tests("speed")

def test_server(wire_server):
    wire_server.models = ["a"]
    with urlopen(f"{wire_server.url}/models") as answer:
        assert b'"a"' in answer.read()
"""
    done = _run(pytester, source, "-k", "reply-hook or test_server")
    assert done.parseoutcomes()["passed"] == 2


def test_loading_it_costs_nothing() -> None:
    program = (
        "import pytest, sys; before = set(sys.modules); import cloudllm.testing.pytest_plugin;"
        "print(*sorted(name for name in set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["cloudllm", "cloudllm.testing", "cloudllm.testing.pytest_plugin"]
